/* A client assertion: a JWT signed with RSASSA-PSS (PS256). The certificate is named by its SHA-256 thumbprint. The file is read for every assertion (about once an
 * hour), so that a renewed certificate is taken without a restart. */
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "cloud/azure/source.h"

#define LIFETIME_S 600

/* Certificates and key of the file; *leaf is the certificate that belongs to the key. */
static int load(const char *path, const char *password, mbedtls_x509_crt *chain,
                mbedtls_pk_context *key, const mbedtls_x509_crt **leaf, struct skl_error *err)
{
    SKL_AUTO_SECRET char *pem = NULL;
    size_t n = 0;
    int rc = skl_secret_file_read(path, SKL_MIB, &pem, &n, err);

    if (rc < 0)
        return rc;
    if (mbedtls_x509_crt_parse(chain, (const unsigned char *)pem, n + 1) < 0 || chain->version == 0)
        return skl_fail(err, SKL_E_INVALID, "'%s' holds no certificate in PEM form", path);
    rc = skl_key_parse(key, pem, n, password);
    if (rc == MBEDTLS_ERR_PK_PASSWORD_REQUIRED || rc == MBEDTLS_ERR_PK_PASSWORD_MISMATCH)
        return skl_fail(err, SKL_E_INVALID,
                        "'%s': the key's password is missing or wrong "
                        "(AZURE_CLIENT_CERTIFICATE_PASSWORD)",
                        path);
    if (rc != 0)
        return skl_fail(err, SKL_E_INVALID, "'%s' holds no private key in PEM form", path);
    if (mbedtls_pk_get_type(key) != MBEDTLS_PK_RSA)
        return skl_fail(err, SKL_E_INVALID, "'%s': the key is not an RSA key", path);
    for (const mbedtls_x509_crt *c = chain; c; c = c->next) {
        if (skl_key_is_pair(&c->pk, key)) {
            *leaf = c;
            return 0;
        }
    }
    return skl_fail(err, SKL_E_INVALID, "'%s': no certificate belongs to the key", path);
}

static void write_header(struct skl_buf *text, const unsigned char thumbprint[32])
{
    SKL_AUTO_BUF struct skl_buf x5t = {0};
    struct skl_json j;

    skl_buf_init(&x5t, 64);
    skl_base64url_add(&x5t, thumbprint, 32);
    skl_json_init(&j, text);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "alg", "PS256");
    skl_json_str(&j, "typ", "JWT");
    skl_json_str(&j, "x5t#S256", x5t.p);
    skl_json_end_object(&j);
}

static void write_claims(struct skl_buf *text, const char *client_id, const char *audience)
{
    int64_t now = skl_wall_ns() / SKL_NS_PER_S;
    char jti[SKL_UUID_LEN];
    struct skl_json j;

    skl_uuid4(jti);
    skl_json_init(&j, text);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "aud", audience);
    skl_json_str(&j, "iss", client_id);
    skl_json_str(&j, "sub", client_id);
    skl_json_str(&j, "jti", jti);
    skl_json_int(&j, "nbf", now - 60); /* clocks differ */
    skl_json_int(&j, "exp", now + LIFETIME_S);
    skl_json_end_object(&j);
}

int skl_assertion_make(const char *pem_path, const char *password, const char *client_id,
                       const char *audience, char **ret, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf header = {0}, claims = {0};
    const mbedtls_x509_crt *leaf = NULL;
    unsigned char thumbprint[32];
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
    int rc;

    mbedtls_x509_crt_init(&chain);
    mbedtls_pk_init(&key);
    skl_buf_init(&header, 512);
    skl_buf_init(&claims, 8 * SKL_KIB);
    rc = load(pem_path, password, &chain, &key, &leaf, err);
    if (rc < 0)
        goto out;
    if (skl_sha256(leaf->raw.p, leaf->raw.len, thumbprint) != 0) {
        rc = skl_fail(err, SKL_E_INTERNAL, "SHA-256 is not available");
        goto out;
    }
    write_header(&header, thumbprint);
    write_claims(&claims, client_id, audience);
    rc = skl_jwt_make(&key, SKL_JWT_PS256, skl_buf_str(&header), skl_buf_str(&claims), ret, err);
out:
    mbedtls_pk_free(&key);
    mbedtls_x509_crt_free(&chain);
    return rc;
}

int skl_assertion_check(const char *pem_path, const char *password, struct skl_error *err)
{
    const mbedtls_x509_crt *leaf = NULL;
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
    int rc;

    mbedtls_x509_crt_init(&chain);
    mbedtls_pk_init(&key);
    rc = load(pem_path, password, &chain, &key, &leaf, err);
    mbedtls_pk_free(&key);
    mbedtls_x509_crt_free(&chain);
    return rc;
}
