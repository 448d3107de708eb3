/* azure - everything that talks to Azure, opened together from one struct of settings.
 *
 * Hosts   with endpoint_url (SOCKERLESS_ENDPOINT_URL, the simulator) ARM, login and query are that one
 *         URL; auth.authority_host still wins for tokens
 * Thread  any, once open
 */
#ifndef SKL_CLOUD_AZURE_AZURE_H
#define SKL_CLOUD_AZURE_AZURE_H

#include "cloud/azure/loganalytics.h"

struct skl_azure_settings {
    const char *endpoint_url; /* NULL: Azure itself */
    struct skl_azure_auth_settings auth;
    const char *workspace;    /* NULL: `logs` stays NULL */
    int64_t poll_interval_ms; /* 0: 2 s, with endpoint_url 200 ms */
    struct skl_rest_settings rest;
};

struct skl_azure {
    struct skl_rest *rest;
    struct skl_azure_credential *credential;
    struct skl_arm *arm;
    struct skl_logs *logs; /* NULL without a workspace */
};

int skl_azure_new(const struct skl_azure_settings *s, struct skl_azure **ret,
                  struct skl_error *err);
void skl_azure_free(struct skl_azure *a);
SKL_DEFINE_AUTO(azure);

#endif
