/* tar: any split gives the same events, offsets rise and stay inside, what was read writes back the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    const uint8_t *at = p;

    for (size_t i = 0; i < n; i++)
        h = (h ^ at[i]) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t mix_entry(uint64_t h, const struct skl_tar_entry *e)
{
    h = mix(h, e->name, strlen(e->name) + 1);
    h = mix(h, e->linkname, strlen(e->linkname) + 1);
    h = mix(h, e->uname, strlen(e->uname) + 1);
    h = mix(h, e->gname, strlen(e->gname) + 1);
    h = mix(h, &e->type, sizeof(e->type));
    h = mix(h, &e->mode, sizeof(e->mode));
    h = mix(h, &e->uid, sizeof(e->uid));
    h = mix(h, &e->gid, sizeof(e->gid));
    h = mix(h, &e->size, sizeof(e->size));
    h = mix(h, &e->mtime_s, sizeof(e->mtime_s));
    h = mix(h, &e->mtime_ns, sizeof(e->mtime_ns));
    h = mix(h, &e->devmajor, sizeof(e->devmajor));
    h = mix(h, &e->devminor, sizeof(e->devminor));
    for (size_t i = 0; i < e->n_xattrs; i++) {
        h = mix(h, e->xattrs[i].name, strlen(e->xattrs[i].name) + 1);
        h = mix(h, e->xattrs[i].value.p, e->xattrs[i].value.n);
    }
    return h;
}

static void check_clean_path(const char *name)
{
    char *clean, *again;

    if (skl_tar_clean_path(name, &clean, NULL) < 0)
        return;
    SKL_ASSERT(clean[0] != '/');
    SKL_ASSERT(skl_tar_clean_path(clean, &again, NULL) == 0);
    SKL_ASSERT(strcmp(clean, again) == 0);
    free(clean);
    free(again);
}

static void check_written(const struct skl_tar_entry *e)
{
    SKL_AUTO(tar_reader) r = skl_tar_reader_new();
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_tar_entry copy = *e;
    struct skl_tar_event ev;
    struct skl_str in;

    skl_buf_init(&b, 8u << 20);
    copy.sparse = false;
    if (skl_tar_write_header(&b, &copy, NULL) < 0)
        return;
    in = skl_buf_str(&b);
    SKL_ASSERT(skl_tar_reader_next(r, &in, &ev, NULL) == 0 && ev.type == SKL_TAR_EV_ENTRY);
    /* A file whose name ends in '/' reads as a directory, and a directory's name gets its '/'. */
    if (skl_str_ends(skl_str(e->name), "/") == (e->type == SKL_TAR_DIR))
        SKL_ASSERT(mix_entry(0, ev.entry) == mix_entry(0, e));
}

/* The hash of all that was seen; *ret_rc is how it ended. */
static uint64_t read_all(const uint8_t *data, size_t n, size_t piece, int *ret_rc)
{
    SKL_AUTO(tar_reader) r = skl_tar_reader_new();
    int64_t end = 0;
    uint64_t h = 1;
    int rc = 0;

    for (size_t at = 0; rc == 0 && at < n; at += piece) {
        size_t len = n - at < piece ? n - at : piece;
        char *copy = skl_memdup(data + at, len);
        struct skl_str in = skl_str_n(copy, len);
        struct skl_tar_event ev;

        while ((rc = skl_tar_reader_next(r, &in, &ev, NULL)) == 0 && ev.type != SKL_TAR_EV_MORE) {
            if (ev.type == SKL_TAR_EV_ENTRY) {
                h = mix_entry(h, ev.entry);
                check_clean_path(ev.entry->name);
                check_written(ev.entry);
                end = 0;
            } else if (ev.type == SKL_TAR_EV_DATA) {
                SKL_ASSERT(ev.offset >= end && ev.data.n > 0);
                h = end == ev.offset ? h : mix(h, &ev.offset, sizeof(ev.offset));
                end = ev.offset + (int64_t)ev.data.n;
                SKL_ASSERT(end <= ev.entry->size);
                h = mix(h, ev.data.p, ev.data.n);
            } else {
                h = mix(h, &ev.type, sizeof(ev.type));
            }
        }
        SKL_ASSERT(rc < 0 || in.n == 0);
        free(copy);
    }
    *ret_rc = rc < 0 ? rc : skl_tar_reader_finish(r, NULL);
    return h;
}

/* Mutations break the checksum first; with it mended they get to what is behind. */
static uint8_t *with_checksums(const uint8_t *data, size_t n)
{
    uint8_t *copy = skl_memdup(data, n);

    for (size_t at = 0; at + SKL_TAR_BLOCK <= n; at += SKL_TAR_BLOCK) {
        uint8_t *block = copy + at;
        unsigned sum = 0;
        char text[8];

        if (memcmp(block + 257, "ustar", 5) != 0)
            continue;
        memset(block + 148, ' ', 8);
        for (size_t i = 0; i < SKL_TAR_BLOCK; i++)
            sum += block[i];
        snprintf(text, sizeof(text), "%06o", sum & 0777777);
        memcpy(block + 148, text, 7);
    }
    return copy;
}

static void check_splits(const uint8_t *data, size_t n)
{
    int rc, rc_split;
    uint64_t whole = read_all(data, n, n ? n : 1, &rc);
    uint64_t split = read_all(data, n, n ? data[0] % 97 + 1u : 1, &rc_split);

    SKL_ASSERT(rc == rc_split);
    SKL_ASSERT(whole == split);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t *mended = with_checksums(data, n);

    check_splits(data, n);
    check_splits(mended, n);
    free(mended);
    return 0;
}
