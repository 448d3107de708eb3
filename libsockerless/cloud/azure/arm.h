/* arm - calls to Azure Resource Manager: tokens, errors in one sentence, long-running operations, lists.
 *
 * Errors  the cloud's answer as one sentence with its code, e.g. "creating job 'x': ResourceNotFound: ...".
 *         404 NOTFOUND, 409 and 412 CONFLICT, 401 and 403 FORBIDDEN, 429 THROTTLED, 400 INVALID,
 *         408 and 5xx UNAVAILABLE, anything else INTERNAL. ret->status and ret->code are set then, too
 * Tokens  a 401 drops the token and the call is repeated once; a second 401 is reported (Microsoft.Web
 *         says 401 for quota)
 * Trust   a polling URL or nextLink is followed only to the configured scheme, host and port, because
 *         the token goes with it
 * Thread  any
 */
#ifndef SKL_CLOUD_AZURE_ARM_H
#define SKL_CLOUD_AZURE_ARM_H

#include <cjson/cJSON.h>

#include "cloud/azure/credential.h"

struct skl_arm_settings {
    const char *endpoint; /* NULL: https://management.azure.com */
    int64_t
        poll_interval_ms;   /* of long-running operations; 0: 2 s. Retry-After of the cloud wins */
    int64_t lro_timeout_ms; /* when the call has no deadline; 0: 20 min */
};

struct skl_arm_call {
    const char *operation; /* "jobs.create": metrics and logs */
    const char *what;      /* begins the error sentence: "creating job 'x'"; NULL: the operation */
    const char *method;
    const char *path; /* "/subscriptions/..." (encoded), or an absolute URL of the same origin */
    const char *api_version; /* NULL: the path carries it already */
    const char *query;       /* further parameters, encoded: "$filter=..."; may be NULL */
    const char *body;        /* JSON text; NULL: none */
    bool idempotent;         /* GET, HEAD, PUT, DELETE are anyway */
    bool no_retry;
    int64_t deadline_ms;       /* skl_mono_ms(); 0: 120 s, for skl_arm_run the setting above */
    const atomic_bool *cancel; /* may be NULL */
};

/* Owned; end it with skl_arm_result_fini(). */
struct skl_arm_result {
    int status;      /* HTTP status of the last answer; 0: there was none */
    cJSON *json;     /* the answer's body; NULL when it had none */
    char code[96];   /* the cloud's error code; "" on success or if there was none */
    bool maybe_sent; /* no answer, but the request may have been acted on: look before repeating */
};
void skl_arm_result_fini(struct skl_arm_result *r);
#define SKL_AUTO_ARM_RESULT __attribute__((cleanup(skl_arm_result_fini)))

struct skl_arm;
/* rest and credential are borrowed. */
int skl_arm_new(const struct skl_arm_settings *s, struct skl_rest *rest,
                struct skl_azure_credential *credential, struct skl_arm **ret,
                struct skl_error *err);
void skl_arm_free(struct skl_arm *a);
SKL_DEFINE_AUTO(arm);
const char *skl_arm_endpoint(const struct skl_arm *a); /* without a slash at the end */

/* One request and its answer. `ret` is overwritten, also on failure. */
int skl_arm_send(struct skl_arm *a, const struct skl_arm_call *call, struct skl_arm_result *ret,
                 struct skl_error *err);
/* The same, and then the long-running operation that it may have begun, to its end: Azure-AsyncOperation,
 * else Location, else properties.provisioningState. ret->json is the final resource, where there is
 * one. A poll that fails by network, 429 or 5xx is repeated until the deadline. */
int skl_arm_run(struct skl_arm *a, const struct skl_arm_call *call, struct skl_arm_result *ret,
                struct skl_error *err);

/* Each element of "value" over all pages; the item is borrowed. false: enough, ends the walk with 0. */
typedef bool skl_arm_item_cb(void *arg, const cJSON *item);
int skl_arm_list(struct skl_arm *a, const struct skl_arm_call *call, skl_arm_item_cb *cb, void *arg,
                 struct skl_error *err);

/* For other hosts with ARM's error shapes. Reads `body` (both spellings, or no JSON at all) and fails with
 * the kind for `status`; code (96 bytes) may be NULL. */
int skl_azure_fail(struct skl_error *err, int status, struct skl_str body, const char *what,
                   char code[96]);

#endif
