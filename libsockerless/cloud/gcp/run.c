/* A change is a new revision, which the cloud tries out; the service itself tells the reason of a failure, which the
 * operation's error lacks. */
#include "cloud/gcp/run.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/error_text.h"

static const struct {
    const char *prefix;
    enum skl_kind kind;
} reasons[] = {
    {"CONTAINER_MISSING", SKL_E_NOTFOUND},
    {"CONTAINER_IMAGE_UNAUTHORIZED", SKL_E_FORBIDDEN},
    {"CONTAINER_IMAGE_AUTHORIZATION_CHECK_FAILED", SKL_E_FORBIDDEN},
    {"CONTAINER_PERMISSION_DENIED", SKL_E_FORBIDDEN},
    {"HEALTH_CHECK", SKL_E_INVALID},
    {"SECRETS_ACCESS_CHECK_FAILED", SKL_E_INVALID},
    {"VPC_NETWORK_NOT_FOUND", SKL_E_INVALID},
    {"ENCRYPTION_KEY_", SKL_E_INVALID},
    {"PROGRESS_DEADLINE_EXCEEDED", SKL_E_UNAVAILABLE},
    {"ACTIVE_REVISION_LIMIT_REACHED", SKL_E_UNAVAILABLE},
};

static const char *reason_of(const cJSON *condition)
{
    static const char *const keys[] = {"revisionReason", "reason", "executionReason"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(keys); i++) {
        const char *reason = skl_json_get_str(condition, keys[i]);

        if (!skl_str_empty(reason))
            return reason;
    }
    return "";
}

static void copy_text(char *out, size_t cap, const char *text)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, SKL_KIB);
    skl_error_text_add(&b, skl_str(text), cap - 1);
    (void)snprintf(out, cap, "%s", b.p);
}

void skl_run_service_judge(const cJSON *service, struct skl_run_condition *ret)
{
    const cJSON *condition = skl_json_get(service, "terminalCondition");
    const char *state = skl_json_get_str(condition, "state");

    *ret = (struct skl_run_condition){.state = SKL_RUN_PENDING};
    if (skl_json_get_bool(service, "reconciling", false) ||
        !skl_streq(skl_json_get_str(service, "observedGeneration"),
                   skl_json_get_str(service, "generation")))
        return;
    if (skl_streq(state, "CONDITION_FAILED")) {
        ret->state = SKL_RUN_FAILED;
        copy_text(ret->reason, sizeof(ret->reason), reason_of(condition));
        copy_text(ret->message, sizeof(ret->message), skl_json_get_str(condition, "message"));
    } else if (skl_streq(state, "CONDITION_SUCCEEDED") &&
               skl_streq(skl_json_get_str(service, "latestReadyRevision"),
                         skl_json_get_str(service, "latestCreatedRevision"))) {
        ret->state = SKL_RUN_READY;
    }
}

int skl_run_fail(struct skl_error *err, const struct skl_run_condition *condition, const char *what)
{
    enum skl_kind kind = SKL_E_INTERNAL;

    for (size_t i = 0; i < SKL_ARRAY_LEN(reasons); i++)
        if (skl_str_starts(skl_str(condition->reason), reasons[i].prefix))
            kind = reasons[i].kind;
    if (strstr(condition->message, "Quota exceeded"))
        kind = SKL_E_UNAVAILABLE;
    return skl_fail(err, kind, "%s: %s%s%s", what,
                    condition->reason[0] ? condition->reason : "it failed",
                    condition->message[0] ? ": " : "", condition->message);
}
