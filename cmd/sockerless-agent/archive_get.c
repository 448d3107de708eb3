/* A path as a tar stream.
 *
 * The tree is walked with a stack of open directories, one slice per loop turn, and only as fast as the backend
 * gives credit: an archive of any size holds one window of bytes. Files that vanish while they are read are left out;
 * one that shrinks is padded, because its size has been announced.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent.h"
#include "archive.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/tar.h"
#include "changes.h"

#define MAX_DEPTH 1024

struct level {
    DIR *dir;
    size_t path_n, name_n; /* lengths to go back to */
    bool told;             /* changes: it is in the list */
    bool grew;             /* changes: entries came or went */
};

struct get {
    struct agent_task task;
    struct skl_timer *next;
    enum skl_view view; /* 0: of a path */
    uint64_t root_mount;
    struct skl_buf path, name; /* of what is being read: in the container, in the archive */
    struct level stack[MAX_DEPTH];
    size_t depth;
    struct skl_buf out; /* not sent yet */
    int fd;             /* of the file that is being read; -1: none */
    int64_t left, size;
    struct skl_map links; /* "dev:inode" of files with several names -> name in the archive */
    bool written_end;
};

static void get_free(struct get *g)
{
    struct skl_str key;
    size_t i = 0;
    char *name;

    skl_timer_cancel(&g->next);
    while (g->depth > 0)
        closedir(g->stack[--g->depth].dir);
    if (g->fd >= 0)
        close(g->fd);
    while ((name = skl_map_next(&g->links, &i, &key)))
        free(name);
    skl_map_fini(&g->links);
    skl_buf_fini(&g->path);
    skl_buf_fini(&g->name);
    skl_buf_fini(&g->out);
    free(g);
}

static void slice(void *arg);

static void schedule(struct get *g)
{
    if (!g->next)
        g->next = skl_timer_start(g->task.a->loop, 0, slice, g);
}

static void set_length(struct skl_buf *b, size_t n)
{
    b->n = n;
    b->p[n] = '\0';
}

/* -- one entry */

static bool entry_type(mode_t m, enum skl_tar_type *ret)
{
    switch (m & S_IFMT) {
    case S_IFREG:
        *ret = SKL_TAR_FILE;
        return true;
    case S_IFDIR:
        *ret = SKL_TAR_DIR;
        return true;
    case S_IFLNK:
        *ret = SKL_TAR_SYMLINK;
        return true;
    case S_IFCHR:
        *ret = SKL_TAR_CHARDEV;
        return true;
    case S_IFBLK:
        *ret = SKL_TAR_BLOCKDEV;
        return true;
    case S_IFIFO:
        *ret = SKL_TAR_FIFO;
        return true;
    default:
        return false; /* sockets have no place in an archive */
    }
}

/* A second name of a file that is in the archive already: that name, or NULL. */
static const char *earlier_name(struct get *g, const struct stat *st)
{
    char key[64], *before;

    if (st->st_nlink < 2 || !S_ISREG(st->st_mode))
        return NULL;
    snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev,
             (unsigned long long)st->st_ino);
    before = skl_map_getz(&g->links, key);
    if (!before)
        skl_map_set(&g->links, skl_str(key), skl_strdup(g->name.p));
    return before;
}

static int add_header(struct get *g, const struct stat *st, struct skl_error *err)
{
    char target[PATH_MAX] = "";
    struct skl_tar_entry e = {
        .name = g->name.p,
        .linkname = target,
        .uname = "",
        .gname = "",
        .mode = st->st_mode & 07777,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .mtime_s = st->st_mtim.tv_sec,
        .mtime_ns = (int32_t)st->st_mtim.tv_nsec,
        .devmajor = major(st->st_rdev),
        .devminor = minor(st->st_rdev),
    };
    const char *same = earlier_name(g, st);

    if (!entry_type(st->st_mode, &e.type))
        return 0;
    if (same) {
        e.type = SKL_TAR_HARDLINK;
        e.linkname = same;
    } else if (e.type == SKL_TAR_SYMLINK) {
        ssize_t n = readlink(g->path.p, target, sizeof(target) - 1);

        if (n < 0)
            return 0;
        target[n] = '\0';
    } else if (e.type == SKL_TAR_FILE) {
        g->fd = open(g->path.p, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (g->fd < 0)
            return errno == ENOENT ? 0 : agent_path_fail(err, errno, g->path.p);
        e.size = g->left = g->size = st->st_size;
    }
    return skl_tar_write_header(&g->out, &e, err);
}

static int enter_dir(struct get *g, size_t path_n, size_t name_n, bool told, bool grew,
                     struct skl_error *err)
{
    DIR *d;

    if (g->depth == MAX_DEPTH)
        return skl_fail(err, SKL_E_TOOBIG, "%s: nested too deeply", g->path.p);
    d = opendir(g->path.p);
    if (!d)
        return errno == ENOENT ? 0 : agent_path_fail(err, errno, g->path.p);
    g->stack[g->depth++] = (struct level){d, path_n, name_n, told, grew};
    return 0;
}

/* -- views of the root file system */

static void tell_change(struct get *g, char kind, size_t path_n)
{
    skl_buf_addc(&g->out, kind);
    skl_buf_add(&g->out, g->path.p, path_n);
    skl_buf_addc(&g->out, '\0');
}

/* A directory above what has changed, as it is in the lists and as it is a member of a layer. */
static int tell_parent(struct get *g, size_t path_n, size_t name_n, struct skl_error *err)
{
    SKL_AUTO_STR char *path = skl_str_dup(skl_buf_str(&g->path));
    SKL_AUTO_STR char *name = skl_str_dup(skl_buf_str(&g->name));
    struct stat st;
    int rc = 0;

    if (g->view == SKL_VIEW_CHANGES) {
        tell_change(g, '0', path_n);
        return 0;
    }
    set_length(&g->path, path_n);
    set_length(&g->name, name_n);
    if (lstat(g->path.p, &st) == 0)
        rc = add_header(g, &st, err);
    skl_buf_reset(&g->path);
    skl_buf_adds(&g->path, path);
    skl_buf_reset(&g->name);
    skl_buf_adds(&g->name, name);
    return rc;
}

/* A change makes the directories above it modified ones. */
static int add_change(struct get *g, const struct stat *st, size_t parent_path_n,
                      size_t parent_name_n, bool *told, struct skl_error *err)
{
    /* The root is never told of. */
    char kind = g->depth > 0 ? agent_change_of(g->task.a, g->path.p, g->root_mount,
                                               g->stack[g->depth - 1].grew)
                             : 0;
    int rc = 0;

    *told = kind != 0;
    for (size_t i = 1; kind && rc == 0 && i < g->depth; i++)
        if (!g->stack[i].told) {
            bool last = i + 1 == g->depth;

            g->stack[i].told = true;
            rc = tell_parent(g, last ? parent_path_n : g->stack[i + 1].path_n,
                             last ? parent_name_n : g->stack[i + 1].name_n, err);
        }
    if (!kind || rc < 0)
        return rc;
    if (g->view == SKL_VIEW_LAYER)
        return add_header(g, st, err);
    tell_change(g, kind, g->path.n);
    return 0;
}

/* What g->path is; its parent's lengths are what to go back to after it. */
static int add_path(struct get *g, size_t path_n, size_t name_n, struct skl_error *err)
{
    struct stat st;
    bool enter, told = false;
    int rc = 0;

    if (lstat(g->path.p, &st) < 0 || (g->view && agent_path_is_ours(g->path.p))) {
        set_length(&g->path, path_n);
        set_length(&g->name, name_n);
        return 0; /* it has gone since its name was read */
    }
    if (g->view == SKL_VIEW_CHANGES || g->view == SKL_VIEW_LAYER)
        rc = add_change(g, &st, path_n, name_n, &told, err);
    else if (g->view == 0 || g->depth > 0) /* the root itself is not in its archive */
        rc = add_header(g, &st, err);
    enter = S_ISDIR(st.st_mode) && (g->view == 0 || agent_mount_of(g->path.p) == g->root_mount);
    if (rc == 0 && enter)
        rc = enter_dir(g, path_n, name_n, told, agent_dir_has_grown(g->task.a, g->path.p), err);
    if (!enter) {
        set_length(&g->path, path_n);
        set_length(&g->name, name_n);
    }
    return rc;
}

static int add_next(struct get *g, struct skl_error *err)
{
    struct level *l = &g->stack[g->depth - 1];
    struct dirent *e = readdir(l->dir);
    size_t path_n = g->path.n, name_n = g->name.n;

    if (!e) {
        closedir(l->dir);
        set_length(&g->path, l->path_n);
        set_length(&g->name, l->name_n);
        g->depth--;
        return 0;
    }
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
        return 0;
    skl_buf_addf(&g->path, "%s%s", g->path.p[g->path.n - 1] == '/' ? "" : "/", e->d_name);
    skl_buf_addf(&g->name, "%s%s", g->name.n == 0 || g->name.p[g->name.n - 1] == '/' ? "" : "/",
                 e->d_name);
    if (g->path.failed || g->name.failed)
        return skl_fail(err, SKL_E_TOOBIG, "a path is too long");
    return add_path(g, path_n, name_n, err);
}

static void add_data(struct get *g)
{
    size_t want = g->left < (int64_t)SKL_READ_CHUNK ? (size_t)g->left : SKL_READ_CHUNK;
    char *p = skl_buf_reserve(&g->out, want);
    ssize_t n = want ? read(g->fd, p, want) : 0;

    if (n <= 0 && want) { /* shorter than announced */
        memset(p, 0, want);
        n = (ssize_t)want;
    }
    skl_buf_commit(&g->out, (size_t)n);
    g->left -= n;
    if (g->left > 0)
        return;
    close(g->fd);
    g->fd = -1;
    skl_tar_write_padding(&g->out, g->size);
}

/* -- to the backend */

/* false: no credit; on_credit goes on. */
static bool flush(struct get *g)
{
    while (g->out.n > 0) {
        size_t n = skl_link_credit(g->task.a->link, g->task.stream);

        if (n == 0)
            return false;
        n = n < g->out.n ? n : g->out.n;
        n = n < SKL_FRAME_MAX_PAYLOAD ? n : SKL_FRAME_MAX_PAYLOAD;
        skl_link_send(g->task.a->link, SKL_FRAME_STDOUT, g->task.stream, skl_str_n(g->out.p, n));
        skl_buf_consume(&g->out, n);
    }
    return true;
}

static void slice(void *arg)
{
    struct get *g = arg;
    struct skl_error err;
    int rc = 0;

    g->next = NULL;
    if (!flush(g))
        return;
    if (g->written_end) {
        skl_link_send(g->task.a->link, SKL_FRAME_END, g->task.stream, skl_str_n("", 0));
        agent_task_end(&g->task);
        get_free(g);
        return;
    }
    while (rc == 0 && g->out.n < SKL_READ_CHUNK && !g->written_end) {
        if (g->fd >= 0)
            add_data(g);
        else if (g->depth > 0)
            rc = add_next(g, &err);
        else {
            if (g->view != SKL_VIEW_CHANGES)
                skl_tar_write_end(&g->out);
            g->written_end = true;
        }
    }
    if (rc < 0) {
        agent_task_error(g->task.a, g->task.stream, skl_kind_status(err.kind), err.msg);
        agent_task_end(&g->task);
        get_free(g);
        return;
    }
    schedule(g);
}

static void on_credit(struct agent_task *t)
{
    schedule(SKL_CONTAINER_OF(t, struct get, task));
}

static void on_close(struct agent_task *t)
{
    agent_task_end(t);
    get_free(SKL_CONTAINER_OF(t, struct get, task));
}

static void on_frame(struct agent_task *t, const struct skl_frame *f)
{
    /* Nothing else is said on such a stream. */
}

void agent_archive_get(struct agent *a, const struct skl_frame *f)
{
    char *path SKL_AUTO_STR = skl_tlv_find_dup(f->payload, SKL_TAG_PATH);
    uint64_t view = skl_tlv_find_num(f->payload, SKL_TAG_VIEW, 0);
    SKL_AUTO_BUF struct skl_buf result = {0};
    struct skl_error err;
    struct get *g;
    bool must_be_dir;
    char *clean SKL_AUTO_STR = agent_path_clean(path ? path : "/", &must_be_dir);
    size_t n = path ? strlen(path) : 0;

    skl_buf_init(&result, 64 * SKL_KIB);
    if (agent_stat_path(path ? path : "/", &result, &err) < 0) {
        agent_task_error(a, f->stream, skl_kind_status(err.kind), err.msg);
        return;
    }
    if (skl_tlv_find_num(f->payload, SKL_TAG_IF_CHANGED, 0) &&
        !agent_tree_has_changed(a, path ? path : "/")) {
        agent_task_error(a, f->stream, 304, "nothing of it has changed since the command began");
        return;
    }
    g = skl_new0(struct get);
    g->fd = -1;
    g->view = view <= SKL_VIEW_LAYER ? (enum skl_view)view : 0;
    g->root_mount = g->view ? agent_mount_of("/") : 0;
    skl_map_init(&g->links);
    skl_buf_init(&g->path, 16 * PATH_MAX);
    skl_buf_init(&g->name, 16 * PATH_MAX);
    skl_buf_init(&g->out, 4 * SKL_MIB);
    skl_buf_adds(&g->path, clean);
    /* "/." asks for the content: "./" is its name in the archive. */
    if (!g->view)
        skl_buf_adds(&g->name,
                     strcmp(clean, "/") == 0 || (n > 1 && path[n - 1] == '.' && must_be_dir)
                         ? "./"
                         : agent_base_name(clean));
    g->task.on_frame = on_frame;
    g->task.on_credit = on_credit;
    g->task.on_close = on_close;
    agent_task_init(&g->task, a, f->stream);
    agent_task_result(a, f->stream, skl_buf_str(&result));
    if (must_be_dir) { /* follow a link to the directory that is meant */
        char real[PATH_MAX];

        if (realpath(clean, real)) {
            skl_buf_reset(&g->path);
            skl_buf_adds(&g->path, real);
        }
    }
    if (add_path(g, 0, 0, &err) < 0) {
        agent_task_error(a, f->stream, skl_kind_status(err.kind), err.msg);
        on_close(&g->task);
        return;
    }
    schedule(g);
}
