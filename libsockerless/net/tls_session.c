#include "net/tls_session.h"

#include <arpa/inet.h>
#include <mbedtls/asn1.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "net/tls_internal.h"

struct skl_tls_session {
    mbedtls_ssl_context ssl;
    struct skl_tls *tls;
    skl_tls_send_cb *send;
    void *arg;
    const uint8_t *in; /* lent, or `held` */
    size_t in_n;
    uint8_t *held;
    uint8_t ip[16]; /* the peer is named by its address */
    size_t ip_n;
};

static int bio_send(void *ctx, const unsigned char *p, size_t n)
{
    struct skl_tls_session *s = ctx;
    s->send(s->arg, p, n);
    return (int)n;
}

static int bio_recv(void *ctx, unsigned char *p, size_t n)
{
    struct skl_tls_session *s = ctx;
    if (s->in_n == 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    if (n > s->in_n)
        n = s->in_n;
    memcpy(p, s->in, n);
    s->in += n;
    s->in_n -= n;
    return (int)n;
}

/* mbedTLS 2.28 compares names only; a certificate for an address has it in its alternative names. */
static int verify_ip(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    struct skl_tls_session *s = ctx;
    if (depth != 0 || !s->ip_n || !(*flags & MBEDTLS_X509_BADCERT_CN_MISMATCH))
        return 0;
    for (const mbedtls_x509_sequence *n = &crt->subject_alt_names; n; n = n->next)
        if (n->buf.tag == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7) && n->buf.len == s->ip_n &&
            memcmp(n->buf.p, s->ip, s->ip_n) == 0)
            *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
    return 0;
}

static int set_name(struct skl_tls_session *s, const char *name, struct skl_error *err)
{
    int rc;
    if (inet_pton(AF_INET, name, s->ip) == 1)
        s->ip_n = 4;
    else if (inet_pton(AF_INET6, name, s->ip) == 1)
        s->ip_n = 16;
    if ((rc = mbedtls_ssl_set_hostname(&s->ssl, name)) != 0)
        return tls_fail(err, SKL_E_INVALID, rc, "cannot use the TLS server name");
    if (s->ip_n)
        mbedtls_ssl_set_verify(&s->ssl, verify_ip, s);
    return 0;
}

int skl_tls_session_new(struct skl_tls *tls, const char *server_name, skl_tls_send_cb *send,
                        void *arg, struct skl_tls_session **ret, struct skl_error *err)
{
    struct skl_tls_session *s = skl_new0(struct skl_tls_session);
    s->tls = skl_tls_ref(tls);
    s->send = send;
    s->arg = arg;
    mbedtls_ssl_init(&s->ssl);
    int rc = mbedtls_ssl_setup(&s->ssl, &tls->conf);
    if (rc != 0) {
        rc = tls_fail(err, SKL_E_INTERNAL, rc, "cannot set a TLS connection up");
    } else if (!tls->server && !tls->has_psk) {
        rc = skl_str_empty(server_name)
                 ? skl_fail(err, SKL_E_INVALID, "a TLS connection needs the server's name")
                 : set_name(s, server_name, err);
    }
    if (rc < 0) {
        skl_tls_session_free(s);
        return rc;
    }
    mbedtls_ssl_set_bio(&s->ssl, s, bio_send, bio_recv, NULL);
    *ret = s;
    return 0;
}

void skl_tls_session_free(struct skl_tls_session *s)
{
    if (!s)
        return;
    mbedtls_ssl_free(&s->ssl);
    skl_tls_unref(s->tls);
    free(s->held);
    free(s);
}

void skl_tls_session_input(struct skl_tls_session *s, const uint8_t *p, size_t n)
{
    SKL_ASSERT(s->in_n == 0 && !s->held);
    s->in = p;
    s->in_n = n;
}

void skl_tls_session_hold(struct skl_tls_session *s)
{
    uint8_t *rest = s->in_n ? skl_memdup(s->in, s->in_n) : NULL;
    free(s->held);
    s->held = rest;
    s->in = rest;
}

bool skl_tls_session_has_input(const struct skl_tls_session *s)
{
    return s->in_n > 0 || mbedtls_ssl_get_bytes_avail(&s->ssl) > 0;
}

/* The certificate's fault in words, which the alert alone does not tell. */
static void explain(struct skl_tls_session *s, int rc, struct skl_error *err)
{
    uint32_t flags = mbedtls_ssl_get_verify_result(&s->ssl);
    char text[256] = "";
    if (rc == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED && flags && flags != UINT32_MAX &&
        mbedtls_x509_crt_verify_info(text, sizeof(text), "", flags) > 0) {
        char *end = strchr(text, '\n');
        if (end)
            *end = '\0';
        skl_fail(err, SKL_E_UNAVAILABLE, "TLS handshake: %s", text);
        err->sys = rc;
        return;
    }
    tls_fail(err, SKL_E_UNAVAILABLE, rc, "TLS handshake");
}

enum skl_tls_result skl_tls_session_handshake(struct skl_tls_session *s, struct skl_error *err)
{
    int rc = mbedtls_ssl_handshake(&s->ssl);
    if (rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE)
        return SKL_TLS_WANT;
    if (rc == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE) /* mbedTLS 2.28 hangs up without a word */
        (void)mbedtls_ssl_send_alert_message(&s->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                             MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
    if (rc != 0) {
        explain(s, rc, err);
        return SKL_TLS_FAILED;
    }
    /* Asked for, not required: none is fine, a wrong one is not. */
    if (s->tls->server && s->tls->ask_peer_cert && mbedtls_ssl_get_peer_cert(&s->ssl) &&
        mbedtls_ssl_get_verify_result(&s->ssl) != 0) {
        explain(s, MBEDTLS_ERR_X509_CERT_VERIFY_FAILED, err);
        return SKL_TLS_FAILED;
    }
    return SKL_TLS_DONE;
}

enum skl_tls_result skl_tls_session_read(struct skl_tls_session *s, uint8_t *p, size_t *n,
                                         struct skl_error *err)
{
    int rc = mbedtls_ssl_read(&s->ssl, p, *n);
    if (rc > 0) {
        *n = (size_t)rc;
        return SKL_TLS_DONE;
    }
    if (rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE)
        return SKL_TLS_WANT;
    if (rc == 0 || rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return SKL_TLS_END;
    tls_fail(err, SKL_E_PROTOCOL, rc, "TLS read");
    return SKL_TLS_FAILED;
}

int skl_tls_session_write(struct skl_tls_session *s, const void *p, size_t n, struct skl_error *err)
{
    const unsigned char *at = p;
    while (n) {
        int rc = mbedtls_ssl_write(&s->ssl, at, n);
        if (rc <= 0)
            return tls_fail(err, SKL_E_UNAVAILABLE, rc, "TLS write");
        at += rc;
        n -= (size_t)rc;
    }
    return 0;
}

void skl_tls_session_close_notify(struct skl_tls_session *s)
{
    mbedtls_ssl_close_notify(&s->ssl);
}
