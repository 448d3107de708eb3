/* arm_internal - what arm.c and arm_operation.c share. */
#ifndef SKL_CLOUD_AZURE_ARM_INTERNAL_H
#define SKL_CLOUD_AZURE_ARM_INTERNAL_H

#include "cloud/azure/arm.h"

struct skl_arm {
    struct skl_rest *rest;
    struct skl_azure_credential *credential;
    char *endpoint;
    int64_t poll_interval_ms, lro_timeout_ms;
};

/* One call with a token, repeated once after a 401. `url` is absolute and of our origin. A status >= 400 is
 * an error; the answer's headers are in *answer in any case. */
int skl_arm_exchange(struct skl_arm *a, const struct skl_arm_call *call, const char *url,
                     struct skl_rest_response *answer, struct skl_arm_result *ret,
                     struct skl_error *err);
/* The call's absolute URL, owned; fails for another origin. */
int skl_arm_url(const struct skl_arm *a, const struct skl_arm_call *call, char **ret,
                struct skl_error *err);
const char *skl_arm_what(const struct skl_arm_call *call);

#endif
