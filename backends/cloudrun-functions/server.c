/* The backend as the core sees it: the table of overrides, and the rows of `docker info`. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "gcf.h"

#define POLL_MS            1000
#define POLL_SIMULATOR_MS  100
#define POLL_RUN_MS        10000
#define POLL_WITH_AGENT_MS 300000 /* the agent tells what happens; reads are counted */
#define RENEW_EARLY_MS     60000  /* a request may wait for its place, and be refused once */
#define SIMULATOR_BUCKET   "sockerless"

/* The next request is there well before the platform ends this one. */
static int64_t renew_ms(const struct skl_gcf_config *c)
{
    int64_t ms = c->timeout_s * 1000;

    return ms > 3 * RENEW_EARLY_MS ? ms - RENEW_EARLY_MS : ms * 2 / 3;
}

static enum skl_gcf_mode mode_of(const char *name)
{
    return skl_streq(name, "run")              ? SKL_GCF_RUN
           : skl_streq(name, "docker-runtime") ? SKL_GCF_DOCKER_RUNTIME
                                               : SKL_GCF_FUNCTION;
}

static void info(void *ctx, struct skl_backend_info *ret)
{
    const struct skl_gcf *gcf = ctx;
    const struct skl_gcf_config *c = gcf->config;

    *ret = (struct skl_backend_info){
        .driver = "cloud-run-functions",
        .operating_system = "Google Cloud Run Functions",
        .n_cpus = 2,
        .memory_bytes = 4 * INT64_C(1073741824),
    };
    skl_labels_set(&ret->status, "Project", c->project);
    skl_labels_set(&ret->status, "Region", c->region);
    skl_labels_set(&ret->status, "Mode", c->mode);
    skl_labels_set(&ret->status, "Agent",
                   !gcf->has_agent     ? "none"
                   : gcf->agent_bucket ? c->agent
                                       : "image");
}

static int check(void *ctx, const struct skl_container_spec *spec, struct skl_buf *warnings,
                 struct skl_error *err)
{
    const struct skl_gcf *gcf = ctx;
    struct skl_gcf_size size;
    char *image SKL_AUTO_STR = NULL;
    int rc = skl_gcf_size(gcf->config, spec->nano_cpus, spec->memory_bytes, &size, err);

    if (rc == 0)
        rc = skl_gcf_image(gcf->config, spec->image_ref, &image, err);
    if (rc < 0)
        return rc;
    if (spec->privileged)
        skl_buf_adds(warnings, "Google Cloud Run runs no privileged containers: --privileged has "
                               "no effect\n");
    return 0;
}

static void fill_table(const struct skl_gcf *gcf, struct skl_backend *ret)
{
    const struct skl_gcf_config *c = gcf->config;

    *ret = (struct skl_backend){
        .name = "gcf",
        .title = "Google Cloud Run Functions",
        .creates_early = true,
        .info = info,
        .check = check,
        .plan = skl_gcf_plan,
        .has_agent = skl_gcf_has_agent,
        .container_create = skl_gcf_create,
        .container_start = skl_gcf_start,
        .container_invocation = skl_gcf_invocation,
        .container_status = skl_gcf_status,
        .container_stop = skl_gcf_stop,
        .container_remove = skl_gcf_remove,
        .container_logs = skl_gcf_logs,
        .resources_list = skl_gcf_list,
        .resource_remove = skl_gcf_remove_resource,
        .diagnose = skl_gcf_diagnose,
        .poll_starting_ms = POLL_RUN_MS,
        .poll_agentless_ms = POLL_RUN_MS,
        .poll_with_agent_ms = POLL_WITH_AGENT_MS,
        .start_timeout_ms = c->start_timeout_s * 1000,
        .start_timeout_max_ms = c->create_timeout_s * 1000,
        .invocation_renew_ms = renew_ms(c),
        .lost_agent_ms = c->agent_lost_s * 1000,
    };
}

int skl_gcf_open(const void *settings, void **ret_ctx, struct skl_backend *ret,
                 struct skl_error *err)
{
    const struct skl_gcf_config *config = settings;
    struct skl_gcf *gcf = skl_new0(struct skl_gcf);
    bool is_simulator = !skl_str_empty(config->endpoint_url);
    struct skl_buf b;
    int rc;

    gcf->config = config;
    gcf->mode = mode_of(config->mode);
    gcf->has_agent = !skl_streq(config->agent, "none") && !skl_str_empty(config->callback_url);
    if (skl_str_starts(skl_str(config->agent), "bucket:"))
        gcf->agent_bucket = config->agent + strlen("bucket:");
    gcf->bucket = skl_strdup(skl_str_empty(config->bucket) ? SIMULATOR_BUCKET : config->bucket);
    gcf->poll_ms = config->poll_interval_ms > 0 ? config->poll_interval_ms
                   : is_simulator               ? POLL_SIMULATOR_MS
                                                : POLL_MS;
    skl_buf_init(&b, SKL_KIB);
    skl_buf_addf(&b, "projects/%s/locations/%s", config->project, config->region);
    gcf->location = skl_buf_detach(&b);
    if (!skl_str_empty(config->runtime))
        gcf->runtime = skl_strdup(config->runtime);
    (void)pthread_mutex_init(&gcf->lock, NULL);
    rc = skl_gcf_connect(gcf, err);
    if (rc < 0) {
        skl_gcf_close(gcf);
        return rc;
    }
    fill_table(gcf, ret);
    *ret_ctx = gcf;
    return 0;
}

void skl_gcf_close(void *ctx)
{
    struct skl_gcf *gcf = ctx;

    if (!gcf)
        return;
    skl_gcp_free(gcf->gcp);
    free(gcf->location);
    free(gcf->bucket);
    free(gcf->runtime);
    (void)pthread_mutex_destroy(&gcf->lock);
    free(gcf);
}
