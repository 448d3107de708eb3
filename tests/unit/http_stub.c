/* The server is deliberately simple and shares no code with what it tests: one thread, poll(), whole
 * requests in memory. Rules are appended under the mutex and never freed before the end, so the thread
 * answers from them without copying. */
#include "http_stub.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNS    64
#define MAX_RULES    256
#define MAX_REQUESTS 1024
#define MAX_TEXT     (256 * 1024)

struct rule {
    char *method, *target, *headers, *body;
    int uses, status;
    bool limited;
};

struct conn {
    int fd;
    char *in;
    size_t n;
};

struct stub {
    int fd, port, wake[2];
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    struct rule rules[MAX_RULES];
    size_t n_rules;
    char *requests[MAX_REQUESTS];
    size_t n_requests, n_connections;
    struct conn conns[MAX_CONNS]; /* the thread's own */
    size_t n_conns;
};

static char *copy(const char *s)
{
    return s ? strdup(s) : NULL;
}

static int listen_loopback(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        abort();
    *port = ntohs(a.sin_port);
    return fd;
}

int stub_dead_port(void)
{
    int port, fd = listen_loopback(&port);

    (void)close(fd);
    return port;
}

static bool begins(const char *request, const char *method, const char *target)
{
    const char *space = strchr(request, ' ');

    if (!space)
        return false;
    if (method && ((size_t)(space - request) != strlen(method) ||
                   strncmp(request, method, strlen(method)) != 0))
        return false;
    return strncmp(space + 1, target, strlen(target)) == 0;
}

static void send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

        if (k <= 0)
            return;
        p += k;
        n -= (size_t)k;
    }
}

/* Copies src to a new string with $SELF replaced. */
static char *expand(const struct stub *s, const char *src)
{
    size_t n = 0, size = 1;
    char *out;

    src = src ? src : "";
    for (const char *at = src; (at = strstr(at, "$SELF")); at += 5)
        size += strlen(s->url);
    size += strlen(src);
    out = calloc(1, size);
    while (*src) {
        if (strncmp(src, "$SELF", 5) == 0) {
            n += (size_t)snprintf(out + n, size - n, "%s", s->url);
            src += 5;
        } else {
            out[n++] = *src++;
        }
    }
    return out;
}

/* False: the connection ends. */
static bool answer(struct stub *s, int fd, const char *request)
{
    struct rule none = {.status = 599}, *r = &none;
    char *headers, *body, head[512];
    bool is_head = strncmp(request, "HEAD ", 5) == 0, keep = true;

    for (size_t i = 0; i < s->n_rules; i++) {
        struct rule *x = &s->rules[i];

        if (begins(request, x->method, x->target) && (!x->limited || x->uses > 0)) {
            x->uses--;
            r = x;
            break;
        }
    }
    if (r->status == STUB_DROP)
        return false;
    if (r->status == STUB_STALL)
        return true;
    headers = expand(s, r->headers);
    body = expand(s, r->body);
    (void)snprintf(head, sizeof(head), "HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\n", r->status,
                   strlen(body));
    if (r->status == 204)
        (void)snprintf(head, sizeof(head), "HTTP/1.1 204 Scripted\r\n");
    send_all(fd, head, strlen(head));
    send_all(fd, headers, strlen(headers));
    send_all(fd, "\r\n", 2);
    if (!is_head)
        send_all(fd, body, strlen(body));
    free(headers);
    free(body);
    return keep;
}

/* Length of the first whole request in the buffer; 0: not yet. */
static size_t request_length(const char *in)
{
    const char *end = strstr(in, "\r\n\r\n"), *cl;
    size_t head, body = 0;

    if (!end)
        return 0;
    head = (size_t)(end - in) + 4;
    cl = strcasestr(in, "\r\ncontent-length:");
    if (cl && cl < end)
        body = strtoul(cl + 17, NULL, 10);
    return strlen(in) >= head + body ? head + body : 0;
}

static void drop(struct stub *s, size_t i)
{
    (void)close(s->conns[i].fd);
    free(s->conns[i].in);
    s->conns[i] = s->conns[--s->n_conns];
}

/* False: the connection ended. */
static bool serve(struct stub *s, struct conn *c)
{
    ssize_t k = recv(c->fd, c->in + c->n, MAX_TEXT - 1 - c->n, 0);
    size_t len;

    if (k <= 0)
        return false;
    c->n += (size_t)k;
    c->in[c->n] = '\0';
    if (c->in[0] < 'A' || c->in[0] > 'Z')
        return false; /* a TLS greeting: no server of plain HTTP waits for more */
    while ((len = request_length(c->in)) > 0) {
        char *request = strndup(c->in, len);
        bool keep;

        (void)pthread_mutex_lock(&s->lock);
        keep = answer(s, c->fd, request);
        if (s->n_requests < MAX_REQUESTS)
            s->requests[s->n_requests++] = request;
        else
            free(request);
        (void)pthread_mutex_unlock(&s->lock);
        memmove(c->in, c->in + len, c->n - len + 1);
        c->n -= len;
        if (!keep)
            return false;
    }
    return true;
}

static void accept_one(struct stub *s)
{
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    if (s->n_conns == MAX_CONNS) {
        (void)close(fd);
        return;
    }
    s->conns[s->n_conns++] = (struct conn){.fd = fd, .in = calloc(1, MAX_TEXT)};
    (void)pthread_mutex_lock(&s->lock);
    s->n_connections++;
    (void)pthread_mutex_unlock(&s->lock);
}

static void *run(void *arg)
{
    struct stub *s = arg;

    for (;;) {
        struct pollfd fds[MAX_CONNS + 2] = {{.fd = s->wake[0], .events = POLLIN},
                                            {.fd = s->fd, .events = POLLIN}};
        size_t n = s->n_conns;

        for (size_t i = 0; i < n; i++)
            fds[i + 2] = (struct pollfd){.fd = s->conns[i].fd, .events = POLLIN};
        (void)poll(fds, n + 2, -1);
        if (fds[0].revents)
            break;
        for (size_t i = n; i-- > 0;)
            if (fds[i + 2].revents && !serve(s, &s->conns[i]))
                drop(s, i);
        if (fds[1].revents)
            accept_one(s);
    }
    while (s->n_conns > 0)
        drop(s, 0);
    return NULL;
}

struct stub *stub_new(void)
{
    struct stub *s = calloc(1, sizeof(*s));

    s->fd = listen_loopback(&s->port);
    (void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", s->port);
    (void)pthread_mutex_init(&s->lock, NULL);
    if (pipe(s->wake) < 0 || pthread_create(&s->thread, NULL, run, s) != 0)
        abort();
    return s;
}

void stub_clear(struct stub *s)
{
    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_rules; i++) {
        free(s->rules[i].method);
        free(s->rules[i].target);
        free(s->rules[i].headers);
        free(s->rules[i].body);
    }
    for (size_t i = 0; i < s->n_requests; i++)
        free(s->requests[i]);
    s->n_rules = s->n_requests = 0;
    (void)pthread_mutex_unlock(&s->lock);
}

void stub_free(struct stub *s)
{
    (void)!write(s->wake[1], "x", 1);
    (void)pthread_join(s->thread, NULL);
    stub_clear(s);
    (void)close(s->wake[0]);
    (void)close(s->wake[1]);
    (void)close(s->fd);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

const char *stub_url(const struct stub *s)
{
    return s->url;
}

int stub_port(const struct stub *s)
{
    return s->port;
}

void stub_rule(struct stub *s, const char *method, const char *target, int uses, int status,
               const char *headers, const char *body)
{
    (void)pthread_mutex_lock(&s->lock);
    if (s->n_rules == MAX_RULES)
        abort();
    s->rules[s->n_rules++] = (struct rule){.method = copy(method),
                                           .target = strdup(target),
                                           .headers = copy(headers),
                                           .body = copy(body),
                                           .uses = uses,
                                           .limited = uses > 0,
                                           .status = status};
    (void)pthread_mutex_unlock(&s->lock);
}

size_t stub_count(struct stub *s, const char *method, const char *target_prefix)
{
    size_t n = 0;

    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_requests; i++)
        n += begins(s->requests[i], method, target_prefix);
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}

const char *stub_request(struct stub *s, const char *method, const char *target_prefix, size_t n)
{
    const char *found = "";

    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_requests; i++) {
        if (begins(s->requests[i], method, target_prefix) && n-- == 0) {
            found = s->requests[i];
            break;
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    return found;
}

size_t stub_connections(struct stub *s)
{
    size_t n;

    (void)pthread_mutex_lock(&s->lock);
    n = s->n_connections;
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}
