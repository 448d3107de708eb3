/* Cloud Run services: v2/projects/P/locations/R/services. What a client wrote is kept as JSON with the defaults that the
 * service adds; what the service says about itself is added when it is asked. */
#include <ctype.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

#define PAGE 100

static const char *const mutable_fields[] = {"description",
                                             "labels",
                                             "annotations",
                                             "client",
                                             "clientVersion",
                                             "ingress",
                                             "launchStage",
                                             "binaryAuthorization",
                                             "template",
                                             "traffic",
                                             "scaling",
                                             "invokerIamDisabled",
                                             "defaultUriDisabled",
                                             "customAudiences",
                                             "buildConfig",
                                             "iapEnabled",
                                             "multiRegionSettings",
                                             NULL};

/* -- URLs */

static char *region_letters(const char *region)
{
    struct skl_buf b;

    skl_buf_init(&b, SKL_KIB);
    for (const char *p = region; *p; p++)
        if (p == region || p[-1] == '-')
            skl_buf_addc(&b, *p);
    return skl_buf_detach(&b);
}

/* Ten letters and digits that a project's services share. */
static char *project_hash(const struct service *v)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint64_t n = 1469598103934665603u;
    char text[11];

    for (const char *p = v->project; *p; p++)
        n = (n ^ (unsigned char)*p) * 1099511628211u;
    for (size_t i = 0; i < 10; i++, n /= 32)
        text[i] = digits[n % 32];
    text[10] = '\0';
    return skl_strdup(text);
}

char **gcp_service_urls(const struct service *v)
{
    char *letters SKL_AUTO_STR = region_letters(v->region);
    char *hash SKL_AUTO_STR = project_hash(v);
    char *hashed SKL_AUTO_STR = gcp_format("https://%s-%s-%s.a.run.app", v->id, hash, letters);
    char *numbered SKL_AUTO_STR = gcp_format("https://%s-%lld.%s.run.app", v->id,
                                             (long long)v->sim->options->project_number, v->region);
    char *here SKL_AUTO_STR = gcp_format("%s/run/%s/%s", v->base, v->region, v->id);
    char **urls = NULL;

    if (!v->sim->options->google_uris)
        skl_strv_push(&urls, here);
    skl_strv_push(&urls, hashed);
    skl_strv_push(&urls, numbered);
    if (v->function) {
        char *function SKL_AUTO_STR = gcp_function_url(v->function);

        skl_strv_push(&urls, function);
    }
    if (v->sim->options->google_uris)
        skl_strv_push(&urls, here);
    return urls;
}

/* -- JSON */

static const char *ready_state(const struct service *v)
{
    switch (v->latest->state) {
    case REVISION_DEPLOYING:
        return "CONDITION_RECONCILING";
    case REVISION_READY:
        return "CONDITION_SUCCEEDED";
    case REVISION_FAILED:
        return "CONDITION_FAILED";
    }
    return "";
}

static void add_conditions(cJSON *json, const struct service *v)
{
    const struct revision *latest = v->latest;
    const char *state = ready_state(v);
    const char *key = latest->reason && latest->state == REVISION_FAILED &&
                              !strstr(latest->reason, "HEALTH_CHECK")
                          ? "reason"
                          : "revisionReason";
    cJSON *list;

    cJSON_AddItemToObject(
        json, "terminalCondition",
        gcp_condition("Ready", state, key, latest->reason, latest->message, v->update_time));
    list = cJSON_AddArrayToObject(json, "conditions");
    cJSON_AddItemToArray(list,
                         gcp_condition("RoutesReady", v->serving ? "CONDITION_SUCCEEDED" : state,
                                       NULL, NULL, NULL, v->update_time));
    cJSON_AddItemToArray(list, gcp_condition("ConfigurationsReady", state, key, latest->reason,
                                             latest->message, v->update_time));
}

static void add_number(cJSON *json, const char *key, int64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)n); /* int64 is a string in proto3 JSON */
    cJSON_AddStringToObject(json, key, text);
}

cJSON *gcp_service_json(const struct service *v)
{
    cJSON *json = cJSON_Duplicate(v->json, true);
    char **urls = gcp_service_urls(v);
    cJSON *list, *traffic;
    char text[128];

    cJSON_AddStringToObject(json, "name", v->name);
    cJSON_AddStringToObject(json, "uid", v->uid);
    add_number(json, "generation", v->generation);
    cJSON_AddStringToObject(json, "createTime", v->create_time);
    cJSON_AddStringToObject(json, "updateTime", v->update_time);
    cJSON_AddStringToObject(json, "creator", v->creator);
    cJSON_AddStringToObject(json, "lastModifier", v->creator);
    add_number(json, "observedGeneration", v->generation);
    if (v->latest->state == REVISION_DEPLOYING)
        cJSON_AddTrueToObject(json, "reconciling");
    add_conditions(json, v);
    snprintf(text, sizeof(text), "\"CK%lldg%lld\"", (long long)v->etag, (long long)v->generation);
    cJSON_AddStringToObject(json, "etag", text);
    cJSON_AddStringToObject(json, "latestCreatedRevision", v->latest->name);
    if (v->serving) {
        cJSON_AddStringToObject(json, "latestReadyRevision", v->serving->name);
        traffic = cJSON_CreateObject();
        cJSON_AddStringToObject(traffic, "type", "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST");
        cJSON_AddNumberToObject(traffic, "percent", 100);
        cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "trafficStatuses"), traffic);
    }
    cJSON_AddStringToObject(json, "uri", urls[0]);
    list = cJSON_AddArrayToObject(json, "urls");
    for (char **u = urls; *u; u++)
        cJSON_AddItemToArray(list, cJSON_CreateString(*u));
    skl_strv_free(urls);
    if (v->deleted)
        cJSON_AddStringToObject(json, "deleteTime", v->update_time);
    return json;
}

/* -- defaults */

static cJSON *member(cJSON *object, const char *name)
{
    cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return item ? item : cJSON_AddObjectToObject(object, name);
}

static void set_default(cJSON *object, const char *name, cJSON *own_value)
{
    if (cJSON_GetObjectItemCaseSensitive(object, name))
        cJSON_Delete(own_value);
    else
        cJSON_AddItemToObject(object, name, own_value);
}

static void container_defaults(cJSON *c, bool is_ingress)
{
    bool had_resources = skl_json_get(c, "resources") != NULL;
    cJSON *resources = member(c, "resources");
    cJSON *limits = member(resources, "limits");

    set_default(limits, "cpu", cJSON_CreateString("1000m"));
    set_default(limits, "memory", cJSON_CreateString("512Mi"));
    if (!had_resources) {
        cJSON_AddTrueToObject(resources, "cpuIdle");
        cJSON_AddTrueToObject(resources, "startupCpuBoost");
    }
    if (!is_ingress)
        return;
    if (!skl_json_get(c, "ports"))
        cJSON_AddItemToObject(c, "ports",
                              cJSON_Parse("[{\"name\":\"http1\",\"containerPort\":8080}]"));
    if (!skl_json_get(c, "startupProbe")) {
        char *probe SKL_AUTO_STR =
            gcp_format("{\"timeoutSeconds\":240,\"periodSeconds\":240,\"failureThreshold\":1,"
                       "\"tcpSocket\":{\"port\":%d}}",
                       gcp_declared_port(c));

        cJSON_AddItemToObject(c, "startupProbe", cJSON_Parse(probe));
    }
}

static void add_defaults(struct sim *s, cJSON *json)
{
    cJSON *template = member(json, "template");
    cJSON *containers = skl_json_get(template, "containers");
    cJSON *c;
    bool alone = cJSON_GetArraySize(containers) == 1;
    char *account SKL_AUTO_STR = gcp_format("%lld-compute@developer.gserviceaccount.com",
                                            (long long)s->options->project_number);

    set_default(json, "ingress", cJSON_CreateString("INGRESS_TRAFFIC_ALL"));
    set_default(json, "launchStage", cJSON_CreateString("GA"));
    if (!skl_json_get(json, "traffic"))
        cJSON_AddItemToObject(
            json, "traffic",
            cJSON_Parse("[{\"type\":\"TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST\",\"percent\":100}]"));
    set_default(template, "timeout", cJSON_CreateString("300s"));
    set_default(template, "serviceAccount", cJSON_CreateString(account));
    set_default(template, "maxInstanceRequestConcurrency", cJSON_CreateNumber(80));
    set_default(member(template, "scaling"), "maxInstanceCount", cJSON_CreateNumber(100));
    cJSON_ArrayForEach(c, containers)
    {
        container_defaults(c, alone || skl_json_get(c, "ports"));
    }
}

/* -- life */

struct service *gcp_service_new(struct sim *s, const char *project, const char *region,
                                const char *id, const char *base, const char *creator,
                                cJSON *own_json)
{
    struct service *v = skl_new0(struct service);

    v->sim = s;
    v->project = skl_strdup(project);
    v->region = skl_strdup(region);
    v->id = skl_strdup(id);
    v->base = skl_strdup(base);
    v->creator = skl_strdup(creator);
    v->name = gcp_format("projects/%s/locations/%s/services/%s", project, region, id);
    v->json = cJSON_CreateObject();
    v->policy = cJSON_CreateObject();
    skl_uuid4(v->uid);
    skl_time_format(skl_wall_ns(), v->create_time);
    skl_list_init(&v->revisions);
    (void)gcp_service_change(v, own_json, true);
    skl_map_set(&s->services, skl_str(v->name), v);
    return v;
}

struct revision *gcp_service_change(struct service *v, cJSON *own_json, bool force)
{
    struct revision *made = NULL;
    char *name SKL_AUTO_STR = NULL;
    cJSON *template;

    add_defaults(v->sim, own_json);
    v->etag++;
    v->generation++;
    skl_time_format(skl_wall_ns(), v->update_time);
    template = skl_json_get(own_json, "template");
    if (force || !v->latest || !cJSON_Compare(template, skl_json_get(v->json, "template"), true)) {
        name = skl_strdup(skl_json_get_str(template, "revision"));
        cJSON_Delete(v->json);
        v->json = own_json;
        made = gcp_revision_new(v, name);
    } else {
        cJSON_Delete(v->json);
        v->json = own_json;
    }
    gcp_scale(v);
    return made;
}

void gcp_service_delete(struct service *v)
{
    struct sim *s = v->sim;

    if (v->deleted)
        return;
    v->deleted = true;
    skl_time_format(skl_wall_ns(), v->update_time);
    skl_map_remove(&s->services, skl_str(v->name));
    skl_list_push(&s->deleted, &v->in_deleted);
    v->free_ms = gcp_now_ms() + s->options->latency_ms;
    gcp_instances_stop(v);
}

static bool was_just_deleted(struct sim *s, const char *name)
{
    struct skl_list *it;

    skl_list_foreach (it, &s->deleted) {
        struct service *v = SKL_LIST_ENTRY(it, struct service, in_deleted);

        if (v->free_ms > gcp_now_ms() && strcmp(v->name, name) == 0)
            return true;
    }
    return false;
}

/* -- calls */

static bool is_service_id(const char *id)
{
    size_t n = strlen(id);

    if (n < 1 || n > 49 || !islower((unsigned char)id[0]) || id[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!islower((unsigned char)id[i]) && !isdigit((unsigned char)id[i]) && id[i] != '-')
            return false;
    return true;
}

static void answer_change(struct sim *s, const char *verb, struct service *v, struct revision *made,
                          struct sim_answer *a)
{
    struct operation *o = gcp_operation_begin(s, v->project, v->region, verb);

    o->service = v;
    o->revision = made;
    gcp_operation_answer(s, o, a);
}

static bool check_new(struct sim *s, const struct gcp_path *p, const char *id, struct sim_answer *a)
{
    char *name SKL_AUTO_STR =
        gcp_format("projects/%s/locations/%s/services/%s", p->parts[2], p->parts[4], id ? id : "");

    if (!id || !is_service_id(id)) {
        gcp_error(a, GCP_INVALID_ARGUMENT,
                  "Violation in CreateServiceRequest.service_id: only lowercase, digits, and "
                  "hyphens; must begin with letter, and may not end with hyphen; must be less "
                  "than 50 characters.");
    } else if (skl_map_getz(&s->services, name)) {
        gcp_error(a, GCP_ALREADY_EXISTS, "Resource '%s' already exists.", id);
    } else if (was_just_deleted(s, name)) {
        gcp_error(a, GCP_ABORTED, "Conflict: the service '%s' is being deleted.", id);
    } else {
        return true;
    }
    return false;
}

static void create(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                   const char *email, const char *service_id, const cJSON *body, bool is_dry,
                   struct sim_answer *a)
{
    cJSON *json = cJSON_CreateObject();
    struct service *v;

    if (!check_new(s, p, service_id, a) || !gcp_service_validate(s, service_id, body, a) ||
        !gcp_apply_mask(json, body, NULL, mutable_fields, a)) {
        cJSON_Delete(json);
        return;
    }
    if (is_dry) {
        cJSON_Delete(json);
        gcp_answer_dry_run(s, p, a);
        return;
    }
    v = gcp_service_new(s, p->parts[2], p->parts[4], service_id, r->base, email, json);
    answer_change(s, "create", v, v->latest, a);
}

static bool check_etag(const struct service *v, const char *etag, struct sim_answer *a)
{
    SKL_AUTO_JSON cJSON *json = gcp_service_json(v);
    const char *current = skl_json_get_str(json, "etag");

    if (skl_str_empty(etag) || skl_streq(etag, current))
        return true;
    gcp_error(a, GCP_ABORTED,
              "Conflict for resource '%s': version '%s' was specified but current version is "
              "'%s'.",
              v->id, etag, current);
    return false;
}

static bool check_revision_name(const struct service *v, const cJSON *json, struct sim_answer *a)
{
    const char *name = skl_json_get_str(skl_json_get(json, "template"), "revision");
    struct skl_list *it;

    if (!name)
        return true;
    skl_list_foreach (it, &v->revisions) {
        const struct revision *r = SKL_LIST_ENTRY(it, struct revision, in_service);

        if (strcmp(r->name, name) == 0 &&
            !cJSON_Compare(r->template, skl_json_get(json, "template"), true)) {
            gcp_error(a, GCP_ALREADY_EXISTS,
                      "Revision named '%s' with different configuration already exists.", name);
            return false;
        }
    }
    return true;
}

static void patch(struct sim *s, const struct sim_request *r, struct service *v, const cJSON *body,
                  struct sim_answer *a, const struct gcp_path *p)
{
    char *mask SKL_AUTO_STR = sim_query(r, "updateMask");
    char *force SKL_AUTO_STR = sim_query(r, "forceNewRevision");
    char *dry SKL_AUTO_STR = sim_query(r, "validateOnly");
    cJSON *json = cJSON_Duplicate(v->json, true);

    if (!check_etag(v, skl_json_get_str(body, "etag"), a) ||
        !gcp_apply_mask(json, body, mask, mutable_fields, a) ||
        !gcp_service_validate(s, v->id, json, a) || !check_revision_name(v, json, a)) {
        cJSON_Delete(json);
    } else if (skl_streq(dry, "true")) {
        cJSON_Delete(json);
        gcp_answer_dry_run(s, p, a);
    } else {
        struct revision *made = gcp_service_change(v, json, skl_streq(force, "true"));

        answer_change(s, "update", v, made, a);
    }
}

void gcp_answer_dry_run(struct sim *s, const struct gcp_path *p, struct sim_answer *a)
{
    struct operation *o = gcp_operation_begin(s, p->parts[2], p->parts[4], "validate");

    o->finished = true;
    o->response = cJSON_CreateObject();
    gcp_operation_answer(s, o, a);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct service *const *)a)->name, (*(struct service *const *)b)->name);
}

static void list(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                 struct sim_answer *a)
{
    char *token SKL_AUTO_STR = sim_query(r, "pageToken");
    char *size SKL_AUTO_STR = sim_query(r, "pageSize");
    struct service **all = skl_new0_n(struct service *, s->services.n + 1);
    cJSON *json = cJSON_CreateObject();
    cJSON *items = cJSON_AddArrayToObject(json, "services");
    uint64_t limit = PAGE, count = 0;
    struct service *v;
    size_t i = 0, n = 0;

    if (size && (!skl_str_u64(skl_str(size), &limit) || limit == 0 || limit > PAGE))
        limit = PAGE;
    while ((v = skl_map_next(&s->services, &i, NULL)))
        if (strcmp(p->parts[4], "-") == 0 || strcmp(v->region, p->parts[4]) == 0)
            all[n++] = v;
    qsort(all, n, sizeof(*all), by_name);
    for (i = 0; i < n; i++) {
        if (token && strcmp(all[i]->name, token) < 0)
            continue;
        if (count++ == limit) {
            cJSON_AddStringToObject(json, "nextPageToken", all[i]->name);
            break;
        }
        cJSON_AddItemToArray(items, gcp_service_json(all[i]));
    }
    free(all);
    sim_json(a, 200, json);
    cJSON_Delete(json);
}

static void one(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                const char *email, struct service *v, struct sim_answer *a)
{
    char *missing SKL_AUTO_STR = sim_query(r, "allowMissing");
    char *dry SKL_AUTO_STR = sim_query(r, "validateOnly");
    char *etag SKL_AUTO_STR = sim_query(r, "etag");
    bool is_patch = skl_streq(r->method, "PATCH");
    SKL_AUTO_JSON cJSON *body = NULL;

    if (is_patch) {
        body = gcp_request(s, r, "run", "Service", a);
        if (!body)
            return;
    }
    if (!v && is_patch && skl_streq(missing, "true")) {
        create(s, r, p, email, p->parts[6], body, skl_streq(dry, "true"), a);
    } else if (!v) {
        gcp_error(a, GCP_NOT_FOUND,
                  "Resource '%s' of kind 'SERVICE' in region '%s' in project "
                  "'%s' does not exist.",
                  p->parts[6], p->parts[4], p->parts[2]);
    } else if (skl_streq(r->method, "GET")) {
        cJSON *json = gcp_service_json(v);

        sim_json(a, 200, json);
        cJSON_Delete(json);
    } else if (is_patch) {
        patch(s, r, v, body, a, p);
    } else if (skl_streq(r->method, "DELETE")) {
        if (!check_etag(v, etag, a))
            return;
        if (!skl_streq(dry, "true"))
            gcp_service_delete(v);
        answer_change(s, "delete", v, NULL, a);
    } else {
        gcp_unknown(r, a);
    }
}

/* -- who may invoke */

static void policy(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                   struct service *v, struct sim_answer *a)
{
    SKL_AUTO_JSON cJSON *body = NULL;

    if (skl_streq(p->verb, "getIamPolicy") && skl_streq(r->method, "GET")) {
        sim_json(a, 200, v->policy);
        return;
    }
    if (!skl_streq(r->method, "POST")) {
        gcp_unknown(r, a);
        return;
    }
    body = gcp_request(s, r, "run",
                       skl_streq(p->verb, "setIamPolicy") ? "SetIamPolicyRequest"
                                                          : "TestIamPermissionsRequest",
                       a);
    if (!body)
        return;
    if (skl_streq(p->verb, "setIamPolicy")) {
        const cJSON *wanted = skl_json_get(body, "policy");
        const char *etag = skl_json_get_str(wanted, "etag");
        char *fresh SKL_AUTO_STR = gcp_format("BwY%lld=", (long long)++v->policy_serial);

        if (etag && !skl_streq(etag, skl_json_get_str(v->policy, "etag"))) {
            gcp_error(a, GCP_ABORTED,
                      "There were concurrent policy changes. Please retry the "
                      "whole read-modify-write with exponential backoff.");
            return;
        }
        cJSON_Delete(v->policy);
        v->policy = wanted ? cJSON_Duplicate(wanted, true) : cJSON_CreateObject();
        cJSON_DeleteItemFromObject(v->policy, "etag");
        cJSON_AddStringToObject(v->policy, "etag", fresh);
        sim_json(a, 200, v->policy);
    } else {
        sim_json(a, 200, body); /* every account that has a token may do all */
    }
}

/* v2, projects, P, locations, R, services[, ID[, revisions[, NAME]]] */
void gcp_services(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                  const char *email, struct sim_answer *a)
{
    char *name SKL_AUTO_STR = gcp_format("projects/%s/locations/%s/services/%s", p->parts[2],
                                         p->parts[4], p->n > 6 ? p->parts[6] : "");
    struct service *v = skl_map_getz(&s->services, name);
    SKL_AUTO_JSON cJSON *body = NULL;

    if (p->n == 6 && skl_streq(r->method, "GET")) {
        list(s, r, p, a);
    } else if (p->n == 6 && skl_streq(r->method, "POST")) {
        char *id SKL_AUTO_STR = sim_query(r, "serviceId");
        char *dry SKL_AUTO_STR = sim_query(r, "validateOnly");

        body = gcp_request(s, r, "run", "Service", a);
        if (body && skl_json_get(body, "name"))
            gcp_error(a, GCP_INVALID_ARGUMENT, "service.name: must be empty on create.");
        else if (body)
            create(s, r, p, email, id, body, skl_streq(dry, "true"), a);
    } else if (p->n == 7 && !p->verb) {
        one(s, r, p, email, v, a);
    } else if (!v && p->n >= 7) {
        gcp_error(a, GCP_NOT_FOUND, "Resource '%s' of kind 'SERVICE' does not exist.", p->parts[6]);
    } else if (p->n == 7) {
        policy(s, r, p, v, a);
    } else if (p->n >= 8 && skl_streq(p->parts[7], "revisions")) {
        gcp_revisions(s, r, v, p, a);
    } else {
        gcp_unknown(r, a);
    }
}
