/* bench_http - an HTTP server with GET /_ping, GET /bytes?N and POST /sink; for wrk and curl.
 *
 *     bench_http [ADDRESS]     default tcp://127.0.0.1:0; prints the address it listens on
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "net/http_server.h"

struct flow {
    struct skl_http *x;
    uint64_t left;
};

static char block[64 * 1024];

static void flow_go_on(void *owner)
{
    struct flow *f = owner;
    while (f->left && !skl_http_congested(f->x)) {
        size_t n = f->left < sizeof(block) ? (size_t)f->left : sizeof(block);
        f->left -= n;
        skl_http_write(f->x, block, n);
    }
    if (!f->left)
        skl_http_end(f->x);
}

static void sink_data(void *arg, const uint8_t *p, size_t n)
{
}

static void sink_done(void *arg, const struct skl_error *err)
{
    if (!err)
        skl_http_answer(arg, 200, NULL, NULL, SKL_STR("read\n"));
}

static void handle(void *arg, struct skl_http *x)
{
    static const struct skl_http_body_events sink = {sink_data, sink_done};
    struct skl_str path = skl_http_path(x);
    if (skl_str_eqz(path, "/_ping")) {
        skl_http_answer(x, 200, "text/plain; charset=utf-8", NULL, SKL_STR("OK"));
    } else if (skl_str_eqz(path, "/bytes")) {
        struct flow *f = skl_new0(struct flow);
        f->x = x;
        skl_str_u64(skl_http_query(x), &f->left);
        skl_http_set_owner(x, f, free);
        skl_http_on_drain(x, flow_go_on);
        skl_http_begin(x, 200, "application/octet-stream", NULL);
        flow_go_on(f);
    } else if (skl_str_eqz(path, "/sink")) {
        skl_http_stream_body(x, &sink, x);
    } else {
        skl_http_answer(x, 404, "text/plain", NULL, SKL_STR("not found\n"));
    }
}

static void accepted(void *arg, struct skl_stream *own_stream)
{
    skl_http_server_add(arg, own_stream);
}

int main(int argc, char **argv)
{
    const struct skl_http_server_config config = {
        .handler = handle,
        .extra_headers = "Api-Version: 1.44\r\nOstype: linux\r\nServer: bench\r\n",
    };
    struct skl_error err;
    struct skl_address at;
    struct skl_listener *listener;
    uv_loop_t *loop = uv_default_loop();
    char text[300];
    if (skl_address_parse(argc > 1 ? argv[1] : "tcp://127.0.0.1:0", 0, &at, &err) < 0 ||
        skl_listener_open(loop, &at, NULL, accepted, skl_http_server_new(loop, &config), &listener,
                          &err) < 0) {
        fprintf(stderr, "bench_http: %s\n", err.msg);
        return 1;
    }
    skl_address_format(skl_listener_address(listener), text, sizeof(text));
    puts(text);
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
