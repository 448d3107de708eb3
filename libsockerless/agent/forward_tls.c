#include "agent/forward_tls.h"

#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>
#include <string.h>

#include "base/buf.h"

#if MBEDTLS_VERSION_MAJOR >= 3
#define mbedtls_sha256_ret mbedtls_sha256
#endif

/* The key is told apart from every other use of the token. */
#define LABEL "sockerless forward agent 1\n"

int skl_forward_tls_new(bool server, const char *container_id, const char *token,
                        struct skl_tls **ret, struct skl_error *err)
{
    uint8_t key[SKL_TLS_PSK_LEN];
    struct skl_buf b;
    int rc;

    skl_buf_init(&b, SIZE_MAX / 2);
    skl_buf_adds(&b, LABEL);
    skl_buf_adds(&b, token);
    (void)mbedtls_sha256_ret((const unsigned char *)b.p, b.n, key, 0); /* in memory */
    rc = skl_tls_new(
        &(struct skl_tls_config){.server = server, .psk = key, .psk_identity = container_id}, ret,
        err);
    mbedtls_platform_zeroize(key, sizeof(key));
    mbedtls_platform_zeroize(b.p, b.n);
    skl_buf_fini(&b);
    return rc;
}
