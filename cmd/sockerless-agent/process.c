/* Processes of the container, the main one and execs: their output, input and end.
 *
 * Pipes and terminals are read with poll handles, because a terminal's master end is no kind of stream that libuv opens.
 * How one begins is child.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "agent.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "child.h"

#define DRAIN_MS 2000 /* after the end, for output of grandchildren that hold the pipes */

enum side { SIDE_OUT, SIDE_ERR, SIDE_IN, SIDES };

struct port {
    struct agent_process *p;
    uv_poll_t poll;
    int fd; /* -1: closed */
    bool polling;
    size_t last; /* of what was in the pipe when its time was over: not read yet */
};

struct agent_process {
    struct skl_list in_all;
    uv_loop_t *loop;
    const struct agent_process_events *events;
    void *arg;
    pid_t pid;
    bool tty, exited, paused, ending;
    bool is_over; /* `last` of the ports is known */
    int code, signal;
    struct port port[SIDES]; /* a terminal: OUT reads and writes */
    unsigned open_handles;   /* poll handles that libuv still has */
    struct skl_buf input;
    bool input_end;
    struct skl_timer *drain;
};

static struct skl_list all = {&all, &all};

/* -- ports */

static void process_check_end(struct agent_process *p);

static void port_closed(uv_handle_t *h)
{
    struct port *port = h->data;
    struct agent_process *p = port->p;

    if (--p->open_handles == 0 && p->ending) {
        skl_buf_fini(&p->input);
        free(p);
    }
}

static void port_close(struct port *port)
{
    if (port->fd < 0)
        return;
    uv_close((uv_handle_t *)&port->poll, port_closed);
    close(port->fd);
    port->fd = -1;
    port->polling = false;
}

static void port_update(struct port *port);

static void write_input(struct agent_process *p, struct port *port)
{
    size_t written = 0;

    while (p->input.n > written) {
        ssize_t n = write(port->fd, p->input.p + written, p->input.n - written);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) { /* nobody reads: what comes is swallowed, as a pipe to a closed end would be */
            written = p->input.n;
            p->input_end = true;
            break;
        }
        written += (size_t)n;
    }
    skl_buf_consume(&p->input, written);
    if (p->input.n == 0 && p->input_end && !p->tty)
        port_close(port);
    else
        port_update(port);
    if (written > 0)
        p->events->on_stdin_drained(p->arg, written);
}

static void read_output(struct port *port, bool is_stderr)
{
    static char buffer[SKL_READ_CHUNK];
    struct agent_process *p = port->p;
    ssize_t n = read(port->fd, buffer, sizeof(buffer));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* EIO is a terminal whose last user has gone */
        port_close(port);
        process_check_end(p);
        return;
    }
    if (!p->events->on_output(p->arg, is_stderr, skl_str_n(buffer, (size_t)n))) {
        p->paused = true;
        port_update(&p->port[SIDE_OUT]);
        port_update(&p->port[SIDE_ERR]);
    }
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    struct port *port = h->data;
    struct agent_process *p = port->p;
    enum side side = (enum side)(port - p->port);
    bool reads = side != SIDE_IN;

    if ((events & UV_WRITABLE) && p->input.n > 0)
        write_input(p, port);
    if (port->fd < 0)
        return;
    if (reads && (status < 0 || (events & (UV_READABLE | UV_DISCONNECT))) && !p->paused)
        read_output(port, side == SIDE_ERR);
    else if (!reads && status < 0)
        port_close(port);
}

static void port_update(struct port *port)
{
    struct agent_process *p = port->p;
    enum side side = (enum side)(port - p->port);
    int events = 0;

    if (port->fd < 0)
        return;
    if (side != SIDE_IN && !p->paused)
        events |= UV_READABLE;
    if ((side == SIDE_IN || p->tty) && p->input.n > 0)
        events |= UV_WRITABLE;
    if (events)
        uv_poll_start(&port->poll, events, on_poll);
    else
        uv_poll_stop(&port->poll);
}

static void port_open(struct agent_process *p, enum side side, int fd)
{
    struct port *port = &p->port[side];

    port->p = p;
    port->fd = fd;
    if (fd < 0)
        return;
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    uv_poll_init(p->loop, &port->poll, fd);
    port->poll.data = port;
    p->open_handles++;
    port_update(port);
}

/* -- the end */

static void process_free(struct agent_process *p)
{
    skl_timer_cancel(&p->drain);
    skl_list_remove(&p->in_all);
    p->ending = true;
    for (int i = 0; i < SIDES; i++)
        port_close(&p->port[i]);
    if (p->open_handles == 0) {
        skl_buf_fini(&p->input);
        free(p);
    }
}

static void process_finish(struct agent_process *p)
{
    const struct agent_process_events *events = p->events;
    void *arg = p->arg;
    int code = p->code, signo = p->signal;

    process_free(p);
    events->on_end(arg, code, signo);
}

/* Reads what was in the pipe when the time was over, and no more: a grandchild may write for ever. */
static void take_last(struct agent_process *p, enum side side)
{
    static char buffer[SKL_READ_CHUNK];
    struct port *port = &p->port[side];

    while (port->fd >= 0 && port->last > 0 && !p->paused) {
        size_t wanted = port->last < sizeof(buffer) ? port->last : sizeof(buffer);
        ssize_t n = read(port->fd, buffer, wanted);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            port->last = 0;
            return;
        }
        port->last -= (size_t)n;
        if (!p->events->on_output(p->arg, side == SIDE_ERR, skl_str_n(buffer, (size_t)n)))
            p->paused = true;
    }
}

static void count_last(struct port *port)
{
    int n = 0;

    if (port->fd >= 0 && ioctl(port->fd, FIONREAD, &n) == 0 && n > 0)
        port->last = (size_t)n;
}

/* The time is over; but this agent may have been too busy, or the other end too slow, to have read all of it. */
static void drained(void *arg)
{
    struct agent_process *p = arg;

    p->drain = NULL;
    if (!p->is_over) {
        p->is_over = true;
        count_last(&p->port[SIDE_OUT]);
        count_last(&p->port[SIDE_ERR]);
    }
    take_last(p, SIDE_OUT);
    take_last(p, SIDE_ERR);
    if (p->paused && (p->port[SIDE_OUT].last > 0 || p->port[SIDE_ERR].last > 0)) {
        port_update(&p->port[SIDE_OUT]);
        port_update(&p->port[SIDE_ERR]);
        p->drain = skl_timer_start(p->loop, DRAIN_MS, drained, p);
        return;
    }
    process_finish(p);
}

static void process_check_end(struct agent_process *p)
{
    if (!p->exited || p->port[SIDE_OUT].fd >= 0 || p->port[SIDE_ERR].fd >= 0)
        return;
    process_finish(p);
}

static void process_exited(struct agent_process *p, int status)
{
    p->exited = true;
    p->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    p->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    p->drain = skl_timer_start(p->loop, DRAIN_MS, drained, p);
    process_check_end(p);
}

static struct agent_process *find_running(pid_t pid)
{
    struct skl_list *it;

    skl_list_foreach (it, &all) {
        struct agent_process *p = SKL_LIST_ENTRY(it, struct agent_process, in_all);

        if (p->pid == pid && !p->exited)
            return p;
    }
    return NULL;
}

void agent_reap(void)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct agent_process *p = find_running(pid);

        if (p)
            process_exited(p, status);
    }
}

/* -- beginning */

static struct agent_process *process_new(uv_loop_t *loop, const struct agent_child *c, bool tty)
{
    struct agent_process *p = skl_new0(struct agent_process);

    p->loop = loop;
    p->pid = c->pid;
    p->tty = tty;
    skl_buf_init(&p->input, 2 * SKL_LINK_WINDOW);
    skl_list_push(&all, &p->in_all);
    port_open(p, SIDE_OUT, c->out_fd);
    port_open(p, SIDE_ERR, c->err_fd);
    port_open(p, SIDE_IN, c->in_fd);
    return p;
}
int agent_process_start(uv_loop_t *loop, const struct agent_process_spec *spec,
                        const struct agent_process_events *events, void *arg,
                        struct agent_process **ret, int *code, struct skl_error *err)
{
    struct agent_child c;
    int rc = agent_child_start(spec, &c, code, err);

    if (rc < 0)
        return rc;
    *ret = process_new(loop, &c, spec->tty);
    (*ret)->events = events;
    (*ret)->arg = arg;
    return 0;
}

/* -- while it runs */

pid_t agent_process_pid(const struct agent_process *p)
{
    return p->pid;
}

void agent_process_stdin(struct agent_process *p, struct skl_str data)
{
    struct port *port = &p->port[p->tty ? SIDE_OUT : SIDE_IN];

    if (port->fd < 0) {
        p->events->on_stdin_drained(p->arg, data.n); /* nobody reads it */
        return;
    }
    skl_buf_addstr(&p->input, data);
    port_update(port);
}

void agent_process_stdin_end(struct agent_process *p)
{
    if (p->tty)
        return; /* the terminal stays */
    p->input_end = true;
    if (p->input.n == 0)
        port_close(&p->port[SIDE_IN]);
}

void agent_process_resume(struct agent_process *p)
{
    p->paused = false;
    port_update(&p->port[SIDE_OUT]);
    port_update(&p->port[SIDE_ERR]);
}

void agent_process_signal(struct agent_process *p, int signo)
{
    if (!p->exited)
        (void)kill(p->pid, signo); /* it may have ended in this moment */
}

/* The mask of caught signals, from the kernel's own account; all bits if it cannot be read. */
static uint64_t caught_signals(pid_t pid)
{
    char path[64], text[4096];
    const char *line;
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return UINT64_MAX;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    line = strstr(text, "SigCgt:");
    return line ? strtoull(line + strlen("SigCgt:"), NULL, 16) : UINT64_MAX;
}

void agent_process_signal_first(struct agent_process *p, int signo)
{
    bool always = signo == SIGKILL || signo == SIGSTOP || signo == SIGCONT;

    if (always || signo < 1 || signo > 64 || (caught_signals(p->pid) >> (signo - 1) & 1))
        agent_process_signal(p, signo);
}

void agent_process_resize(struct agent_process *p, unsigned rows, unsigned cols)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

    if (p->tty && p->port[SIDE_OUT].fd >= 0)
        (void)ioctl(p->port[SIDE_OUT].fd, TIOCSWINSZ, &size);
}
