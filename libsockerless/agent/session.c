/* The backend's end of one agent: its link, and the streams of everything that was asked.
 *
 * The link below gives frames exactly once and in order within a numbering. What is decided here is whom a frame
 * belongs to, and that it may come now: an agent is not trusted. A rule it breaks costs it the connection and the
 * stream concerned; the session stays, because what it has produced before is still wanted. The main process is
 * session_main.c's, the greeting session_greeting.c's.
 */
#include "agent/session.h"

#include "agent/agent_metrics.h"
#include "agent/session_internal.h"
#include "base/alloc.h"
#include "base/log.h"

#define HEARTBEAT_MS 15000
/* Requests for an agent that confirms none; far below what the link may keep. */
#define MAX_KEPT_BYTES (48 * SKL_MIB)

static const struct skl_link_events link_events;

struct skl_session *session_new(struct agent_entry *e, const char *instance)
{
    struct skl_session *s = skl_new0(struct skl_session);

    s->loop = e->a->loop;
    s->events = e->a->events;
    s->owner = e->owner;
    s->entry = e;
    snprintf(s->instance, sizeof(s->instance), "%s", instance);
    s->link = skl_link_new(s->loop, &link_events, s);
    s->next_stream = SKL_STREAM_MAIN + 1;
    skl_list_init(&s->streams);
    skl_link_heartbeat(s->link, HEARTBEAT_MS);
    return s;
}

static void free_later(void *arg)
{
    free(arg);
}

void session_free(struct skl_session *s)
{
    if (s->closed)
        return;
    s->closed = true;
    session_lose_streams(s);
    if (s->is_known && !s->entry->a->closed)
        s->events->on_gone(s->owner, s);
    skl_link_close(s->link);
    skl_defer(s->loop, free_later, s); /* we may be inside one of its callbacks */
}

bool skl_session_is_up(const struct skl_session *s)
{
    return !s->closed && skl_link_is_up(s->link);
}

const char *skl_session_instance(const struct skl_session *s)
{
    return s->instance;
}

void skl_session_reconnect(struct skl_session *s)
{
    if (!s->closed)
        skl_link_disconnect(s->link);
}

void skl_session_close(struct skl_session *s)
{
    if (s->closed)
        return;
    agent_dial_stop(s->entry);
    agent_entry_end_session(s->entry);
}

/* -- out */

static void give_up(void *arg)
{
    struct skl_session *s = arg;

    if (!s->closed)
        skl_session_close(s);
}

void session_send(struct skl_session *s, uint8_t type, uint32_t stream, struct skl_str payload)
{
    if (s->closed || s->overflowed)
        return;
    if (skl_link_kept_bytes(s->link) > MAX_KEPT_BYTES) {
        skl_warn("agent", "an agent confirms nothing; its session is given up", "container",
                 s->entry->id, NULL);
        s->overflowed = true;
        skl_defer(s->loop, give_up, s); /* runs before the memory can go: calls keep their order */
        return;
    }
    skl_link_send(s->link, type, stream, payload);
}

size_t session_credit(const struct skl_session *s, uint32_t stream)
{
    size_t n = s->closed || s->overflowed ? 0 : skl_link_credit(s->link, stream);

    return n < SKL_FRAME_MAX_PAYLOAD ? n : SKL_FRAME_MAX_PAYLOAD;
}

/* -- in */

void session_violation(struct skl_session *s, const char *what)
{
    agent_log_broken(s->entry, what);
    skl_link_disconnect(s->link);
}

static struct session_stream *find_stream(struct skl_session *s, uint32_t id)
{
    struct skl_list *it;

    skl_list_foreach (it, &s->streams) {
        struct session_stream *r = SKL_LIST_ENTRY(it, struct session_stream, in_session);

        if (r->id == id)
            return r;
    }
    return NULL;
}

static bool is_data(uint8_t type)
{
    return type == SKL_FRAME_STDOUT || type == SKL_FRAME_STDERR || type == SKL_FRAME_TUNNEL_DATA;
}

/* The types that an agent sends on streams. */
static bool is_agents(uint8_t type)
{
    return is_data(type) || type == SKL_FRAME_STARTED || type == SKL_FRAME_END ||
           type == SKL_FRAME_EXIT || type == SKL_FRAME_ERROR || type == SKL_FRAME_RESULT ||
           type == SKL_FRAME_TUNNEL_CLOSE;
}

static void stream_frame(struct skl_session *s, const struct skl_frame *f)
{
    struct session_stream *r = find_stream(s, f->stream);

    if (!r) {
        if (f->stream >= s->next_stream)
            session_violation(s, "a frame on a stream that nobody opened");
        else if (is_data(f->type))
            skl_link_forget(s->link, f->stream); /* late; the link has made an account for it */
        return;
    }
    if (is_data(f->type)) {
        if (f->payload.n == 0)
            return;
        r->unconsumed += f->payload.n;
    }
    r->ops->on_frame(r, f);
}

static void on_frame(void *arg, const struct skl_frame *f)
{
    struct skl_session *s = arg;
    const char *wrong = session_check_records(f);

    if (s->closed)
        return;
    if (wrong)
        session_violation(s, wrong);
    else if (!skl_link_is_up(s->link) || !is_agents(f->type) || f->stream == SKL_STREAM_CONTROL)
        session_violation(s, "a frame that is not an agent's to send here");
    else if (f->stream == SKL_STREAM_MAIN)
        session_main_frame(s, f);
    else
        stream_frame(s, f);
}

/* Every stream may send again. Callbacks may end streams and open others: go by rising id. */
static void credit_for_all(struct skl_session *s)
{
    uint32_t done = SKL_STREAM_MAIN;

    s->events->on_stdin_credit(s->owner, s);
    while (!s->closed) {
        struct session_stream *next = NULL;
        struct skl_list *it;

        skl_list_foreach (it, &s->streams) { /* in the order of their ids */
            struct session_stream *r = SKL_LIST_ENTRY(it, struct session_stream, in_session);

            if (r->id > done) {
                next = r;
                break;
            }
        }
        if (!next)
            return;
        done = next->id;
        next->ops->on_credit(next);
    }
}

static void on_credit(void *arg, uint32_t stream)
{
    struct skl_session *s = arg;
    struct session_stream *r;

    if (s->closed)
        return;
    if (stream == SKL_STREAM_CONTROL)
        credit_for_all(s);
    else if (stream == SKL_STREAM_MAIN)
        s->events->on_stdin_credit(s->owner, s);
    else if ((r = find_stream(s, stream)))
        r->ops->on_credit(r);
}

static void on_down(void *arg, const struct skl_error *why)
{
    struct skl_session *s = arg;

    if (s->closed)
        return;
    if (why->kind == SKL_E_PROTOCOL || why->kind == SKL_E_TOOBIG)
        agent_log_broken(s->entry, why->msg);
    skl_metric_add(&skl_agent_lost, 1);
    s->events->on_down(s->owner, s);
    if (s->closed)
        return;
    /* A proxy may say 1000 too; the agent itself never leaves a command that runs or a code that was
     * not fetched. */
    if (skl_link_peer_left(s->link) && s->state != SKL_MAIN_RUNNING && !s->exit_pending)
        skl_session_close(s);
    else
        agent_dial_lost(s->entry);
}

static const struct skl_link_events link_events = {on_frame, on_credit, on_down};

/* -- streams */

void session_lose_streams(struct skl_session *s)
{
    struct skl_error err;
    uint32_t end = s->next_stream;

    skl_fail(&err, SKL_E_UNAVAILABLE, "the agent of the container is gone");
    /* A callback may ask again: what it opens now is of the next numbering. */
    for (;;) {
        struct session_stream *r = SKL_LIST_FIRST(&s->streams, struct session_stream, in_session);

        if (!r || r->id >= end)
            return;
        session_stream_over(r);
        r->ops->on_lost(r, &err);
    }
}

static void tell_refused(void *arg)
{
    struct session_stream *r = arg;
    struct skl_error *err = skl_take(&r->refused);

    if (r->canceled)
        free(r);
    else
        r->ops->on_lost(r, err);
    free(err);
}

static void refuse(struct session_stream *r, enum skl_kind kind, const char *why)
{
    r->refused = skl_new0(struct skl_error);
    skl_fail(r->refused, kind, "%s", why);
    skl_defer(r->s->loop, tell_refused, r);
}

void session_stream_open(struct session_stream *r, const struct session_stream_ops *ops,
                         struct skl_session *s, uint8_t type, const struct skl_buf *payload)
{
    r->s = s;
    r->ops = ops;
    if (s->closed || s->overflowed) {
        refuse(r, SKL_E_UNAVAILABLE, "the agent of the container is gone");
    } else if (payload->failed) {
        refuse(r, SKL_E_TOOBIG, "the request is larger than an agent takes (256 KiB)");
    } else if (s->n_streams >= SKL_AGENT_MAX_STREAMS || s->next_stream == UINT32_MAX) {
        refuse(r, SKL_E_UNAVAILABLE, "too many requests are open in this container");
    } else {
        r->id = s->next_stream++;
        s->n_streams++;
        skl_list_push(&s->streams, &r->in_session);
        session_send(s, type, r->id, skl_buf_str(payload));
    }
}

void session_stream_over(struct session_stream *r)
{
    skl_list_remove(&r->in_session);
    r->s->n_streams--;
    skl_link_forget(r->s->link, r->id);
    r->id = 0;
}

void session_stream_cancel(struct session_stream *r)
{
    if (r->id == 0) {
        r->canceled = true; /* its deferred call frees it */
        return;
    }
    session_send(r->s, SKL_FRAME_CLOSE, r->id, skl_str_n("", 0));
    session_stream_over(r);
    free(r);
}

void session_stream_violation(struct session_stream *r, const char *what)
{
    struct skl_session *s = r->s;
    struct skl_error err;

    skl_fail(&err, SKL_E_PROTOCOL, "the agent broke the protocol: %s", what);
    session_send(s, SKL_FRAME_CLOSE, r->id, skl_str_n("", 0));
    session_stream_over(r);
    session_violation(s, what);
    r->ops->on_lost(r, &err);
}

void session_stream_send(struct session_stream *r, uint8_t type, struct skl_str payload)
{
    if (r->id)
        session_send(r->s, type, r->id, payload);
}

size_t session_stream_credit(const struct session_stream *r)
{
    return r->id ? session_credit(r->s, r->id) : 0;
}

void session_stream_consumed(struct session_stream *r, size_t n)
{
    if (!r->id)
        return;
    SKL_ASSERT(n <= r->unconsumed);
    r->unconsumed -= n;
    skl_link_consumed(r->s->link, r->id, n);
}
