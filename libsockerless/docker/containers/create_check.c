/* What an Engine refuses in a configuration, whether or not it would have an effect here: a typing error is found in the
 * same place as with an Engine. The words are its. */
#include "base/json_read.h"
#include "docker/containers/create_internal.h"

static const char *text(const struct skl_create *x, const char *name)
{
    const char *v = skl_json_get_str(x->host, name);

    return v ? v : "";
}

static bool has_items(const cJSON *parent, const char *name)
{
    return cJSON_GetArraySize(skl_json_get(parent, name)) > 0;
}

static bool has_text(const cJSON *parent, const char *name)
{
    return !skl_str_empty(skl_json_get_str(parent, name));
}

static int conflict(struct skl_error *err, const char *what)
{
    return skl_fail(err, SKL_E_INVALID, "conflicting options: %s", what);
}

/* -- name spaces */

static int check_network_mode(struct skl_create *x, struct skl_error *err)
{
    bool container = skl_str_starts(skl_str(text(x, "NetworkMode")), "container:");
    bool host = skl_streq(text(x, "NetworkMode"), "host");
    bool publishes =
        has_items(x->host, "PortBindings") || skl_json_get_bool(x->host, "PublishAllPorts", false);

    if (skl_streq(text(x, "UTSMode"), "host") && has_text(x->config, "Hostname"))
        return conflict(err, "hostname and the UTS mode");
    if (container && has_text(x->config, "Hostname"))
        return conflict(err, "hostname and the network mode");
    if (container && has_items(x->host, "Links"))
        return conflict(err, "container type network can't be used with links. This would result "
                             "in undefined behavior");
    if (container && has_items(x->host, "Dns"))
        return conflict(err, "dns and the network mode");
    if (container && has_items(x->host, "ExtraHosts"))
        return conflict(err, "custom host-to-IP mapping and the network mode");
    if ((container || host) && has_text(x->config, "MacAddress"))
        return conflict(err, "mac-address and the network mode");
    if (container && publishes)
        return conflict(err, "port publishing and the container type network mode");
    if (container && has_items(x->config, "ExposedPorts"))
        return conflict(err, "port exposing and the container type network mode");
    return 0;
}

/* "container:NAME" of PidMode and IpcMode */
static int check_shared(struct skl_create *x, const char *name, struct skl_error *err)
{
    const char *mode = text(x, name);
    struct skl_container *c;

    if (!skl_str_starts(skl_str(mode), "container:") ||
        skl_container_find(x->engine->store, mode + strlen("container:"), &c, err) == 0)
        return 0;
    err->kind = SKL_E_INVALID;
    return -SKL_E_INVALID;
}

static int check_modes(struct skl_create *x, struct skl_error *err)
{
    const char *group = text(x, "CgroupnsMode"), *isolation = text(x, "Isolation");
    const char *runtime = text(x, "Runtime");

    if (*group && !skl_streq(group, "private") && !skl_streq(group, "host"))
        return skl_fail(err, SKL_E_INVALID, "invalid cgroup namespace mode: %.100s", group);
    if (*isolation && !skl_str_ieqz(skl_str(isolation), "default"))
        return skl_fail(err, SKL_E_INVALID,
                        "Invalid isolation: \"%.100s\" - linux only supports 'default'", isolation);
    if (*runtime && !skl_streq(runtime, "runc") && !skl_streq(runtime, "io.containerd.runc.v2"))
        return skl_fail(err, SKL_E_INVALID, "Unknown runtime specified %.100s", runtime);
    if (check_shared(x, "PidMode", err) < 0)
        return -SKL_E_INVALID;
    return check_shared(x, "IpcMode", err);
}

/* -- capabilities, security */

static bool is_capability(struct skl_str name)
{
    static const char *const names[] = {
        "ALL",
        "AUDIT_CONTROL",
        "AUDIT_READ",
        "AUDIT_WRITE",
        "BLOCK_SUSPEND",
        "BPF",
        "CHECKPOINT_RESTORE",
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "IPC_LOCK",
        "IPC_OWNER",
        "KILL",
        "LEASE",
        "LINUX_IMMUTABLE",
        "MAC_ADMIN",
        "MAC_OVERRIDE",
        "MKNOD",
        "NET_ADMIN",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_RAW",
        "PERFMON",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYSLOG",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_CHROOT",
        "SYS_MODULE",
        "SYS_NICE",
        "SYS_PACCT",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "WAKE_ALARM",
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(names); i++)
        if (skl_str_ieqz(name, names[i]))
            return true;
    return false;
}

static void add_upper(struct skl_buf *b, struct skl_str s)
{
    for (size_t i = 0; i < s.n; i++)
        skl_buf_addc(b, s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 'a' + 'A') : s.p[i]);
}

static int check_capabilities(const struct skl_create *x, const char *list, struct skl_error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(x->host, list))
    {
        struct skl_str name = skl_str(item->valuestring);
        SKL_AUTO_BUF struct skl_buf upper = {0};

        if (name.n >= 4 && skl_str_ieqz(skl_str_n(name.p, 4), "CAP_"))
            name = skl_str_skip(name, 4);
        if (is_capability(name))
            continue;
        skl_buf_init(&upper, 256);
        add_upper(&upper, name.n > 100 ? skl_str_n(name.p, 100) : name);
        return skl_fail(err, SKL_E_INVALID, "invalid %s: unknown capability: \"CAP_%s\"", list,
                        upper.p);
    }
    return 0;
}

static bool is_go_bool(struct skl_str s)
{
    static const char *const words[] = {"1", "t", "T", "TRUE",  "true",  "True",
                                        "0", "f", "F", "FALSE", "false", "False"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(words); i++)
        if (skl_str_eqz(s, words[i]))
            return true;
    return false;
}

static int check_security(const struct skl_create *x, struct skl_error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(x->host, "SecurityOpt"))
    {
        const char *option = item->valuestring;
        struct skl_str value,
            key = skl_str_cut(skl_str(option), strchr(option, '=') ? '=' : ':', &value);
        bool known = skl_str_eqz(key, "label") || skl_str_eqz(key, "apparmor") ||
                     skl_str_eqz(key, "seccomp") ||
                     (skl_str_eqz(key, "no-new-privileges") && is_go_bool(value));

        if (skl_streq(option, "no-new-privileges") || skl_streq(option, "disable") ||
            (value.p && known))
            continue;
        return skl_fail(err, SKL_E_INVALID, "invalid --security-opt %d: \"%.100s\"",
                        value.p ? 2 : 1, option);
    }
    return 0;
}

/* -- numbers, lists of them */

static int check_range(const struct skl_create *x, struct skl_error *err)
{
    int64_t score = skl_json_get_int(x->host, "OomScoreAdj", 0);
    int64_t swappiness = skl_json_get_int(x->host, "MemorySwappiness", -1);

    if (score < -1000 || score > 1000)
        return skl_fail(err, SKL_E_INVALID,
                        "Invalid value %lld, range for oom score adj is [-1000, 1000]",
                        (long long)score);
    if (swappiness < -1 || swappiness > 100)
        return skl_fail(err, SKL_E_INVALID,
                        "Invalid value: %lld, valid memory swappiness range is 0-100",
                        (long long)swappiness);
    return 0;
}

/* "0-3,7" */
static bool is_cpu_list(struct skl_str s)
{
    while (s.p) {
        struct skl_str last, first = skl_str_cut(skl_str_cut(s, ',', &s), '-', &last);
        uint64_t from, to;

        if (!skl_str_u64(first, &from) ||
            (last.p && (!skl_str_u64(last, &to) || to < from || to > UINT16_MAX)))
            return false;
    }
    return true;
}

static int check_cpu_lists(const struct skl_create *x, struct skl_error *err)
{
    const char *cpus = text(x, "CpusetCpus"), *mems = text(x, "CpusetMems");

    if (*cpus && !is_cpu_list(skl_str(cpus)))
        return skl_fail(err, SKL_E_INVALID,
                        "Invalid value %.100s for cpuset cpus: invalid format: %.100s", cpus, cpus);
    if (*mems && !is_cpu_list(skl_str(mems)))
        return skl_fail(err, SKL_E_INVALID,
                        "Invalid value %.100s for cpuset mems: invalid format: %.100s", mems, mems);
    return 0;
}

/* -- log options */

static int check_log_options(const struct skl_create *x, struct skl_error *err)
{
    static const struct {
        const char *driver, *names; /* a comma around each */
        const char *before, *after; /* of the driver's name in the message */
    } drivers[] = {
        {"json-file", ",max-file,max-size,compress,labels,labels-regex,env,env-regex,tag,", "",
         " log driver"},
        {"local", ",max-file,max-size,compress,", "log driver ", ""},
    };
    const cJSON *config = skl_json_get(x->host, "LogConfig"), *option;
    const char *driver = skl_json_get_str(config, "Type");

    driver = skl_str_empty(driver) ? "json-file" : driver;
    cJSON_ArrayForEach(option, skl_json_get(config, "Config"))
    {
        SKL_AUTO_BUF struct skl_buf name = {0};

        /* Of every driver. */
        if (skl_streq(option->string, "mode") || skl_streq(option->string, "max-buffer-size"))
            continue;
        skl_buf_init(&name, 256);
        skl_buf_addf(&name, ",%.100s,", option->string);
        for (size_t i = 0; i < SKL_ARRAY_LEN(drivers); i++)
            if (skl_streq(driver, drivers[i].driver) && !strstr(drivers[i].names, name.p))
                return skl_fail(err, SKL_E_INVALID, "unknown log opt '%.100s' for %s%s%s",
                                option->string, drivers[i].before, driver, drivers[i].after);
    }
    return 0;
}

int skl_create_check_host(struct skl_create *x, struct skl_error *err)
{
    int rc = check_network_mode(x, err);

    if (rc == 0)
        rc = check_modes(x, err);
    if (rc == 0)
        rc = check_capabilities(x, "CapAdd", err);
    if (rc == 0)
        rc = check_capabilities(x, "CapDrop", err);
    if (rc == 0)
        rc = check_security(x, err);
    if (rc == 0)
        rc = check_range(x, err);
    if (rc == 0)
        rc = check_cpu_lists(x, err);
    if (rc == 0)
        rc = check_log_options(x, err);
    return rc;
}
