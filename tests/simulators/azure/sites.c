/* Sites: create or update, get, list, start, stop, restart, delete. */
#include <ctype.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "web.h"

#define LOG_TAIL (64 * SKL_KIB)

struct plan *sim_site_plan(struct sim *s, const cJSON *body)
{
    return sim_plan_by_id(s, skl_json_get_str(skl_json_get(body, "properties"), "serverFarmId"));
}

const char *sim_site_setting(const struct site *x, const char *name)
{
    const cJSON *config = skl_json_get(skl_json_get(x->body, "properties"), "siteConfig");
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(config, "appSettings"))
    {
        if (skl_streq(skl_json_get_str(item, "name"), name))
            return skl_json_get_str(item, "value");
    }
    return NULL;
}

/* Settings and keys are not echoed. */
cJSON *sim_site_json(const struct site *x)
{
    cJSON *copy = cJSON_Duplicate(x->body, 1);
    cJSON *properties = skl_json_get(copy, "properties");
    cJSON *names = cJSON_CreateArray();
    bool ready = sim_now_ms() >= x->ready_ms;

    cJSON_DeleteItemFromObject(properties, "siteConfig");
    cJSON_AddNullToObject(properties, "siteConfig");
    cJSON_AddStringToObject(copy, "id", x->id);
    cJSON_AddStringToObject(copy, "name", x->name);
    cJSON_AddStringToObject(copy, "type", "Microsoft.Web/sites");
    cJSON_AddBoolToObject(properties, "enabled", true);
    cJSON_AddItemToObject(properties, "hostNames", names);
    if (!ready)
        return copy;
    cJSON_AddItemToArray(names, cJSON_CreateString(x->host));
    cJSON_AddStringToObject(properties, "state", x->wanted ? "Running" : "Stopped");
    cJSON_AddStringToObject(properties, "defaultHostName", x->host);
    return copy;
}

static void answer_site(struct sim_answer *a, int status, const struct site *x)
{
    cJSON *json = sim_site_json(x);

    sim_json(a, status, json);
    cJSON_Delete(json);
}

static bool is_taken(struct sim *s, const char *name, const char *key)
{
    struct site *x;
    size_t i = 0;
    char *lower SKL_AUTO_STR = skl_strdup(name);

    for (char *p = lower; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    if (skl_map_getz(&s->taken, lower))
        return true;
    while ((x = skl_map_next(&s->sites, &i, NULL)))
        if (strcasecmp(x->name, name) == 0 && strcmp(x->key, key) != 0)
            return true;
    return false;
}

static struct site *site_new(struct sim *s, const struct sim_request *r, const char *key,
                             const char *name)
{
    struct site *x = skl_new0(struct site);
    uint8_t dice[3];

    x->sim = s;
    x->name = skl_strdup(name);
    x->key = skl_strdup(key);
    x->id = skl_strdup(r->path);
    snprintf(x->host, sizeof(x->host), "%s.azurewebsites.net", name);
    for (char *p = x->host; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    skl_random(dice, sizeof(dice));
    snprintf(x->address, sizeof(x->address), "127.%u.%u.%u", 1 + dice[0] % 250, dice[1],
             1 + dice[2] % 250);
    skl_buf_init(&x->output, LOG_TAIL);
    x->wanted = true; /* creating a site starts it */
    skl_map_set(&s->sites, skl_str(key), x);
    skl_list_push(&s->site_threads, &x->in_sim);
    return x;
}

/* Of an operation that goes on: where it can be asked for. */
static void answer_progress(const struct sim_request *r, const char *path, const struct site *x,
                            struct sim_answer *a)
{
    bool ready = sim_now_ms() >= x->ready_ms;

    if (!ready)
        skl_buf_addf(&a->headers,
                     "Location: %s%s/operationresults/%u?api-version=" SIM_WEB_VERSION "\r\n",
                     r->base, path, x->generation);
    answer_site(a, ready ? 200 : 202, x);
}

static void put_site(struct sim *s, const struct sim_request *r, const char *key, const char *name,
                     struct site *x, struct sim_answer *a)
{
    cJSON *body = NULL;
    bool is_new = !x;

    if (skl_json_parse(r->body, &body, NULL) < 0 || !cJSON_IsObject(body)) {
        cJSON_Delete(body);
        sim_arm_error(a, 400, "InvalidRequestContent", "The request content was invalid.");
        return;
    }
    if (!sim_site_validate(s, name, body, a)) {
        cJSON_Delete(body);
        return;
    }
    if (is_taken(s, name, key)) {
        cJSON_Delete(body);
        sim_arm_error(a, 409, "Conflict", "Website with given name %s already exists.", name);
        return;
    }
    if (is_new)
        x = site_new(s, r, key, name);
    cJSON_Delete(x->body);
    x->body = body;
    x->generation++;
    if (is_new) {
        x->ready_ms = sim_now_ms() + s->options->latency_ms;
        sim_site_run(x);
    } else {
        sim_site_wake(x);
    }
    answer_progress(r, r->path, x, a);
}

static void delete_site(struct sim *s, const struct sim_request *r, struct site *x,
                        struct sim_answer *a)
{
    char *keep SKL_AUTO_STR = sim_query(r, "deleteEmptyServerFarm");
    struct plan *p = sim_site_plan(s, x->body);

    skl_map_remove(&s->sites, skl_str(x->key));
    x->deleted = true;
    sim_site_wake(x);
    if (p && !skl_streq(keep, "false") && sim_plan_sites(s, p) == 0)
        sim_plan_free(s, p);
    a->status = 200;
}

static void switch_site(struct site *x, bool on, bool anew, struct sim_answer *a)
{
    x->wanted = on;
    if (anew)
        x->generation++;
    sim_site_wake(x);
    a->status = 200;
}

static void site_action(struct sim *s, const struct sim_request *r, struct site *x, char **parts,
                        struct sim_answer *a)
{
    bool is_post = skl_streq(r->method, "POST");
    char operation[64];

    snprintf(operation, sizeof(operation), "sites.%.40s", parts[1]);
    if (sim_planned(s, operation, a))
        return;
    if (is_post && skl_streq(parts[1], "start")) {
        switch_site(x, true, false, a);
    } else if (is_post && skl_streq(parts[1], "stop")) {
        switch_site(x, false, false, a);
    } else if (is_post && skl_streq(parts[1], "restart")) {
        switch_site(x, true, true, a);
    } else if (skl_streq(parts[1], "operationresults")) {
        answer_progress(r, x->id, x, a);
    } else if (is_post && skl_streq(parts[1], "containerlogs")) {
        a->status = x->output.n ? 200 : 204;
        a->type = "application/octet-stream";
        skl_buf_reset(&a->body);
        skl_buf_addstr(&a->body, skl_buf_str(&x->output));
    } else if (skl_streq(parts[1], "config") && parts[2]) {
        sim_site_config(s, r, x, parts + 2, a);
    } else {
        sim_arm_error(a, 404, "NotFound", "'%s' is not known here.", r->path);
    }
}

static void list_sites(struct sim *s, const char *scope, struct sim_answer *a)
{
    cJSON *value = cJSON_CreateArray();
    struct site *x;
    size_t i = 0;

    while ((x = skl_map_next(&s->sites, &i, NULL)))
        if (sim_in_scope(x->key, scope))
            cJSON_AddItemToArray(value, sim_site_json(x));
    sim_answer_list(a, value);
}

void sim_sites(struct sim *s, const struct sim_request *r, const char *group, char **parts,
               struct sim_answer *a)
{
    char key[600];
    struct site *x;

    if (!parts[0]) {
        if (!sim_planned(s, "sites.list", a))
            list_sites(s, group, a);
        return;
    }
    snprintf(key, sizeof(key), "%s/%s", group, parts[0]);
    for (char *p = key; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    x = skl_map_getz(&s->sites, key);
    if (skl_streq(r->method, "PUT") && !parts[1]) {
        if (!sim_planned(s, "sites.put", a))
            put_site(s, r, key, parts[0], x, a);
    } else if (skl_streq(r->method, "DELETE") && !parts[1]) {
        if (sim_planned(s, "sites.delete", a))
            return;
        if (x)
            delete_site(s, r, x, a);
        else
            a->status = 204;
    } else if (!x) {
        sim_arm_error(a, 404, "ResourceNotFound",
                      "The Resource 'Microsoft.Web/sites/%s' was not found.", parts[0]);
    } else if (parts[1]) {
        site_action(s, r, x, parts, a);
    } else if (skl_streq(r->method, "GET")) {
        if (!sim_planned(s, "sites.get", a))
            answer_site(a, 200, x);
    } else {
        sim_arm_error(a, 405, "MethodNotAllowed", "%s is not allowed here.", r->method);
    }
}
