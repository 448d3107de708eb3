/* Signed JWTs: header and claims in base64url, signed with an RSA key over SHA-256, by the padding of PKCS #1
 * version 1.5 (RS256) or PSS (PS256). */
#include <mbedtls/md.h>
#include <mbedtls/rsa.h>
#include <mbedtls/version.h>

#include "base/encode.h"
#include "base/id.h"
#include "base/limits.h"
#include "cloud/oauth.h"

static int rng(void *arg SKL_UNUSED, unsigned char *p, size_t n)
{
    skl_random(p, n);
    return 0;
}

int skl_sha256(const void *p, size_t n, unsigned char out[32])
{
    return mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), p, n, out);
}

int skl_key_parse(mbedtls_pk_context *key, const char *pem, size_t n, const char *password)
{
    const unsigned char *p = (const unsigned char *)pem, *pwd = (const unsigned char *)password;
    size_t pwd_n = password ? strlen(password) : 0;

#if MBEDTLS_VERSION_MAJOR >= 3
    return mbedtls_pk_parse_key(key, p, n + 1, pwd, pwd_n, rng, NULL);
#else
    return mbedtls_pk_parse_key(key, p, n + 1, pwd, pwd_n);
#endif
}

bool skl_key_is_pair(const mbedtls_pk_context *pub, const mbedtls_pk_context *key)
{
#if MBEDTLS_VERSION_MAJOR >= 3
    return mbedtls_pk_check_pair(pub, key, rng, NULL) == 0;
#else
    return mbedtls_pk_check_pair(pub, key) == 0;
#endif
}

static int sign_hash(mbedtls_pk_context *key, enum skl_jwt_algorithm algorithm,
                     const unsigned char hash[32], unsigned char *sig)
{
    mbedtls_rsa_context *rsa = mbedtls_pk_rsa(*key);
    bool pss = algorithm == SKL_JWT_PS256;

    (void)mbedtls_rsa_set_padding(rsa, pss ? MBEDTLS_RSA_PKCS_V21 : MBEDTLS_RSA_PKCS_V15,
                                  pss ? MBEDTLS_MD_SHA256 : MBEDTLS_MD_NONE);
#if MBEDTLS_VERSION_MAJOR >= 3
    return mbedtls_rsa_pkcs1_sign(rsa, rng, NULL, MBEDTLS_MD_SHA256, 32, hash, sig);
#else
    return mbedtls_rsa_pkcs1_sign(rsa, rng, NULL, MBEDTLS_RSA_PRIVATE, MBEDTLS_MD_SHA256, 32, hash,
                                  sig);
#endif
}

int skl_jwt_make(mbedtls_pk_context *key, enum skl_jwt_algorithm algorithm, struct skl_str header,
                 struct skl_str claims, char **ret, struct skl_error *err)
{
    unsigned char hash[32], sig[MBEDTLS_MPI_MAX_SIZE];
    SKL_AUTO_BUF struct skl_buf out = {0};
    size_t n = mbedtls_pk_get_len(key);

    skl_buf_init(&out, 16 * SKL_KIB);
    skl_base64url_add(&out, header.p, header.n);
    skl_buf_addc(&out, '.');
    skl_base64url_add(&out, claims.p, claims.n);
    if (!mbedtls_pk_can_do(key, MBEDTLS_PK_RSA) || n > sizeof(sig) ||
        skl_sha256(out.p, out.n, hash) != 0 || sign_hash(key, algorithm, hash, sig) != 0)
        return skl_fail(err, SKL_E_INTERNAL, "the assertion cannot be signed with this key");
    skl_buf_addc(&out, '.');
    skl_base64url_add(&out, sig, n);
    return skl_buf_finish(&out, ret, err);
}
