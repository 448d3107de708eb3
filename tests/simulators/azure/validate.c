/* What the service refuses of a job. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

static bool invalid(struct sim_answer *a, const char *code, const char *text)
{
    sim_arm_error(a, 400, code, "%s", text);
    return false;
}

/* Lower-case letters, digits and '-', a letter first, no '-' last, no "--", fewer than 32 characters. */
static bool is_job_name(const char *name)
{
    size_t n = strlen(name);

    if (n < 2 || n >= 32 || !islower((unsigned char)name[0]) || name[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!(islower((unsigned char)name[i]) || isdigit((unsigned char)name[i]) ||
              (name[i] == '-' && name[i + 1] != '-')))
            return false;
    return true;
}

/* Memory is 2 Gi per vCPU, in quarters, up to 4 vCPU. */
static bool is_row(double cpu, double memory)
{
    double quarters = cpu * 4;

    return quarters >= 1 && quarters <= 16 && fabs(quarters - round(quarters)) < 1e-9 &&
           fabs(memory - 2 * cpu) < 1e-9;
}

static bool read_resources(const cJSON *container, double *cpu, double *memory)
{
    const cJSON *resources = skl_json_get(container, "resources");
    const cJSON *c = skl_json_get(resources, "cpu");
    const char *m = skl_json_get_str(resources, "memory");

    if (!resources) {
        *cpu += 0.25;
        *memory += 0.5;
        return true;
    }
    if (!cJSON_IsNumber(c) || !m || !skl_str_ends(skl_str(m), "Gi"))
        return false;
    *cpu += c->valuedouble;
    *memory += strtod(m, NULL);
    return true;
}

static bool has_named(const cJSON *list, const char *key, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list) if (skl_streq(skl_json_get_str(item, key), name)) return true;
    return false;
}

static bool check_container(const cJSON *c, const cJSON *volumes, const cJSON *secrets,
                            bool with_volumes, struct sim_answer *a)
{
    const cJSON *item;

    if (!skl_json_get_str(c, "name") || !skl_json_get_str(c, "image"))
        return invalid(a, "ContainerAppContainerInvalid",
                       "Every container needs the fields 'name' and 'image'.");
    if (!with_volumes && skl_json_get(c, "volumeMounts"))
        return invalid(a, "InvalidRequestContent", "volumeMounts cannot be overridden at start.");
    cJSON_ArrayForEach(item, skl_json_get(c, "volumeMounts"))
    {
        const char *name = skl_json_get_str(item, "volumeName");

        if (!name || !has_named(volumes, "name", name))
            return invalid(a, "ContainerAppVolumeMountInvalid",
                           "A volumeMount names a volume that the template does not have.");
        if (skl_str_empty(skl_json_get_str(item, "mountPath")))
            return invalid(a, "ContainerAppVolumeMountInvalid", "A volumeMount needs a mountPath.");
    }
    cJSON_ArrayForEach(item, skl_json_get(c, "env"))
    {
        const char *secret = skl_json_get_str(item, "secretRef");

        if (skl_str_empty(skl_json_get_str(item, "name")))
            return invalid(a, "ContainerAppEnvironmentVariableInvalid",
                           "An environment variable needs a name.");
        if (secret && !has_named(secrets, "name", secret))
            return invalid(a, "ContainerAppSecretRefNotFound",
                           "An environment variable refers to a secret that is not defined.");
    }
    return true;
}

bool sim_template_validate(const cJSON *template, const cJSON *secrets, bool with_volumes,
                           struct sim_answer *a)
{
    const cJSON *volumes = skl_json_get(template, "volumes");
    const cJSON *containers = skl_json_get(template, "containers");
    const cJSON *item;
    double cpu = 0, memory = 0;

    if (cJSON_GetArraySize(containers) < 1)
        return invalid(a, "ContainerAppContainersRequired", "At least one container is required.");
    cJSON_ArrayForEach(item, volumes)
    {
        const char *type = skl_json_get_str(item, "storageType");

        if (type && !skl_str_ieqz(skl_str(type), "EmptyDir") &&
            !skl_str_ieqz(skl_str(type), "Secret"))
            return invalid(a, "ManagedEnvironmentStorageNotFound",
                           "A volume names a storage that the environment does not have.");
    }
    cJSON_ArrayForEach(item, containers) if (!check_container(item, volumes, secrets, with_volumes,
                                                              a)) return false;
    else if (!read_resources(item, &cpu, &memory)) return invalid(
        a, "ContainerAppInvalidResourceTotal",
        "cpu must be a number and memory a "
        "text that ends in Gi.");
    cJSON_ArrayForEach(
        item, skl_json_get(template, "initContainers")) if (!check_container(item, volumes, secrets,
                                                                             with_volumes,
                                                                             a)) return false;
    if (!is_row(cpu, memory))
        return invalid(a, "ContainerAppInvalidResourceTotal",
                       "The total requested CPU and memory resources are not an allowed pair: "
                       "memory is 2Gi per vCPU, in steps of 0.25 vCPU.");
    return true;
}

bool sim_job_validate(struct sim *s, const char *name, const cJSON *body, struct sim_answer *a)
{
    const cJSON *properties = skl_json_get(body, "properties");
    const cJSON *configuration = skl_json_get(properties, "configuration");
    const char *environment = skl_json_get_str(properties, "environmentId");
    const char *trigger = skl_json_get_str(configuration, "triggerType");
    char key[128];

    if (!is_job_name(name))
        return invalid(
            a, "ContainerAppJobInvalidName",
            "Invalid job name: lower case letters, digits and '-', fewer than 32 characters.");
    if (skl_str_empty(skl_json_get_str(body, "location")))
        return invalid(a, "LocationRequired",
                       "The location property is required for this definition.");
    if (skl_str_empty(environment))
        return invalid(a, "InvalidRequestContent", "The field 'environmentId' is required.");
    snprintf(key, sizeof(key), "%s",
             strrchr(environment, '/') ? strrchr(environment, '/') + 1 : "");
    for (char *p = key; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    if (!skl_map_getz(&s->environments, key)) {
        sim_arm_error(a, 404, "ManagedEnvironmentNotFound", "The environment '%s' does not exist.",
                      environment);
        return false;
    }
    if (!trigger || (!skl_streq(trigger, "Manual") && !skl_streq(trigger, "Schedule") &&
                     !skl_streq(trigger, "Event")))
        return invalid(a, "ContainerAppJobTriggerTypeRequired",
                       "triggerType is required: Manual, "
                       "Schedule or Event.");
    if (!cJSON_IsNumber(skl_json_get(configuration, "replicaTimeout")) ||
        skl_json_get_int(configuration, "replicaTimeout", 0) < 1)
        return invalid(a, "ContainerAppJobReplicaTimeoutRequired",
                       "The field 'configuration.replicaTimeout' is required.");
    return sim_template_validate(skl_json_get(properties, "template"),
                                 skl_json_get(configuration, "secrets"), true, a);
}
