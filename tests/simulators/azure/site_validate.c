/* What App Service refuses of a site. */
#include <ctype.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "web.h"

static bool refuse(struct sim_answer *a, int status, const char *code, const char *text)
{
    sim_arm_error(a, status, code, "%s", text);
    return false;
}

static bool is_site_name(const char *name)
{
    size_t n = strlen(name);

    if (n < 2 || n > 60 || name[0] == '-' || name[n - 1] == '-')
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '-')
            return false;
    return true;
}

static bool check_settings(const cJSON *settings, struct sim_answer *a)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, settings)
    {
        const char *name = skl_json_get_str(item, "name");

        if (skl_str_empty(name) || !cJSON_IsString(skl_json_get(item, "value")))
            return refuse(a, 400, "BadRequest", "An app setting needs a name and a value.");
        for (const char *p = name; *p; p++)
            if (!isalnum((unsigned char)*p) && *p != '_' && *p != '.')
                return refuse(a, 400, "BadRequest",
                              "AppSetting name is not allowed: letters, digits, '_' and '.'.");
    }
    return true;
}

static bool check_mounts(const cJSON *mounts, struct sim_answer *a)
{
    static const char *const needed[] = {"accountName", "shareName", "accessKey", "mountPath"};
    const cJSON *item;

    if (cJSON_GetArraySize(mounts) > 5)
        return refuse(a, 400, "BadRequest", "At most 5 storage mounts are allowed.");
    cJSON_ArrayForEach(item, mounts)
    {
        const char *path = skl_json_get_str(item, "mountPath");
        struct skl_str p = skl_str(path);

        for (size_t i = 0; i < SKL_ARRAY_LEN(needed); i++)
            if (skl_str_empty(skl_json_get_str(item, needed[i])))
                return refuse(a, 400, "BadRequest", "A storage mount lacks a field.");
        if (!skl_streq(skl_json_get_str(item, "type"), "AzureFiles"))
            return refuse(a, 400, "BadRequest", "Only mounts of type AzureFiles are simulated.");
        if (path[0] != '/' || skl_str_eqz(p, "/") || skl_str_starts(p, "/home") ||
            skl_str_eqz(p, "/tmp") || skl_str_starts(p, "/tmp/"))
            return refuse(a, 400, "BadRequest", "The mount path is not allowed.");
    }
    return true;
}

static bool check_scale(const struct plan *plan, const cJSON *config, struct sim_answer *a)
{
    bool elastic = sim_plan_is_elastic(plan);

    if (elastic && skl_json_get_bool(config, "alwaysOn", false)) {
        sim_text(
            a, 409,
            "{\"Code\":\"Conflict\",\"Message\":\"There was a conflict. AlwaysOn cannot be set "
            "for this site as the plan does not allow it.\",\"Target\":null,\"Details\":[{"
            "\"Message\":\"There was a conflict.\"},{\"ErrorEntity\":{\"ExtendedCode\":"
            "\"04068\",\"Code\":\"Conflict\"}}],\"Innererror\":null}");
        return false;
    }
    if (!elastic && (skl_json_get(config, "functionAppScaleLimit") ||
                     skl_json_get(config, "minimumElasticInstanceCount")))
        return refuse(a, 400, "BadRequest",
                      "Scale limits of functions apply to elastic plans only.");
    return true;
}

bool sim_site_validate(struct sim *s, const char *name, const cJSON *body, struct sim_answer *a)
{
    const cJSON *properties = skl_json_get(body, "properties");
    const cJSON *config = skl_json_get(properties, "siteConfig");
    const char *image = skl_json_get_str(config, "linuxFxVersion");
    const char *kind = skl_json_get_str(body, "kind");
    const struct plan *plan = sim_site_plan(s, body);
    const char *tier;

    if (!is_site_name(name))
        return refuse(a, 400, "BadRequest",
                      "The site name is not valid: 2 to 60 letters, digits "
                      "and '-'.");
    if (skl_str_empty(skl_json_get_str(body, "location")))
        return refuse(a, 400, "LocationRequired", "The location property is required.");
    if (!kind || !strstr(kind, "functionapp") || !strstr(kind, "linux"))
        return refuse(a, 400, "BadRequest", "Only Linux function apps are simulated.");
    if (!plan) {
        sim_arm_error(a, 404, "NotFound", "Cannot find server farm '%s'.",
                      skl_json_get_str(properties, "serverFarmId"));
        return false;
    }
    tier = skl_json_get_str(skl_json_get(plan->body, "sku"), "tier");
    if (skl_str_ieqz(skl_str(tier), "Dynamic") || skl_str_ieqz(skl_str(tier), "FlexConsumption"))
        return refuse(a, 400, "BadRequest", "Consumption plans run no custom containers.");
    if (!image || strncmp(image, "DOCKER|", 7) != 0 || !strchr(image + 7, '/'))
        return refuse(a, 400, "BadRequest",
                      "linuxFxVersion has to be DOCKER| and a reference with its registry.");
    return check_settings(skl_json_get(config, "appSettings"), a) &&
           check_mounts(skl_json_get(config, "azureStorageAccounts"), a) &&
           check_scale(plan, config, a);
}
