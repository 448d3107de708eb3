/* The one connection to the backend: dialled with backoff (reverse), or accepted (forward); lost and made again for
 * as long as the agent lives. */
#include <stdio.h>
#include <stdlib.h>

#include "agent.h"
#include "agent/forward_tls.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "net/ws.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   10000
#define DIAL_TIMEOUT_MS  15000
#define HEARTBEAT_MS     15000
#define LEAVE_MS         200

static int64_t backoff_ms = BACKOFF_FIRST_MS;
static struct skl_tls *tls;

static void dial(void *arg);

/* -- greeting */

static void send_hello(struct agent *a)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_list *it;

    skl_buf_init(&b, SKL_WS_MAX_MESSAGE - SKL_FRAME_HEAD);
    skl_tlv_u64(&b, SKL_TAG_VERSION, SKL_WIRE_VERSION);
    skl_tlv_strz(&b, SKL_TAG_CONTAINER_ID, a->options->container_id);
    skl_tlv_strz(&b, SKL_TAG_INSTANCE, a->instance);
    skl_tlv_strz(&b, SKL_TAG_SESSION, a->session);
    skl_tlv_u64(&b, SKL_TAG_RECEIVED, skl_link_received(a->link));
    skl_tlv_u64(&b, SKL_TAG_STATE, a->state);
    skl_tlv_u64(&b, SKL_TAG_RUN, a->run);
    skl_tlv_u64(&b, SKL_TAG_OFFSET, agent_output_end(a->output));
    skl_tlv_u64(&b, SKL_TAG_OLDEST, agent_output_oldest(a->output));
    if (a->process)
        skl_tlv_u64(&b, SKL_TAG_PID, (uint64_t)agent_process_pid(a->process));
    if (a->state == AGENT_ENDED) {
        skl_tlv_u64(&b, SKL_TAG_CODE, (uint64_t)a->exit_code);
        skl_tlv_u64(&b, SKL_TAG_SIGNAL_NO, (uint64_t)a->exit_signal);
        skl_tlv_u64(&b, SKL_TAG_OOM, a->oom);
        skl_tlv_u64(&b, SKL_TAG_FINISHED_NS, (uint64_t)a->finished_ns);
    }
    skl_list_foreach (it, &a->tasks) {
        struct agent_task *t = SKL_LIST_ENTRY(it, struct agent_task, in_agent);

        if (t->is_exec)
            skl_tlv_u64(&b, SKL_TAG_STREAM, t->stream);
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

    if (skl_link_is_up(a->link))
        return; /* greeted already */
    if (is_new) {
        agent_tasks_close(a);
        skl_link_reset(a->link);
        skl_strset(&a->session, session);
        received = 0;
    }
    a->exit_known = skl_tlv_find_num(payload, SKL_TAG_EXIT_KNOWN, 0) != 0;
    /* The frame that said it went with its numbering. HELLO may have been too early for it, and what HELLO said may not
     * be recorded yet: only a frame is confirmed. */
    if (is_new && a->state == AGENT_ENDED && !a->exit_known)
        agent_send_exit(a);
    if (skl_link_resume(a->link, received, &err) < 0) {
        skl_link_disconnect(a->link);
        return;
    }
    backoff_ms = BACKOFF_FIRST_MS;
    a->last_up_ms = skl_mono_ms();
    agent_output_rewind(a->output, skl_tlv_find_num(payload, SKL_TAG_OFFSET, 0));
    if (a->process)
        agent_process_resume(a->process);
    agent_send_output(a);
    agent_check_life(a);
}

/* -- frames */

void agent_send_output(struct agent *a)
{
    struct skl_str data;
    uint64_t offset;
    bool is_stderr;

    while (!a->leaving && skl_link_is_up(a->link) && !skl_link_congested(a->link) &&
           agent_output_next(a->output, &is_stderr, &offset, &data)) {
        uint8_t head[8];

        skl_wire_put_u64(head, offset);
        skl_link_send_now(a->link, is_stderr ? SKL_FRAME_STDERR : SKL_FRAME_STDOUT, SKL_STREAM_MAIN,
                          skl_str_n((const char *)head, 8), data);
    }
}

static void answer_probe(struct agent *a, uint32_t stream)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 128);
    skl_tlv_u64(&b, SKL_TAG_STATE, a->state);
    skl_tlv_u64(&b, SKL_TAG_PID, a->process ? (uint64_t)agent_process_pid(a->process) : 0);
    skl_tlv_u64(&b, SKL_TAG_RUN, a->run);
    agent_task_result(a, stream, skl_buf_str(&b));
}

static void open_stream(struct agent *a, const struct skl_frame *f)
{
    switch (f->type) {
    case SKL_FRAME_EXEC:
        agent_exec(a, f);
        break;
    case SKL_FRAME_ARCHIVE_GET:
        agent_archive_get(a, f);
        break;
    case SKL_FRAME_ARCHIVE_PUT:
        agent_archive_put(a, f);
        break;
    case SKL_FRAME_ARCHIVE_STAT:
        agent_archive_stat(a, f);
        break;
    case SKL_FRAME_TOP:
        agent_top(a, f);
        break;
    case SKL_FRAME_STATS:
        agent_stats(a, f);
        break;
    case SKL_FRAME_TUNNEL_OPEN:
        agent_tunnel(a, f);
        break;
    case SKL_FRAME_PROBE:
        answer_probe(a, f->stream);
        break;
    }
    /* Frames of a stream that is over are nobody's. */
}

static void on_frame(void *arg, const struct skl_frame *f)
{
    struct agent *a = arg;
    struct agent_task *t;

    if (f->type == SKL_FRAME_WELCOME) {
        take_welcome(a, f->payload);
    } else if (f->stream == SKL_STREAM_MAIN) {
        agent_main_frame(a, f);
    } else if (f->type == SKL_FRAME_SHUTDOWN) {
        agent_shutdown(a, 9, true);
    } else if ((t = agent_task_find(a, f->stream))) {
        if (f->type == SKL_FRAME_CLOSE)
            t->on_close(t);
        else
            t->on_frame(t, f);
    } else {
        open_stream(a, f);
    }
}

static void on_credit(void *arg, uint32_t stream)
{
    struct agent *a = arg;
    struct agent_task *t;

    if (stream == SKL_STREAM_MAIN) {
        agent_output_confirm(a->output, skl_link_acked(a->link));
        if (a->process && !agent_output_is_full(a->output))
            agent_process_resume(a->process);
        agent_send_output(a);
    } else if (stream == SKL_STREAM_CONTROL) {
        struct skl_list *it, *tmp;

        skl_list_foreach_safe (it, tmp, &a->tasks) { /* a task may end itself, no other */
            t = SKL_LIST_ENTRY(it, struct agent_task, in_agent);
            t->on_credit(t);
        }
    } else if ((t = agent_task_find(a, stream))) {
        t->on_credit(t);
    }
}

/* -- reverse */

static void dial_again(struct agent *a)
{
    uint32_t dice;

    skl_random(&dice, sizeof(dice));
    skl_timer_start(a->loop, backoff_ms / 2 + (int64_t)(dice % (uint64_t)backoff_ms), dial, a);
    backoff_ms = backoff_ms * 2 < BACKOFF_MAX_MS ? backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void on_down(void *arg, const struct skl_error *why)
{
    struct agent *a = arg;

    skl_info("agent", "connection lost", "why", why->msg, NULL);
    if (a->options->callback_url)
        dial_again(a);
}

static void dialled(void *arg, struct skl_ws *own_ws, int http_status, const struct skl_error *err)
{
    struct agent *a = arg;

    if (a->leaving) {
        skl_ws_close(own_ws, 1000); /* NULL is fine */
        return;
    }
    if (err) {
        skl_info("agent", "the backend cannot be reached", "why", err->msg, NULL);
        if (http_status == 401 && a->any_run) {
            /* Our token is useless: the container is removed, or has a newer workload. */
            agent_shutdown(a, 9, true);
            if (!a->process)
                agent_check_life(a);
        }
        dial_again(a);
        return;
    }
    skl_link_attach(a->link, own_ws);
    send_hello(a);
}

static void dial(void *arg)
{
    static const struct skl_ws_config config = {.max_message = SKL_WS_MAX_MESSAGE};
    struct agent *a = arg;
    SKL_AUTO_BUF struct skl_buf headers = {0};

    if (a->leaving)
        return;
    skl_buf_init(&headers, 4 * SKL_KIB);
    skl_buf_addf(&headers, "Authorization: Bearer %s\r\nX-Sockerless-Container: %s\r\n",
                 a->options->token, a->options->container_id);
    skl_ws_connect(a->loop, a->options->callback_url, tls, headers.p, &config, DIAL_TIMEOUT_MS,
                   dialled, a);
}

void agent_connect(struct agent *a)
{
    dial(a);
}

/* -- forward */

static bool is_authorized(const struct agent *a, const struct skl_http *x)
{
    struct skl_str header = skl_http_header(x, "Authorization");

    if (!header.p || !skl_str_istarts(header, "Bearer "))
        return false;
    return skl_str_eq_secret(skl_str_trim(skl_str_skip(header, 7)), skl_str(a->options->token));
}

static void accept_backend(void *arg, struct skl_http *x)
{
    static const struct skl_ws_config config = {.max_message = SKL_WS_MAX_MESSAGE};
    struct agent *a = arg;
    struct skl_error err;
    struct skl_ws *ws;

    if (!skl_str_eqz(skl_http_path(x), "/agent/v1")) {
        skl_http_answer(x, 404, "text/plain", NULL, SKL_STR("not found\n"));
        return;
    }
    if (!is_authorized(a, x)) {
        skl_info("agent", "a connection with a wrong token was refused", NULL);
        skl_http_answer(x, 401, "text/plain", NULL, SKL_STR("unauthorized\n"));
        return;
    }
    if (skl_ws_accept(x, &config, &ws, &err) < 0)
        return; /* answered there */
    skl_link_attach(a->link, ws);
    send_hello(a);
}

static void accepted(void *arg, struct skl_stream *own_stream)
{
    skl_http_server_add(arg, own_stream);
}

int agent_listen(struct agent *a, struct skl_error *err)
{
    struct skl_http_server *server = skl_http_server_new(
        a->loop, &(struct skl_http_server_config){.handler = accept_backend, .arg = a});
    struct skl_address at;
    struct skl_listener *listener;
    int rc = skl_address_parse(a->options->addr, 9111, &at, err);

    if (rc == 0)
        rc = skl_forward_tls_new(true, a->options->container_id, a->options->token, &tls, err);
    return rc < 0 ? rc : skl_listener_open(a->loop, &at, tls, accepted, server, &listener, err);
}

/* -- common */

static int make_tls(const struct agent *a, struct skl_error *err)
{
    const char *url = a->options->callback_url;

    if (!url || !(skl_str_istarts(skl_str(url), "https:") || skl_str_istarts(skl_str(url), "wss:")))
        return 0;
    return skl_tls_new(&(struct skl_tls_config){.ca_pem = a->options->ca_pem}, &tls, err);
}

int agent_open_link(struct agent *a, struct skl_error *err)
{
    static const struct skl_link_events events = {on_frame, on_credit, on_down};

    a->link = skl_link_new(a->loop, &events, a);
    skl_link_heartbeat(a->link, HEARTBEAT_MS);
    return make_tls(a, err);
}

static void left(void *arg)
{
    _Exit(*(int *)arg);
}

void agent_leave(struct agent *a, int code)
{
    static int exit_code;

    if (!a->leaving) {
        a->leaving = true;
        skl_timer_cancel(&a->life);
        agent_invocation_over(a);
        agent_tasks_close(a);
        /* The close frame says that this life of the agent is over for good. */
        skl_link_close(a->link);
        a->link = NULL;
    }
    if (a->options->http_stay && !a->platform_ends && (a->any_run || a->dismissed))
        return;
    exit_code = code;
    skl_timer_start(a->loop, LEAVE_MS, left, &exit_code);
}
