/* Opens the parts in their order and closes them in the reverse one. */
#include "cloud/gcp/gcp.h"

#include "base/alloc.h"
#include "cloud/cloud_metrics.h"

int skl_gcp_new(const struct skl_gcp_settings *s, struct skl_gcp **ret, struct skl_error *err)
{
    SKL_AUTO(gcp) g = skl_new0(struct skl_gcp);
    struct skl_gcp_client_settings client = {.endpoint_url = s->endpoint_url,
                                             .poll_interval_ms = s->poll_interval_ms};
    struct skl_rest_settings rest = skl_cloud_observed(&s->rest);
    int rc;

    if (skl_str_empty(s->project))
        return skl_fail(err, SKL_E_INVALID, "no Google Cloud project: expected its id");
    if (!skl_str_empty(s->endpoint_url) && !client.poll_interval_ms)
        client.poll_interval_ms = 200;
    g->rest = skl_rest_new(&rest);
    rc = skl_gcp_credential_new(&s->auth, s->endpoint_url, g->rest, &g->credential, err);
    if (rc == 0)
        rc = skl_gcp_client_new(&client, g->rest, g->credential, &g->client, err);
    if (rc < 0)
        return rc;
    g->logs = skl_gcp_logs_new(g->rest, g->client, s->project);
    *ret = skl_take(&g);
    return 0;
}

void skl_gcp_free(struct skl_gcp *g)
{
    if (!g)
        return;
    skl_gcp_logs_free(g->logs);
    skl_gcp_client_free(g->client);
    skl_gcp_credential_free(g->credential);
    skl_rest_free(g->rest);
    free(g);
}
