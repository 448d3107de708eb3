/* lifecycle - starting, stopping and removing containers: the steps between a request, the cloud's blocking
 * calls on workers, the agent, and the state machine.
 *
 * Shape   each call takes a callback that runs exactly once, on the loop, never before the call returned:
 *         err NULL is success, kind NOTMODIFIED is 304. The asker may go away: the work goes on, so
 *         the callback's argument must live (see docker/api/request.h: it survives its client).
 * Rules   one operation at a time per container; a second one waits its turn (a start during a stop...),
 *         except kill, which overtakes.
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_LIFECYCLE_H
#define SKL_DOCKER_LIFECYCLE_H

#include "docker/engine.h"

struct skl_lifecycle;
typedef void skl_lifecycle_cb(void *arg, const struct skl_error *err);

struct skl_lifecycle *skl_lifecycle_new(struct skl_engine *e);
/* All operations fail now, and every later one as soon as it is asked for. */
void skl_lifecycle_close(struct skl_lifecycle *l);
void skl_lifecycle_free(struct skl_lifecycle *l); /* when nothing can ask any more */
/* After a restart of the daemon: wait for agents, ask the cloud, continue what was begun. */
void skl_lifecycle_recover(struct skl_lifecycle *l);
/* For what needs the agent and is no operation itself (exec, archive...): true when the container is being recovered;
 * the callback then comes when that is over. false: go on now. */
bool skl_lifecycle_await_recovery(struct skl_engine *e, struct skl_container *c,
                                  skl_lifecycle_cb *cb, void *arg);

/* The record is in the store already (skl_container_add). Only for backends that create early; calls back with
 * success otherwise. On failure the record is removed again. */
void skl_lifecycle_create(struct skl_engine *e, struct skl_container *c, skl_lifecycle_cb *cb,
                          void *arg);
void skl_lifecycle_start(struct skl_engine *e, struct skl_container *c, skl_lifecycle_cb *cb,
                         void *arg);
struct skl_stop_options {
    const char *signal; /* NULL: the container's own */
    int timeout_s;      /* -1: never kill; INT_MIN: the container's own */
};
void skl_lifecycle_stop(struct skl_engine *e, struct skl_container *c,
                        const struct skl_stop_options *o, skl_lifecycle_cb *cb, void *arg);
void skl_lifecycle_restart(struct skl_engine *e, struct skl_container *c,
                           const struct skl_stop_options *o, skl_lifecycle_cb *cb, void *arg);
void skl_lifecycle_kill(struct skl_engine *e, struct skl_container *c, const char *signal,
                        skl_lifecycle_cb *cb, void *arg);
void skl_lifecycle_pause(struct skl_engine *e, struct skl_container *c, bool on,
                         skl_lifecycle_cb *cb, void *arg);
/* The next start makes a new workload in the cloud, also where a warm one waits. */
void skl_lifecycle_limits_changed(struct skl_engine *e, struct skl_container *c);
struct skl_remove_options {
    bool force, volumes;
};
void skl_lifecycle_remove(struct skl_engine *e, struct skl_container *c,
                          const struct skl_remove_options *o, skl_lifecycle_cb *cb, void *arg);

/* SIGTERM, TERM or 15 -> 15; false if unknown. docker/containers/signals.c */
bool skl_signal_parse(const char *text, int *ret);

#endif
