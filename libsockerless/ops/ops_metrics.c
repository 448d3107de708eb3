/* /metrics: what the loop published, what the layers count, what is measured here and now. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/str.h"
#include "ops/ops_internal.h"

static void loop_samples(const struct ops_loop_view *view, struct skl_buf *out)
{
    const char *last = NULL;

    for (size_t i = 0; i < view->n; i++) {
        const struct skl_ops_sample *s = &view->samples[i];

        if (!skl_streq(last, s->name))
            skl_metric_render_head(out, s->name, s->help, SKL_METRIC_GAUGE);
        last = s->name;
        skl_buf_adds(out, s->name);
        if (s->label)
            skl_metric_render_label(out, s->label, s->label_value);
        skl_buf_addf(out, " %" PRId64 "\n", s->number);
    }
}

static void conditions(const struct skl_ops *o, struct skl_buf *out)
{
    skl_metric_render_head(out, "sockerless_condition_failing",
                           "1 while something that the daemon depends on fails, as in /healthz.",
                           SKL_METRIC_GAUGE);
    for (size_t i = 0; i < o->config.n_conditions; i++) {
        const struct skl_condition *c = o->config.conditions[i].condition;

        skl_buf_adds(out, "sockerless_condition_failing");
        skl_metric_render_label(out, "name", c->name);
        skl_buf_addf(out, " %d\n", skl_condition_is_failing(c));
    }
}

void ops_metrics(struct skl_ops *o, struct skl_buf *out)
{
    struct ops_loop_view view;

    ops_read_view(o, &view);
    skl_metric_render_head(out, "sockerless_build_info", "The program; the value is 1.",
                           SKL_METRIC_GAUGE);
    skl_buf_addf(out, "sockerless_build_info{version=\"%s\",backend=\"%s\"} 1\n", SKL_VERSION,
                 o->config.backend);
    skl_metric_render_head(
        out, "sockerless_loop_lag_seconds",
        "How much later than promised the event loop is now; 0 when it keeps up.",
        SKL_METRIC_GAUGE);
    skl_buf_addf(out, "sockerless_loop_lag_seconds %.3f\n",
                 (double)ops_loop_lag_ms(o, &view) / 1000);
    loop_samples(&view, out);
    conditions(o, out);
    skl_metrics_render(out);
    ops_folders(o, out);
    ops_process(out);
}
