/* stream - one duplex byte stream on the loop: TCP, unix socket, pipe or inherited fd, plain or TLS.
 *
 * Units   bytes; times in ms
 * Errors  a broken stream reports once through on_close; after that only skl_stream_close() is useful
 * Owns    writes are copied; the stream is freed some time after skl_stream_close()
 * Thread  loop thread
 * Limits  the writer looks at skl_stream_queued(): at SKL_STREAM_HIGH_WATER it stops its source and
 *         goes on in on_drain (called when the queue falls below SKL_STREAM_LOW_WATER)
 * Rules   no callback runs before the call that armed it returns; none runs after skl_stream_close();
 *         closing inside any callback is allowed. A new owner (set_events) is told again of an end
 *         or failure that the earlier one saw. SIGPIPE is ignored in the process from the first
 *         stream on: who starts programs without uv_spawn() sets it back in the child.
 */
#ifndef SKL_NET_STREAM_H
#define SKL_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "base/str.h"
#include "net/address.h"
#include "net/tls.h"

struct skl_stream;

struct skl_stream_events {
    void (*on_data)(void *arg, const uint8_t *p, size_t n);
    void (*on_eof)(void *arg);   /* the peer ended its half; ours still works */
    void (*on_drain)(void *arg); /* may be NULL */
    void (*on_close)(void *arg, const struct skl_error *why); /* broken, or reset by the peer */
};

typedef void skl_stream_connect_cb(void *arg, struct skl_stream *own_stream,
                                   const struct skl_error *err); /* stream NULL on failure */
struct skl_connect;

/* Resolves, tries each address, handshakes TLS when tls is given (server_name is checked). */
struct skl_connect *skl_stream_connect(uv_loop_t *loop, const struct skl_address *to,
                                       struct skl_tls *tls, const char *server_name,
                                       int64_t timeout_ms, skl_stream_connect_cb *cb, void *arg);
void skl_connect_cancel(struct skl_connect **c); /* the callback will not run */

/* Takes an open, connected descriptor (socket or pipe). */
int skl_stream_from_fd(uv_loop_t *loop, int own_fd, struct skl_stream **ret, struct skl_error *err);

void skl_stream_set_events(struct skl_stream *s, const struct skl_stream_events *events, void *arg);
void skl_stream_read_start(struct skl_stream *s); /* starting twice is fine */
void skl_stream_read_stop(struct skl_stream *s);
/* Bytes read by an earlier owner that the next one must see first (delivered by read_start). */
void skl_stream_unread(struct skl_stream *s, const void *p, size_t n);

void skl_stream_write(struct skl_stream *s, const void *p, size_t n);
void skl_stream_writev(struct skl_stream *s, const struct skl_str *parts, size_t count);
size_t skl_stream_queued(const struct skl_stream *s);
/* Bytes that were written and not taken by the peer: by its program on a unix socket, by its kernel on TCP. */
size_t skl_stream_untaken(const struct skl_stream *s);
static inline bool skl_stream_congested(const struct skl_stream *s);

void skl_stream_shutdown(struct skl_stream *s); /* ends our half after what is queued */
void skl_stream_close(struct skl_stream *s); /* at once; what is queued is dropped; NULL is fine */
/* Writes what is queued, ends our half, reads and drops until the peer ends or `timeout_ms` passed,
 * then closes. The caller must not touch the stream any more. */
void skl_stream_close_gracefully(struct skl_stream *s, int64_t timeout_ms);

void skl_stream_set_keepalive(struct skl_stream *s, unsigned seconds);
void skl_stream_peer_name(const struct skl_stream *s, char *out,
                          size_t cap); /* "unix" or ip:port */
uint64_t skl_stream_bytes_in(const struct skl_stream *s);

#include "base/limits.h"
static inline bool skl_stream_congested(const struct skl_stream *s)
{
    return skl_stream_queued(s) >= SKL_STREAM_HIGH_WATER;
}

#endif
