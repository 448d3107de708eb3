/* Writing: append, rotate, recover.
 *
 * What a run's end is, is not on disk: whoever owns the container knows whether it runs and says so after a restart
 * of the daemon (skl_spool_begin_run). What must be on disk is which byte of which agent instance comes next,
 * because the agent sends again from there: the mark at the head of each segment, and the lengths after it.
 */
#include "spool/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "spool/spool_internal.h"
#include "spool/spool_metrics.h"

#define DEFAULT_MAX_BYTES (100 * INT64_C(1000000))
#define DEFAULT_MAX_FILES 3
#define MIN_MAX_BYTES     (256 * INT64_C(1024)) /* a segment holds several frames */
#define MAX_OPEN          256                   /* descriptors for writing, over all spools */

/* Descriptors that are open for writing, least recently used first. One loop thread, one list. */
static struct skl_list open_spools = {&open_spools, &open_spools};
static unsigned n_open;

static void close_fd(struct skl_spool *s)
{
    if (!s || s->write_fd < 0)
        return;
    close(s->write_fd);
    s->write_fd = -1;
    skl_list_remove(&s->in_open);
    n_open--;
}

void skl_spool_segment_path(const struct skl_spool *s, unsigned segment, struct skl_buf *out)
{
    skl_buf_addf(out, "%s/%u.log", s->dir, segment);
}

struct skl_spool *skl_spool_new(uv_loop_t *loop, const char *dir, const char *container_id,
                                int64_t max_bytes, unsigned max_files)
{
    struct skl_spool *s = skl_new0(struct skl_spool);
    struct skl_buf path;

    s->loop = loop;
    skl_buf_init(&path, PATH_MAX);
    skl_buf_addf(&path, "%s/%s", dir, container_id);
    s->dir = skl_buf_detach(&path);
    s->max_bytes = max_bytes > 0 ? max_bytes : DEFAULT_MAX_BYTES;
    if (s->max_bytes < MIN_MAX_BYTES)
        s->max_bytes = MIN_MAX_BYTES;
    s->max_files = max_files ? max_files : DEFAULT_MAX_FILES;
    s->first = 1;
    s->write_fd = -1;
    skl_list_init(&s->in_open);
    skl_list_init(&s->readers);
    return s;
}

void skl_spool_free(struct skl_spool *s)
{
    for (unsigned i = s->first; s->fds && i <= s->last; i++)
        if (s->fds[i - s->first] >= 0)
            close(s->fds[i - s->first]);
    free(s->fds);
    skl_timer_cancel(&s->room);
    close_fd(s);
    free(s->instance);
    free(s->dir);
    free(s);
}

void skl_spool_close(struct skl_spool *s)
{
    if (!s)
        return;
    skl_spool_readers_closed(s);
    skl_spool_free(s);
}

/* The names go at once, so that a kill leaves nothing behind; the bytes stay as long as readers that are not
 * done hold the files: the client of `run --rm` may be slower than the removal. */
static void open_for_readers(struct skl_spool *s)
{
    SKL_AUTO_BUF struct skl_buf path = {0};

    skl_buf_init(&path, PATH_MAX);
    s->fds = skl_new0_n(int, (size_t)(s->last - s->first) + 1);
    for (unsigned i = s->first; i <= s->last; i++) {
        skl_buf_reset(&path);
        skl_spool_segment_path(s, i, &path);
        s->fds[i - s->first] = open(path.p, O_RDONLY | O_CLOEXEC);
    }
}

void skl_spool_delete(struct skl_spool *s)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    struct skl_error err;

    if (skl_spool_look(s, &err) < 0)
        skl_warn("spool", "old output stays", "error", err.msg, NULL);
    if (!skl_list_empty(&s->readers) && s->last >= s->first)
        open_for_readers(s);
    skl_buf_init(&path, PATH_MAX);
    for (unsigned i = s->first; i <= s->last; i++) {
        skl_buf_reset(&path);
        skl_spool_segment_path(s, i, &path);
        (void)unlink(path.p); /* gone is what we want */
    }
    (void)rmdir(s->dir); /* never made when nothing was written */
    s->on_room = NULL;
    if (s->fds)
        skl_spool_readers_drain(s);
    else
        skl_spool_close(s);
}

/* -- what an earlier process left */

/* A mark that lies in `b`. */
static bool take_mark(struct skl_spool *s, struct skl_str b)
{
    if (b.n < 8 || b.n > 8 + SKL_SPOOL_MAX_INSTANCE)
        return false;
    memcpy(&s->offset, b.p, 8);
    free(s->instance);
    s->instance = skl_strndup(b.p + 8, b.n - 8);
    return true;
}

#define SCAN_CHUNK (64 * SKL_KIB)

/* Walks the heads of a segment of `size` bytes: the instance, its next byte, and *ret where the last whole
 * frame ends. */
static int walk(struct skl_spool *s, int fd, int64_t size, int64_t *ret, struct skl_error *err)
{
    char *chunk SKL_AUTO_STR = skl_alloc0(1, SCAN_CHUNK);
    int64_t at = 0, begin = 0;
    ssize_t have = 0;

    for (;;) {
        struct skl_spool_head h;
        struct skl_str mark;

        *ret = at;
        /* A mark is looked at as a whole, of other frames the head alone. */
        if (at - begin + (int64_t)sizeof(h) + 8 + SKL_SPOOL_MAX_INSTANCE > have) {
            begin = at;
            have = pread(fd, chunk, SCAN_CHUNK, at);
            if (have < 0)
                return skl_fail_errno(err, errno, "reading '%s'", s->dir);
        }
        if (begin + have - at < (int64_t)sizeof(h))
            return 0;
        memcpy(&h, chunk + (at - begin), sizeof(h));
        if (!skl_spool_head_is_valid(&h) || at + (int64_t)sizeof(h) + h.length > size)
            return 0;
        if (at == 0 && h.kind != SKL_SPOOL_KIND_MARK)
            return 0; /* no segment of ours */
        mark = skl_str_n(chunk + (at - begin) + sizeof(h), h.length);
        if (h.kind != SKL_SPOOL_KIND_MARK)
            s->offset += h.length;
        else if (!take_mark(s, mark))
            return 0;
        at += (int64_t)sizeof(h) + h.length;
    }
}

/* Cuts a frame that was torn by the end of the process. */
static int scan(struct skl_spool *s, int fd, struct skl_error *err)
{
    struct stat st;
    int64_t end = 0;
    int rc;

    if (fstat(fd, &st) < 0)
        return skl_fail_errno(err, errno, "reading '%s'", s->dir);
    rc = walk(s, fd, st.st_size, &end, err);
    if (rc < 0)
        return rc;
    if (end < st.st_size && ftruncate(fd, end) < 0)
        return skl_fail_errno(err, errno, "repairing '%s'", s->dir);
    s->last_size = end;
    return 0;
}

/* A segment whose first mark did not get to the disk holds nothing, and does not say where to go on: the one
 * before it does. */
static int scan_last(struct skl_spool *s, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};

    skl_buf_init(&path, PATH_MAX);
    for (; s->last >= s->first && s->last > 0; s->last--) {
        int fd, rc;

        skl_buf_reset(&path);
        skl_spool_segment_path(s, s->last, &path);
        fd = open(path.p, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            return skl_fail_errno(err, errno, "opening '%s'", path.p);
        rc = scan(s, fd, err);
        close(fd);
        if (rc < 0 || s->last_size > 0)
            return rc;
        (void)unlink(path.p); /* it is written anew */
    }
    return 0;
}

int skl_spool_look(struct skl_spool *s, struct skl_error *err)
{
    unsigned first = UINT_MAX, last = 0;
    struct dirent *e;
    DIR *d;

    if (s->opened)
        return 0;
    d = opendir(s->dir);
    if (!d && errno != ENOENT)
        return skl_fail_errno(err, errno, "opening '%s'", s->dir);
    while (d && (e = readdir(d))) {
        struct skl_str suffix, name = skl_str_cut(skl_str(e->d_name), '.', &suffix);
        uint64_t number;

        if (!skl_str_u64(name, &number) || number == 0 || number >= UINT_MAX ||
            !skl_str_eqz(suffix, "log"))
            continue;
        first = number < first ? (unsigned)number : first;
        last = number > last ? (unsigned)number : last;
    }
    if (d)
        closedir(d);
    s->opened = true;
    if (last == 0)
        return 0;
    s->first = first;
    s->last = last;
    return scan_last(s, err);
}

/* -- segments */

static int open_segment(struct skl_spool *s, unsigned segment, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};

    if (mkdir(s->dir, 0700) < 0 && errno != EEXIST)
        return skl_fail_errno(err, errno, "making '%s'", s->dir);
    skl_buf_init(&path, PATH_MAX);
    skl_spool_segment_path(s, segment, &path);
    if (n_open >= MAX_OPEN)
        close_fd(SKL_LIST_FIRST(&open_spools, struct skl_spool, in_open));
    s->write_fd = open(path.p, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (s->write_fd < 0)
        return skl_fail_errno(err, errno, "opening '%s'", path.p);
    skl_list_push(&open_spools, &s->in_open);
    n_open++;
    return 0;
}

/* A whole frame, or none of it. */
static int write_frame(struct skl_spool *s, enum skl_spool_kind kind, int64_t time_ns,
                       struct skl_str a, struct skl_str b, struct skl_error *err)
{
    struct skl_spool_head h = {time_ns, (uint32_t)(a.n + b.n), (uint8_t)kind, {0}};
    struct iovec parts[3] = {
        {&h, sizeof(h)},
        {(void *)(uintptr_t)a.p, a.n}, /* writev() reads only */
        {(void *)(uintptr_t)b.p, b.n},
    };
    ssize_t total = (ssize_t)(sizeof(h) + a.n + b.n);
    ssize_t n = writev(s->write_fd, parts, 3);

    if (n == total) {
        s->last_size += total;
        return 0;
    }
    n = n < 0 ? errno : ENOSPC; /* a short write to a file: there is no room */
    if (ftruncate(s->write_fd, s->last_size) < 0)
        skl_err("spool", "a torn frame stays until the next start", "dir", s->dir, NULL);
    return skl_fail_errno(err, (int)n, "writing output to '%s'", s->dir);
}

static int write_mark(struct skl_spool *s, const char *instance, uint64_t offset,
                      struct skl_error *err)
{
    return write_frame(s, SKL_SPOOL_KIND_MARK, skl_wall_ns(),
                       skl_str_n((const char *)&offset, sizeof(offset)), skl_str(instance), err);
}

static int next_segment(struct skl_spool *s, struct skl_error *err)
{
    int64_t before = s->last_size;
    int rc;

    close_fd(s);
    rc = open_segment(s, s->last + 1, err);
    if (rc < 0)
        return rc;
    s->last++;
    s->last_size = 0;
    rc = write_mark(s, s->instance, s->offset, err);
    if (rc < 0) {
        close_fd(s);
        s->last--;
        s->last_size = before;
        return rc;
    }
    skl_spool_trim(s);
    return 0;
}

static void tell_room(void *arg)
{
    struct skl_spool *s = arg;

    s->room = NULL;
    if (s->on_room && !skl_spool_is_full(s))
        s->on_room(s->on_room_arg);
}

void skl_spool_trim(struct skl_spool *s)
{
    unsigned oldest = skl_spool_readers_oldest(s);
    bool was_full = s->full;
    SKL_AUTO_BUF struct skl_buf path = {0};

    skl_buf_init(&path, PATH_MAX);
    if (s->fds)
        return; /* deleted */
    while (s->last >= s->first && s->last - s->first + 1 > s->max_files && s->first < oldest) {
        skl_buf_reset(&path);
        skl_spool_segment_path(s, s->first, &path);
        (void)unlink(path.p); /* gone is what we want */
        s->first++;
    }
    s->full = skl_spool_is_full(s);
    /* Later: the reader that made room is in the middle of its work. */
    if (was_full && !s->full && s->on_room && !s->room)
        s->room = skl_timer_start(s->loop, 0, tell_room, s);
}

/* -- writing */

uint64_t skl_spool_resume_offset(struct skl_spool *s, const char *instance)
{
    struct skl_error err;

    if (skl_spool_look(s, &err) < 0) {
        skl_err("spool", "earlier output cannot be read", "error", err.msg, NULL);
        return 0;
    }
    return skl_streq(s->instance, instance) ? s->offset : 0;
}

static int ready_to_write(struct skl_spool *s, const char *instance, uint64_t offset,
                          struct skl_error *err)
{
    int rc = skl_spool_look(s, err);

    if (rc < 0)
        return rc;
    if (strlen(instance) > SKL_SPOOL_MAX_INSTANCE)
        return skl_fail(err, SKL_E_PROTOCOL, "the agent's instance name is too long");
    if (s->last < s->first || s->last_size >= s->max_bytes) {
        if (!s->instance)
            s->instance = skl_strdup(instance);
        rc = next_segment(s, err);
        if (rc < 0)
            return rc;
    } else if (s->write_fd < 0) {
        rc = open_segment(s, s->last, err);
        if (rc < 0)
            return rc;
    }
    /* A gap: what was confirmed is not here (a power cut, a file that was taken away). It is gone on the
     * agent's side too; what comes now is kept. */
    if (skl_streq(s->instance, instance) && offset > s->offset)
        skl_warn("spool", "output is missing", "dir", s->dir, NULL);
    if (!skl_streq(s->instance, instance) || offset > s->offset) {
        rc = write_mark(s, instance, offset, err);
        if (rc < 0)
            return rc;
        skl_strset(&s->instance, instance);
        s->offset = offset;
    }
    /* Last in the list: most recently used. */
    skl_list_remove(&s->in_open);
    skl_list_push(&open_spools, &s->in_open);
    return 0;
}

int skl_spool_append(struct skl_spool *s, const char *instance, uint64_t offset,
                     enum skl_spool_stream stream, int64_t time_ns, struct skl_str data,
                     struct skl_error *err)
{
    struct skl_series *written = skl_metric_series(
        &skl_spool_written, stream == SKL_SPOOL_STDOUT ? "stdout" : "stderr", NULL, NULL);
    int rc = ready_to_write(s, instance, offset, err);

    if (rc < 0)
        return rc;
    data = skl_str_skip(data, (size_t)(s->offset - offset > data.n ? data.n : s->offset - offset));
    while (data.n > 0) {
        struct skl_str part =
            skl_str_n(data.p, data.n < SKL_FRAME_MAX_PAYLOAD ? data.n : SKL_FRAME_MAX_PAYLOAD);

        rc = write_frame(s, (enum skl_spool_kind)stream, time_ns, part, skl_str_n("", 0), err);
        if (rc < 0) {
            skl_metric_add(&skl_spool_failed, 1);
            return rc;
        }
        skl_series_add(written, (int64_t)part.n);
        s->offset += part.n;
        data = skl_str_skip(data, part.n);
    }
    skl_spool_readers_wake(s);
    return 0;
}

int skl_spool_begin_run(struct skl_spool *s, unsigned run, struct skl_error *err)
{
    if (s->run_open && s->run != run)
        skl_spool_readers_run_ended(s); /* nobody said so: they do not follow into the next run */
    s->run_open = true;
    s->run = run;
    return 0;
}

/* A run that was never begun here (it had no agent) ends for those who waited for it, too. */
int skl_spool_end_run(struct skl_spool *s, unsigned run, struct skl_error *err)
{
    if (s->run_open ? s->run != run : run <= s->run)
        return 0;
    s->run_open = false;
    s->run = run;
    skl_spool_readers_run_ended(s);
    return 0;
}

bool skl_spool_is_full(const struct skl_spool *s)
{
    return s->last >= s->first && s->last - s->first + 1 > s->max_files;
}

void skl_spool_on_room(struct skl_spool *s, void (*cb)(void *arg), void *arg)
{
    s->on_room = cb;
    s->on_room_arg = arg;
}

bool skl_spool_is_empty(struct skl_spool *s)
{
    struct skl_error err;

    return skl_spool_look(s, &err) == 0 && s->last < s->first;
}

int64_t skl_spool_bytes(const struct skl_spool *s)
{
    return s->last < s->first ? 0 : (s->last - s->first) * s->max_bytes + s->last_size;
}
