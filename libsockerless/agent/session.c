/* The backend's end of one agent: greeting, the main process, and the streams of everything else.
 *
 * The link below gives frames exactly once and in order within a session. Main output is not the link's: it carries
 * offsets, and is taken here only from where the owner's spool ends, so that it is complete over restarts of
 * this daemon too. An exit is told after the output that came before it.
 */
#include "agent/session.h"

#include "agent/session_internal.h"
#include "base/alloc.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"

#define HEARTBEAT_MS 15000
#define MAX_TEXT     (64 * SKL_KIB)

static const struct skl_link_events link_events;

struct skl_session *skl_session_new(uv_loop_t *loop, const struct skl_session_events *events,
                                    void *owner)
{
    struct skl_session *s = skl_new0(struct skl_session);

    s->loop = loop;
    s->events = events;
    s->owner = owner;
    s->link = skl_link_new(loop, &link_events, s);
    s->next_stream = SKL_STREAM_MAIN + 1;
    skl_list_init(&s->streams);
    skl_link_heartbeat(s->link, HEARTBEAT_MS);
    return s;
}

static void lose_streams(struct skl_session *s)
{
    struct skl_error err;

    skl_fail(&err, SKL_E_UNAVAILABLE, "the agent of the container is gone");
    while (!skl_list_empty(&s->streams)) {
        struct skl_request_stream *r =
            SKL_LIST_FIRST(&s->streams, struct skl_request_stream, in_session);

        skl_stream_over(r);
        r->on_lost(r, &err);
    }
}

static void free_later(void *arg)
{
    free(arg);
}

void skl_session_free(struct skl_session *s)
{
    if (s->closed)
        return;
    s->closed = true;
    lose_streams(s);
    if (s->owner)
        s->events->on_gone(s->owner, s);
    skl_link_close(s->link);
    free(s->instance);
    free(s->name);
    s->instance = s->name = NULL;
    skl_defer(s->loop, free_later, s); /* we may be inside one of its callbacks */
}

void skl_session_attach(struct skl_session *s, struct skl_ws *own_ws)
{
    skl_link_attach(s->link, own_ws);
}

bool skl_session_is_up(const struct skl_session *s)
{
    return !s->closed && skl_link_is_up(s->link);
}

const char *skl_session_instance(const struct skl_session *s)
{
    return s->instance;
}

enum skl_main_state skl_session_main_state(const struct skl_session *s)
{
    return s->state;
}

/* -- the end of a run */

static void tell_exit(struct skl_session *s)
{
    if (!s->exit_pending || s->received < s->exit_offset)
        return;
    s->exit_pending = false;
    if (s->exit_told == s->exit.run)
        return;
    s->exit_told = s->exit.run;
    s->events->on_exit(s->owner, s, &s->exit);
}

static void take_exit(struct skl_session *s, struct skl_str payload)
{
    s->exit = (struct skl_exit){
        .run = (unsigned)skl_tlv_find_num(payload, SKL_TAG_RUN, s->run),
        .code = (int)(skl_tlv_find_num(payload, SKL_TAG_CODE, 255) & 0xff),
        .signal = (int)(skl_tlv_find_num(payload, SKL_TAG_SIGNAL_NO, 0) & 0x7f),
        .oom = skl_tlv_find_num(payload, SKL_TAG_OOM, 0) != 0,
        .finished_ns = (int64_t)skl_tlv_find_num(payload, SKL_TAG_FINISHED_NS, 0),
    };
    s->state = SKL_MAIN_ENDED;
    s->exit_offset = skl_tlv_find_num(payload, SKL_TAG_OFFSET, s->received);
    s->exit_pending = true;
    tell_exit(s);
}

/* -- greeting */

static void send_welcome(struct skl_session *s, uint64_t resume, bool exit_known)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, SKL_KIB);
    skl_tlv_u64(&b, SKL_TAG_VERSION, SKL_WIRE_VERSION);
    skl_tlv_strz(&b, SKL_TAG_SESSION, s->name);
    skl_tlv_u64(&b, SKL_TAG_RECEIVED, skl_link_received(s->link));
    skl_tlv_u64(&b, SKL_TAG_OFFSET, resume);
    skl_tlv_u64(&b, SKL_TAG_EXIT_KNOWN, exit_known);
    skl_link_send_now(s->link, SKL_FRAME_WELCOME, SKL_STREAM_CONTROL, skl_str_n("", 0),
                      skl_buf_str(&b));
}

static void new_numbering(struct skl_session *s)
{
    char name[33];

    skl_random_hex(name, 32);
    skl_strset(&s->name, name);
    lose_streams(s);
    skl_link_reset(s->link);
}

static void take_hello(struct skl_session *s, struct skl_str p)
{
    char *instance SKL_AUTO_STR = skl_tlv_find_dup(p, SKL_TAG_INSTANCE);
    char *name SKL_AUTO_STR = skl_tlv_find_dup(p, SKL_TAG_SESSION);
    uint64_t state = skl_tlv_find_num(p, SKL_TAG_STATE, 0);
    uint64_t peer_received = skl_tlv_find_num(p, SKL_TAG_RECEIVED, 0);
    struct skl_session_hello hello;
    struct skl_error err;
    bool exit_known = false;

    if (skl_link_is_up(s->link) || !instance || state > SKL_MAIN_ENDED ||
        skl_tlv_find_num(p, SKL_TAG_VERSION, 0) != SKL_WIRE_VERSION) {
        skl_link_disconnect(s->link);
        return;
    }
    hello = (struct skl_session_hello){
        .instance = instance,
        .state = (enum skl_main_state)state,
        .run = (unsigned)skl_tlv_find_num(p, SKL_TAG_RUN, 0),
        .produced = skl_tlv_find_num(p, SKL_TAG_OFFSET, 0),
        .oldest = skl_tlv_find_num(p, SKL_TAG_OLDEST, 0),
        .pid = (int)skl_tlv_find_num(p, SKL_TAG_PID, 0),
    };
    if (!s->events->on_hello(s->owner, s, &hello, &s->received, &exit_known)) {
        skl_session_close(s);
        return;
    }
    s->state = hello.state;
    s->run = hello.run;
    if (!skl_streq(instance, s->instance) || !name || !skl_streq(name, s->name)) {
        new_numbering(s);
        peer_received = 0;
    }
    skl_strset(&s->instance, instance);
    send_welcome(s, s->received, exit_known);
    if (skl_link_resume(s->link, peer_received, &err) < 0) {
        skl_link_disconnect(s->link);
        return;
    }
    if (exit_known)
        s->exit_told = hello.run;
    s->events->on_up(s->owner, s);
    if (!s->closed && hello.state == SKL_MAIN_ENDED && !exit_known)
        take_exit(s, p);
}

/* -- frames */

static void protocol_error(struct skl_session *s, const char *what)
{
    skl_warn("agent", "an agent broke the protocol", "what", what, NULL);
    skl_link_disconnect(s->link);
}

static void take_output(struct skl_session *s, const struct skl_frame *f)
{
    struct skl_str data = skl_str_skip(f->payload, 8);
    uint64_t offset;

    if (f->payload.n < 8) {
        protocol_error(s, "output without an offset");
        return;
    }
    offset = skl_wire_get_u64((const uint8_t *)f->payload.p);
    if (offset > s->received) {
        protocol_error(s, "output with a gap");
        return;
    }
    if (offset + data.n <= s->received)
        return; /* had it */
    data = skl_str_skip(data, (size_t)(s->received - offset));
    offset = s->received;
    s->received += data.n;
    s->events->on_output(s->owner, s, f->type == SKL_FRAME_STDERR, offset, data);
    if (!s->closed)
        tell_exit(s);
}

static void take_start_error(struct skl_session *s, struct skl_str payload)
{
    char *message SKL_AUTO_STR = skl_tlv_find_dup(payload, SKL_TAG_MESSAGE);

    s->events->on_start_failed(s->owner, s,
                               (int)(skl_tlv_find_num(payload, SKL_TAG_CODE, 125) & 0xff),
                               message ? message : "the command could not be started");
}

static void take_main(struct skl_session *s, const struct skl_frame *f)
{
    switch (f->type) {
    case SKL_FRAME_STDOUT:
    case SKL_FRAME_STDERR:
        take_output(s, f);
        break;
    case SKL_FRAME_STARTED:
        s->state = SKL_MAIN_RUNNING;
        s->run = (unsigned)skl_tlv_find_num(f->payload, SKL_TAG_RUN, s->run);
        s->events->on_started(s->owner, s, s->run,
                              (int)skl_tlv_find_num(f->payload, SKL_TAG_PID, 1),
                              (int64_t)skl_tlv_find_num(f->payload, SKL_TAG_STARTED_NS, 0));
        break;
    case SKL_FRAME_EXIT:
        take_exit(s, f->payload);
        break;
    case SKL_FRAME_ERROR:
        take_start_error(s, f->payload);
        break;
    default:
        protocol_error(s, skl_frame_name(f->type));
    }
}

static struct skl_request_stream *find_stream(struct skl_session *s, uint32_t id)
{
    struct skl_list *it;

    skl_list_foreach (it, &s->streams) {
        struct skl_request_stream *r = SKL_LIST_ENTRY(it, struct skl_request_stream, in_session);

        if (r->id == id)
            return r;
    }
    return NULL;
}

static bool carries_records(uint8_t type)
{
    return type != SKL_FRAME_STDOUT && type != SKL_FRAME_STDERR && type != SKL_FRAME_STDIN &&
           type != SKL_FRAME_END;
}

static void on_frame(void *arg, const struct skl_frame *f)
{
    struct skl_session *s = arg;
    struct skl_request_stream *r;

    if (carries_records(f->type) && !skl_tlv_is_valid(f->payload)) {
        protocol_error(s, "malformed records");
    } else if (f->type == SKL_FRAME_HELLO) {
        take_hello(s, f->payload);
    } else if (!skl_link_is_up(s->link)) {
        protocol_error(s, "a frame before HELLO");
    } else if (f->stream == SKL_STREAM_MAIN) {
        take_main(s, f);
    } else if ((r = find_stream(s, f->stream))) {
        r->on_frame(r, f);
    } else if (f->type == SKL_FRAME_STDOUT || f->type == SKL_FRAME_STDERR) {
        skl_link_forget(s->link, f->stream); /* of a stream that is over here */
    }
}

static void on_credit(void *arg, uint32_t stream)
{
    struct skl_session *s = arg;
    struct skl_request_stream *r;

    if (stream == SKL_STREAM_MAIN)
        s->events->on_stdin_credit(s->owner, s);
    else if ((r = find_stream(s, stream)))
        r->on_credit(r);
}

static void on_down(void *arg, const struct skl_error *why)
{
    struct skl_session *s = arg;

    if (s->closed)
        return;
    if (s->instance)
        s->events->on_down(s->owner, s);
    if (!s->closed && s->on_lost)
        s->on_lost(s->on_lost_arg, s);
}

static const struct skl_link_events link_events = {on_frame, on_credit, on_down};

/* -- streams */

void skl_stream_open(struct skl_request_stream *r, struct skl_session *s, uint8_t type,
                     struct skl_str payload)
{
    r->s = s;
    r->id = s->next_stream++;
    skl_list_push(&s->streams, &r->in_session);
    skl_link_send(s->link, type, r->id, payload);
}

void skl_stream_over(struct skl_request_stream *r)
{
    skl_list_remove(&r->in_session);
    skl_link_forget(r->s->link, r->id);
}

void skl_frame_error(const struct skl_frame *f, struct skl_error *ret, int *code)
{
    static const enum skl_kind kinds[] = {SKL_E_INVALID,  SKL_E_FORBIDDEN, SKL_E_NOTFOUND,
                                          SKL_E_CONFLICT, SKL_E_TOOBIG,    SKL_E_UNSUPPORTED};
    char *message SKL_AUTO_STR = skl_tlv_find_dup(f->payload, SKL_TAG_MESSAGE);
    enum skl_kind kind = SKL_E_INTERNAL;

    *code = (int)(skl_tlv_find_num(f->payload, SKL_TAG_CODE, 500) & 0x3ff);
    for (size_t i = 0; i < SKL_ARRAY_LEN(kinds); i++)
        if (skl_kind_status(kinds[i]) == *code)
            kind = kinds[i];
    skl_fail(ret, kind, "%s", message ? message : "the agent gave no reason");
}

/* -- the main process */

static void add_all(struct skl_buf *b, enum skl_tag tag, char *const *v)
{
    for (; v && *v; v++)
        skl_tlv_strz(b, tag, *v);
}

void skl_process_spec_write(const struct skl_process_spec *spec, struct skl_buf *b)
{
    add_all(b, SKL_TAG_ARG, spec->argv);
    add_all(b, SKL_TAG_ENV, spec->env);
    skl_tlv_strz(b, SKL_TAG_CWD, spec->cwd);
    skl_tlv_strz(b, SKL_TAG_USER, spec->user);
    skl_tlv_u64(b, SKL_TAG_TTY, spec->tty);
    skl_tlv_u64(b, SKL_TAG_STDIN_OPEN, spec->stdin_open);
    skl_tlv_u64(b, SKL_TAG_PRIVILEGED, spec->privileged);
    skl_tlv_u64(b, SKL_TAG_ROWS, spec->rows);
    skl_tlv_u64(b, SKL_TAG_COLS, spec->cols);
    add_all(b, SKL_TAG_GROUP_ADD, spec->group_add);
    add_all(b, SKL_TAG_ULIMIT, spec->ulimits);
}

void skl_session_start(struct skl_session *s, unsigned run, const struct skl_process_spec *spec)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 16 * SKL_MIB);
    skl_tlv_u64(&b, SKL_TAG_RUN, run);
    skl_process_spec_write(spec, &b);
    skl_tlv_strz(&b, SKL_TAG_HOSTNAME, spec->hostname);
    add_all(&b, SKL_TAG_HOSTS, spec->hosts);
    skl_tlv_u64(&b, SKL_TAG_WARM_SECONDS, spec->warm_seconds);
    skl_tlv_u64(&b, SKL_TAG_INIT, spec->init);
    skl_link_forget(s->link, SKL_STREAM_MAIN); /* stdin's account begins anew */
    skl_link_send(s->link, SKL_FRAME_START, SKL_STREAM_MAIN, skl_buf_str(&b));
}

void skl_session_ack(struct skl_session *s, uint64_t offset)
{
    skl_link_ack_main(s->link, offset);
}

size_t skl_session_stdin_credit(const struct skl_session *s)
{
    size_t n = skl_link_credit(s->link, SKL_STREAM_MAIN);

    return n < SKL_FRAME_MAX_PAYLOAD ? n : SKL_FRAME_MAX_PAYLOAD;
}

void skl_session_stdin(struct skl_session *s, struct skl_str data)
{
    skl_link_send(s->link, SKL_FRAME_STDIN, SKL_STREAM_MAIN, data);
}

void skl_session_stdin_end(struct skl_session *s)
{
    skl_link_send(s->link, SKL_FRAME_END, SKL_STREAM_MAIN, skl_str_n("", 0));
}

static void send_number(struct skl_session *s, uint8_t type, uint32_t stream, enum skl_tag tag,
                        uint64_t value)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64);
    skl_tlv_u64(&b, tag, value);
    skl_link_send(s->link, type, stream, skl_buf_str(&b));
}

void skl_session_signal(struct skl_session *s, int signo)
{
    send_number(s, SKL_FRAME_SIGNAL, SKL_STREAM_MAIN, SKL_TAG_SIGNAL_NO, (uint64_t)signo);
}

void skl_session_pause(struct skl_session *s, bool on)
{
    send_number(s, SKL_FRAME_PAUSE, SKL_STREAM_MAIN, SKL_TAG_CODE, on);
}

void skl_session_resize(struct skl_session *s, unsigned rows, unsigned cols)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64);
    skl_tlv_u64(&b, SKL_TAG_ROWS, rows);
    skl_tlv_u64(&b, SKL_TAG_COLS, cols);
    skl_link_send(s->link, SKL_FRAME_RESIZE, SKL_STREAM_MAIN, skl_buf_str(&b));
}

void skl_session_shutdown(struct skl_session *s)
{
    skl_link_send(s->link, SKL_FRAME_SHUTDOWN, SKL_STREAM_CONTROL, skl_str_n("", 0));
}

void skl_session_reconnect(struct skl_session *s)
{
    skl_link_disconnect(s->link);
}
