/* stream - the life and the reading side of a stream; writing is in stream_write.c.
 *
 * Problem   libuv tells one reader about bytes, end and errors as they come. Here a stream changes hands
 *           (HTTP, then a taken-over connection), is closed inside its own callbacks, may carry TLS, and
 *           must not call anybody before the call that armed it has returned.
 * Approach  libuv's callbacks change the stream's state; news that does not come from libuv's own callback
 *           is told by stream_run(), a deferred call. End and failure are kept as state, so that an owner
 *           who takes over later still learns of them.
 * Memory    one read buffer per thread: a thousand idle streams hold no buffer. A stream is freed when
 *           its handle has closed and no deferred call points to it.
 */
#include "net/stream.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/net_metrics.h"
#include "net/stream_internal.h"

static _Thread_local char *read_buffer;

static void ignore_sigpipe(void)
{
    signal(SIGPIPE, SIG_IGN);
}

struct skl_stream *stream_new(uv_loop_t *loop, bool tcp)
{
    static uv_once_t once = UV_ONCE_INIT;
    uv_once(&once, ignore_sigpipe);
    struct skl_stream *s = skl_new0(struct skl_stream);
    s->loop = loop;
    s->is_tcp = tcp;
    skl_list_init(&s->half_closed);
    SKL_ASSERT((tcp ? uv_tcp_init(loop, &s->uv.tcp) : uv_pipe_init(loop, &s->uv.pipe, 0)) == 0);
    s->uv.handle.data = s;
    return s;
}

void stream_opened(struct skl_stream *s)
{
    struct stat st;
    uv_os_fd_t fd;
    s->opened = true;
    if (s->is_tcp) {
        s->is_socket = true;
        uv_tcp_nodelay(&s->uv.tcp, 1);
    } else if (uv_fileno(&s->uv.handle, &fd) == 0 && fstat(fd, &st) == 0) {
        s->is_socket = S_ISSOCK(st.st_mode);
        s->is_fifo = S_ISFIFO(st.st_mode);
    }
}

int skl_stream_from_fd(uv_loop_t *loop, int own_fd, struct skl_stream **ret, struct skl_error *err)
{
    struct sockaddr_storage sa;
    socklen_t n = sizeof(sa);
    bool tcp = getsockname(own_fd, (struct sockaddr *)&sa, &n) == 0 &&
               (sa.ss_family == AF_INET || sa.ss_family == AF_INET6);
    struct skl_stream *s = stream_new(loop, tcp);
    int rc = tcp ? uv_tcp_open(&s->uv.tcp, own_fd) : uv_pipe_open(&s->uv.pipe, own_fd);
    if (rc < 0) {
        skl_stream_close(s);
        close(own_fd);
        return skl_fail_errno(err, -rc, "cannot use descriptor %d as a stream", own_fd);
    }
    stream_opened(s);
    *ret = s;
    return 0;
}

void stream_set_on_free(struct skl_stream *s, void (*cb)(void *arg), void *arg)
{
    s->on_free = cb;
    s->free_arg = arg;
}

/* -- freeing */

static void maybe_free(struct skl_stream *s)
{
    if (!s->closed || s->scheduled)
        return;
    if (s->on_free)
        s->on_free(s->free_arg);
    stream_drop_output(s);
    stream_tls_free(s);
    free(s->unread);
    free(s->why);
    free(s);
}

void stream_handle_closed(uv_handle_t *h)
{
    struct skl_stream *s = h->data;
    s->handle_gone = true;
    if (s->closing) {
        s->closed = true;
        maybe_free(s);
    }
}

void skl_stream_close(struct skl_stream *s)
{
    if (!s || s->closing)
        return;
    s->closing = true;
    memset(&s->ev, 0, sizeof(s->ev));
    half_close_unwatch(s);
    skl_timer_cancel(&s->linger);
    stream_drop_output(s);
    free(s->unread);
    s->unread = NULL;
    s->unread_n = 0;
    if (!s->write_end_closed) {
        uv_close(&s->uv.handle, stream_handle_closed);
    } else if (s->handle_gone) {
        s->closed = true; /* stream_try_shutdown() closed the pipe long ago */
        stream_schedule(s);
    }
}

/* -- news that is told later */

static void tell_failure(struct skl_stream *s)
{
    s->why_told = true;
    if (s->lingering)
        skl_stream_close(s);
    else
        s->ev.on_close(s->arg, s->why);
}

static void tell_end(struct skl_stream *s)
{
    s->eof_told = true;
    if (s->lingering) {
        if (s->shut_done)
            skl_stream_close(s);
    } else if (s->ev.on_eof) {
        s->ev.on_eof(s->arg);
    }
}

bool stream_takes_input(const struct skl_stream *s)
{
    return !s->closing && !s->why && (s->lingering || (s->user_reading && !s->unread_n));
}

static void give_unread(struct skl_stream *s)
{
    char *p = s->unread;
    size_t n = s->unread_n;
    s->unread = NULL;
    s->unread_n = 0;
    /* The owner may give back a part of it at once: that goes in front of what libuv reads. */
    stream_deliver(s, (const uint8_t *)p, n);
    free(p);
}

static void stream_run(void *arg)
{
    struct skl_stream *s = arg;
    s->scheduled = false;
    if (s->closing) {
        maybe_free(s);
        return;
    }
    if (s->unread_n && s->user_reading && s->ev.on_data)
        give_unread(s);
    if (!s->closing && s->tls && stream_tls_has_input(s))
        stream_tls_pump(s);
    if (!s->closing && s->eof && !s->eof_told && stream_takes_input(s) &&
        !(s->tls && stream_tls_has_input(s)))
        tell_end(s);
    if (!s->closing && s->why && !s->why_told && (s->ev.on_close || s->lingering))
        tell_failure(s);
    if (!s->closing && s->drain_due) {
        s->drain_due = false;
        if (s->ev.on_drain)
            s->ev.on_drain(s->arg);
    }
    if (!s->closing)
        stream_update_reading(s);
}

void stream_schedule(struct skl_stream *s)
{
    if (s->scheduled)
        return;
    s->scheduled = true;
    skl_defer(s->loop, stream_run, s);
}

void stream_fail_with(struct skl_stream *s, const struct skl_error *why)
{
    if (s->why || s->closing)
        return;
    s->why = skl_memdup(why, sizeof(*why));
    half_close_unwatch(s);
    stream_drop_output(s);
    stream_update_reading(s);
    stream_schedule(s);
}

void stream_fail(struct skl_stream *s, int sys, const char *what)
{
    struct skl_error e = {0};
    skl_fail(&e, SKL_E_UNAVAILABLE, "%s: %s", what, uv_strerror(sys));
    e.sys = sys;
    stream_fail_with(s, &e);
}

/* -- reading */

void stream_deliver(struct skl_stream *s, const uint8_t *p, size_t n)
{
    if (s->skip) {
        size_t k = s->skip < n ? (size_t)s->skip : n;
        s->skip -= k;
        p += k;
        n -= k;
    }
    if (n == 0 || s->lingering || !s->ev.on_data)
        return;
    s->bytes_in += n;
    s->ev.on_data(s->arg, p, n);
}

void stream_input_ended(struct skl_stream *s)
{
    s->eof = true;
    stream_update_reading(s);
    half_close_watch(s);
    if (stream_takes_input(s))
        tell_end(s);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    if (!read_buffer)
        read_buffer = skl_alloc0(1, SKL_READ_CHUNK);
    *buf = uv_buf_init(read_buffer, SKL_READ_CHUNK);
}

static void on_read(uv_stream_t *h, ssize_t nread, const uv_buf_t *buf)
{
    struct skl_stream *s = h->data;
    if (s->closing || nread == 0)
        return;
    if (nread > 0) {
        skl_metric_add(&skl_net_received, nread);
        if (s->tls)
            stream_tls_input(s, (const uint8_t *)buf->base, (size_t)nread);
        else
            stream_deliver(s, (const uint8_t *)buf->base, (size_t)nread);
        return;
    }
    s->raw_reading = false;
    uv_read_stop(h);
    /* A terminal whose last user has gone answers EIO. */
    if (nread == UV_EOF || (nread == UV_EIO && !s->is_socket)) {
        if (s->tls)
            stream_tls_eof(s);
        else
            stream_input_ended(s);
    } else {
        stream_fail(s, (int)nread, "read");
    }
}

void stream_update_reading(struct skl_stream *s)
{
    bool want = s->opened && !s->closing && !s->why && !s->eof && !s->write_end_closed &&
                (stream_takes_input(s) || (s->tls && stream_tls_wants_input(s)));
    if (want && s->tls && stream_tls_has_input(s)) {
        stream_schedule(s); /* what came earlier goes first */
        want = false;
    }
    if (want && !s->raw_reading) {
        int rc = uv_read_start(&s->uv.stream, on_alloc, on_read);
        if (rc < 0)
            stream_fail(s, rc, "read");
        else
            s->raw_reading = true;
    } else if (!want && s->raw_reading) {
        s->raw_reading = false;
        uv_read_stop(&s->uv.stream);
    }
}

void skl_stream_read_start(struct skl_stream *s)
{
    if (s->closing || s->user_reading)
        return;
    s->user_reading = true;
    if (s->unread_n || (s->eof && !s->eof_told))
        stream_schedule(s);
    stream_update_reading(s);
}

void skl_stream_read_stop(struct skl_stream *s)
{
    if (s->closing)
        return;
    s->user_reading = false;
    stream_update_reading(s);
}

void skl_stream_unread(struct skl_stream *s, const void *p, size_t n)
{
    if (n == 0 || s->closing)
        return;
    char *joined = skl_alloc0(1, n + s->unread_n);
    memcpy(joined, p, n);
    if (s->unread_n)
        memcpy(joined + n, s->unread, s->unread_n);
    free(s->unread);
    s->unread = joined;
    s->unread_n += n;
    s->bytes_in -= n < s->bytes_in ? n : s->bytes_in;
    stream_update_reading(s);
    if (s->user_reading)
        stream_schedule(s);
}

void stream_skip(struct skl_stream *s, uint64_t n)
{
    s->skip += n;
}

void skl_stream_set_events(struct skl_stream *s, const struct skl_stream_events *events, void *arg)
{
    if (s->closing)
        return;
    s->ev = *events;
    s->arg = arg;
    /* A new owner is told what the earlier one knew. */
    s->eof_told = s->why_told = false;
    if (s->why || (s->eof && s->user_reading))
        stream_schedule(s);
}

/* -- the rest */

static void linger_over(void *arg)
{
    struct skl_stream *s = arg;
    s->linger = NULL;
    skl_stream_close(s);
}

void skl_stream_close_gracefully(struct skl_stream *s, int64_t timeout_ms)
{
    if (!s || s->closing)
        return;
    if (s->why) {
        skl_stream_close(s);
        return;
    }
    memset(&s->ev, 0, sizeof(s->ev));
    s->lingering = true;
    free(s->unread);
    s->unread = NULL;
    s->unread_n = 0;
    s->linger = skl_timer_start(s->loop, timeout_ms, linger_over, s);
    skl_stream_shutdown(s);
    stream_update_reading(s);
}

void skl_stream_set_keepalive(struct skl_stream *s, unsigned seconds)
{
    if (s->is_tcp && s->opened && !s->closing)
        uv_tcp_keepalive(&s->uv.tcp, seconds > 0, seconds);
}

void skl_stream_peer_name(const struct skl_stream *s, char *out, size_t cap)
{
    struct sockaddr_storage sa;
    int n = sizeof(sa);
    char ip[64] = "";
    if (!s->is_tcp) {
        snprintf(out, cap, "%s", s->is_socket ? "unix" : "pipe");
        return;
    }
    if (s->closing || uv_tcp_getpeername(&s->uv.tcp, (struct sockaddr *)&sa, &n) < 0) {
        snprintf(out, cap, "tcp");
    } else if (sa.ss_family == AF_INET6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&sa;
        uv_ip6_name(v6, ip, sizeof(ip));
        snprintf(out, cap, "[%s]:%u", ip, (unsigned)ntohs(v6->sin6_port));
    } else {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&sa;
        uv_ip4_name(v4, ip, sizeof(ip));
        snprintf(out, cap, "%s:%u", ip, (unsigned)ntohs(v4->sin_port));
    }
}

uint64_t skl_stream_bytes_in(const struct skl_stream *s)
{
    return s->bytes_in;
}
