/* What a serverless cloud cannot follow. What changes results is refused with a sentence; what only tunes or
 * hardens is kept, shown and warned about. */
#include "base/json_read.h"
#include "docker/containers/create_internal.h"

enum unset { WHEN_ZERO, WHEN_EMPTY, WHEN_FALSE, WHEN_NO_ITEMS };

/* clang-format off */
static const struct {
    const char *name;
    enum unset unset;
    const char *dflt; /* a string that means the same as unset */
} tuning[] = {
    {"CapAdd", WHEN_NO_ITEMS, NULL},        {"CapDrop", WHEN_NO_ITEMS, NULL},
    {"SecurityOpt", WHEN_NO_ITEMS, NULL},   {"Sysctls", WHEN_NO_ITEMS, NULL},
    {"StorageOpt", WHEN_NO_ITEMS, NULL},    {"DeviceCgroupRules", WHEN_NO_ITEMS, NULL},
    {"Dns", WHEN_NO_ITEMS, NULL},           {"DnsOptions", WHEN_NO_ITEMS, NULL},
    {"DnsSearch", WHEN_NO_ITEMS, NULL},     {"Links", WHEN_NO_ITEMS, NULL},
    {"BlkioWeightDevice", WHEN_NO_ITEMS, NULL},
    {"BlkioDeviceReadBps", WHEN_NO_ITEMS, NULL},
    {"BlkioDeviceWriteBps", WHEN_NO_ITEMS, NULL},
    {"BlkioDeviceReadIOps", WHEN_NO_ITEMS, NULL},
    {"BlkioDeviceWriteIOps", WHEN_NO_ITEMS, NULL},
    {"ReadonlyRootfs", WHEN_FALSE, NULL},   {"OomKillDisable", WHEN_FALSE, NULL},
    {"CpuShares", WHEN_ZERO, NULL},         {"BlkioWeight", WHEN_ZERO, NULL},
    {"CpuRealtimePeriod", WHEN_ZERO, NULL}, {"CpuRealtimeRuntime", WHEN_ZERO, NULL},
    {"MemoryReservation", WHEN_ZERO, NULL}, {"OomScoreAdj", WHEN_ZERO, NULL},
    {"PidsLimit", WHEN_ZERO, NULL},         {"MemorySwappiness", WHEN_ZERO, NULL},
    {"CpusetCpus", WHEN_EMPTY, NULL},       {"CpusetMems", WHEN_EMPTY, NULL},
    {"CgroupParent", WHEN_EMPTY, NULL},     {"UTSMode", WHEN_EMPTY, NULL},
    {"UsernsMode", WHEN_EMPTY, NULL},       {"PidMode", WHEN_EMPTY, NULL},
    {"IpcMode", WHEN_EMPTY, "private"},     {"Runtime", WHEN_EMPTY, "runc"},
    {"CgroupnsMode", WHEN_EMPTY, "private"},
};
/* clang-format on */

static bool is_set(const cJSON *v, enum unset unset, const char *dflt)
{
    switch (unset) {
    case WHEN_ZERO:
        return cJSON_IsNumber(v) && v->valuedouble > 0;
    case WHEN_EMPTY:
        return cJSON_IsString(v) && v->valuestring[0] && !skl_streq(v->valuestring, dflt);
    case WHEN_FALSE:
        return cJSON_IsTrue(v);
    case WHEN_NO_ITEMS:
        return cJSON_GetArraySize(v) > 0;
    }
    return false;
}

static void warn_tuning(struct skl_create *x)
{
    size_t found = 0;

    for (size_t i = 0; i < SKL_ARRAY_LEN(tuning); i++)
        if (is_set(skl_json_get(x->host, tuning[i].name), tuning[i].unset, tuning[i].dflt))
            skl_buf_addf(&x->warnings, "%s%s",
                         found++ ? ", " : "Recorded, but without effect here: ", tuning[i].name);
    if (found)
        skl_buf_adds(&x->warnings, ".\n");
}

int skl_create_check_limits(struct skl_create *x, struct skl_error *err)
{
    const char *title = x->engine->backend->title;
    const char *network = skl_json_get_str(x->host, "NetworkMode");

    if (cJSON_GetArraySize(skl_json_get(x->host, "Devices")) > 0 ||
        cJSON_GetArraySize(skl_json_get(x->host, "DeviceRequests")) > 0)
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "devices of the host are not available on %s: leave out --device and "
                        "--gpus",
                        title);
    if (skl_str_starts(skl_str(network), "container:"))
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "network mode %.100s is not supported by the %s backend: containers do "
                        "not share a network name space on %s; run both programs in one container",
                        network, x->engine->backend->name, title);
    warn_tuning(x);
    return 0;
}
