/* fake_connect - the linker puts these in the place of skl_stream_connect(): every connection succeeds, its other end is
 * given to fake_connected(), and no address is dialled. */
#ifndef SKL_FUZZ_FAKE_CONNECT_H
#define SKL_FUZZ_FAKE_CONNECT_H

#include <sys/socket.h>

#include "base/alloc.h"
#include "net/loop.h"
#include "net/stream.h"

struct skl_connect *__wrap_skl_stream_connect(uv_loop_t *loop, const struct skl_address *to,
                                              struct skl_tls *tls, const char *server_name,
                                              int64_t timeout_ms, skl_stream_connect_cb *cb,
                                              void *arg);
void __wrap_skl_connect_cancel(struct skl_connect **c);

struct skl_connect {
    skl_stream_connect_cb *cb;
    void *arg;
    uv_loop_t *loop;
    bool canceled;
};

/* The target's; the descriptor is its own. */
static void fake_connected(int own_fd);

static void fake_connect_now(void *arg)
{
    struct skl_connect *c = arg;
    struct skl_stream *s = NULL;
    int fds[2];

    if (!c->canceled) {
        SKL_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
        SKL_ASSERT(skl_stream_from_fd(c->loop, fds[1], &s, NULL) == 0);
        fake_connected(fds[0]);
        c->cb(c->arg, s, NULL);
    }
    free(c);
}

struct skl_connect *__wrap_skl_stream_connect(uv_loop_t *loop, const struct skl_address *to,
                                              struct skl_tls *tls, const char *server_name,
                                              int64_t timeout_ms, skl_stream_connect_cb *cb,
                                              void *arg)
{
    struct skl_connect *c = skl_new0(struct skl_connect);

    *c = (struct skl_connect){cb, arg, loop, false};
    skl_defer(loop, fake_connect_now, c);
    return c;
}

void __wrap_skl_connect_cancel(struct skl_connect **c)
{
    if (*c)
        (*c)->canceled = true;
    *c = NULL;
}

#endif
