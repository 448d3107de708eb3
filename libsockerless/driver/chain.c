/* The chain of drivers: the first that takes a call has it. */
#include "base/macros.h"
#include "driver/driver.h"

static const struct skl_driver *const chain[] = {&skl_driver_agent, &skl_driver_synthetic};

/* Tries `call` on each driver until one answers anything but "not me". */
#define FIRST(call)                                                                                \
    do {                                                                                           \
        int rc = -SKL_E_UNAVAILABLE;                                                               \
                                                                                                   \
        for (size_t i = 0; i < SKL_ARRAY_LEN(chain) && rc == -SKL_E_UNAVAILABLE; i++)              \
            rc = chain[i]->call;                                                                   \
        return rc;                                                                                 \
    } while (0)

int skl_driver_signal(struct skl_workload *w, int signo, struct skl_error *err)
{
    FIRST(signal(w, signo, err));
}

int skl_driver_pause(struct skl_workload *w, bool on, struct skl_error *err)
{
    FIRST(pause(w, on, err));
}

int skl_driver_resize(struct skl_workload *w, unsigned rows, unsigned cols, struct skl_error *err)
{
    FIRST(resize(w, rows, cols, err));
}

int skl_driver_exec(struct skl_workload *w, const struct skl_process_spec *spec,
                    const struct skl_agent_exec_events *events, void *arg,
                    struct skl_agent_exec **ret, struct skl_error *err)
{
    FIRST(exec(w, spec, events, arg, ret, err));
}

int skl_driver_stat(struct skl_workload *w, const char *path, skl_stat_cb *cb, void *arg,
                    struct skl_error *err)
{
    FIRST(stat(w, path, cb, arg, err));
}

int skl_driver_get(struct skl_workload *w, const char *path, const struct skl_get_events *events,
                   void *arg, struct skl_source **ret, struct skl_error *err)
{
    FIRST(get(w, path, events, arg, ret, err));
}

int skl_driver_view(struct skl_workload *w, enum skl_view view, const struct skl_get_events *events,
                    void *arg, struct skl_source **ret, struct skl_error *err)
{
    FIRST(view(w, view, events, arg, ret, err));
}

int skl_driver_put(struct skl_workload *w, const struct skl_put_options *options,
                   const struct skl_put_events *events, void *arg, struct skl_sink **ret,
                   struct skl_error *err)
{
    FIRST(put(w, options, events, arg, ret, err));
}

int skl_driver_top(struct skl_workload *w, const char *ps_args, skl_top_cb *cb, void *arg,
                   struct skl_error *err)
{
    FIRST(top(w, ps_args, cb, arg, err));
}

int skl_driver_stats(struct skl_workload *w, skl_stats_cb *cb, void *arg, struct skl_error *err)
{
    FIRST(stats(w, cb, arg, err));
}

int skl_driver_tunnel(struct skl_workload *w, unsigned port, const struct skl_tunnel_events *events,
                      void *arg, struct skl_tunnel **ret, struct skl_error *err)
{
    FIRST(tunnel(w, port, events, arg, ret, err));
}
