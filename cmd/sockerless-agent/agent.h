/* agent - process 1 of a workload: what its files share. docs/agent-protocol.md is the contract.
 *
 * Shape   one loop thread; the connection (connection.c), the main process (run.c), one task per stream of the
 *         backend (exec.c, archive_*.c, stats.c...),
 *         a function's invocation (invocation.c)
 */
#ifndef SKL_AGENT_AGENT_H
#define SKL_AGENT_AGENT_H

#include <sys/types.h>

#include "agent/link.h"
#include "base/list.h"
#include "net/loop.h"

#define SKL_AGENT_EXIT_NO_START 125

struct skl_agent_options {
    const char *callback_url; /* NULL: forward mode */
    char *addr;               /* owned */
    char *container_id, *token, *ca_pem;
    char **argv;    /* after "--"; may be empty */
    char **environ; /* without SOCKERLESS_* */
    unsigned warm_seconds;
    unsigned start_timeout_s;
    unsigned http_port;   /* 0: not a function */
    unsigned http_hold_s; /* how long an invocation's answer is held; 0: as long as the workload */
    bool http_stay; /* the platform would start us again: after the end we stay and answer probes */
};

/* -- processes: process.c, child.c */
struct agent_process;
struct agent_process_spec {
    char **argv, **env;
    const char *cwd, *user;
    char **group_add, **ulimits;
    bool tty, stdin_open;
    unsigned rows, cols;
};
struct agent_process_events {
    /* false: stop reading until agent_process_resume() */
    bool (*on_output)(void *arg, bool is_stderr, struct skl_str data);
    void (*on_stdin_drained)(void *arg, size_t n); /* n bytes have gone into the process */
    /* Ended, and all output was given. The process is gone after it. */
    void (*on_end)(void *arg, int code, int signal);
};
/* code: 126, 127 or 125 on failure, with a Docker Engine's words in err */
int agent_process_start(uv_loop_t *loop, const struct agent_process_spec *spec,
                        const struct agent_process_events *events, void *arg,
                        struct agent_process **ret, int *code, struct skl_error *err);
pid_t agent_process_pid(const struct agent_process *p);
void agent_process_stdin(struct agent_process *p, struct skl_str data);
void agent_process_stdin_end(struct agent_process *p);
void agent_process_resume(struct agent_process *p);
void agent_process_signal(struct agent_process *p, int signo);
/* As to process 1 of a process namespace: what it has no handler for does not reach it, but KILL and STOP do. */
void agent_process_signal_first(struct agent_process *p, int signo);
void agent_process_resize(struct agent_process *p, unsigned rows, unsigned cols);
/* From SIGCHLD: reaps whatever has ended, ours or adopted. */
void agent_reap(void);
/* Every process of the container but ourselves. */
void agent_signal_all(int signo);

/* -- users: users.c. Reads the image's own files; no name service. */
struct agent_user {
    uid_t uid;
    gid_t gid;
    gid_t groups[64];
    size_t n_groups;
    char *home;
};
int agent_user_find(const char *user, char *const *group_add, struct agent_user *ret,
                    struct skl_error *err);

/* -- output of the main process: output.c */
struct agent_output;
struct agent_output *agent_output_new(void);
void agent_output_free(struct agent_output *o);
/* false: it is full; nothing was taken that does not fit (the caller stops reading before). */
void agent_output_add(struct agent_output *o, bool is_stderr, struct skl_str data);
bool agent_output_is_full(const struct agent_output *o);
uint64_t agent_output_end(const struct agent_output *o);    /* offset that comes next */
uint64_t agent_output_oldest(const struct agent_output *o); /* oldest that is kept */
void agent_output_confirm(struct agent_output *o, uint64_t offset);
void agent_output_rewind(struct agent_output *o, uint64_t offset); /* send again from here */
/* The next piece to send (borrowed until the next call); false: nothing, or the window is full. */
bool agent_output_next(struct agent_output *o, bool *is_stderr, uint64_t *offset,
                       struct skl_str *data);

/* -- the agent */
enum agent_state { AGENT_WAITING, AGENT_RUNNING, AGENT_ENDED };

struct agent {
    uv_loop_t *loop;
    const struct skl_agent_options *options;
    struct skl_link *link;
    char instance[33];
    int64_t began_ns; /* by the files' clock: what has changed since is the workload's doing */
    /* "/" and "/etc" when the first command began: until then the platform and we put things there. */
    int64_t root_mtime_ns, etc_mtime_ns;
    int64_t run_began_ns; /* the same clock, when the newest command began */
    int64_t put_ended_ns; /* by the exact clock, when the newest archive was written */
    char *session;        /* NULL: none yet */

    enum agent_state state;
    unsigned run;
    struct agent_process *process; /* main; NULL unless RUNNING */
    struct agent_output *output;
    int exit_code, exit_signal;
    bool oom, exit_known, any_run;
    int64_t finished_ns; /* as others are told */
    int64_t ended_ms;    /* as this process counts: a clock may be set */
    unsigned warm_seconds;
    bool has_init;            /* --init */
    uint8_t ports[65536 / 8]; /* a bit for each that the run publishes: tunnels lead there only */

    struct skl_list tasks;  /* of struct agent_task */
    struct skl_timer *life; /* START timeout, warm time */
    int64_t last_up_ms;
    bool shutting_down; /* no further start will come */
    bool dismissed; /* the backend wants nothing more of us, not even what it has not confirmed */
    bool platform_ends; /* its signal came */
    bool leaving;       /* the session is over for good; the process ends or answers probes only */

    struct skl_list held; /* invocations whose answer waits: invocation.c */
    unsigned n_held;
    unsigned invoked_run; /* 0: not yet */
};

/* connection.c */
int agent_open_link(struct agent *a, struct skl_error *err);
void agent_connect(struct agent *a);
int agent_listen(struct agent *a, struct skl_error *err);
void agent_send_output(struct agent *a);
/* Writes the close frame; the process ends a moment later, unless it is a function's that has to stay. */
void agent_leave(struct agent *a, int code);

/* invocation.c: the HTTP server of a function. */
int agent_serve(struct agent *a, struct skl_error *err);
void agent_invocation_over(struct agent *a); /* held invocations get their answer */
/* main.c: from here on START has to come in time. */
void agent_await_start(struct agent *a);

/* run.c */
void agent_start(struct agent *a, struct skl_str payload);
void agent_send_exit(struct agent *a); /* the end of the newest run, as a numbered frame */
void agent_main_frame(struct agent *a, const struct skl_frame *f);
void agent_shutdown(struct agent *a, int signo, bool dismissed);
void agent_check_life(struct agent *a);
void agent_read_process_spec(const struct agent *a, struct skl_str payload,
                             struct agent_process_spec *ret);
void agent_process_spec_fini(struct agent_process_spec *spec);

/* -- tasks: what a stream of the backend is doing */
struct agent_task {
    struct skl_list in_agent;
    struct agent *a;
    uint32_t stream;
    bool is_exec;
    void (*on_frame)(struct agent_task *t, const struct skl_frame *f);
    void (*on_credit)(struct agent_task *t);
    void (*on_close)(
        struct agent_task *t); /* the backend wants no more; frees the task or lets it end */
};
void agent_task_init(struct agent_task *t, struct agent *a, uint32_t stream);
void agent_task_end(struct agent_task *t); /* out of the list; the stream is over */
struct agent_task *agent_task_find(struct agent *a, uint32_t stream);
void agent_task_error(struct agent *a, uint32_t stream, int code, const char *message);
void agent_task_result(struct agent *a, uint32_t stream, struct skl_str payload);
/* All tasks of a session that is over. */
void agent_tasks_close(struct agent *a);

void agent_exec(struct agent *a, const struct skl_frame *f);         /* exec.c */
void agent_archive_get(struct agent *a, const struct skl_frame *f);  /* archive_get.c */
int64_t agent_mtime_ns(const char *path);                            /* changes.c; 0: none */
void agent_archive_put(struct agent *a, const struct skl_frame *f);  /* archive_put.c */
void agent_archive_stat(struct agent *a, const struct skl_frame *f); /* archive_stat.c */
void agent_top(struct agent *a, const struct skl_frame *f);          /* top.c */
void agent_stats(struct agent *a, const struct skl_frame *f);        /* stats.c */
void agent_tunnel(struct agent *a, const struct skl_frame *f);       /* tunnel.c */

/* file_clock.c: a moment for comparisons with files' change times: what was changed until wall_ns (0: long ago) is
 * before it, what is changed from now on is not. Waits for a tick of a few milliseconds. */
int64_t agent_file_clock_after(int64_t wall_ns);

/* archive_stat.c: fills in a RESULT; the errors are a Docker Engine's. */
int agent_stat_path(const char *path, struct skl_buf *result, struct skl_error *err);

/* install.c: copies this program to DIR/sockerless-agent. */
int agent_install(const char *dir, struct skl_error *err);

#endif
