/* A container as a row: the spec once, what happens again and again. */
#include "base/alloc.h"
#include "base/limits.h"
#include "store/store_internal.h"

static void add_mounts(struct skl_json *j, const struct skl_container_spec *s)
{
    skl_json_array(j, "mounts");
    for (size_t i = 0; i < s->n_mounts; i++) {
        const struct skl_mount *m = &s->mounts[i];

        skl_json_object(j, NULL);
        skl_row_add_str(j, "type", m->type);
        skl_row_add_str(j, "name", m->name);
        skl_row_add_str(j, "source", m->source);
        skl_row_add_str(j, "destination", m->destination);
        skl_row_add_str(j, "mode", m->mode);
        skl_row_add_str(j, "propagation", m->propagation);
        skl_json_bool(j, "rw", m->rw);
        skl_json_bool(j, "anonymous", m->anonymous);
        skl_row_add_str(j, "request", m->request_json);
        skl_json_end_object(j);
    }
    skl_json_end_array(j);
}

char *skl_container_fixed_text(const struct skl_container *c)
{
    const struct skl_container_spec *s = &c->spec;
    struct skl_json j;
    struct skl_buf b;

    skl_buf_init(&b, 16 * SKL_MIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_strf(&j, "created", "%lld", (long long)c->created_ns);
    skl_row_add_str(&j, "image", s->image);
    skl_row_add_str(&j, "image_id", s->image_id);
    skl_row_add_str(&j, "image_ref", s->image_ref);
    skl_json_strv(&j, "argv", s->argv);
    skl_json_strv(&j, "env", s->env);
    skl_row_add_str(&j, "cwd", s->cwd);
    skl_row_add_str(&j, "user", s->user);
    skl_row_add_str(&j, "hostname", s->hostname);
    skl_json_bool(&j, "tty", s->tty);
    skl_json_bool(&j, "open_stdin", s->open_stdin);
    skl_json_bool(&j, "stdin_once", s->stdin_once);
    skl_json_bool(&j, "auto_remove", s->auto_remove);
    skl_json_bool(&j, "init", s->init);
    skl_json_bool(&j, "privileged", s->privileged);
    skl_row_add_str(&j, "stop_signal", s->stop_signal);
    skl_json_int(&j, "stop_timeout", s->stop_timeout_s);
    skl_json_int(&j, "restart", s->restart);
    skl_json_int(&j, "restart_max", s->restart_max);
    skl_json_int(&j, "nano_cpus", s->nano_cpus);
    skl_json_int(&j, "memory", s->memory_bytes);
    skl_json_int(&j, "log_max_bytes", s->log_max_bytes);
    skl_json_int(&j, "log_max_files", s->log_max_files);
    skl_json_bool(&j, "log_none", s->log_none);
    skl_json_strv(&j, "extra_hosts", s->extra_hosts);
    skl_json_strv(&j, "group_add", s->group_add);
    skl_json_strv(&j, "ulimits", s->ulimits);
    skl_row_add_str(&j, "registry_auth", s->registry_auth);
    skl_row_add_labels(&j, "labels", &s->labels);
    add_mounts(&j, s);
    skl_row_add_str(&j, "config", s->config_json);
    skl_row_add_str(&j, "platform", s->platform);
    skl_json_end_object(&j);
    return skl_buf_detach(&b);
}

static void add_endpoints(struct skl_json *j, const struct skl_container *c)
{
    skl_json_array(j, "endpoints");
    for (size_t i = 0; i < c->n_endpoints; i++) {
        const struct skl_endpoint *e = &c->endpoints[i];

        skl_json_object(j, NULL);
        skl_row_add_str(j, "network", e->network_id);
        skl_row_add_str(j, "id", e->endpoint_id);
        skl_row_add_str(j, "ip", e->ip);
        skl_row_add_str(j, "mac", e->mac);
        skl_json_strv(j, "aliases", e->aliases);
        skl_row_add_str(j, "request", e->request_json);
        skl_json_end_object(j);
    }
    skl_json_end_array(j);
}

char *skl_container_moving_text(const struct skl_container *c)
{
    struct skl_json j;
    struct skl_buf b;

    skl_buf_init(&b, 16 * SKL_MIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_row_add_str(&j, "name", c->name);
    skl_json_int(&j, "state", c->state);
    skl_json_int(&j, "pid", c->pid);
    skl_json_int(&j, "exit_code", c->exit_code);
    skl_json_bool(&j, "oom", c->oom_killed);
    skl_json_bool(&j, "manual_stop", c->manual_stop);
    skl_json_bool(&j, "has_run", c->has_run);
    skl_row_add_str(&j, "error", c->error);
    skl_json_strf(&j, "started", "%lld", (long long)c->started_ns);
    skl_json_strf(&j, "finished", "%lld", (long long)c->finished_ns);
    skl_json_int(&j, "restart_count", c->restart_count);
    skl_json_int(&j, "run", c->run);
    skl_json_int(&j, "end_rank", c->end_rank);
    skl_json_int(&j, "health", c->health);
    skl_json_int(&j, "health_streak", c->health_streak);
    skl_row_add_str(&j, "health_log", c->health_log_json);
    skl_row_add_str(&j, "token", c->token);
    skl_row_add_labels(&j, "cloud", &c->cloud);
    skl_row_add_str(&j, "agent_address", c->agent_address);
    /* Here, because update and connect change it. */
    skl_row_add_str(&j, "host_config", c->spec.host_config_json);
    add_endpoints(&j, c);
    skl_json_end_object(&j);
    return skl_buf_detach(&b);
}

/* -- reading */

static int64_t row_ns(const cJSON *row, const char *name)
{
    const char *text = skl_json_get_str(row, name);
    int64_t v = 0;

    return text && skl_str_i64(skl_str(text), &v) ? v : 0;
}

static void read_mounts(const cJSON *fixed, struct skl_container_spec *s)
{
    const cJSON *list = skl_json_get(fixed, "mounts");
    const cJSON *row;

    s->n_mounts = 0;
    s->mounts = skl_new0_n(struct skl_mount, (size_t)cJSON_GetArraySize(list));
    cJSON_ArrayForEach(row, list) s->mounts[s->n_mounts++] = (struct skl_mount){
        .type = skl_row_str(row, "type"),
        .name = skl_row_str(row, "name"),
        .source = skl_row_str(row, "source"),
        .destination = skl_row_str(row, "destination"),
        .mode = skl_row_str(row, "mode"),
        .propagation = skl_row_str(row, "propagation"),
        .rw = skl_json_get_bool(row, "rw", true),
        .anonymous = skl_json_get_bool(row, "anonymous", false),
        .request_json = skl_row_str(row, "request"),
    };
}

static void read_endpoints(const cJSON *moving, struct skl_container *c)
{
    const cJSON *list = skl_json_get(moving, "endpoints");
    const cJSON *row;

    c->endpoints = skl_new0_n(struct skl_endpoint, (size_t)cJSON_GetArraySize(list));
    cJSON_ArrayForEach(row, list) c->endpoints[c->n_endpoints++] = (struct skl_endpoint){
        .network_id = skl_row_str(row, "network"),
        .endpoint_id = skl_row_str(row, "id"),
        .ip = skl_row_str(row, "ip"),
        .mac = skl_row_str(row, "mac"),
        .aliases = skl_json_get_strv(row, "aliases"),
        .request_json = skl_row_str(row, "request"),
    };
}

static void read_spec(const cJSON *fixed, struct skl_container_spec *s)
{
    s->image = skl_row_str(fixed, "image");
    s->image_id = skl_row_str(fixed, "image_id");
    s->image_ref = skl_row_str(fixed, "image_ref");
    s->argv = skl_json_get_strv(fixed, "argv");
    s->env = skl_json_get_strv(fixed, "env");
    s->cwd = skl_row_str(fixed, "cwd");
    s->user = skl_row_str(fixed, "user");
    s->hostname = skl_row_str(fixed, "hostname");
    s->tty = skl_json_get_bool(fixed, "tty", false);
    s->open_stdin = skl_json_get_bool(fixed, "open_stdin", false);
    s->stdin_once = skl_json_get_bool(fixed, "stdin_once", false);
    s->auto_remove = skl_json_get_bool(fixed, "auto_remove", false);
    s->init = skl_json_get_bool(fixed, "init", false);
    s->privileged = skl_json_get_bool(fixed, "privileged", false);
    s->stop_signal = skl_row_str(fixed, "stop_signal");
    s->stop_timeout_s = (int)skl_json_get_int(fixed, "stop_timeout", -1);
    s->restart = (enum skl_restart_policy)skl_json_get_int(fixed, "restart", 0);
    s->restart_max = (unsigned)skl_json_get_int(fixed, "restart_max", 0);
    s->nano_cpus = skl_json_get_int(fixed, "nano_cpus", 0);
    s->memory_bytes = skl_json_get_int(fixed, "memory", 0);
    s->log_max_bytes = skl_json_get_int(fixed, "log_max_bytes", 0);
    s->log_max_files = (unsigned)skl_json_get_int(fixed, "log_max_files", 0);
    s->log_none = skl_json_get_bool(fixed, "log_none", false);
    s->extra_hosts = skl_json_get_strv(fixed, "extra_hosts");
    s->group_add = skl_json_get_strv(fixed, "group_add");
    s->ulimits = skl_json_get_strv(fixed, "ulimits");
    s->registry_auth = skl_row_str(fixed, "registry_auth");
    skl_row_labels(fixed, "labels", &s->labels);
    read_mounts(fixed, s);
    s->config_json = skl_row_str(fixed, "config");
    s->platform = skl_row_str(fixed, "platform");
}

int skl_container_from_row(const char *id, const cJSON *fixed, const cJSON *moving,
                           struct skl_container **ret, struct skl_error *err)
{
    int64_t state = skl_json_get_int(moving, "state", -1);
    struct skl_container *c;

    if (strlen(id) != 64 || state < 0 || state >= SKL_CONTAINER_MAX_ ||
        !skl_json_get_str(moving, "name"))
        return skl_fail(err, SKL_E_INTERNAL, "container '%.64s' is not complete", id);
    c = skl_container_new();
    memcpy(c->id, id, sizeof(c->id));
    c->created_ns = row_ns(fixed, "created");
    read_spec(fixed, &c->spec);
    c->name = skl_row_str(moving, "name");
    c->state = (enum skl_container_state)state;
    c->pid = (int)skl_json_get_int(moving, "pid", 0);
    c->exit_code = (int)skl_json_get_int(moving, "exit_code", 0);
    c->oom_killed = skl_json_get_bool(moving, "oom", false);
    c->manual_stop = skl_json_get_bool(moving, "manual_stop", false);
    c->has_run = skl_json_get_bool(moving, "has_run", false);
    c->error = skl_row_str(moving, "error");
    c->started_ns = row_ns(moving, "started");
    c->finished_ns = row_ns(moving, "finished");
    c->restart_count = (unsigned)skl_json_get_int(moving, "restart_count", 0);
    c->run = (unsigned)skl_json_get_int(moving, "run", 0);
    c->end_rank = (enum skl_end_rank)skl_json_get_int(moving, "end_rank", 0);
    c->health = (enum skl_health)skl_json_get_int(moving, "health", 0);
    c->health_streak = (unsigned)skl_json_get_int(moving, "health_streak", 0);
    c->health_log_json = skl_row_str(moving, "health_log");
    c->token = skl_row_str(moving, "token");
    skl_row_labels(moving, "cloud", &c->cloud);
    c->agent_address = skl_row_str(moving, "agent_address");
    c->spec.host_config_json = skl_row_str(moving, "host_config");
    read_endpoints(moving, c);
    *ret = c;
    return 0;
}

int skl_container_persist(struct skl_store *s, const struct skl_container *c, struct skl_error *err)
{
    char *moving SKL_AUTO_STR = skl_container_moving_text(c);

    return skl_db_update(s->db, "container", c->id, moving, err);
}
