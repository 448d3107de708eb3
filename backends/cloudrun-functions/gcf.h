/* gcf - Google Cloud Run functions as a backend: a container is a function and the Cloud Run service below it, a run is an
 * invocation.
 *
 * Thread  the context is read-only once open, but for what its mutex guards; its clients are safe for all threads
 */
#ifndef SKL_GCF_GCF_H
#define SKL_GCF_GCF_H

#include <pthread.h>

#include "base/option.h"
#include "cloud/gcp/gcp.h"
#include "cloud/gcp/run.h"
#include "docker/backend.h"

/* Strings are owned. Rows of the option table in config.c say what each means. */
struct skl_gcf_config {
    char *project, *region, *service_account;
    char *memory, *cpu;
    char *callback_url, *endpoint_url;
    char *mode;  /* function, run, docker-runtime */
    char *agent; /* "", none, image, bucket:NAME */
    char *agent_path, *agent_token;
    char *bucket, *runtime;
    char *build_service_account;
    char *docker_hub_repo;
    char **remote_repos; /* HOST=REPOSITORY */
    char *vpc_network, *vpc_subnet;
    int64_t timeout_s;
    int64_t start_timeout_s, create_timeout_s, agent_lost_s;
    int64_t poll_interval_ms;
    struct skl_gcp_auth_settings auth;
};

enum skl_gcf_mode { SKL_GCF_FUNCTION, SKL_GCF_RUN, SKL_GCF_DOCKER_RUNTIME };

struct skl_gcf {
    const struct skl_gcf_config *config;
    struct skl_gcp *gcp;
    enum skl_gcf_mode mode;
    char *location;           /* projects/P/locations/R */
    char *bucket;             /* of the stub's source */
    const char *agent_bucket; /* NULL: the image has the agent */
    bool has_agent;
    int64_t poll_ms;

    pthread_mutex_t lock; /* guards what follows */
    char *runtime;        /* the stub's; NULL: not asked yet */
    bool has_source;      /* the stub's source is in the bucket */
};

/* What the container remembers of its cloud resources (struct skl_container.cloud). */
#define SKL_GCF_KIND      "kind"      /* what `name` names, and is deleted */
#define SKL_GCF_NAME      "name"      /* skls-{id[:12]} */
#define SKL_GCF_OPERATION "operation" /* the one that is waited for; absent between them */
#define SKL_GCF_SERVICE   "service"   /* the service's id, once it is known */
#define SKL_GCF_URI       "uri"       /* ...and its URL: the container is made */
#define SKL_GCF_REFUSED   "refused"   /* when its front end first refused us, wall clock in ms */

#define SKL_GCF_KIND_FUNCTION "function"
#define SKL_GCF_KIND_SERVICE  "service"

#define SKL_GCF_MOUNT_PATH     "/sockerless" /* of the agent's bucket */
#define SKL_GCF_PORT           8080
#define SKL_GCF_CONCURRENCY    80 /* hold requests and probes beside the invocation */
#define SKL_GCF_ID_LABEL       "sockerless-container-id"
#define SKL_GCF_INSTANCE_LABEL "sockerless-instance"
#define SKL_GCF_ID_LABEL_N     32 /* a label's value has at most 63 characters: half of the id */
#define SKL_GCF_ANNOTATION                                                                         \
    "sockerless/container-id" /* of the template: the image is the container's */
#define SKL_GCF_SIZE_ANNOTATION "sockerless/size"

/* config.c */
extern const struct skl_option skl_gcf_options[];
extern const size_t skl_gcf_options_count;
int skl_gcf_config_check(const void *config, struct skl_error *err);

/* size.c: what Cloud Run gives a container */
struct skl_gcf_size {
    char cpu[8], memory[16]; /* "2", "4096Mi" */
};
/* The configured size, or the smallest that has what the container asks for (0: nothing). INVALID: there is none. */
int skl_gcf_size(const struct skl_gcf_config *c, int64_t nano_cpus, int64_t memory_bytes,
                 struct skl_gcf_size *ret, struct skl_error *err);

/* server.c */
/* config: struct skl_gcf_config, which outlives the context */
int skl_gcf_open(const void *settings, void **ret_ctx, struct skl_backend *ret,
                 struct skl_error *err);
void skl_gcf_close(void *ctx); /* NULL is fine */

/* gcp.c: the forms that all calls of this backend have */
int skl_gcf_connect(struct skl_gcf *gcf, struct skl_error *err);
void skl_gcf_extend_deadline(struct skl_call *call, int64_t ms);
/* One call on "/v2/{location}/{path}" of the API; ret as skl_gcp_send(). */
int skl_gcf_send(struct skl_gcf *gcf, struct skl_call *call, enum skl_gcp_api api,
                 const char *operation, const char *method, const char *path, const char *query,
                 const char *body, struct skl_gcp_result *ret, struct skl_error *err);
/* A call that begins an operation: its name is recorded in ret->cloud, and the next turn of create or start looks at
 * it. ABORTED (something else is being done to the resource) is a turn later. */
int skl_gcf_begin(struct skl_gcf *gcf, struct skl_call *call, enum skl_gcp_api api,
                  const char *operation, const char *method, const char *path, const char *query,
                  const char *body, struct skl_outcome *ret, struct skl_error *err);
/* The recorded operation: over (true: forgotten in ret->cloud), or again_ms is set. */
int skl_gcf_settle(struct skl_gcf *gcf, struct skl_call *call, struct skl_outcome *ret, bool *over,
                   struct skl_error *err);
/* The same, waited for: stop and remove. */
int skl_gcf_run(struct skl_gcf *gcf, struct skl_call *call, enum skl_gcp_api api,
                const char *operation, const char *method, const char *path, const char *query,
                const char *body, struct skl_error *err);
/* What the container remembers, or what this call has found out so far. NULL: nothing. */
const char *skl_gcf_known(const struct skl_call *call, const struct skl_outcome *ret,
                          const char *label);
bool skl_gcf_is_ours(const cJSON *resource, const struct skl_container_snapshot *c);

/* image.c */
/* The reference as Cloud Run takes it; owned. UNSUPPORTED with what to configure. */
int skl_gcf_image(const struct skl_gcf_config *c, const char *image_ref, char **ret,
                  struct skl_error *err);

/* source.c: the stub that a function is built from before its image is swapped */
int skl_gcf_stub_ensure(struct skl_gcf *gcf, struct skl_call *call, char **ret_runtime,
                        char **ret_object, struct skl_error *err);

/* template.c: the container as a Cloud Run revision */
/* Makes `template` (of a service as read, or empty) the container's; cJSON of its own. */
int skl_gcf_template(const struct skl_gcf *gcf, const struct skl_container_snapshot *c,
                     cJSON *template, struct skl_error *err);
/* Command and arguments, owned; the environment as an object of strings. */
cJSON *skl_gcf_command(const struct skl_gcf *gcf, const struct skl_container_snapshot *c);
cJSON *skl_gcf_environment(const struct skl_gcf *gcf, const struct skl_container_snapshot *c);

/* function.c, service.c: one turn of making the container's resource; ret->again_ms is set until it is done. */
void skl_gcf_add_labels(cJSON *json, const struct skl_container_snapshot *c);
/* The function; done: its service is known. */
int skl_gcf_function_turn(struct skl_gcf *gcf, struct skl_call *call, struct skl_outcome *ret,
                          struct skl_error *err);
/* The known service: a function's gets the container's image, one of its own is made, one that is off is switched on;
 * done: it is ready, and its URL known. */
int skl_gcf_service_turn(struct skl_gcf *gcf, struct skl_call *call, struct skl_outcome *ret,
                         struct skl_error *err);

/* A failed operation on the service: the service itself tells better why; else rc and err stay as they are. */
int skl_gcf_service_explain(struct skl_gcf *gcf, struct skl_call *call,
                            const struct skl_outcome *ret, int rc, struct skl_error *err);

enum skl_gcf_service_state { SKL_GCF_ABSENT, SKL_GCF_ON, SKL_GCF_OFF };
int skl_gcf_service_state(struct skl_gcf *gcf, struct skl_call *call, const char *service,
                          enum skl_gcf_service_state *ret, struct skl_error *err);
/* Off: no instance, and no request gets one. Waits until the cloud says so. */
int skl_gcf_service_switch(struct skl_gcf *gcf, struct skl_call *call, const char *service, bool on,
                           struct skl_error *err);
/* What create made, at whatever step it is; fine when there is nothing, or somebody else's. */
int skl_gcf_delete_own(struct skl_gcf *gcf, struct skl_call *call, struct skl_error *err);
/* The function or service of that name, whosever it is; fine when it is gone. */
int skl_gcf_delete(struct skl_gcf *gcf, struct skl_call *call, const char *kind, const char *name,
                   struct skl_error *err);

/* containers.c: overrides of the contract */
void skl_gcf_plan(void *ctx, const struct skl_container_snapshot *c, struct skl_labels *cloud);
bool skl_gcf_has_agent(void *ctx, const struct skl_container_spec *spec, const char **why_not);
int skl_gcf_create(void *ctx, struct skl_call *call, struct skl_outcome *ret,
                   struct skl_error *err);
int skl_gcf_start(void *ctx, struct skl_call *call, struct skl_outcome *ret, struct skl_error *err);
int skl_gcf_invocation(void *ctx, struct skl_call *call, struct skl_invocation *ret,
                       struct skl_error *err);
int skl_gcf_status(void *ctx, struct skl_call *call, struct skl_status *ret, struct skl_error *err);
int skl_gcf_stop(void *ctx, struct skl_call *call, struct skl_status *ret, struct skl_error *err);
int skl_gcf_remove(void *ctx, struct skl_call *call, struct skl_error *err);

/* resources.c: overrides for the reaper */
int skl_gcf_list(void *ctx, struct skl_call *call, const char *instance, skl_resource_cb *cb,
                 void *arg, struct skl_error *err);
int skl_gcf_remove_resource(void *ctx, struct skl_call *call, const struct skl_resource *r,
                            struct skl_error *err);

/* doctor.c */
void skl_gcf_diagnose(void *ctx, const struct skl_findings *to);

/* logs.c */
int skl_gcf_logs(void *ctx, struct skl_call *call, char **cursor, skl_log_line_cb *cb, void *arg,
                 struct skl_error *err);

#endif
