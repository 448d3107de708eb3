/* expand, ignore and patterns: the forms of substitution, quotes, words; what .dockerignore leaves out. */
#include <check.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "build/expand.h"
#include "build/ignore.h"

static const char *lookup(void *arg, struct skl_str name)
{
    static const char *const values[][2] = {
        {"a", "one"},   {"empty", ""}, {"path", "/usr/local/lib/x.tar.gz"},
        {"two", "b c"}, {"_1", "u"},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(values); i++)
        if (skl_str_eqz(name, values[i][0]))
            return values[i][1];
    return NULL;
}

static const struct skl_expand env = {'\\', lookup, NULL};

static const struct {
    const char *word, *want; /* "!" before a failure's text */
} words[] = {
    {"$a", "one"},
    {"${a}b", "oneb"},
    {"$ab", ""},
    {"$a-$_1", "one-u"},
    {"x$", "x$"},
    {"$$a", "$one"},
    {"\\$a", "$a"},
    {"'$a'", "$a"},
    {"\"$a 'q'\"", "one 'q'"},
    {"\"\\$a \\\" \\x\"", "$a \" \\x"},
    {"a\\ b", "a b"},
    {"${unset:-d}", "d"},
    {"${empty:-d}", "d"},
    {"${empty-d}", ""},
    {"${a:-d}", "one"},
    {"${a:+d}", "d"},
    {"${empty:+d}", ""},
    {"${empty+d}", "d"},
    {"${unset+d}", ""},
    {"${unset:-${a}x$_1}", "onexu"},
    {"${unset:-\"}\"}", "}"},
    {"${unset:-'$a'}", "$a"},
    {"${a:?no}", "one"},
    {"${path#*/}", "usr/local/lib/x.tar.gz"},
    {"${path##*/}", "x.tar.gz"},
    {"${path%.*}", "/usr/local/lib/x.tar"},
    {"${path%%.*}", "/usr/local/lib/x"},
    {"${path%zip}", "/usr/local/lib/x.tar.gz"},
    {"${path#/us?}", "/local/lib/x.tar.gz"},
    {"${path/l/L}", "/usr/Local/lib/x.tar.gz"},
    {"${path//l/L}", "/usr/LocaL/Lib/x.tar.gz"},
    {"${path//l*\\//-}", "/usr/-x.tar.gz"},
    {"${path/nope/x}", "/usr/local/lib/x.tar.gz"},
    {"${path//./}", "/usr/local/lib/xtargz"},
    {"${unset#x}", ""},
    {"${b", "!failed to process \"${b\": syntax error: missing '}'"},
    {"${a:-x", "!failed to process \"${a:-x\": syntax error: missing '}'"},
    {"${}", "!failed to process \"${}\": syntax error: bad substitution"},
    {"${a:x}", "!failed to process \"${a:x}\": unsupported modifier (:x) in substitution"},
    {"${b:?msg}", "!failed to process \"${b:?msg}\": b: msg"},
    {"'x", "!failed to process \"'x\": unexpected end of statement while looking for matching "
           "single-quote"},
    {"\"x", "!failed to process \"\"x\": unexpected end of statement while looking for matching "
            "double-quote"},
};

START_TEST(a_word_is_expanded)
{
    SKL_AUTO_STR char *got = NULL;
    struct skl_error err = {0};
    int rc = skl_expand_word(&env, words[_i].word, &got, &err);

    if (*words[_i].want == '!') {
        ck_assert_int_eq(rc, -SKL_E_INVALID);
        ck_assert_str_eq(err.msg, words[_i].want + 1);
    } else {
        ck_assert_msg(rc == 0, "%s", err.msg);
        ck_assert_str_eq(got, words[_i].want);
    }
}
END_TEST

START_TEST(unquoted_values_divide_words)
{
    static const char *const want[] = {"b", "c", "b c", "x y", ""};
    char **v = NULL;

    ck_assert_int_eq(skl_expand_words(&env, "$two \"$two\" x\\ y '' $empty", &v, NULL), 0);
    ck_assert_uint_eq(skl_strv_len(v), SKL_ARRAY_LEN(want));
    for (size_t i = 0; i < SKL_ARRAY_LEN(want); i++)
        ck_assert_str_eq(v[i], want[i]);
    skl_strv_free(v);
}
END_TEST

START_TEST(quotes_in_a_here_document_stay)
{
    SKL_AUTO_STR char *got = NULL;

    ck_assert_int_eq(
        skl_expand_text(&env, "\"$a\" 'it''s' \\$a \\n ${unset:-d}\n", 1000, &got, NULL), 0);
    ck_assert_str_eq(got, "\"one\" 'it''s' $a \\n d\n");
}
END_TEST

START_TEST(growth_and_depth_are_bounded)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    SKL_AUTO_STR char *got = NULL;

    skl_buf_init(&b, 1u << 20);
    for (int i = 0; i < 100; i++)
        skl_buf_adds(&b, "${unset:-");
    ck_assert_int_eq(skl_expand_word(&env, b.p, &got, NULL), -SKL_E_TOOBIG);
    skl_buf_reset(&b);
    for (int i = 0; i < 100000; i++)
        skl_buf_adds(&b, "$a");
    ck_assert_int_eq(skl_expand_word(&env, b.p, &got, NULL), -SKL_E_TOOBIG);
}
END_TEST

/* -- .dockerignore */

static const struct {
    const char *rules, *path;
    bool out;
} ignored[] = {
    {"", "a", false},
    {"a", "a", true},
    {"a", "a/b/c", true},
    {"a", "ab", false},
    {"a", "x/a", false},
    {"/a/", "a/b", true},
    {"./a/../b", "b", true},
    {"*.md", "README.md", true},
    {"*.md", "docs/README.md", false},
    {"**/*.md", "docs/README.md", true},
    {"**/*.md", "README.md", true},
    {"*.md\n!README.md", "README.md", false},
    {"*.md\n!README*.md\nREADME-x.md", "README-x.md", true},
    {"!a\na", "a", true},
    {"docs\n!docs/keep", "docs/keep/x", false},
    {"docs\n!docs/keep", "docs/other", true},
    {"**", "a/b", true},
    {"**\n!a/b", "a/b", false},
    {"a/**", "a", false},
    {"a/**", "a/b/c", true},
    {"a/**/z", "a/z", true},
    {"a/**/z", "a/b/c/z", true},
    {"a**z", "ab/cz", true},
    {"?a", "xa", true},
    {"[x-z]a", "ya", true},
    {"[^x-z]a", "ya", false},
    {"# a", "a", false},
    {"  b  \n", "b", true},
    {"\\*", "*", true},
    {"\\*", "x", false},
    {"a\r\nb\r\n", "b", true},
    {"*/temp*", "dir/temporary", true},
    {"*/*/temp*", "dir/temporary", false},
};

START_TEST(ignore_files_leave_out)
{
    SKL_AUTO(ignore) g = NULL;

    ck_assert_int_eq(skl_ignore_parse(skl_str(ignored[_i].rules), &g, NULL), 0);
    ck_assert_msg(skl_ignore_excludes(g, ignored[_i].path) == ignored[_i].out, "%s: %s",
                  ignored[_i].rules, ignored[_i].path);
}
END_TEST

START_TEST(malformed_patterns_are_refused)
{
    static const char *const bad[] = {"[a", "!", "a\\", "[]", "[-a]", "[a-]"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(bad); i++) {
        SKL_AUTO(ignore) g = NULL;

        ck_assert_msg(skl_ignore_parse(skl_str(bad[i]), &g, NULL) == -SKL_E_INVALID, "%s", bad[i]);
    }
    ck_assert_int_eq(skl_pattern_match("[a", "a"), -SKL_E_INVALID);
}
END_TEST

START_TEST(paths_are_cleaned_as_go_does)
{
    static const char *const cases[][2] = {
        {"", "."},       {".", "."},        {"a//b/./c/", "a/b/c"},
        {"a/../b", "b"}, {"../a", "../a"},  {"a/../../b", "../b"},
        {"/..", "/"},    {"/a/../..", "/"}, {"../../x", "../../x"},
        {"/", "/"},      {"a/..", "."},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(cases); i++) {
        SKL_AUTO_STR char *got = skl_pattern_clean(skl_str(cases[i][0]));

        ck_assert_str_eq(got, cases[i][1]);
    }
}
END_TEST

START_TEST(a_pattern_of_many_stars_ends)
{
    char path[301];

    memset(path, 'a', 300);
    path[300] = '\0';
    ck_assert_int_eq(skl_pattern_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", path), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("expand");
    TCase *t = tcase_create("expand");
    SRunner *sr = srunner_create(s);
    int failed;

    suite_add_tcase(s, t);
    tcase_add_loop_test(t, a_word_is_expanded, 0, SKL_ARRAY_LEN(words));
    tcase_add_test(t, unquoted_values_divide_words);
    tcase_add_test(t, quotes_in_a_here_document_stay);
    tcase_add_test(t, growth_and_depth_are_bounded);
    tcase_add_loop_test(t, ignore_files_leave_out, 0, SKL_ARRAY_LEN(ignored));
    tcase_add_test(t, malformed_patterns_are_refused);
    tcase_add_test(t, paths_are_cleaned_as_go_does);
    tcase_add_test(t, a_pattern_of_many_stars_ends);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
