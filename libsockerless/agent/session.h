/* session - the backend's end of one agent: the main process, requests, and what the agent reports.
 *
 * Shape   a session lives from the first HELLO of an agent instance until it is given up; it survives
 *         lost connections (is_up says whether there is one now).
 * Thread  loop thread
 * Rules   request callbacks run exactly once, also when the session ends (error UNAVAILABLE); they
 *         never run before the request call returns. on_exit comes once per run. An agent that breaks the
 *         protocol loses its connection, and the request concerned ends with PROTOCOL.
 * Limits  SKL_AGENT_MAX_STREAMS requests at a time; a request is at most SKL_WS_MAX_MESSAGE (TOOBIG)
 */
#ifndef SKL_AGENT_SESSION_H
#define SKL_AGENT_SESSION_H

#include "agent/link.h"

struct skl_session;

enum skl_main_state { SKL_MAIN_WAITING, SKL_MAIN_RUNNING, SKL_MAIN_ENDED };

struct skl_exit {
    unsigned run;
    int code; /* 128 + signal when killed */
    int signal;
    bool oom;
    int64_t finished_ns;
};

struct skl_session_hello {
    const char *instance;
    enum skl_main_state state;
    unsigned run;
    uint64_t produced, oldest; /* main output offsets */
    int pid;
    struct skl_exit exit; /* state ENDED */
};

struct skl_session_events {
    /* A new instance or a reconnect said HELLO. Fill in *resume_offset (main output from there) and
     * *exit_known (the end of hello->run is recorded); false refuses the agent. */
    bool (*on_hello)(void *owner, struct skl_session *s, const struct skl_session_hello *hello,
                     uint64_t *resume_offset, bool *exit_known);
    /* WELCOME is sent: the session can be used. */
    void (*on_up)(void *owner, struct skl_session *s);
    void (*on_down)(void *owner, struct skl_session *s); /* connection lost, session kept */
    void (*on_gone)(void *owner,
                    struct skl_session *s); /* session over; must not be used any more */
    void (*on_started)(void *owner, struct skl_session *s, unsigned run, int pid,
                       int64_t started_ns);
    void (*on_start_failed)(void *owner, struct skl_session *s, int code, const char *message);
    /* Main output from `offset` on. Confirm with skl_session_ack() once it is stored. */
    void (*on_output)(void *owner, struct skl_session *s, bool is_stderr, uint64_t offset,
                      struct skl_str data);
    /* After all output of the run was delivered. */
    void (*on_exit)(void *owner, struct skl_session *s, const struct skl_exit *exit);
    void (*on_stdin_credit)(void *owner, struct skl_session *s); /* main stdin can take more */
};

struct skl_process_spec {
    char *const *argv;
    char *const *env;
    const char *cwd, *user;
    bool tty, stdin_open, privileged;
    bool init; /* START only: --init, an init process would pass every signal on */
    unsigned rows, cols;
    const char *hostname;
    char *const *hosts;
    char *const *group_add;
    char *const *ulimits;
    unsigned warm_seconds; /* START only */
    const uint16_t *ports; /* START only: what tunnels may lead to during this run */
    size_t n_ports;
};

bool skl_session_is_up(const struct skl_session *s);
const char *skl_session_instance(const struct skl_session *s);
enum skl_main_state skl_session_main_state(const struct skl_session *s);

/* -- the main process */
void skl_session_start(struct skl_session *s, unsigned run, const struct skl_process_spec *spec);
void skl_session_ack(struct skl_session *s, uint64_t offset);
size_t skl_session_stdin_credit(const struct skl_session *s);
void skl_session_stdin(struct skl_session *s, struct skl_str data); /* <= credit */
void skl_session_stdin_end(struct skl_session *s);
void skl_session_signal(struct skl_session *s, int signo);
void skl_session_pause(struct skl_session *s, bool on);
void skl_session_resize(struct skl_session *s, unsigned rows, unsigned cols);
void skl_session_shutdown(struct skl_session *s);
/* Cuts the connection; the agent comes again and resends what was not confirmed. */
void skl_session_reconnect(struct skl_session *s);
/* Nothing more is wanted of this instance: its requests end and on_gone runs, before this returns. */
void skl_session_close(struct skl_session *s);

/* -- execs */
struct skl_agent_exec; /* owned by the session until on_end has run */
struct skl_agent_exec_events {
    void (*on_started)(void *arg, int pid);
    void (*on_output)(void *arg, bool is_stderr,
                      struct skl_str data); /* consumed by skl_agent_exec_consumed */
    void (*on_stdin_credit)(void *arg);
    /* code -1 and err when it could not run or the session ended; code 126/127 with err->msg when the
     * command could not be executed */
    void (*on_end)(void *arg, int code, const struct skl_error *err);
};
struct skl_agent_exec *skl_session_exec(struct skl_session *s, const struct skl_process_spec *spec,
                                        const struct skl_agent_exec_events *events, void *arg);
size_t skl_agent_exec_credit(const struct skl_agent_exec *x);
void skl_agent_exec_stdin(struct skl_agent_exec *x, struct skl_str data);
void skl_agent_exec_stdin_end(struct skl_agent_exec *x);
void skl_agent_exec_consumed(struct skl_agent_exec *x, size_t n);
void skl_agent_exec_resize(struct skl_agent_exec *x, unsigned rows, unsigned cols);
void skl_agent_exec_signal(struct skl_agent_exec *x, int signo);
/* No more output is wanted: it is dropped, stdin ends, and on_end still brings the exit code. */
void skl_agent_exec_abandon(struct skl_agent_exec *x);

/* -- archives and small questions */
struct skl_path_stat {
    char *name, *link_target; /* owned */
    uint64_t size;
    uint32_t mode; /* Go's bits */
    int64_t mtime_ns;
};
void skl_path_stat_fini(struct skl_path_stat *st);

typedef void skl_stat_cb(void *arg, const struct skl_path_stat *st, const struct skl_error *err);
void skl_session_stat(struct skl_session *s, const char *path, skl_stat_cb *cb, void *arg);

struct skl_transfer; /* a running archive get or put */
struct skl_get_events {
    void (*on_stat)(void *arg, const struct skl_path_stat *st);
    void (*on_data)(void *arg, struct skl_str data); /* consumed by skl_transfer_consumed */
    void (*on_end)(void *arg, const struct skl_error *err);
};
struct skl_transfer *skl_session_get(struct skl_session *s, const char *path,
                                     const struct skl_get_events *events, void *arg);
/* NOTMODIFIED when nothing of it was changed since the command began. */
struct skl_transfer *skl_session_get_changed(struct skl_session *s, const char *path,
                                             const struct skl_get_events *events, void *arg);
struct skl_transfer *skl_session_view(struct skl_session *s, enum skl_view view,
                                      const struct skl_get_events *events, void *arg);
void skl_transfer_consumed(struct skl_transfer *t, size_t n);
void skl_transfer_cancel(struct skl_transfer *t); /* on_end does not run any more */

struct skl_put_options {
    const char *path;
    bool no_overwrite_dir_non_dir, copy_uidgid;
    bool replace; /* what else is in the directory goes; its own mode and owner are the archive's */
};
struct skl_put_events {
    void (*on_credit)(void *arg);
    void (*on_end)(void *arg, const struct skl_error *err);
};
struct skl_transfer *skl_session_put(struct skl_session *s, const struct skl_put_options *options,
                                     const struct skl_put_events *events, void *arg);
size_t skl_transfer_credit(const struct skl_transfer *t);
void skl_transfer_data(struct skl_transfer *t, struct skl_str data); /* <= credit */
void skl_transfer_end(struct skl_transfer *t);

typedef void skl_top_cb(void *arg, char *const *titles, char *const *cells,
                        const struct skl_error *err);
void skl_session_top(struct skl_session *s, const char *ps_args, skl_top_cb *cb, void *arg);
typedef void skl_stats_cb(void *arg, char *const *stats,
                          const struct skl_error *err); /* "name value" */
void skl_session_stats(struct skl_session *s, skl_stats_cb *cb, void *arg);

/* -- a TCP connection to a port on the workload's own loopback */
struct skl_tunnel;
struct skl_tunnel_events {
    void (*on_open)(void *arg);
    void (*on_data)(void *arg, struct skl_str data); /* consumed by skl_tunnel_consumed */
    void (*on_credit)(void *arg);
    void (*on_eof)(void *arg); /* the workload ended its half */
    /* It is over and the tunnel is gone: err NULL when both halves had ended, else why. */
    void (*on_end)(void *arg, const struct skl_error *err);
};
struct skl_tunnel *skl_session_tunnel(struct skl_session *s, unsigned port,
                                      const struct skl_tunnel_events *events, void *arg);
size_t skl_tunnel_credit(const struct skl_tunnel *t);
void skl_tunnel_data(struct skl_tunnel *t, struct skl_str data); /* <= credit */
/* Our half is over. on_end may follow before this returns. */
void skl_tunnel_shutdown(struct skl_tunnel *t);
void skl_tunnel_consumed(struct skl_tunnel *t, size_t n);
void skl_tunnel_close(struct skl_tunnel *t); /* on_end does not run any more */

#endif
