/* stream_tls - TLS between a stream's owner and its socket.
 *
 * Problem   the owner sees plaintext, backpressure and half-close as without TLS; mbedTLS wants to be fed.
 * Approach  ciphertext goes to the session as it comes; when the owner stops reading, what is left of it is
 *           held and the socket is not read. Writes before the end of the handshake wait as plaintext.
 *           Encrypted records go straight into the stream's output queue, which is what counts bytes.
 * Rule      an end of the connection without close_notify is a failure (the data may be cut short), not
 *           an end.
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "net/stream_internal.h"
#include "net/tls_session.h"

#define RECORD (16 * SKL_KIB)

struct stream_tls {
    struct skl_tls_session *session;
    struct skl_tls *context;
    bool ready, ended, in_pump, notice_sent;
    struct skl_buf early; /* plaintext written before the handshake was over */
    stream_tls_ready_cb *on_ready;
    void *arg;
};

static _Thread_local uint8_t *plain_buffer;

static void send_out(void *arg, const uint8_t *p, size_t n)
{
    const struct skl_str part = {(const char *)p, n};
    stream_raw_writev(arg, &part, 1);
}

int stream_tls_start(struct skl_stream *s, struct skl_tls *tls, const char *server_name,
                     stream_tls_ready_cb *ready, void *arg, struct skl_error *err)
{
    struct stream_tls *t = skl_new0(struct stream_tls);
    int rc = skl_tls_session_new(tls, server_name, send_out, s, &t->session, err);
    if (rc < 0) {
        free(t);
        return rc;
    }
    t->context = skl_tls_ref(tls);
    t->on_ready = ready;
    t->arg = arg;
    skl_buf_init(&t->early, SIZE_MAX / 2);
    s->tls = t;
    stream_tls_pump(s); /* a client speaks first */
    stream_update_reading(s);
    return 0;
}

void stream_tls_free(struct skl_stream *s)
{
    struct stream_tls *t = s->tls;
    if (!t)
        return;
    skl_tls_session_free(t->session);
    skl_tls_unref(t->context);
    skl_buf_fini(&t->early);
    free(t);
    s->tls = NULL;
}

bool stream_tls_wants_input(const struct skl_stream *s)
{
    return !s->tls->ready;
}

bool stream_tls_has_input(const struct skl_stream *s)
{
    return s->tls->ready && !s->tls->ended && skl_tls_session_has_input(s->tls->session);
}

size_t stream_tls_queued(const struct skl_stream *s)
{
    return s->tls->early.n;
}

static void write_plain(struct skl_stream *s, const char *p, size_t n)
{
    struct skl_error e;
    while (n && !s->why && !s->closing) {
        size_t k = n < RECORD ? n : RECORD;
        if (skl_tls_session_write(s->tls->session, p, k, &e) < 0)
            stream_fail_with(s, &e);
        p += k;
        n -= k;
    }
}

void stream_tls_writev(struct skl_stream *s, const struct skl_str *parts, size_t count)
{
    struct stream_tls *t = s->tls;
    char joined[1024];
    if (!t->ready) {
        for (size_t i = 0; i < count; i++)
            skl_buf_addstr(&t->early, parts[i]);
        if (skl_stream_queued(s) >= SKL_STREAM_HIGH_WATER)
            s->congested = true;
        return;
    }
    /* A head and a small payload share a record; big payloads are worth their own. */
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].n > sizeof(joined) - n) {
            write_plain(s, joined, n);
            n = 0;
        }
        if (parts[i].n > sizeof(joined)) {
            write_plain(s, parts[i].p, parts[i].n);
        } else if (parts[i].n) {
            memcpy(joined + n, parts[i].p, parts[i].n);
            n += parts[i].n;
        }
    }
    write_plain(s, joined, n);
}

bool stream_tls_end(struct skl_stream *s)
{
    struct stream_tls *t = s->tls;
    if (!t->ready && !s->lingering)
        return false;
    if (t->ready && !t->notice_sent) {
        t->notice_sent = true;
        skl_tls_session_close_notify(t->session);
    }
    return true;
}

static void handshake_step(struct skl_stream *s)
{
    struct stream_tls *t = s->tls;
    char peer[128];
    struct skl_error e;
    switch (skl_tls_session_handshake(t->session, &e)) {
    case SKL_TLS_DONE:
        t->ready = true;
        if (t->early.n) {
            write_plain(s, t->early.p, t->early.n);
            skl_buf_fini(&t->early);
            skl_buf_init(&t->early, SIZE_MAX / 2);
        }
        if (s->shut_wanted)
            stream_try_shutdown(s);
        if (s->congested && skl_stream_queued(s) < SKL_STREAM_LOW_WATER) {
            s->congested = false;
            s->drain_due = true;
            stream_schedule(s);
        }
        if (t->on_ready)
            t->on_ready(t->arg, s);
        break;
    case SKL_TLS_END:
    case SKL_TLS_FAILED:
        skl_stream_peer_name(s, peer, sizeof(peer));
        skl_debug("tls", "no connection", "peer", peer, "why", e.msg, NULL);
        stream_fail_with(s, &e);
        break;
    case SKL_TLS_WANT:
        break;
    }
}

static void read_step(struct skl_stream *s)
{
    struct stream_tls *t = s->tls;
    struct skl_error e;
    if (!plain_buffer)
        plain_buffer = skl_alloc0(1, RECORD);
    while (!t->ended && stream_takes_input(s)) {
        size_t n = RECORD;
        switch (skl_tls_session_read(t->session, plain_buffer, &n, &e)) {
        case SKL_TLS_DONE:
            stream_deliver(s, plain_buffer, n);
            break;
        case SKL_TLS_END:
            t->ended = true;
            stream_input_ended(s);
            return;
        case SKL_TLS_FAILED:
            stream_fail_with(s, &e);
            return;
        case SKL_TLS_WANT:
            return;
        }
    }
}

void stream_tls_pump(struct skl_stream *s)
{
    struct stream_tls *t = s->tls;
    if (t->in_pump || s->why || s->closing)
        return;
    t->in_pump = true;
    if (!t->ready)
        handshake_step(s);
    if (t->ready)
        read_step(s);
    t->in_pump = false;
    skl_tls_session_hold(t->session);
    if (!s->closing)
        stream_update_reading(s);
}

void stream_tls_input(struct skl_stream *s, const uint8_t *p, size_t n)
{
    if (s->tls->ended)
        return;
    skl_tls_session_input(s->tls->session, p, n);
    stream_tls_pump(s);
}

void stream_tls_eof(struct skl_stream *s)
{
    struct skl_error e;
    if (s->tls->ended)
        return;
    if (s->lingering) {
        s->tls->ended = true;
        stream_input_ended(s);
        return;
    }
    skl_fail(&e, SKL_E_UNAVAILABLE, "TLS connection was closed %s",
             s->tls->ready ? "without notice" : "during its handshake");
    e.sys = UV_ECONNRESET;
    stream_fail_with(s, &e);
}
