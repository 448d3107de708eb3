/* Packed archives from clients, fed in pieces of every size; what comes out is bounded by the consumer. */
#include <stdint.h>

#include "docker/api/decompress.h"

#define LIMIT (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int take(void *arg, struct skl_str piece, struct skl_error *err)
{
    size_t *sum = arg;

    *sum += piece.n;
    return *sum > LIMIT ? skl_fail(err, SKL_E_TOOBIG, "enough") : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    size_t sum = 0, step = n > 0 ? (size_t)data[n - 1] + 1 : 1;
    SKL_AUTO(decompress) d = skl_decompress_new(take, &sum);
    int rc = 0;

    for (size_t at = 0; rc == 0 && at < n; at += step)
        rc = skl_decompress_feed(d, data + at, n - at < step ? n - at : step, NULL);
    if (rc == 0)
        (void)skl_decompress_end(d, NULL);
    (void)skl_decompress_format(d);
    return 0;
}
