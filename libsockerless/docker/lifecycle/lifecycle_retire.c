/* Retiring: the workload of an ended run is of no more use, and what still costs money is ended. An operation like the
 * others, so that the next start of the container finds it done. */
#include "base/log.h"
#include "docker/lifecycle/lifecycle_internal.h"

#define FIRST_RETRY_MS 5000
#define LAST_RETRY_MS  (10 * 60 * 1000)

static void retire_again(void *arg)
{
    struct skl_flow *f = arg;

    f->retire = NULL;
    skl_flow_retire_later(f);
}

static void retired(struct skl_flow *f, struct skl_job *job)
{
    int64_t delay_ms = f->retire_delay_ms * 2;

    f->retire_delay_ms = 0;
    if (job->rc < 0 && job->rc != -SKL_E_CANCELED) {
        skl_warn("lifecycle", "an ended workload still stands in the cloud; that is tried again",
                 "container", f->c->id, "error", job->err.msg, NULL);
        f->retire_delay_ms = delay_ms < FIRST_RETRY_MS  ? FIRST_RETRY_MS
                             : delay_ms > LAST_RETRY_MS ? LAST_RETRY_MS
                                                        : delay_ms;
        f->retire = skl_timer_start(f->l->e->loop, f->retire_delay_ms, retire_again, f);
    }
    skl_flow_finish(f, NULL);
}

static bool is_of_use(struct skl_flow *f)
{
    return (f->c->state != SKL_CONTAINER_EXITED && f->c->state != SKL_CONTAINER_CREATED) ||
           skl_workload_session(skl_workload_of(f->l->e->runtime, f->c));
}

void skl_flow_retire(struct skl_flow *f)
{
    skl_timer_cancel(&f->retire);
    if (is_of_use(f)) {
        skl_flow_finish(f, NULL); /* it was started again, or its agent is back */
        return;
    }
    skl_flow_job(f, SKL_JOB_ENDED, retired);
}

void skl_flow_retire_later(struct skl_flow *f)
{
    if (f->l->e->backend->container_ended && !f->l->closing && !is_of_use(f))
        skl_flow_push(f, SKL_OP_RETIRE, NULL, NULL)->internal = true;
}
