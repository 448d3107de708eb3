/* The function of a container: made from the stub (or, where the endpoint takes it, from the image itself), deleted. It is
 * never patched: that would bring the stub back into the service.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "gcf.h"

#define PATH_LEN 128

void skl_gcf_add_labels(cJSON *json, const struct skl_container_snapshot *c)
{
    cJSON *labels = cJSON_AddObjectToObject(json, "labels");
    char id[SKL_GCF_ID_LABEL_N + 1];

    snprintf(id, sizeof(id), "%.*s", SKL_GCF_ID_LABEL_N, c->id);
    cJSON_AddStringToObject(labels, "managed-by", "sockerless");
    cJSON_AddStringToObject(labels, SKL_GCF_ID_LABEL, id);
    cJSON_AddStringToObject(labels, SKL_GCF_INSTANCE_LABEL, c->instance);
}

static const char *name_of(const struct skl_call *call)
{
    const char *name = skl_labels_get(&call->c->cloud, SKL_GCF_NAME);

    return name ? name : "";
}

/* -- the function's body */

static void add_service_config(const struct skl_gcf *gcf, const struct skl_gcf_size *size,
                               cJSON *json)
{
    const struct skl_gcf_config *c = gcf->config;
    cJSON *config = cJSON_AddObjectToObject(json, "serviceConfig");

    cJSON_AddStringToObject(config, "availableCpu", size->cpu);
    cJSON_AddStringToObject(config, "availableMemory", size->memory);
    cJSON_AddNumberToObject(config, "timeoutSeconds", (double)c->timeout_s);
    cJSON_AddNumberToObject(config, "maxInstanceCount", 1);
    cJSON_AddNumberToObject(config, "maxInstanceRequestConcurrency", SKL_GCF_CONCURRENCY);
    cJSON_AddStringToObject(config, "ingressSettings", "ALLOW_ALL");
    if (!skl_str_empty(c->service_account))
        cJSON_AddStringToObject(config, "serviceAccountEmail", c->service_account);
}

static void add_stub(const struct skl_gcf *gcf, const char *runtime, const char *object,
                     cJSON *json)
{
    const struct skl_gcf_config *c = gcf->config;
    cJSON *build = cJSON_AddObjectToObject(json, "buildConfig"), *storage;

    cJSON_AddStringToObject(build, "runtime", runtime);
    cJSON_AddStringToObject(build, "entryPoint", "Stub");
    cJSON_AddObjectToObject(build, "onDeployUpdatePolicy"); /* no base image is put below ours */
    if (!skl_str_empty(c->build_service_account)) {
        SKL_AUTO_BUF struct skl_buf account = {0};

        skl_buf_init(&account, 4 * SKL_KIB);
        skl_buf_addf(&account, "projects/%s/serviceAccounts/%s", c->project,
                     c->build_service_account);
        cJSON_AddStringToObject(build, "serviceAccount", account.p);
    }
    storage = cJSON_AddObjectToObject(cJSON_AddObjectToObject(build, "source"), "storageSource");
    cJSON_AddStringToObject(storage, "bucket", gcf->bucket);
    cJSON_AddStringToObject(storage, "object", object);
}

static int add_docker_runtime(const struct skl_gcf *gcf, const struct skl_container_snapshot *c,
                              cJSON *json, struct skl_error *err)
{
    cJSON *build = cJSON_AddObjectToObject(json, "buildConfig"), *variables;
    SKL_AUTO_JSON cJSON *command = skl_gcf_command(gcf, c);
    char *image SKL_AUTO_STR = NULL, *text SKL_AUTO_STR = skl_json_text(command);
    int rc = skl_gcf_image(gcf->config, c->spec.image_ref, &image, err);

    if (rc < 0)
        return rc;
    cJSON_AddStringToObject(build, "runtime", "docker");
    cJSON_AddStringToObject(build, "entryPoint", "");
    variables = cJSON_AddObjectToObject(build, "environmentVariables");
    cJSON_AddStringToObject(variables, "DOCKER_IMAGE", image);
    cJSON_AddStringToObject(variables, "DOCKER_COMMAND", text);
    cJSON_AddItemToObject(skl_json_get(json, "serviceConfig"), "environmentVariables",
                          skl_gcf_environment(gcf, c));
    return 0;
}

static int create(struct skl_gcf *gcf, struct skl_call *call, struct skl_outcome *ret,
                  struct skl_error *err)
{
    char *runtime SKL_AUTO_STR = NULL, *object SKL_AUTO_STR = NULL, *body SKL_AUTO_SECRET = NULL;
    SKL_AUTO_JSON cJSON *json = cJSON_CreateObject();
    const struct skl_container_spec *spec = &call->c->spec;
    struct skl_gcf_size size;
    char query[PATH_LEN];
    int rc = skl_gcf_size(gcf->config, spec->nano_cpus, spec->memory_bytes, &size, err);

    if (rc < 0)
        return rc;
    skl_gcf_add_labels(json, call->c);
    add_service_config(gcf, &size, json);
    if (gcf->mode == SKL_GCF_DOCKER_RUNTIME) {
        rc = add_docker_runtime(gcf, call->c, json, err);
    } else {
        rc = skl_gcf_stub_ensure(gcf, call, &runtime, &object, err);
        if (rc == 0)
            add_stub(gcf, runtime, object, json);
    }
    if (rc < 0)
        return rc;
    snprintf(query, sizeof(query), "functionId=%s", name_of(call));
    body = skl_json_text(json);
    return skl_gcf_begin(gcf, call, SKL_GCP_FUNCTIONS, "functions.create", "POST", "functions",
                         query, body, ret, err);
}

/* -- a turn */

static int get(struct skl_gcf *gcf, struct skl_call *call, const char *kind,
               struct skl_gcp_result *ret, struct skl_error *err)
{
    bool is_function = skl_streq(kind, SKL_GCF_KIND_FUNCTION);
    char path[PATH_LEN];

    snprintf(path, sizeof(path), "%ss/%s", kind, name_of(call));
    return skl_gcf_send(gcf, call, is_function ? SKL_GCP_FUNCTIONS : SKL_GCP_RUN,
                        is_function ? "functions.get" : "services.get", "GET", path, NULL, NULL,
                        ret, err);
}

static int fail_with_messages(const cJSON *function, struct skl_error *err)
{
    const cJSON *messages = skl_json_get(function, "stateMessages");
    const char *text = skl_json_get_str(cJSON_GetArrayItem(messages, 0), "message");
    const char *state = skl_json_get_str(function, "state");

    return skl_fail(err, SKL_E_INTERNAL, "Google could not make the function: %.150s (%.20s)",
                    text ? text : "it does not say why", state ? state : "no state");
}

int skl_gcf_function_turn(struct skl_gcf *gcf, struct skl_call *call, struct skl_outcome *ret,
                          struct skl_error *err)
{
    SKL_AUTO_GCP_RESULT struct skl_gcp_result result = {0};
    const char *state, *service, *last;
    int rc = get(gcf, call, SKL_GCF_KIND_FUNCTION, &result, err);

    if (result.status == 404)
        return create(gcf, call, ret, err);
    if (rc < 0)
        return rc;
    if (!skl_gcf_is_ours(result.json, call->c))
        return skl_fail(err, SKL_E_CONFLICT, "the function '%s' is not of this container",
                        name_of(call));
    state = skl_json_get_str(result.json, "state");
    if (skl_streq(state, "DEPLOYING") || skl_streq(state, "DELETING")) {
        ret->again_ms = gcf->poll_ms;
        return 0;
    }
    service = skl_json_get_str(skl_json_get(result.json, "serviceConfig"), "service");
    last = service ? strrchr(service, '/') : NULL;
    if (!skl_streq(state, "ACTIVE") || !last || !last[1] || strlen(last + 1) > 63)
        return fail_with_messages(result.json, err);
    skl_labels_set(&ret->cloud, SKL_GCF_SERVICE, last + 1);
    return 0;
}

/* -- deletion */

int skl_gcf_delete(struct skl_gcf *gcf, struct skl_call *call, const char *kind, const char *name,
                   struct skl_error *err)
{
    bool is_function = skl_streq(kind, SKL_GCF_KIND_FUNCTION);
    char path[PATH_LEN];
    int rc;

    snprintf(path, sizeof(path), "%ss/%s", kind, name);
    rc = skl_gcf_run(gcf, call, is_function ? SKL_GCP_FUNCTIONS : SKL_GCP_RUN,
                     is_function ? "functions.delete" : "services.delete", "DELETE", path, NULL,
                     NULL, err);
    return rc == -SKL_E_NOTFOUND ? 0 : rc;
}

int skl_gcf_delete_own(struct skl_gcf *gcf, struct skl_call *call, struct skl_error *err)
{
    const char *kind = skl_labels_get(&call->c->cloud, SKL_GCF_KIND);
    SKL_AUTO_GCP_RESULT struct skl_gcp_result result = {0};
    int rc;

    if (!kind || !*name_of(call))
        return 0;
    rc = get(gcf, call, kind, &result, err);
    if (result.status == 404)
        return 0;
    if (rc < 0)
        return rc;
    if (!skl_gcf_is_ours(result.json, call->c))
        return 0;
    return skl_gcf_delete(gcf, call, kind, name_of(call), err);
}
