/* Calls with retries. The exchange itself is transfer.c; here is the decision whether and when to repeat
 * it, and the one line that is logged about it.
 *
 * A cloud that says when to come back is obeyed (up to a minute). Otherwise the delay doubles, with
 * jitter, so that the callers of a cloud that had a hiccup do not come back together. When the next
 * delay would pass the deadline, the answer that is there is returned: it says more than a time-out. */
#include "cloud/rest.h"

#include <stdio.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "cloud/transfer.h"

#define DEFAULT_DEADLINE_MS 120000
#define MAX_DELAY_MS        60000
#define FIRST_DELAY_MS      800
#define MAX_OWN_DELAY_MS    6400 /* where the cloud names none: a user waits */
#define MAX_CONNECT_RETRIES 3    /* nobody listens: that is seldom over in seconds */

struct skl_rest {
    struct skl_rest_settings s;
    struct skl_transfer_pool *pool;
};

struct skl_rest *skl_rest_new(const struct skl_rest_settings *s)
{
    struct skl_rest *r = skl_new0(struct skl_rest);

    if (s)
        r->s = *s;
    if (!r->s.delay_percent)
        r->s.delay_percent = 100;
    if (!r->s.max_retries)
        r->s.max_retries = 4;
    if (!r->s.connect_timeout_ms)
        r->s.connect_timeout_ms = 15000;
    r->pool = skl_transfer_pool_new();
    return r;
}

void skl_rest_free(struct skl_rest *r)
{
    if (!r)
        return;
    skl_transfer_pool_free(r->pool);
    free(r);
}

int64_t skl_rest_scale_ms(const struct skl_rest *r, int64_t ms)
{
    return ms * (int64_t)r->s.delay_percent / 100;
}

void skl_rest_response_fini(struct skl_rest_response *r)
{
    if (r->body.p && r->body.cap)
        explicit_bzero(r->body.p, r->body.n); /* a token may have been in it */
    if (r->body.max)
        skl_buf_fini(&r->body);
    if (r->headers.max)
        skl_buf_fini(&r->headers);
    *r = (struct skl_rest_response){0};
}

const char *skl_rest_response_header(const struct skl_rest_response *r, const char *name)
{
    size_t i = 0;

    while (i < r->headers.n) {
        const char *key = r->headers.p + i;
        const char *value = key + strlen(key) + 1;

        if (strcasecmp(key, name) == 0)
            return value;
        i = (size_t)(value - r->headers.p) + strlen(value) + 1;
    }
    return NULL;
}

/* What the answer says about when to come back; -1: nothing. */
static int64_t said_delay(const struct skl_rest_request *req, const struct skl_rest_response *r)
{
    static const char *const in_ms[] = {"retry-after-ms", "x-ms-retry-after-ms"};
    int64_t in_body = req->said_delay ? req->said_delay(r) : -1;
    const char *v;

    if (in_body >= 0)
        return in_body;
    for (size_t i = 0; i < SKL_ARRAY_LEN(in_ms); i++) {
        uint64_t ms;

        v = skl_rest_response_header(r, in_ms[i]);
        if (v && skl_str_u64(skl_str(v), &ms))
            return ms > 86400000 ? INT64_C(86400000) : (int64_t)ms;
    }
    v = skl_rest_response_header(r, "Retry-After");
    return v ? skl_retry_after_parse(skl_str(v), skl_wall_ns()) : -1;
}

static bool status_retryable(const struct skl_rest_request *req, int status, bool idempotent)
{
    if (status == 429 || (status == 503 && (idempotent || !req->creates)))
        return true;
    return idempotent && (status == 408 || status == 500 || status == 502 || status == 504);
}

/* 80 % to 120 % of the doubled delay. */
static int64_t own_delay(const struct skl_rest *r, unsigned attempt)
{
    int64_t ms = (int64_t)FIRST_DELAY_MS << (attempt < 8 ? attempt : 8);
    uint16_t dice;

    if (ms > MAX_OWN_DELAY_MS)
        ms = MAX_OWN_DELAY_MS;
    skl_random(&dice, sizeof(dice));
    ms = ms * (800 + dice % 400) / 1000;
    return skl_rest_scale_ms(r, ms);
}

static bool is_idempotent(const struct skl_rest_request *req)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(methods); i++)
        if (skl_streq(req->method, methods[i]))
            return true;
    return req->idempotent;
}

static void clear_answer(struct skl_rest_response *r)
{
    r->status = 0;
    r->retry_after_ms = -1;
    r->maybe_sent = false;
    skl_buf_reset(&r->body);
    skl_buf_reset(&r->headers);
}

static const char *name_of(const struct skl_rest_request *req)
{
    return req->operation ? req->operation : req->method;
}

static void log_call(const struct skl_rest_request *req, const struct skl_rest_response *r,
                     int64_t elapsed_ms, const struct skl_error *err)
{
    char status[16], ms[24], retries[16], url[256];
    const char *cloud_id = skl_rest_response_header(r, "x-ms-request-id");
    const char *correlation = skl_rest_response_header(r, "x-ms-correlation-request-id");
    struct skl_str shown = skl_url_shown(req->url);

    if (!skl_log_enabled(SKL_LOG_DEBUG))
        return;
    (void)snprintf(status, sizeof(status), "%d", r->status);
    (void)snprintf(ms, sizeof(ms), "%lld", (long long)elapsed_ms);
    (void)snprintf(retries, sizeof(retries), "%u", r->retries);
    (void)snprintf(url, sizeof(url), SKL_STR_FMT, SKL_STR_ARG(shown));
    skl_log(SKL_LOG_DEBUG, "cloud", r->status ? "call" : "call failed", "operation", name_of(req),
            "method", req->method, "url", url, "status", status, "ms", ms, "retries", retries,
            "request", r->request_id, "cloud_request", cloud_id ? cloud_id : "", "correlation",
            correlation ? correlation : "", "error", err ? err->msg : "", NULL);
}

/* Attempts until there is something to return: 0 with an answer, else the error of the last attempt. */
static int attempt_all(struct skl_rest *r, const struct skl_rest_request *req, int64_t deadline_ms,
                       struct skl_rest_response *ret, struct skl_error *err)
{
    bool idempotent = is_idempotent(req);
    int64_t connect_ms =
        req->connect_timeout_ms ? req->connect_timeout_ms : r->s.connect_timeout_ms;
    unsigned max = req->no_retry ? 0 : r->s.max_retries;

    for (;; ret->retries++) {
        enum skl_transfer_end end;
        int64_t delay_ms;
        bool again;

        clear_answer(ret);
        skl_fault_point("cloud.before", name_of(req));
        end = skl_transfer_run(r->pool, req, idempotent, connect_ms, deadline_ms, ret, err);
        skl_fault_point("cloud.after", name_of(req));
        if (end == SKL_TRANSFER_ANSWER) {
            ret->retry_after_ms = said_delay(req, ret);
            again = status_retryable(req, ret->status, idempotent);
        } else {
            skl_buf_reset(&ret->body);
            again = (end == SKL_TRANSFER_UNSENT && !req->no_connect_retry) ||
                    (end == SKL_TRANSFER_LOST && idempotent);
        }
        delay_ms = ret->retry_after_ms >= 0 ? ret->retry_after_ms : own_delay(r, ret->retries);
        if (delay_ms > MAX_DELAY_MS)
            delay_ms = MAX_DELAY_MS;
        if (end == SKL_TRANSFER_UNSENT && ret->retries >= MAX_CONNECT_RETRIES)
            again = false;
        if (!again || ret->retries >= max || skl_mono_ms() + delay_ms >= deadline_ms)
            return end == SKL_TRANSFER_ANSWER ? 0 : -(int)err->kind;
        int rc = skl_cloud_sleep(delay_ms, deadline_ms, req->cancel, err);
        if (rc < 0) {
            clear_answer(ret);
            return rc;
        }
    }
}

int skl_rest_call(struct skl_rest *r, const struct skl_rest_request *req,
                  struct skl_rest_response *ret, struct skl_error *err)
{
    struct skl_error own;
    int64_t begun_ms = skl_mono_ms(), elapsed_ms;
    int64_t deadline_ms = req->deadline_ms ? req->deadline_ms : begun_ms + DEFAULT_DEADLINE_MS;
    int rc;

    if (!err)
        err = &own;
    *ret = (struct skl_rest_response){.retry_after_ms = -1};
    skl_buf_init(&ret->body, req->max_body ? req->max_body : SKL_MAX_CLOUD_BODY);
    skl_buf_init(&ret->headers, 64 * SKL_KIB);
    skl_uuid4(ret->request_id);
    rc = attempt_all(r, req, deadline_ms, ret, err);
    elapsed_ms = skl_mono_ms() - begun_ms;
    log_call(req, ret, elapsed_ms, rc < 0 ? err : NULL);
    if (r->s.on_call)
        r->s.on_call(r->s.on_call_arg, name_of(req), ret->status, ret->retries, elapsed_ms);
    return rc;
}
