/* The answer's framing is kept as the container wrote it; it is followed only to know where it ends, so that an answer
 * that was cut short is told from a complete one. */
#include "proxy.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "service.h"

#define MAX_HEAD   (64 * SKL_KIB)
#define CONNECT_MS 5000

enum framing { BY_LENGTH, BY_CHUNKS, BY_CLOSE };

struct exchange {
    struct sim_proxy *p;
    int fd;
    struct skl_buf head;
    enum framing framing;
    uint64_t left; /* BY_LENGTH, or of the chunk */
    enum { SIZE, DATA, DATA_END, TRAILER } at;
    char line[64]; /* a chunk's size line; a trailer's beginning */
    size_t line_n;
    bool complete;
};

/* -- the request */

static bool is_hop_header(const char *name)
{
    static const char *const names[] = {"Connection", "Keep-Alive",     "Proxy-Connection",
                                        "TE",         "Content-Length", "Transfer-Encoding",
                                        "Upgrade",    "Expect",         NULL};

    for (const char *const *n = names; *n; n++)
        if (strcasecmp(*n, name) == 0)
            return true;
    return false;
}

struct adding {
    struct sim_proxy *p;
    struct skl_buf *b;
};

static void add_header(void *arg, const char *name, const char *value)
{
    struct adding *a = arg;

    if (!is_hop_header(name) && !(a->p->is_replaced && a->p->is_replaced(name)))
        skl_buf_addf(a->b, "%s: %s\r\n", name, value);
}

static void write_request(struct sim_proxy *p, struct skl_buf *b)
{
    const struct sim_request *r = p->request;

    skl_buf_addf(b, "%s %s HTTP/1.1\r\n", r->method, p->target);
    sim_headers(r, add_header, &(struct adding){p, b});
    skl_buf_adds(b, p->headers ? p->headers : "");
    if (r->body.n > 0 || strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0)
        skl_buf_addf(b, "Content-Length: %zu\r\n", r->body.n);
    skl_buf_adds(b, "Connection: close\r\n\r\n");
    skl_buf_addstr(b, r->body);
}

/* 1: ready; 0: the deadline has passed */
static int await_fd(const struct exchange *x, short events)
{
    for (;;) {
        struct pollfd f = {.fd = x->fd, .events = events};
        int64_t left = x->p->deadline_ms - skl_mono_ms();
        int n;

        if (left <= 0)
            return 0;
        n = poll(&f, 1, left > 60000 ? 60000 : (int)left);
        if (n > 0)
            return 1;
    }
}

static enum sim_proxy_result send_request(struct exchange *x)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    size_t sent = 0;

    skl_buf_init(&b, 80 * SKL_MIB);
    write_request(x->p, &b);
    while (sent < b.n) {
        ssize_t n;

        if (!await_fd(x, POLLOUT))
            return SIM_PROXY_LATE;
        n = send(x->fd, b.p + sent, b.n - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return SIM_PROXY_DONE; /* an answer may be there nevertheless: it is read next */
        sent += n > 0 ? (size_t)n : 0;
    }
    return SIM_PROXY_DONE;
}

/* -- the answer */

static bool take_size_line(struct exchange *x)
{
    char *end;

    x->line[x->line_n] = '\0';
    x->left = strtoull(x->line, &end, 16);
    if (end == x->line)
        return false;
    x->line_n = 0;
    x->at = x->left > 0 ? DATA : TRAILER;
    return true;
}

/* Follows the chunks; false: they are malformed. */
static bool follow_chunks(struct exchange *x, const char *s, size_t n)
{
    while (n > 0 && !x->complete) {
        size_t step = 1;

        if (x->at == DATA) {
            step = x->left < n ? (size_t)x->left : n;
            x->left -= step;
            x->at = x->left > 0 ? DATA : DATA_END;
        } else if (*s != '\n') {
            if (*s != '\r' && x->line_n + 1 < sizeof(x->line))
                x->line[x->line_n++] = *s;
        } else if (x->at == DATA_END) {
            x->at = SIZE;
            x->line_n = 0;
        } else if (x->at == TRAILER) {
            x->complete = x->line_n == 0;
            x->line_n = 0;
        } else if (!take_size_line(x)) {
            return false;
        }
        s += step;
        n -= step;
    }
    return true;
}

static enum sim_proxy_result pass_body(struct exchange *x, const char *s, size_t n)
{
    if (x->framing == BY_LENGTH) {
        n = n < x->left ? n : (size_t)x->left;
        x->left -= n;
        x->complete = x->left == 0;
    } else if (x->framing == BY_CHUNKS && !follow_chunks(x, s, n)) {
        return SIM_PROXY_BROKEN;
    }
    x->p->body_bytes += n;
    return sim_send(x->p->request, s, n) ? SIM_PROXY_DONE : SIM_PROXY_CLIENT_GONE;
}

static void read_framing(struct exchange *x, struct skl_str name, struct skl_str value)
{
    uint64_t n;

    if (skl_str_ieqz(name, "Transfer-Encoding") && skl_str_ieqz(value, "chunked"))
        x->framing = BY_CHUNKS;
    else if (skl_str_ieqz(name, "Content-Length") && x->framing == BY_CLOSE &&
             skl_str_u64(value, &n)) {
        x->framing = BY_LENGTH;
        x->left = n;
    }
}

/* The head as the client gets it; false: it is no HTTP. */
static bool read_head(struct exchange *x, struct skl_str head, struct skl_buf *out)
{
    struct skl_str rest, line = skl_str_cut(head, '\n', &rest);
    const char *method = x->p->request->method;

    if (line.n < 12 || !skl_str_starts(line, "HTTP/1."))
        return false;
    x->p->status = (int)strtol(line.p + 9, NULL, 10);
    x->framing = BY_CLOSE;
    skl_buf_addf(out, "HTTP/1.1 " SKL_STR_FMT "\r\n",
                 SKL_STR_ARG(skl_str_trim(skl_str_skip(line, 9))));
    while (rest.p) {
        struct skl_str value, name;
        char *key SKL_AUTO_STR = NULL;

        line = skl_str_trim(skl_str_cut(rest, '\n', &rest));
        if (line.n == 0)
            continue;
        name = skl_str_cut(line, ':', &value);
        value = skl_str_trim(value);
        read_framing(x, name, value);
        key = skl_str_dup(name);
        if (!is_hop_header(key) || skl_str_ieqz(name, "Content-Length") ||
            skl_str_ieqz(name, "Transfer-Encoding"))
            skl_buf_addf(out, SKL_STR_FMT "\r\n", SKL_STR_ARG(line));
    }
    if (strcmp(method, "HEAD") == 0 || x->p->status == 204 || x->p->status == 304) {
        x->framing = BY_LENGTH;
        x->left = 0;
    }
    if (x->framing == BY_CLOSE) {
        skl_buf_adds(out, "Connection: close\r\n");
        sim_close(x->p->request);
    }
    x->complete = x->framing == BY_LENGTH && x->left == 0;
    skl_buf_adds(out, "\r\n");
    return true;
}

static const char *head_end(const struct skl_buf *b)
{
    return b->n > 0 ? memmem(b->p, b->n, "\r\n\r\n", 4) : NULL;
}

/* Bytes before the head is complete. */
static enum sim_proxy_result take_head(struct exchange *x, const char *s, size_t n)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    const char *end;
    size_t used;

    skl_buf_add(&x->head, s, n);
    if (x->head.failed)
        return SIM_PROXY_BROKEN;
    while ((end = head_end(&x->head)) && skl_str_starts(skl_buf_str(&x->head), "HTTP/1.1 1"))
        skl_buf_consume(&x->head, (size_t)(end + 4 - x->head.p)); /* an interim answer */
    if (!end)
        return SIM_PROXY_DONE;
    skl_buf_init(&out, 2 * MAX_HEAD);
    used = (size_t)(end + 4 - x->head.p);
    if (!read_head(x, skl_str_n(x->head.p, used), &out))
        return SIM_PROXY_BROKEN;
    x->p->head_sent = true;
    if (!sim_send(x->p->request, out.p, out.n))
        return SIM_PROXY_CLIENT_GONE;
    return x->complete ? SIM_PROXY_DONE : pass_body(x, x->head.p + used, x->head.n - used);
}

static enum sim_proxy_result read_answer(struct exchange *x)
{
    enum sim_proxy_result result = SIM_PROXY_DONE;

    while (result == SIM_PROXY_DONE && !x->complete) {
        char bytes[16 * 1024];
        ssize_t n;

        if (!await_fd(x, POLLIN))
            return SIM_PROXY_LATE;
        n = recv(x->fd, bytes, sizeof(bytes), 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return n == 0 && x->p->head_sent && x->framing == BY_CLOSE ? SIM_PROXY_DONE
                                                                       : SIM_PROXY_BROKEN;
        result = x->p->head_sent ? pass_body(x, bytes, (size_t)n) : take_head(x, bytes, (size_t)n);
    }
    return result;
}

enum sim_proxy_result sim_proxy_run(struct sim_proxy *p)
{
    struct exchange x = {.p = p, .fd = sim_connect(p->address, p->port, CONNECT_MS)};
    enum sim_proxy_result result;

    if (x.fd < 0)
        return SIM_PROXY_NO_CONNECTION;
    skl_buf_init(&x.head, MAX_HEAD);
    result = send_request(&x);
    if (result == SIM_PROXY_DONE && p->lose_answer) {
        p->lose_answer(p->arg);
        result = SIM_PROXY_CLIENT_GONE;
    } else if (result == SIM_PROXY_DONE) {
        result = read_answer(&x);
    }
    close(x.fd);
    skl_buf_fini(&x.head);
    if (p->head_sent && result != SIM_PROXY_DONE)
        sim_close(p->request); /* the client must see that it was cut */
    return result;
}
