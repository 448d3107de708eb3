/* The HTTP server's connections: takeover, half-close, backpressure, time, the end. */
#include "http_helper.h"

/* -- takeover and half-close */

START_TEST(takeover_works_both_ways_with_half_close)
{
    begin();
    expect_bytes("POST /take HTTP/1.1\r\n" H "Upgrade: tcp\r\nConnection: Upgrade\r\n\r\nleft",
                 "HTTP/1.1 101 UPGRADED\r\n\r\n");
    ck_assert_str_eq(taken_seen.data.p, "left");
    ck_assert_int_eq(ended, 1);
    ck_assert_uint_eq(skl_http_server_connections(server), 0);
    send_text("over");
    shutdown(client, SHUT_WR);
    net_until(taken_seen.eofs == 1);
    ck_assert_str_eq(taken_seen.data.p, "leftover");
    skl_stream_write(taken, "still here", 10);
    ck_assert_str_eq(got(), "still here");
    skl_stream_shutdown(taken);
    ck_assert(peer_closed());
    finish();
}
END_TEST

START_TEST(takeover_without_upgrade_is_raw_200)
{
    begin();
    expect_bytes("POST /take HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200 OK\r\n\r\n");
    finish();
}
END_TEST

START_TEST(takeover_drops_the_rest_of_the_body)
{
    begin();
    expect_bytes("POST /take HTTP/1.1\r\n" H "Content-Length: 6\r\n\r\n123",
                 "HTTP/1.1 200 OK\r\n\r\n");
    ck_assert_str_eq(taken_seen.data.p, "");
    expect_bytes("456raw", "");
    ck_assert_str_eq(taken_seen.data.p, "raw");
    finish();
}
END_TEST

START_TEST(takeover_before_the_end_of_a_chunked_body_breaks)
{
    begin();
    send_text("POST /take HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabc");
    net_until(taken_seen.closes == 1);
    finish();
}
END_TEST

START_TEST(a_half_close_before_takeover_reaches_the_new_owner)
{
    begin();
    send_text("POST /take HTTP/1.1\r\n" H "Upgrade: tcp\r\n\r\nin");
    shutdown(client, SHUT_WR);
    net_until(taken && taken_seen.eofs == 1);
    ck_assert_str_eq(taken_seen.data.p, "in");
    finish();
}
END_TEST

START_TEST(a_hang_up_after_takeover_and_half_close_is_noticed)
{
    begin();
    send_text("POST /take HTTP/1.1\r\n" H "Upgrade: tcp\r\n\r\n");
    shutdown(client, SHUT_WR);
    net_until(taken && taken_seen.eofs == 1);
    ck_assert_int_eq(taken_seen.closes, 0);
    close(client);
    client = -1;
    net_until(taken_seen.closes == 1);
    finish();
}
END_TEST

START_TEST(a_half_close_does_not_end_a_pending_exchange)
{
    begin();
    send_text("POST /wait HTTP/1.1\r\n" H "\r\n");
    shutdown(client, SHUT_WR);
    net_spin();
    ck_assert_int_eq(ended, 0);
    skl_http_answer(pending, 200, NULL, NULL, SKL_STR("done"));
    ck_assert_str_eq(got(),
                     "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone");
    ck_assert(peer_closed());
    finish();
}
END_TEST

START_TEST(a_hang_up_ends_a_pending_exchange)
{
    begin();
    send_text("POST /wait HTTP/1.1\r\n" H "\r\n");
    net_spin();
    close(client);
    client = -1;
    net_until(ended == 1);
    finish();
}
END_TEST

START_TEST(end_on_eof_ends_a_streaming_answer)
{
    begin();
    send_text("GET /follow HTTP/1.1\r\n" H "\r\n");
    net_spin();
    ck_assert_int_eq(ended, 0);
    shutdown(client, SHUT_WR);
    net_until(ended == 1);
    finish();
}
END_TEST

START_TEST(a_pending_exchange_buffers_little)
{
    char *block = skl_alloc0(1, 65536);
    size_t sent = 0;
    begin();
    send_text("POST /wait HTTP/1.1\r\n" H "\r\n");
    for (int idle = 0; idle < 20;) {
        ssize_t n = write(client, block, 65536);
        idle = n > 0 ? 0 : idle + 1;
        sent += n > 0 ? (size_t)n : 0;
        net_spin();
        ck_assert_uint_lt(sent, 2000000);
    }
    free(block);
    finish();
}
END_TEST

START_TEST(abort_cuts_the_answer)
{
    begin();
    send_text("GET /abort HTTP/1.1\r\n" H "\r\n");
    ck_assert(peer_closed());
    ck_assert_ptr_nonnull(strstr(got(), "4\r\npart\r\n"));
    ck_assert_ptr_null(strstr(got(), "0\r\n\r\n"));
    finish();
}
END_TEST

/* -- backpressure */

static uint64_t flow_left;

static void flow(void *owner)
{
    static char block[8192];
    struct skl_http *x = owner;
    while (flow_left && !skl_http_congested(x)) {
        flow_left -= sizeof(block);
        skl_http_write(x, block, sizeof(block));
    }
    if (!flow_left)
        skl_http_end(x);
}

START_TEST(a_client_that_does_not_read_stops_the_source)
{
    const uint64_t total = 64u * 1024 * 1024;
    size_t seen = 0;
    begin();
    send_text("GET /follow HTTP/1.1\r\n" H "\r\n");
    net_spin();
    flow_left = total;
    skl_http_on_drain(pending, flow);
    flow(pending);
    net_spin();
    ck_assert_uint_gt(flow_left, total - 2 * 1024 * 1024);
    for (bool last = false; !last;) {
        uv_run(&net_loop, UV_RUN_NOWAIT);
        skl_buf_reset(&out);
        net_read(client, &out);
        seen += out.n;
        last = out.n >= 5 && memcmp(out.p + out.n - 5, "0\r\n\r\n", 5) == 0;
    }
    ck_assert_uint_gt(seen, total);
    ck_assert_ptr_null(pending);
    finish();
}
END_TEST

/* -- time */

START_TEST(a_slow_header_gets_408)
{
    begin_with((struct skl_http_server_config){.header_timeout_ms = 40});
    send_text("GET /ping HT");
    net_until(net_read(client, &out));
    ck_assert_ptr_nonnull(strstr(out.p, "HTTP/1.1 408 "));
    finish();
}
END_TEST

START_TEST(an_idle_connection_is_closed)
{
    begin_with((struct skl_http_server_config){.idle_timeout_ms = 40});
    expect_bytes("GET /ping HTTP/1.1\r\n" H "\r\n", OK2);
    net_until(net_read(client, &out));
    ck_assert_uint_eq(out.n, 0);
    finish();
}
END_TEST

START_TEST(a_stalled_body_ends_the_exchange)
{
    begin_with((struct skl_http_server_config){.body_stall_ms = 40});
    send_text("POST /sum HTTP/1.1\r\n" H "Content-Length: 6\r\n\r\nabc");
    net_until(ended == 1);
    ck_assert_str_eq(last_error, "the client stopped sending the request body");
    close(client);
    open_client();
    skl_buf_reset(&out);
    send_text("POST /echo HTTP/1.1\r\n" H "Content-Length: 6\r\n\r\nabc");
    net_until(net_read(client, &out));
    ck_assert_ptr_nonnull(strstr(out.p, "HTTP/1.1 408 "));
    finish();
}
END_TEST

START_TEST(a_pending_answer_has_no_timeout)
{
    begin_with((struct skl_http_server_config){
        .idle_timeout_ms = 30, .header_timeout_ms = 30, .body_stall_ms = 30});
    int64_t until = skl_mono_ms() + 200;
    send_text("GET /wait HTTP/1.1\r\n" H "\r\n");
    net_until(skl_mono_ms() >= until);
    ck_assert_int_eq(ended, 0);
    skl_http_answer(pending, 200, NULL, NULL, SKL_STR("late"));
    ck_assert_ptr_nonnull(strstr(got(), "late"));
    finish();
}
END_TEST

/* -- the server's end */

START_TEST(closing_waits_for_busy_connections)
{
    begin();
    int busy = client;
    send_text("GET /wait HTTP/1.1\r\n" H "\r\n");
    net_spin();
    open_client(); /* an idle one */
    net_spin();
    skl_http_server_close(server, 60000, on_closed, NULL);
    net_until(net_read(client, &out));
    ck_assert_int_eq(closed, 0);
    skl_http_answer(pending, 200, NULL, NULL, SKL_STR("done"));
    close(client);
    client = busy;
    ck_assert_ptr_nonnull(strstr(got(), "Connection: close\r\n\r\ndone"));
    net_until(closed == 1);
    close(client);
    skl_buf_fini(&out);
    net_end();
}
END_TEST

START_TEST(closing_cuts_after_the_grace_time)
{
    begin();
    send_text("GET /wait HTTP/1.1\r\n" H "\r\n");
    net_spin();
    skl_http_server_close(server, 10, on_closed, NULL);
    net_until(closed == 1);
    ck_assert_int_eq(ended, 1);
    close(client);
    skl_buf_fini(&out);
    net_end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http_conn");
    TCase *t = tcase_create("http_conn");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, takeover_works_both_ways_with_half_close);
    tcase_add_test(t, takeover_without_upgrade_is_raw_200);
    tcase_add_test(t, takeover_drops_the_rest_of_the_body);
    tcase_add_test(t, takeover_before_the_end_of_a_chunked_body_breaks);
    tcase_add_test(t, a_half_close_before_takeover_reaches_the_new_owner);
    tcase_add_test(t, a_hang_up_after_takeover_and_half_close_is_noticed);
    tcase_add_test(t, a_half_close_does_not_end_a_pending_exchange);
    tcase_add_test(t, a_hang_up_ends_a_pending_exchange);
    tcase_add_test(t, end_on_eof_ends_a_streaming_answer);
    tcase_add_test(t, a_pending_exchange_buffers_little);
    tcase_add_test(t, abort_cuts_the_answer);
    tcase_add_test(t, a_client_that_does_not_read_stops_the_source);
    tcase_add_test(t, a_slow_header_gets_408);
    tcase_add_test(t, an_idle_connection_is_closed);
    tcase_add_test(t, a_stalled_body_ends_the_exchange);
    tcase_add_test(t, a_pending_answer_has_no_timeout);
    tcase_add_test(t, closing_waits_for_busy_connections);
    tcase_add_test(t, closing_cuts_after_the_grace_time);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
