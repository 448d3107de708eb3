/* The store as a whole: its directory, lock, loading and end. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/id.h"
#include "store/store_internal.h"

#define DATABASE "state.db"
#define LOCK     "lock"

static int make_dirs(const char *dir, struct skl_error *err)
{
    char *path SKL_AUTO_STR = skl_strdup(dir);

    for (char *p = path + 1;; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return skl_fail_errno(err, errno, "making the state directory '%s'", path);
        if (c == '\0')
            return 0;
        *p = c;
    }
}

static void read_holder(int fd, char *out, size_t size)
{
    ssize_t n = pread(fd, out, size - 1, 0);

    out[n > 0 ? n : 0] = '\0';
    out[strspn(out, "0123456789")] = '\0';
}

/* The lock goes with the process, however it ends. */
static int lock_dir(struct skl_store *s, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    char text[24];
    int n;

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "%s/" LOCK, s->dir);
    s->lock_fd = open(path.p, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return skl_fail_errno(err, errno, "opening '%s'", path.p);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return skl_fail_errno(err, errno, "locking '%s'", path.p);
        read_holder(s->lock_fd, text, sizeof(text));
        return skl_fail(
            err, SKL_E_CONFLICT,
            "the state directory '%s' is in use by another daemon%s%s: end that one, or "
            "give this one a directory of its own",
            s->dir, *text ? " with process id " : "", text);
    }
    n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, text, (size_t)n, 0) != n)
        return skl_fail_errno(err, errno ? errno : EIO, "writing '%s'", path.p);
    return 0;
}

static int open_db(struct skl_store *s, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    int rc;

    skl_buf_init(&path, 4096);
    if (skl_streq(s->dir, ":memory:"))
        return skl_db_open(s->dir, &s->db, err);
    rc = make_dirs(s->dir, err);
    if (rc == 0)
        rc = lock_dir(s, err);
    if (rc < 0)
        return rc;
    skl_buf_addf(&path, "%s/" DATABASE, s->dir);
    return skl_db_open(path.p, &s->db, err);
}

static int load_instance(struct skl_store *s, struct skl_error *err)
{
    sqlite3_stmt *stmt = skl_db_stmt(s->db, SKL_SQL_META_GET);
    int rc;

    skl_db_bind_text(stmt, 1, "instance");
    rc = skl_db_row(s->db, stmt, err);
    if (rc < 0)
        return rc;
    if (rc > 0) {
        snprintf(s->instance, sizeof(s->instance), "%s", skl_db_column(stmt, 0));
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
        return 0;
    }
    skl_random_hex(s->instance, sizeof(s->instance) - 1);
    stmt = skl_db_stmt(s->db, SKL_SQL_META_PUT);
    skl_db_bind_text(stmt, 1, "instance");
    skl_db_bind_text(stmt, 2, s->instance);
    return skl_db_run(s->db, stmt, err);
}

int skl_store_probe(struct skl_store *s, struct skl_error *err)
{
    sqlite3_stmt *stmt = skl_db_stmt(s->db, SKL_SQL_META_PUT);

    skl_db_bind_text(stmt, 1, "probe");
    skl_db_bind_text(stmt, 2, "");
    return skl_db_run(s->db, stmt, err);
}

static int load_all(struct skl_store *s, struct skl_error *err)
{
    int rc = load_instance(s, err);

    if (rc == 0)
        rc = skl_networks_load(s, err);
    if (rc == 0)
        rc = skl_volumes_load(s, err);
    if (rc == 0)
        rc = skl_images_load(s, err);
    if (rc == 0)
        rc = skl_containers_load(s, err);
    if (rc == 0)
        rc = skl_execs_load(s, err);
    if (rc == 0)
        skl_networks_mark(s);
    return rc;
}

int skl_store_open(uv_loop_t *loop, const char *dir, struct skl_store **ret, struct skl_error *err)
{
    struct skl_store *s = skl_new0(struct skl_store);
    struct skl_list *const lists[] = {&s->containers, &s->fired,   &s->images,
                                      &s->networks,   &s->volumes, &s->execs};
    struct skl_map *const maps[] = {
        &s->containers_by_id, &s->containers_by_name, &s->images_by_id,    &s->images_by_name,
        &s->networks_by_id,   &s->networks_by_name,   &s->volumes_by_name, &s->execs_by_id};
    int rc;

    for (size_t i = 0; i < SKL_ARRAY_LEN(lists); i++)
        skl_list_init(lists[i]);
    for (size_t i = 0; i < SKL_ARRAY_LEN(maps); i++)
        skl_map_init(maps[i]);
    s->loop = loop;
    s->dir = skl_strdup(dir);
    s->lock_fd = -1;
    s->journal = skl_journal_new();
    rc = open_db(s, err);
    if (rc == 0)
        rc = load_all(s, err);
    if (rc < 0) {
        skl_store_close(s);
        return rc;
    }
    *ret = s;
    return 0;
}

static void free_containers(struct skl_store *s)
{
    while (!skl_list_empty(&s->containers)) {
        struct skl_container *c =
            SKL_LIST_ENTRY(s->containers.next, struct skl_container, in_store);

        skl_waiters_orphan(&c->waiters);
        skl_waiters_orphan(&skl_container_full(c)->execs);
        skl_list_remove(&c->in_store);
        skl_container_free(c);
    }
}

void skl_store_close(struct skl_store *s)
{
    if (!s)
        return;
    skl_timer_cancel(&s->prune);
    skl_store_turn_close(s);
    skl_execs_close(s);
    free_containers(s);
    while (!skl_list_empty(&s->images)) {
        struct skl_image *i = SKL_LIST_ENTRY(s->images.next, struct skl_image, in_store);

        skl_list_remove(&i->in_store);
        skl_image_free(i);
    }
    while (!skl_list_empty(&s->networks)) {
        struct skl_network *n = SKL_LIST_ENTRY(s->networks.next, struct skl_network, in_store);

        skl_list_remove(&n->in_store);
        skl_network_free(n);
    }
    while (!skl_list_empty(&s->volumes)) {
        struct skl_volume *v = SKL_LIST_ENTRY(s->volumes.next, struct skl_volume, in_store);

        skl_list_remove(&v->in_store);
        skl_volume_free(v);
    }
    skl_map_fini(&s->containers_by_id);
    skl_map_fini(&s->containers_by_name);
    skl_map_fini(&s->images_by_id);
    skl_map_fini(&s->images_by_name);
    skl_map_fini(&s->networks_by_id);
    skl_map_fini(&s->networks_by_name);
    skl_map_fini(&s->volumes_by_name);
    skl_map_fini(&s->execs_by_id);
    skl_journal_free(s->journal);
    skl_db_close(s->db);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s->dir);
    free(s);
}

struct skl_journal *skl_store_journal(struct skl_store *s)
{
    return s->journal;
}

const char *skl_store_instance(const struct skl_store *s)
{
    return s->instance;
}

const char *skl_store_dir(const struct skl_store *s)
{
    return s->dir;
}
