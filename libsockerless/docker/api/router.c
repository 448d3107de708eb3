/* The way of a request to its handler: ping at once, then the path is put in order, the version is taken off, the
 * row is found, the body is read.
 *
 * Newer clients than we are (up to SERVED_MAX) are served as our newest version: what they add is optional. What
 * is advertised stays the truth.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/api/docker_metrics.h"
#include "docker/api/go_json.h"
#include "docker/api/hijack.h"
#include "docker/api/routes.h"
#include "docker/lifecycle/lifecycle.h"
#include "store/store.h"

#define SERVED_MAX 155

const char skl_docker_headers[] = "Api-Version: " SKL_API_VERSION "\r\n"
                                  "Docker-Experimental: false\r\n"
                                  "Ostype: linux\r\n"
                                  "Server: Sockerless/" SKL_VERSION " (linux)\r\n";

static const char ping_headers[] = "Cache-Control: no-cache, no-store, must-revalidate\r\n"
                                   "Pragma: no-cache\r\n"
                                   "Builder-Version: 1\r\n"
                                   "Swarm: inactive\r\n";

void skl_docker_error_body(struct skl_buf *b, int status, const char *message)
{
    struct skl_json j;

    skl_json_init(&j, b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "message", message);
    skl_json_end_object(&j);
    skl_buf_addc(b, '\n');
}

/* Of requests that no row of the table gets. */
static void count(const struct skl_http *x, int status)
{
    skl_docker_answered(skl_http_method(x).p, "none", status, 0); /* the parser's own literal */
}

static void answer_plain(struct skl_http *x, int status, const char *headers, const char *message)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 8 * SKL_KIB);
    if (message) {
        skl_buf_adds(&b, message);
        skl_buf_addc(&b, '\n');
    }
    count(x, status);
    skl_http_answer(x, status, message ? "text/plain; charset=utf-8" : NULL, headers,
                    skl_buf_str(&b));
}

static void SKL_PRINTF(4, 5)
    answer_error(struct skl_http *x, int status, bool json, const char *fmt, ...)
{
    SKL_AUTO_BUF struct skl_buf message = {0}, body = {0};
    va_list ap;

    skl_buf_init(&message, 8 * SKL_KIB);
    va_start(ap, fmt);
    skl_buf_addv(&message, fmt, ap);
    va_end(ap);
    if (!json) {
        answer_plain(x, status, NULL, message.p);
        skl_buf_init(&body, 0);
        return;
    }
    skl_buf_init(&body, 64 * SKL_KIB);
    skl_docker_error_body(&body, status, message.p);
    count(x, status);
    skl_http_answer(x, status, "application/json", NULL, skl_buf_str(&body));
}

static void answer_ping(struct skl_http *x)
{
    skl_http_answer(x, 200, "text/plain; charset=utf-8", ping_headers, SKL_STR("OK"));
}

void skl_route_ping(struct skl_request *r)
{
    skl_request_answered(r, 200);
    answer_ping(r->http);
}

/* -- version */

static bool is_version_char(char c)
{
    return (c >= '0' && c <= '9') || c == '.';
}

static int component(struct skl_str *s)
{
    int value = 0;
    size_t i = 0;

    for (; i < s->n && s->p[i] != '.'; i++)
        value = value < 100000 ? value * 10 + (s->p[i] - '0') : value;
    *s = skl_str_skip(*s, i < s->n ? i + 1 : i);
    return value;
}

/* Takes "/v1.44" off the path. *text is the version as written; p = NULL without a prefix. */
static int take_version(struct skl_str *path, struct skl_str *text)
{
    struct skl_str left;
    size_t n = 2;
    int major, minor;

    *text = (struct skl_str){NULL, 0};
    if (!skl_str_starts(*path, "/v"))
        return SKL_API_MAX;
    while (n < path->n && is_version_char(path->p[n]))
        n++;
    if (n == 2 || n == path->n || path->p[n] != '/')
        return SKL_API_MAX;
    *text = left = skl_str_n(path->p + 2, n - 2);
    *path = skl_str_skip(*path, n);
    major = component(&left);
    minor = component(&left);
    return major * 100 + (minor < 100 ? minor : 99);
}

/* -- body */

/* What a Docker Engine asks of the type of a JSON body; parameters are allowed. */
static int check_type(const struct skl_http *x, struct skl_error *err)
{
    struct skl_str rest, type = skl_http_header(x, "Content-Type");
    struct skl_str bare = skl_str_trim(skl_str_cut(type, ';', &rest));

    if (bare.n == 0)
        return skl_fail(err, SKL_E_INVALID,
                        "malformed Content-Type header (): mime: no media type");
    if (!skl_str_ieqz(bare, "application/json"))
        return skl_fail(err, SKL_E_INVALID,
                        "unsupported Content-Type header (%.*s): must be 'application/json'",
                        type.n > 200 ? 200 : (int)type.n, type.p);
    return 0;
}

static void settled(void *arg, const struct skl_error *err)
{
    struct skl_request *r = arg;

    if (err)
        skl_request_error(r, err);
    else if (!skl_request_gone(r))
        r->route->handler(r);
    skl_request_unref(r);
}

static struct skl_container *container_of(struct skl_request *r)
{
    struct skl_exec *x = skl_exec_find(r->engine->store, r->param);
    struct skl_container *c = NULL;
    struct skl_error err;

    if (x)
        return skl_container_by_id(r->engine->store, x->container_id);
    return skl_container_find(r->engine->store, r->param, &c, &err) == 0 ? c : NULL;
}

static void handle(struct skl_request *r)
{
    struct skl_container *c = r->route->settled ? container_of(r) : NULL;

    if (c && skl_lifecycle_await_recovery(r->engine, c, settled, r))
        skl_request_ref(r);
    else
        r->route->handler(r);
}

static void on_body(void *arg, struct skl_http *x, struct skl_str body)
{
    struct skl_request *r = arg;
    struct skl_error err;
    size_t first;

    if (skl_str_trim(body).n == 0) {
        if (r->route->body == SKL_BODY_REQUIRED)
            skl_request_fail(r, SKL_E_INVALID, "invalid JSON: got EOF while reading request body");
        else
            handle(r);
        return;
    }
    if (check_type(x, &err) < 0 || skl_go_json_scan(body, &first, &err) < 0 ||
        skl_go_json_fits(body, r->route->type, &err) < 0 ||
        skl_json_parse(body, &r->body, &err) < 0)
        skl_request_error(r, &err);
    else
        handle(r);
}

static int check_room(const struct skl_engine *e, enum skl_route_adds adds, struct skl_error *err)
{
    if (adds == SKL_ADDS_STREAM)
        return skl_hijacked_check_room(e, err);
    if (adds == SKL_ADDS_WORK && skl_workers_queued(e->workers) >= e->settings.max_queued)
        return skl_fail(err, SKL_E_UNAVAILABLE,
                        "too many operations wait for the cloud (the limit is %u); try again",
                        e->settings.max_queued);
    return 0;
}

static void dispatch(struct skl_request *r, const struct skl_route *route)
{
    struct skl_error err;

    r->route = route;
    if (check_room(r->engine, route->adds, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    switch (route->body) {
    case SKL_BODY_JSON:
    case SKL_BODY_REQUIRED:
        skl_http_read_body(r->http, SKL_MAX_JSON_BODY, on_body, r);
        return;
    case SKL_BODY_NONE:
    case SKL_BODY_STREAM:
        handle(r);
        return;
    }
}

/* -- paths */

static void redirect(struct skl_http *x, struct skl_str path)
{
    SKL_AUTO_BUF struct skl_buf headers = {0};
    struct skl_str query = skl_http_query(x);

    skl_buf_init(&headers, SKL_MAX_REQUEST_LINE + 64);
    skl_buf_adds(&headers, "Location: ");
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] != '/' || i == 0 || path.p[i - 1] != '/')
            skl_buf_addc(&headers, path.p[i]);
    if (query.n > 0) {
        skl_buf_addc(&headers, '?');
        skl_buf_addstr(&headers, query);
    }
    skl_buf_adds(&headers, "\r\n");
    answer_plain(x, 301, headers.p, NULL);
}

static bool has_double_slash(struct skl_str path)
{
    return memmem(path.p, path.n, "//", 2) != NULL;
}

bool skl_docker_is_vital(const struct skl_http *x)
{
    struct skl_str method = skl_http_method(x);

    return skl_str_eqz(skl_http_path(x), "/_ping") &&
           (skl_str_eqz(method, "GET") || skl_str_eqz(method, "HEAD"));
}

void skl_docker_handle(void *engine, struct skl_http *x)
{
    struct skl_str method = skl_http_method(x), path = skl_http_path(x), version_text, param;
    SKL_AUTO_BUF struct skl_buf decoded = {0};
    int version;

    skl_buf_init(&decoded, SKL_MAX_REQUEST_LINE);
    if (skl_docker_is_vital(x)) {
        int64_t begun_us = skl_mono_us();

        answer_ping(x);
        skl_docker_pinged(skl_str_eqz(method, "HEAD"), skl_mono_us() - begun_us);
        return;
    }
    if (skl_str_eqz(method, "OPTIONS")) {
        answer_plain(x, 200, NULL, NULL);
        return;
    }
    if (has_double_slash(path)) {
        redirect(x, path);
        return;
    }
    version = take_version(&path, &version_text);
    if (version < SKL_API_MIN) {
        answer_error(x, 400, false,
                     "client version %.*s is too old. Minimum supported API version is 1.24, "
                     "please upgrade your client to a newer version",
                     version_text.n > 64 ? 64 : (int)version_text.n, version_text.p);
        return;
    }
    if (version > SERVED_MAX) {
        answer_error(x, 400, true,
                     "client version %.*s is too new. Maximum supported API version "
                     "is " SKL_API_VERSION,
                     version_text.n > 64 ? 64 : (int)version_text.n, version_text.p);
        return;
    }
    version = version < SKL_API_MAX ? version : SKL_API_MAX;
    skl_url_decode(&decoded, path, false);
    for (size_t i = 0; i < skl_routes_count && !memchr(decoded.p, '\0', decoded.n); i++) {
        const struct skl_route *route = &skl_routes[i];

        if (!skl_str_eqz(method, route->method) || version < route->min_version ||
            !skl_route_match(route, skl_buf_str(&decoded), &param))
            continue;
        dispatch(skl_request_new(engine, x, version, param.p ? skl_str_dup(param) : NULL), route);
        return;
    }
    answer_error(x, 404, true, "page not found");
}

void skl_route_unsupported(struct skl_request *r)
{
    struct skl_str method = skl_http_method(r->http), path = skl_http_path(r->http), ignored;

    (void)take_version(&path, &ignored); /* the prefix says nothing about the call */
    skl_request_fail(r, SKL_E_UNSUPPORTED, "%.*s %.*s is not supported by the %s backend",
                     (int)method.n, method.p, path.n > 200 ? 200 : (int)path.n, path.p,
                     r->engine->backend->name);
}
