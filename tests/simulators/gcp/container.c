/* From a revision's template to containers that run on this machine.
 *
 * All instances share the machine's network, so each has a loopback address and a port of its own: PORT tells the port,
 * SOCKERLESS_AGENT_BIND the address, for programs that listen on one address only: these may keep the declared port.
 * Probes of the declared port try both. Buckets are folders below the state folder; a mount without execution rights, as the cloud
 * gives it, is a mount with noexec. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

#define AGENT_DIR  "/sockerless"
#define AGENT_PATH "/sockerless/bin/sockerless-agent"
#define CLOUD_PORT 8080

int64_t gcp_duration_ms(const char *text, int64_t dflt)
{
    char *end;
    double s;

    if (skl_str_empty(text))
        return dflt;
    s = strtod(text, &end);
    return strcmp(end, "s") == 0 && s >= 0 && s < 1e9 ? (int64_t)(s * 1000) : dflt;
}

static const char *first_image(const struct revision *r)
{
    const cJSON *c = cJSON_GetArrayItem(skl_json_get(r->template, "containers"), 0);

    return skl_json_get_str(c, "image");
}

bool gcp_is_stub(const struct revision *r)
{
    const char *image = first_image(r);

    return image && strstr(image, "-docker.pkg.dev/") && strstr(image, "/gcf-artifacts/");
}

/* Docker Hub's names lose their host; R-docker.pkg.dev/P/REPO/path is path for a remote repository of Docker Hub and
 * REPO/path for others: the mirror stands for all of these. */
char *gcp_image_source(struct sim *s, const char *image)
{
    struct skl_str rest, host = skl_str_cut(skl_str(image), '/', &rest);
    struct skl_str project, repository, path;
    char *name SKL_AUTO_STR = NULL;
    char *location SKL_AUTO_STR = NULL;

    if (!rest.p)
        return skl_strdup(image);
    if (skl_str_eqz(host, "docker.io"))
        return skl_str_dup(rest);
    if (!skl_str_ends(host, "docker.pkg.dev"))
        return skl_strdup(image);
    project = skl_str_cut(rest, '/', &repository);
    (void)project;
    repository = skl_str_cut(repository, '/', &path);
    if (!path.p)
        return skl_strdup(image);
    location = skl_str_dup(skl_str_n(host.p, host.n > 15 ? host.n - 15 : 0));
    name = skl_str_dup(repository);
    if (gcp_repository_is_remote(s, location, name))
        return skl_str_dup(path);
    return gcp_format("%s/" SKL_STR_FMT, name, SKL_STR_ARG(path));
}

/* -- folders */

static char *instance_dir(const struct instance *x)
{
    return gcp_format("%s/instance-%.16s", x->revision->sim->state_dir, x->id);
}

void gcp_instance_dirs_remove(const struct instance *x)
{
    char *dir SKL_AUTO_STR = instance_dir(x);

    (void)sim_tool_run(
        (char *[]){(char[]){"rm"}, (char[]){"-rf"}, (char[]){"--one-file-system"}, dir, NULL},
        NULL);
}

static int make_dir(const char *path, struct skl_error *err)
{
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return skl_fail_errno(err, errno, "making '%s'", path);
    (void)chmod(path, 0777);
    return 0;
}

/* Below `base`, which exists; no part may lead out of it. */
static int make_below(const char *base, const char *path, char **ret, struct skl_error *err)
{
    struct skl_str rest = skl_str(path);
    char *at = skl_strdup(base);

    while (rest.p) {
        struct skl_str part = skl_str_cut(rest, '/', &rest);
        char *next;
        int rc;

        if (part.n == 0 || skl_str_eqz(part, "."))
            continue;
        next = gcp_format("%s/" SKL_STR_FMT, at, SKL_STR_ARG(part));
        rc = skl_str_eqz(part, "..") ? skl_fail(err, SKL_E_INVALID, "'%s': no '..' here", path)
                                     : make_dir(next, err);
        free(at);
        at = next;
        if (rc < 0) {
            free(at);
            return rc;
        }
    }
    *ret = at;
    return 0;
}

/* -- volumes */

static const char *mount_option(const cJSON *gcs, const char *name)
{
    const cJSON *item;
    size_t n = strlen(name);

    cJSON_ArrayForEach(item, skl_json_get(gcs, "mountOptions"))
    {
        const char *text = cJSON_GetStringValue(item);

        if (text && strncmp(text, name, n) == 0 && text[n] == '=')
            return text + n + 1;
    }
    return NULL;
}

static int bucket_mount(struct sim *s, const cJSON *gcs, const char *sub, struct sim_mount *m,
                        struct skl_error *err)
{
    const char *bucket = skl_json_get_str(gcs, "bucket");
    const char *only = mount_option(gcs, "only-dir");
    const char *mode = mount_option(gcs, "file-mode");
    char *dir SKL_AUTO_STR = gcp_bucket_dir(s, bucket);
    char *path SKL_AUTO_STR =
        gcp_format("%s/%s", skl_str_empty(only) ? "" : only, skl_str_empty(sub) ? "" : sub);

    if (!dir)
        return skl_fail(err, SKL_E_NOTFOUND,
                        "mount of Cloud Storage volume failed: bucket '%s' does not exist",
                        bucket ? bucket : "");
    m->read_only = skl_json_get_bool(gcs, "readOnly", false);
    m->no_exec = !mode || (strtol(mode, NULL, 8) & 0111) == 0;
    return make_below(dir, path, &m->source, err);
}

static const cJSON *named(const cJSON *list, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        if (skl_streq(skl_json_get_str(item, "name"), name))
            return item;
    }
    return NULL;
}

static int add_mount(struct instance *x, const cJSON *mount, struct sim_container *c,
                     struct skl_error *err)
{
    const char *name = skl_json_get_str(mount, "name");
    const char *sub = skl_json_get_str(mount, "subPath");
    const cJSON *volume = named(skl_json_get(x->revision->template, "volumes"), name);
    struct sim_mount *m = &c->mounts[c->n_mounts];
    const cJSON *gcs = skl_json_get(volume, "gcs");
    char *dir SKL_AUTO_STR = instance_dir(x);
    char *path SKL_AUTO_STR = gcp_format("%s/%s", name, sub ? sub : "");
    int rc;

    if (c->n_mounts == SIM_MAX_MOUNTS)
        return skl_fail(err, SKL_E_INVALID, "too many volume mounts");
    if (gcs)
        rc = bucket_mount(x->revision->sim, gcs, sub, m, err);
    else if (skl_json_get(volume, "emptyDir") || cJSON_IsObject(volume))
        rc = make_below(dir, path, &m->source, err);
    else
        rc = skl_fail(err, SKL_E_INVALID, "a volumeMount names no volume of the template");
    if (rc < 0)
        return rc;
    if (gcs)
        skl_strv_push(&x->mounted, m->source);
    m->volume = skl_strdup(name);
    m->path = skl_strdup(skl_json_get_str(mount, "mountPath"));
    c->n_mounts++;
    return 0;
}

/* The agent is there at the path of its bucket volume, unless the template says what is. */
static void add_agent(struct sim *s, struct sim_container *c)
{
    struct sim_mount *m = &c->mounts[c->n_mounts];

    if (skl_str_empty(s->options->agent) || c->n_mounts == SIM_MAX_MOUNTS)
        return;
    for (size_t i = 0; i < c->n_mounts; i++)
        if (skl_str_starts(skl_str(c->mounts[i].path), AGENT_DIR))
            return;
    m->source = skl_strdup(s->options->agent);
    m->path = skl_strdup(AGENT_PATH);
    m->read_only = true;
    c->n_mounts++;
}

/* -- probes */

static int probe_port(const struct instance *x, const cJSON *action, int declared)
{
    int port = (int)skl_json_get_int(action, "port", declared);

    return port == declared ? x->port : port;
}

static struct sim_probe read_probe(const struct instance *x, const cJSON *json, int declared)
{
    const cJSON *http = skl_json_get(json, "httpGet");
    const cJSON *tcp = skl_json_get(json, "tcpSocket");
    struct sim_probe p = {
        .kind = http  ? SIM_PROBE_HTTP
                : tcp ? SIM_PROBE_TCP
                      : SIM_PROBE_NONE,
        .initial_ms = 1000 * skl_json_get_int(json, "initialDelaySeconds", 0),
        .period_ms = 1000 * skl_json_get_int(json, "periodSeconds", 10),
        .timeout_ms = 1000 * skl_json_get_int(json, "timeoutSeconds", 1),
        .threshold = (int)skl_json_get_int(json, "failureThreshold", 3),
    };

    p.address = skl_strdup(x->address);
    p.port = probe_port(x, http ? http : tcp, declared);
    p.other_port = p.port == x->port ? x->declared_port : 0;
    if (http)
        p.path = skl_strdup(skl_json_get_str(http, "path"));
    return p;
}

static void cap_startup(struct sim_probe *p, int64_t limit_ms)
{
    if (p->timeout_ms > limit_ms)
        p->timeout_ms = limit_ms;
    if (p->period_ms > limit_ms)
        p->period_ms = limit_ms;
    while (p->threshold > 1 && p->threshold * p->period_ms > limit_ms)
        p->threshold--;
}

/* -- containers */

static void push_env(char ***env, const char *name, const char *value)
{
    char *text SKL_AUTO_STR = gcp_format("%s=%s", name, value);

    skl_strv_push(env, text);
}

static void add_env(const struct instance *x, const cJSON *json, bool is_ingress,
                    struct sim_container *c)
{
    const cJSON *item;
    char port[16];

    cJSON_ArrayForEach(item, skl_json_get(json, "env"))
    {
        const char *value = skl_json_get_str(item, "value");

        push_env(&c->env, skl_json_get_str(item, "name"), value ? value : "");
    }
    snprintf(port, sizeof(port), "%d", x->port);
    if (is_ingress)
        push_env(&c->env, "PORT", port);
    push_env(&c->env, "SOCKERLESS_AGENT_BIND", x->address);
    push_env(&c->env, "K_SERVICE", x->revision->service->id);
    push_env(&c->env, "K_REVISION", x->revision->name);
    push_env(&c->env, "K_CONFIGURATION", x->revision->service->id);
}

int gcp_declared_port(const cJSON *container)
{
    const cJSON *port = cJSON_GetArrayItem(skl_json_get(container, "ports"), 0);

    return (int)skl_json_get_int(port, "containerPort", CLOUD_PORT);
}

/* Of the container that serves: what it may listen on at the instance's own address. */
static void choose_ports(struct instance *x, const cJSON *container)
{
    int port = gcp_declared_port(container);
    int fd = sim_connect(x->address, port, 100);

    x->port = sim_free_port();
    x->declared_port = fd < 0 ? port : 0;
    if (fd >= 0)
        close(fd);
}

static int fill_member(struct instance *x, const cJSON *json, bool is_ingress, size_t i,
                       struct sim_member *m, struct skl_error *err)
{
    struct sim *s = x->revision->sim;
    const char *name = skl_json_get_str(json, "name");
    char number[24];
    struct sim_container *c = &m->container;
    const cJSON *limits = skl_json_get(skl_json_get(json, "resources"), "limits");
    const cJSON *mount;
    double memory_mib = 512;
    int declared = gcp_declared_port(json);

    snprintf(number, sizeof(number), "container-%zu", i);
    c->name = skl_strdup(skl_str_empty(name) ? number : name);
    c->image = gcp_image_source(s, skl_json_get_str(json, "image"));
    if (cJSON_GetArraySize(skl_json_get(json, "command")) > 0)
        c->command = skl_json_get_strv(json, "command");
    if (cJSON_GetArraySize(skl_json_get(json, "args")) > 0)
        c->args = skl_json_get_strv(json, "args");
    c->cwd = skl_strdup(skl_json_get_str(json, "workingDir"));
    add_env(x, json, is_ingress, c);
    (void)gcp_memory(skl_json_get_str(limits, "memory"), &memory_mib); /* validated */
    c->memory_bytes = (int64_t)(memory_mib * SKL_MIB);
    cJSON_ArrayForEach(mount, skl_json_get(json, "volumeMounts"))
    {
        int rc = add_mount(x, mount, c, err);

        if (rc < 0)
            return rc;
    }
    add_agent(s, c);
    m->startup = read_probe(x, skl_json_get(json, "startupProbe"), declared);
    m->liveness = read_probe(x, skl_json_get(json, "livenessProbe"), declared);
    if (is_ingress && m->startup.kind == SIM_PROBE_NONE) {
        m->startup.kind = SIM_PROBE_TCP;
        m->startup.timeout_ms = m->startup.period_ms = 240000;
        m->startup.threshold = 1;
    }
    cap_startup(&m->startup, s->options->startup_s * 1000);
    return 0;
}

static bool depends_on(const cJSON *c, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(c, "dependsOn"))
    {
        if (name && skl_streq(cJSON_GetStringValue(item), name))
            return true;
    }
    return false;
}

/* The next container whose dependencies have all been placed; -1: they form a circle. */
static int next_container(const cJSON *list, const bool *placed)
{
    const cJSON *c, *other;
    int i = 0;

    cJSON_ArrayForEach(c, list)
    {
        bool free_now = !placed[i++];
        int j = 0;

        cJSON_ArrayForEach(other, list)
        {
            if (!placed[j++] && depends_on(c, skl_json_get_str(other, "name")))
                free_now = false;
        }
        if (free_now)
            return i - 1;
    }
    return -1;
}

const cJSON *gcp_ingress_container(const cJSON *list)
{
    const cJSON *c;

    cJSON_ArrayForEach(c, list)
    {
        if (skl_json_get(c, "ports"))
            return c;
    }
    return cJSON_GetArrayItem(list, 0);
}

int gcp_service_spec(struct instance *x, struct sim_service_spec *ret, struct skl_error *err)
{
    const cJSON *list = skl_json_get(x->revision->template, "containers");
    int n = cJSON_GetArraySize(list);
    bool placed[16] = {false};
    char *dir SKL_AUTO_STR = instance_dir(x);
    int rc = make_dir(dir, err);

    SKL_ASSERT(n > 0 && n <= 10); /* validated */
    if (rc < 0)
        return rc;
    choose_ports(x, gcp_ingress_container(list));
    ret->name = gcp_format("sim-%.16s", x->id);
    ret->members = skl_new0_n(struct sim_member, (size_t)n);
    for (int k = 0; k < n; k++) {
        int i = next_container(list, placed);
        const cJSON *c = cJSON_GetArrayItem(list, i);

        if (i < 0)
            return skl_fail(err, SKL_E_INVALID, "dependsOn of the containers form a circle");
        placed[i] = true;
        ret->n++;
        rc =
            fill_member(x, c, n == 1 || skl_json_get(c, "ports"), (size_t)i, &ret->members[k], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
