/* The files of an image that COPY --from reads: its layers, fetched from the registry into the build's folder. Nothing of
 * it is kept when the build is over. On the worker. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "docker/api/unpack.h"
#include "docker/build/build_job.h"
#include "docker/images/image_ask.h"

#define FETCH_MS (10 * 60 * 1000)

static int make_file(const char *path, struct skl_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    return fd < 0 ? skl_fail_errno(err, errno, "making a file of the build") : fd;
}

static int unpack_layer(struct skl_build_job *j, int packed_fd, int64_t size, struct skl_error *err)
{
    char path[4096];
    struct stat st;
    bool packed;
    int fd, rc;

    snprintf(path, sizeof(path), "%s/fetched-%u", j->dir, j->n_fetched++);
    fd = make_file(path, err);
    if (fd < 0)
        return fd;
    rc = skl_unpack(packed_fd, 0, size, fd, SKL_BUILD_MAX_WRITTEN - j->fetched_bytes, &packed, err);
    if (rc == 0 && fstat(fd, &st) == 0)
        j->fetched_bytes += st.st_size;
    close(fd);
    if (rc == 0)
        skl_strv_push(&j->fetched, path);
    return rc;
}

static int fetch_layer(struct skl_build_job *j, const struct skl_registry_query *q,
                       const struct skl_registry_layer *layer, struct skl_error *err)
{
    char path[4096];
    int fd, rc;

    if (layer->size > SKL_BUILD_MAX_WRITTEN - j->fetched_bytes)
        return skl_fail(err, SKL_E_TOOBIG, "the layers are larger than %d GiB",
                        (int)(SKL_BUILD_MAX_WRITTEN >> 30));
    snprintf(path, sizeof(path), "%s/fetching", j->dir);
    fd = make_file(path, err);
    if (fd < 0)
        return fd;
    (void)unlink(path); /* packed, it is needed no longer than this descriptor */
    rc = skl_registry_fetch_blob(j->e->registry, q, layer, fd, err);
    if (rc == 0)
        rc = unpack_layer(j, fd, layer->size, err);
    close(fd);
    return rc;
}

int skl_build_job_fetch(struct skl_build_job *j, struct skl_error *err)
{
    const char *auth_text = *j->fetch_auth ? j->fetch_auth : NULL;
    SKL_AUTO_REGISTRY_IMAGE struct skl_registry_image image = {0};
    struct skl_registry_auth auth;
    struct skl_registry_query q;
    struct skl_ask ask;
    int rc = skl_ask_init(&ask, j->fetch_ref, auth_text, err);

    if (rc == 0) {
        q = skl_ask_query(&ask, &auth, skl_mono_ms() + FETCH_MS);
        q.platform = (struct skl_registry_platform){j->platform.os, j->platform.architecture,
                                                    j->platform.variant};
        rc = skl_registry_resolve(j->e->registry, &q, &image, err);
        for (size_t i = 0; rc == 0 && i < image.n_layers; i++)
            rc = fetch_layer(j, &q, &image.layers[i], err);
    }
    skl_ask_fini(&ask);
    return rc < 0 ? skl_wrap(err, rc, "the files of %.100s", j->fetch_ref) : 0;
}
