/* Retiring: the workload of an ended run is of no more use, and what still costs money is ended. An operation like the
 * others, so that the next start of the container finds it done. */
#include "base/log.h"
#include "docker/lifecycle_internal.h"

static void retired(struct skl_flow *f, struct skl_job *job)
{
    if (job->rc < 0)
        skl_warn("lifecycle",
                 "an ended workload still stands in the cloud; it goes with the container",
                 "container", f->c->id, "error", job->err.msg, NULL);
    skl_flow_finish(f, NULL);
}

static bool is_of_use(struct skl_flow *f)
{
    return (f->c->state != SKL_CONTAINER_EXITED && f->c->state != SKL_CONTAINER_CREATED) ||
           skl_workload_session(skl_workload_of(f->l->e->runtime, f->c));
}

void skl_flow_retire(struct skl_flow *f)
{
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
