/* The Azure clients of this backend, and the one form that all calls on jobs have. */
#include <stdio.h>

#include "aca.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"

int skl_aca_connect(struct skl_aca *aca, struct skl_error *err)
{
    const struct skl_aca_config *c = aca->config;
    const struct skl_azure_settings settings = {
        /* A run makes a dozen calls and the first that fails for good fails it: with one call in five failing,
         * five attempts each would still lose one run in two hundred. */
        .rest = {.max_retries = 8},
        .endpoint_url = skl_str_empty(c->endpoint_url) ? NULL : c->endpoint_url,
        .workspace = skl_str_empty(c->log_analytics_workspace) ? NULL : c->log_analytics_workspace,
        .auth = c->auth,
    };

    return skl_azure_new(&settings, &aca->azure, err);
}

void skl_aca_job_name(const char *short_id, char out[SKL_ACA_JOB_NAME_LEN])
{
    snprintf(out, SKL_ACA_JOB_NAME_LEN, "sockerless-%s", short_id);
}

int skl_aca_job_call(struct skl_aca *aca, struct skl_call *call, const char *operation,
                     const char *method, const char *job, const char *rest, const char *body,
                     bool run, struct skl_arm_result *ret, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0}, what = {0};
    struct skl_arm_call arm;

    skl_buf_init(&path, 8 * SKL_KIB);
    skl_buf_init(&what, SKL_KIB);
    skl_buf_addf(&path, "%s/%s%s", aca->jobs_path, job, rest);
    skl_buf_addf(&what, "%s of job '%s'", operation, job);
    arm = (struct skl_arm_call){
        .operation = operation,
        .what = what.p,
        .method = method,
        .path = path.p,
        .api_version = SKL_ACA_API,
        .body = body,
        .deadline_ms = call->deadline_ms,
        .cancel = &call->canceled,
    };
    return run ? skl_arm_run(aca->azure->arm, &arm, ret, err)
               : skl_arm_send(aca->azure->arm, &arm, ret, err);
}
