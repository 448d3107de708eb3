#include "store/volume.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/store_internal.h"

struct skl_volume *skl_volume_new(void)
{
    struct skl_volume *v = skl_new0(struct skl_volume);

    v->created_ns = skl_wall_ns();
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

static char *row_text(const struct skl_volume *v)
{
    struct skl_json j;
    struct skl_buf b;

    skl_buf_init(&b, 4 * SKL_MIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_row_add_str(&j, "driver", v->driver);
    skl_json_strf(&j, "created", "%lld", (long long)v->created_ns);
    skl_json_bool(&j, "anonymous", v->anonymous);
    skl_row_add_str(&j, "options", v->options_json);
    skl_row_add_labels(&j, "labels", &v->labels);
    skl_json_end_object(&j);
    return skl_buf_detach(&b);
}

static void link_volume(struct skl_store *s, struct skl_volume *v)
{
    skl_list_push(&s->volumes, &v->in_store);
    skl_map_set(&s->volumes_by_name, skl_str(v->name), v);
}

int skl_volume_load(void *store, const char *id, const cJSON *fixed, const cJSON *moving,
                    struct skl_error *err)
{
    struct skl_volume *v = skl_volume_new();
    int64_t created = 0;

    v->name = skl_strdup(id);
    v->driver = skl_row_str(fixed, "driver");
    if (skl_str_i64(skl_str(skl_json_get_str(fixed, "created")), &created))
        v->created_ns = created;
    v->anonymous = skl_json_get_bool(fixed, "anonymous", false);
    v->options_json = skl_row_str(fixed, "options");
    skl_row_labels(fixed, "labels", &v->labels);
    link_volume(store, v);
    return 0;
}

struct skl_volume *skl_volume_find(struct skl_store *s, const char *name)
{
    return skl_map_getz(&s->volumes_by_name, name);
}

struct skl_list *skl_volume_all(struct skl_store *s)
{
    return &s->volumes;
}

static void event(struct skl_store *s, const struct skl_volume *v, const char *action)
{
    struct skl_labels attributes = {0};

    skl_labels_set(&attributes, "driver", v->driver);
    skl_journal_emit(s->journal, "volume", action, v->name, NULL, attributes.pairs);
    skl_labels_fini(&attributes);
}

int skl_volume_add(struct skl_store *s, struct skl_volume *own_v, struct skl_volume **ret,
                   struct skl_error *err)
{
    char *row SKL_AUTO_STR = row_text(own_v);
    int rc;

    *ret = skl_volume_find(s, own_v->name);
    if (*ret) { /* the same name again is the same volume */
        skl_volume_free(own_v);
        return 0;
    }
    rc = skl_db_insert(s->db, "volume", own_v->name, row, "{}", err);
    if (rc < 0) {
        skl_volume_free(own_v);
        return rc;
    }
    link_volume(s, own_v);
    event(s, own_v, "create");
    *ret = own_v;
    return 0;
}

static bool mounts(const struct skl_container *c, const struct skl_volume *v)
{
    for (size_t i = 0; i < c->spec.n_mounts; i++)
        if (skl_streq(c->spec.mounts[i].type, "volume") &&
            skl_streq(c->spec.mounts[i].name, v->name))
            return true;
    return false;
}

size_t skl_volume_users(struct skl_store *s, const struct skl_volume *v)
{
    struct skl_list *it;
    size_t n = 0;

    skl_list_foreach (it, &s->containers)
        n += mounts(SKL_LIST_ENTRY(it, struct skl_container, in_store), v);
    return n;
}

int skl_volume_remove(struct skl_store *s, struct skl_volume *v, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf users;
    struct skl_list *it;
    int rc;

    skl_buf_init(&users, 4 * SKL_KIB); /* the message is cut anyway */
    skl_list_foreach (it, &s->containers) {
        struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

        if (mounts(c, v))
            skl_buf_addf(&users, "%s%s", users.n ? ", " : "", c->id);
    }
    if (users.n > 0)
        return skl_fail(err, SKL_E_CONFLICT, "remove %s: volume is in use - [%s]", v->name,
                        users.p);
    rc = skl_db_delete(s->db, "volume", v->name, err);
    if (rc < 0)
        return rc;
    skl_map_remove(&s->volumes_by_name, skl_str(v->name));
    skl_list_remove(&v->in_store);
    event(s, v, "destroy");
    skl_volume_free(v);
    return 0;
}
