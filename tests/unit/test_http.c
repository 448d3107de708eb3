/* The HTTP server by its wire: bytes in, bytes out. */
#include "net/http_server.h"

#include <netinet/in.h>

#include "net_helper.h"

static struct skl_http_server *server;
static int client; /* the client's socket */
static struct skl_buf out;
static int ended, handled, closed;
static struct skl_http *pending;
static struct skl_stream *taken;
static struct net_seen taken_seen;
static char last_error[512];

static void on_end(void *owner)
{
    ended++;
    if (owner && owner == pending)
        pending = NULL;
}

/* -- handlers by path */

static void echo_body(void *arg, struct skl_http *x, struct skl_str body)
{
    skl_http_answer(x, 200, "text/plain", NULL, body);
}

static bool pause_each;

static void stream_data(void *arg, const uint8_t *p, size_t n)
{
    struct skl_http *x = arg;
    skl_http_write(x, p, n);
    if (pause_each)
        skl_http_pause_body(x);
}

static void stream_done(void *arg, const struct skl_error *err)
{
    if (err)
        snprintf(last_error, sizeof(last_error), "%s", err->msg);
    else
        skl_http_end(arg);
}

static void sum_data(void *arg, const uint8_t *p, size_t n)
{
}

static void sum_done(void *arg, const struct skl_error *err)
{
    if (err)
        snprintf(last_error, sizeof(last_error), "%s", err->msg);
    else
        skl_http_answer(arg, 200, NULL, NULL, SKL_STR("read"));
}

static void take(struct skl_http *x, bool upgrade)
{
    taken = skl_http_take_over(x, upgrade ? SKL_STR("HTTP/1.1 101 UPGRADED\r\n\r\n")
                                          : SKL_STR("HTTP/1.1 200 OK\r\n\r\n"));
    net_watch(taken, &taken_seen);
    skl_stream_read_start(taken);
}

static void take_after_body(void *arg, struct skl_http *x, struct skl_str body)
{
    take(x, true);
}

static void handler(void *arg, struct skl_http *x)
{
    static const struct skl_http_body_events echo_events = {stream_data, stream_done};
    static const struct skl_http_body_events sum_events = {sum_data, sum_done};
    struct skl_str path = skl_http_path(x);
    handled++;
    skl_http_set_owner(x, x, on_end);
    if (skl_str_eqz(path, "/ping")) {
        skl_http_answer(x, 200, "text/plain", NULL, SKL_STR("OK"));
    } else if (skl_str_eqz(path, "/none")) {
        skl_http_answer(x, 204, NULL, "X-A: b\r\n", SKL_STR(""));
    } else if (skl_str_eqz(path, "/target")) {
        struct skl_buf b;
        struct skl_str method = skl_http_method(x), query = skl_http_query(x);
        struct skl_str h = skl_http_header(x, "x-test");
        skl_buf_init(&b, 1 << 20);
        skl_buf_addf(&b, "[" SKL_STR_FMT "][" SKL_STR_FMT "][" SKL_STR_FMT "]", SKL_STR_ARG(method),
                     SKL_STR_ARG(query), (int)h.n, h.p ? h.p : "");
        skl_http_answer(x, 200, NULL, NULL, skl_buf_str(&b));
        skl_buf_fini(&b);
    } else if (skl_str_eqz(path, "/echo")) {
        skl_http_read_body(x, 1000, echo_body, NULL);
    } else if (skl_str_eqz(path, "/pipe")) {
        skl_http_begin(x, 200, NULL, NULL);
        skl_http_stream_body(x, &echo_events, x);
        pending = x;
    } else if (skl_str_eqz(path, "/sum")) {
        skl_http_stream_body(x, &sum_events, x);
        pending = x;
    } else if (skl_str_eqz(path, "/unread")) {
        skl_http_answer(x, 200, NULL, NULL, SKL_STR("no"));
    } else if (skl_str_eqz(path, "/stream")) {
        skl_http_begin(x, 200, "text/plain", NULL);
        skl_http_write(x, "hello ", 6);
        skl_http_write(x, "world", 5);
        skl_http_end(x);
    } else if (skl_str_eqz(path, "/wait")) {
        pending = x;
    } else if (skl_str_eqz(path, "/follow")) {
        skl_http_begin(x, 200, NULL, NULL);
        skl_http_end_on_eof(x, true);
        pending = x;
    } else if (skl_str_eqz(path, "/take")) {
        take(x, skl_http_has_upgrade(x));
    } else if (skl_str_eqz(path, "/take-body")) {
        skl_http_read_body(x, 1000, take_after_body, NULL);
    } else if (skl_str_eqz(path, "/abort")) {
        skl_http_begin(x, 200, NULL, NULL);
        skl_http_write(x, "part", 4);
        skl_http_abort(x);
    } else {
        skl_http_answer(x, 404, "text/plain", NULL, SKL_STR("?"));
    }
}

static void error_body(struct skl_buf *b, int status, const char *message)
{
    skl_buf_addf(b, "{%d}", status);
}

/* -- the harness */

static void open_client(void)
{
    int fds[2];
    net_pair(fds);
    client = fds[0];
    skl_http_server_add(server, net_stream(fds[1]));
}

static void begin_with(struct skl_http_server_config config)
{
    config.handler = handler;
    config.error_body = error_body;
    net_begin();
    skl_buf_init(&out, SIZE_MAX / 2);
    ended = handled = closed = 0;
    pending = NULL;
    taken = NULL;
    pause_each = false;
    last_error[0] = '\0';
    server = skl_http_server_new(&net_loop, &config);
    open_client();
}

static void begin(void)
{
    begin_with((struct skl_http_server_config){0});
}

static void on_closed(void *arg)
{
    closed++;
}

static void finish(void)
{
    if (client >= 0)
        close(client);
    skl_http_server_close(server, 0, on_closed, NULL);
    if (taken) {
        skl_stream_close(taken);
        skl_buf_fini(&taken_seen.data);
    }
    net_until(closed == 1);
    ck_assert_int_eq(ended, handled);
    skl_buf_fini(&out);
    net_end();
}

static void send_text(const char *text)
{
    net_write(client, text, strlen(text));
}

/* What has come in, without the Date fields. */
static const char *got(void)
{
    char *date, *end;
    net_spin();
    net_read(client, &out);
    while (out.n && (date = strstr(out.p, "Date: ")) && (end = strstr(date, "\r\n"))) {
        size_t from = (size_t)(date - out.p), n = (size_t)(end + 2 - date);
        memmove(out.p + from, out.p + from + n, out.n - from - n + 1);
        out.n -= n;
    }
    return out.p;
}

static void expect_bytes(const char *in, const char *want)
{
    send_text(in);
    ck_assert_str_eq(got(), want);
    skl_buf_reset(&out);
}

static bool peer_closed(void)
{
    net_spin();
    return net_read(client, &out);
}

#define H   "Host: a\r\n"
#define OK2 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK"

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
