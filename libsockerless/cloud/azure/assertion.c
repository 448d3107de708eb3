/* A client assertion: header and claims in base64url, signed with RSASSA-PSS over SHA-256 (PS256). The
 * certificate is named by its SHA-256 thumbprint. The file is read for every assertion (about once an
 * hour), so that a renewed certificate is taken without a restart. */
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "cloud/azure/source.h"

#define LIFETIME_S 600

static int rng(void *arg SKL_UNUSED, unsigned char *p, size_t n)
{
    skl_random(p, n);
    return 0;
}

static int sha256(const void *p, size_t n, unsigned char out[32])
{
    return mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), p, n, out);
}

static int parse_key(mbedtls_pk_context *key, const char *pem, size_t n, const char *password)
{
    const unsigned char *p = (const unsigned char *)pem, *pwd = (const unsigned char *)password;
    size_t pwd_n = password ? strlen(password) : 0;

#if MBEDTLS_VERSION_MAJOR >= 3
    return mbedtls_pk_parse_key(key, p, n + 1, pwd, pwd_n, rng, NULL);
#else
    return mbedtls_pk_parse_key(key, p, n + 1, pwd, pwd_n);
#endif
}

static int key_matches(const mbedtls_x509_crt *crt, const mbedtls_pk_context *key)
{
#if MBEDTLS_VERSION_MAJOR >= 3
    return mbedtls_pk_check_pair(&crt->pk, key, rng, NULL);
#else
    return mbedtls_pk_check_pair(&crt->pk, key);
#endif
}

static int pss_sign(mbedtls_pk_context *key, const unsigned char hash[32], unsigned char *sig)
{
    mbedtls_rsa_context *rsa = mbedtls_pk_rsa(*key);

    (void)mbedtls_rsa_set_padding(rsa, MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA256);
#if MBEDTLS_VERSION_MAJOR >= 3
    return mbedtls_rsa_rsassa_pss_sign(rsa, rng, NULL, MBEDTLS_MD_SHA256, 32, hash, sig);
#else
    return mbedtls_rsa_rsassa_pss_sign(rsa, rng, NULL, MBEDTLS_RSA_PRIVATE, MBEDTLS_MD_SHA256, 32,
                                       hash, sig);
#endif
}

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
    rc = parse_key(key, pem, n, password);
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
        if (key_matches(c, key) == 0) {
            *leaf = c;
            return 0;
        }
    }
    return skl_fail(err, SKL_E_INVALID, "'%s': no certificate belongs to the key", path);
}

static void add_encoded(struct skl_buf *out, struct skl_buf *json)
{
    skl_base64url_add(out, json->p, json->n);
    skl_buf_fini(json);
}

static void add_header(struct skl_buf *out, const unsigned char thumbprint[32])
{
    SKL_AUTO_BUF struct skl_buf x5t = {0};
    struct skl_buf text;
    struct skl_json j;

    skl_buf_init(&x5t, 64);
    skl_base64url_add(&x5t, thumbprint, 32);
    skl_buf_init(&text, 512);
    skl_json_init(&j, &text);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "alg", "PS256");
    skl_json_str(&j, "typ", "JWT");
    skl_json_str(&j, "x5t#S256", x5t.p);
    skl_json_end_object(&j);
    add_encoded(out, &text);
}

static void add_claims(struct skl_buf *out, const char *client_id, const char *audience)
{
    int64_t now = skl_wall_ns() / SKL_NS_PER_S;
    char jti[SKL_UUID_LEN];
    struct skl_buf text;
    struct skl_json j;

    skl_uuid4(jti);
    skl_buf_init(&text, 8192);
    skl_json_init(&j, &text);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "aud", audience);
    skl_json_str(&j, "iss", client_id);
    skl_json_str(&j, "sub", client_id);
    skl_json_str(&j, "jti", jti);
    skl_json_int(&j, "nbf", now - 60); /* clocks differ */
    skl_json_int(&j, "exp", now + LIFETIME_S);
    skl_json_end_object(&j);
    add_encoded(out, &text);
}

static int sign(struct skl_buf *out, mbedtls_pk_context *key, struct skl_error *err)
{
    unsigned char hash[32], sig[MBEDTLS_MPI_MAX_SIZE];
    size_t n = mbedtls_pk_get_len(key);

    if (n > sizeof(sig) || sha256(out->p, out->n, hash) != 0 || pss_sign(key, hash, sig) != 0)
        return skl_fail(err, SKL_E_INTERNAL, "the assertion cannot be signed with this key");
    skl_buf_addc(out, '.');
    skl_base64url_add(out, sig, n);
    return 0;
}

int skl_assertion_make(const char *pem_path, const char *password, const char *client_id,
                       const char *audience, char **ret, struct skl_error *err)
{
    const mbedtls_x509_crt *leaf = NULL;
    unsigned char thumbprint[32];
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
    struct skl_buf out;
    int rc;

    mbedtls_x509_crt_init(&chain);
    mbedtls_pk_init(&key);
    skl_buf_init(&out, 16 * SKL_KIB);
    rc = load(pem_path, password, &chain, &key, &leaf, err);
    if (rc < 0)
        goto out;
    if (sha256(leaf->raw.p, leaf->raw.len, thumbprint) != 0) {
        rc = skl_fail(err, SKL_E_INTERNAL, "SHA-256 is not available");
        goto out;
    }
    add_header(&out, thumbprint);
    skl_buf_addc(&out, '.');
    add_claims(&out, client_id, audience);
    rc = sign(&out, &key, err);
    if (rc == 0)
        rc = skl_buf_finish(&out, ret, err);
out:
    skl_buf_fini(&out);
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
