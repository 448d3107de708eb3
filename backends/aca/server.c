/* The backend as the core sees it: the table of overrides, and the rows of `docker info`. */
#include <stdio.h>

#include "aca.h"
#include "base/alloc.h"
#include "base/limits.h"

#define POLL_MS            2000 /* as the documents say */
#define POLL_SIMULATOR_MS  500
#define POLL_WITH_AGENT_MS 60000 /* the agent tells what happens; this is the backstop */

static enum skl_aca_agent agent_mode(const struct skl_aca_config *c)
{
    if (skl_streq(c->agent, "forward"))
        return SKL_ACA_AGENT_FORWARD;
    if (skl_streq(c->agent, "reverse"))
        return SKL_ACA_AGENT_REVERSE;
    if (skl_streq(c->agent, "none"))
        return SKL_ACA_AGENT_NONE;
    if (!skl_str_empty(c->callback_url))
        return SKL_ACA_AGENT_REVERSE;
    /* An execution has no address on Azure; the simulator offers one. */
    return skl_str_empty(c->endpoint_url) ? SKL_ACA_AGENT_NONE : SKL_ACA_AGENT_FORWARD;
}

static void make_paths(struct skl_aca *aca)
{
    const struct skl_aca_config *c = aca->config;
    struct skl_buf b;

    skl_buf_init(&b, 4 * SKL_KIB);
    skl_buf_addf(&b, "/subscriptions/%s/resourceGroups/%s", c->subscription_id, c->resource_group);
    aca->group_path = skl_buf_detach(&b);
    skl_buf_addf(&b, "%s/providers/Microsoft.App/jobs", aca->group_path);
    aca->jobs_path = skl_buf_detach(&b);
    skl_buf_addf(&b, "%s/providers/Microsoft.App/managedEnvironments/%s", aca->group_path,
                 c->environment);
    aca->environment_id = skl_buf_detach(&b);
}

static void info(void *ctx, struct skl_backend_info *ret)
{
    const struct skl_aca *aca = ctx;
    static const char *const modes[] = {
        [SKL_ACA_AGENT_AUTO] = "",
        [SKL_ACA_AGENT_FORWARD] = "forward",
        [SKL_ACA_AGENT_REVERSE] = "reverse",
        [SKL_ACA_AGENT_NONE] = "none",
    };

    *ret = (struct skl_backend_info){
        .driver = "container-apps-jobs",
        .operating_system = "Azure Container Apps",
        .n_cpus = 2,
        .memory_bytes = 4 * INT64_C(1073741824),
    };
    skl_labels_set(&ret->status, "Resource Group", aca->config->resource_group);
    skl_labels_set(&ret->status, "Environment", aca->config->environment);
    skl_labels_set(&ret->status, "Location", aca->config->location);
    skl_labels_set(&ret->status, "Agent", modes[aca->agent]);
}

static int check(void *ctx, const struct skl_container_spec *spec, struct skl_buf *warnings,
                 struct skl_error *err)
{
    const struct skl_aca *aca = ctx;
    unsigned quarters;
    int rc;

    rc = skl_aca_size(aca->config, spec->nano_cpus, spec->memory_bytes, &quarters, err);
    if (rc < 0)
        return rc;
    if (aca->agent == SKL_ACA_AGENT_NONE && (!spec->argv || !spec->argv[0]))
        return skl_fail(err, SKL_E_INVALID, "no command specified");
    if (spec->privileged)
        skl_buf_adds(warnings, "Azure Container Apps runs no privileged containers: --privileged "
                               "has no effect\n");
    return 0;
}

static void fill_table(const struct skl_aca *aca, struct skl_backend *ret)
{
    const struct skl_aca_config *c = aca->config;
    int64_t poll_ms = c->poll_interval_ms > 0          ? c->poll_interval_ms
                      : skl_str_empty(c->endpoint_url) ? POLL_MS
                                                       : POLL_SIMULATOR_MS;

    *ret = (struct skl_backend){
        .name = "aca",
        .title = "Azure Container Apps",
        .info = info,
        .check = check,
        .plan = skl_aca_plan,
        .has_agent = skl_aca_has_agent,
        .container_start = skl_aca_start,
        .container_status = skl_aca_status,
        .container_stop = skl_aca_stop,
        .container_remove = skl_aca_remove,
        .container_logs = skl_aca_logs,
        .resources_list = skl_aca_list,
        .resource_remove = skl_aca_remove_resource,
        .diagnose = skl_aca_diagnose,
        .poll_starting_ms = poll_ms,
        .poll_agentless_ms = poll_ms,
        .poll_with_agent_ms = POLL_WITH_AGENT_MS,
        .start_timeout_ms = c->start_timeout_s * 1000,
        .start_timeout_max_ms = c->start_timeout_max_s * 1000,
    };
}

int skl_aca_open(const void *settings, void **ret_ctx, struct skl_backend *ret,
                 struct skl_error *err)
{
    const struct skl_aca_config *config = settings;
    struct skl_aca *aca = skl_new0(struct skl_aca);
    int rc;

    aca->config = config;
    aca->agent = agent_mode(config);
    make_paths(aca);
    rc = skl_aca_connect(aca, err);
    if (rc < 0) {
        skl_aca_close(aca);
        return rc;
    }
    fill_table(aca, ret);
    *ret_ctx = aca;
    return 0;
}

void skl_aca_close(void *ctx)
{
    struct skl_aca *aca = ctx;

    if (!aca)
        return;
    skl_azure_free(aca->azure);
    free(aca->group_path);
    free(aca->jobs_path);
    free(aca->environment_id);
    free(aca);
}
