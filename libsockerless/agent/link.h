/* link - frames that arrive exactly once and in order, over WebSockets that may break; both ends use it.
 *
 * Problem   an exec's streams, exit codes and stdin must survive a lost connection.
 * Approach  every frame that is not a link frame (HELLO, WELCOME, CREDIT, PING, PONG) and not main
 *           output is numbered implicitly, by counting, per direction. The sender keeps what the other
 *           end has not confirmed (RECEIVED in CREDIT frames). After a new connection HELLO and WELCOME
 *           carry how many frames each end got, and the rest is sent again. What is kept is bounded,
 *           because data frames need credit: at most SKL_LINK_WINDOW bytes per stream are on the way.
 *           Main output is not kept here: its frames carry a byte offset, the agent keeps the bytes and
 *           the backend's spool says how far it is (CREDIT with CONSUMED on the main stream).
 * Sessions  the backend names a numbering (SESSION). When either end forgot it (backend restarted,
 *           agent restarted) both begin at zero with a new name and the streams of the old one are over.
 * Thread    loop thread
 * Rules     no callback from inside skl_link_send(); callbacks may close the link
 */
#ifndef SKL_AGENT_LINK_H
#define SKL_AGENT_LINK_H

#include "agent/wire.h"
#include "net/ws.h"

struct skl_link;

struct skl_link_events {
    /* Every frame but CREDIT, PING, PONG, in order. HELLO/WELCOME arrive here too. */
    void (*on_frame)(void *arg, const struct skl_frame *frame);
    /* Credit came back for a stream that skl_link_credit() had said 0 for; main output: acknowledged
     * offset moved (see skl_link_acked). SKL_STREAM_CONTROL: for every stream (see skl_link_credit). */
    void (*on_credit)(void *arg, uint32_t stream);
    /* The transport is gone (or broke the protocol). Frames may still be sent: they are kept. */
    void (*on_down)(void *arg, const struct skl_error *why);
};

struct skl_link *skl_link_new(uv_loop_t *loop, const struct skl_link_events *events, void *arg);
void skl_link_close(struct skl_link *l); /* drops transport and kept frames; NULL is fine */

/* Attaches a connection (replacing an older one); HELLO/WELCOME go first, by skl_link_send_now(). */
void skl_link_attach(struct skl_link *l, struct skl_ws *own_ws);
/* After the exchange of HELLO and WELCOME: forget what the peer has, send the rest again. */
int skl_link_resume(struct skl_link *l, uint64_t peer_received, struct skl_error *err);
/* Drops the connection; on_down follows at once. Kept frames stay. */
void skl_link_disconnect(struct skl_link *l);
/* New numbering: kept frames, streams and credits are dropped. skl_link_resume() with 0 begins it. */
void skl_link_reset(struct skl_link *l);
/* The peer may say so in a greeting: frames from there on are kept. */
bool skl_link_can_resume(const struct skl_link *l, uint64_t peer_received);
bool skl_link_is_up(const struct skl_link *l); /* connected, and greeted */
/* The last connection was ended by the peer's close frame 1000: this life of it is over for good. */
bool skl_link_peer_left(const struct skl_link *l);
/* A PING now; skl_link_bytes_in() moves when the peer lives. */
void skl_link_ping(struct skl_link *l);
uint64_t skl_link_bytes_in(const struct skl_link *l); /* of this connection */
uint64_t skl_link_received(const struct skl_link *l); /* for HELLO and WELCOME */
uint64_t skl_link_kept(const struct skl_link *l);     /* numbered frames that are not confirmed */
size_t skl_link_kept_bytes(const struct skl_link *l);

/* Numbered and kept until confirmed. Data frames (STDIN, STDOUT, STDERR, TUNNEL_DATA) use credit: the
 * caller sends at most skl_link_credit() bytes. */
void skl_link_send(struct skl_link *l, uint8_t type, uint32_t stream, struct skl_str payload);
/* Not numbered: HELLO, WELCOME, and main output (head = the 8 bytes of offset). Dropped when down. */
void skl_link_send_now(struct skl_link *l, uint8_t type, uint32_t stream, struct skl_str head,
                       struct skl_str payload);
/* Also 0 while too much is kept for all streams together; on_credit(SKL_STREAM_CONTROL) ends that. */
size_t skl_link_credit(const struct skl_link *l, uint32_t stream);
bool skl_link_congested(const struct skl_link *l); /* the transport's queue is above high water */

/* The receiver has used n data bytes of a stream up: gives credit back to the sender. For the main
 * stream use skl_link_ack_main() with the offset that is safely spooled. */
void skl_link_consumed(struct skl_link *l, uint32_t stream, size_t n);
void skl_link_ack_main(struct skl_link *l, uint64_t offset);
uint64_t skl_link_acked(const struct skl_link *l); /* agent: main output confirmed so far */

/* Accounts of a stream are made on first use; drop them when the stream is over. */
void skl_link_forget(struct skl_link *l, uint32_t stream);

/* A PING every `every_ms`; without any message for three of them the connection counts as lost. */
void skl_link_heartbeat(struct skl_link *l, int64_t every_ms);

#endif
