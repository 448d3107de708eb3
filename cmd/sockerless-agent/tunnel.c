/* Connections to the workload's own ports, for published ports. Only loopback is dialled, and only what START announced:
 * the backend is no way into other networks, nor to what the container keeps to itself. */
#include <string.h>

#include "agent.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "net/stream.h"

#define CONNECT_MS 10000
#define LINGER_MS  10000

struct tunnel {
    struct agent_task task;
    struct skl_connect *connect;
    struct skl_stream *stream;
    struct skl_buf waiting; /* read from the workload, beyond the credit */
    size_t unconsumed;      /* written to the workload, not drained yet */
    unsigned port;
    bool tried_v6;
    bool eof;      /* the workload ended its half */
    bool sent_end; /* ... and the backend knows */
    bool got_end;  /* the backend ended its half */
};

static void tunnel_free(struct tunnel *t)
{
    agent_task_end(&t->task);
    skl_connect_cancel(&t->connect);
    skl_buf_fini(&t->waiting);
    free(t);
}

static void send_frame(struct tunnel *t, uint8_t type, struct skl_str payload)
{
    skl_link_send(t->task.a->link, type, t->task.stream, payload);
}

static void finish_if_both_ended(struct tunnel *t)
{
    struct skl_stream *s = t->stream;

    if (!t->sent_end || !t->got_end)
        return;
    tunnel_free(t);
    skl_stream_close_gracefully(s, LINGER_MS);
}

/* What fits into the credit; reading goes on when nothing is left. */
static void flush(struct tunnel *t)
{
    while (t->waiting.n > 0) {
        size_t n = skl_link_credit(t->task.a->link, t->task.stream);

        if (n == 0) {
            skl_stream_read_stop(t->stream);
            return;
        }
        n = n < t->waiting.n ? n : t->waiting.n;
        n = n < SKL_FRAME_MAX_PAYLOAD ? n : SKL_FRAME_MAX_PAYLOAD;
        send_frame(t, SKL_FRAME_TUNNEL_DATA, skl_str_n(t->waiting.p, n));
        skl_buf_consume(&t->waiting, n);
    }
    if (t->eof && !t->sent_end) {
        t->sent_end = true;
        send_frame(t, SKL_FRAME_END, skl_str_n("", 0));
        finish_if_both_ended(t);
    } else if (!t->eof) {
        skl_stream_read_start(t->stream);
    }
}

static void on_data(void *arg, const uint8_t *p, size_t n)
{
    struct tunnel *t = arg;

    skl_buf_add(&t->waiting, p, n);
    flush(t);
}

static void on_eof(void *arg)
{
    struct tunnel *t = arg;

    t->eof = true;
    flush(t);
}

static void on_drain(void *arg)
{
    struct tunnel *t = arg;
    size_t n = t->unconsumed;

    t->unconsumed = 0;
    if (n > 0)
        skl_link_consumed(t->task.a->link, t->task.stream, n);
}

static void on_broken(void *arg, const struct skl_error *why)
{
    struct tunnel *t = arg;
    struct skl_stream *s = t->stream;

    send_frame(t, SKL_FRAME_TUNNEL_CLOSE, skl_str_n("", 0));
    tunnel_free(t);
    skl_stream_close(s);
}

static void dial(struct tunnel *t);

static void connected(void *arg, struct skl_stream *own_stream, const struct skl_error *err)
{
    static const struct skl_stream_events events = {on_data, on_eof, on_drain, on_broken};
    struct tunnel *t = arg;

    t->connect = NULL;
    if (err && !t->tried_v6) {
        t->tried_v6 = true;
        dial(t);
        return;
    }
    if (err) {
        agent_task_error(t->task.a, t->task.stream, 502, err->msg);
        tunnel_free(t);
        return;
    }
    t->stream = own_stream;
    skl_stream_set_events(own_stream, &events, t);
    agent_task_result(t->task.a, t->task.stream, skl_str_n("", 0));
    if (t->got_end)
        skl_stream_shutdown(own_stream);
    skl_stream_read_start(own_stream);
}

static void dial(struct tunnel *t)
{
    struct skl_address to = {.kind = SKL_ADDRESS_TCP, .port = (int)t->port};

    memcpy(to.host, t->tried_v6 ? "::1" : "127.0.0.1", t->tried_v6 ? 4 : 10);
    t->connect = skl_stream_connect(t->task.a->loop, &to, NULL, NULL, CONNECT_MS, connected, t);
}

/* The backend sends nothing before RESULT. */
static void on_frame(struct agent_task *task, const struct skl_frame *f)
{
    struct tunnel *t = SKL_CONTAINER_OF(task, struct tunnel, task);

    if (f->type == SKL_FRAME_TUNNEL_DATA && t->stream && !t->got_end) {
        skl_stream_write(t->stream, f->payload.p, f->payload.n);
        if (skl_stream_congested(t->stream))
            t->unconsumed += f->payload.n;
        else
            skl_link_consumed(t->task.a->link, t->task.stream, f->payload.n);
    } else if (f->type == SKL_FRAME_END && !t->got_end) {
        t->got_end = true;
        if (t->stream) {
            skl_stream_shutdown(t->stream);
            finish_if_both_ended(t);
        }
    }
}

static void on_credit(struct agent_task *task)
{
    struct tunnel *t = SKL_CONTAINER_OF(task, struct tunnel, task);

    if (t->stream && t->waiting.n > 0)
        flush(t);
}

static void on_close(struct agent_task *task)
{
    struct tunnel *t = SKL_CONTAINER_OF(task, struct tunnel, task);
    struct skl_stream *s = t->stream;

    tunnel_free(t);
    skl_stream_close(s);
}

void agent_tunnel(struct agent *a, const struct skl_frame *f)
{
    uint64_t port = skl_tlv_find_num(f->payload, SKL_TAG_PORT, 0);
    struct tunnel *t;

    if (port == 0 || port > UINT16_MAX || a->state != AGENT_RUNNING) {
        agent_task_error(a, f->stream, port ? 409 : 400, "there is no such port to connect to");
        return;
    }
    if (!(a->ports[port / 8] & 1u << port % 8)) {
        agent_task_error(a, f->stream, 403, "the container does not publish this port");
        return;
    }
    t = skl_new0(struct tunnel);
    t->port = (unsigned)port;
    skl_buf_init(&t->waiting, 2 * SKL_READ_CHUNK);
    t->task.on_frame = on_frame;
    t->task.on_credit = on_credit;
    t->task.on_close = on_close;
    agent_task_init(&t->task, a, f->stream);
    dial(t);
}
