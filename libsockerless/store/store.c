/* All objects in memory, the database behind them. A transition writes first and changes memory after that, so
 * that a full disk fails the transition and leaves both as they were. The one thread is the lock. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/limits.h"
#include "store/store_internal.h"

static int lock_dir(struct skl_store *s, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path;

    if (mkdir(s->dir, 0700) < 0 && errno != EEXIST)
        return skl_fail_errno(err, errno, "making the state directory '%s'", s->dir);
    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "%s/lock", s->dir);
    s->lock_fd = open(path.p, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return skl_fail_errno(err, errno, "opening '%s'", path.p);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return skl_fail(err, SKL_E_CONFLICT,
                        "the state directory '%s' is in use by another daemon: give each its own "
                        "--state-dir",
                        s->dir);
    return 0;
}

static int open_db(struct skl_store *s, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path;
    mode_t before;
    int rc;

    skl_buf_init(&path, 4096);
    if (skl_streq(s->dir, ":memory:")) {
        skl_buf_adds(&path, ":memory:");
    } else {
        rc = lock_dir(s, err);
        if (rc < 0)
            return rc;
        skl_buf_addf(&path, "%s/state.db", s->dir);
    }
    before = umask(077); /* agent tokens are in it */
    rc = skl_db_open(path.p, &s->db, err);
    umask(before);
    return rc;
}

static int load_container(void *store, const char *id, const cJSON *fixed, const cJSON *moving,
                          struct skl_error *err)
{
    struct skl_container *c;
    int rc = skl_container_from_row(id, fixed, moving, &c, err);

    if (rc == 0)
        skl_container_link(store, c);
    return rc;
}

static int load_instance(void *store, const char *id, const cJSON *fixed, const cJSON *moving,
                         struct skl_error *err)
{
    struct skl_store *s = store;

    skl_strset(&s->instance, id);
    return 0;
}

static int load(struct skl_store *s, struct skl_error *err)
{
    static const struct {
        const char *kind;
        skl_db_row_cb *cb;
    } kinds[] = {
        {"instance", load_instance}, {"network", skl_network_load}, {"volume", skl_volume_load},
        {"image", skl_image_load},   {"container", load_container}, {"exec", skl_exec_load},
    };
    char id[65];
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < SKL_ARRAY_LEN(kinds); i++)
        rc = skl_db_each(s->db, kinds[i].kind, kinds[i].cb, s, err);
    if (rc == 0 && !s->instance) {
        skl_random_hex(id, 32);
        s->instance = skl_strdup(id);
        rc = skl_db_insert(s->db, "instance", id, "{}", "{}", err);
    }
    return rc == 0 ? skl_network_make_predefined(s, err) : rc;
}

int skl_store_open(uv_loop_t *loop, const char *dir, struct skl_store **ret, struct skl_error *err)
{
    struct skl_store *s = skl_new0(struct skl_store);
    int rc;

    s->loop = loop;
    s->dir = skl_strdup(dir);
    s->lock_fd = -1;
    s->journal = skl_journal_new();
    skl_list_init(&s->containers);
    skl_list_init(&s->images);
    skl_list_init(&s->networks);
    skl_list_init(&s->volumes);
    skl_list_init(&s->execs);
    skl_map_init(&s->containers_by_id);
    skl_map_init(&s->containers_by_name);
    skl_map_init(&s->networks_by_id);
    skl_map_init(&s->volumes_by_name);
    skl_map_init(&s->execs_by_id);
    rc = open_db(s, err);
    if (rc == 0)
        rc = load(s, err);
    if (rc < 0) {
        skl_store_close(s);
        return rc;
    }
    skl_exec_start_sweep(s);
    *ret = s;
    return 0;
}

/* Frees the elements of a list; `member` is their list node. */
#define FREE_ALL(head, type, member, free_fn)                                                      \
    while (!skl_list_empty(head)) {                                                                \
        type *x_ = SKL_LIST_FIRST(head, type, member);                                             \
        skl_list_remove(&x_->member);                                                              \
        free_fn(x_);                                                                               \
    }

void skl_store_close(struct skl_store *s)
{
    if (!s)
        return;
    skl_timer_cancel(&s->exec_sweep);
    FREE_ALL(&s->execs, struct skl_exec, in_store, skl_exec_free);
    FREE_ALL(&s->containers, struct skl_container, in_store, skl_container_free);
    FREE_ALL(&s->images, struct skl_image, in_store, skl_image_free);
    FREE_ALL(&s->networks, struct skl_network, in_store, skl_network_free);
    FREE_ALL(&s->volumes, struct skl_volume, in_store, skl_volume_free);
    skl_map_fini(&s->containers_by_id);
    skl_map_fini(&s->containers_by_name);
    skl_map_fini(&s->networks_by_id);
    skl_map_fini(&s->volumes_by_name);
    skl_map_fini(&s->execs_by_id);
    skl_db_close(s->db);
    skl_journal_free(s->journal);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s->instance);
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

/* -- rows */

char *skl_row_str(const cJSON *row, const char *name)
{
    return skl_strdup(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, name)));
}

char *skl_row_text(const cJSON *row, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(row, name);

    return item && !cJSON_IsNull(item) ? skl_json_text(item) : NULL;
}

void skl_row_labels(const cJSON *row, const char *name, struct skl_labels *ret)
{
    const cJSON *item;

    *ret = (struct skl_labels){0};
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(row, name)) if (cJSON_IsString(item))
        skl_labels_set(ret, item->string, item->valuestring);
}

void skl_row_add_str(struct skl_json *j, const char *name, const char *value)
{
    if (value)
        skl_json_str(j, name, value);
}

void skl_row_add_labels(struct skl_json *j, const char *name, const struct skl_labels *l)
{
    skl_json_object(j, name);
    for (char **p = l->pairs; p && p[0]; p += 2)
        skl_json_str(j, p[0], p[1]);
    skl_json_end_object(j);
}
