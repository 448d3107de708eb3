/* sim - the Google Cloud simulator's state: what its files share.
 *
 * Shape   one base URL serves every API; a handler answers on its own or begins a long-running operation
 * Thread  CivetWeb's threads, one per rollout and one per container; `lock` guards everything in struct sim. API
 *         handlers run with it held; invocations take it for short
 * Owns    services, revisions and instances stay in memory until the end, since threads may still look at them
 */
#ifndef SKL_SIM_GCP_SIM_H
#define SKL_SIM_GCP_SIM_H

#include <pthread.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "faults.h"
#include "service.h"
#include "sim_http.h"
#include "workload.h"

struct sim_options {
    char *listen, *agent, *state_dir, *runtime, *mirror, *fault, *log_level;
    char *project, *credentials_dir, *refresh_token, *subject_token, *metadata_email;
    char **buckets;
    char **permissions; /* what the caller may do; NULL: everything */
    int64_t clock_skew_s;
    char **strangers;  /* accounts without run.routes.invoke on the project */
    char **registries; /* hosts that images may come from beyond Google's and Docker Hub */
    int64_t latency_ms, ingestion_delay_s, fault_seed, token_lifetime_s, stop_grace_s;
    int64_t project_number, read_quota, idle_s, pending_s, startup_s;
    bool memory_limits, docker_runtime, google_uris, help, version;
};

struct token {
    struct skl_list in_sim;
    char value[80];
    char *email;
    int64_t expires_ms;
};

struct instance {
    struct skl_list in_revision;
    struct revision *revision;
    struct sim_service *service; /* NULL: a stub, answered by the simulator itself */
    char id[65], address[24];
    int port, in_flight;
    int declared_port; /* containerPort; 0: somebody else listens there on all addresses */
    int64_t start_ms, idle_since_ms;
    enum instance_state {
        INSTANCE_STARTING,
        INSTANCE_READY,
        INSTANCE_STOPPING,
        INSTANCE_ENDED
    } state;
    bool is_rollout;
    char **mounted; /* folders of buckets */
};

struct revision {
    struct skl_list in_service;
    struct service *service;
    struct sim *sim;
    char *name;
    cJSON *template; /* as the service had it, with defaults */
    char uid[37], create_time[SKL_TIME_LEN];
    int64_t generation;
    enum revision_state { REVISION_DEPLOYING, REVISION_READY, REVISION_FAILED } state;
    const char *reason; /* of the failure, as conditions name it */
    char *message;
    struct skl_list instances;
    int crashes;
    bool hidden;           /* deleted */
    int64_t not_before_ms; /* a minimum instance that keeps ending starts again later and later */
};

struct service {
    struct sim *sim;
    char *project, *region, *id; /* "projects/P/locations/R/services/ID" is its name */
    char *name, *base;           /* base: how the client reaches this simulator */
    cJSON *json;                 /* what clients may write */
    cJSON *policy;
    struct function *function; /* whose service it is; NULL: nobody's */
    char uid[37], create_time[SKL_TIME_LEN], update_time[SKL_TIME_LEN];
    char *creator;
    int64_t generation, etag;
    struct skl_list revisions; /* newest first */
    struct revision *latest, *serving;
    bool deleted;
    struct skl_list in_deleted;
    int64_t free_ms,
        policy_serial; /* free_ms: when the id of a deleted service can be used again */
};

enum function_state { FUNCTION_DEPLOYING, FUNCTION_ACTIVE, FUNCTION_FAILED, FUNCTION_DELETING };
struct function {
    struct sim *sim;
    char *project, *region, *id, *name, *base, *creator;
    cJSON *json; /* what clients may write */
    cJSON *policy;
    enum function_state state;
    char *message; /* of a failure */
    char create_time[SKL_TIME_LEN], update_time[SKL_TIME_LEN];
    struct service *service;   /* NULL: not deployed yet */
    struct operation *pending; /* the one that changes it; NULL: none */
    int builds;
    bool gone;
    struct skl_list in_gone;
};

struct operation {
    char *name;
    int64_t ready_ms;
    bool finished;
    char create_time[SKL_TIME_LEN];
    struct service *service;   /* of Run; NULL: another API's */
    struct revision *revision; /* whose rollout it waits for; NULL: nothing */
    struct function *function;
    cJSON *metadata, *response; /* of what is over; response NULL: {} or from the resource */
    const char *verb;           /* create, update, delete */
    int error_code;
    int fault_code; /* it is to fail; 0: no */
    char *error;
};

struct log_entry {
    int64_t time_ns, visible_ns;
    char insert_id[40];
    const struct revision *revision; /* NULL: written by a client */
    char *instance;
    const char *log; /* what follows "run.googleapis.com%2F" */
    char *text;
    size_t n;
    cJSON *json; /* a whole entry */
};

struct sim {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* an instance or an operation; by the monotonic clock */
    struct sim_runtime *runtime;
    struct skl_map services; /* name -> struct service */
    struct skl_list deleted, gone_functions;
    struct skl_map operations;
    struct log_entry *entries;
    size_t n_entries, n_instances;
    int64_t last_entry_ns;
    int64_t *reads; /* times of the last calls of entries.list, a ring */
    size_t n_reads;
    pthread_t housekeeper;
    struct sim_faults faults;
    const char *fault_word;      /* of the call that is being answered */
    struct skl_map functions;    /* name -> struct function */
    struct skl_map uploads;      /* object of an upload URL -> its signature */
    struct skl_map buckets;      /* name -> struct bucket */
    struct skl_map repositories; /* name -> cJSON */
    const char *state_dir;
    const struct sim_options *options;
    struct gcp_keys *keys;
    struct skl_list tokens;
    struct skl_map calls; /* method -> count + 1 */
    char base[64];        /* http://127.0.0.1:PORT */
    bool closing;
};

/* A request's path in its parts, decoded. */
#define GCP_MAX_PARTS 12
struct gcp_path {
    char *parts[GCP_MAX_PARTS + 1];
    size_t n;
    char *verb; /* of ".../NAME:verb"; NULL if none */
};

/* main.c */
int64_t gcp_now_ms(void);
void gcp_count(struct sim *s, const char *method);

/* rest.c: Google's error body. */
enum gcp_status {
    GCP_INVALID_ARGUMENT,
    GCP_FAILED_PRECONDITION,
    GCP_UNAUTHENTICATED,
    GCP_PERMISSION_DENIED,
    GCP_NOT_FOUND,
    GCP_ABORTED,
    GCP_ALREADY_EXISTS,
    GCP_RESOURCE_EXHAUSTED,
    GCP_INTERNAL,
    GCP_UNIMPLEMENTED,
    GCP_UNAVAILABLE,
};
int gcp_status_http(enum gcp_status status);
int gcp_status_code(enum gcp_status status);
const char *gcp_status_name(enum gcp_status status);
void gcp_error(struct sim_answer *a, enum gcp_status status, const char *fmt, ...) SKL_PRINTF(3, 4);
/* The page that the front end shows. */
void gcp_html(struct sim_answer *a, int status, const char *title, const char *text);
void gcp_path_split(struct gcp_path *p, const char *raw_path);
void gcp_path_fini(struct gcp_path *p);
char *gcp_format(const char *fmt, ...) SKL_PRINTF(1, 2); /* owned */
/* The body as an object; NULL: answered. An absent body reads as {}. */
cJSON *gcp_body(const struct sim_request *r, struct sim_answer *a);
void gcp_unknown(const struct sim_request *r, struct sim_answer *a);

/* keys.c: RSA keys and JSON web tokens. */
struct gcp_keys;
int gcp_keys_new(struct gcp_keys **ret, struct skl_error *err);
void gcp_keys_free(struct gcp_keys *k);
/* Signed with the simulator's key, as Google signs ID tokens. Owned. */
char *gcp_jwt_sign(struct gcp_keys *k, const cJSON *claims);
enum gcp_signer {
    GCP_BY_GOOGLE, /* the simulator's own key */
    GCP_BY_ACCOUNT /* the key in the service account's file */
};
/* The claims (owned) of a well-signed token, expired or not; NULL if it is none. */
cJSON *gcp_jwt_verify(struct gcp_keys *k, enum gcp_signer signer, struct skl_str token);
/* Google's public keys as a JWK set. Owned. */
char *gcp_keys_jwks(struct gcp_keys *k);
/* PKCS#8 PEM and id of the service account's key. */
const char *gcp_keys_account_pem(const struct gcp_keys *k);
const char *gcp_keys_account_id(const struct gcp_keys *k);

/* auth.c */
bool gcp_auth_route(struct sim *s, const struct sim_request *r, struct sim_answer *a);
/* The email of whoever asks (borrowed until the token goes); NULL: answered with 401. */
const char *gcp_auth_check(struct sim *s, const struct sim_request *r, struct sim_answer *a);
/* iamcredentials: /v1/projects/-/serviceAccounts/EMAIL:generate... */
void gcp_iam_credentials(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                         struct sim_answer *a);
char *gcp_token_issue(struct sim *s, const char *email, int64_t lifetime_s); /* borrowed */
char *gcp_id_token(struct sim *s, const char *email, const char *audience, bool with_email);
/* The account's email when the token is one of ours for one of the audiences. */
char *gcp_id_token_check(struct sim *s, struct skl_str token, char *const *audiences,
                         const char **ret_problem);

/* metadata.c */
bool gcp_metadata(struct sim *s, const struct sim_request *r, struct sim_answer *a);

/* credentials.c: files that Application Default Credentials read. */
int gcp_credentials_write(struct sim *s, const char *dir, struct skl_error *err);
/* type: service_account, authorized_user, external_account; owned, NULL if it is another. */
char *gcp_credentials_text(struct sim *s, const char *type, const char *dir);

#define GCP_ACCOUNT "sockerless@%s.iam.gserviceaccount.com"

/* operations.c */
struct operation *gcp_operation_begin(struct sim *s, const char *project, const char *region,
                                      const char *verb);
bool gcp_operation_done(const struct operation *o);
void gcp_operation_answer(struct sim *s, struct operation *o, struct sim_answer *a);
void gcp_operations(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                    struct sim_answer *a);

/* services.c: v2/projects/P/locations/R/services... */
void gcp_services(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                  const char *email, struct sim_answer *a);
struct service *gcp_service_new(struct sim *s, const char *project, const char *region,
                                const char *id, const char *base, const char *creator,
                                cJSON *own_json);
/* Takes over a changed resource; a new revision if the template differs or `force`. */
struct revision *gcp_service_change(struct service *v, cJSON *own_json, bool force);
void gcp_service_delete(struct service *v);
cJSON *gcp_service_json(const struct service *v);
/* Every URL by which it is reached, owned vector; the first is `uri`. */
char **gcp_service_urls(const struct service *v);
void gcp_answer_dry_run(struct sim *s, const struct gcp_path *p, struct sim_answer *a);
/* apply.c: the fields of an update mask, or all mutable ones. false: answered */
bool gcp_apply_mask(cJSON *target, const cJSON *body, const char *mask,
                    const char *const *mutable_fields, struct sim_answer *a);

/* revisions.c */
struct revision *gcp_revision_new(struct service *v, const char *name);
cJSON *gcp_revision_json(const struct revision *v);
void gcp_revisions(struct sim *s, const struct sim_request *r, struct service *v,
                   const struct gcp_path *p, struct sim_answer *a);
void gcp_revision_ready(struct revision *v);
void gcp_revision_fail(struct revision *v, const char *reason, const char *fmt, ...)
    SKL_PRINTF(3, 4);
cJSON *gcp_condition(const char *type, const char *state, const char *reason_key,
                     const char *reason, const char *message, const char *time);

/* instances.c; all with the lock held */
struct instance *gcp_instance_start(struct revision *v, const char *why);
void gcp_instance_stop(struct instance *x);
void gcp_instances_stop(struct service *v); /* all of them */
int gcp_max_instances(const struct service *v);
int gcp_min_instances(const struct service *v);
bool gcp_is_disabled(const struct service *v); /* scaled to zero by hand */
int gcp_live_instances(const struct revision *r);
void gcp_scale(struct service *v);
bool gcp_is_mounted(const struct sim *s, const char *dir);
cJSON *gcp_in_flight(const struct sim *s); /* service id -> requests that its instances have */
void gcp_await_change(struct sim *s, int64_t ms);
void gcp_housekeep(struct sim *s);          /* idle and minimum instances, ends */
void gcp_instances_stop_all(struct sim *s); /* without the lock; when the simulator ends */

/* container.c: from a template to containers that run. */
int gcp_service_spec(struct instance *x, struct sim_service_spec *ret, struct skl_error *err);
const cJSON *gcp_ingress_container(const cJSON *containers);
int gcp_declared_port(const cJSON *container);
void gcp_instance_dirs_remove(const struct instance *x);
bool gcp_is_stub(const struct revision *v);
/* The reference as the registry mirror knows it. Owned. */
char *gcp_image_source(struct sim *s, const char *image);
int64_t gcp_duration_ms(const char *text, int64_t dflt); /* "3600s" */

/* invoke.c: false: the request is not for a service. Without the lock. */
bool gcp_invoke(struct sim *s, const struct sim_request *r, struct sim_answer *a);

/* validate.c: false: answered */
bool gcp_service_validate(struct sim *s, const char *id, const cJSON *json, struct sim_answer *a);
bool gcp_cpu(const char *text, double *ret);
bool gcp_memory(const char *text, double *ret); /* MiB */
bool gcp_is_pair(double cpu, double memory);
bool gcp_labels_validate(const cJSON *labels, struct sim_answer *a);

/* schema.c: the body if all its fields are known (owned); NULL: answered */
cJSON *gcp_request(struct sim *s, const struct sim_request *r, const char *api, const char *schema,
                   struct sim_answer *a);

/* permissions.c */
/* method: "services.create". false: answered */
bool gcp_permitted(struct sim *s, const struct sim_request *r, const char *method,
                   struct sim_answer *a);
void gcp_project_permissions(struct sim *s, const struct sim_request *r, struct sim_answer *a);
void gcp_bucket_permissions(struct sim *s, const struct sim_request *r, struct sim_answer *a);

/* faults, in main.c: true: the call is answered */
bool gcp_invoke_fault(struct sim *s, struct sim_answer *a, bool *lost);

/* storage.c */
char *gcp_bucket_dir(struct sim *s, const char *bucket); /* owned; NULL: there is none */
/* registry.c */
bool gcp_repository_is_remote(struct sim *s, const char *location, const char *name);

/* functions.c: v2/projects/P/locations/R/functions... */
void gcp_functions(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                   const char *email, struct sim_answer *a);
cJSON *gcp_function_json(const struct function *f);
cJSON *gcp_function_metadata(const struct operation *o);
char *gcp_function_url(const struct function *f);
void gcp_functions_tick(struct sim *s); /* moves builds and deployments on */

/* function_service.c: the service below a function */
cJSON *gcp_function_service(const struct function *f);
char *gcp_function_service_id(const char *function_id);
bool gcp_function_validate(struct sim *s, const cJSON *json, struct sim_answer *a);
void gcp_runtimes(struct sim_answer *a);
bool gcp_is_docker_runtime(const cJSON *json);

/* storage.c: /storage/v1/b..., /upload/storage/v1/b..., upload URLs. false: no such path */
bool gcp_storage(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                 struct sim_answer *a);
bool gcp_object_exists(struct sim *s, const char *bucket, const char *object);
void gcp_bucket_add(struct sim *s, const char *bucket);
/* registry.c: v1/projects/P/locations/R/repositories... */
void gcp_registry(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                  struct sim_answer *a);

/* entries.c: v2/entries:list and :write */
void gcp_entries(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                 struct sim_answer *a);

/* logs.c; with the lock held */
struct log_entry *gcp_log_new(struct sim *s);
void gcp_log(struct sim *s, const struct revision *v, const char *instance, const char *log,
             const char *text, size_t n);
void gcp_log_request(struct sim *s, const struct revision *v, const char *instance,
                     const struct sim_request *r, int status, int64_t took_ms);

#endif
