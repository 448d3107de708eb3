/* Reading: cursors over the segments.
 *
 * A reader works in slices on the loop, so that a long replay holds nobody up, and opens its file for each slice: ten
 * thousand followers cost no descriptors. Where a run ends is a position that is noted in every reader that
 * follows the run at the moment it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "spool/spool_internal.h"

#define SLICE (256 * SKL_KIB)
_Static_assert(SLICE > 2 * (SKL_SPOOL_MAX_FRAME + sizeof(struct skl_spool_head)),
               "a slice holds at least one frame");

struct skl_spool_reader {
    struct skl_list in_spool;
    struct skl_spool *s; /* NULL: the spool is closed */
    struct skl_spool_read_options options;
    const struct skl_spool_events *events;
    void *arg;
    struct skl_spool_position at, limit;
    bool limited;         /* reads up to limit, then ends */
    bool paused, resumed; /* resumed: within the callback that then asks for a pause */
    bool in_slice;        /* a callback of this reader may be running */
    bool scheduled;       /* a call of slice() is under way, which cannot be taken back */
    bool gone;            /* closed while in_slice or scheduled: freed then */
    bool counts;          /* skl_spool_count_lines(): never scheduled */
    uv_loop_t *loop;
};

static void slice(void *arg);

/* Deferred, not a timer of 0 ms: libuv runs those that are set by timers within the same turn, so that one
 * long replay would keep the sockets waiting. */
static void schedule(struct skl_spool_reader *r)
{
    if (r->scheduled || r->in_slice || r->counts || (r->paused && r->s))
        return;
    r->scheduled = true;
    skl_defer(r->loop, slice, r);
}

static bool is_before(struct skl_spool_position a, struct skl_spool_position b)
{
    return a.segment < b.segment || (a.segment == b.segment && a.offset < b.offset);
}

static void set_limit(struct skl_spool_reader *r)
{
    r->limited = true;
    r->limit = skl_spool_end(r->s);
}

/* What follows is later than the reader wants. */
static void end_here(struct skl_spool_reader *r)
{
    r->limited = true;
    r->limit = r->at;
}

/* -- a slice */

static void next_segment(struct skl_spool_reader *r)
{
    r->at = (struct skl_spool_position){r->at.segment + 1, 0};
    skl_spool_trim(r->s);
}

/* The bytes from the reader's place on; 0 at the end of what is written, negative on errors. */
static ssize_t read_slice(struct skl_spool_reader *r, char *buffer)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    ssize_t n;
    int fd;

    skl_buf_init(&path, PATH_MAX);
    for (;;) {
        skl_buf_reset(&path);
        skl_spool_segment_path(r->s, r->at.segment, &path);
        fd =
            r->s->fds ? r->s->fds[r->at.segment - r->s->first] : open(path.p, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return r->s->fds ? -EBADF : -errno;
        n = pread(fd, buffer, SLICE, r->at.offset);
        if (n < 0)
            n = -errno;
        if (!r->s->fds)
            close(fd);
        if (n != 0 || r->at.segment >= r->s->last)
            return n;
        next_segment(r);
    }
}

static bool is_wanted(const struct skl_spool_reader *r, const struct skl_spool_head *h)
{
    return h->kind != SKL_SPOOL_KIND_MARK && h->time_ns >= r->options.since_ns &&
           (r->options.until_ns == 0 || h->time_ns <= r->options.until_ns);
}

/* Gives the whole frames of the buffer. */
static void give(struct skl_spool_reader *r, const char *buffer, size_t n)
{
    while (!r->gone && !r->paused && r->s) {
        struct skl_spool_head h;

        if (n < sizeof(h) || (r->limited && !is_before(r->at, r->limit)))
            return;
        memcpy(&h, buffer, sizeof(h));
        if (!skl_spool_head_is_valid(&h) || n < sizeof(h) + h.length)
            return;
        r->at.offset += (int64_t)sizeof(h) + h.length;
        if (h.kind != SKL_SPOOL_KIND_MARK && r->options.until_ns != 0 &&
            h.time_ns > r->options.until_ns)
            end_here(r);
        r->resumed = false;
        if (is_wanted(r, &h) &&
            !r->events->on_data(r->arg, (enum skl_spool_stream)h.kind, h.time_ns,
                                skl_str_n(buffer + sizeof(h), h.length)))
            r->paused = !r->resumed;
        buffer += sizeof(h) + h.length;
        n -= sizeof(h) + h.length;
    }
}

/* A reader less: segments may go, and with the last reader a deleted spool. */
static void reader_left(struct skl_spool *s)
{
    if (!s)
        return;
    if (s->fds && skl_list_empty(&s->readers))
        skl_spool_free(s);
    else
        skl_spool_trim(s);
}

static void reader_end(struct skl_spool_reader *r)
{
    const struct skl_spool_events *events = r->events;
    struct skl_spool *s = r->s;
    void *arg = r->arg;

    skl_list_remove(&r->in_spool);
    free(r);
    reader_left(s);
    events->on_end(arg);
}

static bool is_at_end(const struct skl_spool_reader *r)
{
    if (r->limited)
        return !is_before(r->at, r->limit);
    return false;
}

static void slice(void *arg)
{
    static char buffer[SLICE]; /* one loop thread; a nested slice does not happen (in_slice) */
    struct skl_spool_reader *r = arg;
    struct skl_spool_position before = r->at;
    ssize_t n = 0;

    r->scheduled = false;
    if (r->gone) {
        free(r); /* it had left its spool when it was closed */
        return;
    }
    if (!r->s) {
        reader_end(r);
        return;
    }
    r->in_slice = true;
    if (r->s->last >= r->s->first && !is_at_end(r))
        n = read_slice(r, buffer);
    if (n > 0)
        give(r, buffer, (size_t)n);
    r->in_slice = false;
    if (r->gone) {
        struct skl_spool *left = r->s;

        skl_list_remove(&r->in_spool);
        free(r);
        reader_left(left);
        return;
    }
    if (n < 0) {
        skl_err("spool", "output cannot be read", "error", uv_strerror((int)n), NULL);
        reader_end(r);
        return;
    }
    if (!r->s || is_at_end(r)) {
        reader_end(r);
        return;
    }
    if (r->paused || !is_before(r->at, skl_spool_end(r->s)))
        return; /* resume or the next append wakes us */
    /* Bytes that are no frame: only a damaged file has them in the middle. The rest of it is lost. */
    if (!is_before(before, r->at)) {
        skl_err("spool", "a damaged file of output is skipped", "dir", r->s->dir, NULL);
        if (r->at.segment < r->s->last)
            next_segment(r);
        else
            r->at = skl_spool_end(r->s);
    }
    schedule(r);
}

/* -- from outside */

static struct skl_spool_position start_of(const struct skl_spool *s)
{
    return (struct skl_spool_position){s->first, 0};
}

struct skl_spool_reader *skl_spool_read(struct skl_spool *s,
                                        const struct skl_spool_read_options *options,
                                        const struct skl_spool_events *events, void *arg)
{
    struct skl_spool_reader *r = skl_new0(struct skl_spool_reader);
    struct skl_error err;

    if (skl_spool_look(s, &err) < 0)
        skl_err("spool", "earlier output cannot be read", "error", err.msg, NULL);
    r->s = s;
    r->loop = s->loop;
    r->options = *options;
    r->paused = options->paused;
    r->events = events;
    r->arg = arg;
    r->at = options->from == SKL_SPOOL_FROM_START ? start_of(s) : skl_spool_end(s);
    if (r->at.segment == 0)
        r->at.segment = 1; /* nothing is written yet: the first segment will be number 1 */
    skl_list_push(&s->readers, &r->in_spool);
    if (options->until == SKL_SPOOL_UNTIL_NOW ||
        (options->until == SKL_SPOOL_UNTIL_RUN_END && !s->run_open && !options->wait_next_run))
        set_limit(r);
    schedule(r);
    return r;
}

void skl_spool_reader_resume(struct skl_spool_reader *r)
{
    r->paused = false;
    r->resumed = true;
    if (r->s)
        schedule(r);
}

void skl_spool_reader_close(struct skl_spool_reader **reader)
{
    struct skl_spool_reader *r = *reader;
    struct skl_spool *s;

    if (!r)
        return;
    *reader = NULL;
    if (r->in_slice) {
        r->gone = true; /* stays with the spool until the slice is over */
        return;
    }
    skl_list_remove(&r->in_spool);
    s = r->s;
    if (r->scheduled)
        r->gone = true;
    else
        free(r);
    reader_left(s);
}

void skl_spool_readers_wake(struct skl_spool *s)
{
    struct skl_list *it;

    skl_list_foreach (it, &s->readers)
        schedule(SKL_LIST_ENTRY(it, struct skl_spool_reader, in_spool));
}

void skl_spool_readers_run_ended(struct skl_spool *s)
{
    struct skl_list *it;

    skl_list_foreach (it, &s->readers) {
        struct skl_spool_reader *r = SKL_LIST_ENTRY(it, struct skl_spool_reader, in_spool);

        if (r->limited || r->options.until != SKL_SPOOL_UNTIL_RUN_END)
            continue;
        set_limit(r);
        schedule(r);
    }
}

void skl_spool_readers_drain(struct skl_spool *s)
{
    struct skl_list *it;

    skl_list_foreach (it, &s->readers) {
        struct skl_spool_reader *r = SKL_LIST_ENTRY(it, struct skl_spool_reader, in_spool);

        if (!r->limited)
            set_limit(r);
        schedule(r);
    }
}

/* The daemon ends; what was not read stays on disk. */
void skl_spool_readers_closed(struct skl_spool *s)
{
    struct skl_list *it, *tmp;

    skl_list_foreach_safe (it, tmp, &s->readers) {
        struct skl_spool_reader *r = SKL_LIST_ENTRY(it, struct skl_spool_reader, in_spool);

        skl_list_remove(&r->in_spool);
        r->s = NULL;
        schedule(r);
    }
}

unsigned skl_spool_readers_oldest(const struct skl_spool *s)
{
    unsigned oldest = UINT_MAX;
    struct skl_list *it;

    skl_list_foreach (it, &s->readers) {
        struct skl_spool_reader *r = SKL_LIST_ENTRY(it, struct skl_spool_reader, in_spool);

        oldest = r->at.segment < oldest ? r->at.segment : oldest;
    }
    return oldest;
}

/* -- counting lines */

struct count {
    int64_t lines;
    bool open[3]; /* by kind: the last line of the stream has no end yet */
};

static void count_frame(struct count *c, const struct skl_spool_head *h, const char *p)
{
    struct skl_str rest = skl_str_n(p, h->length);
    const char *newline;

    while (rest.n > 0 && (newline = memchr(rest.p, '\n', rest.n))) {
        c->lines++;
        rest = skl_str_skip(rest, (size_t)(newline - rest.p) + 1);
        c->open[h->kind] = false;
    }
    if (rest.n > 0)
        c->open[h->kind] = true;
}

int64_t skl_spool_count_lines(struct skl_spool *s, int64_t since_ns, int64_t until_ns,
                              bool want_stdout, bool want_stderr)
{
    struct skl_spool_reader r = {
        .s = s, .options = {.since_ns = since_ns, .until_ns = until_ns}, .counts = true};
    char *buffer = NULL;
    struct count c = {0};
    struct skl_error err;
    ssize_t n;

    if (skl_spool_look(s, &err) < 0 || s->last < s->first)
        return 0;
    r.at = start_of(s);
    skl_list_push(&s->readers, &r.in_spool); /* keeps its segments */
    buffer = skl_alloc0(1, SLICE);
    while ((n = read_slice(&r, buffer)) > 0) {
        const char *p = buffer;
        struct skl_spool_head h;

        for (; n >= (ssize_t)sizeof(h); n -= (ssize_t)(sizeof(h) + h.length)) {
            memcpy(&h, p, sizeof(h));
            if (!skl_spool_head_is_valid(&h) || n < (ssize_t)(sizeof(h) + h.length))
                break;
            if (is_wanted(&r, &h) && (h.kind == SKL_SPOOL_KIND_STDOUT ? want_stdout : want_stderr))
                count_frame(&c, &h, p + sizeof(h));
            p += sizeof(h) + h.length;
            r.at.offset += (int64_t)sizeof(h) + h.length;
        }
        if (p == buffer)
            break;
    }
    skl_list_remove(&r.in_spool);
    skl_spool_trim(s);
    free(buffer);
    return c.lines + c.open[SKL_SPOOL_KIND_STDOUT] + c.open[SKL_SPOOL_KIND_STDERR];
}
