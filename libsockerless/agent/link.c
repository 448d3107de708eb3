/* Exactly once and in order over connections that break: see link.h for the design.
 *
 * Frames are numbered by counting; neither end writes a number on the wire. `sent` counts what was ever numbered,
 * `confirmed` what the peer says it has; the frames between the two are kept. Credit is counted in bytes since a
 * stream began, so that a lost CREDIT costs nothing: the next one says more.
 */
#include "agent/link.h"

#include "agent/agent_metrics.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "net/loop.h"

#define ACK_FRAMES   32
#define ACK_BYTES    (64 * SKL_KIB)
#define ACK_DELAY_MS 50
#define MISSED_BEATS 3
/* What a peer that never confirms makes us keep: data stops at the first mark. Control frames need no credit;
 * their senders look at skl_link_kept_bytes() and give up long before the second. */
#define FULL_KEPT_BYTES (32 * SKL_MIB)
#define MAX_KEPT_BYTES  (64 * SKL_MIB)

struct account {
    uint32_t stream;
    bool starved;            /* the owner was told "no credit" */
    uint64_t sent, credited; /* data bytes out; how many the peer has consumed */
    uint64_t received, consumed, told;
};

struct kept {
    struct skl_list in_link;
    uint8_t type;
    uint32_t stream;
    size_t n;
    char payload[];
};

struct skl_link {
    uv_loop_t *loop;
    const struct skl_link_events *events;
    void *arg;
    struct skl_ws *ws;
    bool flowing; /* HELLO and WELCOME are done on this connection */
    bool closed;
    bool peer_left;

    struct skl_list kept;
    size_t kept_bytes;
    uint64_t sent, confirmed;
    uint64_t received, received_told;
    size_t unacked_bytes;
    struct skl_timer *ack_timer;

    struct account *accounts;
    size_t n_accounts;
    uint64_t main_acked;  /* by the peer */
    uint64_t main_to_ack; /* by us, when main_ack_due */
    bool main_ack_due;

    struct skl_timer *beat;
    uint64_t seen_bytes;
    unsigned missed;
};

struct skl_link *skl_link_new(uv_loop_t *loop, const struct skl_link_events *events, void *arg)
{
    struct skl_link *l = skl_new0(struct skl_link);

    l->loop = loop;
    l->events = events;
    l->arg = arg;
    skl_list_init(&l->kept);
    return l;
}

static void drop_ws(struct skl_link *l, int code)
{
    struct skl_ws *ws = skl_take(&l->ws);

    l->flowing = false;
    skl_timer_cancel(&l->ack_timer);
    skl_ws_close(ws, code);
}

static void free_later(void *arg)
{
    free(arg);
}

void skl_link_close(struct skl_link *l)
{
    if (!l || l->closed)
        return;
    l->closed = true;
    drop_ws(l, 1000);
    skl_timer_cancel(&l->beat);
    skl_link_reset(l);
    skl_defer(l->loop, free_later, l); /* we may be inside one of its callbacks */
}

bool skl_link_is_up(const struct skl_link *l)
{
    return l->ws && l->flowing;
}

uint64_t skl_link_received(const struct skl_link *l)
{
    return l->received;
}

uint64_t skl_link_kept(const struct skl_link *l)
{
    return l->sent - l->confirmed;
}

size_t skl_link_kept_bytes(const struct skl_link *l)
{
    return l->kept_bytes;
}

bool skl_link_peer_left(const struct skl_link *l)
{
    return l->peer_left;
}

uint64_t skl_link_bytes_in(const struct skl_link *l)
{
    return l->ws ? skl_ws_bytes_in(l->ws) : 0;
}

static bool is_full(const struct skl_link *l)
{
    return l->kept_bytes >= FULL_KEPT_BYTES;
}

/* -- accounts */

static struct account *account_find(const struct skl_link *l, uint32_t stream)
{
    for (size_t i = l->n_accounts; i-- > 0;)
        if (l->accounts[i].stream == stream)
            return &l->accounts[i];
    return NULL;
}

static struct account *account_of(struct skl_link *l, uint32_t stream)
{
    struct account *a = account_find(l, stream);

    if (a)
        return a;
    if ((l->n_accounts & (l->n_accounts - 1)) == 0) /* grows at powers of two */
        l->accounts = skl_realloc(l->accounts, l->n_accounts ? 2 * l->n_accounts : 1, sizeof(*a));
    a = &l->accounts[l->n_accounts++];
    *a = (struct account){.stream = stream};
    skl_metric_add(&skl_agent_streams, 1);
    return a;
}

void skl_link_forget(struct skl_link *l, uint32_t stream)
{
    struct account *a = account_find(l, stream);

    if (a) {
        *a = l->accounts[--l->n_accounts];
        skl_metric_add(&skl_agent_streams, -1);
    }
    if (l->n_accounts == 0) {
        free(l->accounts);
        l->accounts = NULL;
    }
}

size_t skl_link_credit(const struct skl_link *l, uint32_t stream)
{
    struct account *a = account_find(l, stream);
    uint64_t used = a ? a->sent - a->credited : 0;

    if (is_full(l))
        return 0;
    if (used < SKL_LINK_WINDOW)
        return SKL_LINK_WINDOW - (size_t)used;
    a->starved = true;
    return 0;
}

uint64_t skl_link_acked(const struct skl_link *l)
{
    return l->main_acked;
}

/* -- sending */

static void transmit(struct skl_link *l, uint8_t type, uint32_t stream, struct skl_str head,
                     struct skl_str payload)
{
    uint8_t frame_head[SKL_FRAME_HEAD];
    struct skl_str parts[3] = {
        skl_str_n((const char *)frame_head, sizeof(frame_head)),
        head,
        payload,
    };

    skl_frame_head(frame_head, type, 0, stream);
    skl_ws_send(l->ws, parts, 3);
}

static void send_credit(struct skl_link *l, uint32_t stream, bool with_consumed, uint64_t consumed)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64);
    skl_tlv_u64(&b, SKL_TAG_RECEIVED, l->received);
    if (with_consumed)
        skl_tlv_u64(&b, SKL_TAG_CONSUMED, consumed);
    l->received_told = l->received;
    l->unacked_bytes = 0;
    skl_timer_cancel(&l->ack_timer);
    transmit(l, SKL_FRAME_CREDIT, stream, skl_str_n("", 0), skl_buf_str(&b));
}

static bool is_data(uint8_t type)
{
    return type == SKL_FRAME_STDIN || type == SKL_FRAME_STDOUT || type == SKL_FRAME_STDERR ||
           type == SKL_FRAME_TUNNEL_DATA;
}

void skl_link_send(struct skl_link *l, uint8_t type, uint32_t stream, struct skl_str payload)
{
    struct kept *k = skl_alloc0(1, sizeof(*k) + payload.n);

    SKL_ASSERT(!l->closed && l->kept_bytes <= MAX_KEPT_BYTES);
    if (is_data(type)) {
        struct account *a = account_of(l, stream);

        a->sent += payload.n;
        SKL_ASSERT(a->sent - a->credited <= SKL_LINK_WINDOW);
    }
    k->type = type;
    k->stream = stream;
    k->n = payload.n;
    if (payload.n)
        memcpy(k->payload, payload.p, payload.n);
    skl_list_push(&l->kept, &k->in_link);
    l->kept_bytes += sizeof(*k) + payload.n;
    l->sent++;
    if (skl_link_is_up(l))
        transmit(l, type, stream, skl_str_n("", 0), payload);
}

void skl_link_send_now(struct skl_link *l, uint8_t type, uint32_t stream, struct skl_str head,
                       struct skl_str payload)
{
    bool is_handshake = type == SKL_FRAME_HELLO || type == SKL_FRAME_WELCOME;

    if (l->ws && (l->flowing || is_handshake))
        transmit(l, type, stream, head, payload);
}

bool skl_link_congested(const struct skl_link *l)
{
    return l->ws && skl_ws_congested(l->ws);
}

/* -- confirming */

/* A peer that sends and does not read must not fill our queue with confirmations: they wait until it drains,
 * and lose nothing by it, since each says the whole. */
static bool can_confirm(const struct skl_link *l)
{
    return skl_link_is_up(l) && !skl_ws_congested(l->ws);
}

static void ack_now(void *arg)
{
    struct skl_link *l = arg;

    l->ack_timer = NULL;
    if (can_confirm(l) && l->received != l->received_told)
        send_credit(l, SKL_STREAM_CONTROL, false, 0);
}

static void schedule_ack(struct skl_link *l, size_t n)
{
    l->unacked_bytes += n;
    if (!can_confirm(l))
        return;
    if (l->received - l->received_told >= ACK_FRAMES || l->unacked_bytes >= ACK_BYTES)
        send_credit(l, SKL_STREAM_CONTROL, false, 0);
    else if (!l->ack_timer)
        l->ack_timer = skl_timer_start(l->loop, ACK_DELAY_MS, ack_now, l);
}

void skl_link_consumed(struct skl_link *l, uint32_t stream, size_t n)
{
    struct account *a = account_find(l, stream);

    if (!a)
        return; /* forgotten: nobody sends on it any more */
    a->consumed += n;
    if (a->consumed - a->told < SKL_LINK_WINDOW / 2 || !can_confirm(l))
        return;
    a->told = a->consumed;
    send_credit(l, stream, true, a->consumed);
}

void skl_link_ack_main(struct skl_link *l, uint64_t offset)
{
    l->main_to_ack = offset;
    l->main_ack_due = !can_confirm(l);
    if (!l->main_ack_due)
        send_credit(l, SKL_STREAM_MAIN, true, offset);
}

/* What was held back while the connection was away or congested. */
static void confirm_all(struct skl_link *l)
{
    for (size_t i = 0; i < l->n_accounts; i++)
        if (l->accounts[i].consumed != l->accounts[i].told) {
            l->accounts[i].told = l->accounts[i].consumed;
            send_credit(l, l->accounts[i].stream, true, l->accounts[i].consumed);
        }
    if (l->main_ack_due)
        send_credit(l, SKL_STREAM_MAIN, true, l->main_to_ack);
    else if (l->received != l->received_told)
        send_credit(l, SKL_STREAM_CONTROL, false, 0);
    l->main_ack_due = false;
}

bool skl_link_can_resume(const struct skl_link *l, uint64_t peer_received)
{
    return peer_received >= l->confirmed && peer_received <= l->sent;
}

static bool drop_confirmed(struct skl_link *l, uint64_t peer_received)
{
    if (!skl_link_can_resume(l, peer_received))
        return false;
    while (l->confirmed < peer_received) {
        struct kept *k = SKL_LIST_FIRST(&l->kept, struct kept, in_link);

        SKL_ASSERT(k); /* sent - confirmed of them are kept */
        skl_list_remove(&k->in_link);
        l->kept_bytes -= sizeof(*k) + k->n;
        free(k);
        l->confirmed++;
    }
    return true;
}

/* -- receiving */

static void link_down(struct skl_link *l, const struct skl_error *why, int code)
{
    skl_debug("link", "connection lost", "why", why->msg, NULL);
    drop_ws(l, code);
    l->events->on_down(l->arg, why);
}

static void protocol_error(struct skl_link *l, const char *what)
{
    struct skl_error err;

    skl_fail(&err, SKL_E_PROTOCOL, "the peer broke the agent protocol: %s", what);
    link_down(l, &err, 1002);
}

static void take_credit(struct skl_link *l, const struct skl_frame *f)
{
    struct skl_str value;
    struct account *a;
    uint64_t consumed;
    bool was_starved, was_full = is_full(l);

    if (!skl_tlv_is_valid(f->payload)) {
        protocol_error(l, "a malformed CREDIT");
        return;
    }
    if (skl_tlv_find(f->payload, SKL_TAG_RECEIVED, &value) &&
        !drop_confirmed(l, skl_tlv_find_num(f->payload, SKL_TAG_RECEIVED, 0))) {
        protocol_error(l, "it confirmed frames that were never sent");
        return;
    }
    if (was_full && !is_full(l)) {
        l->events->on_credit(l->arg, SKL_STREAM_CONTROL);
        if (!l->ws)
            return;
    }
    if (!skl_tlv_find(f->payload, SKL_TAG_CONSUMED, &value))
        return;
    consumed = skl_tlv_find_num(f->payload, SKL_TAG_CONSUMED, 0);
    if (f->stream == SKL_STREAM_MAIN && consumed > l->main_acked)
        l->main_acked = consumed;
    a = account_find(l, f->stream);
    was_starved = f->stream == SKL_STREAM_MAIN || (a && a->starved);
    if (a && consumed > a->credited && consumed <= a->sent) {
        a->credited = consumed;
        a->starved = false;
    }
    if (was_starved)
        l->events->on_credit(l->arg, f->stream);
}

static bool is_unnumbered(const struct skl_frame *f)
{
    return f->type == SKL_FRAME_HELLO || f->type == SKL_FRAME_WELCOME ||
           (f->stream == SKL_STREAM_MAIN &&
            (f->type == SKL_FRAME_STDOUT || f->type == SKL_FRAME_STDERR));
}

static void take_numbered(struct skl_link *l, const struct skl_frame *f)
{
    if (!l->flowing) {
        protocol_error(l, "a frame before the greeting");
        return;
    }
    if (is_data(f->type)) {
        struct account *a = account_of(l, f->stream);

        a->received += f->payload.n;
        if (a->received - a->consumed > SKL_LINK_WINDOW) {
            protocol_error(l, "more data than it has credit for");
            return;
        }
    }
    /* Counted when it has been acted on: what is confirmed before that is lost when we die in between. */
    l->events->on_frame(l->arg, f);
    if (l->closed)
        return;
    l->received++;
    schedule_ack(l, f->payload.n);
}

static void on_message(void *arg, const uint8_t *p, size_t n)
{
    struct skl_link *l = arg;
    struct skl_frame f;
    struct skl_error err;

    if (skl_frame_parse(skl_str_n((const char *)p, n), &f, &err) < 0) {
        link_down(l, &err, 1002);
        return;
    }
    switch (f.type) {
    case SKL_FRAME_PONG: /* it came: that is all it says */
        return;
    case SKL_FRAME_PING:
        if (!skl_ws_congested(l->ws)) /* else what it has not read yet says enough */
            transmit(l, SKL_FRAME_PONG, 0, skl_str_n("", 0), skl_str_n("", 0));
        return;
    case SKL_FRAME_CREDIT:
        take_credit(l, &f);
        return;
    default:
        break;
    }
    if (is_unnumbered(&f))
        l->events->on_frame(l->arg, &f);
    else
        take_numbered(l, &f);
}

static void on_ws_drain(void *arg)
{
    struct skl_link *l = arg;

    if (!skl_link_is_up(l))
        return;
    confirm_all(l);
    l->events->on_credit(l->arg, SKL_STREAM_MAIN);
}

static void on_ws_close(void *arg, int code, const struct skl_error *why)
{
    struct skl_error err;

    ((struct skl_link *)arg)->peer_left = code == 1000 && !why;
    if (why)
        err = *why;
    else
        skl_fail(&err, SKL_E_UNAVAILABLE, "the peer closed the connection");
    link_down(arg, &err, 1000);
}

/* -- connections */

void skl_link_attach(struct skl_link *l, struct skl_ws *own_ws)
{
    static const struct skl_ws_events events = {on_message, on_ws_drain, on_ws_close};

    if (l->ws)
        drop_ws(l, 1001);
    l->ws = own_ws;
    l->seen_bytes = 0;
    l->missed = 0;
    l->peer_left = false;
    skl_ws_set_events(own_ws, &events, l);
    skl_ws_read_start(own_ws);
}

void skl_link_disconnect(struct skl_link *l)
{
    struct skl_error err;

    if (!l->ws)
        return;
    skl_fail(&err, SKL_E_UNAVAILABLE, "the connection was given up");
    link_down(l, &err, 1001);
}

int skl_link_resume(struct skl_link *l, uint64_t peer_received, struct skl_error *err)
{
    struct skl_list *it;
    bool was_full = is_full(l);

    if (!drop_confirmed(l, peer_received))
        return skl_fail(err, SKL_E_PROTOCOL, "the peer counts frames that were never sent");
    l->flowing = true;
    l->received_told = l->received; /* the greeting said it */
    skl_list_foreach (it, &l->kept) {
        struct kept *k = SKL_LIST_ENTRY(it, struct kept, in_link);

        transmit(l, k->type, k->stream, skl_str_n("", 0), skl_str_n(k->payload, k->n));
    }
    l->main_ack_due = false; /* and this too */
    confirm_all(l);
    if (was_full && !is_full(l))
        l->events->on_credit(l->arg, SKL_STREAM_CONTROL);
    return 0;
}

void skl_link_reset(struct skl_link *l)
{
    struct skl_list *it, *tmp;

    skl_list_foreach_safe (it, tmp, &l->kept)
        free(SKL_LIST_ENTRY(it, struct kept, in_link));
    skl_list_init(&l->kept);
    l->kept_bytes = 0;
    l->sent = l->confirmed = l->received = l->received_told = 0;
    l->main_ack_due = false;
    free(l->accounts);
    l->accounts = NULL;
    skl_metric_add(&skl_agent_streams, -(int64_t)l->n_accounts);
    l->n_accounts = 0;
}

static void on_beat(void *arg)
{
    struct skl_link *l = arg;
    struct skl_error err;
    uint64_t now;

    if (!l->ws)
        return;
    now = skl_ws_bytes_in(l->ws);
    l->missed = now == l->seen_bytes ? l->missed + 1 : 0;
    l->seen_bytes = now;
    if (l->missed >= MISSED_BEATS) {
        skl_fail(&err, SKL_E_TIMEOUT, "the peer is silent");
        link_down(l, &err, 1001);
        return;
    }
    skl_link_ping(l);
}

void skl_link_ping(struct skl_link *l)
{
    if (l->ws)
        transmit(l, SKL_FRAME_PING, 0, skl_str_n("", 0), skl_str_n("", 0));
}

void skl_link_heartbeat(struct skl_link *l, int64_t every_ms)
{
    skl_timer_cancel(&l->beat);
    l->beat = skl_timer_repeat(l->loop, every_ms, on_beat, l);
}
