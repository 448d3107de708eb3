/* The backend as the core sees it: the table of overrides, and the rows of `docker info`. */
#include <stdio.h>

#include "azf.h"
#include "base/alloc.h"
#include "base/limits.h"

#define POLL_MS            2000
#define POLL_SIMULATOR_MS  100
#define POLL_RUN_MS        10000  /* a site has no end of its own to be seen soon */
#define POLL_WITH_AGENT_MS 300000 /* the agent tells what happens; ARM's reads are counted */

static void make_paths(struct skl_azf *azf)
{
    const struct skl_azf_config *c = azf->config;
    struct skl_buf b;

    skl_buf_init(&b, 4 * SKL_KIB);
    skl_buf_addf(&b, "/subscriptions/%s/resourceGroups/%s", c->subscription_id, c->resource_group);
    azf->group_path = skl_buf_detach(&b);
    skl_buf_addf(&b, "%s/providers/Microsoft.Web", azf->group_path);
    azf->web_path = skl_buf_detach(&b);
}

static void info(void *ctx, struct skl_backend_info *ret)
{
    const struct skl_azf *azf = ctx;
    const struct skl_azf_config *c = azf->config;

    *ret = (struct skl_backend_info){
        .driver = "azure-functions",
        .operating_system = "Azure Functions",
        .n_cpus = 2,
        .memory_bytes = 4 * INT64_C(1073741824),
    };
    skl_labels_set(&ret->status, "Resource Group", c->resource_group);
    skl_labels_set(&ret->status, "Location", c->location);
    skl_labels_set(&ret->status, "App Service Plan",
                   skl_str_empty(c->app_service_plan) ? "one per container" : c->app_service_plan);
    skl_labels_set(&ret->status, "Agent",
                   !azf->has_agent  ? "none"
                   : azf->has_share ? "share"
                                    : "image");
}

static int check(void *ctx, const struct skl_container_spec *spec, struct skl_buf *warnings,
                 struct skl_error *err)
{
    const struct skl_azf *azf = ctx;

    if (skl_str_empty(azf->config->app_service_plan))
        skl_buf_addf(warnings,
                     "the container has an App Service plan of its own (%s), which Azure bills "
                     "until the container is removed: set SOCKERLESS_AZF_APP_SERVICE_PLAN to share "
                     "one\n",
                     azf->config->plan_sku);
    if (spec->nano_cpus > 0 || spec->memory_bytes > 0)
        skl_buf_adds(warnings, "the App Service plan decides on CPU and memory: --cpus and "
                               "--memory have no effect\n");
    if (spec->privileged)
        skl_buf_adds(warnings, "Azure Functions runs no privileged containers: --privileged has no "
                               "effect\n");
    return 0;
}

static void fill_table(const struct skl_azf *azf, struct skl_backend *ret)
{
    const struct skl_azf_config *c = azf->config;

    *ret = (struct skl_backend){
        .name = "azf",
        .title = "Azure Functions",
        .creates_early = true,
        .info = info,
        .check = check,
        .plan = skl_azf_plan,
        .has_agent = skl_azf_has_agent,
        .container_create = skl_azf_create,
        .container_start = skl_azf_start,
        .container_invocation = skl_azf_invocation,
        .container_status = skl_azf_status,
        .container_stop = skl_azf_stop,
        .container_ended = skl_azf_ended,
        .container_remove = skl_azf_remove,
        .container_logs = skl_azf_logs,
        .resources_list = skl_azf_list,
        .resource_remove = skl_azf_remove_resource,
        .diagnose = skl_azf_diagnose,
        .poll_starting_ms = POLL_RUN_MS,
        .poll_agentless_ms = POLL_RUN_MS,
        .poll_with_agent_ms = POLL_WITH_AGENT_MS,
        .start_timeout_ms = c->start_timeout_s * 1000,
        .start_timeout_max_ms = c->start_timeout_max_s * 1000,
        .lost_agent_ms = c->agent_lost_s * 1000,
        .run_timeout_ms = c->timeout_s * 1000,
    };
}

int skl_azf_open(const void *settings, void **ret_ctx, struct skl_backend *ret,
                 struct skl_error *err)
{
    const struct skl_azf_config *config = settings;
    struct skl_azf *azf = skl_new0(struct skl_azf);
    bool none = skl_streq(config->agent, "none") ||
                (skl_streq(config->agent, "auto") && skl_str_empty(config->callback_url));
    int rc;

    azf->config = config;
    azf->has_agent = !none;
    azf->has_share = !none && !skl_streq(config->agent, "image");
    azf->plan_is_elastic = -1;
    azf->poll_ms = config->poll_interval_ms > 0          ? config->poll_interval_ms
                   : skl_str_empty(config->endpoint_url) ? POLL_MS
                                                         : POLL_SIMULATOR_MS;
    (void)pthread_mutex_init(&azf->lock, NULL);
    make_paths(azf);
    rc = skl_azf_connect(azf, err);
    if (rc < 0) {
        skl_azf_close(azf);
        return rc;
    }
    fill_table(azf, ret);
    *ret_ctx = azf;
    return 0;
}

void skl_azf_close(void *ctx)
{
    struct skl_azf *azf = ctx;

    if (!azf)
        return;
    skl_azure_free(azf->azure);
    skl_secret_free(azf->storage_key);
    free(azf->group_path);
    free(azf->web_path);
    (void)pthread_mutex_destroy(&azf->lock);
    free(azf);
}
