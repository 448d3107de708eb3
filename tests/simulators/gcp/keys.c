/* RSA keys and JSON web tokens (RS256).
 *
 * Two keys, made at start: Google's, which signs ID tokens, and that of the one service account whose key file is
 * handed out. Tokens of other keys are refused, as the cloud refuses deleted keys. mbedTLS writes RSA keys in their
 * own form only; key files of the cloud are PKCS#8, so the wrapping is written here. */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/sha256.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

#define KEY_BITS  2048
#define KEY_BYTES (KEY_BITS / 8)
#define MAX_DER   4096

struct gcp_keys {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_pk_context google, account;
    char google_id[41], account_id[41];
    char *account_pem;
    pthread_mutex_t lock; /* of the random numbers, which signing needs */
};

static int make_key(struct gcp_keys *k, mbedtls_pk_context *key)
{
    int rc = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA));

    return rc != 0 ? rc
                   : mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), mbedtls_ctr_drbg_random, &k->random,
                                         KEY_BITS, 65537);
}

static void add_length(struct skl_buf *b, size_t n)
{
    SKL_ASSERT(n >= 256 && n < 65536); /* keys of 2048 bits are */
    skl_buf_addc(b, (char)0x82);
    skl_buf_addc(b, (char)(n >> 8));
    skl_buf_addc(b, (char)n);
}

/* SEQUENCE { INTEGER 0, SEQUENCE { rsaEncryption, NULL }, OCTET STRING der } */
static char *wrap_pkcs8(const unsigned char *der, size_t n)
{
    static const unsigned char head[] = {0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86,
                                         0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
    SKL_AUTO_BUF struct skl_buf b = {0}, text = {0};
    struct skl_buf pem;

    skl_buf_init(&b, 2 * MAX_DER);
    skl_buf_init(&text, 4 * MAX_DER);
    skl_buf_init(&pem, 4 * MAX_DER);
    skl_buf_addc(&b, 0x30);
    add_length(&b, sizeof(head) + 4 + n);
    skl_buf_add(&b, head, sizeof(head));
    skl_buf_addc(&b, 0x04);
    add_length(&b, n);
    skl_buf_add(&b, der, n);
    skl_base64_add(&text, b.p, b.n);
    skl_buf_adds(&pem, "-----BEGIN PRIVATE KEY-----\n");
    for (size_t i = 0; i < text.n; i += 64)
        skl_buf_addf(&pem, "%.64s\n", text.p + i);
    skl_buf_adds(&pem, "-----END PRIVATE KEY-----\n");
    return skl_buf_detach(&pem);
}

static int write_account(struct gcp_keys *k)
{
    unsigned char der[MAX_DER];
    int n = mbedtls_pk_write_key_der(&k->account, der, sizeof(der));

    if (n < 0)
        return n;
    k->account_pem = wrap_pkcs8(der + sizeof(der) - n, (size_t)n); /* it writes at the end */
    return 0;
}

int gcp_keys_new(struct gcp_keys **ret, struct skl_error *err)
{
    struct gcp_keys *k = skl_new0(struct gcp_keys);
    int rc;

    pthread_mutex_init(&k->lock, NULL);
    mbedtls_entropy_init(&k->entropy);
    mbedtls_ctr_drbg_init(&k->random);
    mbedtls_pk_init(&k->google);
    mbedtls_pk_init(&k->account);
    skl_random_hex(k->google_id, 40);
    skl_random_hex(k->account_id, 40);
    rc = mbedtls_ctr_drbg_seed(&k->random, mbedtls_entropy_func, &k->entropy, NULL, 0);
    if (rc == 0)
        rc = make_key(k, &k->google);
    if (rc == 0)
        rc = make_key(k, &k->account);
    if (rc == 0)
        rc = write_account(k);
    if (rc != 0) {
        gcp_keys_free(k);
        return skl_fail(err, SKL_E_INTERNAL, "making keys: error %d", -rc);
    }
    *ret = k;
    return 0;
}

void gcp_keys_free(struct gcp_keys *k)
{
    mbedtls_pk_free(&k->google);
    mbedtls_pk_free(&k->account);
    mbedtls_ctr_drbg_free(&k->random);
    mbedtls_entropy_free(&k->entropy);
    free(k->account_pem);
    free(k);
}

const char *gcp_keys_account_pem(const struct gcp_keys *k)
{
    return k->account_pem;
}

const char *gcp_keys_account_id(const struct gcp_keys *k)
{
    return k->account_id;
}

static void hash(const void *p, size_t n, unsigned char out[32])
{
    SKL_ASSERT(mbedtls_sha256_ret(p, n, out, 0) == 0);
}

char *gcp_jwt_sign(struct gcp_keys *k, const cJSON *claims)
{
    char *header SKL_AUTO_STR =
        gcp_format("{\"alg\":\"RS256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", k->google_id);
    char *text SKL_AUTO_STR = skl_json_text(claims);
    unsigned char digest[32], signature[KEY_BYTES];
    struct skl_buf b;
    size_t n = 0;

    skl_buf_init(&b, 64 * SKL_KIB);
    skl_base64url_add(&b, header, strlen(header));
    skl_buf_addc(&b, '.');
    skl_base64url_add(&b, text, strlen(text));
    hash(b.p, b.n, digest);
    pthread_mutex_lock(&k->lock);
    SKL_ASSERT(mbedtls_pk_sign(&k->google, MBEDTLS_MD_SHA256, digest, sizeof(digest), signature, &n,
                               mbedtls_ctr_drbg_random, &k->random) == 0);
    pthread_mutex_unlock(&k->lock);
    skl_buf_addc(&b, '.');
    skl_base64url_add(&b, signature, n);
    return skl_buf_detach(&b);
}

static cJSON *decode_object(struct skl_str part)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    cJSON *json = NULL;

    skl_buf_init(&b, 64 * SKL_KIB);
    if (!skl_base64_decode(&b, part) || skl_json_parse(skl_buf_str(&b), &json, NULL) < 0)
        return NULL;
    if (cJSON_IsObject(json))
        return json;
    cJSON_Delete(json);
    return NULL;
}

cJSON *gcp_jwt_verify(struct gcp_keys *k, enum gcp_signer signer, struct skl_str token)
{
    mbedtls_pk_context *key = signer == GCP_BY_GOOGLE ? &k->google : &k->account;
    const char *id = signer == GCP_BY_GOOGLE ? k->google_id : k->account_id;
    struct skl_str claims, signature, header = skl_str_cut(token, '.', &claims);
    SKL_AUTO_BUF struct skl_buf s = {0};
    SKL_AUTO_JSON cJSON *head = NULL;
    unsigned char digest[32];
    size_t signed_n;

    if (!claims.p)
        return NULL;
    claims = skl_str_cut(claims, '.', &signature);
    if (!signature.p)
        return NULL;
    signed_n = (size_t)(claims.p + claims.n - token.p);
    skl_buf_init(&s, 4 * SKL_KIB);
    head = decode_object(header);
    if (!head || !skl_streq(skl_json_get_str(head, "alg"), "RS256") ||
        (skl_json_get(head, "kid") && !skl_streq(skl_json_get_str(head, "kid"), id)) ||
        !skl_base64_decode(&s, signature))
        return NULL;
    hash(token.p, signed_n, digest);
    if (mbedtls_pk_verify(key, MBEDTLS_MD_SHA256, digest, sizeof(digest),
                          (const unsigned char *)s.p, s.n) != 0)
        return NULL;
    return decode_object(claims);
}

char *gcp_keys_jwks(struct gcp_keys *k)
{
    const mbedtls_rsa_context *rsa = mbedtls_pk_rsa(k->google);
    unsigned char modulus[KEY_BYTES];
    struct skl_buf b;

    SKL_ASSERT(mbedtls_rsa_export_raw(rsa, modulus, sizeof(modulus), NULL, 0, NULL, 0, NULL, 0,
                                      NULL, 0) == 0);
    skl_buf_init(&b, 8 * SKL_KIB);
    skl_buf_addf(&b,
                 "{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"RS256\",\"use\":\"sig\",\"kid\":\"%s\","
                 "\"e\":\"AQAB\",\"n\":\"",
                 k->google_id);
    skl_base64url_add(&b, modulus, sizeof(modulus));
    skl_buf_adds(&b, "\"}]}");
    return skl_buf_detach(&b);
}
