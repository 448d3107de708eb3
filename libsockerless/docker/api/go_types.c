/* The Go types of all bodies that are read: names, members and their types, as an Engine's source has them. */
#include "docker/api/go_json.h"

/* clang-format off */
static const struct { const char *name, *is; } names[] = {
    {"container.CgroupSpec",      "string"},
    {"container.CgroupnsMode",    "string"},
    {"container.IpcMode",         "string"},
    {"container.Isolation",       "string"},
    {"container.NetworkMode",     "string"},
    {"container.PidMode",         "string"},
    {"container.UTSMode",         "string"},
    {"container.UsernsMode",      "string"},
    {"fs.FileMode",               "uint32"},
    {"mount.Consistency",         "string"},
    {"mount.Propagation",         "string"},
    {"mount.Type",                "string"},
    {"nat.PortMap",               "map[nat.Port][]nat.PortBinding"},
    {"nat.PortSet",               "map[nat.Port]struct {}"},
    {"time.Duration",             "int64"},
};

#define CONFIG                                                                                     \
    {"Hostname", "string"}, {"Domainname", "string"}, {"User", "string"},                          \
    {"AttachStdin", "bool"}, {"AttachStdout", "bool"}, {"AttachStderr", "bool"},                   \
    {"ExposedPorts", "nat.PortSet"}, {"Tty", "bool"}, {"OpenStdin", "bool"}, {"StdinOnce", "bool"}, \
    {"Env", "[]string"}, {"Cmd", "strslice.StrSlice"},                                             \
    {"Healthcheck", "*container.HealthConfig"}, {"ArgsEscaped", "bool"}, {"Image", "string"},      \
    {"Volumes", "map[string]struct {}"}, {"WorkingDir", "string"},                                 \
    {"Entrypoint", "strslice.StrSlice"}, {"NetworkDisabled", "bool"}, {"MacAddress", "string"},    \
    {"OnBuild", "[]string"}, {"Labels", "map[string]string"}, {"StopSignal", "string"},            \
    {"StopTimeout", "*int"}, {"Shell", "strslice.StrSlice"}

#define RESOURCES                                                                                  \
    {"CpuShares", "int64"}, {"Memory", "int64"}, {"NanoCpus", "int64"}, {"CgroupParent", "string"}, \
    {"BlkioWeight", "uint16"}, {"BlkioWeightDevice", "[]*blkiodev.WeightDevice"},                  \
    {"BlkioDeviceReadBps", "[]*blkiodev.ThrottleDevice"},                                          \
    {"BlkioDeviceWriteBps", "[]*blkiodev.ThrottleDevice"},                                         \
    {"BlkioDeviceReadIOps", "[]*blkiodev.ThrottleDevice"},                                         \
    {"BlkioDeviceWriteIOps", "[]*blkiodev.ThrottleDevice"},                                        \
    {"CpuPeriod", "int64"}, {"CpuQuota", "int64"}, {"CpuRealtimePeriod", "int64"},                 \
    {"CpuRealtimeRuntime", "int64"}, {"CpusetCpus", "string"}, {"CpusetMems", "string"},           \
    {"Devices", "[]container.DeviceMapping"}, {"DeviceCgroupRules", "[]string"},                   \
    {"DeviceRequests", "[]container.DeviceRequest"}, {"KernelMemory", "int64"},                    \
    {"KernelMemoryTCP", "int64"}, {"MemoryReservation", "int64"}, {"MemorySwap", "int64"},         \
    {"MemorySwappiness", "*int64"}, {"OomKillDisable", "*bool"}, {"PidsLimit", "*int64"},          \
    {"Ulimits", "[]*units.Ulimit"}, {"CpuCount", "int64"}, {"CpuPercent", "int64"},                \
    {"IOMaximumIOps", "uint64"}, {"IOMaximumBandwidth", "uint64"}

#define FIELDS(...) (const struct skl_go_field[]){__VA_ARGS__, {NULL, NULL}}

static const struct { const char *name; const struct skl_go_field *fields; } structs[] = {
    {"blkiodev.ThrottleDevice", FIELDS({"Path", "string"}, {"Rate", "uint64"})},
    {"blkiodev.WeightDevice", FIELDS({"Path", "string"}, {"Weight", "uint16"})},
    {"container.DeviceMapping", FIELDS({"PathOnHost", "string"}, {"PathInContainer", "string"},
        {"CgroupPermissions", "string"})},
    {"container.DeviceRequest", FIELDS({"Driver", "string"}, {"Count", "int"},
        {"DeviceIDs", "[]string"}, {"Capabilities", "[][]string"},
        {"Options", "map[string]string"})},
    {"container.HealthConfig", FIELDS({"Test", "[]string"}, {"Interval", "time.Duration"},
        {"Timeout", "time.Duration"}, {"StartPeriod", "time.Duration"},
        {"StartInterval", "time.Duration"}, {"Retries", "int"})},
    {"container.HostConfig", FIELDS({"Binds", "[]string"}, {"ContainerIDFile", "string"},
        {"LogConfig", "container.LogConfig"}, {"NetworkMode", "container.NetworkMode"},
        {"PortBindings", "nat.PortMap"}, {"RestartPolicy", "container.RestartPolicy"},
        {"AutoRemove", "bool"}, {"VolumeDriver", "string"}, {"VolumesFrom", "[]string"},
        {"ConsoleSize", "[2]uint"}, {"Annotations", "map[string]string"},
        {"CapAdd", "strslice.StrSlice"}, {"CapDrop", "strslice.StrSlice"},
        {"CgroupnsMode", "container.CgroupnsMode"}, {"Dns", "[]string"}, {"DnsOptions", "[]string"},
        {"DnsSearch", "[]string"}, {"ExtraHosts", "[]string"}, {"GroupAdd", "[]string"},
        {"IpcMode", "container.IpcMode"}, {"Cgroup", "container.CgroupSpec"}, {"Links", "[]string"},
        {"OomScoreAdj", "int"}, {"PidMode", "container.PidMode"}, {"Privileged", "bool"},
        {"PublishAllPorts", "bool"}, {"ReadonlyRootfs", "bool"}, {"SecurityOpt", "[]string"},
        {"StorageOpt", "map[string]string"}, {"Tmpfs", "map[string]string"},
        {"UTSMode", "container.UTSMode"}, {"UsernsMode", "container.UsernsMode"},
        {"ShmSize", "int64"}, {"Sysctls", "map[string]string"}, {"Runtime", "string"},
        {"Isolation", "container.Isolation"}, RESOURCES, {"Mounts", "[]mount.Mount"},
        {"MaskedPaths", "[]string"}, {"ReadonlyPaths", "[]string"}, {"Init", "*bool"})},
    {"container.LogConfig", FIELDS({"Type", "string"}, {"Config", "map[string]string"})},
    {"container.RestartPolicy", FIELDS({"Name", "string"}, {"MaximumRetryCount", "int"})},
    {"container.UpdateConfig", FIELDS(RESOURCES, {"RestartPolicy", "container.RestartPolicy"})},
    {"mount.BindOptions", FIELDS({"Propagation", "mount.Propagation"}, {"NonRecursive", "bool"},
        {"CreateMountpoint", "bool"}, {"ReadOnlyNonRecursive", "bool"},
        {"ReadOnlyForceRecursive", "bool"})},
    {"mount.Driver", FIELDS({"Name", "string"}, {"Options", "map[string]string"})},
    {"mount.Mount", FIELDS({"Type", "mount.Type"}, {"Source", "string"}, {"Target", "string"},
        {"ReadOnly", "bool"}, {"Consistency", "mount.Consistency"},
        {"BindOptions", "*mount.BindOptions"}, {"VolumeOptions", "*mount.VolumeOptions"},
        {"TmpfsOptions", "*mount.TmpfsOptions"})},
    {"mount.TmpfsOptions", FIELDS({"SizeBytes", "int64"}, {"Mode", "fs.FileMode"})},
    {"mount.VolumeOptions", FIELDS({"NoCopy", "bool"}, {"Labels", "map[string]string"},
        {"Subpath", "string"}, {"DriverConfig", "*mount.Driver"})},
    {"nat.PortBinding", FIELDS({"HostIp", "string"}, {"HostPort", "string"})},
    {"network.ConfigReference", FIELDS({"Network", "string"})},
    {"network.EndpointIPAMConfig", FIELDS({"IPv4Address", "string"}, {"IPv6Address", "string"},
        {"LinkLocalIPs", "[]string"})},
    {"network.EndpointSettings", FIELDS({"IPAMConfig", "*network.EndpointIPAMConfig"},
        {"Links", "[]string"}, {"Aliases", "[]string"}, {"MacAddress", "string"},
        {"DriverOpts", "map[string]string"}, {"NetworkID", "string"}, {"EndpointID", "string"},
        {"Gateway", "string"}, {"IPAddress", "string"}, {"IPPrefixLen", "int"},
        {"IPv6Gateway", "string"}, {"GlobalIPv6Address", "string"}, {"GlobalIPv6PrefixLen", "int"},
        {"DNSNames", "[]string"})},
    {"network.IPAM", FIELDS({"Driver", "string"}, {"Options", "map[string]string"},
        {"Config", "[]network.IPAMConfig"})},
    {"network.IPAMConfig", FIELDS({"Subnet", "string"}, {"IPRange", "string"}, {"Gateway", "string"},
        {"AuxiliaryAddresses", "map[string]string"})},
    {"network.NetworkingConfig",
        FIELDS({"EndpointsConfig", "map[string]*network.EndpointSettings"})},
    {"runconfig.ContainerConfigWrapper", FIELDS(CONFIG, {"HostConfig", "*container.HostConfig"},
        {"NetworkingConfig", "*network.NetworkingConfig"})},
    {"types.AuthConfig", FIELDS({"username", "string"}, {"password", "string"}, {"auth", "string"},
        {"email", "string"}, {"serveraddress", "string"}, {"identitytoken", "string"},
        {"registrytoken", "string"})},
    {"types.ExecConfig", FIELDS({"User", "string"}, {"Privileged", "bool"}, {"Tty", "bool"},
        {"ConsoleSize", "*[2]uint"}, {"AttachStdin", "bool"}, {"AttachStderr", "bool"},
        {"AttachStdout", "bool"}, {"Detach", "bool"}, {"DetachKeys", "string"}, {"Env", "[]string"},
        {"WorkingDir", "string"}, {"Cmd", "[]string"})},
    {"types.ExecStartCheck", FIELDS({"Detach", "bool"}, {"Tty", "bool"},
        {"ConsoleSize", "*[2]uint"})},
    {"types.NetworkConnect", FIELDS({"Container", "string"},
        {"EndpointConfig", "*network.EndpointSettings"})},
    {"types.NetworkCreateRequest", FIELDS({"CheckDuplicate", "bool"}, {"Driver", "string"},
        {"Scope", "string"}, {"EnableIPv6", "bool"}, {"IPAM", "*network.IPAM"},
        {"Internal", "bool"}, {"Attachable", "bool"}, {"Ingress", "bool"}, {"ConfigOnly", "bool"},
        {"ConfigFrom", "*network.ConfigReference"}, {"Options", "map[string]string"},
        {"Labels", "map[string]string"}, {"Name", "string"})},
    {"types.NetworkDisconnect", FIELDS({"Container", "string"}, {"Force", "bool"})},
    {"units.Ulimit", FIELDS({"Name", "string"}, {"Hard", "int64"}, {"Soft", "int64"})},
    {"volume.VolumeCreateBody", FIELDS({"Driver", "string"}, {"DriverOpts", "map[string]string"},
        {"Labels", "map[string]string"}, {"Name", "string"})},
};
/* clang-format on */

static bool is(const char *name, const char *type, size_t n)
{
    return skl_str_eqz(skl_str_n(type, n), name);
}

const struct skl_go_field *skl_go_struct_fields(const char *type, size_t n)
{
    for (size_t i = 0; i < sizeof(structs) / sizeof(*structs); i++)
        if (is(structs[i].name, type, n))
            return structs[i].fields;
    return NULL;
}

const char *skl_go_underlying(const char *type, size_t n)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (is(names[i].name, type, n))
            return names[i].is;
    return NULL;
}
