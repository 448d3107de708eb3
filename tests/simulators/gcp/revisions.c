/* Revisions: a template that was once deployed. A new one starts an instance and waits for its probe; only then does it
 * serve. A failed one leaves the previous one serving. */
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

cJSON *gcp_condition(const char *type, const char *state, const char *reason_key,
                     const char *reason, const char *message, const char *time)
{
    cJSON *json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "type", type);
    cJSON_AddStringToObject(json, "state", state);
    if (message)
        cJSON_AddStringToObject(json, "message", message);
    cJSON_AddStringToObject(json, "lastTransitionTime", time);
    if (reason && reason_key)
        cJSON_AddStringToObject(json, reason_key, reason);
    return json;
}

/* "S-00002-abc" */
static char *make_name(const struct service *v)
{
    uint8_t dice[3];

    skl_random(dice, sizeof(dice));
    return gcp_format("%s-%05lld-%c%c%c", v->id, (long long)v->generation, 'a' + dice[0] % 26,
                      'a' + dice[1] % 26, 'a' + dice[2] % 26);
}

struct revision *gcp_revision_new(struct service *v, const char *name)
{
    struct revision *r = skl_new0(struct revision);

    r->service = v;
    r->sim = v->sim;
    r->name = name ? skl_strdup(name) : make_name(v);
    r->template = cJSON_Duplicate(skl_json_get(v->json, "template"), true);
    r->generation = v->generation;
    skl_uuid4(r->uid);
    skl_time_format(skl_wall_ns(), r->create_time);
    skl_list_init(&r->instances);
    skl_list_push_front(&v->revisions, &r->in_service);
    v->latest = r;
    if (gcp_is_stub(r) || skl_json_get_bool(r->template, "healthCheckDisabled", false) ||
        gcp_is_disabled(v))
        gcp_revision_ready(r);
    else
        gcp_instance_start(r, "DEPLOYMENT_ROLLOUT");
    return r;
}

void gcp_revision_ready(struct revision *r)
{
    struct service *v = r->service;

    r->state = REVISION_READY;
    if (!v->serving || v->serving->generation < r->generation)
        v->serving = r;
    gcp_scale(v); /* the instances of the previous one end when their requests have */
    pthread_cond_broadcast(&r->sim->changed);
}

void gcp_revision_fail(struct revision *r, const char *reason, const char *fmt, ...)
{
    struct skl_buf b;
    va_list ap;

    skl_buf_init(&b, 16 * SKL_KIB);
    skl_buf_addf(&b, "Revision '%s' is not ready and cannot serve traffic. ", r->name);
    va_start(ap, fmt);
    skl_buf_addv(&b, fmt, ap);
    va_end(ap);
    free(r->message);
    r->message = skl_buf_detach(&b);
    r->reason = reason;
    r->state = REVISION_FAILED;
    gcp_log(r->sim, r, "", "varlog%2Fsystem", r->message, strlen(r->message));
    pthread_cond_broadcast(&r->sim->changed);
}

cJSON *gcp_revision_json(const struct revision *r)
{
    static const char *const states[] = {"CONDITION_RECONCILING", "CONDITION_SUCCEEDED",
                                         "CONDITION_FAILED"};
    cJSON *json = cJSON_Duplicate(r->template, true);
    char *name SKL_AUTO_STR = gcp_format("%s/revisions/%s", r->service->name, r->name);
    char *log SKL_AUTO_STR = gcp_format(
        "https://console.cloud.google.com/logs/viewer?project=%s&resource=cloud_run_revision/"
        "service_name/%s/revision_name/%s",
        r->service->project, r->service->id, r->name);
    cJSON *conditions;
    char number[24];

    cJSON_DeleteItemFromObject(json, "revision");
    snprintf(number, sizeof(number), "%lld", (long long)r->generation);
    cJSON_AddStringToObject(json, "name", name);
    cJSON_AddStringToObject(json, "uid", r->uid);
    cJSON_AddStringToObject(json, "generation", "1");
    cJSON_AddStringToObject(json, "createTime", r->create_time);
    cJSON_AddStringToObject(json, "updateTime", r->create_time);
    cJSON_AddStringToObject(json, "service", r->service->id);
    cJSON_AddStringToObject(json, "observedGeneration", "1");
    cJSON_AddStringToObject(json, "logUri", log);
    if (r->state == REVISION_DEPLOYING)
        cJSON_AddTrueToObject(json, "reconciling");
    conditions = cJSON_AddArrayToObject(json, "conditions");
    cJSON_AddItemToArray(
        conditions,
        gcp_condition("Ready", states[r->state],
                      r->reason && strstr(r->reason, "HEALTH_CHECK") ? "revisionReason" : "reason",
                      r->reason, r->message, r->create_time));
    return json;
}

static struct revision *find(struct service *v, const char *name)
{
    struct skl_list *it;

    skl_list_foreach (it, &v->revisions) {
        struct revision *r = SKL_LIST_ENTRY(it, struct revision, in_service);

        if (!r->hidden && strcmp(r->name, name) == 0)
            return r;
    }
    return NULL;
}

static void list(struct service *v, struct sim_answer *a)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *items = cJSON_AddArrayToObject(json, "revisions");
    struct skl_list *it;

    skl_list_foreach (it, &v->revisions) {
        const struct revision *r = SKL_LIST_ENTRY(it, struct revision, in_service);

        if (!r->hidden)
            cJSON_AddItemToArray(items, gcp_revision_json(r));
    }
    sim_json(a, 200, json);
    cJSON_Delete(json);
}

static void remove_revision(struct sim *s, struct revision *r, struct sim_answer *a)
{
    struct operation *o;

    if (r == r->service->serving || r == r->service->latest) {
        gcp_error(a, GCP_FAILED_PRECONDITION,
                  "Revision '%s' cannot be deleted because it is currently serving traffic.",
                  r->name);
        return;
    }
    o = gcp_operation_begin(s, r->service->project, r->service->region, "delete");
    o->finished = true;
    o->response = gcp_revision_json(r);
    r->hidden = true;
    gcp_operation_answer(s, o, a);
}

/* ..., services, ID, revisions[, NAME] */
void gcp_revisions(struct sim *s, const struct sim_request *r, struct service *v,
                   const struct gcp_path *p, struct sim_answer *a)
{
    struct revision *found = p->n == 9 ? find(v, p->parts[8]) : NULL;

    if (p->n == 8 && skl_streq(r->method, "GET")) {
        list(v, a);
    } else if (!found) {
        gcp_error(a, GCP_NOT_FOUND, "Resource '%s' of kind 'REVISION' does not exist.",
                  p->n == 9 ? p->parts[8] : "");
    } else if (skl_streq(r->method, "GET")) {
        cJSON *json = gcp_revision_json(found);

        sim_json(a, 200, json);
        cJSON_Delete(json);
    } else if (skl_streq(r->method, "DELETE")) {
        remove_revision(s, found, a);
    } else {
        gcp_unknown(r, a);
    }
}
