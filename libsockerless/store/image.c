/* Images. A name (familiar reference or name@digest) belongs to one image at a time; one map finds images by
 * all of their names, so that whatever was shown to a client leads back to a reference the cloud can pull. */
#include "store/image.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/id.h"
#include "store/store_internal.h"

#define ID_PREFIX "sha256:"

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
    free(i->parent);
    skl_strv_free(i->layers);
    skl_strv_free(i->build_keys);
    skl_labels_fini(&i->labels);
    free(i);
}

static bool has(char *const *v, const char *s)
{
    for (; v && *v; v++)
        if (skl_streq(*v, s))
            return true;
    return false;
}

/* A copy of v without s. */
static char **without(char *const *v, const char *s)
{
    char **kept = skl_new0_n(char *, skl_strv_len(v) + 1);
    size_t n = 0;

    for (; v && *v; v++)
        if (!skl_streq(*v, s))
            kept[n++] = skl_strdup(*v);
    return kept;
}

/* -- finding */

static struct skl_image *by_id_prefix(struct skl_store *s, struct skl_str ref)
{
    struct skl_image *found = NULL;
    struct skl_list *it;

    if (skl_str_starts(ref, ID_PREFIX))
        ref = skl_str_skip(ref, strlen(ID_PREFIX));
    if (ref.n > SKL_ID_LEN || !skl_is_hex(ref))
        return NULL;
    skl_list_foreach (it, &s->images) {
        struct skl_image *i = SKL_LIST_ENTRY(it, struct skl_image, in_store);

        if (memcmp(i->id + strlen(ID_PREFIX), ref.p, ref.n) != 0)
            continue;
        if (found)
            return NULL;
        found = i;
    }
    return found;
}

struct skl_image *skl_image_find(struct skl_store *s, const char *ref)
{
    struct skl_image *i = skl_map_getz(&s->images_by_id, ref);

    if (!i)
        i = skl_map_getz(&s->images_by_name, ref);
    return i ? i : by_id_prefix(s, skl_str(ref));
}

struct skl_list *skl_image_all(struct skl_store *s)
{
    return &s->images;
}

size_t skl_image_count(struct skl_store *s)
{
    return s->images_by_id.n;
}

/* -- changing. Names are set as a whole: a copy of the image with its new names is written, then taken over. */

static int image_write(struct skl_store *s, const struct skl_image *i, struct skl_error *err)
{
    char *body SKL_AUTO_STR = NULL;
    int rc = skl_image_encode(i, &body, err);

    return rc < 0 ? rc : skl_db_put(s->db, SKL_DB_IMAGE, i->id, NULL, body, err);
}

static void map_names(struct skl_store *s, struct skl_image *i)
{
    for (char **p = i->refs; p && *p; p++)
        skl_map_set(&s->images_by_name, skl_str(*p), i);
    for (char **p = i->digests; p && *p; p++)
        skl_map_set(&s->images_by_name, skl_str(*p), i);
}

static void image_link(struct skl_store *s, struct skl_image *i)
{
    skl_list_push(&s->images, &i->in_store);
    skl_map_set(&s->images_by_id, skl_str(i->id), i);
    map_names(s, i);
}

/* Takes refs away from other images, in the database; forget_refs() does the same in memory. */
static int write_taken(struct skl_store *s, const struct skl_image *taker, char *const *refs,
                       struct skl_error *err)
{
    int rc = 0;

    for (; rc == 0 && refs && *refs; refs++) {
        struct skl_image *other = skl_map_getz(&s->images_by_name, *refs);

        if (other && !skl_streq(other->id, taker->id) && has(other->refs, *refs)) {
            struct skl_image next = *other;

            /* Several refs may leave the same image: each write leaves out all of them. */
            next.refs = skl_strv_dup(other->refs);
            for (char *const *p = refs; *p; p++) {
                char **kept = without(next.refs, *p);

                skl_strv_free(next.refs);
                next.refs = kept;
            }
            rc = image_write(s, &next, err);
            skl_strv_free(next.refs);
        }
    }
    return rc;
}

static void forget_refs(struct skl_store *s, const struct skl_image *taker, char *const *refs)
{
    for (; refs && *refs; refs++) {
        struct skl_image *other = skl_map_getz(&s->images_by_name, *refs);

        if (other && other != taker && has(other->refs, *refs)) {
            char **kept = without(other->refs, *refs);

            skl_strv_free(other->refs);
            other->refs = kept;
        }
    }
}

/* Writes `next` (to be) and what it takes from others, in one transaction. */
static int write_with_refs(struct skl_store *s, const struct skl_image *next, struct skl_error *err)
{
    int rc = skl_db_begin(s->db, err);

    if (rc < 0)
        return rc;
    rc = image_write(s, next, err);
    if (rc == 0)
        rc = write_taken(s, next, next->refs, err);
    return skl_db_end(s->db, rc, err);
}

static void union_of(char ***to, char *const *from)
{
    for (; from && *from; from++)
        if (!has(*to, *from))
            skl_strv_push(to, *from);
}

/* own_i is newer news about `old`: its facts count, names are joined. A guess never replaces a fact. */
static void merge(struct skl_image *own_i, const struct skl_image *old)
{
    char **refs = skl_strv_dup(old->refs), **digests = skl_strv_dup(old->digests);

    union_of(&refs, own_i->refs);
    union_of(&digests, own_i->digests);
    skl_strv_free(own_i->refs);
    skl_strv_free(own_i->digests);
    own_i->refs = refs;
    own_i->digests = digests;
    if (own_i->synthetic && !old->synthetic) {
        own_i->synthetic = false;
        skl_strset(&own_i->pull_ref, old->pull_ref);
        skl_strset(&own_i->config_json, old->config_json);
        skl_strset(&own_i->os, old->os);
        skl_strset(&own_i->architecture, old->architecture);
        skl_strset(&own_i->variant, old->variant);
        skl_labels_copy(&own_i->labels, &old->labels);
        own_i->created_ns = old->created_ns;
        own_i->size = old->size;
    }
    if (!own_i->registry_auth)
        own_i->registry_auth = skl_strdup(old->registry_auth);
}

/* *to becomes *from, in place: others hold pointers to it. */
static void take_over(struct skl_image *to, struct skl_image *from)
{
    struct skl_image old = *to;

    *to = *from;
    to->in_store = old.in_store;
    *from = old;
    skl_list_init(&from->in_store);
    skl_image_free(from);
}

int skl_image_add(struct skl_store *s, struct skl_image *own_i, struct skl_image **ret,
                  struct skl_error *err)
{
    struct skl_image *i = own_i;
    struct skl_image *old = skl_map_getz(&s->images_by_id, i->id);
    int rc;

    SKL_ASSERT(strlen(i->id) == strlen(ID_PREFIX) + SKL_ID_LEN);
    if (i->tagged_ns == 0)
        i->tagged_ns = skl_wall_ns();
    if (old)
        merge(i, old);
    rc = write_with_refs(s, i, err);
    if (rc < 0) {
        skl_image_free(i);
        return rc;
    }
    forget_refs(s, old, i->refs);
    if (old) {
        /* a name that only the old record had stays mapped: names are joined */
        take_over(old, i);
        map_names(s, old);
        *ret = old;
        return 0;
    }
    image_link(s, i);
    *ret = i;
    return 0;
}

int skl_image_tag(struct skl_store *s, struct skl_image *i, const char *ref, struct skl_error *err)
{
    struct skl_image next = *i;
    int rc;

    if (has(i->refs, ref))
        return 0;
    next.refs = skl_strv_dup(i->refs);
    skl_strv_push(&next.refs, ref);
    next.tagged_ns = skl_wall_ns();
    rc = write_with_refs(s, &next, err);
    if (rc < 0) {
        skl_strv_free(next.refs);
        return rc;
    }
    forget_refs(s, i, next.refs);
    skl_strv_free(i->refs);
    i->refs = next.refs;
    i->tagged_ns = next.tagged_ns;
    map_names(s, i);
    return 0;
}

int skl_image_untag(struct skl_store *s, struct skl_image *i, const char *ref,
                    struct skl_error *err)
{
    char *name SKL_AUTO_STR = skl_strdup(ref); /* may be one of the strings freed below */
    struct skl_image next = *i;
    int rc;

    if (!has(i->refs, name) && !has(i->digests, name))
        return skl_fail(err, SKL_E_NOTFOUND, "No such image: %s", name);
    next.refs = without(i->refs, name);
    next.digests = without(i->digests, name);
    rc = image_write(s, &next, err);
    if (rc < 0) {
        skl_strv_free(next.refs);
        skl_strv_free(next.digests);
        return rc;
    }
    skl_map_remove(&s->images_by_name, skl_str(name));
    skl_strv_free(i->refs);
    skl_strv_free(i->digests);
    i->refs = next.refs;
    i->digests = next.digests;
    return 0;
}

static void unmap_names(struct skl_store *s, struct skl_image *i, char *const *names)
{
    for (; names && *names; names++)
        if (skl_map_getz(&s->images_by_name, *names) == i)
            skl_map_remove(&s->images_by_name, skl_str(*names));
}

int skl_image_remove(struct skl_store *s, struct skl_image *i, struct skl_error *err)
{
    int rc = skl_db_delete(s->db, SKL_DB_IMAGE, i->id, err);

    if (rc < 0)
        return rc;
    unmap_names(s, i, i->refs);
    unmap_names(s, i, i->digests);
    skl_map_remove(&s->images_by_id, skl_str(i->id));
    skl_list_remove(&i->in_store);
    skl_image_free(i);
    return 0;
}

static int load_one(void *arg, const char *key, const char *body, struct skl_error *err)
{
    struct skl_store *s = arg;
    struct skl_image *i = skl_image_new();
    int rc = skl_image_decode(skl_str(body), i, err);

    if (rc == 0 && strlen(key) != strlen(ID_PREFIX) + SKL_ID_LEN)
        rc = skl_fail(err, SKL_E_INTERNAL, "the id is no valid one");
    if (rc < 0) {
        skl_image_free(i);
        return rc;
    }
    snprintf(i->id, sizeof(i->id), "%s", key);
    image_link(s, i);
    return 0;
}

int skl_images_load(struct skl_store *s, struct skl_error *err)
{
    return skl_db_each(s->db, SKL_DB_IMAGE, load_one, s, err);
}
