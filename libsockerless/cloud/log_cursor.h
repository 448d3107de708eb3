/* log_cursor - what a reader of a log that is filled late and out of order has given out already.
 *
 * Shape   a hash, a time and a count per line: two equal lines of one moment are two lines. As text it outlives the
 *         reader, who keeps it between calls
 * Owns    its memory: skl_log_cursor_fini()
 */
#ifndef SKL_CLOUD_LOG_CURSOR_H
#define SKL_CLOUD_LOG_CURSOR_H

#include "base/map.h"

struct skl_log_seen {
    int64_t at_ns;
    uint64_t hash;
    unsigned count; /* times it was given out */
    unsigned now;   /* times it was met in this answer */
};

struct skl_log_cursor {
    int64_t newest_ns; /* moved by the reader */
    struct skl_log_seen *seen;
    size_t n, cap;
    struct skl_map by_hash;
};

/* text NULL, or none of ours: nothing was seen yet. */
void skl_log_cursor_load(struct skl_log_cursor *c, const char *text);
/* Owned. Leaves out what is older than newest_ns - overlap_ns, which will not be read again. */
char *skl_log_cursor_save(const struct skl_log_cursor *c, int64_t overlap_ns);
void skl_log_cursor_fini(struct skl_log_cursor *c);

void skl_log_cursor_begin(struct skl_log_cursor *c); /* an answer begins */
/* Whether this line of the answer was given out before; it counts as given out from here on. */
bool skl_log_cursor_is_repeated(struct skl_log_cursor *c, uint64_t hash, int64_t at_ns);
bool skl_log_cursor_knows(const struct skl_log_cursor *c, uint64_t hash);

#define SKL_LOG_HASH_BEGIN UINT64_C(0xcbf29ce484222325)
uint64_t skl_log_hash(uint64_t h, const char *text); /* of several texts, one after the other */

#endif
