/* ws - WebSocket connections and the server's side of the opening handshake.
 *
 * Problem   the owner may stop reading, send or close inside any callback; pings and close frames of the peer
 *           must be answered without the owner.
 * Approach  ws_frame.c turns bytes into events, this file acts on them. Every entry from the stream is
 *           counted (`depth`): a close by the owner inside a callback frees when the entry is left.
 * Closing   the side that begins sends its close frame and drops messages until the peer's comes or 2 s
 *           passed. A ping is not answered while our output is congested: a peer that does not read must
 *           not make the queue grow.
 */
#include "net/ws.h"

#include <mbedtls/sha1.h>
#include <mbedtls/version.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/id.h"
#include "net/http_internal.h"
#include "net/loop.h"
#include "net/ws_frame.h"
#include "net/ws_internal.h"

#define CLOSE_WAIT_MS 2000
#define MAX_PARTS     15

struct skl_ws {
    uv_loop_t *loop;
    struct skl_stream *stream;
    struct skl_ws_events ev;
    void *arg;
    struct skl_ws_reader reader;
    struct skl_timer *close_timer;
    unsigned depth; /* entries from the stream that are on the stack */
    bool client;
    bool reading;    /* the owner wants messages */
    bool close_sent; /* nothing is sent after it */
    bool over;       /* the peer has closed or failed; on_close was or need not be told */
    bool owner_gone; /* skl_ws_close() */
    bool broken;     /* the stream is of no more use */
};

static const struct skl_stream_events stream_events;

struct skl_ws *ws_new(uv_loop_t *loop, struct skl_stream *own_stream, bool client,
                      const struct skl_ws_config *config)
{
    struct skl_ws *ws = skl_new0(struct skl_ws);
    ws->loop = loop;
    ws->stream = own_stream;
    ws->client = client;
    skl_ws_reader_init(&ws->reader, !client, config->accept_text,
                       config->max_message ? config->max_message : SKL_WS_MAX_MESSAGE);
    skl_stream_set_events(own_stream, &stream_events, ws);
    return ws;
}

static void ws_free(struct skl_ws *ws)
{
    skl_timer_cancel(&ws->close_timer);
    if (ws->broken)
        skl_stream_close(ws->stream);
    else
        skl_stream_close_gracefully(ws->stream, CLOSE_WAIT_MS);
    skl_ws_reader_fini(&ws->reader);
    free(ws);
}

static void enter(struct skl_ws *ws)
{
    ws->depth++;
}

static void leave(struct skl_ws *ws)
{
    if (--ws->depth == 0 && ws->owner_gone && ws->over)
        ws_free(ws);
}

/* -- out */

static void send_frame(struct skl_ws *ws, enum skl_ws_opcode opcode, const struct skl_str *parts,
                       size_t count)
{
    uint8_t head[SKL_WS_HEAD_MAX], key[4];
    struct skl_str all[MAX_PARTS + 1];
    size_t total = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        total += parts[i].n;
    if (ws->client)
        skl_random(key, sizeof(key));
    size_t head_n = skl_ws_write_head(head, opcode, total, ws->client ? key : NULL);
    if (!ws->client && count <= MAX_PARTS) {
        all[0] = (struct skl_str){(const char *)head, head_n};
        if (count)
            memcpy(all + 1, parts, count * sizeof(*parts));
        skl_stream_writev(ws->stream, all, count + 1);
        return;
    }
    uint8_t *frame = skl_realloc(NULL, 1, head_n + total);
    memcpy(frame, head, head_n);
    for (size_t i = 0; i < count; i++) {
        if (ws->client)
            skl_ws_mask(frame + head_n + at, (const uint8_t *)parts[i].p, parts[i].n, key, at);
        else if (parts[i].n)
            memcpy(frame + head_n + at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    skl_stream_write(ws->stream, frame, head_n + total);
    free(frame);
}

static void send_close(struct skl_ws *ws, int code)
{
    const uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    const struct skl_str part = {(const char *)payload, 2};
    if (ws->close_sent || ws->broken)
        return;
    ws->close_sent = true;
    /* 1005 and 1006 stand for "no code" and must not be sent. */
    send_frame(ws, SKL_WS_CLOSE, &part, code >= 1000 && code != 1005 && code != 1006);
}

void skl_ws_send(struct skl_ws *ws, const struct skl_str *parts, size_t count)
{
    if (!ws->close_sent && !ws->over)
        send_frame(ws, SKL_WS_BINARY, parts, count);
}

void skl_ws_ping(struct skl_ws *ws)
{
    if (!ws->close_sent && !ws->over)
        send_frame(ws, SKL_WS_PING, NULL, 0);
}

/* -- in */

static void end(struct skl_ws *ws, int code, const struct skl_error *why)
{
    if (ws->over)
        return;
    ws->over = true;
    skl_stream_read_stop(ws->stream);
    skl_timer_cancel(&ws->close_timer);
    if (!ws->owner_gone && ws->ev.on_close)
        ws->ev.on_close(ws->arg, code, why);
}

static void control(struct skl_ws *ws, const struct skl_ws_out *out)
{
    const struct skl_str echo = {(const char *)out->p, out->n};
    struct skl_error e;
    if (out->opcode == SKL_WS_PING && !ws->close_sent && !skl_stream_congested(ws->stream))
        send_frame(ws, SKL_WS_PONG, &echo, 1);
    if (out->opcode != SKL_WS_CLOSE)
        return;
    int code = skl_ws_close_code(out->p, out->n);
    if (code < 0) {
        send_close(ws, 1002);
        skl_fail(&e, SKL_E_PROTOCOL, "the peer sent a malformed close frame");
        end(ws, 1002, &e);
    } else {
        send_close(ws, code);
        end(ws, code, NULL);
    }
}

static void violation(struct skl_ws *ws, int code)
{
    struct skl_error e;
    send_close(ws, code);
    if (code == 1009)
        skl_fail(&e, SKL_E_TOOBIG, "the peer sent a message that is too large");
    else
        skl_fail(&e, SKL_E_PROTOCOL, "the peer broke the WebSocket protocol (%d)", code);
    end(ws, code, &e);
}

static void on_data(void *arg, const uint8_t *p, size_t n)
{
    struct skl_ws *ws = arg;
    struct skl_ws_out out;
    enum skl_ws_event event;
    enter(ws);
    do {
        size_t used;
        event = skl_ws_reader_next(&ws->reader, p, n, &used, &out);
        p += used;
        n -= used;
        if (event == SKL_WS_MESSAGE && !ws->owner_gone && ws->ev.on_message)
            ws->ev.on_message(ws->arg, out.p, out.n);
        else if (event == SKL_WS_CONTROL)
            control(ws, &out);
        else if (event == SKL_WS_ERROR)
            violation(ws, out.code);
    } while (!ws->over && (ws->reading || ws->owner_gone) && (n || event != SKL_WS_MORE));
    if (!ws->over && n)
        skl_stream_unread(ws->stream, p, n); /* the owner stopped reading */
    leave(ws);
}

static void on_eof(void *arg)
{
    struct skl_ws *ws = arg;
    struct skl_error e;
    skl_fail(&e, SKL_E_UNAVAILABLE, "the connection ended without a close frame");
    enter(ws);
    end(ws, 0, &e);
    leave(ws);
}

static void on_drain(void *arg)
{
    struct skl_ws *ws = arg;
    enter(ws);
    if (!ws->owner_gone && !ws->over && ws->ev.on_drain)
        ws->ev.on_drain(ws->arg);
    leave(ws);
}

static void on_broken(void *arg, const struct skl_error *why)
{
    struct skl_ws *ws = arg;
    struct skl_error e = *why;
    enter(ws);
    ws->broken = true;
    end(ws, 0, &e);
    leave(ws);
}

static const struct skl_stream_events stream_events = {on_data, on_eof, on_drain, on_broken};

/* -- the owner's calls */

void skl_ws_set_events(struct skl_ws *ws, const struct skl_ws_events *events, void *arg)
{
    ws->ev = *events;
    ws->arg = arg;
}

void skl_ws_read_start(struct skl_ws *ws)
{
    if (ws->over || ws->owner_gone)
        return;
    ws->reading = true;
    skl_stream_read_start(ws->stream);
}

void skl_ws_read_stop(struct skl_ws *ws)
{
    if (ws->over || ws->owner_gone)
        return;
    ws->reading = false;
    skl_stream_read_stop(ws->stream);
}

size_t skl_ws_queued(const struct skl_ws *ws)
{
    return skl_stream_queued(ws->stream);
}

bool skl_ws_congested(const struct skl_ws *ws)
{
    return skl_stream_congested(ws->stream);
}

uint64_t skl_ws_bytes_in(const struct skl_ws *ws)
{
    return skl_stream_bytes_in(ws->stream);
}

static void close_late(void *arg)
{
    struct skl_ws *ws = arg;
    ws->close_timer = NULL;
    enter(ws);
    end(ws, 0, NULL);
    leave(ws);
}

void skl_ws_close(struct skl_ws *ws, int code)
{
    if (!ws || ws->owner_gone)
        return;
    enter(ws);
    ws->owner_gone = true;
    send_close(ws, code);
    if (!ws->over) {
        ws->close_timer = skl_timer_start(ws->loop, CLOSE_WAIT_MS, close_late, ws);
        skl_stream_read_start(ws->stream);
    }
    leave(ws);
}

/* -- the opening handshake, server side */

void ws_accept_value(struct skl_str key, char out[WS_ACCEPT_LEN + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t text[WS_KEY_LEN + sizeof(guid) - 1], sum[20];
    struct skl_buf b;
    SKL_ASSERT(key.n == WS_KEY_LEN);
    memcpy(text, key.p, WS_KEY_LEN);
    memcpy(text + WS_KEY_LEN, guid, sizeof(guid) - 1);
#if MBEDTLS_VERSION_MAJOR >= 3
    mbedtls_sha1(text, sizeof(text), sum);
#else
    mbedtls_sha1_ret(text, sizeof(text), sum);
#endif
    skl_buf_init(&b, 64);
    skl_base64_add(&b, sum, sizeof(sum));
    SKL_ASSERT(b.n == WS_ACCEPT_LEN);
    memcpy(out, b.p, WS_ACCEPT_LEN + 1);
    skl_buf_fini(&b);
}

bool ws_has_token(struct skl_str list, const char *token)
{
    while (list.p) {
        struct skl_str one = skl_str_cut(list, ',', &list);
        if (skl_str_ieqz(skl_str_trim(one), token))
            return true;
    }
    return false;
}

static bool good_key(struct skl_str key)
{
    struct skl_buf b;
    if (key.n != WS_KEY_LEN)
        return false;
    skl_buf_init(&b, 32);
    bool ok = skl_base64_decode(&b, key) && b.n == 16;
    skl_buf_fini(&b);
    return ok;
}

int skl_ws_accept(struct skl_http *x, const struct skl_ws_config *config, struct skl_ws **ret,
                  struct skl_error *err)
{
    struct skl_str key = skl_http_header(x, "sec-websocket-key");
    char accept[WS_ACCEPT_LEN + 1], head[256];
    uv_loop_t *loop = x->c->server->loop;
    if (x->http10 || !skl_str_eqz(skl_http_method(x), "GET") || skl_http_has_body(x) ||
        !ws_has_token(skl_http_header(x, "upgrade"), "websocket") ||
        !ws_has_token(skl_http_header(x, "connection"), "upgrade") || !good_key(key)) {
        http_answer_problem(x, 400, NULL, "not a WebSocket upgrade request");
        return skl_fail(err, SKL_E_PROTOCOL, "not a WebSocket upgrade request");
    }
    if (!skl_str_eqz(skl_http_header(x, "sec-websocket-version"), "13")) {
        http_answer_problem(x, 426, "Sec-WebSocket-Version: 13\r\n",
                            "WebSocket version 13 is needed");
        return skl_fail(err, SKL_E_PROTOCOL, "the client speaks another WebSocket version");
    }
    ws_accept_value(key, accept);
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                     accept);
    *ret = ws_new(loop, skl_http_take_over(x, skl_str_n(head, (size_t)n)), false, config);
    return 0;
}
