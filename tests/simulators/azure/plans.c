/* App Service plans. */
#include <ctype.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "web.h"

static const struct {
    const char *prefix, *tier;
    unsigned from, to;
} skus[] = {
    {"EP", "ElasticPremium", 1, 3},  {"P", "PremiumV3", 0, 5},
    {"P", "Premium0V3", 0, 0},       {"B", "Basic", 1, 3},
    {"S", "Standard", 1, 3},         {"Y", "Dynamic", 1, 1},
    {"FC", "FlexConsumption", 1, 1},
};

static bool is_sku(const char *name, const char *tier)
{
    for (size_t i = 0; i < SKL_ARRAY_LEN(skus); i++) {
        size_t n = strlen(skus[i].prefix);
        unsigned digit = 10;

        if (strncmp(name, skus[i].prefix, n) == 0 && isdigit((unsigned char)name[n]))
            digit = (unsigned)(name[n] - '0');
        if (digit >= skus[i].from && digit <= skus[i].to &&
            (!tier || skl_str_ieqz(skl_str(tier), skus[i].tier)))
            return true;
    }
    return false;
}

static const char *tier_of(const struct plan *p)
{
    return skl_json_get_str(skl_json_get(p->body, "sku"), "tier");
}

bool sim_plan_is_elastic(const struct plan *p)
{
    return skl_str_ieqz(skl_str(tier_of(p)), "ElasticPremium");
}

struct plan *sim_plan_by_id(struct sim *s, const char *id)
{
    struct plan *p;
    size_t i = 0;

    while (id && (p = skl_map_next(&s->plans, &i, NULL)))
        if (strcasecmp(p->id, id) == 0)
            return p;
    return NULL;
}

size_t sim_plan_sites(struct sim *s, const struct plan *p)
{
    struct site *x;
    size_t i = 0, n = 0;

    while ((x = skl_map_next(&s->sites, &i, NULL)))
        n += sim_site_plan(s, x->body) == p;
    return n;
}

void sim_plan_free(struct sim *s, struct plan *p)
{
    skl_map_remove(&s->plans, skl_str(p->key));
    cJSON_Delete(p->body);
    free(p->name);
    free(p->key);
    free(p->id);
    free(p);
}

struct plan *sim_plan_add(struct sim *s, const char *key, const char *id, const char *name,
                          cJSON *own_body)
{
    struct plan *p = skl_new0(struct plan);

    p->name = skl_strdup(name);
    p->key = skl_strdup(key);
    p->id = skl_strdup(id);
    p->body = own_body;
    skl_map_set(&s->plans, skl_str(key), p);
    return p;
}

static cJSON *plan_json(struct sim *s, const struct plan *p)
{
    cJSON *copy = cJSON_Duplicate(p->body, 1);
    cJSON *properties = skl_json_get(copy, "properties");
    bool ready = sim_now_ms() >= p->ready_ms;

    if (!properties)
        properties = cJSON_AddObjectToObject(copy, "properties");
    cJSON_AddStringToObject(copy, "id", p->id);
    cJSON_AddStringToObject(copy, "name", p->name);
    cJSON_AddStringToObject(copy, "type", "Microsoft.Web/serverfarms");
    cJSON_AddStringToObject(properties, "status", ready ? "Ready" : "Creating");
    cJSON_AddStringToObject(properties, "provisioningState", ready ? "Succeeded" : "InProgress");
    cJSON_AddNumberToObject(properties, "numberOfSites", (double)sim_plan_sites(s, p));
    return copy;
}

static void answer_plan(struct sim *s, struct sim_answer *a, int status, const struct plan *p)
{
    cJSON *json = plan_json(s, p);

    sim_json(a, status, json);
    cJSON_Delete(json);
}

static bool is_valid(const char *name, const cJSON *body, struct sim_answer *a)
{
    const cJSON *sku = skl_json_get(body, "sku");
    const char *sku_name = skl_json_get_str(sku, "name");
    size_t n = strlen(name);

    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '-')
            n = 0;
    if (n < 1 || n > 60)
        sim_arm_error(a, 400, "BadRequest", "The plan name '%s' is not valid.", name);
    else if (skl_str_empty(skl_json_get_str(body, "location")))
        sim_arm_error(a, 400, "LocationRequired", "The location property is required.");
    else if (!sku_name || !is_sku(sku_name, skl_json_get_str(sku, "tier")))
        sim_arm_error(a, 400, "BadRequest", "The sku '%s' is not known.", sku_name ? sku_name : "");
    else if (!skl_json_get_bool(skl_json_get(body, "properties"), "reserved", false))
        sim_arm_error(a, 400, "BadRequest", "Only Linux plans ('reserved') are simulated.");
    else
        return true;
    return false;
}

static void put_plan(struct sim *s, const struct sim_request *r, const char *key, const char *name,
                     struct plan *p, struct sim_answer *a)
{
    cJSON *body = NULL;

    if (skl_json_parse(r->body, &body, NULL) < 0 || !cJSON_IsObject(body)) {
        cJSON_Delete(body);
        sim_arm_error(a, 400, "InvalidRequestContent", "The request content was invalid.");
        return;
    }
    if (!is_valid(name, body, a)) {
        cJSON_Delete(body);
        return;
    }
    if (p) {
        cJSON_Delete(p->body);
        p->body = body;
    } else {
        p = sim_plan_add(s, key, r->path, name, body);
        p->ready_ms = sim_now_ms() + s->options->latency_ms;
    }
    answer_plan(s, a, sim_now_ms() >= p->ready_ms ? 200 : 202, p);
}

static void list_plans(struct sim *s, const char *scope, struct sim_answer *a)
{
    cJSON *value = cJSON_CreateArray();
    struct plan *p;
    size_t i = 0;

    while ((p = skl_map_next(&s->plans, &i, NULL)))
        if (sim_in_scope(p->key, scope))
            cJSON_AddItemToArray(value, plan_json(s, p));
    sim_answer_list(a, value);
}

static void list_plan_sites(struct sim *s, const struct plan *p, struct sim_answer *a)
{
    cJSON *value = cJSON_CreateArray();
    struct site *x;
    size_t i = 0;

    while ((x = skl_map_next(&s->sites, &i, NULL)))
        if (sim_site_plan(s, x->body) == p)
            cJSON_AddItemToArray(value, sim_site_json(x));
    sim_answer_list(a, value);
}

void sim_plans(struct sim *s, const struct sim_request *r, const char *group, char **parts,
               struct sim_answer *a)
{
    char key[600];
    struct plan *p;

    if (!parts[0]) {
        if (sim_planned(s, "plans.list", a))
            return;
        list_plans(s, group, a);
        return;
    }
    snprintf(key, sizeof(key), "%s/%s", group, parts[0]);
    for (char *c = key; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    p = skl_map_getz(&s->plans, key);
    if (parts[1] && (!skl_streq(parts[1], "sites") || !skl_streq(r->method, "GET"))) {
        sim_arm_error(a, 404, "NotFound", "'%s' is not known here.", r->path);
    } else if (skl_streq(r->method, "PUT")) {
        if (!sim_planned(s, "plans.put", a))
            put_plan(s, r, key, parts[0], p, a);
    } else if (skl_streq(r->method, "DELETE")) {
        if (sim_planned(s, "plans.delete", a))
            return;
        a->status = p ? 200 : 204;
        if (p && sim_plan_sites(s, p) > 0)
            sim_arm_error(a, 409, "Conflict",
                          "Server farm '%s' cannot be deleted because it has "
                          "web app(s) assigned to it.",
                          parts[0]);
        else if (p)
            sim_plan_free(s, p);
    } else if (sim_planned(s, "plans.get", a)) {
        return;
    } else if (!p) {
        sim_arm_error(a, 404, "ResourceNotFound",
                      "The Resource 'Microsoft.Web/serverfarms/%s' was not found.", parts[0]);
    } else if (parts[1]) {
        list_plan_sites(s, p, a);
    } else {
        answer_plan(s, a, 200, p);
    }
}
