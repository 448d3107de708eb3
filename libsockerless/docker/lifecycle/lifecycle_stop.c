/* Stopping, killing, restarting, pausing.
 *
 * With an agent the signal goes to the process, and its own exit code comes back; the platform's stop is the
 * backstop when nothing comes. Without an agent the platform's stop is all there is.
 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "docker/lifecycle/lifecycle_internal.h"

#define AFTER_KILL_MS          10000 /* SIGKILL was sent: how long the agent has to say so */
#define ENDING_MS              1000
#define DEFAULT_STOP_TIMEOUT_S 10

static void signal_event(struct skl_flow *f, int signo)
{
    char number[12];
    char *extra[] = {(char[]){"signal"}, number, NULL};

    snprintf(number, sizeof(number), "%d", signo);
    skl_container_event(f->l->e->store, f->c, "kill", extra);
}

/* -- the step that all have in common: the run is over, go on */

static void stopped(struct skl_flow *f)
{
    struct skl_op *op = skl_flow_current(f);

    skl_timer_cancel(&f->deadline);
    if (f->stopped_by_platform)
        skl_flow_unwatch(f);
    switch (op->kind) {
    case SKL_OP_STOP:
        skl_container_event(f->l->e->store, f->c, "stop", NULL);
        skl_flow_finish(f, NULL);
        break;
    case SKL_OP_RESTART:
        skl_container_event(f->l->e->store, f->c, "stop", NULL);
        skl_flow_start(f);
        break;
    case SKL_OP_REMOVE:
        skl_flow_remove(f);
        break;
    case SKL_OP_CREATE:
    case SKL_OP_START:
    case SKL_OP_PAUSE:
    case SKL_OP_RETIRE:
    case SKL_OP_RECOVER:
    case SKL_OP_NOTHING:
        SKL_ASSERT(false);
    }
}

static void run_ended(void *arg, int code, const char *error)
{
    struct skl_flow *f = arg;

    f->exit_wait = NULL;
    stopped(f);
}

static void await_exit(struct skl_flow *f)
{
    if (!f->exit_wait)
        f->exit_wait = skl_container_wait(f->l->e->store, f->c, SKL_WAIT_NEXT_EXIT, run_ended, f);
}

/* -- through the platform */

static void platform_stopped(struct skl_flow *f, struct skl_job *job)
{
    struct skl_op *op = skl_flow_current(f);

    if (!skl_container_has_command(f->c))
        return; /* the agent was quicker: run_ended goes on */
    if (job->rc < 0) {
        if (op->kind == SKL_OP_REMOVE) {
            skl_waiter_cancel(&f->exit_wait);
            skl_flow_remove(f); /* deleting the resource ends the run as well */
            return;
        }
        skl_flow_finish(f, &job->err);
        return;
    }
    skl_workload_ended(
        skl_workload_of(f->l->e->runtime, f->c),
        &(struct skl_end){.rank = SKL_END_PLATFORM,
                          .code = job->status.has_exit_code ? job->status.exit_code : 137,
                          .finished_ns = job->status.ended_ns});
}

static void stop_platform(struct skl_flow *f)
{
    f->stopped_by_platform = true;
    skl_timer_cancel(&f->deadline);
    skl_flow_job(f, SKL_JOB_STOP, platform_stopped);
}

/* -- through the agent */

/* A paused process takes a signal that shall end it only when it goes on. */
static void resume_paused(struct skl_engine *e, struct skl_container *c)
{
    struct skl_error err;

    if (c->state == SKL_CONTAINER_PAUSED &&
        skl_driver_pause(skl_workload_of(e->runtime, c), false, &err) == 0)
        (void)skl_container_paused(e->store, c, false, &err); /* it ends in a moment */
}

/* The command is over and its volumes are on their way: nobody needs to be hurried. */
static bool is_ending(struct skl_flow *f, skl_timer_cb *again)
{
    if (!skl_workload_is_ending(skl_workload_of(f->l->e->runtime, f->c)))
        return false;
    skl_flow_deadline(f, ENDING_MS, again);
    return true;
}

static void agent_silent(void *arg)
{
    struct skl_flow *f = arg;

    f->deadline = NULL;
    if (is_ending(f, agent_silent))
        return;
    skl_warn("lifecycle", "the agent did not report the end after SIGKILL; the platform stops it",
             "container", f->c->id, NULL);
    stop_platform(f);
}

static void send_kill(void *arg)
{
    struct skl_flow *f = arg;
    struct skl_error err;

    f->deadline = NULL;
    if (is_ending(f, send_kill))
        return;
    f->kill_sent = true;
    signal_event(f, SIGKILL);
    if (skl_driver_signal(skl_workload_of(f->l->e->runtime, f->c), SIGKILL, &err) < 0) {
        stop_platform(f);
        return;
    }
    skl_flow_deadline(f, AFTER_KILL_MS, agent_silent);
}

static int stop_signal(const struct skl_flow *f, const struct skl_op *op, int *ret,
                       struct skl_error *err)
{
    const char *name = op->signal ? op->signal : f->c->spec.stop_signal;

    *ret = SIGTERM;
    if (skl_str_empty(name) || skl_signal_parse(name, ret))
        return 0;
    return skl_fail(err, SKL_E_INVALID, "Invalid signal: %s", name);
}

static void stop_run(struct skl_flow *f)
{
    struct skl_op *op = skl_flow_current(f);
    struct skl_workload *w = skl_workload_of(f->l->e->runtime, f->c);
    int timeout_s = op->timeout_s;
    struct skl_error err;
    int signo;

    if (op->kind == SKL_OP_REMOVE) {
        skl_container_set_manual_stop(f->l->e->store, f->c, true);
        await_exit(f);
        send_kill(f);
        return;
    }
    if (stop_signal(f, op, &signo, &err) < 0) {
        skl_flow_finish(f, &err);
        return;
    }
    if (timeout_s == INT_MIN)
        timeout_s =
            f->c->spec.stop_timeout_s >= 0 ? f->c->spec.stop_timeout_s : DEFAULT_STOP_TIMEOUT_S;
    skl_container_set_manual_stop(f->l->e->store, f->c, true);
    await_exit(f);
    signal_event(f, signo);
    resume_paused(f->l->e, f->c);
    if (!skl_workload_session(w) || skl_driver_signal(w, signo, &err) < 0) {
        stop_platform(f);
        return;
    }
    if (timeout_s >= 0)
        skl_flow_deadline(f, (int64_t)timeout_s * 1000, send_kill);
}

/* A function without an agent runs to its end: nothing that we can send reaches the command. Kill and a forced remove
 * end the function itself. */
static bool cannot_be_stopped(struct skl_flow *f)
{
    return skl_container_has_command(f->c) && skl_flow_is_deaf(f) && !skl_flow_current(f)->internal;
}

void skl_flow_stop(struct skl_flow *f)
{
    struct skl_error err;

    if (cannot_be_stopped(f)) {
        skl_flow_finish(f, NULL);
        return;
    }

    if (f->c->state == SKL_CONTAINER_RESTARTING) {
        /* Between two runs: the next one does not begin. */
        skl_timer_cancel(&f->restart);
        skl_container_set_manual_stop(f->l->e->store, f->c, true);
        if (skl_container_exited(f->l->e->store, f->c,
                                 &(struct skl_end){.rank = SKL_END_USER, .code = f->c->exit_code},
                                 false, &err) < 0) {
            skl_flow_finish(f, &err);
            return;
        }
        stopped(f);
        return;
    }
    if (!skl_container_has_command(f->c) && skl_flow_current(f)->ended_start) {
        stopped(f);
        return;
    }
    if (!skl_container_has_command(f->c)) {
        skl_fail(&err, SKL_E_NOTMODIFIED, "not running");
        skl_flow_finish(f, &err);
        return;
    }
    stop_run(f);
}

void skl_flow_restart(struct skl_flow *f)
{
    if (cannot_be_stopped(f))
        skl_flow_finish(f, NULL);
    else if (skl_container_has_command(f->c))
        stop_run(f);
    else if (f->c->state == SKL_CONTAINER_RESTARTING)
        skl_flow_stop(f);
    else
        skl_flow_start(f);
}

void skl_flow_kill_for_remove(struct skl_flow *f)
{
    stop_run(f);
}

/* -- kill: at once, beside whatever else is being done */

struct kill_wait {
    struct skl_engine *e;
    char id[65];
    struct skl_waiter *waiter;
    struct skl_timer *deadline;
    skl_lifecycle_cb *cb;
    void *arg;
};

static void kill_done(struct kill_wait *k, const struct skl_error *err)
{
    skl_timer_cancel(&k->deadline);
    skl_waiter_cancel(&k->waiter);
    if (k->cb)
        k->cb(k->arg, err);
    free(k);
}

static void killed(void *arg, int code, const char *error)
{
    struct kill_wait *k = arg;

    k->waiter = NULL;
    kill_done(k, NULL);
}

/* The agent did not answer a SIGKILL, or there is none: a stop with the platform's means. */
static void kill_by_platform(void *arg)
{
    struct kill_wait *k = arg;
    struct skl_container *c = skl_container_by_id(k->e->store, k->id);
    struct skl_op *op;

    k->deadline = NULL;
    if (!c || !skl_container_has_command(c))
        return; /* the waiter answers */
    op = skl_flow_push(skl_flow_of(k->e, c), SKL_OP_STOP, NULL, NULL);
    op->internal = true;
    op->timeout_s = 0;
}

static void kill_deferred(void *arg)
{
    kill_done(arg, NULL);
}

static bool ends_by_default(int signo)
{
    switch (signo) {
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return false;
    default:
        return true;
    }
}

struct kill_failure {
    skl_lifecycle_cb *cb;
    void *arg;
    struct skl_error err;
};

static void kill_failed(void *arg)
{
    struct kill_failure *k = arg;

    k->cb(k->arg, &k->err);
    free(k);
}

static void fail_later(struct skl_engine *e, skl_lifecycle_cb *cb, void *arg,
                       const struct skl_error *err)
{
    struct kill_failure *k = skl_new0(struct kill_failure);

    *k = (struct kill_failure){cb, arg, *err};
    skl_defer(e->loop, kill_failed, k);
}

/* The signals after which no restart policy starts the container again: its own and SIGKILL, and any for one without
 * a signal of its own. */
static bool ends_for_good(const struct skl_container *c, int signo)
{
    int own = SIGTERM;

    if (skl_str_empty(c->spec.stop_signal))
        return true;
    (void)skl_signal_parse(c->spec.stop_signal, &own); /* SIGTERM when it is no signal */
    return signo == SIGKILL || signo == own;
}

static void nobody_to_kill(void *arg)
{
    struct kill_failure *k = arg;

    k->cb(k->arg, NULL);
    free(k);
}

/* Between two runs there is no process: the next run does not begin, if the signal would have ended it. */
static void kill_between_runs(struct skl_engine *e, struct skl_container *c, int signo,
                              skl_lifecycle_cb *cb, void *arg)
{
    const struct skl_stop_options now = {.timeout_s = 0};
    struct kill_failure *k;

    if (ends_for_good(c, signo)) {
        skl_lifecycle_stop(e, c, &now, cb, arg);
        return;
    }
    k = skl_new0(struct kill_failure);
    *k = (struct kill_failure){.cb = cb, .arg = arg};
    skl_defer(e->loop, nobody_to_kill, k);
}

void skl_lifecycle_kill(struct skl_engine *e, struct skl_container *c, const char *signal,
                        skl_lifecycle_cb *cb, void *arg)
{
    struct skl_flow *f = skl_flow_of(e, c);
    struct skl_workload *w = skl_workload_of(e->runtime, c);
    int signo = SIGKILL;
    struct skl_error err;
    struct kill_wait *k;

    if (!skl_str_empty(signal) && !skl_signal_parse(signal, &signo)) {
        skl_fail(&err, SKL_E_INVALID, "Invalid signal: %s", signal);
        fail_later(e, cb, arg, &err);
        return;
    }
    if (skl_container_shown_state(c) == SKL_CONTAINER_RESTARTING) {
        kill_between_runs(e, c, signo, cb, arg);
        return;
    }
    if (!skl_container_has_command(c)) {
        skl_fail(&err, SKL_E_CONFLICT, "Cannot kill container: %s: container %s is not running",
                 c->name, c->id);
        fail_later(e, cb, arg, &err);
        return;
    }
    if (!skl_workload_session(w) && !ends_by_default(signo)) {
        (void)skl_driver_signal(w, signo, &err); /* the synthetic driver's sentence */
        fail_later(e, cb, arg, &err);
        return;
    }
    if (ends_for_good(c, signo))
        skl_container_set_manual_stop(e->store, c, true);
    signal_event(f, signo);
    k = skl_new0(struct kill_wait);
    k->e = e;
    k->cb = cb;
    k->arg = arg;
    snprintf(k->id, sizeof(k->id), "%s", c->id);
    if (skl_workload_session(w) && skl_driver_signal(w, signo, &err) == 0) {
        if (signo != SIGKILL) {
            if (ends_for_good(c, signo))
                resume_paused(e, c);
            skl_defer(e->loop, kill_deferred, k);
            return;
        }
        k->deadline = skl_timer_start(e->loop, AFTER_KILL_MS, kill_by_platform, k);
    } else {
        k->deadline = skl_timer_start(e->loop, 0, kill_by_platform, k);
    }
    k->waiter = skl_container_wait(e->store, c, SKL_WAIT_NEXT_EXIT, killed, k);
}

/* -- pause */

static void paused_by_platform(struct skl_flow *f, struct skl_job *job)
{
    struct skl_error err = job->err;
    int rc = job->rc;

    if (rc == 0)
        rc = skl_container_paused(f->l->e->store, f->c, skl_flow_current(f)->on, &err);
    skl_flow_finish(f, rc < 0 ? &err : NULL);
}

void skl_flow_pause(struct skl_flow *f)
{
    struct skl_engine *e = f->l->e;
    bool on = skl_flow_current(f)->on;
    struct skl_error err;
    int rc;

    if (skl_container_shown_state(f->c) == SKL_CONTAINER_RESTARTING) {
        skl_fail(&err, SKL_E_CONFLICT,
                 "Container %s is restarting, wait until the container is running", f->c->id);
    } else if (on && !skl_container_has_command(f->c)) {
        skl_fail(&err, SKL_E_CONFLICT, "Container %s is not running", f->c->id);
    } else if (on && f->c->state == SKL_CONTAINER_PAUSED) {
        skl_fail(&err, SKL_E_CONFLICT, "Container %s is already paused", f->c->id);
    } else if (!on && f->c->state != SKL_CONTAINER_PAUSED) {
        skl_fail(&err, SKL_E_INTERNAL, "Container %s is not paused", f->c->id);
    } else {
        rc = skl_driver_pause(skl_workload_of(e->runtime, f->c), on, &err);
        if (rc == -SKL_E_UNSUPPORTED && e->backend->container_pause) {
            skl_flow_job(f, SKL_JOB_PAUSE, paused_by_platform)->on = on;
            return;
        }
        if (rc == 0)
            rc = skl_container_paused(e->store, f->c, on, &err);
        skl_flow_finish(f, rc < 0 ? &err : NULL);
        return;
    }
    skl_flow_finish(f, &err);
}
