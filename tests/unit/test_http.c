/* The HTTP server by its wire: bytes in, bytes out. */
#include "http_helper.h"

/* -- answers */

START_TEST(simple_answer)
{
    begin();
    expect_bytes("GET /ping HTTP/1.1\r\n" H "\r\n", OK2);
    expect_bytes("GET /ping HTTP/1.1\r\n" H "\r\n", OK2);
    expect_bytes("\r\n\r\nGET /ping HTTP/1.1\r\n" H "\r\n", OK2);
    expect_bytes("GET /none HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n");
    expect_bytes("GET /target?a=1&b=%20 HTTP/1.1\r\n" H "X-TEST:  v w \t\r\nEmpty:\r\n\r\n",
                 "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n[GET][a=1&b=%20][v w]");
    finish();
}
END_TEST

START_TEST(every_answer_has_the_extra_headers_and_a_date)
{
    begin_with((struct skl_http_server_config){.extra_headers = "Api-Version: 1.44\r\n"});
    send_text("GET /ping HTTP/1.1\r\n" H "\r\n");
    net_spin();
    net_read(client, &out);
    ck_assert_ptr_nonnull(strstr(out.p, "\r\nApi-Version: 1.44\r\nDate: "));
    ck_assert_ptr_nonnull(strstr(out.p, " GMT\r\n"));
    finish();
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
    begin();
    expect_bytes(
        "GET /ping HTTP/1.1\r\n" H "\r\nGET /stream HTTP/1.1\r\n" H "\r\n"
        "POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabcGET /ping HTTP/1.1\r\n" H "\r\n",
        OK2 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
            "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc" OK2);
    finish();
}
END_TEST

START_TEST(a_pending_answer_holds_the_next_request)
{
    begin();
    send_text("GET /wait HTTP/1.1\r\n" H "\r\nGET /ping HTTP/1.1\r\n" H "\r\n");
    ck_assert_str_eq(got(), "");
    ck_assert_int_eq(handled, 1);
    skl_http_answer(pending, 201, NULL, NULL, SKL_STR(""));
    ck_assert_int_eq(ended, 0); /* not before the call returns */
    ck_assert_str_eq(got(), "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n" OK2);
    finish();
}
END_TEST

START_TEST(head_has_no_body)
{
    begin();
    expect_bytes(
        "HEAD /ping HTTP/1.1\r\n" H "\r\nHEAD /stream HTTP/1.1\r\n" H "\r\n"
        "GET /ping HTTP/1.1\r\n" H "\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n" OK2);
    finish();
}
END_TEST

START_TEST(http_1_0_closes_unless_kept_alive)
{
    begin();
    expect_bytes("GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n"
                 "Connection: keep-alive\r\n\r\nOK");
    expect_bytes(
        "GET /stream HTTP/1.0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nhello world");
    ck_assert(peer_closed());
    finish();
}
END_TEST

START_TEST(connection_close_is_honoured)
{
    begin();
    expect_bytes("GET /ping HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n"
                 "Connection: close\r\n\r\nOK");
    ck_assert(peer_closed());
    finish();
}
END_TEST

/* -- bodies */

START_TEST(expect_100_is_answered_when_the_handler_reads)
{
    begin();
    expect_bytes("POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
                 "HTTP/1.1 100 Continue\r\n\r\n");
    expect_bytes("hi",
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi");
    /* Not read: no 100, and the connection ends, since the body may or may not follow. */
    expect_bytes("POST /unread HTTP/1.1\r\n" H "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
                 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    ck_assert(peer_closed());
    finish();
}
END_TEST

START_TEST(a_chunked_body_arrives_joined)
{
    begin();
    expect_bytes(
        "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\nGET /ping HTTP/1.1\r\n" H "\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
        "abc0123456789" OK2);
    finish();
}
END_TEST

START_TEST(a_body_too_large_is_413_and_closes)
{
    begin();
    expect_bytes("POST /echo HTTP/1.1\r\n" H "Content-Length: 1001\r\n\r\n",
                 "HTTP/1.1 413 Content Too Large\r\nContent-Type: application/json\r\n"
                 "Content-Length: 5\r\nConnection: close\r\n\r\n{413}");
    ck_assert(peer_closed());
    close(client);
    open_client();
    skl_buf_reset(&out);
    send_text("POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3e9\r\n");
    for (int i = 0; i < 1001; i++)
        send_text("x");
    ck_assert_ptr_nonnull(strstr(got(), "HTTP/1.1 413 "));
    ck_assert(peer_closed());
    finish();
}
END_TEST

START_TEST(an_unread_body_is_drained_or_closes)
{
    begin();
    expect_bytes("POST /unread HTTP/1.1\r\n" H
                 "Content-Length: 5\r\n\r\n12345GET /ping HTTP/1.1\r\n" H "\r\n",
                 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno" OK2);
    expect_bytes("POST /unread HTTP/1.1\r\n" H "Content-Length: 500000\r\n\r\n",
                 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    ck_assert(peer_closed());
    finish();
}
END_TEST

START_TEST(a_streamed_body_can_be_paused)
{
    begin();
    pause_each = true;
    send_text("POST /pipe HTTP/1.1\r\n" H "Content-Length: 6\r\n\r\nabc");
    ck_assert_ptr_nonnull(strstr(got(), "\r\n\r\n3\r\nabc\r\n"));
    skl_buf_reset(&out);
    expect_bytes("def", "");
    skl_http_resume_body(pending);
    ck_assert_str_eq(got(), "3\r\ndef\r\n"); /* paused again: the end is not told yet */
    skl_buf_reset(&out);
    skl_http_resume_body(pending);
    ck_assert_str_eq(got(), "0\r\n\r\n");
    finish();
}
END_TEST

START_TEST(a_client_that_leaves_within_the_body_is_told)
{
    begin();
    send_text("POST /sum HTTP/1.1\r\n" H "Content-Length: 6\r\n\r\nabc");
    net_spin();
    close(client);
    client = -1;
    net_until(ended == 1);
    ck_assert_str_eq(last_error, "the client went away within the request body");
    finish();
}
END_TEST

START_TEST(a_paused_body_stops_the_client)
{
    char *block = skl_alloc0(1, 100000);
    size_t sent = 0;
    begin();
    send_text("POST /sum HTTP/1.1\r\n" H "Content-Length: 100000000\r\n\r\n");
    net_spin();
    skl_http_pause_body(pending);
    for (int idle = 0; idle < 20;) {
        ssize_t n = write(client, block, 100000);
        idle = n > 0 ? 0 : idle + 1;
        sent += n > 0 ? (size_t)n : 0;
        net_spin();
        ck_assert_uint_lt(sent, 2000000);
    }
    skl_http_resume_body(pending);
    for (size_t left = 100000000 - sent; left;) {
        size_t k = left < 100000 ? left : 100000;
        net_write(client, block, k);
        left -= k;
    }
    ck_assert_ptr_nonnull(strstr(got(), "\r\n\r\nread"));
    free(block);
    finish();
}
END_TEST

/* -- bad input */

static const struct {
    const char *in;
    int status;
} bad[] = {
    {"GET /ping HTTP/1.1\r\n\r\n", 400}, /* no Host */
    {"GET /ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    {"GET /ping HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", 400}, /* folded */
    {"GET /ping HTTP/1.1\r\n" H "A: b\r\n\tc\r\n\r\n", 400},
    {"GET /ping HTTP/1.1\r\n A: b\r\n" H "\r\n", 400},
    {"GET /ping HTTP/1.1\n" H "\n", 400},
    {"GET /ping HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400},
    {"GET /ping HTTP/1.1\r\nHost: a\r\r\n\r\n", 400},
    {"GET /ping HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
    {"GET /ping HTTP/1.1\r\nHost : a\r\n\r\n", 400},
    {"GET /ping HTTP/1.1\r\n" H "A B: c\r\n\r\n", 400},
    {"GET /ping HTTP/1.1\r\n" H ": c\r\n\r\n", 400},
    {"GET /ping HTTP/1.1\r\n" H "nocolon\r\n\r\n", 400},
    {"GET /ping HTTP/2.0\r\n" H "\r\n", 400},
    {"GET /ping HTTP/1.9x\r\n" H "\r\n", 400},
    {"GET  /ping HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /pi ng HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /ping  HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /ping\tHTTP/1.1\r\n" H "\r\n", 400},
    {"GET\t/ping HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /ping HTTP/1.1 \r\n" H "\r\n", 400},
    {"get /ping HTTP/1.1\r\n" H "\r\n", 400},
    {"\x16\x03\x01\x02\x00\x01", 400}, /* TLS to a plain port */
    {"CONNECT a:80 HTTP/1.1\r\n" H "\r\n", 405},
    {"POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Content-Length: +1\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Content-Length: 0x1\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Content-Length: 1 1\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Content-Length: \r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Content-Length: 18446744073709551616\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Content-Length: 9223372036854775808\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     400},
    {"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n", 400},
    {"POST /echo HTTP/1.1\r\n" H "Expect: cake\r\nContent-Length: 1\r\n\r\n", 417},
};

START_TEST(bad_requests_are_refused_and_closed)
{
    char want[32];
    begin();
    snprintf(want, sizeof(want), "HTTP/1.1 %d ", bad[_i].status);
    send_text(bad[_i].in);
    ck_assert_msg(strncmp(got(), want, strlen(want)) == 0, "case %d: %s: %s", _i, bad[_i].in,
                  out.p);
    ck_assert_ptr_nonnull(strstr(out.p, "Connection: close\r\n"));
    ck_assert(peer_closed());
    finish();
}
END_TEST

START_TEST(a_nul_in_the_header_is_refused)
{
    static const char in[] = "GET /ping HTTP/1.1\r\nHost: a\0b\r\n\r\n";
    begin();
    net_write(client, in, sizeof(in) - 1);
    ck_assert_ptr_nonnull(strstr(got(), "HTTP/1.1 400 "));
    finish();
}
END_TEST

static void repeat(const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        send_text(text);
}

START_TEST(long_lines_are_fine_up_to_the_limit)
{
    begin();
    send_text("GET /ping?");
    repeat("0123456789abcdef", 16000);
    expect_bytes(" HTTP/1.1\r\n" H "\r\n", OK2);
    send_text("GET /ping?");
    repeat("0123456789abcdef", 16384);
    ck_assert_ptr_nonnull(strstr(got(), "HTTP/1.1 431 "));
    ck_assert(peer_closed());
    finish();
}
END_TEST

START_TEST(headers_are_limited_in_bytes_and_number)
{
    begin();
    send_text("GET /ping HTTP/1.1\r\n" H);
    for (int i = 0; i < 127; i++)
        send_text("A: b\r\n");
    expect_bytes("\r\n", OK2);
    send_text("GET /ping HTTP/1.1\r\n" H);
    for (int i = 0; i < 129; i++)
        send_text("A: b\r\n");
    ck_assert_ptr_nonnull(strstr(got(), "HTTP/1.1 431 "));
    ck_assert(peer_closed());
    close(client);
    open_client();
    skl_buf_reset(&out);
    send_text("GET /ping HTTP/1.1\r\n" H "A:");
    repeat("                                ", 10241);
    ck_assert_ptr_nonnull(strstr(got(), "HTTP/1.1 431 "));
    finish();
}
END_TEST

START_TEST(chunk_extensions_and_trailers_are_limited)
{
    begin();
    send_text("POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3;");
    repeat("0123456789abcdef", 1100);
    ck_assert_ptr_nonnull(strstr(got(), "HTTP/1.1 431 "));
    close(client);
    open_client();
    skl_buf_reset(&out);
    send_text("POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n");
    repeat("Trailer: 0123456789abcdef\r\n", 800);
    ck_assert_ptr_nonnull(strstr(got(), "HTTP/1.1 431 "));
    finish();
}
END_TEST

/* -- splits */

static const char split_in[] =
    "GET /target?q HTTP/1.1\r\n" H "X-Test: abc\r\n\r\n"
    "POST /echo HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nbody"
    "POST /echo HTTP/1.1\r\n" H
    "Transfer-Encoding: chunked\r\n\r\n2;e\r\nab\r\n2\r\ncd\r\n0\r\nT: u\r\n\r\n"
    "POST /unread HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nbody"
    "GET /ping HTTP/1.1\r\n" H "\r\n"
    "POST /take-body HTTP/1.1\r\n" H
    "Upgrade: tcp\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\n{}"
    "raw bytes";
static const char split_out[] =
    "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n[GET][q][abc]"
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody"
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nabcd"
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno" OK2 "HTTP/1.1 101 UPGRADED\r\n\r\n";

START_TEST(any_split_gives_the_same)
{
    size_t n = sizeof(split_in) - 1;
    for (size_t at = 0; at <= n; at++) {
        begin();
        net_write(client, split_in, at);
        net_spin();
        net_write(client, split_in + at, n - at);
        ck_assert_str_eq(got(), split_out);
        ck_assert_str_eq(taken_seen.data.p, "raw bytes");
        finish();
    }
    /* One byte at a time. */
    begin();
    for (size_t i = 0; i < n; i++) {
        net_write(client, split_in + i, 1);
        uv_run(&net_loop, UV_RUN_NOWAIT);
    }
    ck_assert_str_eq(got(), split_out);
    ck_assert_str_eq(taken_seen.data.p, "raw bytes");
    finish();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http");
    TCase *t = tcase_create("http");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, simple_answer);
    tcase_add_test(t, every_answer_has_the_extra_headers_and_a_date);
    tcase_add_test(t, pipelined_requests_are_answered_in_order);
    tcase_add_test(t, a_pending_answer_holds_the_next_request);
    tcase_add_test(t, head_has_no_body);
    tcase_add_test(t, http_1_0_closes_unless_kept_alive);
    tcase_add_test(t, connection_close_is_honoured);
    tcase_add_test(t, expect_100_is_answered_when_the_handler_reads);
    tcase_add_test(t, a_chunked_body_arrives_joined);
    tcase_add_test(t, a_body_too_large_is_413_and_closes);
    tcase_add_test(t, an_unread_body_is_drained_or_closes);
    tcase_add_test(t, a_streamed_body_can_be_paused);
    tcase_add_test(t, a_client_that_leaves_within_the_body_is_told);
    tcase_add_test(t, a_paused_body_stops_the_client);
    tcase_add_loop_test(t, bad_requests_are_refused_and_closed, 0, (int)SKL_ARRAY_LEN(bad));
    tcase_add_test(t, a_nul_in_the_header_is_refused);
    tcase_add_test(t, long_lines_are_fine_up_to_the_limit);
    tcase_add_test(t, headers_are_limited_in_bytes_and_number);
    tcase_add_test(t, chunk_extensions_and_trailers_are_limited);
    tcase_add_test(t, any_split_gives_the_same);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
