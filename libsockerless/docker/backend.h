/* backend - the contract of a cloud: what differs, nothing else. Names, conflicts, filters, defaults,
 * events, waiting and JSON are core's.
 *
 * Shape   a const table of functions and a context. NULL means core's own behaviour (said per slot).
 * Thread  slots marked LOOP run on the loop and must not block; all others run on worker threads, block
 *         as they like, watch skl_call_canceled(), and may run at the same time for different
 *         containers (never for the same one)
 * Lent    a snapshot of the container, valid during the call
 * Returns 0 and an outcome, or an error: one sentence with the cloud's code and the HTTP status to answer
 */
#ifndef SKL_DOCKER_BACKEND_H
#define SKL_DOCKER_BACKEND_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/finding.h"
#include "function/invocation.h"
#include "spool/spool.h"
#include "store/container.h"
#include "store/image.h"

struct skl_container_snapshot {
    char id[65], short_id[13];
    char instance[33]; /* of the installation: everything that is made in the cloud bears it */
    char *name;
    int64_t created_ns;
    unsigned run;
    struct skl_container_spec spec; /* deep copy */
    struct skl_labels cloud;
    char *token; /* secret */
    char *
        agent_ca; /* PEM for the workload's SOCKERLESS_AGENT_CA; NULL: the agent has its image's bundle */
    bool was_running; /* stop, kill, remove */
};
struct skl_container_snapshot *skl_snapshot_new(const struct skl_container *c,
                                                const char *instance);
void skl_snapshot_free(struct skl_container_snapshot *s);

struct skl_call {
    const struct skl_container_snapshot *c; /* NULL where no container is concerned */
    atomic_bool canceled;
    int64_t deadline_ms; /* skl_mono_ms(); 0: the backend's own */
    int64_t
        since_ms; /* when the operation began that the call belongs to: create or start, with all its turns */
};

/* What the loop applies after a call. */
struct skl_outcome {
    struct skl_labels cloud; /* merged into the container's; an empty value forgets */
    char *agent_address;     /* forward mode: HOST:PORT to dial; NULL: the agent calls back */
    bool no_agent;           /* this run has no agent: the reason is in `warning` */
    char *warning;           /* logged, and shown in the container's warnings */
    bool nothing_left; /* of a start that failed: the cloud surely holds nothing of the container */
    int64_t
        again_ms; /* create, start: not done yet; called again so much later, with `cloud` as it is then. For
                          what takes minutes: no worker waits meanwhile. 0: done */
};
void skl_outcome_fini(struct skl_outcome *o);

enum skl_run_status { SKL_RUN_STARTING, SKL_RUN_RUNNING, SKL_RUN_ENDED, SKL_RUN_GONE };
struct skl_status {
    enum skl_run_status status;
    bool has_exit_code;
    int exit_code; /* ENDED: real or derived; never 0 for something that was killed */
    int64_t ended_ns;
    char message[256];       /* why it is not getting on (image pull...), "" else */
    char agent_address[256]; /* forward mode: known once it runs; "" else */
};

/* A cloud resource that bears our instance. All lent. */
struct skl_resource {
    const char *kind; /* the backend's word: "job", "site" */
    const char *name;
    const char *container_id; /* whom it was made for: the id or its beginning; "": not told */
};
typedef void skl_resource_cb(void *arg, const struct skl_resource *r);

/* A line of output from the cloud's log service. */
typedef bool skl_log_line_cb(void *arg, enum skl_spool_stream stream, int64_t time_ns,
                             struct skl_str line); /* false: stop */

struct skl_backend_info {
    const char *driver, *operating_system;
    int n_cpus;
    int64_t memory_bytes;
    struct skl_labels status; /* DriverStatus rows */
};

struct skl_backend {
    const char *name;   /* "aca" */
    const char *title;  /* for messages: "Azure Container Apps" */
    bool creates_early; /* the cloud resource is made by create, not by start */

    /* LOOP. Rows of /info. Mandatory. */
    void (*info)(void *ctx, struct skl_backend_info *ret);
    /* LOOP. Refuses what this cloud can never run (400 with a sentence), adds warnings. May be NULL. */
    int (*check)(void *ctx, const struct skl_container_spec *spec, struct skl_buf *warnings,
                 struct skl_error *err);
    /* LOOP. Names of the cloud resources that create/start may make; persisted BEFORE the call. Mandatory. */
    void (*plan)(void *ctx, const struct skl_container_snapshot *c, struct skl_labels *cloud);
    /* LOOP. How a run of this container gets its agent. */
    bool (*has_agent)(void *ctx, const struct skl_container_spec *spec, const char **why_not);

    /* NULL: a record only. */
    int (*container_create)(void *ctx, struct skl_call *call, struct skl_outcome *ret,
                            struct skl_error *err);
    /* Begins a run: returns when the cloud has taken it, not when it runs. On failure nothing is left
     * behind in the cloud. Mandatory. */
    int (*container_start)(void *ctx, struct skl_call *call, struct skl_outcome *ret,
                           struct skl_error *err);
    /* Functions: the request that begins a run after container_start, or holds it. The core sends it on the loop,
     * and again where that is right. NULL: the cloud runs the workload by itself. */
    int (*container_invocation)(void *ctx, struct skl_call *call, struct skl_invocation *ret,
                                struct skl_error *err);
    /* What the platform says about the newest run. Mandatory. */
    int (*container_status)(void *ctx, struct skl_call *call, struct skl_status *ret,
                            struct skl_error *err);
    /* Ends the run on the platform and waits for its end; fine when there is none. Mandatory. */
    int (*container_stop)(void *ctx, struct skl_call *call, struct skl_status *ret,
                          struct skl_error *err);
    /* The run has ended and its workload is of no more use (its agent has left): whatever still costs money ends now.
     * Fine when there is nothing. NULL: nothing does. */
    int (*container_ended)(void *ctx, struct skl_call *call, struct skl_error *err);
    /* All cloud resources of the container go. Fine when they are gone. Mandatory. */
    int (*container_remove)(void *ctx, struct skl_call *call, struct skl_error *err);
    /* pause/unpause without an agent. NULL: 501. */
    int (*container_pause)(void *ctx, struct skl_call *call, bool on, struct skl_error *err);
    /* Lines after *cursor (opaque, owned, NULL: from the beginning) in order, without gap or repeat; *cursor
     * is moved. For containers whose runs had no agent. NULL: no logs. */
    int (*container_logs)(void *ctx, struct skl_call *call, char **cursor, skl_log_line_cb *cb,
                          void *arg, struct skl_error *err);
    /* NULL: core's own (registry client, else a synthetic record). */
    int (*image_pull)(void *ctx, struct skl_call *call, const char *ref, const char *registry_auth,
                      struct skl_image *ret, struct skl_error *err);
    /* NULL: nothing is kept for volumes. */
    int (*volume_remove)(void *ctx, struct skl_call *call, const char *name, struct skl_error *err);
    /* Every resource that bears the instance, and no other; what has to go first comes first. NULL: no reaper. */
    int (*resources_list)(void *ctx, struct skl_call *call, const char *instance,
                          skl_resource_cb *cb, void *arg, struct skl_error *err);
    /* One of them goes. Fine when it is gone. */
    int (*resource_remove)(void *ctx, struct skl_call *call, const struct skl_resource *r,
                           struct skl_error *err);

    /* For `doctor`: credentials, rights and what must be there in the cloud; reads alone. NULL: nothing to look at. */
    void (*diagnose)(void *ctx, const struct skl_findings *to);

    /* How often a status is asked for. */
    int64_t poll_starting_ms, poll_agentless_ms, poll_with_agent_ms;
    int64_t start_timeout_ms;     /* STARTING without progress: documented minimum 60 s */
    int64_t start_timeout_max_ms; /* even while the platform says it is still starting */
    int64_t run_timeout_ms;       /* a run that lasts longer is stopped; 0: none is */
    /* Functions. */
    int64_t
        invocation_renew_ms; /* the platform cuts requests and stops what has none: the next one is sent
                                    that long after the last; 0: one is enough */
    int64_t lost_agent_ms; /* how long a run goes on for us without a word of its agent */
};

#endif
