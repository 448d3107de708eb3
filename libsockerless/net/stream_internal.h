/* stream_internal - what the files of the stream share; nobody else includes it. */
#ifndef SKL_NET_STREAM_INTERNAL_H
#define SKL_NET_STREAM_INTERNAL_H

#include "base/list.h"
#include "net/loop.h"
#include "net/stream.h"

struct skl_tls_session;
struct stream_tls;

/* A piece of the output queue. */
struct out_chunk {
    struct out_chunk *next;
    size_t n, cap;
    char data[];
};

/* What libuv has been given and has not reported yet. */
struct out_batch {
    uv_write_t req;
    struct out_chunk *chunks;
};

struct skl_stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_loop_t *loop;
    struct skl_stream_events ev;
    void *arg;
    uint64_t bytes_in;

    struct out_chunk *out_first, *out_last; /* not yet given to libuv */
    size_t out_bytes;
    struct out_batch *batch;

    char *unread; /* given back by an earlier owner */
    size_t unread_n;
    uint64_t skip; /* bytes of input that nobody wants */

    struct stream_tls *tls;
    struct skl_error *why; /* broken */
    struct skl_timer *linger;
    struct skl_list half_closed; /* in the watch list of half_close.c */
    void (*on_free)(void *arg);
    void *free_arg;

    bool is_tcp, is_socket, is_fifo;
    bool opened; /* the handle has a descriptor */
    bool user_reading, raw_reading;
    bool eof; /* the peer ended its half */
    bool eof_told, why_told;
    bool congested; /* crossed the high mark, on_drain is owed */
    bool drain_due;
    bool shut_wanted, shut_started, shut_done;
    bool lingering; /* close_gracefully */
    bool scheduled; /* a deferred call holds a pointer */
    bool closing, closed;
    bool write_end_closed, handle_gone;
};

/* -- stream.c */
struct skl_stream *stream_new(uv_loop_t *loop, bool tcp);
void stream_opened(struct skl_stream *s); /* has a connected descriptor now */
void stream_set_on_free(struct skl_stream *s, void (*cb)(void *arg), void *arg);
void stream_handle_closed(uv_handle_t *h);
void stream_schedule(struct skl_stream *s);
void stream_fail(struct skl_stream *s, int sys, const char *what);
void stream_fail_with(struct skl_stream *s, const struct skl_error *why);
void stream_update_reading(struct skl_stream *s);
void stream_deliver(struct skl_stream *s, const uint8_t *p, size_t n);
void stream_input_ended(struct skl_stream *s);
/* Input may be handed to the owner now. */
bool stream_takes_input(const struct skl_stream *s);
void stream_skip(struct skl_stream *s, uint64_t n);

/* -- stream_write.c */
void stream_raw_writev(struct skl_stream *s, const struct skl_str *parts, size_t count);
void stream_drop_output(struct skl_stream *s);
void stream_try_shutdown(struct skl_stream *s);

/* -- stream_tls.c */
typedef void stream_tls_ready_cb(void *arg, struct skl_stream *s);
int stream_tls_start(struct skl_stream *s, struct skl_tls *tls, const char *server_name,
                     stream_tls_ready_cb *ready, void *arg, struct skl_error *err);
void stream_tls_input(struct skl_stream *s, const uint8_t *p, size_t n);
void stream_tls_eof(struct skl_stream *s);
void stream_tls_pump(struct skl_stream *s);
bool stream_tls_wants_input(const struct skl_stream *s); /* whatever the owner wants */
bool stream_tls_has_input(const struct skl_stream *s);
void stream_tls_writev(struct skl_stream *s, const struct skl_str *parts, size_t count);
size_t stream_tls_queued(const struct skl_stream *s);
bool stream_tls_end(struct skl_stream *s); /* sends close_notify; false: not yet */
void stream_tls_free(struct skl_stream *s);

/* -- half_close.c: notices that the peer of a half-closed socket has gone altogether. */
void half_close_watch(struct skl_stream *s);
void half_close_unwatch(struct skl_stream *s);

#endif
