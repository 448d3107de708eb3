/* One thread per workload: it runs the containers in their order, reads their output, and ends them. */
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "workload_internal.h"

#define MAX_LINE (32 * SKL_KIB) /* a log service cuts longer ones */
#define LOOK_MS  50

struct line {
    char text[MAX_LINE];
    size_t n;
};

struct running {
    struct sim_workload *w;
    const struct sim_container *c;
    struct sim_process process;
    struct sim_bundle bundle;
    char id[128];
    struct line lines[2];
    int64_t deadline_ms, kill_ms; /* kill_ms: SIGKILL is due; 0: no SIGTERM yet */
    bool stopped;
};

/* -- runtime */

static bool runc_works(struct sim_runtime *rt)
{
    return geteuid() == 0 &&
           sim_tool_run((char *[]){(char[]){"runc"}, (char[]){"--version"}, NULL}, NULL) == 0 &&
           sim_tool_run((char *[]){(char[]){"skopeo"}, (char[]){"--version"}, NULL}, NULL) == 0 &&
           sim_tool_run((char *[]){(char[]){"umoci"}, (char[]){"--version"}, NULL}, NULL) == 0;
}

int sim_runtime_new(const struct sim_runtime_config *c, struct sim_runtime **ret,
                    struct skl_error *err)
{
    struct sim_runtime *rt = skl_new0(struct sim_runtime);

    rt->dir = skl_strdup(c->dir);
    rt->agent_path = skl_strdup(c->agent_path);
    rt->mirror = skl_strdup(c->mirror);
    rt->stop_grace_ms = c->stop_grace_ms;
    rt->memory_limits = c->memory_limits;
    pthread_mutex_init(&rt->images_lock, NULL);
    skl_map_init(&rt->images);
    if (skl_streq(c->kind, "external"))
        rt->external = sim_external_new();
    rt->runc = !rt->external && !skl_streq(c->kind, "process") && runc_works(rt);
    if (skl_streq(c->kind, "runc") && !rt->runc) {
        sim_runtime_free(rt);
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "--runtime runc needs root, and runc, skopeo and umoci installed");
    }
    *ret = rt;
    return 0;
}

void sim_runtime_free(struct sim_runtime *rt)
{
    struct sim_image *i;
    size_t at = 0;

    while ((i = skl_map_next(&rt->images, &at, NULL))) {
        free(i->ref);
        free(i->rootfs);
        free(i->config);
        free(i);
    }
    skl_map_fini(&rt->images);
    free(rt->dir);
    free(rt->agent_path);
    free(rt->mirror);
    free(rt);
}

void sim_runtime_hurry(struct sim_runtime *rt)
{
    if (rt->stop_grace_ms > 1000)
        rt->stop_grace_ms = 1000;
}

const char *sim_runtime_kind(const struct sim_runtime *rt)
{
    return rt->external ? "external" : rt->runc ? "runc" : "process";
}

void sim_container_fini(struct sim_container *c)
{
    for (size_t i = 0; i < c->n_mounts; i++) {
        free(c->mounts[i].volume);
        free(c->mounts[i].path);
        free(c->mounts[i].source);
    }
    free(c->name);
    free(c->image);
    free(c->cwd);
    skl_strv_free(c->command);
    skl_strv_free(c->args);
    skl_strv_free(c->env);
}

void sim_workload_spec_fini(struct sim_workload_spec *s)
{
    for (size_t i = 0; i < s->n_init; i++)
        sim_container_fini(&s->init[i]);
    free(s->init);
    sim_container_fini(&s->main);
    skl_strv_free(s->volumes);
    free(s->name);
    free(s->address);
}

/* -- output */

static void take_output(struct running *r, bool is_stderr, const char *p, size_t n)
{
    struct line *l = &r->lines[is_stderr];

    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\n' || l->n == sizeof(l->text)) {
            r->w->events->on_line(r->w->arg, r->c->name, is_stderr, l->text, l->n);
            l->n = 0;
        }
        if (p[i] != '\n')
            l->text[l->n++] = p[i];
    }
}

static void flush_output(struct running *r)
{
    for (int i = 0; i < 2; i++)
        if (r->lines[i].n > 0)
            r->w->events->on_line(r->w->arg, r->c->name, i == 1, r->lines[i].text, r->lines[i].n);
}

static bool read_some(struct running *r, int *fd, bool is_stderr)
{
    char bytes[SKL_READ_CHUNK];
    ssize_t n = read(*fd, bytes, sizeof(bytes));

    if (n > 0) {
        take_output(r, is_stderr, bytes, (size_t)n);
        return true;
    }
    if (n < 0 && errno == EINTR)
        return true;
    close(*fd);
    *fd = -1;
    return false;
}

/* -- ending */

static void send_signal(struct running *r, int signo)
{
    if (signo == SIGKILL && r->w->rt->runc)
        (void)sim_tool_run(
            (char *[]){(char[]){"runc"}, (char[]){"kill"}, r->id, (char[]){"KILL"}, NULL}, NULL);
    else if (signo == SIGKILL)
        (void)kill(-r->process.pid, SIGKILL); /* the session of a plain process */
    else
        (void)kill(r->process.pid, signo); /* runc passes it on */
}

static int64_t stop_grace_ms(const struct sim_workload *w)
{
    int64_t most = w->rt->stop_grace_ms, own = w->spec.stop_grace_ms;

    return own > 0 && own < most ? own : most;
}

static void check_stop(struct running *r)
{
    int64_t now = skl_mono_ms();

    if ((atomic_load(&r->w->stop) || now > r->deadline_ms) && r->kill_ms == 0) {
        r->stopped = true;
        r->kill_ms = now + stop_grace_ms(r->w);
        send_signal(r, SIGTERM);
    }
    if (r->kill_ms > 0 && now > r->kill_ms) {
        send_signal(r, SIGKILL);
        r->kill_ms = now + 5000;
    }
}

static int wait_for_end(struct running *r)
{
    bool reaped = false;
    int status = 0;
    int64_t drain_until = 0;

    while (!reaped || r->process.out_fd >= 0 || r->process.err_fd >= 0) {
        struct pollfd fds[2] = {{.fd = r->process.out_fd, .events = POLLIN},
                                {.fd = r->process.err_fd, .events = POLLIN}};

        (void)poll(fds, 2, LOOK_MS);
        if (fds[0].revents)
            read_some(r, &r->process.out_fd, false);
        if (fds[1].revents)
            read_some(r, &r->process.err_fd, true);
        if (!reaped && waitpid(r->process.pid, &status, WNOHANG) == r->process.pid) {
            reaped = true;
            drain_until = skl_mono_ms() + 1000; /* others may hold the pipes */
        }
        if (!reaped)
            check_stop(r);
        else if (skl_mono_ms() > drain_until)
            break;
    }
    if (r->process.out_fd >= 0)
        close(r->process.out_fd);
    if (r->process.err_fd >= 0)
        close(r->process.err_fd);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* -- plain processes: paths below a volume's mount stand for the volume's folder */

static char *substitute(const struct sim_workload *w, const struct sim_container *c,
                        const char *text)
{
    for (size_t i = 0; i < c->n_mounts; i++) {
        size_t n = strlen(c->mounts[i].path);
        struct skl_buf b;
        char *dir;

        if (strncmp(text, c->mounts[i].path, n) != 0 || (text[n] != '/' && text[n] != '\0'))
            continue;
        dir = sim_mount_dir(w->rt, &w->spec, &c->mounts[i]);
        skl_buf_init(&b, 64 * SKL_KIB);
        skl_buf_addf(&b, "%s%s", dir, text + n);
        free(dir);
        return skl_buf_detach(&b);
    }
    return skl_strdup(text);
}

static void push_substituted(const struct sim_workload *w, const struct sim_container *c,
                             char *const *from, char ***to)
{
    for (; from && *from; from++) {
        char *text = substitute(w, c, *from);

        skl_strv_push(to, text);
        free(text);
    }
}

static int spawn_process(struct running *r, struct skl_error *err)
{
    const struct sim_container *c = r->c;

    push_substituted(r->w, c, c->command, &r->process.argv);
    push_substituted(r->w, c, c->args, &r->process.argv);
    if (!r->process.argv)
        return skl_fail(err, SKL_E_INVALID, "a plain process needs a command");
    if (skl_streq(r->process.argv[0], "/sockerless-agent"))
        skl_strset(&r->process.argv[0], r->w->rt->agent_path);
    skl_strv_push(&r->process.env,
                  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    for (char **p = c->env; p && *p; p++)
        skl_strv_push(&r->process.env, *p);
    r->process.cwd = c->cwd ? c->cwd : r->w->dir;
    return sim_process_spawn(&r->process, err);
}

/* -- runc */

static int spawn_runc(struct running *r, struct skl_error *err)
{
    int rc = sim_bundle_make(r->w->rt, &r->w->spec, r->c, r->id, &r->bundle, err);

    if (rc < 0)
        return rc;
    skl_strv_push(&r->process.argv, "runc");
    skl_strv_push(&r->process.argv, "run");
    skl_strv_push(&r->process.argv, "--bundle");
    skl_strv_push(&r->process.argv, r->bundle.dir);
    skl_strv_push(&r->process.argv, r->id);
    r->process.env = skl_strv_dup(environ);
    return sim_process_spawn(&r->process, err);
}

/* -- one container */

static int run_container(struct sim_workload *w, const struct sim_container *c, int64_t deadline_ms,
                         bool is_main, int *code, bool *stopped, struct skl_error *err)
{
    struct running *r = skl_new0(struct running);
    int rc;

    r->w = w;
    r->c = c;
    r->deadline_ms = deadline_ms;
    snprintf(r->id, sizeof(r->id), "%s-%s", w->spec.name, c->name);
    rc = w->rt->runc ? spawn_runc(r, err) : spawn_process(r, err);
    if (rc == 0) {
        if (is_main)
            w->events->on_running(w->arg);
        *code = wait_for_end(r);
        *stopped = r->stopped;
        flush_output(r);
    }
    if (w->rt->runc)
        (void)sim_tool_run(
            (char *[]){(char[]){"runc"}, (char[]){"delete"}, (char[]){"-f"}, r->id, NULL}, NULL);
    sim_bundle_remove(&r->bundle);
    skl_strv_free(r->process.argv);
    skl_strv_free(r->process.env);
    free(r);
    return rc;
}

static void make_dirs(struct sim_workload *w)
{
    mkdir(w->dir, 0755);
    for (char **v = w->spec.volumes; v && *v; v++) {
        char *dir = sim_volume_dir(w->rt, &w->spec, *v);

        mkdir(dir, 0777);
        (void)chmod(dir, 0777);
        free(dir);
    }
}

static void *work(void *arg)
{
    struct sim_workload *w = arg;
    int64_t deadline = skl_mono_ms() + w->spec.timeout_ms;
    struct skl_error err = {.msg = ""};
    bool stopped = false;
    int code = 0, rc = 0;

    make_dirs(w);
    for (size_t i = 0; rc == 0 && code == 0 && i < w->spec.n_init; i++)
        rc = run_container(w, &w->spec.init[i], deadline, false, &code, &stopped, &err);
    if (rc == 0 && code == 0 && !atomic_load(&w->stop))
        rc = run_container(w, &w->spec.main, deadline, true, &code, &stopped, &err);
    else if (rc == 0 && code != 0)
        rc = skl_fail(&err, SKL_E_INTERNAL, "an init container ended with exit code %d", code);
    (void)sim_tool_run((char *[]){(char[]){"rm"}, (char[]){"-rf"}, w->dir, NULL}, NULL);
    w->events->on_end(w->arg, rc == 0, code, stopped || atomic_load(&w->stop),
                      rc < 0 ? err.msg : "");
    return NULL;
}

struct sim_workload *sim_workload_start(struct sim_runtime *rt, struct sim_workload_spec *own_spec,
                                        const struct sim_workload_events *events, void *arg)
{
    struct sim_workload *w = skl_new0(struct sim_workload);
    struct skl_buf b;

    w->rt = rt;
    w->spec = *own_spec;
    *own_spec = (struct sim_workload_spec){0};
    w->events = events;
    w->arg = arg;
    skl_buf_init(&b, 8 * SKL_KIB);
    skl_buf_addf(&b, "%s/%s", rt->dir, w->spec.name);
    w->dir = skl_buf_detach(&b);
    if (rt->external)
        sim_external_start(rt->external, w);
    else
        SKL_ASSERT(pthread_create(&w->thread, NULL, work, w) == 0);
    return w;
}

void sim_workload_stop(struct sim_workload *w)
{
    if (w->rt->external)
        sim_external_stop(w->rt->external, w);
    else
        atomic_store(&w->stop, true);
}

void sim_workload_join(struct sim_workload *w)
{
    if (!w->rt->external)
        pthread_join(w->thread, NULL);
    sim_workload_spec_fini(&w->spec);
    free(w->dir);
    free(w);
}
