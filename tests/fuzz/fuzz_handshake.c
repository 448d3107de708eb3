/* The client's side of a WebSocket: what a server answers, and what it sends after it. The caller hears once how it
 * went, and nothing is left in the loop. */
#include <stdint.h>
#include <unistd.h>

#include "base/buf.h"
#include "fake_connect.h"
#include "net/ws_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int peer_fd;

static void fake_connected(int own_fd)
{
    peer_fd = own_fd;
}

static struct skl_ws *open_ws;
static unsigned answers;

static void on_message(void *arg, const uint8_t *p, size_t n)
{
    SKL_ASSERT(n <= 4096);
}

static void on_close(void *arg, int code, const struct skl_error *why)
{
    skl_ws_close(skl_take(&open_ws), 1000);
}

static void on_answer(void *arg, struct skl_ws *own_ws, int status, const struct skl_error *err)
{
    static const struct skl_ws_events events = {on_message, NULL, on_close};

    SKL_ASSERT((own_ws != NULL) == (err == NULL));
    answers++;
    open_ws = own_ws;
    if (own_ws) {
        skl_ws_set_events(own_ws, &events, NULL);
        skl_ws_read_start(own_ws);
    }
}

/* Sec-WebSocket-Accept is made of a random key: "@" in the input stands for the right one. */
static void add_answer(struct skl_buf *b, const uint8_t *data, size_t n, struct skl_str request)
{
    const char *key = memmem(request.p, request.n, "Sec-WebSocket-Key: ", 19);
    char accept[WS_ACCEPT_LEN + 1] = "";

    if (key)
        ws_accept_value(skl_str_n(key + 19, WS_KEY_LEN), accept);
    for (size_t i = 0; i < n; i++)
        if (data[i] == '@')
            skl_buf_adds(b, accept);
        else
            skl_buf_addc(b, (char)data[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct skl_ws_config config = {.max_message = 4096};
    SKL_AUTO_BUF struct skl_buf answer = {0};
    char request[8192];
    uv_loop_t loop;
    ssize_t k;

    if (n > 32768)
        return 0;
    answers = 0;
    SKL_ASSERT(uv_loop_init(&loop) == 0);
    (void)skl_ws_connect(&loop, "ws://127.0.0.1:1/agent/v1", NULL, NULL, &config, 60000, on_answer,
                         NULL);
    for (int i = 0; i < 6; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    k = read(peer_fd, request, sizeof(request));
    SKL_ASSERT(k > 0);
    skl_buf_init(&answer, 4u << 20);
    add_answer(&answer, data, n, skl_str_n(request, (size_t)k));
    (void)!send(peer_fd, answer.p, answer.n, MSG_NOSIGNAL); /* what does not fit is not said */
    for (int i = 0; i < 6; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    close(peer_fd);
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
    skl_ws_close(skl_take(&open_ws), 1000);
    uv_run(&loop, UV_RUN_DEFAULT);
    SKL_ASSERT(answers == 1);
    SKL_ASSERT(uv_loop_close(&loop) == 0);
    return 0;
}
