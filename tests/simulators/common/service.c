/* One thread leads: it starts each container, waits for its probe, tells that all are ready, then watches for the first
 * end. Every wait is a look at the same few flags each LOOK_MS, since a probe has to be repeated anyhow. */
#include "service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"

#define LOOK_MS    20
#define FIRST_PORT 20000
#define LAST_PORT  32000 /* the kernel's own begin at 32768 */

struct running {
    struct sim_service *service;
    struct sim_workload *workload;
    const char *name;
};

struct sim_service {
    struct sim_runtime *rt;
    struct sim_service_spec spec;
    const struct sim_service_events *events;
    void *arg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct running *running;
    size_t n_running, n_ended;
    bool stop, has_end, end_ok;
    const char *end_name; /* of the first to end */
    int end_code;
    char end_reason[512];
};

void sim_service_spec_fini(struct sim_service_spec *s)
{
    for (size_t i = 0; i < s->n; i++) {
        sim_container_fini(&s->members[i].container);
        free(s->members[i].startup.path);
        free(s->members[i].startup.address);
        free(s->members[i].liveness.path);
        free(s->members[i].liveness.address);
    }
    free(s->members);
    free(s->name);
}

/* -- ports and probes */

int sim_free_port(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int next;
    int port = -1;

    pthread_mutex_lock(&lock);
    if (next == 0)
        next = FIRST_PORT + getpid() % (LAST_PORT - FIRST_PORT);
    for (int i = 0; port < 0 && i < LAST_PORT - FIRST_PORT; i++) {
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in6 any = {.sin6_family = AF_INET6};
        struct sockaddr_in any4 = {.sin_family = AF_INET};
        int rc;

        if (fd >= 0) {
            any.sin6_port = htons((uint16_t)next);
            rc = bind(fd, (struct sockaddr *)&any, sizeof(any)); /* [::] is 0.0.0.0, too */
        } else {
            fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            any4.sin_port = htons((uint16_t)next);
            rc = bind(fd, (struct sockaddr *)&any4, sizeof(any4));
        }
        if (rc == 0)
            port = next;
        if (fd >= 0)
            close(fd);
        next = next + 1 < LAST_PORT ? next + 1 : FIRST_PORT;
    }
    pthread_mutex_unlock(&lock);
    return port;
}

int sim_connect(const char *address, int port, int64_t timeout_ms)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    socklen_t n = sizeof(int);
    int error = 0;

    if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    if (errno == EINPROGRESS && poll(&p, 1, (int)timeout_ms) == 1 &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == 0)
        return fd;
    close(fd);
    return -1;
}

static bool http_probe(int fd, const struct sim_probe *p, int64_t until_ms)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "GET %.400s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Probe\r\n"
                     "Connection: close\r\n\r\n",
                     p->path ? p->path : "/");
    size_t got = 0;

    if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        return false;
    while (got < 12) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int64_t left = until_ms - skl_mono_ms();
        ssize_t more;

        if (left <= 0 || poll(&wait, 1, (int)left) != 1)
            return false;
        more = recv(fd, text + got, sizeof(text) - got, 0);
        if (more <= 0)
            return false;
        got += (size_t)more;
    }
    return memcmp(text, "HTTP/1.", 7) == 0 &&
           (p->kind == SIM_PROBE_ANY_HTTP || text[9] == '2' || text[9] == '3');
}

bool sim_probe_once(const struct sim_probe *p, int64_t timeout_ms)
{
    const char *address = p->address ? p->address : "127.0.0.1";
    int64_t until = skl_mono_ms() + timeout_ms;
    int fd = sim_connect(address, p->port, timeout_ms);
    bool ok;

    if (fd < 0 && p->other_port)
        fd = sim_connect(address, p->other_port, timeout_ms);
    ok = fd >= 0 && (p->kind == SIM_PROBE_TCP || http_probe(fd, p, until));

    if (fd >= 0)
        close(fd);
    return ok;
}

/* -- the containers */

static void member_on_running(void *arg)
{
}

static void member_on_line(void *arg, const char *container, bool is_stderr, const char *text,
                           size_t n)
{
    struct running *r = arg;

    r->service->events->on_line(r->service->arg, container, is_stderr, text, n);
}

static void member_on_end(void *arg, bool ok, int code, bool stopped, const char *reason)
{
    struct running *r = arg;
    struct sim_service *v = r->service;

    pthread_mutex_lock(&v->lock);
    v->n_ended++;
    if (!v->has_end) {
        v->has_end = true;
        v->end_ok = ok;
        v->end_name = r->name;
        v->end_code = code;
        snprintf(v->end_reason, sizeof(v->end_reason), "%s", reason);
    }
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->lock);
}

static const struct sim_workload_events member_events = {member_on_running, member_on_line,
                                                         member_on_end};

static void start_member(struct sim_service *v, size_t i)
{
    struct sim_workload_spec spec = {.timeout_ms = INT64_C(400) * 24 * 3600 * 1000,
                                     .stop_grace_ms = v->spec.stop_grace_ms};
    struct sim_container *c = &v->spec.members[i].container;
    struct running *r = &v->running[i];
    struct skl_buf name;

    skl_buf_init(&name, SKL_KIB);
    skl_buf_addf(&name, "%s-%zu", v->spec.name, i);
    spec.name = skl_buf_detach(&name);
    spec.main = *c;
    *c = (struct sim_container){.name = skl_strdup(c->name)}; /* all but the name moved */
    r->service = v;
    r->name = c->name;
    v->n_running++;
    r->workload = sim_workload_start(v->rt, &spec, &member_events, r);
}

static bool over(struct sim_service *v)
{
    bool yes;

    pthread_mutex_lock(&v->lock);
    yes = v->stop || v->has_end;
    pthread_mutex_unlock(&v->lock);
    return yes;
}

/* Looks again after LOOK_MS at the latest; true: it is over. */
static bool look(struct sim_service *v)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_MS * SKL_NS_PER_MS;
    if (until.tv_nsec >= SKL_NS_PER_S) {
        until.tv_nsec -= SKL_NS_PER_S;
        until.tv_sec++;
    }
    pthread_mutex_lock(&v->lock);
    if (!v->stop && !v->has_end)
        pthread_cond_timedwait(&v->changed, &v->lock, &until);
    pthread_mutex_unlock(&v->lock);
    return over(v);
}

/* A TCP probe waits for the listener through its whole time; an HTTP one asks once a period. */
static bool await_startup(struct sim_service *v, const struct sim_probe *p)
{
    int64_t begin = skl_mono_ms() + p->initial_ms;
    int64_t each = p->period_ms > p->timeout_ms ? p->period_ms : p->timeout_ms;
    int64_t end = begin + each * (p->threshold > 0 ? p->threshold : 1);
    int64_t next = begin;

    if (p->kind == SIM_PROBE_NONE)
        return true;
    while (!look(v)) {
        int64_t now = skl_mono_ms();

        if (now >= end)
            return false;
        if (now < next)
            continue;
        if (sim_probe_once(p, p->timeout_ms < end - now ? p->timeout_ms : end - now))
            return true;
        next = p->kind == SIM_PROBE_TCP ? now : now + p->period_ms;
    }
    return true; /* it is over for another reason */
}

/* false: a liveness probe failed too often. */
static bool watch(struct sim_service *v)
{
    int64_t *next = skl_new0_n(int64_t, v->spec.n);
    int *failures = skl_new0_n(int, v->spec.n);
    bool alive = true;

    for (size_t i = 0; i < v->spec.n; i++)
        next[i] = skl_mono_ms() + v->spec.members[i].liveness.initial_ms;
    while (alive && !look(v)) {
        for (size_t i = 0; i < v->spec.n; i++) {
            const struct sim_probe *p = &v->spec.members[i].liveness;

            if (p->kind == SIM_PROBE_NONE || skl_mono_ms() < next[i])
                continue;
            failures[i] = sim_probe_once(p, p->timeout_ms) ? 0 : failures[i] + 1;
            next[i] = skl_mono_ms() + p->period_ms;
            if (failures[i] >= p->threshold)
                alive = false;
        }
    }
    free(next);
    free(failures);
    return alive;
}

static void end_all(struct sim_service *v)
{
    for (size_t i = 0; i < v->n_running; i++)
        sim_workload_stop(v->running[i].workload);
    for (size_t i = 0; i < v->n_running; i++)
        sim_workload_join(v->running[i].workload);
}

static void *lead(void *arg)
{
    struct sim_service *v = arg;
    enum sim_service_end how = SIM_ENDED;
    bool ready = true, alive = true, stopped, ended, ok;
    const char *failed = "";

    for (size_t i = 0; i < v->spec.n && ready && !over(v); i++) {
        start_member(v, i);
        ready = await_startup(v, &v->spec.members[i].startup);
        if (!ready)
            failed = v->spec.members[i].container.name;
    }
    if (ready && !over(v)) {
        v->events->on_ready(v->arg);
        alive = watch(v);
    }
    pthread_mutex_lock(&v->lock);
    stopped = v->stop;
    ended = v->has_end;
    ok = v->end_ok;
    pthread_mutex_unlock(&v->lock);
    end_all(v);
    if (ended)
        how = ok ? SIM_ENDED : SIM_NO_START;
    else if (stopped)
        how = SIM_STOPPED;
    else if (!ready)
        how = SIM_NOT_READY;
    else if (!alive)
        how = SIM_NOT_ALIVE;
    v->events->on_end(v->arg, how, ended ? v->end_name : failed, v->end_code, v->end_reason);
    return NULL;
}

struct sim_service *sim_service_start(struct sim_runtime *rt, struct sim_service_spec *own_spec,
                                      const struct sim_service_events *events, void *arg)
{
    struct sim_service *v = skl_new0(struct sim_service);

    v->rt = rt;
    v->spec = *own_spec;
    *own_spec = (struct sim_service_spec){0};
    v->events = events;
    v->arg = arg;
    v->running = skl_new0_n(struct running, v->spec.n + 1);
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->changed, NULL);
    SKL_ASSERT(pthread_create(&v->thread, NULL, lead, v) == 0);
    return v;
}

void sim_service_stop(struct sim_service *v)
{
    pthread_mutex_lock(&v->lock);
    v->stop = true;
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->lock);
}

void sim_service_join(struct sim_service *v)
{
    pthread_join(v->thread, NULL);
    sim_service_spec_fini(&v->spec);
    free(v->running);
    pthread_cond_destroy(&v->changed);
    pthread_mutex_destroy(&v->lock);
    free(v);
}
