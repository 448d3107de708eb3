/* DELETE /images/{name}: names are taken away first, the image goes with its last one.
 *
 * A running container holds its image in any case; a stopped one only without force.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "docker/api/prune.h"
#include "docker/api/render.h"
#include "docker/api/routes.h"
#include "docker/images/image_events.h"
#include "docker/images/image_names.h"
#include "docker/images/layers.h"

#define SHORT_ID 12

struct removal {
    struct skl_engine *e;
    struct skl_store *s;
    struct skl_image *i;
    const char *name; /* as the user wrote it */
    bool force;
    struct skl_json j;
};

static const struct skl_container *user_of(const struct removal *x, bool running)
{
    struct skl_list *it;

    skl_list_foreach (it, skl_container_all(x->s)) {
        const struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

        if (skl_streq(c->spec.image_id, x->i->id) && skl_container_is_running(c) == running)
            return c;
    }
    return NULL;
}

static const char *short_id(const struct skl_image *i)
{
    return i->id + strlen("sha256:");
}

static int check_users(const struct removal *x, struct skl_error *err)
{
    const struct skl_container *c = user_of(x, true);

    if (c)
        return skl_fail(err, SKL_E_CONFLICT,
                        "conflict: unable to delete %.*s (cannot be forced) - image is being used "
                        "by running container %.*s",
                        SHORT_ID, short_id(x->i), SHORT_ID, c->id);
    c = user_of(x, false);
    if (c && !x->force)
        return skl_fail(err, SKL_E_CONFLICT,
                        "conflict: unable to delete %.*s (must be forced) - image is being used by "
                        "stopped container %.*s",
                        SHORT_ID, short_id(x->i), SHORT_ID, c->id);
    return 0;
}

static void tell_untagged(struct removal *x, const char *ref)
{
    skl_json_object(&x->j, NULL);
    skl_json_str(&x->j, "Untagged", ref);
    skl_json_end_object(&x->j);
}

/* Digests that go with their last tag go without an event. */
static int untag(struct removal *x, const char *ref, bool with_event, struct skl_error *err)
{
    SKL_AUTO_STR char *copy = skl_strdup(ref);
    int rc = skl_image_untag(x->s, x->i, copy, err);

    if (rc == 0) {
        if (with_event)
            skl_image_event(x->e, x->i, "untag", NULL);
        tell_untagged(x, copy);
    }
    return rc;
}

/* Digests of a repository go with its last tag. */
static int untag_digests(struct removal *x, const char *repository, struct skl_error *err)
{
    int rc = 0;

    for (size_t n = 0; rc == 0 && x->i->digests && x->i->digests[n];) {
        SKL_AUTO_STR char *name = skl_image_repository(x->i->digests[n]);

        if (!skl_streq(name, repository))
            n++;
        else
            rc = untag(x, x->i->digests[n], false, err);
    }
    return rc;
}

static size_t tags_in(const struct skl_image *i, const char *repository)
{
    size_t n = 0;

    for (char **p = i->refs; p && *p; p++) {
        SKL_AUTO_STR char *name = skl_image_repository(*p);

        n += skl_streq(name, repository);
    }
    return n;
}

static bool in_several_repositories(const struct skl_image *i)
{
    SKL_AUTO_STR char *first = i->refs && i->refs[0] ? skl_image_repository(i->refs[0]) : NULL;

    return first && tags_in(i, first) < skl_strv_len(i->refs);
}

/* With all its names, in one write: a daemon that dies here leaves no image without a name. */
static int delete_image(struct removal *x, bool digests_with_event, struct skl_error *err)
{
    SKL_AUTO_STR char *id = skl_strdup(x->i->id);
    char **refs = skl_strv_dup(x->i->refs), **digests = skl_strv_dup(x->i->digests);
    struct skl_labels labels = {0};
    int rc;

    skl_labels_copy(&labels, &x->i->labels);
    rc = skl_image_remove(x->s, x->i, err);
    if (rc == 0) {
        for (char **p = refs; p && *p; p++) {
            skl_image_event_of(x->e, id, "untag", id, &labels);
            tell_untagged(x, *p);
        }
        for (char **p = digests; p && *p; p++) {
            if (digests_with_event)
                skl_image_event_of(x->e, id, "untag", id, &labels);
            tell_untagged(x, *p);
        }
        skl_image_event_of(x->e, id, "delete", id, NULL);
        skl_json_object(&x->j, NULL);
        skl_json_str(&x->j, "Deleted", id);
        skl_json_end_object(&x->j);
    }
    skl_labels_fini(&labels);
    skl_strv_free(refs);
    skl_strv_free(digests);
    return rc;
}

static int remove_by_id(struct removal *x, struct skl_error *err)
{
    int rc;

    if (!x->force && in_several_repositories(x->i))
        return skl_fail(err, SKL_E_CONFLICT,
                        "conflict: unable to delete %.*s (must be forced) - image is referenced in "
                        "multiple repositories",
                        SHORT_ID, short_id(x->i));
    rc = check_users(x, err);
    return rc < 0 ? rc : delete_image(x, true, err);
}

/* Without `ref`, and the digests of its repository, nothing names the image. */
static bool is_last_name(const struct removal *x, const char *ref, const char *repository)
{
    for (char **p = x->i->refs; p && *p; p++)
        if (!skl_streq(*p, ref))
            return false;
    for (char **p = x->i->digests; p && *p; p++) {
        SKL_AUTO_STR char *name = skl_image_repository(*p);

        if (!skl_streq(name, repository))
            return false;
    }
    return true;
}

static int remove_by_name(struct removal *x, const char *ref, struct skl_error *err)
{
    SKL_AUTO_STR char *repository = skl_image_repository(ref);
    bool last = skl_strv_len(x->i->refs) <= 1;
    const struct skl_container *c = user_of(x, true);
    int rc;

    c = c ? c : user_of(x, false);
    if (last && c && !x->force)
        return skl_fail(err, SKL_E_CONFLICT,
                        "conflict: unable to remove repository reference \"%.200s\" (must force) - "
                        "container %.*s is using its referenced image %.*s",
                        x->name, SHORT_ID, c->id, SHORT_ID, short_id(x->i));
    /* What uses the image keeps it, without a name. */
    if (is_last_name(x, ref, repository) && check_users(x, NULL) == 0)
        return delete_image(x, false, err);
    rc = untag(x, ref, true, err);
    if (rc == 0 && tags_in(x->i, repository) == 0)
        rc = untag_digests(x, repository, err);
    return rc;
}

static int remove_image(struct removal *x, struct skl_error *err)
{
    SKL_AUTO_REFERENCE struct skl_reference ref = {0};
    SKL_AUTO_STR char *familiar = NULL;

    if (skl_reference_parse(x->name, &ref, NULL) < 0)
        return remove_by_id(x, err);
    skl_reference_default_tag(&ref);
    familiar = skl_reference_familiar(&ref);
    for (char **p = x->i->refs; p && *p; p++)
        if (skl_streq(*p, familiar))
            return remove_by_name(x, familiar, err);
    for (char **p = x->i->digests; p && *p; p++)
        if (skl_streq(*p, familiar))
            return remove_by_name(x, familiar, err);
    return remove_by_id(x, err); /* a short id that reads like a name */
}

void skl_route_image_remove(struct skl_request *r)
{
    struct removal x = {
        .e = r->engine,
        .s = r->engine->store,
        .name = r->param,
        .force = skl_request_query_bool(r, "force", false),
    };
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_error err;
    int rc = skl_image_lookup(x.s, r->param, &x.i, &err);

    skl_buf_init(&b, SKL_MIB);
    skl_json_init(&x.j, &b);
    skl_json_array(&x.j, NULL);
    if (rc == 0)
        rc = remove_image(&x, &err);
    skl_json_end_array(&x.j);
    skl_render_forget_lists(x.s);
    (void)skl_layers_collect(r->engine); /* what it freed is not told here */
    if (rc < 0)
        skl_request_error(r, &err);
    else
        skl_request_json(r, 200, &b);
}

/* -- prune */

/* What an image takes beyond the one it was made from, while that is there. */
static int64_t own_size(const struct removal *x)
{
    const struct skl_image *parent = x->i->parent ? skl_image_find(x->s, x->i->parent) : NULL;

    return parent && parent->size < x->i->size ? x->i->size - parent->size : x->i->size;
}

static bool is_unused(const struct removal *x)
{
    return !user_of(x, true) && !user_of(x, false);
}

void skl_route_image_prune(struct skl_request *r)
{
    SKL_AUTO_PRUNE struct skl_prune prune = {0};
    struct removal x = {.e = r->engine, .s = r->engine->store, .force = true};
    SKL_AUTO_BUF struct skl_buf b = {0};
    bool dangling = true;
    int64_t reclaimed = 0;
    struct skl_list *it, *tmp;
    struct skl_error err;

    if (skl_prune_init(&prune, r, (const char *const[]){"dangling", NULL}, &err) < 0 ||
        skl_filters_bool(&prune.filters, "dangling", &dangling, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    skl_json_init(&x.j, &b);
    skl_json_object(&x.j, NULL);
    skl_json_array(&x.j, "ImagesDeleted");
    skl_list_foreach_safe (it, tmp, skl_image_all(x.s)) {
        int64_t size;

        x.i = SKL_LIST_ENTRY(it, struct skl_image, in_store);
        size = own_size(&x);
        if ((!dangling || !x.i->refs || !x.i->refs[0]) && is_unused(&x) &&
            skl_prune_takes(&prune, &x.i->labels, x.i->created_ns) && remove_by_id(&x, NULL) == 0)
            reclaimed += size;
    }
    skl_json_end_array(&x.j);
    skl_json_int(&x.j, "SpaceReclaimed", reclaimed);
    skl_json_end_object(&x.j);
    skl_render_forget_lists(x.s);
    (void)skl_layers_collect(r->engine); /* their sizes are in the images' */
    skl_prune_event(r->engine, "image", reclaimed);
    skl_request_json(r, 200, &b);
}
