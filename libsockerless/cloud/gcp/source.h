/* source - how each kind of Google credential makes its tokens; inside cloud/gcp only.
 *
 * Shape   skl_gcp_source_load() reads a credential's JSON into a struct; a function per kind asks for its tokens;
 *         credential.c knows which to call. An impersonated account holds its source credential
 * Thread  any; a source is constant once loaded
 */
#ifndef SKL_CLOUD_GCP_SOURCE_H
#define SKL_CLOUD_GCP_SOURCE_H

#include <cjson/cJSON.h>

#include "cloud/gcp/credential.h"
#include "cloud/oauth.h"

#define SKL_GCP_SCOPE "https://www.googleapis.com/auth/cloud-platform"

enum skl_gcp_source_kind {
    SKL_GCP_SERVICE_ACCOUNT,
    SKL_GCP_AUTHORIZED_USER,
    SKL_GCP_EXTERNAL_ACCOUNT,
    SKL_GCP_IMPERSONATED,
    SKL_GCP_METADATA
};

/* Every pointer may be NULL where a kind does not use it, never "". URLs are as they are called. */
struct skl_gcp_source {
    enum skl_gcp_source_kind kind;
    char *quota_project;
    /* service_account */
    char *email, *private_key, *private_key_id;
    char *assertion_audience; /* the token_uri as the file has it */
    /* service_account, authorized_user, external_account */
    char *token_url;
    /* authorized_user, external_account */
    char *client_id, *client_secret;
    char *refresh_token;
    /* external_account */
    char *audience, *subject_token_type, *subject_file, *subject_url, *subject_field;
    char **subject_headers; /* name, value, name, value... */
    char *workforce_project;
    /* external_account, impersonated_service_account */
    char *impersonated;      /* email */
    char *impersonation_url; /* ...:generateAccessToken */
    char **delegates;
    int64_t lifetime_s;
    struct skl_gcp_source *base; /* of impersonated_service_account */
    /* metadata */
    char *metadata_url; /* with scheme, without a slash at the end */
    bool metadata_sure; /* somebody named it: it must be there */
};

/* `json` is the whole file. INVALID with what is missing, or the type that is not supported. */
int skl_gcp_source_load(const cJSON *json, const char *endpoint, struct skl_gcp_source **ret,
                        struct skl_error *err);
struct skl_gcp_source *skl_gcp_source_metadata(const char *url, bool sure); /* copied */
void skl_gcp_source_free(struct skl_gcp_source *s);
SKL_DEFINE_AUTO(gcp_source);

/* By kind. target_audience NULL: an access token. */
int skl_gcp_service_account_token(const struct skl_gcp_source *s, struct skl_rest *rest,
                                  const char *target_audience,
                                  const struct skl_token_limits *limits, struct skl_token *ret,
                                  struct skl_error *err);
int skl_gcp_metadata_token(const struct skl_gcp_source *s, struct skl_rest *rest,
                           const char *target_audience, const struct skl_token_limits *limits,
                           struct skl_token *ret, struct skl_error *err);
int skl_gcp_user_token(const struct skl_gcp_source *s, struct skl_rest *rest,
                       const struct skl_token_limits *limits, struct skl_token *ret,
                       struct skl_error *err);
/* Of the federated identity itself, without impersonation. */
int skl_gcp_external_token(const struct skl_gcp_source *s, struct skl_rest *rest,
                           const struct skl_token_limits *limits, struct skl_token *ret,
                           struct skl_error *err);

/* IAM credentials, for who holds `bearer`; *refused: that token was answered with 401. */
int skl_gcp_iam_access_token(const struct skl_gcp_source *s, struct skl_rest *rest,
                             const char *bearer, const struct skl_token_limits *limits,
                             bool *refused, struct skl_token *ret, struct skl_error *err);
struct skl_gcp_id_token_ask {
    const char *url; /* ".../serviceAccounts/EMAIL:generateIdToken" */
    const char *audience;
    char *const *delegates; /* may be NULL */
};
int skl_gcp_iam_id_token(const struct skl_gcp_id_token_ask *ask, struct skl_rest *rest,
                         const char *bearer, const struct skl_token_limits *limits, bool *refused,
                         struct skl_token *ret, struct skl_error *err);

/* The life that an ID token says it has; INTERNAL if it is no JWT or has ended. Its signature is not ours to check. */
int skl_gcp_id_token_read(const char *source, struct skl_str text, struct skl_token *ret,
                          struct skl_error *err);

#endif
