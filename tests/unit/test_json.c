/* json, json_read and log: what is written decodes, what is read has its ceilings. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"

START_TEST(writer_puts_commas_and_nests)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    char *const v[] = {(char[]){"x"}, (char[]){"y"}, NULL};
    char *const none[] = {NULL};
    struct skl_json j;

    skl_buf_init(&b, 4096);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "s", "a");
    skl_json_str(&j, "null string", NULL);
    skl_json_array(&j, "list");
    skl_json_int(&j, NULL, INT64_MIN);
    skl_json_object(&j, NULL);
    skl_json_end_object(&j);
    skl_json_bool(&j, NULL, true);
    skl_json_end_array(&j);
    skl_json_null(&j, "n");
    skl_json_num(&j, "f", 0.5);
    skl_json_num(&j, "nan", NAN);
    skl_json_time(&j, "t", 0);
    skl_json_raw(&j, "raw", "{\"k\":1}");
    skl_json_raw(&j, "no raw", "");
    skl_json_strv(&j, "v", v);
    skl_json_strv(&j, "empty v", none);
    skl_json_strv(&j, "no v", NULL);
    skl_json_strf(&j, "format", "%d%%", 5);
    skl_json_end_object(&j);
    ck_assert_str_eq(b.p,
                     "{\"s\":\"a\",\"null string\":\"\",\"list\":[-9223372036854775808,{},true],"
                     "\"n\":null,\"f\":0.5,\"nan\":null,\"t\":\"0001-01-01T00:00:00Z\","
                     "\"raw\":{\"k\":1},\"no raw\":null,\"v\":[\"x\",\"y\"],\"empty v\":[],"
                     "\"no v\":null,\"format\":\"5%\"}");
}
END_TEST

START_TEST(strings_are_escaped_and_always_utf8)
{
    static const struct {
        struct skl_str in;
        bool html;
        const char *out;
    } cases[] = {
        {SKL_STR("a\"b\\c/\n\r\t\x01"), false, "\"a\\\"b\\\\c/\\n\\r\\t\\u0001\""},
        {SKL_STR("a\0b"), false, "\"a\\u0000b\""},
        {SKL_STR("<&>"), false, "\"<&>\""},
        {SKL_STR("<&>"), true, "\"\\u003c\\u0026\\u003e\""},
        {SKL_STR("\xc3\xbc\xe4\xb8\xad\xf0\x9f\x98\x80"), false,
         "\"\xc3\xbc\xe4\xb8\xad\xf0\x9f\x98\x80\""},
        {SKL_STR("\xff"), false, "\"\xef\xbf\xbd\""},
        {SKL_STR("\xc3"), false, "\"\xef\xbf\xbd\""},
        {SKL_STR("\xc0\x80"), false, "\"\xef\xbf\xbd\xef\xbf\xbd\""}, /* overlong */
        {SKL_STR("\xed\xa0\x80"), false,
         "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* surrogate */
        {SKL_STR("\xf4\x90\x80\x80"), false,
         "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* past U+10FFFF */
        {SKL_STR("\xe4\xb8x"), false, "\"\xef\xbf\xbd\xef\xbf\xbdx\""},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(cases); i++) {
        SKL_AUTO_BUF struct skl_buf b = {0};

        skl_buf_init(&b, 4096);
        skl_json_quote(&b, cases[i].in, cases[i].html);
        ck_assert_str_eq(b.p, cases[i].out);
    }
}
END_TEST

/* -- reading */

START_TEST(members_read_by_type_or_as_the_default)
{
    SKL_AUTO_JSON cJSON *json = NULL;
    SKL_AUTO_STR char *text = NULL, *null = NULL;
    char **v;

    ck_assert_int_eq(skl_json_parse(SKL_STR(" {\"Name\":\"x\",\"n\":7,\"f\":-1.9,\"t\":true,"
                                            "\"nil\":null,\"v\":[\"a\",1,\"b\"],\"e\":[],"
                                            "\"big\":1e30} \n"),
                                    &json, NULL),
                     0);
    ck_assert_str_eq(skl_json_get_str(json, "Name"), "x");
    ck_assert_str_eq(skl_json_get_str(json, "name"), "x");
    ck_assert_ptr_null(skl_json_get_str(json, "n"));
    ck_assert_ptr_null(skl_json_get(json, "nil"));
    ck_assert_ptr_null(skl_json_get(json, "absent"));
    ck_assert_ptr_null(skl_json_get(NULL, "absent"));
    ck_assert_int_eq(skl_json_get_int(json, "n", 1), 7);
    ck_assert_int_eq(skl_json_get_int(json, "f", 1), -1);
    ck_assert_int_eq(skl_json_get_int(json, "big", 1), INT64_MAX);
    ck_assert_int_eq(skl_json_get_int(json, "Name", 42), 42);
    ck_assert(skl_json_get_bool(json, "t", false));
    ck_assert(skl_json_get_bool(json, "n", true));
    v = skl_json_get_strv(json, "v");
    ck_assert_uint_eq(skl_strv_len(v), 2);
    ck_assert_str_eq(v[1], "b");
    skl_strv_free(v);
    v = skl_json_get_strv(json, "e");
    ck_assert_ptr_nonnull(v);
    ck_assert_uint_eq(skl_strv_len(v), 0);
    skl_strv_free(v);
    v = skl_json_get_strv(json, "Name");
    ck_assert_uint_eq(skl_strv_len(v), 1);
    skl_strv_free(v);
    ck_assert_ptr_null(skl_json_get_strv(json, "n"));
    text = skl_json_text(skl_json_get(json, "v"));
    null = skl_json_text(NULL);
    ck_assert_str_eq(text, "[\"a\",1,\"b\"]");
    ck_assert_str_eq(null, "null");
}
END_TEST

START_TEST(an_exact_name_goes_before_another_case)
{
    SKL_AUTO_JSON cJSON *json = NULL;

    ck_assert_int_eq(skl_json_parse(SKL_STR("{\"NAME\":\"a\",\"name\":\"b\"}"), &json, NULL), 0);
    ck_assert_str_eq(skl_json_get_str(json, "name"), "b");
}
END_TEST

START_TEST(what_is_no_json_value_fails)
{
    static const char *const bad[] = {"",      " ",     "{",      "{\"a\":}", "[1,]", "{} {}",
                                      "nulls", "\"abc", "{\"a\"", "tru",      "01x",  "\"\\u12\""};

    for (size_t i = 0; i < SKL_ARRAY_LEN(bad); i++) {
        struct skl_error err = {0};
        cJSON *json = NULL;

        ck_assert_msg(skl_json_parse(skl_str(bad[i]), &json, &err) == -SKL_E_INVALID, "%s", bad[i]);
        ck_assert_ptr_null(json);
        ck_assert_str_ne(err.msg, "");
    }
}
END_TEST

START_TEST(nesting_has_a_ceiling)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_error err = {0};
    cJSON *json = NULL;

    skl_buf_init(&b, SKL_MIB);
    for (int i = 0; i < SKL_MAX_JSON_DEPTH; i++)
        skl_buf_addc(&b, '[');
    for (int i = 0; i < SKL_MAX_JSON_DEPTH; i++)
        skl_buf_addc(&b, ']');
    ck_assert_int_eq(skl_json_parse(skl_buf_str(&b), &json, &err), 0);
    cJSON_Delete(json);
    skl_buf_reset(&b);
    for (int i = 0; i <= SKL_MAX_JSON_DEPTH; i++)
        skl_buf_addc(&b, '[');
    ck_assert_int_eq(skl_json_parse(skl_buf_str(&b), &json, &err), -SKL_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "200"));
    skl_buf_reset(&b);
    skl_buf_addc(&b, '"');
    for (int i = 0; i <= SKL_MAX_JSON_DEPTH; i++)
        skl_buf_adds(&b, "[\\\"");
    skl_buf_addc(&b, '"');
    ck_assert_int_eq(skl_json_parse(skl_buf_str(&b), &json, &err), 0); /* brackets in a string */
    cJSON_Delete(json);
}
END_TEST

/* -- log */

static char logged[80 * 1024];
static int pipe_fds[2];

static void log_to_pipe(enum skl_log_level min, bool json)
{
    ck_assert_int_eq(pipe(pipe_fds), 0);
    skl_log_setup(min, json, pipe_fds[1]);
}

static const char *what_was_logged(void)
{
    size_t n = 0;
    ssize_t got;

    skl_log_setup(SKL_LOG_INFO, false, 2);
    close(pipe_fds[1]);
    while (n + 1 < sizeof(logged) &&
           (got = read(pipe_fds[0], logged + n, sizeof(logged) - n - 1)) > 0)
        n += (size_t)got;
    logged[n] = '\0';
    close(pipe_fds[0]);
    return logged;
}

START_TEST(text_lines_quote_what_needs_it)
{
    const char *line;

    log_to_pipe(SKL_LOG_INFO, false);
    skl_debug("test", "not shown", NULL);
    skl_warn("test", "a message", "plain", "x/y:1", "space", "a b", "quote", "\"", "line",
             "one\ntwo", "empty", "", "none", (const char *)NULL, NULL);
    line = what_was_logged();
    ck_assert_int_eq(line[30], ' '); /* behind the time */
    ck_assert_str_eq(line + 30, " warn  test a message plain=x/y:1 space=\"a b\" quote=\"\\\"\" "
                                "line=\"one\\ntwo\" empty=\"\" none=\"\"\n");
}
END_TEST

START_TEST(json_lines_are_objects)
{
    SKL_AUTO_JSON cJSON *json = NULL;

    log_to_pipe(SKL_LOG_DEBUG, true);
    skl_debug("test", "it's \"it\"", "key", "a\nb", NULL);
    ck_assert_int_eq(skl_json_parse(skl_str(what_was_logged()), &json, NULL), 0);
    ck_assert_str_eq(skl_json_get_str(json, "level"), "debug");
    ck_assert_str_eq(skl_json_get_str(json, "topic"), "test");
    ck_assert_str_eq(skl_json_get_str(json, "msg"), "it's \"it\"");
    ck_assert_str_eq(skl_json_get_str(json, "key"), "a\nb");
    ck_assert_uint_eq(strlen(skl_json_get_str(json, "ts")), 30);
}
END_TEST

START_TEST(a_line_past_its_ceiling_is_cut_but_stays_a_line)
{
    SKL_AUTO_STR char *long_value = skl_alloc0(70 * 1024, 1);
    const char *line;

    memset(long_value, 'v', 70 * 1024 - 1);
    log_to_pipe(SKL_LOG_INFO, _i == 1);
    skl_info("test", "big", "value", long_value, NULL);
    line = what_was_logged();
    ck_assert_uint_lt(strlen(line), 200);
    ck_assert_int_eq(line[strlen(line) - 1], '\n');
    ck_assert_ptr_nonnull(strstr(line, _i == 1 ? "\"cut\":\"true\"" : "big cut=true"));
}
END_TEST

START_TEST(levels)
{
    enum skl_log_level level = SKL_LOG_INFO;

    ck_assert(skl_log_level_parse("error", &level));
    ck_assert_int_eq(level, SKL_LOG_ERROR);
    ck_assert(!skl_log_level_parse("loud", &level));
    ck_assert(!skl_log_level_parse(NULL, &level));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("json");
    TCase *t = tcase_create("json");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_add_test(t, writer_puts_commas_and_nests);
    tcase_add_test(t, strings_are_escaped_and_always_utf8);
    tcase_add_test(t, members_read_by_type_or_as_the_default);
    tcase_add_test(t, an_exact_name_goes_before_another_case);
    tcase_add_test(t, what_is_no_json_value_fails);
    tcase_add_test(t, nesting_has_a_ceiling);
    tcase_add_test(t, text_lines_quote_what_needs_it);
    tcase_add_test(t, json_lines_are_objects);
    tcase_add_loop_test(t, a_line_past_its_ceiling_is_cut_but_stays_a_line, 0, 2);
    tcase_add_test(t, levels);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
