/* Opens the parts in their order and closes them in the reverse one. */
#include "cloud/azure/azure.h"

#include "base/alloc.h"
#include "cloud/cloud_metrics.h"

int skl_azure_new(const struct skl_azure_settings *s, struct skl_azure **ret, struct skl_error *err)
{
    SKL_AUTO(azure) a = skl_new0(struct skl_azure);
    struct skl_azure_auth_settings auth = s->auth;
    struct skl_rest_settings rest = skl_cloud_observed(&s->rest);
    struct skl_arm_settings arm = {.endpoint = s->endpoint_url,
                                   .poll_interval_ms = s->poll_interval_ms};
    struct skl_logs_settings logs = {.endpoint = s->endpoint_url, .workspace = s->workspace};
    int rc;

    if (!skl_str_empty(s->endpoint_url)) {
        if (skl_str_empty(auth.authority_host))
            auth.authority_host = s->endpoint_url;
        if (!arm.poll_interval_ms)
            arm.poll_interval_ms = 200;
    }
    a->rest = skl_rest_new(&rest);
    rc = skl_azure_credential_new(&auth, a->rest, &a->credential, err);
    if (rc == 0)
        rc = skl_arm_new(&arm, a->rest, a->credential, &a->arm, err);
    if (rc == 0 && !skl_str_empty(s->workspace))
        rc = skl_logs_new(&logs, a->rest, a->credential, a->arm, &a->logs, err);
    if (rc < 0)
        return rc;
    *ret = skl_take(&a);
    return 0;
}

void skl_azure_free(struct skl_azure *a)
{
    if (!a)
        return;
    skl_logs_free(a->logs);
    skl_arm_free(a->arm);
    skl_azure_credential_free(a->credential);
    skl_rest_free(a->rest);
    free(a);
}
