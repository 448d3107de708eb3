/* Records of a pax header: "<length> <key>=<value>\n", where the length counts all of it. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/tar_internal.h"

#define XATTR_PREFIX "SCHILY.xattr."

static int bad(struct skl_error *err, const char *what)
{
    return skl_fail(err, SKL_E_PROTOCOL, "tar: a pax header with %s", what);
}

static const struct {
    const char *key;
    enum skl_tar_text id;
} text_keys[] = {
    {"path", PAX_PATH},   {"linkpath", PAX_LINKPATH},           {"uname", PAX_UNAME},
    {"gname", PAX_GNAME}, {"GNU.sparse.name", PAX_SPARSE_NAME},
};

static const struct {
    const char *key;
    enum skl_tar_number_key id;
} number_keys[] = {
    {"size", PAX_SIZE},
    {"uid", PAX_UID},
    {"gid", PAX_GID},
    {"mtime", PAX_MTIME},
    {"GNU.sparse.size", PAX_SPARSE_SIZE},
    {"GNU.sparse.realsize", PAX_SPARSE_REALSIZE},
    {"GNU.sparse.major", PAX_SPARSE_MAJOR},
    {"GNU.sparse.minor", PAX_SPARSE_MINOR},
};

_Static_assert(SKL_ARRAY_LEN(text_keys) == PAX_TEXT_MAX_, "every text has its key");
_Static_assert(SKL_ARRAY_LEN(number_keys) == PAX_NUMBER_MAX_, "every number has its key");

static bool parse_unsigned(struct skl_str s, int64_t *ret)
{
    uint64_t v;

    if (!skl_str_u64(s, &v) || v > INT64_MAX)
        return false;
    *ret = (int64_t)v;
    return true;
}

/* "-1.25" is 2 seconds before 1970 and 750 ms: ns counts upwards. */
static bool parse_time(struct skl_str s, int64_t *ret_s, int32_t *ret_ns)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    struct skl_str fraction;
    int64_t seconds;
    int32_t ns = 0, unit = 100000000;

    if (minus)
        s = skl_str_skip(s, 1);
    s = skl_str_cut(s, '.', &fraction);
    if (!parse_unsigned(s, &seconds) || seconds == INT64_MAX)
        return false;
    for (size_t i = 0; i < fraction.n; i++, unit /= 10) {
        if (fraction.p[i] < '0' || fraction.p[i] > '9')
            return false;
        ns += (fraction.p[i] - '0') * unit;
    }
    if (minus) {
        seconds = ns ? -seconds - 1 : -seconds;
        ns = ns ? 1000000000 - ns : 0;
    }
    *ret_s = seconds;
    *ret_ns = ns;
    return true;
}

static int set_text(struct skl_tar_pax *x, enum skl_tar_text id, struct skl_str value,
                    struct skl_error *err)
{
    if (value.n > SKL_TAR_MAX_NAME)
        return skl_fail(err, SKL_E_TOOBIG, "tar: a name longer than %u bytes", SKL_TAR_MAX_NAME);
    if (skl_str_find(value, '\0'))
        return bad(err, "a zero byte in a name");
    free(x->text[id].value);
    x->text[id].value = value.n ? skl_str_dup(value) : NULL;
    x->text[id].set = value.n ? PAX_SET : PAX_TAKEN_BACK;
    return 0;
}

static int set_number(struct skl_tar_pax *x, enum skl_tar_number_key id, struct skl_str value,
                      struct skl_error *err)
{
    x->number[id].set = PAX_TAKEN_BACK;
    if (value.n == 0)
        return 0;
    if (id == PAX_MTIME ? !parse_time(value, &x->number[id].value, &x->mtime_ns)
                        : !parse_unsigned(value, &x->number[id].value))
        return bad(err, "a number that is none");
    x->number[id].set = PAX_SET;
    return 0;
}

static int add_xattr(struct skl_tar_pax *x, struct skl_str name, struct skl_str value,
                     struct skl_error *err)
{
    if (name.n == 0 || skl_str_find(name, '\0'))
        return bad(err, "an attribute without a name");
    x->xattrs = skl_realloc(x->xattrs, x->n_xattrs + 1, sizeof(*x->xattrs));
    x->xattrs[x->n_xattrs++] = (struct skl_tar_xattr){
        .name = skl_str_dup(name), .value = skl_str_n(skl_str_dup(value), value.n)};
    return 0;
}

/* "0,512,4096,512": form 0.1. */
static int set_map(struct skl_tar_pax *x, struct skl_str rest, struct skl_error *err)
{
    skl_tar_extents_clear(&x->map);
    while (rest.p) {
        int64_t offset, length;
        int rc;

        if (!parse_unsigned(skl_str_cut(rest, ',', &rest), &offset) || !rest.p ||
            !parse_unsigned(skl_str_cut(rest, ',', &rest), &length))
            return bad(err, "a sparse map that is no list of pairs");
        rc = skl_tar_extents_add(&x->map, offset, length, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Form 0.0: the same two keys again and again. */
static int add_map_half(struct skl_tar_pax *x, bool is_offset, struct skl_str value,
                        struct skl_error *err)
{
    int64_t v;

    if (x->has_map_offset == is_offset || !parse_unsigned(value, &v))
        return bad(err, "a sparse map that is no list of pairs");
    x->has_map_offset = is_offset;
    if (!is_offset)
        return skl_tar_extents_add(&x->map, x->map_offset, v, err);
    x->map_offset = v;
    return 0;
}

static int set_record(struct skl_tar_pax *x, struct skl_str key, struct skl_str value,
                      bool is_global, struct skl_error *err)
{
    bool is_sparse = skl_str_starts(key, "GNU.sparse.");

    if (is_global && (is_sparse || skl_str_starts(key, XATTR_PREFIX)))
        return 0;
    for (size_t i = 0; i < SKL_ARRAY_LEN(text_keys); i++)
        if (skl_str_eqz(key, text_keys[i].key))
            return set_text(x, text_keys[i].id, value, err);
    for (size_t i = 0; i < SKL_ARRAY_LEN(number_keys); i++)
        if (skl_str_eqz(key, number_keys[i].key))
            return set_number(x, number_keys[i].id, value, err);
    if (skl_str_eqz(key, "GNU.sparse.map"))
        return set_map(x, value, err);
    if (skl_str_eqz(key, "GNU.sparse.offset"))
        return add_map_half(x, true, value, err);
    if (skl_str_eqz(key, "GNU.sparse.numbytes"))
        return add_map_half(x, false, value, err);
    if (skl_str_starts(key, XATTR_PREFIX))
        return add_xattr(x, skl_str_skip(key, sizeof(XATTR_PREFIX) - 1), value, err);
    return 0; /* comment, atime, hdrcharset and whatever else vendors write */
}

int skl_tar_pax_parse(struct skl_tar_pax *x, struct skl_str body, bool is_global,
                      struct skl_error *err)
{
    while (body.n > 0) {
        struct skl_str after, record, key, value;
        uint64_t length;
        int rc;

        if (!skl_str_u64(skl_str_cut(body, ' ', &after), &length) || !after.p || length > body.n ||
            length <= body.n - after.n || body.p[length - 1] != '\n')
            return bad(err, "a record of a wrong length");
        record = skl_str_n(after.p, length - (body.n - after.n) - 1);
        key = skl_str_cut(record, '=', &value);
        if (!value.p || key.n == 0)
            return bad(err, "a record without a key");
        rc = set_record(x, key, value, is_global, err);
        if (rc < 0)
            return rc;
        body = skl_str_skip(body, length);
    }
    return 0;
}

void skl_tar_pax_clear(struct skl_tar_pax *x)
{
    for (size_t i = 0; i < PAX_TEXT_MAX_; i++)
        free(x->text[i].value);
    for (size_t i = 0; i < x->n_xattrs; i++) {
        free((char *)(uintptr_t)x->xattrs[i].name);
        free((char *)(uintptr_t)x->xattrs[i].value.p);
    }
    free(x->xattrs);
    skl_tar_extents_clear(&x->map);
    *x = (struct skl_tar_pax){0};
}
