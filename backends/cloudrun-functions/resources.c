/* What bears our labels in the region, for the reaper. A service below a function goes with the function. */
#include "base/json_read.h"
#include "base/limits.h"
#include "gcf.h"

struct listing {
    const char *kind, *instance;
    skl_resource_cb *cb;
    void *arg;
};

static bool take(void *arg, const cJSON *item)
{
    const struct listing *l = arg;
    const cJSON *labels = skl_json_get(item, "labels");
    const char *id = skl_json_get_str(labels, SKL_GCF_ID_LABEL);
    const char *name = skl_json_get_str(item, "name"), *last = name ? strrchr(name, '/') : NULL;
    bool is_functions = skl_streq(l->kind, SKL_GCF_KIND_SERVICE) &&
                        !skl_str_empty(skl_json_get_str(labels, "goog-managed-by"));

    if (last && last[1] && !is_functions &&
        skl_streq(skl_json_get_str(labels, "managed-by"), "sockerless") &&
        skl_streq(skl_json_get_str(labels, SKL_GCF_INSTANCE_LABEL), l->instance))
        l->cb(l->arg, &(struct skl_resource){l->kind, last + 1, id ? id : ""});
    return true;
}

static int list(struct skl_gcf *gcf, struct skl_call *call, struct listing *l,
                struct skl_error *err)
{
    bool is_function = skl_streq(l->kind, SKL_GCF_KIND_FUNCTION);
    SKL_AUTO_BUF struct skl_buf path = {0}, operation = {0}, what = {0};

    skl_buf_init(&path, 4 * SKL_KIB);
    skl_buf_init(&operation, SKL_KIB);
    skl_buf_init(&what, SKL_KIB);
    skl_buf_addf(&path, "/v2/%s/%ss", gcf->location, l->kind);
    skl_buf_addf(&operation, "%ss.list", l->kind);
    skl_buf_addf(&what, "listing the %ss", l->kind);
    return skl_gcp_list(gcf->gcp->client,
                        &(struct skl_gcp_call){.api = is_function ? SKL_GCP_FUNCTIONS : SKL_GCP_RUN,
                                               .operation = operation.p,
                                               .what = what.p,
                                               .method = "GET",
                                               .path = path.p,
                                               .context = {.deadline_ms = call->deadline_ms,
                                                           .cancel = &call->canceled}},
                        is_function ? "functions" : "services", take, l, err);
}

int skl_gcf_list(void *ctx, struct skl_call *call, const char *instance, skl_resource_cb *cb,
                 void *arg, struct skl_error *err)
{
    struct listing functions = {SKL_GCF_KIND_FUNCTION, instance, cb, arg};
    struct listing services = {SKL_GCF_KIND_SERVICE, instance, cb, arg};
    int rc = list(ctx, call, &functions, err);

    return rc < 0 ? rc : list(ctx, call, &services, err);
}

int skl_gcf_remove_resource(void *ctx, struct skl_call *call, const struct skl_resource *r,
                            struct skl_error *err)
{
    return skl_gcf_delete(ctx, call, r->kind, r->name, err);
}
