/* Pages of a followed Log Analytics table: each line once, however many fall into the overlap. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "cloud/azure/azure.h"
#include "cloud/azure/log_follow.h"
#include "http_stub.h"

#define GUID  "11111111-2222-3333-4444-555555555555"
#define QUERY "/v1/workspaces/" GUID "/query"
#define PAGE  5000
#define MS    (SKL_NS_PER_S / 1000)

static struct stub *server;
static struct skl_azure *azure;
static struct skl_error err;
static char *cursor;
static int64_t base_ns;
static size_t next, given; /* the line that is expected; how many came */

static void setup(void)
{
    struct skl_azure_settings settings;

    server = stub_new();
    memset(&err, 0, sizeof(err));
    cursor = NULL;
    base_ns = skl_wall_ns() / SKL_NS_PER_S * SKL_NS_PER_S;
    next = given = 0;
    settings = (struct skl_azure_settings){
        .endpoint_url = stub_url(server),
        .auth = {.tenant_id = "t",
                 .client_id = "c",
                 .client_secret = "s",
                 .no_imds = true,
                 .no_cli = true},
        .workspace = GUID,
        .rest = {.delay_percent = 1},
    };
    stub_rule(server, "POST", "/t/oauth2/v2.0/token", 0, 200, NULL,
              "{\"access_token\":\"tok\",\"expires_in\":3599,\"token_type\":\"Bearer\"}");
    ck_assert_msg(skl_azure_new(&settings, &azure, &err) == 0, "%s", err.msg);
}

static void teardown(void)
{
    free(cursor);
    skl_azure_free(azure);
    stub_free(server);
}

/* An answer with the lines from..to, line i ingested at base_ns + i * step_ns. */
static void give(size_t from, size_t to, int64_t step_ns)
{
    static const char *const columns[] = {"TimeGenerated", "Ingested", "Stream", "Source", "Line"};
    SKL_AUTO_BUF struct skl_buf b = {0};
    char at[SKL_TIME_LEN];

    skl_buf_init(&b, 16 * SKL_MIB);
    skl_buf_adds(&b, "{\"tables\":[{\"name\":\"PrimaryResult\",\"columns\":[");
    for (size_t i = 0; i < SKL_ARRAY_LEN(columns); i++)
        skl_buf_addf(&b, "%s{\"name\":\"%s\",\"type\":\"%s\"}", i ? "," : "", columns[i],
                     i < 2 ? "datetime" : "string");
    skl_buf_adds(&b, "],\"rows\":[");
    for (size_t i = from; i < to; i++) {
        (void)skl_time_format(base_ns + (int64_t)i * step_ns, at);
        skl_buf_addf(&b, "%s[\"%s\",\"%s\",\"stdout\",\"a\",\"%zu\"]", i > from ? "," : "", at, at,
                     i);
    }
    skl_buf_adds(&b, "]}]}");
    ck_assert(!b.failed);
    stub_rule(server, "POST", QUERY, 1, 200, NULL, b.p);
}

static char *query_text(const void *arg SKL_UNUSED, int64_t after_ns, size_t rows)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 256);
    skl_buf_addf(&b, "after %lld rows %zu;",
                 (long long)(after_ns ? after_ns - base_ns : INT64_C(0)), rows);
    return skl_buf_detach(&b);
}

static bool on_line(void *arg SKL_UNUSED, bool is_stderr, int64_t time_ns, struct skl_str line)
{
    uint64_t number;

    ck_assert(!is_stderr);
    ck_assert_int_ge(time_ns, base_ns);
    ck_assert(skl_str_u64(line, &number));
    ck_assert_uint_eq(number, next++);
    given++;
    return true;
}

static int follow(void)
{
    given = 0;
    return skl_log_follow(azure->logs, query_text, NULL, 0, NULL, &cursor, on_line, NULL, &err);
}

static void expect_query(size_t n, int64_t after_ns, size_t rows)
{
    char want[100];

    (void)snprintf(want, sizeof(want), "after %lld rows %zu;", (long long)after_ns, rows);
    ck_assert_msg(strstr(stub_request(server, "POST", QUERY, n), want) != NULL, "%zu: not '%s'", n,
                  want);
}

START_TEST(an_overlap_of_several_pages_is_passed)
{
    give(0, PAGE, MS);
    give(PAGE - 1, 2 * PAGE - 1, MS);
    give(2 * PAGE - 2, 2 * PAGE + 10, MS);
    ck_assert_msg(follow() == 0, "%s", err.msg);
    ck_assert_uint_eq(given, 2 * PAGE + 10);
    expect_query(0, 0, PAGE);
    expect_query(1, (PAGE - 1) * MS - 100, PAGE);
    expect_query(2, (2 * PAGE - 2) * MS - 100, PAGE);
    /* All of that lies in the overlap of the next call, and one line is new. */
    give(0, PAGE, MS);
    give(PAGE - 1, 2 * PAGE - 1, MS);
    give(2 * PAGE - 2, 2 * PAGE + 11, MS);
    ck_assert_msg(follow() == 0, "%s", err.msg);
    ck_assert_uint_eq(given, 1);
    expect_query(3, (2 * PAGE + 9) * MS - 60 * SKL_NS_PER_S, PAGE);
    ck_assert_uint_eq(stub_count(server, "POST", QUERY), 6);
}
END_TEST

START_TEST(a_moment_of_more_than_a_page_is_passed)
{
    give(0, PAGE, 0);
    give(0, PAGE, 0);
    give(0, PAGE + 5, 0);
    ck_assert_msg(follow() == 0, "%s", err.msg);
    ck_assert_uint_eq(given, PAGE + 5);
    expect_query(1, -100, PAGE); /* the moment again */
    expect_query(2, -100, 4 * PAGE);
    ck_assert_uint_eq(stub_count(server, "POST", QUERY), 3);
}
END_TEST

START_TEST(a_failure_moves_nothing)
{
    give(0, 3, MS);
    ck_assert_int_eq(follow(), 0);
    ck_assert_uint_eq(given, 3);
    stub_rule(server, "POST", QUERY, 1, 403, NULL, "{\"error\":{\"message\":\"no\"}}");
    ck_assert_int_lt(follow(), 0);
    ck_assert_uint_eq(given, 0);
    give(0, 4, MS);
    ck_assert_msg(follow() == 0, "%s", err.msg);
    ck_assert_uint_eq(given, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("log_follow");
    TCase *t = tcase_create("pages");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, an_overlap_of_several_pages_is_passed);
    tcase_add_test(t, a_moment_of_more_than_a_page_is_passed);
    tcase_add_test(t, a_failure_moves_nothing);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_set_fork_status(r, CK_NOFORK);
    srunner_set_tap(r, "-");
    srunner_run_all(r, CK_SILENT);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed > 0;
}
