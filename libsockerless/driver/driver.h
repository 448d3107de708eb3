/* driver - what needs a process: exec, attach, archive, top, stats, signals, pause, resize.
 *
 * Shape   a chain of drivers, asked in order: agent (a session is up, or expected back within its grace
 *         time), then synthetic (answers from what the store knows, and says clearly what is missing for
 *         anything that would need a process; it never invents output or an exit code).
 *         A driver answers -SKL_E_UNAVAILABLE to let the next one try; any other failure is final.
 * Thread  loop thread
 */
#ifndef SKL_DRIVER_DRIVER_H
#define SKL_DRIVER_DRIVER_H

#include "agent/session.h"
#include "driver/workload.h"

struct skl_driver {
    const char *name;
    int (*signal)(struct skl_workload *w, int signo, struct skl_error *err);
    int (*pause)(struct skl_workload *w, bool on, struct skl_error *err);
    int (*resize)(struct skl_workload *w, unsigned rows, unsigned cols, struct skl_error *err);
    int (*exec)(struct skl_workload *w, const struct skl_process_spec *spec,
                const struct skl_agent_exec_events *events, void *arg, struct skl_agent_exec **ret,
                struct skl_error *err);
    int (*stat)(struct skl_workload *w, const char *path, skl_stat_cb *cb, void *arg,
                struct skl_error *err);
    int (*get)(struct skl_workload *w, const char *path, const struct skl_get_events *events,
               void *arg, struct skl_source **ret, struct skl_error *err);
    int (*view)(struct skl_workload *w, enum skl_view view, const struct skl_get_events *events,
                void *arg, struct skl_source **ret, struct skl_error *err);
    int (*put)(struct skl_workload *w, const struct skl_put_options *options,
               const struct skl_put_events *events, void *arg, struct skl_sink **ret,
               struct skl_error *err);
    int (*top)(struct skl_workload *w, const char *ps_args, skl_top_cb *cb, void *arg,
               struct skl_error *err);
    int (*stats)(struct skl_workload *w, skl_stats_cb *cb, void *arg, struct skl_error *err);
    int (*tunnel)(struct skl_workload *w, unsigned port, const struct skl_tunnel_events *events,
                  void *arg, struct skl_tunnel **ret, struct skl_error *err);
};

extern const struct skl_driver skl_driver_agent, skl_driver_synthetic;

/* The chain: the same calls, first driver that takes it. Callbacks never run before the call returned. */
int skl_driver_signal(struct skl_workload *w, int signo, struct skl_error *err);
int skl_driver_pause(struct skl_workload *w, bool on, struct skl_error *err);
int skl_driver_resize(struct skl_workload *w, unsigned rows, unsigned cols, struct skl_error *err);
int skl_driver_exec(struct skl_workload *w, const struct skl_process_spec *spec,
                    const struct skl_agent_exec_events *events, void *arg,
                    struct skl_agent_exec **ret, struct skl_error *err);
int skl_driver_stat(struct skl_workload *w, const char *path, skl_stat_cb *cb, void *arg,
                    struct skl_error *err);
int skl_driver_get(struct skl_workload *w, const char *path, const struct skl_get_events *events,
                   void *arg, struct skl_source **ret, struct skl_error *err);
int skl_driver_view(struct skl_workload *w, enum skl_view view, const struct skl_get_events *events,
                    void *arg, struct skl_source **ret, struct skl_error *err);
int skl_driver_put(struct skl_workload *w, const struct skl_put_options *options,
                   const struct skl_put_events *events, void *arg, struct skl_sink **ret,
                   struct skl_error *err);
int skl_driver_top(struct skl_workload *w, const char *ps_args, skl_top_cb *cb, void *arg,
                   struct skl_error *err);
int skl_driver_stats(struct skl_workload *w, skl_stats_cb *cb, void *arg, struct skl_error *err);
int skl_driver_tunnel(struct skl_workload *w, unsigned port, const struct skl_tunnel_events *events,
                      void *arg, struct skl_tunnel **ret, struct skl_error *err);

/* An archive that is read (GET) or written (PUT): an agent's transfer or a staged file. */
void skl_source_consumed(struct skl_source *s, size_t n);
void skl_source_cancel(struct skl_source *s); /* on_end does not run any more */
size_t skl_sink_credit(const struct skl_sink *s);
void skl_sink_data(struct skl_sink *s, struct skl_str data); /* <= credit */
void skl_sink_end(struct skl_sink *s);
void skl_sink_cancel(struct skl_sink *s);

#endif
