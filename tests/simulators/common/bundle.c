/* runc bundles: an overlay over the image's root file system and a config.json with the defaults that container
 * platforms give. The network is the machine's, so that workloads reach loopback as they would reach a VNet. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "workload_internal.h"

static char *path_of(const char *a, const char *b)
{
    struct skl_buf t;

    skl_buf_init(&t, 8 * SKL_KIB);
    skl_buf_addf(&t, "%s/%s", a, b);
    return skl_buf_detach(&t);
}

char *sim_volume_dir(const struct sim_runtime *rt, const struct sim_workload_spec *spec,
                     const char *volume)
{
    struct skl_buf t;

    skl_buf_init(&t, 8 * SKL_KIB);
    skl_buf_addf(&t, "%s/%s/volume-%s", rt->dir, spec->name, volume);
    return skl_buf_detach(&t);
}

char *sim_mount_dir(const struct sim_runtime *rt, const struct sim_workload_spec *spec,
                    const struct sim_mount *m)
{
    return m->source ? skl_strdup(m->source) : sim_volume_dir(rt, spec, m->volume);
}

static int mount_overlay(struct sim_bundle *b, const char *lower, struct skl_error *err)
{
    char *upper SKL_AUTO_STR = path_of(b->dir, "upper");
    char *work SKL_AUTO_STR = path_of(b->dir, "work");
    SKL_AUTO_BUF struct skl_buf options = {0};

    skl_buf_init(&options, 16 * SKL_KIB);
    mkdir(upper, 0755);
    mkdir(work, 0755);
    mkdir(b->rootfs, 0755);
    skl_buf_addf(&options, "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
    if (mount("overlay", b->rootfs, "overlay", 0, options.p) < 0)
        return skl_fail_errno(err, errno, "mounting a root file system");
    b->mounted = true;
    return 0;
}

/* -- config.json */

static void add_mount(struct skl_json *j, const char *to, const char *type, const char *from,
                      const char *const *options)
{
    skl_json_object(j, NULL);
    skl_json_str(j, "destination", to);
    skl_json_str(j, "type", type);
    skl_json_str(j, "source", from);
    skl_json_array(j, "options");
    for (; *options; options++)
        skl_json_str(j, NULL, *options);
    skl_json_end_array(j);
    skl_json_end_object(j);
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void add_mounts(struct skl_json *j, struct sim_runtime *rt,
                       const struct sim_workload_spec *spec, const struct sim_container *c,
                       const char *bundle_dir)
{
    char *hosts SKL_AUTO_STR = path_of(bundle_dir, "hosts");
    char *resolv SKL_AUTO_STR = path_of(bundle_dir, "resolv.conf");

    skl_json_array(j, "mounts");
    add_mount(j, "/proc", "proc", "proc", OPTIONS("nosuid", "noexec", "nodev"));
    add_mount(j, "/dev", "tmpfs", "tmpfs",
              OPTIONS("nosuid", "strictatime", "mode=755", "size=65536k"));
    add_mount(j, "/dev/pts", "devpts", "devpts",
              OPTIONS("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"));
    add_mount(j, "/dev/shm", "tmpfs", "shm",
              OPTIONS("nosuid", "noexec", "nodev", "mode=1777", "size=65536k"));
    add_mount(j, "/dev/mqueue", "mqueue", "mqueue", OPTIONS("nosuid", "noexec", "nodev"));
    add_mount(j, "/sys", "bind", "/sys", OPTIONS("rbind", "nosuid", "noexec", "nodev", "ro"));
    add_mount(j, "/etc/hosts", "bind", hosts, OPTIONS("bind", "rw"));
    add_mount(j, "/etc/resolv.conf", "bind", resolv, OPTIONS("bind", "rw"));
    for (size_t i = 0; i < c->n_mounts; i++) {
        const struct sim_mount *m = &c->mounts[i];
        char *from SKL_AUTO_STR = sim_mount_dir(rt, spec, m);

        add_mount(j, m->path, "bind", from,
                  OPTIONS("rbind", m->read_only ? "ro" : "rw", m->no_exec ? "noexec" : "exec"));
    }
    skl_json_end_array(j);
}

static void add_strings(struct skl_json *j, const char *key, const char *const *v)
{
    skl_json_array(j, key);
    for (; *v; v++)
        skl_json_str(j, NULL, *v);
    skl_json_end_array(j);
}

static void add_capabilities(struct skl_json *j)
{
    static const char *const names[] = {"CAP_CHOWN",
                                        "CAP_DAC_OVERRIDE",
                                        "CAP_FSETID",
                                        "CAP_FOWNER",
                                        "CAP_MKNOD",
                                        "CAP_NET_RAW",
                                        "CAP_SETGID",
                                        "CAP_SETUID",
                                        "CAP_SETFCAP",
                                        "CAP_SETPCAP",
                                        "CAP_NET_BIND_SERVICE",
                                        "CAP_SYS_CHROOT",
                                        "CAP_KILL",
                                        "CAP_AUDIT_WRITE",
                                        NULL};

    skl_json_object(j, "capabilities");
    add_strings(j, "bounding", names);
    add_strings(j, "effective", names);
    add_strings(j, "permitted", names);
    skl_json_end_object(j);
}

/* Arguments without a command take the place of the image's CMD, behind its ENTRYPOINT. */
static void add_argv(struct skl_json *j, const struct sim_container *c, char *const *image_argv,
                     size_t n_entrypoint)
{
    size_t n = c->command              ? skl_strv_len(c->command)
               : c->args && c->args[0] ? n_entrypoint
                                       : skl_strv_len(image_argv);

    skl_json_array(j, "args");
    for (char *const *p = c->command ? c->command : image_argv; p && *p && n > 0; p++, n--)
        skl_json_str(j, NULL, *p);
    for (char *const *p = c->args; p && *p; p++)
        skl_json_str(j, NULL, *p);
    skl_json_end_array(j);
}

static void add_env(struct skl_json *j, const struct sim_container *c, char *const *image_env)
{
    skl_json_array(j, "env");
    for (; image_env && *image_env; image_env++)
        skl_json_str(j, NULL, *image_env);
    for (char *const *p = c->env; p && *p; p++)
        skl_json_str(j, NULL, *p);
    skl_json_end_array(j);
}

static void add_process(struct skl_json *j, const struct sim_container *c, const cJSON *image,
                        size_t n_entrypoint)
{
    const cJSON *process = skl_json_get(image, "process");
    const cJSON *user = skl_json_get(process, "user");
    char **argv = skl_json_get_strv(process, "args");
    char **env = skl_json_get_strv(process, "env");
    const char *cwd = skl_json_get_str(process, "cwd");

    skl_json_object(j, "process");
    skl_json_bool(j, "terminal", false);
    skl_json_object(j, "user");
    skl_json_int(j, "uid", skl_json_get_int(user, "uid", 0));
    skl_json_int(j, "gid", skl_json_get_int(user, "gid", 0));
    skl_json_end_object(j);
    add_argv(j, c, argv, n_entrypoint);
    add_env(j, c, env);
    if (c->cwd)
        cwd = c->cwd;
    skl_json_str(j, "cwd", skl_str_empty(cwd) ? "/" : cwd);
    add_capabilities(j);
    skl_json_bool(j, "noNewPrivileges", false);
    skl_json_end_object(j);
    skl_strv_free(argv);
    skl_strv_free(env);
}

static void add_linux(struct skl_json *j, int64_t memory_bytes)
{
    static const char *const namespaces[] = {"pid", "ipc", "uts", "mount"};
    static const char *const masked[] = {"/proc/kcore",       "/proc/keys",    "/proc/timer_list",
                                         "/proc/sched_debug", "/sys/firmware", NULL};

    skl_json_object(j, "linux");
    skl_json_array(j, "namespaces");
    for (size_t i = 0; i < SKL_ARRAY_LEN(namespaces); i++) {
        skl_json_object(j, NULL);
        skl_json_str(j, "type", namespaces[i]);
        skl_json_end_object(j);
    }
    skl_json_end_array(j);
    add_strings(j, "maskedPaths", masked);
    if (memory_bytes > 0) {
        skl_json_object(j, "resources");
        skl_json_object(j, "memory");
        skl_json_int(j, "limit", memory_bytes);
        skl_json_end_object(j);
        skl_json_end_object(j);
    }
    skl_json_end_object(j);
}

static int write_text(const char *path, const char *text, struct skl_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return ok ? 0 : skl_fail(err, SKL_E_INTERNAL, "writing '%s'", path);
}

static int write_config(struct sim_runtime *rt, const struct sim_workload_spec *spec,
                        const struct sim_container *c, const struct sim_image *image,
                        struct sim_bundle *b, struct skl_error *err)
{
    char *path SKL_AUTO_STR = path_of(b->dir, "config.json");
    SKL_AUTO_JSON cJSON *image_config = NULL;
    SKL_AUTO_BUF struct skl_buf text = {0};
    struct skl_json j;

    skl_buf_init(&text, 8 * SKL_MIB);
    (void)skl_json_parse(skl_str(image->config), &image_config, NULL); /* "{}" or umoci's own */
    skl_json_init(&j, &text);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "ociVersion", "1.0.2");
    add_process(&j, c, image_config, image->n_entrypoint);
    skl_json_object(&j, "root");
    skl_json_str(&j, "path", b->rootfs);
    skl_json_bool(&j, "readonly", false);
    skl_json_end_object(&j);
    skl_json_str(&j, "hostname", "workload");
    add_mounts(&j, rt, spec, c, b->dir);
    add_linux(&j, rt->memory_limits ? c->memory_bytes : 0);
    skl_json_end_object(&j);
    return write_text(path, text.p, err);
}

int sim_bundle_make(struct sim_runtime *rt, const struct sim_workload_spec *spec,
                    const struct sim_container *c, const char *id, struct sim_bundle *ret,
                    struct skl_error *err)
{
    const struct sim_image *image;
    char *hosts = NULL, *resolv = NULL;
    int rc;

    *ret = (struct sim_bundle){0};
    rc = sim_image_get(rt, c->image, &image, err);
    if (rc < 0)
        return rc;
    ret->dir = path_of(rt->dir, id);
    ret->rootfs = path_of(ret->dir, "rootfs");
    mkdir(ret->dir, 0700);
    hosts = path_of(ret->dir, "hosts");
    resolv = path_of(ret->dir, "resolv.conf");
    rc = write_text(hosts, "127.0.0.1\tlocalhost\n::1\tlocalhost\n", err);
    if (rc == 0)
        rc = sim_tool_run(
            (char *[]){(char[]){"cp"}, (char[]){"-L"}, (char[]){"/etc/resolv.conf"}, resolv, NULL},
            err);
    if (rc == 0)
        rc = mount_overlay(ret, image->rootfs, err);
    if (rc == 0)
        rc = write_config(rt, spec, c, image, ret, err);
    free(hosts);
    free(resolv);
    if (rc < 0)
        sim_bundle_remove(ret);
    return rc;
}

void sim_bundle_remove(struct sim_bundle *b)
{
    if (b->mounted)
        (void)umount2(b->rootfs, MNT_DETACH); /* what is still busy goes with its last user */
    if (b->dir)
        (void)sim_tool_run((char *[]){(char[]){"rm"}, (char[]){"-rf"},
                                      (char[]){"--one-file-system"}, b->dir, NULL},
                           NULL);
    free(b->dir);
    free(b->rootfs);
    *b = (struct sim_bundle){0};
}
