/* After a restart of the daemon: the workloads went on without us. Agents come back by themselves (or are
 * dialled again); containers whose agent does not come within the grace time are asked of the cloud; what
 * was half done is finished. */
#include "base/alloc.h"
#include "base/log.h"
#include "docker/containers/ports.h"
#include "docker/lifecycle/lifecycle_internal.h"

static void not_warm(void *arg)
{
    struct skl_flow *f = arg;

    f->recovery = NULL;
    skl_flow_retire_later(f);
}

static void no_agent_came(void *arg)
{
    struct skl_flow *f = arg;

    f->recovery = NULL;
    skl_flow_on_agent_lost(f->l->e, f->c);
}

/* A start that was under way: whether the command ever began, only its agent knows. */
static void start_lost(void *arg)
{
    struct skl_flow *f = arg;
    struct skl_error err;

    f->recovery = NULL;
    if (f->c->state != SKL_CONTAINER_STARTING)
        return; /* the agent came: it runs, or has ended */
    skl_workload_shutdown(skl_workload_of(f->l->e->runtime, f->c));
    if (skl_flow_wants_restart(f->c, 128) && !f->c->manual_stop &&
        skl_container_start_put_off(f->l->e->store, f->c, 128,
                                    "the daemon was restarted while the container started",
                                    &err) == 0) {
        skl_flow_restart_later(f, false);
        return;
    }
    if (skl_container_start_failed(f->l->e->store, f->c, 128,
                                   "the daemon was restarted while the container started",
                                   &err) < 0)
        skl_err("lifecycle", "a lost start could not be recorded", "container", f->c->id, "error",
                err.msg, NULL);
    if (f->c->spec.auto_remove)
        skl_flow_auto_remove(f);
    else if (f->l->e->backend->container_create)
        skl_flow_retire_later(f);
    else
        skl_flow_background(f, SKL_JOB_REMOVE);
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
    case SKL_CONTAINER_RUNNING:
    case SKL_CONTAINER_PAUSED:
        if (e->backend->has_agent(e->backend_ctx, &c->spec, NULL)) {
            skl_workload_resume(w);
            f->recovery = skl_timer_start(e->loop, e->settings.agent_grace_ms, no_agent_came, f);
        }
        /* The requests ended with the last daemon. */
        if (e->backend->invocation_renew_ms > 0)
            skl_flow_invoke(f);
        if (skl_flow_is_deaf(f))
            skl_flow_end_one_shot(f);
        skl_flow_watch(f);
        break;
    case SKL_CONTAINER_STARTING:
        skl_workload_resume(w);
        f->recovery = skl_timer_start(e->loop, e->settings.agent_grace_ms, start_lost, f);
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
