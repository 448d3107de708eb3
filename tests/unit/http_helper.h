/* http_helper - an HTTP server with handlers for the tests, and the client's socket beside it. */
#ifndef SKL_TESTS_HTTP_HELPER_H
#define SKL_TESTS_HTTP_HELPER_H

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

static SKL_UNUSED void on_end(void *owner)
{
    ended++;
    if (owner && owner == pending)
        pending = NULL;
}

/* -- handlers by path */

static SKL_UNUSED void echo_body(void *arg, struct skl_http *x, struct skl_str body)
{
    skl_http_answer(x, 200, "text/plain", NULL, body);
}

static bool pause_each;

static SKL_UNUSED void stream_data(void *arg, const uint8_t *p, size_t n)
{
    struct skl_http *x = arg;
    skl_http_write(x, p, n);
    if (pause_each)
        skl_http_pause_body(x);
}

static SKL_UNUSED void stream_done(void *arg, const struct skl_error *err)
{
    if (err)
        snprintf(last_error, sizeof(last_error), "%s", err->msg);
    else
        skl_http_end(arg);
}

static SKL_UNUSED void sum_data(void *arg, const uint8_t *p, size_t n)
{
}

static void sum_done(void *arg, const struct skl_error *err)
{
    if (err)
        snprintf(last_error, sizeof(last_error), "%s", err->msg);
    else
        skl_http_answer(arg, 200, NULL, NULL, SKL_STR("read"));
}

static SKL_UNUSED void take(struct skl_http *x, bool upgrade)
{
    taken = skl_http_take_over(x, upgrade ? SKL_STR("HTTP/1.1 101 UPGRADED\r\n\r\n")
                                          : SKL_STR("HTTP/1.1 200 OK\r\n\r\n"));
    net_watch(taken, &taken_seen);
    skl_stream_read_start(taken);
}

static SKL_UNUSED void take_after_body(void *arg, struct skl_http *x, struct skl_str body)
{
    take(x, true);
}

static SKL_UNUSED void handler(void *arg, struct skl_http *x)
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

static SKL_UNUSED void error_body(struct skl_buf *b, int status, const char *message)
{
    skl_buf_addf(b, "{%d}", status);
}

/* -- the harness */

static SKL_UNUSED void open_client(void)
{
    int fds[2];
    net_pair(fds);
    client = fds[0];
    skl_http_server_add(server, net_stream(fds[1]));
}

static SKL_UNUSED void begin_with(struct skl_http_server_config config)
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

static SKL_UNUSED void begin(void)
{
    begin_with((struct skl_http_server_config){0});
}

static SKL_UNUSED void on_closed(void *arg)
{
    closed++;
}

static SKL_UNUSED void finish(void)
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

static SKL_UNUSED void send_text(const char *text)
{
    net_write(client, text, strlen(text));
}

/* What has come in, without the Date fields. */
static SKL_UNUSED const char *got(void)
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

static SKL_UNUSED void expect_bytes(const char *in, const char *want)
{
    send_text(in);
    ck_assert_str_eq(got(), want);
    skl_buf_reset(&out);
}

static SKL_UNUSED bool peer_closed(void)
{
    net_spin();
    return net_read(client, &out);
}

#define H   "Host: a\r\n"
#define OK2 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK"

#endif
