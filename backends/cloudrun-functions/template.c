/* The container as a Cloud Run revision: image, command, size, volumes.
 *
 * With an agent the user's command, environment, directory and user travel in START: what stands in the service can be read
 * by everybody who may view the project, is limited, and costs a rollout to change. Without one they stand here.
 */
#include <ctype.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "gcf.h"

#define MAX_VALUE (32 * SKL_KIB)

/* Adds or replaces. */
static void put(cJSON *object, const char *name, cJSON *own_value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    cJSON_AddItemToObject(object, name, own_value);
}

static void put_str(cJSON *object, const char *name, const char *value)
{
    put(object, name, cJSON_CreateString(value));
}

static cJSON *member(cJSON *object, const char *name)
{
    cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsObject(item) ? item
                                : (put(object, name, cJSON_CreateObject()),
                                   cJSON_GetObjectItemCaseSensitive(object, name));
}

/* -- what runs */

cJSON *skl_gcf_command(const struct skl_gcf *gcf, const struct skl_container_snapshot *c)
{
    cJSON *list = cJSON_CreateArray();
    char port[8];

    if (!gcf->has_agent) {
        for (char **p = c->spec.argv; p && *p; p++)
            cJSON_AddItemToArray(list, cJSON_CreateString(*p));
        return list;
    }
    snprintf(port, sizeof(port), "%d", SKL_GCF_PORT);
    cJSON_AddItemToArray(list, cJSON_CreateString(gcf->config->agent_path));
    cJSON_AddItemToArray(list, cJSON_CreateString("--http-port"));
    cJSON_AddItemToArray(list, cJSON_CreateString(port));
    cJSON_AddItemToArray(list, cJSON_CreateString("--"));
    return list;
}

/* Names that Cloud Run keeps for itself, or that cannot be names. */
static bool is_carried(const char *name, size_t n, size_t value_n)
{
    static const char *const theirs[] = {"PORT",
                                         "K_SERVICE",
                                         "K_REVISION",
                                         "K_CONFIGURATION",
                                         "FUNCTION_TARGET",
                                         "FUNCTION_SIGNATURE_TYPE"};

    if (n == 0 || isdigit((unsigned char)name[0]) || value_n > MAX_VALUE)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("_.-", name[i]))
            return false;
    for (size_t i = 0; i < SKL_ARRAY_LEN(theirs); i++)
        if (skl_str_eqz(skl_str_n(name, n), theirs[i]))
            return false;
    return !skl_str_starts(skl_str_n(name, n), "X_GOOGLE_") &&
           !skl_str_starts(skl_str_n(name, n), "SOCKERLESS_");
}

cJSON *skl_gcf_environment(const struct skl_gcf *gcf, const struct skl_container_snapshot *c)
{
    cJSON *env = cJSON_CreateObject();

    if (gcf->has_agent) {
        put_str(env, "SOCKERLESS_CONTAINER_ID", c->id);
        put_str(env, "SOCKERLESS_AGENT_TOKEN", c->token);
        put_str(env, "SOCKERLESS_AGENT_CALLBACK_URL", gcf->config->callback_url);
        if (c->agent_ca)
            put_str(env, "SOCKERLESS_AGENT_CA", c->agent_ca);
        return env;
    }
    for (char **p = c->spec.env; p && *p; p++) {
        struct skl_str value, key = skl_str_cut(skl_str(*p), '=', &value);
        char *name SKL_AUTO_STR = NULL;

        if (!value.p || !is_carried(key.p, key.n, value.n))
            continue;
        name = skl_str_dup(key);
        put_str(env, name, value.p);
    }
    return env;
}

static void put_command(const struct skl_gcf *gcf, const struct skl_container_snapshot *c,
                        cJSON *container)
{
    cJSON *args = skl_gcf_command(gcf, c);
    cJSON *command = cJSON_CreateArray(), *first = cJSON_DetachItemFromArray(args, 0);

    /* Nothing: the image's own. */
    if (first)
        cJSON_AddItemToArray(command, first);
    put(container, "command", command);
    put(container, "args", args);
    if (!gcf->has_agent && !skl_str_empty(c->spec.cwd))
        put_str(container, "workingDir", c->spec.cwd);
}

static void put_environment(const struct skl_gcf *gcf, const struct skl_container_snapshot *c,
                            cJSON *container)
{
    SKL_AUTO_JSON cJSON *env = skl_gcf_environment(gcf, c);
    cJSON *list = cJSON_CreateArray();
    const cJSON *item;

    cJSON_ArrayForEach(item, env)
    {
        cJSON *pair = cJSON_CreateObject();

        put_str(pair, "name", item->string);
        put_str(pair, "value", item->valuestring);
        cJSON_AddItemToArray(list, pair);
    }
    put(container, "env", list);
}

static void put_size(const struct skl_gcf_size *size, cJSON *container)
{
    cJSON *resources = cJSON_CreateObject(), *limits = cJSON_AddObjectToObject(resources, "limits");

    put_str(limits, "cpu", size->cpu);
    put_str(limits, "memory", size->memory);
    cJSON_AddTrueToObject(resources, "cpuIdle"); /* paid for while there is a request */
    cJSON_AddTrueToObject(resources, "startupCpuBoost");
    put(container, "resources", resources);
}

/* -- volumes */

static void add_mount(cJSON *volumes, cJSON *mounts, const char *name, const char *path,
                      const char *kind, cJSON *own_kind)
{
    cJSON *volume = cJSON_CreateObject(), *mount = cJSON_CreateObject();

    put_str(volume, "name", name);
    put(volume, kind, own_kind);
    cJSON_AddItemToArray(volumes, volume);
    put_str(mount, "name", name);
    put_str(mount, "mountPath", path);
    cJSON_AddItemToArray(mounts, mount);
}

static cJSON *agent_volume(const char *bucket)
{
    static const char *const options[] = {"file-mode=755"}; /* else nothing in it can be executed */
    cJSON *gcs = cJSON_CreateObject();

    put_str(gcs, "bucket", bucket);
    cJSON_AddTrueToObject(gcs, "readOnly");
    cJSON_AddItemToObject(gcs, "mountOptions", cJSON_CreateStringArray(options, 1));
    return gcs;
}

static void put_volumes(const struct skl_gcf *gcf, const struct skl_container_snapshot *c,
                        cJSON *template, cJSON *container)
{
    cJSON *volumes = cJSON_CreateArray(), *mounts = cJSON_CreateArray();
    char name[24];

    if (gcf->has_agent && gcf->agent_bucket)
        add_mount(volumes, mounts, "agent", SKL_GCF_MOUNT_PATH, "gcs",
                  agent_volume(gcf->agent_bucket));
    for (size_t i = 0; i < c->spec.n_mounts; i++) {
        cJSON *dir = cJSON_CreateObject();

        snprintf(name, sizeof(name), "v%zu", i);
        put_str(dir, "medium", "MEMORY");
        add_mount(volumes, mounts, name, c->spec.mounts[i].destination, "emptyDir", dir);
    }
    put(template, "volumes", volumes);
    put(container, "volumeMounts", mounts);
}

/* -- the whole */

static void put_network(const struct skl_gcf_config *c, cJSON *template)
{
    cJSON *access, *interface;

    if (skl_str_empty(c->vpc_network))
        return;
    access = cJSON_CreateObject();
    interface = cJSON_CreateObject();
    put_str(interface, "network", c->vpc_network);
    if (!skl_str_empty(c->vpc_subnet))
        put_str(interface, "subnetwork", c->vpc_subnet);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(access, "networkInterfaces"), interface);
    put_str(access, "egress", "PRIVATE_RANGES_ONLY");
    put(template, "vpcAccess", access);
}

static cJSON *first_container(cJSON *template)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(template, "containers");

    if (cJSON_GetArraySize(list) < 1) {
        list = cJSON_CreateArray();
        cJSON_AddItemToArray(list, cJSON_CreateObject());
        put(template, "containers", list);
    }
    return cJSON_GetArrayItem(list, 0);
}

int skl_gcf_template(const struct skl_gcf *gcf, const struct skl_container_snapshot *c,
                     cJSON *template, struct skl_error *err)
{
    const struct skl_gcf_config *config = gcf->config;
    cJSON *container = first_container(template), *scaling = cJSON_CreateObject();
    char *image SKL_AUTO_STR = NULL;
    struct skl_gcf_size size;
    char text[40];
    int rc = skl_gcf_size(config, c->spec.nano_cpus, c->spec.memory_bytes, &size, err);

    if (rc == 0)
        rc = skl_gcf_image(config, c->spec.image_ref, &image, err);
    if (rc < 0) {
        cJSON_Delete(scaling);
        return rc;
    }
    /* What the stub's build left: its name is taken, its base image is not ours. */
    cJSON_DeleteItemFromObjectCaseSensitive(template, "revision");
    cJSON_DeleteItemFromObjectCaseSensitive(container, "baseImageUri");
    cJSON_DeleteItemFromObjectCaseSensitive(container, "sourceCode");
    put_str(container, "image", image);
    put_command(gcf, c, container);
    put_environment(gcf, c, container);
    put_size(&size, container);
    put_volumes(gcf, c, template, container);
    put_network(config, template);
    snprintf(text, sizeof(text), "%ds", (int)config->timeout_s);
    put_str(template, "timeout", text);
    if (!skl_str_empty(config->service_account))
        put_str(template, "serviceAccount", config->service_account);
    put_str(template, "executionEnvironment", "EXECUTION_ENVIRONMENT_GEN2");
    put(template, "maxInstanceRequestConcurrency", cJSON_CreateNumber(SKL_GCF_CONCURRENCY));
    cJSON_AddNumberToObject(scaling, "maxInstanceCount", 1);
    put(template, "scaling", scaling);
    if (!gcf->has_agent) /* it need not listen, and shall not run before it is invoked */
        put(template, "healthCheckDisabled", cJSON_CreateTrue());
    put_str(member(template, "annotations"), SKL_GCF_ANNOTATION, c->id);
    snprintf(text, sizeof(text), "%s/%s", size.cpu, size.memory);
    put_str(member(template, "annotations"), SKL_GCF_SIZE_ANNOTATION, text);
    return 0;
}
