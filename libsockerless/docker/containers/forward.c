/* Bytes of a TCP connection over a tunnel, both halves on their own. What the tunnel has no credit for stays in the
 * client's socket; what the client does not read is not confirmed to the agent. */
#include "docker/containers/forward.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "docker/api/hijack.h"

#define LINGER_MS 10000

struct forward {
    struct skl_hijacked hijacked;
    struct skl_stream *stream;
    struct skl_tunnel *tunnel;
    struct skl_buf pending; /* from the client, beyond the credit */
    size_t unconsumed;      /* for the client, not drained yet */
    bool is_open, eof;
};

static void forward_free(struct forward *f)
{
    skl_hijacked_remove(&f->hijacked);
    skl_buf_fini(&f->pending);
    free(f);
}

/* -- client to workload */

static void push(struct forward *f)
{
    size_t n;

    while (f->pending.n > 0 && (n = skl_tunnel_credit(f->tunnel)) > 0) {
        n = n < f->pending.n ? n : f->pending.n;
        skl_tunnel_data(f->tunnel, skl_str_n(f->pending.p, n));
        skl_buf_consume(&f->pending, n);
    }
    if (f->pending.n > 0)
        skl_stream_read_stop(f->stream);
    else if (!f->eof)
        skl_stream_read_start(f->stream);
    else
        skl_tunnel_shutdown(f->tunnel); /* may be the end of it all */
}

static void on_data(void *arg, const uint8_t *p, size_t n)
{
    struct forward *f = arg;

    skl_buf_add(&f->pending, p, n);
    push(f);
}

static void on_eof(void *arg)
{
    struct forward *f = arg;

    f->eof = true;
    push(f);
}

static void on_drain(void *arg)
{
    struct forward *f = arg;
    size_t n = f->unconsumed;

    f->unconsumed = 0;
    if (n > 0)
        skl_tunnel_consumed(f->tunnel, n);
}

static void on_broken(void *arg, const struct skl_error *why)
{
    struct forward *f = arg;
    struct skl_stream *s = f->stream;

    skl_tunnel_close(f->tunnel);
    forward_free(f);
    skl_stream_close(s);
}

/* -- workload to client */

static void tunnel_open(void *arg)
{
    struct forward *f = arg;

    f->is_open = true;
    skl_stream_read_start(f->stream);
}

static void tunnel_data(void *arg, struct skl_str data)
{
    struct forward *f = arg;

    skl_stream_write(f->stream, data.p, data.n);
    if (skl_stream_congested(f->stream))
        f->unconsumed += data.n;
    else
        skl_tunnel_consumed(f->tunnel, data.n);
}

static void tunnel_credit(void *arg)
{
    struct forward *f = arg;

    if (f->is_open && f->pending.n > 0)
        push(f);
}

static void tunnel_eof(void *arg)
{
    struct forward *f = arg;

    skl_stream_shutdown(f->stream);
}

static void tunnel_end(void *arg, const struct skl_error *err)
{
    struct forward *f = arg;
    struct skl_stream *s = f->stream;

    forward_free(f);
    if (err)
        skl_stream_close(s);
    else
        skl_stream_close_gracefully(s, LINGER_MS);
}

static void end_hijacked(struct skl_hijacked *h)
{
    struct forward *f = SKL_CONTAINER_OF(h, struct forward, hijacked);

    on_broken(f, NULL);
}

void skl_forward_begin(struct skl_engine *e, struct skl_container *c, unsigned port,
                       struct skl_stream *own_stream)
{
    static const struct skl_stream_events stream_events = {on_data, on_eof, on_drain, on_broken};
    static const struct skl_tunnel_events tunnel_events = {tunnel_open, tunnel_data, tunnel_credit,
                                                           tunnel_eof, tunnel_end};
    struct forward *f = skl_new0(struct forward);
    struct skl_error err;

    f->stream = own_stream;
    skl_buf_init(&f->pending, 2 * SKL_READ_CHUNK);
    skl_stream_set_events(own_stream, &stream_events, f);
    if (skl_hijacked_check_room(e, &err) < 0 ||
        skl_driver_tunnel(skl_workload_of(e->runtime, c), port, &tunnel_events, f, &f->tunnel,
                          &err) < 0) {
        skl_debug("ports", "a connection could not be carried", "container", c->id, "error",
                  err.msg, NULL);
        forward_free(f);
        skl_stream_close(own_stream);
        return;
    }
    skl_hijacked_add(e, &f->hijacked, end_hijacked);
}
