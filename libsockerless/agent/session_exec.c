/* Execs over a session. */
#include "agent/session_internal.h"
#include "base/alloc.h"

enum exec_step { EXEC_OPENING, EXEC_RUNNING, EXEC_SILENT }; /* silent: END has come */

struct skl_agent_exec {
    struct session_stream stream;
    const struct skl_agent_exec_events *events;
    void *arg;
    enum exec_step step;
    bool abandoned, stdin_ended;
};

_Static_assert(offsetof(struct skl_agent_exec, stream) == 0, "freed as its stream");

static struct skl_agent_exec *of(struct session_stream *r)
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

static void take_output(struct skl_agent_exec *x, const struct skl_frame *f)
{
    if (x->step != EXEC_RUNNING)
        session_stream_violation(&x->stream, "output of an exec that is not running");
    else if (x->abandoned)
        session_stream_consumed(&x->stream, f->payload.n);
    else
        x->events->on_output(x->arg, f->type == SKL_FRAME_STDERR, f->payload);
}

static void take_started(struct skl_agent_exec *x, struct skl_str p)
{
    uint64_t pid = skl_tlv_find_num(p, SKL_TAG_PID, 1);

    if (x->step != EXEC_OPENING || pid > INT32_MAX) {
        session_stream_violation(&x->stream, "a STARTED of an exec that cannot be");
        return;
    }
    x->step = EXEC_RUNNING;
    x->events->on_started(x->arg, (int)pid);
}

static void take_exit(struct skl_agent_exec *x, struct skl_str p)
{
    uint64_t code = skl_tlv_find_num(p, SKL_TAG_CODE, 256);

    if (x->step == EXEC_OPENING || code > 255) {
        session_stream_violation(&x->stream, "an EXIT of an exec that cannot be");
        return;
    }
    session_stream_over(&x->stream);
    finish(x, (int)code, NULL);
}

static void take_error(struct skl_agent_exec *x, const struct skl_frame *f)
{
    struct skl_error err;
    int code;

    session_read_error(f, &err, &code);
    session_stream_over(&x->stream);
    finish(x, code == 126 || code == 127 ? code : -1, &err);
}

static void on_frame(struct session_stream *r, const struct skl_frame *f)
{
    struct skl_agent_exec *x = of(r);

    switch (f->type) {
    case SKL_FRAME_STARTED:
        take_started(x, f->payload);
        break;
    case SKL_FRAME_STDOUT:
    case SKL_FRAME_STDERR:
        take_output(x, f);
        break;
    case SKL_FRAME_END:
        x->step = x->step == EXEC_RUNNING ? EXEC_SILENT : x->step;
        break;
    case SKL_FRAME_EXIT:
        take_exit(x, f->payload);
        break;
    case SKL_FRAME_ERROR:
        take_error(x, f);
        break;
    default:
        session_stream_violation(r, "a frame that an exec has not");
    }
}

static void on_credit(struct session_stream *r)
{
    struct skl_agent_exec *x = of(r);

    if (!x->abandoned)
        x->events->on_stdin_credit(x->arg);
}

static void on_lost(struct session_stream *r, const struct skl_error *err)
{
    finish(of(r), -1, err);
}

static const struct session_stream_ops ops = {on_frame, on_credit, on_lost};

struct skl_agent_exec *skl_session_exec(struct skl_session *s, const struct skl_process_spec *spec,
                                        const struct skl_agent_exec_events *events, void *arg)
{
    struct skl_agent_exec *x = skl_new0(struct skl_agent_exec);
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, SESSION_MAX_CONTROL);
    session_write_spec(spec, &b);
    x->events = events;
    x->arg = arg;
    session_stream_open(&x->stream, &ops, s, SKL_FRAME_EXEC, &b);
    return x;
}

size_t skl_agent_exec_credit(const struct skl_agent_exec *x)
{
    return session_stream_credit(&x->stream);
}

void skl_agent_exec_stdin(struct skl_agent_exec *x, struct skl_str data)
{
    if (data.n && !x->stdin_ended)
        session_stream_send(&x->stream, SKL_FRAME_STDIN, data);
}

void skl_agent_exec_stdin_end(struct skl_agent_exec *x)
{
    if (x->stdin_ended)
        return;
    x->stdin_ended = true;
    session_stream_send(&x->stream, SKL_FRAME_END, skl_str_n("", 0));
}

void skl_agent_exec_consumed(struct skl_agent_exec *x, size_t n)
{
    if (!x->abandoned)
        session_stream_consumed(&x->stream, n);
}

void skl_agent_exec_resize(struct skl_agent_exec *x, unsigned rows, unsigned cols)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64);
    skl_tlv_u64(&b, SKL_TAG_ROWS, rows);
    skl_tlv_u64(&b, SKL_TAG_COLS, cols);
    session_stream_send(&x->stream, SKL_FRAME_RESIZE, skl_buf_str(&b));
}

void skl_agent_exec_signal(struct skl_agent_exec *x, int signo)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64);
    skl_tlv_u64(&b, SKL_TAG_SIGNAL_NO, (uint64_t)signo);
    session_stream_send(&x->stream, SKL_FRAME_SIGNAL, skl_buf_str(&b));
}

/* No CLOSE: it would end the stream, and the exit code is still wanted. Output is dropped here instead, with what
 * the owner still held, or the process would wait for ever for room. */
void skl_agent_exec_abandon(struct skl_agent_exec *x)
{
    if (x->abandoned)
        return;
    x->abandoned = true;
    session_stream_consumed(&x->stream, x->stream.unconsumed);
    skl_agent_exec_stdin_end(x);
}
