/* What has changed, by the times of files: there is no image beside us to compare with. Deletions leave no file whose
 * time could tell. */
#include "changes.h"

#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/clock.h"
#include "base/macros.h"

int64_t agent_mtime_ns(const char *path)
{
    struct stat st;

    return lstat(path, &st) < 0 ? 0 : st.st_mtim.tv_sec * SKL_NS_PER_S + st.st_mtim.tv_nsec;
}

static bool read_statx(const char *path, struct statx *ret)
{
    return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                 STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, ret) == 0;
}

/* Older kernels do not number mounts: the device has to do. */
static uint64_t mount_of(const struct statx *sx)
{
    if (sx->stx_mask & STATX_MNT_ID)
        return sx->stx_mnt_id;
    return makedev(sx->stx_dev_major, sx->stx_dev_minor);
}

uint64_t agent_mount_of(const char *path)
{
    struct statx sx;

    return read_statx(path, &sx) ? mount_of(&sx) : 0;
}

bool agent_path_is_ours(const char *path)
{
    static const char *const ours[] = {"/sockerless", "/etc/hosts", "/etc/hostname",
                                       "/etc/resolv.conf", "/.dockerenv"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(ours); i++)
        if (strcmp(path, ours[i]) == 0)
            return true;
    return false;
}

static int64_t ns_of(const struct statx_timestamp *t)
{
    return t->tv_sec * SKL_NS_PER_S + t->tv_nsec;
}

/* Was there before the first command, though the agent's own entries in it make it look new. */
static bool was_there(const struct agent *a, const char *path)
{
    return a->etc_mtime_ns != 0 && strcmp(path, "/etc") == 0;
}

char agent_change_of(const struct agent *a, const char *path, uint64_t root_mount, bool parent_grew)
{
    int64_t since_ns = a->began_ns;
    struct statx sx;

    if (!read_statx(path, &sx) || mount_of(&sx) != root_mount || ns_of(&sx.stx_ctime) < since_ns)
        return 0;
    if (S_ISDIR(sx.stx_mode) && (ns_of(&sx.stx_mtime) < since_ns || was_there(a, path)))
        return '0';
    /* Under an overlay what is modified is born again, but nothing is added to its directory. */
    return (sx.stx_mask & STATX_BTIME) && ns_of(&sx.stx_btime) >= since_ns && parent_grew ? '1'
                                                                                          : '0';
}

bool agent_dir_has_grown(const struct agent *a, const char *path)
{
    int64_t mtime_ns = agent_mtime_ns(path);

    if (strcmp(path, "/") == 0)
        return mtime_ns != a->root_mtime_ns;
    if (strcmp(path, "/etc") == 0)
        return mtime_ns != a->etc_mtime_ns;
    return mtime_ns >= a->began_ns;
}

static int64_t changed_since_ns; /* for nftw, which passes nothing on */

static int look_at_change(const char *path, const struct stat *st, int type, struct FTW *at)
{
    return st->st_ctim.tv_sec * SKL_NS_PER_S + st->st_ctim.tv_nsec >= changed_since_ns;
}

/* By the times that nobody can set; what cannot be read counts as changed. */
bool agent_tree_has_changed(const struct agent *a, const char *path)
{
    changed_since_ns = a->run_began_ns;
    return nftw(path, look_at_change, 64, FTW_PHYS) != 0;
}
