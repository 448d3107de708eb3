/* The HTTP server: whatever comes, in whatever pieces, gives the same answers, ends every exchange once
 * and leaves nothing in the loop. First byte: the split. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "net/http_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int open_exchanges;
static struct skl_stream *taken;

static void on_end(void *owner)
{
    open_exchanges--;
}

static void echo(void *arg, struct skl_http *x, struct skl_str body)
{
    skl_http_answer(x, 200, NULL, NULL, body);
}

static void piece(void *arg, const uint8_t *p, size_t n)
{
    skl_http_write(arg, p, n);
}

static void done(void *arg, const struct skl_error *err)
{
    if (!err)
        skl_http_end(arg);
}

static void on_data(void *arg, const uint8_t *p, size_t n)
{
    skl_stream_write(taken, p, n);
}

static void on_eof(void *arg)
{
    skl_stream_shutdown(taken);
}

static void on_close(void *arg, const struct skl_error *why)
{
}

static void handler(void *arg, struct skl_http *x)
{
    static const struct skl_http_body_events body = {piece, done};
    static const struct skl_stream_events raw = {on_data, on_eof, NULL, on_close};
    struct skl_str path = skl_http_path(x);
    struct skl_str first = skl_http_header(x, "x-first");
    open_exchanges++;
    skl_http_set_owner(x, NULL, on_end);
    switch (path.n > 1 ? path.p[1] : 0) {
    case 'e':
        skl_http_read_body(x, 64, echo, NULL);
        break;
    case 's':
        skl_http_begin(x, 200, NULL, NULL);
        skl_http_stream_body(x, &body, x);
        break;
    case 't':
        if (taken || skl_http_content_length(x) < 0) {
            skl_http_answer(x, 409, NULL, NULL, SKL_STR(""));
            break;
        }
        taken = skl_http_take_over(x, SKL_STR("HTTP/1.1 101 UPGRADED\r\n\r\n"));
        skl_stream_set_events(taken, &raw, NULL);
        skl_stream_read_start(taken);
        break;
    default:
        skl_http_answer(x, 200, "text/plain", NULL, first.p ? first : skl_http_query(x));
    }
}

static void error_body(struct skl_buf *b, int status, const char *message)
{
    skl_buf_addc(b, 'x');
}

static void drop_all(struct skl_buf *b, const char *from, const char *to)
{
    char *at, *end;
    while ((at = memmem(b->p, b->n, from, strlen(from))) &&
           (end = memmem(at, b->n - (size_t)(at - b->p), to, strlen(to)))) {
        size_t off = (size_t)(at - b->p), len = (size_t)(end - at) + strlen(to);
        memmove(b->p + off, b->p + off + len, b->n - off - len);
        b->n -= len;
    }
}

/* What may differ: the date; whether the body was waited for; which of several faults was seen first. */
static void normalize(struct skl_buf *b)
{
    drop_all(b, "Date: ", "\r\n");
    drop_all(b, "HTTP/1.1 100 ", "\r\n\r\n");
    drop_all(b, "HTTP/1.1 4", "\r\n");
}

static void drain(int fd, struct skl_buf *answers)
{
    char text[65536];
    ssize_t n;
    while ((n = read(fd, text, sizeof(text))) > 0)
        skl_buf_add(answers, text, (size_t)n);
}

static void converse(const uint8_t *p, size_t n, size_t step, struct skl_buf *answers)
{
    const struct skl_http_server_config config = {.handler = handler, .error_body = error_body};
    struct skl_error e;
    struct skl_stream *s;
    uv_loop_t loop;
    int fds[2];
    SKL_ASSERT(uv_loop_init(&loop) == 0);
    SKL_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    SKL_ASSERT(skl_stream_from_fd(&loop, fds[1], &s, &e) == 0);
    struct skl_http_server *server = skl_http_server_new(&loop, &config);
    skl_http_server_add(server, s);
    for (size_t at = 0; at < n;) {
        size_t k = n - at < step ? n - at : step;
        ssize_t w = write(fds[0], p + at, k);
        if (w < 0 && errno != EAGAIN)
            break;
        at += w > 0 ? (size_t)w : 0;
        uv_run(&loop, UV_RUN_NOWAIT);
        uv_run(&loop, UV_RUN_NOWAIT);
        drain(fds[0], answers);
    }
    shutdown(fds[0], SHUT_WR);
    for (int i = 0; i < 8; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    drain(fds[0], answers);
    close(fds[0]);
    skl_http_server_close(server, 0, NULL, NULL);
    skl_stream_close(taken);
    taken = NULL;
    uv_run(&loop, UV_RUN_DEFAULT);
    SKL_ASSERT(uv_loop_close(&loop) == 0);
    SKL_ASSERT(open_exchanges == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct skl_buf whole, split;
    if (n < 1 || n > 16384)
        return 0;
    skl_buf_init(&whole, SIZE_MAX / 2);
    skl_buf_init(&split, SIZE_MAX / 2);
    converse(data + 1, n - 1, n, &whole);
    converse(data + 1, n - 1, data[0] + 1u, &split);
    normalize(&whole);
    normalize(&split);
    /* Chunked answers are cut as the input was. */
    if (!memmem(whole.p, whole.n, "chunked", 7))
        SKL_ASSERT(skl_str_eq(skl_buf_str(&whole), skl_buf_str(&split)));
    skl_buf_fini(&whole);
    skl_buf_fini(&split);
    return 0;
}
