/* What `doctor` looks at for Container Apps. */
#include "aca.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/azure/diagnosis.h"

static const char *const actions[] = {
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.App/jobs/read",
    "Microsoft.App/jobs/write",
    "Microsoft.App/jobs/delete",
    "Microsoft.App/jobs/start/action",
    "Microsoft.App/jobs/stop/action",
    "Microsoft.App/jobs/executions/read",
    "Microsoft.App/managedEnvironments/read",
    "Microsoft.App/managedEnvironments/join/action",
    NULL,
};

/* "East US" and "eastus" are one region. */
static bool is_region(const char *a, const char *b)
{
    for (; a && b; a++, b++) {
        while (*a == ' ')
            a++;
        while (*b == ' ')
            b++;
        if ((*a | 0x20) != (*b | 0x20))
            return false;
        if (!*a)
            return true;
    }
    return false;
}

static void check_environment(struct skl_aca *aca, const struct skl_findings *to)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
    const char *name = aca->config->environment, *state, *region;

    if (!skl_azure_look(
            aca->azure, "environment", aca->environment_id, SKL_ACA_API,
            "make the environment (az containerapp env create, or terraform/modules/aca), or set "
            "SOCKERLESS_ACA_ENVIRONMENT to one of this resource group",
            to, &result))
        return;
    state = skl_json_get_str(skl_json_get(result.json, "properties"), "provisioningState");
    region = skl_json_get_str(result.json, "location");
    if (!skl_str_empty(state) && !skl_streq(state, "Succeeded"))
        skl_find(to, SKL_GRADE_FAIL, "environment",
                 "wait until Azure has made it, or make it anew if that failed", "'%s' is %s", name,
                 state);
    else if (region && !is_region(region, aca->config->location))
        skl_find(to, SKL_GRADE_FAIL, "environment",
                 "set SOCKERLESS_ACA_LOCATION to the environment's region",
                 "'%s' is in %s, not in %s", name, region, aca->config->location);
    else
        skl_find_ok(to, "environment", "'%s' is there", name);
}

static void check_jobs(struct skl_aca *aca, const struct skl_findings *to)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};

    if (skl_azure_look(aca->azure, "jobs", aca->jobs_path, SKL_ACA_API,
                       "register the provider: az provider register --namespace Microsoft.App", to,
                       &result))
        skl_find_ok(to, "jobs", "they can be listed");
}

static void check_agent(const struct skl_aca *aca, const struct skl_findings *to)
{
    const struct skl_aca_config *c = aca->config;

    if (aca->agent == SKL_ACA_AGENT_NONE)
        skl_find(to, SKL_GRADE_WARN, "agent",
                 "set SOCKERLESS_CALLBACK_URL to the URL of this daemon's agent listener as "
                 "workloads reach it",
                 "runs have none: no exec, attach, cp or live output");
    else if (!skl_str_empty(c->endpoint_url))
        skl_find_ok(to, "agent", "%s; the simulator holds it",
                    aca->agent == SKL_ACA_AGENT_REVERSE ? "it calls back" : "it is dialled");
    else
        skl_find_ok(to, "agent", "Azure pulls it with the image '%s' (SOCKERLESS_ACA_AGENT_IMAGE)",
                    c->agent_image);
}

void skl_aca_diagnose(void *ctx, const struct skl_findings *to)
{
    struct skl_aca *aca = ctx;
    const struct skl_azure_subject subject = {
        .group_path = aca->group_path,
        .group_setting = "SOCKERLESS_ACA_RESOURCE_GROUP",
        .workspace_setting = "SOCKERLESS_ACA_LOG_ANALYTICS_WORKSPACE",
        .actions = actions,
        .callback_url = aca->config->callback_url,
        .is_simulator = !skl_str_empty(aca->config->endpoint_url),
    };

    if (skl_azure_diagnose(aca->azure, &subject, to)) {
        check_environment(aca, to);
        check_jobs(aca, to);
    }
    check_agent(aca, to);
}
