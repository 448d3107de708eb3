/* Rows as JSON: what is written by one version is read by the next without a migration, as long as new members
 * have a sensible empty value. The text of a spec is written once, at create, so its size matters little. */
#include "store/codec.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/shared_text.h"

/* -- writing */

struct writer {
    struct skl_buf b;
    struct skl_json j;
};

static void writer_init(struct writer *w)
{
    skl_buf_init(&w->b, SKL_MAX_ANSWER_JSON);
    skl_json_init(&w->j, &w->b);
}

static int writer_finish(struct writer *w, char **ret, struct skl_error *err)
{
    int rc = skl_buf_finish(&w->b, ret, err);

    skl_buf_fini(&w->b);
    return rc;
}

static void put_str(struct skl_json *j, const char *key, const char *value)
{
    if (value)
        skl_json_str(j, key, value);
}

static void put_strv(struct skl_json *j, const char *key, char *const *v)
{
    if (v)
        skl_json_strv(j, key, v);
}

static void put_i64(struct skl_json *j, const char *key, int64_t value)
{
    if (value != 0)
        skl_json_strf(j, key, "%" PRId64, value);
}

static void put_true(struct skl_json *j, const char *key, bool value)
{
    if (value)
        skl_json_bool(j, key, true);
}

static void put_labels(struct skl_json *j, const char *key, const struct skl_labels *l)
{
    put_strv(j, key, l->pairs);
}

/* -- reading */

static int parse_object(struct skl_str text, cJSON **ret, struct skl_error *err)
{
    int rc = skl_json_parse(text, ret, err);

    if (rc < 0)
        return rc;
    if (cJSON_IsObject(*ret))
        return 0;
    cJSON_Delete(*ret);
    *ret = NULL;
    return skl_fail(err, SKL_E_INVALID, "not a JSON object");
}

static char *get_str(const cJSON *o, const char *key)
{
    return skl_strdup(skl_json_get_str(o, key));
}

static char *get_text(const cJSON *o, const char *key) /* never NULL */
{
    const char *s = skl_json_get_str(o, key);

    return skl_strdup(s ? s : "");
}

static int64_t get_i64(const cJSON *o, const char *key)
{
    int64_t value = 0;

    return skl_str_i64(skl_str(skl_json_get_str(o, key)), &value) ? value : 0;
}

static int get_int(const cJSON *o, const char *key, int dflt)
{
    int64_t value = skl_json_get_int(o, key, dflt);

    return value < INT32_MIN || value > INT32_MAX ? dflt : (int)value;
}

static unsigned get_unsigned(const cJSON *o, const char *key)
{
    int64_t value = skl_json_get_int(o, key, 0);

    return value < 0 || value > UINT32_MAX ? 0 : (unsigned)value;
}

static bool get_bool(const cJSON *o, const char *key)
{
    return skl_json_get_bool(o, key, false);
}

static void get_labels(const cJSON *o, const char *key, struct skl_labels *ret)
{
    char **pairs = skl_json_get_strv(o, key);

    skl_labels_build(ret, pairs);
    skl_strv_free(pairs);
}

/* -- containers */

static void put_mounts(struct skl_json *j, const struct skl_container_spec *s)
{
    skl_json_array(j, "mounts");
    for (size_t i = 0; i < s->n_mounts; i++) {
        const struct skl_mount *m = &s->mounts[i];

        skl_json_object(j, NULL);
        put_str(j, "type", m->type);
        put_str(j, "name", m->name);
        put_str(j, "source", m->source);
        put_str(j, "destination", m->destination);
        put_str(j, "mode", m->mode);
        put_str(j, "propagation", m->propagation);
        put_true(j, "rw", m->rw);
        put_true(j, "anonymous", m->anonymous);
        put_str(j, "request", m->request_json);
        skl_json_end_object(j);
    }
    skl_json_end_array(j);
}

int skl_spec_encode(const struct skl_container_spec *s, char **ret, struct skl_error *err)
{
    struct writer w;
    struct skl_json *j = &w.j;

    writer_init(&w);
    skl_json_object(j, NULL);
    put_str(j, "image", s->image);
    put_str(j, "image_id", s->image_id);
    put_str(j, "image_ref", s->image_ref);
    put_strv(j, "argv", s->argv);
    put_strv(j, "env", s->env);
    put_str(j, "cwd", s->cwd);
    put_str(j, "user", s->user);
    put_str(j, "hostname", s->hostname);
    put_true(j, "tty", s->tty);
    put_true(j, "open_stdin", s->open_stdin);
    put_true(j, "stdin_once", s->stdin_once);
    put_true(j, "auto_remove", s->auto_remove);
    put_true(j, "init", s->init);
    put_true(j, "privileged", s->privileged);
    put_str(j, "stop_signal", s->stop_signal);
    skl_json_int(j, "stop_timeout_s", s->stop_timeout_s);
    skl_json_int(j, "restart", (int64_t)s->restart);
    skl_json_int(j, "restart_max", s->restart_max);
    put_i64(j, "nano_cpus", s->nano_cpus);
    put_i64(j, "memory_bytes", s->memory_bytes);
    put_i64(j, "log_max_bytes", s->log_max_bytes);
    skl_json_int(j, "log_max_files", s->log_max_files);
    put_true(j, "log_none", s->log_none);
    put_strv(j, "extra_hosts", s->extra_hosts);
    put_strv(j, "group_add", s->group_add);
    put_strv(j, "ulimits", s->ulimits);
    put_strv(j, "layers", s->layers);
    put_str(j, "registry_auth", s->registry_auth);
    put_labels(j, "labels", &s->labels);
    put_mounts(j, s);
    put_str(j, "config", s->config_json);
    put_str(j, "host_config", s->host_config_json);
    put_str(j, "platform", s->platform);
    skl_json_end_object(j);
    return writer_finish(&w, ret, err);
}

static void get_mounts(const cJSON *o, struct skl_container_spec *s)
{
    const cJSON *mounts = skl_json_get(o, "mounts"), *item;

    if (!cJSON_IsArray(mounts) || cJSON_GetArraySize(mounts) == 0)
        return;
    s->mounts = skl_new0_n(struct skl_mount, (size_t)cJSON_GetArraySize(mounts));
    cJSON_ArrayForEach(item, mounts)
    {
        s->mounts[s->n_mounts++] = (struct skl_mount){
            .type = get_text(item, "type"),
            .name = get_str(item, "name"),
            .source = get_str(item, "source"),
            .destination = get_text(item, "destination"),
            .mode = get_str(item, "mode"),
            .propagation = get_str(item, "propagation"),
            .rw = get_bool(item, "rw"),
            .anonymous = get_bool(item, "anonymous"),
            .request_json = get_str(item, "request"),
        };
    }
}

int skl_spec_decode(struct skl_str text, struct skl_container_spec *s, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *o = NULL;
    int rc = parse_object(text, &o, err);
    unsigned restart;

    if (rc < 0)
        return rc;
    s->image = get_text(o, "image");
    s->image_id = get_text(o, "image_id");
    s->image_ref = get_str(o, "image_ref");
    s->argv = skl_json_get_strv(o, "argv");
    s->env = skl_json_get_strv(o, "env");
    s->cwd = get_str(o, "cwd");
    s->user = get_str(o, "user");
    s->hostname = get_str(o, "hostname");
    s->tty = get_bool(o, "tty");
    s->open_stdin = get_bool(o, "open_stdin");
    s->stdin_once = get_bool(o, "stdin_once");
    s->auto_remove = get_bool(o, "auto_remove");
    s->init = get_bool(o, "init");
    s->privileged = get_bool(o, "privileged");
    s->stop_signal = get_str(o, "stop_signal");
    s->stop_timeout_s = get_int(o, "stop_timeout_s", -1);
    restart = get_unsigned(o, "restart");
    s->restart =
        restart <= SKL_RESTART_UNLESS_STOPPED ? (enum skl_restart_policy)restart : SKL_RESTART_NO;
    s->restart_max = get_unsigned(o, "restart_max");
    s->nano_cpus = get_i64(o, "nano_cpus");
    s->memory_bytes = get_i64(o, "memory_bytes");
    s->log_max_bytes = get_i64(o, "log_max_bytes");
    s->log_max_files = get_unsigned(o, "log_max_files");
    s->log_none = get_bool(o, "log_none");
    s->extra_hosts = skl_json_get_strv(o, "extra_hosts");
    s->group_add = skl_json_get_strv(o, "group_add");
    s->ulimits = skl_json_get_strv(o, "ulimits");
    s->layers = skl_json_get_strv(o, "layers");
    s->registry_auth = get_str(o, "registry_auth");
    get_labels(o, "labels", &s->labels);
    get_mounts(o, s);
    s->config_json = get_str(o, "config");
    s->host_config_json = skl_text_share(get_str(o, "host_config"));
    s->platform = get_str(o, "platform");
    return 0;
}

int skl_endpoints_encode(const struct skl_container *c, char **ret, struct skl_error *err)
{
    struct writer w;
    struct skl_json *j = &w.j;

    writer_init(&w);
    skl_json_object(j, NULL);
    skl_json_array(j, "endpoints");
    for (size_t i = 0; i < c->n_endpoints; i++) {
        const struct skl_endpoint *e = &c->endpoints[i];

        skl_json_object(j, NULL);
        put_str(j, "network", e->network_id);
        put_str(j, "endpoint", e->endpoint_id);
        put_str(j, "ip", e->ip);
        put_str(j, "ip6", e->ip6);
        put_str(j, "mac", e->mac);
        put_strv(j, "aliases", e->aliases);
        put_str(j, "request", e->request_json);
        skl_json_end_object(j);
    }
    skl_json_end_array(j);
    skl_json_end_object(j);
    return writer_finish(&w, ret, err);
}

int skl_endpoints_decode(struct skl_str text, struct skl_container *c, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *o = NULL;
    const cJSON *list, *item;
    int rc = parse_object(text, &o, err);

    if (rc < 0)
        return rc;
    list = skl_json_get(o, "endpoints");
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) == 0)
        return 0;
    c->endpoints = skl_new0_n(struct skl_endpoint, (size_t)cJSON_GetArraySize(list));
    cJSON_ArrayForEach(item, list)
    {
        c->endpoints[c->n_endpoints++] = (struct skl_endpoint){
            .network_id = get_text(item, "network"),
            .endpoint_id = get_text(item, "endpoint"),
            .ip = get_text(item, "ip"),
            .ip6 = get_text(item, "ip6"),
            .mac = get_text(item, "mac"),
            .aliases = skl_json_get_strv(item, "aliases"),
            .request_json = get_str(item, "request"),
        };
    }
    return 0;
}

int skl_labels_encode(const struct skl_labels *l, char **ret, struct skl_error *err)
{
    struct writer w;

    writer_init(&w);
    skl_json_object(&w.j, NULL);
    put_labels(&w.j, "pairs", l);
    skl_json_end_object(&w.j);
    return writer_finish(&w, ret, err);
}

int skl_labels_decode(struct skl_str text, struct skl_labels *ret, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *o = NULL;
    int rc = parse_object(text, &o, err);

    if (rc == 0)
        get_labels(o, "pairs", ret);
    return rc;
}

/* -- the other kinds */

int skl_image_encode(const struct skl_image *i, char **ret, struct skl_error *err)
{
    struct writer w;
    struct skl_json *j = &w.j;

    writer_init(&w);
    skl_json_object(j, NULL);
    put_strv(j, "refs", i->refs);
    put_strv(j, "digests", i->digests);
    put_str(j, "pull_ref", i->pull_ref);
    put_str(j, "config", i->config_json);
    put_str(j, "os", i->os);
    put_str(j, "architecture", i->architecture);
    put_str(j, "variant", i->variant);
    put_i64(j, "created_ns", i->created_ns);
    put_i64(j, "size", i->size);
    put_i64(j, "tagged_ns", i->tagged_ns);
    put_true(j, "synthetic", i->synthetic);
    put_str(j, "registry_auth", i->registry_auth);
    put_str(j, "parent", i->parent);
    put_strv(j, "layers", i->layers);
    put_strv(j, "build_keys", i->build_keys);
    put_labels(j, "labels", &i->labels);
    skl_json_end_object(j);
    return writer_finish(&w, ret, err);
}

int skl_image_decode(struct skl_str text, struct skl_image *i, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *o = NULL;
    int rc = parse_object(text, &o, err);

    if (rc < 0)
        return rc;
    i->refs = skl_json_get_strv(o, "refs");
    i->digests = skl_json_get_strv(o, "digests");
    i->pull_ref = get_str(o, "pull_ref");
    i->config_json = get_str(o, "config");
    i->os = get_str(o, "os");
    i->architecture = get_str(o, "architecture");
    i->variant = get_str(o, "variant");
    i->created_ns = get_i64(o, "created_ns");
    i->size = get_i64(o, "size");
    i->tagged_ns = get_i64(o, "tagged_ns");
    i->synthetic = get_bool(o, "synthetic");
    i->registry_auth = get_str(o, "registry_auth");
    i->parent = get_str(o, "parent");
    i->layers = skl_json_get_strv(o, "layers");
    i->build_keys = skl_json_get_strv(o, "build_keys");
    get_labels(o, "labels", &i->labels);
    return 0;
}

int skl_network_encode(const struct skl_network *n, char **ret, struct skl_error *err)
{
    struct writer w;
    struct skl_json *j = &w.j;

    writer_init(&w);
    skl_json_object(j, NULL);
    put_str(j, "name", n->name);
    put_str(j, "driver", n->driver);
    put_str(j, "scope", n->scope);
    put_i64(j, "created_ns", n->created_ns);
    put_true(j, "internal", n->internal);
    put_true(j, "attachable", n->attachable);
    put_true(j, "enable_ipv6", n->enable_ipv6);
    put_true(j, "predefined", n->predefined);
    put_str(j, "subnet", n->subnet);
    put_str(j, "gateway", n->gateway);
    put_true(j, "picked", n->picked);
    put_str(j, "range", n->range);
    put_str(j, "subnet6", n->subnet6);
    put_str(j, "gateway6", n->gateway6);
    put_str(j, "range6", n->range6);
    put_labels(j, "aux", &n->aux);
    put_str(j, "ipam", n->ipam_json);
    put_str(j, "options", n->options_json);
    put_labels(j, "labels", &n->labels);
    skl_json_end_object(j);
    return writer_finish(&w, ret, err);
}

int skl_network_decode(struct skl_str text, struct skl_network *n, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *o = NULL;
    int rc = parse_object(text, &o, err);

    if (rc < 0)
        return rc;
    n->name = get_text(o, "name");
    n->driver = get_text(o, "driver");
    n->scope = get_text(o, "scope");
    n->created_ns = get_i64(o, "created_ns");
    n->internal = get_bool(o, "internal");
    n->attachable = get_bool(o, "attachable");
    n->enable_ipv6 = get_bool(o, "enable_ipv6");
    n->predefined = get_bool(o, "predefined");
    n->subnet = get_text(o, "subnet");
    n->gateway = get_text(o, "gateway");
    n->picked = get_bool(o, "picked");
    n->range = get_str(o, "range");
    n->subnet6 = get_str(o, "subnet6");
    n->gateway6 = get_str(o, "gateway6");
    n->range6 = get_str(o, "range6");
    get_labels(o, "aux", &n->aux);
    n->ipam_json = get_str(o, "ipam");
    n->options_json = get_str(o, "options");
    get_labels(o, "labels", &n->labels);
    return 0;
}

int skl_volume_encode(const struct skl_volume *v, char **ret, struct skl_error *err)
{
    struct writer w;
    struct skl_json *j = &w.j;

    writer_init(&w);
    skl_json_object(j, NULL);
    put_str(j, "driver", v->driver);
    put_i64(j, "created_ns", v->created_ns);
    put_true(j, "anonymous", v->anonymous);
    put_str(j, "options", v->options_json);
    put_labels(j, "labels", &v->labels);
    skl_json_end_object(j);
    return writer_finish(&w, ret, err);
}

int skl_volume_decode(struct skl_str text, struct skl_volume *v, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *o = NULL;
    int rc = parse_object(text, &o, err);

    if (rc < 0)
        return rc;
    v->driver = get_text(o, "driver");
    v->created_ns = get_i64(o, "created_ns");
    v->anonymous = get_bool(o, "anonymous");
    v->options_json = get_str(o, "options");
    get_labels(o, "labels", &v->labels);
    return 0;
}

int skl_exec_encode(const struct skl_exec *x, char **ret, struct skl_error *err)
{
    struct writer w;
    struct skl_json *j = &w.j;

    writer_init(&w);
    skl_json_object(j, NULL);
    put_str(j, "container", x->container_id);
    put_strv(j, "argv", x->argv);
    put_strv(j, "env", x->env);
    put_str(j, "cwd", x->cwd);
    put_str(j, "user", x->user);
    put_str(j, "detach_keys", x->detach_keys);
    put_true(j, "tty", x->tty);
    put_true(j, "stdin", x->attach_stdin);
    put_true(j, "stdout", x->attach_stdout);
    put_true(j, "stderr", x->attach_stderr);
    put_true(j, "privileged", x->privileged);
    skl_json_int(j, "rows", x->rows);
    skl_json_int(j, "cols", x->cols);
    put_true(j, "started", x->started);
    put_true(j, "running", x->running);
    if (x->has_exit_code)
        skl_json_int(j, "exit_code", x->exit_code);
    put_i64(j, "ended_ns", x->ended_ns);
    skl_json_end_object(j);
    return writer_finish(&w, ret, err);
}

int skl_exec_decode(struct skl_str text, struct skl_exec *x, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *o = NULL;
    const char *container;
    int rc = parse_object(text, &o, err);

    if (rc < 0)
        return rc;
    container = skl_json_get_str(o, "container");
    snprintf(x->container_id, sizeof(x->container_id), "%s", container ? container : "");
    x->argv = skl_json_get_strv(o, "argv");
    x->env = skl_json_get_strv(o, "env");
    x->cwd = get_str(o, "cwd");
    x->user = get_str(o, "user");
    x->detach_keys = get_str(o, "detach_keys");
    x->tty = get_bool(o, "tty");
    x->attach_stdin = get_bool(o, "stdin");
    x->attach_stdout = get_bool(o, "stdout");
    x->attach_stderr = get_bool(o, "stderr");
    x->privileged = get_bool(o, "privileged");
    x->rows = get_unsigned(o, "rows");
    x->cols = get_unsigned(o, "cols");
    x->started = get_bool(o, "started");
    x->running = get_bool(o, "running");
    x->has_exit_code = skl_json_get(o, "exit_code") != NULL;
    x->exit_code = get_int(o, "exit_code", 0);
    x->ended_ns = get_i64(o, "ended_ns");
    return 0;
}
