/* The agent inside a function: an HTTP server for the platform's probes and the one invocation.
 *
 * Problem: a function's container runs long before anyone wants its command (warm-up pings, deployment checks)
 * and the platform may repeat a request. Approach: any GET is answered and starts nothing; the authenticated POST
 * makes the agent dial the backend, and only START begins the command. The same POST again joins the first one. Its
 * answer is held until the command has ended (or for as long as the platform's front end lets a request live), and
 * carries the exit code for the case that the session never came back.
 */
#include <stdio.h>
#include <stdlib.h>

#include "agent.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "net/http_server.h"

/* Where the answer waits for the end, its header is sent at once and white space keeps the way open. */
#define KEEP_OPEN_MS 30000
#define MAX_HELD     64

struct hold {
    struct skl_list in_agent;
    struct agent *a;
    struct skl_http *x;
    struct skl_timer *timer; /* limit, or the next white space */
};

static const char *const state_names[] = {
    [AGENT_WAITING] = "waiting",
    [AGENT_RUNNING] = "running",
    [AGENT_ENDED] = "ended",
};

/* What a run is to the one who asks over HTTP: ended also when it could not be started. */
static enum agent_state shown_state(const struct agent *a)
{
    return a->leaving ? AGENT_ENDED : a->state;
}

static bool is_authorized(const struct agent *a, const struct skl_http *x)
{
    /* Google's front end wants the Authorization header for itself. */
    struct skl_str token = skl_http_header(x, "X-Sockerless-Token");
    struct skl_str header = skl_http_header(x, "Authorization");

    if (!token.p && header.p && skl_str_istarts(header, "Bearer "))
        token = skl_str_trim(skl_str_skip(header, 7));
    return token.p && skl_str_eq_secret(token, skl_str(a->options->token));
}

/* -- answers */

static void add_headers(struct skl_buf *b, const struct agent *a, bool trusted)
{
    skl_buf_adds(b, "X-Sockerless-Agent: " SKL_VERSION "\r\n");
    if (!trusted)
        return;
    skl_buf_addf(b, "X-Sockerless-State: %s\r\nX-Sockerless-Instance: %s\r\n",
                 state_names[shown_state(a)], a->instance);
    if (shown_state(a) == AGENT_ENDED)
        skl_buf_addf(b, "X-Sockerless-Exit-Code: %d\r\n",
                     a->any_run ? a->exit_code : SKL_AGENT_EXIT_NO_START);
}

static void answer(const struct agent *a, struct skl_http *x, int status, bool trusted,
                   const char *text)
{
    SKL_AUTO_BUF struct skl_buf headers = {0};

    skl_buf_init(&headers, SKL_KIB);
    add_headers(&headers, a, trusted);
    skl_http_answer(x, status, trusted && *text == '{' ? "application/json" : "text/plain",
                    headers.p, skl_str(text));
}

static void result_text(const struct agent *a, char *out, size_t cap)
{
    if (shown_state(a) == AGENT_ENDED)
        snprintf(out, cap, "{\"run\":%u,\"state\":\"ended\",\"exitCode\":%d}\n", a->invoked_run,
                 a->any_run ? a->exit_code : SKL_AGENT_EXIT_NO_START);
    else
        snprintf(out, cap, "{\"run\":%u,\"state\":\"%s\"}\n", a->invoked_run,
                 state_names[a->state]);
}

static void hold_ended(void *owner)
{
    struct hold *h = owner;

    skl_timer_cancel(&h->timer);
    skl_list_remove(&h->in_agent);
    h->a->n_held--;
    free(h);
}

static void let_go(struct hold *h)
{
    char text[128];

    result_text(h->a, text, sizeof(text));
    skl_timer_cancel(&h->timer);
    if (h->a->options->http_hold_s > 0) {
        answer(h->a, h->x, shown_state(h->a) == AGENT_ENDED ? 200 : 202, true, text);
        return;
    }
    skl_http_write(h->x, text, strlen(text));
    skl_http_end(h->x);
}

static void hold_limit(void *arg)
{
    struct hold *h = arg;

    h->timer = NULL;
    let_go(h);
}

static void keep_open(void *arg)
{
    struct hold *h = arg;

    skl_http_write(h->x, " ", 1);
}

static void hold(struct agent *a, struct skl_http *x)
{
    SKL_AUTO_BUF struct skl_buf headers = {0};
    struct hold *h;

    if (a->n_held >= MAX_HELD) {
        answer(a, x, 429, true, "too many requests are held\n");
        return;
    }
    h = skl_new0(struct hold);
    h->a = a;
    h->x = x;
    skl_list_push(&a->held, &h->in_agent);
    a->n_held++;
    skl_http_set_owner(x, h, hold_ended);
    if (shown_state(a) == AGENT_ENDED && a->options->http_hold_s > 0) {
        let_go(h);
        return;
    }
    if (a->options->http_hold_s > 0) {
        h->timer = skl_timer_start(a->loop, (int64_t)a->options->http_hold_s * 1000, hold_limit, h);
        return;
    }
    skl_buf_init(&headers, SKL_KIB);
    add_headers(&headers, a, true);
    skl_http_begin(x, 200, "application/json", headers.p);
    if (a->leaving)
        let_go(h);
    else
        h->timer = skl_timer_repeat(a->loop, KEEP_OPEN_MS, keep_open, h);
}

void agent_invocation_over(struct agent *a)
{
    struct skl_list *it, *tmp;

    skl_list_foreach_safe (it, tmp, &a->held)
        let_go(SKL_LIST_ENTRY(it, struct hold, in_agent));
}

/* -- the invocation */

static void invoke(struct agent *a, struct skl_http *x)
{
    struct skl_str run = skl_http_header(x, "X-Sockerless-Run");
    uint64_t number;

    if (!is_authorized(a, x)) {
        skl_info("agent", "an invocation with a wrong token was refused", NULL);
        answer(a, x, 401, false, "unauthorized\n");
        return;
    }
    if (!run.p || !skl_str_u64(run, &number) || number == 0 || number > UINT32_MAX) {
        answer(a, x, 400, true, "X-Sockerless-Run says which run is meant\n");
        return;
    }
    if (a->invoked_run && a->invoked_run != number) {
        answer(a, x, 409, true, "this workload was invoked for another run\n");
        return;
    }
    if (!a->invoked_run) {
        a->invoked_run = (unsigned)number;
        agent_await_start(a);
        agent_connect(a);
    }
    hold(a, x);
}

static void on_request(void *arg, struct skl_http *x)
{
    struct agent *a = arg;
    struct skl_str method = skl_http_method(x);

    if (skl_str_eqz(method, "POST"))
        invoke(a, x);
    else if (skl_str_eqz(method, "GET") || skl_str_eqz(method, "HEAD"))
        answer(a, x, 200, is_authorized(a, x), "sockerless agent\n");
    else
        answer(a, x, 405, false, "method not allowed\n");
}

static void accepted(void *arg, struct skl_stream *own_stream)
{
    skl_http_server_add(arg, own_stream);
}

int agent_serve(struct agent *a, struct skl_error *err)
{
    struct skl_http_server *server = skl_http_server_new(
        a->loop, &(struct skl_http_server_config){.handler = on_request, .arg = a});
    const char *bind = getenv("SOCKERLESS_AGENT_BIND");
    struct skl_listener *listener;
    struct skl_address at;
    char address[128];
    int rc;

    /* The platform's front end comes from outside of the container. */
    snprintf(address, sizeof(address), "%s:%u", skl_str_empty(bind) ? "0.0.0.0" : bind,
             a->options->http_port);
    rc = skl_address_parse(address, 0, &at, err);
    return rc < 0 ? rc : skl_listener_open(a->loop, &at, NULL, accepted, server, &listener, err);
}
