/* Figures of the container: from its control group where it can be read, else from /proc. Each is "name value"; the
 * backend knows which it needs. */
#include <dirent.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "agent.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "control_group.h"

static void add(struct skl_buf *out, const char *name, uint64_t value)
{
    char text[96];

    snprintf(text, sizeof(text), "%s %llu", name, (unsigned long long)value);
    skl_tlv_strz(out, SKL_TAG_STAT, text);
}

/* A file of the group that is one number. */
static bool add_number(struct skl_buf *out, const char *name, const char *file)
{
    char text[64];
    uint64_t v;

    if (agent_group_read(file, text, sizeof(text)) && skl_str_u64(skl_str_trim(skl_str(text)), &v))
        add(out, name, v);
    else
        return false;
    return true;
}

static uint64_t system_cpu_ns(void)
{
    char text[512];
    struct skl_str rest, line;
    uint64_t sum = 0, v;

    if (!agent_file_read("/proc/stat", text, sizeof(text)))
        return 0;
    line = skl_str_cut(skl_str(text), '\n', &rest);
    skl_str_cut(line, ' ', &line);
    for (int i = 0; i < 9 && line.p; i++)
        if (skl_str_u64(skl_str_cut(line, ' ', &line), &v))
            sum += v;
    return sum * (uint64_t)(SKL_NS_PER_S / sysconf(_SC_CLK_TCK));
}

static void add_pids(struct skl_buf *out)
{
    DIR *proc;
    uint64_t n = 0;

    if (add_number(out, "pids", "pids.current") || add_number(out, "pids", "pids/pids.current"))
        return;
    proc = opendir("/proc");
    if (!proc)
        return;
    for (struct dirent *e; (e = readdir(proc));)
        n += e->d_name[0] >= '1' && e->d_name[0] <= '9';
    closedir(proc);
    add(out, "pids", n);
}

static uint64_t number_after(struct skl_str line, const char *key)
{
    const char *at = memmem(line.p, line.n, key, strlen(key));
    struct skl_str rest, number;
    uint64_t v = 0;

    if (!at)
        return 0;
    number = skl_str_n(at, (size_t)(line.p + line.n - at));
    number = skl_str_cut(skl_str_skip(number, strlen(key)), ' ', &rest);
    return skl_str_u64(number, &v) ? v : 0;
}

/* One line per device: "8:0 rbytes=1 wbytes=2 rios=...". */
static void add_block_io(struct skl_buf *out)
{
    uint64_t bytes_read = 0, written = 0;
    char text[8192];
    struct skl_str rest;

    if (!agent_group_read("io.stat", text, sizeof(text)))
        return;
    rest = skl_str(text);
    while (rest.p) {
        struct skl_str line = skl_str_cut(rest, '\n', &rest);

        bytes_read += number_after(line, "rbytes=");
        written += number_after(line, "wbytes=");
    }
    add(out, "blk_read_bytes", bytes_read);
    add(out, "blk_write_bytes", written);
}

static void add_network(struct skl_buf *out)
{
    static const char *const names[] = {"net_rx_bytes", "net_rx_packets", "net_rx_errors",
                                        "net_rx_dropped"};
    static const char *const more[] = {"net_tx_bytes", "net_tx_packets", "net_tx_errors",
                                       "net_tx_dropped"};
    uint64_t sum[16] = {0};
    char text[8192];
    struct skl_str rest;

    if (!agent_file_read("/proc/net/dev", text, sizeof(text)))
        return;
    rest = skl_str(text);
    while (rest.p) {
        struct skl_str numbers, name = skl_str_cut(skl_str_cut(rest, '\n', &rest), ':', &numbers);

        if (!numbers.p || skl_str_eqz(skl_str_trim(name), "lo"))
            continue;
        for (size_t i = 0; i < 16 && numbers.p;) {
            struct skl_str word = skl_str_cut(numbers, ' ', &numbers);
            uint64_t v;

            if (word.n > 0 && skl_str_u64(word, &v))
                sum[i++] += v;
        }
    }
    for (size_t i = 0; i < 4; i++) {
        add(out, names[i], sum[i]);
        add(out, more[i], sum[8 + i]);
    }
}

void agent_stats(struct agent *a, const struct skl_frame *f)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    uint64_t v;

    skl_buf_init(&out, 32 * SKL_KIB);
    add(&out, "read_ns", (uint64_t)skl_wall_ns());
    if (agent_group_number("cpu.stat", "usage_usec", &v))
        add(&out, "cpu_ns", v * 1000);
    else
        add_number(&out, "cpu_ns", "cpuacct/cpuacct.usage");
    add(&out, "system_cpu_ns", system_cpu_ns());
    add(&out, "online_cpus", (uint64_t)get_nprocs());
    add_number(&out, "memory_usage", "memory.current");
    add_number(&out, "memory_usage", "memory/memory.usage_in_bytes");
    add_number(&out, "memory_limit", "memory.max");
    add_number(&out, "memory_limit", "memory/memory.limit_in_bytes");
    if (agent_group_number("memory.stat", "inactive_file", &v) ||
        agent_group_number("memory/memory.stat", "total_inactive_file", &v))
        add(&out, "inactive_file", v);
    add_pids(&out);
    add_block_io(&out);
    add_network(&out);
    agent_task_result(a, f->stream, skl_buf_str(&out));
}
