/* Lists, details, names of images. */
#include <fnmatch.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/api/fields.h"
#include "docker/api/filters.h"
#include "docker/api/render.h"
#include "docker/api/routes.h"
#include "docker/containers/container_render.h"
#include "docker/images/image_events.h"
#include "docker/images/image_names.h"

/* -- list */

static bool has_items(char *const *v)
{
    return v && *v;
}

static bool matches_reference(const struct skl_filters *f, const struct skl_image *i)
{
    char *const *v = skl_filters_values(f, "reference");

    if (!v)
        return true;
    for (; *v; v++)
        for (char **ref = i->refs; ref && *ref; ref++) {
            SKL_AUTO_STR char *name = skl_image_repository(*ref);

            if (fnmatch(*v, *ref, FNM_PATHNAME) == 0 || fnmatch(*v, name, FNM_PATHNAME) == 0)
                return true;
        }
    return false;
}

static int image_limit(struct skl_store *s, const struct skl_filters *f, const char *key,
                       const struct skl_image **ret, struct skl_error *err)
{
    char *const *v = skl_filters_values(f, key);
    struct skl_image *i;
    int rc;

    *ret = NULL;
    if (!v)
        return 0;
    rc = skl_image_lookup(s, *v, &i, err);
    if (rc == 0)
        *ret = i;
    return rc;
}

struct image_filter {
    struct skl_filters filters;
    const struct skl_image *before, *since;
    bool dangling, by_dangling;
};

static int filter_init(struct image_filter *x, struct skl_request *r, struct skl_error *err)
{
    static const char *const keys[] = {"before", "dangling", "label", "reference",
                                       "since",  "until",    NULL};
    SKL_AUTO_STR char *text = skl_request_query(r, "filters");
    int rc;

    *x = (struct image_filter){0};
    rc = skl_filters_parse(text, &x->filters, err);
    if (rc == 0)
        rc = skl_filters_accept(&x->filters, keys, err);
    if (rc == 0)
        rc = skl_filters_bool(&x->filters, "dangling", &x->dangling, err);
    x->by_dangling = rc == 0 && skl_filters_has(&x->filters, "dangling");
    if (rc == 0)
        rc = image_limit(r->engine->store, &x->filters, "before", &x->before, err);
    if (rc == 0)
        rc = image_limit(r->engine->store, &x->filters, "since", &x->since, err);
    return rc;
}

static bool filter_takes(const struct image_filter *x, const struct skl_image *i)
{
    if ((x->before && i->created_ns >= x->before->created_ns) ||
        (x->since && i->created_ns <= x->since->created_ns))
        return false;
    if (x->by_dangling && x->dangling == has_items(i->refs))
        return false;
    return skl_filters_labels(&x->filters, "label", &i->labels) &&
           matches_reference(&x->filters, i);
}

static void render_names(struct skl_json *j, const char *key, char *const *v, const char *none)
{
    skl_json_array(j, key);
    for (char *const *p = v; p && *p; p++)
        skl_json_str(j, NULL, *p);
    if (!has_items(v) && none)
        skl_json_str(j, NULL, none);
    skl_json_end_array(j);
}

void skl_render_image_entry(struct skl_json *j, const struct skl_image *i, int64_t containers,
                            int version)
{
    bool dangling = !has_items(i->refs) && !has_items(i->digests);

    skl_json_object(j, NULL);
    skl_json_int(j, "Containers", containers);
    skl_json_int(j, "Created", i->created_ns / SKL_NS_PER_S);
    skl_json_str(j, "Id", i->id);
    if (skl_labels_count(&i->labels))
        skl_render_labels(j, "Labels", &i->labels);
    else
        skl_json_null(j, "Labels");
    skl_json_str(j, "ParentId", i->parent);
    render_names(j, "RepoDigests", i->digests, version < 143 && dangling ? "<none>@<none>" : NULL);
    render_names(j, "RepoTags", i->refs, version < 143 ? "<none>:<none>" : NULL);
    skl_json_int(j, "SharedSize", containers < 0 ? -1 : 0);
    skl_json_int(j, "Size", i->size);
    if (version < 144)
        skl_json_int(j, "VirtualSize", i->size);
    skl_json_end_object(j);
}

void skl_route_image_list(struct skl_request *r)
{
    struct skl_list *all = skl_image_all(r->engine->store);
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct image_filter f;
    struct skl_error err;
    struct skl_json j;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    if (filter_init(&f, r, &err) < 0) {
        skl_request_error(r, &err);
        skl_filters_fini(&f.filters);
        return;
    }
    skl_json_init(&j, &b);
    skl_json_array(&j, NULL);
    for (struct skl_list *it = all->prev; it != all; it = it->prev) {
        const struct skl_image *i = SKL_LIST_ENTRY(it, struct skl_image, in_store);

        if (filter_takes(&f, i))
            skl_render_image_entry(&j, i, -1, r->version);
    }
    skl_json_end_array(&j);
    skl_filters_fini(&f.filters);
    skl_request_json(r, 200, &b);
}

/* -- inspect */

static struct skl_image *image_of(struct skl_request *r)
{
    struct skl_image *i;
    struct skl_error err;

    if (skl_image_lookup(r->engine->store, r->param, &i, &err) == 0)
        return i;
    skl_request_error(r, &err);
    return NULL;
}

static cJSON *parse_config(const struct skl_image *i)
{
    cJSON *json = NULL;

    return skl_json_parse(skl_str(i->config_json), &json, NULL) == 0 ? json : NULL;
}

static void render_config(struct skl_json *j, const char *key, const cJSON *config)
{
    SKL_AUTO_JSON cJSON *canonical = NULL;

    if (skl_fields_take(skl_config_fields, skl_config_fields_count, "Config", config, &canonical,
                        NULL) < 0)
        skl_render_item(j, key, config); /* an odd image: as it is */
    else
        skl_render_item(j, key, canonical);
}

static void render_layers(struct skl_json *j, const cJSON *json)
{
    const cJSON *layer;

    skl_json_object(j, "RootFS");
    skl_json_str(j, "Type", "layers");
    skl_json_array(j, "Layers");
    cJSON_ArrayForEach(
        layer, skl_json_get(skl_json_get(json, "rootfs"), "diff_ids")) if (cJSON_IsString(layer))
        skl_json_str(j, NULL, layer->valuestring);
    skl_json_end_array(j);
    skl_json_end_object(j);
}

/* The newest step's, as an Engine shows it. */
static const char *comment_of(const cJSON *json)
{
    const cJSON *history = skl_json_get(json, "history");
    const char *own = skl_json_get_str(json, "comment");

    if (!skl_str_empty(own))
        return own;
    return skl_json_get_str(cJSON_GetArrayItem(history, cJSON_GetArraySize(history) - 1),
                            "comment");
}

static void render_image(struct skl_json *j, const struct skl_image *i, const char *driver,
                         int version)
{
    SKL_AUTO_JSON cJSON *json = parse_config(i);

    skl_json_object(j, NULL);
    skl_json_str(j, "Id", i->id);
    render_names(j, "RepoTags", i->refs, NULL);
    render_names(j, "RepoDigests", i->digests, NULL);
    skl_json_str(j, "Parent", i->parent);
    skl_json_str(j, "Comment",
                 i->synthetic ? "synthetic: the registry was not asked what this image is"
                              : comment_of(json));
    skl_json_time(j, "Created", i->created_ns);
    skl_json_str(j, "Container", "");
    render_config(j, "ContainerConfig", NULL);
    skl_json_str(j, "DockerVersion", skl_json_get_str(json, "docker_version"));
    skl_json_str(j, "Author", skl_json_get_str(json, "author"));
    render_config(j, "Config", skl_json_get(json, "config"));
    skl_json_str(j, "Architecture", i->architecture);
    if (i->variant)
        skl_json_str(j, "Variant", i->variant);
    skl_json_str(j, "Os", i->os);
    skl_json_int(j, "Size", i->size);
    if (version < 144)
        skl_json_int(j, "VirtualSize", i->size);
    skl_json_object(j, "GraphDriver");
    skl_json_null(j, "Data");
    skl_json_str(j, "Name", driver);
    skl_json_end_object(j);
    render_layers(j, json);
    skl_json_object(j, "Metadata");
    skl_json_time(j, "LastTagTime", i->tagged_ns);
    skl_json_end_object(j);
    skl_json_end_object(j);
}

void skl_route_image_inspect(struct skl_request *r)
{
    const struct skl_image *i = image_of(r);
    struct skl_backend_info info = {0};
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    if (!i)
        return;
    r->engine->backend->info(r->engine->backend_ctx, &info);
    skl_json_init(&j, &b);
    render_image(&j, i, info.driver, r->version);
    skl_labels_fini(&info.status);
    skl_request_json(r, 200, &b);
}

static void render_history_item(struct skl_json *j, const struct skl_image *i, const cJSON *item,
                                bool newest)
{
    const char *created = skl_json_get_str(item, "created");
    int64_t ns = i->created_ns;

    if (created)
        (void)skl_time_parse(skl_str(created), &ns); /* else the image's own time */
    skl_json_object(j, NULL);
    skl_json_str(j, "Comment", skl_json_get_str(item, "comment"));
    skl_json_int(j, "Created", ns / SKL_NS_PER_S);
    skl_json_str(j, "CreatedBy", skl_json_get_str(item, "created_by"));
    skl_json_str(j, "Id", newest ? i->id : "<missing>");
    skl_json_int(j, "Size", 0);
    skl_json_strv(j, "Tags", newest && has_items(i->refs) ? i->refs : NULL);
    skl_json_end_object(j);
}

void skl_route_image_history(struct skl_request *r)
{
    const struct skl_image *i = image_of(r);
    SKL_AUTO_JSON cJSON *json = i ? parse_config(i) : NULL;
    SKL_AUTO_BUF struct skl_buf b = {0};
    const cJSON *history = skl_json_get(json, "history");
    struct skl_json j;
    int n = cJSON_GetArraySize(history);

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    if (!i)
        return;
    skl_json_init(&j, &b);
    skl_json_array(&j, NULL);
    if (n == 0)
        render_history_item(&j, i, NULL, true);
    for (int at = n - 1; at >= 0; at--)
        render_history_item(&j, i, cJSON_GetArrayItem(history, at), at == n - 1);
    skl_json_end_array(&j);
    skl_request_json(r, 200, &b);
}

/* -- names */

void skl_route_image_tag(struct skl_request *r)
{
    SKL_AUTO_STR char *repo = skl_request_query(r, "repo");
    SKL_AUTO_STR char *tag = skl_request_query(r, "tag");
    SKL_AUTO_REFERENCE struct skl_reference ref = {0};
    SKL_AUTO_STR char *familiar = NULL;
    struct skl_image *i;
    struct skl_error err;
    int rc = skl_reference_parse(repo ? repo : "", &ref, &err);

    if (rc == 0 && ref.digest)
        rc = skl_fail(&err, SKL_E_INVALID, "refusing to create a tag with a digest reference");
    if (rc == 0 && !skl_str_empty(tag))
        rc = skl_reference_set_tag(&ref, tag, &err);
    if (rc == 0)
        skl_reference_default_tag(&ref);
    if (rc < 0) {
        skl_request_error(r, &err);
        return;
    }
    i = image_of(r);
    if (!i)
        return;
    familiar = skl_reference_familiar(&ref);
    if (skl_image_tag(r->engine->store, i, familiar, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    skl_image_event(r->engine, i, "tag", familiar);
    skl_render_forget_lists(r->engine->store);
    skl_request_status(r, 201);
}
