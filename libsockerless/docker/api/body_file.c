#include "docker/api/body_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"

int skl_body_file_open(struct skl_body_file *f, const char *dir, const char *name,
                       struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "%s/%s", dir, name);
    f->fd = open(path.p, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return f->fd < 0 ? skl_fail_errno(err, errno, "storing the body") : 0;
}

void skl_body_file_add(struct skl_body_file *f, const uint8_t *p, size_t n, int64_t max,
                       const char *what)
{
    f->received += (int64_t)n;
    if (!f->failed && f->received > max) {
        f->failed = true;
        skl_fail(&f->err, SKL_E_TOOBIG, "%s is larger than %d GiB", what, (int)(max >> 30));
    }
    while (n > 0 && !f->failed) {
        ssize_t done = write(f->fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            f->failed = true;
            skl_fail_errno(&f->err, errno, "storing %s", what);
            return;
        }
        p += done;
        n -= (size_t)done;
    }
}

void skl_body_file_close(struct skl_body_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}
