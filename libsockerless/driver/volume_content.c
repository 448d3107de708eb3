#include "driver/volume_content.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "driver/workload_internal.h"

#define MAX_NAME 240 /* of a file */

struct skl_fetch {
    struct skl_workload *w;
    struct skl_end end; /* what is told when it is over */
    char error[256];    /* of the first volume that could not be had; "": none */
    size_t mount;
    int fd;
    int64_t size;
    struct skl_transfer *transfer;
    uv_fs_t sync; /* of the file, on a thread */
    bool syncing, canceled;
};

static void content_path(const struct skl_runtime *rt, const char *volume, struct skl_buf *to)
{
    skl_buf_init(to, 4096);
    skl_buf_addf(to, "%s/%s", rt->volumes_dir, volume);
}

/* What is being fetched: a container fetches one volume at a time, and no volume's name begins with a dot. */
static void new_path(const struct skl_workload *w, struct skl_buf *to)
{
    skl_buf_init(to, 4096);
    skl_buf_addf(to, "%s/.%s", w->rt->volumes_dir, w->c->id);
}

static const struct skl_mount *mount_at(const struct skl_container *c, size_t i)
{
    return &c->spec.mounts[i];
}

/* Volumes whose content is carried, each once. The anonymous ones of a container that removes itself go with it. */
static bool is_carried(const struct skl_container *c, size_t i)
{
    const struct skl_mount *m = mount_at(c, i);

    if (!skl_streq(m->type, "volume") || skl_str_empty(m->name) || strlen(m->name) > MAX_NAME ||
        (m->anonymous && c->spec.auto_remove))
        return false;
    for (size_t k = 0; k < i; k++)
        if (skl_streq(mount_at(c, k)->type, "volume") && skl_streq(mount_at(c, k)->name, m->name))
            return false;
    return true;
}

bool skl_content_is_kept(const struct skl_container *c)
{
    for (size_t i = 0; i < c->spec.n_mounts; i++)
        if (mount_at(c, i)->rw && is_carried(c, i))
            return true;
    return false;
}

void skl_content_remove(struct skl_runtime *rt, const char *volume)
{
    SKL_AUTO_BUF struct skl_buf path = {0};

    content_path(rt, volume, &path);
    if (unlink(path.p) < 0 && errno != ENOENT && errno != ENAMETOOLONG)
        skl_warn("volumes", "the content of a removed volume stays", "volume", volume, NULL);
}

int64_t skl_content_size(struct skl_runtime *rt, const char *volume)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    struct stat st;

    content_path(rt, volume, &path);
    return stat(path.p, &st) == 0 ? st.st_size : 0;
}

void skl_content_sweep(struct skl_runtime *rt)
{
    DIR *d = opendir(rt->volumes_dir);
    struct dirent *e;

    while (d && (e = readdir(d)))
        if (e->d_name[0] == '.')
            (void)unlinkat(dirfd(d), e->d_name, 0); /* "." and ".." refuse */
    if (d)
        closedir(d);
}

/* -- what a workload has */

static bool read_mark(const struct skl_workload *w, size_t i, struct skl_content_mark *ret)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    struct stat st;

    content_path(w->rt, mount_at(w->c, i)->name, &path);
    if (stat(path.p, &st) < 0)
        return false;
    *ret =
        (struct skl_content_mark){st.st_ino, st.st_mtim.tv_sec * SKL_NS_PER_S + st.st_mtim.tv_nsec};
    return true;
}

static void set_mark(struct skl_workload *w, size_t i)
{
    if (!w->marks)
        w->marks = skl_new0_n(struct skl_content_mark, w->c->spec.n_mounts);
    if (!read_mark(w, i, &w->marks[i]))
        w->marks[i] = (struct skl_content_mark){0};
}

size_t skl_content_next_due(struct skl_workload *w, size_t from)
{
    size_t n = w->c->spec.n_mounts;

    if (from == 0 && skl_session_main_state(w->session) == SKL_MAIN_WAITING)
        free(skl_take(&w->marks)); /* a new workload has nothing */
    for (size_t i = from; i < n; i++) {
        struct skl_content_mark now;

        if (is_carried(w->c, i) && read_mark(w, i, &now) &&
            (!w->marks || w->marks[i].inode != now.inode || w->marks[i].mtime_ns != now.mtime_ns))
            return i;
    }
    return n;
}

int skl_content_open(struct skl_workload *w, size_t mount, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    int fd;

    content_path(w->rt, mount_at(w->c, mount)->name, &path);
    fd = open(path.p, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? skl_fail_errno(err, errno, "the content of volume %.60s",
                                   mount_at(w->c, mount)->name)
                  : fd;
}

void skl_content_delivered(struct skl_workload *w, size_t mount)
{
    set_mark(w, mount);
}

/* -- fetching: one volume after the other */

static void fetch_next(struct skl_fetch *f);

static void drop_file(struct skl_fetch *f)
{
    SKL_AUTO_BUF struct skl_buf path = {0};

    if (f->fd < 0)
        return;
    close(f->fd);
    f->fd = -1;
    new_path(f->w, &path);
    (void)unlink(path.p);
}

static void note(struct skl_fetch *f, const char *why)
{
    const char *name = mount_at(f->w->c, f->mount)->name;

    skl_warn("volumes", "what a run left in a volume is lost", "container", f->w->c->id, "volume",
             name, "error", why, NULL);
    if (!f->error[0])
        snprintf(f->error, sizeof(f->error),
                 "the content of volume %.60s could not be kept: %.120s", name, why);
}

static void fetch_over(struct skl_fetch *f)
{
    struct skl_workload *w = f->w;
    struct skl_end end = f->end;
    char error[sizeof(f->error)];

    snprintf(error, sizeof(error), "%s", f->error);
    w->fetch = NULL;
    free(f);
    if (error[0])
        end.error = error;
    skl_workload_ended(w, &end);
}

static void synced(uv_fs_t *sync)
{
    struct skl_fetch *f = SKL_CONTAINER_OF(sync, struct skl_fetch, sync);
    SKL_AUTO_BUF struct skl_buf from = {0}, to = {0};
    bool failed = sync->result < 0;

    uv_fs_req_cleanup(sync);
    f->syncing = false;
    if (f->canceled) {
        close(f->fd);
        free(f);
        return;
    }
    if (!failed) {
        close(f->fd);
        f->fd = -1;
        new_path(f->w, &from);
        content_path(f->w->rt, mount_at(f->w->c, f->mount)->name, &to);
        failed = rename(from.p, to.p) < 0;
    }
    drop_file(f);
    if (failed)
        note(f, "it could not be written");
    else
        set_mark(f->w, f->mount);
    skl_debug("volumes", "kept", "container", f->w->c->id, "volume",
              mount_at(f->w->c, f->mount)->name, NULL);
    f->mount++;
    fetch_next(f);
}

static void on_stat(void *arg, const struct skl_path_stat *st)
{
    /* Of the volume's root; it is in the archive. */
}

static void on_end(void *arg, const struct skl_error *err)
{
    struct skl_fetch *f = arg;

    f->transfer = NULL;
    if (!err) {
        f->syncing = true;
        if (uv_fs_fsync(f->w->rt->config.loop, &f->sync, f->fd, synced) == 0)
            return;
        f->syncing = false;
        note(f, "it could not be written");
    } else if (err->kind != SKL_E_NOTMODIFIED && err->kind != SKL_E_NOTFOUND) {
        note(f, err->msg);
    }
    drop_file(f);
    f->mount++;
    fetch_next(f);
}

static void stop_transfer(struct skl_fetch *f, const char *why)
{
    skl_transfer_cancel(skl_take(&f->transfer));
    note(f, why);
    drop_file(f);
    f->mount++;
    fetch_next(f);
}

static void on_data(void *arg, struct skl_str data)
{
    struct skl_fetch *f = arg;
    size_t n = data.n;

    f->size += (int64_t)n;
    if (f->size > SKL_MAX_VOLUME) {
        stop_transfer(f, "it is too large");
        return;
    }
    while (data.n > 0) {
        ssize_t done = write(f->fd, data.p, data.n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            stop_transfer(f, strerror(errno));
            return;
        }
        data = skl_str_skip(data, (size_t)done);
    }
    skl_transfer_consumed(f->transfer, n);
}

static void fetch_one(struct skl_fetch *f)
{
    static const struct skl_get_events events = {on_stat, on_data, on_end};
    SKL_AUTO_BUF struct skl_buf path = {0}, dir = {0};

    new_path(f->w, &path);
    f->size = 0;
    f->fd = open(path.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (f->fd < 0) {
        note(f, strerror(errno));
        f->mount++;
        fetch_next(f);
        return;
    }
    skl_buf_init(&dir, 16 * SKL_KIB);
    skl_buf_addf(&dir, "%s/.", mount_at(f->w->c, f->mount)->destination);
    f->transfer = skl_session_get_changed(f->w->session, dir.p, &events, f);
}

static void fetch_next(struct skl_fetch *f)
{
    const struct skl_container *c = f->w->c;

    while (f->mount < c->spec.n_mounts && (!mount_at(c, f->mount)->rw || !is_carried(c, f->mount)))
        f->mount++;
    if (f->mount == c->spec.n_mounts)
        fetch_over(f);
    else if (f->w->session)
        fetch_one(f);
    else
        skl_content_give_up(f->w);
}

bool skl_content_fetch(struct skl_workload *w, const struct skl_end *end)
{
    if (!w->session || !skl_content_is_kept(w->c))
        return false;
    w->fetch = skl_new0(struct skl_fetch);
    w->fetch->w = w;
    w->fetch->end = *end;
    w->fetch->fd = -1;
    fetch_next(w->fetch);
    return true;
}

void skl_content_give_up(struct skl_workload *w)
{
    struct skl_fetch *f = w->fetch;

    if (f->syncing)
        return; /* that one is here; it goes on when it is safe */
    if (f->transfer)
        skl_transfer_cancel(skl_take(&f->transfer));
    if (f->mount < w->c->spec.n_mounts)
        note(f, "the workload is gone");
    drop_file(f);
    fetch_over(f);
}

void skl_content_cancel(struct skl_workload *w)
{
    struct skl_fetch *f = skl_take(&w->fetch);

    if (!f)
        return;
    if (f->transfer)
        skl_transfer_cancel(f->transfer);
    if (f->syncing) {
        f->canceled = true; /* freed when the thread is done with the file */
        return;
    }
    drop_file(f);
    free(f);
}
