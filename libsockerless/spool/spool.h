/* spool - the output of a container on disk: append, read from a cursor, follow, rotate.
 *
 * Shape   DIR/<container id>/<n>.log: frames of time, stream, length, bytes; marks say which agent instance's
 *         output follows and from which offset
 * Limits  rotated by size; the oldest segment goes when the limit is passed and no reader needs it; when
 *         readers hold more than that, skl_spool_is_full() says so and the caller stops confirming
 *         output until on_room
 * Rules   what append returned for survives a kill of the process; a torn frame at the end is cut off when
 *         the spool is opened
 * Thread  loop thread. File access is plain and short (page cache).
 */
#ifndef SKL_SPOOL_SPOOL_H
#define SKL_SPOOL_SPOOL_H

#include <uv.h>

#include "base/error.h"
#include "base/str.h"

struct skl_spool;

enum skl_spool_stream { SKL_SPOOL_STDOUT = 1, SKL_SPOOL_STDERR = 2 };

/* max_bytes per segment, max_files segments; 0 = 100 MB and 3. Nothing is created on disk before the
 * first append; descriptors are opened when needed and closed when idle (10,000 spools may exist). */
struct skl_spool *skl_spool_new(uv_loop_t *loop, const char *dir, const char *container_id,
                                int64_t max_bytes, unsigned max_files);
/* Readers get on_end soon, whatever they have not read; files stay. */
void skl_spool_close(struct skl_spool *s);
/* Closes and removes the files. Readers get what is left, then on_end: the space is free when the last of them
 * has ended. */
void skl_spool_delete(struct skl_spool *s);

/* -- writing */
/* Offset from which the agent instance's output is still missing (0 for an unknown instance). */
uint64_t skl_spool_resume_offset(struct skl_spool *s, const char *instance);
/* The data that starts at `offset` of that instance; bytes that are already there are skipped, bytes that are
 * missing before it are not waited for. On failure the caller confirms nothing and offers all of it again. */
int skl_spool_append(struct skl_spool *s, const char *instance, uint64_t offset,
                     enum skl_spool_stream stream, int64_t time_ns, struct skl_str data,
                     struct skl_error *err);
/* A run begins (readers that wait for the next run go on) or ends (readers of this run get on_end when
 * they have read everything). Kept in memory only: after a restart of the daemon the owner says again which
 * run is under way. */
int skl_spool_begin_run(struct skl_spool *s, unsigned run, struct skl_error *err);
int skl_spool_end_run(struct skl_spool *s, unsigned run, struct skl_error *err);
bool skl_spool_is_full(const struct skl_spool *s);
void skl_spool_on_room(struct skl_spool *s, void (*cb)(void *arg), void *arg);
bool skl_spool_is_empty(struct skl_spool *s); /* nothing was ever written */
int64_t skl_spool_bytes(const struct skl_spool *s);

/* -- reading */
struct skl_spool_reader;

enum skl_spool_from {
    SKL_SPOOL_FROM_START, /* everything that is kept */
    SKL_SPOOL_FROM_NOW    /* what is appended from now on */
};
enum skl_spool_until {
    SKL_SPOOL_UNTIL_NOW,     /* what is there at the call, then on_end */
    SKL_SPOOL_UNTIL_RUN_END, /* follow: to the end of the current run, or of the next one if none is
                                current and wait_next_run is set, else to what is there */
    SKL_SPOOL_UNTIL_CLOSE    /* follow over runs until the spool is closed */
};
struct skl_spool_read_options {
    enum skl_spool_from from;
    enum skl_spool_until until;
    bool wait_next_run;
    bool paused;                /* begins with skl_spool_reader_resume() */
    int64_t since_ns, until_ns; /* by frame time; 0: none */
};
struct skl_spool_events {
    /* Return false to pause (skl_spool_reader_resume() goes on after this piece). */
    bool (*on_data)(void *arg, enum skl_spool_stream stream, int64_t time_ns, struct skl_str data);
    void (*on_end)(void *arg); /* last call; the reader is gone */
};
/* No callback before this returns. */
struct skl_spool_reader *skl_spool_read(struct skl_spool *s,
                                        const struct skl_spool_read_options *options,
                                        const struct skl_spool_events *events, void *arg);
void skl_spool_reader_resume(struct skl_spool_reader *r);
void skl_spool_reader_close(struct skl_spool_reader **r); /* on_end does not run; NULL is fine */

/* Lines of the wanted streams between the two times (a last line without \n counts), for `tail`: a
 * reader skips all but the last N of them. */
int64_t skl_spool_count_lines(struct skl_spool *s, int64_t since_ns, int64_t until_ns,
                              bool want_stdout, bool want_stderr);

#endif
