/* tls - contexts: certificates, keys and what we are willing to speak.
 *
 * Approach  randomness comes from the kernel for every call, so there is no generator to seed, to share
 *           between threads or to fork. The suites are named: forward secrecy and AEAD only.
 * Source    mbedTLS 2.28; the few calls that 3.x changed are told apart by MBEDTLS_VERSION_MAJOR.
 */
#include "net/tls.h"

#include <mbedtls/error.h>
#include <mbedtls/pk.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/str.h"
#include "net/tls_internal.h"

static const int suites[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};

/* The one suite of a shared key that has both forward secrecy and AEAD. */
static const int psk_suites[] = {MBEDTLS_TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, 0};

static const char *const system_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

static int tls_random(void *ctx, unsigned char *p, size_t n)
{
    skl_random(p, n);
    return 0;
}

int tls_fail(struct skl_error *err, enum skl_kind kind, int rc, const char *what)
{
    char text[160] = "";
    mbedtls_strerror(rc, text, sizeof(text));
    int ret = skl_fail(err, kind, "%s: %s", what, text);
    if (err)
        err->sys = rc;
    return ret;
}

static int load_key(mbedtls_pk_context *key, const char *path)
{
#if MBEDTLS_VERSION_MAJOR >= 3
    return mbedtls_pk_parse_keyfile(key, path, NULL, tls_random, NULL);
#else
    return mbedtls_pk_parse_keyfile(key, path, NULL);
#endif
}

static bool key_fits(const mbedtls_x509_crt *crt, const mbedtls_pk_context *key)
{
#if MBEDTLS_VERSION_MAJOR >= 3
    return mbedtls_pk_check_pair(&crt->pk, key, tls_random, NULL) == 0;
#else
    return mbedtls_pk_check_pair(&crt->pk, key) == 0;
#endif
}

static int load_own(struct skl_tls *t, const struct skl_tls_config *config, struct skl_error *err)
{
    int rc;
    if (skl_str_empty(config->cert_file) && skl_str_empty(config->key_file)) {
        if (config->server)
            return skl_fail(err, SKL_E_INVALID, "a TLS server needs a certificate and a key");
        return 0;
    }
    if (skl_str_empty(config->cert_file) || skl_str_empty(config->key_file))
        return skl_fail(err, SKL_E_INVALID, "TLS certificate and key must be given together");
    if ((rc = mbedtls_x509_crt_parse_file(&t->own, config->cert_file)) != 0)
        return skl_wrap(err, tls_fail(err, SKL_E_INVALID, rc, "cannot read the certificate"), "%s",
                        config->cert_file);
    if ((rc = load_key(&t->key, config->key_file)) != 0)
        return skl_wrap(err, tls_fail(err, SKL_E_INVALID, rc, "cannot read the private key"), "%s",
                        config->key_file);
    if (!key_fits(&t->own, &t->key))
        return skl_fail(err, SKL_E_INVALID, "private key %s does not fit certificate %s",
                        config->key_file, config->cert_file);
    rc = mbedtls_ssl_conf_own_cert(&t->conf, &t->own, &t->key);
    return rc ? tls_fail(err, SKL_E_INTERNAL, rc, "cannot set the certificate") : 0;
}

static int load_ca(struct skl_tls *t, const struct skl_tls_config *config, struct skl_error *err)
{
    const char *file = skl_str_empty(config->ca_file) ? NULL : config->ca_file;
    bool have = false;
    int rc;
    if (!skl_str_empty(config->ca_pem)) {
        rc = mbedtls_x509_crt_parse(&t->ca, (const unsigned char *)config->ca_pem,
                                    strlen(config->ca_pem) + 1);
        if (rc != 0)
            return tls_fail(err, SKL_E_INVALID, rc, "cannot read the CA certificate");
        have = true;
    }
    if (file) {
        if ((rc = mbedtls_x509_crt_parse_file(&t->ca, file)) != 0)
            return skl_wrap(err, tls_fail(err, SKL_E_INVALID, rc, "cannot read the CA"), "%s",
                            file);
        have = true;
    }
    if (!have && !config->server) {
        for (size_t i = 0; i < SKL_ARRAY_LEN(system_bundles) && !have; i++)
            /* More than 0: some certificates of the bundle were of a kind unknown here. */
            have = access(system_bundles[i], R_OK) == 0 &&
                   mbedtls_x509_crt_parse_file(&t->ca, system_bundles[i]) >= 0;
        if (!have)
            return skl_fail(err, SKL_E_INVALID, "this system has no CA bundle; give a CA file");
    }
    if (have)
        mbedtls_ssl_conf_ca_chain(&t->conf, &t->ca, NULL);
    t->ask_peer_cert = have;
    return 0;
}

static int load_psk(struct skl_tls *t, const struct skl_tls_config *config, struct skl_error *err)
{
    int rc = mbedtls_ssl_conf_psk(&t->conf, config->psk, SKL_TLS_PSK_LEN,
                                  (const unsigned char *)config->psk_identity,
                                  strlen(config->psk_identity));

    mbedtls_ssl_conf_ciphersuites(&t->conf, psk_suites);
    t->has_psk = true;
    return rc ? tls_fail(err, SKL_E_INTERNAL, rc, "cannot set the shared key") : 0;
}

static int configure(struct skl_tls *t, const struct skl_tls_config *config, struct skl_error *err)
{
    int rc = mbedtls_ssl_config_defaults(
        &t->conf, config->server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
        MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (rc != 0)
        return tls_fail(err, SKL_E_INTERNAL, rc, "cannot set TLS up");
    mbedtls_ssl_conf_rng(&t->conf, tls_random, NULL);
    mbedtls_ssl_conf_min_version(&t->conf, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
#if MBEDTLS_VERSION_MAJOR >= 3
    /* 1.3 there wants the PSA subsystem, which is process-wide state. */
    mbedtls_ssl_conf_max_version(&t->conf, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
#endif
    if (config->psk)
        return load_psk(t, config, err);
    mbedtls_ssl_conf_ciphersuites(&t->conf, suites);
    if ((rc = load_own(t, config, err)) < 0 || (rc = load_ca(t, config, err)) < 0)
        return rc;
    if (config->server && config->require_peer_cert && !t->ask_peer_cert)
        return skl_fail(err, SKL_E_INVALID, "requiring client certificates needs a CA file");
    int mode = MBEDTLS_SSL_VERIFY_REQUIRED;
    if (config->server)
        mode = config->require_peer_cert ? MBEDTLS_SSL_VERIFY_REQUIRED
               : t->ask_peer_cert        ? MBEDTLS_SSL_VERIFY_OPTIONAL
                                         : MBEDTLS_SSL_VERIFY_NONE;
    mbedtls_ssl_conf_authmode(&t->conf, mode);
    return 0;
}

int skl_tls_new(const struct skl_tls_config *config, struct skl_tls **ret, struct skl_error *err)
{
    struct skl_tls *t = skl_new0(struct skl_tls);
    t->refs = 1;
    t->server = config->server;
    t->require_peer_cert = config->require_peer_cert;
    mbedtls_ssl_config_init(&t->conf);
    mbedtls_x509_crt_init(&t->own);
    mbedtls_x509_crt_init(&t->ca);
    mbedtls_pk_init(&t->key);
    int rc = configure(t, config, err);
    if (rc < 0)
        skl_tls_unref(t);
    else
        *ret = t;
    return rc;
}

struct skl_tls *skl_tls_ref(struct skl_tls *tls)
{
    tls->refs++;
    return tls;
}

void skl_tls_unref(struct skl_tls *tls)
{
    if (!tls || --tls->refs > 0)
        return;
    mbedtls_ssl_config_free(&tls->conf);
    mbedtls_x509_crt_free(&tls->own);
    mbedtls_x509_crt_free(&tls->ca);
    mbedtls_pk_free(&tls->key);
    free(tls);
}
