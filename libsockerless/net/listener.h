/* listener - accepts streams on a unix socket, TCP (IPv4 and IPv6) or an inherited descriptor.
 *
 * Rules   a unix socket gets mode 0660 and group `docker` where that exists; a stale socket file (nobody
 *         answers on it) is replaced, a live one is an error. The file is removed on close.
 *         TLS is for TCP: what comes by a unix socket, also an inherited one, is plain.
 * Limits  SKL_MAX_CONNECTIONS open streams; above that, accepting pauses. When descriptors run out
 *         accepting pauses until some are free again, and on_low may free some.
 */
#ifndef SKL_NET_LISTENER_H
#define SKL_NET_LISTENER_H

#include "net/stream.h"

struct skl_listener;
typedef void skl_accept_cb(void *arg, struct skl_stream *own_stream);

int skl_listener_open(uv_loop_t *loop, const struct skl_address *at, struct skl_tls *tls,
                      skl_accept_cb *cb, void *arg, struct skl_listener **ret,
                      struct skl_error *err);
/* Called with the listener's arg, now and then while descriptors are short. */
void skl_listener_on_low(struct skl_listener *l, void (*on_low)(void *arg));
/* For connections from now on; those that are open keep theirs. Ignored without TLS so far, and for NULL. */
void skl_listener_set_tls(struct skl_listener *l, struct skl_tls *tls);
void skl_listener_close(struct skl_listener *l); /* NULL is fine */
/* The address really bound (port 0 replaced). */
const struct skl_address *skl_listener_address(const struct skl_listener *l);

#endif
