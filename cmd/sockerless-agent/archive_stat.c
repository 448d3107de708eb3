/* What a path is, in the terms of Docker's path stat: the link itself, not what it points to; the mode in the bits
 * of Go's os.FileMode. */
#include <errno.h>
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

#define GO_DIR     (UINT32_C(1) << 31)
#define GO_SYMLINK (UINT32_C(1) << 27)
#define GO_DEVICE  (UINT32_C(1) << 26)
#define GO_PIPE    (UINT32_C(1) << 25)
#define GO_SOCKET  (UINT32_C(1) << 24)
#define GO_SETUID  (UINT32_C(1) << 23)
#define GO_SETGID  (UINT32_C(1) << 22)
#define GO_CHARDEV (UINT32_C(1) << 21)
#define GO_STICKY  (UINT32_C(1) << 20)

static uint32_t go_mode(mode_t m)
{
    uint32_t bits = m & 0777;

    bits |= S_ISDIR(m) ? GO_DIR : 0;
    bits |= S_ISLNK(m) ? GO_SYMLINK : 0;
    bits |= S_ISBLK(m) ? GO_DEVICE : 0;
    bits |= S_ISCHR(m) ? GO_DEVICE | GO_CHARDEV : 0;
    bits |= S_ISFIFO(m) ? GO_PIPE : 0;
    bits |= S_ISSOCK(m) ? GO_SOCKET : 0;
    bits |= m & S_ISUID ? GO_SETUID : 0;
    bits |= m & S_ISGID ? GO_SETGID : 0;
    bits |= m & S_ISVTX ? GO_STICKY : 0;
    return bits;
}

int agent_path_fail(struct skl_error *err, int errnum, const char *path)
{
    switch (errnum) {
    case ENOENT:
        return skl_fail(err, SKL_E_NOTFOUND, "Could not find the file %s", path);
    case ENOTDIR:
        return skl_fail(err, SKL_E_INVALID, "%s: not a directory", path);
    case EACCES:
    case EPERM:
        return skl_fail(err, SKL_E_FORBIDDEN, "%s: permission denied", path);
    case EROFS:
        return skl_fail(err, SKL_E_INVALID, "container rootfs is marked read-only");
    default:
        return skl_fail_errno(err, errnum, "%s", path);
    }
}

/* "/a/b/" and "/a/b/." follow a link and must be a directory; "" and "/" are the root. */
char *agent_path_clean(const char *path, bool *must_be_dir)
{
    size_t n = strlen(path);
    struct skl_buf b;

    *must_be_dir =
        n > 0 && (path[n - 1] == '/' || (path[n - 1] == '.' && (n == 1 || path[n - 2] == '/')));
    skl_buf_init(&b, PATH_MAX);
    if (path[0] != '/')
        skl_buf_addc(&b, '/');
    skl_buf_add(&b, path, n);
    while (b.n > 1 && (b.p[b.n - 1] == '/' || (b.p[b.n - 1] == '.' && b.p[b.n - 2] == '/'))) {
        b.n--;
        b.p[b.n] = '\0';
    }
    return skl_buf_detach(&b);
}

const char *agent_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

int agent_stat_path(const char *path, struct skl_buf *result, struct skl_error *err)
{
    bool must_be_dir;
    char *clean SKL_AUTO_STR = agent_path_clean(path, &must_be_dir);
    char target[PATH_MAX] = "";
    struct stat st;

    if (lstat(clean, &st) < 0 || (must_be_dir && S_ISLNK(st.st_mode) && stat(clean, &st) < 0))
        return agent_path_fail(err, errno, path);
    if (must_be_dir && !S_ISDIR(st.st_mode))
        return skl_fail(err, SKL_E_INVALID, "%s: not a directory", path);
    if (S_ISLNK(st.st_mode) && !realpath(clean, target)) {
        ssize_t n = readlink(clean, target, sizeof(target) - 1); /* it points nowhere */

        target[n > 0 ? n : 0] = '\0';
    }
    skl_tlv_strz(result, SKL_TAG_NAME, agent_base_name(clean));
    skl_tlv_u64(result, SKL_TAG_SIZE, (uint64_t)st.st_size);
    skl_tlv_u64(result, SKL_TAG_MODE, go_mode(st.st_mode));
    skl_tlv_u64(result, SKL_TAG_MTIME_NS,
                (uint64_t)(st.st_mtim.tv_sec * SKL_NS_PER_S + st.st_mtim.tv_nsec));
    skl_tlv_strz(result, SKL_TAG_LINK_TARGET, target);
    return 0;
}

void agent_archive_stat(struct agent *a, const struct skl_frame *f)
{
    char *path SKL_AUTO_STR = skl_tlv_find_dup(f->payload, SKL_TAG_PATH);
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_error err;

    skl_buf_init(&b, 64 * SKL_KIB);
    if (agent_stat_path(path ? path : "/", &b, &err) < 0)
        agent_task_error(a, f->stream, skl_kind_status(err.kind), err.msg);
    else
        agent_task_result(a, f->stream, skl_buf_str(&b));
}
