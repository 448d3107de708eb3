/* agent_helper - the backend's end of the agent protocol on a real loopback socket, and a scripted agent.
 *
 * The backend's owner writes what it is told into one text, piece by piece ("up;", "out 0 0 abc;"), so that order
 * and number of the events are compared at once. The fake agent speaks frames by hand: it counts and confirms
 * nothing unless the script says so.
 */
#ifndef SKL_TESTS_AGENT_HELPER_H
#define SKL_TESTS_AGENT_HELPER_H

#include "agent/registry.h"
#include "base/log.h"
#include "net/http_server.h"
#include "net/listener.h"
#include "net_helper.h"

#define ID_A  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TOKEN "5ec4e75ec4e75ec4e75ec4e75ec4e75ec4e75ec4e75ec4e75ec4e75ec4e75ec4"

static char *helper_argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"true"}, NULL};

/* -- the owner of a container */

struct owner {
    struct skl_buf log;
    struct skl_session *s;
    uint64_t resume; /* what on_hello answers */
    bool exit_known, refuse, no_ack, lose_output;
    bool forget_on_exit, forget_on_gone, reconnect_on_exit;
    unsigned start_on_up; /* the run */
};

static struct skl_agents *agents;
static struct skl_http_server *door;
static struct skl_listener *door_listener;
static struct owner owner;
static int log_pipe[2];

static bool owner_hello(void *arg, struct skl_session *s, const struct skl_session_hello *h,
                        uint64_t *resume, bool *exit_known)
{
    struct owner *o = arg;
    skl_buf_addf(&o->log, "hello %s %d %u;", h->instance, h->state, h->run);
    *resume = o->resume;
    *exit_known = o->exit_known;
    o->s = o->refuse ? o->s : s;
    return !o->refuse;
}

static void owner_up(void *arg, struct skl_session *s)
{
    struct owner *o = arg;
    ck_assert(skl_session_is_up(s));
    skl_buf_adds(&o->log, "up;");
    if (o->start_on_up) {
        struct skl_process_spec spec = {.argv = helper_argv};
        skl_session_start(s, o->start_on_up, &spec);
        o->start_on_up = 0;
    }
}

static void owner_down(void *arg, struct skl_session *s)
{
    struct owner *o = arg;
    ck_assert(!skl_session_is_up(s));
    skl_buf_adds(&o->log, "down;");
}

static void owner_gone(void *arg, struct skl_session *s)
{
    struct owner *o = arg;
    skl_buf_addf(&o->log, "gone %s;", skl_session_instance(s));
    if (o->s == s)
        o->s = NULL;
    if (o->forget_on_gone)
        skl_agents_forget(agents, ID_A);
}

static void owner_started(void *arg, struct skl_session *s, unsigned run, int pid, int64_t ns)
{
    ck_assert(ns > 0);
    skl_buf_addf(&((struct owner *)arg)->log, "started %u %d;", run, pid);
}

static void owner_start_failed(void *arg, struct skl_session *s, int code, const char *message)
{
    skl_buf_addf(&((struct owner *)arg)->log, "start failed %d %s;", code, message);
}

static void owner_output(void *arg, struct skl_session *s, bool is_stderr, uint64_t offset,
                         struct skl_str data)
{
    struct owner *o = arg;
    if (o->lose_output) {
        skl_buf_adds(&o->log, "lost;");
        skl_session_reconnect(s);
        return;
    }
    skl_buf_addf(&o->log, "out %d %llu ", is_stderr, (unsigned long long)offset);
    if (data.n < 100)
        skl_buf_addstr(&o->log, data);
    else
        skl_buf_addf(&o->log, "(%zu)", data.n);
    skl_buf_addc(&o->log, ';');
    o->resume = offset + data.n;
    if (!o->no_ack)
        skl_session_ack(s, o->resume);
}

static void owner_exit(void *arg, struct skl_session *s, const struct skl_exit *exit)
{
    struct owner *o = arg;
    skl_buf_addf(&o->log, "exit %u %d %d%s;", exit->run, exit->code, exit->signal,
                 exit->oom ? " oom" : "");
    if (o->forget_on_exit)
        skl_agents_forget(agents, ID_A);
    if (o->reconnect_on_exit)
        skl_session_reconnect(s);
}

static void owner_stdin_credit(void *arg, struct skl_session *s)
{
}

static const struct skl_session_events owner_events = {
    owner_hello,        owner_up,     owner_down, owner_gone,         owner_started,
    owner_start_failed, owner_output, owner_exit, owner_stdin_credit,
};

static void door_handler(void *arg, struct skl_http *x)
{
    skl_agents_accept(agents, x);
}

static void door_accept(void *arg, struct skl_stream *own_stream)
{
    skl_http_server_add(door, own_stream);
}

static int helper_port(const struct skl_listener *l)
{
    return skl_listener_address(l)->port;
}

static void agents_begin(void)
{
    struct skl_address at;
    struct skl_error e;
    net_begin();
    memset(&owner, 0, sizeof(owner));
    skl_buf_init(&owner.log, SKL_MIB);
    ck_assert_int_eq(pipe2(log_pipe, O_NONBLOCK | O_CLOEXEC), 0);
    skl_log_setup(SKL_LOG_DEBUG, false, log_pipe[1]);
    agents = skl_agents_new(&net_loop, &owner_events, NULL);
    door =
        skl_http_server_new(&net_loop, &(struct skl_http_server_config){.handler = door_handler});
    ck_assert_int_eq(skl_address_parse("127.0.0.1:0", 0, &at, &e), 0);
    ck_assert_int_eq(skl_listener_open(&net_loop, &at, NULL, door_accept, NULL, &door_listener, &e),
                     0);
    skl_agents_prepare(agents, ID_A, TOKEN, &owner);
}

static void door_closed(void *arg)
{
}

/* Everything that was logged, with the secret's absence checked. */
static SKL_UNUSED void helper_log(struct skl_buf *b)
{
    skl_buf_init(b, 4 * SKL_MIB);
    net_read(log_pipe[0], b);
    ck_assert_msg(!strstr(b->p, TOKEN), "a token was logged: %s", b->p);
}

static void agents_end(void)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    if (agents)
        skl_agents_close(skl_take(&agents));
    skl_listener_close(door_listener);
    skl_http_server_close(door, 0, door_closed, NULL);
    net_end();
    helper_log(&b);
    skl_log_setup(SKL_LOG_INFO, false, 2);
    close(log_pipe[0]);
    close(log_pipe[1]);
    skl_buf_fini(&owner.log);
}

/* Waits until the owner was told exactly this, and forgets it. */
#define owner_told(text)                                                                           \
    do {                                                                                           \
        const char *want_ = (text);                                                                \
        int64_t end_ = skl_mono_ms() + NET_DEADLINE_MS;                                            \
        while (owner.log.n < strlen(want_) && skl_mono_ms() < end_) {                              \
            uv_ref((uv_handle_t *)&net_tick);                                                      \
            uv_run(&net_loop, UV_RUN_ONCE);                                                        \
            uv_unref((uv_handle_t *)&net_tick);                                                    \
        }                                                                                          \
        net_spin();                                                                                \
        ck_assert_str_eq(owner.log.p, want_);                                                      \
        skl_buf_reset(&owner.log);                                                                 \
    } while (0)

/* -- the fake agent */

struct got {
    uint8_t type;
    uint32_t stream;
    char *payload;
    size_t n;
};

struct fake {
    struct skl_ws *ws;
    struct skl_ws_dial *dial;
    struct got *got; /* all frames but CREDIT, PING, PONG */
    size_t n_got, seen;
    uint64_t numbered; /* of them, what the link counts */
    uint64_t main_acked, backend_received;
    int status, closes, code, pings;
    bool silent; /* answers no PING */
    char session[65];
};

static void fake_send(struct fake *f, uint8_t type, uint32_t stream, struct skl_str payload)
{
    uint8_t head[SKL_FRAME_HEAD];
    struct skl_str parts[2] = {{(char *)head, sizeof(head)}, payload};
    skl_frame_head(head, type, 0, stream);
    ck_assert_ptr_nonnull(f->ws);
    skl_ws_send(f->ws, parts, 2);
}

static void fake_keep(struct fake *f, const struct skl_frame *frame)
{
    f->got = skl_realloc(f->got, f->n_got + 1, sizeof(*f->got));
    f->got[f->n_got++] =
        (struct got){frame->type, frame->stream, skl_memdup(frame->payload.p, frame->payload.n),
                     frame->payload.n};
}

static void fake_message(void *arg, const uint8_t *p, size_t n)
{
    struct fake *f = arg;
    struct skl_frame frame;
    struct skl_error e;
    struct skl_str v;
    ck_assert_int_eq(skl_frame_parse(skl_str_n((const char *)p, n), &frame, &e), 0);
    if (frame.type == SKL_FRAME_CREDIT) {
        f->backend_received = skl_tlv_find_num(frame.payload, SKL_TAG_RECEIVED, 0);
        if (frame.stream == SKL_STREAM_MAIN)
            f->main_acked = skl_tlv_find_num(frame.payload, SKL_TAG_CONSUMED, 0);
        return;
    }
    if (frame.type == SKL_FRAME_PING) {
        f->pings++;
        if (!f->silent)
            fake_send(f, SKL_FRAME_PONG, 0, SKL_STR(""));
        return;
    }
    if (frame.type == SKL_FRAME_WELCOME) {
        ck_assert(skl_tlv_find(frame.payload, SKL_TAG_SESSION, &v));
        if (!skl_str_eqz(v, f->session))
            f->numbered = 0;
        snprintf(f->session, sizeof(f->session), "%.*s", (int)v.n, v.p);
    } else {
        f->numbered++;
    }
    fake_keep(f, &frame);
}

static void fake_close(void *arg, int code, const struct skl_error *why)
{
    struct fake *f = arg;
    f->closes++;
    f->code = code;
    skl_ws_close(skl_take(&f->ws), 1000);
}

static void fake_attach(struct fake *f, struct skl_ws *own_ws)
{
    static const struct skl_ws_events events = {fake_message, NULL, fake_close};
    f->ws = own_ws;
    skl_ws_set_events(own_ws, &events, f);
    skl_ws_read_start(own_ws);
}

static void fake_dialled(void *arg, struct skl_ws *own_ws, int status, const struct skl_error *err)
{
    struct fake *f = arg;
    f->dial = NULL;
    f->status = status;
    if (own_ws)
        fake_attach(f, own_ws);
}

/* Dials the door and waits for the answer's status. */
static SKL_UNUSED int fake_dial(struct fake *f, const char *path, const char *headers)
{
    static const struct skl_ws_config config = {.max_message = SKL_WS_MAX_MESSAGE};
    char url[512];
    f->status = 0;
    snprintf(url, sizeof(url), "ws://127.0.0.1:%d%s", helper_port(door_listener), path);
    f->dial =
        skl_ws_connect(&net_loop, url, NULL, headers, &config, NET_DEADLINE_MS, fake_dialled, f);
    net_until(f->status);
    return f->status;
}

#define AUTH_A "Authorization: Bearer " TOKEN "\r\nX-Sockerless-Container: " ID_A "\r\n"

static SKL_UNUSED void fake_connect(struct fake *f)
{
    f->closes = 0;
    ck_assert_int_eq(fake_dial(f, "/agent/v1", AUTH_A), 101);
}

/* The connection breaks without a word (1001: not "over for good"). */
static SKL_UNUSED void fake_drop(struct fake *f)
{
    skl_ws_close(skl_take(&f->ws), 1001);
}

static SKL_UNUSED void fake_end(struct fake *f)
{
    skl_ws_dial_cancel(&f->dial);
    skl_ws_close(skl_take(&f->ws), 1001);
    for (size_t i = 0; i < f->n_got; i++)
        free(f->got[i].payload);
    free(f->got);
    memset(f, 0, sizeof(*f));
}

/* -- payloads: tlv("ns", TAG, number, TAG, "text") */

static SKL_UNUSED void tlv(struct skl_buf *b, const char *kinds, ...)
{
    va_list ap;
    va_start(ap, kinds);
    for (; *kinds; kinds++) {
        enum skl_tag tag = (enum skl_tag)va_arg(ap, int);
        if (*kinds == 'n')
            skl_tlv_u64(b, tag, (uint64_t)va_arg(ap, int));
        else
            skl_tlv_strz(b, tag, va_arg(ap, const char *));
    }
    va_end(ap);
}

/* fake_say(f, type, stream, "ns", ...) sends a control frame. */
#define fake_say(f, type, stream, ...)                                                             \
    do {                                                                                           \
        SKL_AUTO_BUF struct skl_buf say_ = {0};                                                    \
        skl_buf_init(&say_, SKL_MIB);                                                              \
        tlv(&say_, __VA_ARGS__);                                                                   \
        fake_send(f, type, stream, skl_buf_str(&say_));                                            \
    } while (0)

static SKL_UNUSED void fake_output(struct fake *f, bool is_stderr, uint64_t offset,
                                   struct skl_str data)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    uint8_t head[8];
    skl_buf_init(&b, SKL_MIB);
    skl_wire_put_u64(head, offset);
    skl_buf_add(&b, head, 8);
    skl_buf_addstr(&b, data);
    fake_send(f, is_stderr ? SKL_FRAME_STDERR : SKL_FRAME_STDOUT, SKL_STREAM_MAIN, skl_buf_str(&b));
}

/* HELLO with what the fake knows itself. */
static SKL_UNUSED void fake_hello(struct fake *f, const char *instance, int state, int run,
                                  int produced)
{
    fake_say(f, SKL_FRAME_HELLO, 0, "nssnnnn", SKL_TAG_VERSION, SKL_WIRE_VERSION,
             SKL_TAG_CONTAINER_ID, ID_A, SKL_TAG_INSTANCE, instance, SKL_TAG_RECEIVED,
             (int)f->numbered, SKL_TAG_STATE, state, SKL_TAG_RUN, run, SKL_TAG_OFFSET, produced);
}

static SKL_UNUSED void fake_hello_again(struct fake *f, const char *instance, int state, int run,
                                        int produced)
{
    fake_say(f, SKL_FRAME_HELLO, 0, "nsssnnnn", SKL_TAG_VERSION, SKL_WIRE_VERSION,
             SKL_TAG_CONTAINER_ID, ID_A, SKL_TAG_INSTANCE, instance, SKL_TAG_SESSION, f->session,
             SKL_TAG_RECEIVED, (int)f->numbered, SKL_TAG_STATE, state, SKL_TAG_RUN, run,
             SKL_TAG_OFFSET, produced);
}

/* Waits for the next frame, which must be of this type. */
static SKL_UNUSED const struct got *fake_next(struct fake *f, uint8_t type)
{
    net_until(f->n_got > f->seen || f->closes);
    ck_assert_msg(f->n_got > f->seen, "closed with %d instead of %s", f->code,
                  skl_frame_name(type));
    ck_assert_str_eq(skl_frame_name(f->got[f->seen].type), skl_frame_name(type));
    return &f->got[f->seen++];
}

static SKL_UNUSED uint64_t got_num(const struct got *g, enum skl_tag tag)
{
    return skl_tlv_find_num(skl_str_n(g->payload, g->n), tag, UINT64_MAX);
}

/* Connected, greeted, main process waiting. */
static SKL_UNUSED void fake_up(struct fake *f)
{
    fake_connect(f);
    fake_hello(f, "i1", 0, 0, 0);
    fake_next(f, SKL_FRAME_WELCOME);
    owner_told("hello i1 0 0;up;");
}

/* ... and run 1 running. */
static SKL_UNUSED void fake_running(struct fake *f)
{
    struct skl_process_spec spec = {.argv = helper_argv};
    fake_up(f);
    skl_session_start(owner.s, 1, &spec);
    fake_next(f, SKL_FRAME_START);
    fake_say(f, SKL_FRAME_STARTED, 1, "nnn", SKL_TAG_RUN, 1, SKL_TAG_PID, 42, SKL_TAG_STARTED_NS,
             5);
    owner_told("started 1 42;");
}

#endif
