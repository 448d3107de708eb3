/* Cloud Logging: filters, entries as lines, pages, the quota, followers. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "cloud/gcp/gcp.h"
#include "cloud/gcp/logging_internal.h"
#include "http_stub.h"

#define TOKEN "/computeMetadata/v1/instance/service-accounts/default/token"
#define LIST  "/v2/entries:list"
#define S     SKL_NS_PER_S

static struct stub *server;
static struct skl_gcp_settings settings;
static struct skl_gcp *gcp;
static struct skl_error err;
static struct skl_buf got;
static size_t left;
static int64_t now_ns;
static char *cursor;

static void setup(void)
{
    server = stub_new();
    memset(&err, 0, sizeof(err));
    skl_buf_init(&got, 16 * SKL_MIB);
    left = SIZE_MAX;
    cursor = NULL;
    now_ns = skl_wall_ns() / S * S;
    settings = (struct skl_gcp_settings){
        .endpoint_url = stub_url(server), .project = "p", .rest = {.delay_percent = 1}};
    stub_rule(server, "GET", TOKEN, 0, 200, "Metadata-Flavor: Google\r\n",
              "{\"access_token\":\"tok-1\",\"expires_in\":3599}");
    ck_assert_msg(skl_gcp_new(&settings, &gcp, &err) == 0, "%s", err.msg);
}

static void teardown(void)
{
    free(cursor);
    skl_buf_fini(&got);
    skl_gcp_free(gcp);
    stub_free(server);
}

/* -- pages */

struct page {
    struct skl_buf b;
};

static void page_begin(struct page *p)
{
    skl_buf_init(&p->b, 64 * SKL_MIB);
    skl_buf_adds(&p->b, "{\"entries\":[");
}

/* after_ns: when the cloud had it. */
static void page_add(struct page *p, const char *service, const char *log, int64_t at_ns,
                     int64_t after_ns, const char *id, const char *payload)
{
    char when[SKL_TIME_LEN], known[SKL_TIME_LEN];

    skl_buf_addf(
        &p->b,
        "%s{\"insertId\":\"%s\",\"timestamp\":\"%s\",\"receiveTimestamp\":\"%s\","
        "\"logName\":\"projects/p/logs/run.googleapis.com%%2F%s\",\"resource\":{\"labels\":"
        "{\"service_name\":\"%s\"}},%s}",
        p->b.p[p->b.n - 1] == '[' ? "" : ",", id, skl_time_format(at_ns, when),
        skl_time_format(after_ns, known), log, service, payload);
}

static void page_line(struct page *p, int64_t at_ns, const char *line)
{
    SKL_AUTO_BUF struct skl_buf payload = {0};

    skl_buf_init(&payload, 4096);
    skl_buf_addf(&payload, "\"textPayload\":\"%s\"", line);
    page_add(p, "s", "stdout", at_ns, at_ns + S / 10, line, payload.p);
}

static void page_end(struct page *p, int uses, const char *token)
{
    skl_buf_adds(&p->b, "]");
    if (token)
        skl_buf_addf(&p->b, ",\"nextPageToken\":\"%s\"", token);
    skl_buf_adds(&p->b, "}");
    ck_assert(!p->b.failed);
    stub_rule(server, "POST", LIST, uses, 200, NULL, p->b.p);
    skl_buf_fini(&p->b);
}

static const char *sent(size_t n)
{
    return stub_request(server, "POST", LIST, n);
}

static bool note(void *arg, bool is_stderr, int64_t time_ns, struct skl_str line)
{
    ck_assert_int_gt(time_ns, 0);
    skl_buf_addf(arg, "%s%.*s|", is_stderr ? "!" : "", (int)line.n, line.p);
    return --left > 0;
}

static int read_lines(size_t tail)
{
    struct skl_gcp_log_query q = {
        .source = {"r", "s"}, .since_ns = now_ns, .until_ns = now_ns + 60 * S, .tail = tail};

    skl_buf_reset(&got);
    return skl_gcp_logs_read(gcp->logs, &q, NULL, note, &got, &err);
}

static int follow_for(int64_t ms)
{
    struct skl_gcp_log_source source = {"r", "s"};
    struct skl_gcp_context context = {.deadline_ms = skl_mono_ms() + ms};

    skl_buf_reset(&got);
    return skl_gcp_logs_follow(gcp->logs, &source, now_ns - 60 * S, &context, &cursor, note, &got,
                               &err);
}

static void expect_follow(const char *want)
{
    ck_assert_msg(follow_for(60000) == 0, "%s", err.msg);
    ck_assert_str_eq(got.p, want);
}

/* -- filters */

START_TEST(a_value_cannot_leave_its_quotes)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 1000);
    skl_log_filter_quote(&b, SKL_STR("a\" OR b=\\\"\n\xc3\xa9%2F"));
    ck_assert_str_eq(b.p, "\"a\\\" OR b=\\\\\\\"\n\xc3\xa9%2F\"");
}
END_TEST

START_TEST(a_filter_is_bound_to_service_logs_and_time)
{
    static const char *const services[] = {"a\"b", "c"};
    struct skl_log_filter f = {.project = "p",
                               .region = "r",
                               .services = services,
                               .n_services = 2,
                               .since_ns = 1714557600 * S + 5,
                               .until_ns = 1714557601 * S};
    char *text SKL_AUTO_STR = skl_log_filter_text(&f);

    ck_assert_str_eq(text, "resource.type=\"cloud_run_revision\" AND resource.labels.location=\"r\""
                           " AND resource.labels.service_name=(\"a\\\"b\" OR \"c\") AND logName=("
                           "\"projects/p/logs/run.googleapis.com%2Fstdout\" OR "
                           "\"projects/p/logs/run.googleapis.com%2Fstderr\") AND "
                           "timestamp>=\"2024-05-01T10:00:00.000000005Z\" AND "
                           "timestamp<\"2024-05-01T10:00:01.000000000Z\"");
}
END_TEST

START_TEST(the_platforms_lines_are_asked_for_apart)
{
    struct skl_gcp_log_query q = {.source = {"r", "s"}, .system = true, .since_ns = now_ns};
    struct page p;

    page_begin(&p);
    page_add(&p, "s", "varlog%2Fsystem", now_ns, now_ns, "1",
             "\"textPayload\":\"Container called exit(3).\"");
    page_end(&p, 1, NULL);
    ck_assert_int_eq(skl_gcp_logs_read(gcp->logs, &q, NULL, note, &got, &err), 0);
    ck_assert_str_eq(got.p, "Container called exit(3).|");
    ck_assert_ptr_nonnull(strstr(sent(0), "logName=(\\\"projects/p/logs/run.googleapis.com%2Fvarlog"
                                          "%2Fsystem\\\")"));
    ck_assert_ptr_null(strstr(sent(0), "stdout"));
}
END_TEST

/* -- entries */

START_TEST(entries_become_lines)
{
    struct page p;

    page_begin(&p);
    skl_buf_adds(&p.b, "{\"textPayload\":\"no time\"},7");
    page_add(&p, "s", "stdout", now_ns, now_ns, "1", "\"textPayload\":\"one\\n\"");
    page_add(&p, "s", "stderr", now_ns + 1, now_ns, "2", "\"textPayload\":\"two\"");
    page_add(&p, "s", "stdout", now_ns + 2, now_ns, "3",
             "\"severity\":\"INFO\",\"jsonPayload\":{\"message\":\"three\"}");
    page_add(&p, "s", "stdout", now_ns + 3, now_ns, "4",
             "\"jsonPayload\":{\"message\":\"four\",\"n\":4}");
    page_add(&p, "s", "stdout", now_ns + 4, now_ns, "5", "\"jsonPayload\":{\"message\":5}");
    page_add(&p, "s", "stdout", now_ns + 5, now_ns, "6", "\"labels\":{}");
    page_end(&p, 1, NULL);
    ck_assert_msg(read_lines(0) == 0, "%s", err.msg);
    ck_assert_str_eq(got.p, "one|!two|three|{\"message\":\"four\",\"n\":4}|{\"message\":5}||");
}
END_TEST

/* -- reading */

START_TEST(all_is_read_over_pages_in_order)
{
    struct page p;

    page_begin(&p);
    page_line(&p, now_ns, "a");
    page_end(&p, 1, "t-1");
    page_begin(&p);
    page_end(&p, 1, "t-2"); /* the search goes on */
    page_begin(&p);
    page_line(&p, now_ns + 1, "b");
    page_line(&p, now_ns + 1, "b"); /* the same entry again */
    page_end(&p, 0, NULL);
    ck_assert_msg(read_lines(0) == 0, "%s", err.msg);
    ck_assert_str_eq(got.p, "a|b|");
    ck_assert_uint_eq(stub_count(server, "POST", LIST), 3);
    ck_assert_ptr_nonnull(strstr(sent(0), "\"resourceNames\":[\"projects/p\"]"));
    ck_assert_ptr_nonnull(strstr(sent(0), "\"orderBy\":\"timestamp asc\",\"pageSize\":1000}"));
    ck_assert_ptr_nonnull(strstr(sent(2), "\"pageToken\":\"t-2\""));
}
END_TEST

START_TEST(a_reader_may_have_enough)
{
    struct page p;

    page_begin(&p);
    page_line(&p, now_ns, "a");
    page_line(&p, now_ns + 1, "b");
    page_end(&p, 0, "t-1");
    left = 1;
    ck_assert_int_eq(read_lines(0), 0);
    ck_assert_str_eq(got.p, "a|");
    ck_assert_uint_eq(stub_count(server, "POST", LIST), 1);
}
END_TEST

START_TEST(a_tail_is_read_from_the_end)
{
    struct page p;

    page_begin(&p);
    page_line(&p, now_ns + 3, "d");
    page_line(&p, now_ns + 2, "c");
    page_end(&p, 1, "t-1");
    page_begin(&p);
    page_line(&p, now_ns + 1, "b");
    page_line(&p, now_ns, "a");
    page_end(&p, 0, "t-2");
    ck_assert_int_eq(read_lines(3), 0);
    ck_assert_str_eq(got.p, "b|c|d|");
    ck_assert_ptr_nonnull(strstr(sent(0), "timestamp desc"));
    ck_assert_uint_eq(stub_count(server, "POST", LIST), 2);
}
END_TEST

START_TEST(an_error_is_told_and_a_hiccup_is_not)
{
    struct page p;

    stub_rule(server, "POST", LIST, 1, 503, NULL, NULL);
    stub_rule(server, "POST", LIST, 1, STUB_DROP, NULL, NULL);
    stub_rule(server, "POST", LIST, 1, 429, NULL, NULL);
    stub_rule(server, "POST", LIST, 1, 403, NULL,
              "{\"error\":{\"code\":403,\"message\":\"Permission denied for all log views\","
              "\"status\":\"PERMISSION_DENIED\"}}");
    ck_assert_int_eq(read_lines(0), -SKL_E_FORBIDDEN);
    ck_assert_str_eq(err.msg, "reading Cloud Logging: PERMISSION_DENIED: Permission denied for all "
                              "log views");
    page_begin(&p);
    page_line(&p, now_ns, "a");
    page_end(&p, 0, NULL);
    ck_assert_int_eq(read_lines(0), 0);
    ck_assert_str_eq(got.p, "a|");
}
END_TEST

/* -- the quota */

START_TEST(reads_keep_within_the_quota)
{
    struct skl_gcp_context context = {.deadline_ms = skl_mono_ms() + 60000};
    struct skl_rest_settings slow = {.delay_percent = 100000}; /* a step is 20 min */
    struct skl_rest *rest = skl_rest_new(&slow);
    struct skl_gcp_logs *logs = skl_gcp_logs_new(rest, gcp->client, "p");

    for (int i = 0; i < 10; i++)
        ck_assert_msg(skl_log_quota_wait(logs, &context, &err) == 0, "%s", err.msg);
    ck_assert_int_eq(skl_log_quota_wait(logs, &context, &err), -SKL_E_THROTTLED);
    ck_assert_ptr_nonnull(strstr(err.msg, "quota"));
    skl_gcp_logs_free(logs);
    skl_rest_free(rest);
}
END_TEST

START_TEST(a_follower_that_is_throttled_waits)
{
    struct page p;

    page_begin(&p);
    page_line(&p, now_ns, "a");
    page_end(&p, 1, NULL);
    stub_rule(server, "POST", LIST, 0, 429, NULL, NULL);
    expect_follow("a|");
    ck_assert_msg(follow_for(300) == 0, "%s", err.msg);
    ck_assert_str_eq(got.p, "");
    stub_clear(server);
    stub_rule(server, "GET", TOKEN, 0, 200, "Metadata-Flavor: Google\r\n",
              "{\"access_token\":\"tok-1\",\"expires_in\":3599}");
    page_begin(&p);
    page_line(&p, now_ns + 1, "b");
    page_line(&p, now_ns, "a");
    page_end(&p, 0, NULL);
    expect_follow("b|");
}
END_TEST

/* -- followers */

START_TEST(a_follower_gets_late_lines_and_none_twice)
{
    struct page p;
    char from[SKL_TIME_LEN], bound[64];

    page_begin(&p);
    page_line(&p, now_ns, "b");
    page_line(&p, now_ns - 2 * S, "a");
    page_end(&p, 1, NULL);
    page_begin(&p);
    page_line(&p, now_ns + 1, "c");
    page_line(&p, now_ns, "b");
    page_line(&p, now_ns - S, "late");
    page_line(&p, now_ns - 2 * S, "a");
    page_line(&p, now_ns - 30 * S, "too early"); /* not asked for */
    page_end(&p, 0, NULL);
    expect_follow("a|b|");
    expect_follow("late|c|");
    expect_follow("");
    /* From the last line, less the time that one may be late. */
    (void)snprintf(bound, sizeof(bound), "timestamp>=\\\"%s",
                   skl_time_format_fixed(now_ns - 20 * S, from));
    ck_assert_msg(strstr(sent(1), bound) != NULL, "%s", sent(1));
    ck_assert_ptr_nonnull(strstr(sent(1), "timestamp desc"));
}
END_TEST

START_TEST(equal_lines_of_one_moment_are_told_apart_by_their_id)
{
    struct page p;

    page_begin(&p);
    page_add(&p, "s", "stdout", now_ns, now_ns, "2", "\"textPayload\":\"x\"");
    page_add(&p, "s", "stdout", now_ns, now_ns, "1", "\"textPayload\":\"x\"");
    page_add(&p, "s", "stdout", now_ns, now_ns, "1", "\"textPayload\":\"x\"");
    page_add(&p, "s", "stderr", now_ns, now_ns, "1", "\"textPayload\":\"x\"");
    page_end(&p, 0, NULL);
    expect_follow("!x|x|x|");
    expect_follow("");
}
END_TEST

START_TEST(a_clock_that_is_ahead_skips_nothing)
{
    struct page p;

    page_begin(&p);
    page_add(&p, "s", "stdout", now_ns + 3600 * S, now_ns, "f", "\"textPayload\":\"future\"");
    page_line(&p, now_ns - S, "a");
    page_end(&p, 1, NULL);
    page_begin(&p);
    page_add(&p, "s", "stdout", now_ns + 3600 * S, now_ns, "f", "\"textPayload\":\"future\"");
    page_line(&p, now_ns + S, "b");
    page_line(&p, now_ns - S, "a");
    page_end(&p, 0, NULL);
    expect_follow("a|future|");
    expect_follow("b|");
    for (int i = 0; i < 3; i++)
        expect_follow("");
}
END_TEST

START_TEST(what_a_follower_did_not_take_comes_again)
{
    struct page p;

    page_begin(&p);
    page_line(&p, now_ns + 2, "c");
    page_line(&p, now_ns + 1, "b");
    page_line(&p, now_ns, "a");
    page_end(&p, 0, NULL);
    left = 2;
    expect_follow("a|b|");
    left = SIZE_MAX;
    expect_follow("c|");
}
END_TEST

#define MANY       20010 /* a round holds 20000 */
#define MANY_PAGE  690
#define MANY_PAGES (MANY / MANY_PAGE)

static void many_lines(bool descending)
{
    for (size_t i = 0; i < MANY; i += MANY_PAGE) {
        struct page p;

        page_begin(&p);
        for (size_t k = i; k < i + MANY_PAGE; k++) {
            size_t at = descending ? MANY - 1 - k : k;
            char line[16];

            (void)snprintf(line, sizeof(line), "%zu", at);
            page_line(&p, now_ns - 30 * S + (int64_t)at * 1000000, line);
        }
        page_end(&p, 1, i + MANY_PAGE < MANY ? "next" : NULL);
    }
}

START_TEST(more_than_a_round_holds_is_read_from_the_beginning)
{
    SKL_AUTO_BUF struct skl_buf want = {0};

    skl_buf_init(&want, SKL_MIB);
    for (size_t i = 0; i < MANY; i++)
        skl_buf_addf(&want, "%zu|", i);
    many_lines(true);  /* too many */
    many_lines(false); /* as many as fit */
    many_lines(true);  /* the rest */
    ck_assert_msg(follow_for(120000) == 0, "%s", err.msg);
    ck_assert_uint_eq(got.n, want.n);
    ck_assert(memcmp(got.p, want.p, want.n) == 0);
    ck_assert_uint_eq(stub_count(server, "POST", LIST), 3 * MANY_PAGES);
    ck_assert_ptr_nonnull(strstr(sent(MANY_PAGES), "timestamp asc"));
}
END_TEST

START_TEST(an_old_beginning_is_read_forwards)
{
    struct skl_gcp_log_source source = {"r", "s"};
    struct page p;

    page_begin(&p);
    page_line(&p, now_ns - 3000 * S, "a");
    page_line(&p, now_ns, "b");
    page_end(&p, 1, NULL);
    ck_assert_int_eq(
        skl_gcp_logs_follow(gcp->logs, &source, now_ns - 3600 * S, NULL, &cursor, note, &got, &err),
        0);
    ck_assert_str_eq(got.p, "a|b|");
    ck_assert_ptr_nonnull(strstr(sent(0), "timestamp asc"));
}
END_TEST

struct watcher {
    char service[16];
    struct skl_gcp_context context;
    struct skl_buf got;
    char *cursor;
    int rc;
    pthread_t thread;
};

static bool note_own(void *arg, bool is_stderr, int64_t time_ns, struct skl_str line)
{
    skl_buf_addstr(arg, line);
    return true;
}

static void *watch(void *arg)
{
    struct watcher *w = arg;
    struct skl_gcp_log_source source = {"r", w->service};

    w->rc = skl_gcp_logs_follow(gcp->logs, &source, now_ns - S, &w->context, &w->cursor, note_own,
                                &w->got, NULL);
    return NULL;
}

static void watch_begin(struct watcher *w, const char *service, const atomic_bool *cancel)
{
    *w = (struct watcher){.context = {.deadline_ms = skl_mono_ms() + 60000, .cancel = cancel}};
    (void)snprintf(w->service, sizeof(w->service), "%s", service);
    skl_buf_init(&w->got, 1000);
    ck_assert_int_eq(pthread_create(&w->thread, NULL, watch, w), 0);
}

static void watch_end(struct watcher *w, int rc, const char *want)
{
    (void)pthread_join(w->thread, NULL);
    ck_assert_int_eq(w->rc, rc);
    ck_assert_str_eq(w->got.p, want);
    skl_buf_fini(&w->got);
    free(w->cursor);
}

static size_t waiting(void)
{
    struct skl_list *it;
    size_t n = 0;

    (void)pthread_mutex_lock(&gcp->logs->follow_lock);
    skl_list_foreach (it, &gcp->logs->waiting)
        n++;
    (void)pthread_mutex_unlock(&gcp->logs->follow_lock);
    return n;
}

static void await_waiting(size_t n)
{
    for (int64_t end = skl_mono_ms() + 30000; waiting() != n;) {
        ck_assert_int_lt(skl_mono_ms(), end);
        (void)skl_cloud_sleep(1, 0, NULL, NULL);
    }
}

START_TEST(followers_that_wait_share_one_read)
{
    atomic_bool cancel_first = false, cancel_last = false;
    struct watcher first, last, others[8];
    struct page p;

    stub_rule(server, "POST", LIST, 1, STUB_STALL, NULL, NULL);
    page_begin(&p);
    for (int i = 7; i >= 0; i--) {
        char service[16], payload[64];

        (void)snprintf(service, sizeof(service), "s%d", i);
        (void)snprintf(payload, sizeof(payload), "\"textPayload\":\"for s%d\"", i);
        page_add(&p, service, "stdout", now_ns, now_ns, service, payload);
    }
    page_end(&p, 0, NULL);
    watch_begin(&first, "s0", &cancel_first);
    for (int64_t end = skl_mono_ms() + 30000; stub_count(server, "POST", LIST) == 0;) {
        ck_assert_int_lt(skl_mono_ms(), end);
        (void)skl_cloud_sleep(1, 0, NULL, NULL);
    }
    for (int i = 0; i < 8; i++) {
        char service[16];

        (void)snprintf(service, sizeof(service), "s%d", i);
        watch_begin(&others[i], service, NULL);
    }
    watch_begin(&last, "t", &cancel_last);
    await_waiting(9);
    atomic_store(&cancel_last, true); /* goes away while it waits */
    watch_end(&last, -SKL_E_CANCELED, "");
    await_waiting(8);
    atomic_store(&cancel_first, true); /* the reader's own failure is not the others' */
    watch_end(&first, -SKL_E_CANCELED, "");
    for (int i = 0; i < 8; i++) {
        char want[16];

        (void)snprintf(want, sizeof(want), "for s%d", i);
        watch_end(&others[i], 0, want);
    }
    ck_assert_uint_eq(stub_count(server, "POST", LIST), 2);
}
END_TEST

START_TEST(a_follower_may_go_away_while_it_is_read_for)
{
    atomic_bool cancel_reader = false, cancel_other = false;
    struct watcher reader, other, blocker;
    atomic_bool cancel_blocker = false;

    stub_rule(server, "POST", LIST, 0, STUB_STALL, NULL, NULL);
    watch_begin(&blocker, "b", &cancel_blocker);
    for (int64_t end = skl_mono_ms() + 30000; stub_count(server, "POST", LIST) == 0;) {
        ck_assert_int_lt(skl_mono_ms(), end);
        (void)skl_cloud_sleep(1, 0, NULL, NULL);
    }
    watch_begin(&reader, "r", &cancel_reader);
    watch_begin(&other, "o", &cancel_other);
    await_waiting(2);
    atomic_store(&cancel_blocker, true);
    watch_end(&blocker, -SKL_E_CANCELED, "");
    await_waiting(0); /* one of the two reads for both */
    atomic_store(&cancel_reader, true);
    atomic_store(&cancel_other, true);
    watch_end(&other, -SKL_E_CANCELED, "");
    watch_end(&reader, -SKL_E_CANCELED, "");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gcp_logging");
    TCase *t = tcase_create("logging");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_value_cannot_leave_its_quotes);
    tcase_add_test(t, a_filter_is_bound_to_service_logs_and_time);
    tcase_add_test(t, the_platforms_lines_are_asked_for_apart);
    tcase_add_test(t, entries_become_lines);
    tcase_add_test(t, all_is_read_over_pages_in_order);
    tcase_add_test(t, a_reader_may_have_enough);
    tcase_add_test(t, a_tail_is_read_from_the_end);
    tcase_add_test(t, an_error_is_told_and_a_hiccup_is_not);
    tcase_add_test(t, reads_keep_within_the_quota);
    tcase_add_test(t, a_follower_that_is_throttled_waits);
    tcase_add_test(t, a_follower_gets_late_lines_and_none_twice);
    tcase_add_test(t, equal_lines_of_one_moment_are_told_apart_by_their_id);
    tcase_add_test(t, a_clock_that_is_ahead_skips_nothing);
    tcase_add_test(t, what_a_follower_did_not_take_comes_again);
    tcase_add_test(t, more_than_a_round_holds_is_read_from_the_beginning);
    tcase_add_test(t, an_old_beginning_is_read_forwards);
    tcase_add_test(t, followers_that_wait_share_one_read);
    tcase_add_test(t, a_follower_may_go_away_while_it_is_read_for);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
