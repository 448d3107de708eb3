#include "store/image.h"

#include "base/alloc.h"
#include "base/id.h"
#include "base/limits.h"
#include "store/store_internal.h"

struct skl_image *skl_image_new(void)
{
    struct skl_image *i = skl_new0(struct skl_image);

    skl_list_init(&i->in_store);
    return i;
}

void skl_image_free(struct skl_image *i)
{
    if (!i)
        return;
    skl_strv_free(i->refs);
    skl_strv_free(i->digests);
    free(i->pull_ref);
    free(i->config_json);
    free(i->os);
    free(i->architecture);
    free(i->variant);
    free(i->registry_auth);
    skl_labels_fini(&i->labels);
    free(i);
}

/* -- rows: names change, the rest does not */

static char *fixed_text(const struct skl_image *i)
{
    struct skl_json j;
    struct skl_buf b;

    skl_buf_init(&b, 16 * SKL_MIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_row_add_str(&j, "config", i->config_json);
    skl_row_add_str(&j, "os", i->os);
    skl_row_add_str(&j, "architecture", i->architecture);
    skl_row_add_str(&j, "variant", i->variant);
    skl_json_strf(&j, "created", "%lld", (long long)i->created_ns);
    skl_json_int(&j, "size", i->size);
    skl_json_bool(&j, "synthetic", i->synthetic);
    skl_row_add_labels(&j, "labels", &i->labels);
    skl_json_end_object(&j);
    return skl_buf_detach(&b);
}

static char *moving_text(const struct skl_image *i)
{
    struct skl_json j;
    struct skl_buf b;

    skl_buf_init(&b, 16 * SKL_MIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_strv(&j, "refs", i->refs);
    skl_json_strv(&j, "digests", i->digests);
    skl_row_add_str(&j, "pull_ref", i->pull_ref);
    skl_row_add_str(&j, "registry_auth", i->registry_auth);
    skl_json_strf(&j, "tagged", "%lld", (long long)i->tagged_ns);
    skl_json_end_object(&j);
    return skl_buf_detach(&b);
}

static int64_t row_ns(const cJSON *row, const char *name)
{
    int64_t v = 0;

    return skl_str_i64(skl_str(skl_json_get_str(row, name)), &v) ? v : 0;
}

int skl_image_load(void *store, const char *id, const cJSON *fixed, const cJSON *moving,
                   struct skl_error *err)
{
    struct skl_store *s = store;
    struct skl_image *i;

    if (strlen(id) >= sizeof(i->id))
        return skl_fail(err, SKL_E_INTERNAL, "image '%.80s' is not complete", id);
    i = skl_image_new();
    memcpy(i->id, id, strlen(id) + 1);
    i->config_json = skl_row_str(fixed, "config");
    i->os = skl_row_str(fixed, "os");
    i->architecture = skl_row_str(fixed, "architecture");
    i->variant = skl_row_str(fixed, "variant");
    i->created_ns = row_ns(fixed, "created");
    i->size = skl_json_get_int(fixed, "size", 0);
    i->synthetic = skl_json_get_bool(fixed, "synthetic", false);
    skl_row_labels(fixed, "labels", &i->labels);
    i->refs = skl_json_get_strv(moving, "refs");
    i->digests = skl_json_get_strv(moving, "digests");
    i->pull_ref = skl_row_str(moving, "pull_ref");
    i->registry_auth = skl_row_str(moving, "registry_auth");
    i->tagged_ns = row_ns(moving, "tagged");
    skl_list_push(&s->images, &i->in_store);
    return 0;
}

static int persist(struct skl_store *s, const struct skl_image *i, struct skl_error *err)
{
    char *moving SKL_AUTO_STR = moving_text(i);

    return skl_db_update(s->db, "image", i->id, moving, err);
}

/* -- finding */

static bool strv_has(char *const *v, const char *s)
{
    for (; v && *v; v++)
        if (strcmp(*v, s) == 0)
            return true;
    return false;
}

static void strv_remove(char **v, const char *s)
{
    for (; v && *v; v++)
        if (strcmp(*v, s) == 0) {
            free(*v);
            for (; v[0]; v++)
                v[0] = v[1];
            return;
        }
}

static struct skl_image *by_prefix(struct skl_store *s, const char *prefix)
{
    struct skl_image *found = NULL;
    struct skl_list *it;

    if (!skl_is_hex(skl_str(prefix)))
        return NULL;
    skl_list_foreach (it, &s->images) {
        struct skl_image *i = SKL_LIST_ENTRY(it, struct skl_image, in_store);

        if (!skl_str_starts(skl_str(i->id + strlen("sha256:")), prefix))
            continue;
        if (found)
            return NULL;
        found = i;
    }
    return found;
}

struct skl_image *skl_image_find(struct skl_store *s, const char *ref)
{
    struct skl_list *it;

    skl_list_foreach (it, &s->images) {
        struct skl_image *i = SKL_LIST_ENTRY(it, struct skl_image, in_store);

        if (strcmp(i->id, ref) == 0 || strv_has(i->refs, ref) || strv_has(i->digests, ref))
            return i;
    }
    return by_prefix(s, skl_str_starts(skl_str(ref), "sha256:") ? ref + 7 : ref);
}

struct skl_list *skl_image_all(struct skl_store *s)
{
    return &s->images;
}

size_t skl_image_count(struct skl_store *s)
{
    struct skl_list *it;
    size_t n = 0;

    skl_list_foreach (it, &s->images)
        n++;
    return n;
}

/* -- changing */

static void event(struct skl_store *s, const struct skl_image *i, const char *action,
                  const char *name)
{
    struct skl_labels attributes = {0};

    skl_labels_copy(&attributes, &i->labels);
    skl_labels_set(&attributes, "name", name);
    skl_journal_emit(s->journal, "image", action, i->id, NULL, attributes.pairs);
    skl_labels_fini(&attributes);
}

/* A name belongs to one image. */
static int take_ref(struct skl_store *s, const struct skl_image *from_others_than, const char *ref,
                    struct skl_error *err)
{
    struct skl_list *it;

    skl_list_foreach (it, &s->images) {
        struct skl_image *i = SKL_LIST_ENTRY(it, struct skl_image, in_store);

        if (i == from_others_than || !strv_has(i->refs, ref))
            continue;
        strv_remove(i->refs, ref);
        return persist(s, i, err);
    }
    return 0;
}

static int merge(struct skl_store *s, struct skl_image *to, struct skl_image *own_from,
                 struct skl_error *err)
{
    for (char **p = own_from->refs; p && *p; p++)
        if (!strv_has(to->refs, *p))
            skl_strv_push(&to->refs, *p);
    for (char **p = own_from->digests; p && *p; p++)
        if (!strv_has(to->digests, *p))
            skl_strv_push(&to->digests, *p);
    skl_strset(&to->pull_ref, own_from->pull_ref);
    if (own_from->registry_auth)
        skl_strset(&to->registry_auth, own_from->registry_auth);
    to->tagged_ns = own_from->tagged_ns;
    skl_image_free(own_from);
    return persist(s, to, err);
}

int skl_image_add(struct skl_store *s, struct skl_image *own_i, struct skl_image **ret,
                  struct skl_error *err)
{
    struct skl_image *same = skl_image_find(s, own_i->id);
    int rc = 0;

    for (char **p = own_i->refs; rc == 0 && p && *p; p++)
        rc = take_ref(s, same, *p, err);
    if (rc == 0 && same) {
        *ret = same;
        return merge(s, same, own_i, err);
    }
    if (rc == 0) {
        char *fixed SKL_AUTO_STR = fixed_text(own_i);
        char *moving SKL_AUTO_STR = moving_text(own_i);

        rc = skl_db_insert(s->db, "image", own_i->id, fixed, moving, err);
    }
    if (rc < 0) {
        skl_image_free(own_i);
        return rc;
    }
    skl_list_push(&s->images, &own_i->in_store);
    *ret = own_i;
    return 0;
}

int skl_image_tag(struct skl_store *s, struct skl_image *i, const char *ref, struct skl_error *err)
{
    int rc = take_ref(s, i, ref, err);

    if (rc == 0 && !strv_has(i->refs, ref)) {
        skl_strv_push(&i->refs, ref);
        rc = persist(s, i, err);
        if (rc < 0)
            strv_remove(i->refs, ref);
    }
    if (rc == 0)
        event(s, i, "tag", ref);
    return rc;
}

int skl_image_untag(struct skl_store *s, struct skl_image *i, const char *ref,
                    struct skl_error *err)
{
    bool was_ref = strv_has(i->refs, ref), was_digest = strv_has(i->digests, ref);
    char *name SKL_AUTO_STR = skl_strdup(ref); /* it may be the very string that goes */
    int rc;

    strv_remove(i->refs, name);
    strv_remove(i->digests, name);
    rc = persist(s, i, err);
    if (rc < 0) {
        if (was_ref)
            skl_strv_push(&i->refs, name);
        if (was_digest)
            skl_strv_push(&i->digests, name);
        return rc;
    }
    event(s, i, "untag", i->id);
    return 0;
}

int skl_image_remove(struct skl_store *s, struct skl_image *i, struct skl_error *err)
{
    int rc = skl_db_delete(s->db, "image", i->id, err);

    if (rc < 0)
        return rc;
    skl_list_remove(&i->in_store);
    event(s, i, "delete", i->id);
    skl_image_free(i);
    return 0;
}
