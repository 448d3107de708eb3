/* stream_write - the output queue.
 *
 * Problem   most writes fit into the socket's buffer and should cost one system call and no copy; the
 *           rest must be kept, in order, counted to the byte, without one allocation per small write.
 * Approach  an empty queue tries the socket at once. What is left is copied once, into chunks that small
 *           writes fill up. libuv is given batches, so that the queue shrinks in steps and a stopped
 *           source goes on before it has run dry.
 */
#include <string.h>

#include "base/alloc.h"
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "net/net_metrics.h"
#include "net/stream_internal.h"

#define MIN_CHUNK  (16 * SKL_KIB)
#define BATCH      (128 * SKL_KIB)
#define MAX_CHUNKS 32
#define MAX_PARTS  16

static uv_buf_t buf_of(const char *p, size_t n)
{
    return uv_buf_init((char *)(uintptr_t)p, (unsigned)n);
}

static void free_chunks(struct out_chunk *c)
{
    while (c) {
        struct out_chunk *next = c->next;
        skl_metric_add(&skl_net_queued, -(int64_t)c->n);
        free(c);
        c = next;
    }
}

/* What libuv holds stays until it has called back. */
void stream_drop_output(struct skl_stream *s)
{
    free_chunks(s->out_first);
    s->out_first = s->out_last = NULL;
    s->out_bytes = 0;
}

size_t skl_stream_queued(const struct skl_stream *s)
{
    size_t n = s->out_bytes;
    if (s->batch)
        n += uv_stream_get_write_queue_size(&s->uv.stream);
    return s->tls ? n + stream_tls_queued(s) : n;
}

static void queue_bytes(struct skl_stream *s, const char *p, size_t n)
{
    struct out_chunk *last = s->out_last;
    s->out_bytes += n;
    skl_metric_add(&skl_net_queued, (int64_t)n);
    if (last && last->n < last->cap) {
        size_t k = last->cap - last->n < n ? last->cap - last->n : n;
        memcpy(last->data + last->n, p, k);
        last->n += k;
        p += k;
        n -= k;
    }
    if (n == 0)
        return;
    /* The first piece of a queue gets what it needs; only a queue that grows gets room to fill. */
    size_t cap = last && n < MIN_CHUNK ? MIN_CHUNK : n;
    struct out_chunk *c = skl_realloc(NULL, 1, sizeof(*c) + cap);
    c->next = NULL;
    c->n = n;
    c->cap = cap;
    memcpy(c->data, p, n);
    if (last)
        last->next = c;
    else
        s->out_first = c;
    s->out_last = c;
}

static void batch_done(uv_write_t *req, int status);

static void batch_start(struct skl_stream *s)
{
    uv_buf_t bufs[MAX_CHUNKS];
    unsigned count = 0;
    size_t bytes = 0;
    struct out_chunk *last = NULL;
    for (struct out_chunk *c = s->out_first; c && count < MAX_CHUNKS && bytes < BATCH;
         c = c->next) {
        bufs[count++] = buf_of(c->data, c->n);
        bytes += c->n;
        last = c;
    }
    if (!last)
        return;
    struct out_batch *b = skl_new0(struct out_batch);
    b->chunks = s->out_first;
    b->req.data = s;
    s->out_first = last->next;
    last->next = NULL;
    if (!s->out_first)
        s->out_last = NULL;
    s->out_bytes -= bytes;
    int rc = uv_write(&b->req, &s->uv.stream, bufs, count, batch_done);
    if (rc == 0) {
        s->batch = b;
        return;
    }
    free_chunks(b->chunks);
    free(b);
    stream_fail(s, rc, "write");
}

static void batch_done(uv_write_t *req, int status)
{
    struct skl_stream *s = req->data;
    struct out_batch *b = SKL_CONTAINER_OF(req, struct out_batch, req);
    free_chunks(b->chunks);
    free(b);
    s->batch = NULL;
    if (s->closing || s->why)
        return;
    if (status < 0) {
        stream_fail(s, status, "write");
        return;
    }
    batch_start(s);
    if (s->why)
        return;
    if (s->shut_wanted)
        stream_try_shutdown(s);
    if (s->congested && skl_stream_queued(s) < SKL_STREAM_LOW_WATER) {
        s->congested = false;
        if (s->ev.on_drain)
            s->ev.on_drain(s->arg);
    }
}

static void write_some(struct skl_stream *s, const struct skl_str *parts, size_t count)
{
    size_t sent = 0;
    if (!s->batch && !s->out_bytes) {
        uv_buf_t bufs[MAX_PARTS];
        for (size_t i = 0; i < count; i++)
            bufs[i] = buf_of(parts[i].p, parts[i].n);
        int rc = uv_try_write(&s->uv.stream, bufs, (unsigned)count);
        if (rc < 0 && rc != UV_EAGAIN) {
            stream_fail(s, rc, "write");
            return;
        }
        sent = rc > 0 ? (size_t)rc : 0;
    }
    for (size_t i = 0; i < count; i++) {
        skl_metric_add(&skl_net_sent, (int64_t)parts[i].n);
        size_t skip = sent < parts[i].n ? sent : parts[i].n;
        sent -= skip;
        if (skip < parts[i].n)
            queue_bytes(s, parts[i].p + skip, parts[i].n - skip);
    }
    if (s->out_bytes && !s->batch)
        batch_start(s);
    if (skl_stream_queued(s) >= SKL_STREAM_HIGH_WATER)
        s->congested = true;
}

void stream_raw_writev(struct skl_stream *s, const struct skl_str *parts, size_t count)
{
    struct skl_str some[MAX_PARTS];
    size_t i = 0;
    while (i < count && !s->closing && !s->why && !s->shut_started) {
        size_t k = 0;
        for (; i < count && k < MAX_PARTS; i++)
            if (parts[i].n)
                some[k++] = parts[i];
        if (k)
            write_some(s, some, k);
    }
}

void skl_stream_writev(struct skl_stream *s, const struct skl_str *parts, size_t count)
{
    if (s->closing || s->why || s->shut_wanted || !s->opened)
        return;
    if (s->tls)
        stream_tls_writev(s, parts, count);
    else
        stream_raw_writev(s, parts, count);
}

void skl_stream_write(struct skl_stream *s, const void *p, size_t n)
{
    const struct skl_str part = {p, n};
    skl_stream_writev(s, &part, 1);
}

/* -- ending our half */

static void shutdown_done(uv_shutdown_t *req, int status)
{
    struct skl_stream *s = req->data;
    free(req);
    s->shut_done = true;
    if (s->closing || s->why)
        return;
    half_close_unwatch(s); /* from now on a hang-up means nothing new */
    /* ENOTCONN: the peer was faster; its end is told by the reading side. */
    if (s->lingering && s->eof)
        skl_stream_close(s);
}

void stream_try_shutdown(struct skl_stream *s)
{
    if (s->shut_started || s->closing || s->why)
        return;
    if (s->tls && !stream_tls_end(s))
        return; /* the handshake is still to come */
    if (s->out_bytes || s->batch)
        return;
    s->shut_started = true;
    if (s->is_socket) {
        uv_shutdown_t *req = skl_new0(uv_shutdown_t);
        req->data = s;
        int rc = uv_shutdown(req, &s->uv.stream, shutdown_done);
        if (rc < 0) {
            free(req);
            stream_fail(s, rc, "shutdown");
        }
    } else {
        /* A pipe's reader sees its end only when the descriptor is closed; a terminal has no half. */
        s->shut_done = true;
        if (s->is_fifo) {
            s->write_end_closed = true;
            s->raw_reading = false;
            uv_close(&s->uv.handle, stream_handle_closed);
        }
        if (s->lingering && s->is_fifo)
            skl_stream_close(s); /* nothing comes back through a pipe */
    }
}

void skl_stream_shutdown(struct skl_stream *s)
{
    if (s->closing || s->why || s->shut_wanted || !s->opened)
        return;
    s->shut_wanted = true;
    stream_try_shutdown(s);
}

size_t skl_stream_untaken(const struct skl_stream *s)
{
    uv_os_fd_t fd;
    int n = 0;

    if (uv_fileno(&s->uv.handle, &fd) == 0 && s->is_socket && ioctl(fd, SIOCOUTQ, &n) < 0)
        n = 0;
    return skl_stream_queued(s) + (size_t)n;
}
