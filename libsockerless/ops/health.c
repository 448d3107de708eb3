/* What an orchestrator asks. The two questions differ on purpose: restarting the daemon does not bring a cloud back,
 * so a cloud that is away fails /readyz and leaves /healthz at 200, "degraded". */
#include "base/clock.h"
#include "base/json.h"
#include "ops/ops_internal.h"

/* Above this, clients see it. Four times the loop's promise at least. */
#define LAG_LIMIT_MS 2000

struct findings {
    int64_t lag_ms;
    bool vital_failing, any_failing;
};

static void write_condition(struct skl_json *j, const struct skl_ops_condition *row,
                            struct findings *f)
{
    static const char *const words[] = {
        [SKL_CONDITION_UNKNOWN] = "unknown",
        [SKL_CONDITION_OK] = "ok",
        [SKL_CONDITION_FAILING] = "failing",
    };
    struct skl_condition c;
    int state;

    skl_condition_read(row->condition, &c);
    state = atomic_load(&c.state);
    f->any_failing |= state == SKL_CONDITION_FAILING;
    f->vital_failing |= row->vital && state == SKL_CONDITION_FAILING;
    skl_json_object(j, c.name);
    skl_json_str(j, "state", words[state]);
    if (state != SKL_CONDITION_UNKNOWN) {
        skl_json_num(j, "for_seconds", (double)(skl_mono_ms() - c.since_ms) / 1000);
        skl_json_num(j, "reported_seconds_ago", (double)(skl_mono_ms() - c.at_ms) / 1000);
    }
    if (c.detail[0])
        skl_json_str(j, "detail", c.detail);
    skl_json_end_object(j);
}

static void write_loop(struct skl_json *j, int64_t lag_ms)
{
    skl_json_object(j, "loop");
    skl_json_str(j, "state", lag_ms > LAG_LIMIT_MS ? "failing" : "ok");
    skl_json_int(j, "lag_ms", lag_ms);
    skl_json_end_object(j);
}

/* The members that both pages have. */
static void write_all(struct skl_ops *o, const struct ops_loop_view *view, struct skl_json *j,
                      struct findings *f)
{
    *f = (struct findings){.lag_ms = ops_loop_lag_ms(o, view)};
    write_loop(j, f->lag_ms);
    f->vital_failing = f->any_failing = f->lag_ms > LAG_LIMIT_MS;
    for (size_t i = 0; i < o->config.n_conditions; i++)
        write_condition(j, &o->config.conditions[i], f);
}

int ops_health(struct skl_ops *o, struct skl_buf *out)
{
    struct ops_loop_view view;
    struct findings f;
    struct skl_json j;

    ops_read_view(o, &view);
    skl_json_init(&j, out);
    skl_json_object(&j, NULL);
    write_all(o, &view, &j, &f);
    skl_json_str(&j, "status", f.vital_failing ? "failing" : f.any_failing ? "degraded" : "ok");
    skl_json_str(&j, "version", SKL_VERSION);
    skl_json_end_object(&j);
    skl_buf_addc(out, '\n');
    return f.vital_failing ? 503 : 200;
}

int ops_ready(struct skl_ops *o, struct skl_buf *out)
{
    struct ops_loop_view view;
    struct findings f;
    struct skl_json j;
    bool ready;

    ops_read_view(o, &view);
    skl_json_init(&j, out);
    skl_json_object(&j, NULL);
    write_all(o, &view, &j, &f);
    ready = !f.any_failing && !view.why_not_ready;
    skl_json_bool(&j, "ready", ready);
    if (view.why_not_ready)
        skl_json_str(&j, "because", view.why_not_ready);
    skl_json_end_object(&j);
    skl_buf_addc(out, '\n');
    return ready ? 200 : 503;
}
