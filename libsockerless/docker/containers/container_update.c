/* POST /containers/{id}/update.
 *
 * What was asked for is checked as a whole, with the rules of create, on copies; then it is written in one step. A
 * restart policy counts from now on. Limits belong to a workload in the cloud, which has those that it began with
 * for as long as it lives: they are recorded, a workload that only waits for a next start is given up, and the
 * answer says so of one that runs.
 */
#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/shared_text.h"
#include "docker/api/render.h"
#include "docker/api/routes.h"
#include "docker/containers/create_internal.h"
#include "docker/lifecycle/lifecycle.h"

#define MAX_WARNINGS (16 * SKL_KIB)

/* clang-format off */
static const struct skl_field update_fields[] = {
    {"BlkioWeight",        SKL_FIELD_INT,    NULL},
    {"CpuShares",          SKL_FIELD_INT,    NULL},
    {"NanoCpus",           SKL_FIELD_INT,    NULL},
    {"CpuPeriod",          SKL_FIELD_INT,    NULL},
    {"CpuQuota",           SKL_FIELD_INT,    NULL},
    {"CpusetCpus",         SKL_FIELD_STRING, NULL},
    {"CpusetMems",         SKL_FIELD_STRING, NULL},
    {"Memory",             SKL_FIELD_INT,    NULL},
    {"MemorySwap",         SKL_FIELD_INT,    NULL},
    {"MemoryReservation",  SKL_FIELD_INT,    NULL},
    {"CpuRealtimePeriod",  SKL_FIELD_INT,    NULL},
    {"CpuRealtimeRuntime", SKL_FIELD_INT,    NULL},
    {"PidsLimit",          SKL_FIELD_INT,    NULL},
    {"RestartPolicy",      SKL_FIELD_OBJECT, NULL},
};
/* clang-format on */

/* 0 and "" leave a limit as it is. */
static bool is_asked(const cJSON *v)
{
    if (cJSON_IsNumber(v))
        return v->valuedouble < 0 || v->valuedouble > 0;
    return cJSON_IsString(v) ? v->valuestring[0] != '\0' : cJSON_IsObject(v);
}

static int conflict(struct skl_error *err, const char *text)
{
    return skl_fail(err, SKL_E_CONFLICT, "Conflicting options: %s", text);
}

/* `now` is what the container has, `asked` what it shall have. */
static int check_conflicts(const cJSON *now, const cJSON *asked, struct skl_error *err)
{
    const int64_t nano = skl_json_get_int(now, "NanoCpus", 0);
    const int64_t swap = skl_json_get_int(now, "MemorySwap", 0);
    const int64_t memory = skl_json_get_int(asked, "Memory", 0);

    if (nano > 0 && skl_json_get_int(asked, "CpuPeriod", 0) != 0)
        return conflict(err, "CPU Period cannot be updated as NanoCPUs has already been set");
    if (nano > 0 && skl_json_get_int(asked, "CpuQuota", 0) != 0)
        return conflict(err, "CPU Quota cannot be updated as NanoCPUs has already been set");
    if (skl_json_get_int(asked, "NanoCpus", 0) != 0) {
        if (skl_json_get_int(now, "CpuPeriod", 0) != 0)
            return conflict(err, "NanoCPUs cannot be updated as CPU Period has already been set");
        if (skl_json_get_int(now, "CpuQuota", 0) != 0)
            return conflict(err, "NanoCPUs cannot be updated as CPU Quota has already been set");
    }
    if (memory > 0 && swap > 0 && memory > swap && skl_json_get_int(asked, "MemorySwap", 0) == 0)
        return skl_fail(err, SKL_E_CONFLICT,
                        "Memory limit should be smaller than already set memoryswap limit, update "
                        "the memoryswap at the same time");
    return 0;
}

/* Whether a policy is asked for; CONFLICT when AutoRemove forbids it. */
static int asks_for_policy(const cJSON *now, const cJSON *asked, bool *ret, struct skl_error *err)
{
    const char *name = skl_json_get_str(skl_json_get(asked, "RestartPolicy"), "Name");

    *ret = !skl_str_empty(name);
    if (*ret && !skl_streq(name, "no") && skl_json_get_bool(now, "AutoRemove", false))
        return skl_fail(err, SKL_E_CONFLICT,
                        "Restart policy cannot be updated because AutoRemove is enabled for the "
                        "container");
    return 0;
}

/* Puts what is asked for over x->host and fills x->c's typed members. */
static int merge(struct skl_create *x, const cJSON *asked, bool *ret_limits, struct skl_error *err)
{
    const cJSON *item;
    bool policy;
    int rc = check_conflicts(x->host, asked, err);

    if (rc == 0)
        rc = asks_for_policy(x->host, asked, &policy, err);
    if (rc < 0)
        return rc;
    *ret_limits = false;
    cJSON_ArrayForEach(item, asked)
    {
        bool is_policy = skl_streq(item->string, "RestartPolicy");

        if (!is_asked(item) || (is_policy && !policy))
            continue;
        *ret_limits |= !is_policy;
        skl_fields_set(x->host, item->string, cJSON_Duplicate(item, true));
    }
    rc = skl_create_take_size(x, err);
    if (rc == 0 && policy)
        rc = skl_create_take_restart(x, err);
    if (rc == 0 && *ret_limits && x->engine->backend->check)
        rc = x->engine->backend->check(x->engine->backend_ctx, &x->c->spec, &x->warnings, err);
    return rc;
}

static int record(struct skl_create *x, struct skl_container *c, struct skl_error *err)
{
    const struct skl_container_spec old = c->spec;
    int rc;

    c->spec.restart = x->c->spec.restart;
    c->spec.restart_max = x->c->spec.restart_max;
    c->spec.nano_cpus = x->c->spec.nano_cpus;
    c->spec.memory_bytes = x->c->spec.memory_bytes;
    c->spec.host_config_json = skl_text_share(skl_render_text(x->host));
    rc = skl_container_save(x->engine->store, c, err);
    if (rc < 0) {
        skl_text_unref(c->spec.host_config_json);
        c->spec = old;
        return rc;
    }
    skl_text_unref(old.host_config_json);
    return 0;
}

static void apply_limits(struct skl_create *x, struct skl_container *c)
{
    skl_lifecycle_limits_changed(x->engine, c);
    if (skl_container_is_running(c))
        skl_buf_addf(&x->warnings,
                     "The limits are recorded and hold from the next start on: %s cannot change "
                     "those of a workload that runs.\n",
                     x->engine->backend->title);
}

static void answer(struct skl_request *r, const struct skl_buf *warnings)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_str rest = skl_buf_str(warnings);
    struct skl_json j;

    skl_buf_init(&b, MAX_WARNINGS * 8);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    if (rest.n == 0)
        skl_json_null(&j, "Warnings");
    else
        skl_json_array(&j, "Warnings");
    while (rest.n > 0) {
        struct skl_str line = skl_str_cut(rest, '\n', &rest);

        if (line.n > 0)
            skl_json_strn(&j, NULL, line);
    }
    if (warnings->n > 0)
        skl_json_end_array(&j);
    skl_json_end_object(&j);
    skl_request_json(r, 200, &b);
}

static int update(struct skl_create *x, struct skl_container *c, const cJSON *body,
                  struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *asked = NULL, *host = NULL;
    struct skl_container copy = {.spec = c->spec}; /* only its numbers are changed */
    bool limits = false;
    int rc = skl_fields_take(update_fields, SKL_ARRAY_LEN(update_fields), "UpdateConfig", body,
                             &asked, err);

    if (rc == 0)
        rc = skl_json_parse(skl_str(c->spec.host_config_json), &host, err);
    if (rc < 0)
        return rc;
    x->host = host;
    x->c = &copy;
    if (c->state == SKL_CONTAINER_REMOVING || c->state == SKL_CONTAINER_DEAD)
        rc = skl_fail(err, SKL_E_INTERNAL,
                      "container is marked for removal and cannot be \"update\"");
    if (rc == 0)
        rc = merge(x, asked, &limits, err);
    if (rc == 0)
        rc = record(x, c, err);
    if (rc == -SKL_E_CONFLICT ||
        rc == -SKL_E_INTERNAL) /* what was wrong in itself is told as it is */
        return skl_wrap(err, rc, "Cannot update container %s", c->id);
    if (rc < 0)
        return rc;
    if (limits)
        apply_limits(x, c);
    return 0;
}

void skl_route_container_update(struct skl_request *r)
{
    struct skl_container *c = skl_request_container(r);
    struct skl_create x = {.engine = r->engine, .version = r->version};
    struct skl_error err;

    if (!c)
        return;
    skl_buf_init(&x.warnings, MAX_WARNINGS);
    if (update(&x, c, r->body, &err) < 0) {
        skl_request_error(r, &err);
    } else {
        skl_container_event(r->engine->store, c, "update", NULL);
        answer(r, &x.warnings);
    }
    skl_buf_fini(&x.warnings);
}
