/* workload - the running side of a container: its agent session, its spool, what is staged for it.
 *
 * Shape   one per container that is in the store (made on demand, cheap). Agent events end here: output goes
 *         to the spool and is confirmed, the exit becomes the container's transition.
 * Order   at the end of a run: output complete in the spool, exit code recorded, `die` event, streams
 *         closed, `wait` answered
 * Thread  loop thread
 */
#ifndef SKL_DRIVER_WORKLOAD_H
#define SKL_DRIVER_WORKLOAD_H

#include "agent/registry.h"
#include "agent/session.h"
#include "spool/spool.h"
#include "store/store.h"

struct skl_runtime; /* all workloads, the agent registry, the spool directory */
struct skl_workload;
struct skl_source;
struct skl_sink;

struct skl_runtime_config {
    uv_loop_t *loop;
    struct skl_store *store;
    const char *spool_dir;   /* staged archives live there too */
    const char *layers_dir;  /* files of built images, named by their digests */
    const char *volumes_dir; /* contents of volumes, see volume_content.h */
    const char *agent_token; /* one for all containers; NULL or "": one per run */
    unsigned warm_seconds;   /* how long an ended workload waits for its next start */
    int64_t agent_grace_ms;  /* how long a lost agent is waited for: 120 s */
    /* Whether a restart policy wants this container again after this end; called before `die`. */
    bool (*will_restart)(void *arg, struct skl_container *c, int exit_code);
    /* After the transition to exited or restarting. */
    void (*on_exited)(void *arg, struct skl_container *c);
    /* A session is up (again), and what it said at its HELLO is applied. */
    void (*on_agent_up)(void *arg, struct skl_container *c);
    /* The agent was lost for longer than the grace time while the container ran, or a run was
     * started and the agent said it cannot be: the layer above asks the cloud. */
    void (*on_agent_lost)(void *arg, struct skl_container *c);
    /* The agent of a run that is over has left for good: the workload cannot be started again. */
    void (*on_agent_left)(void *arg, struct skl_container *c);
    void *arg;
};

struct skl_runtime *skl_runtime_new(const struct skl_runtime_config *config);
void skl_runtime_close(struct skl_runtime *rt);
struct skl_agents *skl_runtime_agents(struct skl_runtime *rt);
struct skl_workload *skl_workload_of(struct skl_runtime *rt, struct skl_container *c);
void skl_workload_forget(
    struct skl_runtime *rt,
    struct skl_container *c); /* before `removed`: session, spool and staged files go */

struct skl_container *skl_workload_container(const struct skl_workload *w);
struct skl_session *
skl_workload_session(const struct skl_workload *w); /* up or awaited; NULL: none */
struct skl_spool *skl_workload_spool(struct skl_workload *w);
struct skl_runtime *skl_workload_runtime(const struct skl_workload *w);

/* -- beginning. Tokens are made here (kept in the container). */
int skl_workload_prepare(struct skl_workload *w, struct skl_error *err);
/* The same with the token that the workload was made with; an agent of an earlier run is forgotten. */
void skl_workload_prepare_again(struct skl_workload *w);
/* After a restart of the daemon: the agent of a run that is recorded may come (or is dialled) again. */
void skl_workload_resume(struct skl_workload *w);
void skl_workload_dial(struct skl_workload *w, const char *address, int64_t deadline_ms);
/* A session is up and its command is not running: a start takes milliseconds. */
bool skl_workload_is_warm(const struct skl_workload *w);
/* ...and the newest run has not been told to begin: STARTING can go on with it. */
bool skl_workload_awaits_start(const struct skl_workload *w);
/* ...and the end of the newest run is on its way to us. */
bool skl_workload_has_ended(const struct skl_workload *w);
/* The TCP ports that the next run publishes; the agent carries connections to no others. */
void skl_workload_set_ports(struct skl_workload *w, const uint16_t *ports, size_t n);
/* Container is STARTING. As soon as a session is up: staged archives, then START; the callback runs when
 * the command runs (transition `started` is made) or could not (code 126, 127, 125: transition is the
 * caller's). Exactly once; skl_workload_cancel_begin() prevents it. */
typedef void skl_begin_cb(void *arg, int code, const struct skl_error *err); /* err NULL: runs */
void skl_workload_begin(struct skl_workload *w, skl_begin_cb *cb, void *arg);
void skl_workload_cancel_begin(struct skl_workload *w);
/* A workload without an agent runs: transition and spool mark. */
int skl_workload_begin_agentless(struct skl_workload *w, struct skl_error *err);

/* News from the platform or the user about the end of the run; ranks as in store/container.h. Makes the
 * transition, ends the spool's run, calls on_exited. Ignored when a higher rank has spoken. */
void skl_workload_ended(struct skl_workload *w, const struct skl_end *end);
/* Ends the agent for good (its warm time too). */
void skl_workload_shutdown(struct skl_workload *w);

/* The command has ended; the end is told when its volumes are fetched. */
bool skl_workload_is_ending(const struct skl_workload *w);

/* -- stdin of the main process, shared by all attachers. Bytes sent before the command runs wait. */
size_t skl_workload_stdin_room(const struct skl_workload *w);
void skl_workload_stdin(struct skl_workload *w, struct skl_str data);
void skl_workload_stdin_end(struct skl_workload *w);
/* Runs when there is room again (all subscribers); cancel by the same cb and arg. */
void skl_workload_on_stdin_room(struct skl_workload *w, void (*cb)(void *arg), void *arg);
void skl_workload_off_stdin_room(struct skl_workload *w, void (*cb)(void *arg), void *arg);

/* -- staged archives: PUT into a container that has no agent; delivered in order before START. */
bool skl_workload_has_staged(const struct skl_workload *w);
struct skl_process_spec;
void skl_workload_process_spec(const struct skl_workload *w,
                               struct skl_process_spec *ret); /* borrowed */

#endif
