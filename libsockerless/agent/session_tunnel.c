/* TCP connections to the workload, over a session. */
#include "agent/session_internal.h"
#include "base/alloc.h"

struct skl_tunnel {
    struct session_stream stream;
    const struct skl_tunnel_events *events;
    void *arg;
    bool is_open, sent_end, got_end;
};

_Static_assert(offsetof(struct skl_tunnel, stream) == 0, "freed as its stream");

static struct skl_tunnel *of(struct session_stream *r)
{
    return SKL_CONTAINER_OF(r, struct skl_tunnel, stream);
}

static void finish(struct skl_tunnel *t, const struct skl_error *err)
{
    const struct skl_tunnel_events *events = t->events;
    void *arg = t->arg;

    free(t);
    events->on_end(arg, err);
}

static void finish_if_both_ended(struct skl_tunnel *t)
{
    if (!t->sent_end || !t->got_end)
        return;
    session_stream_over(&t->stream);
    finish(t, NULL);
}

static void take_error(struct skl_tunnel *t, const struct skl_frame *f)
{
    struct skl_error err;
    int code;

    session_read_error(f, &err, &code);
    session_stream_over(&t->stream);
    finish(t, &err);
}

static void take_close(struct skl_tunnel *t)
{
    struct skl_error err;

    skl_fail(&err, SKL_E_UNAVAILABLE, "the connection was broken by the workload");
    session_stream_over(&t->stream);
    finish(t, &err);
}

static void on_frame(struct session_stream *r, const struct skl_frame *f)
{
    struct skl_tunnel *t = of(r);

    if (f->type == SKL_FRAME_ERROR && !t->is_open) {
        take_error(t, f);
    } else if (f->type == SKL_FRAME_RESULT && !t->is_open) {
        t->is_open = true;
        t->events->on_open(t->arg);
    } else if (f->type == SKL_FRAME_TUNNEL_DATA && t->is_open && !t->got_end) {
        t->events->on_data(t->arg, f->payload);
    } else if (f->type == SKL_FRAME_END && t->is_open && !t->got_end) {
        t->got_end = true;
        if (t->sent_end)
            finish_if_both_ended(t);
        else
            t->events->on_eof(t->arg);
    } else if (f->type == SKL_FRAME_TUNNEL_CLOSE) {
        take_close(t);
    } else {
        session_stream_violation(r, "a frame that a tunnel has not");
    }
}

static void on_credit(struct session_stream *r)
{
    struct skl_tunnel *t = of(r);

    t->events->on_credit(t->arg);
}

static void on_lost(struct session_stream *r, const struct skl_error *err)
{
    finish(of(r), err);
}

static const struct session_stream_ops ops = {on_frame, on_credit, on_lost};

struct skl_tunnel *skl_session_tunnel(struct skl_session *s, unsigned port,
                                      const struct skl_tunnel_events *events, void *arg)
{
    struct skl_tunnel *t = skl_new0(struct skl_tunnel);
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64);
    skl_tlv_u64(&b, SKL_TAG_PORT, port);
    t->events = events;
    t->arg = arg;
    session_stream_open(&t->stream, &ops, s, SKL_FRAME_TUNNEL_OPEN, &b);
    return t;
}

size_t skl_tunnel_credit(const struct skl_tunnel *t)
{
    return t->is_open ? session_stream_credit(&t->stream) : 0;
}

void skl_tunnel_data(struct skl_tunnel *t, struct skl_str data)
{
    if (data.n && !t->sent_end)
        session_stream_send(&t->stream, SKL_FRAME_TUNNEL_DATA, data);
}

void skl_tunnel_shutdown(struct skl_tunnel *t)
{
    if (t->sent_end)
        return;
    t->sent_end = true;
    session_stream_send(&t->stream, SKL_FRAME_END, skl_str_n("", 0));
    finish_if_both_ended(t);
}

void skl_tunnel_consumed(struct skl_tunnel *t, size_t n)
{
    session_stream_consumed(&t->stream, n);
}

void skl_tunnel_close(struct skl_tunnel *t)
{
    session_stream_cancel(&t->stream);
}
