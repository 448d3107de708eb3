/* HostConfig: defaults that depend on other values, checks, typed members. */
#include <limits.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/containers/create_internal.h"

#define MIN_MEMORY    (6 * INT64_C(1048576))
#define MIN_PERIOD_US 1000
#define MAX_PERIOD_US 1000000
#define MAX_QUOTA_US  INT64_C(1000000000) /* 10,000 processors with the default period */

static int64_t number(const struct skl_create *x, const char *name)
{
    return skl_json_get_int(x->host, name, 0);
}

static void set_number(struct skl_create *x, const char *name, int64_t v)
{
    skl_fields_set(x->host, name, cJSON_CreateNumber((double)v));
}

/* What clients send for "unset" reads as Docker's defaults. */
static void set_defaults(struct skl_create *x)
{
    static const struct {
        const char *name, *dflt;
    } strings[] = {
        {"NetworkMode", "default"},
        {"IpcMode", "private"},
        {"CgroupnsMode", "private"},
        {"Runtime", "runc"},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(strings); i++)
        if (skl_str_empty(skl_json_get_str(x->host, strings[i].name)))
            skl_fields_set(x->host, strings[i].name, cJSON_CreateString(strings[i].dflt));
    if (number(x, "ShmSize") == 0)
        set_number(x, "ShmSize", 64 * (int64_t)SKL_MIB);
    if (number(x, "MemorySwappiness") < 0)
        skl_fields_set(x->host, "MemorySwappiness", NULL);
    if (number(x, "PidsLimit") <= 0)
        skl_fields_set(x->host, "PidsLimit", NULL);
    if (cJSON_GetArraySize(skl_json_get(x->host, "Links")) == 0)
        skl_fields_set(x->host, "Links", NULL);
    if (number(x, "Memory") > 0 && number(x, "Memory") <= INT64_MAX / 2 &&
        number(x, "MemorySwap") == 0)
        set_number(x, "MemorySwap", 2 * number(x, "Memory"));
}

/* An Engine takes the labels away from what shares the host's name spaces, and shows that. */
static void set_labels_off(struct skl_create *x)
{
    const cJSON *item, *sent = skl_json_get(x->host, "SecurityOpt");
    cJSON *options;

    if (!skl_json_get_bool(x->host, "Privileged", false) &&
        !skl_streq(skl_json_get_str(x->host, "PidMode"), "host") &&
        !skl_streq(skl_json_get_str(x->host, "IpcMode"), "host"))
        return;
    cJSON_ArrayForEach(item, sent)
    {
        struct skl_str value;

        if (skl_str_eqz(skl_str_cut(skl_str(item->valuestring), '=', &value), "label"))
            return;
    }
    options = cJSON_IsArray(sent) ? cJSON_Duplicate(sent, true) : cJSON_CreateArray();
    cJSON_AddItemToArray(options, cJSON_CreateString("label=disable"));
    skl_fields_set(x->host, "SecurityOpt", options);
}

/* -- restart policy */

static int check_shm(struct skl_create *x, struct skl_error *err)
{
    if (number(x, "ShmSize") < 0)
        return skl_fail(err, SKL_E_INVALID, "SHM size can not be less than 0");
    return 0;
}

int skl_create_take_restart(struct skl_create *x, struct skl_error *err)
{
    static const struct {
        const char *name;
        enum skl_restart_policy policy;
    } table[] = {
        {"", SKL_RESTART_NO},
        {"no", SKL_RESTART_NO},
        {"on-failure", SKL_RESTART_ON_FAILURE},
        {"always", SKL_RESTART_ALWAYS},
        {"unless-stopped", SKL_RESTART_UNLESS_STOPPED},
    };
    const cJSON *sent = skl_json_get(x->host, "RestartPolicy");
    const char *name = skl_json_get_str(sent, "Name");
    int64_t max = skl_json_get_int(sent, "MaximumRetryCount", 0);
    struct skl_container_spec *spec = &x->c->spec;
    cJSON *policy = cJSON_CreateObject();
    size_t i = 0;

    name = name ? name : "";
    cJSON_AddStringToObject(policy, "Name", *name ? name : "no");
    cJSON_AddNumberToObject(policy, "MaximumRetryCount", (double)max);
    while (i < SKL_ARRAY_LEN(table) && !skl_streq(table[i].name, name))
        i++;
    if (i == SKL_ARRAY_LEN(table)) {
        skl_fail(err, SKL_E_INVALID, "invalid restart policy '%.100s'", name);
        cJSON_Delete(policy);
        return -SKL_E_INVALID;
    }
    spec->restart = table[i].policy;
    skl_fields_set(x->host, "RestartPolicy", policy);
    if (max < 0)
        return skl_fail(err, SKL_E_INVALID,
                        "invalid restart policy: maximum retry count cannot be negative");
    if (max > 0 && spec->restart != SKL_RESTART_ON_FAILURE)
        return skl_fail(err, SKL_E_INVALID,
                        "invalid restart policy: maximum retry count can only be used with "
                        "'on-failure'");
    spec->restart_max = max > INT_MAX ? INT_MAX : (unsigned)max;
    spec->auto_remove = skl_json_get_bool(x->host, "AutoRemove", false);
    if (spec->auto_remove && spec->restart != SKL_RESTART_NO)
        return skl_fail(err, SKL_E_INVALID,
                        "can't create 'AutoRemove' container with restart policy");
    return 0;
}

/* -- logs */

/* "10m", "1g", "4096": powers of 1024 */
static bool parse_size(const char *text, int64_t *ret)
{
    struct skl_str s = skl_str_trim(skl_str(text));
    int64_t unit = 1, n;

    if (s.n > 0 && (s.p[s.n - 1] == 'b' || s.p[s.n - 1] == 'B'))
        s.n--;
    if (s.n > 0) {
        switch (s.p[s.n - 1] | 0x20) {
        case 'k':
            unit = 1 << 10;
            break;
        case 'm':
            unit = 1 << 20;
            break;
        case 'g':
            unit = 1 << 30;
            break;
        default:
            break;
        }
    }
    if (unit > 1)
        s.n--;
    if (!skl_str_i64(s, &n) || n < 0 || n > INT64_MAX / unit)
        return false;
    *ret = n * unit;
    return true;
}

static bool is_log_driver(const char *name)
{
    static const char *const names[] = {"json-file", "local",   "journald", "none",
                                        "syslog",    "fluentd", "gelf",     "awslogs",
                                        "splunk",    "etwlogs", "gcplogs"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(names); i++)
        if (skl_streq(names[i], name))
            return true;
    return false;
}

static int take_log_options(struct skl_create *x, const cJSON *options, struct skl_error *err)
{
    struct skl_container_spec *spec = &x->c->spec;
    const char *size = skl_json_get_str(options, "max-size");
    const char *files = skl_json_get_str(options, "max-file");
    int64_t n;

    if (size && !skl_streq(size, "-1") && !parse_size(size, &spec->log_max_bytes))
        return skl_fail(err, SKL_E_INVALID, "invalid log option max-size: '%.100s'", size);
    if (!files)
        return 0;
    if (!skl_str_i64(skl_str(files), &n) || n < 1 || n > INT_MAX)
        return skl_fail(err, SKL_E_INVALID, "invalid log option max-file: '%.100s'", files);
    spec->log_max_files = (unsigned)n;
    return 0;
}

static int take_log_config(struct skl_create *x, struct skl_error *err)
{
    const cJSON *sent = skl_json_get(x->host, "LogConfig");
    const cJSON *options = skl_json_get(sent, "Config");
    const char *type = skl_json_get_str(sent, "Type");
    cJSON *shown;
    int rc;

    if (skl_str_empty(type))
        type = "json-file";
    if (!is_log_driver(type))
        return skl_fail(err, SKL_E_INVALID,
                        "error looking up logging plugin %.100s: plugin \"%.100s\" not found", type,
                        type);
    x->c->spec.log_none = skl_streq(type, "none");
    if (!skl_streq(type, "json-file") && !skl_streq(type, "local") && !x->c->spec.log_none &&
        !skl_streq(type, "journald"))
        skl_buf_addf(&x->warnings,
                     "The log driver %s is recorded only: this daemon keeps the output itself.\n",
                     type);
    rc = take_log_options(x, options, err);
    if (rc < 0)
        return rc;
    shown = cJSON_CreateObject();
    cJSON_AddStringToObject(shown, "Type", type);
    cJSON_AddItemToObject(shown, "Config",
                          cJSON_IsObject(options) ? cJSON_Duplicate(options, true)
                                                  : cJSON_CreateObject());
    skl_fields_set(x->host, "LogConfig", shown);
    return 0;
}

/* -- processor, memory */

int skl_create_take_size(struct skl_create *x, struct skl_error *err)
{
    struct skl_container_spec *spec = &x->c->spec;
    int64_t nano = number(x, "NanoCpus"), period = number(x, "CpuPeriod");
    int64_t quota = number(x, "CpuQuota"), memory = number(x, "Memory");
    int64_t swap = number(x, "MemorySwap"), reservation = number(x, "MemoryReservation");

    if (nano < 0 || memory < 0)
        return skl_fail(err, SKL_E_INVALID, "%s cannot be negative",
                        nano < 0 ? "NanoCpus" : "Memory");
    if (nano > 0 && (period > 0 || quota > 0))
        return skl_fail(err, SKL_E_INVALID,
                        "Conflicting options: Nano CPUs and CPU %s cannot both be set.",
                        period > 0 ? "Period" : "Quota");
    if (memory > 0 && memory < MIN_MEMORY)
        return skl_fail(err, SKL_E_INVALID, "Minimum memory limit allowed is 6MB");
    if (memory > 0 && swap > 0 && swap < memory)
        return skl_fail(err, SKL_E_INVALID,
                        "Minimum memoryswap limit should be larger than memory limit, see usage");
    if (reservation > 0 && reservation < MIN_MEMORY)
        return skl_fail(err, SKL_E_INVALID, "Minimum memory reservation allowed is 6MB");
    if (memory > 0 && memory < reservation)
        return skl_fail(err, SKL_E_INVALID,
                        "Minimum memory limit can not be less than memory reservation limit, see "
                        "usage");
    if (period != 0 && (period < MIN_PERIOD_US || period > MAX_PERIOD_US))
        return skl_fail(err, SKL_E_INVALID,
                        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s "
                        "(i.e. 1000000)");
    if (quota > 0 && quota < MIN_PERIOD_US)
        return skl_fail(err, SKL_E_INVALID, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    if (quota > MAX_QUOTA_US)
        return skl_fail(err, SKL_E_INVALID, "CPU cfs quota is too large");
    if (nano == 0 && quota > 0)
        nano = (int64_t)((double)quota / (double)(period > 0 ? period : 100000) * 1e9);
    spec->nano_cpus = nano;
    spec->memory_bytes = memory;
    return 0;
}

static int check_swap(const struct skl_create *x, struct skl_error *err)
{
    if (number(x, "Memory") == 0 && number(x, "MemorySwap") > 0)
        return skl_fail(err, SKL_E_INVALID,
                        "You should always set the Memory limit when using Memoryswap limit, see "
                        "usage");
    return 0;
}

/* -- lists for the process */

static int take_extra_hosts(struct skl_create *x, struct skl_error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(x->host, "ExtraHosts"))
    {
        struct skl_str address, name = skl_str_cut(skl_str(item->valuestring), ':', &address);

        if (name.n == 0 || !address.p || address.n == 0)
            return skl_fail(err, SKL_E_INVALID, "bad format for add-host: \"%.200s\"",
                            item->valuestring);
        if (skl_str_eqz(address, "host-gateway"))
            skl_buf_addf(&x->warnings,
                         "The name %.*s is not set: a workload on %s has no host-gateway.\n",
                         (int)name.n, name.p, x->engine->backend->title);
        else
            skl_strv_push(&x->c->spec.extra_hosts, item->valuestring);
    }
    return 0;
}

static int take_ulimits(struct skl_create *x, struct skl_error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(x->host, "Ulimits"))
    {
        const char *name = skl_json_get_str(item, "Name");
        long long soft = skl_json_get_int(item, "Soft", 0),
                  hard = skl_json_get_int(item, "Hard", 0);
        char text[128];

        if (skl_str_empty(name) || strlen(name) > 32)
            return skl_fail(err, SKL_E_INVALID, "invalid ulimit type: %.100s", name ? name : "");
        if (hard != -1 && (soft > hard || soft == -1))
            return skl_fail(err, SKL_E_INVALID,
                            "ulimit soft limit must be less than or equal to hard limit: %lld > "
                            "%lld",
                            soft, hard);
        snprintf(text, sizeof(text), "%s=%lld:%lld", name, soft, hard);
        skl_strv_push(&x->c->spec.ulimits, text);
    }
    return 0;
}

/* -- ports */

static int check_binding(const cJSON *binding, struct skl_error *err)
{
    const char *port = skl_json_get_str(binding, "HostPort");

    if (skl_str_empty(port) || (skl_port_spec_is_valid(port) && !strchr(port, '/')))
        return 0;
    return skl_fail(err, SKL_E_INVALID, "invalid port specification: \"%.100s\"", port);
}

/* Requests are kept as they are; canonical names, and every published port is an exposed one. */
static int take_ports(struct skl_create *x, struct skl_error *err)
{
    const cJSON *sent = skl_json_get(x->host, "PortBindings"), *port, *binding;
    cJSON *shown, *exposed = skl_json_get(x->config, "ExposedPorts");
    int rc = 0;

    if (!sent)
        return 0;
    shown = cJSON_CreateObject();
    cJSON_ArrayForEach(port, sent)
    {
        cJSON *list = cJSON_CreateArray();

        cJSON_AddItemToObject(shown, port->string, list);
        if (!skl_port_spec_is_valid(port->string)) {
            rc = skl_fail(err, SKL_E_INVALID, "invalid port specification: \"%.100s\"",
                          port->string);
            break;
        }
        cJSON_ArrayForEach(binding, port)
        {
            const char *ip = skl_json_get_str(binding, "HostIp");
            const char *host_port = skl_json_get_str(binding, "HostPort");
            cJSON *row = cJSON_CreateObject();

            if (rc == 0)
                rc = check_binding(binding, err);
            cJSON_AddStringToObject(row, "HostIp", ip ? ip : "");
            cJSON_AddStringToObject(row, "HostPort", host_port ? host_port : "");
            cJSON_AddItemToArray(list, row);
        }
        if (rc == 0 && cJSON_GetArraySize(list) > 0 && strstr(port->string, "/") &&
            !strstr(port->string, "/tcp"))
            skl_buf_addf(&x->warnings, "Port %.32s is not published: only TCP can be carried.\n",
                         port->string);
        if (!exposed) {
            skl_fields_set(x->config, "ExposedPorts", cJSON_CreateObject());
            exposed = skl_json_get(x->config, "ExposedPorts");
        }
        if (!cJSON_GetObjectItemCaseSensitive(exposed, port->string))
            cJSON_AddItemToObject(exposed, port->string, cJSON_CreateObject());
    }
    skl_fields_set(x->host, "PortBindings", shown);
    return rc;
}

static void push_strings(char ***v, const cJSON *array)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, array) skl_strv_push(v, item->valuestring);
}

int skl_create_take_host(struct skl_create *x, struct skl_error *err)
{
    struct skl_container_spec *spec = &x->c->spec;
    const char *driver = skl_json_get_str(x->host, "VolumeDriver");
    int rc;

    set_defaults(x);
    set_labels_off(x);
    if (!skl_str_empty(driver) && !skl_streq(driver, "local"))
        return skl_fail(err, SKL_E_NOTFOUND,
                        "error looking up volume plugin %.100s: plugin \"%.100s\" not found",
                        driver, driver);
    spec->privileged = skl_json_get_bool(x->host, "Privileged", false);
    spec->init = skl_json_get_bool(x->host, "Init", false);
    push_strings(&spec->group_add, skl_json_get(x->host, "GroupAdd"));
    rc = check_shm(x, err);
    if (rc == 0)
        rc = skl_create_take_restart(x, err);
    if (rc == 0)
        rc = take_log_config(x, err);
    if (rc == 0)
        rc = check_swap(x, err);
    if (rc == 0)
        rc = skl_create_take_size(x, err);
    if (rc == 0)
        rc = take_extra_hosts(x, err);
    if (rc == 0)
        rc = take_ulimits(x, err);
    if (rc == 0)
        rc = take_ports(x, err);
    return rc;
}
