/* The writer: plain ustar as long as it can say everything, else a pax header in front that holds exactly
 * what the block cannot. Names go out as the bytes they are. */
#include "base/tar_internal.h"
#include <stdio.h>

#define MAX_12_OCTAL INT64_C(077777777777)
#define MAX_8_OCTAL  INT64_C(07777777)

static const char type_flags[] = {
    [SKL_TAR_FILE] = '0',    [SKL_TAR_HARDLINK] = '1', [SKL_TAR_SYMLINK] = '2',
    [SKL_TAR_CHARDEV] = '3', [SKL_TAR_BLOCKDEV] = '4', [SKL_TAR_DIR] = '5',
    [SKL_TAR_FIFO] = '6',
};

_Static_assert(sizeof(type_flags) == SKL_TAR_FIFO + 1, "every type has its flag");

static void put_text(unsigned char *block, size_t at, size_t max, struct skl_str s)
{
    if (s.n > 0)
        memcpy(block + at, s.p, s.n < max ? s.n : max);
}

/* Octal with a NUL behind; what does not fit is in the pax header, and 0 here. */
static void put_number(unsigned char *block, size_t at, size_t len, int64_t v)
{
    char text[24];
    int64_t max = len == TAR_NUMBER_LEN ? MAX_12_OCTAL : MAX_8_OCTAL;

    snprintf(text, sizeof(text), "%0*llo", (int)len - 1,
             (unsigned long long)(v < 0 || v > max ? 0 : v));
    memcpy(block + at, text, len);
}

static void put_checksum(unsigned char *block)
{
    unsigned sum = 0;
    char text[TAR_ID_LEN];

    memset(block + TAR_CHKSUM, ' ', TAR_ID_LEN);
    for (size_t i = 0; i < SKL_TAR_BLOCK; i++)
        sum += block[i];
    snprintf(text, sizeof(text), "%06o", sum & 0777777);
    memcpy(block + TAR_CHKSUM, text, 7); /* six digits, NUL, and the space that is there */
}

/* Splits at a '/' so that both parts fit; false if there is no such place. */
static bool split_name(struct skl_str name, struct skl_str *prefix, struct skl_str *base)
{
    *prefix = (struct skl_str){name.p, 0};
    *base = name;
    if (name.n <= TAR_NAME_LEN)
        return true;
    for (size_t i = name.n - TAR_NAME_LEN - 1; i < name.n - 1 && i <= TAR_PREFIX_LEN; i++)
        if (name.p[i] == '/' && i > 0) {
            *prefix = skl_str_n(name.p, i);
            *base = skl_str_skip(name, i + 1);
            return true;
        }
    return false;
}

/* "<length> <key>=<value>\n": the length counts its own digits. */
static void add_record(struct skl_buf *b, const char *key, const char *name, struct skl_str value)
{
    size_t rest = 1 + strlen(key) + strlen(name) + 1 + value.n + 1;
    size_t length = rest, before;

    do {
        before = length;
        length = rest + (size_t)snprintf(NULL, 0, "%zu", before);
    } while (length != before);
    skl_buf_addf(b, "%zu %s%s=", length, key, name);
    skl_buf_addstr(b, value);
    skl_buf_addc(b, '\n');
}

static void add_number_record(struct skl_buf *b, const char *key, int64_t v)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)v);
    add_record(b, key, "", skl_str(text));
}

static void add_mtime_record(struct skl_buf *b, int64_t s, int32_t ns)
{
    char text[40];
    bool minus = s < 0;

    if (minus && ns > 0) { /* -2 s + 750 ms is written -1.25 */
        s++;
        ns = 1000000000 - ns;
    }
    snprintf(text, sizeof(text), ns == 0 ? "%s%llu" : "%s%llu.%09d", minus ? "-" : "",
             (unsigned long long)(minus ? -(uint64_t)s : (uint64_t)s), ns);
    add_record(b, "mtime", "", skl_str(text));
}

static void add_pax_records(struct skl_buf *b, const struct skl_tar_entry *e, struct skl_str name)
{
    struct skl_str prefix, base, link = skl_str(e->linkname);

    if (!split_name(name, &prefix, &base))
        add_record(b, "path", "", name);
    if (link.n > TAR_NAME_LEN)
        add_record(b, "linkpath", "", link);
    if (skl_str(e->uname).n > TAR_OWNER_LEN)
        add_record(b, "uname", "", skl_str(e->uname));
    if (skl_str(e->gname).n > TAR_OWNER_LEN)
        add_record(b, "gname", "", skl_str(e->gname));
    if (e->uid > MAX_8_OCTAL)
        add_number_record(b, "uid", e->uid);
    if (e->gid > MAX_8_OCTAL)
        add_number_record(b, "gid", e->gid);
    if (e->type == SKL_TAR_FILE && e->size > MAX_12_OCTAL)
        add_number_record(b, "size", e->size);
    if (e->mtime_s < 0 || e->mtime_s > MAX_12_OCTAL || e->mtime_ns != 0)
        add_mtime_record(b, e->mtime_s, e->mtime_ns);
    for (size_t i = 0; i < e->n_xattrs; i++)
        add_record(b, "SCHILY.xattr.", e->xattrs[i].name, e->xattrs[i].value);
}

static void add_block(struct skl_buf *b, const struct skl_tar_entry *e, struct skl_str name,
                      char type, int64_t size)
{
    unsigned char block[SKL_TAR_BLOCK] = {0};
    struct skl_str prefix, base;

    if (!split_name(name, &prefix, &base))
        base = name; /* cut; the pax header has all of it */
    put_text(block, TAR_NAME, TAR_NAME_LEN, base);
    put_text(block, TAR_PREFIX, TAR_PREFIX_LEN, prefix);
    put_number(block, TAR_MODE, TAR_ID_LEN, e->mode & 07777);
    put_number(block, TAR_UID, TAR_ID_LEN, e->uid);
    put_number(block, TAR_GID, TAR_ID_LEN, e->gid);
    put_number(block, TAR_SIZE, TAR_NUMBER_LEN, size);
    put_number(block, TAR_MTIME, TAR_NUMBER_LEN, e->mtime_s);
    block[TAR_TYPE] = (unsigned char)type;
    put_text(block, TAR_LINKNAME, TAR_NAME_LEN, skl_str(e->linkname));
    memcpy(block + TAR_MAGIC,
           "ustar\0"
           "00",
           8);
    put_text(block, TAR_UNAME, TAR_OWNER_LEN, skl_str(e->uname));
    put_text(block, TAR_GNAME, TAR_OWNER_LEN, skl_str(e->gname));
    put_number(block, TAR_DEVMAJOR, TAR_ID_LEN, e->devmajor);
    put_number(block, TAR_DEVMINOR, TAR_ID_LEN, e->devminor);
    put_checksum(block);
    skl_buf_add(b, block, sizeof(block));
}

static int check(const struct skl_tar_entry *e, struct skl_error *err)
{
    if (skl_str_empty(e->name) || e->sparse || e->size < 0 || e->size > INT64_MAX - SKL_TAR_BLOCK ||
        e->uid < 0 || e->gid < 0 || e->mtime_ns < 0 || e->mtime_ns > 999999999 ||
        e->mtime_s <= -INT64_MAX || e->mtime_s == INT64_MAX || e->devmajor > MAX_8_OCTAL ||
        e->devminor > MAX_8_OCTAL)
        return skl_fail(err, SKL_E_INVALID, "tar: a member that cannot be written");
    for (size_t i = 0; i < e->n_xattrs; i++)
        if (skl_str_empty(e->xattrs[i].name) || strchr(e->xattrs[i].name, '='))
            return skl_fail(err, SKL_E_INVALID, "tar: an attribute that cannot be written");
    if (strlen(e->name) >= SKL_TAR_MAX_NAME || skl_str(e->linkname).n > SKL_TAR_MAX_NAME)
        return skl_fail(err, SKL_E_TOOBIG, "tar: a name longer than %u bytes", SKL_TAR_MAX_NAME);
    return 0;
}

int skl_tar_write_header(struct skl_buf *b, const struct skl_tar_entry *e, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf name = {0}, pax = {0};
    int rc = check(e, err);

    skl_buf_init(&name, SKL_TAR_MAX_NAME + 1);
    skl_buf_init(&pax, SKL_TAR_MAX_PAX);
    if (rc < 0)
        return rc;
    skl_buf_adds(&name, e->name);
    if (e->type == SKL_TAR_DIR && name.p[name.n - 1] != '/')
        skl_buf_addc(&name, '/');
    add_pax_records(&pax, e, skl_buf_str(&name));
    if (pax.n > 0) {
        struct skl_tar_entry head = {.mode = 0644};

        add_block(b, &head, SKL_STR("PaxHeaders/member"), 'x', (int64_t)pax.n);
        skl_buf_addstr(b, skl_buf_str(&pax));
        skl_tar_write_padding(b, (int64_t)pax.n);
    }
    add_block(b, e, skl_buf_str(&name), type_flags[e->type], e->type == SKL_TAR_FILE ? e->size : 0);
    if (b->failed || pax.failed)
        return skl_fail(err, SKL_E_TOOBIG, "tar: the header of a member is too big");
    return 0;
}

void skl_tar_write_padding(struct skl_buf *b, int64_t size)
{
    static const char zero[SKL_TAR_BLOCK];

    skl_buf_add(b, zero, (size_t)(-(uint64_t)size % SKL_TAR_BLOCK));
}

void skl_tar_write_end(struct skl_buf *b)
{
    static const char zero[2 * SKL_TAR_BLOCK];

    skl_buf_add(b, zero, sizeof(zero));
}

int skl_tar_clean_path(const char *name, char **ret, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    struct skl_str rest = skl_str(name);

    skl_buf_init(&out, SKL_TAR_MAX_NAME);
    while (rest.p) {
        struct skl_str part = skl_str_cut(rest, '/', &rest);

        if (part.n == 0 || skl_str_eqz(part, "."))
            continue;
        if (skl_str_eqz(part, ".."))
            return skl_fail(err, SKL_E_INVALID, "tar: the name '%.200s' leaves its root", name);
        if (out.n > 0)
            skl_buf_addc(&out, '/');
        skl_buf_addstr(&out, part);
    }
    return skl_buf_finish(&out, ret, err);
}
