/* The WebSocket: its framing by bytes, and both ends against each other. */
#include "net/ws.h"

#include "net/http_server.h"
#include "net/listener.h"
#include "net/ws_frame.h"
#include "net_helper.h"

/* -- framing */

static void feed_all(const uint8_t *p, size_t n, size_t step, bool masked, size_t max,
                     struct skl_buf *log)
{
    struct skl_ws_reader r;
    struct skl_ws_out o;
    enum skl_ws_event ev = SKL_WS_MORE;
    skl_ws_reader_init(&r, masked, true, max);
    for (size_t at = 0; at < n && ev != SKL_WS_ERROR;) {
        size_t end = at + step < n ? at + step : n;
        do {
            size_t used;
            ev = skl_ws_reader_next(&r, p + at, end - at, &used, &o);
            at += used;
            if (ev == SKL_WS_MESSAGE || ev == SKL_WS_CONTROL)
                skl_buf_addf(log, "%d:%.*s;", o.opcode, (int)o.n, (const char *)o.p);
            else if (ev == SKL_WS_ERROR)
                skl_buf_addf(log, "E%d;", o.code);
        } while (ev != SKL_WS_ERROR && (at < end || ev != SKL_WS_MORE));
    }
    skl_ws_reader_fini(&r);
}

static void frame(struct skl_buf *b, int first, const char *payload, size_t n, const char *key)
{
    uint8_t head[SKL_WS_HEAD_MAX];
    size_t k = skl_ws_write_head(head, SKL_WS_BINARY, n, (const uint8_t *)key);
    head[0] = (uint8_t)first;
    skl_buf_add(b, head, k);
    char *p = skl_memdup(payload, n);
    if (key)
        skl_ws_mask((uint8_t *)p, (uint8_t *)p, n, (const uint8_t *)key, 0);
    skl_buf_add(b, p, n);
    free(p);
}

START_TEST(any_split_gives_the_same_events)
{
    const char *keys[] = {NULL, "\x12\x34\x56\x78"};
    const char *want = "2:hello;1:text;9:ping;2:abcdef;10:;2:;8:\x03\xe8;";
    for (int m = 0; m < 2; m++) {
        struct skl_buf in, log;
        const char *key = keys[m];
        skl_buf_init(&in, 1 << 20);
        frame(&in, 0x82, "hello", 5, key);
        frame(&in, 0x81, "text", 4, key);
        frame(&in, 0x02, "abc", 3, key);
        frame(&in, 0x89, "ping", 4, key); /* between fragments */
        frame(&in, 0x00, "", 0, key);
        frame(&in, 0x80, "def", 3, key);
        frame(&in, 0x8a, "", 0, key);
        frame(&in, 0x82, "", 0, key);
        frame(&in, 0x88, "\x03\xe8", 2, key);
        for (size_t step = 1; step <= in.n; step++) {
            skl_buf_init(&log, 1 << 20);
            feed_all((uint8_t *)in.p, in.n, step, key != NULL, 100, &log);
            ck_assert_str_eq(log.p, want);
            skl_buf_fini(&log);
        }
        skl_buf_fini(&in);
    }
}
END_TEST

static const struct {
    const char *bytes;
    size_t n;
    bool masked;
    const char *want;
} rules[] = {
    {"\x82\x01"
     "a",
     3, true, "E1002;"}, /* a client must mask */
    {"\x82\x81"
     "keyya",
     7, false, "E1002;"}, /* a server must not */
    {"\xc2\x01"
     "a",
     3, false, "E1002;"}, /* a reserved bit */
    {"\x83\x01"
     "a",
     3, false, "E1002;"}, /* an unknown opcode */
    {"\x8b\x01"
     "a",
     3, false, "E1002;"},
    {"\x80\x01"
     "a",
     3, false, "E1002;"}, /* continues nothing */
    {"\x02\x01"
     "a\x82\x01"
     "b",
     6, false, "E1002;"}, /* a message within a message */
    {"\x09\x01"
     "a",
     3, false, "E1002;"},                     /* a fragmented ping */
    {"\x89\x7e\x00\x7e", 4, false, "E1002;"}, /* a long ping */
    {"\x82\x7e\x00\x7d", 4, false, "E1002;"}, /* lengths must be minimal */
    {"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 10, false, "E1002;"},
    {"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10, false, "E1002;"},
    {"\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00", 10, false, "E1009;"},
    {"\x82\x7e\x03\xe9", 4, false, "E1009;"},     /* 1001 > 1000 */
    {"\x81\x02\xc0\x80", 4, false, "E1007;"},     /* overlong UTF-8 */
    {"\x81\x03\xed\xa0\x80", 5, false, "E1007;"}, /* a surrogate */
    {"\x81\x03\xe2\x82\xac", 5, false, "1:\xe2\x82\xac;"},
};

START_TEST(broken_frames_are_errors)
{
    struct skl_buf log;
    skl_buf_init(&log, 1 << 16);
    feed_all((const uint8_t *)rules[_i].bytes, rules[_i].n, 100, rules[_i].masked, 1000, &log);
    ck_assert_msg(skl_streq(log.p, rules[_i].want), "case %d: %s", _i, log.p);
    skl_buf_fini(&log);
}
END_TEST

START_TEST(joined_fragments_are_limited)
{
    struct skl_buf in, log;
    char block[600] = "";
    skl_buf_init(&in, 1 << 16);
    skl_buf_init(&log, 1 << 16);
    frame(&in, 0x02, block, 600, NULL);
    frame(&in, 0x80, block, 401, NULL);
    feed_all((uint8_t *)in.p, in.n, 1 << 16, false, 1000, &log);
    ck_assert_str_eq(log.p, "E1009;");
    skl_buf_fini(&in);
    skl_buf_fini(&log);
}
END_TEST

START_TEST(masking_is_its_own_inverse_at_any_offset)
{
    uint8_t a[64], b[64], key[4] = {1, 2, 3, 250};
    for (size_t i = 0; i < sizeof(a); i++)
        a[i] = (uint8_t)(i * 7);
    for (size_t cut = 0; cut <= sizeof(a); cut++) {
        skl_ws_mask(b, a, cut, key, 0);
        skl_ws_mask(b + cut, a + cut, sizeof(a) - cut, key, cut);
        for (size_t i = 0; i < sizeof(a); i++)
            ck_assert_uint_eq(b[i], a[i] ^ key[i & 3]);
    }
}
END_TEST

START_TEST(close_codes)
{
    ck_assert_int_eq(skl_ws_close_code(NULL, 0), 1005);
    ck_assert_int_eq(skl_ws_close_code((const uint8_t *)"\x03", 1), -1);
    ck_assert_int_eq(skl_ws_close_code((const uint8_t *)"\x03\xe8ok", 4), 1000);
    ck_assert_int_eq(skl_ws_close_code((const uint8_t *)"\x03\xed", 2), -1); /* 1005 */
    ck_assert_int_eq(skl_ws_close_code((const uint8_t *)"\x03\xe8\xff", 3), -1);
    ck_assert_int_eq(skl_ws_close_code((const uint8_t *)"\x0f\xa0", 2), 4000);
}
END_TEST

/* -- two ends */

struct end {
    struct skl_ws *ws;
    struct skl_buf data;
    int messages, closes, code, drains, stop_after;
    bool close_in_message;
    char why[512];
    int status, connects;
};

static struct skl_http_server *server;
static struct skl_listener *listener;
static struct end server_end, client_end;
static int server_closed;
static size_t server_max;
static char auth[64];

static void on_message(void *arg, const uint8_t *p, size_t n)
{
    struct end *e = arg;
    e->messages++;
    skl_buf_add(&e->data, p, n);
    skl_buf_addc(&e->data, '|');
    if (e->stop_after && e->messages == e->stop_after)
        skl_ws_read_stop(e->ws);
    if (e->close_in_message) {
        skl_ws_close(e->ws, 1000);
        e->ws = NULL;
    }
}

static void on_drain(void *arg)
{
    ((struct end *)arg)->drains++;
}

static void on_close(void *arg, int code, const struct skl_error *why)
{
    struct end *e = arg;
    e->closes++;
    e->code = code;
    snprintf(e->why, sizeof(e->why), "%s", why ? why->msg : "");
    skl_ws_close(e->ws, 1000);
    e->ws = NULL;
}

static const struct skl_ws_events ws_events = {on_message, on_drain, on_close};

static void handler(void *arg, struct skl_http *x)
{
    const struct skl_ws_config config = {.max_message = server_max, .accept_text = true};
    struct skl_error e;
    struct skl_str h = skl_http_header(x, "authorization");
    snprintf(auth, sizeof(auth), "%.*s", (int)h.n, h.p ? h.p : "");
    if (skl_str_eqz(skl_http_path(x), "/denied")) {
        skl_http_answer(x, 401, NULL, NULL, SKL_STR("no"));
        return;
    }
    if (skl_ws_accept(x, &config, &server_end.ws, &e) < 0)
        return;
    skl_ws_set_events(server_end.ws, &ws_events, &server_end);
    skl_ws_read_start(server_end.ws);
}

static void accepted(void *arg, struct skl_stream *own_stream)
{
    skl_http_server_add(server, own_stream);
}

static void closed(void *arg)
{
    server_closed = 1;
}

static void begin(void)
{
    const struct skl_http_server_config config = {.handler = handler};
    struct skl_address at;
    struct skl_error e;
    net_begin();
    memset(&server_end, 0, sizeof(server_end));
    memset(&client_end, 0, sizeof(client_end));
    skl_buf_init(&server_end.data, SIZE_MAX / 2);
    skl_buf_init(&client_end.data, SIZE_MAX / 2);
    server_max = 1 << 20;
    server_closed = 0;
    server = skl_http_server_new(&net_loop, &config);
    ck_assert_int_eq(skl_address_parse("127.0.0.1:0", 0, &at, &e), 0);
    ck_assert_int_eq(skl_listener_open(&net_loop, &at, NULL, accepted, NULL, &listener, &e), 0);
}

static void finish(void)
{
    skl_ws_close(server_end.ws, 1001);
    skl_ws_close(client_end.ws, 1001);
    skl_listener_close(listener);
    skl_http_server_close(server, 100, closed, NULL);
    net_until(server_closed);
    skl_buf_fini(&server_end.data);
    skl_buf_fini(&client_end.data);
    net_end();
}

static void connected(void *arg, struct skl_ws *own_ws, int http_status,
                      const struct skl_error *err)
{
    struct end *e = arg;
    e->connects++;
    e->status = http_status;
    e->ws = own_ws;
    snprintf(e->why, sizeof(e->why), "%s", err ? err->msg : "");
    if (own_ws) {
        skl_ws_set_events(own_ws, &ws_events, e);
        skl_ws_read_start(own_ws);
    }
}

static struct skl_ws_dial *dial(const char *path, size_t max)
{
    const struct skl_ws_config config = {.max_message = max};
    char url[128];
    snprintf(url, sizeof(url), "ws://127.0.0.1:%d%s", skl_listener_address(listener)->port, path);
    return skl_ws_connect(&net_loop, url, NULL, "Authorization: Bearer x\r\n", &config, 5000,
                          connected, &client_end);
}

static void send_text(struct end *e, const char *text)
{
    struct skl_str s = skl_str(text);
    const struct skl_str parts[] = {skl_str_n(s.p, s.n / 2), skl_str_skip(s, s.n / 2)};
    skl_ws_send(e->ws, parts, 2);
}

static void both(void)
{
    dial("/ws", 1 << 20);
    net_until(client_end.ws && server_end.ws);
}

START_TEST(messages_go_both_ways)
{
    begin();
    both();
    ck_assert_int_eq(client_end.status, 101);
    ck_assert_str_eq(auth, "Bearer x");
    send_text(&client_end, "one");
    send_text(&client_end, "");
    send_text(&client_end, "three");
    send_text(&server_end, "back");
    net_until(server_end.messages == 3 && client_end.messages == 1);
    ck_assert_str_eq(server_end.data.p, "one||three|");
    ck_assert_str_eq(client_end.data.p, "back|");
    finish();
}
END_TEST

START_TEST(big_messages_arrive_whole)
{
    char *big = skl_alloc0(1, 1 << 20);
    const struct skl_str part = {big, 1 << 20};
    begin();
    both();
    for (int i = 0; i < (1 << 20); i++)
        big[i] = (char)(i * 31 >> 3);
    for (int i = 0; i < 12; i++) /* more than the kernel takes */
        skl_ws_send(client_end.ws, &part, 1);
    skl_ws_send(server_end.ws, &part, 1);
    ck_assert(skl_ws_congested(client_end.ws));
    net_until(server_end.messages == 12 && client_end.messages == 1);
    net_until(skl_ws_queued(client_end.ws) == 0);
    ck_assert(memcmp(server_end.data.p, big, 1 << 20) == 0);
    ck_assert(memcmp(client_end.data.p, big, 1 << 20) == 0);
    ck_assert_int_eq(client_end.drains, 1);
    free(big);
    finish();
}
END_TEST

START_TEST(too_big_a_message_closes_with_1009)
{
    begin();
    server_max = 10;
    both();
    send_text(&client_end, "0123456789a");
    net_until(client_end.closes == 1 && server_end.closes == 1);
    ck_assert_int_eq(client_end.code, 1009);
    ck_assert_int_eq(server_end.code, 1009);
    finish();
}
END_TEST

START_TEST(close_goes_through_a_handshake)
{
    begin();
    both();
    send_text(&client_end, "last");
    skl_ws_close(client_end.ws, 4001);
    client_end.ws = NULL;
    net_until(server_end.closes == 1);
    ck_assert_int_eq(server_end.code, 4001);
    ck_assert_str_eq(server_end.data.p, "last|");
    ck_assert_str_eq(server_end.why, "");
    ck_assert_int_eq(client_end.closes, 0); /* nothing after its own close */
    finish();
}
END_TEST

START_TEST(closing_inside_a_message_is_fine)
{
    begin();
    both();
    server_end.close_in_message = true;
    for (int i = 0; i < 10; i++)
        send_text(&client_end, "x");
    net_until(client_end.closes == 1);
    ck_assert_int_eq(server_end.messages, 1);
    ck_assert_int_eq(client_end.code, 1000);
    finish();
}
END_TEST

START_TEST(reading_stops_between_messages)
{
    begin();
    both();
    server_end.stop_after = 2;
    for (int i = 0; i < 5; i++)
        send_text(&client_end, "m");
    net_until(server_end.messages == 2);
    net_spin();
    ck_assert_int_eq(server_end.messages, 2);
    server_end.stop_after = 0;
    skl_ws_read_start(server_end.ws);
    ck_assert_int_eq(server_end.messages, 2); /* not before the call returns */
    net_until(server_end.messages == 5);
    finish();
}
END_TEST

START_TEST(a_lost_connection_is_told_once)
{
    static const char request[] =
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    int fds[2];
    begin();
    net_pair(fds);
    skl_http_server_add(server, net_stream(fds[1]));
    net_write(fds[0], request, sizeof(request) - 1);
    net_until(server_end.ws);
    net_write(fds[0], "\x82\x85", 2); /* half a frame */
    net_spin();
    close(fds[0]);
    net_until(server_end.closes > 0);
    net_spin();
    ck_assert_int_eq(server_end.closes, 1);
    ck_assert_int_eq(server_end.code, 0);
    ck_assert_str_ne(server_end.why, "");
    finish();
}
END_TEST

START_TEST(pings_are_answered)
{
    static const char in[] =
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        "\x89\x82\0\0\0\0hi";
    int fds[2];
    struct skl_buf out;
    begin();
    skl_buf_init(&out, 1 << 16);
    net_pair(fds);
    skl_http_server_add(server, net_stream(fds[1]));
    net_write(fds[0], in, sizeof(in) - 1);
    net_spin();
    net_read(fds[0], &out);
    ck_assert_uint_gt(out.n, 4);
    ck_assert_mem_eq(out.p + out.n - 4, "\x8a\x02hi", 4);
    skl_buf_fini(&out);
    close(fds[0]);
    finish();
}
END_TEST

START_TEST(a_refusal_tells_the_status)
{
    begin();
    dial("/denied", 100);
    net_until(client_end.connects == 1);
    ck_assert_int_eq(client_end.status, 401);
    ck_assert_ptr_null(client_end.ws);
    ck_assert_str_eq(client_end.why,
                     "the server answered 401 Unauthorized to the WebSocket request");
    finish();
}
END_TEST

static const char *const bad_urls[] = {
    "ftp://a/",  "ws://",           "ws:///path",      "wss://a/", "ws://a:99999/",
    "ws://a b/", "ws://a/\r\nX: y", "unix://relative", "",         "ws://u@h/",
};

START_TEST(bad_urls_are_refused_later_not_at_once)
{
    const struct skl_ws_config config = {0};
    begin();
    skl_ws_connect(&net_loop, bad_urls[_i], NULL, NULL, &config, 1000, connected, &client_end);
    ck_assert_int_eq(client_end.connects, 0);
    net_until(client_end.connects == 1);
    ck_assert_ptr_null(client_end.ws);
    finish();
}
END_TEST

START_TEST(a_dial_can_be_canceled_at_any_time)
{
    begin();
    for (int turns = 0; turns < 12; turns++) {
        struct skl_ws_dial *d = dial("/ws", 100);
        for (int i = 0; i < turns && !client_end.connects; i++)
            uv_run(&net_loop, UV_RUN_NOWAIT);
        if (client_end.connects)
            break;
        skl_ws_dial_cancel(&d);
        ck_assert_ptr_null(d);
        net_spin();
        ck_assert_int_eq(client_end.connects, 0);
        skl_ws_close(server_end.ws, 1000);
        server_end.ws = NULL;
    }
    finish();
}
END_TEST

START_TEST(a_silent_server_times_out)
{
    const struct skl_ws_config config = {0};
    struct skl_address at;
    struct skl_error e;
    struct skl_listener *silent;
    char dir[] = "/tmp/skl-ws-XXXXXX", text[128], url[160];
    begin();
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(text, sizeof(text), "unix://%s/s", dir);
    snprintf(url, sizeof(url), "unix://%s/s:/ws?x=1", dir);
    ck_assert_int_eq(skl_address_parse(text, 0, &at, &e), 0);
    ck_assert_int_eq(skl_listener_open(&net_loop, &at, NULL, accepted, NULL, &silent, &e), 0);
    /* Works when it is answered ... */
    skl_ws_connect(&net_loop, url, NULL, NULL, &config, 5000, connected, &client_end);
    net_until(client_end.ws && server_end.ws);
    skl_listener_close(silent);
    /* ... and ends when nobody accepts. */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage sa;
    socklen_t n = sizeof(sa);
    ck_assert_int_eq(listen(fd, 5), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    snprintf(url, sizeof(url), "ws://127.0.0.1:%d/",
             (((uint8_t *)&sa)[2] << 8) | ((uint8_t *)&sa)[3]);
    struct end second = {0};
    skl_ws_connect(&net_loop, url, NULL, NULL, &config, 50, connected, &second);
    net_until(second.connects == 1);
    ck_assert_str_eq(second.why, "the WebSocket did not open in time");
    close(fd);
    rmdir(dir);
    finish();
}
END_TEST

/* -- the server's handshake by its bytes */

static void raw_request(const char *in, const char *want)
{
    int fds[2];
    struct skl_buf out;
    skl_buf_init(&out, 1 << 20);
    net_pair(fds);
    skl_http_server_add(server, net_stream(fds[1]));
    net_write(fds[0], in, strlen(in));
    net_spin();
    net_read(fds[0], &out);
    ck_assert_msg(strstr(out.p, want) != NULL, "%s", out.p);
    skl_buf_fini(&out);
    close(fds[0]);
    net_spin();
}

#define WS_HEAD                                                                                    \
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"

START_TEST(the_handshake_is_that_of_the_rfc)
{
    begin();
    raw_request(WS_HEAD
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    raw_request(WS_HEAD
                "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                "HTTP/1.1 426 ");
    raw_request(WS_HEAD "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
                "HTTP/1.1 400 ");
    raw_request("GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 ");
    finish();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ws");
    TCase *t = tcase_create("ws");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, any_split_gives_the_same_events);
    tcase_add_loop_test(t, broken_frames_are_errors, 0, (int)SKL_ARRAY_LEN(rules));
    tcase_add_test(t, joined_fragments_are_limited);
    tcase_add_test(t, masking_is_its_own_inverse_at_any_offset);
    tcase_add_test(t, close_codes);
    tcase_add_test(t, messages_go_both_ways);
    tcase_add_test(t, big_messages_arrive_whole);
    tcase_add_test(t, too_big_a_message_closes_with_1009);
    tcase_add_test(t, close_goes_through_a_handshake);
    tcase_add_test(t, closing_inside_a_message_is_fine);
    tcase_add_test(t, reading_stops_between_messages);
    tcase_add_test(t, a_lost_connection_is_told_once);
    tcase_add_test(t, pings_are_answered);
    tcase_add_test(t, a_refusal_tells_the_status);
    tcase_add_loop_test(t, bad_urls_are_refused_later_not_at_once, 0, (int)SKL_ARRAY_LEN(bad_urls));
    tcase_add_test(t, a_dial_can_be_canceled_at_any_time);
    tcase_add_test(t, a_silent_server_times_out);
    tcase_add_test(t, the_handshake_is_that_of_the_rfc);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
