/* lifecycle_internal - what the files lifecycle*.c share.
 *
 * Shape   a flow per container that something is done with: its queue of operations, the one that is being
 *         done, the job on a worker, the poll of the platform. Flows live as long as their container.
 */
#ifndef SKL_DOCKER_LIFECYCLE_INTERNAL_H
#define SKL_DOCKER_LIFECYCLE_INTERNAL_H

#include "base/map.h"
#include "docker/lifecycle/lifecycle.h"

enum skl_op_kind {
    SKL_OP_CREATE,
    SKL_OP_START,
    SKL_OP_STOP,
    SKL_OP_RESTART,
    SKL_OP_PAUSE,
    SKL_OP_RETIRE, /* the workload of an ended run is of no more use */
    SKL_OP_REMOVE,
    SKL_OP_RECOVER, /* a run that the last daemon left: its agent, or what else became of it */
    SKL_OP_NOTHING  /* its turn has come, that is all */
};

struct skl_op {
    struct skl_list in_queue;
    enum skl_op_kind kind;
    char *signal; /* STOP, RESTART; NULL: the container's own */
    int timeout_s;
    bool on;             /* PAUSE */
    bool force, volumes; /* REMOVE */
    bool internal;       /* AutoRemove, restart policy: nobody waits for it */
    bool ended_start;    /* STOP: what it stops is a start that a restart policy had begun */
    skl_lifecycle_cb *cb;
    void *arg;
};

enum skl_job_kind {
    SKL_JOB_CREATE,
    SKL_JOB_START,
    SKL_JOB_INVOCATION,
    SKL_JOB_STATUS,
    SKL_JOB_STOP,
    SKL_JOB_ENDED,
    SKL_JOB_REMOVE,
    SKL_JOB_PAUSE
};

struct skl_flow;
struct skl_job;
/* On the loop. The job is freed after it returns. */
typedef void skl_job_cb(struct skl_flow *f, struct skl_job *job);

/* One blocking call of the backend on a worker, with its own copy of the container. */
struct skl_job {
    struct skl_engine *engine;
    struct skl_flow *flow; /* NULL: the flow is gone, nobody wants the answer */
    enum skl_job_kind kind;
    struct skl_call call;
    struct skl_container_snapshot *snapshot;
    bool on;           /* PAUSE */
    unsigned workload; /* of the flow, when it was asked */
    skl_job_cb *done;
    int rc;
    struct skl_error err;
    struct skl_outcome outcome;
    struct skl_status status;
    struct skl_invocation invocation;
    struct skl_list in_flow;
};

struct skl_flow {
    struct skl_lifecycle *l;
    struct skl_container *c;
    struct skl_list queue; /* of skl_op; the first is being done */
    bool busy;             /* the first operation has begun */
    struct skl_list jobs;  /* of skl_job */

    /* the operation that is being done */
    struct skl_timer *deadline;   /* of the step it is in */
    struct skl_waiter *exit_wait; /* stop, kill: for the end of the run */
    int64_t begun_ms;             /* skl_mono_ms() */
    int64_t platform_running_ms;  /* when the platform first said that the run runs; 0: not yet */
    bool kill_sent;
    bool stopped_by_platform;
    unsigned
        workload; /* how many the cloud was told to make: what it says is about the newest or an earlier one */
    bool being_made; /* the cloud is still being told */

    /* asking the platform, while the container lives */
    struct skl_timer *poll;
    struct skl_timer *limit; /* of the run */
    bool poll_in_flight;

    struct skl_timer *restart; /* restart policy: until the next start */
    int64_t restart_delay_ms;
    unsigned remove_tries;
    struct skl_timer *retire; /* until an ended workload is tried to be ended again */
    int64_t retire_delay_ms;  /* 0: it did not fail */
    bool start_cold;          /* the warm workload has other limits than the next run shall have */
    struct skl_ports *ports;  /* published; NULL: none */
    struct skl_invoking *invoking; /* lifecycle_invoke.c; NULL: no request is open or due */
    struct skl_timer *recovery;    /* after a restart of the daemon: for the agent */
    struct skl_error *failure; /* of a start or create whose cloud resources are being removed */
};

struct skl_lifecycle {
    struct skl_engine *e;
    struct skl_map flows;  /* by container id */
    unsigned status_calls; /* under way */
    bool closing;
};

/* lifecycle.c */
struct skl_flow *skl_flow_of(struct skl_engine *e, struct skl_container *c);
struct skl_op *skl_flow_push(struct skl_flow *f, enum skl_op_kind kind, skl_lifecycle_cb *cb,
                             void *arg);
struct skl_op *skl_flow_current(struct skl_flow *f);
/* The current operation is over: its callback runs, the next one begins. The flow may be gone after. */
void skl_flow_finish(struct skl_flow *f, const struct skl_error *err);
void skl_flow_drop(struct skl_flow *f); /* with its container */
struct skl_job *skl_flow_job(struct skl_flow *f, enum skl_job_kind kind, skl_job_cb *done);
/* A job whose answer nobody waits for; it is finished even when the flow goes. */
void skl_flow_background(struct skl_flow *f, enum skl_job_kind kind);
void skl_flow_deadline(struct skl_flow *f, int64_t ms, skl_timer_cb *cb);
void skl_flow_apply_outcome(struct skl_flow *f, const struct skl_outcome *o);
void skl_flow_forget_cloud(struct skl_flow *f); /* its cloud resources are gone */

/* Where an operation begins, one file each. */
void skl_flow_create(struct skl_flow *f);       /* lifecycle_start.c */
void skl_flow_start(struct skl_flow *f);        /* lifecycle_start.c */
void skl_flow_cancel_start(struct skl_flow *f); /* a forced remove does not wait for it */
/* RECOVER: the agent of a start that the last daemon had begun is here, and waits for the command. */
void skl_flow_go_on_starting(struct skl_flow *f); /* lifecycle_start.c */
void skl_flow_start_lost(struct skl_flow *f);     /* ...it does not come */
void skl_flow_await_platform(struct skl_flow *f); /* ...it may come: what does the platform say? */
void skl_flow_recover(struct skl_flow *f);        /* lifecycle_recover.c */
/* The run goes on, or has ended; nothing happens if it was not being recovered. */
void skl_flow_recovered(struct skl_flow *f);
void skl_flow_stop(struct skl_flow *f);    /* lifecycle_stop.c */
void skl_flow_restart(struct skl_flow *f); /* lifecycle_stop.c */
void skl_flow_kill_for_remove(
    struct skl_flow *f);                     /* lifecycle_stop.c: goes on in skl_flow_remove() */
void skl_flow_pause(struct skl_flow *f);     /* lifecycle_stop.c */
void skl_flow_remove(struct skl_flow *f);    /* lifecycle_remove.c */
void skl_flow_unpublish(struct skl_flow *f); /* lifecycle_start.c: its ports are free again */

/* lifecycle_invoke.c: the request that begins a run of a function, its repetitions and its answer. */
bool skl_flow_is_function(const struct skl_flow *f);
/* ...and whether this run has an agent: without one nothing reaches the command. */
bool skl_flow_is_deaf(const struct skl_flow *f);
void skl_flow_invoke(struct skl_flow *f);
void skl_flow_uninvoke(struct skl_flow *f); /* its requests end, whatever they are for */
/* ...unless the workload is warm on a platform that stops what has no request: then they end when it leaves. */
void skl_flow_run_is_over(struct skl_flow *f);
/* On such a platform: a run that began without a request of its own gets one. */
void skl_flow_hold(struct skl_flow *f);
/* Why the requests of this start failed; "" if they did not. */
const char *skl_flow_invocation_trouble(const struct skl_flow *f);
/* A deaf run of a command that does not keep its container alive ends by itself. */
void skl_flow_end_one_shot(struct skl_flow *f);
/* The agent is lost: waits for it, for the answer or for the limit. */
void skl_flow_await_lost_agent(struct skl_flow *f);

void skl_flow_retire(struct skl_flow *f); /* lifecycle_retire.c */
/* Pushes it where the backend has something to end. */
void skl_flow_retire_later(struct skl_flow *f);

/* lifecycle_watch.c: asks the platform again and again, at a pace that fits. */
void skl_flow_watch(struct skl_flow *f);
void skl_flow_watch_from(struct skl_flow *f,
                         int64_t started_ms); /* the run began then, skl_mono_ms() */
void skl_flow_unwatch(struct skl_flow *f);
/* lifecycle_start.c: the platform's answer while a start is under way. */
void skl_flow_start_status(struct skl_flow *f, const struct skl_job *job);

/* lifecycle_watch.c: whether the policy starts it again after this end; the next start after its pause (`ran`: after
 * a run, whose length may make the pause short again). */
bool skl_flow_wants_restart(const struct skl_container *c, int exit_code);
void skl_flow_restart_later(struct skl_flow *f, bool ran);
void skl_flow_auto_remove(struct skl_flow *f);

/* runtime callbacks: lifecycle_watch.c */
bool skl_flow_will_restart(void *engine, struct skl_container *c, int exit_code);
void skl_flow_on_exited(void *engine, struct skl_container *c);
void skl_flow_on_agent_up(void *engine, struct skl_container *c); /* lifecycle_recover.c */
void skl_flow_on_agent_lost(void *engine, struct skl_container *c);
void skl_flow_on_agent_left(void *engine, struct skl_container *c);

#endif
