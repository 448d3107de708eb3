#include "build/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/sha256.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/tar.h"

#define CHUNK 65536

struct writing {
    int fd;
    int64_t size, max;
    mbedtls_sha256_context digest, content;
    struct skl_buf b;
};

static int flush(struct writing *w, struct skl_error *err)
{
    struct skl_str s = skl_buf_str(&w->b);

    w->size += (int64_t)s.n;
    if (w->size > w->max)
        return skl_fail(err, SKL_E_TOOBIG, "the files are larger than what an image may have here");
    (void)mbedtls_sha256_update_ret(&w->digest, (const unsigned char *)s.p, s.n); /* in memory */
    while (s.n > 0) {
        ssize_t n = write(w->fd, s.p, s.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return skl_fail_errno(err, errno, "writing an image layer");
        s = skl_str_skip(s, (size_t)n);
    }
    skl_buf_reset(&w->b);
    return 0;
}

static void hash_content(struct writing *w, const void *p, size_t n)
{
    (void)mbedtls_sha256_update_ret(&w->content, p, n);
}

static void hash_text(struct writing *w, const char *s)
{
    hash_content(w, s ? s : "", s ? strlen(s) + 1 : 1);
}

static void hash_head(struct writing *w, const struct skl_node *n)
{
    const int64_t numbers[] = {n->type, n->mode, n->uid, n->gid, n->size, n->if_missing};

    hash_text(w, n->path);
    hash_content(w, numbers, sizeof(numbers));
    hash_text(w, n->owner);
    hash_text(w, n->into);
    hash_text(w, n->link);
}

static int write_head(struct writing *w, const struct skl_node *n, struct skl_error *err)
{
    struct skl_tar_xattr marks[3];
    struct skl_tar_entry e = {
        .type = n->type == SKL_NODE_FILE  ? SKL_TAR_FILE
                : n->type == SKL_NODE_DIR ? SKL_TAR_DIR
                                          : SKL_TAR_SYMLINK,
        .name = n->path,
        .linkname = n->link ? n->link : "",
        .uname = "",
        .gname = "",
        .mode = n->mode,
        .uid = n->uid,
        .gid = n->gid,
        .size = n->type == SKL_NODE_FILE ? n->size : 0,
        .mtime_s = n->mtime_s,
        .mtime_ns = n->mtime_ns,
        .xattrs = marks,
    };

    if (n->owner)
        marks[e.n_xattrs++] = (struct skl_tar_xattr){SKL_LAYER_OWNER, skl_str(n->owner)};
    if (n->into)
        marks[e.n_xattrs++] = (struct skl_tar_xattr){SKL_LAYER_INTO, skl_str(n->into)};
    if (n->if_missing)
        marks[e.n_xattrs++] = (struct skl_tar_xattr){SKL_LAYER_IF_MISSING, SKL_STR("1")};
    return skl_tar_write_header(&w->b, &e, err);
}

static int write_data(struct writing *w, const struct skl_node *node, struct skl_error *err)
{
    int64_t at = 0;
    int rc = flush(w, err);

    while (rc == 0 && at < node->size) {
        size_t want = node->size - at < CHUNK ? (size_t)(node->size - at) : CHUNK;
        char *p = skl_buf_reserve(&w->b, want);
        ssize_t n = pread(node->fd, p, want, node->offset + at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return skl_fail_errno(err, n < 0 ? errno : EIO, "reading a file of the build");
        skl_buf_commit(&w->b, (size_t)n);
        hash_content(w, w->b.p, w->b.n);
        at += n;
        rc = flush(w, err);
    }
    if (rc == 0)
        skl_tar_write_padding(&w->b, node->size);
    return rc;
}

static int write_nodes(struct writing *w, const struct skl_node *const *nodes, size_t n,
                       struct skl_error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        hash_head(w, nodes[i]);
        rc = write_head(w, nodes[i], err);
        if (rc == 0 && nodes[i]->type == SKL_NODE_FILE)
            rc = write_data(w, nodes[i], err);
        if (rc == 0)
            rc = flush(w, err);
    }
    if (rc == 0) {
        skl_tar_write_end(&w->b);
        rc = flush(w, err);
    }
    return rc;
}

static void finish_hash(mbedtls_sha256_context *c, char out[65])
{
    SKL_AUTO_BUF struct skl_buf hex = {0};
    unsigned char sum[32];

    (void)mbedtls_sha256_finish_ret(c, sum);
    mbedtls_sha256_free(c);
    skl_buf_init(&hex, 128);
    skl_hex_add(&hex, sum, sizeof(sum));
    memcpy(out, hex.p, 65);
}

int skl_layer_write(const char *path, const struct skl_node *const *nodes, size_t n,
                    int64_t max_size, struct skl_layer *ret, struct skl_error *err)
{
    struct writing w = {.max = max_size};
    int rc;

    w.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (w.fd < 0)
        return skl_fail_errno(err, errno, "writing an image layer");
    skl_buf_init(&w.b, 4u * 1024u * 1024u);
    mbedtls_sha256_init(&w.digest);
    mbedtls_sha256_init(&w.content);
    (void)mbedtls_sha256_starts_ret(&w.digest, 0);
    (void)mbedtls_sha256_starts_ret(&w.content, 0);
    rc = write_nodes(&w, nodes, n, err);
    finish_hash(&w.digest, ret->digest);
    finish_hash(&w.content, ret->content);
    ret->size = w.size;
    skl_buf_fini(&w.b);
    if (close(w.fd) < 0 && rc == 0)
        rc = skl_fail_errno(err, errno, "writing an image layer");
    if (rc < 0)
        (void)unlink(path); /* half a layer is none */
    return rc;
}
