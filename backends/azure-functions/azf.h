/* azf - Azure Functions as a backend: a container is a Function App (a site with a custom container), a run is an
 * invocation.
 *
 * Thread  the context is read-only once open, but for what its mutex guards; its clients are safe for all threads
 */
#ifndef SKL_AZF_AZF_H
#define SKL_AZF_AZF_H

#include <pthread.h>

#include "base/option.h"
#include "cloud/azure/azure.h"
#include "cloud/azure/tags.h"
#include "docker/backend.h"

/* Strings are owned. Rows of the option table in config.c say what each means. */
struct skl_azf_config {
    char *subscription_id, *resource_group, *location;
    char *storage_account, *registry, *app_service_plan, *log_analytics_workspace;
    char *callback_url, *endpoint_url;
    char *agent; /* auto, share, image, none */
    char *agent_share, *agent_path, *agent_token;
    char *plan_sku, *subnet;
    char *registry_identity, *registry_identity_client;
    int64_t timeout_s;
    int64_t start_timeout_s, start_timeout_max_s, agent_lost_s;
    int64_t invocation_hold_s, poll_interval_ms;
    struct skl_azure_auth_settings auth;
};

struct skl_azf {
    const struct skl_azf_config *config;
    struct skl_azure *azure;
    char *group_path; /* /subscriptions/S/resourceGroups/G */
    char *web_path;   /* group_path/providers/Microsoft.Web */
    bool has_agent, has_share;
    int64_t poll_ms;

    pthread_mutex_t lock; /* guards what follows */
    char *storage_key;    /* secret */
    int64_t storage_key_at_ms;
    int plan_is_elastic; /* of the configured plan; -1: not asked yet */
};

/* What the container remembers of its cloud resources (struct skl_container.cloud). */
#define SKL_AZF_SITE "site" /* the name that is tried first, until "host" is known */
#define SKL_AZF_HOST "host" /* the site exists, and has this name in DNS */
#define SKL_AZF_PLAN "plan" /* made for this container alone; absent with a configured plan */

#define SKL_AZF_API         "2023-12-01"
#define SKL_AZF_STORAGE_API "2023-05-01"
#define SKL_AZF_PORT        8080
#define SKL_AZF_NAME_LEN    48
#define SKL_AZF_NAMES       3 /* how many names are tried: they are unique over all of Azure */

/* config.c */
extern const struct skl_option skl_azf_options[];
extern const size_t skl_azf_options_count;
int skl_azf_config_check(const void *config, struct skl_error *err);

/* server.c */
/* config: struct skl_azf_config, which outlives the context */
int skl_azf_open(const void *settings, void **ret_ctx, struct skl_backend *ret,
                 struct skl_error *err);
void skl_azf_close(void *ctx); /* NULL is fine */

/* azure.c */
int skl_azf_connect(struct skl_azf *azf, struct skl_error *err);
void skl_azf_extend_deadline(struct skl_call *call, int64_t ms);
/* A call on a resource of Microsoft.Web: path below web_path ("/sites/x/start"); `run` waits for a long-running
 * operation. An operation that is in progress on the resource is waited for. */
int skl_azf_web_call(struct skl_azf *azf, struct skl_call *call, const char *operation,
                     const char *method, const char *path, const char *query, const char *body,
                     bool run, struct skl_arm_result *ret, struct skl_error *err);
/* The storage account's key; owned, secret. */
int skl_azf_storage_key(struct skl_azf *azf, struct skl_call *call, char **ret,
                        struct skl_error *err);

/* plan.c: the App Service plan that a site runs on */
void skl_azf_plan_name(const char *short_id, char out[SKL_AZF_NAME_LEN]);
/* Resource ID of the configured plan; owned. */
char *skl_azf_plan_configured_id(const struct skl_azf *azf);
/* Makes the container's own plan, or looks at the configured one. *ret_id is owned. */
int skl_azf_plan_ensure(struct skl_azf *azf, struct skl_call *call, char **ret_id,
                        bool *ret_elastic, struct skl_error *err);
int skl_azf_plan_remove(struct skl_azf *azf, struct skl_call *call, struct skl_error *err);
int skl_azf_plan_delete(struct skl_azf *azf, struct skl_call *call, const char *name,
                        struct skl_error *err);

/* sitespec.c */
/* The body of a create-or-update; owned; holds secrets. */
int skl_azf_site_spec(const struct skl_azf *azf, const struct skl_container_snapshot *c,
                      const char *plan_id, bool elastic, const char *storage_key, char **ret,
                      struct skl_error *err);

/* site.c */
enum skl_azf_site_state { SKL_AZF_ABSENT, SKL_AZF_STARTED, SKL_AZF_STOPPED };
/* i: 0 .. SKL_AZF_NAMES-1 */
void skl_azf_site_name(const char *short_id, unsigned i, char out[SKL_AZF_NAME_LEN]);
/* Site and plan, as the container wants them; ret: labels. */
int skl_azf_site_ensure(struct skl_azf *azf, struct skl_call *call, struct skl_outcome *ret,
                        struct skl_error *err);
int skl_azf_site_state(struct skl_azf *azf, struct skl_call *call, const char *site,
                       enum skl_azf_site_state *ret, struct skl_error *err);
/* start or stop, and waits until the site says so; ABSENT is NOTFOUND for start and fine for stop. */
int skl_azf_site_switch(struct skl_azf *azf, struct skl_call *call, const char *site, bool on,
                        struct skl_error *err);
int skl_azf_site_remove(struct skl_azf *azf, struct skl_call *call, struct skl_error *err);
int skl_azf_site_delete(struct skl_azf *azf, struct skl_call *call, const char *site,
                        struct skl_error *err);

/* containers.c: overrides of the contract */
void skl_azf_plan(void *ctx, const struct skl_container_snapshot *c, struct skl_labels *cloud);
bool skl_azf_has_agent(void *ctx, const struct skl_container_spec *spec, const char **why_not);
int skl_azf_create(void *ctx, struct skl_call *call, struct skl_outcome *ret,
                   struct skl_error *err);
int skl_azf_start(void *ctx, struct skl_call *call, struct skl_outcome *ret, struct skl_error *err);
int skl_azf_invocation(void *ctx, struct skl_call *call, struct skl_invocation *ret,
                       struct skl_error *err);
int skl_azf_status(void *ctx, struct skl_call *call, struct skl_status *ret, struct skl_error *err);
int skl_azf_stop(void *ctx, struct skl_call *call, struct skl_status *ret, struct skl_error *err);
int skl_azf_ended(void *ctx, struct skl_call *call, struct skl_error *err);
int skl_azf_remove(void *ctx, struct skl_call *call, struct skl_error *err);

/* resources.c: overrides for the reaper */
int skl_azf_list(void *ctx, struct skl_call *call, const char *instance, skl_resource_cb *cb,
                 void *arg, struct skl_error *err);
int skl_azf_remove_resource(void *ctx, struct skl_call *call, const struct skl_resource *r,
                            struct skl_error *err);

/* doctor.c */
void skl_azf_diagnose(void *ctx, const struct skl_findings *to);

/* logs.c */
int skl_azf_logs(void *ctx, struct skl_call *call, char **cursor, skl_log_line_cb *cb, void *arg,
                 struct skl_error *err);

#endif
