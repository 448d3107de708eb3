/* The agent's end: what a hostile backend may say to it. Its processes and its archives are made up here, because a
 * fuzzer's command lines and paths must not reach this machine; what reads frames is the agent's own.
 *
 * The linker puts the __wrap_ functions in the place of: the listener (a socket pair without TLS), connections of
 * tunnels, timers (due at once; the one that ends the process never), and files that would be written.
 */
#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "agent/forward_tls.h"
#include "base/alloc.h"
#include "base/log.h"
#include "control_group.h"
#include "fake_connect.h"
#include "frame_peer.h"
#include "net/listener.h"

#define LEAVE_MS 200 /* after which an agent that has left ends its process */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* -- processes: what is written to one comes back as its output */

struct agent_process {
    struct skl_list in_all;
    uv_loop_t *loop;
    const struct agent_process_events *events;
    void *arg;
    struct skl_buf pending;
    size_t drained;
    bool stopped, ending, scheduled, over;
    int signal;
};

static struct skl_list processes;

static void process_turn(void *arg)
{
    struct agent_process *p = arg;
    size_t drained = p->drained;

    p->scheduled = false;
    p->drained = 0;
    if (!p->over && drained)
        p->events->on_stdin_drained(p->arg, drained);
    if (!p->over && !p->stopped && p->pending.n > 0) {
        SKL_AUTO_BUF struct skl_buf out = p->pending;

        skl_buf_init(&p->pending, 64u << 20);
        p->stopped = !p->events->on_output(p->arg, out.n & 1, skl_buf_str(&out));
    }
    if (!p->over && p->ending && !p->stopped && !p->scheduled) {
        p->over = true;
        p->events->on_end(p->arg, p->signal ? 128 + p->signal : 0, p->signal);
    }
    if (p->over && !p->scheduled) {
        skl_list_remove(&p->in_all);
        skl_buf_fini(&p->pending);
        free(p);
    }
}

static void schedule(struct agent_process *p)
{
    if (!p->scheduled)
        skl_defer(p->loop, process_turn, p);
    p->scheduled = true;
}

int agent_process_start(uv_loop_t *loop, const struct agent_process_spec *spec,
                        const struct agent_process_events *events, void *arg,
                        struct agent_process **ret, int *code, struct skl_error *err)
{
    struct agent_process *p;

    if (!spec->argv || !spec->argv[0] || spec->argv[0][0] == '!') {
        *code = 127;
        return skl_fail(err, SKL_E_NOTFOUND, "no such command");
    }
    p = skl_new0(struct agent_process);
    p->loop = loop;
    p->events = events;
    p->arg = arg;
    skl_buf_init(&p->pending, 64u << 20);
    skl_list_push(&processes, &p->in_all);
    *ret = p;
    return 0;
}

pid_t agent_process_pid(const struct agent_process *p)
{
    return 4711;
}

void agent_process_stdin(struct agent_process *p, struct skl_str data)
{
    skl_buf_addstr(&p->pending, data);
    p->drained += data.n;
    schedule(p);
}

void agent_process_stdin_end(struct agent_process *p)
{
    p->ending = true;
    schedule(p);
}

void agent_process_resume(struct agent_process *p)
{
    p->stopped = false;
    schedule(p);
}

void agent_process_signal(struct agent_process *p, int signo)
{
    if (signo <= 0 || signo >= 65)
        return;
    p->signal = signo;
    p->ending = true;
    schedule(p);
}

void agent_process_signal_first(struct agent_process *p, int signo)
{
    if (signo == 9)
        agent_process_signal(p, signo);
}

void agent_process_resize(struct agent_process *p, unsigned rows, unsigned cols)
{
}

void agent_signal_all(int signo)
{
}

static void end_processes(uv_loop_t *loop)
{
    struct skl_list *it;

    skl_list_foreach (it, &processes) {
        struct agent_process *p = SKL_LIST_ENTRY(it, struct agent_process, in_all);

        p->stopped = false;
        p->ending = true;
        schedule(p);
    }
    for (int i = 0; i < 8; i++)
        uv_run(loop, UV_RUN_NOWAIT);
}

/* -- archives and what is not the matter here */

void agent_archive_get(struct agent *a, const struct skl_frame *f)
{
    agent_task_error(a, f->stream, 404, "no such file");
}

void agent_archive_put(struct agent *a, const struct skl_frame *f)
{
    agent_task_error(a, f->stream, 404, "no such file");
}

void agent_stats(struct agent *a, const struct skl_frame *f)
{
    agent_task_result(a, f->stream, SKL_STR(""));
}

bool agent_group_number(const char *file, const char *key, uint64_t *ret)
{
    return false;
}

int64_t agent_mtime_ns(const char *path)
{
    return 0;
}

int64_t agent_file_clock_after(int64_t wall_ns)
{
    return wall_ns;
}

void agent_invocation_over(struct agent *a)
{
}

/* -- in the place of the real ones */

struct skl_timer *__real_skl_timer_start(uv_loop_t *loop, int64_t ms, skl_timer_cb *cb, void *arg);
struct skl_timer *__wrap_skl_timer_start(uv_loop_t *loop, int64_t ms, skl_timer_cb *cb, void *arg);
int __wrap_skl_listener_open(uv_loop_t *loop, const struct skl_address *at, struct skl_tls *tls,
                             skl_accept_cb *cb, void *arg, struct skl_listener **ret,
                             struct skl_error *err);
int __wrap_skl_forward_tls_new(bool server, const char *id, const char *token, struct skl_tls **ret,
                               struct skl_error *err);
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

static skl_accept_cb *accept_cb;
static struct skl_http_server *agent_server;

struct skl_timer *__wrap_skl_timer_start(uv_loop_t *loop, int64_t ms, skl_timer_cb *cb, void *arg)
{
    return ms == LEAVE_MS ? NULL : __real_skl_timer_start(loop, ms < 1 ? ms : 1, cb, arg);
}

int __wrap_skl_listener_open(uv_loop_t *loop, const struct skl_address *at, struct skl_tls *tls,
                             skl_accept_cb *cb, void *arg, struct skl_listener **ret,
                             struct skl_error *err)
{
    accept_cb = cb;
    agent_server = arg;
    return 0;
}

int __wrap_skl_forward_tls_new(bool server, const char *id, const char *token, struct skl_tls **ret,
                               struct skl_error *err)
{
    *ret = NULL;
    return 0;
}

/* A peer of a tunnel that says a few bytes, ends its half and reads nothing. */
static void fake_connected(int own_fd)
{
    SKL_ASSERT(write(own_fd, "hello", 5) == 5);
    close(own_fd);
}

/* No process is listed: it is ps's arguments that are hostile, and the machine may have thousands. */
DIR *__wrap_opendir(const char *path)
{
    if (strcmp(path, "/proc") != 0)
        return __real_opendir(path);
    errno = ENOENT;
    return NULL;
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list ap;
    int mode;

    if ((flags & O_ACCMODE) == O_WRONLY) { /* /etc/hosts */
        errno = EROFS;
        return -1;
    }
    va_start(ap, flags);
    mode = va_arg(ap, int);
    va_end(ap);
    return __real_open64(path, flags, mode);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static char sh[] = "sh", *argv[] = {sh, NULL}, *env[] = {NULL};
    struct skl_agent_options options = {.addr = (char[]){"127.0.0.1:9111"},
                                        .container_id = (char[]){PEER_ID},
                                        .token = (char[]){PEER_TOKEN},
                                        .argv = argv,
                                        .environ = env,
                                        .warm_seconds = 30,
                                        .start_timeout_s = 300};
    struct agent a = {.options = &options, .warm_seconds = 30, .instance = "instance"};
    uv_loop_t loop;

    skl_log_setup(SKL_LOG_ERROR, false, STDERR_FILENO);
    SKL_ASSERT(uv_loop_init(&loop) == 0);
    a.loop = &loop;
    a.output = agent_output_new();
    skl_list_init(&a.tasks);
    skl_list_init(&a.held);
    skl_list_init(&processes);
    SKL_ASSERT(agent_open_link(&a, NULL) == 0 && agent_listen(&a, NULL) == 0);
    accept_cb(agent_server, peer_open(&loop));
    if (peer_upgrade(&loop))
        peer_say(&loop, data, n);
    close(peer_fd);
    peer_turn(&loop);
    end_processes(&loop);
    agent_leave(&a, 0);
    skl_http_server_close(agent_server, 0, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    SKL_ASSERT(skl_list_empty(&processes) && skl_list_empty(&a.tasks));
    SKL_ASSERT(uv_loop_close(&loop) == 0);
    agent_output_free(a.output);
    free(a.session);
    return 0;
}
