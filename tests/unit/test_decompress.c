/* decompress: four formats and none, in any split, several streams in a row, broken, cut and too large. */
#include <bzlib.h>
#include <check.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "docker/api/decompress.h"

#define TEXT_SIZE 300000u
#define N_FORMATS 5

static char text[TEXT_SIZE];
static unsigned char packed[2 * TEXT_SIZE];
static const char *const names[N_FORMATS] = {"plain", "gzip", "bzip2", "xz", "zstd"};

static void make_text(void)
{
    unsigned x = 12345;

    for (size_t i = 0; i < TEXT_SIZE; i++) {
        x = x * 1103515245u + 12345u;
        text[i] = (char)('a' + (x >> 16) % 20);
    }
}

static size_t pack(int format, const char *p, size_t n, unsigned char *to, size_t room)
{
    unsigned small = (unsigned)room;
    z_stream z = {0};
    ZSTD_CCtx *zstd;
    size_t size = 0;

    switch (format) {
    case 0:
        memcpy(to, p, n);
        return n;
    case 1:
        ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        z.next_in = (unsigned char *)(uintptr_t)p;
        z.avail_in = (unsigned)n;
        z.next_out = to;
        z.avail_out = (unsigned)room;
        ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
        size = z.total_out;
        deflateEnd(&z);
        return size;
    case 2:
        ck_assert_int_eq(BZ2_bzBuffToBuffCompress((char *)to, &small, (char *)(uintptr_t)p,
                                                  (unsigned)n, 1, 0, 0),
                         BZ_OK);
        return small;
    case 3:
        ck_assert_int_eq(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, (const uint8_t *)p, n,
                                                 to, &size, room),
                         LZMA_OK);
        return size;
    default:
        zstd = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
        size = ZSTD_compress2(zstd, to, room, p, n);
        ck_assert(!ZSTD_isError(size));
        ZSTD_freeCCtx(zstd);
        return size;
    }
}

static int take(void *arg, struct skl_str data, struct skl_error *err)
{
    struct skl_buf *b = arg;

    ck_assert_uint_gt(data.n, 0);
    ck_assert_uint_le(data.n, SKL_DECOMPRESS_PIECE);
    skl_buf_addstr(b, data);
    return b->failed ? skl_fail(err, SKL_E_TOOBIG, "enough") : 0;
}

static int unpack(const unsigned char *p, size_t n, size_t step, struct skl_buf *out,
                  struct skl_error *err)
{
    SKL_AUTO(decompress) d = skl_decompress_new(take, out);
    int rc = 0;

    for (size_t at = 0; at < n && rc == 0; at += step)
        rc = skl_decompress_feed(d, p + at, step < n - at ? step : n - at, err);
    return rc < 0 ? rc : skl_decompress_end(d, err);
}

START_TEST(every_format_comes_out_whole_in_any_split)
{
    static const size_t steps[] = {1, 7, 4096, 65536};
    size_t n = pack(_i, text, TEXT_SIZE, packed, sizeof(packed));

    for (size_t i = 0; i < SKL_ARRAY_LEN(steps); i++) {
        SKL_AUTO_BUF struct skl_buf out = {0};
        struct skl_error err = {0};

        skl_buf_init(&out, 2 * TEXT_SIZE);
        ck_assert_msg(unpack(packed, n, steps[i], &out, &err) == 0, "%s", err.msg);
        ck_assert_uint_eq(out.n, TEXT_SIZE);
        ck_assert_int_eq(memcmp(out.p, text, TEXT_SIZE), 0);
    }
}
END_TEST

START_TEST(the_format_is_named_once_it_is_known)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    SKL_AUTO(decompress) d = skl_decompress_new(take, &out);
    size_t n = pack(_i, text, 1000, packed, sizeof(packed));

    skl_buf_init(&out, 4096);
    ck_assert_ptr_null(skl_decompress_format(d));
    ck_assert_int_eq(skl_decompress_feed(d, packed, n, NULL), 0);
    ck_assert_str_eq(skl_decompress_format(d), names[_i]);
}
END_TEST

START_TEST(streams_in_a_row_and_padding_are_one_archive)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    struct skl_error err = {0};
    size_t n = pack(_i, text, 1000, packed, sizeof(packed));

    n += pack(_i, text + 1000, 1000, packed + n, sizeof(packed) - n);
    memset(packed + n, 0, 512);
    skl_buf_init(&out, 4096);
    ck_assert_msg(unpack(packed, n + 512, 3, &out, &err) == 0, "%s", err.msg);
    ck_assert_uint_eq(out.n, 2000);
    ck_assert_int_eq(memcmp(out.p, text, 2000), 0);
}
END_TEST

START_TEST(a_cut_archive_fails_at_its_end)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    struct skl_error err = {0};
    size_t n = pack(_i, text, TEXT_SIZE, packed, sizeof(packed));

    skl_buf_init(&out, 2 * TEXT_SIZE);
    ck_assert_int_eq(unpack(packed, n - 1, 4096, &out, &err), -SKL_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "ends too early"));
}
END_TEST

START_TEST(broken_data_fails_and_stays_failed)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    SKL_AUTO(decompress) d = skl_decompress_new(take, &out);
    size_t n = pack(_i, text, TEXT_SIZE, packed, sizeof(packed));
    int rc;

    skl_buf_init(&out, 2 * TEXT_SIZE);
    memset(packed + n / 2, 0xff, 64);
    rc = skl_decompress_feed(d, packed, n, NULL);
    if (rc == 0) /* the check sum of the end is what tells */
        rc = skl_decompress_end(d, NULL);
    ck_assert_int_eq(rc, -SKL_E_INVALID);
    ck_assert_int_eq(skl_decompress_feed(d, packed, 1, NULL), -SKL_E_INVALID);
    ck_assert_int_eq(skl_decompress_end(d, NULL), -SKL_E_INVALID);
}
END_TEST

START_TEST(the_consumer_ends_a_bomb)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    struct skl_error err = {0};
    char *zeros = calloc(1, 8u << 20);
    size_t n = pack(_i, zeros, 8u << 20, packed, sizeof(packed));

    skl_buf_init(&out, 200000);
    ck_assert_int_eq(unpack(packed, n, n, &out, &err), -SKL_E_TOOBIG);
    ck_assert_str_eq(err.msg, "enough");
    ck_assert_uint_le(out.n, 200000);
    free(zeros);
}
END_TEST

START_TEST(nothing_and_beginnings_of_magics_are_plain)
{
    static const char *const inputs[] = {"",
                                         "\x1f",
                                         "BZ",
                                         "\xfd"
                                         "7zX",
                                         "\x28\xb5\x2f",
                                         "x"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(inputs); i++) {
        SKL_AUTO_BUF struct skl_buf out = {0};

        skl_buf_init(&out, 100);
        ck_assert_int_eq(unpack((const unsigned char *)inputs[i], strlen(inputs[i]), 1, &out, NULL),
                         0);
        ck_assert_str_eq(out.p, inputs[i]);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("decompress");
    TCase *t = tcase_create("decompress");
    SRunner *sr = srunner_create(s);
    int failed;

    make_text();
    suite_add_tcase(s, t);
    tcase_set_timeout(t, 50);
    tcase_add_loop_test(t, every_format_comes_out_whole_in_any_split, 0, N_FORMATS);
    tcase_add_loop_test(t, the_format_is_named_once_it_is_known, 0, N_FORMATS);
    tcase_add_loop_test(t, streams_in_a_row_and_padding_are_one_archive, 1, N_FORMATS);
    tcase_add_loop_test(t, a_cut_archive_fails_at_its_end, 1, N_FORMATS);
    tcase_add_loop_test(t, broken_data_fails_and_stays_failed, 1, N_FORMATS);
    tcase_add_loop_test(t, the_consumer_ends_a_bomb, 1, N_FORMATS);
    tcase_add_test(t, nothing_and_beginnings_of_magics_are_plain);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
