/* Execs over a session. */
#include "agent/session_internal.h"
#include "base/alloc.h"
#include "base/limits.h"

struct skl_agent_exec {
    struct skl_request_stream stream;
    const struct skl_agent_exec_events *events;
    void *arg;
    bool abandoned, over;
};

static struct skl_agent_exec *of(struct skl_request_stream *r)
{
    return SKL_CONTAINER_OF(r, struct skl_agent_exec, stream);
}

static void finish(struct skl_agent_exec *x, int code, const struct skl_error *err)
{
    const struct skl_agent_exec_events *events = x->events;
    void *arg = x->arg;

    free(x);
    events->on_end(arg, code, err);
}

static void on_frame(struct skl_request_stream *r, const struct skl_frame *f)
{
    struct skl_agent_exec *x = of(r);
    struct skl_error err;
    int code;

    switch (f->type) {
    case SKL_FRAME_STARTED:
        x->events->on_started(x->arg, (int)skl_tlv_find_num(f->payload, SKL_TAG_PID, 1));
        break;
    case SKL_FRAME_STDOUT:
    case SKL_FRAME_STDERR:
        if (x->abandoned)
            skl_link_consumed(r->s->link, r->id, f->payload.n);
        else
            x->events->on_output(x->arg, f->type == SKL_FRAME_STDERR, f->payload);
        break;
    case SKL_FRAME_EXIT:
        code = (int)(skl_tlv_find_num(f->payload, SKL_TAG_CODE, 255) & 0xff);
        skl_stream_over(r);
        finish(x, code, NULL);
        break;
    case SKL_FRAME_ERROR:
        skl_frame_error(f, &err, &code);
        skl_stream_over(r);
        finish(x, code == 126 || code == 127 ? code : -1, &err);
        break;
    }
}

static void on_credit(struct skl_request_stream *r)
{
    struct skl_agent_exec *x = of(r);

    if (!x->abandoned)
        x->events->on_stdin_credit(x->arg);
}

static void on_lost(struct skl_request_stream *r, const struct skl_error *err)
{
    finish(of(r), -1, err);
}

struct skl_agent_exec *skl_session_exec(struct skl_session *s, const struct skl_process_spec *spec,
                                        const struct skl_agent_exec_events *events, void *arg)
{
    struct skl_agent_exec *x = skl_new0(struct skl_agent_exec);
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 16 * SKL_MIB);
    skl_process_spec_write(spec, &b);
    x->events = events;
    x->arg = arg;
    x->stream.on_frame = on_frame;
    x->stream.on_credit = on_credit;
    x->stream.on_lost = on_lost;
    skl_stream_open(&x->stream, s, SKL_FRAME_EXEC, skl_buf_str(&b));
    return x;
}

size_t skl_agent_exec_credit(const struct skl_agent_exec *x)
{
    size_t n = skl_link_credit(x->stream.s->link, x->stream.id);

    return n < SKL_FRAME_MAX_PAYLOAD ? n : SKL_FRAME_MAX_PAYLOAD;
}

void skl_agent_exec_stdin(struct skl_agent_exec *x, struct skl_str data)
{
    skl_link_send(x->stream.s->link, SKL_FRAME_STDIN, x->stream.id, data);
}

void skl_agent_exec_stdin_end(struct skl_agent_exec *x)
{
    skl_link_send(x->stream.s->link, SKL_FRAME_END, x->stream.id, skl_str_n("", 0));
}

void skl_agent_exec_consumed(struct skl_agent_exec *x, size_t n)
{
    skl_link_consumed(x->stream.s->link, x->stream.id, n);
}

void skl_agent_exec_resize(struct skl_agent_exec *x, unsigned rows, unsigned cols)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64);
    skl_tlv_u64(&b, SKL_TAG_ROWS, rows);
    skl_tlv_u64(&b, SKL_TAG_COLS, cols);
    skl_link_send(x->stream.s->link, SKL_FRAME_RESIZE, x->stream.id, skl_buf_str(&b));
}

void skl_agent_exec_signal(struct skl_agent_exec *x, int signo)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64);
    skl_tlv_u64(&b, SKL_TAG_SIGNAL_NO, (uint64_t)signo);
    skl_link_send(x->stream.s->link, SKL_FRAME_SIGNAL, x->stream.id, skl_buf_str(&b));
}

/* The process runs on, and its exit code is still wanted: output is dropped here. */
void skl_agent_exec_abandon(struct skl_agent_exec *x)
{
    x->abandoned = true;
}
