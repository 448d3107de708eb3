#include "docker/images/layers.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/log.h"
#include "base/map.h"

void skl_layers_dir(const struct skl_engine_settings *settings, struct skl_buf *to)
{
    skl_buf_addf(to, "%s/layers", settings->state_dir);
}

static char *builds_dir(const struct skl_engine *e)
{
    struct skl_buf b;

    skl_buf_init(&b, 4096);
    skl_buf_addf(&b, "%s/builds", e->settings.state_dir);
    return skl_buf_detach(&b);
}

static char *join(const char *dir, const char *name, const char *ending)
{
    struct skl_buf b;

    skl_buf_init(&b, 8192);
    skl_buf_addf(&b, "%s/%s%s", dir, name, ending);
    return skl_buf_detach(&b);
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A build's folder holds files only. */
void skl_build_dir_remove(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        SKL_AUTO_STR char *path = join(dir, e->d_name, "");

        if (!is_dot(e->d_name) && unlink(path) < 0)
            skl_warn("build", "a file of a build could not be removed", "path", path, NULL);
    }
    if (d)
        closedir(d);
    if (rmdir(dir) < 0 && errno != ENOENT)
        skl_warn("build", "the folder of a build could not be removed", "path", dir, NULL);
}

int skl_build_dir_make(struct skl_engine *e, char **ret, struct skl_error *err)
{
    SKL_AUTO_STR char *builds = builds_dir(e);
    SKL_AUTO_STR char *dir = NULL;
    char name[33];

    skl_random_hex(name, 32);
    dir = join(builds, name, "");
    if (mkdir(dir, 0700) < 0)
        return skl_fail_errno(err, errno, "making '%s'", dir);
    *ret = skl_take(&dir);
    return 0;
}

static int make_dir(const char *path, struct skl_error *err)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return skl_fail_errno(err, errno, "making '%s'", path);
    return 0;
}

int skl_layers_open(struct skl_engine *e, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf layers = {0};
    SKL_AUTO_STR char *builds = builds_dir(e);
    struct dirent *entry;
    DIR *d;
    int rc;

    skl_buf_init(&layers, 4096);
    skl_layers_dir(&e->settings, &layers);
    rc = make_dir(layers.p, err);
    if (rc == 0)
        rc = make_dir(builds, err);
    if (rc < 0)
        return rc;
    d = opendir(builds);
    while (d && (entry = readdir(d))) {
        SKL_AUTO_STR char *path = join(builds, entry->d_name, "");

        if (!is_dot(entry->d_name))
            skl_build_dir_remove(path);
    }
    if (d)
        closedir(d);
    (void)skl_layers_collect(e); /* how much it was is of no interest here */
    return 0;
}

static void mark(struct skl_map *used, char *const *digests)
{
    for (; digests && *digests; digests++)
        skl_map_set(used, skl_str(*digests), used);
}

int64_t skl_layers_collect(struct skl_engine *e)
{
    SKL_AUTO_BUF struct skl_buf dir = {0};
    struct skl_map used;
    struct dirent *entry;
    struct skl_list *it;
    int64_t freed = 0;
    DIR *d;

    skl_map_init(&used);
    skl_list_foreach (it, skl_image_all(e->store))
        mark(&used, SKL_LIST_ENTRY(it, struct skl_image, in_store)->layers);
    skl_list_foreach (it, skl_container_all(e->store))
        mark(&used, SKL_LIST_ENTRY(it, struct skl_container, in_store)->spec.layers);
    skl_buf_init(&dir, 4096);
    skl_layers_dir(&e->settings, &dir);
    d = opendir(dir.p);
    while (d && (entry = readdir(d))) {
        SKL_AUTO_STR char *path = join(dir.p, entry->d_name, "");
        struct stat st;

        if (is_dot(entry->d_name) || skl_map_getz(&used, entry->d_name) || lstat(path, &st) < 0)
            continue;
        if (unlink(path) == 0)
            freed += st.st_size;
    }
    if (d)
        closedir(d);
    skl_map_fini(&used);
    return freed;
}

int skl_layers_take(struct skl_engine *e, const char *build_dir, char *const *digests,
                    struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf dir = {0};

    skl_buf_init(&dir, 4096);
    skl_layers_dir(&e->settings, &dir);
    for (; digests && *digests; digests++) {
        SKL_AUTO_STR char *from = join(build_dir, *digests, ".layer");
        SKL_AUTO_STR char *to = join(dir.p, *digests, "");

        if (access(to, R_OK) == 0)
            continue;
        if (rename(from, to) < 0)
            return skl_fail_errno(err, errno,
                                  "keeping the image layer %.12s (was an image removed "
                                  "during the build?)",
                                  *digests);
    }
    return 0;
}
