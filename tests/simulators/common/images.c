/* Images: pulled with skopeo from the mirror or the reference's own registry, unpacked with umoci, once each. The
 * agent's image needs no registry: it is the agent's file alone. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"
#include "workload_internal.h"

static char *format2(const char *a, const char *b, const char *c)
{
    struct skl_buf t;

    skl_buf_init(&t, 8 * SKL_KIB);
    skl_buf_adds(&t, a);
    skl_buf_adds(&t, b);
    skl_buf_adds(&t, c);
    return skl_buf_detach(&t);
}

static bool is_agent_image(const char *ref)
{
    const char *p = strstr(ref, "sockerless/agent");

    return p && (p[16] == '\0' || p[16] == ':' || p[16] == '@');
}

static bool has_host(struct skl_str ref, struct skl_str *path)
{
    struct skl_str rest, first = skl_str_cut(ref, '/', &rest);

    *path = rest;
    return rest.p && (skl_str_find(first, '.') || skl_str_find(first, ':') ||
                      skl_str_eqz(first, "localhost"));
}

/* "docker://host/path": names without a host are Docker Hub's, and the mirror answers for those. */
static char *source_of(const struct sim_runtime *rt, const char *ref)
{
    struct skl_str path = skl_str(ref);
    const char *mirror = rt->mirror;
    struct skl_str rest;
    struct skl_buf b;

    if (has_host(skl_str(ref), &rest)) {
        if (!skl_str_starts(path, "docker.io/"))
            return format2("docker://", ref, "");
        path = rest;
    }
    if (skl_str_empty(mirror))
        mirror = "docker.io";
    else if (strstr(mirror, "://"))
        mirror = strstr(mirror, "://") + 3;
    rest = path;
    skl_str_cut(path, '/', &rest);
    skl_buf_init(&b, 8 * SKL_KIB);
    skl_buf_addf(&b, "docker://%s/%s" SKL_STR_FMT, mirror, rest.p ? "" : "library/",
                 SKL_STR_ARG(path));
    return skl_buf_detach(&b);
}

static int copy_file(const char *from, const char *to, struct skl_error *err)
{
    char *source SKL_AUTO_STR = skl_strdup(from);
    char *target SKL_AUTO_STR = skl_strdup(to);

    return sim_tool_run((char *[]){(char[]){"cp"}, (char[]){"-f"}, source, target, NULL}, err);
}

static int make_agent_image(const struct sim_runtime *rt, struct sim_image *i,
                            struct skl_error *err)
{
    char *to SKL_AUTO_STR = format2(i->rootfs, "/sockerless-agent", "");

    if (skl_str_empty(rt->agent_path))
        return skl_fail(err, SKL_E_NOTFOUND, "the agent's image needs --agent PATH");
    mkdir(i->rootfs, 0755);
    i->config = skl_strdup("{}");
    return copy_file(rt->agent_path, to, err);
}

static char *read_text(const char *path)
{
    struct skl_buf b;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;

    skl_buf_init(&b, SKL_MAX_REGISTRY_BODY);
    do {
        char *p = skl_buf_reserve(&b, 4096);

        n = fd >= 0 && p ? read(fd, p, 4096) : 0;
        if (n > 0)
            skl_buf_commit(&b, (size_t)n);
    } while (n > 0);
    if (fd >= 0)
        close(fd);
    return skl_buf_detach(&b);
}

/* A document of the layout by its digest. */
static cJSON *read_blob(const char *dir, const char *digest)
{
    char *path SKL_AUTO_STR = NULL, *text SKL_AUTO_STR = NULL;
    cJSON *json = NULL;

    if (!digest || !skl_str_starts(skl_str(digest), "sha256:"))
        return NULL;
    path = format2(dir, "/oci/blobs/sha256/", digest + strlen("sha256:"));
    text = read_text(path);
    return skl_json_parse(skl_str(text), &json, NULL) < 0 ? NULL : json;
}

/* What umoci's config.json does not tell: where the ENTRYPOINT ends and the CMD begins. */
static size_t count_entrypoint(const char *dir)
{
    char *path SKL_AUTO_STR = format2(dir, "/oci/index.json", "");
    char *text SKL_AUTO_STR = read_text(path);
    SKL_AUTO_JSON cJSON *index = NULL, *manifest = NULL, *config = NULL;
    const cJSON *first;

    if (skl_json_parse(skl_str(text), &index, NULL) < 0)
        return 0;
    first = cJSON_GetArrayItem(skl_json_get(index, "manifests"), 0);
    manifest = read_blob(dir, skl_json_get_str(first, "digest"));
    config = read_blob(dir, skl_json_get_str(skl_json_get(manifest, "config"), "digest"));
    return (size_t)cJSON_GetArraySize(skl_json_get(skl_json_get(config, "config"), "Entrypoint"));
}

static int pull(const struct sim_runtime *rt, struct sim_image *i, const char *dir,
                struct skl_error *err)
{
    char *source = source_of(rt, i->ref);
    char *layout = format2("oci:", dir, "/oci:image");
    char *image = format2(dir, "/oci", ":image");
    char *bundle = format2(dir, "/bundle", "");
    char *config = format2(dir, "/bundle/config.json", "");
    int rc;

    rc =
        sim_tool_run((char *[]){(char[]){"skopeo"}, (char[]){"--insecure-policy"}, (char[]){"copy"},
                                (char[]){"--src-tls-verify=false"}, source, layout, NULL},
                     err);
    if (rc == 0)
        rc = sim_tool_run((char *[]){(char[]){"umoci"}, (char[]){"unpack"}, (char[]){"--image"},
                                     image, bundle, NULL},
                          err);
    if (rc == 0)
        i->config = read_text(config);
    i->n_entrypoint = rc == 0 ? count_entrypoint(dir) : 0;
    free(source);
    free(layout);
    free(image);
    free(bundle);
    free(config);
    return rc < 0 ? skl_wrap(err, rc, "Failed to pull image '%s'", i->ref) : 0;
}

int sim_image_get(struct sim_runtime *rt, const char *ref, const struct sim_image **ret,
                  struct skl_error *err)
{
    struct sim_image *i;
    char number[32];
    char *dir;
    int rc = 0;

    pthread_mutex_lock(&rt->images_lock);
    i = skl_map_getz(&rt->images, ref);
    if (!i) {
        i = skl_new0(struct sim_image);
        i->ref = skl_strdup(ref);
        snprintf(number, sizeof(number), "/image-%zu", rt->images.n);
        dir = format2(rt->dir, number, "");
        mkdir(dir, 0755);
        i->rootfs = format2(dir, is_agent_image(ref) ? "/agent" : "/bundle/rootfs", "");
        rc = is_agent_image(ref) ? make_agent_image(rt, i, err) : pull(rt, i, dir, err);
        if (rc == 0) {
            skl_map_set(&rt->images, skl_str(ref), i);
        } else {
            (void)sim_tool_run((char *[]){(char[]){"rm"}, (char[]){"-rf"}, dir, NULL}, NULL);
            free(i->ref);
            free(i->rootfs);
            free(i->config);
            free(i);
        }
        free(dir);
    }
    pthread_mutex_unlock(&rt->images_lock);
    if (rc == 0)
        *ret = i;
    return rc;
}
