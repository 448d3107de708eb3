/* A tar stream into a directory.
 *
 * Members are written as they arrive. The names are cleaned (no "..", nothing absolute). Links to directories are
 * followed, as an Engine does: what they reach is the container's own, whose root is ours. Times and modes of
 * directories are set at the end, because writing into them would change them again.
 *
 * Layers of built images come with marks (build/layer.h): owners by name, files whose place may be a directory here, and
 * directories that only have to exist. Whoever builds has not seen these files; here they are known.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent.h"
#include "archive.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/tar.h"

struct dir_time {
    char *path;
    struct timespec mtime;
    mode_t mode;
};

struct put {
    struct agent_task task;
    struct skl_tar_reader *reader;
    char *root;     /* real path of the destination, without a trailing slash ("" for /) */
    bool keep_type; /* a directory is not replaced by a file, nor the reverse */
    bool replace;   /* the archive says all of the destination, its own mode and owner too */
    char *path;     /* of the member that is being written */
    int fd;
    struct dir_time *dirs;
    size_t n_dirs;
    char *owner; /* looked up last, and what was found */
    uid_t owner_uid;
    gid_t owner_gid;
};

static void put_free(struct put *p)
{
    if (p->fd >= 0)
        close(p->fd);
    for (size_t i = 0; i < p->n_dirs; i++)
        free(p->dirs[i].path);
    free(p->dirs);
    skl_tar_reader_free(p->reader);
    free(p->root);
    free(p->path);
    free(p->owner);
    free(p);
}

/* -- places */

static char *join(const struct put *p, const char *name)
{
    struct skl_buf b;

    skl_buf_init(&b, 2 * SKL_TAR_MAX_NAME);
    skl_buf_addf(&b, "%s/%s", p->root, name);
    return skl_buf_detach(&b);
}

/* Makes the directories above a path. One that is a link inside the container stays if it leads to a directory below the
 * container's own root, which every path does here: the root is the container's. */
static int make_parents(const struct put *p, char *path, struct skl_error *err)
{
    for (char *s = path + strlen(p->root) + 1; (s = strchr(s, '/')); s++) {
        struct stat st;
        int rc;

        *s = '\0';
        rc = stat(path, &st);
        if (rc < 0 && errno == ENOENT)
            rc = mkdir(path, 0755);
        else if (rc == 0 && !S_ISDIR(st.st_mode))
            rc = unlink(path) < 0 ? -1 : mkdir(path, 0755);
        if (rc < 0) {
            rc = agent_path_fail(err, errno, path);
            *s = '/';
            return rc;
        }
        *s = '/';
    }
    return 0;
}

static int remove_tree(const char *path);

static int empty_dir(const char *path)
{
    struct dirent *e;
    DIR *d = opendir(path);
    int rc = 0;

    if (!d)
        return -errno;
    while ((e = readdir(d))) {
        SKL_AUTO_BUF struct skl_buf b = {0};

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        skl_buf_init(&b, 16 * PATH_MAX);
        skl_buf_addf(&b, "%s/%s", path, e->d_name);
        rc = b.failed ? -ENAMETOOLONG : remove_tree(b.p);
        if (rc < 0)
            break;
    }
    closedir(d);
    return rc;
}

static int remove_tree(const char *path)
{
    int rc;

    if (unlink(path) == 0 || errno == ENOENT)
        return 0;
    rc = empty_dir(path);
    return rc < 0 ? rc : rmdir(path) < 0 ? -errno : 0;
}

/* What stands where the member goes is taken away, unless both are directories. */
static int make_room(const struct put *p, const struct skl_tar_entry *e, const char *path,
                     struct skl_error *err)
{
    struct stat st;
    bool is_dir = e->type == SKL_TAR_DIR;
    int rc;

    if (lstat(path, &st) < 0)
        return 0;
    if (is_dir && S_ISLNK(st.st_mode) && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0; /* /var/run -> /run and the like */
    if (is_dir && S_ISDIR(st.st_mode))
        return 0;
    if (p->keep_type && is_dir)
        return skl_fail(err, SKL_E_INVALID,
                        "cannot overwrite non-directory \"%s\" with directory \"%s\"", path,
                        p->root);
    if (p->keep_type && S_ISDIR(st.st_mode))
        return skl_fail(err, SKL_E_INVALID,
                        "cannot overwrite directory \"%s\" with non-directory \"%s\"", path,
                        p->root);
    rc = remove_tree(path);
    return rc < 0 ? agent_path_fail(err, -rc, path) : 0;
}

/* -- marks */

#define MARK_OWNER      "sockerless.owner"
#define MARK_INTO       "sockerless.into"
#define MARK_IF_MISSING "sockerless.if-missing"

static struct skl_str mark(const struct skl_tar_entry *e, const char *name)
{
    for (size_t i = 0; i < e->n_xattrs; i++)
        if (strcmp(e->xattrs[i].name, name) == 0)
            return e->xattrs[i].value;
    return skl_str_n(NULL, 0);
}

/* "user" or "user:group" of this image; root is 0 in any. */
static int find_owner(struct put *p, struct skl_str name, struct skl_error *err)
{
    char *text SKL_AUTO_STR = skl_str_dup(name);
    struct agent_user user;
    int rc;

    if (skl_streq(text, p->owner))
        return 0;
    if (strcmp(text, "root") == 0 || strcmp(text, "root:root") == 0) {
        p->owner_uid = 0;
        p->owner_gid = 0;
    } else {
        rc = agent_user_find(text, NULL, &user, err);
        if (rc < 0)
            return skl_wrap(err, rc, "owner of a file of the image");
        p->owner_uid = user.uid;
        p->owner_gid = user.gid;
        free(user.home);
    }
    skl_strset(&p->owner, text);
    return 0;
}

/* The place of a member once its marks are followed: p->path may get longer, or NULL when nothing is to be done. */
static int follow_marks(struct put *p, const struct skl_tar_entry *e, struct skl_error *err)
{
    struct skl_str into = mark(e, MARK_INTO);
    struct stat st;

    if (e->n_xattrs == 0 || stat(p->path, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    if (e->type == SKL_TAR_DIR && mark(e, MARK_IF_MISSING).p) {
        free(skl_take(&p->path));
    } else if (e->type != SKL_TAR_DIR && into.n > 0) {
        struct skl_buf b;

        if (memchr(into.p, '/', into.n) || skl_str_eqz(into, ".") || skl_str_eqz(into, ".."))
            return skl_fail(err, SKL_E_PROTOCOL, "a file's name is no name");
        skl_buf_init(&b, 2 * SKL_TAR_MAX_NAME);
        skl_buf_addf(&b, "%s/" SKL_STR_FMT, p->path, SKL_STR_ARG(into));
        free(p->path);
        p->path = skl_buf_detach(&b);
    }
    return 0;
}

/* -- members */

static void set_owner(const struct put *p, const struct skl_tar_entry *e, const char *path)
{
    bool named = mark(e, MARK_OWNER).n > 0;

    /* An ordinary user may give nothing away: the files are then the user's own. */
    if (geteuid() == 0)
        (void)!lchown(path, named ? p->owner_uid : (uid_t)e->uid,
                      named ? p->owner_gid : (gid_t)e->gid);
}

static void remember_dir(struct put *p, const struct skl_tar_entry *e, const char *path)
{
    if ((p->n_dirs & (p->n_dirs - 1)) == 0)
        p->dirs = skl_realloc(p->dirs, p->n_dirs ? 2 * p->n_dirs : 1, sizeof(*p->dirs));
    p->dirs[p->n_dirs++] =
        (struct dir_time){skl_strdup(path), {e->mtime_s, e->mtime_ns}, (mode_t)(e->mode & 07777)};
}

static int make_link(const struct put *p, const struct skl_tar_entry *e, const char *path,
                     struct skl_error *err)
{
    char *name SKL_AUTO_STR = NULL;
    char *from SKL_AUTO_STR = NULL;
    int rc = skl_tar_clean_path(e->linkname, &name, err);

    if (rc < 0)
        return rc;
    from = join(p, name);
    return link(from, path) < 0 ? agent_path_fail(err, errno, path) : 0;
}

static int make_special(const struct skl_tar_entry *e, const char *path, mode_t kind,
                        struct skl_error *err)
{
    if (mknod(path, kind | (mode_t)(e->mode & 0777), makedev(e->devmajor, e->devminor)) < 0)
        return agent_path_fail(err, errno, path);
    return 0;
}

static int make_member(struct put *p, const struct skl_tar_entry *e, const char *path,
                       struct skl_error *err)
{
    switch (e->type) {
    case SKL_TAR_FILE:
        p->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        return p->fd < 0 ? agent_path_fail(err, errno, path) : 0;
    case SKL_TAR_HARDLINK:
        return make_link(p, e, path, err);
    case SKL_TAR_SYMLINK:
        return symlink(e->linkname, path) < 0 ? agent_path_fail(err, errno, path) : 0;
    case SKL_TAR_CHARDEV:
        return make_special(e, path, S_IFCHR, err);
    case SKL_TAR_BLOCKDEV:
        return make_special(e, path, S_IFBLK, err);
    case SKL_TAR_FIFO:
        return make_special(e, path, S_IFIFO, err);
    case SKL_TAR_DIR:
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return agent_path_fail(err, errno, path);
        remember_dir(p, e, path);
        return 0;
    }
    return 0;
}

static int begin_member(struct put *p, const struct skl_tar_entry *e, struct skl_error *err)
{
    char *name SKL_AUTO_STR = NULL;
    int rc = skl_tar_clean_path(e->name, &name, err);

    free(skl_take(&p->path));
    if (rc < 0)
        return rc;
    if (!*name && (!p->replace || e->type != SKL_TAR_DIR)) /* the destination itself */
        return 0;
    p->path = *name ? join(p, name) : skl_strdup(p->root);
    rc = *name ? make_parents(p, p->path, err) : 0;
    if (rc == 0 && mark(e, MARK_OWNER).n > 0)
        rc = find_owner(p, mark(e, MARK_OWNER), err);
    if (rc == 0)
        rc = follow_marks(p, e, err);
    if (rc < 0 || !p->path)
        return rc;
    rc = make_room(p, e, p->path, err);
    if (rc == 0)
        rc = make_member(p, e, p->path, err);
    return rc;
}

static int end_member(struct put *p, const struct skl_tar_entry *e, struct skl_error *err)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {e->mtime_s, e->mtime_ns}};
    int rc = 0;

    if (!p->path)
        return 0;
    if (e->type == SKL_TAR_FILE) {
        if (e->sparse && ftruncate(p->fd, e->size) < 0)
            rc = agent_path_fail(err, errno, p->path);
        if (close(p->fd) < 0 && rc == 0)
            rc = agent_path_fail(err, errno, p->path);
        p->fd = -1;
    }
    if (rc < 0 || e->type == SKL_TAR_HARDLINK)
        return rc;
    set_owner(p, e, p->path);
    if (e->type != SKL_TAR_SYMLINK && chmod(p->path, (mode_t)(e->mode & 07777)) < 0)
        return agent_path_fail(err, errno, p->path);
    if (e->type != SKL_TAR_DIR)
        (void)utimensat(AT_FDCWD, p->path, times,
                        AT_SYMLINK_NOFOLLOW); /* some file systems cannot */
    return 0;
}

static int write_data(struct put *p, const struct skl_tar_event *ev, struct skl_error *err)
{
    struct skl_str data = ev->data;
    int64_t at = ev->offset;

    while (data.n > 0) {
        ssize_t n = pwrite(p->fd, data.p, data.n, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return agent_path_fail(err, errno, p->path);
        data = skl_str_skip(data, (size_t)n);
        at += n;
    }
    return 0;
}

static int take_bytes(struct put *p, struct skl_str in, struct skl_error *err)
{
    struct skl_tar_event ev = {.type = SKL_TAR_EV_ENTRY};
    int rc = 0;

    while (rc == 0) {
        rc = skl_tar_reader_next(p->reader, &in, &ev, err);
        if (rc < 0 || ev.type == SKL_TAR_EV_MORE)
            break;
        if (ev.type == SKL_TAR_EV_ENTRY)
            rc = begin_member(p, ev.entry, err);
        else if (ev.type == SKL_TAR_EV_DATA && p->path)
            rc = write_data(p, &ev, err);
        else if (ev.type == SKL_TAR_EV_ENTRY_END)
            rc = end_member(p, ev.entry, err);
        else if (ev.type == SKL_TAR_EV_END && in.n == 0)
            break;
    }
    return rc;
}

/* -- the conversation */

static void put_fail(struct put *p, const struct skl_error *err)
{
    int status = err->kind == SKL_E_PROTOCOL ? 400 : skl_kind_status(err->kind);

    agent_task_error(p->task.a, p->task.stream, status, err->msg);
    agent_task_end(&p->task);
    put_free(p);
}

static void set_dir_times(const struct put *p)
{
    for (size_t i = p->n_dirs; i-- > 0;) {
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, p->dirs[i].mtime};

        (void)chmod(p->dirs[i].path, p->dirs[i].mode); /* replaced by a later member: fine */
        (void)utimensat(AT_FDCWD, p->dirs[i].path, times, 0);
    }
}

static void on_frame(struct agent_task *t, const struct skl_frame *f)
{
    struct put *p = SKL_CONTAINER_OF(t, struct put, task);
    struct skl_error err;

    if (f->type == SKL_FRAME_STDIN) {
        if (take_bytes(p, f->payload, &err) < 0) {
            put_fail(p, &err);
            return;
        }
        skl_link_consumed(t->a->link, t->stream, f->payload.n);
    } else if (f->type == SKL_FRAME_END) {
        if (skl_tar_reader_finish(p->reader, &err) < 0) {
            put_fail(p, &err);
            return;
        }
        set_dir_times(p);
        t->a->put_ended_ns = skl_wall_ns();
        agent_task_result(t->a, t->stream, skl_str_n("", 0));
        agent_task_end(t);
        put_free(p);
    }
}

static void on_credit(struct agent_task *t)
{
    /* Nothing is sent while an archive comes in. */
}

static void on_close(struct agent_task *t)
{
    agent_task_end(t);
    put_free(SKL_CONTAINER_OF(t, struct put, task));
}

/* NULL: there is no such folder. */
static char *find_root(const char *path, struct skl_error *err)
{
    bool must_be_dir;
    char *clean SKL_AUTO_STR = agent_path_clean(path, &must_be_dir);
    char real[PATH_MAX];
    struct stat st;

    if (!realpath(clean, real) || stat(real, &st) < 0)
        (void)agent_path_fail(err, errno, path);
    else if (!S_ISDIR(st.st_mode))
        (void)skl_fail(err, SKL_E_INVALID, "extraction point is not a directory");
    else
        return skl_strdup(strcmp(real, "/") == 0 ? "" : real);
    return NULL;
}

/* Never the root of the container, whatever is asked. */
static bool clear(const char *root, struct skl_error *err)
{
    int rc = *root ? empty_dir(root) : -EINVAL;

    if (rc < 0)
        (void)agent_path_fail(err, -rc, *root ? root : "/");
    return rc == 0;
}

void agent_archive_put(struct agent *a, const struct skl_frame *f)
{
    char *path SKL_AUTO_STR = skl_tlv_find_dup(f->payload, SKL_TAG_PATH);
    struct skl_error err;
    struct put *p;
    char *root = find_root(path ? path : "/", &err);

    if (!root) {
        agent_task_error(a, f->stream, skl_kind_status(err.kind), err.msg);
        return;
    }
    if (skl_tlv_find_num(f->payload, SKL_TAG_REPLACE, 0) && !clear(root, &err)) {
        agent_task_error(a, f->stream, skl_kind_status(err.kind), err.msg);
        free(root);
        return;
    }
    p = skl_new0(struct put);
    p->replace = skl_tlv_find_num(f->payload, SKL_TAG_REPLACE, 0) != 0;
    p->root = root;
    p->fd = -1;
    p->keep_type = skl_tlv_find_num(f->payload, SKL_TAG_NO_OVERWRITE_DIR, 0) != 0;
    p->reader = skl_tar_reader_new();
    p->task.on_frame = on_frame;
    p->task.on_credit = on_credit;
    p->task.on_close = on_close;
    agent_task_init(&p->task, a, f->stream);
}
