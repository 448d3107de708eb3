/* What happens without being asked for: the platform's news, the end of a run, restart policies. */
#include "base/clock.h"
#include "base/log.h"
#include "docker/lifecycle/lifecycle_internal.h"

/* Asking is never urgent: a cloud counts the calls, and thousands of containers must not take the workers
 * from a start. Who finds no room asks a pace later. */
#define MAX_STATUS_CALLS 16
#define RESTART_FIRST_MS 100
#define RESTART_MAX_MS   60000
#define RESTART_RESET_NS                                                                           \
    (10 * INT64_C(1000000000)) /* a run this long makes the delay short again */

static bool agent_is_up(struct skl_flow *f)
{
    struct skl_session *s = skl_workload_session(skl_workload_of(f->l->e->runtime, f->c));

    return s && skl_session_is_up(s);
}

static int64_t pace_ms(struct skl_flow *f)
{
    const struct skl_backend *b = f->l->e->backend;

    if (f->c->state == SKL_CONTAINER_STARTING)
        return b->poll_starting_ms;
    return agent_is_up(f) ? b->poll_with_agent_ms : b->poll_agentless_ms;
}

static void ask(void *arg);

static void arm(struct skl_flow *f)
{
    skl_timer_cancel(&f->poll);
    f->poll = skl_timer_start(f->l->e->loop, pace_ms(f), ask, f);
}

static void live_status(struct skl_flow *f, const struct skl_job *job)
{
    const struct skl_status *st = &job->status;
    bool over = st->status == SKL_RUN_ENDED || st->status == SKL_RUN_GONE;

    if (job->rc < 0 || !over || agent_is_up(f))
        return; /* the agent says it itself, with the real code */
    skl_workload_ended(skl_workload_of(f->l->e->runtime, f->c),
                       &(struct skl_end){.rank = SKL_END_PLATFORM,
                                         .code = st->has_exit_code ? st->exit_code : 137,
                                         .finished_ns = st->ended_ns,
                                         .error = st->message[0] ? st->message : NULL});
}

static void answered(struct skl_flow *f, struct skl_job *job)
{
    f->poll_in_flight = false;
    f->l->status_calls--;
    if (!f->poll)
        return; /* unwatched meanwhile */
    if (job->snapshot->run == f->c->run) {
        if (f->c->state == SKL_CONTAINER_STARTING && skl_flow_current(f))
            skl_flow_start_status(f, job);
        else if (skl_container_has_command(f->c))
            live_status(f, job);
    }
    if (f->poll && skl_container_is_live(f->c))
        arm(f);
}

static void ask(void *arg)
{
    struct skl_flow *f = arg;

    /* The one-shot timer is gone; the next one is armed with the answer. `poll` stays set as the mark of
     * being watched. */
    f->poll = skl_timer_start(f->l->e->loop, INT32_MAX, ask, f);
    if (f->poll_in_flight)
        return;
    if (f->l->status_calls >= MAX_STATUS_CALLS) {
        arm(f);
        return;
    }
    f->poll_in_flight = true;
    f->l->status_calls++;
    skl_flow_job(f, SKL_JOB_STATUS, answered);
}

static void over_limit(void *arg)
{
    struct skl_flow *f = arg;

    f->limit = NULL;
    if (!skl_container_has_command(f->c))
        return;
    skl_warn("lifecycle", "the container ran for as long as this backend allows, and is stopped",
             "container", f->c->id, NULL);
    skl_flow_push(f, SKL_OP_STOP, NULL, NULL)->internal = true;
}

void skl_flow_watch_from(struct skl_flow *f, int64_t started_ms)
{
    int64_t limit_ms = f->l->e->backend->run_timeout_ms;

    arm(f);
    skl_timer_cancel(&f->limit);
    if (limit_ms > 0 && skl_container_has_command(f->c)) {
        int64_t ran_ms = skl_mono_ms() - started_ms;

        f->limit = skl_timer_start(f->l->e->loop, ran_ms < limit_ms ? limit_ms - ran_ms : 0,
                                   over_limit, f);
    }
}

void skl_flow_watch(struct skl_flow *f)
{
    skl_flow_watch_from(f, skl_mono_ms());
}

void skl_flow_unwatch(struct skl_flow *f)
{
    skl_timer_cancel(&f->poll);
    skl_timer_cancel(&f->limit);
}

/* -- the runtime's news */

bool skl_flow_wants_restart(const struct skl_container *c, int exit_code)
{
    switch (c->spec.restart) {
    case SKL_RESTART_NO:
        return false;
    case SKL_RESTART_ON_FAILURE:
        return exit_code != 0 &&
               (c->spec.restart_max == 0 || c->restart_count < c->spec.restart_max);
    case SKL_RESTART_ALWAYS:
    case SKL_RESTART_UNLESS_STOPPED:
        return true;
    }
    return false;
}

bool skl_flow_will_restart(void *engine, struct skl_container *c, int exit_code)
{
    struct skl_engine *e = engine;

    return !e->closing && !c->manual_stop && skl_flow_wants_restart(c, exit_code);
}

static void restart_now(void *arg)
{
    struct skl_flow *f = arg;

    f->restart = NULL;
    skl_flow_push(f, SKL_OP_START, NULL, NULL)->internal = true;
}

void skl_flow_restart_later(struct skl_flow *f, bool ran)
{
    const struct skl_container *c = f->c;

    if (f->restart_delay_ms == 0 || (ran && c->finished_ns - c->started_ns > RESTART_RESET_NS))
        f->restart_delay_ms = RESTART_FIRST_MS;
    else
        f->restart_delay_ms *= 2;
    if (f->restart_delay_ms > RESTART_MAX_MS)
        f->restart_delay_ms = RESTART_MAX_MS;
    skl_timer_cancel(&f->restart);
    f->restart = skl_timer_start(f->l->e->loop, f->restart_delay_ms, restart_now, f);
}

void skl_flow_auto_remove(struct skl_flow *f)
{
    struct skl_op *op = skl_flow_push(f, SKL_OP_REMOVE, NULL, NULL);

    op->internal = op->volumes = true;
}

void skl_flow_on_exited(void *engine, struct skl_container *c)
{
    struct skl_engine *e = engine;
    struct skl_flow *f = skl_flow_of(e, c);
    struct skl_op *op = skl_flow_current(f);

    skl_flow_unwatch(f);
    skl_flow_run_is_over(f);
    skl_flow_unpublish(f);
    if (e->closing)
        return;
    if (c->state == SKL_CONTAINER_RESTARTING)
        skl_flow_restart_later(f, true);
    else if (op && f->busy && op->kind == SKL_OP_RESTART)
        return; /* it goes on with the start */
    else if (c->spec.auto_remove)
        skl_flow_auto_remove(f);
    else
        skl_flow_retire_later(f); /* unless its agent is still there, for a next start */
    skl_flow_recovered(f);
}

void skl_flow_on_agent_left(void *engine, struct skl_container *c)
{
    struct skl_engine *e = engine;
    struct skl_flow *f = skl_flow_of(e, c);

    if (e->closing)
        return;
    if (c->state == SKL_CONTAINER_EXITED)
        skl_flow_uninvoke(f);
    if (!c->spec.auto_remove)
        skl_flow_retire_later(f);
}

void skl_flow_on_agent_lost(void *engine, struct skl_container *c)
{
    struct skl_engine *e = engine;
    struct skl_flow *f = skl_flow_of(e, c);

    skl_warn("lifecycle", "the agent is lost; the platform is asked what became of it", "container",
             c->id, NULL);
    skl_timer_cancel(&f->poll);
    ask(f);
    if (e->backend->lost_agent_ms > 0)
        skl_flow_await_lost_agent(f);
}
