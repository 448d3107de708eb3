/* http_server - connections: what they wait for, in which order they call the handler, how they end.
 *
 * Problem   a handler may answer inside its call or hours later, read the body or not, take the connection
 *           over, or be told at any time that the client left; callbacks must not run inside the calls that
 *           cause them, and each exchange must end exactly once.
 * Approach  calls of the handler only set flags (and write). One function, conn_pump(), looks at flags and
 *           input and does the next step until there is none; it runs from libuv's callbacks, or deferred
 *           after a call from outside. Nothing else calls the handler.
 * Memory    an idle connection is its structures only: input is lent by the stream, kept only when it must
 *           wait; the exchange with its header text is recycled.
 * Timeouts  each class of waiting has one constant length, so the connections of a class stand in the order
 *           of their deadlines: one timer per server looks at the heads of three lists. A connection's first
 *           header has its deadline from the beginning, so it covers the TLS handshake.
 */
#include "net/http_server.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "net/http_internal.h"
#include "net/net_metrics.h"
#include "net/stream_internal.h"

static void conn_pump(struct http_conn *c);
static void server_check_closed(struct skl_http_server *s);

/* -- deadlines */

static void expire(struct http_conn *c)
{
    skl_list_remove(&c->wait_node);
    c->timed_out = true;
    conn_pump(c);
}

static void sweep(void *arg)
{
    struct skl_http_server *s = arg;
    int64_t now = (int64_t)uv_now(s->loop);
    bool any = false;
    for (int i = WAIT_NONE + 1; i < WAIT_MAX_; i++) {
        struct http_conn *c;
        while ((c = SKL_LIST_FIRST(&s->waits[i], struct http_conn, wait_node)) &&
               c->deadline <= now)
            expire(c);
        any = any || !skl_list_empty(&s->waits[i]);
    }
    if (!any)
        skl_timer_cancel(&s->sweep);
}

static void conn_wait_for(struct http_conn *c, enum conn_wait wait, bool restart)
{
    struct skl_http_server *s = c->server;
    if (wait == c->wait && !restart)
        return;
    skl_list_remove(&c->wait_node);
    c->wait = wait;
    if (wait == WAIT_NONE)
        return;
    c->deadline = (int64_t)uv_now(s->loop) + s->limits[wait];
    c->progress = 0;
    skl_list_push(&s->waits[wait], &c->wait_node);
    if (!s->sweep) {
        int64_t every = 1000;
        for (int i = WAIT_NONE + 1; i < WAIT_MAX_; i++)
            if (s->limits[i] / 4 < every)
                every = s->limits[i] / 4;
        s->sweep = skl_timer_repeat(s->loop, every, sweep, s);
    }
}

/* -- the end of a connection */

static void conn_free(struct http_conn *c)
{
    free(c->in);
    free(c->why);
    free(c);
}

static void end_exchange(struct http_conn *c)
{
    struct skl_http *x = c->x;
    c->x = NULL;
    c->server->n_requests--;
    if (x->on_end)
        x->on_end(x->owner);
    http_free(c->server, x);
}

static void body_failed(struct http_conn *c, struct skl_http *x)
{
    struct skl_error e;
    if (x->mode != BODY_STREAM || x->body_told || x->answered || x->aborted || x->taken)
        return;
    x->body_told = true;
    if (c->timed_out)
        skl_fail(&e, SKL_E_TIMEOUT, "the client stopped sending the request body");
    else if (c->why)
        e = *c->why;
    else if (c->fail_status)
        skl_fail(&e, SKL_E_PROTOCOL, "%s", c->fail_why);
    else
        skl_fail(&e, SKL_E_CANCELED, "the client went away within the request body");
    x->events.on_done(x->body_arg, &e);
}

static void conn_finish(struct http_conn *c)
{
    struct skl_http_server *s = c->server;
    conn_wait_for(c, WAIT_NONE, true);
    if (c->x) {
        body_failed(c, c->x);
        if (c->x->taken)
            c->detached = true; /* the callback was the last chance */
        end_exchange(c);
    }
    http_free(s, c->parsing);
    c->parsing = NULL;
    if (!c->detached) {
        if (c->graceful)
            skl_stream_close_gracefully(c->stream, HTTP_LINGER_MS);
        else
            skl_stream_close(c->stream);
    }
    skl_list_remove(&c->node);
    s->n_conns--;
    if (!c->scheduled)
        conn_free(c);
    server_check_closed(s);
}

static void conn_die(struct http_conn *c, bool graceful)
{
    c->dead = true;
    c->graceful = graceful;
}

static void conn_refuse(struct http_conn *c, int status, const char *message)
{
    http_answer_error(c, status, message);
    conn_die(c, true);
}

/* -- limits */

static void tell_refused(struct skl_http_server *s, const char *message)
{
    char held_back[24];
    skl_metric_add(&skl_net_refused, 1);
    if (skl_log_gate_open(&s->refused, (int64_t)uv_now(s->loop), held_back))
        skl_warn("http", "a limit is reached, clients are refused", "what", message, "held_back",
                 held_back, NULL);
}

/* The longest idle one; with `silent`, else the one that has been without a whole header for longest. */
static bool make_room(struct skl_http_server *s, bool silent)
{
    struct http_conn *c = SKL_LIST_FIRST(&s->waits[WAIT_IDLE], struct http_conn, wait_node);
    if (!c && silent)
        c = SKL_LIST_FIRST(&s->waits[WAIT_HEADER], struct http_conn, wait_node);
    if (c)
        expire(c);
    return c;
}

static void say_limit(char out[128], const char *what, unsigned limit)
{
    snprintf(out, 128, "too many %s at a time (the limit is %u); try again", what, limit);
}

/* A request that may not be served now has its answer. */
static bool is_refused(struct http_conn *c, struct skl_http *x)
{
    struct skl_http_server *s = c->server;
    char message[128];
    x->close_after = c->extra;
    if ((!c->extra && s->n_requests <= s->config.max_requests) ||
        (s->config.is_vital && s->config.is_vital(x)))
        return false;
    if (c->extra)
        say_limit(message, "connections", s->config.max_connections);
    else
        say_limit(message, "requests", s->config.max_requests);
    tell_refused(s, message);
    http_answer_problem(x, 503, "Retry-After: 1\r\n", message);
    return true;
}

void skl_http_server_shed(struct skl_http_server *s)
{
    for (int i = 0; i < HTTP_SHED && make_room(s, true); i++)
        ;
}

/* -- steps: true when something was done and another look is worth it */

static void take_input(struct http_conn *c, size_t n)
{
    c->win += n;
    c->win_n -= n;
}

static bool step_head(struct http_conn *c)
{
    size_t used;
    if (c->close_after) {
        conn_die(c, true);
        return false;
    }
    if (c->timed_out) {
        if (c->head_bytes)
            conn_refuse(c, 408, "the request header did not arrive in time");
        else
            conn_die(c, true);
        return false;
    }
    if (c->win_n == 0) {
        if (c->eof)
            conn_die(c, true);
        return false;
    }
    if (skl_stream_congested(c->stream))
        return false;
    if (!c->parsing) {
        c->parsing = http_new(c);
        http_request_reset(c);
    }
    int rc = http_parse_head(c, c->win, c->win_n, &used);
    take_input(c, used);
    if (rc < 0) {
        conn_refuse(c, c->fail_status, c->fail_why);
        return false;
    }
    if (rc == 0)
        return true;
    struct skl_http *x = c->x = c->parsing;
    c->parsing = NULL;
    c->served = true;
    c->head_bytes = 0;
    c->body_left = x->content_length > 0 ? (uint64_t)x->content_length : 0;
    c->state = x->chunked || c->body_left ? CONN_BODY : CONN_DONE;
    c->server->n_requests++;
    conn_wait_for(c, WAIT_NONE,
                  false); /* a request that is answered at once is one, too: it idles anew */
    if (!is_refused(c, x))
        c->server->config.handler(c->server->config.arg, x);
    return true;
}

static void body_done(struct http_conn *c)
{
    struct skl_http *x = c->x;
    x->body_told = true;
    if (x->mode == BODY_WHOLE)
        x->body_cb(x->body_arg, x, skl_buf_str(&x->body));
    else if (x->mode == BODY_STREAM)
        x->events.on_done(x->body_arg, NULL);
}

static void body_piece(struct http_conn *c, const char *p, size_t n)
{
    struct skl_http *x = c->x;
    switch (x->mode) {
    case BODY_WHOLE:
        skl_buf_add(&x->body, p, n);
        x->held += n;
        c->server->held += n;
        if (x->body.failed) {
            x->answered = true;
            conn_refuse(c, 413, "the request body is too large");
        } else if (c->server->held > SKL_MAX_BODIES) {
            x->answered = true;
            tell_refused(c->server, "bodies of requests");
            conn_refuse(c, 503, "too many large request bodies at a time; try again");
        }
        break;
    case BODY_STREAM:
        x->events.on_data(x->body_arg, (const uint8_t *)p, n);
        break;
    case BODY_DRAIN:
        x->drained += n;
        if (x->drained > HTTP_MAX_DRAIN)
            conn_die(c, true);
        break;
    case BODY_UNDECIDED:
        break;
    }
}

static bool step_body(struct http_conn *c)
{
    struct skl_http *x = c->x;
    size_t used;
    if (x->expect && !x->continue_sent && x->mode != BODY_DRAIN && c->win_n == 0)
        http_send_continue(x);
    if (c->win_n == 0) {
        if (c->eof)
            conn_die(c, true);
        return false;
    }
    const char *p = c->win;
    if (!x->chunked) {
        used = c->body_left < c->win_n ? (size_t)c->body_left : c->win_n;
        c->body_left -= used;
        if (c->body_left == 0)
            c->state = CONN_DONE;
        take_input(c, used);
        body_piece(c, p, used);
        return !c->dead;
    }
    if (http_parse_chunk(c, p, c->win_n, &used) != 0) {
        bool open = !x->begun && !x->answered;
        body_failed(c, x);
        if (open && !x->begun && !x->answered && !x->taken)
            conn_refuse(c, c->fail_status, c->fail_why);
        else
            conn_die(c, x->answered);
        return false;
    }
    take_input(c, used);
    if (c->complete)
        c->state = CONN_DONE;
    if (c->piece_n)
        body_piece(c, c->piece, c->piece_n);
    return !c->dead;
}

static bool step_exchange(struct http_conn *c)
{
    struct skl_http *x = c->x;
    if (x->taken) {
        c->detached = true;
        conn_die(c, false);
        return false;
    }
    if (x->aborted) {
        conn_die(c, false);
        return false;
    }
    if (x->answered) {
        x->mode = BODY_DRAIN;
        if (x->close_after || c->state == CONN_DONE) {
            c->close_after = x->close_after;
            end_exchange(c);
            c->state = CONN_HEAD;
            return true;
        }
    }
    if (c->timed_out) {
        if (x->mode == BODY_WHOLE) {
            x->answered = true;
            conn_refuse(c, 408, "the request body did not arrive in time");
        } else {
            conn_die(c, x->answered);
        }
        return false;
    }
    if (c->state == CONN_BODY)
        return x->mode != BODY_UNDECIDED && !x->paused ? step_body(c) : false;
    if (!x->body_told && !x->paused && (x->mode == BODY_WHOLE || x->mode == BODY_STREAM)) {
        body_done(c);
        return true;
    }
    if (c->eof && x->end_on_eof)
        conn_die(c, false);
    return false;
}

/* -- between the steps and the stream */

/* Keeps what is left of lent input. */
static void keep_input(struct http_conn *c)
{
    if (c->win_n == 0) {
        free(c->in);
        c->in = NULL;
        c->in_n = 0;
    } else if (c->win != c->in || c->in_n != c->win_n) {
        char *rest = skl_memdup(c->win, c->win_n);
        free(c->in);
        c->in = rest;
        c->in_n = c->win_n;
    }
    c->win = c->in;
    c->win_n = c->in_n;
}

static void conn_settle(struct http_conn *c)
{
    struct skl_http *x = c->x;
    keep_input(c);
    enum conn_wait wait = WAIT_NONE;
    if (!x)
        wait = c->head_bytes || !c->served ? WAIT_HEADER : WAIT_IDLE;
    else if (c->state == CONN_BODY && (x->mode != BODY_UNDECIDED) && !x->paused)
        wait = WAIT_BODY;
    conn_wait_for(c, wait, false);
    if (!c->eof && c->win_n < HTTP_MAX_BUFFERED)
        skl_stream_read_start(c->stream);
    else
        skl_stream_read_stop(c->stream);
}

static void conn_pump(struct http_conn *c)
{
    if (c->pumping || c->dead)
        return;
    c->pumping = true;
    while (!c->dead) {
        if (c->why) {
            conn_die(c, false);
            break;
        }
        if (!(c->x ? step_exchange(c) : step_head(c)))
            break;
    }
    c->pumping = false;
    if (c->dead)
        conn_finish(c);
    else
        conn_settle(c);
}

static void conn_run(void *arg)
{
    struct http_conn *c = arg;
    c->scheduled = false;
    if (c->dead)
        conn_free(c);
    else
        conn_pump(c);
}

void conn_schedule(struct http_conn *c)
{
    if (c->pumping || c->scheduled || c->dead)
        return;
    c->scheduled = true;
    skl_defer(c->server->loop, conn_run, c);
}

static void on_data(void *arg, const uint8_t *p, size_t n)
{
    struct http_conn *c = arg;
    if (c->win_n) {
        char *joined = skl_alloc0(1, c->win_n + n);
        memcpy(joined, c->win, c->win_n);
        memcpy(joined + c->win_n, p, n);
        free(c->in);
        c->in = joined;
        c->in_n = c->win_n + n;
        c->win = c->in;
        c->win_n = c->in_n;
    } else {
        c->win = (const char *)p;
        c->win_n = n;
    }
    c->progress += n;
    if (c->wait == WAIT_BODY && c->x && c->x->mode == BODY_STREAM &&
        c->progress >= SKL_BODY_PROGRESS)
        conn_wait_for(c, WAIT_BODY, true);
    conn_pump(c);
}

static void on_eof(void *arg)
{
    struct http_conn *c = arg;
    c->eof = true;
    conn_pump(c);
}

static void on_drain(void *arg)
{
    struct http_conn *c = arg;
    struct skl_http *x = c->x;
    if (x && x->begun && !x->answered && x->on_drain) {
        c->pumping = true; /* what the handler does now is looked at below */
        x->on_drain(x->owner);
        c->pumping = false;
    }
    conn_pump(c);
}

static void on_close(void *arg, const struct skl_error *why)
{
    struct http_conn *c = arg;
    c->why = skl_memdup(why, sizeof(*why));
    conn_pump(c);
}

void skl_http_server_add(struct skl_http_server *s, struct skl_stream *own_stream)
{
    static const struct skl_stream_events events = {on_data, on_eof, on_drain, on_close};
    if (s->closing) {
        skl_stream_close(own_stream);
        return;
    }
    struct http_conn *c = skl_new0(struct http_conn);
    c->server = s;
    c->stream = own_stream;
    skl_list_push(&s->conns, &c->node);
    s->n_conns++;
    skl_stream_set_events(own_stream, &events, c);
    if (s->n_conns > s->config.max_connections)
        c->extra = !make_room(s, false);
    if (s->n_conns > s->config.max_connections + HTTP_EXTRA && !make_room(s, true)) {
        char message[128];
        say_limit(message, "connections", s->config.max_connections);
        tell_refused(s, message);
        conn_refuse(c, 503, message);
        conn_finish(c);
        return;
    }
    conn_settle(c);
}

/* -- the server */

struct skl_http_server *skl_http_server_new(uv_loop_t *loop,
                                            const struct skl_http_server_config *config)
{
    struct skl_http_server *s = skl_new0(struct skl_http_server);
    s->loop = loop;
    s->config = *config;
    s->extra_headers = skl_strdup(config->extra_headers);
    if (!s->config.max_connections)
        s->config.max_connections = SKL_MAX_CONNECTIONS;
    if (!s->config.max_requests)
        s->config.max_requests = SKL_MAX_REQUESTS;
    s->limits[WAIT_IDLE] = config->idle_timeout_ms ? config->idle_timeout_ms : SKL_IDLE_TIMEOUT_MS;
    s->limits[WAIT_HEADER] =
        config->header_timeout_ms ? config->header_timeout_ms : SKL_HEADER_TIMEOUT_MS;
    s->limits[WAIT_BODY] = config->body_stall_ms ? config->body_stall_ms : SKL_BODY_STALL_MS;
    skl_list_init(&s->conns);
    for (int i = 0; i < WAIT_MAX_; i++)
        skl_list_init(&s->waits[i]);
    skl_buf_init(&s->scratch, SIZE_MAX / 2);
    return s;
}

unsigned skl_http_server_connections(const struct skl_http_server *s)
{
    return s->n_conns;
}

static void server_gone(void *arg)
{
    struct skl_http_server *s = arg;
    skl_timer_cb *on_closed = s->on_closed;
    void *closed_arg = s->closed_arg;
    http_free(s, s->spare);
    skl_buf_fini(&s->scratch);
    free(s->extra_headers);
    free(s);
    if (on_closed)
        on_closed(closed_arg);
}

static void server_check_closed(struct skl_http_server *s)
{
    if (!s->closing || s->n_conns || s->told)
        return;
    s->told = true;
    skl_timer_cancel(&s->grace);
    skl_timer_cancel(&s->sweep);
    skl_defer(s->loop, server_gone, s);
}

static void close_conns(struct skl_http_server *s, bool busy_too)
{
    struct skl_list *it, *tmp;
    skl_list_foreach_safe (it, tmp, &s->conns) {
        struct http_conn *c = SKL_LIST_ENTRY(it, struct http_conn, node);
        if (c->x && !busy_too)
            continue;
        if (c->x)
            c->x->aborted = true;
        else
            c->close_after = true;
        conn_schedule(c);
    }
}

static void grace_over(void *arg)
{
    struct skl_http_server *s = arg;
    s->grace = NULL;
    close_conns(s, true);
}

void skl_http_server_close(struct skl_http_server *s, int64_t grace_ms, skl_timer_cb *on_closed,
                           void *arg)
{
    SKL_ASSERT(!s->closing);
    s->closing = true;
    s->on_closed = on_closed;
    s->closed_arg = arg;
    http_free(s, skl_take(&s->spare));
    s->grace = skl_timer_start(s->loop, grace_ms, grace_over, s);
    close_conns(s, false);
    server_check_closed(s);
}
