/* Plays the agents of the executions that a simulator lists (--runtime external): thousands of them on one loop.
 * usage: play_agents SIMULATOR_URL
 *
 * Command  a container's command is ["lines", COUNT, EVERY_MS, CODE]: so many lines "line 0000000001", one every so
 *          often, then the end with that code; COUNT 0: until a signal comes
 * Shape    a line has LINE bytes, so an offset of the output says which line it is in, and nothing has to be kept
 *          for a backend that asks for it again
 * Output   SIGTERM ends it with a line of figures; the exit status is 0 if nothing was wrong
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "agent/link.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"
#include "function/http_call.h"

#define LINE            16
#define WINDOW          (64 * SKL_KIB) /* of output that is not confirmed */
#define LOOK_MS         20             /* between two looks for executions */
#define HTTP_MS         30000
#define DIAL_MS         30000
#define BACKOFF_MAX_MS  5000
#define HEARTBEAT_MS    15000
#define AFTER_END_MS    50
#define EXIT_BY_DEFAULT 0

enum state { WAITING, RUNNING, ENDED };

struct agent {
    char *id, *token, *url, *execution, *session;
    char instance[33];
    struct skl_link *link;
    struct skl_timer *timer; /* the next line, or the end of the warm time */
    int64_t backoff_ms, ended_ms, finished_ns;
    uint64_t produced, sent, confirmed; /* bytes of output */
    uint64_t lines_left, run;
    int64_t every_ms, warm_ms;
    bool forever, leaving;
    enum state state;
    int code;
};

static struct {
    uv_loop_t *loop;
    struct skl_http_calls *calls;
    const char *simulator;
    struct skl_timer *poll;
    unsigned long played, here, started, ended, lines, lost, refused, odd;
} all;

/* Something that must not be: said, and counted. */
static void odd(const struct agent *a, const char *what)
{
    all.odd++;
    fprintf(stderr, "play_agents: %s: %s\n", a ? a->execution : "-", what);
}

/* -- leaving */

static void told_end(void *arg, const struct skl_http_call_answer *answer)
{
    (void)arg;
    /* 404: the platform stopped it before. */
    if (answer->status != 200 && answer->status != 404)
        odd(NULL, "the simulator did not take the end of an execution");
}

static void leave(struct agent *a)
{
    SKL_AUTO_BUF struct skl_buf url = {0};

    if (a->leaving)
        return;
    a->leaving = true;
    all.here--;
    skl_timer_cancel(&a->timer);
    skl_link_close(skl_take(&a->link));
    skl_buf_init(&url, 4 * SKL_KIB);
    skl_buf_addf(&url, "%s/simulator/executions/end?name=%s&code=%d", all.simulator, a->execution,
                 a->code);
    skl_http_call_start(
        all.calls,
        &(struct skl_http_call_request){.method = "POST", .url = url.p, .timeout_ms = HTTP_MS},
        told_end, NULL);
}

static void free_later(void *arg)
{
    struct agent *a = arg;

    free(a->id);
    free(a->token);
    free(a->url);
    free(a->execution);
    free(a->session);
    free(a);
}

static void leave_and_free(struct agent *a)
{
    leave(a);
    skl_defer(all.loop, free_later, a);
}

/* -- the command */

static void send_output(struct agent *a)
{
    while (skl_link_is_up(a->link) && !skl_link_congested(a->link) && a->sent < a->produced &&
           a->sent < a->confirmed + WINDOW) {
        uint64_t number = a->sent / LINE + 1, within = a->sent % LINE;
        uint8_t head[8];
        char line[2 * LINE];

        snprintf(line, sizeof(line), "line %010llu\n", (unsigned long long)number);
        skl_wire_put_u64(head, a->sent);
        skl_link_send_now(a->link, SKL_FRAME_STDOUT, SKL_STREAM_MAIN,
                          skl_str_n((const char *)head, 8),
                          skl_str_n(line + within, LINE - (size_t)within));
        a->sent += LINE - within;
    }
}

static void send_exit(struct agent *a)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 256);
    skl_tlv_u64(&b, SKL_TAG_RUN, a->run);
    skl_tlv_u64(&b, SKL_TAG_CODE, (uint64_t)a->code);
    skl_tlv_u64(&b, SKL_TAG_OFFSET, a->produced);
    skl_tlv_u64(&b, SKL_TAG_FINISHED_NS, (uint64_t)a->finished_ns);
    skl_link_send(a->link, SKL_FRAME_EXIT, SKL_STREAM_MAIN, skl_buf_str(&b));
}

/* As the real one: it stays until output and exit are confirmed, and for the warm time. */
static void look_at_end(void *arg)
{
    struct agent *a = arg;

    if (skl_link_is_up(a->link) && skl_link_kept(a->link) == 0 && a->confirmed >= a->produced &&
        skl_mono_ms() - a->ended_ms >= a->warm_ms)
        leave_and_free(a);
}

static void end_command(struct agent *a)
{
    a->state = ENDED;
    a->ended_ms = skl_mono_ms();
    a->finished_ns = skl_wall_ns();
    all.ended++;
    skl_timer_cancel(&a->timer);
    a->timer = skl_timer_repeat(all.loop, AFTER_END_MS, look_at_end, a);
    send_output(a);
    send_exit(a);
}

static void next_line(void *arg)
{
    struct agent *a = arg;

    if (a->forever || a->lines_left > 0) {
        a->lines_left -= !a->forever;
        a->produced += LINE;
        all.lines++;
        send_output(a);
    }
    if (!a->forever && a->lines_left == 0)
        end_command(a);
}

static uint64_t number(char *const *argv, size_t i)
{
    uint64_t v = 0;

    return i < skl_strv_len(argv) && skl_str_u64(skl_str(argv[i]), &v) ? v : 0;
}

static void start_command(struct agent *a, struct skl_str payload)
{
    char **argv = skl_tlv_find_strv(payload, SKL_TAG_ARG);
    SKL_AUTO_BUF struct skl_buf b = {0};
    uint64_t every = number(argv, 2);

    if (!argv || !skl_streq(argv[0], "lines"))
        odd(a, "START with another command than \"lines\"");
    a->lines_left = number(argv, 1);
    a->forever = a->lines_left == 0;
    a->every_ms = every > 0 ? (int64_t)every : 1;
    a->code = (int)number(argv, 3);
    a->warm_ms = (int64_t)skl_tlv_find_num(payload, SKL_TAG_WARM_SECONDS, 0) * 1000;
    a->run = skl_tlv_find_num(payload, SKL_TAG_RUN, 1);
    skl_strv_free(argv);
    a->state = RUNNING;
    all.started++;
    skl_buf_init(&b, 128);
    skl_tlv_u64(&b, SKL_TAG_RUN, a->run);
    skl_tlv_u64(&b, SKL_TAG_PID, 1);
    skl_tlv_u64(&b, SKL_TAG_STARTED_NS, (uint64_t)skl_wall_ns());
    skl_link_send(a->link, SKL_FRAME_STARTED, SKL_STREAM_MAIN, skl_buf_str(&b));
    skl_timer_cancel(&a->timer);
    a->timer = skl_timer_repeat(all.loop, a->every_ms, next_line, a);
}

/* -- the protocol */

static void send_hello(struct agent *a)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, SKL_KIB);
    skl_tlv_u64(&b, SKL_TAG_VERSION, SKL_WIRE_VERSION);
    skl_tlv_strz(&b, SKL_TAG_CONTAINER_ID, a->id);
    skl_tlv_strz(&b, SKL_TAG_INSTANCE, a->instance);
    skl_tlv_strz(&b, SKL_TAG_SESSION, a->session);
    skl_tlv_u64(&b, SKL_TAG_RECEIVED, skl_link_received(a->link));
    skl_tlv_u64(&b, SKL_TAG_STATE, a->state);
    skl_tlv_u64(&b, SKL_TAG_RUN, a->run);
    skl_tlv_u64(&b, SKL_TAG_OFFSET, a->produced);
    skl_tlv_u64(&b, SKL_TAG_OLDEST, 0);
    if (a->state == ENDED) {
        skl_tlv_u64(&b, SKL_TAG_CODE, (uint64_t)a->code);
        skl_tlv_u64(&b, SKL_TAG_FINISHED_NS, (uint64_t)a->finished_ns);
    }
    skl_link_send_now(a->link, SKL_FRAME_HELLO, SKL_STREAM_CONTROL, skl_str_n("", 0),
                      skl_buf_str(&b));
}

static void take_welcome(struct agent *a, struct skl_str payload)
{
    char *session SKL_AUTO_STR = skl_tlv_find_dup(payload, SKL_TAG_SESSION);
    uint64_t received = skl_tlv_find_num(payload, SKL_TAG_RECEIVED, 0);
    bool is_new = !skl_streq(session, a->session);
    struct skl_error err;

    if (is_new) {
        skl_link_reset(a->link);
        skl_strset(&a->session, session);
        received = 0;
    }
    if (is_new && a->state == ENDED && !skl_tlv_find_num(payload, SKL_TAG_EXIT_KNOWN, 0))
        send_exit(a);
    if (skl_link_resume(a->link, received, &err) < 0) {
        odd(a, err.msg);
        skl_link_disconnect(a->link);
        return;
    }
    a->backoff_ms = 100;
    a->sent = a->confirmed = skl_tlv_find_num(payload, SKL_TAG_OFFSET, 0);
    if (a->sent > a->produced)
        odd(a, "WELCOME asks for output that was never produced");
    send_output(a);
}

static void on_frame(void *arg, const struct skl_frame *f)
{
    struct agent *a = arg;
    SKL_AUTO_BUF struct skl_buf b = {0};

    switch (f->type) {
    case SKL_FRAME_WELCOME:
        take_welcome(a, f->payload);
        break;
    case SKL_FRAME_START:
        if (a->state != RUNNING)
            start_command(a, f->payload);
        break;
    case SKL_FRAME_SIGNAL:
        if (f->stream == SKL_STREAM_MAIN && a->state == RUNNING)
            end_command(a);
        break;
    case SKL_FRAME_SHUTDOWN:
        leave_and_free(a);
        break;
    case SKL_FRAME_END:
    case SKL_FRAME_CLOSE:
        break;
    default:
        skl_buf_init(&b, SKL_KIB);
        skl_tlv_u64(&b, SKL_TAG_CODE, 501);
        skl_tlv_strz(&b, SKL_TAG_MESSAGE, "this agent is played");
        skl_link_send(a->link, SKL_FRAME_ERROR, f->stream, skl_buf_str(&b));
    }
}

static void on_credit(void *arg, uint32_t stream)
{
    struct agent *a = arg;

    if (stream != SKL_STREAM_MAIN && stream != SKL_STREAM_CONTROL)
        return;
    if (skl_link_acked(a->link) > a->confirmed)
        a->confirmed = skl_link_acked(a->link);
    send_output(a);
}

static void dial(void *arg);

static void dial_again(struct agent *a)
{
    uint32_t dice;

    skl_random(&dice, sizeof(dice));
    skl_timer_start(all.loop, a->backoff_ms / 2 + (int64_t)(dice % (uint64_t)a->backoff_ms), dial,
                    a);
    a->backoff_ms = a->backoff_ms * 2 < BACKOFF_MAX_MS ? a->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void on_down(void *arg, const struct skl_error *why)
{
    struct agent *a = arg;

    (void)why;
    all.lost++;
    dial_again(a);
}

static void dialled(void *arg, struct skl_ws *own_ws, int http_status, const struct skl_error *err)
{
    struct agent *a = arg;

    if (!err) {
        skl_link_attach(a->link, own_ws);
        send_hello(a);
    } else if (http_status == 401) {
        all.refused++; /* the container is removed */
        leave_and_free(a);
    } else {
        dial_again(a);
    }
}

static void dial(void *arg)
{
    static const struct skl_ws_config config = {.max_message = SKL_WS_MAX_MESSAGE};
    struct agent *a = arg;
    SKL_AUTO_BUF struct skl_buf headers = {0};

    skl_buf_init(&headers, 4 * SKL_KIB);
    skl_buf_addf(&headers, "Authorization: Bearer %s\r\nX-Sockerless-Container: %s\r\n", a->token,
                 a->id);
    skl_ws_connect(all.loop, a->url, NULL, headers.p, &config, DIAL_MS, dialled, a);
}

/* -- new executions */

static void take_variable(struct agent *a, const char *text)
{
    struct skl_str value, name = skl_str_cut(skl_str(text), '=', &value);
    char **to = skl_str_eqz(name, "SOCKERLESS_CONTAINER_ID")         ? &a->id
                : skl_str_eqz(name, "SOCKERLESS_AGENT_TOKEN")        ? &a->token
                : skl_str_eqz(name, "SOCKERLESS_AGENT_CALLBACK_URL") ? &a->url
                                                                     : NULL;

    if (to && value.p) {
        free(*to);
        *to = skl_str_dup(value);
    }
}

static void play(const cJSON *execution)
{
    static const struct skl_link_events events = {on_frame, on_credit, on_down};
    struct agent *a = skl_new0(struct agent);
    const cJSON *variable;

    a->execution = skl_strdup(skl_json_get_str(execution, "name"));
    cJSON_ArrayForEach(variable, skl_json_get(execution, "env"))
        take_variable(a, cJSON_GetStringValue(variable));
    if (!a->id || !a->token || !a->url) {
        odd(a, "an execution without an agent's variables");
        free_later(a);
        return;
    }
    skl_random_hex(a->instance, 32);
    a->backoff_ms = 100;
    a->code = EXIT_BY_DEFAULT;
    a->link = skl_link_new(all.loop, &events, a);
    skl_link_heartbeat(a->link, HEARTBEAT_MS);
    all.played++;
    all.here++;
    dial(a);
}

static void look(void *arg);

static void listed(void *arg, const struct skl_http_call_answer *answer)
{
    cJSON *list = NULL;
    const cJSON *item;
    int n = 0;

    (void)arg;
    if (answer->status != 200 || skl_json_parse(answer->body, &list, NULL) < 0)
        odd(NULL, "the simulator does not list its executions");
    cJSON_ArrayForEach(item, list)
    {
        play(item);
        n++;
    }
    cJSON_Delete(list);
    all.poll = skl_timer_start(all.loop, n > 0 ? 1 : LOOK_MS, look, NULL);
}

static void look(void *arg)
{
    SKL_AUTO_BUF struct skl_buf url = {0};

    (void)arg;
    all.poll = NULL;
    skl_buf_init(&url, 4 * SKL_KIB);
    skl_buf_addf(&url, "%s/simulator/executions", all.simulator);
    skl_http_call_start(
        all.calls,
        &(struct skl_http_call_request){.method = "POST", .url = url.p, .timeout_ms = HTTP_MS},
        listed, NULL);
}

static void on_signal(uv_signal_t *h, int signo)
{
    (void)signo;
    uv_stop(h->loop);
}

int main(int argc, char **argv)
{
    uv_loop_t loop;
    uv_signal_t term;

    if (argc != 2) {
        fputs("usage: play_agents SIMULATOR_URL\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    skl_log_setup(SKL_LOG_WARN, false, STDERR_FILENO);
    uv_loop_init(&loop);
    uv_signal_init(&loop, &term);
    uv_signal_start(&term, on_signal, SIGTERM);
    all.loop = &loop;
    all.simulator = argv[1];
    all.calls = skl_http_calls_new(&loop);
    look(NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    printf("{\"played\":%lu,\"here\":%lu,\"started\":%lu,\"ended\":%lu,\"lines\":%lu,\"lost\":%lu,"
           "\"refused\":%lu,\"odd\":%lu}\n",
           all.played, all.here, all.started, all.ended, all.lines, all.lost, all.refused, all.odd);
    fflush(stdout);
    _Exit(all.odd > 0); /* the process is over; what is open goes with it */
}
