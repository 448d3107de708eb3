#include "docker/volumes/volume_remove.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "docker/api/prune.h"
#include "docker/api/routes.h"
#include "driver/volume_content.h"

struct removal {
    struct skl_engine *e;
    struct skl_call call;
    char *name;
    int rc;
    struct skl_error err;
    skl_lifecycle_cb *cb;
    void *arg;
};

static void remove_content(void *arg)
{
    struct removal *x = arg;

    x->rc = x->e->backend->volume_remove(x->e->backend_ctx, &x->call, x->name, &x->err);
}

static void remove_record(void *arg)
{
    struct removal *x = arg;
    struct skl_volume *v = skl_volume_find(x->e->store, x->name);

    if (x->rc == 0 && v)
        x->rc = skl_volume_remove(x->e->store, v, &x->err);
    if (x->rc == 0)
        skl_content_remove(x->e->runtime, x->name);
    x->cb(x->arg, x->rc < 0 ? &x->err : NULL);
    free(x->name);
    free(x);
}

static void content_removed(void *arg, bool canceled)
{
    struct removal *x = arg;

    if (canceled)
        x->rc = skl_fail(&x->err, SKL_E_CANCELED, "the daemon is shutting down");
    remove_record(x);
}

void skl_volume_erase(struct skl_engine *e, const char *name, skl_lifecycle_cb *cb, void *arg)
{
    struct removal *x = skl_new0(struct removal);
    const struct skl_volume *v = skl_volume_find(e->store, name);

    x->e = e;
    x->name = skl_strdup(name);
    x->cb = cb;
    x->arg = arg;
    atomic_init(&x->call.canceled, false);
    if (e->backend->volume_remove && v && skl_volume_users(e->store, v) == 0)
        skl_work_submit(e->workers, remove_content, content_removed, x);
    else
        skl_defer(e->loop, remove_record, x);
}

void skl_route_volume_remove(struct skl_request *r)
{
    if (skl_volume_find(r->engine->store, r->param))
        skl_volume_erase(r->engine, r->param, skl_request_done_204, skl_request_ref(r));
    else if (skl_request_query_bool(r, "force", false))
        skl_request_status(r, 204);
    else
        skl_request_fail(r, SKL_E_NOTFOUND, "get %s: no such volume", r->param);
}

/* -- prune */

struct pruning {
    struct skl_request *r;
    unsigned pending;
    char **deleted;
};

struct pruned {
    struct pruning *p;
    char *name;
};

static void finish(struct pruning *p)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_array(&j, "VolumesDeleted");
    for (char **v = p->deleted; v && *v; v++)
        skl_json_str(&j, NULL, *v);
    skl_json_end_array(&j);
    skl_json_int(&j, "SpaceReclaimed", 0);
    skl_json_end_object(&j);
    skl_prune_event(p->r->engine, "volume", 0);
    skl_request_json(p->r, 200, &b);
    skl_request_unref(p->r);
    skl_strv_free(p->deleted);
    free(p);
}

static void pruned(void *arg, const struct skl_error *err)
{
    struct pruned *x = arg;
    struct pruning *p = x->p;

    if (!err)
        skl_strv_push(&p->deleted, x->name);
    free(x->name);
    free(x);
    if (--p->pending == 0)
        finish(p);
}

/* Named ones hold what somebody wanted to keep: only `all` takes them, or a client from before 1.42. */
static bool takes_named(const struct skl_request *r, const struct skl_prune *prune, bool *ret,
                        struct skl_error *err)
{
    *ret = r->version < 142;
    return skl_filters_bool(&prune->filters, "all", ret, err) == 0;
}

void skl_route_volume_prune(struct skl_request *r)
{
    SKL_AUTO_PRUNE struct skl_prune prune = {0};
    struct skl_store *s = r->engine->store;
    struct skl_list *it;
    struct skl_error err;
    struct pruning *p;
    bool named;

    if (skl_prune_init(&prune, r, (const char *const[]){"all", NULL}, &err) < 0 ||
        !takes_named(r, &prune, &named, &err)) {
        skl_request_error(r, &err);
        return;
    }
    if (skl_filters_has(&prune.filters, "until")) {
        skl_request_fail(r, SKL_E_INVALID, "The \"until\" filter is not supported for volumes");
        return;
    }
    p = skl_new0(struct pruning);
    p->r = skl_request_ref(r);
    p->pending = 1; /* this loop */
    skl_list_foreach (it, skl_volume_all(s)) {
        const struct skl_volume *v = SKL_LIST_ENTRY(it, struct skl_volume, in_store);
        struct pruned *x;

        if ((!v->anonymous && !named) || skl_volume_users(s, v) > 0 ||
            !skl_prune_takes(&prune, &v->labels, v->created_ns))
            continue;
        x = skl_new0(struct pruned);
        x->p = p;
        x->name = skl_strdup(v->name);
        p->pending++;
        skl_volume_erase(r->engine, v->name, pruned, x);
    }
    if (--p->pending == 0)
        finish(p);
}
