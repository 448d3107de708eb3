/* ws - WebSocket (RFC 6455) on a stream, server and client ends; binary messages only.
 *
 * Shape   whole messages in, whole messages out (fragments are joined; text messages are refused
 *         unless accept_text). Ping is answered here.
 * Limits  a message <= max_message bytes, else the connection is closed with 1009
 * Errors  on_close once, with the close code or the transport's error; nothing after it. The owner
 *         still calls skl_ws_close(), which frees.
 * Owns    sent messages are copied; the socket is freed some time after skl_ws_close()
 * Thread  loop thread
 */
#ifndef SKL_NET_WS_H
#define SKL_NET_WS_H

#include "net/http_server.h"

struct skl_ws;

struct skl_ws_events {
    void (*on_message)(void *arg, const uint8_t *p, size_t n);
    void (*on_drain)(void *arg);                                        /* may be NULL */
    void (*on_close)(void *arg, int code, const struct skl_error *why); /* code 0: no close frame */
};

struct skl_ws_config {
    size_t max_message;
    bool accept_text; /* text arrives as a message too: Docker's attach/ws */
};

/* Checks the upgrade request and answers 101 (or 400/426 itself and returns an error). */
int skl_ws_accept(struct skl_http *x, const struct skl_ws_config *config, struct skl_ws **ret,
                  struct skl_error *err);

/* ws://, wss://, http://, https://host[:port]/path, or unix:///socket/path:/url/path (the first ":/" ends
 * the socket's path). wss and https need tls. headers "Name: value\r\n"... */
typedef void skl_ws_connect_cb(void *arg, struct skl_ws *own_ws, int http_status,
                               const struct skl_error *err);
struct skl_ws_dial;
struct skl_ws_dial *skl_ws_connect(uv_loop_t *loop, const char *url, struct skl_tls *tls,
                                   const char *headers, const struct skl_ws_config *config,
                                   int64_t timeout_ms, skl_ws_connect_cb *cb, void *arg);
void skl_ws_dial_cancel(struct skl_ws_dial **d);

void skl_ws_set_events(struct skl_ws *ws, const struct skl_ws_events *events, void *arg);
/* Messages flow only between these two; starting twice is fine. */
void skl_ws_read_start(struct skl_ws *ws);
void skl_ws_read_stop(struct skl_ws *ws);
/* One message made of parts (no copy into one buffer by the caller needed). */
void skl_ws_send(struct skl_ws *ws, const struct skl_str *parts, size_t count);
size_t skl_ws_queued(const struct skl_ws *ws);
/* Sends a close frame, waits shortly for the peer's, then ends. No callback runs any more. NULL is fine. */
void skl_ws_close(struct skl_ws *ws, int code);
bool skl_ws_congested(const struct skl_ws *ws); /* as skl_stream_congested() */
/* A ping now; any frame of the peer shows that it lives, and skl_ws_bytes_in() counts. */
void skl_ws_ping(struct skl_ws *ws);
uint64_t skl_ws_bytes_in(const struct skl_ws *ws);

/* The codec alone, for tests and fuzzing: see ws_frame.h. */

#endif
