/* base: strings, buffers, maps, lists, ids, errors, encodings, times. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/id.h"
#include "base/ip.h"
#include "base/list.h"
#include "base/map.h"
#include "base/shared_text.h"

/* -- str */

START_TEST(cut_gives_the_part_before_and_the_rest)
{
    struct skl_str rest = SKL_STR("a=b=c"), part;

    part = skl_str_cut(rest, '=', &rest);
    ck_assert(skl_str_eqz(part, "a"));
    ck_assert(skl_str_eqz(rest, "b=c"));
    part = skl_str_cut(SKL_STR("abc"), '=', &rest);
    ck_assert(skl_str_eqz(part, "abc"));
    ck_assert_ptr_null(rest.p);
    part = skl_str_cut(SKL_STR("abc="), '=', &rest);
    ck_assert(skl_str_eqz(part, "abc"));
    ck_assert_ptr_nonnull(rest.p);
    ck_assert_uint_eq(rest.n, 0);
}
END_TEST

START_TEST(empty_and_null_views_are_harmless)
{
    struct skl_str none = {NULL, 0}, rest;

    ck_assert(skl_str_eq(none, SKL_STR("")));
    ck_assert(skl_str_starts(none, ""));
    ck_assert(skl_str_ends(none, ""));
    ck_assert(!skl_str_starts(none, "a"));
    ck_assert_uint_eq(skl_str_trim(none).n, 0);
    ck_assert_uint_eq(skl_str_skip(none, 3).n, 0);
    ck_assert_uint_eq(skl_str_cut(none, ',', &rest).n, 0);
    ck_assert_uint_eq(skl_str(NULL).n, 0);
}
END_TEST

START_TEST(comparisons_respect_case_and_length)
{
    ck_assert(skl_str_ieqz(SKL_STR("Content-Type"), "content-type"));
    ck_assert(!skl_str_ieqz(SKL_STR("Content"), "content-type"));
    ck_assert(!skl_str_eqz(SKL_STR("A"), "a"));
    ck_assert(skl_str_istarts(SKL_STR("Bearer x"), "bearer "));
    ck_assert(skl_str_starts(SKL_STR("abc"), "abc"));
    ck_assert(!skl_str_starts(SKL_STR("ab"), "abc"));
    ck_assert(skl_str_ends(SKL_STR("a.tar"), ".tar"));
    ck_assert(skl_str_eqz(skl_str_trim(SKL_STR(" \t\r\nx y\n ")), "x y"));
    ck_assert(skl_streq(NULL, NULL));
    ck_assert(!skl_streq(NULL, ""));
}
END_TEST

START_TEST(secrets_are_equal_only_when_they_are)
{
    ck_assert(skl_str_eq_secret(SKL_STR("token"), SKL_STR("token")));
    ck_assert(!skl_str_eq_secret(SKL_STR("token"), SKL_STR("tokem")));
    ck_assert(!skl_str_eq_secret(SKL_STR("token"), SKL_STR("tokentoken")));
    ck_assert(!skl_str_eq_secret(SKL_STR("tokentoken"), SKL_STR("token")));
    ck_assert(!skl_str_eq_secret(SKL_STR(""), SKL_STR("token")));
    ck_assert(!skl_str_eq_secret(SKL_STR("token"), SKL_STR("")));
}
END_TEST

START_TEST(numbers_are_whole_and_in_range)
{
    static const struct {
        const char *text;
        bool is_u64, is_i64;
        uint64_t u;
        int64_t i;
    } cases[] = {
        {"0", true, true, 0, 0},
        {"007", true, true, 7, 7},
        {"18446744073709551615", true, false, UINT64_MAX, 0},
        {"18446744073709551616", false, false, 0, 0},
        {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
        {"9223372036854775808", true, false, (uint64_t)INT64_MAX + 1, 0},
        {"-9223372036854775808", false, true, 0, INT64_MIN},
        {"-9223372036854775809", false, false, 0, 0},
        {"-0", false, true, 0, 0},
        {"-1", false, true, 0, -1},
        {"", false, false, 0, 0},
        {"-", false, false, 0, 0},
        {"+", false, false, 0, 0},
        {" 1", false, false, 0, 0},
        {"1 ", false, false, 0, 0},
        {"1x", false, false, 0, 0},
        {"0x10", false, false, 0, 0},
        {"--1", false, false, 0, 0},
    };

    for (size_t k = 0; k < SKL_ARRAY_LEN(cases); k++) {
        uint64_t u = 0;
        int64_t i = 0;

        ck_assert_int_eq(skl_str_u64(skl_str(cases[k].text), &u), cases[k].is_u64);
        ck_assert_uint_eq(u, cases[k].u);
        ck_assert_int_eq(skl_str_i64(skl_str(cases[k].text), &i), cases[k].is_i64);
        ck_assert_int_eq(i, cases[k].i);
    }
}
END_TEST

/* -- alloc */

START_TEST(string_vectors_grow_copy_and_end_with_null)
{
    char **v = NULL, **copy;

    ck_assert_ptr_null(skl_strv_dup(NULL));
    ck_assert_uint_eq(skl_strv_len(NULL), 0);
    skl_strv_push(&v, "a");
    skl_strv_push(&v, "");
    copy = skl_strv_dup(v);
    ck_assert_uint_eq(skl_strv_len(copy), 2);
    ck_assert_str_eq(copy[0], "a");
    ck_assert_ptr_null(copy[2]);
    skl_strv_free(v);
    skl_strv_free(copy);
    skl_strv_free(NULL);
}
END_TEST

START_TEST(strset_takes_a_part_of_the_old_value)
{
    char *s = skl_strdup("old value");

    skl_strset(&s, s + 4);
    ck_assert_str_eq(s, "value");
    skl_strset(&s, NULL);
    ck_assert_ptr_null(s);
}
END_TEST

/* -- buf */

START_TEST(buffer_is_text_from_the_start)
{
    struct skl_buf b;

    skl_buf_init(&b, 100);
    ck_assert_str_eq(b.p, "");
    skl_buf_addf(&b, "%s-%d", "x", 5);
    skl_buf_addc(&b, '!');
    ck_assert_str_eq(b.p, "x-5!");
    skl_buf_consume(&b, 2);
    ck_assert_str_eq(b.p, "5!");
    skl_buf_reset(&b);
    ck_assert_str_eq(b.p, "");
    skl_buf_fini(&b);
    skl_buf_fini(&b);
    ck_assert_str_eq(b.p, "");
}
END_TEST

START_TEST(buffer_past_its_ceiling_fails_once_and_for_all)
{
    struct skl_error err = {0};
    struct skl_buf b;
    char *out = NULL;

    skl_buf_init(&b, 5);
    skl_buf_adds(&b, "12345");
    ck_assert(!b.failed);
    skl_buf_addc(&b, '6');
    ck_assert(b.failed);
    skl_buf_adds(&b, "");
    skl_buf_addf(&b, "%d", 7);
    ck_assert_str_eq(b.p, "12345");
    ck_assert_int_eq(skl_buf_finish(&b, &out, &err), -SKL_E_TOOBIG);
    ck_assert_ptr_null(out);
    ck_assert_int_eq(err.kind, SKL_E_TOOBIG);
    skl_buf_init(&b, 5);
    ck_assert_ptr_null(skl_buf_reserve(&b, SIZE_MAX));
    skl_buf_fini(&b);
}
END_TEST

START_TEST(finish_hands_the_text_over_and_starts_anew)
{
    struct skl_buf b;
    char *out, *none;

    skl_buf_init(&b, 100);
    skl_buf_adds(&b, "one");
    ck_assert_int_eq(skl_buf_finish(&b, &out, NULL), 0);
    ck_assert_str_eq(out, "one");
    skl_buf_adds(&b, "two");
    ck_assert_str_eq(b.p, "two");
    skl_buf_fini(&b);
    none = skl_buf_detach(&b);
    ck_assert_str_eq(none, "");
    free(out);
    free(none);
}
END_TEST

/* -- map and list */

START_TEST(map_holds_what_a_plain_table_holds)
{
    enum { KEYS = 500 };
    static int values[KEYS];
    bool there[KEYS] = {false};
    uint32_t seed = 1;
    size_t n = 0;
    struct skl_map m;

    skl_map_init(&m);
    for (int round = 0; round < 20000; round++) {
        char key[16];
        unsigned k;

        seed = seed * 1664525u + 1013904223u;
        k = (seed >> 8) % KEYS;
        snprintf(key, sizeof(key), "key-%u", k);
        ck_assert_ptr_eq(skl_map_getz(&m, key), there[k] ? &values[k] : NULL);
        if (seed >> 31) {
            ck_assert_ptr_eq(skl_map_set(&m, skl_str(key), &values[k]),
                             there[k] ? &values[k] : NULL);
            n += !there[k];
            there[k] = true;
        } else {
            ck_assert_ptr_eq(skl_map_remove(&m, skl_str(key)), there[k] ? &values[k] : NULL);
            n -= there[k];
            there[k] = false;
        }
        ck_assert_uint_eq(m.n, n);
    }
    ck_assert_uint_le(m.cap, 4096); /* tombstones do not let it grow */
    skl_map_fini(&m);
}
END_TEST

START_TEST(map_iteration_visits_each_once_and_may_remove)
{
    static int values[50];
    bool seen[50] = {false};
    struct skl_map m;
    struct skl_str key;
    size_t i = 0, count = 0;
    int *v;

    skl_map_init(&m);
    for (int k = 0; k < 50; k++)
        skl_map_set(&m, skl_str_n((char *)&k, sizeof(k)), &values[k]); /* keys are bytes */
    while ((v = skl_map_next(&m, &i, &key))) {
        ck_assert(!seen[v - values]);
        seen[v - values] = true;
        count++;
        if (count % 2)
            ck_assert_ptr_eq(skl_map_remove(&m, key), v);
    }
    ck_assert_uint_eq(count, 50);
    ck_assert_uint_eq(m.n, 25);
    skl_map_fini(&m);
}
END_TEST

START_TEST(an_empty_key_is_a_key)
{
    struct skl_map m;
    int v;

    skl_map_init(&m);
    ck_assert_ptr_null(skl_map_getz(&m, ""));
    skl_map_set(&m, (struct skl_str){NULL, 0}, &v);
    ck_assert_ptr_eq(skl_map_getz(&m, ""), &v);
    skl_map_fini(&m);
}
END_TEST

struct item {
    int n;
    struct skl_list node;
};

START_TEST(list_keeps_order_and_removes_twice_harmlessly)
{
    struct item items[3] = {{.n = 1}, {.n = 2}, {.n = 0}};
    struct skl_list head, *it, *tmp;
    int want = 0;

    skl_list_init(&head);
    ck_assert(skl_list_empty(&head));
    skl_list_remove(&items[0].node); /* never was in a list */
    skl_list_push(&head, &items[0].node);
    skl_list_push(&head, &items[1].node);
    skl_list_push_front(&head, &items[2].node);
    skl_list_foreach_safe (it, tmp, &head) {
        ck_assert_int_eq(SKL_LIST_ENTRY(it, struct item, node)->n, want++);
        skl_list_remove(it);
        skl_list_remove(it);
    }
    ck_assert_int_eq(want, 3);
    ck_assert(skl_list_empty(&head));
    ck_assert_ptr_null(SKL_LIST_FIRST(&head, struct item, node));
}
END_TEST

/* -- error */

START_TEST(errors_carry_kind_status_and_context)
{
    struct skl_error err = {0};
    int rc = skl_fail(&err, SKL_E_NOTFOUND, "no %s", "such thing");

    ck_assert_int_eq(rc, -SKL_E_NOTFOUND);
    rc = skl_wrap(&err, rc, "looking for '%s'", "x");
    ck_assert_int_eq(rc, -SKL_E_NOTFOUND);
    ck_assert_str_eq(err.msg, "looking for 'x': no such thing");
    ck_assert_int_eq(skl_kind_status(err.kind), 404);
    ck_assert_str_eq(skl_kind_name(err.kind), "NOTFOUND");
    ck_assert_int_eq(skl_fail(NULL, SKL_E_CONFLICT, "x"), -SKL_E_CONFLICT);
    ck_assert_int_eq(skl_wrap(&err, 0, "not a failure"), 0);
    ck_assert_int_eq(skl_kind_status((enum skl_kind)999), 500);
}
END_TEST

START_TEST(an_error_may_quote_the_message_it_replaces)
{
    struct skl_error err = {0};

    (void)skl_fail(&err, SKL_E_UNAVAILABLE, "cause");
    ck_assert_int_eq(skl_fail(&err, SKL_E_CONFLICT, "because of %s", err.msg), -SKL_E_CONFLICT);
    ck_assert_str_eq(err.msg, "because of cause");
}
END_TEST

START_TEST(long_messages_are_cut)
{
    struct skl_error err = {0};
    char text[2000];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    (void)skl_fail(&err, SKL_E_INVALID, "%s", text);
    ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
    (void)skl_wrap(&err, -SKL_E_INVALID, "%s", text);
    ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
    (void)skl_fail_errno(&err, 2, "open");
    ck_assert_str_eq(err.msg, "open: No such file or directory");
    ck_assert_int_eq(err.sys, 2);
}
END_TEST

/* -- id */

START_TEST(ids_have_their_shape_and_differ)
{
    char a[SKL_ID_LEN + 1], b[SKL_ID_LEN + 1], odd[6], uuid[37];

    skl_random_hex(a, SKL_ID_LEN);
    skl_random_hex(b, SKL_ID_LEN);
    skl_random_hex(odd, 5);
    ck_assert_uint_eq(strlen(a), SKL_ID_LEN);
    ck_assert_uint_eq(strlen(odd), 5);
    ck_assert(skl_is_hex(skl_str(a)));
    ck_assert_str_ne(a, b);
    skl_uuid4(uuid);
    ck_assert_uint_eq(strlen(uuid), 36);
    ck_assert_int_eq(uuid[14], '4');
    ck_assert_ptr_nonnull(strchr("89ab", uuid[19]));
    ck_assert(!skl_is_hex(SKL_STR("")));
    ck_assert(!skl_is_hex(SKL_STR("ABC")));
    ck_assert(!skl_is_hex(SKL_STR("12g")));
}
END_TEST

/* -- encode */

START_TEST(base64_known_values)
{
    static const struct {
        const char *plain, *standard, *url;
    } cases[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"\xff\xfe\xfd", "//79", "__79"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(cases); i++) {
        SKL_AUTO_BUF struct skl_buf a = {0}, b = {0}, c = {0};

        skl_buf_init(&a, 100);
        skl_buf_init(&b, 100);
        skl_buf_init(&c, 100);
        skl_base64_add(&a, cases[i].plain, strlen(cases[i].plain));
        skl_base64url_add(&b, cases[i].plain, strlen(cases[i].plain));
        ck_assert_str_eq(a.p, cases[i].standard);
        ck_assert_str_eq(b.p, cases[i].url);
        ck_assert(skl_base64_decode(&c, skl_buf_str(&a)));
        ck_assert_str_eq(c.p, cases[i].plain);
        skl_buf_reset(&c);
        ck_assert(skl_base64_decode(&c, skl_buf_str(&b)));
        ck_assert_str_eq(c.p, cases[i].plain);
    }
}
END_TEST

START_TEST(base64_refuses_what_it_is_not)
{
    static const char *const bad[] = {
        "A", "Zg=", "Zm9v Zm9v", "Z===", "Zm9v=", "====", "%%%%", "Zg==x"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(bad); i++) {
        SKL_AUTO_BUF struct skl_buf b = {0};

        skl_buf_init(&b, 100);
        ck_assert_msg(!skl_base64_decode(&b, skl_str(bad[i])), "%s", bad[i]);
    }
}
END_TEST

START_TEST(url_encoding_and_decoding)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 200);
    skl_url_encode(&b, SKL_STR("a b/c?\xc3\xbc~-._"));
    ck_assert_str_eq(b.p, "a%20b%2Fc%3F%C3%BC~-._");
    skl_buf_reset(&b);
    skl_url_decode(&b, SKL_STR("a+b%2fc%2"), true);
    ck_assert_str_eq(b.p, "a b/c%2");
    skl_buf_reset(&b);
    skl_url_decode(&b, SKL_STR("a+b%zz%"), false);
    ck_assert_str_eq(b.p, "a+b%zz%");
    skl_buf_reset(&b);
    skl_hex_add(&b, "\x00\xff\x1a", 3);
    ck_assert_str_eq(b.p, "00ff1a");
}
END_TEST

START_TEST(query_is_walked_pair_by_pair)
{
    struct skl_str rest = SKL_STR("&a=1&&b&c==x&"), key, value;

    ck_assert(skl_query_next(&rest, &key, &value));
    ck_assert(skl_str_eqz(key, "a") && skl_str_eqz(value, "1"));
    ck_assert(skl_query_next(&rest, &key, &value));
    ck_assert(skl_str_eqz(key, "b") && value.n == 0);
    ck_assert(skl_query_next(&rest, &key, &value));
    ck_assert(skl_str_eqz(key, "c") && skl_str_eqz(value, "=x"));
    ck_assert(!skl_query_next(&rest, &key, &value));
}
END_TEST

/* -- clock */

START_TEST(times_print_as_go_prints_them)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0001-01-01T00:00:00Z"},
        {INT64_C(1795427018390000000), "2026-11-23T09:43:38.39Z"},
        {INT64_C(1795427018000000000), "2026-11-23T09:43:38Z"},
        {INT64_C(1795427018000000001), "2026-11-23T09:43:38.000000001Z"},
        {-1, "1969-12-31T23:59:59.999999999Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
    };
    char out[SKL_TIME_LEN];

    for (size_t i = 0; i < SKL_ARRAY_LEN(cases); i++)
        ck_assert_str_eq(skl_time_format(cases[i].ns, out), cases[i].text);
    ck_assert_str_eq(skl_time_format_fixed(INT64_C(1795427018390000000), out),
                     "2026-11-23T09:43:38.390000000Z");
}
END_TEST

START_TEST(times_parse_with_any_zone_and_fraction)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"2026-11-23T09:43:38.39Z", INT64_C(1795427018390000000)},
        {"2026-11-23t09:43:38z", INT64_C(1795427018000000000)},
        {"2026-11-23 10:43:38+01:00", INT64_C(1795427018000000000)},
        {"2026-11-23T04:13:38.0000000019-05:30", INT64_C(1795427018000000001)},
        {"0001-01-01T00:00:00Z", 0},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000000)},
    };
    int64_t ns;

    for (size_t i = 0; i < SKL_ARRAY_LEN(cases); i++) {
        ck_assert_msg(skl_time_parse(skl_str(cases[i].text), &ns), "%s", cases[i].text);
        ck_assert_int_eq(ns, cases[i].ns);
    }
}
END_TEST

START_TEST(what_is_no_time_does_not_parse)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-11-23",
        "2026-11-23T09:43:38",
        "2026-11-23T09:43:38.Z",
        "2026-11-23T09:43:38Zx",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-02-31T00:00:00Z",
        "2026-11-00T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T09:60:00Z",
        "2026-11-23T09:43:61Z",
        "2026-11-23T09:43:38+0100",
        "2026-11-23T09:43:38+24:00",
        "2026-11-23T09:43:38 Z",
        "2026\r11-23T09:43:38Z",
        "9999-12-31T23:59:59Z",
        "1500-01-01T00:00:00Z",
        "+026-11-23T09:43:38Z",
    };
    int64_t ns = 77;

    for (size_t i = 0; i < SKL_ARRAY_LEN(bad); i++)
        ck_assert_msg(!skl_time_parse(skl_str(bad[i]), &ns), "%s", bad[i]);
    ck_assert_int_eq(ns, 77);
}
END_TEST

START_TEST(equal_texts_are_held_once)
{
    const char *held[300];
    char text[32];

    ck_assert_ptr_null(skl_text_share(NULL));
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof(text), "text %d", i % 100);
        held[i] = skl_text_share(skl_strdup(text));
        ck_assert_str_eq(held[i], text);
        ck_assert_ptr_eq(held[i], held[i % 100]);
    }
    for (int i = 0; i < 200; i++)
        skl_text_unref(held[i]);
    for (int i = 200; i < 300; i++) {
        snprintf(text, sizeof(text), "text %d", i % 100);
        ck_assert_str_eq(held[i], text);
        skl_text_unref(held[i]);
    }
}
END_TEST

START_TEST(clocks_go_forward)
{
    int64_t a = skl_mono_ms(), w = skl_wall_ns();

    ck_assert_int_ge(skl_mono_ms(), a);
    ck_assert_int_gt(w, INT64_C(1700000000000000000));
}
END_TEST

START_TEST(addresses_parse_mask_and_count_in_both_families)
{
    static const struct {
        const char *prefix, *masked;
        uint64_t add;
        const char *sum;
    } cases[] = {
        {"10.9.8.7/24", "10.9.8.0", 300, "10.9.9.44"},
        {"10.9.8.7/0", "0.0.0.0", 1, "0.0.0.1"},
        {"10.9.8.7/32", "10.9.8.7", 0, "10.9.8.7"},
        {"fd00:1:2:3:4::5/64", "fd00:1:2:3::", 0x10002, "fd00:1:2:3::1:2"},
        {"fd00::1/9", "fd00::", 255, "fd00::ff"},
    };
    static const char *const bad[] = {"",          "10.0.0.0",    "10.0.0.0/",    "10.0.0.0/33",
                                      "10.0.0/24", "fd00::/129",  "/24",          "10.0.0.0/ 8",
                                      "x/8",       "10.0.0.0/-1", "10.0.0.0/0008"};
    struct skl_ip a, b;
    unsigned bits;
    uint64_t offset;

    for (size_t i = 0; i < SKL_ARRAY_LEN(cases); i++) {
        ck_assert(skl_ip_parse_prefix(cases[i].prefix, &a, &bits));
        b = skl_ip_mask(a, bits);
        SKL_AUTO_STR char *masked = skl_ip_text(&b);
        ck_assert_str_eq(masked, cases[i].masked);
        ck_assert(skl_ip_in(&a, &b, bits));
        a = skl_ip_add(b, cases[i].add);
        SKL_AUTO_STR char *sum = skl_ip_text(&a);
        ck_assert_str_eq(sum, cases[i].sum);
        ck_assert(skl_ip_offset(&a, &b, &offset));
        ck_assert_uint_eq(offset, cases[i].add);
    }
    for (size_t i = 0; i < SKL_ARRAY_LEN(bad); i++)
        ck_assert_msg(!skl_ip_parse_prefix(bad[i], &a, &bits), "%s", bad[i]);
    ck_assert(!skl_ip_parse_prefix(NULL, &a, &bits));
    ck_assert(skl_ip_parse("10.0.0.1", &a) && skl_ip_parse("::a00:1", &b));
    ck_assert(!skl_ip_eq(&a, &b) && !skl_ip_in(&a, &b, 0) && !skl_ip_offset(&a, &b, &offset));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base");
    TCase *t = tcase_create("base");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_add_test(t, cut_gives_the_part_before_and_the_rest);
    tcase_add_test(t, empty_and_null_views_are_harmless);
    tcase_add_test(t, comparisons_respect_case_and_length);
    tcase_add_test(t, secrets_are_equal_only_when_they_are);
    tcase_add_test(t, numbers_are_whole_and_in_range);
    tcase_add_test(t, string_vectors_grow_copy_and_end_with_null);
    tcase_add_test(t, strset_takes_a_part_of_the_old_value);
    tcase_add_test(t, buffer_is_text_from_the_start);
    tcase_add_test(t, buffer_past_its_ceiling_fails_once_and_for_all);
    tcase_add_test(t, finish_hands_the_text_over_and_starts_anew);
    tcase_add_test(t, map_holds_what_a_plain_table_holds);
    tcase_add_test(t, map_iteration_visits_each_once_and_may_remove);
    tcase_add_test(t, an_empty_key_is_a_key);
    tcase_add_test(t, list_keeps_order_and_removes_twice_harmlessly);
    tcase_add_test(t, errors_carry_kind_status_and_context);
    tcase_add_test(t, an_error_may_quote_the_message_it_replaces);
    tcase_add_test(t, long_messages_are_cut);
    tcase_add_test(t, ids_have_their_shape_and_differ);
    tcase_add_test(t, base64_known_values);
    tcase_add_test(t, base64_refuses_what_it_is_not);
    tcase_add_test(t, url_encoding_and_decoding);
    tcase_add_test(t, query_is_walked_pair_by_pair);
    tcase_add_test(t, times_print_as_go_prints_them);
    tcase_add_test(t, times_parse_with_any_zone_and_fraction);
    tcase_add_test(t, what_is_no_time_does_not_parse);
    tcase_add_test(t, clocks_go_forward);
    tcase_add_test(t, equal_texts_are_held_once);
    tcase_add_test(t, addresses_parse_mask_and_count_in_both_families);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
