/* exec - further processes in a container, as records. Kept until the container is removed, or five
 * minutes after they ended.
 *
 * Owns    the store; a record that is taken out of it while `live` is set is `dropped` instead of freed:
 *         it is found no more, no transition may be made of it, and whoever holds `live` frees it
 * Rules   nothing may hold a probe's record over skl_exec_ended(): look it up by its id
 *         an exec that was running when the daemon ended is loaded with running and has_exit_code both
 *         false: its streams are gone and nobody knows its code
 */
#ifndef SKL_STORE_EXEC_H
#define SKL_STORE_EXEC_H

#include "store/container.h"

struct skl_exec {
    char id[65];
    char container_id[65];
    char **argv, **env;
    char *cwd, *user, *detach_keys;
    bool tty, attach_stdin, attach_stdout, attach_stderr, privileged;
    bool is_probe; /* of a health check: never written, and gone (freed) as soon as it ended */
    unsigned rows, cols;
    /* -- written by transitions only */
    bool started, running, has_exit_code;
    int exit_code, pid;
    int64_t ended_ns;
    bool dropped; /* no longer in the store; whoever holds `live` frees it */
    void *live;   /* docker/: the running exec's streams; not owned here */
    struct skl_list in_store;
};

struct skl_exec *skl_exec_new(void);
void skl_exec_free(struct skl_exec *x);
struct skl_exec *skl_exec_find(struct skl_store *s, const char *id); /* full id; NULL if none */
/* own_x is swallowed: it is freed when this fails. */
int skl_exec_add(struct skl_store *s, struct skl_exec *own_x,
                 struct skl_error *err); /* event exec_create */
int skl_exec_started(struct skl_store *s, struct skl_exec *x,
                     struct skl_error *err); /* event exec_start */
void skl_exec_set_pid(struct skl_store *s, struct skl_exec *x, int pid);
int skl_exec_ended(struct skl_store *s, struct skl_exec *x, int code,
                   struct skl_error *err); /* exec_die */
/* Ids of the running execs of a container: owned vector, NULL if none. */
char **skl_exec_running_ids(struct skl_store *s, const char *container_id);

#endif
