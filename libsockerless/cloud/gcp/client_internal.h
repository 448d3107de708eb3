/* client_internal - what the files of the client share. */
#ifndef SKL_CLOUD_GCP_CLIENT_INTERNAL_H
#define SKL_CLOUD_GCP_CLIENT_INTERNAL_H

#include "cloud/gcp/client.h"

struct skl_gcp_client {
    struct skl_rest *rest;
    struct skl_gcp_credential *credential;
    char *endpoint; /* NULL: Google's own */
    int64_t poll_interval_ms;
};

const char *skl_gcp_what(const struct skl_gcp_call *call);
/* skl_gcp_send(), and when the answer says to come back; -1: it did not. */
int skl_gcp_exchange(struct skl_gcp_client *c, const struct skl_gcp_call *call,
                     struct skl_gcp_result *ret, int64_t *ret_retry_after_ms,
                     struct skl_error *err);

/* An answer's body as one sentence; code (32) and reason (64) may be NULL. */
int skl_gcp_fail(struct skl_error *err, int status, struct skl_str body, const char *what,
                 char code[32], char reason[64]);
/* A google.rpc.Status, as operations hold it. */
int skl_gcp_fail_status(struct skl_error *err, const cJSON *status, const char *what, char code[32],
                        char reason[64]);
/* google.rpc.RetryInfo of an error's body in ms; -1: none. */
int64_t skl_gcp_retry_delay(struct skl_str body);
/* "3.5s" in ms; -1 if it is no duration. */
int64_t skl_gcp_duration_ms(const char *text);
/* The path of an operation, "/v2/<name>", owned; NULL for a name that cannot be one. */
char *skl_gcp_operation_path(enum skl_gcp_api api, const char *name);

#endif
