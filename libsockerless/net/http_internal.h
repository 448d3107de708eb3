/* http_internal - what the files of the HTTP server share; nobody else includes it.
 *
 * http_server.c   connections: their states, their deadlines, their end
 * http_request.c  the head by llhttp, limits and checks
 * http_exchange.c what the handler asks and orders
 * http_answer.c   what is written
 */
#ifndef SKL_NET_HTTP_INTERNAL_H
#define SKL_NET_HTTP_INTERNAL_H

#include <llhttp.h>

#include "base/list.h"
#include "base/log_gate.h"
#include "net/http_server.h"
#include "net/loop.h"

#define HTTP_MAX_BUFFERED (64 * SKL_KIB)  /* pipelined input kept while an answer is awaited */
#define HTTP_MAX_DRAIN    (256 * SKL_KIB) /* unread body that is worth keeping the connection for */
#define HTTP_MAX_OVERHEAD                                                                          \
    (16 * SKL_KIB) /* chunk heads, extensions and trailers between body bytes */
#define HTTP_LINGER_MS 2000
#define HTTP_EXTRA     32 /* connections beyond the limit, for what is vital and for refusals */
#define HTTP_SHED      32 /* connections that are closed at a time when descriptors are short */

struct span {
    uint32_t off, n;
};

struct http_header {
    struct span name, value;
};

enum body_mode { BODY_UNDECIDED, BODY_WHOLE, BODY_STREAM, BODY_DRAIN };

/* An exchange. */
struct skl_http {
    struct http_conn *c;
    struct skl_buf text; /* the target and the header fields, joined */
    struct http_header *headers;
    unsigned n_headers, cap_headers;
    struct span url;
    uint32_t path_n;
    uint8_t method;
    bool http10, head, keep_alive, expect, upgrade, chunked;
    int64_t content_length; /* -1: chunked */

    void *owner;
    void (*on_end)(void *owner);
    void (*on_drain)(void *owner);

    enum body_mode mode;
    bool paused, body_told, continue_sent;
    struct skl_http_body_events events;
    void *body_arg;
    skl_http_body_cb *body_cb;
    struct skl_buf body;
    uint64_t drained, held; /* held: of SKL_MAX_BODIES */

    bool end_on_eof;
    bool begun, chunked_answer; /* a streamed answer */
    bool answered;              /* nothing more will be written */
    bool close_after, aborted;
    struct skl_stream *taken;
};

enum conn_state {
    CONN_HEAD, /* no exchange; maybe a part of a head */
    CONN_BODY, /* an exchange whose body is not complete */
    CONN_DONE, /* an exchange whose request is complete */
};

enum conn_wait { WAIT_NONE, WAIT_IDLE, WAIT_HEADER, WAIT_BODY, WAIT_MAX_ };

struct http_conn {
    struct skl_http_server *server;
    struct skl_stream *stream;
    struct skl_list node;
    struct skl_list wait_node; /* in server->waits[wait] */
    enum conn_wait wait;
    enum conn_state state;
    int64_t deadline;

    const char *win; /* the input: what libuv lent, or `in` */
    size_t win_n;
    char *in; /* input that must wait */
    size_t in_n;

    struct skl_http *x;       /* the exchange */
    struct skl_http *parsing; /* its head is coming in */
    llhttp_t parser;
    uint64_t body_left; /* Content-Length */
    size_t progress;    /* of the body, since the deadline was set */
    uint32_t head_bytes, line_bytes, spaces, overhead;
    char last; /* of the head, for the check of line ends */
    bool have_line;
    int fail_status;
    const char *fail_why;
    const char *piece; /* what llhttp found of a chunked body */
    size_t piece_n;
    bool complete; /* llhttp saw the end of the message */

    struct skl_error *why; /* the stream broke */
    bool served;           /* a request has come: it may idle */
    bool extra;            /* beyond the limit of connections */
    bool eof, close_after, dead, pumping, scheduled, graceful, detached, timed_out;
};

struct skl_http_server {
    uv_loop_t *loop;
    struct skl_http_server_config config;
    char *extra_headers;
    int64_t limits[WAIT_MAX_];
    struct skl_list conns;
    struct skl_list waits[WAIT_MAX_];
    unsigned n_conns, n_requests;
    uint64_t held; /* bytes of JSON bodies */
    struct skl_log_gate refused;
    struct skl_timer *sweep;
    struct skl_timer *grace;
    struct skl_http *spare;
    struct skl_buf scratch;
    int64_t date_s;
    char date[40];
    bool closing, told, freed_later;
    skl_timer_cb *on_closed;
    void *closed_arg;
};

/* -- http_server.c */
void conn_schedule(struct http_conn *c);

/* -- http_request.c */
struct skl_http *http_new(struct http_conn *c);
void http_free(struct skl_http_server *s, struct skl_http *x);
void http_request_reset(struct http_conn *c); /* ready for the next head */
/* Takes input of the head. 1: the head is complete, c->parsing is a good exchange; 0: more is needed;
 * -1: c->fail_status says what to answer. *used counts what was taken. */
int http_parse_head(struct http_conn *c, const char *p, size_t n, size_t *used);
/* Takes input of a chunked body: c->piece, c->complete; -1 as above. */
int http_parse_chunk(struct http_conn *c, const char *p, size_t n, size_t *used);

/* -- http_answer.c */
void http_answer_error(struct http_conn *c, int status, const char *message);
/* An answer to an exchange, as an error of the server's own looks. */
void http_answer_problem(struct skl_http *x, int status, const char *headers, const char *message);
void http_send_continue(struct skl_http *x);

#endif
