/* Archives for a container that has no agent yet.
 *
 * Problem: Testcontainers, Compose and `docker cp` put files into a created container; there is nothing to
 * put them into. Approach: each archive becomes a file beside the spool, and is delivered, in order, when
 * an agent is there and before the command starts. The file's name holds the order, its head the
 * options, so that a restarted daemon finds all of it again without a record in the database.
 *
 * The cloud starts a workload from the base image of a built image; what COPY and ADD put on top of it, its layers, is
 * delivered the same way, before what was staged. A workload that has run the command before has them already. Contents of
 * volumes come between the two.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "driver/driver.h"
#include "driver/workload_internal.h"

#define HEAD_FIXED 8 /* length of the path (4, big endian), two option bytes, two zero bytes */

static void staging_dir(const struct skl_workload *w, struct skl_buf *b)
{
    skl_buf_addf(b, "%s/%s/staged", w->rt->spool_dir, w->c->id);
}

/* Numbers of the staged files in rising order; owned; NULL when there are none. */
static unsigned *staged_list(const struct skl_workload *w, size_t *ret_n)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    unsigned *list = NULL;
    struct dirent *e;
    size_t n = 0;
    DIR *d;

    *ret_n = 0;
    skl_buf_init(&path, 4096);
    staging_dir(w, &path);
    d = opendir(path.p);
    if (!d)
        return NULL;
    while ((e = readdir(d))) {
        uint64_t number;

        if (!skl_str_u64(skl_str(e->d_name), &number) || number > UINT32_MAX)
            continue;
        list = skl_realloc(list, n + 1, sizeof(*list));
        list[n++] = (unsigned)number;
    }
    closedir(d);
    for (size_t i = 1; i < n; i++) /* few: insertion sort */
        for (size_t k = i; k > 0 && list[k - 1] > list[k]; k--) {
            unsigned t = list[k];

            list[k] = list[k - 1];
            list[k - 1] = t;
        }
    *ret_n = n;
    return list;
}

static void staged_name(const struct skl_workload *w, unsigned number, struct skl_buf *b)
{
    staging_dir(w, b);
    skl_buf_addf(b, "/%u", number);
}

void skl_staging_delete(struct skl_workload *w)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    size_t n;
    unsigned *list = staged_list(w, &n);

    skl_buf_init(&path, 4096);
    for (size_t i = 0; i < n; i++) {
        skl_buf_reset(&path);
        staged_name(w, list[i], &path);
        (void)unlink(path.p); /* gone is what we want */
    }
    skl_buf_reset(&path);
    staging_dir(w, &path);
    (void)rmdir(path.p); /* not there when nothing was staged */
    free(list);
}

bool skl_workload_has_staged(const struct skl_workload *w)
{
    size_t n;

    free(staged_list(w, &n));
    return n > 0;
}

/* -- taking an archive */

struct staging_sink {
    struct skl_sink sink;
    struct skl_workload *w;
    struct skl_put_events events;
    void *arg;
    unsigned number;
    int fd;
    int64_t written;
    bool failed;
    struct skl_error err;
};

static size_t staging_credit(const struct skl_sink *s)
{
    return SKL_READ_CHUNK;
}

static void staging_data(struct skl_sink *sink, struct skl_str data)
{
    struct staging_sink *s = SKL_CONTAINER_OF(sink, struct staging_sink, sink);

    if (s->failed)
        return; /* the rest is read and dropped; the error is told at the end */
    s->written += (int64_t)data.n;
    if (s->written > (int64_t)SKL_MAX_STAGED) {
        skl_fail(&s->err, SKL_E_TOOBIG,
                 "archives for a container that is not running may have %u MiB: start it first",
                 SKL_MAX_STAGED / SKL_MIB);
        s->failed = true;
        return;
    }
    while (data.n > 0) {
        ssize_t n = write(s->fd, data.p, data.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            skl_fail_errno(&s->err, errno, "staging an archive");
            s->failed = true;
            return;
        }
        data = skl_str_skip(data, (size_t)n);
    }
}

static void staging_free(struct staging_sink *s, bool keep)
{
    SKL_AUTO_BUF struct skl_buf path = {0};

    close(s->fd);
    skl_buf_init(&path, 4096);
    staged_name(s->w, s->number, &path);
    if (!keep)
        (void)unlink(path.p);
    free(s);
}

static void staging_ended(void *arg)
{
    struct staging_sink *s = arg;
    struct skl_put_events events = s->events;
    struct skl_error err = s->err;
    bool failed = s->failed;
    void *user = s->arg;

    staging_free(s, !failed);
    if (events.on_end)
        events.on_end(user, failed ? &err : NULL);
}

static void staging_end(struct skl_sink *sink)
{
    struct staging_sink *s = SKL_CONTAINER_OF(sink, struct staging_sink, sink);

    skl_defer(s->w->rt->config.loop, staging_ended, s);
}

static void staging_cancel(struct skl_sink *sink)
{
    staging_free(SKL_CONTAINER_OF(sink, struct staging_sink, sink), false);
}

static int write_head(int fd, const struct skl_put_options *options, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf head = {0};
    size_t n = strlen(options->path);

    skl_buf_init(&head, 8192);
    skl_buf_addc(&head, (char)(n >> 24));
    skl_buf_addc(&head, (char)(n >> 16));
    skl_buf_addc(&head, (char)(n >> 8));
    skl_buf_addc(&head, (char)n);
    skl_buf_addc(&head, options->no_overwrite_dir_non_dir ? 1 : 0);
    skl_buf_addc(&head, options->copy_uidgid ? 1 : 0);
    skl_buf_add(&head, "\0\0", 2);
    skl_buf_adds(&head, options->path);
    if (head.failed)
        return skl_fail(err, SKL_E_INVALID, "the path is too long");
    if (write(fd, head.p, head.n) != (ssize_t)head.n)
        return skl_fail_errno(err, errno, "staging an archive");
    return 0;
}

int skl_staging_put(struct skl_workload *w, const struct skl_put_options *options,
                    const struct skl_put_events *events, void *arg, struct skl_sink **ret,
                    struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    struct staging_sink *s;
    unsigned number = 1;
    unsigned *list;
    size_t n;
    int fd, rc;

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "%s/%s", w->rt->spool_dir, w->c->id);
    if (mkdir(path.p, 0700) < 0 && errno != EEXIST)
        return skl_fail_errno(err, errno, "staging an archive");
    skl_buf_reset(&path);
    staging_dir(w, &path);
    if (mkdir(path.p, 0700) < 0 && errno != EEXIST)
        return skl_fail_errno(err, errno, "staging an archive");
    list = staged_list(w, &n);
    if (n > 0)
        number = list[n - 1] + 1;
    free(list);
    skl_buf_reset(&path);
    staged_name(w, number, &path);
    fd = open(path.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return skl_fail_errno(err, errno, "staging an archive");
    rc = write_head(fd, options, err);
    if (rc < 0) {
        close(fd);
        (void)unlink(path.p);
        return rc;
    }
    s = skl_new0(struct staging_sink);
    s->sink = (struct skl_sink){staging_credit, staging_data, staging_end, staging_cancel};
    s->w = w;
    s->events = *events;
    s->arg = arg;
    s->number = number;
    s->fd = fd;
    *ret = &s->sink;
    return 0;
}

/* -- delivering */

struct skl_delivery {
    struct skl_workload *w;
    skl_delivery_cb *cb;
    void *arg;
    size_t n_layers; /* of the container's image; they go first */
    unsigned *list;  /* staged */
    size_t n, at;    /* of both together */
    size_t mount;    /* between the two: volumes, from this mount on; n_mounts: done */
    int fd;
    char *path; /* of the archive that is on its way */
    struct skl_transfer *transfer;
    struct skl_buf chunk; /* read, but beyond the credit so far */
    bool ended;
    struct skl_timer *failing; /* reports `err` from the loop */
    struct skl_error err;
};

static void delivery_next(struct skl_delivery *d);

static void delivery_free(struct skl_delivery *d)
{
    skl_timer_cancel(&d->failing);
    if (d->fd >= 0)
        close(d->fd);
    skl_buf_fini(&d->chunk);
    free(d->path);
    free(d->list);
    free(d);
}

void skl_delivery_cancel(struct skl_delivery **d)
{
    if (!*d)
        return;
    if ((*d)->transfer)
        skl_transfer_cancel((*d)->transfer);
    delivery_free(*d);
    *d = NULL;
}

static void delivery_finish(struct skl_delivery *d, const struct skl_error *err)
{
    skl_delivery_cb *cb = d->cb;
    void *arg = d->arg;

    delivery_free(d);
    cb(arg, err);
}

static void delivery_failed(void *arg)
{
    struct skl_delivery *d = arg;
    struct skl_error err = d->err;

    d->failing = NULL;
    delivery_finish(d, &err);
}

static bool is_volume(const struct skl_delivery *d)
{
    return d->at == d->n_layers && d->mount < d->w->c->spec.n_mounts;
}

static void on_put_end(void *arg, const struct skl_error *err)
{
    struct skl_delivery *d = arg;
    SKL_AUTO_BUF struct skl_buf path = {0};

    d->transfer = NULL;
    if (err) {
        struct skl_error copy = *err;

        skl_wrap(&copy, -(int)copy.kind, "copying %s",
                 is_volume(d)          ? "the content of a volume"
                 : d->at < d->n_layers ? "the files of the image"
                                       : "what was put into the created container");
        delivery_finish(d, &copy);
        return;
    }
    if (is_volume(d)) {
        skl_content_delivered(d->w, d->mount);
        skl_debug("volumes", "delivered", "container", d->w->c->id, "mount",
                  d->w->c->spec.mounts[d->mount].destination, NULL);
        d->mount = skl_content_next_due(d->w, d->mount + 1);
        close(d->fd);
        d->fd = -1;
        delivery_next(d);
        return;
    }
    if (d->at >= d->n_layers) {
        skl_buf_init(&path, 4096);
        staged_name(d->w, d->list[d->at - d->n_layers], &path);
        (void)unlink(path.p);
    }
    close(d->fd);
    d->fd = -1;
    d->at++;
    delivery_next(d);
}

static void pump(void *arg)
{
    struct skl_delivery *d = arg;

    while (!d->ended) {
        size_t credit = skl_transfer_credit(d->transfer);

        if (d->chunk.n == 0) {
            char *p = skl_buf_reserve(&d->chunk, SKL_READ_CHUNK);
            ssize_t n = read(d->fd, p, SKL_READ_CHUNK);

            if (n <= 0) { /* a read error shows at the other end as a broken archive */
                d->ended = true;
                skl_transfer_end(d->transfer);
                return;
            }
            skl_buf_commit(&d->chunk, (size_t)n);
        }
        if (credit == 0)
            return;
        if (credit > d->chunk.n)
            credit = d->chunk.n;
        skl_transfer_data(d->transfer, skl_str_n(d->chunk.p, credit));
        skl_buf_consume(&d->chunk, credit);
    }
}

static int open_layer(struct skl_delivery *d, struct skl_put_options *options,
                      struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    const char *digest = d->w->c->spec.layers[d->at];

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "%s/%s", d->w->rt->layers_dir, digest);
    d->fd = open(path.p, O_RDONLY | O_CLOEXEC);
    if (d->fd < 0)
        return skl_fail_errno(err, errno, "the files of the image (layer %.12s)", digest);
    skl_strset(&d->path, "/");
    *options = (struct skl_put_options){.path = d->path};
    return 0;
}

static int open_staged(struct skl_delivery *d, struct skl_put_options *options,
                       struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    uint8_t head[HEAD_FIXED];
    size_t n;

    skl_buf_init(&path, 4096);
    staged_name(d->w, d->list[d->at - d->n_layers], &path);
    d->fd = open(path.p, O_RDONLY | O_CLOEXEC);
    if (d->fd < 0)
        return skl_fail_errno(err, errno, "reading a staged archive");
    if (read(d->fd, head, sizeof(head)) != (ssize_t)sizeof(head))
        return skl_fail(err, SKL_E_INTERNAL, "a staged archive has no head");
    n = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (n > 8192)
        return skl_fail(err, SKL_E_INTERNAL, "a staged archive has a bad head");
    free(d->path);
    d->path = skl_new0_n(char, n + 1);
    if (read(d->fd, d->path, n) != (ssize_t)n)
        return skl_fail(err, SKL_E_INTERNAL, "a staged archive has no path");
    *options = (struct skl_put_options){
        .path = d->path,
        .no_overwrite_dir_non_dir = head[4] != 0,
        .copy_uidgid = head[5] != 0,
    };
    return 0;
}

static int open_volume(struct skl_delivery *d, struct skl_put_options *options,
                       struct skl_error *err)
{
    d->fd = skl_content_open(d->w, d->mount, err);
    if (d->fd < 0)
        return d->fd;
    skl_strset(&d->path, d->w->c->spec.mounts[d->mount].destination);
    *options = (struct skl_put_options){.path = d->path, .replace = true};
    return 0;
}

static void delivery_next(struct skl_delivery *d)
{
    static const struct skl_put_events events = {pump, on_put_end};
    struct skl_put_options options;
    bool volume = is_volume(d);

    if (!volume && d->at == d->n) {
        skl_staging_delete(d->w);
        delivery_finish(d, NULL);
        return;
    }
    if ((volume                ? open_volume
         : d->at < d->n_layers ? open_layer
                               : open_staged)(d, &options, &d->err) < 0) {
        d->failing = skl_timer_start(d->w->rt->config.loop, 0, delivery_failed, d);
        return;
    }
    d->ended = false;
    skl_buf_reset(&d->chunk);
    d->transfer = skl_session_put(d->w->session, &options, &events, d);
    pump(d);
}

struct skl_delivery *skl_delivery_start(struct skl_workload *w, skl_delivery_cb *cb, void *arg)
{
    struct skl_delivery *d;
    size_t n, n_layers = 0, mount = skl_content_next_due(w, 0);
    unsigned *list = staged_list(w, &n);

    if (skl_session_main_state(w->session) == SKL_MAIN_WAITING)
        n_layers = skl_strv_len(w->c->spec.layers);
    if (n + n_layers == 0 && mount == w->c->spec.n_mounts) {
        free(list);
        return NULL;
    }
    d = skl_new0(struct skl_delivery);
    d->w = w;
    d->cb = cb;
    d->arg = arg;
    d->list = list;
    d->n_layers = n_layers;
    d->mount = mount;
    d->n = n + n_layers;
    d->fd = -1;
    skl_buf_init(&d->chunk, SKL_READ_CHUNK);
    /* The first one goes now; its answer comes later, so the callback never runs in here. */
    delivery_next(d);
    return d;
}
