/* Starting: warm (the agent of the last run is still there: milliseconds) or cold (a new run in the cloud).
 *
 * Steps of a cold start: plan and token are recorded -> the cloud takes the run -> the agent comes, or the
 * platform says why not -> staged files, START -> the command runs. A failure at any step removes the
 * run's cloud resources, leaves the container as a Docker Engine would and tells the reason.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "docker/containers/ports.h"
#include "docker/lifecycle/lifecycle_internal.h"

/* -- create, for backends that make the cloud resource early */

/* The client is told when nothing is left, so that it does not see what was never made. */
static void create_undone(struct skl_flow *f, struct skl_job *job)
{
    struct skl_engine *e = f->l->e;
    struct skl_container *c = f->c;
    struct skl_op *op = skl_flow_current(f);
    skl_lifecycle_cb *cb = op->cb;
    void *arg = op->arg;
    struct skl_error err, why = *f->failure;

    free(skl_take(&f->failure));
    if (job->rc < 0) {
        /* Something may be left in the cloud: the record stays until it is gone. */
        skl_flow_auto_remove(f);
        skl_flow_finish(f, &why);
        return;
    }
    op->cb = NULL;
    skl_workload_forget(e->runtime, c);
    skl_flow_drop(f);
    if (skl_container_removed(e->store, c, &err) < 0)
        skl_err("lifecycle", "a container that could not be created stays recorded", "error",
                err.msg, NULL);
    if (cb)
        cb(arg, &why);
}

static void created(struct skl_flow *f, struct skl_job *job);

static void create_on(void *arg)
{
    struct skl_flow *f = arg;

    f->deadline = NULL;
    skl_flow_job(f, SKL_JOB_CREATE, created);
}

static void created(struct skl_flow *f, struct skl_job *job)
{
    struct skl_error err;

    if (job->rc == 0 && job->outcome.again_ms > 0) {
        skl_flow_apply_outcome(f, &job->outcome);
        skl_flow_deadline(f, job->outcome.again_ms, create_on);
        return;
    }
    if (job->rc == 0) {
        skl_flow_apply_outcome(f, &job->outcome);
        skl_flow_finish(f, NULL);
        return;
    }
    f->failure = skl_memdup(&job->err, sizeof(job->err));
    (void)skl_container_removing(f->l->e->store, f->c, &err); /* it is CREATED: always allowed */
    skl_flow_job(f, SKL_JOB_REMOVE, create_undone);
}

static int record_plan(struct skl_flow *f, struct skl_error *err)
{
    struct skl_engine *e = f->l->e;
    struct skl_container_snapshot *snapshot = skl_snapshot_new(f->c, skl_store_instance(e->store));
    struct skl_labels plan = {0};
    int rc = 0;

    e->backend->plan(e->backend_ctx, snapshot, &plan);
    for (char **p = plan.pairs; rc == 0 && p && p[0]; p += 2)
        rc = skl_container_set_cloud(e->store, f->c, p[0], p[1], err);
    skl_labels_fini(&plan);
    skl_snapshot_free(snapshot);
    return rc;
}

void skl_flow_create(struct skl_flow *f)
{
    struct skl_error err;

    if (!f->l->e->backend->container_create) {
        skl_flow_finish(f, NULL);
        return;
    }
    if (skl_workload_prepare(skl_workload_of(f->l->e->runtime, f->c), &err) < 0 ||
        record_plan(f, &err) < 0) {
        skl_flow_finish(f, &err);
        return;
    }
    skl_flow_job(f, SKL_JOB_CREATE, created);
}

/* -- published ports */

static int publish(struct skl_flow *f, struct skl_error *err)
{
    skl_flow_unpublish(f);
    return skl_ports_open(f->l->e, f->c, &f->ports, err);
}

void skl_flow_unpublish(struct skl_flow *f)
{
    struct skl_error err;

    skl_ports_close(f->ports);
    f->ports = NULL;
    if (f->c->published_json && skl_container_set_published(f->l->e->store, f->c, NULL, &err) < 0)
        skl_err("lifecycle", "ports stay recorded as published", "container", f->c->id, "error",
                err.msg, NULL);
}

/* -- the end of a start */

static void cleaned_up(struct skl_flow *f, struct skl_job *job)
{
    struct skl_error why = *f->failure;

    free(skl_take(&f->failure));
    if (job->rc == 0)
        skl_flow_forget_cloud(f);
    else
        skl_warn("lifecycle", "a failed start left cloud resources; they go with the container",
                 "container", f->c->id, "error", job->err.msg, NULL);
    skl_flow_finish(f, &why);
}

/* A start that a restart policy had begun is tried again when the cloud was at fault, not the command. One that was
 * lost with the last daemon has not been a try: it neither counts nor has a code. */
static bool is_put_off(struct skl_flow *f, int code, const struct skl_error *why)
{
    bool is_lost = skl_flow_current(f)->kind == SKL_OP_RECOVER;
    /* The last try of a policy is granted already. */
    bool is_due = is_lost && f->c->restart_count > 0 && f->c->spec.restart != SKL_RESTART_NO;
    struct skl_error err;

    if (!skl_flow_current(f)->internal || code == 126 || code == 127 || f->c->manual_stop ||
        f->l->closing || !(is_due || skl_flow_wants_restart(f->c, code)))
        return false;
    if (skl_container_start_put_off(f->l->e->store, f->c, is_lost ? f->c->exit_code : code,
                                    why->msg, !is_lost, &err) < 0)
        return false;
    skl_warn("lifecycle", "a restart failed and is tried again", "container", f->c->id, "error",
             why->msg, NULL);
    skl_flow_restart_later(f, false);
    return true;
}

/* `made` says that the cloud may hold something of this run. */
static void start_failed(struct skl_flow *f, int code, const struct skl_error *why, bool made)
{
    struct skl_engine *e = f->l->e;
    struct skl_workload *w = skl_workload_of(e->runtime, f->c);
    struct skl_error err, copy = *why;
    /* A stop between two runs: what counts is how the last one ended. */
    bool again, stopped = skl_flow_current(f)->internal && f->c->manual_stop;

    f->being_made = false;
    skl_flow_unwatch(f);
    skl_timer_cancel(&f->deadline);
    skl_workload_cancel_begin(w);
    skl_workload_shutdown(w);
    skl_flow_uninvoke(f);
    skl_flow_unpublish(f);
    again = f->c->state == SKL_CONTAINER_STARTING && is_put_off(f, code, &copy);
    if (f->c->state == SKL_CONTAINER_STARTING &&
        skl_container_start_failed(e->store, f->c, stopped ? f->c->exit_code : code,
                                   stopped ? "" : copy.msg, &err) < 0)
        skl_err("lifecycle", "a failed start could not be recorded", "container", f->c->id, "error",
                err.msg, NULL);
    if (f->c->spec.auto_remove && !again) {
        skl_flow_auto_remove(f);
    } else if (made && e->backend->container_create) {
        /* What create made stays for the next start; it need not run until then. */
        skl_flow_retire_later(f);
    } else if (made) {
        f->failure = skl_memdup(&copy, sizeof(copy));
        skl_flow_job(f, SKL_JOB_REMOVE, cleaned_up);
        return;
    }
    skl_flow_finish(f, &copy);
}

void skl_flow_cancel_start(struct skl_flow *f)
{
    struct skl_list *it;
    struct skl_error err;
    bool calling = false;

    skl_list_foreach (it, &f->jobs) {
        struct skl_job *job = SKL_LIST_ENTRY(it, struct skl_job, in_flow);

        if (job->kind == SKL_JOB_START) {
            atomic_store(&job->call.canceled, true); /* its failure ends the start */
            calling = true;
        }
    }
    if (calling || f->failure || f->c->state != SKL_CONTAINER_STARTING)
        return;
    skl_fail(&err, SKL_E_CANCELED,
             "the start was given up, because the container was stopped or removed");
    start_failed(f, 128, &err, true);
}

static void begun(void *arg, int code, const struct skl_error *err)
{
    struct skl_flow *f = arg;
    struct skl_error told;

    /* An Engine looks users up before it asks its runtime. */
    if (err && (code == 126 || code == 127) &&
        !skl_str_starts(skl_str(err->msg), "unable to find ")) {
        /* Clients tell 126 and 127 apart by the words of an Engine. */
        skl_fail(&told, SKL_E_INVALID,
                 "failed to create shim task: OCI runtime create failed: runc create failed: "
                 "unable to start container process: %s: unknown",
                 err->msg);
        err = &told;
    }
    if (err) {
        start_failed(f, code, err, true);
        return;
    }
    skl_flow_hold(f);
    skl_flow_watch(f);
    skl_flow_finish(f, NULL);
}

/* -- lost with the last daemon */

void skl_flow_start_lost(struct skl_flow *f)
{
    struct skl_error err;

    skl_fail(&err, SKL_E_INTERNAL, "the daemon was restarted while the container started");
    start_failed(f, 128, &err, true);
}

/* -- cold */

static void never_came(void *arg)
{
    struct skl_flow *f = arg;
    const char *trouble;
    struct skl_error err;

    f->deadline = NULL;
    trouble = skl_flow_invocation_trouble(f);
    skl_fail(&err, SKL_E_TIMEOUT,
             "the workload was started, but its agent did not reach this daemon in time: check "
             "that workloads can reach %s%s%s",
             f->c->agent_address ? f->c->agent_address : "SOCKERLESS_CALLBACK_URL",
             *trouble ? "; " : "", trouble);
    start_failed(f, 128, &err, true);
}

void skl_flow_go_on_starting(struct skl_flow *f)
{
    skl_timer_cancel(&f->recovery);
    skl_flow_deadline(f, f->l->e->backend->start_timeout_ms, never_came);
    skl_workload_begin(skl_workload_of(f->l->e->runtime, f->c), begun, f);
}

static void platform_silent(void *arg)
{
    struct skl_flow *f = arg;
    struct skl_error err;

    f->deadline = NULL;
    skl_fail(&err, SKL_E_TIMEOUT, "%s did not start the workload within %d s",
             f->l->e->backend->title, (int)(f->l->e->backend->start_timeout_max_ms / 1000));
    start_failed(f, 128, &err, true);
}

void skl_flow_await_platform(struct skl_flow *f)
{
    f->platform_running_ms = 0;
    skl_flow_deadline(f, f->l->e->backend->start_timeout_max_ms, platform_silent);
    skl_flow_watch(f);
}

void skl_flow_start_status(struct skl_flow *f, const struct skl_job *job)
{
    struct skl_engine *e = f->l->e;
    struct skl_workload *w = skl_workload_of(e->runtime, f->c);
    const struct skl_status *st = &job->status;
    bool agentless = !e->backend->has_agent(e->backend_ctx, &f->c->spec, NULL);
    struct skl_error err;

    if (job->rc < 0)
        return; /* asked again; the deadline ends it */
    if (f->being_made || job->workload != f->workload)
        return; /* about the workload before, whose agent was lost as a warm start began */
    switch (st->status) {
    case SKL_RUN_STARTING:
        break;
    case SKL_RUN_RUNNING:
        if (agentless) {
            if (skl_workload_begin_agentless(w, &err) < 0)
                start_failed(f, 128, &err, true);
            else
                skl_flow_finish(f, NULL);
            break;
        }
        if (!f->c->agent_address && st->agent_address[0])
            skl_workload_dial(w, st->agent_address, e->backend->start_timeout_ms);
        if (!f->platform_running_ms) {
            f->platform_running_ms = skl_mono_ms();
            skl_flow_deadline(f, e->backend->start_timeout_ms, never_came);
        }
        break;
    case SKL_RUN_ENDED:
    case SKL_RUN_GONE:
        if (skl_workload_session(w))
            break; /* the agent tells the end itself, and better */
        if (agentless && st->status == SKL_RUN_ENDED) {
            /* A short command without an agent: it ran, and this is its end. */
            if (skl_workload_begin_agentless(w, &err) == 0) {
                skl_workload_ended(w, &(struct skl_end){.rank = SKL_END_PLATFORM,
                                                        .code = st->exit_code,
                                                        .finished_ns = st->ended_ns});
                skl_flow_finish(f, NULL);
                break;
            }
            start_failed(f, 128, &err, true);
            break;
        }
        skl_fail(&err, SKL_E_INTERNAL, "%s ended the workload before its command was started%s%s",
                 e->backend->title, st->message[0] ? ": " : "", st->message);
        start_failed(f, 128, &err, true);
        break;
    }
}

/* The cloud has the function ready: the request that begins the run is ours. */
static void invoke_started(struct skl_flow *f)
{
    struct skl_engine *e = f->l->e;
    struct skl_workload *w = skl_workload_of(e->runtime, f->c);
    struct skl_error err;

    if (!skl_flow_is_deaf(f)) {
        f->platform_running_ms = skl_mono_ms();
        skl_flow_deadline(f, e->backend->start_timeout_ms, never_came);
        skl_workload_begin(w, begun, f);
        skl_flow_invoke(f);
        skl_flow_watch(f);
        return;
    }
    if (skl_workload_begin_agentless(w, &err) < 0) {
        start_failed(f, 128, &err, true);
        return;
    }
    skl_flow_invoke(f);
    skl_flow_end_one_shot(f);
    skl_flow_watch(f);
    skl_flow_finish(f, NULL);
}

static void cloud_started(struct skl_flow *f, struct skl_job *job);

static void start_on(void *arg)
{
    struct skl_flow *f = arg;

    f->deadline = NULL;
    skl_flow_job(f, SKL_JOB_START, cloud_started);
}

static void cloud_started(struct skl_flow *f, struct skl_job *job)
{
    struct skl_engine *e = f->l->e;
    struct skl_workload *w = skl_workload_of(e->runtime, f->c);

    f->being_made = false;
    if (job->rc < 0) {
        if (job->outcome.nothing_left)
            skl_flow_forget_cloud(f);
        start_failed(f, 128, &job->err, e->backend->container_create != NULL);
        return;
    }
    skl_flow_apply_outcome(f, &job->outcome);
    if (atomic_load(&job->call.canceled)) {
        struct skl_error err;

        skl_fail(&err, SKL_E_CANCELED,
                 "the start was given up, because the container was stopped or removed");
        start_failed(f, 128, &err, true);
        return;
    }
    f->platform_running_ms = 0;
    if (job->outcome.again_ms > 0) {
        f->being_made = true;
        skl_flow_deadline(f, job->outcome.again_ms, start_on);
        return;
    }
    if (skl_flow_is_function(f)) {
        invoke_started(f);
        return;
    }
    if (!job->outcome.no_agent) {
        if (job->outcome.agent_address)
            skl_workload_dial(w, job->outcome.agent_address, e->backend->start_timeout_max_ms);
        skl_flow_deadline(f, e->backend->start_timeout_max_ms, platform_silent);
        skl_workload_begin(w, begun, f);
    } else {
        skl_flow_deadline(f, e->backend->start_timeout_max_ms, platform_silent);
    }
    skl_flow_watch(f);
}

static void start_cold(struct skl_flow *f)
{
    struct skl_engine *e = f->l->e;
    struct skl_workload *w = skl_workload_of(e->runtime, f->c);
    struct skl_error err;

    f->start_cold = false;
    skl_workload_shutdown(w);
    /* An early backend gave its workload the token at create: a new one would lock the agent out. */
    if ((e->backend->container_create && f->c->token ? (skl_workload_prepare_again(w), 0)
                                                     : skl_workload_prepare(w, &err)) < 0 ||
        record_plan(f, &err) < 0) {
        start_failed(f, 128, &err, false);
        return;
    }
    f->workload++;
    f->being_made = true;
    skl_flow_job(f, SKL_JOB_START, cloud_started);
}

/* -- warm */

static void warm_begun(void *arg, int code, const struct skl_error *err)
{
    struct skl_flow *f = arg;

    if (err && err->kind == SKL_E_UNAVAILABLE) {
        start_cold(f); /* it left in the very moment; STARTING goes on with a new workload */
        return;
    }
    begun(f, code, err);
}

void skl_flow_start(struct skl_flow *f)
{
    struct skl_engine *e = f->l->e;
    struct skl_container *c = f->c;
    struct skl_workload *w = skl_workload_of(e->runtime, c);
    struct skl_error err;

    switch (c->state) {
    case SKL_CONTAINER_RESTARTING:
        if (skl_flow_current(f)->internal)
            break;
        /* Running, as an Engine sees it; the next start comes by itself. */
        __attribute__((fallthrough));
    case SKL_CONTAINER_RUNNING:
        skl_fail(&err, SKL_E_NOTMODIFIED, "already running");
        skl_flow_finish(f, &err);
        return;
    case SKL_CONTAINER_PAUSED:
        skl_fail(&err, SKL_E_CONFLICT, "cannot start a paused container, try unpause instead");
        skl_flow_finish(f, &err);
        return;
    case SKL_CONTAINER_REMOVING:
    case SKL_CONTAINER_DEAD:
        skl_fail(&err, SKL_E_CONFLICT, "container is marked for removal and cannot be started");
        skl_flow_finish(f, &err);
        return;
    case SKL_CONTAINER_CREATED:
    case SKL_CONTAINER_STARTING:
    case SKL_CONTAINER_EXITED:
    case SKL_CONTAINER_MAX_:
        break;
    }
    if (skl_flow_current(f)->internal && c->manual_stop) {
        skl_fail(&err, SKL_E_CANCELED, "the container was stopped before it was started again");
        skl_flow_finish(f, &err);
        return;
    }
    skl_timer_cancel(&f->restart);
    if (!skl_flow_current(f)->internal) {
        skl_container_begin_anew(e->store, c);
        f->restart_delay_ms = 0;
    }
    if (skl_container_starting(e->store, c, &err) < 0) {
        skl_flow_finish(f, &err);
        return;
    }
    if (skl_network_assign_addresses(e->store, c, &err) < 0 || publish(f, &err) < 0) {
        start_failed(f, 128, &err, false);
        return;
    }
    if (skl_workload_is_warm(w) && !f->start_cold) {
        skl_flow_deadline(f, e->backend->start_timeout_ms, never_came);
        skl_workload_begin(w, warm_begun, f);
        return;
    }
    start_cold(f);
}
