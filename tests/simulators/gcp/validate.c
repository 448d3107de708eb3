/* What Cloud Run refuses of a service beyond unknown fields: names, images, sizes, mounts. */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

#define MAX_CONTAINERS 10
#define MAX_ENV_VALUE  (32 * SKL_KIB)

static bool invalid(struct sim_answer *a, const char *fmt, ...) SKL_PRINTF(2, 3);

static bool invalid(struct sim_answer *a, const char *fmt, ...)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    va_list ap;

    skl_buf_init(&b, 16 * SKL_KIB);
    va_start(ap, fmt);
    skl_buf_addv(&b, fmt, ap);
    va_end(ap);
    gcp_error(a, GCP_INVALID_ARGUMENT, "%s", b.p);
    return false;
}

/* -- labels */

static bool is_label(const char *text, bool is_key)
{
    size_t n = strlen(text);

    if (n > 63 || (is_key && !islower((unsigned char)text[0])))
        return false;
    for (; *text; text++)
        if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && *text != '_' &&
            *text != '-' && (unsigned char)*text < 0x80)
            return false;
    return true;
}

bool gcp_labels_validate(const cJSON *labels, struct sim_answer *a)
{
    const cJSON *item;

    if (cJSON_GetArraySize(labels) > 64)
        return invalid(a, "There are more than 64 labels.");
    cJSON_ArrayForEach(item, labels)
    {
        if (!is_label(item->string, true))
            return invalid(a,
                           "Invalid label key '%.80s': lower case letters, digits, '_' and '-', "
                           "at most 63, a letter first.",
                           item->string);
        if (!is_label(cJSON_GetStringValue(item), false))
            return invalid(a, "Invalid value '%.80s' of label '%s'.", cJSON_GetStringValue(item),
                           item->string);
    }
    return true;
}

/* -- images */

static bool ends_with_host(struct skl_str host, const char *name)
{
    size_t n = strlen(name);

    return skl_str_eqz(host, name) ||
           (host.n > n + 1 && skl_str_ends(host, name) &&
            (host.p[host.n - n - 1] == '-' || host.p[host.n - n - 1] == '.'));
}

static bool is_host(struct skl_str s)
{
    return skl_str_find(s, '.') || skl_str_find(s, ':') || skl_str_eqz(s, "localhost");
}

static bool check_image(const struct sim *s, const char *image, struct sim_answer *a)
{
    struct skl_str rest, host = skl_str_cut(skl_str(image), '/', &rest);
    char **extra = s->options->registries;

    if (skl_str_empty(image))
        return invalid(a, "template.containers[0].image: must not be empty.");
    if (!rest.p || !is_host(host) || ends_with_host(host, "docker.pkg.dev") ||
        ends_with_host(host, "gcr.io") || skl_str_eqz(host, "docker.io"))
        return true;
    for (; extra && *extra; extra++)
        if (skl_str_eqz(host, *extra))
            return true;
    return invalid(a,
                   "Expected an image path like [host/]repo-path[:tag and/or @digest], where "
                   "host is one of [region.]gcr.io, [region-]docker.pkg.dev or docker.io but "
                   "obtained %s.",
                   image);
}

/* -- sizes */

/* "1", "0.5", "1000m" */
bool gcp_cpu(const char *text, double *ret)
{
    char *end;

    if (skl_str_empty(text))
        return false;
    *ret = strtod(text, &end);
    if (*end == 'm' && end[1] == '\0') {
        *ret /= 1000;
        return *ret > 0;
    }
    return *end == '\0' && *ret > 0;
}

/* In MiB. */
bool gcp_memory(const char *text, double *ret)
{
    static const struct {
        const char *suffix;
        double bytes;
    } units[] = {{"", 1},    {"k", 1e3},   {"K", 1e3},      {"M", 1e6},
                 {"G", 1e9}, {"Ki", 1024}, {"Mi", 1048576}, {"Gi", 1073741824}};
    char *end;

    if (skl_str_empty(text))
        return false;
    *ret = strtod(text, &end);
    for (size_t i = 0; i < SKL_ARRAY_LEN(units); i++)
        if (strcmp(end, units[i].suffix) == 0) {
            *ret = *ret * units[i].bytes / 1048576;
            return *ret > 0;
        }
    return false;
}

/* What fits together: at most so much memory with so little cpu, at least so much with so many. */
bool gcp_is_pair(double cpu, double memory)
{
    static const struct {
        double cpu, least, most;
    } whole[] = {
        {1, 128, 4096}, {2, 128, 8192}, {4, 2048, 16384}, {6, 4096, 24576}, {8, 4096, 32768}};

    if (cpu < 0.08)
        return false;
    if (cpu < 1)
        return memory <= (cpu < 0.5 ? 512 : 1024);
    for (size_t i = 0; i < SKL_ARRAY_LEN(whole); i++)
        if (fabs(whole[i].cpu - cpu) < 1e-9)
            return memory >= whole[i].least && memory <= whole[i].most;
    return false;
}

static bool check_resources(const cJSON *container, int64_t concurrency, struct sim_answer *a)
{
    const cJSON *limits = skl_json_get(skl_json_get(container, "resources"), "limits");
    const char *cpu_text = skl_json_get_str(limits, "cpu");
    const char *memory_text = skl_json_get_str(limits, "memory");
    double cpu = 1, memory = 512;

    if (cpu_text && !gcp_cpu(cpu_text, &cpu))
        return invalid(a, "Invalid value specified for cpu: '%s'.", cpu_text);
    if (memory_text && !gcp_memory(memory_text, &memory))
        return invalid(a, "Invalid value specified for memory: '%s'.", memory_text);
    if (!gcp_is_pair(cpu, memory))
        return invalid(a,
                       "Invalid value specified for container memory or cpu. For %.2f CPU, %g "
                       "MiB of memory is not supported.",
                       cpu, memory);
    if (cpu < 1 && concurrency > 1)
        return invalid(a, "Invalid value specified for cpu. Total cpu < 1 is not supported with "
                          "concurrency > 1.");
    return true;
}

/* -- containers */

static bool check_env(const cJSON *container, struct sim_answer *a)
{
    static const char *const reserved[] = {"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION",
                                           NULL};
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(container, "env"))
    {
        const char *name = skl_json_get_str(item, "name");
        const char *value = skl_json_get_str(item, "value");

        if (skl_str_empty(name))
            return invalid(a, "template.containers[0].env: a variable needs a name.");
        for (const char *const *r = reserved; *r; r++)
            if (strcmp(*r, name) == 0)
                return invalid(a,
                               "template.containers[0].env: The following reserved env names were "
                               "provided: %s. These values are automatically set by the system.",
                               name);
        if (value && strlen(value) > MAX_ENV_VALUE)
            return invalid(a, "template.containers[0].env: the value of '%s' is too long.", name);
        if (skl_json_get(item, "valueSource"))
            return invalid(a, "template.containers[0].env: the secret of '%s' was not found.",
                           name);
    }
    return true;
}

static bool has_volume(const cJSON *volumes, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, volumes)
    {
        if (skl_streq(skl_json_get_str(item, "name"), name))
            return true;
    }
    return false;
}

static bool is_below(const char *path, const char *parent)
{
    size_t n = strlen(parent);

    return strncmp(path, parent, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool check_mounts(const cJSON *container, const cJSON *volumes, struct sim_answer *a)
{
    const cJSON *mounts = skl_json_get(container, "volumeMounts");
    const cJSON *item, *other;

    cJSON_ArrayForEach(item, mounts)
    {
        const char *name = skl_json_get_str(item, "name");
        const char *path = skl_json_get_str(item, "mountPath");

        if (!name || !has_volume(volumes, name))
            return invalid(a, "volumeMounts.name: Volume with name '%s' not found.",
                           name ? name : "");
        if (skl_str_empty(path) || path[0] != '/' || strchr(path, ':') || path[1] == '\0' ||
            is_below(path, "/dev") || is_below(path, "/proc") || is_below(path, "/sys"))
            return invalid(a, "volumeMounts.mountPath: '%s' is not a valid mount path.",
                           path ? path : "");
        cJSON_ArrayForEach(other, mounts)
        {
            const char *to = skl_json_get_str(other, "mountPath");

            if (other != item && to && is_below(path, to))
                return invalid(a, "volumeMounts.mountPath: '%s' is within '%s'.", path, to);
        }
    }
    return true;
}

static bool check_probe(const cJSON *probe, struct sim_answer *a)
{
    int64_t timeout = skl_json_get_int(probe, "timeoutSeconds", 1);
    int64_t period = skl_json_get_int(probe, "periodSeconds", 10);

    if (timeout < 1 || timeout > 3600 || period < 1 || period > 3600 || timeout > period)
        return invalid(a, "A probe's timeoutSeconds must be at least 1 and at most its "
                          "periodSeconds, which is at most 3600.");
    return true;
}

static bool check_containers(const struct sim *s, const cJSON *template, struct sim_answer *a)
{
    const cJSON *containers = skl_json_get(template, "containers");
    int64_t concurrency = skl_json_get_int(template, "maxInstanceRequestConcurrency", 0);
    int n = cJSON_GetArraySize(containers), with_ports = 0;
    const cJSON *c;

    if (n < 1 || n > MAX_CONTAINERS)
        return invalid(a, "template.containers: there must be 1 to %d containers.", MAX_CONTAINERS);
    cJSON_ArrayForEach(c, containers)
    {
        int ports = cJSON_GetArraySize(skl_json_get(c, "ports"));

        if (ports > 1 || (with_ports += ports) > 1)
            return invalid(a, "template.containers: should contain exactly one container with an "
                              "exposed port.");
        if (!check_image(s, skl_json_get_str(c, "image"), a) ||
            !check_resources(c, concurrency, a) || !check_env(c, a) ||
            !check_mounts(c, skl_json_get(template, "volumes"), a) ||
            !check_probe(skl_json_get(c, "startupProbe"), a) ||
            !check_probe(skl_json_get(c, "livenessProbe"), a))
            return false;
    }
    if (n > 1 && with_ports != 1)
        return invalid(a, "template.containers: should contain exactly one container with an "
                          "exposed port.");
    return true;
}

/* -- volumes */

static bool check_mount_options(const cJSON *gcs, struct sim_answer *a)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(gcs, "mountOptions"))
    {
        const char *text = cJSON_GetStringValue(item);

        if (!text || text[0] == '-' || strchr(text, ':'))
            return invalid(a, "Unsupported or unrecognized flag for Cloud Storage volume: %s",
                           text ? text : "");
    }
    return true;
}

static bool check_volumes(const cJSON *template, struct sim_answer *a)
{
    const char *environment = skl_json_get_str(template, "executionEnvironment");
    bool first = skl_streq(environment, "EXECUTION_ENVIRONMENT_GEN1");
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(template, "volumes"))
    {
        const cJSON *gcs = skl_json_get(item, "gcs");

        if (skl_str_empty(skl_json_get_str(item, "name")))
            return invalid(a, "template.volumes: a volume needs a name.");
        if (gcs && (first || skl_str_empty(skl_json_get_str(gcs, "bucket"))))
            return invalid(a, "template.volumes: Cloud Storage volumes need a bucket and the "
                              "second generation execution environment.");
        if (!check_mount_options(gcs, a))
            return false;
        if (skl_json_get(item, "nfs") || skl_json_get(item, "secret") ||
            skl_json_get(item, "cloudSqlInstance"))
            return invalid(a,
                           "template.volumes: this simulator has gcs and emptyDir volumes only.");
    }
    return true;
}

bool gcp_service_validate(struct sim *s, const char *id, const cJSON *json, struct sim_answer *a)
{
    const cJSON *template = skl_json_get(json, "template");
    const char *timeout = skl_json_get_str(template, "timeout");
    int64_t concurrency = skl_json_get_int(template, "maxInstanceRequestConcurrency", 80);
    const char *revision = skl_json_get_str(template, "revision");
    char *prefix SKL_AUTO_STR = gcp_format("%s-", id);

    if (timeout && gcp_duration_ms(timeout, 0) > 3600000)
        return invalid(a, "template.timeout: must be at most 3600s.");
    if (concurrency < 0 || concurrency > 1000)
        return invalid(a, "template.maxInstanceRequestConcurrency: must be between 0 and 1000.");
    if (revision && !skl_str_starts(skl_str(revision), prefix))
        return invalid(a, "template.revision: must begin with the service's name and '-'.");
    return gcp_labels_validate(skl_json_get(json, "labels"), a) &&
           gcp_labels_validate(skl_json_get(template, "labels"), a) && check_volumes(template, a) &&
           check_containers(s, template, a);
}
