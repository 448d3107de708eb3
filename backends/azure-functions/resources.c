/* What bears our tags in the resource group, for the reaper: sites first, since a plan cannot go before its sites. */
#include "azf.h"
#include "base/limits.h"

struct listing {
    const char *kind;
    skl_resource_cb *cb;
    void *arg;
};

static void take(void *arg, const char *name, const char *container_id)
{
    const struct listing *l = arg;

    l->cb(l->arg, &(struct skl_resource){l->kind, name, container_id});
}

static int list(struct skl_azf *azf, struct skl_call *call, const char *collection,
                const char *instance, struct listing *l, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0}, operation = {0}, what = {0};

    skl_buf_init(&path, 8 * SKL_KIB);
    skl_buf_init(&operation, SKL_KIB);
    skl_buf_init(&what, SKL_KIB);
    skl_buf_addf(&path, "%s/%s", azf->web_path, collection);
    skl_buf_addf(&operation, "%ss.list", l->kind);
    skl_buf_addf(&what, "listing the %ss", l->kind);
    return skl_azure_list_tagged(azf->azure->arm,
                                 &(struct skl_arm_call){.operation = operation.p,
                                                        .what = what.p,
                                                        .method = "GET",
                                                        .path = path.p,
                                                        .api_version = SKL_AZF_API,
                                                        .deadline_ms = call->deadline_ms,
                                                        .cancel = &call->canceled},
                                 instance, take, l, err);
}

int skl_azf_list(void *ctx, struct skl_call *call, const char *instance, skl_resource_cb *cb,
                 void *arg, struct skl_error *err)
{
    struct listing sites = {SKL_AZF_SITE, cb, arg}, plans = {SKL_AZF_PLAN, cb, arg};
    int rc = list(ctx, call, "sites", instance, &sites, err);

    return rc < 0 ? rc : list(ctx, call, "serverfarms", instance, &plans, err);
}

int skl_azf_remove_resource(void *ctx, struct skl_call *call, const struct skl_resource *r,
                            struct skl_error *err)
{
    return skl_streq(r->kind, SKL_AZF_SITE) ? skl_azf_site_delete(ctx, call, r->name, err)
                                            : skl_azf_plan_delete(ctx, call, r->name, err);
}
