/* client - calls to Google's REST APIs: tokens, errors in one sentence, long-running operations, lists.
 *
 * Errors  the cloud's answer as one sentence with its code, e.g. "creating function 'x': ALREADY_EXISTS: ...".
 *         404 NOTFOUND, 409 and 412 CONFLICT (ret->code tells ABORTED from ALREADY_EXISTS), 401 and 403 FORBIDDEN,
 *         429 THROTTLED, 400 INVALID, 501 UNSUPPORTED, 408, 499 and 5xx UNAVAILABLE, anything else INTERNAL; a
 *         missing quota UNAVAILABLE, whatever its code. ret->status and ret->code are set then, too
 * Tokens  a 401 drops the token and the call is repeated once
 * Retries as in rest.h; RetryInfo in an answer's body counts as Retry-After
 * Thread  any
 */
#ifndef SKL_CLOUD_GCP_CLIENT_H
#define SKL_CLOUD_GCP_CLIENT_H

#include <cjson/cJSON.h>

#include "cloud/gcp/credential.h"

enum skl_gcp_api {
    SKL_GCP_FUNCTIONS,
    SKL_GCP_RUN,
    SKL_GCP_LOGGING,
    SKL_GCP_STORAGE,
    SKL_GCP_BUILD,
    SKL_GCP_ARTIFACTS,
    SKL_GCP_PROJECTS,
    SKL_GCP_API_MAX_
};

/* For whom a call is made and how long it may take; its pointers are borrowed. */
struct skl_gcp_context {
    int64_t
        deadline_ms; /* skl_mono_ms(); 0: 120 s for a call, 30 min for an operation or a state */
    const atomic_bool *cancel; /* may be NULL */
    const char *reason;        /* for audit logs: "sockerless/<container id>"; NULL: none */
};

/* Metadata of an operation, at its begin and at each poll; borrowed. */
typedef void skl_gcp_progress_cb(void *arg, const cJSON *metadata);

struct skl_gcp_call {
    enum skl_gcp_api api;
    const char *operation; /* "functions.create": metrics and logs */
    const char *what; /* begins the error sentence: "creating function 'x'"; NULL: the operation */
    const char *method;
    const char *path;         /* "/v2/projects/...", encoded */
    const char *query;        /* encoded: "functionId=x"; may be NULL */
    struct skl_str body;      /* borrowed; n = 0: none */
    const char *content_type; /* NULL: application/json */
    const char *
        resource; /* skl_gcp_run() only: path of what the call makes or changes. It is read when the answer was
                           * lost or the operation is not known any more; may be NULL */
    bool idempotent; /* GET, HEAD, PUT, DELETE are anyway */
    bool no_retry;
    struct skl_gcp_context context;
    skl_gcp_progress_cb *on_progress; /* may be NULL */
    void *progress_arg;
};

/* Owned; end it with skl_gcp_result_fini(). */
struct skl_gcp_result {
    int status; /* HTTP status of the last answer; 0: there was none */
    cJSON *
        json; /* the answer's body; NULL when it had none. After skl_gcp_run() what the operation made */
    char code[32];   /* "ALREADY_EXISTS", "ABORTED"..., of a call or an operation; "" on success */
    char reason[64]; /* of google.rpc.ErrorInfo: "SERVICE_DISABLED"; else "" */
    bool maybe_sent; /* no answer, but the request may have been acted on: look before repeating */
    bool looked_up;  /* skl_gcp_run(): json is `resource` as read, perhaps still in the making */
};
void skl_gcp_result_fini(struct skl_gcp_result *r);
#define SKL_AUTO_GCP_RESULT __attribute__((cleanup(skl_gcp_result_fini)))

struct skl_gcp_client_settings {
    const char *endpoint_url; /* NULL: Google itself; else for all APIs */
    int64_t poll_interval_ms; /* of operations and states; 0: 1 s. Retry-After of the cloud wins */
};

struct skl_gcp_client;
/* rest and credential are borrowed. */
int skl_gcp_client_new(const struct skl_gcp_client_settings *s, struct skl_rest *rest,
                       struct skl_gcp_credential *credential, struct skl_gcp_client **ret,
                       struct skl_error *err);
void skl_gcp_client_free(struct skl_gcp_client *c);
SKL_DEFINE_AUTO(gcp_client);
/* Scheme and host of an API. */
const char *skl_gcp_client_host(const struct skl_gcp_client *c, enum skl_gcp_api api);

/* One request and its answer. `ret` is overwritten, also on failure. */
int skl_gcp_send(struct skl_gcp_client *c, const struct skl_gcp_call *call,
                 struct skl_gcp_result *ret, struct skl_error *err);
/* The same, and then the long-running operation that it began, to its end, on the API that began it. A poll that
 * fails by network, 429 or 5xx is repeated until the deadline. A create whose answer was lost is looked up, and
 * repeated if it made nothing. A DELETE whose resource is gone in the end is done. */
int skl_gcp_run(struct skl_gcp_client *c, const struct skl_gcp_call *call,
                struct skl_gcp_result *ret, struct skl_error *err);

/* One look at an operation, by the name that its beginning told (call: api, operation, what, context): *done, and then ret
 * as after skl_gcp_run(); else ret->json is the operation with its metadata. NOTFOUND: it is not known any more. */
int skl_gcp_look(struct skl_gcp_client *c, const struct skl_gcp_call *call, const char *name,
                 bool *done, struct skl_gcp_result *ret, struct skl_error *err);

/* Each element of the member `items` ("functions", "services"...) over all pages; borrowed. false: enough, ends the walk
 * with 0. UNAVAILABLE at the end if locations did not answer: then absence proves nothing. */
typedef bool skl_gcp_item_cb(void *arg, const cJSON *item);
int skl_gcp_list(struct skl_gcp_client *c, const struct skl_gcp_call *call, const char *items,
                 skl_gcp_item_cb *cb, void *arg, struct skl_error *err);

/* The context with a deadline of 30 min if it has none. */
struct skl_gcp_context skl_gcp_long_context(const struct skl_gcp_context *context);

#endif
