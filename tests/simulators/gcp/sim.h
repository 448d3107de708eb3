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

#include "base/list.h"
#include "base/map.h"
#include "sim_http.h"
#include "workload.h"

struct sim_options {
    char *listen, *agent, *state_dir, *runtime, *mirror, *fault, *log_level;
    char *project, *credentials_dir, *refresh_token, *subject_token, *metadata_email;
    char **strangers; /* accounts without run.routes.invoke on the project */
    int64_t latency_ms, ingestion_delay_s, fault_seed, token_lifetime_s, stop_grace_s;
    int64_t project_number, read_quota, idle_s, pending_s, startup_s;
    bool docker_runtime, google_uris, help, version;
};

struct token {
    struct skl_list in_sim;
    char value[80];
    char *email;
    int64_t expires_ms;
};

struct sim {
    pthread_mutex_t lock;
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

#endif
