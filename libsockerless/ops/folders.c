/* Bytes on disk, by folder. Counted from the file system and not by who writes: what an earlier process left, and what
 * nobody knows of, counts too. */
#include <ftw.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "ops/ops_internal.h"

#define KEEP_MS  10000 /* a walk over 30,000 files takes about a tenth of a second */
#define WALK_FDS 8

static _Thread_local int64_t walked_bytes; /* nftw() has no argument for its callback */

static int add(const char *path SKL_UNUSED, const struct stat *st, int type,
               struct FTW *at SKL_UNUSED)
{
    if (type == FTW_F)
        walked_bytes += st->st_size;
    return 0;
}

static int64_t bytes_below(const char *path)
{
    walked_bytes = 0;
    (void)nftw(path, add, WALK_FDS, FTW_PHYS | FTW_MOUNT); /* files may vanish on the way */
    return walked_bytes;
}

void ops_folders(struct skl_ops *o, struct skl_buf *out)
{
    struct statvfs fs;
    int64_t now = skl_mono_ms();

    skl_metric_render_head(out, "sockerless_disk_bytes",
                           "Bytes in a folder of the state directory, counted at most every 10 s; "
                           "output is the spool of containers' output.",
                           SKL_METRIC_GAUGE);
    (void)pthread_mutex_lock(&o->folders_lock);
    for (size_t i = 0; i < o->config.n_folders; i++) {
        if (!o->folders_at_ms || now - o->folders_at_ms > KEEP_MS)
            o->folder_bytes[i] = bytes_below(o->config.folders[i].path);
        skl_buf_adds(out, "sockerless_disk_bytes");
        skl_metric_render_label(out, "folder", o->config.folders[i].name);
        skl_buf_addf(out, " %" PRId64 "\n", o->folder_bytes[i]);
    }
    if (!o->folders_at_ms || now - o->folders_at_ms > KEEP_MS)
        o->folders_at_ms = now;
    (void)pthread_mutex_unlock(&o->folders_lock);
    if (o->config.n_folders == 0 || statvfs(o->config.folders[0].path, &fs) < 0)
        return;
    skl_metric_render_head(out, "sockerless_disk_free_bytes",
                           "Bytes that are left on the disk of the state directory.",
                           SKL_METRIC_GAUGE);
    skl_buf_addf(out, "sockerless_disk_free_bytes %" PRIu64 "\n",
                 (uint64_t)fs.f_bavail * (uint64_t)fs.f_frsize);
}
