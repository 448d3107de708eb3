/* session_internal - what session*.c, registry.c and dial.c share. */
#ifndef SKL_AGENT_SESSION_INTERNAL_H
#define SKL_AGENT_SESSION_INTERNAL_H

#include "agent/registry.h"
#include "base/list.h"
#include "base/map.h"
#include "net/loop.h"

/* An open stream of the backend: an exec, a transfer or a question. */
struct skl_request_stream {
    struct skl_list in_session;
    struct skl_session *s;
    uint32_t id;
    /* The frame is of this stream; may end it. */
    void (*on_frame)(struct skl_request_stream *r, const struct skl_frame *f);
    void (*on_credit)(struct skl_request_stream *r);
    /* The session is over: the owner's callback gets err; frees the stream. */
    void (*on_lost)(struct skl_request_stream *r, const struct skl_error *err);
};

struct skl_session {
    uv_loop_t *loop;
    const struct skl_session_events *events;
    void *owner;
    struct skl_link *link;
    char *instance, *name; /* of the agent's life; of the numbering of frames */
    enum skl_main_state state;
    unsigned run;
    uint64_t received; /* main output taken so far */
    bool closed;

    bool exit_pending; /* reported, but output is still missing */
    struct skl_exit exit;
    uint64_t exit_offset;
    unsigned exit_told; /* the run whose end the owner was told */

    uint32_t next_stream;
    struct skl_list streams;

    void (*on_lost)(void *arg, struct skl_session *s); /* the registry: connection lost */
    void *on_lost_arg;
};

/* Takes a connection on which HELLO was read already. The first of an instance, or a reconnect. */
struct skl_session *skl_session_new(uv_loop_t *loop, const struct skl_session_events *events,
                                    void *owner);
void skl_session_free(struct skl_session *s); /* on_gone, then memory */
void skl_session_attach(struct skl_session *s, struct skl_ws *own_ws);

void skl_stream_open(struct skl_request_stream *r, struct skl_session *s, uint8_t type,
                     struct skl_str payload);
void skl_stream_over(struct skl_request_stream *r); /* out of the list; the owner frees it */
void skl_process_spec_write(const struct skl_process_spec *spec, struct skl_buf *b);
/* The ERROR frame as an error with the kind that has its status. */
void skl_frame_error(const struct skl_frame *f, struct skl_error *ret, int *code);

#endif
