/* tls_internal - what tls.c and tls_session.c share. */
#ifndef SKL_NET_TLS_INTERNAL_H
#define SKL_NET_TLS_INTERNAL_H

#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "net/tls.h"

struct skl_tls {
    unsigned refs;
    bool server, require_peer_cert, ask_peer_cert, has_psk;
    mbedtls_ssl_config conf;
    mbedtls_x509_crt own, ca;
    mbedtls_pk_context key;
};

/* Writes mbedTLS's words for rc behind the message. */
int tls_fail(struct skl_error *err, enum skl_kind kind, int rc, const char *what);

#endif
