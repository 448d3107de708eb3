/* Operations on containers, one at a time per container.
 *
 * Problem: a start is a cloud call, an agent that dials in, files that are delivered and a command that
 * begins; a stop or a remove may arrive at any moment of it, and the daemon may be killed between any two
 * steps. Approach: operations of one container wait in a queue; each is a few named steps on the loop, in
 * one file; blocking calls run on workers with a copy of the container; every fact is in the store before
 * the next step, so that lifecycle_recover.c can go on from any of them. Rejected: a thread per operation
 * (a start may wait for minutes, and there may be thousands).
 */
#include <limits.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "docker/containers/ports.h"
#include "docker/lifecycle/lifecycle_internal.h"

struct skl_lifecycle *skl_lifecycle_new(struct skl_engine *e)
{
    struct skl_lifecycle *l = skl_new0(struct skl_lifecycle);

    l->e = e;
    skl_map_init(&l->flows);
    return l;
}

/* -- flows */

struct skl_flow *skl_flow_of(struct skl_engine *e, struct skl_container *c)
{
    struct skl_lifecycle *l = e->lifecycle;
    struct skl_flow *f = skl_map_getz(&l->flows, c->id);

    if (f)
        return f;
    f = skl_new0(struct skl_flow);
    f->l = l;
    f->c = c;
    skl_list_init(&f->queue);
    skl_list_init(&f->jobs);
    skl_map_set(&l->flows, skl_str(c->id), f);
    return f;
}

static void op_free(struct skl_op *op)
{
    skl_list_remove(&op->in_queue);
    free(op->signal);
    free(op);
}

static void flow_free(struct skl_flow *f)
{
    struct skl_list *it, *tmp;

    skl_timer_cancel(&f->deadline);
    skl_timer_cancel(&f->poll);
    skl_timer_cancel(&f->limit);
    skl_timer_cancel(&f->restart);
    skl_timer_cancel(&f->recovery);
    skl_timer_cancel(&f->retire);
    skl_flow_uninvoke(f);
    skl_waiter_cancel(&f->exit_wait);
    skl_ports_close(f->ports);
    skl_list_foreach_safe (it, tmp, &f->jobs) {
        struct skl_job *job = SKL_LIST_ENTRY(it, struct skl_job, in_flow);

        job->flow = NULL;
        atomic_store(&job->call.canceled, true);
        skl_list_remove(&job->in_flow);
        if (job->kind == SKL_JOB_STATUS)
            f->l->status_calls--;
    }
    skl_map_remove(&f->l->flows, skl_str(f->c->id));
    free(f->failure);
    free(f);
}

/* Operations that still wait for the container have nothing left to be done to. */
void skl_flow_drop(struct skl_flow *f)
{
    struct skl_error err;
    struct skl_list *it, *tmp;

    skl_fail(&err, SKL_E_NOTFOUND, "No such container: %s", f->c->id);
    skl_list_foreach_safe (it, tmp, &f->queue) {
        struct skl_op *op = SKL_LIST_ENTRY(it, struct skl_op, in_queue);
        skl_lifecycle_cb *cb = op->cb;
        void *arg = op->arg;

        op_free(op);
        if (cb)
            cb(arg, &err);
    }
    flow_free(f);
}

static void fail_shutting_down(struct skl_error *err)
{
    skl_fail(err, SKL_E_UNAVAILABLE, "the daemon is shutting down");
}

/* A run's record says how far it came, and recovery goes on from there: the steps themselves are forgotten. */
static void drop_flows(struct skl_lifecycle *l)
{
    struct skl_error err;
    struct skl_flow *f;
    size_t i = 0;

    fail_shutting_down(&err);
    while ((f = skl_map_next(&l->flows, &i, NULL))) {
        struct skl_list *it, *tmp;

        skl_list_foreach_safe (it, tmp, &f->queue) {
            struct skl_op *op = SKL_LIST_ENTRY(it, struct skl_op, in_queue);

            if (op->cb)
                op->cb(op->arg, &err);
            op_free(op);
        }
        flow_free(f);
        i = 0; /* the map has changed */
    }
}

void skl_lifecycle_close(struct skl_lifecycle *l)
{
    l->closing = true;
    drop_flows(l);
}

void skl_lifecycle_free(struct skl_lifecycle *l)
{
    drop_flows(l);
    skl_map_fini(&l->flows);
    free(l);
}

/* -- the queue */

struct skl_op *skl_flow_current(struct skl_flow *f)
{
    return SKL_LIST_FIRST(&f->queue, struct skl_op, in_queue);
}

static void nothing(struct skl_flow *f)
{
    skl_flow_finish(f, NULL);
}

static void begin_next(void *arg)
{
    static void (*const begin[])(struct skl_flow * f) = {
        [SKL_OP_CREATE] = skl_flow_create, [SKL_OP_START] = skl_flow_start,
        [SKL_OP_STOP] = skl_flow_stop,     [SKL_OP_RESTART] = skl_flow_restart,
        [SKL_OP_PAUSE] = skl_flow_pause,   [SKL_OP_RETIRE] = skl_flow_retire,
        [SKL_OP_REMOVE] = skl_flow_remove, [SKL_OP_RECOVER] = skl_flow_recover,
        [SKL_OP_NOTHING] = nothing,
    };
    struct skl_flow *f = arg;
    struct skl_op *op = skl_flow_current(f);

    SKL_ASSERT(op);     /* scheduled only when there is one */
    f->deadline = NULL; /* it was the timer that brought us here */
    f->kill_sent = false;
    f->stopped_by_platform = false;
    f->begun_ms = skl_mono_ms();
    if (f->l->closing) {
        struct skl_error err;

        fail_shutting_down(&err);
        skl_flow_finish(f, &err);
        return;
    }
    begin[op->kind](f);
}

static void schedule(struct skl_flow *f)
{
    if (f->busy || skl_list_empty(&f->queue))
        return;
    f->busy = true;
    f->deadline = skl_timer_start(f->l->e->loop, 0, begin_next, f);
}

struct skl_op *skl_flow_push(struct skl_flow *f, enum skl_op_kind kind, skl_lifecycle_cb *cb,
                             void *arg)
{
    struct skl_op *op = skl_new0(struct skl_op);

    op->kind = kind;
    op->cb = cb;
    op->arg = arg;
    op->timeout_s = INT_MIN;
    skl_list_push(&f->queue, &op->in_queue);
    schedule(f);
    return op;
}

void skl_flow_finish(struct skl_flow *f, const struct skl_error *err)
{
    struct skl_op *op = skl_flow_current(f);
    struct skl_error wrapped;
    skl_lifecycle_cb *cb;
    void *arg;

    SKL_ASSERT(op);
    cb = op->cb;
    arg = op->arg;
    if (op->kind == SKL_OP_RESTART && err) {
        wrapped = *err;
        wrapped.kind = SKL_E_INTERNAL;
        skl_wrap(&wrapped, -SKL_E_INTERNAL, "Cannot restart container %s", f->c->name);
        err = &wrapped;
    } else if (op->kind == SKL_OP_RESTART) {
        skl_container_event(f->l->e->store, f->c, "restart", NULL);
    }
    skl_timer_cancel(&f->deadline);
    skl_waiter_cancel(&f->exit_wait);
    if (op->kind == SKL_OP_RECOVER)
        skl_timer_cancel(&f->recovery);
    op_free(op);
    f->busy = false;
    schedule(f);
    if (cb)
        cb(arg, err);
}

void skl_flow_deadline(struct skl_flow *f, int64_t ms, skl_timer_cb *cb)
{
    skl_timer_cancel(&f->deadline);
    f->deadline = skl_timer_start(f->l->e->loop, ms, cb, f);
}

/* -- jobs */

static void job_work(void *arg)
{
    struct skl_job *job = arg;
    const struct skl_backend *b = job->engine->backend;
    void *ctx = job->engine->backend_ctx;

    switch (job->kind) {
    case SKL_JOB_CREATE:
        job->rc = b->container_create(ctx, &job->call, &job->outcome, &job->err);
        break;
    case SKL_JOB_START:
        job->rc = b->container_start(ctx, &job->call, &job->outcome, &job->err);
        break;
    case SKL_JOB_INVOCATION:
        job->rc = b->container_invocation(ctx, &job->call, &job->invocation, &job->err);
        break;
    case SKL_JOB_STATUS:
        job->rc = b->container_status(ctx, &job->call, &job->status, &job->err);
        break;
    case SKL_JOB_STOP:
        job->rc = b->container_stop(ctx, &job->call, &job->status, &job->err);
        break;
    case SKL_JOB_ENDED:
        job->rc = b->container_ended(ctx, &job->call, &job->err);
        break;
    case SKL_JOB_REMOVE:
        job->rc = b->container_remove(ctx, &job->call, &job->err);
        break;
    case SKL_JOB_PAUSE:
        job->rc = b->container_pause(ctx, &job->call, job->on, &job->err);
        break;
    }
}

static void job_done(void *arg, bool canceled)
{
    struct skl_job *job = arg;
    struct skl_flow *f = job->flow;

    if (canceled)
        job->rc = skl_fail(&job->err, SKL_E_CANCELED, "the daemon is shutting down");
    if (f) {
        skl_list_remove(&job->in_flow);
        job->done(f, job);
    } else if (job->rc < 0 && !canceled) {
        skl_warn("lifecycle", "a call in the background failed", "container", job->snapshot->id,
                 "error", job->err.msg, NULL);
    }
    skl_outcome_fini(&job->outcome);
    skl_invocation_fini(&job->invocation);
    skl_snapshot_free(job->snapshot);
    free(job);
}

static struct skl_job *job_new(struct skl_flow *f, enum skl_job_kind kind)
{
    struct skl_job *job = skl_new0(struct skl_job);

    job->engine = f->l->e;
    job->kind = kind;
    job->snapshot = skl_snapshot_new(f->c, skl_store_instance(f->l->e->store));
    job->snapshot->agent_ca = skl_strdup(job->engine->agent_ca);
    job->call.c = job->snapshot;
    job->call.since_ms = f->begun_ms;
    atomic_init(&job->call.canceled, false);
    return job;
}

struct skl_job *skl_flow_job(struct skl_flow *f, enum skl_job_kind kind, skl_job_cb *done)
{
    struct skl_job *job = job_new(f, kind);

    job->flow = f;
    job->workload = f->workload;
    job->done = done;
    skl_list_push(&f->jobs, &job->in_flow);
    skl_work_submit(f->l->e->workers, job_work, job_done, job);
    return job;
}

void skl_flow_background(struct skl_flow *f, enum skl_job_kind kind)
{
    skl_work_submit(f->l->e->workers, job_work, job_done, job_new(f, kind));
}

void skl_flow_apply_outcome(struct skl_flow *f, const struct skl_outcome *o)
{
    struct skl_error err;

    for (char **p = o->cloud.pairs; p && p[0]; p += 2)
        if (skl_container_set_cloud(f->l->e->store, f->c, p[0], *p[1] ? p[1] : NULL, &err) < 0)
            skl_err("lifecycle", "a cloud resource could not be recorded", "container", f->c->id,
                    "error", err.msg, NULL);
    if (o->warning)
        skl_warn("lifecycle", o->warning, "container", f->c->id, NULL);
}

void skl_flow_forget_cloud(struct skl_flow *f)
{
    struct skl_error err;

    while (f->c->cloud.pairs && f->c->cloud.pairs[0])
        if (skl_container_set_cloud(f->l->e->store, f->c, f->c->cloud.pairs[0], NULL, &err) < 0) {
            skl_err("lifecycle", "removed cloud resources stay recorded", "container", f->c->id,
                    "error", err.msg, NULL);
            return;
        }
}

/* -- the calls of the routes */

void skl_lifecycle_create(struct skl_engine *e, struct skl_container *c, skl_lifecycle_cb *cb,
                          void *arg)
{
    skl_flow_push(skl_flow_of(e, c), SKL_OP_CREATE, cb, arg);
}

void skl_lifecycle_start(struct skl_engine *e, struct skl_container *c, skl_lifecycle_cb *cb,
                         void *arg)
{
    skl_flow_push(skl_flow_of(e, c), SKL_OP_START, cb, arg);
}

static void push_stop(struct skl_engine *e, struct skl_container *c, enum skl_op_kind kind,
                      const struct skl_stop_options *o, skl_lifecycle_cb *cb, void *arg)
{
    struct skl_flow *f = skl_flow_of(e, c);
    struct skl_op *first = skl_flow_current(f);
    struct skl_op *op = skl_flow_push(f, kind, cb, arg);

    op->signal = skl_strdup(o->signal);
    op->timeout_s = o->timeout_s;
    /* A policy's start may take minutes in a cloud: nobody who wants the container to end waits for that. */
    if (first && first->internal && first->kind == SKL_OP_START) {
        skl_container_set_manual_stop(e->store, c, true);
        op->ended_start = true;
        if (f->busy)
            skl_flow_cancel_start(f);
    }
}

void skl_lifecycle_stop(struct skl_engine *e, struct skl_container *c,
                        const struct skl_stop_options *o, skl_lifecycle_cb *cb, void *arg)
{
    push_stop(e, c, SKL_OP_STOP, o, cb, arg);
}

void skl_lifecycle_restart(struct skl_engine *e, struct skl_container *c,
                           const struct skl_stop_options *o, skl_lifecycle_cb *cb, void *arg)
{
    push_stop(e, c, SKL_OP_RESTART, o, cb, arg);
}

void skl_lifecycle_pause(struct skl_engine *e, struct skl_container *c, bool on,
                         skl_lifecycle_cb *cb, void *arg)
{
    skl_flow_push(skl_flow_of(e, c), SKL_OP_PAUSE, cb, arg)->on = on;
}

void skl_lifecycle_limits_changed(struct skl_engine *e, struct skl_container *c)
{
    skl_flow_of(e, c)->start_cold = true;
    if (c->state == SKL_CONTAINER_EXITED)
        skl_workload_shutdown(skl_workload_of(e->runtime, c));
}

void skl_lifecycle_remove(struct skl_engine *e, struct skl_container *c,
                          const struct skl_remove_options *o, skl_lifecycle_cb *cb, void *arg)
{
    struct skl_flow *f = skl_flow_of(e, c);
    struct skl_op *first = skl_flow_current(f);
    struct skl_op *op = skl_flow_push(f, SKL_OP_REMOVE, cb, arg);

    op->force = o->force;
    op->volumes = o->volumes;
    if (!o->force || !first || !f->busy)
        return;
    if (first->kind == SKL_OP_RECOVER && c->state != SKL_CONTAINER_STARTING)
        skl_flow_recovered(f);
    else if (first->kind == SKL_OP_START || first->kind == SKL_OP_RESTART ||
             first->kind == SKL_OP_RECOVER)
        skl_flow_cancel_start(f);
}
