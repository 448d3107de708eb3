/* Cloud Functions, second generation: v2/projects/P/locations/R/functions. A create or a change is an operation that
 * builds (takes --latency and needs the source), then deploys the service below (function_service.c). The housekeeper
 * moves them on, so that the answer of a call never shows a finished operation. */
#include <ctype.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

#define PAGE          1000
#define MAX_FUNCTIONS 1000
#define TYPE_METADATA "type.googleapis.com/google.cloud.functions.v2.OperationMetadata"

static const char *const mutable_fields[] = {
    "description",  "buildConfig", "serviceConfig", "labels",
    "eventTrigger", "kmsKeyName",  "environment",   NULL};
static const char *const state_names[] = {"DEPLOYING", "ACTIVE", "FAILED", "DELETING"};

char *gcp_function_url(const struct function *f)
{
    return gcp_format("https://%s-%s.cloudfunctions.net/%s", f->region, f->project, f->id);
}

/* -- JSON */

static cJSON *member(cJSON *object, const char *name)
{
    cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return item ? item : cJSON_AddObjectToObject(object, name);
}

static void set_text(cJSON *object, const char *name, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    cJSON_AddStringToObject(object, name, value);
}

static void add_service_outputs(cJSON *config, const struct function *f)
{
    char **urls = gcp_service_urls(f->service);

    set_text(config, "service", f->service->name);
    set_text(config, "uri", urls[0]);
    if (f->service->latest)
        set_text(config, "revision", f->service->latest->name);
    cJSON_DeleteItemFromObjectCaseSensitive(config, "allTrafficOnLatestRevision");
    cJSON_AddTrueToObject(config, "allTrafficOnLatestRevision");
    skl_strv_free(urls);
}

cJSON *gcp_function_json(const struct function *f)
{
    cJSON *json = cJSON_Duplicate(f->json, true);
    cJSON *config = member(json, "serviceConfig");
    char *url SKL_AUTO_STR = gcp_function_url(f);
    char *build SKL_AUTO_STR =
        gcp_format("projects/%lld/locations/%s/builds/%.8s-%d",
                   (long long)f->sim->options->project_number, f->region, f->id, f->builds);

    cJSON_AddStringToObject(json, "name", f->name);
    set_text(json, "environment", "GEN_2");
    cJSON_AddStringToObject(json, "state", state_names[f->state]);
    cJSON_AddStringToObject(json, "createTime", f->create_time);
    cJSON_AddStringToObject(json, "updateTime", f->update_time);
    cJSON_AddStringToObject(json, "url", url);
    if (f->builds > 0)
        set_text(member(json, "buildConfig"), "build", build);
    if (f->service)
        add_service_outputs(config, f);
    if (f->message) {
        cJSON *message = cJSON_CreateObject();

        cJSON_AddStringToObject(message, "severity", "ERROR");
        cJSON_AddStringToObject(message, "type", "CloudRunServiceFailed");
        cJSON_AddStringToObject(message, "message", f->message);
        cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "stateMessages"), message);
    }
    return json;
}

static void add_stage(cJSON *stages, const char *name, const char *state)
{
    cJSON *stage = cJSON_CreateObject();

    cJSON_AddStringToObject(stage, "name", name);
    cJSON_AddStringToObject(stage, "state", state);
    cJSON_AddItemToArray(stages, stage);
}

cJSON *gcp_function_metadata(const struct operation *o)
{
    const struct function *f = o->function;
    cJSON *json = cJSON_CreateObject();
    bool done = gcp_operation_done(o);
    bool built = done || gcp_now_ms() >= o->ready_ms;
    cJSON *stages;
    char kind[40];

    snprintf(kind, sizeof(kind), "%s_FUNCTION", o->verb);
    for (char *p = kind; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    cJSON_AddStringToObject(json, "@type", TYPE_METADATA);
    cJSON_AddStringToObject(json, "createTime", o->create_time);
    cJSON_AddStringToObject(json, "target", f->name);
    cJSON_AddStringToObject(json, "verb", o->verb);
    cJSON_AddStringToObject(json, "apiVersion", "v2");
    cJSON_AddStringToObject(json, "operationType", kind);
    if (done)
        cJSON_AddStringToObject(json, "endTime", f->update_time);
    if (strcmp(o->verb, "delete") == 0)
        return json;
    stages = cJSON_AddArrayToObject(json, "stages");
    add_stage(stages, "ARTIFACT_REGISTRY", "COMPLETE");
    add_stage(stages, "BUILD", built ? "COMPLETE" : "IN_PROGRESS");
    add_stage(stages, "SERVICE", done ? "COMPLETE" : built ? "IN_PROGRESS" : "NOT_STARTED");
    return json;
}

/* -- deployment */

static void finish(struct function *f, enum function_state state)
{
    f->state = state;
    f->pending->finished = true;
    f->pending = NULL;
    skl_time_format(skl_wall_ns(), f->update_time);
    pthread_cond_broadcast(&f->sim->changed);
}

static void fail(struct function *f, int code, const char *text)
{
    f->pending->error_code = code;
    f->pending->error = skl_strdup(text);
    skl_strset(&f->message, text);
    finish(f, FUNCTION_FAILED);
}

static bool has_source(const struct function *f)
{
    const cJSON *source = skl_json_get(skl_json_get(f->json, "buildConfig"), "source");
    const cJSON *storage = skl_json_get(source, "storageSource");

    return gcp_is_docker_runtime(f->json) ||
           gcp_object_exists(f->sim, skl_json_get_str(storage, "bucket"),
                             skl_json_get_str(storage, "object"));
}

/* The revision's own name stands in the template, as the functions service leaves it. */
static void pin_revision(struct service *v)
{
    cJSON *template = skl_json_get(v->json, "template");

    set_text(template, "revision", v->latest->name);
    set_text(v->latest->template, "revision", v->latest->name);
}

static void deploy(struct function *f)
{
    cJSON *json = gcp_function_service(f);

    if (f->service && !f->service->deleted) {
        f->pending->revision = gcp_service_change(f->service, json, true);
    } else {
        char *id SKL_AUTO_STR = gcp_function_service_id(f->id);
        struct service *v = gcp_service_new(f->sim, f->project, f->region, id, f->base,
                                            "service-gcf-admin-robot@simulator", json);

        f->service = v;
        v->function = f;
        f->pending->revision = v->latest;
    }
    pin_revision(f->service);
}

static void tick(struct function *f)
{
    struct operation *o = f->pending;

    if (!o || gcp_now_ms() < o->ready_ms)
        return;
    if (strcmp(o->verb, "delete") == 0) {
        f->gone = true; /* the map forgets it when the housekeeper has been through */
        if (f->service)
            gcp_service_delete(f->service);
        finish(f, FUNCTION_DELETING);
    } else if (o->fault_code) {
        fail(f, o->fault_code, "An internal error has occurred while deploying the function.");
    } else if (!o->revision) {
        f->builds++;
        if (has_source(f))
            deploy(f);
        else
            fail(f, 3, "Build failed: source was not found in the bucket of buildConfig.source.");
    } else if (o->revision->state == REVISION_READY) {
        skl_strset(&f->message, NULL);
        finish(f, FUNCTION_ACTIVE);
    } else if (o->revision->state == REVISION_FAILED) {
        fail(f, 3, o->revision->message);
    }
}

void gcp_functions_tick(struct sim *s)
{
    struct function *f;
    size_t i = 0;

    while ((f = skl_map_next(&s->functions, &i, NULL))) {
        tick(f);
        if (f->gone) {
            skl_map_remove(&s->functions, skl_str(f->name));
            skl_list_push(&s->gone_functions, &f->in_gone);
        }
    }
}

/* -- calls */

static bool is_function_id(const char *id)
{
    char *service SKL_AUTO_STR = gcp_function_service_id(id);
    size_t n = strlen(service);

    if (n < 1 || n > 49 || !islower((unsigned char)service[0]) || service[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!islower((unsigned char)service[i]) && !isdigit((unsigned char)service[i]) &&
            service[i] != '-')
            return false;
    return true;
}

static void begin(struct sim *s, struct function *f, const char *verb, struct sim_answer *a)
{
    struct operation *o = gcp_operation_begin(s, f->project, f->region, verb);

    o->function = f;
    o->response = strcmp(verb, "delete") == 0
                      ? cJSON_Parse("{\"@type\":\"type.googleapis.com/google.protobuf.Empty\"}")
                      : NULL;
    if (skl_streq(s->fault_word, "operation"))
        o->fault_code = 13;
    else if (skl_streq(s->fault_word, "exhausted"))
        o->fault_code = 8;
    f->pending = o;
    gcp_operation_answer(s, o, a);
}

static void create(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                   const char *email, struct sim_answer *a)
{
    char *id SKL_AUTO_STR = sim_query(r, "functionId");
    SKL_AUTO_JSON cJSON *body = gcp_request(s, r, "cloudfunctions", "Function", a);
    char *name SKL_AUTO_STR =
        gcp_format("projects/%s/locations/%s/functions/%s", p->parts[2], p->parts[4], id ? id : "");
    struct function *f;

    if (!body)
        return;
    if (skl_str_empty(id) || !is_function_id(id)) {
        gcp_error(a, GCP_INVALID_ARGUMENT,
                  "Invalid function_id '%s': letters, digits, '-' and '_', a letter first, at most "
                  "49.",
                  id ? id : "");
        return;
    }
    if (!gcp_function_validate(s, body, a))
        return;
    if (skl_map_getz(&s->functions, name)) {
        gcp_error(a, GCP_ALREADY_EXISTS,
                  "Could not create Cloud Run service. A Cloud Function "
                  "with this name already exists: %s",
                  name);
        return;
    }
    if (s->functions.n >= MAX_FUNCTIONS) {
        gcp_error(a, GCP_RESOURCE_EXHAUSTED, "Quota exceeded for the number of functions.");
        return;
    }
    f = skl_new0(struct function);
    f->sim = s;
    f->project = skl_strdup(p->parts[2]);
    f->region = skl_strdup(p->parts[4]);
    f->id = skl_strdup(id);
    f->name = skl_strdup(name);
    f->base = skl_strdup(r->base);
    f->creator = skl_strdup(email);
    f->policy = cJSON_CreateObject();
    f->json = cJSON_CreateObject();
    (void)gcp_apply_mask(f->json, body, NULL, mutable_fields, a); /* all fields: cannot fail */
    skl_time_format(skl_wall_ns(), f->create_time);
    memcpy(f->update_time, f->create_time, sizeof(f->update_time));
    skl_map_set(&s->functions, skl_str(name), f);
    begin(s, f, "create", a);
}

static bool check_free(const struct function *f, struct sim_answer *a)
{
    if (!f->pending)
        return true;
    gcp_error(a, GCP_ABORTED,
              "An operation on function %s in region %s in project %s is already in progress. "
              "Please try again later.",
              f->id, f->region, f->project);
    return false;
}

static void patch(struct sim *s, const struct sim_request *r, struct function *f,
                  struct sim_answer *a)
{
    SKL_AUTO_JSON cJSON *body = gcp_request(s, r, "cloudfunctions", "Function", a);
    char *mask SKL_AUTO_STR = sim_query(r, "updateMask");
    cJSON *json;

    if (!body || !check_free(f, a))
        return;
    json = cJSON_Duplicate(f->json, true);
    if (!gcp_apply_mask(json, body, mask, mutable_fields, a) ||
        !gcp_function_validate(s, json, a)) {
        cJSON_Delete(json);
        return;
    }
    cJSON_Delete(f->json);
    f->json = json;
    f->state = FUNCTION_DEPLOYING;
    begin(s, f, "update", a);
}

/* -- lists */

static bool term_matches(const struct function *f, struct skl_str term, bool *ok)
{
    struct skl_str value, field = skl_str_trim(skl_str_cut(term, '=', &value));
    const char *have;
    char *key SKL_AUTO_STR = NULL;

    if (!value.p)
        field = skl_str_trim(skl_str_cut(term, ':', &value));
    if (!value.p) {
        *ok = false;
        return false;
    }
    value = skl_str_trim(value);
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
        value = skl_str_n(value.p + 1, value.n - 2);
    key = skl_str_dup(field);
    if (skl_str_starts(field, "labels."))
        have = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(
            skl_json_get(f->json, "labels"), key + strlen("labels.")));
    else if (skl_str_eqz(field, "state"))
        have = state_names[f->state];
    else if (skl_str_eqz(field, "environment"))
        have = "GEN_2";
    else if (skl_str_eqz(field, "name"))
        have = f->name;
    else
        have = NULL, *ok = false;
    return have && (skl_str_eqz(value, have) || skl_str_eqz(value, "*"));
}

/* Terms with AND between: what AIP-160 needs for labels. */
static bool matches(const struct function *f, const char *filter, bool *ok)
{
    struct skl_str rest = skl_str(filter);

    while (rest.n > 0) {
        const char *and = memmem(rest.p, rest.n, " AND ", 5);
        struct skl_str term = and? skl_str_n(rest.p, (size_t)(and-rest.p)) : rest;

        if (!term_matches(f, term, ok))
            return false;
        rest = and? skl_str_skip(rest, term.n + 5) : SKL_STR("");
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct function *const *)a)->name, (*(struct function *const *)b)->name);
}

static void list(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                 struct sim_answer *a)
{
    char *token SKL_AUTO_STR = sim_query(r, "pageToken");
    char *size SKL_AUTO_STR = sim_query(r, "pageSize");
    char *filter SKL_AUTO_STR = sim_query(r, "filter");
    struct function **all = skl_new0_n(struct function *, s->functions.n + 1);
    cJSON *json = cJSON_CreateObject();
    cJSON *items = cJSON_AddArrayToObject(json, "functions");
    uint64_t limit = PAGE, count = 0;
    struct function *f;
    size_t i = 0, n = 0;
    bool ok = true;

    if (size && (!skl_str_u64(skl_str(size), &limit) || limit == 0 || limit > PAGE))
        limit = PAGE;
    while ((f = skl_map_next(&s->functions, &i, NULL)))
        if (strcmp(p->parts[4], "-") == 0 || strcmp(f->region, p->parts[4]) == 0)
            all[n++] = f;
    qsort(all, n, sizeof(struct function *), by_name);
    for (i = 0; i < n; i++) {
        cJSON *item;

        if ((token && strcmp(all[i]->name, token) < 0) || !matches(all[i], filter, &ok))
            continue;
        if (count++ == limit) {
            cJSON_AddStringToObject(json, "nextPageToken", all[i]->name);
            break;
        }
        item = gcp_function_json(all[i]);
        cJSON_DeleteItemFromObjectCaseSensitive(skl_json_get(item, "serviceConfig"), "uri");
        cJSON_AddItemToArray(items, item);
    }
    free(all);
    if (ok)
        sim_json(a, 200, json);
    else
        gcp_error(a, GCP_INVALID_ARGUMENT, "Invalid list filter: %s", filter);
    cJSON_Delete(json);
}

/* -- uploads */

static void upload_url(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                       struct sim_answer *a)
{
    SKL_AUTO_JSON cJSON *body = gcp_request(s, r, "cloudfunctions", "GenerateUploadUrlRequest", a);
    char *bucket SKL_AUTO_STR =
        gcp_format("gcf-v2-uploads-%lld-%s", (long long)s->options->project_number, p->parts[4]);
    char *object SKL_AUTO_STR = NULL;
    char *text SKL_AUTO_STR = NULL;
    char id[37], signature[65];

    if (!body)
        return;
    if (!skl_streq(skl_json_get_str(body, "environment"), "GEN_2")) {
        gcp_error(a, GCP_INVALID_ARGUMENT, "environment: GEN_2 is required here.");
        return;
    }
    gcp_bucket_add(s, bucket);
    skl_uuid4(id);
    skl_random_hex(signature, 64);
    object = gcp_format("%s.zip", id);
    skl_map_set(&s->uploads, skl_str(object), skl_strdup(signature));
    text = gcp_format("{\"uploadUrl\":\"%s/%s/%s?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Expires="
                      "1800&X-Goog-Signature=%s\",\"storageSource\":{\"bucket\":\"%s\","
                      "\"object\":\"%s\"}}",
                      r->base, bucket, object, signature, bucket, object);
    sim_text(a, 200, text);
}

static void policy(struct sim *s, const struct sim_request *r, const char *verb, struct function *f,
                   struct sim_answer *a)
{
    bool is_set = skl_streq(verb, "setIamPolicy");
    SKL_AUTO_JSON cJSON *body = NULL;

    if (skl_streq(verb, "getIamPolicy") && skl_streq(r->method, "GET")) {
        sim_json(a, 200, f->policy);
        return;
    }
    if (!is_set && !skl_streq(verb, "testIamPermissions")) {
        gcp_unknown(r, a);
        return;
    }
    body = gcp_request(s, r, "cloudfunctions",
                       is_set ? "SetIamPolicyRequest" : "TestIamPermissionsRequest", a);
    if (!body)
        return;
    if (is_set) {
        cJSON_Delete(f->policy);
        f->policy = cJSON_Duplicate(skl_json_get(body, "policy"), true);
    }
    sim_json(a, 200, is_set ? f->policy : body);
}

static void one(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                struct function *f, struct sim_answer *a)
{
    if (!f) {
        gcp_error(a, GCP_NOT_FOUND,
                  "Resource 'projects/%s/locations/%s/functions/%s' was not "
                  "found",
                  p->parts[2], p->parts[4], p->parts[6]);
    } else if (p->verb) {
        policy(s, r, p->verb, f, a);
    } else if (skl_streq(r->method, "GET")) {
        cJSON *json = gcp_function_json(f);

        sim_json(a, 200, json);
        cJSON_Delete(json);
    } else if (skl_streq(r->method, "PATCH")) {
        patch(s, r, f, a);
    } else if (skl_streq(r->method, "DELETE")) {
        if (!check_free(f, a))
            return;
        f->state = FUNCTION_DELETING;
        begin(s, f, "delete", a);
    } else {
        gcp_unknown(r, a);
    }
}

/* v2, projects, P, locations, R, functions[, ID] */
void gcp_functions(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                   const char *email, struct sim_answer *a)
{
    char *name SKL_AUTO_STR = gcp_format("projects/%s/locations/%s/functions/%s", p->parts[2],
                                         p->parts[4], p->n > 6 ? p->parts[6] : "");

    if (p->n == 7)
        one(s, r, p, skl_map_getz(&s->functions, name), a);
    else if (p->n == 6 && skl_streq(p->verb, "generateUploadUrl") && skl_streq(r->method, "POST"))
        upload_url(s, r, p, a);
    else if (p->n == 6 && !p->verb && skl_streq(r->method, "POST"))
        create(s, r, p, email, a);
    else if (p->n == 6 && !p->verb && skl_streq(r->method, "GET"))
        list(s, r, p, a);
    else
        gcp_unknown(r, a);
}
