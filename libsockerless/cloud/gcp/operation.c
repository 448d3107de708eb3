/* Long-running operations of Google's APIs.
 *
 * The first answer is the operation; it is polled by name until it is done, and done with an error is a failure although
 * every HTTP status was 200. A poll that fails for its own reasons says nothing about the operation: it is repeated,
 * slower each time, until the deadline.
 *
 * A create is never repeated blindly: when its answer was lost, or was a 5xx that may have come after the deed, the
 * resource is read, and only if it is not there the create is sent again. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/gcp/client_internal.h"

#define MAX_POLL_DELAY_MS 60000
#define CALL_MS           120000
#define MAX_SENDS         3

struct operation {
    struct skl_gcp_client *client;
    struct skl_gcp_call call; /* as the caller made it, with a deadline */
    char *path;               /* where to poll */
    unsigned failed_polls;    /* in a row */
};

char *skl_gcp_operation_path(enum skl_gcp_api api, const char *name)
{
    const char *version = api == SKL_GCP_FUNCTIONS || api == SKL_GCP_RUN ? "v2" : "v1";
    SKL_AUTO_BUF struct skl_buf b = {0};

    if (skl_str_empty(name) || strlen(name) > 1024 || strstr(name, "..") || name[0] == '/' ||
        !strstr(name, "operations/"))
        return NULL;
    for (const char *p = name; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              strchr("-_./:=~", *p)))
            return NULL;
    skl_buf_init(&b, 2 * SKL_KIB);
    skl_buf_addf(&b, "/%s/%s", version, name);
    return skl_buf_detach(&b);
}

static struct skl_gcp_call get_of(const struct operation *op, const char *path)
{
    struct skl_gcp_call get = {.api = op->call.api,
                               .operation = op->call.operation,
                               .what = op->call.what,
                               .method = "GET",
                               .path = path,
                               .context = op->call.context};
    int64_t call_end_ms = skl_mono_ms() + CALL_MS;

    if (get.context.deadline_ms > call_end_ms)
        get.context.deadline_ms = call_end_ms; /* one call does not take the whole time */
    return get;
}

static bool deletes(const struct operation *op)
{
    return skl_streq(op->call.method, "DELETE");
}

/* Takes the operation's result out of its answer. */
static int finish(const struct operation *op, struct skl_gcp_result *ret, struct skl_error *err)
{
    const cJSON *error = skl_json_get(ret->json, "error");
    cJSON *response;

    if (cJSON_IsObject(error))
        return skl_gcp_fail_status(err, error, skl_gcp_what(&op->call), ret->code, ret->reason);
    response = cJSON_DetachItemFromObjectCaseSensitive(ret->json, "response");
    cJSON_Delete(ret->json);
    ret->json = response;
    cJSON_DeleteItemFromObjectCaseSensitive(response, "@type"); /* as a GET would give it */
    return 0;
}

static void tell_progress(const struct operation *op, const struct skl_gcp_result *r)
{
    const cJSON *metadata = skl_json_get(r->json, "metadata");

    if (op->call.on_progress && cJSON_IsObject(metadata))
        op->call.on_progress(op->call.progress_arg, metadata);
}

static int sleep_before_poll(const struct operation *op, int64_t said_ms, struct skl_error *err)
{
    const struct skl_gcp_context *context = &op->call.context;
    int64_t ms = op->client->poll_interval_ms;
    int rc;

    if (said_ms >= 0)
        ms = said_ms;
    else if (op->failed_polls > 0)
        ms <<= op->failed_polls < 6 ? op->failed_polls : 6;
    if (ms > MAX_POLL_DELAY_MS)
        ms = MAX_POLL_DELAY_MS;
    rc = skl_cloud_sleep(ms, context->deadline_ms, context->cancel, err);
    if (rc == -SKL_E_TIMEOUT)
        return skl_fail(err, SKL_E_TIMEOUT, "%s: the cloud is still busy with it",
                        skl_gcp_what(&op->call));
    return rc;
}

static bool says_nothing(int rc, int status)
{
    if (status == 0)
        return rc == -SKL_E_UNAVAILABLE || rc == -SKL_E_TIMEOUT;
    return status == 408 || status == 429 || status >= 500;
}

/* Reads the resource in the place of an answer: 0 when it is there (or, after a DELETE, is not). */
static int look_up(struct operation *op, struct skl_gcp_result *ret, struct skl_error *err)
{
    struct skl_gcp_call get = get_of(op, op->call.resource);
    int rc;

    skl_gcp_result_fini(ret);
    rc = skl_gcp_send(op->client, &get, ret, err);
    ret->looked_up = rc == 0;
    if (!deletes(op))
        return rc;
    if (rc == 0)
        return skl_fail(err, SKL_E_UNAVAILABLE, "%s: it is still there", skl_gcp_what(&op->call));
    if (ret->status != 404)
        return rc;
    ret->code[0] = '\0';
    return 0;
}

/* Polls until the operation in ret->json is done. */
static int follow(struct operation *op, int64_t said_ms, struct skl_gcp_result *ret,
                  struct skl_error *err)
{
    for (;;) {
        struct skl_gcp_call get;
        int rc;

        if (ret->json) {
            tell_progress(op, ret);
            if (skl_json_get_bool(ret->json, "done", false))
                return finish(op, ret, err);
        }
        rc = sleep_before_poll(op, said_ms, err);
        if (rc < 0)
            return rc;
        get = get_of(op, op->path);
        get.no_retry = true;
        skl_gcp_result_fini(ret);
        rc = skl_gcp_exchange(op->client, &get, ret, &said_ms, err);
        op->failed_polls = rc < 0 ? op->failed_polls + 1 : 0;
        if (rc < 0 && ret->status == 404 && op->call.resource)
            return look_up(op, ret, err);
        if (rc < 0 &&
            !(says_nothing(rc, ret->status) && skl_mono_ms() < op->call.context.deadline_ms))
            return rc;
    }
}

/* The answer does not tell whether the create was acted on. */
static bool is_lost(const struct operation *op, int rc, const struct skl_gcp_result *r)
{
    if (rc == 0 || !op->call.resource || op->call.idempotent || deletes(op))
        return false;
    return r->status == 0 ? r->maybe_sent : r->status >= 500 && r->status != 501;
}

/* Sends the call until it was acted on; *done: ret holds the end of it. */
static int begin(struct operation *op, int64_t *said_ms, bool *done, struct skl_gcp_result *ret,
                 struct skl_error *err)
{
    struct skl_gcp_call first = op->call;
    bool lost = false;
    int rc;

    for (int sends = 1;; sends++) {
        struct skl_error why = {0};

        first.context = get_of(op, op->call.path).context;
        rc = skl_gcp_exchange(op->client, &first, ret, said_ms, err);
        if (rc == 0)
            return 0;
        if (!is_lost(op, rc, ret) && !(lost && skl_streq(ret->code, "ALREADY_EXISTS")))
            return rc;
        lost = true;
        rc = look_up(op, ret, &why);
        if (rc == 0) {
            *done = true;
            return 0;
        }
        if (ret->status != 404 || sends == MAX_SENDS)
            return -(int)err->kind; /* why it was lost tells more than what was not found */
        rc = sleep_before_poll(op, -1, err);
        if (rc < 0)
            return rc;
        skl_gcp_result_fini(ret);
    }
}

int skl_gcp_run(struct skl_gcp_client *c, const struct skl_gcp_call *call,
                struct skl_gcp_result *ret, struct skl_error *err)
{
    struct operation op = {.client = c, .call = *call};
    char *path SKL_AUTO_STR = NULL;
    struct skl_error own;
    int64_t said_ms = -1;
    bool done = false;
    int rc;

    if (!err)
        err = &own;
    *ret = (struct skl_gcp_result){0};
    op.call.context = skl_gcp_long_context(&call->context);
    rc = begin(&op, &said_ms, &done, ret, err);
    if (rc < 0 || done)
        return rc;
    path = skl_gcp_operation_path(call->api, skl_json_get_str(ret->json, "name"));
    if (!path && !skl_json_get_bool(ret->json, "done", false))
        return skl_fail(err, SKL_E_INTERNAL, "%s: the answer is no operation", skl_gcp_what(call));
    op.path = path;
    return follow(&op, said_ms, ret, err);
}

int skl_gcp_look(struct skl_gcp_client *c, const struct skl_gcp_call *call, const char *name,
                 bool *done, struct skl_gcp_result *ret, struct skl_error *err)
{
    char *path SKL_AUTO_STR = skl_gcp_operation_path(call->api, name);
    struct operation op = {.client = c, .call = *call};
    struct skl_gcp_call get = *call;
    int rc;

    *ret = (struct skl_gcp_result){0};
    *done = false;
    if (!path)
        return skl_fail(err, SKL_E_INTERNAL, "%s: the answer is no operation", skl_gcp_what(call));
    get.method = "GET";
    get.path = path;
    rc = skl_gcp_send(c, &get, ret, err);
    if (rc < 0)
        return rc;
    *done = skl_json_get_bool(ret->json, "done", false);
    return *done ? finish(&op, ret, err) : 0;
}
