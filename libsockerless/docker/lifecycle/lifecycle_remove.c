/* Removing: the run is ended if force says so, the cloud's resources go, then the record. AutoRemove takes the
 * same way, and tries again for as long as the cloud does not answer: nothing that costs money is forgotten. A client that
 * waits for it (`docker run --rm` does, also when its start failed) is not kept that long: it hears how the container
 * ended after the first try that failed. */
#include "base/alloc.h"
#include "base/log.h"
#include "docker/images/layers.h"
#include "docker/lifecycle/lifecycle_internal.h"
#include "driver/volume_content.h"

#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS   60000

static void remove_anonymous_volumes(struct skl_engine *e, char **names)
{
    struct skl_error err;

    for (char **p = names; p && *p; p++) {
        struct skl_volume *v = skl_volume_find(e->store, *p);

        if (!v || !v->anonymous || skl_volume_users(e->store, v) > 0)
            continue;
        if (skl_volume_remove(e->store, v, &err) == 0)
            skl_content_remove(e->runtime, *p);
        else
            skl_warn("lifecycle", "an anonymous volume stays", "volume", *p, "error", err.msg,
                     NULL);
    }
}

static char **anonymous_volumes(const struct skl_container *c)
{
    char **names = NULL;

    for (size_t i = 0; i < c->spec.n_mounts; i++)
        if (c->spec.mounts[i].anonymous && c->spec.mounts[i].name)
            skl_strv_push(&names, c->spec.mounts[i].name);
    return names;
}

static void finish_removal(struct skl_flow *f)
{
    struct skl_engine *e = f->l->e;
    struct skl_op *op = skl_flow_current(f);
    struct skl_container *c = f->c;
    char **volumes = op->volumes ? anonymous_volumes(c) : NULL;
    bool has_layers = c->spec.layers && c->spec.layers[0];
    skl_lifecycle_cb *cb = op->cb;
    void *arg = op->arg;
    struct skl_error err;
    int rc;

    op->cb = NULL; /* it gets its own answer, not that of those who still wait */
    skl_workload_forget(e->runtime, c);
    skl_flow_drop(f);
    while (c->n_endpoints > 0) {
        struct skl_network *n;

        if (skl_network_find(e->store, c->endpoints[0].network_id, &n, &err) < 0 ||
            skl_network_disconnect(e->store, n, c, &err) < 0)
            break; /* the endpoint goes with the record */
    }
    rc = skl_container_removed(e->store, c, &err);
    if (rc == 0)
        remove_anonymous_volumes(e, volumes);
    if (rc == 0 && has_layers)
        (void)skl_layers_collect(e); /* its image may be gone already */
    skl_strv_free(volumes);
    if (cb)
        cb(arg, rc < 0 ? &err : NULL);
}

static void try_again(void *arg)
{
    struct skl_flow *f = arg;

    f->deadline = NULL;
    skl_flow_remove(f);
}

static void not_removed(struct skl_flow *f, const struct skl_error *why)
{
    struct skl_error err;
    int64_t delay;

    if (!skl_flow_current(f)->internal) {
        if (skl_container_remove_failed(f->l->e->store, f->c, why->msg, &err) < 0)
            skl_err("lifecycle", "a failed removal could not be recorded", "container", f->c->id,
                    "error", err.msg, NULL);
        skl_flow_finish(f, why);
        return;
    }
    delay = (int64_t)RETRY_FIRST_MS << (f->remove_tries < 6 ? f->remove_tries : 6);
    f->remove_tries++;
    skl_warn("lifecycle", "removal failed and is tried again", "container", f->c->id, "error",
             why->msg, NULL);
    skl_container_removal_put_off(f->l->e->store, f->c);
    skl_flow_deadline(f, delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS, try_again);
}

/* What belongs to the container on the disk goes first: not while the record cannot go. */
static void remove_record(struct skl_flow *f)
{
    struct skl_error err;

    if (skl_store_probe(f->l->e->store, &err) < 0)
        not_removed(f, &err);
    else
        finish_removal(f);
}

static void cloud_removed(struct skl_flow *f, struct skl_job *job)
{
    if (job->rc == 0)
        remove_record(f);
    else
        not_removed(f, &job->err);
}

static int refuse_live(const struct skl_container *c, struct skl_error *err)
{
    if (c->state == SKL_CONTAINER_PAUSED)
        return skl_fail(err, SKL_E_CONFLICT,
                        "cannot remove container \"/%s\": container is paused and must be "
                        "unpaused first",
                        c->name);
    return skl_fail(err, SKL_E_CONFLICT,
                    "cannot remove container \"/%s\": container is %s: stop the container before "
                    "removing or force remove",
                    c->name, skl_container_state_name(c->state));
}

/* Comes here again after the run was ended, and for another try. */
void skl_flow_remove(struct skl_flow *f)
{
    struct skl_engine *e = f->l->e;
    struct skl_op *op = skl_flow_current(f);
    struct skl_container *c = f->c;
    struct skl_error err;

    if (c->state == SKL_CONTAINER_RUNNING || c->state == SKL_CONTAINER_PAUSED ||
        c->state == SKL_CONTAINER_RESTARTING) {
        if (!op->force) {
            refuse_live(c, &err);
            skl_flow_finish(f, &err);
            return;
        }
        if (c->state != SKL_CONTAINER_RESTARTING && !f->stopped_by_platform) {
            skl_flow_kill_for_remove(f);
            return;
        }
    }
    skl_timer_cancel(&f->restart);
    skl_flow_unwatch(f);
    if (c->state != SKL_CONTAINER_REMOVING && skl_container_removing(e->store, c, &err) < 0) {
        skl_flow_finish(f, &err);
        return;
    }
    skl_workload_shutdown(skl_workload_of(e->runtime, c));
    if (c->cloud.pairs && c->cloud.pairs[0])
        skl_flow_job(f, SKL_JOB_REMOVE, cloud_removed);
    else
        remove_record(f); /* it never reached the cloud */
}
