/* The App Service plan of a site: the configured one, which is never made or deleted here, or one of the container's
 * own. Which kind it is decides how a site is kept to one living instance. */
#include <stdio.h>

#include "azf.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"

#define BUSY_WAIT_MS 1000 /* the site on it is still being deleted */

void skl_azf_plan_name(const char *short_id, char out[SKL_AZF_NAME_LEN])
{
    snprintf(out, SKL_AZF_NAME_LEN, "skls-plan-%s", short_id);
}

static const char *tier_of(const char *sku)
{
    struct skl_str s = skl_str(sku);

    if (skl_str_istarts(s, "EP"))
        return "ElasticPremium";
    if (skl_str_istarts(s, "P0"))
        return "Premium0V3";
    if (skl_str_istarts(s, "P"))
        return "PremiumV3";
    return skl_str_istarts(s, "S") ? "Standard" : "Basic";
}

static bool is_elastic(const char *tier)
{
    return skl_str_ieqz(skl_str(tier), "ElasticPremium");
}

static char *plan_spec(const struct skl_azf *azf, const struct skl_container_snapshot *c)
{
    const char *sku = azf->config->plan_sku, *tier = tier_of(sku);
    struct skl_json j;
    struct skl_buf b;

    skl_buf_init(&b, 64 * SKL_KIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "location", azf->config->location);
    skl_json_str(&j, "kind", is_elastic(tier) ? "elastic" : "linux");
    skl_azure_tags_add(&j, c->id, c->instance);
    skl_json_object(&j, "sku");
    skl_json_str(&j, "name", sku);
    skl_json_str(&j, "tier", tier);
    skl_json_end_object(&j);
    skl_json_object(&j, "properties");
    skl_json_bool(&j, "reserved", true); /* Linux */
    if (is_elastic(tier))
        skl_json_int(&j, "maximumElasticWorkerCount", 1);
    skl_json_end_object(&j);
    skl_json_end_object(&j);
    return skl_buf_detach(&b);
}

char *skl_azf_plan_configured_id(const struct skl_azf *azf)
{
    const char *plan = azf->config->app_service_plan;
    struct skl_buf b;

    if (plan[0] == '/')
        return skl_strdup(plan);
    skl_buf_init(&b, 8 * SKL_KIB);
    skl_buf_addf(&b, "%s/serverfarms/%s", azf->web_path, plan);
    return skl_buf_detach(&b);
}

/* Asked once: the kind of a plan hardly changes, and a wrong guess is refused by Azure with a sentence. */
static int look_at_configured(struct skl_azf *azf, struct skl_call *call, const char *id,
                              bool *ret_elastic, struct skl_error *err)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
    int known, rc;

    (void)pthread_mutex_lock(&azf->lock);
    known = azf->plan_is_elastic;
    (void)pthread_mutex_unlock(&azf->lock);
    if (known >= 0) {
        *ret_elastic = known;
        return 0;
    }
    rc = skl_arm_send(azf->azure->arm,
                      &(struct skl_arm_call){.operation = "plans.get",
                                             .what = "looking at the App Service plan "
                                                     "(SOCKERLESS_AZF_APP_SERVICE_PLAN)",
                                             .method = "GET",
                                             .path = id,
                                             .api_version = SKL_AZF_API,
                                             .deadline_ms = call->deadline_ms,
                                             .cancel = &call->canceled},
                      &result, err);
    if (rc < 0)
        return rc;
    *ret_elastic = is_elastic(skl_json_get_str(skl_json_get(result.json, "sku"), "tier"));
    (void)pthread_mutex_lock(&azf->lock);
    azf->plan_is_elastic = *ret_elastic;
    (void)pthread_mutex_unlock(&azf->lock);
    return 0;
}

int skl_azf_plan_ensure(struct skl_azf *azf, struct skl_call *call, char **ret_id,
                        bool *ret_elastic, struct skl_error *err)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
    char name[SKL_AZF_NAME_LEN], path[SKL_AZF_NAME_LEN + 32];
    char *spec SKL_AUTO_STR = NULL;
    struct skl_buf id;
    int rc;

    if (!skl_str_empty(azf->config->app_service_plan)) {
        *ret_id = skl_azf_plan_configured_id(azf);
        return look_at_configured(azf, call, *ret_id, ret_elastic, err);
    }
    skl_azf_plan_name(call->c->short_id, name);
    snprintf(path, sizeof(path), "/serverfarms/%s", name);
    skl_buf_init(&id, 8 * SKL_KIB);
    skl_buf_addf(&id, "%s%s", azf->web_path, path);
    *ret_id = skl_buf_detach(&id);
    *ret_elastic = is_elastic(tier_of(azf->config->plan_sku));
    spec = plan_spec(azf, call->c);
    rc = skl_azf_web_call(azf, call, "plans.create", "PUT", path, NULL, spec, true, &result, err);
    return rc < 0 ? rc : 0;
}

int skl_azf_plan_delete(struct skl_azf *azf, struct skl_call *call, const char *name,
                        struct skl_error *err)
{
    char path[128];

    snprintf(path, sizeof(path), "/serverfarms/%s", name);
    for (;;) {
        SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
        int rc = skl_azf_web_call(azf, call, "plans.delete", "DELETE", path, NULL, NULL, true,
                                  &result, err);

        if (rc != -SKL_E_CONFLICT)
            return rc == -SKL_E_NOTFOUND ? 0 : rc;
        rc = skl_cloud_sleep(BUSY_WAIT_MS, call->deadline_ms, &call->canceled, err);
        if (rc < 0)
            return rc;
    }
}

int skl_azf_plan_remove(struct skl_azf *azf, struct skl_call *call, struct skl_error *err)
{
    const char *name = skl_labels_get(&call->c->cloud, SKL_AZF_PLAN);

    return name ? skl_azf_plan_delete(azf, call, name, err) : 0;
}
