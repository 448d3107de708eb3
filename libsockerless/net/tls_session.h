/* tls_session - one TLS connection without its socket: ciphertext in, ciphertext out by callback.
 *
 * Thread  loop thread. Nothing here blocks.
 */
#ifndef SKL_NET_TLS_SESSION_H
#define SKL_NET_TLS_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "net/tls.h"

struct skl_tls_session;

typedef void skl_tls_send_cb(void *arg, const uint8_t *p, size_t n);

int skl_tls_session_new(struct skl_tls *tls, const char *server_name, skl_tls_send_cb *send,
                        void *arg, struct skl_tls_session **ret, struct skl_error *err);
void skl_tls_session_free(struct skl_tls_session *s); /* NULL is fine */

/* Lends ciphertext; what the calls below leave of it is kept by skl_tls_session_hold(). */
void skl_tls_session_input(struct skl_tls_session *s, const uint8_t *p, size_t n);
void skl_tls_session_hold(struct skl_tls_session *s);
bool skl_tls_session_has_input(const struct skl_tls_session *s);

enum skl_tls_result { SKL_TLS_DONE, SKL_TLS_WANT, SKL_TLS_END, SKL_TLS_FAILED };

enum skl_tls_result skl_tls_session_handshake(struct skl_tls_session *s, struct skl_error *err);
/* DONE: *n bytes of plaintext; END: the peer's close_notify. */
enum skl_tls_result skl_tls_session_read(struct skl_tls_session *s, uint8_t *p, size_t *n,
                                         struct skl_error *err);
int skl_tls_session_write(struct skl_tls_session *s, const void *p, size_t n,
                          struct skl_error *err);
void skl_tls_session_close_notify(struct skl_tls_session *s);

#endif
