/* tar: archives of GNU tar in all of its formats, our own written back, any split, hostile input. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/tar.h"

#define LONG_100                                                                                   \
    "d123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/"  \
    "12345678"
#define MAX_FILE (4u << 20)

/* -- a transcript: everything that a consumer can see, the split of the data left out */

struct transcript {
    struct skl_buf out, content;
    int64_t piece_from, piece_to; /* neighbouring DATA events are one piece */
    bool in_entry, ended;
};

static void flush_piece(struct transcript *t)
{
    if (t->piece_to > t->piece_from)
        skl_buf_addf(&t->out, " %lld+%lld", (long long)t->piece_from,
                     (long long)(t->piece_to - t->piece_from));
    t->piece_from = t->piece_to = 0;
}

static void on_data(struct transcript *t, const struct skl_tar_event *ev)
{
    ck_assert(t->in_entry);
    ck_assert_uint_gt(ev->data.n, 0);
    ck_assert_int_ge(ev->offset, t->piece_to);
    ck_assert_int_le(ev->offset + (int64_t)ev->data.n, ev->entry->size);
    if (ev->offset != t->piece_to || t->piece_to == t->piece_from) {
        flush_piece(t);
        t->piece_from = ev->offset;
    }
    t->piece_to = ev->offset + (int64_t)ev->data.n;
    while (t->content.n < (size_t)ev->offset)
        skl_buf_addc(&t->content, '\0');
    skl_buf_addstr(&t->content, ev->data);
}

static uint32_t sum_of(const struct skl_buf *b)
{
    uint32_t sum = 2166136261u;

    for (size_t i = 0; i < b->n; i++)
        sum = (sum ^ (unsigned char)b->p[i]) * 16777619u;
    return sum;
}

static void on_event(struct transcript *t, const struct skl_tar_event *ev)
{
    const struct skl_tar_entry *e = ev->entry;

    ck_assert(!t->ended);
    switch (ev->type) {
    case SKL_TAR_EV_ENTRY:
        ck_assert(!t->in_entry);
        t->in_entry = true;
        skl_buf_addf(&t->out, "%d '%s' -> '%s' %s:%s %lld:%lld %o %lld %lld.%09d %u,%u%s",
                     (int)e->type, e->name, e->linkname, e->uname, e->gname, (long long)e->uid,
                     (long long)e->gid, e->mode, (long long)e->size, (long long)e->mtime_s,
                     e->mtime_ns, e->devmajor, e->devminor, e->sparse ? " sparse" : "");
        for (size_t i = 0; i < e->n_xattrs; i++)
            skl_buf_addf(&t->out, " %s=" SKL_STR_FMT, e->xattrs[i].name,
                         SKL_STR_ARG(e->xattrs[i].value));
        return;
    case SKL_TAR_EV_DATA:
        on_data(t, ev);
        return;
    case SKL_TAR_EV_ENTRY_END:
        ck_assert(t->in_entry);
        flush_piece(t);
        t->in_entry = false;
        if (e->size < MAX_FILE)
            while (t->content.n < (size_t)e->size)
                skl_buf_addc(&t->content, '\0');
        skl_buf_addf(&t->out, " #%08x\n", sum_of(&t->content));
        skl_buf_reset(&t->content);
        return;
    case SKL_TAR_EV_END:
        t->ended = true;
        skl_buf_adds(&t->out, "end\n");
        return;
    case SKL_TAR_EV_MORE:
        ck_abort_msg("MORE is no event");
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* max_split 0: all at once. Each piece is a copy of its exact size, for the sanitizer. */
static int read_archive(struct skl_str all, size_t max_split, uint32_t seed, char **ret,
                        struct skl_error *err)
{
    SKL_AUTO(tar_reader) r = skl_tar_reader_new();
    struct transcript t = {0};
    int rc = 0;

    skl_buf_init(&t.out, 1 << 20);
    skl_buf_init(&t.content, MAX_FILE);
    while (rc == 0 && all.n > 0) {
        size_t n = max_split ? 1 + next_random(&seed) % max_split : all.n;
        struct skl_tar_event ev;
        struct skl_str in;
        char *copy;

        n = n < all.n ? n : all.n;
        copy = malloc(n);
        memcpy(copy, all.p, n);
        in = skl_str_n(copy, n);
        while ((rc = skl_tar_reader_next(r, &in, &ev, err)) == 0 && ev.type != SKL_TAR_EV_MORE)
            on_event(&t, &ev);
        if (rc == 0)
            ck_assert_uint_eq(in.n, 0);
        free(copy);
        all = skl_str_skip(all, n);
    }
    if (rc == 0)
        rc = skl_tar_reader_finish(r, err);
    else
        ck_assert_int_lt(skl_tar_reader_next(r, &all, &(struct skl_tar_event){0}, NULL), 0);
    *ret = skl_buf_detach(&t.out);
    skl_buf_fini(&t.content);
    return rc;
}

static char *read_ok(const struct skl_buf *b)
{
    struct skl_error err = {0};
    char *text;
    int rc = read_archive(skl_buf_str(b), 0, 1, &text, &err);

    ck_assert_msg(rc == 0, "%s", err.msg);
    return text;
}

static void expect_same_in_any_split(const struct skl_buf *b)
{
    SKL_AUTO_STR char *whole = read_ok(b);
    static const size_t splits[] = {1, 7, 511, 513, 5000};

    for (size_t i = 0; i < SKL_ARRAY_LEN(splits); i++) {
        SKL_AUTO_STR char *text = NULL;

        ck_assert_int_eq(read_archive(skl_buf_str(b), splits[i], (uint32_t)i, &text, NULL), 0);
        ck_assert_str_eq(text, whole);
    }
}

static int read_fails(const struct skl_buf *b, const char *say)
{
    struct skl_error err = {0};
    SKL_AUTO_STR char *text = NULL, *small = NULL;
    int rc = read_archive(skl_buf_str(b), 0, 1, &text, &err);

    ck_assert_int_lt(rc, 0);
    ck_assert_int_eq(rc, -(int)err.kind);
    ck_assert_msg(strstr(err.msg, say) != NULL, "'%s' in '%s'", say, err.msg);
    ck_assert_int_eq(read_archive(skl_buf_str(b), 3, 1, &small, NULL), rc);
    ck_assert_str_eq(small, text);
    return rc;
}

/* -- archives that GNU tar makes of a tree */

static char tree[64];

static void make_file(const char *name, size_t n)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    FILE *f;

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "%s/%s", tree, name);
    f = fopen(path.p, "w");
    ck_assert_ptr_nonnull(f);
    for (size_t i = 0; i < n; i++)
        fputc((int)('a' + i % 23), f);
    fclose(f);
}

static void make_sparse(const char *name, unsigned pieces, off_t size)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    char block[512];
    int fd;

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "%s/%s", tree, name);
    fd = open(path.p, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    memset(block, 's', sizeof(block));
    for (unsigned i = 0; i < pieces; i++)
        ck_assert_int_eq(pwrite(fd, block, sizeof(block), 4096 + (off_t)i * 8192), 512);
    ck_assert_int_eq(ftruncate(fd, size), 0);
    close(fd);
}

static void sh(const char *fmt, ...) SKL_PRINTF(1, 2);
static void sh(const char *fmt, ...)
{
    SKL_AUTO_BUF struct skl_buf cmd = {0};
    va_list ap;

    skl_buf_init(&cmd, 65536);
    va_start(ap, fmt);
    skl_buf_addv(&cmd, fmt, ap);
    va_end(ap);
    ck_assert_int_eq(system(cmd.p), 0);
}

static void make_tree(void)
{
    snprintf(tree, sizeof(tree), "/tmp/skl-test-tar-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(tree));
    make_file("empty", 0);
    make_file("one block", 512);
    make_file("odd", 1300);
    make_file("\xc3\xbc-\xe4\xb8\xad", 5);
    make_sparse("holes", 40, 400000);
    make_sparse("only-hole", 0, 50000);
    sh("cd %s && mkdir -p sub " LONG_100
       "/x && ln -s odd link && ln odd hard && mkfifo -m 640 pipe "
       "&& chmod 4755 odd && touch -d 1969-12-31T23:59:58Z empty && "
       "touch -d 2026-11-23T09:43:38.250000001Z 'one block' && echo x > " LONG_100 "/x/file",
       tree);
}

static void drop_tree(void)
{
    sh("rm -rf %s", tree);
}

/* Owned by the caller's buffer. */
static void gnu_tar(struct skl_buf *b, const char *args)
{
    SKL_AUTO_BUF struct skl_buf cmd = {0};
    FILE *f;
    size_t n;

    skl_buf_init(&cmd, 4096);
    skl_buf_init(b, 8 << 20);
    skl_buf_addf(&cmd, "LC_ALL=C.UTF-8 tar -C %s --sort=name -cf - %s", tree, args);
    f = popen(cmd.p, "r");
    ck_assert_ptr_nonnull(f);
    while ((n = fread(skl_buf_reserve(b, 65536), 1, 65536, f)) > 0)
        skl_buf_commit(b, n);
    ck_assert_int_eq(pclose(f), 0);
    ck_assert_uint_gt(b->n, 1024);
}

static void expect_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "'%s' not in:\n%s", part, text);
}

/* Without -S, the transcript of the content must not depend on the format. */
static const char *const formats[] = {"v7", "ustar", "oldgnu", "gnu", "posix"};

START_TEST(gnu_tar_formats_read_with_the_same_content)
{
    const char *format = formats[_i];
    SKL_AUTO_BUF struct skl_buf b = {0}, args = {0};
    SKL_AUTO_STR char *text = NULL;

    skl_buf_init(&args, 1000);
    skl_buf_addf(&args,
                 "--owner=me:1000 --group=us:1001 --format=%s 'one block' odd hard link "
                 "sub%s%s",
                 format, _i == 0 ? "" : " pipe", _i < 2 ? "" : " empty");
    gnu_tar(&b, args.p);
    text = read_ok(&b);
    expect_has(text, _i == 0 ? "0 'odd' -> '' : 1000:1001 4755 1300 "
                             : "0 'odd' -> '' me:us 1000:1001 4755 1300 ");
    expect_has(text, " 0+1300 #");
    expect_has(text, "1 'hard' -> 'odd' ");
    expect_has(text, "2 'link' -> 'odd' ");
    expect_has(text, "5 'sub/' -> '' ");
    expect_has(text, "end\n");
    if (_i > 0)
        expect_has(text, "6 'pipe' -> '' me:us 1000:1001 640 0 ");
    if (_i >= 2)
        expect_has(text, " -2.000000000 ");
    if (_i == 4)
        expect_has(text, " 1795427018.250000001 ");
    expect_same_in_any_split(&b);
}
END_TEST

START_TEST(long_and_non_ascii_names_are_whole_in_every_format)
{
    SKL_AUTO_BUF struct skl_buf b = {0}, args = {0};
    SKL_AUTO_STR char *text = NULL;

    skl_buf_init(&args, 1000);
    skl_buf_addf(&args, "--format=%s '\xc3\xbc-\xe4\xb8\xad' " LONG_100, formats[_i]);
    gnu_tar(&b, args.p);
    text = read_ok(&b);
    expect_has(text, "0 '\xc3\xbc-\xe4\xb8\xad' ");
    expect_has(text, "0 '" LONG_100 "/x/file' ");
    expect_has(text, "5 '" LONG_100 "/x/' ");
    expect_same_in_any_split(&b);
}
END_TEST

static const char *const sparse_forms[] = {
    "--format=oldgnu", "--format=gnu", "--format=posix --sparse-version=0.0",
    "--format=posix --sparse-version=0.1", "--format=posix --sparse-version=1.0"};

START_TEST(sparse_files_keep_their_holes_in_every_form)
{
    SKL_AUTO_BUF struct skl_buf plain = {0}, b = {0}, args = {0};
    SKL_AUTO_STR char *text = NULL, *without = NULL;
    char sum[12];
    const char *line;

    skl_buf_init(&args, 1000);
    skl_buf_addf(&args, "-S --hole-detection=raw %s holes only-hole odd", sparse_forms[_i]);
    gnu_tar(&b, args.p);
    gnu_tar(&plain, "--format=gnu holes only-hole odd");
    text = read_ok(&b);
    without = read_ok(&plain);
    line = strstr(text, "'holes'");
    ck_assert_ptr_nonnull(line);
    expect_has(line, " 400000 ");
    expect_has(line, " sparse ");
    expect_has(line, " 4096+512 12288+512 "); /* pieces, not everything */
    line = strstr(without, "'holes'");
    snprintf(sum, sizeof(sum), "%s", strchr(line, '#'));
    expect_has(text, sum); /* the same content as the file that is stored in full */
    expect_has(text, "0 'only-hole' -> '' ");
    expect_has(text, " 50000 ");
    expect_has(text, "0 'odd' -> '' "); /* what follows is found */
    expect_same_in_any_split(&b);
}
END_TEST

START_TEST(numbers_past_octal_are_read)
{
    static const char *const args[] = {"--format=gnu --owner=:4000000000 --group=:3000000 odd",
                                       "--format=posix --owner=:4000000000 --group=:3000000 odd"};
    SKL_AUTO_BUF struct skl_buf b = {0};
    SKL_AUTO_STR char *text = NULL;

    gnu_tar(&b, args[_i]);
    text = read_ok(&b);
    expect_has(text, " 4000000000:3000000 ");
}
END_TEST

START_TEST(global_pax_headers_hold_until_taken_back)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    SKL_AUTO_STR char *text = NULL;

    gnu_tar(&b, "--format=posix --pax-option=comment=hi,uname=global odd empty");
    text = read_ok(&b);
    expect_has(text, "0 'odd' -> '' global:");
    expect_has(text, "0 'empty' -> '' global:");
    expect_same_in_any_split(&b);
}
END_TEST

/* -- the writer */

static void write_entry(struct skl_buf *b, const struct skl_tar_entry *e, const char *data)
{
    struct skl_error err = {0};

    ck_assert_msg(skl_tar_write_header(b, e, &err) == 0, "%s", err.msg);
    skl_buf_adds(b, data);
    skl_tar_write_padding(b, (int64_t)strlen(data));
}

static void write_samples(struct skl_buf *b, const char *long_name)
{
    const struct skl_tar_xattr attr[] = {{"security.capability", SKL_STR("\x01\n=\x02")},
                                         {"user.x", SKL_STR("")}};
    const struct skl_tar_entry samples[] = {
        {.type = SKL_TAR_DIR, .name = "dir", .mode = 0755, .uname = "root", .gname = "root"},
        {.name = "dir/file", .mode = 0640, .uid = 1, .gid = 2, .size = 5, .mtime_s = 1700000000},
        {.name = long_name, .size = 5, .uid = 4000000000, .mtime_s = 5, .mtime_ns = 7},
        {.name = LONG_100 "/123", .size = 5, .mtime_s = -3, .mtime_ns = 750000000},
        {.type = SKL_TAR_SYMLINK, .name = "l", .linkname = long_name, .mode = 0777},
        {.type = SKL_TAR_HARDLINK, .name = "h", .linkname = "dir/file"},
        {.type = SKL_TAR_CHARDEV, .name = "null", .devmajor = 1, .devminor = 3},
        {.type = SKL_TAR_FIFO, .name = "\xc3\xbc", .xattrs = attr, .n_xattrs = 2},
        {.name = "later", .size = 5, .mtime_s = INT64_C(1) << 40},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(samples); i++)
        write_entry(b, &samples[i], samples[i].size ? "hello" : "");
    skl_tar_write_end(b);
}

static char *name_of_length(size_t n)
{
    char *name = skl_alloc0(n + 1, 1);

    memset(name, 'n', n);
    for (size_t i = 50; i + 1 < n; i += 50)
        name[i] = '/';
    return name;
}

START_TEST(written_members_read_back_the_same)
{
    SKL_AUTO_STR char *name = name_of_length(3000), *text = NULL;
    SKL_AUTO_BUF struct skl_buf b = {0}, want = {0};

    skl_buf_init(&b, 1 << 20);
    skl_buf_init(&want, 1 << 20);
    write_samples(&b, name);
    ck_assert_uint_eq(b.n % 512, 0);
    text = read_ok(&b);
    expect_has(text, "5 'dir/' -> '' root:root 0:0 755 0 0.000000000 0,0 #");
    expect_has(text, "0 'dir/file' -> '' : 1:2 640 5 1700000000.000000000 0,0 0+5 #");
    skl_buf_addf(&want, "0 '%s' -> '' : 4000000000:0 0 5 5.000000007 0,0 0+5 #", name);
    expect_has(text, want.p);
    expect_has(text, "0 '" LONG_100 "/123' -> '' : 0:0 0 5 -3.750000000 0,0 0+5 #");
    skl_buf_reset(&want);
    skl_buf_addf(&want, "2 'l' -> '%s' : 0:0 777 0 ", name);
    expect_has(text, want.p);
    expect_has(text, "1 'h' -> 'dir/file' ");
    expect_has(text, "3 'null' -> '' : 0:0 0 0 0.000000000 1,3 #");
    expect_has(text, "6 '\xc3\xbc' -> '' : 0:0 0 0 0.000000000 0,0 "
                     "security.capability=\x01\n=\x02 user.x= #");
    expect_has(text, "0 'later' -> '' : 0:0 0 5 1099511627776.000000000 ");
    expect_same_in_any_split(&b);
}
END_TEST

START_TEST(gnu_tar_lists_what_was_written)
{
    SKL_AUTO_STR char *name = name_of_length(220);
    SKL_AUTO_BUF struct skl_buf b = {0}, out = {0}, file = {0};
    FILE *f;
    size_t n;

    skl_buf_init(&b, 1 << 20);
    skl_buf_init(&out, 1 << 20);
    skl_buf_init(&file, 1000);
    write_samples(&b, name);
    skl_buf_addf(&file, "%s/written.tar", tree);
    f = fopen(file.p, "w");
    ck_assert_uint_eq(fwrite(b.p, 1, b.n, f), b.n);
    fclose(f);
    skl_buf_reset(&file);
    skl_buf_addf(&file, "LC_ALL=C.UTF-8 TZ=UTC tar --full-time -tvf %s/written.tar 2>&1", tree);
    f = popen(file.p, "r");
    while ((n = fread(skl_buf_reserve(&out, 4096), 1, 4096, f)) > 0)
        skl_buf_commit(&out, n);
    ck_assert_msg(pclose(f) == 0, "%s", out.p);
    expect_has(out.p, "drwxr-xr-x root/root");
    expect_has(out.p, " 5 2023-11-14 22:13:20 dir/file");
    expect_has(out.p, name);
    expect_has(out.p, "4000000000/0 ");
    expect_has(out.p, "l -> ");
    expect_has(out.p, "h link to dir/file");
    expect_has(out.p, "1,3 ");
}
END_TEST

START_TEST(plain_members_need_one_block_only)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    const struct skl_tar_entry e = {.name = LONG_100 "/1", .size = 5, .mtime_s = 1};

    skl_buf_init(&b, 4096);
    ck_assert_int_eq(skl_tar_write_header(&b, &e, NULL), 0);
    ck_assert_uint_eq(b.n, 512);
    ck_assert_mem_eq(b.p + 257,
                     "ustar\0"
                     "00",
                     8);
}
END_TEST

START_TEST(members_that_cannot_be_written_fail)
{
    SKL_AUTO_STR char *name = name_of_length(SKL_TAR_MAX_NAME + 1);
    const struct skl_tar_xattr attr = {"a=b", SKL_STR("")};
    const struct {
        struct skl_tar_entry e;
        int rc;
    } cases[] = {
        {{.name = ""}, -SKL_E_INVALID},
        {{.name = NULL}, -SKL_E_INVALID},
        {{.name = "x", .size = -1}, -SKL_E_INVALID},
        {{.name = "x", .size = INT64_MAX}, -SKL_E_INVALID},
        {{.name = "x", .uid = -1}, -SKL_E_INVALID},
        {{.name = "x", .mtime_ns = 1000000000}, -SKL_E_INVALID},
        {{.name = "x", .sparse = true}, -SKL_E_INVALID},
        {{.name = "x", .xattrs = &attr, .n_xattrs = 1}, -SKL_E_INVALID},
        {{.name = name}, -SKL_E_TOOBIG},
        {{.name = "x", .linkname = name}, -SKL_E_TOOBIG},
    };
    SKL_AUTO_BUF struct skl_buf b = {0}, tiny = {0};

    skl_buf_init(&b, 1 << 20);
    skl_buf_init(&tiny, 100);
    for (size_t i = 0; i < SKL_ARRAY_LEN(cases); i++)
        ck_assert_int_eq(skl_tar_write_header(&b, &cases[i].e, NULL), cases[i].rc);
    ck_assert_uint_eq(b.n, 0);
    ck_assert_int_eq(skl_tar_write_header(&tiny, &(struct skl_tar_entry){.name = "x"}, NULL),
                     -SKL_E_TOOBIG);
}
END_TEST

/* -- hostile input */

static void raw_header(struct skl_buf *b, char type, const char *name, const char *size)
{
    unsigned char block[512] = {0};
    unsigned sum = 0;
    char text[8];

    memcpy(block, name, strlen(name));
    memcpy(block + 100,
           "0000644\0"
           "0000000\0"
           "0000000\0",
           24);
    memcpy(block + 124, size, strlen(size));
    memcpy(block + 136, "00000000000", 11);
    block[156] = (unsigned char)type;
    memcpy(block + 257,
           "ustar\0"
           "00",
           8);
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += block[i];
    snprintf(text, sizeof(text), "%06o", sum & 0777777);
    memcpy(block + 148, text, 7);
    skl_buf_add(b, block, 512);
}

static void pax(struct skl_buf *b, char type, const char *body, size_t n)
{
    char size[16];

    snprintf(size, sizeof(size), "%011zo", n);
    raw_header(b, type, "pax", size);
    skl_buf_add(b, body, n);
    skl_tar_write_padding(b, (int64_t)n);
}

START_TEST(broken_pax_records_fail)
{
    static const struct {
        struct skl_str body;
        const char *say;
    } cases[] = {
        {SKL_STR("garbage"), "wrong length"},
        {SKL_STR("99 path=x\n"), "wrong length"},
        {SKL_STR("2 path=x\n"), "wrong length"},
        {SKL_STR("0 path=x\n"), "wrong length"},
        {SKL_STR("99999999999999999999999 path=x\n"), "wrong length"},
        {SKL_STR("-10 path=x\n"), "wrong length"},
        {SKL_STR("10 path=x "), "wrong length"},
        {SKL_STR("3 \n"), "without a key"},
        {SKL_STR("5 =x\n"), "without a key"},
        {SKL_STR("8 path\n\0"), "wrong length"},
        {SKL_STR("10 path=\0\n"), "zero byte"},
        {SKL_STR("10 size=x\n"), "a number that is none"},
        {SKL_STR("11 size=-1\n"), "a number that is none"},
        {SKL_STR("28 size=9999999999999999999\n"), "a number that is none"},
        {SKL_STR("28 size=9223372036854775807\n"), "a size that cannot be"},
        {SKL_STR("13 mtime=1.x\n"), "a number that is none"},
        {SKL_STR("20 GNU.sparse.map=1\n"), "list of pairs"},
        {SKL_STR("26 GNU.sparse.numbytes=12\n"), "list of pairs"},
        {SKL_STR("24 GNU.sparse.offset=12\n"), "sparse file without a size"},
        {SKL_STR("22 GNU.sparse.major=7\n"), "unknown form"},
        {SKL_STR("24 GNU.sparse.map=0,512\n"), "sparse file without a size"},
        {SKL_STR("24 GNU.sparse.map=0,512\n22 GNU.sparse.size=10\n"), "contradicts itself"},
        {SKL_STR("28 GNU.sparse.map=0,5,2,512\n23 GNU.sparse.size=999\n"), "contradicts itself"},
        {SKL_STR("22 GNU.sparse.map=0,5\n22 GNU.sparse.size=99\n"), "does not fit"},
    };
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 1 << 20);
    pax(&b, 'x', cases[_i].body.p, cases[_i].body.n);
    raw_header(&b, '0', "file", "00000000000");
    (void)read_fails(&b, cases[_i].say);
}
END_TEST

START_TEST(broken_headers_fail)
{
    static const struct {
        char type;
        const char *name, *size, *say;
    } cases[] = {
        {'0', "", "00000000000", "without a name"},
        {'0', "x", "0000000000x", "a size that cannot be"},
        {'0', "x", "\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "a size that cannot be"},
        {'0', "x", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "a size that cannot be"},
        {'V', "x", "00000000000", "unknown type 0x56"},
        {'x', "x", "00077777777", "extension header of"},
        {'L', "x", "00000200002", "extension header of"},
        {'x', "x", "00000000000", "ends in the middle"},
        {'0', "x", "00000000001", "ends in the middle"},
    };
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 1 << 20);
    raw_header(&b, cases[_i].type, cases[_i].name, cases[_i].size);
    (void)read_fails(&b, cases[_i].say);
}
END_TEST

START_TEST(many_extension_headers_before_one_member_fail)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 8 << 20);
    for (int i = 0; i < 5000; i++)
        pax(&b, 'x', "10 path=x\n", 10);
    ck_assert_int_eq(read_fails(&b, "extension header"), -SKL_E_TOOBIG);
}
END_TEST

START_TEST(what_is_no_archive_fails)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 1 << 20);
    for (int i = 0; i < 512; i++)
        skl_buf_addc(&b, (char)('A' + i % 26));
    ck_assert_int_eq(read_fails(&b, "wrong checksum"), -SKL_E_PROTOCOL);
    skl_buf_reset(&b);
    skl_buf_adds(&b, "short");
    (void)read_fails(&b, "ends in the middle");
}
END_TEST

START_TEST(end_blocks_may_be_missing_or_many)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    SKL_AUTO_STR char *none = NULL, *empty = NULL, *one = NULL, *many = NULL;

    skl_buf_init(&b, 1 << 20);
    empty = read_ok(&b);
    ck_assert_str_eq(empty, "");
    raw_header(&b, '0', "file", "00000000000");
    none = read_ok(&b);
    ck_assert_ptr_null(strstr(none, "end\n"));
    skl_buf_add(&b, (char[512]){0}, 512);
    one = read_ok(&b);
    ck_assert_str_eq(one, none);
    skl_buf_add(&b, (char[9 * 512 + 100]){0}, 9 * 512 + 100);
    many = read_ok(&b);
    ck_assert_ptr_nonnull(strstr(many, "end\n"));
    expect_same_in_any_split(&b);
}
END_TEST

START_TEST(a_member_behind_an_end_block_fails)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 1 << 20);
    skl_buf_add(&b, (char[512]){0}, 512);
    raw_header(&b, '0', "file", "00000000000");
    (void)read_fails(&b, "behind an end block");
}
END_TEST

START_TEST(a_local_header_takes_a_global_value_back)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    SKL_AUTO_STR char *text = NULL;

    skl_buf_init(&b, 1 << 20);
    pax(&b, 'g', "12 uname=me\n10 uid=77\n", 22);
    raw_header(&b, '0', "a", "00000000000");
    pax(&b, 'x', "9 uname=\n10 uid=78\n", 19);
    raw_header(&b, '0', "b", "00000000000");
    raw_header(&b, '0', "c", "00000000000");
    text = read_ok(&b);
    expect_has(text, "'a' -> '' me: 77:0 ");
    expect_has(text, "'b' -> '' : 78:0 ");
    expect_has(text, "'c' -> '' me: 77:0 ");
}
END_TEST

START_TEST(links_and_directories_have_no_data_whatever_they_say)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    SKL_AUTO_STR char *text = NULL;

    skl_buf_init(&b, 1 << 20);
    raw_header(&b, '5', "d", "00000010000");
    raw_header(&b, '1', "h", "00000010000");
    raw_header(&b, '0', "old-dir/", "00000000000");
    text = read_ok(&b);
    expect_has(text, "5 'd' -> '' : 0:0 644 0 ");
    expect_has(text, "1 'h' -> '' : 0:0 644 0 ");
    expect_has(text, "5 'old-dir/' ");
}
END_TEST

START_TEST(damaged_archives_never_break_the_reader)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    uint32_t seed = 7;

    gnu_tar(&b, "-S --hole-detection=raw --format=posix holes odd link");
    for (int i = 0; i < 500; i++) {
        SKL_AUTO_STR char *text = NULL;
        char *copy = skl_memdup(b.p, b.n);

        for (int k = 0; k < 3; k++)
            copy[next_random(&seed) % 4096] = (char)next_random(&seed);
        (void)read_archive(skl_str_n(copy, b.n), 4000, seed, &text, NULL); /* any outcome is fine */
        free(copy);
    }
}
END_TEST

/* -- names */

START_TEST(names_are_cleaned_below_their_root)
{
    static const struct {
        const char *name, *clean; /* NULL: refused */
    } cases[] = {
        {"a", "a"},     {"./a", "a"},  {"/a/b/", "a/b"}, {"a//b/./c", "a/b/c"},  {"", ""},
        {".", ""},      {"./", ""},    {"/", ""},        {"..", NULL},           {"a/..", NULL},
        {"../a", NULL}, {"/..", NULL}, {"a/../b", NULL}, {"..a/b..", "..a/b.."}, {"a/...", "a/..."},
        {"./..", NULL},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(cases); i++) {
        SKL_AUTO_STR char *clean = NULL;
        int rc = skl_tar_clean_path(cases[i].name, &clean, NULL);

        ck_assert_int_eq(rc, cases[i].clean ? 0 : -SKL_E_INVALID);
        if (cases[i].clean)
            ck_assert_str_eq(clean, cases[i].clean);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tar");
    TCase *gnu = tcase_create("gnu tar"), *own = tcase_create("writer"),
          *hostile = tcase_create("hostile");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_add_unchecked_fixture(gnu, make_tree, drop_tree);
    tcase_add_unchecked_fixture(own, make_tree, drop_tree);
    tcase_add_unchecked_fixture(hostile, make_tree, drop_tree);
    tcase_set_timeout(gnu, 60);
    tcase_set_timeout(hostile, 60);
    tcase_add_loop_test(gnu, gnu_tar_formats_read_with_the_same_content, 0, 5);
    tcase_add_loop_test(gnu, long_and_non_ascii_names_are_whole_in_every_format, 1, 5);
    tcase_add_loop_test(gnu, sparse_files_keep_their_holes_in_every_form, 0, 5);
    tcase_add_loop_test(gnu, numbers_past_octal_are_read, 0, 2);
    tcase_add_test(gnu, global_pax_headers_hold_until_taken_back);
    tcase_add_test(own, written_members_read_back_the_same);
    tcase_add_test(own, gnu_tar_lists_what_was_written);
    tcase_add_test(own, plain_members_need_one_block_only);
    tcase_add_test(own, members_that_cannot_be_written_fail);
    tcase_add_loop_test(hostile, broken_pax_records_fail, 0, 24);
    tcase_add_loop_test(hostile, broken_headers_fail, 0, 9);
    tcase_add_test(hostile, many_extension_headers_before_one_member_fail);
    tcase_add_test(hostile, what_is_no_archive_fails);
    tcase_add_test(hostile, end_blocks_may_be_missing_or_many);
    tcase_add_test(hostile, a_member_behind_an_end_block_fails);
    tcase_add_test(hostile, a_local_header_takes_a_global_value_back);
    tcase_add_test(hostile, links_and_directories_have_no_data_whatever_they_say);
    tcase_add_test(hostile, damaged_archives_never_break_the_reader);
    tcase_add_test(hostile, names_are_cleaned_below_their_root);
    suite_add_tcase(s, gnu);
    suite_add_tcase(s, own);
    suite_add_tcase(s, hostile);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
