/* tls - TLS contexts for streams, on mbedTLS (2.28 and 3.x).
 *
 * Shape   TLS 1.2 and newer, ECDHE with AEAD suites only; trust is a matter of certificates, or of a key that both
 *         ends have (psk), never of both
 * Owns    reference counted: streams keep their context alive
 * Thread  loop thread
 */
#ifndef SKL_NET_TLS_H
#define SKL_NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define SKL_TLS_PSK_LEN 32

struct skl_tls;

struct skl_tls_config {
    bool server;
    const char *cert_file, *key_file; /* own certificate; optional for a client */
    const char *ca_file;              /* peers must chain to it; NULL: server asks no certificate,
                                         client uses ca_pem or the system's bundle */
    const char *ca_pem;               /* the same as text */
    bool require_peer_cert;           /* server: mutual TLS */
    /* A shared key in the place of all certificates: both ends prove that they have it. */
    const uint8_t *psk; /* SKL_TLS_PSK_LEN bytes; copied */
    const char *psk_identity;
};

int skl_tls_new(const struct skl_tls_config *config, struct skl_tls **ret, struct skl_error *err);
struct skl_tls *skl_tls_ref(struct skl_tls *tls);
void skl_tls_unref(struct skl_tls *tls); /* NULL is fine */

#endif
