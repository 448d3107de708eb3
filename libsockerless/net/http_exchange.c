/* http_exchange - what a handler asks of its exchange and what it orders; answers are in http_answer.c.
 *
 * Rule    nothing here calls the handler: orders set flags and conn_pump() acts on them later.
 */
#include "net/http_internal.h"
#include "net/stream_internal.h"

/* -- what it asks */

static struct skl_str text_of(const struct skl_http *x, struct span s)
{
    return skl_str_n(x->text.p + s.off, s.n);
}

struct skl_str skl_http_method(const struct skl_http *x)
{
    return skl_str(llhttp_method_name((llhttp_method_t)x->method));
}

struct skl_str skl_http_path(const struct skl_http *x)
{
    return skl_str_n(x->text.p + x->url.off, x->path_n);
}

struct skl_str skl_http_query(const struct skl_http *x)
{
    return skl_str_skip(text_of(x, x->url), x->path_n < x->url.n ? x->path_n + 1u : x->url.n);
}

struct skl_str skl_http_header(const struct skl_http *x, const char *name)
{
    for (unsigned i = 0; i < x->n_headers; i++)
        if (skl_str_ieqz(text_of(x, x->headers[i].name), name))
            return skl_str_trim(text_of(x, x->headers[i].value));
    return (struct skl_str){NULL, 0};
}

bool skl_http_has_upgrade(const struct skl_http *x)
{
    return x->upgrade;
}

bool skl_http_has_body(const struct skl_http *x)
{
    return x->chunked || x->content_length > 0;
}

int64_t skl_http_content_length(const struct skl_http *x)
{
    return x->content_length;
}

/* -- what it orders */

void skl_http_peer_name(const struct skl_http *x, char *out, size_t cap)
{
    skl_stream_peer_name(x->c->stream, out, cap);
}

void skl_http_set_owner(struct skl_http *x, void *owner, void (*on_end)(void *owner))
{
    x->owner = owner;
    x->on_end = on_end;
}

void skl_http_end_on_eof(struct skl_http *x, bool on)
{
    x->end_on_eof = on;
    conn_schedule(x->c);
}

void skl_http_on_drain(struct skl_http *x, void (*cb)(void *owner))
{
    x->on_drain = cb;
}

void skl_http_read_body(struct skl_http *x, size_t max, skl_http_body_cb *cb, void *arg)
{
    SKL_ASSERT(x->mode == BODY_UNDECIDED && !x->answered && !x->taken);
    x->mode = BODY_WHOLE;
    x->body_cb = cb;
    x->body_arg = arg;
    skl_buf_fini(&x->body);
    skl_buf_init(&x->body, max);
    if (x->content_length > 0 && (uint64_t)x->content_length > max) {
        /* Known before a byte of it was read: not even asked for with 100-continue. */
        x->close_after = true;
        http_answer_problem(x, 413, NULL, "the request body is too large");
        return;
    }
    conn_schedule(x->c);
}

void skl_http_stream_body(struct skl_http *x, const struct skl_http_body_events *events, void *arg)
{
    SKL_ASSERT(x->mode == BODY_UNDECIDED && !x->answered && !x->taken);
    x->mode = BODY_STREAM;
    x->events = *events;
    x->body_arg = arg;
    conn_schedule(x->c);
}

void skl_http_pause_body(struct skl_http *x)
{
    x->paused = true;
}

void skl_http_resume_body(struct skl_http *x)
{
    x->paused = false;
    conn_schedule(x->c);
}

void skl_http_abort(struct skl_http *x)
{
    x->aborted = true;
    conn_schedule(x->c);
}

struct skl_stream *skl_http_take_over(struct skl_http *x, struct skl_str head)
{
    struct http_conn *c = x->c;
    struct skl_stream *s = c->stream;
    const struct skl_stream_events none = {0};
    SKL_ASSERT(!x->begun && !x->answered && !x->taken);
    x->taken = s;
    skl_stream_read_stop(s);
    skl_stream_set_events(s, &none, NULL);
    if (c->state == CONN_BODY && x->chunked) {
        struct skl_error e;
        skl_fail(&e, SKL_E_PROTOCOL, "the request has a chunked body before the raw stream");
        stream_fail_with(s, &e);
    }
    stream_skip(s, c->state == CONN_BODY ? c->body_left : 0);
    skl_stream_write(s, head.p, head.n);
    skl_stream_unread(s, c->win, c->win_n);
    c->win_n = 0;
    conn_schedule(c);
    return s;
}
