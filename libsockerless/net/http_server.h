/* http_server - HTTP/1.0 and 1.1 on streams, by llhttp: one exchange = one request and its answer.
 *
 * Shape   the handler runs when the header is complete; it reads the body (or not), then answers
 *         in one piece, as a stream, or takes the connection over.
 * Order   pipelined requests are handled one after the other; keep-alive and 100-continue are handled
 *         here; an unread body is drained (up to a limit) or the connection is closed.
 * Errors  bad line or header: 400; too long: 431 or 413; header too slow: 408; then closed.
 *         A connection that has not sent a header in that time is closed without a word.
 *         A body that comes too slowly ends with 408, too: a drop now and then does not keep it alive.
 * Limits  connections and requests at a time: beyond them 503. A new connection takes the place of the longest idle
 *         one, if there is one; a few are always let in for requests that are vital, which are always answered.
 *         `error_body` makes the body of these answers.
 * Owns    the exchange belongs to the server. It is valid until on_end has run, which happens exactly
 *         once: after the answer was written, or when the client went away. After that the handler
 *         must not touch it. Strings it hands out live as long as it does.
 * Thread  loop thread
 */
#ifndef SKL_NET_HTTP_SERVER_H
#define SKL_NET_HTTP_SERVER_H

#include "base/buf.h"
#include "net/listener.h"
#include "net/loop.h"

struct skl_http_server;
struct skl_http; /* an exchange */

typedef void skl_http_handler_cb(void *arg, struct skl_http *x);

struct skl_http_server_config {
    skl_http_handler_cb *handler;
    void *arg;
    /* Headers for every answer, "Name: value\r\n"...; may be NULL. */
    const char *extra_headers;
    /* Writes the body for an error answer; content type is application/json. May be NULL. */
    void (*error_body)(struct skl_buf *b, int status, const char *message);
    int64_t header_timeout_ms, idle_timeout_ms, body_stall_ms; /* 0: base/limits.h */
    unsigned max_connections, max_requests;                    /* likewise */
    bool (*is_vital)(const struct skl_http *x);                /* may be NULL */
};

struct skl_http_server *skl_http_server_new(uv_loop_t *loop,
                                            const struct skl_http_server_config *config);
/* Serves a stream, usually from an skl_accept_cb. */
void skl_http_server_add(struct skl_http_server *s, struct skl_stream *own_stream);
/* Idle connections are closed now, busy ones after their answer; on_closed when none is left or
 * grace_ms passed (the rest is then cut). */
void skl_http_server_close(struct skl_http_server *s, int64_t grace_ms, skl_timer_cb *on_closed,
                           void *arg);
unsigned skl_http_server_connections(const struct skl_http_server *s);
/* Descriptors are short: closes some of the connections that have been idle, or without a request, for longest. */
void skl_http_server_shed(struct skl_http_server *s);

/* -- the request */
struct skl_str skl_http_method(const struct skl_http *x);
struct skl_str skl_http_path(const struct skl_http *x);  /* raw, still percent-encoded */
struct skl_str skl_http_query(const struct skl_http *x); /* raw, without '?' */
/* First value of a header (name in any case); p = NULL if absent. */
struct skl_str skl_http_header(const struct skl_http *x, const char *name);
bool skl_http_has_upgrade(const struct skl_http *x);       /* an Upgrade header of any value */
bool skl_http_has_body(const struct skl_http *x);          /* Content-Length > 0 or chunked */
int64_t skl_http_content_length(const struct skl_http *x); /* -1 if chunked */
void skl_http_peer_name(const struct skl_http *x, char *out, size_t cap);

/* What the owner of the exchange keeps with it, and how it learns of the end. */
void skl_http_set_owner(struct skl_http *x, void *owner, void (*on_end)(void *owner));

/* A client that ends its half while the answer is awaited is taken for gone: for GETs that stream or
 * wait for hours. Off by default: a half-close alone does not end an exchange, only a reset, a hang-up
 * or a failed write does. */
void skl_http_end_on_eof(struct skl_http *x, bool on);

/* -- the body: choose one, at most once, before answering. None of these callbacks runs after the
 * handler has answered; what is left of the body is then drained. */
/* Whole body, at most max bytes (413 is answered here and the callback does not run). */
typedef void skl_http_body_cb(void *arg, struct skl_http *x, struct skl_str body);
void skl_http_read_body(struct skl_http *x, size_t max, skl_http_body_cb *cb, void *arg);
/* In pieces; pause and resume hold the socket. on_done: error NULL = complete, else the client
 * went away or stalled. */
struct skl_http_body_events {
    void (*on_data)(void *arg, const uint8_t *p, size_t n);
    void (*on_done)(void *arg, const struct skl_error *err);
};
void skl_http_stream_body(struct skl_http *x, const struct skl_http_body_events *events, void *arg);
void skl_http_pause_body(struct skl_http *x);
void skl_http_resume_body(struct skl_http *x);

/* -- the answer */
/* headers: "Name: value\r\n"... or NULL. Content-Length is set here; the body of a HEAD is dropped. */
void skl_http_answer(struct skl_http *x, int status, const char *content_type, const char *headers,
                     struct skl_str body);
/* Streamed: chunked (1.1) or until close (1.0). The header is sent at once. */
void skl_http_begin(struct skl_http *x, int status, const char *content_type, const char *headers);
void skl_http_write(struct skl_http *x, const void *p, size_t n);
bool skl_http_congested(const struct skl_http *x);
void skl_http_on_drain(struct skl_http *x, void (*on_drain)(void *owner));
/* The answer, which is still to come, is the last on this connection. */
void skl_http_close_after(struct skl_http *x);
void skl_http_end(struct skl_http *x);   /* on_end follows, not before this returns */
void skl_http_abort(struct skl_http *x); /* cuts the connection: a streamed answer that failed */

/* Takes the connection over, once the body was read or when it has a Content-Length (a chunked body that
 * was not read to its end breaks the stream). `head` is the complete answer header, written as it is. Body bytes of
 * the request (Content-Length) are dropped first; what follows them is delivered by the stream.
 * on_end runs for the exchange; the stream is the caller's from now on. */
struct skl_stream *skl_http_take_over(struct skl_http *x, struct skl_str head);

const char *skl_http_status_text(int status);

#endif
