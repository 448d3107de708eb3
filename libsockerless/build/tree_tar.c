/* The members of a tar file become nodes that point into it. Files with holes are the exception: their data does not lie
 * in one piece, so they are written out. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/tar.h"
#include "build/layer.h"
#include "build/tree.h"

#define CHUNK    65536
#define WHITEOUT ".wh."

/* Layers of registries name what is gone. It is taken away first: it speaks of the layers below alone. */
enum whiteouts { WHITEOUTS_NONE, WHITEOUTS_FOLLOWED, WHITEOUTS_PASSED };

struct reading {
    struct skl_tree *t;
    int fd, scratch_fd;
    int64_t chunk_at; /* where the chunk lies in the file */
    const char *chunk;
    int64_t left;         /* of max_size */
    struct skl_node node; /* of the current member; path NULL: dropped */
    bool is_layer, sparse, drops_devices;
    enum whiteouts whiteouts;
};

static void node_fini(struct skl_node *n)
{
    free(n->path);
    free(n->link);
    free(n->owner);
    free(n->into);
    *n = (struct skl_node){.fd = -1};
}

static void take_marks(struct skl_node *n, const struct skl_tar_entry *e)
{
    for (size_t i = 0; i < e->n_xattrs; i++) {
        const struct skl_tar_xattr *x = &e->xattrs[i];

        if (skl_streq(x->name, SKL_LAYER_OWNER))
            n->owner = skl_str_dup(x->value);
        else if (skl_streq(x->name, SKL_LAYER_INTO))
            n->into = skl_str_dup(x->value);
        else if (skl_streq(x->name, SKL_LAYER_IF_MISSING))
            n->if_missing = true;
    }
}

static int take_hardlink(struct reading *r, const struct skl_tar_entry *e, struct skl_error *err)
{
    SKL_AUTO_STR char *target = NULL;
    const struct skl_node *n;
    int rc = skl_tar_clean_path(e->linkname, &target, err);

    if (rc < 0)
        return rc;
    n = skl_tree_find(r->t, target);
    if (!n || n->type == SKL_NODE_DIR)
        return skl_fail(err, SKL_E_INVALID,
                        "%.200s is a link to %.200s, which is not in the archive", r->node.path,
                        target);
    r->node.type = n->type;
    r->node.link = skl_strdup(n->link);
    r->node.size = n->size;
    r->node.fd = n->fd;
    r->node.offset = n->offset;
    return 0;
}

static int begin_sparse(struct reading *r, struct skl_error *err)
{
    struct stat st;

    if (r->scratch_fd < 0)
        return skl_fail(err, SKL_E_INVALID, "a file with holes is not expected here");
    if (fstat(r->scratch_fd, &st) < 0 || ftruncate(r->scratch_fd, st.st_size + r->node.size) < 0)
        return skl_fail_errno(err, errno, "writing a file of the build");
    r->node.fd = r->scratch_fd;
    r->node.offset = st.st_size;
    return 0;
}

/* Takes away what the member says to be gone; true: that is all it says. */
static bool follow_whiteout(struct reading *r)
{
    char *slash = strrchr(r->node.path, '/'), *name = slash ? slash + 1 : r->node.path;
    bool is_whiteout = skl_str_starts(skl_str(name), WHITEOUT);

    if (!is_whiteout || r->whiteouts != WHITEOUTS_FOLLOWED)
        return is_whiteout;
    if (skl_streq(name, WHITEOUT WHITEOUT ".opq")) {
        *(slash ? slash : name) = '\0';
        skl_tree_remove_below(r->t, r->node.path);
    } else {
        memmove(name, name + strlen(WHITEOUT), strlen(name) - strlen(WHITEOUT) + 1);
        skl_tree_remove_below(r->t, r->node.path);
        skl_tree_remove(r->t, r->node.path);
    }
    return true;
}

static int begin_member(struct reading *r, const struct skl_tar_entry *e, struct skl_error *err)
{
    int rc;

    node_fini(&r->node);
    rc = skl_tar_clean_path(e->name, &r->node.path, err);
    if (rc < 0)
        return rc;
    if (!*r->node.path) { /* the root itself */
        node_fini(&r->node);
        return 0;
    }
    if (r->whiteouts && (follow_whiteout(r) || r->whiteouts == WHITEOUTS_FOLLOWED)) {
        node_fini(&r->node);
        return 0;
    }
    r->node.mode = e->mode & 07777;
    r->node.uid = e->uid;
    r->node.gid = e->gid;
    r->node.mtime_s = e->mtime_s;
    r->node.mtime_ns = e->mtime_ns;
    r->node.fd = r->fd;
    r->node.offset = -1;
    r->sparse = e->sparse;
    if (r->is_layer)
        take_marks(&r->node, e);
    switch (e->type) {
    case SKL_TAR_FILE:
        r->node.type = SKL_NODE_FILE;
        r->node.size = e->size;
        if (e->size > r->left)
            return skl_fail(err, SKL_E_TOOBIG, "the files are larger than what is allowed");
        r->left -= e->size;
        return e->sparse ? begin_sparse(r, err) : 0;
    case SKL_TAR_DIR:
        r->node.type = SKL_NODE_DIR;
        return 0;
    case SKL_TAR_SYMLINK:
        r->node.type = SKL_NODE_LINK;
        r->node.link = skl_strdup(e->linkname);
        return 0;
    case SKL_TAR_HARDLINK:
        return take_hardlink(r, e, err);
    default:
        if (r->drops_devices) {
            node_fini(&r->node);
            return 0;
        }
        return skl_fail(err, SKL_E_INVALID,
                        "%.200s is a device or a pipe, which a build cannot keep", r->node.path);
    }
}

static int take_data(struct reading *r, const struct skl_tar_event *ev, struct skl_error *err)
{
    struct skl_str data = ev->data;
    int64_t at = r->node.offset + ev->offset;

    if (!r->sparse) {
        if (r->node.offset < 0)
            r->node.offset = r->chunk_at + (data.p - r->chunk);
        return 0;
    }
    while (data.n > 0) {
        ssize_t n = pwrite(r->scratch_fd, data.p, data.n, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return skl_fail_errno(err, errno, "writing a file of the build");
        data = skl_str_skip(data, (size_t)n);
        at += n;
    }
    return 0;
}

static int take_chunk(struct reading *r, struct skl_tar_reader *reader, size_t n,
                      struct skl_error *err)
{
    struct skl_str in = skl_str_n(r->chunk, n);
    struct skl_tar_event ev;
    int rc;

    while ((rc = skl_tar_reader_next(reader, &in, &ev, err)) == 0 && ev.type != SKL_TAR_EV_MORE) {
        if (ev.type == SKL_TAR_EV_ENTRY)
            rc = begin_member(r, ev.entry, err);
        else if (ev.type == SKL_TAR_EV_DATA && r->node.path)
            rc = take_data(r, &ev, err);
        else if (ev.type == SKL_TAR_EV_ENTRY_END && r->node.path)
            rc = skl_tree_put(r->t, &r->node, err);
        else if (ev.type == SKL_TAR_EV_END && in.n == 0)
            break;
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int read_all(struct reading *r, struct skl_error *err)
{
    SKL_AUTO(tar_reader) reader = skl_tar_reader_new();
    SKL_AUTO_STR char *chunk = skl_new0_n(char, CHUNK);
    int rc = 0;

    r->chunk = chunk;
    r->node.fd = -1;
    while (rc == 0) {
        ssize_t n = pread(r->fd, chunk, CHUNK, r->chunk_at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = skl_fail_errno(err, errno, "reading an archive of the build");
        if (n <= 0)
            break;
        rc = take_chunk(r, reader, (size_t)n, err);
        r->chunk_at += n;
    }
    node_fini(&r->node);
    return rc < 0 ? rc : skl_tar_reader_finish(reader, err);
}

int skl_tree_add_tar(struct skl_tree *t, int fd, int scratch_fd, bool is_layer, int64_t max_size,
                     struct skl_error *err)
{
    struct reading r = {.t = t,
                        .fd = fd,
                        .scratch_fd = scratch_fd,
                        .is_layer = is_layer,
                        .drops_devices = is_layer,
                        .left = max_size};

    return read_all(&r, err);
}

int skl_tree_add_root(struct skl_tree *t, int fd, int scratch_fd, int64_t max_size,
                      struct skl_error *err)
{
    struct reading r = {
        .t = t, .fd = fd, .scratch_fd = scratch_fd, .drops_devices = true, .left = max_size};

    return read_all(&r, err);
}

int skl_tree_add_image_layer(struct skl_tree *t, int fd, int scratch_fd, int64_t max_size,
                             struct skl_error *err)
{
    struct reading r = {.t = t,
                        .fd = fd,
                        .scratch_fd = scratch_fd,
                        .drops_devices = true,
                        .whiteouts = WHITEOUTS_FOLLOWED,
                        .left = max_size};
    int rc = read_all(&r, err);

    r.whiteouts = WHITEOUTS_PASSED;
    r.chunk_at = 0;
    return rc < 0 ? rc : read_all(&r, err);
}

bool skl_tree_is_tar(int fd, int64_t offset, int64_t size)
{
    SKL_AUTO(tar_reader) reader = skl_tar_reader_new();
    char block[4 * SKL_TAR_BLOCK];
    size_t want = size < (int64_t)sizeof(block) ? (size_t)size : sizeof(block);
    ssize_t n = pread(fd, block, want, offset);
    struct skl_str in = skl_str_n(block, n > 0 ? (size_t)n : 0);
    struct skl_tar_event ev;

    /* A whole header, or the beginning of an extension that is larger than what was read. */
    return in.n >= SKL_TAR_BLOCK && skl_tar_reader_next(reader, &in, &ev, NULL) == 0 &&
           (ev.type == SKL_TAR_EV_ENTRY || ev.type == SKL_TAR_EV_MORE);
}
