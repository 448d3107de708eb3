/* build_helper - whole builds without an engine: a context in memory, a base image of a few lines, output as text. */
#ifndef SKL_TESTS_BUILD_HELPER_H
#define SKL_TESTS_BUILD_HELPER_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/tar.h"
#include "build/build.h"
#include "build/tree.h"

#define BASE_ID "sha256:0123456789012345678901234567890123456789012345678901234567890123"

struct builder {
    char dir[64], layers[80], scratch[80];
    struct skl_buf said;
    struct skl_build *build;
    struct skl_error err;
    int body_fd;
    const char *target;
    char **args;
    const char *base_config; /* NULL: a plain one */
    char **fetched; /* layers of the image that files are copied from: paths of tar files */
    struct skl_build_cached cached;
    bool has_cached;
    unsigned asked;
};

static SKL_UNUSED void builder_empty_dir(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        char name[512];

        snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.')
            (void)unlink(name);
    }
    if (d)
        closedir(d);
}

static SKL_UNUSED void builder_init(struct builder *b)
{
    *b = (struct builder){.body_fd = -1};
    snprintf(b->dir, sizeof(b->dir), "/tmp/skl-build-XXXXXX");
    if (!mkdtemp(b->dir))
        abort();
    snprintf(b->layers, sizeof(b->layers), "%s/layers", b->dir);
    snprintf(b->scratch, sizeof(b->scratch), "%s/scratch", b->dir);
    if (mkdir(b->layers, 0700) < 0 || mkdir(b->scratch, 0700) < 0)
        abort();
    skl_buf_init(&b->said, 64u << 20);
}

static SKL_UNUSED void builder_fini(struct builder *b)
{
    skl_build_free(b->build);
    builder_empty_dir(b->layers);
    builder_empty_dir(b->scratch);
    (void)rmdir(b->layers);
    (void)rmdir(b->scratch);
    (void)rmdir(b->dir);
    skl_buf_fini(&b->said);
    if (b->body_fd >= 0)
        close(b->body_fd);
    skl_strv_free(b->args);
    skl_strv_free(b->fetched);
}

static void helper_say(void *arg, const char *text, const char *id)
{
    struct builder *b = arg;

    skl_buf_adds(&b->said, text ? text : "[id]\n");
}

static const struct skl_build_cached *helper_cached(void *arg, const char *key)
{
    struct builder *b = arg;

    b->asked++;
    return b->has_cached ? &b->cached : NULL;
}

static int helper_unpack(void *arg, int from_fd, int64_t offset, int64_t size, int to_fd,
                         int64_t max, bool *packed, struct skl_error *err)
{
    char chunk[4096];

    *packed = false;
    if (size > max)
        return skl_fail(err, SKL_E_TOOBIG, "too large");
    for (int64_t at = 0; at < size;) {
        size_t want = size - at < (int64_t)sizeof(chunk) ? (size_t)(size - at) : sizeof(chunk);
        ssize_t n = pread(from_fd, chunk, want, offset + at);

        if (n <= 0 || pwrite(to_fd, chunk, (size_t)n, at) != n)
            return skl_fail(err, SKL_E_INTERNAL, "copying");
        at += n;
    }
    return 0;
}

static bool helper_signal_ok(const char *name)
{
    return strcmp(name, "TERM") == 0;
}

/* What an URL has is its own text. */
static int helper_download(void *arg, const char *url, int to_fd, int64_t max, int64_t *mtime_s,
                           struct skl_error *err)
{
    if (strstr(url, "missing"))
        return skl_fail(err, SKL_E_NOTFOUND, "failed to GET %s with status 404", url);
    *mtime_s = 5;
    return write(to_fd, url, strlen(url)) < 0 ? skl_fail(err, SKL_E_INTERNAL, "writing") : 0;
}

/* All steps; -kind of the failure that ended it. The build is there afterwards. */
static SKL_UNUSED int builder_run(struct builder *b, struct skl_str body)
{
    const struct skl_build_settings settings = {
        .dir = b->scratch,
        .layers_dir = b->layers,
        .dockerfile = "Dockerfile",
        .args = b->args,
        .target = b->target,
        .os = "linux",
        .architecture = "amd64",
        .ops = {helper_say, helper_cached, helper_unpack, helper_signal_ok, helper_download, b},
    };
    struct skl_build_image image = {
        .id = BASE_ID,
        .config_json = b->base_config ? b->base_config
                                      : "{\"config\":{\"Env\":[\"PATH=/bin\"],\"Cmd\":[\"sh\"]}}",
    };
    enum skl_build_need need = SKL_BUILD_MORE;
    int rc;

    skl_build_free(skl_take(&b->build));
    builder_empty_dir(b->scratch);
    skl_buf_reset(&b->said);
    if (b->body_fd >= 0)
        close(b->body_fd);
    b->body_fd = memfd_create("body", MFD_CLOEXEC);
    if (write(b->body_fd, body.p, body.n) != (ssize_t)body.n)
        abort();
    rc = skl_build_new(&settings, b->body_fd, &b->build, &b->err);
    while (rc == 0 && need != SKL_BUILD_DONE) {
        rc = skl_build_step(b->build, &need, &b->err);
        if (rc == 0 && need == SKL_BUILD_IMAGE) {
            const char *platform;
            bool to_copy;

            (void)skl_build_wanted(b->build, &platform, &to_copy);
            image.fetched = to_copy ? b->fetched : NULL;
            rc = skl_build_give(b->build, &image, &b->err);
        }
    }
    return rc;
}

#endif
