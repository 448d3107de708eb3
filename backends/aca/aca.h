/* aca - Azure Container Apps Jobs as a backend: a container is a job, a run is an execution.
 *
 * Thread  the context is read-only once open; its clients are safe for all worker threads
 */
#ifndef SKL_ACA_ACA_H
#define SKL_ACA_ACA_H

#include "base/option.h"
#include "cloud/azure/azure.h"
#include "cloud/azure/tags.h"
#include "docker/backend.h"

enum skl_aca_agent {
    SKL_ACA_AGENT_AUTO,
    SKL_ACA_AGENT_FORWARD,
    SKL_ACA_AGENT_REVERSE,
    SKL_ACA_AGENT_NONE
};

/* Strings are owned. Rows of the option table in config.c say what each means. */
struct skl_aca_config {
    char *subscription_id, *resource_group, *environment, *location;
    char *log_analytics_workspace, *storage_account;
    char *agent_image, *agent_token;
    char *callback_url, *endpoint_url;
    char *workload_profile, *registry_identity;
    char *agent; /* auto, forward, reverse, none */
    int64_t replica_timeout_s;
    int64_t start_timeout_s, start_timeout_max_s;
    int64_t poll_interval_ms;
    struct skl_azure_auth_settings auth;
};

struct skl_aca {
    const struct skl_aca_config *config;
    struct skl_azure *azure;
    char *group_path; /* /subscriptions/S/resourceGroups/G */
    char *jobs_path;  /* group_path/providers/Microsoft.App/jobs */
    char *environment_id;
    enum skl_aca_agent agent;
};

/* What the container remembers of its cloud resources (struct skl_container.cloud). */
#define SKL_ACA_JOB       "job"
#define SKL_ACA_EXECUTION "execution"

#define SKL_ACA_API          "2024-03-01"
#define SKL_ACA_API_PREVIEW  "2024-02-02-preview" /* the only one that tells exit codes */
#define SKL_ACA_JOB_NAME_LEN 32
#define SKL_ACA_AGENT_PORT   9111

/* config.c */
extern const struct skl_option skl_aca_options[];
extern const size_t skl_aca_options_count;
int skl_aca_config_check(const void *config, struct skl_error *err);

/* server.c */
/* config: struct skl_aca_config, which outlives the context */
int skl_aca_open(const void *settings, void **ret_ctx, struct skl_backend *ret,
                 struct skl_error *err);
void skl_aca_close(void *ctx); /* NULL is fine */

/* azure.c */
int skl_aca_connect(struct skl_aca *aca, struct skl_error *err);
void skl_aca_job_name(const char *short_id, char out[SKL_ACA_JOB_NAME_LEN]);
/* Calls on a job or below it; rest: "" or "/start"... `run` waits for a long-running operation. */
int skl_aca_job_call(struct skl_aca *aca, struct skl_call *call, const char *operation,
                     const char *method, const char *job, const char *rest, const char *body,
                     bool run, struct skl_arm_result *ret, struct skl_error *err);

/* jobspec.c */
/* Smallest allowed row of cpu and memory that covers both; quarters of a vCPU (0.5 GiB each). */
int skl_aca_size(const struct skl_aca_config *config, int64_t nano_cpus, int64_t memory_bytes,
                 unsigned *ret_quarters, struct skl_error *err);
/* The body of a create-or-update; owned; holds secrets. */
int skl_aca_job_spec(const struct skl_aca *aca, const struct skl_container_snapshot *c, char **ret,
                     struct skl_error *err);

/* containers.c: overrides of the contract */
void skl_aca_plan(void *ctx, const struct skl_container_snapshot *c, struct skl_labels *cloud);
bool skl_aca_has_agent(void *ctx, const struct skl_container_spec *spec, const char **why_not);
int skl_aca_start(void *ctx, struct skl_call *call, struct skl_outcome *ret, struct skl_error *err);
int skl_aca_status(void *ctx, struct skl_call *call, struct skl_status *ret, struct skl_error *err);
int skl_aca_stop(void *ctx, struct skl_call *call, struct skl_status *ret, struct skl_error *err);
int skl_aca_remove(void *ctx, struct skl_call *call, struct skl_error *err);
int skl_aca_list(void *ctx, struct skl_call *call, const char *instance, skl_resource_cb *cb,
                 void *arg, struct skl_error *err);
int skl_aca_remove_resource(void *ctx, struct skl_call *call, const struct skl_resource *r,
                            struct skl_error *err);

/* doctor.c */
void skl_aca_diagnose(void *ctx, const struct skl_findings *to);

/* logs.c */
int skl_aca_logs(void *ctx, struct skl_call *call, char **cursor, skl_log_line_cb *cb, void *arg,
                 struct skl_error *err);
/* Why the platform could not run an execution: the newest line of its system log; "" if there is none. */
void skl_aca_failure_reason(struct skl_aca *aca, struct skl_call *call, const char *job, char *out,
                            size_t cap);

#endif
