/* GET /system/df. Sizes are what the registry says of images; what containers and volumes hold lies in the cloud and is
 * not measured: 0. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "docker/api/render.h"
#include "docker/api/routes.h"
#include "driver/volume_content.h"

static bool is_wanted(char *const *types, const char *type)
{
    if (!types || !types[0])
        return true; /* all */
    for (; *types; types++)
        if (skl_streq(*types, type))
            return true;
    return false;
}

static int check_types(char *const *types, struct skl_error *err)
{
    static const char *const known[] = {"container", "image", "volume", "build-cache"};

    for (; types && *types; types++) {
        bool is_known = false;

        for (size_t i = 0; i < SKL_ARRAY_LEN(known); i++)
            is_known |= skl_streq(*types, known[i]);
        if (!is_known)
            return skl_fail(err, SKL_E_INVALID, "unknown object type: %.100s", *types);
    }
    return 0;
}

static int64_t containers_of(struct skl_store *s, const struct skl_image *i)
{
    struct skl_list *it;
    int64_t n = 0;

    skl_list_foreach (it, skl_container_all(s)) {
        const struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

        n += skl_streq(c->spec.image_id, i->id);
    }
    return n;
}

static void images(struct skl_json *j, struct skl_store *s, int version)
{
    struct skl_list *it;

    skl_json_array(j, "Images");
    skl_list_foreach (it, skl_image_all(s)) {
        const struct skl_image *i = SKL_LIST_ENTRY(it, struct skl_image, in_store);

        skl_render_image_entry(j, i, containers_of(s, i), version);
    }
    skl_json_end_array(j);
}

static void containers(struct skl_json *j, struct skl_store *s, int version)
{
    int64_t now_ns = skl_wall_ns();
    struct skl_list *it;

    skl_json_array(j, "Containers");
    skl_list_foreach (it, skl_container_all(s)) {
        struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

        skl_render_container_entry(j, s, c, true, version, now_ns);
    }
    skl_json_end_array(j);
}

static void volumes(struct skl_json *j, struct skl_engine *e)
{
    struct skl_store *s = e->store;
    struct skl_list *it;

    skl_json_array(j, "Volumes");
    skl_list_foreach (it, skl_volume_all(s)) {
        const struct skl_volume *v = SKL_LIST_ENTRY(it, struct skl_volume, in_store);

        skl_render_volume(j, v, (int64_t)skl_volume_users(s, v),
                          skl_content_size(e->runtime, v->name));
    }
    skl_json_end_array(j);
}

static int64_t layers_size(struct skl_store *s)
{
    struct skl_list *it;
    int64_t sum = 0;

    skl_list_foreach (it, skl_image_all(s)) {
        const struct skl_image *i = SKL_LIST_ENTRY(it, struct skl_image, in_store);

        sum += i->size;
    }
    return sum;
}

void skl_route_system_df(struct skl_request *r)
{
    char **types = r->version >= 142 ? skl_request_query_all(r, "type") : NULL;
    struct skl_store *s = r->engine->store;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_error err;
    struct skl_json j;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    skl_json_init(&j, &b);
    if (check_types(types, &err) < 0) {
        skl_request_error(r, &err);
        skl_strv_free(types);
        return;
    }
    skl_json_object(&j, NULL);
    skl_json_int(&j, "LayersSize", is_wanted(types, "image") ? layers_size(s) : 0);
    if (is_wanted(types, "image"))
        images(&j, s, r->version);
    else
        skl_json_null(&j, "Images");
    if (is_wanted(types, "container"))
        containers(&j, s, r->version);
    else
        skl_json_null(&j, "Containers");
    if (is_wanted(types, "volume"))
        volumes(&j, r->engine);
    else
        skl_json_null(&j, "Volumes");
    if (is_wanted(types, "build-cache"))
        skl_json_raw(&j, "BuildCache", "[]");
    else
        skl_json_null(&j, "BuildCache");
    skl_json_end_object(&j);
    skl_strv_free(types);
    skl_request_json(r, 200, &b);
}
