/* Azure Resource Manager: errors, versions, long-running operations, groups and environments. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "web.h"

static const char *const app_versions[] = {"2022-11-01-preview", "2023-05-01", "2023-11-02-preview",
                                           "2024-02-02-preview", "2024-03-01", "2024-10-02-preview",
                                           "2025-01-01",         "2025-07-01", "2026-01-01",
                                           "2026-07-01",         NULL};

static const char *const authorization_versions[] = {"2015-07-01", "2018-01-01-preview",
                                                     "2018-07-01", "2022-04-01", NULL};

static const char *const web_versions[] = {"2022-03-01", "2022-09-01", "2023-01-01",
                                           "2023-12-01", "2024-04-01", "2024-11-01",
                                           "2025-03-01", "2025-05-01", NULL};

void sim_arm_error(struct sim_answer *a, int status, const char *code, const char *fmt, ...)
{
    SKL_AUTO_BUF struct skl_buf text = {0}, b = {0};
    struct skl_json j;
    va_list ap;

    skl_buf_init(&text, 4 * SKL_KIB);
    skl_buf_init(&b, 16 * SKL_KIB);
    va_start(ap, fmt);
    skl_buf_addv(&text, fmt, ap);
    va_end(ap);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_object(&j, "error");
    skl_json_str(&j, "code", code);
    skl_json_str(&j, "message", text.p);
    skl_json_end_object(&j);
    skl_json_end_object(&j);
    sim_text(a, status, b.p);
}

/* -- operations */

void sim_operation_begin(struct sim *s, const struct sim_request *r, struct sim_answer *a,
                         const char *header)
{
    struct operation *o = skl_new0(struct operation);
    bool is_location = skl_streq(header, "Location");

    skl_uuid4(o->id);
    o->ready_ms = sim_now_ms() + s->options->latency_ms;
    skl_map_set(&s->operations, skl_str(o->id), o);
    skl_buf_addf(
        &a->headers,
        "%s: %s/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.App/"
        "locations/eastus/containerappsjobOperation%s/%s?api-version=2024-03-01\r\n",
        header, r->base, is_location ? "Results" : "Statuses", o->id);
    if (s->options->latency_ms >= 2000)
        skl_buf_adds(&a->headers, "Retry-After: 1\r\n");
}

static void show_operation(struct sim *s, const struct sim_request *r, const char *id,
                           bool is_result, struct sim_answer *a)
{
    struct operation *o = skl_map_getz(&s->operations, id);
    bool ready;

    if (!o) {
        sim_arm_error(a, 404, "OperationNotFound", "The operation '%s' is not known.", id);
        return;
    }
    ready = sim_now_ms() >= o->ready_ms;
    if (is_result) {
        a->status = ready ? 200 : 202;
        if (!ready)
            skl_buf_addf(&a->headers, "Location: %s%s?%s\r\n", r->base, r->path, r->query);
        return;
    }
    sim_text(a, 200, ready ? "{\"status\":\"Succeeded\"}" : "{\"status\":\"InProgress\"}");
}

/* -- lists */

bool sim_in_scope(const char *key, const char *scope)
{
    size_t n = strlen(scope);

    return strncmp(key, scope, n) == 0 && key[n] == '/';
}

void sim_answer_list(struct sim_answer *a, cJSON *own_value)
{
    SKL_AUTO_JSON cJSON *answer = cJSON_CreateObject();

    cJSON_AddItemToObject(answer, "value", own_value);
    cJSON_AddNullToObject(answer, "nextLink");
    sim_json(a, 200, answer);
}

/* -- groups, environments, workspaces */

static void lower(char *text)
{
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

static void plain_resource(struct skl_map *map, const struct sim_request *r, const char *key,
                           const char *not_found, struct sim_answer *a)
{
    cJSON *item = skl_map_getz(map, key);

    if (skl_streq(r->method, "PUT")) {
        cJSON *body = NULL;

        if (skl_json_parse(r->body, &body, NULL) < 0 || !cJSON_IsObject(body)) {
            cJSON_Delete(body);
            sim_arm_error(a, 400, "InvalidRequestContent", "The request content was invalid.");
            return;
        }
        if (!skl_json_get_str(body, "location")) {
            cJSON_Delete(body);
            sim_arm_error(a, 400, "LocationRequired", "The location property is required.");
            return;
        }
        cJSON_DeleteItemFromObject(body, "id");
        cJSON_AddStringToObject(body, "id", r->path);
        if (!skl_json_get(body, "properties"))
            cJSON_AddObjectToObject(body, "properties");
        cJSON_DeleteItemFromObject(skl_json_get(body, "properties"), "provisioningState");
        cJSON_AddStringToObject(skl_json_get(body, "properties"), "provisioningState", "Succeeded");
        cJSON_Delete(skl_map_set(map, skl_str(key), body));
        sim_json(a, item ? 200 : 201, body);
    } else if (!item) {
        sim_arm_error(a, 404, not_found, "'%s' could not be found.", r->path);
    } else if (skl_streq(r->method, "DELETE")) {
        skl_map_remove(map, skl_str(key));
        cJSON_Delete(item);
        a->status = 200;
    } else {
        sim_json(a, 200, item);
    }
}

static bool check_version(const struct sim_request *r, const char *provider, struct sim_answer *a)
{
    const char *const *versions = strcasecmp(provider, "Microsoft.App") == 0   ? app_versions
                                  : strcasecmp(provider, "Microsoft.Web") == 0 ? web_versions
                                  : strcasecmp(provider, "Microsoft.Authorization") == 0
                                      ? authorization_versions
                                      : NULL;
    char *version SKL_AUTO_STR = sim_query(r, "api-version");

    if (skl_str_empty(version)) {
        sim_arm_error(
            a, 400, "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.");
        return false;
    }
    for (const char *const *v = versions; v && *v; v++)
        if (strcmp(*v, version) == 0)
            return true;
    if (!versions && strlen(version) >= 10) /* of a provider whose versions are not listed here */
        return true;
    sim_arm_error(a, 400, "InvalidApiVersionParameter", "The api-version '%s' is invalid.",
                  version);
    return false;
}

static void list_environments(struct sim *s, struct sim_answer *a)
{
    cJSON *value = cJSON_CreateArray(), *item;
    size_t i = 0;

    while ((item = skl_map_next(&s->environments, &i, NULL)))
        cJSON_AddItemToArray(value, cJSON_Duplicate(item, 1));
    sim_answer_list(a, value);
}

static void show_workspace(const struct sim_request *r, const char *name, struct sim_answer *a)
{
    SKL_AUTO_JSON cJSON *json = cJSON_CreateObject();
    cJSON *properties = cJSON_AddObjectToObject(json, "properties");

    cJSON_AddStringToObject(json, "id", r->path);
    cJSON_AddStringToObject(json, "name", name);
    cJSON_AddStringToObject(json, "location", "eastus");
    cJSON_AddStringToObject(json, "type", "Microsoft.OperationalInsights/workspaces");
    cJSON_AddStringToObject(properties, "customerId", SIM_WORKSPACE);
    cJSON_AddStringToObject(properties, "provisioningState", "Succeeded");
    sim_json(a, 200, json);
}

/* parts: "subscriptions", S, "providers", P, type: everything of a type, whatever its group */
static void route_subscription(struct sim *s, const struct sim_request *r, char **p,
                               struct sim_answer *a)
{
    char *none[1] = {NULL};

    if (!check_version(r, p[3], a))
        return;
    lower(p[1]);
    if (!skl_streq(r->method, "GET"))
        sim_arm_error(a, 405, "MethodNotAllowed", "%s is not allowed here.", r->method);
    else if (strcasecmp(p[3], "Microsoft.App") == 0 && strcasecmp(p[4], "jobs") == 0)
        sim_jobs(s, r, p[1], none, a);
    else if (strcasecmp(p[3], "Microsoft.App") == 0 && strcasecmp(p[4], "managedEnvironments") == 0)
        list_environments(s, a);
    else if (strcasecmp(p[3], "Microsoft.Web") == 0 && strcasecmp(p[4], "sites") == 0)
        sim_sites(s, r, p[1], none, a);
    else if (strcasecmp(p[3], "Microsoft.Web") == 0 && strcasecmp(p[4], "serverfarms") == 0)
        sim_plans(s, r, p[1], none, a);
    else
        sim_arm_error(a, 404, "InvalidResourceType", "The resource type of '%s' is not known here.",
                      r->path);
}

/* parts: "subscriptions", S, "resourceGroups", G, "providers", P, type, name, ... */
static void route(struct sim *s, const struct sim_request *r, char **p, size_t n,
                  struct sim_answer *a)
{
    char group[512];
    bool is_app = n > 5 && strcasecmp(p[5], "Microsoft.App") == 0;
    bool is_web = n > 5 && strcasecmp(p[5], "Microsoft.Web") == 0;

    if (!check_version(r, n > 5 ? p[5] : "", a))
        return;
    snprintf(group, sizeof(group), "%s/%s", p[1], n > 3 ? p[3] : "");
    lower(group);
    if (n == 4) {
        plain_resource(&s->groups, r, group, "ResourceGroupNotFound", a);
        return;
    }
    if (!skl_map_getz(&s->groups, group)) {
        sim_arm_error(a, 404, "ResourceGroupNotFound", "Resource group '%s' could not be found.",
                      n > 3 ? p[3] : "");
        return;
    }
    if (n == 7 && strcasecmp(p[5], "Microsoft.Authorization") == 0 &&
        strcasecmp(p[6], "permissions") == 0) {
        sim_permissions(s, r, a);
    } else if (is_app && n >= 7 && strcasecmp(p[6], "jobs") == 0) {
        sim_jobs(s, r, group, p + 7, a);
    } else if (is_app && n == 7 && strcasecmp(p[6], "managedEnvironments") == 0) {
        list_environments(s, a);
    } else if (is_app && n == 8 && strcasecmp(p[6], "managedEnvironments") == 0) {
        lower(p[7]);
        plain_resource(&s->environments, r, p[7], "ResourceNotFound", a);
    } else if (is_web && n >= 7 && strcasecmp(p[6], "serverfarms") == 0) {
        sim_plans(s, r, group, p + 7, a);
    } else if (is_web && n >= 7 && strcasecmp(p[6], "sites") == 0) {
        sim_sites(s, r, group, p + 7, a);
    } else if (n >= 7 && strcasecmp(p[6], "storageAccounts") == 0) {
        sim_storage(s, r, p + 7, a);
    } else if (n == 8 && strcasecmp(p[6], "workspaces") == 0) {
        show_workspace(r, p[7], a);
    } else {
        sim_arm_error(a, 404, "InvalidResourceType", "The resource type of '%s' is not known here.",
                      r->path);
    }
}

void sim_arm(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *copy SKL_AUTO_STR = skl_strdup(r->path + 1);
    char *parts[16] = {0};
    size_t n = 0;
    struct skl_str rest = skl_str(copy);

    if (!sim_auth_check(s, r, "management.azure.com", false, a))
        return;
    while (rest.p && n < SKL_ARRAY_LEN(parts) - 1) {
        struct skl_str part = skl_str_cut(rest, '/', &rest);

        ((char *)(uintptr_t)part.p)[part.n] = '\0'; /* in our own copy */
        parts[n++] = (char *)(uintptr_t)part.p;
    }
    if (n < 8 || strcasecmp(parts[2], "providers") != 0)
        if (!sim_permitted(s, r, parts, n, a))
            return;
    if (n == 8 && strcasecmp(parts[2], "providers") == 0)
        show_operation(s, r, parts[7], strstr(parts[6], "Results") != NULL, a);
    else if (n == 5 && strcasecmp(parts[2], "providers") == 0)
        route_subscription(s, r, parts, a);
    else if (n >= 4 && strcasecmp(parts[2], "resourceGroups") == 0)
        route(s, r, parts, n, a);
    else
        sim_arm_error(a, 404, "NotFound", "'%s' is not known here.", r->path);
}
