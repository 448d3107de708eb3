/* stream_connect - dialling: name resolution, each address in turn, then TLS.
 *
 * Problem   the first address of a name may be dead (IPv6 without a route, a pod that is gone), and a
 *           dial can be given up in every phase, each with a libuv request in flight.
 * Approach  requests are allocations of their own that point back to the dial; giving up cuts that pointer
 *           and lets the request end alone. One attempt at a time: all but the last address may use half of
 *           the time that is left.
 */
#include <netdb.h>
#include <string.h>

#include "base/alloc.h"
#include "net/stream_internal.h"

struct lookup {
    uv_getaddrinfo_t req;
    struct skl_connect *c; /* NULL: given up */
};

struct attempt {
    uv_connect_t req;
    struct skl_connect *c; /* NULL: given up */
};

struct skl_connect {
    uv_loop_t *loop;
    struct skl_address to;
    struct skl_tls *tls;
    char *server_name;
    int64_t deadline; /* uv_now() */
    skl_stream_connect_cb *cb;
    void *arg;

    struct skl_timer *timer, *attempt_timer;
    struct lookup *lookup;
    struct addrinfo *found, *next;
    struct attempt *attempt;
    struct skl_stream *stream;
    struct skl_error last;
    bool deferred, canceled;
};

static void connect_free(struct skl_connect *c)
{
    skl_timer_cancel(&c->timer);
    skl_timer_cancel(&c->attempt_timer);
    if (c->lookup) {
        c->lookup->c = NULL;
        uv_cancel((uv_req_t *)&c->lookup->req);
    }
    if (c->attempt)
        c->attempt->c = NULL;
    skl_stream_close(c->stream);
    if (c->found)
        uv_freeaddrinfo(c->found);
    skl_tls_unref(c->tls);
    free(c->server_name);
    free(c);
}

static void finish(struct skl_connect *c, const struct skl_error *err)
{
    skl_stream_connect_cb *cb = c->cb;
    void *arg = c->arg;
    struct skl_stream *s = err ? NULL : c->stream;
    struct skl_error copy = err ? *err : (struct skl_error){0};
    if (s) {
        const struct skl_stream_events none = {0};
        skl_stream_set_events(s, &none, NULL);
        c->stream = NULL;
    }
    connect_free(c);
    cb(arg, s, err ? &copy : NULL);
}

static void try_next(struct skl_connect *c);

static void drop_attempt(struct skl_connect *c)
{
    skl_timer_cancel(&c->attempt_timer);
    if (c->attempt)
        c->attempt->c = NULL;
    c->attempt = NULL;
    skl_stream_close(c->stream);
    c->stream = NULL;
}

static void tls_ready(void *arg, struct skl_stream *s)
{
    finish(arg, NULL);
}

static void tls_broken(void *arg, const struct skl_error *why)
{
    struct skl_error e = *why;
    finish(arg, &e);
}

static void connected(uv_connect_t *req, int status)
{
    struct attempt *a = SKL_CONTAINER_OF(req, struct attempt, req);
    struct skl_connect *c = a->c;
    free(a);
    if (!c)
        return;
    c->attempt = NULL;
    if (status < 0) {
        skl_fail(&c->last, SKL_E_UNAVAILABLE, "%s", uv_strerror(status));
        c->last.sys = status;
        try_next(c);
        return;
    }
    skl_timer_cancel(&c->attempt_timer);
    stream_opened(c->stream);
    if (!c->tls) {
        finish(c, NULL);
        return;
    }
    const struct skl_stream_events events = {.on_close = tls_broken};
    struct skl_error e;
    skl_stream_set_events(c->stream, &events, c);
    if (stream_tls_start(c->stream, c->tls, c->server_name, tls_ready, c, &e) < 0)
        finish(c, &e);
}

static void attempt_over(void *arg)
{
    struct skl_connect *c = arg;
    c->attempt_timer = NULL;
    skl_fail(&c->last, SKL_E_TIMEOUT, "no answer in time");
    try_next(c);
}

static struct attempt *attempt_new(struct skl_connect *c, bool tcp)
{
    struct attempt *a = skl_new0(struct attempt);
    a->c = c;
    c->attempt = a;
    c->stream = stream_new(c->loop, tcp);
    return a;
}

static void try_tcp(struct skl_connect *c, const struct addrinfo *at)
{
    struct attempt *a = attempt_new(c, true);
    int rc = uv_tcp_connect(&a->req, &c->stream->uv.tcp, at->ai_addr, connected);
    if (rc < 0) {
        c->attempt = NULL;
        free(a);
        skl_fail(&c->last, SKL_E_UNAVAILABLE, "%s", uv_strerror(rc));
        c->last.sys = rc;
        try_next(c);
        return;
    }
    uv_update_time(c->loop);
    int64_t left = c->deadline - (int64_t)uv_now(c->loop);
    if (c->next && left > 0)
        c->attempt_timer = skl_timer_start(c->loop, left / 2, attempt_over, c);
}

static void try_next(struct skl_connect *c)
{
    drop_attempt(c);
    struct addrinfo *at = c->next;
    if (!at) {
        char where[300];
        skl_address_format(&c->to, where, sizeof(where));
        skl_wrap(&c->last, -(int)c->last.kind, "connect to %s", where);
        finish(c, &c->last);
        return;
    }
    c->next = at->ai_next;
    try_tcp(c, at);
}

static void resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct lookup *l = SKL_CONTAINER_OF(req, struct lookup, req);
    struct skl_connect *c = l->c;
    free(l);
    if (!c) {
        uv_freeaddrinfo(found);
        return;
    }
    c->lookup = NULL;
    c->found = c->next = found;
    if (status < 0) {
        skl_fail(&c->last, SKL_E_UNAVAILABLE, "cannot resolve the name: %s", uv_strerror(status));
        c->last.sys = status;
    }
    try_next(c);
}

static void out_of_time(void *arg)
{
    struct skl_connect *c = arg;
    struct skl_error e;
    char where[300];
    c->timer = NULL;
    skl_address_format(&c->to, where, sizeof(where));
    skl_fail(&e, SKL_E_TIMEOUT, "connect to %s: no answer in time", where);
    finish(c, &e);
}

/* First call of the dial, from the loop; false: it was given up before. */
static bool begin(struct skl_connect *c)
{
    c->deferred = false;
    if (c->canceled) {
        connect_free(c);
        return false;
    }
    c->timer = skl_timer_start(c->loop, c->deadline - (int64_t)uv_now(c->loop), out_of_time, c);
    return true;
}

static void start(void *arg)
{
    struct skl_connect *c = arg;
    if (!begin(c))
        return;
    if (c->to.kind == SKL_ADDRESS_UNIX) {
        struct attempt *a = attempt_new(c, false);
        uv_pipe_connect(&a->req, &c->stream->uv.pipe, c->to.path, connected);
        return;
    }
    if (c->to.kind == SKL_ADDRESS_FD) {
        skl_fail(&c->last, SKL_E_INVALID, "an inherited descriptor cannot be dialled");
        try_next(c);
        return;
    }
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char port[8];
    snprintf(port, sizeof(port), "%d", c->to.port);
    struct lookup *l = skl_new0(struct lookup);
    l->c = c;
    c->lookup = l;
    int rc = uv_getaddrinfo(c->loop, &l->req, resolved, c->to.host[0] ? c->to.host : "localhost",
                            port, &hints);
    if (rc < 0)
        resolved(&l->req, rc, NULL);
}

/* The wait for a numeric address needs no resolver thread. */
static bool resolve_numeric(struct skl_connect *c)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    char port[8];
    snprintf(port, sizeof(port), "%d", c->to.port);
    if (c->to.kind != SKL_ADDRESS_TCP || !c->to.host[0] ||
        getaddrinfo(c->to.host, port, &hints, &c->found) != 0)
        return false;
    c->next = c->found;
    return true;
}

static void start_numeric(void *arg)
{
    struct skl_connect *c = arg;
    if (begin(c))
        try_next(c);
}

struct skl_connect *skl_stream_connect(uv_loop_t *loop, const struct skl_address *to,
                                       struct skl_tls *tls, const char *server_name,
                                       int64_t timeout_ms, skl_stream_connect_cb *cb, void *arg)
{
    struct skl_connect *c = skl_new0(struct skl_connect);
    c->loop = loop;
    c->to = *to;
    c->tls = tls ? skl_tls_ref(tls) : NULL;
    c->server_name = skl_strdup(server_name ? server_name : to->host);
    c->cb = cb;
    c->arg = arg;
    uv_update_time(loop);
    c->deadline = (int64_t)uv_now(loop) + timeout_ms;
    c->deferred = true;
    skl_defer(loop, resolve_numeric(c) ? start_numeric : start, c);
    return c;
}

void skl_connect_cancel(struct skl_connect **c)
{
    struct skl_connect *dial = *c;
    *c = NULL;
    if (!dial)
        return;
    if (dial->deferred) {
        dial->canceled = true; /* freed by the deferred call */
    } else {
        connect_free(dial);
    }
}
