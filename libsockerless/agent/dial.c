/* Forward mode: the backend dials the agent, again and again until it answers, and after every lost connection. */
#include "agent/forward_tls.h"
#include "agent/session_internal.h"
#include "base/alloc.h"
#include "base/log.h"

#define FIRST_MS   50
#define MAX_MS     1000
#define TIMEOUT_MS 5000
#define REDIAL_MS  120000 /* after a lost connection; then the agent counts as gone */

static void dial_now(void *arg);

void agent_dial_stop(struct agent_entry *e)
{
    skl_ws_dial_cancel(&e->dial);
    skl_timer_cancel(&e->again);
    free(skl_take(&e->address));
    free(skl_take(&e->dial_error));
}

/* The address goes into a URL: nothing but what a host and a port are made of. */
static bool is_plain(const char *address)
{
    size_t n = strlen(address);

    return n > 0 && n < 300 &&
           strspn(address,
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%") == n;
}

static void dial_later(struct agent_entry *e)
{
    if ((int64_t)uv_now(e->a->loop) >= e->until_ms) {
        skl_warn("agent", "an agent could not be reached", "container", e->id, "address",
                 e->address, "why", e->dial_error, NULL);
        /* Before the first contact, whoever waits for the agent has a deadline of its own. */
        agent_dial_stop(e);
        agent_entry_end_session(e);
        return;
    }
    e->again = skl_timer_start(e->a->loop, e->delay_ms, dial_now, e);
    e->delay_ms = e->delay_ms * 2 < MAX_MS ? e->delay_ms * 2 : MAX_MS;
}

void agent_dial_again(struct agent_entry *e)
{
    if (e->address && !e->again && !e->dial)
        dial_later(e);
}

void agent_dial_answered(struct agent_entry *e)
{
    e->delay_ms = FIRST_MS;
}

void agent_dial_lost(struct agent_entry *e)
{
    e->until_ms = (int64_t)uv_now(e->a->loop) + REDIAL_MS;
    agent_dial_again(e);
}

static void dialled(void *arg, struct skl_ws *own_ws, int http_status, const struct skl_error *err)
{
    struct agent_entry *e = arg;

    e->dial = NULL;
    if (err) {
        skl_strset(&e->dial_error, err->msg);
        dial_later(e);
        return;
    }
    agent_arrival_new(e, own_ws);
}

static void dial_now(void *arg)
{
    static const struct skl_ws_config config = {.max_message = SKL_WS_MAX_MESSAGE};
    struct agent_entry *e = arg;
    SKL_AUTO_BUF struct skl_buf url = {0}, headers = {0};
    struct skl_tls *tls;
    struct skl_error err;

    e->again = NULL;
    if (e->session && skl_session_is_up(e->session))
        return; /* it came by itself meanwhile */
    skl_buf_init(&url, SKL_KIB);
    skl_buf_init(&headers, 4 * SKL_KIB);
    skl_buf_addf(&url, "wss://%s/agent/v1", e->address);
    skl_buf_addf(&headers, "Authorization: Bearer %s\r\nX-Sockerless-Container: %s\r\n", e->token,
                 e->id);
    if (skl_forward_tls_new(false, e->id, e->token, &tls, &err) < 0) {
        skl_err("agent", "TLS", "error", err.msg, NULL);
        dial_later(e);
        return;
    }
    e->dial = skl_ws_connect(e->a->loop, url.p, tls, headers.p, &config, TIMEOUT_MS, dialled, e);
    skl_tls_unref(tls);
}

void skl_agents_dial(struct skl_agents *a, const char *container_id, const char *address,
                     int64_t deadline_ms)
{
    struct agent_entry *e = skl_map_getz(&a->entries, container_id);

    if (!e || !is_plain(address))
        return;
    if (!skl_streq(e->address, address)) {
        agent_dial_stop(e);
        e->address = skl_strdup(address);
    }
    if (e->session && skl_session_is_up(e->session))
        return; /* the address is for the next time */
    e->delay_ms = FIRST_MS;
    e->until_ms = (int64_t)uv_now(a->loop) + deadline_ms;
    if (!e->dial && !e->again)
        e->again = skl_timer_start(a->loop, 0, dial_now, e);
}
