/* metrics - counters, gauges and histograms of the process, cheap enough for every request.
 *
 * Shape   a family is a static object of the layer that counts; its label values make series. Families are
 *         registered as tables of pointers by who wants to print them; they count without that, too
 * Units   numbers are whole; durations are microseconds here and seconds in the text
 * Owns    series live as long as the process: a pointer to one may be kept
 * Thread  any. Adding is one relaxed atomic; only the first use of a set of label values takes the lock
 * Limits  SKL_METRIC_MAX_SERIES per family; what comes after that is counted under "other"
 */
#ifndef SKL_BASE_METRICS_H
#define SKL_BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

#define SKL_METRIC_MAX_LABELS 3
#define SKL_METRIC_MAX_SERIES 1024
#define SKL_METRIC_BUCKETS    18 /* of a histogram, with the one above all bounds */

enum skl_metric_type { SKL_METRIC_COUNTER, SKL_METRIC_GAUGE, SKL_METRIC_HISTOGRAM };

struct skl_series {
    struct skl_series *next, *next_in_slot;
    const char *labels[SKL_METRIC_MAX_LABELS];
    union {
        _Atomic int64_t value;
        struct {
            _Atomic int64_t sum_us;
            _Atomic uint64_t buckets[SKL_METRIC_BUCKETS];
        } h;
    };
};

#define SKL_METRIC_SLOTS 64
struct skl_metric {
    const char *name, *help; /* "sockerless_x_total", a sentence without newline */
    enum skl_metric_type type;
    const char *labels[SKL_METRIC_MAX_LABELS]; /* their names; NULL: no more */
    /* The unit's own. */
    struct skl_series self; /* of a family without labels */
    _Atomic(struct skl_series *) first, slots[SKL_METRIC_SLOTS];
    unsigned n_series; /* guarded by the lock */
};

/* The series of these label values, as many as the family has labels; the rest is NULL. */
struct skl_series *skl_metric_series(struct skl_metric *m, const char *a, const char *b,
                                     const char *c);

static inline void skl_series_add(struct skl_series *s, int64_t n)
{
    atomic_fetch_add_explicit(&s->value, n, memory_order_relaxed);
}
void skl_series_observe(struct skl_series *s, int64_t us);

/* For families without labels. */
static inline void skl_metric_add(struct skl_metric *m, int64_t n)
{
    skl_series_add(&m->self, n);
}
static inline void skl_metric_observe(struct skl_metric *m, int64_t us)
{
    skl_series_observe(&m->self, us);
}

/* Before there are readers; a table may be registered again. The table must live. */
void skl_metrics_register(struct skl_metric *const *table, size_t n);

/* Prometheus' text format 0.0.4 of all registered families. */
void skl_metrics_render(struct skl_buf *out);
/* "# HELP" and "# TYPE" of a family that somebody else prints. */
void skl_metric_render_head(struct skl_buf *out, const char *name, const char *help,
                            enum skl_metric_type type);
/* {name="value"} with the value escaped. */
void skl_metric_render_label(struct skl_buf *out, const char *name, const char *value);

#endif
