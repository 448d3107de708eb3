/* The driver that asks the agent: takes everything while a session is up. While the command runs and its agent is
 * expected back (its connection was lost a moment ago) requests are sent all the same: the link keeps them. */
#include "base/alloc.h"
#include "driver/driver.h"
#include "driver/workload_internal.h"

static struct skl_session *session_of(struct skl_workload *w)
{
    enum skl_container_state state = w->c->state;

    if (w->session && !skl_session_is_up(w->session) && state != SKL_CONTAINER_RUNNING &&
        state != SKL_CONTAINER_PAUSED)
        return NULL;
    return w->session;
}

static int agent_signal(struct skl_workload *w, int signo, struct skl_error *err)
{
    struct skl_session *s = session_of(w);

    if (!s)
        return -SKL_E_UNAVAILABLE;
    skl_session_signal(s, signo);
    return 0;
}

static int agent_pause(struct skl_workload *w, bool on, struct skl_error *err)
{
    struct skl_session *s = session_of(w);

    if (!s)
        return -SKL_E_UNAVAILABLE;
    skl_session_pause(s, on);
    return 0;
}

static int agent_resize(struct skl_workload *w, unsigned rows, unsigned cols, struct skl_error *err)
{
    struct skl_session *s = session_of(w);

    if (!s)
        return -SKL_E_UNAVAILABLE;
    skl_session_resize(s, rows, cols);
    return 0;
}

static int agent_exec(struct skl_workload *w, const struct skl_process_spec *spec,
                      const struct skl_agent_exec_events *events, void *arg,
                      struct skl_agent_exec **ret, struct skl_error *err)
{
    struct skl_session *s = session_of(w);

    if (!s)
        return -SKL_E_UNAVAILABLE;
    *ret = skl_session_exec(s, spec, events, arg);
    return 0;
}

static int agent_stat(struct skl_workload *w, const char *path, skl_stat_cb *cb, void *arg,
                      struct skl_error *err)
{
    struct skl_session *s = session_of(w);

    if (!s)
        return -SKL_E_UNAVAILABLE;
    skl_session_stat(s, path, cb, arg);
    return 0;
}

/* -- archives: a transfer of the session behind a source or a sink */

struct agent_source {
    struct skl_source source;
    struct skl_transfer *transfer;
    struct skl_get_events events;
    void *arg;
};

static void source_stat(void *arg, const struct skl_path_stat *st)
{
    struct agent_source *a = arg;

    a->events.on_stat(a->arg, st);
}

static void source_data(void *arg, struct skl_str data)
{
    struct agent_source *a = arg;

    a->events.on_data(a->arg, data);
}

static void source_end(void *arg, const struct skl_error *err)
{
    struct agent_source *a = arg;
    struct skl_get_events events = a->events;
    void *user = a->arg;

    free(a);
    events.on_end(user, err);
}

static void source_consumed(struct skl_source *s, size_t n)
{
    skl_transfer_consumed(SKL_CONTAINER_OF(s, struct agent_source, source)->transfer, n);
}

static void source_cancel(struct skl_source *s)
{
    struct agent_source *a = SKL_CONTAINER_OF(s, struct agent_source, source);

    skl_transfer_cancel(a->transfer);
    free(a);
}

static const struct skl_get_events source_events = {source_stat, source_data, source_end};

static struct agent_source *source_new(const struct skl_get_events *events, void *arg)
{
    struct agent_source *a = skl_new0(struct agent_source);

    a->source = (struct skl_source){source_consumed, source_cancel};
    a->events = *events;
    a->arg = arg;
    return a;
}

static int agent_get(struct skl_workload *w, const char *path, const struct skl_get_events *events,
                     void *arg, struct skl_source **ret, struct skl_error *err)
{
    struct skl_session *s = session_of(w);
    struct agent_source *a;

    if (!s)
        return -SKL_E_UNAVAILABLE;
    a = source_new(events, arg);
    a->transfer = skl_session_get(s, path, &source_events, a);
    *ret = &a->source;
    return 0;
}

static int agent_view(struct skl_workload *w, enum skl_view view,
                      const struct skl_get_events *events, void *arg, struct skl_source **ret,
                      struct skl_error *err)
{
    struct skl_session *s = session_of(w);
    struct agent_source *a;

    if (!s)
        return -SKL_E_UNAVAILABLE;
    a = source_new(events, arg);
    a->transfer = skl_session_view(s, view, &source_events, a);
    *ret = &a->source;
    return 0;
}

struct agent_sink {
    struct skl_sink sink;
    struct skl_transfer *transfer;
    struct skl_put_events events;
    void *arg;
};

static void sink_credit_back(void *arg)
{
    struct agent_sink *a = arg;

    a->events.on_credit(a->arg);
}

static void sink_done(void *arg, const struct skl_error *err)
{
    struct agent_sink *a = arg;
    struct skl_put_events events = a->events;
    void *user = a->arg;

    free(a);
    events.on_end(user, err);
}

static size_t sink_credit(const struct skl_sink *s)
{
    const struct agent_sink *a =
        (const void *)((const char *)s - offsetof(struct agent_sink, sink));

    return skl_transfer_credit(a->transfer);
}

static void sink_data(struct skl_sink *s, struct skl_str data)
{
    skl_transfer_data(SKL_CONTAINER_OF(s, struct agent_sink, sink)->transfer, data);
}

static void sink_end(struct skl_sink *s)
{
    skl_transfer_end(SKL_CONTAINER_OF(s, struct agent_sink, sink)->transfer);
}

static void sink_cancel(struct skl_sink *s)
{
    struct agent_sink *a = SKL_CONTAINER_OF(s, struct agent_sink, sink);

    skl_transfer_cancel(a->transfer);
    free(a);
}

static int agent_put(struct skl_workload *w, const struct skl_put_options *options,
                     const struct skl_put_events *events, void *arg, struct skl_sink **ret,
                     struct skl_error *err)
{
    static const struct skl_put_events own = {sink_credit_back, sink_done};
    struct skl_session *s = session_of(w);
    struct agent_sink *a;

    if (!s)
        return -SKL_E_UNAVAILABLE;
    a = skl_new0(struct agent_sink);
    a->sink = (struct skl_sink){sink_credit, sink_data, sink_end, sink_cancel};
    a->events = *events;
    a->arg = arg;
    a->transfer = skl_session_put(s, options, &own, a);
    *ret = &a->sink;
    return 0;
}

static int agent_top(struct skl_workload *w, const char *ps_args, skl_top_cb *cb, void *arg,
                     struct skl_error *err)
{
    struct skl_session *s = session_of(w);

    if (!s)
        return -SKL_E_UNAVAILABLE;
    skl_session_top(s, ps_args, cb, arg);
    return 0;
}

static int agent_stats(struct skl_workload *w, skl_stats_cb *cb, void *arg, struct skl_error *err)
{
    struct skl_session *s = session_of(w);

    if (!s)
        return -SKL_E_UNAVAILABLE;
    skl_session_stats(s, cb, arg);
    return 0;
}

static int agent_tunnel(struct skl_workload *w, unsigned port,
                        const struct skl_tunnel_events *events, void *arg, struct skl_tunnel **ret,
                        struct skl_error *err)
{
    struct skl_session *s = session_of(w);

    if (!s)
        return -SKL_E_UNAVAILABLE;
    *ret = skl_session_tunnel(s, port, events, arg);
    return 0;
}

const struct skl_driver skl_driver_agent = {
    .name = "agent",
    .signal = agent_signal,
    .pause = agent_pause,
    .resize = agent_resize,
    .exec = agent_exec,
    .stat = agent_stat,
    .get = agent_get,
    .view = agent_view,
    .put = agent_put,
    .top = agent_top,
    .stats = agent_stats,
    .tunnel = agent_tunnel,
};
