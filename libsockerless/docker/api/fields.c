#include "docker/api/fields.h"

#include <math.h>

#include "base/alloc.h"
#include "base/json_read.h"

/* clang-format off */
const struct skl_field skl_config_fields[] = {
    {"Hostname",        SKL_FIELD_STRING,  "\"\""},
    {"Domainname",      SKL_FIELD_STRING,  "\"\""},
    {"User",            SKL_FIELD_STRING,  "\"\""},
    {"AttachStdin",     SKL_FIELD_BOOL,    "false"},
    {"AttachStdout",    SKL_FIELD_BOOL,    "false"},
    {"AttachStderr",    SKL_FIELD_BOOL,    "false"},
    {"ExposedPorts",    SKL_FIELD_SET,     NULL},
    {"Tty",             SKL_FIELD_BOOL,    "false"},
    {"OpenStdin",       SKL_FIELD_BOOL,    "false"},
    {"StdinOnce",       SKL_FIELD_BOOL,    "false"},
    {"Env",             SKL_FIELD_STRINGS, "null"},
    {"Cmd",             SKL_FIELD_WORDS,   "null"},
    {"Healthcheck",     SKL_FIELD_OBJECT,  NULL},
    {"ArgsEscaped",     SKL_FIELD_BOOL,    NULL},
    {"Image",           SKL_FIELD_STRING,  "\"\""},
    {"Volumes",         SKL_FIELD_SET,     "null"},
    {"WorkingDir",      SKL_FIELD_STRING,  "\"\""},
    {"Entrypoint",      SKL_FIELD_WORDS,   "null"},
    {"NetworkDisabled", SKL_FIELD_BOOL,    NULL},
    {"MacAddress",      SKL_FIELD_STRING,  NULL},
    {"OnBuild",         SKL_FIELD_STRINGS, "null"},
    {"Labels",          SKL_FIELD_MAP,     "{}"},
    {"StopSignal",      SKL_FIELD_STRING,  NULL},
    {"StopTimeout",     SKL_FIELD_INT,     NULL},
    {"Shell",           SKL_FIELD_WORDS,   NULL},
};

const struct skl_field skl_host_config_fields[] = {
    {"Binds",                SKL_FIELD_STRINGS, "null"},
    {"ContainerIDFile",      SKL_FIELD_STRING,  "\"\""},
    {"LogConfig",            SKL_FIELD_OBJECT,  "{\"Type\":\"json-file\",\"Config\":{}}"},
    {"NetworkMode",          SKL_FIELD_STRING,  "\"default\""},
    {"PortBindings",         SKL_FIELD_OBJECT,  "null"},
    {"RestartPolicy",        SKL_FIELD_OBJECT,  "{\"Name\":\"no\",\"MaximumRetryCount\":0}"},
    {"AutoRemove",           SKL_FIELD_BOOL,    "false"},
    {"VolumeDriver",         SKL_FIELD_STRING,  "\"\""},
    {"VolumesFrom",          SKL_FIELD_STRINGS, "null"},
    {"ConsoleSize",          SKL_FIELD_LIST,    "[0,0]"},
    {"Annotations",          SKL_FIELD_MAP,     NULL},
    {"CapAdd",               SKL_FIELD_WORDS,   "null"},
    {"CapDrop",              SKL_FIELD_WORDS,   "null"},
    {"CgroupnsMode",         SKL_FIELD_STRING,  "\"private\""},
    {"Dns",                  SKL_FIELD_STRINGS, "null"},
    {"DnsOptions",           SKL_FIELD_STRINGS, "null"},
    {"DnsSearch",            SKL_FIELD_STRINGS, "null"},
    {"ExtraHosts",           SKL_FIELD_STRINGS, "null"},
    {"GroupAdd",             SKL_FIELD_STRINGS, "null"},
    {"IpcMode",              SKL_FIELD_STRING,  "\"private\""},
    {"Cgroup",               SKL_FIELD_STRING,  "\"\""},
    {"Links",                SKL_FIELD_STRINGS, "null"},
    {"OomScoreAdj",          SKL_FIELD_INT,     "0"},
    {"PidMode",              SKL_FIELD_STRING,  "\"\""},
    {"Privileged",           SKL_FIELD_BOOL,    "false"},
    {"PublishAllPorts",      SKL_FIELD_BOOL,    "false"},
    {"ReadonlyRootfs",       SKL_FIELD_BOOL,    "false"},
    {"SecurityOpt",          SKL_FIELD_STRINGS, "null"},
    {"StorageOpt",           SKL_FIELD_MAP,     NULL},
    {"Tmpfs",                SKL_FIELD_MAP,     NULL},
    {"UTSMode",              SKL_FIELD_STRING,  "\"\""},
    {"UsernsMode",           SKL_FIELD_STRING,  "\"\""},
    {"ShmSize",              SKL_FIELD_INT,     "67108864"},
    {"Sysctls",              SKL_FIELD_MAP,     NULL},
    {"Runtime",              SKL_FIELD_STRING,  "\"runc\""},
    {"Isolation",            SKL_FIELD_STRING,  "\"\""},
    {"CpuShares",            SKL_FIELD_INT,     "0"},
    {"Memory",               SKL_FIELD_INT,     "0"},
    {"NanoCpus",             SKL_FIELD_INT,     "0"},
    {"CgroupParent",         SKL_FIELD_STRING,  "\"\""},
    {"BlkioWeight",          SKL_FIELD_INT,     "0"},
    {"BlkioWeightDevice",    SKL_FIELD_LIST,    "null"},
    {"BlkioDeviceReadBps",   SKL_FIELD_LIST,    "null"},
    {"BlkioDeviceWriteBps",  SKL_FIELD_LIST,    "null"},
    {"BlkioDeviceReadIOps",  SKL_FIELD_LIST,    "null"},
    {"BlkioDeviceWriteIOps", SKL_FIELD_LIST,    "null"},
    {"CpuPeriod",            SKL_FIELD_INT,     "0"},
    {"CpuQuota",             SKL_FIELD_INT,     "0"},
    {"CpuRealtimePeriod",    SKL_FIELD_INT,     "0"},
    {"CpuRealtimeRuntime",   SKL_FIELD_INT,     "0"},
    {"CpusetCpus",           SKL_FIELD_STRING,  "\"\""},
    {"CpusetMems",           SKL_FIELD_STRING,  "\"\""},
    {"Devices",              SKL_FIELD_LIST,    "null"},
    {"DeviceCgroupRules",    SKL_FIELD_STRINGS, "null"},
    {"DeviceRequests",       SKL_FIELD_LIST,    "null"},
    {"MemoryReservation",    SKL_FIELD_INT,     "0"},
    {"MemorySwap",           SKL_FIELD_INT,     "0"},
    {"MemorySwappiness",     SKL_FIELD_INT,     "null"},
    {"OomKillDisable",       SKL_FIELD_BOOL,    "false"},
    {"PidsLimit",            SKL_FIELD_INT,     "null"},
    {"Ulimits",              SKL_FIELD_LIST,    "null"},
    {"CpuCount",             SKL_FIELD_INT,     "0"},
    {"CpuPercent",           SKL_FIELD_INT,     "0"},
    {"IOMaximumIOps",        SKL_FIELD_INT,     "0"},
    {"IOMaximumBandwidth",   SKL_FIELD_INT,     "0"},
    {"Mounts",               SKL_FIELD_LIST,    NULL},
    {"MaskedPaths",          SKL_FIELD_STRINGS,
     "[\"/proc/asound\",\"/proc/acpi\",\"/proc/kcore\",\"/proc/keys\",\"/proc/latency_stats\","
     "\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\",\"/proc/scsi\","
     "\"/sys/firmware\",\"/sys/devices/virtual/powercap\"]"},
    {"ReadonlyPaths",        SKL_FIELD_STRINGS,
     "[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]"},
    {"Init",                 SKL_FIELD_BOOL,    NULL},
};
/* clang-format on */
const size_t skl_config_fields_count = SKL_ARRAY_LEN(skl_config_fields);
const size_t skl_host_config_fields_count = SKL_ARRAY_LEN(skl_host_config_fields);

static const char *go_type(enum skl_field_type t)
{
    switch (t) {
    case SKL_FIELD_STRING:
        return "string";
    case SKL_FIELD_BOOL:
        return "bool";
    case SKL_FIELD_INT:
        return "int64";
    case SKL_FIELD_STRINGS:
    case SKL_FIELD_WORDS:
        return "[]string";
    case SKL_FIELD_SET:
        return "map[string]struct {}";
    case SKL_FIELD_MAP:
        return "map[string]string";
    case SKL_FIELD_OBJECT:
        return "object";
    case SKL_FIELD_LIST:
        return "array";
    }
    return "";
}

static const char *json_type(const cJSON *v)
{
    if (cJSON_IsString(v))
        return "string";
    if (cJSON_IsNumber(v))
        return "number";
    if (cJSON_IsBool(v))
        return "bool";
    return cJSON_IsArray(v) ? "array" : "object";
}

static bool all(const cJSON *v, cJSON_bool (*is)(const cJSON *))
{
    const cJSON *item;

    cJSON_ArrayForEach(item, v) if (!is(item) && !cJSON_IsNull(item)) return false;
    return true;
}

static bool fits(const cJSON *v, enum skl_field_type t)
{
    switch (t) {
    case SKL_FIELD_STRING:
        return cJSON_IsString(v);
    case SKL_FIELD_BOOL:
        return cJSON_IsBool(v);
    case SKL_FIELD_INT:
        return cJSON_IsNumber(v) && fabs(v->valuedouble - trunc(v->valuedouble)) <= 0;
    case SKL_FIELD_STRINGS:
        return cJSON_IsArray(v) && all(v, cJSON_IsString);
    case SKL_FIELD_WORDS:
        return cJSON_IsString(v) || (cJSON_IsArray(v) && all(v, cJSON_IsString));
    case SKL_FIELD_SET:
        return cJSON_IsObject(v) && all(v, cJSON_IsObject);
    case SKL_FIELD_MAP:
        return cJSON_IsObject(v) && all(v, cJSON_IsString);
    case SKL_FIELD_OBJECT:
        return cJSON_IsObject(v);
    case SKL_FIELD_LIST:
        return cJSON_IsArray(v);
    }
    return false;
}

/* Null elements read as zero values, as Go does. */
static cJSON *copy_value(const cJSON *v, enum skl_field_type t)
{
    cJSON *copy, *item, *next;

    if (t == SKL_FIELD_WORDS && cJSON_IsString(v)) {
        copy = cJSON_CreateArray();
        cJSON_AddItemToArray(copy, cJSON_CreateString(v->valuestring));
        return copy;
    }
    copy = cJSON_Duplicate(v, true);
    if (t != SKL_FIELD_STRINGS && t != SKL_FIELD_WORDS && t != SKL_FIELD_SET && t != SKL_FIELD_MAP)
        return copy;
    for (item = copy->child; item; item = next) {
        next = item->next;
        if (cJSON_IsNull(item)) {
            cJSON *zero = t == SKL_FIELD_SET ? cJSON_CreateObject() : cJSON_CreateString("");

            if (item->string)
                zero->string = skl_strdup(item->string);
            cJSON_ReplaceItemViaPointer(copy, item, zero);
        }
    }
    return copy;
}

/* What Go leaves out of its JSON when it is empty. Numbers, booleans and objects without a default are pointers there:
 * they are shown as they were sent. */
static bool is_left_out(const cJSON *v, const struct skl_field *f)
{
    switch (f->type) {
    case SKL_FIELD_STRING:
        return !f->dflt && v->valuestring[0] == '\0';
    case SKL_FIELD_STRINGS:
    case SKL_FIELD_WORDS:
    case SKL_FIELD_SET:
    case SKL_FIELD_MAP:
    case SKL_FIELD_LIST:
        return !f->dflt && !cJSON_IsString(v) && cJSON_GetArraySize(v) == 0;
    case SKL_FIELD_BOOL:
    case SKL_FIELD_INT:
    case SKL_FIELD_OBJECT:
        break;
    }
    return false;
}

int skl_fields_take(const struct skl_field *fields, size_t n, const char *what, const cJSON *in,
                    cJSON **ret, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *out = cJSON_CreateObject();

    for (size_t i = 0; i < n; i++) {
        const struct skl_field *f = &fields[i];
        const cJSON *v = skl_json_get(in, f->name);

        if (!v) {
            if (f->dflt)
                cJSON_AddItemToObject(out, f->name, cJSON_Parse(f->dflt));
            continue;
        }
        if (!fits(v, f->type))
            return skl_fail(err, SKL_E_INVALID,
                            "invalid JSON: cannot unmarshal %s into field %s.%s of type %s",
                            json_type(v), what, f->name, go_type(f->type));
        if (!is_left_out(v, f))
            cJSON_AddItemToObject(out, f->name, copy_value(v, f->type));
    }
    *ret = skl_take(&out);
    return 0;
}

void skl_fields_set(cJSON *object, const char *name, cJSON *own_value)
{
    if (!own_value)
        own_value = cJSON_CreateNull();
    if (cJSON_HasObjectItem(object, name))
        cJSON_ReplaceItemInObjectCaseSensitive(object, name, own_value);
    else
        cJSON_AddItemToObject(object, name, own_value);
}
