/* hijack - connections that a client takes over: attach and exec start.
 *
 * Shape   the answer is 101 UPGRADED for clients that ask to upgrade, else a raw 200; after it bytes flow both
 *         ways, from the client always raw, to the client in frames of 8 bytes head and payload unless
 *         there is a terminal
 * Owns    the stream is the caller's from skl_hijack() on
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_HIJACK_H
#define SKL_DOCKER_HIJACK_H

#include "docker/api/request.h"

#define SKL_HIJACK_CLOSE_MS 10000 /* for a client that does not read its last bytes */

/* What holds a taken-over connection: such connections belong to no server, so the engine knows them, to end
 * them when it goes down. */
struct skl_hijacked {
    struct skl_list in_engine;
    struct skl_engine *e;                /* NULL: not in its list */
    void (*end)(struct skl_hijacked *h); /* closes the connection; h leaves the list */
};
void skl_hijacked_add(struct skl_engine *e, struct skl_hijacked *h,
                      void (*end)(struct skl_hijacked *h));
void skl_hijacked_remove(struct skl_hijacked *h); /* also when it was not added */
void skl_hijacked_end_all(struct skl_engine *e);
/* Whether one more may be; UNAVAILABLE says why not. */
int skl_hijacked_check_room(const struct skl_engine *e, struct skl_error *err);

/* docker-py reads the header through a buffer and what follows past it: output that arrives together with the header is
 * lost on it. An Engine takes so long to begin that this never shows; here output waits, at most so long, until
 * skl_stream_untaken() says that the header was read. */
#define SKL_SETTLE_MAX_MS 1000

struct skl_stream *skl_hijack(struct skl_request *r, bool tty, bool with_api_headers);
/* For failures of attach: an Engine has taken the connection over by then and sends plain text. */
void skl_hijack_refuse(struct skl_request *r, const struct skl_error *err);
/* stream_no: 1 stdout, 2 stderr. Nothing is written for no bytes: some clients take an empty frame for the end. */
void skl_hijack_write(struct skl_stream *s, bool framed, int stream_no, struct skl_str data);

/* -- detach keys */
#define SKL_DETACH_MAX 16
struct skl_detach {
    uint8_t keys[SKL_DETACH_MAX];
    size_t n, matched;
};
/* text: "ctrl-p,ctrl-q"; NULL or "": that. INVALID with Docker's text. */
int skl_detach_parse(struct skl_detach *d, const char *text, struct skl_error *err);
/* Appends to out what is not part of the sequence; true when the sequence is complete (what follows is dropped). */
bool skl_detach_feed(struct skl_detach *d, struct skl_str in, struct skl_buf *out);

#endif
