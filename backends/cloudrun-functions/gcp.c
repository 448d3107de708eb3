/* The Google clients of this backend, and the forms that its calls have.
 *
 * Making a function takes minutes, most of it waiting. So create and start come in turns: each looks at what the cloud has,
 * does the next call, and comes back later; what is being waited for is recorded with the container. A turn may be lost, or
 * taken twice: the next one sees what there is. Stop and remove take seconds and wait on their worker.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"
#include "gcf.h"

#define LOST_ANSWER_MS                                                                             \
    60000 /* how long a call whose answer is lost or an error of the cloud's own is repeated */
#define BUSY_WAIT_MS 1000

int skl_gcf_connect(struct skl_gcf *gcf, struct skl_error *err)
{
    const struct skl_gcf_config *c = gcf->config;
    struct skl_gcp_settings settings = {
        .rest = {.max_retries = 8}, /* a run is a dozen calls: as for the other clouds */
        .endpoint_url = skl_str_empty(c->endpoint_url) ? NULL : c->endpoint_url,
        .project = c->project,
        .auth = c->auth,
        .poll_interval_ms = gcf->poll_ms,
    };

    if (skl_str_empty(settings.auth.invoker_account))
        settings.auth.invoker_account = c->service_account;
    return skl_gcp_new(&settings, &gcf->gcp, err);
}

void skl_gcf_extend_deadline(struct skl_call *call, int64_t ms)
{
    if (call->deadline_ms == 0)
        call->deadline_ms = skl_mono_ms() + ms;
}

/* -- calls */

struct text {
    struct skl_buf path, what, reason;
};

static void text_fini(struct text *t)
{
    skl_buf_fini(&t->path);
    skl_buf_fini(&t->what);
    skl_buf_fini(&t->reason);
}

#define AUTO_TEXT __attribute__((cleanup(text_fini)))

static struct skl_gcp_call call_of(const struct skl_gcf *gcf, struct skl_call *call,
                                   enum skl_gcp_api api, const char *operation, const char *method,
                                   const char *path, const char *query, const char *body,
                                   struct text *t)
{
    skl_buf_init(&t->path, 4 * SKL_KIB);
    skl_buf_init(&t->what, SKL_KIB);
    skl_buf_init(&t->reason, SKL_KIB);
    skl_buf_addf(&t->path, "/v2/%s/%s", gcf->location, path);
    skl_buf_addf(&t->what, "%s of '%s'", operation, path);
    if (call->c)
        skl_buf_addf(&t->reason, "sockerless/%s", call->c->id);
    return (struct skl_gcp_call){
        .api = api,
        .operation = operation,
        .what = t->what.p,
        .method = method,
        .path = t->path.p,
        .query = query,
        .body = skl_str(body),
        .context = {.deadline_ms = call->deadline_ms,
                    .cancel = &call->canceled,
                    .reason = t->reason.n ? t->reason.p : NULL},
    };
}

int skl_gcf_send(struct skl_gcf *gcf, struct skl_call *call, enum skl_gcp_api api,
                 const char *operation, const char *method, const char *path, const char *query,
                 const char *body, struct skl_gcp_result *ret, struct skl_error *err)
{
    AUTO_TEXT struct text t = {0};
    struct skl_gcp_call c = call_of(gcf, call, api, operation, method, path, query, body, &t);

    return skl_gcp_send(gcf->gcp->client, &c, ret, err);
}

int skl_gcf_run(struct skl_gcf *gcf, struct skl_call *call, enum skl_gcp_api api,
                const char *operation, const char *method, const char *path, const char *query,
                const char *body, struct skl_error *err)
{
    for (;;) {
        AUTO_TEXT struct text t = {0};
        SKL_AUTO_GCP_RESULT struct skl_gcp_result result = {0};
        struct skl_gcp_call c = call_of(gcf, call, api, operation, method, path, query, body, &t);
        int rc;

        c.resource = t.path.p;
        rc = skl_gcp_run(gcf->gcp->client, &c, &result, err);
        if (!skl_streq(result.code, "ABORTED"))
            return rc;
        rc = skl_cloud_sleep(BUSY_WAIT_MS, call->deadline_ms, &call->canceled, err);
        if (rc < 0)
            return rc;
    }
}

/* -- turns */

const char *skl_gcf_known(const struct skl_call *call, const struct skl_outcome *ret,
                          const char *label)
{
    const char *found = skl_labels_get(&ret->cloud, label);

    if (!found)
        found = skl_labels_get(&call->c->cloud, label);
    return skl_str_empty(found) ? NULL : found;
}

/* The next turn looks at what the cloud made of the call: also when its answer does not tell. */
static bool is_worth_a_look(const struct skl_call *call, const struct skl_gcp_result *r)
{
    if (skl_streq(r->code, "ABORTED") || skl_streq(r->code, "ALREADY_EXISTS"))
        return true;
    return skl_mono_ms() - call->since_ms < LOST_ANSWER_MS &&
           (r->status == 0 ? r->maybe_sent : r->status >= 500);
}

int skl_gcf_begin(struct skl_gcf *gcf, struct skl_call *call, enum skl_gcp_api api,
                  const char *operation, const char *method, const char *path, const char *query,
                  const char *body, struct skl_outcome *ret, struct skl_error *err)
{
    SKL_AUTO_GCP_RESULT struct skl_gcp_result result = {0};
    int rc = skl_gcf_send(gcf, call, api, operation, method, path, query, body, &result, err);
    const char *name;

    ret->again_ms = gcf->poll_ms;
    if (rc < 0)
        return is_worth_a_look(call, &result) ? 0 : rc;
    name = skl_json_get_str(result.json, "name");
    if (!skl_str_empty(name)) {
        SKL_AUTO_BUF struct skl_buf b = {0};

        skl_buf_init(&b, 2 * SKL_KIB);
        skl_buf_addf(&b, "%s:%s", api == SKL_GCP_FUNCTIONS ? "functions" : "run", name);
        skl_labels_set(&ret->cloud, SKL_GCF_OPERATION, b.p);
    }
    return 0;
}

static void log_stages(const struct skl_call *call, const cJSON *operation)
{
    const cJSON *stage;

    cJSON_ArrayForEach(stage, skl_json_get(skl_json_get(operation, "metadata"), "stages"))
    {
        if (skl_streq(skl_json_get_str(stage, "state"), "IN_PROGRESS"))
            skl_debug("gcf", "a function is being made", "container", call->c->id, "stage",
                      skl_json_get_str(stage, "name"), NULL);
    }
}

int skl_gcf_settle(struct skl_gcf *gcf, struct skl_call *call, struct skl_outcome *ret, bool *over,
                   struct skl_error *err)
{
    const char *label = skl_gcf_known(call, ret, SKL_GCF_OPERATION);
    SKL_AUTO_GCP_RESULT struct skl_gcp_result result = {0};
    struct skl_str name, api = skl_str_cut(skl_str(label), ':', &name);
    struct skl_gcp_call c = {
        .api = skl_str_eqz(api, "functions") ? SKL_GCP_FUNCTIONS : SKL_GCP_RUN,
        .operation = "operations.get",
        .what = "making the container's function",
        .context = {.deadline_ms = call->deadline_ms, .cancel = &call->canceled},
    };
    int rc;

    *over = true;
    if (!label)
        return 0;
    rc = skl_gcp_look(gcf->gcp->client, &c, name.p, over, &result, err);
    if (result.status == 404)
        rc = 0; /* they are not kept for ever: the resource tells */
    if (rc < 0 && skl_streq(result.code, "ABORTED"))
        rc = 0; /* somebody else changed it: from the start */
    if (rc < 0)
        return rc;
    if (*over) {
        skl_labels_set(&ret->cloud, SKL_GCF_OPERATION, "");
        return 0;
    }
    log_stages(call, result.json);
    ret->again_ms = gcf->poll_ms;
    return 0;
}

bool skl_gcf_is_ours(const cJSON *resource, const struct skl_container_snapshot *c)
{
    const char *id = skl_json_get_str(skl_json_get(resource, "labels"), SKL_GCF_ID_LABEL);

    return id && strlen(id) == SKL_GCF_ID_LABEL_N && strncmp(id, c->id, SKL_GCF_ID_LABEL_N) == 0;
}
