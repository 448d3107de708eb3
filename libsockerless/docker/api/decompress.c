/* Decompression by pushing.
 *
 * Problem: archives come over sockets in pieces, compressed in any of four ways, and nobody says which; a
 * reader that pulls (libarchive) would need a thread or the whole archive. Approach: the first bytes choose a
 * decoder from a table; each decoder has one function that takes input and calls `out` whenever its output
 * piece is full. Formats that may be several streams in a row (gzip, bzip2, zstd) start again after each; zero
 * bytes behind the last one are padding.
 */
#include "docker/api/decompress.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "base/alloc.h"

#define MAGIC_MAX   6
#define XZ_MEMORY   (128u * 1024u * 1024u) /* xz -9 needs 65 MiB */
#define ZSTD_WINDOW 27                     /* log2; what the zstd command reads unasked: 128 MiB */

struct format {
    const char *name;
    struct skl_str magic;
    int (*start)(struct skl_decompress *d);
    int (*feed)(struct skl_decompress *d, struct skl_str in, struct skl_error *err);
    void (*stop)(struct skl_decompress *d);
};

struct skl_decompress {
    skl_bytes_cb *out;
    void *arg;
    const struct format *format; /* NULL: not known yet */
    unsigned char head[MAGIC_MAX];
    size_t n_head;
    bool started; /* the decoder holds memory */
    bool between; /* a stream has ended: more may follow, or the input ends */
    int failed;   /* -kind of the failure */
    union {
        z_stream gzip;
        bz_stream bzip2;
        lzma_stream xz;
        ZSTD_DCtx *zstd;
    };
    unsigned char *piece;
};

static int hand_on(struct skl_decompress *d, size_t n, struct skl_error *err)
{
    return n > 0 ? d->out(d->arg, skl_str_n((const char *)d->piece, n), err) : 0;
}

static int broken(const struct skl_decompress *d, struct skl_error *err)
{
    return skl_fail(err, SKL_E_INVALID, "the %s data is broken", d->format->name);
}

/* Between two streams: drops padding; true when a stream begins. */
static bool begins_again(struct skl_decompress *d, struct skl_str *in)
{
    while (in->n > 0 && *in->p == 0)
        *in = skl_str_skip(*in, 1);
    if (in->n == 0)
        return false;
    d->between = false;
    return true;
}

/* -- gzip */

static int gzip_start(struct skl_decompress *d)
{
    return inflateInit2(&d->gzip, 15 + 16) == Z_OK ? 0 : -1; /* 16: the gzip header, nothing else */
}

static int gzip_feed(struct skl_decompress *d, struct skl_str in, struct skl_error *err)
{
    int rc = 0, state;
    size_t n;

    while (rc == 0 && (in.n > 0 || d->gzip.avail_out == 0)) {
        if (d->between) {
            if (!begins_again(d, &in))
                return 0;
            if (inflateReset(&d->gzip) != Z_OK)
                return broken(d, err);
        }
        n = in.n < SKL_DECOMPRESS_PIECE ? in.n : SKL_DECOMPRESS_PIECE;
        d->gzip.next_in = (unsigned char *)(uintptr_t)in.p; /* zlib only reads it */
        d->gzip.avail_in = (unsigned)n;
        d->gzip.next_out = d->piece;
        d->gzip.avail_out = SKL_DECOMPRESS_PIECE;
        state = inflate(&d->gzip, Z_NO_FLUSH);
        if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)
            return broken(d, err);
        in = skl_str_skip(in, n - d->gzip.avail_in);
        d->between = state == Z_STREAM_END;
        rc = hand_on(d, SKL_DECOMPRESS_PIECE - d->gzip.avail_out, err);
        if (d->between)
            d->gzip.avail_out = SKL_DECOMPRESS_PIECE; /* nothing is left inside */
    }
    return rc;
}

static void gzip_stop(struct skl_decompress *d)
{
    (void)inflateEnd(&d->gzip); /* frees; says only whether all was read */
}

/* -- bzip2 */

static int bzip2_start(struct skl_decompress *d)
{
    return BZ2_bzDecompressInit(&d->bzip2, 0, 0) == BZ_OK ? 0 : -1;
}

static void bzip2_stop(struct skl_decompress *d)
{
    (void)BZ2_bzDecompressEnd(&d->bzip2); /* fails only where there is nothing to free */
}

static int bzip2_feed(struct skl_decompress *d, struct skl_str in, struct skl_error *err)
{
    int rc = 0, state;
    size_t n;

    while (rc == 0 && (in.n > 0 || d->bzip2.avail_out == 0)) {
        if (d->between) {
            if (!begins_again(d, &in))
                return 0;
            bzip2_stop(d); /* it has no reset */
            memset(&d->bzip2, 0, sizeof(d->bzip2));
            if (bzip2_start(d) < 0)
                return broken(d, err);
        }
        n = in.n < SKL_DECOMPRESS_PIECE ? in.n : SKL_DECOMPRESS_PIECE;
        d->bzip2.next_in = (char *)(uintptr_t)in.p; /* only read */
        d->bzip2.avail_in = (unsigned)n;
        d->bzip2.next_out = (char *)d->piece;
        d->bzip2.avail_out = SKL_DECOMPRESS_PIECE;
        state = BZ2_bzDecompress(&d->bzip2);
        if (state != BZ_OK && state != BZ_STREAM_END)
            return broken(d, err);
        in = skl_str_skip(in, n - d->bzip2.avail_in);
        d->between = state == BZ_STREAM_END;
        rc = hand_on(d, SKL_DECOMPRESS_PIECE - d->bzip2.avail_out, err);
        if (d->between)
            d->bzip2.avail_out = SKL_DECOMPRESS_PIECE;
    }
    return rc;
}

/* -- xz */

static int xz_start(struct skl_decompress *d)
{
    d->xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_decoder(&d->xz, XZ_MEMORY, LZMA_CONCATENATED) == LZMA_OK ? 0 : -1;
}

static int xz_code(struct skl_decompress *d, struct skl_str in, lzma_action action,
                   struct skl_error *err)
{
    lzma_ret state;
    int rc = 0;

    d->xz.next_in = (const uint8_t *)in.p;
    d->xz.avail_in = in.n;
    do {
        d->xz.next_out = d->piece;
        d->xz.avail_out = SKL_DECOMPRESS_PIECE;
        state = lzma_code(&d->xz, action);
        if (state == LZMA_MEMLIMIT_ERROR)
            return skl_fail(err, SKL_E_TOOBIG, "the xz data needs more than %u MiB to unpack",
                            XZ_MEMORY >> 20);
        if (state != LZMA_OK && state != LZMA_STREAM_END && state != LZMA_BUF_ERROR)
            return broken(d, err);
        d->between = state == LZMA_STREAM_END;
        rc = hand_on(d, SKL_DECOMPRESS_PIECE - d->xz.avail_out, err);
    } while (rc == 0 && state == LZMA_OK && (d->xz.avail_in > 0 || d->xz.avail_out == 0));
    return rc;
}

static int xz_feed(struct skl_decompress *d, struct skl_str in, struct skl_error *err)
{
    return xz_code(d, in, LZMA_RUN, err);
}

static void xz_stop(struct skl_decompress *d)
{
    lzma_end(&d->xz);
}

/* -- zstd */

static int zstd_start(struct skl_decompress *d)
{
    d->zstd = ZSTD_createDCtx();
    if (!d->zstd)
        return -1;
    return ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW)) ? -1 : 0;
}

static int zstd_feed(struct skl_decompress *d, struct skl_str in, struct skl_error *err)
{
    ZSTD_inBuffer from = {in.p, in.n, 0};
    ZSTD_outBuffer to = {d->piece, SKL_DECOMPRESS_PIECE, 0};
    size_t state;
    int rc = 0;

    do {
        if (d->between) {
            struct skl_str rest = skl_str_n(in.p + from.pos, from.size - from.pos);

            if (!begins_again(d, &rest))
                return 0;
            from.pos = from.size - rest.n;
        }
        to.pos = 0;
        state = ZSTD_decompressStream(d->zstd, &to, &from);
        if (ZSTD_isError(state))
            return broken(d, err);
        d->between = state == 0;
        rc = hand_on(d, to.pos, err);
    } while (rc == 0 && (from.pos < from.size || (to.pos == to.size && !d->between)));
    return rc;
}

static void zstd_stop(struct skl_decompress *d)
{
    (void)ZSTD_freeDCtx(d->zstd); /* fails only for a context that is not ours */
}

/* -- plain */

static int plain_start(struct skl_decompress *d)
{
    return 0;
}

static int plain_feed(struct skl_decompress *d, struct skl_str in, struct skl_error *err)
{
    d->between = true; /* it may end anywhere */
    return in.n > 0 ? d->out(d->arg, in, err) : 0;
}

static void plain_stop(struct skl_decompress *d)
{
}

static const struct format formats[] = {
    {"gzip", {"\x1f\x8b\x08", 3}, gzip_start, gzip_feed, gzip_stop},
    {"bzip2", {"BZh", 3}, bzip2_start, bzip2_feed, bzip2_stop},
    {"xz",
     {"\xfd"
      "7zXZ\0",
      6},
     xz_start,
     xz_feed,
     xz_stop},
    {"zstd", {"\x28\xb5\x2f\xfd", 4}, zstd_start, zstd_feed, zstd_stop},
};
static const struct format plain = {"plain", {"", 0}, plain_start, plain_feed, plain_stop};

struct skl_decompress *skl_decompress_new(skl_bytes_cb *out, void *arg)
{
    struct skl_decompress *d = skl_new0(struct skl_decompress);

    d->out = out;
    d->arg = arg;
    return d;
}

void skl_decompress_free(struct skl_decompress *d)
{
    if (!d)
        return;
    if (d->started)
        d->format->stop(d);
    free(d->piece);
    free(d);
}

const char *skl_decompress_format(const struct skl_decompress *d)
{
    return d->format ? d->format->name : NULL;
}

/* NULL when more bytes are needed to tell. */
static const struct format *sniff(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < SKL_ARRAY_LEN(formats); i++) {
        const struct skl_str *magic = &formats[i].magic;

        if (memcmp(p, magic->p, n < magic->n ? n : magic->n) == 0)
            return n >= magic->n ? &formats[i] : NULL;
    }
    return &plain;
}

static int begin(struct skl_decompress *d, const struct format *format, struct skl_error *err)
{
    int rc;

    d->format = format;
    d->started = true; /* before: stop() takes half-made decoders */
    if (format != &plain)
        d->piece = skl_new0_n(unsigned char, SKL_DECOMPRESS_PIECE);
    if (format->start(d) < 0)
        return skl_fail(err, SKL_E_INTERNAL, "no memory to unpack %s data", format->name);
    rc = format->feed(d, skl_str_n((const char *)d->head, d->n_head), err);
    return rc;
}

int skl_decompress_feed(struct skl_decompress *d, const void *p, size_t n, struct skl_error *err)
{
    struct skl_str in = skl_str_n(p, n);
    int rc = 0;

    if (d->failed)
        return skl_fail(err, (enum skl_kind) - d->failed, "the archive could not be unpacked");
    while (!d->format && in.n > 0 && rc == 0) {
        const struct format *format;

        d->head[d->n_head++] = (unsigned char)*in.p;
        in = skl_str_skip(in, 1);
        format = sniff(d->head, d->n_head);
        if (format)
            rc = begin(d, format, err);
    }
    if (rc == 0 && in.n > 0)
        rc = d->format->feed(d, in, err);
    if (rc < 0)
        d->failed = rc;
    return rc;
}

int skl_decompress_end(struct skl_decompress *d, struct skl_error *err)
{
    int rc = 0;

    if (d->failed)
        return skl_fail(err, (enum skl_kind) - d->failed, "the archive could not be unpacked");
    if (!d->format)
        rc = begin(d, &plain, err);
    if (rc == 0 && d->format->feed == xz_feed && !d->between)
        rc = xz_code(d, skl_str_n("", 0), LZMA_FINISH, err); /* it ends when it is told to */
    if (rc == 0 && !d->between)
        rc = skl_fail(err, SKL_E_INVALID, "the %s data ends too early", d->format->name);
    if (rc < 0)
        d->failed = rc;
    return rc;
}
