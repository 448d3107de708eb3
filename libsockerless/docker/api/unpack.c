#include "docker/api/unpack.h"

#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "docker/api/decompress.h"

struct unpacking {
    int fd;
    int64_t at, max;
};

static int write_out(void *arg, struct skl_str data, struct skl_error *err)
{
    struct unpacking *u = arg;

    if (u->at + (int64_t)data.n > u->max)
        return skl_fail(err, SKL_E_TOOBIG, "the archive unpacks to more than %d GiB",
                        (int)(u->max >> 30));
    while (data.n > 0) {
        ssize_t n = pwrite(u->fd, data.p, data.n, u->at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return skl_fail_errno(err, errno, "unpacking an archive");
        data = skl_str_skip(data, (size_t)n);
        u->at += n;
    }
    return 0;
}

int skl_unpack(int from_fd, int64_t offset, int64_t size, int to_fd, int64_t max, bool *ret_packed,
               struct skl_error *err)
{
    struct unpacking u = {.fd = to_fd, .max = max};
    SKL_AUTO(decompress) d = skl_decompress_new(write_out, &u);
    SKL_AUTO_STR char *chunk = skl_new0_n(char, SKL_READ_CHUNK);
    int rc = 0;

    for (int64_t at = 0; rc == 0 && at < size;) {
        size_t want = size - at < SKL_READ_CHUNK ? (size_t)(size - at) : SKL_READ_CHUNK;
        ssize_t n = pread(from_fd, chunk, want, offset + at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return skl_fail_errno(err, n < 0 ? errno : EIO, "reading an archive");
        rc = skl_decompress_feed(d, chunk, (size_t)n, err);
        at += n;
    }
    if (rc == 0)
        rc = skl_decompress_end(d, err);
    *ret_packed = !skl_streq(skl_decompress_format(d), "plain");
    return rc;
}
