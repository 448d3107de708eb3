/* A container as the body of a Container Apps Job.
 *
 * What the schema has no field for (working directory, user, terminal, stdin, odd variable names) travels in
 * the agent's START. The agent comes into the workload by an init container that copies it to an EmptyDir;
 * a sidecar could not wrap the user's command. The token is a secret of the job: `env` is echoed by every GET.
 */
#include <ctype.h>
#include <stdio.h>

#include "aca.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "cloud/azure/registry_login.h"

#define NANO_PER_QUARTER     250000000
#define MEMORY_PER_QUARTER   (512 * INT64_C(1048576))
#define DEFAULT_QUARTERS     4  /* 1.0 vCPU, 2Gi */
#define MAX_CONSUMPTION      8  /* 2 vCPU, 4Gi in an environment without workload profiles */
#define MAX_WORKLOAD_PROFILE 16 /* 4 vCPU, 8Gi on the Consumption profile */

int skl_aca_size(const struct skl_aca_config *config, int64_t nano_cpus, int64_t memory_bytes,
                 unsigned *ret_quarters, struct skl_error *err)
{
    int64_t by_cpu = nano_cpus / NANO_PER_QUARTER + (nano_cpus % NANO_PER_QUARTER != 0);
    int64_t by_memory =
        memory_bytes / MEMORY_PER_QUARTER + (memory_bytes % MEMORY_PER_QUARTER != 0);
    int64_t quarters = by_cpu > by_memory ? by_cpu : by_memory;
    unsigned max = skl_str_empty(config->workload_profile) ? MAX_CONSUMPTION : MAX_WORKLOAD_PROFILE;

    if (nano_cpus <= 0 && memory_bytes <= 0)
        quarters = DEFAULT_QUARTERS;
    if (quarters > max)
        return skl_fail(err, SKL_E_INVALID,
                        "Azure Container Apps offers at most %g CPUs and %g GiB to a job here: "
                        "lower --cpus or --memory%s",
                        max / 4.0, max / 2.0,
                        skl_str_empty(config->workload_profile)
                            ? ", or set SOCKERLESS_ACA_WORKLOAD_PROFILE"
                            : "");
    *ret_quarters = quarters < 1 ? 1 : (unsigned)quarters;
    return 0;
}

static void add_resources(struct skl_json *j, unsigned quarters)
{
    char memory[16];

    snprintf(memory, sizeof(memory), "%gGi", quarters / 2.0);
    skl_json_object(j, "resources");
    skl_json_num(j, "cpu", quarters / 4.0);
    skl_json_str(j, "memory", memory);
    skl_json_end_object(j);
}

/* The platform expands $(NAME); $$(NAME) is the escaped form. */
static void add_literal(struct skl_json *j, const char *key, const char *text)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 4 * SKL_MIB);
    for (; *text; text++) {
        if (text[0] == '$' && text[1] == '(')
            skl_buf_addc(&b, '$');
        skl_buf_addc(&b, *text);
    }
    skl_json_strn(j, key, skl_buf_str(&b));
}

/* Names that the platform takes; the others reach the command by START alone. */
static bool is_plain_name(const char *name, size_t n)
{
    if (n == 0 || isdigit((unsigned char)name[0]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_')
            return false;
    return strncmp(name, "SOCKERLESS_", 11) != 0;
}

static void add_env(struct skl_json *j, const struct skl_aca *aca,
                    const struct skl_container_snapshot *c)
{
    skl_json_array(j, "env");
    for (char **p = c->spec.env; p && *p; p++) {
        const char *equals = strchr(*p, '=');

        if (!equals || !is_plain_name(*p, (size_t)(equals - *p)))
            continue;
        skl_json_object(j, NULL);
        skl_json_strn(j, "name", skl_str_n(*p, (size_t)(equals - *p)));
        add_literal(j, "value", equals + 1);
        skl_json_end_object(j);
    }
    if (aca->agent != SKL_ACA_AGENT_NONE) {
        skl_json_object(j, NULL);
        skl_json_str(j, "name", "SOCKERLESS_CONTAINER_ID");
        skl_json_str(j, "value", c->id);
        skl_json_end_object(j);
        skl_json_object(j, NULL);
        skl_json_str(j, "name", "SOCKERLESS_AGENT_TOKEN");
        skl_json_str(j, "secretRef", "agent-token");
        skl_json_end_object(j);
    }
    if (aca->agent == SKL_ACA_AGENT_REVERSE) {
        skl_json_object(j, NULL);
        skl_json_str(j, "name", "SOCKERLESS_AGENT_CALLBACK_URL");
        skl_json_str(j, "value", aca->config->callback_url);
        skl_json_end_object(j);
        if (c->agent_ca) {
            skl_json_object(j, NULL);
            skl_json_str(j, "name", "SOCKERLESS_AGENT_CA");
            skl_json_str(j, "value", c->agent_ca);
            skl_json_end_object(j);
        }
    }
    skl_json_end_array(j);
}

static void add_mount(struct skl_json *j, const char *volume, const char *path)
{
    skl_json_object(j, NULL);
    skl_json_str(j, "volumeName", volume);
    skl_json_str(j, "mountPath", path);
    skl_json_end_object(j);
}

/* Volumes of the container: replica-local directories, named v0, v1... */
static void add_mounts(struct skl_json *j, const struct skl_aca *aca,
                       const struct skl_container_snapshot *c)
{
    char name[24];

    skl_json_array(j, "volumeMounts");
    if (aca->agent != SKL_ACA_AGENT_NONE)
        add_mount(j, "agent", "/sockerless/bin");
    for (size_t i = 0; i < c->spec.n_mounts; i++) {
        snprintf(name, sizeof(name), "v%zu", i);
        add_mount(j, name, c->spec.mounts[i].destination);
    }
    skl_json_end_array(j);
}

static void add_volumes(struct skl_json *j, const struct skl_aca *aca,
                        const struct skl_container_snapshot *c)
{
    skl_json_array(j, "volumes");
    if (aca->agent != SKL_ACA_AGENT_NONE) {
        skl_json_object(j, NULL);
        skl_json_str(j, "name", "agent");
        skl_json_str(j, "storageType", "EmptyDir");
        skl_json_end_object(j);
    }
    for (size_t i = 0; i < c->spec.n_mounts; i++) {
        skl_json_object(j, NULL);
        skl_json_strf(j, "name", "v%zu", i);
        skl_json_str(j, "storageType", "EmptyDir");
        skl_json_end_object(j);
    }
    skl_json_end_array(j);
}

static void add_command(struct skl_json *j, const struct skl_aca *aca,
                        const struct skl_container_snapshot *c)
{
    char **argv = c->spec.argv;

    skl_json_array(j, "command");
    if (aca->agent == SKL_ACA_AGENT_NONE)
        add_literal(j, NULL, *argv++);
    else
        skl_json_str(j, NULL, "/sockerless/bin/sockerless-agent");
    skl_json_end_array(j);
    skl_json_array(j, "args");
    if (aca->agent == SKL_ACA_AGENT_REVERSE) {
        skl_json_str(j, NULL, "--callback");
        skl_json_str(j, NULL, aca->config->callback_url);
    } else if (aca->agent == SKL_ACA_AGENT_FORWARD) {
        skl_json_str(j, NULL, "--addr");
        skl_json_strf(j, NULL, ":%d", SKL_ACA_AGENT_PORT);
    }
    if (aca->agent != SKL_ACA_AGENT_NONE)
        skl_json_str(j, NULL, "--");
    for (; *argv; argv++)
        add_literal(j, NULL, *argv);
    skl_json_end_array(j);
}

static void add_init_container(struct skl_json *j, const struct skl_aca *aca)
{
    skl_json_array(j, "initContainers");
    skl_json_object(j, NULL);
    skl_json_str(j, "name", "agent");
    skl_json_str(j, "image", aca->config->agent_image);
    skl_json_array(j, "command");
    skl_json_str(j, NULL, "/sockerless-agent");
    skl_json_end_array(j);
    skl_json_array(j, "args");
    skl_json_str(j, NULL, "--install");
    skl_json_str(j, NULL, "/sockerless/bin");
    skl_json_end_array(j);
    add_resources(j, 1);
    skl_json_array(j, "volumeMounts");
    add_mount(j, "agent", "/sockerless/bin");
    skl_json_end_array(j);
    skl_json_end_object(j);
    skl_json_end_array(j);
}

static void add_template(struct skl_json *j, const struct skl_aca *aca,
                         const struct skl_container_snapshot *c, unsigned quarters)
{
    skl_json_object(j, "template");
    if (aca->agent != SKL_ACA_AGENT_NONE)
        add_init_container(j, aca);
    skl_json_array(j, "containers");
    skl_json_object(j, NULL);
    skl_json_str(j, "name", "main");
    skl_json_str(j, "image", c->spec.image_ref);
    add_command(j, aca, c);
    add_env(j, aca, c);
    add_resources(j, quarters);
    add_mounts(j, aca, c);
    skl_json_end_object(j);
    skl_json_end_array(j);
    add_volumes(j, aca, c);
    skl_json_end_object(j);
}

static void add_registries(struct skl_json *j, const struct skl_aca *aca,
                           const struct skl_azure_registry_login *login)
{
    skl_json_array(j, "registries");
    if (login->username) {
        skl_json_object(j, NULL);
        skl_json_str(j, "server", login->server);
        skl_json_str(j, "username", login->username);
        skl_json_str(j, "passwordSecretRef", "registry-password");
        skl_json_end_object(j);
    } else if (!skl_str_empty(aca->config->registry_identity)) {
        skl_json_object(j, NULL);
        skl_json_str(j, "server", login->server);
        skl_json_str(j, "identity", aca->config->registry_identity);
        skl_json_end_object(j);
    }
    skl_json_end_array(j);
}

static void add_secret(struct skl_json *j, const char *name, const char *value)
{
    skl_json_object(j, NULL);
    skl_json_str(j, "name", name);
    skl_json_str(j, "value", value);
    skl_json_end_object(j);
}

static void add_configuration(struct skl_json *j, const struct skl_aca *aca,
                              const struct skl_container_snapshot *c)
{
    struct skl_azure_registry_login login;

    skl_azure_registry_login(c->spec.image_ref, c->spec.registry_auth, &login);
    skl_json_object(j, "configuration");
    skl_json_str(j, "triggerType", "Manual");
    skl_json_int(j, "replicaTimeout", aca->config->replica_timeout_s);
    skl_json_int(j, "replicaRetryLimit", 0); /* else the platform runs the command again */
    skl_json_object(j, "manualTriggerConfig");
    skl_json_int(j, "parallelism", 1);
    skl_json_int(j, "replicaCompletionCount", 1);
    skl_json_end_object(j);
    skl_json_array(j, "secrets");
    if (aca->agent != SKL_ACA_AGENT_NONE)
        add_secret(j, "agent-token", c->token);
    if (login.username)
        add_secret(j, "registry-password", login.password);
    skl_json_end_array(j);
    add_registries(j, aca, &login);
    skl_json_end_object(j);
    skl_azure_registry_login_fini(&login);
}

static void add_identity(struct skl_json *j, const struct skl_aca *aca)
{
    if (skl_str_empty(aca->config->registry_identity))
        return;
    skl_json_object(j, "identity");
    skl_json_str(j, "type", "UserAssigned");
    skl_json_object(j, "userAssignedIdentities");
    skl_json_raw(j, aca->config->registry_identity, "{}");
    skl_json_end_object(j);
    skl_json_end_object(j);
}

int skl_aca_job_spec(const struct skl_aca *aca, const struct skl_container_snapshot *c, char **ret,
                     struct skl_error *err)
{
    struct skl_json j;
    struct skl_buf b;
    unsigned quarters = 0;
    int rc;

    rc = skl_aca_size(aca->config, c->spec.nano_cpus, c->spec.memory_bytes, &quarters, err);
    if (rc < 0)
        return rc;
    skl_buf_init(&b, 8 * SKL_MIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "location", aca->config->location);
    skl_azure_tags_add(&j, c->id, c->instance);
    add_identity(&j, aca);
    skl_json_object(&j, "properties");
    skl_json_str(&j, "environmentId", aca->environment_id);
    if (!skl_str_empty(aca->config->workload_profile))
        skl_json_str(&j, "workloadProfileName", aca->config->workload_profile);
    add_configuration(&j, aca, c);
    add_template(&j, aca, c, quarters);
    skl_json_end_object(&j);
    skl_json_end_object(&j);
    return skl_buf_finish(&b, ret, err);
}
