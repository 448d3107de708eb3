#include "docker/images/commit_files.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "build/build.h"
#include "docker/images/layers.h"

struct skl_commit_files {
    struct skl_engine *e;
    skl_commit_files_cb *cb;
    void *arg;
    struct skl_source *source;
    char *dir; /* of a build: what is in it goes with it */
    int fd;
    int64_t size;
    mbedtls_sha256_context sha;
};

static void files_free(struct skl_commit_files *x)
{
    if (x->fd >= 0)
        close(x->fd);
    if (x->dir)
        skl_build_dir_remove(x->dir);
    mbedtls_sha256_free(&x->sha);
    free(x->dir);
    free(x);
}

void skl_commit_files_cancel(struct skl_commit_files **x)
{
    struct skl_commit_files *own_x = skl_take(x);

    if (!own_x)
        return;
    if (own_x->source)
        skl_source_cancel(own_x->source);
    files_free(own_x);
}

static void path_in(const struct skl_commit_files *x, const char *name, struct skl_buf *to)
{
    skl_buf_init(to, 4096);
    skl_buf_addf(to, "%s/%s", x->dir, name);
}

/* -- what arrives */

static void on_stat(void *arg, const struct skl_path_stat *st)
{
    /* Of the root; nobody asked. */
}

static int take(struct skl_commit_files *x, struct skl_str data, struct skl_error *err)
{
    x->size += (int64_t)data.n;
    if (x->size > SKL_BUILD_MAX_LAYER)
        return skl_fail(err, SKL_E_TOOBIG, "the files are larger than what an image may have here");
    (void)mbedtls_sha256_update_ret(&x->sha, (const unsigned char *)data.p, data.n); /* in memory */
    while (data.n > 0) {
        ssize_t n = write(x->fd, data.p, data.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return skl_fail_errno(err, errno, "writing an image layer");
        data = skl_str_skip(data, (size_t)n);
    }
    return 0;
}

static void finish(struct skl_commit_files *x, const char *digest, const struct skl_error *err)
{
    skl_commit_files_cb *cb = x->cb;
    void *arg = x->arg;
    int64_t size = x->size;

    files_free(x);
    cb(arg, digest, size, err);
}

static void on_data(void *arg, struct skl_str data)
{
    struct skl_commit_files *x = arg;
    struct skl_error err;

    if (take(x, data, &err) < 0) {
        skl_source_cancel(skl_take(&x->source));
        finish(x, NULL, &err);
        return;
    }
    skl_source_consumed(x->source, data.n);
}

static int keep(struct skl_commit_files *x, char digest[65], struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf made = {0}, named = {0}, hex = {0};
    char *digests[] = {digest, NULL};
    unsigned char hash[32];
    char name[80];

    (void)mbedtls_sha256_finish_ret(&x->sha, hash); /* in memory */
    skl_buf_init(&hex, 128);
    skl_hex_add(&hex, hash, sizeof(hash));
    memcpy(digest, hex.p, 65);
    snprintf(name, sizeof(name), "%s.layer", digest);
    path_in(x, "new", &made);
    path_in(x, name, &named);
    if (rename(made.p, named.p) < 0)
        return skl_fail_errno(err, errno, "keeping the layer");
    return skl_layers_take(x->e, x->dir, digests, err);
}

static void on_end(void *arg, const struct skl_error *err)
{
    struct skl_commit_files *x = arg;
    struct skl_error why;
    char digest[65];

    x->source = NULL;
    if (!err && keep(x, digest, &why) < 0)
        err = &why;
    finish(x, err ? NULL : digest, err);
}

/* -- */

static int make_file(struct skl_commit_files *x, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    int rc = skl_build_dir_make(x->e, &x->dir, err);

    if (rc < 0)
        return rc;
    path_in(x, "new", &path);
    x->fd = open(path.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return x->fd < 0 ? skl_fail_errno(err, errno, "making '%s'", path.p) : 0;
}

int skl_commit_files_start(struct skl_engine *e, struct skl_container *c, skl_commit_files_cb *cb,
                           void *arg, struct skl_commit_files **ret, struct skl_error *err)
{
    static const struct skl_get_events events = {on_stat, on_data, on_end};
    struct skl_commit_files *x = skl_new0(struct skl_commit_files);
    int rc;

    x->e = e;
    x->cb = cb;
    x->arg = arg;
    x->fd = -1;
    mbedtls_sha256_init(&x->sha);
    (void)mbedtls_sha256_starts_ret(&x->sha, 0); /* in memory */
    rc = make_file(x, err);
    if (rc == 0)
        rc = skl_driver_view(skl_workload_of(e->runtime, c), SKL_VIEW_LAYER, &events, x, &x->source,
                             err);
    if (rc < 0) {
        files_free(x);
        return rc;
    }
    *ret = x;
    return 0;
}
