/* Where the data of a sparse file goes: GNU tar has written four forms of it, and they are still met, since
 * container images and `docker cp` carry what tar -S made. All become one list of extents, checked once
 * in one place, so that the consumer only ever sees offsets that rise and stay inside the file. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/tar_internal.h"

bool skl_tar_number(const unsigned char *p, size_t n, int64_t *ret)
{
    uint64_t v = 0;
    size_t i = 0;

    if (p[0] & 0x80) { /* base-256, two's complement; bit 6 is the sign */
        unsigned char flip = p[0] & 0x40 ? 0xff : 0;

        for (; i < n; i++) {
            unsigned char c = (unsigned char)((p[i] ^ flip) & (i == 0 ? 0x7f : 0xff));

            if (v >> 55)
                return false;
            v = v << 8 | c;
        }
        *ret = flip ? -1 - (int64_t)v : (int64_t)v;
        return true;
    }
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
        if (v >> 60)
            return false;
        v = v << 3 | (unsigned)(p[i] - '0');
    }
    if (i < n && p[i] != ' ' && p[i] != '\0')
        return false;
    *ret = (int64_t)v;
    return true;
}

int skl_tar_extents_add(struct skl_tar_extents *x, int64_t offset, int64_t length,
                        struct skl_error *err)
{
    if (x->n == SKL_TAR_MAX_EXTENTS)
        return skl_fail(err, SKL_E_TOOBIG, "tar: a sparse file of more than %u pieces",
                        SKL_TAR_MAX_EXTENTS);
    if (x->n == x->cap) {
        x->cap = x->cap ? x->cap * 2 : 4;
        x->at = skl_realloc(x->at, x->cap, sizeof(*x->at));
    }
    x->at[x->n++] = (struct skl_tar_extent){offset, length};
    return 0;
}

int skl_tar_extents_check(const struct skl_tar_extents *x, int64_t file_size, int64_t stored,
                          struct skl_error *err)
{
    int64_t end = 0, sum = 0;

    for (size_t i = 0; i < x->n; i++) {
        const struct skl_tar_extent *e = &x->at[i];

        if (e->length < 0 || e->offset < end || e->length > file_size ||
            e->offset > file_size - e->length)
            return skl_fail(err, SKL_E_PROTOCOL, "tar: a sparse map that contradicts itself");
        end = e->offset + e->length;
        sum += e->length; /* no more than file_size: the extents do not overlap */
    }
    if (sum != stored)
        return skl_fail(err, SKL_E_PROTOCOL, "tar: a sparse map that does not fit the stored size");
    return 0;
}

void skl_tar_extents_clear(struct skl_tar_extents *x)
{
    free(x->at);
    *x = (struct skl_tar_extents){0};
}

int skl_tar_extents_add_gnu(struct skl_tar_extents *x, const unsigned char *p, size_t pairs,
                            struct skl_error *err)
{
    for (size_t i = 0; i < pairs; i++, p += 2 * TAR_NUMBER_LEN) {
        int64_t offset, length;
        int rc;

        if (p[0] == '\0' && p[TAR_NUMBER_LEN] == '\0')
            break;
        if (!skl_tar_number(p, TAR_NUMBER_LEN, &offset) ||
            !skl_tar_number(p + TAR_NUMBER_LEN, TAR_NUMBER_LEN, &length))
            return skl_fail(err, SKL_E_PROTOCOL, "tar: a sparse map that is no list of numbers");
        rc = skl_tar_extents_add(x, offset, length, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int skl_tar_map_text_add(struct skl_tar_map_text *m, char c, struct skl_tar_extents *x, bool *done,
                         struct skl_error *err)
{
    *done = false;
    if (c >= '0' && c <= '9' && m->digits < 18) { /* 18 digits fit into 63 bits */
        m->number = m->number * 10 + (unsigned)(c - '0');
        m->digits++;
        return 0;
    }
    if (c != '\n' || m->digits == 0)
        return skl_fail(err, SKL_E_PROTOCOL, "tar: a sparse map that is no list of numbers");
    if (!m->has_count) {
        m->has_count = true;
        m->count = m->number;
    } else if (!m->has_offset) {
        m->has_offset = true;
        m->offset = (int64_t)m->number;
    } else {
        int rc = skl_tar_extents_add(x, m->offset, (int64_t)m->number, err);

        if (rc < 0)
            return rc;
        m->has_offset = false;
    }
    m->number = 0;
    m->digits = 0;
    *done = x->n == m->count && !m->has_offset;
    return 0;
}
