/* The settings of this backend: one row each; README.md's table is the same list. */
#include <stddef.h>

#include "azf.h"
#include "cloud/azure/auth_options.h"

#define ROW(member) .offset = offsetof(struct skl_azf_config, member)

/* clang-format off: a table is read by its rows */
const struct skl_option skl_azf_options[] = {
    {.env = "SOCKERLESS_AZF_SUBSCRIPTION_ID",
     ROW(subscription_id),
     .required = true,
     .help = "the Azure subscription ID"},
    {.env = "SOCKERLESS_AZF_RESOURCE_GROUP",
     ROW(resource_group),
     .required = true,
     .help = "the Azure resource group that the Function Apps are made in"},
    {.env = "SOCKERLESS_AZF_LOCATION",
     ROW(location),
     .dflt = "eastus",
     .help = "the Azure region, the same as the plan's"},
    {.env = "SOCKERLESS_AZF_STORAGE_ACCOUNT",
     ROW(storage_account),
     .required = true,
     .help = "the name of the storage account of the Function Apps; the agent's share is there"},
    {.env = "SOCKERLESS_AZF_REGISTRY",
     ROW(registry),
     .help = "the login server of the container registry that images without a registry come from"},
    {.env = "SOCKERLESS_AZF_APP_SERVICE_PLAN",
     ROW(app_service_plan),
     .help =
         "the App Service plan, as name or resource ID; without it each container has one of its "
         "own, which is paid for from create to rm"},
    {.env = "SOCKERLESS_AZF_TIMEOUT",
     ROW(timeout_s),
     .type = SKL_OPTION_INT,
     .dflt = "600",
     .min = 1,
     .max = 604800,
     .help = "seconds that a container may run; then it is stopped"},
    {.env = "SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE",
     ROW(log_analytics_workspace),
     .help = "the Log Analytics workspace, as GUID or resource ID; logs of runs without an agent "
             "come from there"},
    {.env = "SOCKERLESS_CALLBACK_URL",
     ROW(callback_url),
     .help =
         "the URL of this daemon's agent listener as Function Apps reach it; without it there is "
         "no agent"},
    {.env = "SOCKERLESS_ENDPOINT_URL",
     ROW(endpoint_url),
     .help = "the URL of the simulator, in the place of Azure's"},
    {.env = "SOCKERLESS_AZF_AGENT",
     ROW(agent),
     .type = SKL_OPTION_ENUM,
     .dflt = "auto",
     .choices = "auto|share|image|none",
     .help = "where a Function App has the agent from: a file share, or its image; auto: the share "
             "with a callback URL, else none"},
    {.env = "SOCKERLESS_AZF_AGENT_SHARE",
     ROW(agent_share),
     .dflt = "sockerless-agent",
     .help = "the Azure Files share with the file sockerless-agent; mounted at /sockerless"},
    {.env = "SOCKERLESS_AZF_AGENT_PATH",
     ROW(agent_path),
     .dflt = "/sockerless/sockerless-agent",
     .help = "the agent's path in the container"},
    {.env = "SOCKERLESS_AZF_AGENT_TOKEN",
     ROW(agent_token),
     .type = SKL_OPTION_SECRET,
     .help = "one agent token for all containers; without it each container has its own"},
    {.env = "SOCKERLESS_AZF_PLAN_SKU",
     ROW(plan_sku),
     .type = SKL_OPTION_ENUM,
     .choices = "EP1|EP2|EP3|P0v3|P1v3|P2v3|P3v3|B1|B2|B3|S1|S2|S3",
     .dflt = "EP1",
     .help = "the size of a container's own plan: EP1 to EP3, P0v3 to P3v3, B1 to B3, S1 to S3"},
    {.env = "SOCKERLESS_AZF_SUBNET",
     ROW(subnet),
     .help = "the resource ID of the delegated subnet that Function Apps reach private addresses "
             "through"},
    {.env = "SOCKERLESS_AZF_REGISTRY_IDENTITY",
     ROW(registry_identity),
     .help = "the resource ID of the user-assigned identity that pulls images"},
    {.env = "SOCKERLESS_AZF_REGISTRY_IDENTITY_CLIENT_ID",
     ROW(registry_identity_client),
     .help = "the client ID of that identity"},
    {.env = "SOCKERLESS_AZF_START_TIMEOUT",
     ROW(start_timeout_s),
     .type = SKL_OPTION_INT,
     .dflt = "60",
     .min = 1,
     .max = 3600,
     .help = "seconds that an invoked agent has to come"},
    {.env = "SOCKERLESS_AZF_START_TIMEOUT_MAX",
     ROW(start_timeout_max_s),
     .type = SKL_OPTION_INT,
     .dflt = "1800",
     .min = 1,
     .max = 7200,
     .help = "seconds for the Function App to answer, image pull included"},
    {.env = "SOCKERLESS_AZF_AGENT_LOST",
     ROW(agent_lost_s),
     .type = SKL_OPTION_INT,
     .dflt = "1800",
     .min = 1,
     .max = 86400,
     .help = "seconds that an agent which vanished is waited for"},
    {.env = "SOCKERLESS_AZF_INVOCATION_HOLD",
     ROW(invocation_hold_s),
     .type = SKL_OPTION_INT,
     .dflt = "200",
     .min = 1,
     .max = 220,
     .help = "seconds until an invocation is answered early: Azure cuts requests after 230"},
    {.env = "SOCKERLESS_AZF_POLL_INTERVAL_MS",
     ROW(poll_interval_ms),
     .type = SKL_OPTION_INT,
     .dflt = "0",
     .min = 0,
     .max = 60000,
     .help = "milliseconds between two looks at a starting Function App; 0: 2000, or 100 in the "
             "simulator"},
    SKL_AZURE_AUTH_OPTIONS(struct skl_azf_config, auth),
};
/* clang-format on */
const size_t skl_azf_options_count = SKL_ARRAY_LEN(skl_azf_options);

/* What Azure would refuse only when the first container is made. Empty values are not looked at. */
static const struct name_rule {
    const char *env;
    size_t offset;
    const char *others; /* besides letters and digits */
    size_t min, max;
    const char *is;
    const char *
        or_path; /* a resource ID that ends in this type and a name will do, too; NULL: it will not */
    bool lower;
} name_rules[] = {
    {"SOCKERLESS_AZF_SUBSCRIPTION_ID", offsetof(struct skl_azf_config, subscription_id), "-", 1, 64,
     "a subscription ID", NULL, false},
    {"SOCKERLESS_AZF_RESOURCE_GROUP", offsetof(struct skl_azf_config, resource_group), "_-.()", 1,
     90, "the name of a resource group", NULL, false},
    {"SOCKERLESS_AZF_LOCATION", offsetof(struct skl_azf_config, location), " ", 1, 64,
     "a region like eastus", NULL, false},
    {"SOCKERLESS_AZF_STORAGE_ACCOUNT", offsetof(struct skl_azf_config, storage_account), "", 3, 24,
     "the name of a storage account: 3 to 24 lower-case letters and digits", NULL, true},
    {"SOCKERLESS_AZF_APP_SERVICE_PLAN", offsetof(struct skl_azf_config, app_service_plan), "-", 1,
     60, "the name or resource ID of an App Service plan", "/serverfarms/", false},
    {"SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE",
     offsetof(struct skl_azf_config, log_analytics_workspace), "-", 36, 36,
     "the GUID or resource ID of a workspace", "/workspaces/", false},
    {"SOCKERLESS_AZF_AGENT_SHARE", offsetof(struct skl_azf_config, agent_share), "-", 3, 63,
     "the name of a file share: 3 to 63 lower-case letters, digits and hyphens", NULL, true},
    {"SOCKERLESS_AZF_SUBNET", offsetof(struct skl_azf_config, subnet), "", 0, 0,
     "the resource ID of a subnet", "/subnets/", false},
    {"SOCKERLESS_AZF_REGISTRY_IDENTITY", offsetof(struct skl_azf_config, registry_identity), "", 0,
     0, "the resource ID of a user-assigned identity", "/userassignedidentities/", false},
};

static bool is_name(const struct name_rule *r, struct skl_str v)
{
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z' && !r->lower) ||
              (c >= '0' && c <= '9') || strchr(r->others, c)))
            return false;
    }
    return v.n >= r->min && v.n <= r->max;
}

static bool is_resource_id(const struct name_rule *r, struct skl_str v)
{
    const char *type;

    if (!r->or_path || !skl_str_istarts(v, "/subscriptions/"))
        return false;
    for (type = v.p; type + strlen(r->or_path) < v.p + v.n; type++)
        if (skl_str_istarts(skl_str_n(type, (size_t)(v.p + v.n - type)), r->or_path))
            return !strchr(type + strlen(r->or_path), '/');
    return false;
}

static int check_names(const struct skl_azf_config *c, struct skl_error *err)
{
    for (size_t i = 0; i < SKL_ARRAY_LEN(name_rules); i++) {
        const struct name_rule *r = &name_rules[i];
        const char *value = *(char *const *)((const char *)c + r->offset);

        if (!skl_str_empty(value) && !is_name(r, skl_str(value)) &&
            !is_resource_id(r, skl_str(value)))
            return skl_fail(err, SKL_E_INVALID, "%s: '%s' is not %s", r->env, value, r->is);
    }
    return 0;
}

int skl_azf_config_check(const void *config, struct skl_error *err)
{
    const struct skl_azf_config *c = config;
    if (skl_url_check_setting("SOCKERLESS_CALLBACK_URL", c->callback_url, err) < 0 ||
        skl_url_check_setting("SOCKERLESS_ENDPOINT_URL", c->endpoint_url, err) < 0)
        return -SKL_E_INVALID;
    if ((skl_streq(c->agent, "share") || skl_streq(c->agent, "image")) &&
        skl_str_empty(c->callback_url))
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_CALLBACK_URL is required with SOCKERLESS_AZF_AGENT=%s: the URL "
                        "of the agent listener as Function Apps reach it",
                        c->agent);
    if (check_names(c, err) < 0)
        return -SKL_E_INVALID;
    if (skl_str_find(skl_str(c->registry), '/'))
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_AZF_REGISTRY: '%s' is not a login server like acme.azurecr.io",
                        c->registry);
    if (c->agent_path[0] != '/')
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_AZF_AGENT_PATH: '%s' is not an absolute path", c->agent_path);
    return 0;
}
