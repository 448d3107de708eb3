/* What `doctor` looks at for Azure Functions. */
#include "azf.h"
#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/azure/diagnosis.h"

#define COMMON_ACTIONS                                                                             \
    "Microsoft.Resources/subscriptions/resourceGroups/read",                                       \
        "Microsoft.Storage/storageAccounts/read",                                                  \
        "Microsoft.Storage/storageAccounts/listKeys/action", "Microsoft.Web/sites/read",           \
        "Microsoft.Web/sites/write", "Microsoft.Web/sites/delete",                                 \
        "Microsoft.Web/sites/start/action", "Microsoft.Web/sites/stop/action",                     \
        "Microsoft.Web/serverfarms/read", "Microsoft.Web/serverfarms/join/action"

static const char *const shared_plan_actions[] = {COMMON_ACTIONS, NULL};
static const char *const own_plan_actions[] = {COMMON_ACTIONS, "Microsoft.Web/serverfarms/write",
                                               "Microsoft.Web/serverfarms/delete", NULL};

static bool has_plan(const struct skl_azf *azf)
{
    return !skl_str_empty(azf->config->app_service_plan);
}

static void check_plan(struct skl_azf *azf, const struct skl_findings *to)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
    char *id SKL_AUTO_STR = has_plan(azf) ? skl_azf_plan_configured_id(azf) : NULL;

    if (!id)
        skl_find(to, SKL_GRADE_WARN, "plan",
                 "set SOCKERLESS_AZF_APP_SERVICE_PLAN to a plan that containers share",
                 "each container has one of its own (%s), which Azure bills from create to rm",
                 azf->config->plan_sku);
    else if (skl_azure_look(azf->azure, "plan", id, SKL_AZF_API,
                            "make the plan (az functionapp plan create --is-linux, or "
                            "terraform/modules/azf), or set "
                            "SOCKERLESS_AZF_APP_SERVICE_PLAN to one that is there",
                            to, &result))
        skl_find_ok(to, "plan", "'%s' is there", azf->config->app_service_plan);
}

static void check_storage(struct skl_azf *azf, const struct skl_findings *to)
{
    const struct skl_azf_config *c = azf->config;
    SKL_AUTO_ARM_RESULT struct skl_arm_result account = {0}, share = {0};
    SKL_AUTO_BUF struct skl_buf path = {0};

    skl_buf_init(&path, 4 * SKL_KIB);
    skl_buf_addf(&path, "%s/providers/Microsoft.Storage/storageAccounts/%s", azf->group_path,
                 c->storage_account);
    if (!skl_azure_look(
            azf->azure, "storage account", path.p, SKL_AZF_STORAGE_API,
            "make the account (az storage account create, or terraform/modules/azf), or set "
            "SOCKERLESS_AZF_STORAGE_ACCOUNT to one of this resource group",
            to, &account))
        return;
    skl_find_ok(to, "storage account", "'%s' is there", c->storage_account);
    if (!azf->has_share)
        return;
    skl_buf_addf(&path, "/fileServices/default/shares/%s", c->agent_share);
    if (skl_azure_look(azf->azure, "agent", path.p, SKL_AZF_STORAGE_API,
                       "make the share (az storage share-rm create) and upload sockerless-agent to "
                       "its top folder "
                       "(az storage file upload), or set SOCKERLESS_AZF_AGENT_SHARE",
                       to, &share))
        skl_find_ok(to, "agent", "the share '%s' is there; the file %s comes from it",
                    c->agent_share, c->agent_path);
}

void skl_azf_diagnose(void *ctx, const struct skl_findings *to)
{
    struct skl_azf *azf = ctx;
    const struct skl_azure_subject subject = {
        .group_path = azf->group_path,
        .group_setting = "SOCKERLESS_AZF_RESOURCE_GROUP",
        .workspace_setting = "SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE",
        .actions = has_plan(azf) ? shared_plan_actions : own_plan_actions,
        .callback_url = azf->config->callback_url,
        .is_simulator = !skl_str_empty(azf->config->endpoint_url),
    };

    if (skl_azure_diagnose(azf->azure, &subject, to)) {
        check_plan(azf, to);
        check_storage(azf, to);
    }
    if (!azf->has_agent)
        skl_find(to, SKL_GRADE_WARN, "agent",
                 "set SOCKERLESS_CALLBACK_URL to the URL of this daemon's agent listener as "
                 "Function Apps reach it",
                 "runs have none: no exec, attach, cp or live output");
    else if (!azf->has_share)
        skl_find_ok(to, "agent", "the image of each container has it (SOCKERLESS_AZF_AGENT=image)");
}
