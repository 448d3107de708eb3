/* Long-running operations of ARM.
 *
 * The first answer says how to watch: an Azure-AsyncOperation URL (status in the body), else a Location
 * URL (status is the HTTP code), else the resource's own provisioningState. After a PUT or PATCH the
 * resource is read at the end, and its own state has the last word: some providers answer 201 with a
 * Location that is the resource itself, which says 200 long before it is ready.
 *
 * A poll that fails for its own reasons (network, 429, 5xx) says nothing about the operation: it is
 * repeated, slower each time, until the deadline. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "cloud/azure/arm_internal.h"

#define MAX_POLL_DELAY_MS 60000
#define DEFAULT_CALL_MS   120000

enum watch { WATCH_NOTHING, WATCH_STATUS, WATCH_LOCATION, WATCH_RESOURCE };
enum verdict { RUNNING, DONE };

struct operation {
    struct skl_arm *arm;
    struct skl_arm_call call; /* as the caller made it, with a deadline */
    char *resource_url;
    enum watch watch;
    char *watch_url;
    unsigned failed_polls; /* in a row */
};

static bool ieq(const char *a, const char *b)
{
    return a && skl_str_ieqz(skl_str(a), b);
}

static bool is_terminal(const char *state)
{
    return ieq(state, "Succeeded") || ieq(state, "Failed") || ieq(state, "Canceled");
}

static const char *provisioning_state(const cJSON *json)
{
    return skl_json_get_str(skl_json_get(json, "properties"), "provisioningState");
}

static bool writes(const struct skl_arm_call *call)
{
    return skl_streq(call->method, "PUT") || skl_streq(call->method, "PATCH");
}

/* The operation ended badly: the sentence is in an "error" object of the body, if anywhere. */
static int ended_badly(const struct skl_arm_call *call, const cJSON *json, const char *state,
                       struct skl_arm_result *ret, struct skl_error *err)
{
    const cJSON *error = skl_json_get(json, "error");

    if (!error)
        error = skl_json_get(skl_json_get(json, "properties"), "error");
    if (cJSON_IsObject(error)) {
        char *text SKL_AUTO_STR = skl_json_text(error);
        int rc = skl_azure_fail(err, 0, skl_str(text), skl_arm_what(call), ret->code);

        return rc;
    }
    return skl_fail(err, SKL_E_INTERNAL, "%s: the operation ended as %s", skl_arm_what(call),
                    ieq(state, "Canceled") ? "Canceled" : "Failed");
}

/* Looks at the resource's own state. */
static int judge_resource(struct operation *op, struct skl_arm_result *ret, enum verdict *verdict,
                          struct skl_error *err)
{
    const char *state = provisioning_state(ret->json);

    *verdict = !state || is_terminal(state) ? DONE : RUNNING;
    if (ieq(state, "Failed") || ieq(state, "Canceled"))
        return ended_badly(&op->call, ret->json, state, ret, err);
    return 0;
}

static int judge_status(struct operation *op, struct skl_arm_result *ret, enum verdict *verdict,
                        struct skl_error *err)
{
    const char *state = skl_json_get_str(ret->json, "status");

    *verdict = RUNNING;
    if (ieq(state, "Succeeded"))
        *verdict = DONE;
    else if (ieq(state, "Failed") || ieq(state, "Canceled"))
        return ended_badly(&op->call, ret->json, state, ret, err);
    return 0;
}

static bool poll_may_fail(int rc, int status)
{
    if (status ==
        0) /* the network's failure, not a refused token or a request that cannot be sent */
        return rc == -SKL_E_UNAVAILABLE || rc == -SKL_E_TIMEOUT;
    return status == 408 || status == 429 || status >= 500;
}

static int sleep_before_poll(struct operation *op, int64_t said_ms, struct skl_error *err)
{
    int64_t ms = op->arm->poll_interval_ms;
    int rc;

    if (said_ms >= 0)
        ms = said_ms;
    else if (op->failed_polls > 0)
        ms <<= op->failed_polls < 5 ? op->failed_polls : 5;
    if (ms > MAX_POLL_DELAY_MS)
        ms = MAX_POLL_DELAY_MS;
    rc = skl_cloud_sleep(ms, op->call.deadline_ms, op->call.cancel, err);
    if (rc == -SKL_E_TIMEOUT)
        return skl_fail(err, SKL_E_TIMEOUT, "%s: the cloud is still busy with it",
                        skl_arm_what(&op->call));
    return rc;
}

/* One GET of `url`. 0 with *answered false: no news, ask again. */
static int poll_once(struct operation *op, const char *url, struct skl_arm_result *ret,
                     int64_t *said_ms, bool *answered, struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    struct skl_arm_call get = {.operation = op->call.operation,
                               .what = op->call.what,
                               .method = "GET",
                               .path = url,
                               .no_retry = true,
                               .deadline_ms = op->call.deadline_ms,
                               .cancel = op->call.cancel};
    char *checked SKL_AUTO_STR = NULL;
    int rc = skl_arm_url(op->arm, &get, &checked, err);

    if (rc < 0)
        return rc;
    skl_arm_result_fini(ret);
    rc = skl_arm_exchange(op->arm, &get, checked, &answer, ret, err);
    *said_ms = answer.status ? answer.retry_after_ms : -1;
    *answered = true;
    if (rc == 0) {
        op->failed_polls = 0;
        return 0;
    }
    if (poll_may_fail(rc, ret->status) && skl_mono_ms() < op->call.deadline_ms) {
        op->failed_polls++;
        *answered = false;
        return 0;
    }
    return rc;
}

/* Chooses what to watch from an answer's headers; keeps what was chosen when it says nothing new. */
static void choose(struct operation *op, const struct skl_rest_response *answer,
                   const struct skl_arm_result *r)
{
    const char *async = skl_rest_response_header(answer, "Azure-AsyncOperation");
    const char *location = skl_rest_response_header(answer, "Location");
    const char *state = provisioning_state(r->json);

    if (!skl_str_empty(async)) {
        op->watch = WATCH_STATUS;
        skl_strset(&op->watch_url, async);
    } else if (!skl_str_empty(location) && (r->status == 201 || r->status == 202)) {
        op->watch = WATCH_LOCATION;
        skl_strset(&op->watch_url, location);
    } else if (writes(&op->call) && state && !is_terminal(state)) {
        op->watch = WATCH_RESOURCE;
        skl_strset(&op->watch_url, op->resource_url);
    }
}

static bool gone_is_done(const struct operation *op, const struct skl_arm_result *r)
{
    return r->status == 404 && skl_streq(op->call.method, "DELETE");
}

/* Follows op->watch to its end. */
static int follow(struct operation *op, int64_t said_ms, struct skl_arm_result *ret,
                  struct skl_error *err)
{
    enum verdict verdict = RUNNING;

    while (verdict == RUNNING) {
        bool answered = false;
        int rc = sleep_before_poll(op, said_ms, err);

        if (rc == 0)
            rc = poll_once(op, op->watch_url, ret, &said_ms, &answered, err);
        if (rc < 0 && gone_is_done(op, ret)) {
            ret->code[0] = '\0';
            return 0;
        }
        if (rc < 0)
            return rc;
        if (!answered)
            continue;
        if (op->watch == WATCH_STATUS)
            rc = judge_status(op, ret, &verdict, err);
        else if (op->watch == WATCH_RESOURCE)
            rc = judge_resource(op, ret, &verdict, err);
        else
            verdict = ret->status == 202 ? RUNNING : DONE;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int finish_write(struct operation *op, struct skl_arm_result *ret, struct skl_error *err)
{
    enum verdict verdict = DONE;
    int64_t said_ms = -1;
    bool answered = false;
    int rc = 0;

    while (!answered && rc == 0) {
        rc = poll_once(op, op->resource_url, ret, &said_ms, &answered, err);
        if (rc == 0 && !answered)
            rc = sleep_before_poll(op, said_ms, err);
    }
    if (rc == 0)
        rc = judge_resource(op, ret, &verdict, err);
    if (rc < 0 || verdict == DONE)
        return rc;
    op->watch = WATCH_RESOURCE;
    skl_strset(&op->watch_url, op->resource_url);
    return follow(op, said_ms, ret, err);
}

static int begin(struct operation *op, int64_t *said_ms, struct skl_arm_result *ret,
                 struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    struct skl_arm_call first = op->call;
    int64_t call_end_ms = skl_mono_ms() + DEFAULT_CALL_MS;
    int rc;

    if (first.deadline_ms > call_end_ms)
        first.deadline_ms = call_end_ms; /* one call does not take the whole time */
    rc = skl_arm_exchange(op->arm, &first, op->resource_url, &answer, ret, err);
    if (rc < 0)
        return rc;
    *said_ms = answer.retry_after_ms;
    choose(op, &answer, ret);
    if (op->watch == WATCH_NOTHING && writes(&op->call)) {
        enum verdict verdict;

        return judge_resource(op, ret, &verdict, err);
    }
    return 0;
}

int skl_arm_run(struct skl_arm *a, const struct skl_arm_call *call, struct skl_arm_result *ret,
                struct skl_error *err)
{
    struct operation op = {.arm = a, .call = *call};
    struct skl_error own;
    int64_t said_ms = -1;
    int rc;

    if (!err)
        err = &own;
    *ret = (struct skl_arm_result){0};
    if (!op.call.deadline_ms)
        op.call.deadline_ms = skl_mono_ms() + a->lro_timeout_ms;
    rc = skl_arm_url(a, call, &op.resource_url, err);
    if (rc == 0)
        rc = begin(&op, &said_ms, ret, err);
    if (rc == 0 && op.watch != WATCH_NOTHING) {
        enum watch watched = op.watch;

        rc = follow(&op, said_ms, ret, err);
        if (rc == 0 && writes(call) && watched != WATCH_RESOURCE)
            rc = finish_write(&op, ret, err);
    }
    free(op.watch_url);
    free(op.resource_url);
    return rc;
}
