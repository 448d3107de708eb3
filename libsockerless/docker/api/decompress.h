/* decompress - archives as clients send them: plain, gzip, bzip2, xz or zstd, told apart by their first bytes.
 *
 * Shape   bytes are pushed in as they arrive; what comes out is handed on at once, in pieces of at most
 *         SKL_DECOMPRESS_PIECE bytes, plain input in pieces of the size it came in
 * Errors  SKL_E_INVALID for broken or cut data; what the consumer returns is passed on as it is. After a
 *         failure every call fails
 * Owns    nothing of the caller's; the pieces are good during the call
 * Thread  any, one at a time per object
 * Limits  the size of what comes out is the consumer's to bound (a few KiB may become gigabytes: it returns
 *         an error from its callback); the decoders' memory is at most about 128 MiB
 */
#ifndef SKL_DOCKER_DECOMPRESS_H
#define SKL_DOCKER_DECOMPRESS_H

#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

#define SKL_DECOMPRESS_PIECE 65536u

/* Takes a piece; 0, or a failure that ends the work. */
typedef int skl_bytes_cb(void *arg, struct skl_str data, struct skl_error *err);

struct skl_decompress;

struct skl_decompress *skl_decompress_new(skl_bytes_cb *out, void *arg);
int skl_decompress_feed(struct skl_decompress *d, const void *p, size_t n, struct skl_error *err);
/* There is no more input: fails in the middle of compressed data. May call `out`. */
int skl_decompress_end(struct skl_decompress *d, struct skl_error *err);
void skl_decompress_free(struct skl_decompress *d); /* NULL is fine */
/* "gzip", "bzip2", "xz", "zstd", "plain"; NULL while too little was fed to tell. */
const char *skl_decompress_format(const struct skl_decompress *d);
SKL_DEFINE_AUTO(decompress);

#endif
