/* The settings of this backend: one row each; README.md's table is the same list. */
#include <stddef.h>

#include "aca.h"
#include "cloud/azure/auth_options.h"

#define ROW(member) .offset = offsetof(struct skl_aca_config, member)

/* clang-format off: a table is read by its rows */
const struct skl_option skl_aca_options[] = {
    {.env = "SOCKERLESS_ACA_SUBSCRIPTION_ID", ROW(subscription_id), .required = true,
     .help = "the Azure subscription ID"},
    {.env = "SOCKERLESS_ACA_RESOURCE_GROUP", ROW(resource_group), .required = true,
     .help = "the Azure resource group that the jobs are made in"},
    {.env = "SOCKERLESS_ACA_ENVIRONMENT", ROW(environment), .dflt = "sockerless",
     .help = "the name of the Container Apps environment"},
    {.env = "SOCKERLESS_ACA_LOCATION", ROW(location), .dflt = "eastus",
     .help = "the Azure region, the same as the environment's"},
    {.env = "SOCKERLESS_ACA_LOG_ANALYTICS_WORKSPACE", ROW(log_analytics_workspace),
     .help = "the Log Analytics workspace, as GUID or resource ID; logs of runs without an agent "
             "come from there"},
    {.env = "SOCKERLESS_ACA_STORAGE_ACCOUNT", ROW(storage_account),
     .help = "the storage account for volumes"},
    {.env = "SOCKERLESS_ACA_AGENT_IMAGE", ROW(agent_image), .dflt = "sockerless/agent:latest",
     .help = "the image that brings the agent into a workload"},
    {.env = "SOCKERLESS_ACA_AGENT_TOKEN", ROW(agent_token), .type = SKL_OPTION_SECRET,
     .help = "one agent token for all containers; without it each run has its own"},
    {.env = "SOCKERLESS_CALLBACK_URL", ROW(callback_url),
     .help = "the URL of this daemon's agent listener as workloads reach it: reverse agents"},
    {.env = "SOCKERLESS_ENDPOINT_URL", ROW(endpoint_url),
     .help = "the URL of the simulator, in the place of Azure's"},
    {.env = "SOCKERLESS_ACA_AGENT", ROW(agent), .type = SKL_OPTION_ENUM, .dflt = "auto",
     .choices = "auto|forward|reverse|none",
     .help = "how runs get their agent; auto: reverse with a callback URL, forward in the "
             "simulator, else none"},
    {.env = "SOCKERLESS_ACA_WORKLOAD_PROFILE", ROW(workload_profile),
     .help = "the workload profile of the environment to run on"},
    {.env = "SOCKERLESS_ACA_REGISTRY_IDENTITY", ROW(registry_identity),
     .help = "the resource ID of the user-assigned identity that pulls images"},
    {.env = "SOCKERLESS_ACA_REPLICA_TIMEOUT", ROW(replica_timeout_s), .type = SKL_OPTION_INT,
     .dflt = "86400", .min = 60, .max = 604800, .help = "seconds that a container may run"},
    {.env = "SOCKERLESS_ACA_START_TIMEOUT", ROW(start_timeout_s), .type = SKL_OPTION_INT,
     .dflt = "60", .min = 1, .max = 3600,
     .help = "seconds that a running workload's agent has to come"},
    {.env = "SOCKERLESS_ACA_START_TIMEOUT_MAX", ROW(start_timeout_max_s), .type = SKL_OPTION_INT,
     .dflt = "600", .min = 1, .max = 7200,
     .help = "seconds for a start in all, while Azure says that it is still starting"},
    {.env = "SOCKERLESS_ACA_POLL_INTERVAL_MS", ROW(poll_interval_ms), .type = SKL_OPTION_INT,
     .dflt = "0", .min = 0, .max = 60000,
     .help = "milliseconds between two looks at a starting execution; 0: 2000, or 500 in the "
             "simulator"},
    SKL_AZURE_AUTH_OPTIONS(struct skl_aca_config, auth),
};
/* clang-format on */
const size_t skl_aca_options_count = SKL_ARRAY_LEN(skl_aca_options);

int skl_aca_config_check(const void *config, struct skl_error *err)
{
    const struct skl_aca_config *c = config;
    if (skl_url_check_setting("SOCKERLESS_CALLBACK_URL", c->callback_url, err) < 0 ||
        skl_url_check_setting("SOCKERLESS_ENDPOINT_URL", c->endpoint_url, err) < 0)
        return -SKL_E_INVALID;
    if (skl_streq(c->agent, "reverse") && skl_str_empty(c->callback_url))
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_CALLBACK_URL is required with SOCKERLESS_ACA_AGENT=reverse: "
                        "the URL of the agent listener as workloads reach it");
    if (c->start_timeout_max_s < c->start_timeout_s)
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_ACA_START_TIMEOUT_MAX: must not be less than "
                        "SOCKERLESS_ACA_START_TIMEOUT");
    return 0;
}
