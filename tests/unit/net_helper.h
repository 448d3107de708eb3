/* net_helper - a loop with a deadline for the tests of net.
 *
 * Each test begins with net_begin() and ends with net_end(), which runs the loop dry and demands that
 * nothing was left in it. Waiting is by condition, never by time; the deadline only ends a test that
 * would hang.
 */
#ifndef SKL_TESTS_NET_HELPER_H
#define SKL_TESTS_NET_HELPER_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "net/loop.h"
#include "net/stream.h"

#define NET_DEADLINE_MS 20000

static uv_loop_t net_loop;
static uv_timer_t net_tick;

static void net_ticked(uv_timer_t *t)
{
}

static SKL_UNUSED void net_begin(void)
{
    ck_assert_int_eq(uv_loop_init(&net_loop), 0);
    uv_timer_init(&net_loop, &net_tick);
    uv_timer_start(&net_tick, net_ticked, 5, 5); /* wakes uv_run() to look at the condition */
    uv_unref((uv_handle_t *)&net_tick);
}

/* Runs the loop until the condition holds. */
#define net_until(cond)                                                                            \
    do {                                                                                           \
        int64_t net_end_ = skl_mono_ms() + NET_DEADLINE_MS;                                        \
        while (!(cond)) {                                                                          \
            ck_assert_msg(skl_mono_ms() < net_end_, "deadline: %s", #cond);                        \
            uv_ref((uv_handle_t *)&net_tick);                                                      \
            uv_run(&net_loop, UV_RUN_ONCE);                                                        \
            uv_unref((uv_handle_t *)&net_tick);                                                    \
        }                                                                                          \
    } while (0)

/* Enough turns for everything that is ready to be done. */
static SKL_UNUSED void net_spin(void)
{
    for (int i = 0; i < 12; i++)
        uv_run(&net_loop, UV_RUN_NOWAIT);
}

static SKL_UNUSED void net_end(void)
{
    int64_t end = skl_mono_ms() + NET_DEADLINE_MS;
    uv_close((uv_handle_t *)&net_tick, NULL);
    while (uv_run(&net_loop, UV_RUN_NOWAIT)) {
        ck_assert_msg(skl_mono_ms() < end, "the loop does not end");
        usleep(200);
    }
    ck_assert_int_eq(uv_loop_close(&net_loop), 0);
}

static SKL_UNUSED void net_pair(int fds[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

static SKL_UNUSED struct skl_stream *net_stream(int fd)
{
    struct skl_stream *s = NULL;
    struct skl_error e = {0};
    ck_assert_msg(skl_stream_from_fd(&net_loop, fd, &s, &e) == 0, "%s", e.msg);
    return s;
}

/* What can be read from fd now; true at its end. */
static SKL_UNUSED bool net_read(int fd, struct skl_buf *b)
{
    char text[65536];
    for (;;) {
        ssize_t n = read(fd, text, sizeof(text));
        if (n > 0)
            skl_buf_add(b, text, (size_t)n);
        else
            return n == 0 || (errno != EAGAIN && errno != EINTR);
    }
}

/* Writes all, running the loop while the other side is full. */
static SKL_UNUSED void net_write(int fd, const void *p, size_t n)
{
    const char *at = p;
    while (n) {
        ssize_t k = write(fd, at, n);
        if (k < 0 && errno == EPIPE)
            return;
        if (k > 0) {
            at += k;
            n -= (size_t)k;
        } else {
            uv_run(&net_loop, UV_RUN_NOWAIT);
        }
    }
}

/* What an owner of a stream has seen. */
struct net_seen {
    struct skl_buf data;
    int eofs, drains, closes;
    struct skl_error why;
};

static SKL_UNUSED void net_on_data(void *arg, const uint8_t *p, size_t n)
{
    skl_buf_add(&((struct net_seen *)arg)->data, p, n);
}

static SKL_UNUSED void net_on_eof(void *arg)
{
    ((struct net_seen *)arg)->eofs++;
}

static SKL_UNUSED void net_on_drain(void *arg)
{
    ((struct net_seen *)arg)->drains++;
}

static SKL_UNUSED void net_on_close(void *arg, const struct skl_error *why)
{
    struct net_seen *s = arg;
    s->closes++;
    s->why = *why;
}

static SKL_UNUSED void net_watch(struct skl_stream *s, struct net_seen *seen)
{
    static const struct skl_stream_events events = {net_on_data, net_on_eof, net_on_drain,
                                                    net_on_close};
    memset(seen, 0, sizeof(*seen));
    skl_buf_init(&seen->data, SIZE_MAX / 2);
    skl_stream_set_events(s, &events, seen);
}

#endif
