/* The main process over a session.
 *
 * Main output is not the link's: it carries offsets and is taken only from where the owner's spool ends, so that it
 * is complete over restarts of this daemon too. An exit is told once per run, after the output that came before it,
 * whether an EXIT frame or a HELLO said it.
 */
#include "agent/session_internal.h"
#include "base/alloc.h"
#include "base/clock.h"

/* What an agent may send beyond what was confirmed; it looks before a piece, so one piece more. */
#define OUTPUT_WINDOW (SKL_MIB + SKL_FRAME_MAX_PAYLOAD)

enum skl_main_state skl_session_main_state(const struct skl_session *s)
{
    return s->state;
}

/* -- the end of a run */

static void tell_exit(struct skl_session *s)
{
    if (!s->exit_pending || s->taken < s->exit_offset || !skl_link_is_up(s->link))
        return;
    s->exit_pending = false;
    s->exit_told = s->exit.run;
    s->events->on_exit(s->owner, s, &s->exit);
}

static void take_exit(struct skl_session *s, struct skl_exit exit, uint64_t offset)
{
    if (exit.run <= s->exit_told)
        return; /* said again */
    if (exit.finished_ns <= 0)
        exit.finished_ns = skl_wall_ns();
    s->exit = exit;
    s->exit_offset = offset;
    s->exit_pending = true;
    tell_exit(s);
}

static void exit_frame(struct skl_session *s, struct skl_str p)
{
    uint64_t run = skl_tlv_find_num(p, SKL_TAG_RUN, s->run);
    uint64_t code = skl_tlv_find_num(p, SKL_TAG_CODE, 256);
    uint64_t signo = skl_tlv_find_num(p, SKL_TAG_SIGNAL_NO, 0);
    int64_t finished = (int64_t)skl_tlv_find_num(p, SKL_TAG_FINISHED_NS, 0);

    if (run == 0 || run > s->run || (run == s->run && s->start_pending) || code > 255 ||
        signo > 127) {
        session_violation(s, "an EXIT that cannot be");
        return;
    }
    if (run == s->run)
        s->state = SKL_MAIN_ENDED;
    take_exit(s,
              (struct skl_exit){.run = (unsigned)run,
                                .code = (int)code,
                                .signal = (int)signo,
                                .oom = skl_tlv_find_num(p, SKL_TAG_OOM, 0) != 0,
                                .finished_ns = finished},
              skl_tlv_find_num(p, SKL_TAG_OFFSET, s->taken));
}

/* -- frames */

static void output_frame(struct skl_session *s, const struct skl_frame *f)
{
    struct skl_str data;
    uint64_t offset, acked = s->acked;

    if (f->payload.n < 8) {
        session_violation(s, "output without an offset");
        return;
    }
    data = skl_str_skip(f->payload, 8);
    offset = skl_wire_get_u64((const uint8_t *)f->payload.p);
    if (offset > s->taken) {
        session_violation(s, "output with a gap");
        return;
    }
    if (data.n <= s->taken - offset)
        return; /* had it */
    data = skl_str_skip(data, (size_t)(s->taken - offset));
    if (s->taken + data.n > s->acked + OUTPUT_WINDOW) {
        session_violation(s, "more output than it may send unconfirmed");
        return;
    }
    offset = s->taken;
    s->taken += data.n;
    s->in_output = true;
    s->events->on_output(s->owner, s, f->type == SKL_FRAME_STDERR, offset, data);
    s->in_output = false;
    /* An owner that could not store it has cut the connection: the next greeting says from where. */
    if (!s->closed)
        tell_exit(s);
    /* Last, because an agent whose output and exit are confirmed may leave: its exit must be recorded then. */
    if (!s->closed && s->acked > acked)
        skl_link_ack_main(s->link, s->acked);
}

static void started_frame(struct skl_session *s, struct skl_str p)
{
    uint64_t pid = skl_tlv_find_num(p, SKL_TAG_PID, 1);
    int64_t at = (int64_t)skl_tlv_find_num(p, SKL_TAG_STARTED_NS, 0);

    if (!s->start_pending || skl_tlv_find_num(p, SKL_TAG_RUN, s->start_run) != s->start_run ||
        pid > INT32_MAX) {
        session_violation(s, "a STARTED that cannot be");
        return;
    }
    s->start_pending = false;
    s->state = SKL_MAIN_RUNNING;
    s->events->on_started(s->owner, s, s->run, (int)pid, at > 0 ? at : skl_wall_ns());
}

static void start_failed(struct skl_session *s, int code, const char *message)
{
    s->start_pending = false;
    if (s->exit_told < s->start_run)
        s->exit_told = s->start_run; /* nothing ended that never began */
    s->events->on_start_failed(s->owner, s, code, message);
}

static void error_frame(struct skl_session *s, const struct skl_frame *f)
{
    struct skl_error err;
    int code;

    if (!s->start_pending) {
        session_violation(s, "an ERROR that answers nothing");
        return;
    }
    session_read_error(f, &err, &code);
    start_failed(s, code == 126 || code == 127 ? code : 125, err.msg);
}

void session_main_frame(struct skl_session *s, const struct skl_frame *f)
{
    switch (f->type) {
    case SKL_FRAME_STDOUT:
    case SKL_FRAME_STDERR:
        output_frame(s, f);
        break;
    case SKL_FRAME_STARTED:
        started_frame(s, f->payload);
        break;
    case SKL_FRAME_EXIT:
        exit_frame(s, f->payload);
        break;
    case SKL_FRAME_ERROR:
        error_frame(s, f);
        break;
    default:
        session_violation(s, "a frame that the main stream has not");
    }
}

/* -- after a greeting */

/* The numbering in which START was sent is gone, and with it the answer: HELLO says what became of it. */
static void settle_start(struct skl_session *s, const struct agent_hello *hello)
{
    s->start_lost = false;
    if (hello->main.run == s->start_run && hello->main.state != SKL_MAIN_WAITING) {
        s->start_pending = false;
        s->events->on_started(s->owner, s, s->start_run, hello->main.pid, skl_wall_ns());
    } else {
        start_failed(s, 125, "the connection to the agent was lost before the command was begun");
    }
}

void session_main_greeting(struct skl_session *s, const struct agent_hello *hello, uint64_t resume,
                           bool exit_known, bool goes_on)
{
    s->state = hello->main.state;
    s->run = s->start_pending && goes_on ? s->start_run : hello->main.run;
    s->taken = s->acked = resume;
    s->start_lost = s->start_pending && !goes_on;
    if (exit_known && hello->main.run > s->exit_told)
        s->exit_told = hello->main.run;
}

void session_main_greeted(struct skl_session *s, const struct agent_hello *hello, bool exit_known,
                          bool agent_began_anew)
{
    if (s->start_lost)
        settle_start(s, hello);
    if (s->closed)
        return;
    /* In a numbering that goes on the agent's STARTED and EXIT come again, in their order. */
    if (agent_began_anew && hello->main.state == SKL_MAIN_ENDED && !exit_known)
        take_exit(s, hello->main.exit, hello->main.produced);
    else
        tell_exit(s);
}

/* -- the owner's calls */

static void tell_start_refused(void *arg)
{
    struct skl_session *s = arg;

    if (s->closed || !s->start_refused)
        return;
    s->start_refused = false;
    start_failed(s, 125, "command and environment are larger than an agent takes (256 KiB)");
}

void skl_session_start(struct skl_session *s, unsigned run, const struct skl_process_spec *spec)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    if (s->closed)
        return;
    skl_buf_init(&b, SESSION_MAX_CONTROL);
    skl_tlv_u64(&b, SKL_TAG_RUN, run);
    session_write_spec(spec, &b);
    skl_tlv_u64(&b, SKL_TAG_WARM_SECONDS, spec->warm_seconds);
    skl_tlv_u64(&b, SKL_TAG_INIT, spec->init);
    for (size_t i = 0; i < spec->n_ports; i++)
        skl_tlv_u64(&b, SKL_TAG_PORT, spec->ports[i]);
    s->start_run = run;
    s->start_lost = false;
    if (b.failed) {
        s->start_refused = true;
        skl_defer(s->loop, tell_start_refused, s);
        return;
    }
    s->run = run;
    s->start_pending = true;
    if (s->exit_told >= run)
        s->exit_told = run - 1;                /* the number is used again after a failed start */
    skl_link_forget(s->link, SKL_STREAM_MAIN); /* stdin's account begins anew, at both ends */
    session_send(s, SKL_FRAME_START, SKL_STREAM_MAIN, skl_buf_str(&b));
}

void skl_session_ack(struct skl_session *s, uint64_t offset)
{
    if (s->closed || offset <= s->acked || offset > s->taken)
        return; /* not of this instance, or said before */
    s->acked = offset;
    if (!s->in_output)
        skl_link_ack_main(s->link, offset);
}

size_t skl_session_stdin_credit(const struct skl_session *s)
{
    return session_credit(s, SKL_STREAM_MAIN);
}

void skl_session_stdin(struct skl_session *s, struct skl_str data)
{
    if (data.n)
        session_send(s, SKL_FRAME_STDIN, SKL_STREAM_MAIN, data);
}

void skl_session_stdin_end(struct skl_session *s)
{
    session_send(s, SKL_FRAME_END, SKL_STREAM_MAIN, skl_str_n("", 0));
}

static void send_number(struct skl_session *s, uint8_t type, enum skl_tag tag, uint64_t value)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64);
    skl_tlv_u64(&b, tag, value);
    session_send(s, type, SKL_STREAM_MAIN, skl_buf_str(&b));
}

void skl_session_signal(struct skl_session *s, int signo)
{
    send_number(s, SKL_FRAME_SIGNAL, SKL_TAG_SIGNAL_NO, (uint64_t)signo);
}

void skl_session_pause(struct skl_session *s, bool on)
{
    send_number(s, SKL_FRAME_PAUSE, SKL_TAG_CODE, on);
}

void skl_session_resize(struct skl_session *s, unsigned rows, unsigned cols)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64);
    skl_tlv_u64(&b, SKL_TAG_ROWS, rows);
    skl_tlv_u64(&b, SKL_TAG_COLS, cols);
    session_send(s, SKL_FRAME_RESIZE, SKL_STREAM_MAIN, skl_buf_str(&b));
}

void skl_session_shutdown(struct skl_session *s)
{
    session_send(s, SKL_FRAME_SHUTDOWN, SKL_STREAM_CONTROL, skl_str_n("", 0));
}
