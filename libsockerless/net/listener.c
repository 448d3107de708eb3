/* listener - see listener.h for the rules.
 *
 * Problem   libuv removes a unix socket's file by name, also when another process has put its own there
 *           meanwhile; it closes new connections when descriptors run out; it cannot pause accepting.
 * Approach  the unix socket is made here and given to libuv, and its file is removed only while it is still
 *           ours. A connection that libuv has accepted and that is not taken from it (uv_accept) stops the
 *           polling: not taking it is the pause.
 * Note      the group is looked up in /etc/group, not by getgrnam(): this file is linked into static
 *           programs, where NSS modules cannot be loaded.
 */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/log_gate.h"
#include "net/loop.h"
#include "net/stream_internal.h"

#define BACKLOG     1024
#define MAX_HANDLES 8
#define FD_RESERVE  32 /* for files, dials and children when connections have taken the rest */
#define FD_RETRY_MS 100

struct port {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct skl_listener *l;
    bool tcp;
    bool waiting; /* libuv holds an accepted connection that was not taken */
};

struct skl_listener {
    uv_loop_t *loop;
    struct skl_address at;
    struct skl_tls *tls;
    skl_accept_cb *cb;
    void (*on_low)(void *arg);
    void *arg;
    struct port *ports[MAX_HANDLES];
    unsigned n_ports;
    unsigned open; /* streams alive */
    unsigned refs; /* one of the owner, one per stream and port */
    bool closing, low_fds, low_told;
    struct skl_log_gate low_gate;
    struct skl_timer *retry;
    dev_t dev; /* of our socket file */
    ino_t ino;
};

static void unref(struct skl_listener *l)
{
    if (--l->refs > 0)
        return;
    skl_tls_unref(l->tls);
    free(l);
}

/* -- accepting */

static unsigned fd_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur > 1u << 30)
        return 1u << 30;
    return (unsigned)r.rlim_cur;
}

static bool fds_are_low(int highest)
{
    unsigned limit = fd_limit();
    return limit > 2 * FD_RESERVE ? (unsigned)highest >= limit - FD_RESERVE
                                  : (unsigned)highest + 4 >= limit;
}

static bool may_accept(const struct skl_listener *l)
{
    return !l->closing && !l->low_fds && l->open < SKL_MAX_CONNECTIONS;
}

static void accept_one(struct port *p);

static void accept_waiting(struct skl_listener *l)
{
    for (unsigned i = 0; i < l->n_ports && may_accept(l); i++)
        if (l->ports[i]->waiting)
            accept_one(l->ports[i]);
}

static void fds_ran_low(struct skl_listener *l)
{
    char held_back[24];
    l->low_fds = true;
    l->low_told = skl_log_gate_open(&l->low_gate, (int64_t)uv_now(l->loop), held_back);
    if (l->low_told)
        skl_warn("listener",
                 "open files are short: no connection is accepted until some are closed",
                 "held_back", held_back, NULL);
}

static void retry_accept(void *arg)
{
    struct skl_listener *l = arg;
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 && errno == EBADF)
        fd = open("/", O_PATH | O_CLOEXEC);
    if (fd < 0 || fds_are_low(fd)) {
        if (fd >= 0)
            close(fd);
        if (l->on_low)
            l->on_low(l->arg);
        return;
    }
    close(fd);
    skl_timer_cancel(&l->retry);
    l->low_fds = false;
    if (l->low_told)
        skl_info("listener", "connections are accepted again", NULL);
    accept_waiting(l);
}

static void accept_later(void *arg)
{
    struct skl_listener *l = arg;
    accept_waiting(l);
    unref(l);
}

static void stream_gone(void *arg)
{
    struct skl_listener *l = arg;
    l->open--;
    /* Not from here: a stream is being freed. The reference goes to the deferred call. */
    if (!l->closing && l->open == SKL_MAX_CONNECTIONS - 1)
        skl_defer(l->loop, accept_later, l);
    else
        unref(l);
}

static void accept_one(struct port *p)
{
    struct skl_listener *l = p->l;
    struct skl_error e;
    uv_os_fd_t fd;
    struct skl_stream *s = stream_new(l->loop, p->tcp);
    p->waiting = false;
    if (uv_accept(&p->uv.stream, &s->uv.stream) < 0) {
        skl_stream_close(s);
        return;
    }
    stream_opened(s);
    skl_stream_set_keepalive(s, SKL_KEEPALIVE_S);
    l->open++;
    l->refs++;
    stream_set_on_free(s, stream_gone, l);
    if (uv_fileno(&s->uv.handle, &fd) == 0 && fds_are_low(fd)) {
        fds_ran_low(l);
        if (!l->retry)
            l->retry = skl_timer_repeat(l->loop, FD_RETRY_MS, retry_accept, l);
    }
    if (l->tls && p->tcp && stream_tls_start(s, l->tls, NULL, NULL, NULL, &e) < 0) {
        skl_stream_close(s);
        return;
    }
    l->cb(l->arg, s);
}

static void on_connection(uv_stream_t *h, int status)
{
    struct port *p = h->data;
    if (status < 0)
        return;
    p->waiting = true;
    if (may_accept(p->l))
        accept_one(p);
}

/* -- opening */

static void port_closed(uv_handle_t *h)
{
    struct port *p = h->data;
    struct skl_listener *l = p->l;
    free(p);
    unref(l);
}

static struct port *port_new(struct skl_listener *l, bool tcp)
{
    struct port *p = skl_new0(struct port);
    p->l = l;
    p->tcp = tcp;
    SKL_ASSERT((tcp ? uv_tcp_init(l->loop, &p->uv.tcp) : uv_pipe_init(l->loop, &p->uv.pipe, 0)) ==
               0);
    p->uv.handle.data = p;
    l->refs++;
    l->ports[l->n_ports++] = p;
    return p;
}

static void port_drop(struct skl_listener *l)
{
    uv_close(&l->ports[--l->n_ports]->uv.handle, port_closed);
}

/* The number of `docker` in /etc/group, or -1. */
static long docker_group(void)
{
    FILE *f = fopen("/etc/group", "re");
    char line[4096];
    long gid = -1;
    while (f && gid < 0 && fgets(line, sizeof(line), f)) {
        struct skl_str rest, name = skl_str_cut(skl_str(line), ':', &rest);
        uint64_t v;
        if (!skl_str_eqz(name, "docker") || !rest.p)
            continue;
        skl_str_cut(rest, ':', &rest); /* the password field */
        if (rest.p && skl_str_u64(skl_str_cut(rest, ':', &rest), &v) && v < UINT32_MAX)
            gid = (long)v;
    }
    if (f)
        fclose(f);
    return gid;
}

static int remove_stale(const struct sockaddr_un *sa, struct skl_error *err)
{
    struct stat st;
    if (lstat(sa->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : skl_fail_errno(err, errno, "%s", sa->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return skl_fail(err, SKL_E_CONFLICT, "%s exists and is not a socket", sa->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return skl_fail_errno(err, errno, "socket");
    int rc = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
    int sys = rc < 0 ? errno : 0;
    close(fd);
    /* EAGAIN: somebody listens and is busy. */
    if (sys == 0 || sys == EAGAIN || sys == EINPROGRESS)
        return skl_fail(err, SKL_E_CONFLICT, "another process listens on %s", sa->sun_path);
    if (sys != ECONNREFUSED)
        return skl_fail_errno(err, sys, "%s", sa->sun_path);
    if (unlink(sa->sun_path) < 0 && errno != ENOENT)
        return skl_fail_errno(err, errno, "cannot remove the stale %s", sa->sun_path);
    return 0;
}

static int bind_unix(struct skl_listener *l, int *ret, struct skl_error *err)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct stat st;
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", l->at.path);
    int rc = remove_stale(&sa, err);
    if (rc < 0)
        return rc;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return skl_fail_errno(err, errno, "socket");
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
        rc = skl_fail_errno(err, errno, "cannot listen on %s", l->at.path);
        close(fd);
        return rc;
    }
    /* Nobody can connect before listen(), so the mode is in force in time. */
    long gid = docker_group();
    if (gid >= 0 && chown(l->at.path, (uid_t)-1, (gid_t)gid) < 0)
        gid = -1; /* not root and not a member: the socket stays our group's */
    if (chmod(l->at.path, 0660) < 0 || stat(l->at.path, &st) < 0) {
        rc = skl_fail_errno(err, errno, "cannot set the mode of %s", l->at.path);
        unlink(l->at.path);
        close(fd);
        return rc;
    }
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    *ret = fd;
    return 0;
}

static int open_unix(struct skl_listener *l, struct skl_error *err)
{
    int fd, rc = bind_unix(l, &fd, err);
    if (rc < 0)
        return rc;
    struct port *p = port_new(l, false);
    if ((rc = uv_pipe_open(&p->uv.pipe, fd)) < 0) {
        close(fd);
        return skl_fail_errno(err, -rc, "cannot listen on %s", l->at.path);
    }
    if ((rc = uv_listen(&p->uv.stream, BACKLOG, on_connection)) < 0)
        return skl_fail_errno(err, -rc, "cannot listen on %s", l->at.path);
    return 0;
}

static int open_fd(struct skl_listener *l, struct skl_error *err)
{
    struct sockaddr_storage sa;
    socklen_t n = sizeof(sa);
    if (getsockname(l->at.fd, (struct sockaddr *)&sa, &n) < 0)
        return skl_fail_errno(err, errno, "descriptor %d cannot be listened on", l->at.fd);
    bool tcp = sa.ss_family == AF_INET || sa.ss_family == AF_INET6;
    struct port *p = port_new(l, tcp);
    int rc = tcp ? uv_tcp_open(&p->uv.tcp, l->at.fd) : uv_pipe_open(&p->uv.pipe, l->at.fd);
    if (rc == 0)
        rc = uv_listen(&p->uv.stream, BACKLOG, on_connection);
    if (rc < 0)
        return skl_fail_errno(err, -rc, "descriptor %d cannot be listened on", l->at.fd);
    return 0;
}

static int listen_on(struct skl_listener *l, const struct sockaddr *sa)
{
    struct sockaddr_storage bound;
    int n = sizeof(bound);
    struct port *p = port_new(l, true);
    int rc = uv_tcp_bind(&p->uv.tcp, sa, 0);
    if (rc == 0)
        rc = uv_listen(&p->uv.stream, BACKLOG, on_connection);
    if (rc == 0)
        rc = uv_tcp_getsockname(&p->uv.tcp, (struct sockaddr *)&bound, &n);
    if (rc < 0) {
        port_drop(l);
        return rc;
    }
    /* sin_port and sin6_port are at the same place. */
    l->at.port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
    return 0;
}

static int open_tcp(struct skl_listener *l, struct skl_error *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char where[300];
    int rc = 0, last = UV_EADDRNOTAVAIL;
    skl_address_format(&l->at, where, sizeof(where));
    if (!l->at.host[0]) {
        /* "::" of libuv takes IPv4 too. */
        struct sockaddr_in6 v6;
        struct sockaddr_in v4;
        uv_ip6_addr("::", l->at.port, &v6);
        uv_ip4_addr("0.0.0.0", l->at.port, &v4);
        rc = listen_on(l, (struct sockaddr *)&v6);
        if (rc == UV_EAFNOSUPPORT || rc == UV_EADDRNOTAVAIL)
            rc = listen_on(l, (struct sockaddr *)&v4);
        return rc < 0 ? skl_fail_errno(err, -rc, "cannot listen on %s", where) : 0;
    }
    if ((rc = getaddrinfo(l->at.host, NULL, &hints, &found)) != 0)
        return skl_fail(err, SKL_E_INVALID, "cannot listen on %s: %s", where, gai_strerror(rc));
    for (struct addrinfo *a = found; a && l->n_ports < MAX_HANDLES; a = a->ai_next) {
        ((struct sockaddr_in *)(void *)a->ai_addr)->sin_port = htons((uint16_t)l->at.port);
        if ((rc = listen_on(l, a->ai_addr)) < 0)
            last = rc;
        /* A taken port is an error also when another address of the name was free. */
        if (rc == UV_EADDRINUSE || rc == UV_EACCES)
            break;
    }
    freeaddrinfo(found);
    if (l->n_ports == 0 || rc == UV_EADDRINUSE || rc == UV_EACCES)
        return skl_fail_errno(err, -last, "cannot listen on %s", where);
    return 0;
}

int skl_listener_open(uv_loop_t *loop, const struct skl_address *at, struct skl_tls *tls,
                      skl_accept_cb *cb, void *arg, struct skl_listener **ret,
                      struct skl_error *err)
{
    struct skl_listener *l = skl_new0(struct skl_listener);
    int rc = 0;
    l->loop = loop;
    l->at = *at;
    l->tls = tls ? skl_tls_ref(tls) : NULL;
    l->cb = cb;
    l->arg = arg;
    l->refs = 1;
    switch (at->kind) {
    case SKL_ADDRESS_UNIX:
        rc = open_unix(l, err);
        break;
    case SKL_ADDRESS_TCP:
        rc = open_tcp(l, err);
        break;
    case SKL_ADDRESS_FD:
        rc = open_fd(l, err);
        break;
    }
    if (rc < 0)
        skl_listener_close(l);
    else
        *ret = l;
    return rc;
}

void skl_listener_on_low(struct skl_listener *l, void (*on_low)(void *arg))
{
    l->on_low = on_low;
}

void skl_listener_set_tls(struct skl_listener *l, struct skl_tls *tls)
{
    if (!l->tls || !tls)
        return;
    skl_tls_unref(l->tls);
    l->tls = skl_tls_ref(tls);
}

void skl_listener_close(struct skl_listener *l)
{
    struct stat st;
    if (!l)
        return;
    l->closing = true;
    skl_timer_cancel(&l->retry);
    if (l->ino && stat(l->at.path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
        unlink(l->at.path);
    while (l->n_ports)
        port_drop(l);
    unref(l);
}

const struct skl_address *skl_listener_address(const struct skl_listener *l)
{
    return &l->at;
}
