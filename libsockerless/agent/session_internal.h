/* session_internal - what the backend's files of agent/ share: entries, fresh connections, sessions, streams.
 *
 * Owns    an entry owns its session, its fresh connections and its dialling; a session owns its link and its
 *         streams. Entries and sessions end at once (nothing is delivered any more) and their memory goes in a
 *         deferred call, so that code that was on the stack can still look at `forgotten` and `closed`.
 */
#ifndef SKL_AGENT_SESSION_INTERNAL_H
#define SKL_AGENT_SESSION_INTERNAL_H

#include "agent/rate.h"
#include "agent/registry.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/log_gate.h"
#include "base/map.h"
#include "net/loop.h"

/* Close codes of our own, for a person who reads an agent's log. */
#define AGENT_CLOSE_UNKNOWN  4401 /* the container was forgotten, or its token is another */
#define AGENT_CLOSE_REFUSED  4403 /* the container does not want this agent */
#define AGENT_CLOSE_LATE     4408 /* no HELLO in time */
#define AGENT_CLOSE_SECOND   4409 /* another instance is connected */
#define AGENT_CLOSE_PROTOCOL 1002

#define AGENT_INSTANCE_MAX 64
#define AGENT_PATH_MAX     4096 /* of a path or of ps arguments */

struct skl_agents {
    uv_loop_t *loop;
    const struct skl_session_events *events;
    struct skl_map entries;
    char nobody[65]; /* stands in for the token of a container that does not exist */
    struct skl_log_gate refused, broken;
    struct agent_rate rate;
    bool closed;
};

struct agent_entry {
    struct skl_agents *a;
    char id[SKL_ID_LEN + 1];
    char *token;
    void *owner;
    struct skl_session *session; /* NULL: no agent has come yet */
    struct skl_list arrivals;
    unsigned n_arrivals;
    bool forgotten;
    /* forward */
    char *address;
    struct skl_ws_dial *dial;
    struct skl_timer *again;
    int64_t delay_ms, until_ms;
    char *dial_error; /* of the last attempt */
};

/* dial.c */
void agent_dial_stop(struct agent_entry *e);
/* All three do nothing in reverse mode. */
void agent_dial_lost(struct agent_entry *e);     /* the connection of a session */
void agent_dial_again(struct agent_entry *e);    /* a connection came to nothing */
void agent_dial_answered(struct agent_entry *e); /* a greeting was made */
/* registry.c: a peer of this container broke the rules. */
void agent_log_broken(struct agent_entry *e, const char *what);
void agent_entry_end_session(struct agent_entry *e); /* on_gone; the entry lives */

/* -- arrival.c: connections that have not said HELLO, or are second to another instance */
void agent_arrival_new(struct agent_entry *e, struct skl_ws *own_ws);
void agent_arrivals_drop(struct agent_entry *e, int code);

struct agent_hello {
    char instance[AGENT_INSTANCE_MAX + 1], session[AGENT_INSTANCE_MAX + 1];
    uint64_t received;
    struct skl_session_hello main; /* instance points into this struct */
};
/* -- session_greeting.c */
int session_hello_read(const struct skl_frame *f, const char *container_id, struct agent_hello *ret,
                       struct skl_error *err);
/* Takes a connection whose HELLO was read: WELCOME, and on from there. May end the session. */
void session_greet(struct skl_session *s, struct skl_ws *own_ws, const struct agent_hello *hello);

/* -- session_records.c */
/* NULL, or what is wrong with the records of a control frame: shape, numbers that are none, text with NUL. */
const char *session_check_records(const struct skl_frame *f);
/* The ERROR frame as an error with the kind that has its status. */
void session_read_error(const struct skl_frame *f, struct skl_error *ret, int *code);
void session_write_spec(const struct skl_process_spec *spec, struct skl_buf *b);
/* session_ask.c: fills in *ret (owned), or says what is wrong. */
const char *session_read_stat(struct skl_str payload, struct skl_path_stat *ret);
#define SESSION_MAX_CONTROL (SKL_WS_MAX_MESSAGE - SKL_FRAME_HEAD)

/* -- session.c */
struct skl_session {
    uv_loop_t *loop;
    const struct skl_session_events *events;
    void *owner;
    struct agent_entry *entry;
    struct skl_link *link;
    char instance[AGENT_INSTANCE_MAX + 1]; /* of the agent's life */
    char name[33];                         /* of the numbering of frames; "" none yet */
    enum skl_main_state state;
    bool is_known; /* the owner has said yes to it */
    bool closed;
    bool overflowed;

    unsigned run, start_run;
    bool start_pending; /* START is sent, STARTED or ERROR has not come */
    bool start_refused; /* it could not be sent */
    bool start_lost;    /* START or its answer went with the numbering */
    uint64_t taken;     /* main output: next offset */
    uint64_t acked;     /* ... and what the owner has confirmed */
    bool in_output;     /* the agent is told of that later */

    bool exit_pending; /* reported, but output is still missing */
    struct skl_exit exit;
    uint64_t exit_offset;
    unsigned exit_told; /* the run whose end the owner was told */

    uint32_t next_stream;
    unsigned n_streams;
    struct skl_list streams;
};

struct skl_session *session_new(struct agent_entry *e, const char *instance);
void session_free(struct skl_session *s); /* streams get their end, on_gone; then silence */
/* Numbered; dropped when the session is over. */
void session_send(struct skl_session *s, uint8_t type, uint32_t stream, struct skl_str payload);
size_t session_credit(const struct skl_session *s, uint32_t stream); /* at most one frame's */
/* The peer broke the rules: a log line, and its connection is cut. */
void session_violation(struct skl_session *s, const char *what);
/* All open streams end with UNAVAILABLE. */
void session_lose_streams(struct skl_session *s);

/* -- session_main.c */
void session_main_frame(struct skl_session *s, const struct skl_frame *f);
/* Around on_up, in which the owner may START at once. */
void session_main_greeting(struct skl_session *s, const struct agent_hello *hello, uint64_t resume,
                           bool exit_known, bool goes_on);
void session_main_greeted(struct skl_session *s, const struct agent_hello *hello, bool exit_known,
                          bool agent_began_anew);

/* -- streams: an exec, a transfer or a question. Begins the structure that embeds it; that structure is
 * one allocation, freed by its own file, or here when it never was sent. */
struct session_stream;
struct session_stream_ops {
    void (*on_frame)(struct session_stream *r, const struct skl_frame *f); /* may end it */
    void (*on_credit)(struct session_stream *r);
    /* It is over without an answer: the owner's callback gets err, then the memory goes. */
    void (*on_lost)(struct session_stream *r, const struct skl_error *err);
};
struct session_stream {
    struct skl_list in_session;
    struct skl_session *s;
    const struct session_stream_ops *ops;
    uint32_t id; /* 0: could not be opened; `refused` is told in a deferred call */
    struct skl_error *refused;
    bool canceled;
    size_t unconsumed; /* data given to the owner that it still holds */
};
/* Sends the request (payload.failed: too big). Never calls back before it returns. */
void session_stream_open(struct session_stream *r, const struct session_stream_ops *ops,
                         struct skl_session *s, uint8_t type, const struct skl_buf *payload);
void session_stream_over(struct session_stream *r); /* out of the session; the caller frees it */
/* The owner wants nothing any more: CLOSE, and the memory goes. */
void session_stream_cancel(struct session_stream *r);
/* The peer broke the rules on this stream: it ends with PROTOCOL, and the connection is cut. */
void session_stream_violation(struct session_stream *r, const char *what);
void session_stream_send(struct session_stream *r, uint8_t type, struct skl_str payload);
size_t session_stream_credit(const struct session_stream *r);
void session_stream_consumed(struct session_stream *r, size_t n);

#endif
