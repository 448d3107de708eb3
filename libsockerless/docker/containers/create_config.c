/* Config: checks, and the merge with what the image says (a Docker Engine's rules). */
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "docker/containers/create_internal.h"
#include "docker/containers/health.h"
#include "docker/lifecycle/lifecycle.h"

#define MS_IN_NS 1000000

/* -- checks */

static int check_health(const cJSON *check, struct skl_error *err)
{
    static const char *const durations[] = {"Interval", "Timeout", "StartPeriod", "StartInterval"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(durations); i++) {
        int64_t ns = skl_json_get_int(check, durations[i], 0);

        if (ns != 0 && ns < MS_IN_NS)
            return skl_fail(err, SKL_E_INVALID, "%s in Healthcheck cannot be less than 1ms",
                            durations[i]);
    }
    if (skl_json_get_int(check, "Retries", 0) < 0)
        return skl_fail(err, SKL_E_INVALID, "Retries in Healthcheck cannot be negative");
    return 0;
}

bool skl_port_spec_is_valid(const char *spec)
{
    struct skl_str proto, last, range = skl_str_cut(skl_str(spec), '/', &proto);
    struct skl_str first = skl_str_cut(range, '-', &last);
    uint64_t from, to;

    if (proto.p && !skl_str_ieqz(proto, "tcp") && !skl_str_ieqz(proto, "udp") &&
        !skl_str_ieqz(proto, "sctp"))
        return false;
    if (!skl_str_u64(first, &from) || from > 65535)
        return false;
    return !last.p || (skl_str_u64(last, &to) && to <= 65535 && to >= from);
}

static int check_ports(const cJSON *ports, struct skl_error *err)
{
    const cJSON *port;

    cJSON_ArrayForEach(port, ports) if (!skl_port_spec_is_valid(port->string)) return skl_fail(
        err, SKL_E_INVALID, "invalid port specification: \"%.100s\"", port->string);
    return 0;
}

static int check_env(const cJSON *env, struct skl_error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, env)
    {
        const char *text = item->valuestring;

        if (text[0] == '\0' || text[0] == '=')
            return skl_fail(err, SKL_E_INVALID, "invalid environment variable: %.1s%s", text,
                            text[0] && text[1] ? "***" : ""); /* values may be secrets */
    }
    return 0;
}

/* Go's path.Clean for absolute paths. */
char *skl_path_clean(const char *path)
{
    struct skl_str rest = skl_str(path);
    struct skl_buf b;

    if (rest.n == 0 || rest.p[0] != '/')
        return NULL;
    skl_buf_init(&b, rest.n + 2);
    while (rest.p) {
        struct skl_str part = skl_str_cut(rest, '/', &rest);

        if (part.n == 0 || skl_str_eqz(part, "."))
            continue;
        if (skl_str_eqz(part, "..")) {
            while (b.n > 0 && b.p[b.n - 1] != '/')
                b.n--;
            if (b.n > 0)
                b.n--;
            continue;
        }
        skl_buf_addc(&b, '/');
        skl_buf_addstr(&b, part);
    }
    if (b.n == 0)
        skl_buf_addc(&b, '/');
    b.p[b.n] = '\0';
    return skl_buf_detach(&b);
}

static int check_workdir(cJSON *config, struct skl_error *err)
{
    const char *dir = skl_json_get_str(config, "WorkingDir");
    SKL_AUTO_STR char *clean = NULL;

    if (skl_str_empty(dir))
        return 0;
    clean = skl_path_clean(dir);
    if (!clean)
        return skl_fail(err, SKL_E_INVALID,
                        "the working directory '%.200s' is invalid, it needs to be an absolute "
                        "path",
                        dir);
    skl_fields_set(config, "WorkingDir", cJSON_CreateString(clean));
    return 0;
}

int skl_create_check_config(struct skl_create *x, struct skl_error *err)
{
    const char *signal = skl_json_get_str(x->config, "StopSignal");
    int signo, rc;

    if (!skl_str_empty(signal) && !skl_signal_parse(signal, &signo))
        return skl_fail(err, SKL_E_INVALID, "Invalid signal: %.100s", signal);
    rc = check_workdir(x->config, err);
    if (rc == 0)
        rc = check_env(skl_json_get(x->config, "Env"), err);
    if (rc == 0)
        rc = check_ports(skl_json_get(x->config, "ExposedPorts"), err);
    if (rc == 0)
        rc = check_health(skl_json_get(x->config, "Healthcheck"), err);
    return rc;
}

/* -- the image's share */

static void fill_string(cJSON *config, const cJSON *image, const char *name)
{
    const char *theirs = skl_json_get_str(image, name);

    if (skl_str_empty(skl_json_get_str(config, name)) && !skl_str_empty(theirs))
        skl_fields_set(config, name, cJSON_CreateString(theirs));
}

/* Members that the container does not have. */
static void fill_members(cJSON *config, const cJSON *image, const char *name)
{
    const cJSON *theirs = skl_json_get(image, name), *item;
    cJSON *ours;

    if (!cJSON_IsObject(theirs) || !theirs->child)
        return;
    if (!skl_json_get(config, name))
        skl_fields_set(config, name, cJSON_CreateObject());
    ours = skl_json_get(config, name);
    cJSON_ArrayForEach(item, theirs) if (!cJSON_GetObjectItemCaseSensitive(ours, item->string))
        cJSON_AddItemToObject(ours, item->string, cJSON_Duplicate(item, true));
}

static size_t name_length(const char *assignment)
{
    const char *equal = strchr(assignment, '=');

    return equal ? (size_t)(equal - assignment) : strlen(assignment);
}

static bool has_name(const cJSON *env, const char *assignment)
{
    size_t n = name_length(assignment);
    const cJSON *item;

    cJSON_ArrayForEach(item, env) if (cJSON_IsString(item) && name_length(item->valuestring) == n &&
                                      memcmp(item->valuestring, assignment, n) == 0) return true;
    return false;
}

static void merge_env(cJSON *config, const cJSON *image)
{
    const cJSON *theirs = skl_json_get(image, "Env"), *ours = skl_json_get(config, "Env"), *item;
    cJSON *merged;

    if (!cJSON_IsArray(theirs))
        return;
    merged = cJSON_CreateArray();
    cJSON_ArrayForEach(item, ours)
        cJSON_AddItemToArray(merged, cJSON_CreateString(item->valuestring));
    cJSON_ArrayForEach(item, theirs) if (cJSON_IsString(item) && !has_name(ours, item->valuestring))
        cJSON_AddItemToArray(merged, cJSON_CreateString(item->valuestring));
    skl_fields_set(config, "Env", merged);
}

static void merge_command(cJSON *config, const cJSON *image)
{
    const cJSON *entrypoint = skl_json_get(config, "Entrypoint");
    const cJSON *cmd = skl_json_get(config, "Cmd");

    if (cJSON_GetArraySize(entrypoint) == 0) {
        if (cJSON_GetArraySize(cmd) == 0 && cJSON_IsArray(skl_json_get(image, "Cmd")))
            skl_fields_set(config, "Cmd", cJSON_Duplicate(skl_json_get(image, "Cmd"), true));
        if (!entrypoint && cJSON_IsArray(skl_json_get(image, "Entrypoint")))
            skl_fields_set(config, "Entrypoint",
                           cJSON_Duplicate(skl_json_get(image, "Entrypoint"), true));
    } else if (cJSON_GetArraySize(entrypoint) == 1 &&
               skl_str_empty(cJSON_GetStringValue(cJSON_GetArrayItem(entrypoint, 0)))) {
        skl_fields_set(config, "Entrypoint", NULL);
    }
}

static void merge_health(cJSON *config, const cJSON *image)
{
    static const char *const members[] = {"Interval", "Timeout", "StartPeriod", "StartInterval",
                                          "Retries"};
    const cJSON *theirs = skl_json_get(image, "Healthcheck");
    cJSON *ours = skl_json_get(config, "Healthcheck");

    if (!cJSON_IsObject(theirs))
        return;
    if (!ours) {
        skl_fields_set(config, "Healthcheck", cJSON_Duplicate(theirs, true));
        return;
    }
    if (cJSON_GetArraySize(skl_json_get(ours, "Test")) == 0 && skl_json_get(theirs, "Test"))
        skl_fields_set(ours, "Test", cJSON_Duplicate(skl_json_get(theirs, "Test"), true));
    for (size_t i = 0; i < SKL_ARRAY_LEN(members); i++)
        if (skl_json_get_int(ours, members[i], 0) == 0 && skl_json_get(theirs, members[i]))
            skl_fields_set(ours, members[i],
                           cJSON_Duplicate(skl_json_get(theirs, members[i]), true));
}

/* -- typed members */

static void push_words(char ***v, const cJSON *array)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, array) if (cJSON_IsString(item)) skl_strv_push(v, item->valuestring);
}

static void set_env(char ***env, const char *assignment)
{
    size_t n = name_length(assignment);
    bool unset = assignment[n] == '\0'; /* a bare name takes the image's variable away */

    for (char **p = *env; p && *p; p++)
        if (name_length(*p) == n && memcmp(*p, assignment, n) == 0) {
            free(*p);
            if (unset)
                for (; (*p = p[1]); p++)
                    ;
            else
                *p = skl_strdup(assignment);
            return;
        }
    if (!unset)
        skl_strv_push(env, assignment);
}

/* What the process sees; inspect shows only what was configured. HOME is the agent's matter: it reads the
 * image's passwd. */
static void fill_env(struct skl_create *x)
{
    struct skl_container_spec *spec = &x->c->spec;
    const cJSON *item;
    char hostname[512];

    skl_strv_push(&spec->env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    snprintf(hostname, sizeof(hostname), "HOSTNAME=%s", spec->hostname);
    skl_strv_push(&spec->env, hostname);
    if (spec->tty)
        skl_strv_push(&spec->env, "TERM=xterm");
    cJSON_ArrayForEach(item, skl_json_get(x->config, "Env")) set_env(&spec->env, item->valuestring);
}

static int fill_spec(struct skl_create *x, struct skl_error *err)
{
    struct skl_container_spec *spec = &x->c->spec;
    const cJSON *label, *stop = skl_json_get(x->config, "StopTimeout");
    const char *hostname = skl_json_get_str(x->config, "Hostname");
    char short_id[13];

    push_words(&spec->argv, skl_json_get(x->config, "Entrypoint"));
    push_words(&spec->argv, skl_json_get(x->config, "Cmd"));
    if (!spec->argv || !spec->argv[0])
        return skl_fail(err, SKL_E_INVALID, "no command specified");
    snprintf(short_id, sizeof(short_id), "%.12s", x->c->id);
    if (skl_str_empty(hostname))
        skl_fields_set(x->config, "Hostname", cJSON_CreateString(short_id));
    spec->hostname = skl_strdup(skl_json_get_str(x->config, "Hostname"));
    spec->tty = skl_json_get_bool(x->config, "Tty", false);
    spec->open_stdin = skl_json_get_bool(x->config, "OpenStdin", false);
    spec->stdin_once = skl_json_get_bool(x->config, "StdinOnce", false);
    spec->cwd = skl_strdup(skl_json_get_str(x->config, "WorkingDir"));
    spec->user = skl_strdup(skl_json_get_str(x->config, "User"));
    if (!skl_str_empty(skl_json_get_str(x->config, "StopSignal")))
        spec->stop_signal = skl_strdup(skl_json_get_str(x->config, "StopSignal"));
    spec->stop_timeout_s = stop ? (int)skl_json_get_int(x->config, "StopTimeout", 10) : -1;
    cJSON_ArrayForEach(label, skl_json_get(x->config, "Labels"))
        skl_labels_set(&spec->labels, label->string, cJSON_GetStringValue(label));
    fill_env(x);
    return 0;
}

/* Probes are execs: nothing can run them beside a command that has no agent. */
static void warn_of_health(struct skl_create *x)
{
    const struct skl_engine *e = x->engine;
    const char *why = NULL;

    if (!skl_health_is_asked(x->config) || e->backend->has_agent(e->backend_ctx, &x->c->spec, &why))
        return;
    skl_buf_addf(&x->warnings, "The health check is recorded, but not run: %s\n",
                 why ? why : "this container has no agent.");
}

int skl_create_merge_image(struct skl_create *x, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *whole = NULL;
    const cJSON *image;
    int rc;

    if (skl_json_parse(skl_str(x->image->config_json), &whole, NULL) < 0)
        whole = NULL; /* checked when the image was stored */
    image = skl_json_get(whole, "config");
    fill_string(x->config, image, "User");
    fill_string(x->config, image, "WorkingDir");
    fill_string(x->config, image, "StopSignal");
    fill_members(x->config, image, "ExposedPorts");
    fill_members(x->config, image, "Volumes");
    if (cJSON_GetArraySize(skl_json_get(x->config, "Volumes")) == 0)
        skl_fields_set(x->config, "Volumes", NULL);
    fill_members(x->config, image, "Labels");
    if (!skl_json_get(x->config, "Shell") && cJSON_IsArray(skl_json_get(image, "Shell")))
        skl_fields_set(x->config, "Shell", cJSON_Duplicate(skl_json_get(image, "Shell"), true));
    merge_env(x->config, image);
    merge_command(x->config, image);
    merge_health(x->config, image);
    rc = fill_spec(x, err);
    if (rc < 0)
        return rc;
    warn_of_health(x);
    return 0;
}
