/* A request outlives its exchange: a client that goes away in the middle of a start changes nothing about the
 * start. So handlers and pending operations hold references, and answers to nobody are dropped here. */
#include "docker/api/request.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/log.h"
#include "docker/api/docker_metrics.h"
#include "docker/api/routes.h"

static void log_line(const struct skl_request *r)
{
    char status[16], ms[24];

    if (!skl_log_enabled(SKL_LOG_DEBUG))
        return;
    snprintf(status, sizeof(status), "%d", r->status);
    snprintf(ms, sizeof(ms), "%lld", (long long)(skl_mono_us() - r->started_us) / 1000);
    SKL_AUTO_STR char *method = skl_str_dup(skl_http_method(r->http));
    SKL_AUTO_STR char *path = skl_str_dup(skl_http_path(r->http)); /* queries may hold secrets */
    skl_debug("docker", "request", "method", method, "path", path, "status", status, "ms", ms,
              NULL);
}

static void exchange_ended(void *arg)
{
    struct skl_request *r = arg;

    log_line(r);
    r->http = NULL;
    if (r->on_gone)
        r->on_gone(r);
    skl_request_unref(r);
}

struct skl_request *skl_request_new(struct skl_engine *e, struct skl_http *x, int version,
                                    char *own_param)
{
    struct skl_request *r = skl_new0(struct skl_request);

    r->engine = e;
    r->http = x;
    r->refs = 1;
    r->version = version;
    r->param = own_param;
    r->started_us = skl_mono_us();
    skl_http_set_owner(x, r, exchange_ended);
    return r;
}

struct skl_request *skl_request_ref(struct skl_request *r)
{
    r->refs++;
    return r;
}

void skl_request_unref(struct skl_request *r)
{
    if (!r || --r->refs > 0)
        return;
    if (r->on_free)
        r->on_free(r);
    cJSON_Delete(r->body);
    free(r->param);
    free(r);
}

bool skl_request_gone(const struct skl_request *r)
{
    return !r->http;
}

/* -- the query */

static char *decoded(struct skl_str s)
{
    struct skl_buf b;

    skl_buf_init(&b, SKL_MAX_REQUEST_LINE);
    skl_url_decode(&b, s, true);
    return skl_buf_detach(&b);
}

/* The next value of `name`; names are compared decoded ("%74ag" is "tag"). */
static bool next_value(struct skl_str *rest, const char *name, struct skl_str *value)
{
    struct skl_str key;

    while (skl_query_next(rest, &key, value)) {
        if (skl_str_eqz(key, name))
            return true;
        if (memchr(key.p, '%', key.n)) {
            SKL_AUTO_STR char *plain = decoded(key);

            if (skl_streq(plain, name))
                return true;
        }
    }
    return false;
}

static struct skl_str whole_query(const struct skl_request *r)
{
    return r->http ? skl_http_query(r->http) : (struct skl_str){NULL, 0};
}

char *skl_request_query(const struct skl_request *r, const char *name)
{
    struct skl_str rest = whole_query(r), value;

    return next_value(&rest, name, &value) ? decoded(value) : NULL;
}

bool skl_request_query_has(const struct skl_request *r, const char *name)
{
    struct skl_str rest = whole_query(r), value;

    return next_value(&rest, name, &value);
}

bool skl_request_query_bool(const struct skl_request *r, const char *name, bool dflt)
{
    static const char *const no[] = {"", "0", "no", "false", "none"};
    SKL_AUTO_STR char *text = skl_request_query(r, name);
    struct skl_str s;

    if (!text)
        return dflt;
    s = skl_str_trim(skl_str(text));
    for (size_t i = 0; i < SKL_ARRAY_LEN(no); i++)
        if (skl_str_ieqz(s, no[i]))
            return false;
    return true;
}

int64_t skl_request_query_int(const struct skl_request *r, const char *name, int64_t dflt)
{
    SKL_AUTO_STR char *text = skl_request_query(r, name);
    int64_t value;

    return text && skl_str_i64(skl_str_trim(skl_str(text)), &value) ? value : dflt;
}

char **skl_request_query_all(const struct skl_request *r, const char *name)
{
    struct skl_str rest = whole_query(r), value;
    char **v = NULL;

    while (next_value(&rest, name, &value)) {
        SKL_AUTO_STR char *text = decoded(value);

        skl_strv_push(&v, text);
    }
    return v;
}

/* -- answers */

void skl_request_answered(struct skl_request *r, int status)
{
    r->answered = true;
    r->status = status;
    skl_docker_answered(r->route->method, r->route->pattern, status, skl_mono_us() - r->started_us);
}

static bool may_answer(struct skl_request *r, int status)
{
    if (!r->http || r->answered)
        return false;
    skl_request_answered(r, status);
    return true;
}

void skl_request_error(struct skl_request *r, const struct skl_error *err)
{
    int status = skl_kind_status(err->kind);
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 8 * SKL_KIB);
    if (status == 304) {
        skl_request_status(r, status);
        return;
    }
    if (!may_answer(r, status))
        return;
    if (status >= 500)
        skl_info("docker", "request failed", "error", err->msg, NULL);
    skl_docker_error_body(&b, status, err->msg);
    skl_http_answer(r->http, status, "application/json", NULL, skl_buf_str(&b));
}

void skl_request_fail(struct skl_request *r, enum skl_kind kind, const char *fmt, ...)
{
    struct skl_error err = {.kind = kind};
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err.msg, sizeof(err.msg), fmt, ap);
    va_end(ap);
    skl_request_error(r, &err);
}

void skl_request_status(struct skl_request *r, int status)
{
    if (may_answer(r, status))
        skl_http_answer(r->http, status, NULL, NULL, (struct skl_str){"", 0});
}

void skl_request_json(struct skl_request *r, int status, struct skl_buf *b)
{
    skl_buf_addc(b, '\n');
    if (b->failed) {
        skl_request_fail(r, SKL_E_INTERNAL, "the answer is larger than %zu bytes", b->max);
        return;
    }
    if (may_answer(r, status))
        skl_http_answer(r->http, status, "application/json", NULL, skl_buf_str(b));
}

void skl_request_begin(struct skl_request *r, int status, const char *content_type,
                       const char *headers)
{
    if (may_answer(r, status))
        skl_http_begin(r->http, status, content_type, headers);
}

void skl_request_done_204(void *request, const struct skl_error *err)
{
    struct skl_request *r = request;

    if (err)
        skl_request_error(r, err);
    else
        skl_request_status(r, 204);
    skl_request_unref(r);
}

struct skl_container *skl_request_container(struct skl_request *r)
{
    struct skl_container *c;
    struct skl_error err;

    if (skl_container_find(r->engine->store, r->param, &c, &err) == 0)
        return c;
    skl_request_error(r, &err);
    return NULL;
}
