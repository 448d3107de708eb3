/* The parts of a site's configuration that are read and replaced by themselves. */
#include "base/alloc.h"
#include "base/json_read.h"
#include "web.h"

static cJSON *config_of(struct site *x)
{
    return skl_json_get(skl_json_get(x->body, "properties"), "siteConfig");
}

/* App settings are a list in the site and a dictionary here. */
static cJSON *settings_dictionary(struct site *x)
{
    cJSON *dictionary = cJSON_CreateObject();
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(config_of(x), "appSettings")) cJSON_AddStringToObject(
        dictionary, skl_json_get_str(item, "name"), skl_json_get_str(item, "value"));
    return dictionary;
}

static cJSON *settings_list(const cJSON *dictionary)
{
    cJSON *list = cJSON_CreateArray();
    const cJSON *item;

    cJSON_ArrayForEach(item, dictionary)
    {
        cJSON *setting = cJSON_CreateObject();

        cJSON_AddStringToObject(setting, "name", item->string);
        cJSON_AddItemToObject(setting, "value", cJSON_Duplicate(item, 1));
        cJSON_AddItemToArray(list, setting);
    }
    return list;
}

static void answer_config(struct sim_answer *a, cJSON *own_properties)
{
    cJSON *json = cJSON_CreateObject();

    cJSON_AddItemToObject(json, "properties", own_properties);
    sim_json(a, 200, json);
    cJSON_Delete(json);
}

/* The site with one member of siteConfig replaced, if it is still a valid one. */
static bool replace(struct sim *s, struct site *x, const char *member, cJSON *own_value,
                    struct sim_answer *a)
{
    cJSON *body = cJSON_Duplicate(x->body, 1);
    cJSON *config = skl_json_get(skl_json_get(body, "properties"), "siteConfig");

    cJSON_DeleteItemFromObject(config, member);
    cJSON_AddItemToObject(config, member, own_value);
    if (!sim_site_validate(s, x->name, body, a)) {
        cJSON_Delete(body);
        return false;
    }
    cJSON_Delete(x->body);
    x->body = body;
    x->generation++;
    sim_site_wake(x);
    return true;
}

static void patch_web(struct sim *s, struct site *x, const cJSON *properties, struct sim_answer *a)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, properties)
    {
        if (!replace(s, x, item->string, cJSON_Duplicate(item, 1), a))
            return;
    }
    answer_config(a, cJSON_Duplicate(config_of(x), 1));
}

void sim_site_config(struct sim *s, const struct sim_request *r, struct site *x, char **parts,
                     struct sim_answer *a)
{
    bool settings = skl_streq(parts[0], "appsettings");
    bool mounts = skl_streq(parts[0], "azurestorageaccounts");
    bool list = skl_streq(r->method, "POST") && skl_streq(parts[1], "list");
    SKL_AUTO_JSON cJSON *body = NULL;
    cJSON *properties;

    if (list && settings) {
        answer_config(a, settings_dictionary(x));
        return;
    }
    if (list && mounts) {
        cJSON *all = skl_json_get(config_of(x), "azureStorageAccounts");

        answer_config(a, all ? cJSON_Duplicate(all, 1) : cJSON_CreateObject());
        return;
    }
    if (skl_streq(parts[0], "web") && skl_streq(r->method, "GET")) {
        cJSON *config = cJSON_Duplicate(config_of(x), 1);

        cJSON_DeleteItemFromObject(config, "appSettings");
        answer_config(a, config);
        return;
    }
    if (skl_json_parse(r->body, &body, NULL) < 0 ||
        !cJSON_IsObject(properties = skl_json_get(body, "properties"))) {
        sim_arm_error(a, 400, "InvalidRequestContent", "The request content was invalid.");
        return;
    }
    if (skl_streq(parts[0], "web") && skl_streq(r->method, "PATCH")) {
        patch_web(s, x, properties, a);
    } else if (settings && skl_streq(r->method, "PUT")) {
        if (replace(s, x, "appSettings", settings_list(properties), a))
            answer_config(a, settings_dictionary(x));
    } else if (mounts && skl_streq(r->method, "PUT")) {
        if (replace(s, x, "azureStorageAccounts", cJSON_Duplicate(properties, 1), a))
            answer_config(a, cJSON_Duplicate(properties, 1));
    } else {
        sim_arm_error(a, 404, "NotFound", "'%s' is not known here.", r->path);
    }
}
