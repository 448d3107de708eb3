/* Long-running operations of Run and Functions: /v2/{name} whichever API began them, since their ids are unique. */
#include "base/alloc.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

#define MAX_WAIT_MS  30000
#define TYPE_SERVICE "type.googleapis.com/google.cloud.run.v2.Service"

struct operation *gcp_operation_begin(struct sim *s, const char *project, const char *region,
                                      const char *verb)
{
    struct operation *o = skl_new0(struct operation);
    char id[37];

    skl_uuid4(id);
    o->name = gcp_format("projects/%s/locations/%s/operations/%s", project, region, id);
    o->verb = verb;
    o->ready_ms = gcp_now_ms() + s->options->latency_ms;
    skl_time_format(skl_wall_ns(), o->create_time);
    skl_map_set(&s->operations, skl_str(o->name), o);
    return o;
}

bool gcp_operation_done(const struct operation *o)
{
    if (gcp_now_ms() < o->ready_ms)
        return false;
    return o->finished || (o->service && (!o->revision || o->service->deleted ||
                                          o->revision->state != REVISION_DEPLOYING));
}

static cJSON *typed(cJSON *own_resource, const char *type)
{
    cJSON *json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "@type", type);
    while (own_resource->child) {
        char *name SKL_AUTO_STR = skl_strdup(own_resource->child->string);

        cJSON_AddItemToObject(json, name,
                              cJSON_DetachItemViaPointer(own_resource, own_resource->child));
    }
    cJSON_Delete(own_resource);
    return json;
}

static cJSON *service_now(const struct operation *o)
{
    cJSON *json = o->response ? cJSON_Duplicate(o->response, true) : gcp_service_json(o->service);

    return typed(json, TYPE_SERVICE);
}

static void add_error(cJSON *json, int code, const char *message)
{
    cJSON *error = cJSON_AddObjectToObject(json, "error");

    cJSON_AddNumberToObject(error, "code", code);
    cJSON_AddStringToObject(error, "message", message);
}

/* 5: what the revision needs is not there; 9: it is, and does not work. */
static int failure_code(const struct revision *v)
{
    return skl_streq(v->reason, "CONTAINER_MISSING") ? 5 : 9;
}

static void add_service_result(cJSON *json, const struct operation *o)
{
    if (o->revision && o->revision->state == REVISION_FAILED)
        add_error(json, failure_code(o->revision), o->revision->message);
    else
        cJSON_AddItemToObject(json, "response", service_now(o));
}

static cJSON *operation_json(const struct operation *o)
{
    cJSON *json = cJSON_CreateObject();
    bool done = gcp_operation_done(o);

    cJSON_AddStringToObject(json, "name", o->name);
    if (o->service)
        cJSON_AddItemToObject(json, "metadata", service_now(o));
    else if (o->function)
        cJSON_AddItemToObject(json, "metadata", gcp_function_metadata(o));
    if (!done)
        return json;
    cJSON_AddTrueToObject(json, "done");
    if (o->error) {
        add_error(json, o->error_code, o->error);
    } else if (o->service) {
        add_service_result(json, o);
    } else if (o->function && !o->response) {
        cJSON_AddItemToObject(json, "response",
                              typed(gcp_function_json(o->function),
                                    "type.googleapis.com/google.cloud.functions.v2.Function"));
    } else if (o->response) {
        cJSON_AddItemToObject(json, "response", cJSON_Duplicate(o->response, true));
    }
    return json;
}

void gcp_operation_answer(struct sim *s, struct operation *o, struct sim_answer *a)
{
    cJSON *json = operation_json(o);

    sim_json(a, 200, json);
    cJSON_Delete(json);
}

static void await_done(struct sim *s, const struct operation *o, int64_t timeout_ms)
{
    int64_t end = gcp_now_ms() + (timeout_ms < MAX_WAIT_MS ? timeout_ms : MAX_WAIT_MS);

    while (!gcp_operation_done(o) && gcp_now_ms() < end && !s->closing)
        gcp_await_change(s, 50);
}

static void list(struct sim *s, const char *prefix, struct sim_answer *a)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *items = cJSON_AddArrayToObject(json, "operations");
    struct operation *o;
    size_t i = 0;

    while ((o = skl_map_next(&s->operations, &i, NULL)))
        if (skl_str_starts(skl_str(o->name), prefix))
            cJSON_AddItemToArray(items, operation_json(o));
    sim_json(a, 200, json);
    cJSON_Delete(json);
}

/* v2, projects, P, locations, R, operations[, ID][:wait] */
void gcp_operations(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                    struct sim_answer *a)
{
    char *prefix SKL_AUTO_STR =
        gcp_format("projects/%s/locations/%s/operations/", p->parts[2], p->parts[4]);
    char *name SKL_AUTO_STR = gcp_format("%s%s", prefix, p->n > 6 ? p->parts[6] : "");
    struct operation *o = skl_map_getz(&s->operations, name);
    SKL_AUTO_JSON cJSON *body = NULL;

    gcp_count(s, p->verb ? "operations.wait" : p->n > 6 ? "operations.get" : "operations.list");
    if (p->n == 6 && skl_streq(r->method, "GET")) {
        list(s, prefix, a);
    } else if (!o) {
        gcp_error(a, GCP_NOT_FOUND, "Operation not found: %s", name);
    } else if (skl_streq(r->method, "GET") && !p->verb) {
        gcp_operation_answer(s, o, a);
    } else if (skl_streq(r->method, "POST") && skl_streq(p->verb, "wait") && o->service) {
        body = gcp_body(r, a);
        if (!body)
            return;
        await_done(s, o, gcp_duration_ms(skl_json_get_str(body, "timeout"), MAX_WAIT_MS));
        gcp_operation_answer(s, o, a);
    } else if (skl_streq(r->method, "DELETE") && o->service && gcp_operation_done(o)) {
        skl_map_remove(&s->operations, skl_str(name)); /* its memory stays with its readers */
        sim_text(a, 200, "{}");
    } else {
        gcp_unknown(r, a);
    }
}
