/* spool_internal - the file format, and what spool.c and reader.c share.
 *
 * Shape   a segment is a row of frames: time (8), length (4), kind (1), three zero bytes, payload; little endian
 *         as written by this machine: the files never leave it. Every segment begins with a mark.
 */
#ifndef SKL_SPOOL_SPOOL_INTERNAL_H
#define SKL_SPOOL_SPOOL_INTERNAL_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/list.h"
#include "net/loop.h"
#include "spool/spool.h"

enum skl_spool_kind { SKL_SPOOL_KIND_STDOUT = 1, SKL_SPOOL_KIND_STDERR, SKL_SPOOL_KIND_MARK };

struct skl_spool_head {
    int64_t time_ns;
    uint32_t length;
    uint8_t kind;
    uint8_t zero[3];
};
_Static_assert(sizeof(struct skl_spool_head) == 16, "the head of a frame is 16 bytes");

#define SKL_SPOOL_MAX_FRAME    (SKL_FRAME_MAX_PAYLOAD + 8)
#define SKL_SPOOL_MAX_INSTANCE 256 /* agents make 32 hex digits */

struct skl_spool_position {
    unsigned segment;
    int64_t offset;
};

struct skl_spool {
    uv_loop_t *loop;
    char *dir; /* of this container */
    int64_t max_bytes;
    unsigned max_files;

    bool opened;          /* the directory has been looked at */
    unsigned first, last; /* segments on disk; last < first: none */
    int64_t last_size;
    int write_fd;            /* of the last segment; -1: closed */
    struct skl_list in_open; /* descriptors in the order of their last use */

    char *instance;  /* whose output is being written; NULL: nobody's yet */
    uint64_t offset; /* its next byte */

    bool run_open;
    unsigned run; /* the newest that began or ended */
    int *fds;     /* after a delete: the segments, for readers that are not done; else NULL */
    struct skl_list readers;
    bool full; /* as it was after the last trim */
    void (*on_room)(void *arg);
    void *on_room_arg;
    struct skl_timer *room; /* on_room is to be called */
};

int skl_spool_look(struct skl_spool *s, struct skl_error *err); /* opens what is there, once */
void skl_spool_segment_path(const struct skl_spool *s, unsigned segment, struct skl_buf *out);
/* Segments that no reader needs any more go; tells on_room. */
void skl_spool_trim(struct skl_spool *s);
static inline struct skl_spool_position skl_spool_end(const struct skl_spool *s)
{
    return (struct skl_spool_position){s->last, s->last_size};
}
static inline bool skl_spool_head_is_valid(const struct skl_spool_head *h)
{
    return h->kind >= SKL_SPOOL_KIND_STDOUT && h->kind <= SKL_SPOOL_KIND_MARK &&
           h->length <= SKL_SPOOL_MAX_FRAME;
}

/* reader.c */
void skl_spool_readers_wake(struct skl_spool *s); /* something was appended */
void skl_spool_readers_run_ended(struct skl_spool *s);
void skl_spool_readers_closed(struct skl_spool *s);
/* After a delete: every reader gets what is left and its end; the last one frees the spool. */
void skl_spool_readers_drain(struct skl_spool *s);
void skl_spool_free(struct skl_spool *s);
unsigned skl_spool_readers_oldest(const struct skl_spool *s); /* segment; UINT_MAX: none */

#endif
