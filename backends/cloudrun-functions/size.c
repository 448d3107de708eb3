/* CPU and memory of a container: the pairs that Cloud Run has. Less than one CPU is left out: such an instance takes one
 * request at a time, and the requests that keep a long run alive would not reach it. */
#include <stdio.h>

#include "base/limits.h"
#include "gcf.h"

#define NANO_PER_CPU INT64_C(1000000000)

static const struct pair {
    int cpu;
    int64_t min_mib, max_mib;
} pairs[] = {{1, 128, 4096}, {2, 128, 8192}, {4, 2048, 16384}, {6, 4096, 24576}, {8, 4096, 32768}};

/* "512Mi", "1Gi", "256M", "1G" in MiB, rounded up; 0: it is no such quantity. */
static int64_t mib_of(const char *text)
{
    static const struct {
        const char *suffix;
        int64_t bytes;
    } units[] = {{"Gi", 1 << 30}, {"Mi", 1 << 20}, {"G", 1000000000}, {"M", 1000000}};

    for (size_t i = 0; i < SKL_ARRAY_LEN(units); i++) {
        struct skl_str s = skl_str(text);
        uint64_t n;

        if (!skl_str_ends(s, units[i].suffix))
            continue;
        s.n -= strlen(units[i].suffix);
        if (!skl_str_u64(s, &n) || n > 1000000)
            return 0;
        return ((int64_t)n * units[i].bytes + SKL_MIB - 1) / (int64_t)SKL_MIB;
    }
    return 0;
}

static int configured(const struct skl_gcf_config *c, struct skl_gcf_size *ret,
                      struct skl_error *err)
{
    int64_t mib = mib_of(c->memory);

    if (mib == 0)
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_GCF_MEMORY: '%s' is not a size like 512Mi or 1Gi", c->memory);
    for (size_t i = 0; i < SKL_ARRAY_LEN(pairs); i++) {
        snprintf(ret->cpu, sizeof(ret->cpu), "%d", pairs[i].cpu);
        if (!skl_streq(ret->cpu, c->cpu))
            continue;
        if (mib < pairs[i].min_mib || mib > pairs[i].max_mib)
            return skl_fail(
                err, SKL_E_INVALID,
                "SOCKERLESS_GCF_MEMORY: '%s' is not possible with SOCKERLESS_GCF_CPU=%s: "
                "%dMi to %dMi",
                c->memory, c->cpu, (int)pairs[i].min_mib, (int)pairs[i].max_mib);
        snprintf(ret->memory, sizeof(ret->memory), "%.15s", c->memory);
        return 0;
    }
    return skl_fail(err, SKL_E_INVALID, "SOCKERLESS_GCF_CPU: '%s' is not 1, 2, 4, 6 or 8", c->cpu);
}

int skl_gcf_size(const struct skl_gcf_config *c, int64_t nano_cpus, int64_t memory_bytes,
                 struct skl_gcf_size *ret, struct skl_error *err)
{
    struct skl_gcf_size size;
    int64_t mib = (memory_bytes + (int64_t)SKL_MIB - 1) / (int64_t)SKL_MIB;
    uint64_t cpus = 0;
    int rc = configured(c, &size, err);

    *ret = size;
    if (rc < 0 || (nano_cpus <= 0 && memory_bytes <= 0))
        return rc;
    (void)skl_str_u64(skl_str(size.cpu), &cpus); /* it is one of the pairs' */
    if (nano_cpus <= 0)
        nano_cpus = (int64_t)cpus * NANO_PER_CPU;
    if (memory_bytes <= 0)
        mib = mib_of(size.memory);
    for (size_t i = 0; i < SKL_ARRAY_LEN(pairs); i++) {
        if (pairs[i].cpu * NANO_PER_CPU < nano_cpus || pairs[i].max_mib < mib)
            continue;
        snprintf(ret->cpu, sizeof(ret->cpu), "%d", pairs[i].cpu);
        snprintf(ret->memory, sizeof(ret->memory), "%dMi",
                 (int)(mib > pairs[i].min_mib ? mib : pairs[i].min_mib));
        return 0;
    }
    return skl_fail(err, SKL_E_INVALID,
                    "Google Cloud Run offers at most 8 CPUs and 32 GiB: lower --cpus or --memory");
}
