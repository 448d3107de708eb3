/* A whole blob into a file, in pieces; its digest and size are checked. */
#include <errno.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/limits.h"
#include "registry/internal.h"

#define PIECE (8 * SKL_MIB)

static int write_all(int fd, struct skl_str data, struct skl_error *err)
{
    while (data.n > 0) {
        ssize_t n = write(fd, data.p, data.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return skl_fail_errno(err, errno, "keeping a layer");
        data = skl_str_skip(data, (size_t)n);
    }
    return 0;
}

static int check(mbedtls_sha256_context *hash, const char *digest, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf hex = {0};
    unsigned char sum[32];

    (void)mbedtls_sha256_finish_ret(hash, sum); /* in memory: cannot fail */
    skl_buf_init(&hex, 128);
    skl_buf_adds(&hex, "sha256:");
    skl_hex_add(&hex, sum, sizeof(sum));
    if (!skl_streq(hex.p, digest))
        return skl_fail(err, SKL_E_INTERNAL, "filesystem layer verification failed for digest %s",
                        digest);
    return 0;
}

int skl_registry_fetch_blob(struct skl_registry *r, const struct skl_registry_query *q,
                            const struct skl_registry_layer *layer, int fd, struct skl_error *err)
{
    SKL_AUTO_SESSION struct skl_registry_session s = {0};
    mbedtls_sha256_context hash;
    int rc = skl_registry_session_init(&s, r, q, err);

    mbedtls_sha256_init(&hash);
    (void)mbedtls_sha256_starts_ret(&hash, 0);
    for (int64_t at = 0; rc == 0 && at < layer->size;) {
        SKL_AUTO_BUF struct skl_buf piece = {0};
        int64_t left = layer->size - at;

        skl_buf_init(&piece, PIECE + 1);
        rc = skl_registry_read_piece(&s, layer->digest, at,
                                     left < (int64_t)PIECE ? (size_t)left : PIECE, &piece, err);
        if (rc == 0 && (piece.n == 0 || (int64_t)piece.n > left))
            rc = skl_fail(err, SKL_E_INTERNAL, "layer %s has another size than its manifest says",
                          layer->digest);
        if (rc == 0)
            rc = write_all(fd, skl_buf_str(&piece), err);
        (void)mbedtls_sha256_update_ret(&hash, (const unsigned char *)piece.p, piece.n);
        at += (int64_t)piece.n;
    }
    if (rc == 0)
        rc = check(&hash, layer->digest, err);
    mbedtls_sha256_free(&hash);
    return rc;
}
