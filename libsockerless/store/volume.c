/* Volumes: records with a name. */
#include "store/volume.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "store/store_internal.h"

struct skl_volume *skl_volume_new(void)
{
    struct skl_volume *v = skl_new0(struct skl_volume);

    skl_list_init(&v->in_store);
    return v;
}

void skl_volume_free(struct skl_volume *v)
{
    if (!v)
        return;
    free(v->name);
    free(v->driver);
    free(v->options_json);
    skl_labels_fini(&v->labels);
    free(v);
}

struct skl_volume *skl_volume_find(struct skl_store *s, const char *name)
{
    return skl_map_getz(&s->volumes_by_name, name);
}

struct skl_list *skl_volume_all(struct skl_store *s)
{
    return &s->volumes;
}

static void volume_event(struct skl_store *s, const struct skl_volume *v, const char *action)
{
    char *attributes[] = {(char[]){"driver"}, v->driver, NULL};

    skl_journal_emit(s->journal, "volume", action, v->name, NULL, attributes);
}

static void volume_link(struct skl_store *s, struct skl_volume *v)
{
    skl_list_push(&s->volumes, &v->in_store);
    skl_map_set(&s->volumes_by_name, skl_str(v->name), v);
}

int skl_volume_add(struct skl_store *s, struct skl_volume *own_v, struct skl_volume **ret,
                   struct skl_error *err)
{
    struct skl_volume *v = own_v, *other;
    char *body SKL_AUTO_STR = NULL;
    int rc;

    SKL_ASSERT(!skl_str_empty(v->name));
    if (skl_str_empty(v->driver))
        skl_strset(&v->driver, "local");
    other = skl_volume_find(s, v->name);
    if (other) {
        rc = 0;
        if (skl_streq(other->driver, v->driver))
            *ret = other;
        else
            rc = skl_fail(err, SKL_E_CONFLICT,
                          "create %s: a volume of this name exists with driver %s: volume name "
                          "must be unique",
                          v->name, other->driver);
        skl_volume_free(v);
        return rc;
    }
    if (v->created_ns == 0)
        v->created_ns = skl_wall_ns();
    rc = skl_volume_encode(v, &body, err);
    if (rc == 0)
        rc = skl_db_put(s->db, SKL_DB_VOLUME, v->name, NULL, body, err);
    if (rc < 0) {
        skl_volume_free(v);
        return rc;
    }
    volume_link(s, v);
    volume_event(s, v, "create");
    *ret = v;
    return 0;
}

static bool is_mounted(const struct skl_container *c, const struct skl_volume *v)
{
    for (size_t i = 0; i < c->spec.n_mounts; i++)
        if (skl_streq(c->spec.mounts[i].type, "volume") &&
            skl_streq(c->spec.mounts[i].name, v->name))
            return true;
    return false;
}

int skl_volume_remove(struct skl_store *s, struct skl_volume *v, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf users = {0};
    struct skl_list *it;
    int rc;

    skl_buf_init(&users, 4096); /* an error message is cut long before */
    skl_list_foreach (it, &s->containers) {
        struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

        if (is_mounted(c, v))
            skl_buf_addf(&users, "%s%s", users.n ? ", " : "", c->id);
    }
    if (users.n > 0)
        return skl_fail(err, SKL_E_CONFLICT, "remove %s: volume is in use - [%s]", v->name,
                        users.p);
    rc = skl_db_delete(s->db, SKL_DB_VOLUME, v->name, err);
    if (rc < 0)
        return rc;
    skl_map_remove(&s->volumes_by_name, skl_str(v->name));
    skl_list_remove(&v->in_store);
    volume_event(s, v, "destroy");
    skl_volume_free(v);
    return 0;
}

size_t skl_volume_users(struct skl_store *s, const struct skl_volume *v)
{
    struct skl_list *it;
    size_t n = 0;

    skl_list_foreach (it, &s->containers)
        n += is_mounted(SKL_LIST_ENTRY(it, struct skl_container, in_store), v);
    return n;
}

static int load_one(void *arg, const char *key, const char *body, struct skl_error *err)
{
    struct skl_store *s = arg;
    struct skl_volume *v = skl_volume_new();
    int rc = skl_volume_decode(skl_str(body), v, err);

    if (rc < 0) {
        skl_volume_free(v);
        return rc;
    }
    v->name = skl_strdup(key);
    volume_link(s, v);
    return 0;
}

int skl_volumes_load(struct skl_store *s, struct skl_error *err)
{
    return skl_db_each(s->db, SKL_DB_VOLUME, load_one, s, err);
}
