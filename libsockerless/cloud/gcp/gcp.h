/* gcp - everything that talks to Google Cloud, opened together from one struct of settings.
 *
 * Hosts   with endpoint_url (SOCKERLESS_ENDPOINT_URL, the simulator) all of Google's hosts are that one URL
 * Thread  any, once open
 */
#ifndef SKL_CLOUD_GCP_GCP_H
#define SKL_CLOUD_GCP_GCP_H

#include "cloud/gcp/logging.h"

struct skl_gcp_settings {
    const char *endpoint_url; /* NULL: Google itself */
    const char *project;      /* its id; required */
    struct skl_gcp_auth_settings auth;
    int64_t poll_interval_ms; /* 0: 1 s, with endpoint_url 200 ms */
    struct skl_rest_settings rest;
};

struct skl_gcp {
    struct skl_rest *rest;
    struct skl_gcp_credential *credential;
    struct skl_gcp_client *client;
    struct skl_gcp_logs *logs;
};

int skl_gcp_new(const struct skl_gcp_settings *s, struct skl_gcp **ret, struct skl_error *err);
void skl_gcp_free(struct skl_gcp *g);
SKL_DEFINE_AUTO(gcp);

#endif
