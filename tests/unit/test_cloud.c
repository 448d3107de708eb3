/* The REST client: retries, delays, deadlines, cancellation, correlation, origins. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cloud/reach.h"
#include "cloud/rest.h"
#include "http_stub.h"

static struct stub *server;
static struct skl_rest *rest;
static char url[256];

static struct {
    char operation[32];
    int status;
    unsigned retries, calls;
} metric;

static void on_call(void *arg, const char *operation, int status, unsigned retries,
                    int64_t elapsed_ms)
{
    (void)snprintf(metric.operation, sizeof(metric.operation), "%s", operation);
    metric.status = status;
    metric.retries = retries;
    metric.calls++;
}

static void setup(void)
{
    struct skl_rest_settings s = {.delay_percent = 1, .on_call = on_call};

    memset(&metric, 0, sizeof(metric));
    server = stub_new();
    rest = skl_rest_new(&s);
    (void)snprintf(url, sizeof(url), "%s/x?sig=hidden", stub_url(server));
}

static void teardown(void)
{
    skl_rest_free(rest);
    stub_free(server);
}

static struct skl_rest_request get(void)
{
    return (struct skl_rest_request){.method = "GET", .url = url, .operation = "test"};
}

static struct skl_rest_request post(void)
{
    return (struct skl_rest_request){.method = "POST", .url = url, .body = SKL_STR("{}")};
}

static const int retryable[] = {408, 429, 500, 502, 503, 504};

START_TEST(busy_answers_are_repeated_for_a_get)
{
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
    struct skl_rest_request req = get();

    stub_rule(server, "GET", "/x", 2, retryable[_i], NULL, "busy");
    stub_rule(server, "GET", "/x", 0, 200, NULL, "fine");
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, NULL), 0);
    ck_assert_int_eq(r.status, 200);
    ck_assert_str_eq(r.body.p, "fine");
    ck_assert_uint_eq(r.retries, 2);
    ck_assert_uint_eq(metric.retries, 2);
    ck_assert_str_eq(metric.operation, "test");
    ck_assert_uint_eq(metric.calls, 1);
}
END_TEST

START_TEST(the_fifth_busy_answer_is_returned)
{
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
    struct skl_rest_request req = get();

    stub_rule(server, "GET", "/x", 0, 503, NULL, "busy");
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, NULL), 0);
    ck_assert_int_eq(r.status, 503);
    ck_assert_uint_eq(stub_count(server, "GET", "/x"), 5);
}
END_TEST

START_TEST(client_errors_are_not_repeated)
{
    static const int status[] = {400, 401, 403, 404, 409, 501};
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
    struct skl_rest_request req = get();

    stub_rule(server, "GET", "/x", 0, status[_i], NULL, "no");
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, NULL), 0);
    ck_assert_int_eq(r.status, status[_i]);
    ck_assert_uint_eq(stub_count(server, "GET", "/x"), 1);
}
END_TEST

START_TEST(a_post_is_repeated_only_when_it_was_refused)
{
    for (size_t i = 0; i < SKL_ARRAY_LEN(retryable); i++) {
        SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
        struct skl_rest_request req = post();
        bool refused = retryable[i] == 429 || retryable[i] == 503;

        stub_clear(server);
        stub_rule(server, "POST", "/x", 1, retryable[i], NULL, NULL);
        stub_rule(server, "POST", "/x", 0, 200, NULL, NULL);
        ck_assert_int_eq(skl_rest_call(rest, &req, &r, NULL), 0);
        ck_assert_int_eq(r.status, refused ? 200 : retryable[i]);
        ck_assert_uint_eq(stub_count(server, "POST", "/x"), refused ? 2 : 1);
    }
}
END_TEST

START_TEST(a_lost_answer_is_repeated_for_a_get)
{
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
    struct skl_rest_request req = get();

    stub_rule(server, "GET", "/x", 2, STUB_DROP, NULL, NULL);
    stub_rule(server, "GET", "/x", 0, 200, NULL, NULL);
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, NULL), 0);
    ck_assert_int_eq(r.status, 200);
}
END_TEST

START_TEST(a_lost_answer_of_a_post_is_reported_and_sent_once)
{
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
    struct skl_rest_request req = post(), warm = get();
    struct skl_error err;

    /* With a warm connection in the pool, where libcurl would repeat by itself. */
    stub_rule(server, "GET", "/x", 0, 200, NULL, NULL);
    stub_rule(server, "POST", "/x", 0, STUB_DROP, NULL, NULL);
    ck_assert_int_eq(skl_rest_call(rest, &warm, &r, NULL), 0);
    skl_rest_response_fini(&r);
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, &err), -SKL_E_UNAVAILABLE);
    ck_assert(r.maybe_sent);
    ck_assert_int_eq(r.status, 0);
    ck_assert_uint_eq(stub_count(server, "POST", "/x"), 1);
}
END_TEST

START_TEST(no_connection_is_repeated_also_for_a_post)
{
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
    struct skl_rest_request req = post();
    struct skl_error err;

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/p?sig=hidden", stub_dead_port());
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, &err), -SKL_E_UNAVAILABLE);
    ck_assert_uint_eq(r.retries, 3);
    ck_assert(!r.maybe_sent);
    ck_assert_ptr_nonnull(strstr(err.msg, "/p"));
    ck_assert_ptr_null(strstr(err.msg, "hidden"));
}
END_TEST

START_TEST(retry_after_is_obeyed_and_named_in_three_ways)
{
    static const char *const headers[] = {"retry-after-ms: 30\r\n", "x-ms-retry-after-ms: 30\r\n",
                                          "Retry-After: 0\r\n"};
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
    struct skl_rest_request req = get();
    int64_t begun = skl_mono_ms();

    stub_rule(server, "GET", "/x", 1, 429, headers[_i], NULL);
    stub_rule(server, "GET", "/x", 0, 200, NULL, NULL);
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, NULL), 0);
    ck_assert_int_eq(r.status, 200);
    if (_i < 2)
        ck_assert_int_ge(skl_mono_ms() - begun, 29);
}
END_TEST

START_TEST(a_delay_past_the_deadline_returns_the_answer_at_once)
{
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
    struct skl_rest_request req = get();

    req.deadline_ms = skl_mono_ms() + 20000;
    stub_rule(server, "GET", "/x", 0, 429, "Retry-After: 30\r\n", NULL);
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, NULL), 0);
    ck_assert_int_eq(r.status, 429);
    ck_assert_int_eq(r.retry_after_ms, 30000);
    ck_assert_uint_eq(stub_count(server, NULL, "/x"), 1);
}
END_TEST

START_TEST(retry_after_reads_seconds_and_dates)
{
    int64_t now = INT64_C(784111770) * SKL_NS_PER_S; /* 7 s before the date below */

    ck_assert_int_eq(skl_retry_after_parse(SKL_STR("12"), now), 12000);
    ck_assert_int_eq(skl_retry_after_parse(SKL_STR(" 0 "), now), 0);
    ck_assert_int_eq(skl_retry_after_parse(SKL_STR("Sun, 06 Nov 1994 08:49:37 GMT"), now), 7000);
    ck_assert_int_eq(
        skl_retry_after_parse(SKL_STR("Sun, 06 Nov 1994 08:49:37 GMT"), now + 9 * SKL_NS_PER_S), 0);
    ck_assert_int_eq(skl_retry_after_parse(SKL_STR("Sun, 06 Nov 11994 08:49:37 GMT"), now), -1);
    ck_assert_int_eq(skl_retry_after_parse(SKL_STR("soon"), now), -1);
    ck_assert_int_eq(skl_retry_after_parse(SKL_STR(""), now), -1);
    ck_assert_int_eq(skl_retry_after_parse(SKL_STR("-5"), now), -1);
}
END_TEST

START_TEST(the_deadline_ends_a_transfer)
{
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
    struct skl_rest_request req = get();
    struct skl_error err;

    req.deadline_ms = skl_mono_ms() + 100;
    stub_rule(server, "GET", "/x", 0, STUB_STALL, NULL, NULL);
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, &err), -SKL_E_TIMEOUT);
}
END_TEST

struct canceler {
    atomic_bool flag;
};

static void *cancel_when_asked(void *arg)
{
    struct canceler *c = arg;

    while (stub_count(server, NULL, "/x") == 0)
        (void)usleep(1000);
    atomic_store(&c->flag, true);
    return NULL;
}

/* Row 0: during the transfer; row 1: during the wait before a repetition. */
START_TEST(cancel_ends_transfers_and_waits)
{
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
    struct skl_rest_request req = get();
    struct canceler c = {false};
    struct skl_error err;
    pthread_t t;

    req.cancel = &c.flag;
    stub_rule(server, "GET", "/x", 0, _i ? 429 : STUB_STALL, "Retry-After: 50\r\n", NULL);
    (void)pthread_create(&t, NULL, cancel_when_asked, &c);
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, &err), -SKL_E_CANCELED);
    (void)pthread_join(t, NULL);
    ck_assert_uint_eq(stub_count(server, NULL, "/x"), 1);
}
END_TEST

static void read_request_id(const char *request, char out[SKL_UUID_LEN])
{
    const char *p = strcasestr(request, "x-ms-client-request-id: ");

    ck_assert_ptr_nonnull(p);
    (void)snprintf(out, SKL_UUID_LEN, "%.36s", p + 24);
}

START_TEST(one_request_id_for_all_attempts_and_another_for_the_next_call)
{
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0}, other = {0};
    struct skl_rest_request req = get();
    char a[SKL_UUID_LEN], b[SKL_UUID_LEN], c[SKL_UUID_LEN];

    stub_rule(server, "GET", "/x", 1, 503, NULL, NULL);
    stub_rule(server, "GET", "/x", 0, 200, NULL, NULL);
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, NULL), 0);
    ck_assert_int_eq(skl_rest_call(rest, &req, &other, NULL), 0);
    read_request_id(stub_request(server, "GET", "/x", 0), a);
    read_request_id(stub_request(server, "GET", "/x", 1), b);
    read_request_id(stub_request(server, "GET", "/x", 2), c);
    ck_assert_str_eq(a, b);
    ck_assert_str_ne(a, c);
    ck_assert_str_eq(r.request_id, a);
    ck_assert_ptr_nonnull(
        strstr(stub_request(server, "GET", "/x", 0), "User-Agent: sockerless/" SKL_VERSION));
}
END_TEST

START_TEST(connections_stay_warm_and_carry_what_was_given)
{
    struct skl_rest_header h[] = {{"Prefer", "wait=30"}};
    struct skl_rest_request req = {.method = "PUT",
                                   .url = url,
                                   .headers = h,
                                   .n_headers = 1,
                                   .body = SKL_STR("{\"a\":1}"),
                                   .bearer = "tok"};
    const char *seen;

    stub_rule(server, NULL, "/x", 0, 200, "X-Thing:  spaced \r\nx-empty:\r\n", NULL);
    for (int i = 0; i < 5; i++) {
        SKL_AUTO_RESPONSE struct skl_rest_response r = {0};

        ck_assert_int_eq(skl_rest_call(rest, &req, &r, NULL), 0);
        ck_assert_str_eq(skl_rest_response_header(&r, "x-thing"), "spaced");
        ck_assert_str_eq(skl_rest_response_header(&r, "X-EMPTY"), "");
        ck_assert_ptr_null(skl_rest_response_header(&r, "absent"));
    }
    ck_assert_uint_eq(stub_connections(server), 1);
    seen = stub_request(server, "PUT", "/x", 0);
    ck_assert_ptr_nonnull(strstr(seen, "Authorization: Bearer tok\r\n"));
    ck_assert_ptr_nonnull(strstr(seen, "Prefer: wait=30\r\n"));
    ck_assert_ptr_nonnull(strstr(seen, "Content-Type: application/json\r\n"));
    ck_assert_ptr_nonnull(strstr(seen, "\r\n\r\n{\"a\":1}"));
    ck_assert_ptr_null(strcasestr(seen, "Expect:"));
}
END_TEST

START_TEST(an_answer_larger_than_allowed_fails)
{
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
    struct skl_rest_request req = get();
    struct skl_error err;

    req.max_body = 8;
    stub_rule(server, "GET", "/x", 0, 200, NULL, "123456789");
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, &err), -SKL_E_TOOBIG);
    ck_assert_uint_eq(stub_count(server, "GET", "/x"), 1);
}
END_TEST

START_TEST(a_header_with_a_line_break_is_never_sent)
{
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
    struct skl_rest_request req = get();
    struct skl_error err;

    req.bearer = "tok\r\nX-Evil: 1";
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, &err), -SKL_E_INVALID);
    ck_assert_ptr_null(strstr(err.msg, "tok"));
    ck_assert_uint_eq(stub_count(server, NULL, "/"), 0);
}
END_TEST

START_TEST(the_log_line_holds_no_secret)
{
    SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
    struct skl_rest_request req = post();
    char text[8192] = "";
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    skl_log_setup(SKL_LOG_DEBUG, false, fds[1]);
    req.bearer = "token-secret";
    req.body = SKL_STR("{\"value\":\"body-secret\"}");
    stub_rule(server, "POST", "/x", 0, 400, "x-ms-request-id: cloud-17\r\n", "answer-secret");
    ck_assert_int_eq(skl_rest_call(rest, &req, &r, NULL), 0);
    skl_log_setup(SKL_LOG_WARN, false, 2);
    (void)close(fds[1]);
    (void)!read(fds[0], text, sizeof(text) - 1);
    (void)close(fds[0]);
    ck_assert_ptr_nonnull(strstr(text, "cloud-17"));
    ck_assert_ptr_nonnull(strstr(text, "/x"));
    ck_assert_ptr_nonnull(strstr(text, r.request_id));
    ck_assert_ptr_null(strstr(text, "secret"));
    ck_assert_ptr_null(strstr(text, "hidden"));
}
END_TEST

static void *many_calls(void *arg)
{
    for (int i = 0; i < 20; i++) {
        SKL_AUTO_RESPONSE struct skl_rest_response r = {0};
        struct skl_rest_request req = {.method = "GET", .url = url};

        if (skl_rest_call(rest, &req, &r, NULL) < 0 || r.status != 200)
            return arg;
    }
    return NULL;
}

START_TEST(many_threads_share_one_client)
{
    pthread_t t[8];
    int one;

    skl_rest_free(rest);
    rest = skl_rest_new(NULL);
    stub_rule(server, "GET", "/x", 0, 200, NULL, "ok");
    for (size_t i = 0; i < SKL_ARRAY_LEN(t); i++)
        (void)pthread_create(&t[i], NULL, many_calls, &one);
    for (size_t i = 0; i < SKL_ARRAY_LEN(t); i++) {
        void *bad;

        (void)pthread_join(t[i], &bad);
        ck_assert_ptr_null(bad);
    }
    ck_assert_uint_le(stub_connections(server), SKL_ARRAY_LEN(t));
}
END_TEST

static void note_grade(void *arg, enum skl_grade grade, const char *check, const char *says,
                       const char *fix)
{
    ck_assert_str_eq(check, "callback url");
    ck_assert_ptr_nonnull(fix);
    *(int *)arg = (int)grade;
}

START_TEST(a_callback_url_must_lead_here_from_elsewhere)
{
    static const struct {
        const char *url;
        int grade; /* -1: nothing to say */
    } rows[] = {
        {NULL, -1},
        {"", -1},
        {"https://vm.example.org:9443/agent/v1", -1},
        {"wss://10.0.0.4:9443", -1},
        {"http://10.0.0.4:9110/agent/v1", SKL_GRADE_WARN},
        {"ws://vm.example.org", SKL_GRADE_WARN},
        {"https://localhost:9443", SKL_GRADE_FAIL},
        {"http://127.0.0.1:9110/agent/v1", SKL_GRADE_FAIL},
        {"https://[::1]:9443/agent/v1", SKL_GRADE_FAIL},
        {"http://0.0.0.0:9110", SKL_GRADE_FAIL},
    };
    int grade = -1;

    skl_cloud_judge_callback(rows[_i].url, &(struct skl_findings){note_grade, &grade});
    ck_assert_int_eq(grade, rows[_i].grade);
}
END_TEST

START_TEST(origins_are_equal_only_in_scheme_host_and_port)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"https://h/x", "https://h/y?z", true},
        {"https://h:443/x", "https://H/", true},
        {"http://h:80", "http://h/", true},
        {"http://h:8080/a", "http://h:8080", true},
        {"http://[::1]:9/a", "http://[::1]:9", true},
        {"http://h/x", "https://h/x", false},
        {"https://h:444/x", "https://h/x", false},
        {"https://h.evil/x", "https://h/x", false},
        {"https://h@evil/x", "https://h/x", false},
        {"https://evil\\@h/x", "https://h/x", false},
        {"https://h:443@evil/", "https://h/", false},
        {"https://h evil/", "https://h/", false},
        {"//h/x", "https://h/x", false},
        {"https:///x", "https://h/x", false},
        {"https://h:/x", "https://h/x", false},
        {"https://h:99999/x", "https://h/x", false},
        {"", "https://h/x", false},
        {NULL, NULL, false},
    };

    ck_assert_int_eq(skl_url_same_origin(rows[_i].a, rows[_i].b), rows[_i].same);
    ck_assert_int_eq(skl_url_same_origin(rows[_i].b, rows[_i].a), rows[_i].same);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cloud");
    TCase *t = tcase_create("rest");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, busy_answers_are_repeated_for_a_get, 0, 6);
    tcase_add_test(t, the_fifth_busy_answer_is_returned);
    tcase_add_loop_test(t, client_errors_are_not_repeated, 0, 6);
    tcase_add_test(t, a_post_is_repeated_only_when_it_was_refused);
    tcase_add_test(t, a_lost_answer_is_repeated_for_a_get);
    tcase_add_test(t, a_lost_answer_of_a_post_is_reported_and_sent_once);
    tcase_add_test(t, no_connection_is_repeated_also_for_a_post);
    tcase_add_loop_test(t, retry_after_is_obeyed_and_named_in_three_ways, 0, 3);
    tcase_add_test(t, a_delay_past_the_deadline_returns_the_answer_at_once);
    tcase_add_test(t, retry_after_reads_seconds_and_dates);
    tcase_add_test(t, the_deadline_ends_a_transfer);
    tcase_add_loop_test(t, cancel_ends_transfers_and_waits, 0, 2);
    tcase_add_test(t, one_request_id_for_all_attempts_and_another_for_the_next_call);
    tcase_add_test(t, connections_stay_warm_and_carry_what_was_given);
    tcase_add_test(t, an_answer_larger_than_allowed_fails);
    tcase_add_test(t, a_header_with_a_line_break_is_never_sent);
    tcase_add_test(t, the_log_line_holds_no_secret);
    tcase_add_test(t, many_threads_share_one_client);
    tcase_add_loop_test(t, a_callback_url_must_lead_here_from_elsewhere, 0, 10);
    tcase_add_loop_test(t, origins_are_equal_only_in_scheme_host_and_port, 0, 18);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
