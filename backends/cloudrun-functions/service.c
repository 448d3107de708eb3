/* The Cloud Run service of a container: made, given the container's image, switched off and on, asked whether it is ready.
 *
 * A service belongs to a function or stands alone; what happens to it is the same. A new revision that fails leaves the
 * previous one serving, so an answer alone proves nothing: the service's own conditions count, and after them the agent.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "gcf.h"

#define PATH_LEN 128
#define OFF      "{\"scaling\":{\"scalingMode\":\"MANUAL\",\"manualInstanceCount\":0}}"
#define ON       "{\"scaling\":{\"scalingMode\":\"AUTOMATIC\"}}"

static void path_of(const char *service, char out[PATH_LEN])
{
    snprintf(out, PATH_LEN, "services/%s", service);
}

static int get(struct skl_gcf *gcf, struct skl_call *call, const char *service,
               struct skl_gcp_result *ret, struct skl_error *err)
{
    char path[PATH_LEN];

    path_of(service, path);
    return skl_gcf_send(gcf, call, SKL_GCP_RUN, "services.get", "GET", path, NULL, NULL, ret, err);
}

/* -- off and on */

static bool is_off(const cJSON *service)
{
    const cJSON *scaling = skl_json_get(service, "scaling");

    return skl_streq(skl_json_get_str(scaling, "scalingMode"), "MANUAL") &&
           skl_json_get_int(scaling, "manualInstanceCount", 0) == 0;
}

int skl_gcf_service_state(struct skl_gcf *gcf, struct skl_call *call, const char *service,
                          enum skl_gcf_service_state *ret, struct skl_error *err)
{
    SKL_AUTO_GCP_RESULT struct skl_gcp_result result = {0};
    int rc = get(gcf, call, service, &result, err);

    *ret = SKL_GCF_ABSENT;
    if (result.status == 404)
        return 0;
    if (rc == 0)
        *ret = is_off(result.json) ? SKL_GCF_OFF : SKL_GCF_ON;
    return rc;
}

int skl_gcf_service_switch(struct skl_gcf *gcf, struct skl_call *call, const char *service, bool on,
                           struct skl_error *err)
{
    char path[PATH_LEN];

    path_of(service, path);
    return skl_gcf_run(gcf, call, SKL_GCP_RUN, "services.patch", "PATCH", path,
                       "updateMask=scaling", on ? ON : OFF, err);
}

/* -- the container's image */

/* The template is the container's already, in the size that it wants now. */
static bool is_as_wanted(const struct skl_gcf *gcf, const struct skl_container_snapshot *c,
                         const cJSON *service)
{
    const cJSON *annotations = skl_json_get(skl_json_get(service, "template"), "annotations");
    struct skl_gcf_size size;
    char text[40];

    if (gcf->mode == SKL_GCF_DOCKER_RUNTIME)
        return true; /* as the function made it */
    if (skl_gcf_size(gcf->config, c->spec.nano_cpus, c->spec.memory_bytes, &size, NULL) < 0)
        return true; /* create has refused it */
    snprintf(text, sizeof(text), "%s/%s", size.cpu, size.memory);
    return skl_streq(skl_json_get_str(annotations, SKL_GCF_ANNOTATION), c->id) &&
           skl_streq(skl_json_get_str(annotations, SKL_GCF_SIZE_ANNOTATION), text);
}

/* service: as read */
static int swap(struct skl_gcf *gcf, struct skl_call *call, const char *id, cJSON *service,
                struct skl_outcome *ret, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *change = cJSON_CreateObject();
    char *body SKL_AUTO_SECRET = NULL, path[PATH_LEN];
    const char *etag = skl_json_get_str(service, "etag");
    cJSON *template = cJSON_DetachItemFromObjectCaseSensitive(service, "template");
    int rc;

    if (!cJSON_IsObject(template)) {
        cJSON_Delete(template);
        template = cJSON_CreateObject();
    }
    cJSON_AddItemToObject(change, "template", template);
    if (etag)
        cJSON_AddStringToObject(change, "etag", etag);
    rc = skl_gcf_template(gcf, call->c, template, err);
    if (rc < 0)
        return rc;
    body = skl_json_text(change);
    path_of(id, path);
    return skl_gcf_begin(gcf, call, SKL_GCP_RUN, "services.patch", "PATCH", path,
                         "updateMask=template", body, ret, err);
}

static int create(struct skl_gcf *gcf, struct skl_call *call, const char *id,
                  struct skl_outcome *ret, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *json = cJSON_CreateObject();
    char *body SKL_AUTO_SECRET = NULL, query[PATH_LEN];
    int rc;

    skl_gcf_add_labels(json, call->c);
    cJSON_AddStringToObject(json, "ingress", "INGRESS_TRAFFIC_ALL");
    rc = skl_gcf_template(gcf, call->c, cJSON_AddObjectToObject(json, "template"), err);
    if (rc < 0)
        return rc;
    snprintf(query, sizeof(query), "serviceId=%s", id);
    body = skl_json_text(json);
    return skl_gcf_begin(gcf, call, SKL_GCP_RUN, "services.create", "POST", "services", query, body,
                         ret, err);
}

/* -- a turn */

static int fail_by(const struct skl_gcf *gcf, const struct skl_run_condition *condition,
                   struct skl_error *err)
{
    int rc = skl_run_fail(err, condition, "Google could not start the container's image");

    if (gcf->has_agent && skl_streq(condition->reason, "HEALTH_CHECK_CONTAINER_ERROR"))
        return skl_wrap(err, rc, "is the agent at %s, and the image for linux/amd64?",
                        gcf->config->agent_path);
    return rc;
}

int skl_gcf_service_explain(struct skl_gcf *gcf, struct skl_call *call,
                            const struct skl_outcome *ret, int rc, struct skl_error *err)
{
    const char *id = skl_gcf_known(call, ret, SKL_GCF_SERVICE);
    SKL_AUTO_GCP_RESULT struct skl_gcp_result result = {0};
    struct skl_run_condition condition;
    struct skl_error unsaid;

    if (!id || get(gcf, call, id, &result, &unsaid) < 0)
        return rc;
    skl_run_service_judge(result.json, &condition);
    return condition.state == SKL_RUN_FAILED ? fail_by(gcf, &condition, err) : rc;
}

static int judge(struct skl_gcf *gcf, const cJSON *service, struct skl_outcome *ret,
                 struct skl_error *err)
{
    const char *uri = skl_json_get_str(service, "uri");
    struct skl_run_condition condition;

    skl_run_service_judge(service, &condition);
    switch (condition.state) {
    case SKL_RUN_PENDING:
        ret->again_ms = gcf->poll_ms;
        return 0;
    case SKL_RUN_FAILED:
        return fail_by(gcf, &condition, err);
    case SKL_RUN_READY:
        break;
    }
    if (skl_str_empty(uri))
        return skl_fail(err, SKL_E_INTERNAL, "the service has no URL");
    skl_labels_set(&ret->cloud, SKL_GCF_URI, uri);
    return 0;
}

int skl_gcf_service_turn(struct skl_gcf *gcf, struct skl_call *call, struct skl_outcome *ret,
                         struct skl_error *err)
{
    const char *kind = skl_labels_get(&call->c->cloud, SKL_GCF_KIND);
    SKL_AUTO_GCP_RESULT struct skl_gcp_result result = {0};
    char *id SKL_AUTO_STR = skl_strdup(skl_gcf_known(call, ret, SKL_GCF_SERVICE));
    char path[PATH_LEN];
    int rc = get(gcf, call, id, &result, err);

    if (result.status == 404) {
        skl_labels_set(&ret->cloud, SKL_GCF_URI, "");
        if (skl_streq(kind, SKL_GCF_KIND_SERVICE))
            return create(gcf, call, id, ret, err);
        skl_labels_set(&ret->cloud, SKL_GCF_SERVICE, ""); /* the function is gone, or will be */
        ret->again_ms = gcf->poll_ms;
        return 0;
    }
    if (rc < 0)
        return rc;
    if (!skl_gcf_is_ours(result.json, call->c))
        return skl_fail(err, SKL_E_CONFLICT, "the service '%s' is not of this container", id);
    if (!is_as_wanted(gcf, call->c, result.json))
        return swap(gcf, call, id, result.json, ret, err);
    if (!is_off(result.json))
        return judge(gcf, result.json, ret, err);
    path_of(id, path);
    return skl_gcf_begin(gcf, call, SKL_GCP_RUN, "services.patch", "PATCH", path,
                         "updateMask=scaling", ON, ret, err);
}
