/* The Azure clients of this backend, and the one form that all calls on sites and plans have. */
#include <stdio.h>

#include "azf.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/secrets.h"

#define BUSY_WAIT_MS 1000
#define KEY_LIFE_MS  (10 * 60 * 1000) /* keys are rotated now and then */
#define CONTENTION   "11008" /* "operation in progress" comes as 400 with this ExtendedCode */

int skl_azf_connect(struct skl_azf *azf, struct skl_error *err)
{
    const struct skl_azf_config *c = azf->config;
    const struct skl_azure_settings settings = {
        .rest = {.max_retries = 8}, /* a run is a dozen calls: as for Container Apps */
        .endpoint_url = skl_str_empty(c->endpoint_url) ? NULL : c->endpoint_url,
        .workspace = skl_str_empty(c->log_analytics_workspace) ? NULL : c->log_analytics_workspace,
        .auth = c->auth,
    };

    return skl_azure_new(&settings, &azf->azure, err);
}

void skl_azf_extend_deadline(struct skl_call *call, int64_t ms)
{
    if (call->deadline_ms == 0)
        call->deadline_ms = skl_mono_ms() + ms;
}

int skl_azf_web_call(struct skl_azf *azf, struct skl_call *call, const char *operation,
                     const char *method, const char *path, const char *query, const char *body,
                     bool run, struct skl_arm_result *ret, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf full = {0}, what = {0};
    struct skl_error why;
    struct skl_arm_call arm;
    int rc;

    skl_buf_init(&full, 8 * SKL_KIB);
    skl_buf_init(&what, SKL_KIB);
    skl_buf_addf(&full, "%s%s", azf->web_path, path);
    skl_buf_addf(&what, "%s of '%s'", operation, path + 1);
    arm = (struct skl_arm_call){
        .operation = operation,
        .what = what.p,
        .method = method,
        .path = full.p,
        .api_version = SKL_AZF_API,
        .query = query,
        .body = body,
        /* start, stop and restart bring the site into a state: again does no harm. */
        .idempotent = true,
        .deadline_ms = call->deadline_ms,
        .cancel = &call->canceled,
    };
    for (;;) {
        rc = run ? skl_arm_run(azf->azure->arm, &arm, ret, &why)
                 : skl_arm_send(azf->azure->arm, &arm, ret, &why);
        if (rc != -SKL_E_INVALID || !strstr(why.msg, CONTENTION))
            break;
        rc = skl_cloud_sleep(BUSY_WAIT_MS, call->deadline_ms, &call->canceled, &why);
        if (rc < 0)
            break;
        skl_arm_result_fini(ret);
    }
    if (rc < 0 && err)
        *err = why;
    return rc;
}

static int ask_storage_key(struct skl_azf *azf, struct skl_call *call, char **ret,
                           struct skl_error *err)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
    SKL_AUTO_BUF struct skl_buf path = {0};
    const cJSON *key;
    int rc;

    skl_buf_init(&path, 8 * SKL_KIB);
    skl_buf_addf(&path, "%s/providers/Microsoft.Storage/storageAccounts/%s/listKeys",
                 azf->group_path, azf->config->storage_account);
    rc = skl_arm_send(azf->azure->arm,
                      &(struct skl_arm_call){.operation = "storage.listKeys",
                                             .what = "asking for the storage account's key "
                                                     "(SOCKERLESS_AZF_STORAGE_ACCOUNT)",
                                             .method = "POST",
                                             .path = path.p,
                                             .api_version = SKL_AZF_STORAGE_API,
                                             .idempotent = true,
                                             .deadline_ms = call->deadline_ms,
                                             .cancel = &call->canceled},
                      &result, err);
    if (rc < 0)
        return rc;
    cJSON_ArrayForEach(key, skl_json_get(result.json, "keys"))
    {
        const char *value = skl_json_get_str(key, "value");

        if (!skl_str_empty(value) &&
            skl_str_ieqz(skl_str(skl_json_get_str(key, "permissions")), "Full")) {
            skl_secret_seen(value);
            *ret = skl_strdup(value);
            return 0;
        }
    }
    return skl_fail(err, SKL_E_FORBIDDEN, "the storage account '%s' gives no key with full rights",
                    azf->config->storage_account);
}

int skl_azf_storage_key(struct skl_azf *azf, struct skl_call *call, char **ret,
                        struct skl_error *err)
{
    char *key = NULL;
    int rc;

    (void)pthread_mutex_lock(&azf->lock);
    if (azf->storage_key && skl_mono_ms() - azf->storage_key_at_ms < KEY_LIFE_MS)
        key = skl_strdup(azf->storage_key);
    (void)pthread_mutex_unlock(&azf->lock);
    if (key) {
        *ret = key;
        return 0;
    }
    rc = ask_storage_key(azf, call, &key, err); /* two at once ask twice: rare, and harmless */
    if (rc < 0)
        return rc;
    (void)pthread_mutex_lock(&azf->lock);
    skl_secret_free(azf->storage_key);
    azf->storage_key = skl_strdup(key);
    azf->storage_key_at_ms = skl_mono_ms();
    (void)pthread_mutex_unlock(&azf->lock);
    *ret = key;
    return 0;
}
