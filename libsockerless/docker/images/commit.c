/* POST /commit: an image from a container.
 *
 * Problem: what makes a commit worth having is the container's file system, and that is in the cloud, which gives it to
 * nobody and forgets it at the end. Answering with an image that lacks the files would be a lie that shows days
 * later. Approach: a container that has not run yet has no files of its own, so its configuration and its image's
 * layers are the whole of it: that is recorded. For all others the answer is 501 and says why.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "build/config.h"
#include "docker/api/fields.h"
#include "docker/api/render.h"
#include "docker/api/routes.h"
#include "docker/images/config_changes.h"
#include "docker/images/image_events.h"
#include "docker/images/image_names.h"
#include "docker/lifecycle/lifecycle.h"

struct commit {
    struct skl_request *r;
    struct skl_container *c;
    cJSON *config; /* of the image to be */
    char *ref;     /* familiar; NULL: no name */
    char *comment, *author;
};

static void commit_fini(struct commit *x)
{
    cJSON_Delete(x->config);
    free(x->ref);
    free(x->comment);
    free(x->author);
}

static int find_container(struct commit *x, struct skl_error *err)
{
    SKL_AUTO_STR char *name = skl_request_query(x->r, "container");

    if (skl_str_empty(name))
        return skl_fail(err, SKL_E_INVALID, "invalid name or ID supplied: \"\"");
    return skl_container_find(x->r->engine->store, name, &x->c, err);
}

static int check_files(const struct commit *x, struct skl_error *err)
{
    struct skl_engine *e = x->r->engine;

    if (x->c->has_run || x->c->run > 0)
        return skl_fail(
            err, SKL_E_UNSUPPORTED,
            "the files of container %.12s cannot be saved in an image: they are in %s, "
            "which does not give them out. Only a container that has not been started can "
            "be committed; to keep files, copy them out (docker cp) and build an image",
            x->c->id, e->backend->title);
    if (skl_workload_has_staged(skl_workload_of(e->runtime, x->c)))
        return skl_fail(
            err, SKL_E_UNSUPPORTED,
            "files were copied into container %.12s, and a commit cannot keep them: COPY "
            "them in a build",
            x->c->id);
    return 0;
}

static int take_name(struct commit *x, struct skl_error *err)
{
    SKL_AUTO_STR char *repo = skl_request_query(x->r, "repo");
    SKL_AUTO_STR char *tag = skl_request_query(x->r, "tag");
    SKL_AUTO_REFERENCE struct skl_reference ref = {0};
    int rc;

    if (skl_str_empty(repo))
        return 0;
    rc = skl_reference_parse(repo, &ref, err);
    if (rc == 0 && !skl_str_empty(tag))
        rc = skl_reference_set_tag(&ref, tag, err);
    if (rc < 0)
        return rc;
    skl_reference_default_tag(&ref);
    x->ref = skl_reference_familiar(&ref);
    return 0;
}

/* -- the configuration: the container's, what the body says instead, and the changes */

static int take_config(struct commit *x, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *body = NULL;
    const cJSON *item;
    int rc;

    if (skl_json_parse(skl_str(x->c->spec.config_json), &x->config, err) < 0)
        return -SKL_E_INTERNAL;
    if (!cJSON_IsObject(x->r->body))
        return 0;
    rc = skl_fields_take(skl_config_fields, skl_config_fields_count, "Config", x->r->body, &body,
                         err);
    if (rc < 0)
        return rc;
    cJSON_ArrayForEach(item, x->r->body)
    {
        const cJSON *canonical = skl_json_get(body, item->string);

        if (!canonical || cJSON_IsNull(canonical) || cJSON_IsFalse(canonical) ||
            (cJSON_IsString(canonical) && !*canonical->valuestring) ||
            ((cJSON_IsArray(canonical) || cJSON_IsObject(canonical)) && !canonical->child))
            continue;
        skl_config_set(x->config, canonical->string, cJSON_Duplicate(canonical, true));
    }
    return 0;
}

/* -- the record */

static void add_history(const struct commit *x, cJSON *image, int64_t now_ns)
{
    cJSON *history = cJSON_GetObjectItemCaseSensitive(image, "history"), *entry;
    SKL_AUTO_BUF struct skl_buf by = {0};
    char time[SKL_TIME_LEN];

    if (!cJSON_IsArray(history)) {
        history = cJSON_CreateArray();
        skl_config_set(image, "history", history);
    }
    skl_buf_init(&by, 4 * SKL_MIB);
    for (char **p = x->c->spec.argv; p && *p; p++)
        skl_buf_addf(&by, "%s%s", by.n ? " " : "", *p);
    entry = cJSON_CreateObject();
    cJSON_AddStringToObject(entry, "created", skl_time_format(now_ns, time));
    cJSON_AddStringToObject(entry, "created_by", by.p);
    if (!skl_str_empty(x->author))
        cJSON_AddStringToObject(entry, "author", x->author);
    if (!skl_str_empty(x->comment))
        cJSON_AddStringToObject(entry, "comment", x->comment);
    cJSON_AddBoolToObject(entry, "empty_layer", true);
    cJSON_AddItemToArray(history, entry);
    skl_config_set(image, "created", cJSON_CreateString(time));
}

static cJSON *image_json(struct commit *x, const struct skl_image *base, int64_t now_ns)
{
    cJSON *image = NULL;

    if (!base || skl_json_parse(skl_str(base->config_json), &image, NULL) < 0)
        image = cJSON_CreateObject();
    if (!cJSON_GetObjectItemCaseSensitive(image, "os"))
        cJSON_AddStringToObject(image, "os", base ? base->os : "linux");
    if (!cJSON_GetObjectItemCaseSensitive(image, "architecture"))
        cJSON_AddStringToObject(image, "architecture",
                                base ? base->architecture : skl_render_go_arch());
    skl_config_set(image, "config", skl_take(&x->config));
    if (!skl_str_empty(x->author))
        skl_config_set(image, "author", cJSON_CreateString(x->author));
    add_history(x, image, now_ns);
    return image;
}

static int record(struct commit *x, struct skl_image **ret, struct skl_error *err)
{
    struct skl_store *s = x->r->engine->store;
    const struct skl_container_spec *spec = &x->c->spec;
    const struct skl_image *base = skl_image_find(s, spec->image_id);
    struct skl_image *i = skl_image_new();
    SKL_AUTO_JSON cJSON *json = NULL;
    const cJSON *label;

    i->created_ns = skl_wall_ns();
    json = image_json(x, base, i->created_ns);
    i->config_json = skl_json_text(json);
    skl_config_id(i->config_json, i->id);
    if (x->ref)
        skl_strv_push(&i->refs, x->ref);
    i->pull_ref = skl_strdup(spec->image_ref);
    i->registry_auth = skl_strdup(spec->registry_auth);
    i->os = skl_strdup(skl_json_get_str(json, "os"));
    i->architecture = skl_strdup(skl_json_get_str(json, "architecture"));
    i->variant = skl_strdup(skl_json_get_str(json, "variant"));
    i->size = base ? base->size : 0;
    i->parent = skl_strdup(spec->image_id);
    i->layers = skl_strv_dup(spec->layers);
    i->build_keys = skl_new0_n(char *, 1); /* made here; no step of a build */
    cJSON_ArrayForEach(
        label, skl_json_get(skl_json_get(json, "config"), "Labels")) if (cJSON_IsString(label))
        skl_labels_set(&i->labels, label->string, label->valuestring);
    return skl_image_add(s, i, ret, err);
}

static void emit(const struct commit *x, const struct skl_image *i)
{
    const char *const pairs[] = {"comment",  x->comment ? x->comment : "", "imageID", i->id,
                                 "imageRef", x->ref ? x->ref : ""};
    char **more = NULL;

    for (size_t n = 0; n < SKL_ARRAY_LEN(pairs); n++)
        skl_strv_push(&more, pairs[n]);
    skl_container_event(x->r->engine->store, x->c, "commit", more);
    skl_strv_free(more);
}

void skl_route_commit(struct skl_request *r)
{
    __attribute__((cleanup(commit_fini))) struct commit x = {.r = r};
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_image *i = NULL;
    struct skl_error err;
    struct skl_json j;
    int rc = find_container(&x, &err);

    x.comment = skl_request_query(r, "comment");
    x.author = skl_request_query(r, "author");
    if (rc == 0)
        rc = take_name(&x, &err);
    if (rc == 0)
        rc = take_config(&x, &err);
    if (rc == 0)
        rc = skl_config_changes(r, x.config, &err);
    if (rc == 0)
        rc = check_files(&x, &err);
    if (rc == 0)
        rc = record(&x, &i, &err);
    if (rc < 0) {
        skl_request_error(r, &err);
        return;
    }
    if (x.ref)
        skl_image_event(r->engine, i, "tag", x.ref);
    emit(&x, i);
    skl_render_forget_lists(r->engine->store);
    skl_buf_init(&b, 4096);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "Id", i->id);
    skl_json_end_object(&j);
    skl_request_json(r, 201, &b);
}
