/* The reader: a machine that is fed bytes of any split and hands out one event at a time.
 *
 * Problem: archives come from sockets, in both directions, from clients and workloads that nobody vouches
 * for; the agent is static, so libarchive is not at hand; and the consumer must be able to stop between
 * two events. Approach: one `state`, one block of 512 bytes, one bounded buffer for extension headers;
 * member data is handed on as parts of the input and never copied. Rejected: callbacks, because a consumer
 * whose disk or socket is busy would have to queue what comes next.
 *
 *   HEADER -> (BODY -> PAD -> HEADER)*            extension headers: pax, GNU long names
 *          -> (GNU_MAP | TEXT_MAP -> PAD)?        where the data of a sparse file goes
 *          -> READY -> DATA -> PAD -> HEADER
 *          -> ENDED                               two zero blocks
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/tar_internal.h"

enum state {
    STATE_HEADER,
    STATE_BODY,
    STATE_PAD,
    STATE_GNU_MAP,
    STATE_TEXT_MAP,
    STATE_READY,
    STATE_DATA,
    STATE_END,
    STATE_ENDED,
    STATE_FAILED
};

struct skl_tar_reader {
    enum state state, after_pad;
    unsigned char block[SKL_TAR_BLOCK];
    size_t block_n;
    struct skl_buf body; /* of an extension header */
    int64_t left;        /* bytes of the body, or of the member's stored data, still to come */
    size_t pad;          /* bytes to skip */
    size_t tail;         /* padding behind the member's data */
    char kind;           /* type flag of the header in work */
    size_t ext_bytes;    /* extension headers of this member, all together */
    bool has_ext;        /* an extension header waits for its member */
    bool has_entry;      /* the last member is delivered, its strings are still there */
    bool zero_block;     /* the block before was all zero */
    char *long_name, *long_link;
    struct skl_tar_pax global, local;
    struct skl_tar_extents extents;
    struct skl_tar_map_text map_text;
    size_t extent; /* the one in work */
    int64_t extent_done;
    struct skl_tar_entry entry;
    char *name, *linkname, *uname, *gname;
};

struct skl_tar_reader *skl_tar_reader_new(void)
{
    struct skl_tar_reader *r = skl_new0(struct skl_tar_reader);

    skl_buf_init(&r->body, SKL_TAR_MAX_PAX);
    return r;
}

static void clear_entry(struct skl_tar_reader *r)
{
    skl_strset(&r->long_name, NULL);
    skl_strset(&r->long_link, NULL);
    skl_strset(&r->name, NULL);
    skl_strset(&r->linkname, NULL);
    skl_strset(&r->uname, NULL);
    skl_strset(&r->gname, NULL);
    skl_tar_pax_clear(&r->local);
    skl_tar_extents_clear(&r->extents);
    r->map_text = (struct skl_tar_map_text){0};
    r->entry = (struct skl_tar_entry){0};
    r->ext_bytes = 0;
    r->has_ext = r->has_entry = false;
}

void skl_tar_reader_free(struct skl_tar_reader *r)
{
    if (!r)
        return;
    clear_entry(r);
    skl_tar_pax_clear(&r->global);
    skl_buf_fini(&r->body);
    free(r);
}

static int bad(struct skl_error *err, const char *what)
{
    return skl_fail(err, SKL_E_PROTOCOL, "tar: %s", what);
}

static size_t padding_of(int64_t size)
{
    return (size_t)(-(uint64_t)size % SKL_TAR_BLOCK);
}

static void skip_to(struct skl_tar_reader *r, size_t pad, enum state next)
{
    r->pad = pad;
    r->after_pad = next;
    r->state = STATE_PAD;
}

/* -- header blocks */

static bool is_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

/* Old writers summed signed characters; both are taken. */
static bool has_checksum(const unsigned char *block)
{
    int64_t want, sum = 0, sum_signed = 0;

    for (size_t i = 0; i < SKL_TAR_BLOCK; i++) {
        bool inside = i >= TAR_CHKSUM && i < TAR_CHKSUM + TAR_ID_LEN;

        sum += inside ? ' ' : block[i];
        sum_signed += inside ? ' ' : (signed char)block[i];
    }
    return skl_tar_number(block + TAR_CHKSUM, TAR_ID_LEN, &want) &&
           (want == sum || want == sum_signed);
}

static struct skl_str field(const struct skl_tar_reader *r, size_t at, size_t max)
{
    const char *p = (const char *)r->block + at;

    return skl_str_n(p, strnlen(p, max));
}

static bool is_posix(const struct skl_tar_reader *r)
{
    return memcmp(r->block + TAR_MAGIC, "ustar\0", 6) == 0;
}

static bool is_gnu(const struct skl_tar_reader *r)
{
    return memcmp(r->block + TAR_MAGIC, "ustar  ", 7) == 0;
}

static bool is_extension(char kind)
{
    return kind == 'x' || kind == 'X' || kind == 'g' || kind == 'L' || kind == 'K';
}

static int begin_extension(struct skl_tar_reader *r, int64_t size, struct skl_error *err)
{
    size_t max = r->kind == 'L' || r->kind == 'K' ? SKL_TAR_MAX_NAME + 1 : SKL_TAR_MAX_PAX;

    if (size > (int64_t)max || r->ext_bytes + (size_t)size > 2 * SKL_TAR_MAX_PAX)
        return skl_fail(err, SKL_E_TOOBIG, "tar: an extension header of %lld bytes",
                        (long long)size);
    r->ext_bytes += (size_t)size + SKL_TAR_BLOCK;
    r->has_ext = true;
    r->left = size;
    r->tail = padding_of(size);
    skl_buf_reset(&r->body);
    r->state = STATE_BODY;
    return 0;
}

static int on_body(struct skl_tar_reader *r, struct skl_error *err)
{
    struct skl_str body = skl_buf_str(&r->body);

    switch (r->kind) {
    case 'L':
    case 'K':
        body.n = strnlen(body.p, body.n);
        if (body.n > SKL_TAR_MAX_NAME)
            return skl_fail(err, SKL_E_TOOBIG, "tar: a name longer than %u bytes",
                            SKL_TAR_MAX_NAME);
        skl_strset(r->kind == 'L' ? &r->long_name : &r->long_link, body.p);
        return 0;
    case 'g':
        r->has_ext = false; /* it may stand alone: `git archive` of an empty tree */
        return skl_tar_pax_parse(&r->global, body, true, err);
    default:
        return skl_tar_pax_parse(&r->local, body, false, err);
    }
}

/* -- members */

/* pax over GNU over the header block; a local header may take a global value back. */
static const struct skl_tar_pax *pax_with(const struct skl_tar_reader *r,
                                          enum skl_tar_number_key id)
{
    const struct skl_tar_pax *x = r->local.number[id].set != PAX_ABSENT ? &r->local : &r->global;

    return x->number[id].set == PAX_SET ? x : NULL;
}

/* *v keeps the header's value when no record has another one. */
static void take_pax_number(const struct skl_tar_reader *r, enum skl_tar_number_key id, int64_t *v)
{
    const struct skl_tar_pax *x = pax_with(r, id);

    if (x)
        *v = x->number[id].value;
}

static void take_text(struct skl_tar_reader *r, enum skl_tar_text id, const char *gnu,
                      struct skl_str from_header, char **into)
{
    const struct skl_tar_pax *x = r->local.text[id].set != PAX_ABSENT ? &r->local : &r->global;

    free(*into);
    if (r->local.text[id].set != PAX_SET && gnu)
        *into = skl_strdup(gnu);
    else if (x->text[id].set == PAX_SET)
        *into = skl_strdup(x->text[id].value);
    else
        *into = skl_str_dup(from_header);
}

static int take_names(struct skl_tar_reader *r, struct skl_error *err)
{
    bool owners = is_posix(r) || is_gnu(r);
    struct skl_str none = SKL_STR(""), base = field(r, TAR_NAME, TAR_NAME_LEN);
    char joined[TAR_PREFIX_LEN + 1 + TAR_NAME_LEN + 1];

    if (is_posix(r) && r->block[TAR_PREFIX]) {
        struct skl_str prefix = field(r, TAR_PREFIX, TAR_PREFIX_LEN);

        snprintf(joined, sizeof(joined), SKL_STR_FMT "/" SKL_STR_FMT, SKL_STR_ARG(prefix),
                 SKL_STR_ARG(base));
        base = skl_str(joined);
    }
    take_text(r, PAX_PATH, r->long_name, base, &r->name);
    if (r->local.text[PAX_SPARSE_NAME].set == PAX_SET)
        skl_strset(&r->name, r->local.text[PAX_SPARSE_NAME].value);
    take_text(r, PAX_LINKPATH, r->long_link, field(r, TAR_LINKNAME, TAR_NAME_LEN), &r->linkname);
    take_text(r, PAX_UNAME, NULL, owners ? field(r, TAR_UNAME, TAR_OWNER_LEN) : none, &r->uname);
    take_text(r, PAX_GNAME, NULL, owners ? field(r, TAR_GNAME, TAR_OWNER_LEN) : none, &r->gname);
    return *r->name ? 0 : bad(err, "a member without a name");
}

static int take_type(struct skl_tar_reader *r, struct skl_error *err)
{
    switch (r->kind) {
    case '\0':
    case '0':
    case '7': /* contiguous: a file to everybody else */
        /* Before POSIX a '/' at the end made it a directory. */
        r->entry.type =
            r->kind != '7' && skl_str_ends(skl_str(r->name), "/") ? SKL_TAR_DIR : SKL_TAR_FILE;
        return 0;
    case 'S':
        r->entry.type = SKL_TAR_FILE;
        return 0;
    case '1':
        r->entry.type = SKL_TAR_HARDLINK;
        return 0;
    case '2':
        r->entry.type = SKL_TAR_SYMLINK;
        return 0;
    case '3':
        r->entry.type = SKL_TAR_CHARDEV;
        return 0;
    case '4':
        r->entry.type = SKL_TAR_BLOCKDEV;
        return 0;
    case '5':
        r->entry.type = SKL_TAR_DIR;
        return 0;
    case '6':
        r->entry.type = SKL_TAR_FIFO;
        return 0;
    }
    return skl_fail(err, SKL_E_UNSUPPORTED, "tar: a member of the unknown type 0x%02x",
                    (unsigned char)r->kind);
}

static int take_device(struct skl_tar_reader *r, struct skl_error *err)
{
    int64_t major, minor;

    if (r->entry.type != SKL_TAR_CHARDEV && r->entry.type != SKL_TAR_BLOCKDEV)
        return 0; /* some writers leave rubbish there */
    if (!skl_tar_number(r->block + TAR_DEVMAJOR, TAR_ID_LEN, &major) ||
        !skl_tar_number(r->block + TAR_DEVMINOR, TAR_ID_LEN, &minor) || major < 0 ||
        major > UINT32_MAX || minor < 0 || minor > UINT32_MAX)
        return bad(err, "a header with a number that is none");
    r->entry.devmajor = (uint32_t)major;
    r->entry.devminor = (uint32_t)minor;
    return 0;
}

static int take_numbers(struct skl_tar_reader *r, struct skl_error *err)
{
    struct skl_tar_entry *e = &r->entry;
    int64_t mode;

    if (!skl_tar_number(r->block + TAR_MODE, TAR_ID_LEN, &mode) ||
        !skl_tar_number(r->block + TAR_UID, TAR_ID_LEN, &e->uid) ||
        !skl_tar_number(r->block + TAR_GID, TAR_ID_LEN, &e->gid) ||
        !skl_tar_number(r->block + TAR_MTIME, TAR_NUMBER_LEN, &e->mtime_s))
        return bad(err, "a header with a number that is none");
    e->mode = (uint32_t)(mode & 07777);
    take_pax_number(r, PAX_UID, &e->uid);
    take_pax_number(r, PAX_GID, &e->gid);
    take_pax_number(r, PAX_MTIME, &e->mtime_s);
    if (pax_with(r, PAX_MTIME))
        e->mtime_ns = pax_with(r, PAX_MTIME)->mtime_ns;
    if (e->uid < 0 || e->gid < 0)
        return bad(err, "a negative owner");
    return take_device(r, err);
}

/* Everything about the member is known: its data may come. `stored` is what the archive holds of it. */
static int begin_data(struct skl_tar_reader *r, int64_t stored, struct skl_error *err)
{
    int rc = skl_tar_extents_check(&r->extents, r->entry.size, stored, err);

    if (rc < 0)
        return rc;
    r->extent = 0;
    r->extent_done = 0;
    r->left = stored;
    return 0;
}

static int begin_gnu_sparse(struct skl_tar_reader *r, int64_t stored, struct skl_error *err)
{
    int rc;

    if (!skl_tar_number(r->block + TAR_GNU_REALSIZE, TAR_NUMBER_LEN, &r->entry.size) ||
        r->entry.size < 0)
        return bad(err, "a sparse file without a size");
    rc = skl_tar_extents_add_gnu(&r->extents, r->block + TAR_GNU_SPARSE, TAR_GNU_SPARSE_PAIRS, err);
    if (rc < 0)
        return rc;
    r->left = stored;
    if (r->block[TAR_GNU_EXTENDED]) {
        r->state = STATE_GNU_MAP;
        return 0;
    }
    r->state = STATE_READY;
    return begin_data(r, stored, err);
}

/* GNU's three pax forms: 0.x brings the map in the header, 1.0 in front of the data. */
static int begin_pax_sparse(struct skl_tar_reader *r, int64_t stored, struct skl_error *err)
{
    const struct skl_tar_pax *x = &r->local;
    bool has_version = x->number[PAX_SPARSE_MAJOR].set == PAX_SET;
    int64_t major = x->number[PAX_SPARSE_MAJOR].value, minor = x->number[PAX_SPARSE_MINOR].value;
    enum skl_tar_number_key size_key = PAX_SPARSE_SIZE;

    if (has_version && (major > 1 || (major == 1 && minor != 0)))
        return skl_fail(err, SKL_E_UNSUPPORTED, "tar: a sparse file of an unknown form");
    if (has_version && major == 1)
        size_key = PAX_SPARSE_REALSIZE;
    if (x->number[size_key].set != PAX_SET || x->has_map_offset)
        return bad(err, "a sparse file without a size");
    r->entry.size = x->number[size_key].value;
    r->left = stored;
    if (size_key == PAX_SPARSE_REALSIZE) {
        r->state = STATE_TEXT_MAP;
        return 0;
    }
    r->extents = r->local.map;
    r->local.map = (struct skl_tar_extents){0};
    r->state = STATE_READY;
    return begin_data(r, stored, err);
}

static int begin_member(struct skl_tar_reader *r, int64_t stored, struct skl_error *err)
{
    struct skl_tar_entry *e = &r->entry;
    int rc = take_names(r, err);

    r->has_ext = false;
    if (rc == 0)
        rc = take_type(r, err);
    if (rc == 0)
        rc = take_numbers(r, err);
    if (rc < 0)
        return rc;
    take_pax_number(r, PAX_SIZE, &stored);
    if (stored > INT64_MAX - SKL_TAR_BLOCK)
        return bad(err, "a size that cannot be");
    if (e->type != SKL_TAR_FILE)
        stored = 0; /* some writers put a link's or a directory's size there, without any data */
    e->name = r->name;
    e->linkname = e->type == SKL_TAR_HARDLINK || e->type == SKL_TAR_SYMLINK ? r->linkname : "";
    e->uname = r->uname;
    e->gname = r->gname;
    e->xattrs = r->local.xattrs;
    e->n_xattrs = r->local.n_xattrs;
    r->tail = padding_of(stored);
    e->sparse = r->kind == 'S' ||
                (e->type == SKL_TAR_FILE && (r->local.number[PAX_SPARSE_MAJOR].set == PAX_SET ||
                                             r->local.number[PAX_SPARSE_SIZE].set == PAX_SET ||
                                             r->local.map.n > 0 || r->local.has_map_offset));
    if (e->sparse)
        return r->kind == 'S' ? begin_gnu_sparse(r, stored, err) : begin_pax_sparse(r, stored, err);
    e->size = stored;
    r->state = STATE_READY;
    if (stored > 0)
        (void)skl_tar_extents_add(&r->extents, 0, stored, NULL); /* the first one always fits */
    return begin_data(r, stored, err);
}

static int on_zero_block(struct skl_tar_reader *r, struct skl_error *err)
{
    if (r->has_ext)
        return bad(err, "an extension header without its member");
    if (r->zero_block)
        r->state = STATE_END;
    r->zero_block = true;
    return 0;
}

static int on_header(struct skl_tar_reader *r, struct skl_error *err)
{
    int64_t size;

    if (is_zero(r->block, sizeof(r->block)))
        return on_zero_block(r, err);
    if (r->zero_block)
        return bad(err, "a member behind an end block");
    if (!has_checksum(r->block))
        return bad(err, "not a tar archive: a header with a wrong checksum");
    if (r->has_entry)
        clear_entry(r);
    if (!skl_tar_number(r->block + TAR_SIZE, TAR_NUMBER_LEN, &size) || size < 0 ||
        size > INT64_MAX - SKL_TAR_BLOCK)
        return bad(err, "a size that cannot be");
    r->kind = (char)r->block[TAR_TYPE];
    return is_extension(r->kind) ? begin_extension(r, size, err) : begin_member(r, size, err);
}

/* -- states */

static bool collect_block(struct skl_tar_reader *r, struct skl_str *in)
{
    size_t n = SKL_TAR_BLOCK - r->block_n;

    if (n > in->n)
        n = in->n;
    if (n > 0)
        memcpy(r->block + r->block_n, in->p, n);
    *in = skl_str_skip(*in, n);
    r->block_n = (r->block_n + n) % SKL_TAR_BLOCK;
    return n > 0 && r->block_n == 0;
}

static int step_body(struct skl_tar_reader *r, struct skl_str *in, struct skl_error *err)
{
    size_t n = (uint64_t)r->left < in->n ? (size_t)r->left : in->n;

    skl_buf_add(&r->body, in->p, n);
    *in = skl_str_skip(*in, n);
    r->left -= (int64_t)n;
    if (r->left > 0)
        return 0;
    skip_to(r, r->tail, STATE_HEADER);
    return on_body(r, err);
}

static int step_gnu_map(struct skl_tar_reader *r, struct skl_error *err)
{
    int rc = skl_tar_extents_add_gnu(&r->extents, r->block, TAR_GNU_MORE_PAIRS, err);

    if (rc < 0 || r->block[TAR_GNU_MORE_EXTENDED]) {
        /* An empty piece of map that promises another one would never end. */
        return rc == 0 && is_zero(r->block, TAR_NUMBER_LEN) ? bad(err, "an empty sparse map") : rc;
    }
    r->state = STATE_READY;
    return begin_data(r, r->left, err);
}

static int step_text_map(struct skl_tar_reader *r, struct skl_str *in, struct skl_error *err)
{
    bool done = false;

    while (!done && in->n > 0) {
        int rc;

        if (r->left == 0)
            return bad(err, "a sparse map that is cut off");
        rc = skl_tar_map_text_add(&r->map_text, in->p[0], &r->extents, &done, err);
        if (rc < 0)
            return rc;
        *in = skl_str_skip(*in, 1);
        r->left--;
    }
    if (done) {
        /* The map is filled up to a block; the member's end has the same distance to a block's end. */
        size_t fill = (size_t)(((uint64_t)r->left + r->tail) % SKL_TAR_BLOCK);

        if ((uint64_t)r->left < fill)
            return bad(err, "a sparse map that is cut off");
        skip_to(r, fill, STATE_READY);
        return begin_data(r, r->left - (int64_t)fill, err);
    }
    return 0;
}

/* True when there is an event. */
static bool step_data(struct skl_tar_reader *r, struct skl_str *in, struct skl_tar_event *ev)
{
    const struct skl_tar_extent *x;
    int64_t rest;
    size_t n;

    while (r->extent < r->extents.n && r->extent_done == r->extents.at[r->extent].length) {
        r->extent++;
        r->extent_done = 0;
    }
    ev->entry = &r->entry;
    if (r->extent == r->extents.n) {
        r->has_entry = true;
        skip_to(r, r->tail, STATE_HEADER);
        ev->type = SKL_TAR_EV_ENTRY_END;
        return true;
    }
    if (in->n == 0)
        return false;
    x = &r->extents.at[r->extent];
    rest = x->length - r->extent_done;
    n = (uint64_t)rest < in->n ? (size_t)rest : in->n;
    ev->type = SKL_TAR_EV_DATA;
    ev->offset = x->offset + r->extent_done;
    ev->data = skl_str_n(in->p, n);
    *in = skl_str_skip(*in, n);
    r->extent_done += (int64_t)n;
    r->left -= (int64_t)n;
    return true;
}

static void step_pad(struct skl_tar_reader *r, struct skl_str *in)
{
    size_t n = r->pad < in->n ? r->pad : in->n;

    *in = skl_str_skip(*in, n);
    r->pad -= n;
    if (r->pad == 0)
        r->state = r->after_pad;
}

/* One step; *done when there is an event or the input is used up. */
static int step(struct skl_tar_reader *r, struct skl_str *in, struct skl_tar_event *ev, bool *done,
                struct skl_error *err)
{
    switch (r->state) {
    case STATE_HEADER:
        *done = !collect_block(r, in);
        return *done ? 0 : on_header(r, err);
    case STATE_BODY:
        *done = in->n == 0 && r->left > 0;
        return *done ? 0 : step_body(r, in, err);
    case STATE_PAD:
        *done = in->n == 0 && r->pad > 0;
        if (!*done)
            step_pad(r, in);
        return 0;
    case STATE_GNU_MAP:
        *done = !collect_block(r, in);
        return *done ? 0 : step_gnu_map(r, err);
    case STATE_TEXT_MAP:
        *done = in->n == 0;
        return *done ? 0 : step_text_map(r, in, err);
    case STATE_READY:
        *ev = (struct skl_tar_event){.type = SKL_TAR_EV_ENTRY, .entry = &r->entry};
        r->state = STATE_DATA;
        *done = true;
        return 0;
    case STATE_DATA:
        step_data(r, in, ev);
        *done = true;
        return 0;
    case STATE_END:
        ev->type = SKL_TAR_EV_END;
        r->state = STATE_ENDED;
        *done = true;
        return 0;
    case STATE_ENDED:
        *in = skl_str_skip(*in, in->n);
        *done = true;
        return 0;
    case STATE_FAILED:
        break;
    }
    return bad(err, "the archive was found broken before");
}

int skl_tar_reader_next(struct skl_tar_reader *r, struct skl_str *in, struct skl_tar_event *ev,
                        struct skl_error *err)
{
    bool done = false;

    *ev = (struct skl_tar_event){.type = SKL_TAR_EV_MORE};
    while (!done) {
        int rc = step(r, in, ev, &done, err);

        if (rc < 0) {
            r->state = STATE_FAILED;
            *ev = (struct skl_tar_event){.type = SKL_TAR_EV_MORE};
            return rc;
        }
    }
    return 0;
}

int skl_tar_reader_finish(const struct skl_tar_reader *r, struct skl_error *err)
{
    if (r->state == STATE_END || r->state == STATE_ENDED)
        return 0;
    /* Behind a member's data padding may be missing: the docker CLI forgets it after a Dockerfile that it read from
     * its input. */
    if ((r->state == STATE_HEADER || (r->state == STATE_PAD && r->after_pad == STATE_HEADER)) &&
        r->block_n == 0 && !r->has_ext)
        return 0;
    return bad(err, "the archive ends in the middle");
}
