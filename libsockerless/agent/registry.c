/* Which containers may have an agent. Reverse agents arrive at the agent listener; forward ones are dialled, and
 * dialled again after a lost connection for as long as their entry lives. */
#include "agent/registry.h"

#include <stdio.h>

#include "agent/session_internal.h"
#include "base/alloc.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/log.h"

#define DIAL_FIRST_MS   50
#define DIAL_MAX_MS     1000
#define DIAL_TIMEOUT_MS 5000
#define REDIAL_MS       120000 /* after a lost connection; then the agent counts as gone */

struct entry {
    struct skl_agents *a;
    char id[65];
    char *token;
    void *owner;
    struct skl_session *session; /* NULL: no agent has come yet */
    /* forward */
    char *address;
    struct skl_ws_dial *dial;
    struct skl_timer *again;
    int64_t delay_ms, until_ms;
};

struct skl_agents {
    uv_loop_t *loop;
    const struct skl_session_events *events;
    struct skl_map entries;
};

static const struct skl_ws_config ws_config = {.max_message = SKL_WS_MAX_MESSAGE};

struct skl_agents *skl_agents_new(uv_loop_t *loop, const struct skl_session_events *events,
                                  void *arg)
{
    struct skl_agents *a = skl_new0(struct skl_agents);

    a->loop = loop;
    a->events = events;
    skl_map_init(&a->entries);
    return a;
}

static void stop_dialling(struct entry *e)
{
    skl_ws_dial_cancel(&e->dial);
    skl_timer_cancel(&e->again);
    free(skl_take(&e->address));
}

static void entry_free(struct entry *e)
{
    stop_dialling(e);
    if (e->session)
        skl_session_free(e->session);
    free(e->token);
    free(e);
}

void skl_agents_close(struct skl_agents *a)
{
    struct entry *e;
    size_t i = 0;

    while ((e = skl_map_next(&a->entries, &i, NULL))) {
        if (e->session)
            e->session->owner = NULL; /* the owners are gone */
        entry_free(e);
    }
    skl_map_fini(&a->entries);
    free(a);
}

void skl_agents_prepare(struct skl_agents *a, const char *container_id, const char *token,
                        void *owner)
{
    struct entry *e = skl_map_getz(&a->entries, container_id);

    if (!e) {
        e = skl_new0(struct entry);
        e->a = a;
        snprintf(e->id, sizeof(e->id), "%s", container_id);
        skl_map_set(&a->entries, skl_str(container_id), e);
    }
    e->owner = owner;
    skl_strset(&e->token, token);
}

void skl_agents_forget(struct skl_agents *a, const char *container_id)
{
    struct entry *e = skl_map_remove(&a->entries, skl_str(container_id));

    if (e)
        entry_free(e);
}

struct skl_session *skl_agents_find(struct skl_agents *a, const char *container_id)
{
    struct entry *e = skl_map_getz(&a->entries, container_id);

    return e ? e->session : NULL;
}

unsigned skl_agents_connected(const struct skl_agents *a)
{
    unsigned n = 0;
    struct entry *e;
    size_t i = 0;

    while ((e = skl_map_next(&a->entries, &i, NULL)))
        n += e->session && skl_session_is_up(e->session);
    return n;
}

void skl_session_close(struct skl_session *s)
{
    struct entry *e = s->on_lost_arg;

    e->session = NULL;
    stop_dialling(e);
    skl_session_free(s);
}

/* -- connections */

static void dial_now(void *arg);

static void connection_lost(void *arg, struct skl_session *s)
{
    struct entry *e = arg;

    if (!e->address || e->again || e->dial)
        return;
    e->until_ms = (int64_t)uv_now(e->a->loop) + REDIAL_MS;
    e->again = skl_timer_start(e->a->loop, e->delay_ms, dial_now, e);
}

static void take_connection(struct entry *e, struct skl_ws *own_ws)
{
    if (!e->session) {
        e->session = skl_session_new(e->a->loop, e->a->events, e->owner);
        e->session->on_lost = connection_lost;
        e->session->on_lost_arg = e;
    }
    skl_session_attach(e->session, own_ws);
}

/* -- reverse */

static char *query_value(const struct skl_http *x, const char *name)
{
    struct skl_str key, value, rest = skl_http_query(x);
    struct skl_buf b;

    while (skl_query_next(&rest, &key, &value))
        if (skl_str_eqz(key, name)) {
            skl_buf_init(&b, 4 * SKL_KIB);
            skl_url_decode(&b, value, true);
            return skl_buf_detach(&b);
        }
    return NULL;
}

static char *asked_id(const struct skl_http *x)
{
    struct skl_str header = skl_http_header(x, "X-Sockerless-Container");

    return header.p ? skl_str_dup(header) : query_value(x, "id");
}

static char *asked_token(const struct skl_http *x)
{
    struct skl_str header = skl_http_header(x, "Authorization");

    if (header.p && skl_str_istarts(header, "Bearer "))
        return skl_str_dup(skl_str_trim(skl_str_skip(header, 7)));
    return query_value(x, "token");
}

static void refuse(struct skl_http *x)
{
    char peer[128];

    skl_http_peer_name(x, peer, sizeof(peer));
    skl_warn("agent", "an agent without a valid token was refused", "peer", peer, NULL);
    skl_http_answer(x, 401, "text/plain", NULL, SKL_STR("unauthorized\n"));
}

void skl_agents_accept(struct skl_agents *a, struct skl_http *x)
{
    /* An unknown container costs the same comparison as a wrong token. */
    static const char nobody[] = "0000000000000000000000000000000000000000000000000000000000000000";
    char *id SKL_AUTO_STR = asked_id(x);
    char *token SKL_AUTO_STR = asked_token(x);
    struct entry *e = id ? skl_map_getz(&a->entries, id) : NULL;
    struct skl_error err;
    struct skl_ws *ws;
    bool valid;

    if (!skl_str_eqz(skl_http_method(x), "GET") || !skl_http_has_upgrade(x) || !id || !token) {
        skl_http_answer(x, 404, "text/plain", NULL, SKL_STR("not found\n"));
        return;
    }
    valid = skl_str_eq_secret(skl_str(token), skl_str(e && e->token ? e->token : nobody));
    if (!valid || !e || skl_str_empty(e->token)) {
        refuse(x);
        return;
    }
    if (skl_ws_accept(x, &ws_config, &ws, &err) < 0)
        return; /* answered there */
    take_connection(e, ws);
}

/* -- forward */

static void dial_later(struct entry *e)
{
    if ((int64_t)uv_now(e->a->loop) > e->until_ms) {
        if (e->session)
            skl_session_close(e->session);
        return; /* before the first contact, whoever waits for the agent has a deadline of its own */
    }
    e->again = skl_timer_start(e->a->loop, e->delay_ms, dial_now, e);
    e->delay_ms = e->delay_ms * 2 < DIAL_MAX_MS ? e->delay_ms * 2 : DIAL_MAX_MS;
}

static void dialled(void *arg, struct skl_ws *own_ws, int http_status, const struct skl_error *err)
{
    struct entry *e = arg;

    e->dial = NULL;
    if (err) {
        dial_later(e);
        return;
    }
    e->delay_ms = DIAL_FIRST_MS;
    take_connection(e, own_ws);
}

static void dial_now(void *arg)
{
    struct entry *e = arg;
    SKL_AUTO_BUF struct skl_buf url = {0}, headers = {0};

    e->again = NULL;
    skl_buf_init(&url, SKL_KIB);
    skl_buf_init(&headers, SKL_KIB);
    skl_buf_addf(&url, "ws://%s/agent/v1", e->address);
    skl_buf_addf(&headers, "Authorization: Bearer %s\r\nX-Sockerless-Container: %s\r\n", e->token,
                 e->id);
    e->dial =
        skl_ws_connect(e->a->loop, url.p, NULL, headers.p, &ws_config, DIAL_TIMEOUT_MS, dialled, e);
}

void skl_agents_dial(struct skl_agents *a, const char *container_id, const char *address,
                     int64_t deadline_ms)
{
    struct entry *e = skl_map_getz(&a->entries, container_id);

    if (!e || (e->address && skl_streq(e->address, address)))
        return;
    stop_dialling(e);
    e->address = skl_strdup(address);
    e->delay_ms = DIAL_FIRST_MS;
    e->until_ms = (int64_t)uv_now(a->loop) + deadline_ms;
    e->again = skl_timer_start(a->loop, 0, dial_now, e);
}
