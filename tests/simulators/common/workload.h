/* workload - really running the containers of a simulated cloud: init containers one after another, then the main
 * one, from the image's root file system under runc, or as plain processes of this machine.
 *
 * Thread  one thread per workload; start and stop may be called from any thread
 * Owns    the specification is copied
 */
#ifndef SKL_SIM_WORKLOAD_H
#define SKL_SIM_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define SIM_MAX_MOUNTS 32

struct sim_mount {
    char *volume, *path;
    char *source; /* a folder or file of this machine in the place of an EmptyDir */
    bool read_only, no_exec;
};

struct sim_container {
    char *name, *image;
    char **command, **args, **env; /* expanded; command NULL: the image's own */
    char *cwd;                     /* NULL: the image's own */
    struct sim_mount mounts[SIM_MAX_MOUNTS];
    size_t n_mounts;
    int64_t memory_bytes; /* its limit; 0: none */
};

struct sim_workload_spec {
    char *name; /* of the replica: unique */
    struct sim_container *init;
    size_t n_init;
    struct sim_container main;
    char **volumes; /* names of EmptyDirs */
    char *address;  /* 127.x.y.z: its own */
    int64_t timeout_ms;
    int64_t stop_grace_ms; /* 0, or more than the runtime's: the runtime's */
};
void sim_workload_spec_fini(struct sim_workload_spec *s);
void sim_container_fini(struct sim_container *c);

struct sim_runtime_config {
    const char *dir, *agent_path, *mirror;
    const char *kind; /* auto, runc, process, external */
    int64_t stop_grace_ms;
    bool memory_limits; /* what goes beyond its limit is killed; under runc only */
};
struct sim_runtime;
int sim_runtime_new(const struct sim_runtime_config *c, struct sim_runtime **ret,
                    struct skl_error *err);
void sim_runtime_free(struct sim_runtime *rt);  /* no workload may run */
void sim_runtime_hurry(struct sim_runtime *rt); /* the end of it all: at most a second of grace */
const char *sim_runtime_kind(const struct sim_runtime *rt);

struct sim_workload_events {
    void (*on_running)(void *arg);
    void (*on_line)(void *arg, const char *container, bool is_stderr, const char *text, size_t n);
    /* reason: "" or why it could not run */
    void (*on_end)(void *arg, bool ok, int code, bool stopped, const char *reason);
};
struct sim_workload;
/* Takes the spec over. */
struct sim_workload *sim_workload_start(struct sim_runtime *rt, struct sim_workload_spec *own_spec,
                                        const struct sim_workload_events *events, void *arg);
void sim_workload_stop(struct sim_workload *w); /* SIGTERM, grace, SIGKILL; returns at once */
void sim_workload_join(struct sim_workload *w); /* waits for the end, frees */

/* external.c: with the kind `external` workloads are played by somebody else. Each is given to one taker, and ends
 * when that says so (false: no such workload) or it is stopped. */
typedef void sim_taken_cb(void *arg, const char *name, char *const *env);
size_t sim_workload_take(struct sim_runtime *rt, size_t max, sim_taken_cb *cb, void *arg);
bool sim_workload_finish(struct sim_runtime *rt, const char *name, int code);

/* process.c: a child with its output as lines */
struct sim_process {
    char **argv, **env;
    const char *cwd;
    bool no_output; /* stdout goes nowhere; out_fd is -1 */
    int pid, out_fd, err_fd;
};
int sim_process_spawn(struct sim_process *p, struct skl_error *err);
/* Runs a tool to its end; its stderr is the error's text. */
int sim_tool_run(char *const *argv, struct skl_error *err);

/* paths.c: the state directory (made; *state_dir empty: a temporary one) and the agent, by their whole paths. */
int sim_paths(char **state_dir, char **agent, bool *temporary, struct skl_error *err);

/* bundle.c: root file systems and runc's config.json */
struct sim_bundle {
    char *dir, *rootfs;
    bool mounted;
};
int sim_bundle_make(struct sim_runtime *rt, const struct sim_workload_spec *spec,
                    const struct sim_container *c, const char *id, struct sim_bundle *ret,
                    struct skl_error *err);
void sim_bundle_remove(struct sim_bundle *b);
char *sim_volume_dir(const struct sim_runtime *rt, const struct sim_workload_spec *spec,
                     const char *volume);
char *sim_mount_dir(const struct sim_runtime *rt, const struct sim_workload_spec *spec,
                    const struct sim_mount *m);

/* images.c: an image unpacked once; path of its root file system and of its config (JSON text), borrowed */
struct sim_image {
    char *ref, *rootfs, *config;
    size_t
        n_entrypoint; /* so many of the config's arguments are the ENTRYPOINT, the rest is the CMD */
};
int sim_image_get(struct sim_runtime *rt, const char *ref, const struct sim_image **ret,
                  struct skl_error *err);

#endif
