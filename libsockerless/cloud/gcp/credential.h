/* credential - Application Default Credentials of Google: access tokens for its APIs, ID tokens for invocations.
 *
 * Shape   in Google's order: the file that is named, the file that gcloud keeps, the metadata server. The file's
 *         type decides how tokens are made: service_account, authorized_user, external_account (file and URL
 *         sources) and impersonated_service_account; others are refused by name
 * Cache   as in token_cache.h, one entry for the APIs and one per audience, refreshed when less than 225 s are left
 * Errors  UNAUTHORIZED with the endpoint's sentence; INVALID for a file that cannot be used; UNAVAILABLE when an
 *         endpoint cannot be reached. Secrets are never in a message
 * Owns    copies all settings; secrets are wiped by free
 * Thread  any
 */
#ifndef SKL_CLOUD_GCP_CREDENTIAL_H
#define SKL_CLOUD_GCP_CREDENTIAL_H

#include "cloud/rest.h"

/* NULL or "" is: not set. In brackets the variable that users know the setting by. */
struct skl_gcp_auth_settings {
    const char *credentials_file; /* [GOOGLE_APPLICATION_CREDENTIALS] must be readable when set */
    const char *config_dir;       /* [CLOUDSDK_CONFIG] default: .config/gcloud below home */
    const char *home;             /* [HOME] */
    const char *metadata_host;    /* [GCE_METADATA_HOST] HOST[:PORT]; metadata.google.internal */
    const char *no_metadata;      /* [NO_GCE_CHECK] "true": no metadata server */
    const char *quota_project;    /* [GOOGLE_CLOUD_QUOTA_PROJECT] wins over the file's */
    const char *invoker_account;  /* email: whose ID tokens to ask for when the credential is no
                                   * service account itself */
};

struct skl_gcp_credential;
/* Reads the file, asks nobody yet. endpoint_url (NULL: Google itself) replaces the Google hosts that a file names, and
 * the metadata server unless that has a setting. `rest` is borrowed and must outlive the credential. */
int skl_gcp_credential_new(const struct skl_gcp_auth_settings *s, const char *endpoint_url,
                           struct skl_rest *rest, struct skl_gcp_credential **ret,
                           struct skl_error *err);
void skl_gcp_credential_free(struct skl_gcp_credential *c);
SKL_DEFINE_AUTO(gcp_credential);

/* For calls of APIs. *ret is owned (wipe with skl_secret_free()). May block for requests. deadline 0: 120 s. */
int skl_gcp_access_token(struct skl_gcp_credential *c, int64_t deadline_ms,
                         const atomic_bool *cancel, char **ret, struct skl_error *err);
/* For invocations; audience: the service's URL. */
int skl_gcp_id_token(struct skl_gcp_credential *c, const char *audience, int64_t deadline_ms,
                     const atomic_bool *cancel, char **ret, struct skl_error *err);
/* Drops that token, of either kind, if it is still a cached one: somebody answered 401 to it. */
void skl_gcp_credential_invalidate(struct skl_gcp_credential *c, const char *token);

/* "service account key '/path'", "metadata server"... */
const char *skl_gcp_credential_source(const struct skl_gcp_credential *c);
/* Who pays for API calls (x-goog-user-project); NULL: the project of the call. */
const char *skl_gcp_credential_quota_project(const struct skl_gcp_credential *c);

#endif
