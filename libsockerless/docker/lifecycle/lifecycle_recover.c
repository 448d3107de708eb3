/* After a restart of the daemon: the workloads went on without us.
 *
 * Problem: whether a run goes on, has ended or never began is known only when its agent is back (by itself, or dialled
 * again) or the grace time is over, and clients ask at once. Approach: recovering a run is an operation like the
 * others, so that what is asked of the container waits in its queue; a start goes on from where the cloud had
 * been told, and is undone when it cannot. What is half done otherwise is finished as a new operation. Rejected: to
 * refuse until all is known (a client cannot know that it should come again).
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "docker/containers/ports.h"
#include "docker/lifecycle/lifecycle_internal.h"

/* -- the operation */

static bool is_recovering(struct skl_flow *f)
{
    struct skl_op *op = skl_flow_current(f);

    return op && f->busy && op->kind == SKL_OP_RECOVER;
}

void skl_flow_recovered(struct skl_flow *f)
{
    if (is_recovering(f))
        skl_flow_finish(f, NULL);
}

static void watch_recorded(struct skl_flow *f)
{
    skl_flow_watch_from(f, skl_mono_of_wall(f->c->started_ns));
}

void skl_flow_on_agent_up(void *engine, struct skl_container *c)
{
    struct skl_engine *e = engine;
    struct skl_flow *f = skl_flow_of(e, c);
    struct skl_workload *w = skl_workload_of(e->runtime, c);

    if (!is_recovering(f))
        return;
    if (c->state == SKL_CONTAINER_STARTING) {
        if (skl_workload_awaits_start(w))
            skl_flow_go_on_starting(f);
        return; /* else its end comes next */
    }
    if (!skl_container_has_command(c) || skl_workload_has_ended(w))
        return;
    skl_flow_hold(f);
    watch_recorded(f);
    skl_flow_recovered(f);
}

static void no_agent_came(void *arg)
{
    struct skl_flow *f = arg;

    f->recovery = NULL;
    /* One that came tells by its session when it is lost again. */
    if (!skl_workload_session(skl_workload_of(f->l->e->runtime, f->c)))
        skl_flow_on_agent_lost(f->l->e, f->c);
    skl_flow_recovered(f);
}

static void resume_run(struct skl_flow *f)
{
    struct skl_engine *e = f->l->e;
    bool has_agent = e->backend->has_agent(e->backend_ctx, &f->c->spec, NULL);

    if (has_agent) {
        skl_workload_resume(skl_workload_of(e->runtime, f->c));
        f->recovery = skl_timer_start(e->loop, e->settings.agent_grace_ms, no_agent_came, f);
    }
    /* The requests ended with the last daemon. */
    if (e->backend->invocation_renew_ms > 0)
        skl_flow_invoke(f);
    if (skl_flow_is_deaf(f))
        skl_flow_end_one_shot(f);
    watch_recorded(f);
    if (!has_agent)
        skl_flow_recovered(f);
}

static void start_lost(void *arg)
{
    struct skl_flow *f = arg;

    f->recovery = NULL;
    skl_flow_start_lost(f);
}

/* How far it came, its agent knows, or the platform. */
static void resume_start(struct skl_flow *f)
{
    struct skl_engine *e = f->l->e;

    if (skl_flow_is_deaf(f)) {
        skl_flow_start_lost(f); /* its request follows the record that it runs */
        return;
    }
    skl_workload_resume(skl_workload_of(e->runtime, f->c));
    if (skl_flow_is_function(f)) {
        f->recovery = skl_timer_start(e->loop, e->settings.agent_grace_ms, start_lost, f);
        skl_flow_invoke(f); /* the agent takes a run once, however often it is asked */
    } else {
        skl_flow_await_platform(f);
    }
}

void skl_flow_recover(struct skl_flow *f)
{
    if (skl_container_has_command(f->c))
        resume_run(f);
    else if (f->c->state == SKL_CONTAINER_STARTING)
        resume_start(f);
    else
        skl_flow_recovered(f);
}

bool skl_lifecycle_await_recovery(struct skl_engine *e, struct skl_container *c,
                                  skl_lifecycle_cb *cb, void *arg)
{
    struct skl_flow *f = skl_flow_of(e, c);
    struct skl_op *first = skl_flow_current(f);

    if (!first || first->kind != SKL_OP_RECOVER)
        return false;
    skl_flow_push(f, SKL_OP_NOTHING, cb, arg);
    return true;
}

/* -- when the daemon starts */

static void not_warm(void *arg)
{
    struct skl_flow *f = arg;

    f->recovery = NULL;
    skl_flow_retire_later(f);
}

/* `always` forgets a stop by hand when the daemon is started; `unless-stopped` does not. */
static bool is_started_with_the_daemon(const struct skl_container *c)
{
    return c->has_run && skl_flow_wants_restart(c, c->exit_code) &&
           !(c->spec.restart == SKL_RESTART_UNLESS_STOPPED && c->manual_stop);
}

static void recover(struct skl_engine *e, struct skl_container *c)
{
    struct skl_workload *w = skl_workload_of(e->runtime, c);
    struct skl_flow *f = skl_flow_of(e, c);

    if (c->published_json)
        skl_ports_reopen(e, c, &f->ports);
    switch (c->state) {
    case SKL_CONTAINER_STARTING:
    case SKL_CONTAINER_RUNNING:
    case SKL_CONTAINER_PAUSED:
        skl_flow_push(f, SKL_OP_RECOVER, NULL, NULL)->internal = true;
        break;
    case SKL_CONTAINER_REMOVING:
    case SKL_CONTAINER_DEAD:
        skl_flow_auto_remove(f);
        break;
    case SKL_CONTAINER_RESTARTING:
        skl_flow_push(f, SKL_OP_START, NULL, NULL)->internal = true;
        break;
    case SKL_CONTAINER_EXITED:
        if (c->spec.auto_remove) {
            skl_flow_auto_remove(f);
        } else if (is_started_with_the_daemon(c)) {
            skl_container_begin_anew(e->store, c);
            skl_flow_push(f, SKL_OP_START, NULL, NULL)->internal = true;
        } else {
            skl_workload_resume(w); /* it may still be warm */
            if (e->backend->container_ended)
                f->recovery = skl_timer_start(e->loop, e->settings.agent_grace_ms, not_warm, f);
        }
        break;
    case SKL_CONTAINER_CREATED:
    case SKL_CONTAINER_MAX_:
        break;
    }
}

void skl_lifecycle_recover(struct skl_lifecycle *l)
{
    struct skl_list *it;

    skl_list_foreach (it, skl_container_all(l->e->store))
        recover(l->e, SKL_LIST_ENTRY(it, struct skl_container, in_store));
}
