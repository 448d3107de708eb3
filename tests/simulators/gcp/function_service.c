/* What a function is made of on the Cloud Run side, and what Functions refuses.
 *
 * A function of a language's runtime gets a stub image, which the simulator answers for itself; nothing of it ever serves
 * a user. With --docker-runtime the runtime "docker" is taken, too: the build variables DOCKER_IMAGE and DOCKER_COMMAND
 * (a JSON list; default: the agent) then say what runs. Without DOCKER_IMAGE such a function is a stub. */
#include <ctype.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

#define AGENT_COMMAND "[\"/sockerless/bin/sockerless-agent\"]"

static const char *const runtimes[] = {
    "dotnet8",   "go121",     "go122",     "go123",     "go124",    "go125",  "go126", "java17",
    "java21",    "nodejs18",  "nodejs20",  "nodejs22",  "nodejs24", "php83",  "php84", "python310",
    "python311", "python312", "python313", "python314", "ruby33",   "ruby34", NULL};

void gcp_runtimes(struct sim_answer *a)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *items = cJSON_AddArrayToObject(json, "runtimes");

    for (const char *const *r = runtimes; *r; r++) {
        cJSON *item = cJSON_CreateObject();

        cJSON_AddStringToObject(item, "name", *r);
        cJSON_AddStringToObject(item, "displayName", *r);
        cJSON_AddStringToObject(item, "stage", "GA");
        cJSON_AddStringToObject(item, "environment", "GEN_2");
        cJSON_AddItemToArray(items, item);
    }
    sim_json(a, 200, json);
    cJSON_Delete(json);
}

bool gcp_is_docker_runtime(const cJSON *json)
{
    return skl_streq(skl_json_get_str(skl_json_get(json, "buildConfig"), "runtime"), "docker");
}

char *gcp_function_service_id(const char *function_id)
{
    char *id = skl_strdup(function_id);

    for (char *p = id; *p; p++)
        *p = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
    return id;
}

/* -- sizes */

/* The cpu that comes with an amount of memory, in MiB. */
static const char *cpu_for(double memory)
{
    static const struct {
        double memory;
        const char *cpu;
    } rows[] = {{128, "0.083"}, {256, "0.1666"}, {512, "0.3333"}, {1024, "0.5833"},
                {2048, "1"},    {8192, "2"},     {16384, "4"},    {32768, "8"}};

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++)
        if (memory <= rows[i].memory)
            return rows[i].cpu;
    return "8";
}

static const char *memory_of(const cJSON *config)
{
    const char *text = skl_json_get_str(config, "availableMemory");

    return skl_str_empty(text) ? "256M" : text;
}

static const char *cpu_of(const cJSON *config)
{
    const char *text = skl_json_get_str(config, "availableCpu");
    double memory = 256;

    (void)gcp_memory(memory_of(config), &memory); /* validated */
    return skl_str_empty(text) ? cpu_for(memory) : text;
}

/* -- the service */

static void add_env(cJSON *env, const char *name, const char *value)
{
    cJSON *item = cJSON_CreateObject();

    cJSON_AddStringToObject(item, "name", name);
    cJSON_AddStringToObject(item, "value", value);
    cJSON_AddItemToArray(env, item);
}

static const char *docker_variable(const struct function *f, const char *name)
{
    const cJSON *variables =
        skl_json_get(skl_json_get(f->json, "buildConfig"), "environmentVariables");

    return gcp_is_docker_runtime(f->json)
               ? cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(variables, name))
               : NULL;
}

static void add_image(cJSON *container, const struct function *f, const char *stub)
{
    const char *image = docker_variable(f, "DOCKER_IMAGE");
    const char *command = docker_variable(f, "DOCKER_COMMAND");
    cJSON *list;

    cJSON_AddStringToObject(container, "image", image ? image : stub);
    if (!image)
        return;
    if (!command && !skl_str_empty(f->sim->options->agent))
        command = AGENT_COMMAND;
    list = command ? cJSON_Parse(command) : NULL;
    if (list)
        cJSON_AddItemToObject(container, "command", list);
}

static cJSON *container_of(const struct function *f, const char *stub)
{
    const cJSON *config = skl_json_get(f->json, "serviceConfig");
    cJSON *c = cJSON_CreateObject(), *env, *resources, *limits;
    const cJSON *item;

    cJSON_AddStringToObject(c, "name", "worker");
    add_image(c, f, stub);
    env = cJSON_AddArrayToObject(c, "env");
    cJSON_ArrayForEach(item, skl_json_get(config, "environmentVariables"))
    {
        add_env(env, item->string, cJSON_GetStringValue(item));
    }
    add_env(env, "LOG_EXECUTION_ID", "true");
    if (!gcp_is_docker_runtime(f->json)) {
        const char *entry = skl_json_get_str(skl_json_get(f->json, "buildConfig"), "entryPoint");

        add_env(env, "FUNCTION_TARGET", entry ? entry : f->id);
    }
    resources = cJSON_AddObjectToObject(c, "resources");
    limits = cJSON_AddObjectToObject(resources, "limits");
    cJSON_AddStringToObject(limits, "cpu", cpu_of(config));
    cJSON_AddStringToObject(limits, "memory", memory_of(config));
    cJSON_AddTrueToObject(resources, "cpuIdle");
    cJSON_AddTrueToObject(resources, "startupCpuBoost");
    return c;
}

static void add_labels(cJSON *json, const struct function *f)
{
    const cJSON *user = skl_json_get(f->json, "labels");
    cJSON *labels = user ? cJSON_Duplicate(user, true) : cJSON_CreateObject();
    const char *runtime = skl_json_get_str(skl_json_get(f->json, "buildConfig"), "runtime");

    cJSON_AddStringToObject(labels, "goog-managed-by", "cloudfunctions");
    cJSON_AddStringToObject(labels, "goog-cloudfunctions-runtime", runtime);
    cJSON_AddStringToObject(labels, "goog-drz-cloudfunctions-id", f->id);
    cJSON_AddStringToObject(labels, "goog-drz-cloudfunctions-location", f->region);
    cJSON_AddItemToObject(json, "labels", labels);
}

static void add_build(cJSON *json, const struct function *f, const char *stub)
{
    const cJSON *config = skl_json_get(f->json, "buildConfig");
    const char *entry = skl_json_get_str(config, "entryPoint");
    char *source SKL_AUTO_STR =
        gcp_format("gs://gcf-v2-sources-%lld-%s/%s/function-source.zip#1",
                   (long long)f->sim->options->project_number, f->region, f->id);
    cJSON *build = cJSON_AddObjectToObject(json, "buildConfig");

    cJSON_AddStringToObject(build, "sourceLocation", source);
    cJSON_AddStringToObject(build, "functionTarget", entry ? entry : f->id);
    cJSON_AddStringToObject(build, "imageUri", stub);
    if (!skl_json_get(config, "onDeployUpdatePolicy"))
        cJSON_AddTrueToObject(build, "enableAutomaticUpdates");
}

cJSON *gcp_function_service(const struct function *f)
{
    const cJSON *config = skl_json_get(f->json, "serviceConfig");
    const char *account = skl_json_get_str(config, "serviceAccountEmail");
    cJSON *json = cJSON_CreateObject(), *template, *annotations, *scaling;
    char *stub SKL_AUTO_STR =
        gcp_format("%s-docker.pkg.dev/%s/gcf-artifacts/%s__%s__%s:version_%d", f->region,
                   f->project, f->project, f->region, f->id, f->builds);
    char *timeout SKL_AUTO_STR =
        gcp_format("%llds", (long long)skl_json_get_int(config, "timeoutSeconds", 60));
    char *url SKL_AUTO_STR = gcp_function_url(f);

    add_labels(json, f);
    add_build(json, f, stub);
    annotations = cJSON_AddObjectToObject(json, "annotations");
    cJSON_AddStringToObject(annotations, "cloudfunctions.googleapis.com/function-id", f->id);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "customAudiences"), cJSON_CreateString(url));
    if (skl_streq(skl_json_get_str(config, "ingressSettings"), "ALLOW_INTERNAL_ONLY"))
        cJSON_AddStringToObject(json, "ingress", "INGRESS_TRAFFIC_INTERNAL_ONLY");
    template = cJSON_AddObjectToObject(json, "template");
    annotations = cJSON_AddObjectToObject(template, "annotations");
    cJSON_AddStringToObject(annotations, "cloudfunctions.googleapis.com/trigger-type",
                            "HTTP_TRIGGER");
    cJSON_AddItemToObject(template, "labels", cJSON_Duplicate(skl_json_get(json, "labels"), true));
    cJSON_AddStringToObject(template, "timeout", timeout);
    if (account)
        cJSON_AddStringToObject(template, "serviceAccount", account);
    cJSON_AddNumberToObject(template, "maxInstanceRequestConcurrency",
                            (double)skl_json_get_int(config, "maxInstanceRequestConcurrency", 1));
    scaling = cJSON_AddObjectToObject(template, "scaling");
    cJSON_AddNumberToObject(scaling, "maxInstanceCount",
                            (double)skl_json_get_int(config, "maxInstanceCount", 100));
    if (skl_json_get_int(config, "minInstanceCount", 0) > 0)
        cJSON_AddNumberToObject(scaling, "minInstanceCount",
                                (double)skl_json_get_int(config, "minInstanceCount", 0));
    cJSON_AddItemToArray(cJSON_AddArrayToObject(template, "containers"), container_of(f, stub));
    return json;
}

/* -- what is refused */

static bool invalid(struct sim_answer *a, const char *text)
{
    gcp_error(a, GCP_INVALID_ARGUMENT, "%s", text);
    return false;
}

static bool check_runtime(const struct sim *s, const cJSON *json, struct sim_answer *a)
{
    const cJSON *build = skl_json_get(json, "buildConfig");
    const char *runtime = skl_json_get_str(build, "runtime");
    const cJSON *storage = skl_json_get(skl_json_get(build, "source"), "storageSource");

    if (skl_str_empty(runtime))
        return invalid(a, "build_config.runtime: Runtime is required.");
    if (gcp_is_docker_runtime(json) && s->options->docker_runtime)
        return true;
    for (const char *const *r = runtimes; *r; r++)
        if (strcmp(*r, runtime) == 0) {
            if (skl_json_get_str(storage, "bucket") && skl_json_get_str(storage, "object"))
                return true;
            return invalid(a, "build_config.source: a source with a bucket and an object is "
                              "required.");
        }
    gcp_error(a, GCP_INVALID_ARGUMENT,
              "build_config.runtime: Runtime '%s' is not supported or does not exist.", runtime);
    return false;
}

static bool check_sizes(const cJSON *config, struct sim_answer *a)
{
    double cpu, memory;
    int64_t timeout = skl_json_get_int(config, "timeoutSeconds", 60);
    int64_t concurrency = skl_json_get_int(config, "maxInstanceRequestConcurrency", 1);

    if (!gcp_memory(memory_of(config), &memory) || memory < 120 || memory > 32768)
        return invalid(a, "service_config.available_memory: Invalid value.");
    if (!gcp_cpu(cpu_of(config), &cpu) || !gcp_is_pair(cpu, memory))
        return invalid(a, "service_config.available_cpu: Invalid value for the amount of memory.");
    if (timeout < 1 || timeout > 3600)
        return invalid(a, "service_config.timeout_seconds: must be between 1 and 3600.");
    if (concurrency < 1 || concurrency > 1000)
        return invalid(a, "service_config.max_instance_request_concurrency: must be between 1 and "
                          "1000.");
    if (concurrency > 1 && cpu < 1)
        return invalid(a, "service_config.max_instance_request_concurrency: more than 1 needs at "
                          "least 1 cpu.");
    if (skl_json_get_int(config, "maxInstanceCount", 100) <
        skl_json_get_int(config, "minInstanceCount", 0))
        return invalid(a, "service_config.min_instance_count: must not be above the maximum.");
    return true;
}

static bool check_env(const cJSON *config, struct sim_answer *a)
{
    static const char *const reserved[] = {"PORT",
                                           "K_SERVICE",
                                           "K_REVISION",
                                           "K_CONFIGURATION",
                                           "FUNCTION_TARGET",
                                           "FUNCTION_SIGNATURE_TYPE",
                                           NULL};
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(config, "environmentVariables"))
    {
        bool bad = skl_str_starts(skl_str(item->string), "X_GOOGLE_");

        for (const char *const *r = reserved; *r; r++)
            bad |= strcmp(*r, item->string) == 0;
        if (bad) {
            gcp_error(a, GCP_INVALID_ARGUMENT,
                      "The following reserved env names were provided: %s. These values are "
                      "automatically set by the system.",
                      item->string);
            return false;
        }
        if (strlen(item->valuestring) > 32 * SKL_KIB)
            return invalid(a, "service_config.environment_variables: a value is too long.");
    }
    return true;
}

bool gcp_function_validate(struct sim *s, const cJSON *json, struct sim_answer *a)
{
    const char *environment = skl_json_get_str(json, "environment");
    const cJSON *config = skl_json_get(json, "serviceConfig");

    if (environment && strcmp(environment, "GEN_2") != 0)
        return invalid(a, "environment: only GEN_2 is supported here.");
    if (skl_json_get(json, "eventTrigger"))
        return invalid(a, "event_trigger: this simulator has HTTP functions only.");
    return check_runtime(s, json, a) && check_sizes(config, a) && check_env(config, a) &&
           gcp_labels_validate(skl_json_get(json, "labels"), a);
}
