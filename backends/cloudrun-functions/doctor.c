/* What `doctor` looks at for Cloud Run functions. */
#include <stdio.h>

#include "cloud/gcp/diagnosis.h"
#include "gcf.h"

#define RUN_PERMISSIONS                                                                            \
    "run.services.create", "run.services.get", "run.services.list", "run.services.update",         \
        "run.services.delete", "run.operations.get", "run.routes.invoke",                          \
        "logging.logEntries.list"

static const char *const run_permissions[] = {RUN_PERMISSIONS, NULL};
static const char *const function_permissions[] = {
    RUN_PERMISSIONS,
    "cloudfunctions.functions.create",
    "cloudfunctions.functions.get",
    "cloudfunctions.functions.list",
    "cloudfunctions.functions.delete",
    "cloudfunctions.operations.get",
    "cloudfunctions.runtimes.list",
    NULL,
};
static const char *const source_permissions[] = {"storage.objects.create", NULL};
static const char *const agent_permissions[] = {"storage.objects.get", NULL};

static void check_agent(struct skl_gcf *gcf, const struct skl_findings *to)
{
    struct skl_str object = skl_str(gcf->config->agent_path);

    if (!gcf->has_agent) {
        skl_find(to, SKL_GRADE_WARN, "agent",
                 "set SOCKERLESS_CALLBACK_URL to the URL of this daemon's agent listener as "
                 "functions reach it, and "
                 "SOCKERLESS_GCF_AGENT to bucket:NAME or image",
                 "runs have none: no exec, attach, cp or live output");
    } else if (!gcf->agent_bucket) {
        skl_find_ok(to, "agent", "%s",
                    skl_str_empty(gcf->config->endpoint_url)
                        ? "the image of each container has it (SOCKERLESS_GCF_AGENT=image)"
                        : "the simulator holds it");
    } else if (!skl_str_starts(object, SKL_GCF_MOUNT_PATH "/")) {
        skl_find(to, SKL_GRADE_FAIL, "agent",
                 "set SOCKERLESS_GCF_AGENT_PATH to a path below " SKL_GCF_MOUNT_PATH,
                 "'%s' is not below " SKL_GCF_MOUNT_PATH ", where the bucket is mounted",
                 gcf->config->agent_path);
    } else if (skl_gcp_diagnose_bucket(gcf->gcp, "agent bucket", "SOCKERLESS_GCF_AGENT",
                                       gcf->agent_bucket, agent_permissions, to)) {
        skl_gcp_diagnose_object(gcf->gcp, "agent", gcf->agent_bucket,
                                gcf->config->agent_path + strlen(SKL_GCF_MOUNT_PATH "/"),
                                "upload it: gcloud storage cp sockerless-agent gs://BUCKET/ with "
                                "the path that is named here",
                                to);
    }
}

void skl_gcf_diagnose(void *ctx, const struct skl_findings *to)
{
    struct skl_gcf *gcf = ctx;
    const struct skl_gcf_config *c = gcf->config;
    bool is_run = gcf->mode == SKL_GCF_RUN;
    char services[200], functions[200];
    const struct skl_gcp_api_use apis[] = {
        {SKL_GCP_RUN, "api run", "run.googleapis.com", services},
        {SKL_GCP_LOGGING, "api logging", "logging.googleapis.com", NULL},
        {SKL_GCP_STORAGE, "api storage", "storage.googleapis.com", NULL},
        {SKL_GCP_PROJECTS, "api projects", "cloudresourcemanager.googleapis.com", NULL},
        {SKL_GCP_FUNCTIONS, "api functions", "cloudfunctions.googleapis.com", functions},
    };
    const struct skl_gcp_subject subject = {
        .project = c->project,
        .apis = apis,
        .n_apis = is_run ? 4 : 5,
        .permissions = is_run ? run_permissions : function_permissions,
        .callback_url = c->callback_url,
        .is_simulator = !skl_str_empty(c->endpoint_url),
    };

    (void)snprintf(services, sizeof(services), "/v2/%s/services", gcf->location);
    (void)snprintf(functions, sizeof(functions), "/v2/%s/functions", gcf->location);
    if (!skl_gcp_diagnose(gcf->gcp, &subject, to))
        return;
    if (gcf->mode == SKL_GCF_FUNCTION)
        (void)skl_gcp_diagnose_bucket(gcf->gcp, "source bucket", "SOCKERLESS_GCF_BUCKET",
                                      gcf->bucket, source_permissions, to); /* told */
    check_agent(gcf, to);
}
