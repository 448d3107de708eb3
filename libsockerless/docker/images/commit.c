/* POST /commit: an image from a container.
 *
 * The configuration is the container's, with what the request says instead. Files: those that the workload has changed
 * since it began, what it was given then (layers, copies) among them, as one layer on top of the registry's image;
 * of a container that has not run, its image's layers. A workload that is gone has taken its files along: that is an
 * error and not an image that silently lacks them. What the workload deleted is not known (docs/decisions/0011).
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
#include "docker/images/commit_files.h"
#include "docker/images/config_changes.h"
#include "docker/images/image_events.h"
#include "docker/images/image_names.h"
#include "docker/lifecycle/lifecycle.h"

struct commit {
    struct skl_request *r;
    struct skl_container *c; /* as long as nothing is waited for */
    char *id;                /* its */
    cJSON *config;           /* of the image to be */
    char *ref;               /* familiar; NULL: no name */
    char *comment, *author;
    struct skl_commit_files *files;
    char digest[65];      /* of the new layer; "": the image's layers are all */
    int64_t size;         /* its */
    bool paused;          /* by us */
    char made[80];        /* the new image's id */
    struct skl_error err; /* when there is none */
};

static void commit_free(struct commit *x)
{
    cJSON_Delete(x->config);
    free(x->id);
    free(x->ref);
    free(x->comment);
    free(x->author);
    skl_request_unref(x->r);
    free(x);
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
    if (skl_workload_has_staged(skl_workload_of(x->r->engine->runtime, x->c)))
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "files were copied into container %.12s while it did not run, and a commit "
                        "cannot keep them: start it first",
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
    if (!x->digest[0])
        cJSON_AddBoolToObject(entry, "empty_layer", true);
    cJSON_AddItemToArray(history, entry);
    skl_config_set(image, "created", cJSON_CreateString(time));
}

static void add_diff_id(const struct commit *x, cJSON *image)
{
    cJSON *rootfs = cJSON_GetObjectItemCaseSensitive(image, "rootfs"), *ids;
    char id[80];

    if (!cJSON_IsObject(rootfs)) {
        rootfs = cJSON_CreateObject();
        cJSON_AddStringToObject(rootfs, "type", "layers");
        skl_config_set(image, "rootfs", rootfs);
    }
    ids = cJSON_GetObjectItemCaseSensitive(rootfs, "diff_ids");
    if (!cJSON_IsArray(ids)) {
        ids = cJSON_CreateArray();
        skl_config_set(rootfs, "diff_ids", ids);
    }
    snprintf(id, sizeof(id), "sha256:%s", x->digest);
    cJSON_AddItemToArray(ids, cJSON_CreateString(id));
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
    if (x->digest[0])
        add_diff_id(x, image);
    return image;
}

static int record(struct commit *x, struct skl_image **ret, struct skl_error *err)
{
    char *files[] = {x->digest, NULL};
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
    i->size = (base ? base->size : 0) + x->size;
    i->parent = skl_strdup(spec->image_id);
    /* The workload had the image's layers unpacked: the new one holds what is left of them. */
    i->layers = skl_strv_dup(x->digest[0] ? files : spec->layers);
    i->build_keys = skl_new0_n(char *, 1); /* made here; no step of a build */
    cJSON_ArrayForEach(
        label, skl_json_get(skl_json_get(json, "config"), "Labels")) if (cJSON_IsString(label))
        skl_labels_set(&i->labels, label->string, label->valuestring);
    return skl_image_add(s, i, ret, err);
}

static void emit(const struct commit *x)
{
    const char *const pairs[] = {"comment",  x->comment ? x->comment : "", "imageID", x->made,
                                 "imageRef", x->ref ? x->ref : ""};
    char **more = NULL;

    for (size_t n = 0; n < SKL_ARRAY_LEN(pairs); n++)
        skl_strv_push(&more, pairs[n]);
    skl_container_event(x->r->engine->store, x->c, "commit", more);
    skl_strv_free(more);
}

static int make_image(struct commit *x, struct skl_error *err)
{
    int rc = skl_container_find(x->r->engine->store, x->id, &x->c, err);
    struct skl_image *i;

    if (rc == 0)
        rc = record(x, &i, err);
    if (rc < 0)
        return rc;
    snprintf(x->made, sizeof(x->made), "%s", i->id);
    if (x->ref)
        skl_image_event(x->r->engine, i, "tag", x->ref);
    emit(x);
    skl_render_forget_lists(x->r->engine->store);
    return 0;
}

/* -- in order: pause, files, image, unpause, answer */

static void answer(struct commit *x)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    if (!x->made[0]) {
        skl_request_error(x->r, &x->err);
        return;
    }
    skl_buf_init(&b, 4096);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "Id", x->made);
    skl_json_end_object(&j);
    skl_request_json(x->r, 201, &b);
}

static void unpaused(void *arg, const struct skl_error *err)
{
    struct commit *x = arg; /* err: somebody else has unpaused or ended it */

    answer(x);
    commit_free(x);
}

static void finish(struct commit *x)
{
    x->r->state = NULL;
    x->r->on_gone = NULL;
    if (x->paused && skl_container_find(x->r->engine->store, x->id, &x->c, NULL) == 0) {
        skl_lifecycle_pause(x->r->engine, x->c, false, unpaused, x);
        return;
    }
    unpaused(x, NULL);
}

static void on_files(void *arg, const char *digest, int64_t size, const struct skl_error *err)
{
    struct commit *x = arg;

    x->files = NULL;
    if (err) {
        x->err = *err;
    } else {
        snprintf(x->digest, sizeof(x->digest), "%s", digest);
        x->size = size;
        (void)make_image(x, &x->err); /* finish() sees that nothing was made */
    }
    finish(x);
}

static void gone(struct skl_request *r)
{
    struct commit *x = r->state;

    if (!x->files)
        return; /* it is being paused */
    skl_commit_files_cancel(&x->files);
    skl_fail(&x->err, SKL_E_CANCELED, "the client is gone");
    finish(x);
}

static void get_files(struct commit *x)
{
    int rc = skl_container_find(x->r->engine->store, x->id, &x->c, &x->err);

    if (rc == 0 && skl_request_gone(x->r))
        rc = skl_fail(&x->err, SKL_E_CANCELED, "the client is gone");
    if (rc == 0)
        rc = skl_commit_files_start(x->r->engine, x->c, on_files, x, &x->files, &x->err);
    if (rc < 0)
        finish(x);
}

static void paused(void *arg, const struct skl_error *err)
{
    struct commit *x = arg;

    x->paused = !err; /* what cannot be paused is read as it is, as an Engine does */
    get_files(x);
}

static int take_request(struct commit *x, struct skl_error *err)
{
    int rc = find_container(x, err);

    x->comment = skl_request_query(x->r, "comment");
    x->author = skl_request_query(x->r, "author");
    if (rc == 0)
        rc = take_name(x, err);
    if (rc == 0)
        rc = take_config(x, err);
    if (rc == 0)
        rc = skl_config_changes(x->r, x->config, err);
    if (rc == 0)
        rc = check_files(x, err);
    return rc;
}

void skl_route_commit(struct skl_request *r)
{
    struct commit *x = skl_new0(struct commit);

    x->r = skl_request_ref(r);
    if (take_request(x, &x->err) < 0) {
        finish(x);
        return;
    }
    x->id = skl_strdup(x->c->id);
    if (!x->c->has_run && x->c->run == 0) {
        (void)make_image(x, &x->err); /* finish() sees that nothing was made */
        finish(x);
        return;
    }
    r->state = x;
    r->on_gone = gone;
    if (x->c->state == SKL_CONTAINER_RUNNING && skl_request_query_bool(r, "pause", true))
        skl_lifecycle_pause(r->engine, x->c, true, paused, x);
    else
        get_files(x);
}
