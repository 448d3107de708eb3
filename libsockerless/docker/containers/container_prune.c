/* POST /containers/prune: everything that is not running goes, each in its own way (the cloud's resources first).
 * The answer waits for all of them and names those that are gone. */
#include "base/alloc.h"
#include "base/limits.h"
#include "docker/api/prune.h"
#include "docker/api/routes.h"
#include "docker/lifecycle/lifecycle.h"

struct pruning {
    struct skl_request *r;
    unsigned pending;
    char **deleted;
};

struct removal {
    struct pruning *p;
    char id[65];
};

static void finish(struct pruning *p)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_strv(&j, "ContainersDeleted", p->deleted);
    skl_json_int(&j, "SpaceReclaimed", 0);
    skl_json_end_object(&j);
    skl_prune_event(p->r->engine, "container", 0);
    skl_request_json(p->r, 200, &b);
    skl_request_unref(p->r);
    skl_strv_free(p->deleted);
    free(p);
}

static void removed(void *arg, const struct skl_error *err)
{
    struct removal *x = arg;
    struct pruning *p = x->p;

    if (!err)
        skl_strv_push(&p->deleted, x->id);
    free(x);
    if (--p->pending == 0)
        finish(p);
}

static bool is_over(const struct skl_container *c)
{
    return c->state == SKL_CONTAINER_CREATED || c->state == SKL_CONTAINER_EXITED ||
           c->state == SKL_CONTAINER_DEAD;
}

void skl_route_container_prune(struct skl_request *r)
{
    static const struct skl_remove_options options = {0};
    SKL_AUTO_PRUNE struct skl_prune prune = {0};
    struct skl_list *it, *tmp;
    struct skl_error err;
    struct pruning *p;

    if (skl_prune_init(&prune, r, (const char *const[]){NULL}, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    p = skl_new0(struct pruning);
    p->r = skl_request_ref(r);
    p->pending = 1; /* this loop */
    skl_list_foreach_safe (it, tmp, skl_container_all(r->engine->store)) {
        struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);
        struct removal *x;

        if (!is_over(c) || !skl_prune_takes(&prune, &c->spec.labels, c->created_ns))
            continue;
        x = skl_new0(struct removal);
        x->p = p;
        memcpy(x->id, c->id, sizeof(x->id));
        p->pending++;
        skl_lifecycle_remove(r->engine, c, &options, removed, x);
    }
    if (--p->pending == 0)
        finish(p);
}
