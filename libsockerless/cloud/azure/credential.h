/* credential - Microsoft Entra tokens: who we are, cached per audience.
 *
 * Shape   the first source that is configured is used: environment (secret, then certificate),
 *         workload identity file, managed identity, the `az` command line. A source that is configured
 *         but refused ends the search with its error; one that is not configured is skipped
 * Cache   as in token_cache.h, refreshed when less than max(5 min, 10 %) is left
 * Errors  UNAUTHORIZED with the AADSTS code and the first line of its description; UNAVAILABLE when
 *         the authority cannot be reached. Secrets are never in a message
 * Owns    copies all settings; secrets are wiped by free
 * Thread  any
 */
#ifndef SKL_CLOUD_AZURE_CREDENTIAL_H
#define SKL_CLOUD_AZURE_CREDENTIAL_H

#include "cloud/rest.h"

enum skl_azure_audience {
    SKL_AZURE_ARM,
    SKL_AZURE_LOGS,
    SKL_AZURE_STORAGE,
    SKL_AZURE_AUDIENCE_MAX_
};

/* NULL or "" is: not set. In brackets the variable that users know the setting by. */
struct skl_azure_auth_settings {
    const char *tenant_id;            /* [AZURE_TENANT_ID] */
    const char *client_id;            /* [AZURE_CLIENT_ID] also picks a user-assigned identity */
    const char *client_secret;        /* [AZURE_CLIENT_SECRET] */
    const char *certificate_path;     /* [AZURE_CLIENT_CERTIFICATE_PATH] PEM: certificate and key */
    const char *certificate_password; /* [AZURE_CLIENT_CERTIFICATE_PASSWORD] */
    const char *federated_token_file; /* [AZURE_FEDERATED_TOKEN_FILE] read anew each time */
    const char *authority_host;       /* [AZURE_AUTHORITY_HOST] https://login.microsoftonline.com */
    const char *identity_endpoint;    /* [IDENTITY_ENDPOINT] App Service, Container Apps */
    const char *identity_header;      /* [IDENTITY_HEADER] secret */
    const char *imds_host; /* [AZURE_POD_IDENTITY_AUTHORITY_HOST] http://169.254.169.254 */
    const char *az_path;   /* "az", looked up in PATH */
    bool no_imds, no_cli;  /* leaves these sources out */
};

struct skl_azure_credential;
/* Asks nobody yet. Fails (INVALID) on settings that contradict each other or a certificate that cannot be
 * read. `rest` is borrowed and must outlive the credential. */
int skl_azure_credential_new(const struct skl_azure_auth_settings *s, struct skl_rest *rest,
                             struct skl_azure_credential **ret, struct skl_error *err);
void skl_azure_credential_free(struct skl_azure_credential *c);
SKL_DEFINE_AUTO(azure_credential);

/* *ret is owned (wipe with skl_secret_free()). May block for a request. */
int skl_azure_credential_token(struct skl_azure_credential *c, enum skl_azure_audience audience,
                               int64_t deadline_ms, const atomic_bool *cancel, char **ret,
                               struct skl_error *err);
/* Drops that token, if it is still a cached one: the cloud answered 401 to it. */
void skl_azure_credential_invalidate(struct skl_azure_credential *c, const char *token);
/* Who issues its tokens, without a slash at the end; managed identities ask nobody else. */
const char *skl_azure_credential_authority(const struct skl_azure_credential *c);
/* "environment (client secret)", "managed identity"...; "none yet" before the first token. */
const char *skl_azure_credential_source(struct skl_azure_credential *c);

#endif
