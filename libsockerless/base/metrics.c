/* Series are found through a small hash table per family whose chains only ever grow at their head: readers walk
 * them without a lock, and a writer that did not find its series makes it under the one lock. A histogram's
 * count is the sum of its buckets, so that the text never contradicts itself while others count on. */
#include "base/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"

#define MAX_TABLES 16

/* Upper bounds in microseconds. From a ping to a cold start. */
static const int64_t bounds_us[] = {100,     250,     500,      1000,     2500,     5000,
                                    10000,   25000,   50000,    100000,   250000,   500000,
                                    1000000, 2500000, 10000000, 30000000, 120000000};
_Static_assert(SKL_ARRAY_LEN(bounds_us) + 1 == SKL_METRIC_BUCKETS,
               "one bucket per bound, one above");

static pthread_mutex_t series_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the making of series */
static struct {
    struct skl_metric *const *rows;
    size_t n;
} tables[MAX_TABLES];
static size_t n_tables;

static unsigned slot_of(const char *const *labels)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < SKL_METRIC_MAX_LABELS && labels[i]; i++)
        for (const char *p = labels[i]; *p; p++)
            h = (h ^ (uint8_t)*p) * 16777619u;
    return (h ^ (h >> 16)) % SKL_METRIC_SLOTS;
}

static struct skl_series *find(struct skl_metric *m, unsigned slot, const char *const *labels)
{
    struct skl_series *s = atomic_load_explicit(&m->slots[slot], memory_order_acquire);

    for (; s; s = s->next_in_slot) {
        size_t i = 0;

        while (i < SKL_METRIC_MAX_LABELS && labels[i] && strcmp(labels[i], s->labels[i]) == 0)
            i++;
        if (i == SKL_METRIC_MAX_LABELS || !labels[i])
            return s;
    }
    return NULL;
}

static struct skl_series *make(struct skl_metric *m, unsigned slot, const char *const *labels)
{
    struct skl_series *s = skl_new0(struct skl_series);

    for (size_t i = 0; i < SKL_METRIC_MAX_LABELS && labels[i]; i++)
        s->labels[i] = skl_strdup(labels[i]);
    s->next = atomic_load_explicit(&m->first, memory_order_relaxed);
    s->next_in_slot = atomic_load_explicit(&m->slots[slot], memory_order_relaxed);
    m->n_series++;
    atomic_store_explicit(&m->first, s, memory_order_release);
    atomic_store_explicit(&m->slots[slot], s, memory_order_release);
    return s;
}

struct skl_series *skl_metric_series(struct skl_metric *m, const char *a, const char *b,
                                     const char *c)
{
    const char *labels[SKL_METRIC_MAX_LABELS] = {a, b, c};
    unsigned slot = slot_of(labels);
    struct skl_series *s = find(m, slot, labels);

    if (s)
        return s;
    (void)pthread_mutex_lock(&series_lock);
    s = find(m, slot, labels); /* another thread may have been faster */
    if (!s && m->n_series >= SKL_METRIC_MAX_SERIES) {
        for (size_t i = 0; i < SKL_METRIC_MAX_LABELS && labels[i]; i++)
            labels[i] = "other";
        slot = slot_of(labels);
        s = find(m, slot, labels);
    }
    if (!s)
        s = make(m, slot, labels);
    (void)pthread_mutex_unlock(&series_lock);
    return s;
}

void skl_series_observe(struct skl_series *s, int64_t us)
{
    size_t i = 0;

    while (i < SKL_ARRAY_LEN(bounds_us) && us > bounds_us[i])
        i++;
    atomic_fetch_add_explicit(&s->h.buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->h.sum_us, us, memory_order_relaxed);
}

void skl_metrics_register(struct skl_metric *const *table, size_t n)
{
    for (size_t i = 0; i < n_tables; i++)
        if (tables[i].rows == table)
            return;
    SKL_ASSERT(n_tables < MAX_TABLES);
    tables[n_tables].rows = table;
    tables[n_tables++].n = n;
}

/* -- the text */

void skl_metric_render_head(struct skl_buf *out, const char *name, const char *help,
                            enum skl_metric_type type)
{
    static const char *const types[] = {
        [SKL_METRIC_COUNTER] = "counter",
        [SKL_METRIC_GAUGE] = "gauge",
        [SKL_METRIC_HISTOGRAM] = "histogram",
    };

    skl_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

static void add_value(struct skl_buf *out, const char *value)
{
    for (const char *p = value; *p; p++) {
        if (*p == '\n') {
            skl_buf_adds(out, "\\n");
            continue;
        }
        if (*p == '"' || *p == '\\')
            skl_buf_addc(out, '\\');
        skl_buf_addc(out, *p);
    }
}

static void add_pair(struct skl_buf *out, bool first, const char *name, const char *value)
{
    skl_buf_addf(out, "%c%s=\"", first ? '{' : ',', name);
    add_value(out, value);
    skl_buf_addc(out, '"');
}

void skl_metric_render_label(struct skl_buf *out, const char *name, const char *value)
{
    add_pair(out, true, name, value);
    skl_buf_addc(out, '}');
}

static void add_labels(const struct skl_metric *m, const struct skl_series *s, const char *le,
                       struct skl_buf *out)
{
    size_t n = 0;

    for (; n < SKL_METRIC_MAX_LABELS && m->labels[n]; n++)
        add_pair(out, n == 0, m->labels[n], s->labels[n]);
    if (le)
        add_pair(out, n == 0, "le", le);
    if (n > 0 || le)
        skl_buf_addc(out, '}');
}

static void add_histogram(const struct skl_metric *m, struct skl_series *s, struct skl_buf *out)
{
    uint64_t total = 0;

    for (size_t i = 0; i < SKL_METRIC_BUCKETS; i++) {
        char le[24] = "+Inf";

        if (i < SKL_ARRAY_LEN(bounds_us))
            snprintf(le, sizeof(le), "%g", (double)bounds_us[i] / 1e6);
        total += atomic_load_explicit(&s->h.buckets[i], memory_order_relaxed);
        skl_buf_addf(out, "%s_bucket", m->name);
        add_labels(m, s, le, out);
        skl_buf_addf(out, " %" PRIu64 "\n", total);
    }
    skl_buf_addf(out, "%s_sum", m->name);
    add_labels(m, s, NULL, out);
    skl_buf_addf(out, " %.6f\n%s_count",
                 (double)atomic_load_explicit(&s->h.sum_us, memory_order_relaxed) / 1e6, m->name);
    add_labels(m, s, NULL, out);
    skl_buf_addf(out, " %" PRIu64 "\n", total);
}

static void add_series(const struct skl_metric *m, struct skl_series *s, struct skl_buf *out)
{
    if (m->type == SKL_METRIC_HISTOGRAM) {
        add_histogram(m, s, out);
        return;
    }
    skl_buf_adds(out, m->name);
    add_labels(m, s, NULL, out);
    skl_buf_addf(out, " %" PRId64 "\n", atomic_load_explicit(&s->value, memory_order_relaxed));
}

void skl_metrics_render(struct skl_buf *out)
{
    for (size_t t = 0; t < n_tables; t++)
        for (size_t k = 0; k < tables[t].n; k++) {
            struct skl_metric *m = tables[t].rows[k];
            struct skl_series *s = atomic_load_explicit(&m->first, memory_order_acquire);

            skl_metric_render_head(out, m->name, m->help, m->type);
            if (!m->labels[0])
                add_series(m, &m->self, out);
            for (; s; s = s->next)
                add_series(m, s, out);
        }
}
