/* half_close - notices that the peer of a half-closed socket has gone altogether.
 *
 * Problem   after the peer's end (EOF) libuv stops polling the socket. The docker CLI ends its half at once
 *           and then listens for hours: only the hang-up of the socket tells that it has left, and
 *           nothing is written meanwhile that could fail.
 * Approach  one poll(2) a second over all such sockets of the loop, for hang-up and error only: a unix
 *           socket reports a peer that closed both halves, TCP one that answered with a reset.
 * Rejected  a second descriptor with a uv_poll_t for each: 10,000 attached clients would need 10,000 more.
 */
#include <poll.h>

#include "base/alloc.h"
#include "net/stream_internal.h"

#define PERIOD_MS 1000

struct watch {
    struct watch *next; /* other loops of this thread */
    uv_loop_t *loop;
    struct skl_timer *timer;
    struct skl_list streams;
    size_t n;
};

static _Thread_local struct watch *watches;

static void look(void *arg)
{
    struct watch *w = arg;
    struct skl_list *it;
    size_t n = w->n, i = 0;
    struct pollfd *fds = skl_new0_n(struct pollfd, n);
    struct skl_stream **streams = skl_new0_n(struct skl_stream *, n);

    skl_list_foreach (it, &w->streams) {
        struct skl_stream *s = SKL_LIST_ENTRY(it, struct skl_stream, half_closed);
        uv_os_fd_t fd;
        streams[i] = s;
        fds[i].fd = uv_fileno(&s->uv.handle, &fd) == 0 ? fd : -1;
        i++;
    }
    int found = poll(fds, n, 0);
    /* Failing a stream only schedules its callback: the list changes, the streams stay. */
    for (i = 0; found > 0 && i < n; i++) {
        if (fds[i].revents & POLLERR)
            stream_fail(streams[i], UV_ECONNRESET, "peer");
        else if (fds[i].revents & POLLHUP)
            stream_fail(streams[i], UV_EPIPE, "peer has closed");
    }
    free(fds);
    free(streams);
}

void half_close_watch(struct skl_stream *s)
{
    struct watch *w = watches;
    if (!s->is_socket || s->shut_wanted || s->closing || s->why || !skl_list_empty(&s->half_closed))
        return;
    while (w && w->loop != s->loop)
        w = w->next;
    if (!w) {
        w = skl_new0(struct watch);
        w->loop = s->loop;
        skl_list_init(&w->streams);
        w->timer = skl_timer_repeat(s->loop, PERIOD_MS, look, w);
        w->next = watches;
        watches = w;
    }
    skl_list_push(&w->streams, &s->half_closed);
    w->n++;
}

void half_close_unwatch(struct skl_stream *s)
{
    struct watch **at = &watches;
    if (skl_list_empty(&s->half_closed))
        return;
    skl_list_remove(&s->half_closed);
    while (*at && (*at)->loop != s->loop)
        at = &(*at)->next;
    struct watch *w = *at;
    if (w && --w->n == 0) {
        *at = w->next;
        skl_timer_cancel(&w->timer);
        free(w);
    }
}
