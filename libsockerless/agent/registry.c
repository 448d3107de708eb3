/* Which containers may have an agent, and the door for those that dial in.
 *
 * The door learns nothing to whom has no token: an unknown container, a forgotten one and a wrong token get the same
 * answer after the same comparison, and a flood of them a few log lines. An address that keeps on is told to wait.
 */
#include "agent/registry.h"

#include <stdio.h>

#include "agent/agent_metrics.h"
#include "agent/session_internal.h"
#include "base/alloc.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/secrets.h"

#define MAX_TOKEN 1024

struct skl_agents *skl_agents_new(uv_loop_t *loop, const struct skl_session_events *events,
                                  void *arg)
{
    struct skl_agents *a = skl_new0(struct skl_agents);

    a->loop = loop;
    a->events = events;
    skl_map_init(&a->entries);
    skl_random_hex(a->nobody, 64);
    agent_rate_init(&a->rate);
    return a;
}

static void free_later(void *arg)
{
    free(arg);
}

void agent_entry_end_session(struct agent_entry *e)
{
    struct skl_session *s = skl_take(&e->session);

    if (s)
        session_free(s);
}

/* Out of the map already. The memory stays until the stack is unwound: see session_internal.h. */
static void entry_end(struct agent_entry *e)
{
    e->forgotten = true;
    agent_dial_stop(e);
    agent_arrivals_drop(e, AGENT_CLOSE_UNKNOWN);
    agent_entry_end_session(e);
    skl_secret_remove(e->token);
    skl_secret_free(skl_take(&e->token));
    skl_defer(e->a->loop, free_later, e);
}

void skl_agents_close(struct skl_agents *a)
{
    struct agent_entry *e;
    struct skl_str key;
    size_t i = 0;

    a->closed = true; /* the owners are gone: on_gone is not for them */
    while ((e = skl_map_next(&a->entries, &i, &key))) {
        skl_map_remove(&a->entries, key);
        entry_end(e);
    }
    skl_map_fini(&a->entries);
    skl_defer(a->loop, free_later, a);
}

void skl_agents_prepare(struct skl_agents *a, const char *container_id, const char *token,
                        void *owner)
{
    struct agent_entry *e = skl_map_getz(&a->entries, container_id);

    if (e && !skl_streq(e->token, token)) {
        skl_agents_forget(a, container_id); /* whoever came with the old token has to go */
        e = NULL;
    }
    if (!e) {
        SKL_ASSERT(strlen(container_id) <= SKL_ID_LEN && !skl_str_empty(token));
        e = skl_new0(struct agent_entry);
        e->a = a;
        snprintf(e->id, sizeof(e->id), "%s", container_id);
        e->token = skl_strdup(token);
        skl_secret_add(token);
        skl_list_init(&e->arrivals);
        skl_map_set(&a->entries, skl_str(container_id), e);
    }
    e->owner = owner;
    if (e->session)
        e->session->owner = owner;
}

void skl_agents_forget(struct skl_agents *a, const char *container_id)
{
    struct agent_entry *e = skl_map_remove(&a->entries, skl_str(container_id));

    if (e)
        entry_end(e);
}

struct skl_session *skl_agents_find(struct skl_agents *a, const char *container_id)
{
    struct agent_entry *e = skl_map_getz(&a->entries, container_id);

    return e ? e->session : NULL;
}

unsigned skl_agents_connected(const struct skl_agents *a)
{
    unsigned n = 0;
    struct agent_entry *e;
    size_t i = 0;

    while ((e = skl_map_next(&a->entries, &i, NULL)))
        n += e->session && skl_session_is_up(e->session);
    return n;
}

void agent_log_broken(struct agent_entry *e, const char *what)
{
    char held_back[24];

    if (skl_log_gate_open(&e->a->broken, (int64_t)uv_now(e->a->loop), held_back))
        skl_warn("agent", "an agent broke the protocol", "container", e->id, "what", what,
                 "held_back", held_back, NULL);
}

/* -- reverse agents */

/* The decoded value, or NULL. A NUL in it makes it none. */
static char *query_value(const struct skl_http *x, const char *name)
{
    struct skl_str key, value, rest = skl_http_query(x);

    while (skl_query_next(&rest, &key, &value))
        if (skl_str_eqz(key, name)) {
            SKL_AUTO_BUF struct skl_buf b = {0};

            skl_buf_init(&b, MAX_TOKEN);
            skl_url_decode(&b, value, true);
            return b.failed || memchr(b.p, '\0', b.n) ? NULL : skl_buf_detach(&b);
        }
    return NULL;
}

static char *asked_id(const struct skl_http *x)
{
    struct skl_str header = skl_http_header(x, "X-Sockerless-Container");

    return header.p ? skl_str_dup(skl_str_trim(header)) : query_value(x, "id");
}

static char *asked_token(const struct skl_http *x)
{
    struct skl_str header = skl_http_header(x, "Authorization");

    if (header.p && skl_str_istarts(header, "Bearer ") && header.n <= MAX_TOKEN)
        return skl_str_dup(skl_str_trim(skl_str_skip(header, 7)));
    return query_value(x, "token");
}

/* Ours; or a callback URL without a path; or the documented one: any path, with the container's id in the query. */
static bool is_agents_route(const struct skl_http *x)
{
    char *id SKL_AUTO_STR = query_value(x, "id");
    struct skl_str path = skl_http_path(x);

    return skl_str_eqz(skl_http_method(x), "GET") &&
           (id || skl_str_eqz(path, "/agent/v1") ||
            (skl_str_eqz(path, "/") && skl_http_header(x, "X-Sockerless-Container").p));
}

static void refuse(struct skl_agents *a, struct skl_http *x)
{
    int64_t now = (int64_t)uv_now(a->loop);
    char peer[128], held_back[24];

    skl_http_peer_name(x, peer, sizeof(peer));
    if (skl_log_gate_open(&a->refused, now, held_back))
        skl_warn("agent", "an agent without a valid token was refused", "peer", peer, "held_back",
                 held_back, NULL);
    skl_metric_add(&skl_agent_refused, 1);
    if (agent_rate_failed(&a->rate, peer, now)) {
        skl_http_close_after(x);
        skl_http_answer(x, 429, "application/json", "Retry-After: 10\r\n",
                        SKL_STR("{\"message\":\"too many requests\"}\n"));
        return;
    }
    skl_http_answer(x, 401, "application/json", "WWW-Authenticate: Bearer\r\n",
                    SKL_STR("{\"message\":\"unauthorized\"}\n"));
}

void skl_agents_accept(struct skl_agents *a, struct skl_http *x)
{
    static const struct skl_ws_config config = {.max_message = SKL_WS_MAX_MESSAGE};
    char *id SKL_AUTO_STR = asked_id(x);
    char *token SKL_AUTO_STR = asked_token(x);
    struct agent_entry *e;
    struct skl_error err;
    struct skl_ws *ws;
    bool valid;

    if (!is_agents_route(x)) {
        skl_http_answer(x, 404, "application/json", NULL, SKL_STR("{\"message\":\"not found\"}\n"));
        return;
    }
    e = skl_map_getz(&a->entries, id ? id : "");
    valid = skl_str_eq_secret(skl_str(token), skl_str(e ? e->token : a->nobody));
    if (!valid || !e) {
        refuse(a, x);
        return;
    }
    if (skl_ws_accept(x, &config, &ws, &err) == 0) /* else answered there */
        agent_arrival_new(e, ws);
}
