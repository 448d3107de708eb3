/* A change is a new revision, which the cloud tries out; the operation ends with its result, and the service itself
 * tells the reason of a failure, which the operation's error lacks. */
#include "cloud/gcp/run.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/error_text.h"

#define MAX_UPDATES 6 /* of one change, each time somebody else was faster */

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

static char *format_path(const char *name)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 2 * SKL_KIB);
    skl_buf_addf(&b, "/v2/%s", name);
    return skl_buf_detach(&b);
}

static char *format_what(const char *verb, const char *name)
{
    const char *id = strrchr(name, '/');
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, SKL_KIB);
    skl_buf_addf(&b, "%s service '%.200s'", verb, id ? id + 1 : name);
    return skl_buf_detach(&b);
}

int skl_run_service_get(struct skl_gcp_client *c, const char *name,
                        const struct skl_gcp_context *context, cJSON **ret, struct skl_error *err)
{
    SKL_AUTO_GCP_RESULT struct skl_gcp_result r = {0};
    char *path SKL_AUTO_STR = format_path(name);
    char *what SKL_AUTO_STR = format_what("reading", name);
    struct skl_gcp_call call = {.api = SKL_GCP_RUN,
                                .operation = "services.get",
                                .what = what,
                                .method = "GET",
                                .path = path};
    int rc;

    if (context)
        call.context = *context;
    rc = skl_gcp_send(c, &call, &r, err);
    if (rc < 0)
        return rc;
    if (!cJSON_IsObject(r.json))
        return skl_fail(err, SKL_E_INTERNAL, "%s: the answer is no service", what);
    *ret = skl_take(&r.json);
    return 0;
}

int skl_run_service_await(struct skl_gcp_client *c, const char *name,
                          const struct skl_gcp_context *context, cJSON **ret,
                          struct skl_run_condition *condition, struct skl_error *err)
{
    struct skl_gcp_context until = skl_gcp_long_context(context);
    char *what SKL_AUTO_STR = format_what("deploying", name);
    struct skl_run_condition own;

    if (!condition)
        condition = &own;
    *condition = (struct skl_run_condition){.state = SKL_RUN_PENDING};
    for (;;) {
        SKL_AUTO_JSON cJSON *service = NULL;
        int rc = skl_run_service_get(c, name, &until, &service, err);

        if (rc < 0)
            return rc;
        skl_run_service_judge(service, condition);
        if (condition->state == SKL_RUN_FAILED)
            return skl_run_fail(err, condition, what);
        if (condition->state == SKL_RUN_READY) {
            if (ret)
                *ret = skl_take(&service);
            return 0;
        }
        rc = skl_gcp_poll_sleep(c, &until, what, err);
        if (rc < 0)
            return rc;
    }
}

/* -- changes */

struct update {
    struct skl_gcp_client *client;
    const char *name;
    skl_run_edit_cb *edit;
    void *arg;
    struct skl_gcp_context context;
    const char *path, *what, *query;
};

enum outcome {
    CHANGED,
    REFUSED,   /* nothing has changed */
    OVERTAKEN, /* somebody else was faster, or the answer was lost: read anew */
    TRIED      /* the new revision does not work */
};

static int update_once(const struct update *u, enum outcome *outcome, struct skl_error *err)
{
    SKL_AUTO_GCP_RESULT struct skl_gcp_result r = {0};
    SKL_AUTO_JSON cJSON *service = NULL;
    char *body SKL_AUTO_STR = NULL;
    struct skl_gcp_call call = {.api = SKL_GCP_RUN,
                                .operation = "services.patch",
                                .what = u->what,
                                .method = "PATCH",
                                .path = u->path,
                                .query = u->query,
                                .context = u->context};
    int rc = skl_run_service_get(u->client, u->name, &u->context, &service, err);

    *outcome = REFUSED;
    if (rc == 0)
        rc = u->edit(u->arg, service, err);
    if (rc < 0)
        return rc;
    body = skl_json_text(service);
    call.body = skl_str(body);
    rc = skl_gcp_run(u->client, &call, &r, err);
    if (rc == 0)
        *outcome = CHANGED;
    else if (r.status == 200)
        *outcome = TRIED;
    else if (skl_streq(r.code, "ABORTED") || r.status >= 500 || (r.status == 0 && r.maybe_sent))
        *outcome = OVERTAKEN;
    return rc;
}

/* The service knows more of the reason than the operation's error, which is what *err holds. */
static int explain(const struct update *u, int rc, struct skl_run_condition *condition,
                   struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *service = NULL;

    if (skl_run_service_get(u->client, u->name, &u->context, &service, NULL) < 0)
        return rc;
    skl_run_service_judge(service, condition);
    if (condition->state != SKL_RUN_FAILED)
        return rc;
    return skl_run_fail(err, condition, u->what);
}

int skl_run_service_update(struct skl_gcp_client *c, const char *name, const char *mask,
                           skl_run_edit_cb *edit, void *arg, const struct skl_gcp_context *context,
                           cJSON **ret, struct skl_run_condition *condition, struct skl_error *err)
{
    char *path SKL_AUTO_STR = format_path(name);
    char *what SKL_AUTO_STR = format_what("changing", name);
    SKL_AUTO_BUF struct skl_buf query = {0};
    struct update u = {.client = c,
                       .name = name,
                       .edit = edit,
                       .arg = arg,
                       .context = skl_gcp_long_context(context),
                       .path = path,
                       .what = what};
    struct skl_run_condition own_condition;
    enum outcome outcome = OVERTAKEN;
    struct skl_error own;
    int rc = 0;

    if (!err)
        err = &own;
    if (!condition)
        condition = &own_condition;
    *condition = (struct skl_run_condition){.state = SKL_RUN_PENDING};
    skl_buf_init(&query, SKL_KIB);
    if (mask)
        skl_buf_addf(&query, "updateMask=%s", mask);
    u.query = query.p;
    for (int i = 0; outcome == OVERTAKEN && i < MAX_UPDATES; i++) {
        if (i > 0) {
            rc = skl_gcp_poll_sleep(c, &u.context, what, err);
            if (rc < 0)
                return rc;
        }
        rc = update_once(&u, &outcome, err);
    }
    if (outcome == CHANGED)
        return skl_run_service_await(c, name, &u.context, ret, condition, err);
    return outcome == TRIED ? explain(&u, rc, condition, err) : rc;
}
