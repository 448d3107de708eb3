/* Fresh connections: authenticated, but nobody's yet.
 *
 * Problem   who knows a container's token may connect as often as it likes, say nothing, or be a second instance
 *           while the first one is busy: none of that may disturb the session that is there.
 * Approach  a connection stays here until its HELLO. The same instance takes its session over at once (the other
 *           end knows best that a connection is lost). Another instance waits until the first has shown that it
 *           lives, and is refused, or has not for CHALLENGE_MS, and then takes its place.
 * Limits    MAX_ARRIVALS per container; a newer one beyond that is refused
 */
#include "agent/session_internal.h"
#include "base/alloc.h"
#include "base/log.h"

#define HELLO_MS       10000
#define CHALLENGE_MS   5000
#define LOOK_MS        50
#define MAX_ARRIVALS   4
#define CLOSE_TOO_MANY 1013 /* try again later */

struct agent_arrival {
    struct skl_list in_entry;
    struct agent_entry *e;
    struct skl_ws *ws;
    struct skl_timer *timer;
    struct agent_hello hello;
    /* challenge */
    uint64_t seen_bytes;
    int64_t until_ms;
};

/* Out of the entry; the socket is the caller's. */
static struct skl_ws *release(struct agent_arrival *r)
{
    struct skl_ws *ws = r->ws;

    skl_timer_cancel(&r->timer);
    skl_list_remove(&r->in_entry);
    r->e->n_arrivals--;
    free(r);
    return ws;
}

static void refuse(struct agent_arrival *r, int code)
{
    skl_ws_close(release(r), code);
}

void agent_arrivals_drop(struct agent_entry *e, int code)
{
    struct skl_list *it, *tmp;

    skl_list_foreach_safe (it, tmp, &e->arrivals)
        refuse(SKL_LIST_ENTRY(it, struct agent_arrival, in_entry), code);
}

static void take(struct agent_arrival *r)
{
    struct agent_entry *e = r->e;
    struct agent_hello hello = r->hello;
    struct skl_ws *ws = release(r);

    hello.main.instance = hello.instance; /* it pointed into the other copy */
    if (e->session && !skl_streq(e->session->instance, hello.instance))
        agent_entry_end_session(e);
    if (e->forgotten) {
        skl_ws_close(ws, AGENT_CLOSE_UNKNOWN);
        return;
    }
    if (!e->session)
        e->session = session_new(e, hello.instance);
    session_greet(e->session, ws, &hello);
}

/* -- a second instance */

static void look(void *arg)
{
    struct agent_arrival *r = arg;
    struct agent_entry *e = r->e;
    struct skl_session *s = e->session;

    if (!s || !skl_session_is_up(s) || skl_streq(s->instance, r->hello.instance)) {
        take(r);
    } else if (skl_link_bytes_in(s->link) != r->seen_bytes) {
        skl_warn("agent", "a second instance was refused while the first is connected", "container",
                 e->id, NULL);
        refuse(r, AGENT_CLOSE_SECOND);
    } else if ((int64_t)uv_now(e->a->loop) >= r->until_ms) {
        skl_warn("agent", "an instance does not answer; another takes its place", "container",
                 e->id, NULL);
        take(r);
    }
}

static void challenge(struct agent_arrival *r)
{
    struct skl_session *s = r->e->session;

    skl_ws_read_stop(r->ws);
    skl_timer_cancel(&r->timer);
    r->seen_bytes = skl_link_bytes_in(s->link);
    r->until_ms = (int64_t)uv_now(r->e->a->loop) + CHALLENGE_MS;
    skl_link_ping(s->link);
    r->timer = skl_timer_repeat(r->e->a->loop, LOOK_MS, look, r);
}

/* -- HELLO */

static void on_message(void *arg, const uint8_t *p, size_t n)
{
    struct agent_arrival *r = arg;
    struct agent_entry *e = r->e;
    struct skl_session *s = e->session;
    struct skl_frame f;
    struct skl_error err;

    if (skl_frame_parse(skl_str_n((const char *)p, n), &f, &err) < 0 ||
        session_hello_read(&f, e->id, &r->hello, &err) < 0) {
        agent_log_broken(e, err.msg);
        refuse(r, AGENT_CLOSE_PROTOCOL);
    } else if (s && skl_session_is_up(s) && !skl_streq(s->instance, r->hello.instance)) {
        challenge(r);
    } else {
        take(r);
    }
}

static void on_close(void *arg, int code, const struct skl_error *why)
{
    struct agent_arrival *r = arg;
    struct agent_entry *e = r->e;

    refuse(r, 1000);
    if (!e->session || !skl_session_is_up(e->session))
        agent_dial_again(e);
}

static void late(void *arg)
{
    struct agent_arrival *r = arg;
    struct agent_entry *e = r->e;

    r->timer = NULL;
    agent_log_broken(e, "no HELLO in time");
    refuse(r, AGENT_CLOSE_LATE);
    if (!e->session || !skl_session_is_up(e->session))
        agent_dial_again(e);
}

void agent_arrival_new(struct agent_entry *e, struct skl_ws *own_ws)
{
    static const struct skl_ws_events events = {on_message, NULL, on_close};
    struct agent_arrival *r;

    if (e->n_arrivals >= MAX_ARRIVALS) {
        skl_ws_close(own_ws, CLOSE_TOO_MANY);
        return;
    }
    r = skl_new0(struct agent_arrival);
    r->e = e;
    r->ws = own_ws;
    skl_list_push(&e->arrivals, &r->in_entry);
    e->n_arrivals++;
    r->timer = skl_timer_start(e->a->loop, HELLO_MS, late, r);
    skl_ws_set_events(own_ws, &events, r);
    skl_ws_read_start(own_ws);
}
