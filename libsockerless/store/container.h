/* container - the record of a container and the one state machine that changes it.
 *
 * Shape   the spec is what create asked for (merged with the image), fixed except for the name,
 *         endpoints and update; the rest is what happened. JSON members are compact text, ready to be
 *         put into an answer; what the daemon acts on stands beside them as typed fields.
 * Rules   nobody assigns `state` and its companions elsewhere: one function per transition, which
 *         checks the move, persists, emits the Docker event and tells the observer, then the waiters
 * Owns    the store; pointers to a container are valid until its `removed` transition
 * Thread  loop thread; workers get a struct skl_container_snapshot (docker/backend.h)
 */
#ifndef SKL_STORE_CONTAINER_H
#define SKL_STORE_CONTAINER_H

#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "store/labels.h"

struct skl_store;

#define SKL_CONTAINER_STATES(X)                                                                    \
    X(CREATED, "created")                                                                          \
    X(STARTING, "created") /* shown as what it was before: see docs/architecture.md */             \
    X(RUNNING, "running")                                                                          \
    X(PAUSED, "paused")                                                                            \
    X(RESTARTING, "restarting")                                                                    \
    X(REMOVING, "removing")                                                                        \
    X(EXITED, "exited")                                                                            \
    X(DEAD, "dead")

enum skl_container_state {
#define X(name, wire) SKL_CONTAINER_##name,
    SKL_CONTAINER_STATES(X)
#undef X
        SKL_CONTAINER_MAX_
};

/* Who says that a container has ended; later news of a lower rank never overwrites a higher one. */
enum skl_end_rank { SKL_END_NONE, SKL_END_USER, SKL_END_PLATFORM, SKL_END_AGENT };

enum skl_restart_policy {
    SKL_RESTART_NO,
    SKL_RESTART_ON_FAILURE,
    SKL_RESTART_ALWAYS,
    SKL_RESTART_UNLESS_STOPPED
};

enum skl_health { SKL_HEALTH_NONE, SKL_HEALTH_STARTING, SKL_HEALTH_HEALTHY, SKL_HEALTH_UNHEALTHY };

struct skl_endpoint { /* a container's place in a network */
    char *network_id;
    char *endpoint_id, *ip, *mac; /* "" while not running; written by store/network.h only */
    char *ip6;                    /* the same; NULL or "": none */
    char **aliases;
    char
        *request_json; /* EndpointSettings as sent: IPAMConfig, Links, DriverOpts...; may be NULL */
};

struct skl_mount {
    char *type; /* bind, volume, tmpfs */
    char *name, *source, *destination, *mode, *propagation;
    bool rw, anonymous;
    char *request_json; /* as sent; may be NULL */
};

struct skl_container_spec {
    char *image;     /* as the user wrote it */
    char *image_id;  /* sha256:... */
    char *image_ref; /* what the cloud pulls */
    char **argv;     /* entrypoint + command */
    char **env;
    char *cwd, *user, *hostname;
    bool tty, open_stdin, stdin_once, auto_remove, init, privileged;
    char *stop_signal;  /* as sent, NULL: SIGTERM */
    int stop_timeout_s; /* -1: not set */
    enum skl_restart_policy restart;
    unsigned restart_max;
    int64_t nano_cpus, memory_bytes;
    int64_t log_max_bytes; /* 0: default */
    unsigned log_max_files;
    bool log_none;
    char **extra_hosts; /* "name:ip" */
    char **group_add;
    char **ulimits; /* "name=soft:hard" */
    char **layers; /* of a built image: files to be there before each first command of a workload */
    char *
        registry_auth; /* X-Registry-Auth of the pull, for the cloud's own pull; secret; may be NULL */
    struct skl_labels labels;
    struct skl_mount *mounts;
    size_t n_mounts;
    char *config_json;            /* Config as inspect shows it */
    const char *host_config_json; /* HostConfig as inspect shows it; base/shared_text.h */
    char *platform;               /* "linux" */
};

struct skl_container {
    char id[65];
    char *name; /* without the slash */
    int64_t created_ns;
    struct skl_container_spec spec;
    struct skl_endpoint *endpoints;
    size_t n_endpoints;

    /* -- written by transitions only */
    enum skl_container_state state;
    int pid;
    int exit_code;
    bool oom_killed, manual_stop, has_run;
    char *error; /* start failure, "" else */
    int64_t started_ns, finished_ns;
    unsigned restart_count;
    unsigned run; /* number of the newest run; START carries it */
    enum skl_end_rank end_rank;
    enum skl_health health;
    unsigned health_streak;
    char *health_log_json; /* array text; NULL: none */

    /* -- of the backend and the agent */
    char *token; /* agent token, 64 hex; secret. Kept in clear: START after a recovery and
                              * forward dialling need it; the database is 0600 in a 0700 directory */
    struct skl_labels cloud; /* what a backend remembers: names and ids of its cloud resources */
    char *agent_address;     /* forward mode; NULL else */
    char *published_json;    /* NetworkSettings.Ports while ports are published; NULL else */

    struct skl_list waiters;
    struct skl_list in_store; /* newest last */
    char *list_cache; /* docker/: rendered fixed part of the list entry; freed with the container */
    void *workload;   /* driver/: the running side; not owned here */
};

const char *skl_container_state_name(enum skl_container_state s);
/* What clients see: STARTING is CREATED for a container that never ran, RESTARTING when a restart policy starts
 * it again, else EXITED. */
enum skl_container_state skl_container_shown_state(const struct skl_container *c);
bool skl_container_move_is_allowed(enum skl_container_state from, enum skl_container_state to);
/* It has, or is being given, a workload: starting, running or paused. */
bool skl_container_is_live(const struct skl_container *c);
/* Its command has begun and not ended: running or paused. */
bool skl_container_has_command(const struct skl_container *c);
bool skl_container_is_running(const struct skl_container *c); /* running, paused or restarting */

/* -- finding. Name with or without '/'; full id, exact name, then id prefix (Docker's order). */
int skl_container_find(struct skl_store *s, const char *ref, struct skl_container **ret,
                       struct skl_error *err);
struct skl_container *skl_container_by_id(struct skl_store *s, const char *id);
struct skl_container *skl_container_by_name(struct skl_store *s, const char *name);
/* `struct skl_list *it; skl_list_foreach(it, skl_container_all(s))`, oldest first */
struct skl_list *skl_container_all(struct skl_store *s);
size_t skl_container_count(struct skl_store *s, enum skl_container_state state);

/* -- life. Each returns 0 or an error and leaves everything as it was on failure. */
/* Takes own_c (allocated with skl_container_new, name set) into the store; CONFLICT with Docker's text
 * when the name is taken. own_c is swallowed: it is freed when this fails. Emits `create`. */
struct skl_container *skl_container_new(void);    /* random id; spec empty */
void skl_container_free(struct skl_container *c); /* only if it never went into the store */
/* Frees what the spec holds, not the spec. */
void skl_container_spec_fini(struct skl_container_spec *spec);
int skl_container_add(struct skl_store *s, struct skl_container *own_c, struct skl_error *err);

/* CREATED, EXITED, RESTARTING -> STARTING: a new run begins; `run` is counted up. */
int skl_container_starting(struct skl_store *s, struct skl_container *c, struct skl_error *err);
/* STARTING -> RUNNING; event start. */
int skl_container_started(struct skl_store *s, struct skl_container *c, int pid, int64_t started_ns,
                          struct skl_error *err);
/* STARTING -> CREATED (never ran) or EXITED, with Error and code set, no die event. */
int skl_container_start_failed(struct skl_store *s, struct skl_container *c, int code,
                               const char *message, struct skl_error *err);
/* STARTING -> RESTARTING: as above, but a restart policy tries once more; without an event. */
int skl_container_start_put_off(struct skl_store *s, struct skl_container *c, int code,
                                const char *message, bool counts, struct skl_error *err);
struct skl_end {
    enum skl_end_rank rank;
    int code;
    bool oom;
    int64_t finished_ns; /* 0: now */
    const char *error;   /* NULL: none */
};
/* RUNNING, PAUSED, STARTING -> EXITED (or RESTARTING if will_restart, counted): events oom, die. A later report
 * about the same run changes no state: with a higher rank than before it corrects the code, without an
 * event, else it is ignored. RESTARTING -> EXITED, without an event, for rank USER and not
 * will_restart: a stop between two runs. */
int skl_container_exited(struct skl_store *s, struct skl_container *c, const struct skl_end *end,
                         bool will_restart, struct skl_error *err);
int skl_container_paused(struct skl_store *s, struct skl_container *c, bool on,
                         struct skl_error *err);
void skl_container_set_manual_stop(struct skl_store *s, struct skl_container *c, bool on);
/* Started by hand: what restart policies remember begins anew. */
void skl_container_begin_anew(struct skl_store *s, struct skl_container *c);
/* any but REMOVING -> REMOVING ("removal ... is already in progress" if it is). */
int skl_container_removing(struct skl_store *s, struct skl_container *c, struct skl_error *err);
int skl_container_remove_failed(struct skl_store *s, struct skl_container *c, const char *message,
                                struct skl_error *err); /* -> DEAD */
/* REMOVING goes on, and may for long: who waits for the removal is answered with how the container ended. */
void skl_container_removal_put_off(struct skl_store *s, struct skl_container *c);
/* Event destroy, waiters answered, memory freed. */
int skl_container_removed(struct skl_store *s, struct skl_container *c, struct skl_error *err);
int skl_container_rename(struct skl_store *s, struct skl_container *c, const char *name,
                         struct skl_error *err);
int skl_container_set_health(struct skl_store *s, struct skl_container *c, enum skl_health health,
                             unsigned streak, const char *log_json, struct skl_error *err);

/* Remember a cloud resource BEFORE the call that makes it; NULL value forgets. Persisted at once. */
int skl_container_set_cloud(struct skl_store *s, struct skl_container *c, const char *name,
                            const char *value, struct skl_error *err);
int skl_container_set_agent(struct skl_store *s, struct skl_container *c, const char *token,
                            const char *address, struct skl_error *err);
/* json NULL: no port is published any more. */
int skl_container_set_published(struct skl_store *s, struct skl_container *c, const char *json,
                                struct skl_error *err);
/* After a change of endpoints, labels or JSON members (connect, update). */
int skl_container_save(struct skl_store *s, struct skl_container *c, struct skl_error *err);

/* Emits a container event with image, name and labels; extra: name, value..., NULL or NULL. */
void skl_container_event(struct skl_store *s, const struct skl_container *c, const char *action,
                         char *const *extra);

/* -- waiting. NOT_RUNNING answers soon for a container that is not running (and not STARTING, nor RESTARTING),
 * else at the end of the run, also when a restart policy goes on; NEXT_EXIT answers at the next die, or removal;
 * REMOVED at removal with the exit code of the process, or with an error text when the removal failed. */
enum skl_wait_condition { SKL_WAIT_NOT_RUNNING, SKL_WAIT_NEXT_EXIT, SKL_WAIT_REMOVED };
struct skl_waiter;
/* Runs exactly once, never before skl_container_wait() returned: exit code, and error text or NULL. */
typedef void skl_wait_cb(void *arg, int exit_code, const char *error);
struct skl_waiter *skl_container_wait(struct skl_store *s, struct skl_container *c,
                                      enum skl_wait_condition condition, skl_wait_cb *cb,
                                      void *arg);
/* NULL is fine; allowed inside callbacks, and after the store was closed (a close calls nobody). */
void skl_waiter_cancel(struct skl_waiter **w);

/* The layers above: driver/ closes streams, docker/ begins and ends health checks. After the event, in the
 * order in which they came, before the waiters. At most SKL_STORE_OBSERVERS. */
typedef void skl_container_observer_cb(void *arg, struct skl_container *c,
                                       enum skl_container_state from, enum skl_container_state to);
void skl_store_observe_containers(struct skl_store *s, skl_container_observer_cb *cb, void *arg);
void skl_store_unobserve_containers(struct skl_store *s, skl_container_observer_cb *cb, void *arg);

#endif
