/* What is a secret in a text, by value and by shape; and that errors, log lines and conditions have none. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/condition.h"
#include "base/error.h"
#include "base/log.h"
#include "base/redact.h"
#include "base/secrets.h"

#define VALUE "pl4nted \"value\"/1"

static void expect(const char *text, const char *want)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 65536);
    skl_redact_add(&b, skl_str(text));
    ck_assert_str_eq(b.p, want);
}

START_TEST(known_values_go_in_every_form)
{
    skl_secret_add(VALUE);
    expect("a " VALUE " b", "a *** b");
    expect("x=pl4nted%20%22value%22%2F1&y", "x=***&y");
    expect("{\"x\":\"pl4nted \\\"value\\\"/1\"}", "{\"x\":\"***\"}");
    expect("it ends in pl4nted \"val", "it ends in ***"); /* as a cut leaves it */
    expect("pl4nted", "pl4nted");                         /* too little to know it by */
    skl_secret_remove(VALUE);
    expect(VALUE, "***"); /* a late answer */
}
END_TEST

START_TEST(values_are_counted_and_forgotten_in_the_end)
{
    char other[32];

    skl_secret_add("counted-secret");
    skl_secret_add("counted-secret");
    skl_secret_remove("counted-secret");
    for (int i = 0; i < 2 * SKL_SECRETS_RECENT; i++) {
        (void)snprintf(other, sizeof(other), "another-secret-%d", i);
        skl_secret_seen(other);
    }
    expect("counted-secret", "***");
    expect("another-secret-0 x", "another-secret-0 x");
    expect(other, "***");
    skl_secret_remove("counted-secret");
    skl_secret_seen("short");
    expect("short", "short");
    skl_secret_add(NULL);
    skl_secret_remove(NULL);
}
END_TEST

START_TEST(shapes_go_whoever_they_belong_to)
{
    static const char *const cases[][2] = {
        {"Authorization: Bearer abcDEF123456", "Authorization: ***"},
        {"sent Bearer abcDEF123456, refused", "sent Bearer ***, refused"},
        {"header 'Basic dXNlcjpwYXNz'", "header 'Basic ***'"},
        {"t eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln t", "t *** t"},
        {"ya29.a0AfH6SMBx_y-1234567", "***"},
        {"k -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n x", "k ***\n x"},
        {"-----BEGIN RSA PRIVATE KEY-----\\nMIIE that was cut", "***"},
        {"https://user:p@ss@host/x?y", "https://user:***@host/x?y"},
        {"git https://0123456789012345678901234567@host/x", "git https://***@host/x"},
        {"grant_type=x&client_secret=abc&scope=y", "grant_type=x&client_secret=***&scope=y"},
        {"{\"refresh_token\": \"abc\", \"a\": 1}", "{\"refresh_token\": \"***\", \"a\": 1}"},
        {"{\\\"password\\\":\\\"a\\\",\\\"b\\\":1}", "{\\\"password\\\":\\\"***\\\",\\\"b\\\":1}"},
        {"{\"password\":\"a\\\"b\"}", "{\"password\":\"***\"}"},
        {"AccountName=a;AccountKey=abc==;Suffix=b", "AccountName=a;AccountKey=***;Suffix=b"},
        {"https://a.blob/c?sv=1&sig=ab%2Bc&se=2", "https://a.blob/c?sv=1&sig=***&se=2"},
        {"https://f.net/api?code=abc==", "https://f.net/api?code=***"},
        {"X-Registry-Auth: eyJ1c2VyIjoi x", "X-Registry-Auth: *** x"},
        {"AZURE_CLIENT_SECRET=abc", "AZURE_CLIENT_SECRET=***"},
        {"password=\"a b\"", "password=\"***\""},
    };

    expect(cases[_i][0], cases[_i][1]);
    expect(cases[_i][1], cases[_i][1]); /* once more does no harm */
}
END_TEST
#define N_SHAPES 19

START_TEST(words_stay)
{
    static const char *const texts[] = {
        "",
        "unauthorized: incorrect username or password",
        "Basic authentication is needed; a bearer token is not",
        "Bearer realm=\"https://auth.example/token\",service=\"x\"",
        "InvalidTemplate: no such thing (code: 12, exit code=3)",
        "metadata server: no token (HTTP 400): invalid",
        "https://user@host/x and http://[::1]:80/y",
        "container 0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123",
        "{\"error\":{\"code\":\"NotFound\",\"message\":\"the token is expired\"}}",
        "-- token: secret",
    };

    expect(texts[_i], texts[_i]);
}
END_TEST
#define N_WORDS 10

START_TEST(a_cut_leaves_no_half)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_error err = {0};
    char text[700];

    skl_secret_add("planted-value-of-the-cut");
    memset(text, 'x', sizeof(text));
    (void)snprintf(text + 490, sizeof(text) - 490, " planted-value-of-the-cut");
    (void)skl_fail(&err, SKL_E_INVALID, "%s", text);
    ck_assert_ptr_null(strstr(err.msg, "planted"));
    skl_buf_init(&b, 1000);
    skl_redact_cut(&b, skl_str(text), 500);
    ck_assert_ptr_null(strstr(b.p, "planted"));
    ck_assert_uint_le(b.n, 500);
    skl_secret_remove("planted-value-of-the-cut");
}
END_TEST

START_TEST(errors_lines_and_conditions_have_none)
{
    struct skl_condition c = {.name = "cloud"}, seen = {0};
    struct skl_error err = {0};
    char line[1024] = "";
    int fds[2], rc;

    skl_secret_add("planted-in-many-places");
    rc = skl_fail(&err, SKL_E_INVALID, "said '%s'", "planted-in-many-places");
    ck_assert_str_eq(err.msg, "said '***'");
    (void)skl_wrap(&err, rc, "asking %s", "planted-in-many-places");
    ck_assert_str_eq(err.msg, "asking ***: said '***'");
    skl_condition_report(&c, false, "%s", "planted-in-many-places");
    skl_condition_read(&c, &seen);
    ck_assert_str_eq(seen.detail, "***");
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    skl_log_setup(SKL_LOG_DEBUG, _i == 1, fds[1]);
    skl_log(SKL_LOG_ERROR, "t", "planted-in-many-places", "a", "x planted-in-many-places \"",
            "b", NULL, "c", "fine", NULL);
    ck_assert_int_gt((int)read(fds[0], line, sizeof(line) - 1), 0);
    skl_log_setup(SKL_LOG_INFO, false, STDERR_FILENO);
    ck_assert_ptr_null(strstr(line, "planted"));
    ck_assert_ptr_nonnull(strstr(line, "*** \\\""));
    ck_assert_ptr_nonnull(strstr(line, "fine"));
    close(fds[0]);
    close(fds[1]);
    skl_secret_remove("planted-in-many-places");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("redact");
    TCase *t = tcase_create("redact");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_add_test(t, known_values_go_in_every_form);
    tcase_add_test(t, values_are_counted_and_forgotten_in_the_end);
    tcase_add_loop_test(t, shapes_go_whoever_they_belong_to, 0, N_SHAPES);
    tcase_add_loop_test(t, words_stay, 0, N_WORDS);
    tcase_add_test(t, a_cut_leaves_no_half);
    tcase_add_loop_test(t, errors_lines_and_conditions_have_none, 0, 2);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
