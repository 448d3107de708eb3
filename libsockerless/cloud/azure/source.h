/* source - where a token can come from; inside cloud/azure only.
 *
 * Shape   a source is a row of functions; credential.c walks the rows in order
 * Errors  SKL_SOURCE_ABSENT is no error: not configured here, ask the next one
 * Thread  any; a source keeps no state
 */
#ifndef SKL_CLOUD_AZURE_SOURCE_H
#define SKL_CLOUD_AZURE_SOURCE_H

#include "cloud/azure/credential.h"
#include "cloud/oauth.h"

#define SKL_SOURCE_ABSENT 1

/* The caller's settings, copied; every pointer may be NULL, never "". */
struct skl_azure_auth {
    char *tenant_id, *client_id, *client_secret;
    char *certificate_path, *certificate_password;
    char *federated_token_file;
    char *authority; /* with scheme, without a slash at the end */
    char *identity_endpoint, *identity_header;
    char *imds_host;
    bool imds_named; /* the caller set imds_host: it must be there */
    char *az_path;
    bool no_imds, no_cli;
    struct skl_rest *rest;
};

struct skl_token_request {
    const struct skl_azure_auth *auth;
    const char *scope;    /* of the v2 token endpoint */
    const char *resource; /* of everything else */
    bool known_good;      /* this source has given a token before */
    struct skl_token_limits limits;
};

/* 0, SKL_SOURCE_ABSENT, or an error that ends the search. */
typedef int skl_token_source_cb(const struct skl_token_request *q, struct skl_token *ret,
                                struct skl_error *err);
skl_token_source_cb skl_token_from_secret, skl_token_from_certificate, skl_token_from_federation,
    skl_token_from_identity_endpoint, skl_token_from_imds, skl_token_from_cli;

/* The signed JWT that proves possession of a certificate's key (PS256, x5t#S256); owned, secret. */
int skl_assertion_make(const char *pem_path, const char *password, const char *client_id,
                       const char *audience, char **ret, struct skl_error *err);
/* Only that the file holds a certificate and its key. */
int skl_assertion_check(const char *pem_path, const char *password, struct skl_error *err);

#endif
