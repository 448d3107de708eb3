/* POST /images/create?fromSrc=-: an image of one layer, made from the archive of a root file system.
 *
 * What the store has for such an image is what a build FROM scratch leaves: builds can begin with it and copy from it,
 * but no registry has it, so no container can start from it, and its create says so. The archive goes to a file; a
 * worker unpacks it and writes the layer; the record is made on the loop. */
#include "docker/images/image_import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "build/build.h"
#include "build/layer.h"
#include "docker/api/body_file.h"
#include "docker/api/render.h"
#include "docker/api/unpack.h"
#include "docker/images/config_changes.h"
#include "docker/images/image_events.h"
#include "docker/images/image_names.h"
#include "docker/images/layers.h"

struct import {
    struct skl_request *r;
    char *ref; /* familiar; NULL: no name */
    char *message;
    cJSON *config;
    struct skl_platform platform;
    char *dir;
    struct skl_body_file body;
    /* of the worker */
    int rc;
    struct skl_error err;
    struct skl_layer layer;
    int64_t size; /* of all files */
};

static void import_free(struct import *x)
{
    skl_body_file_close(&x->body);
    if (x->dir)
        skl_build_dir_remove(x->dir);
    skl_platform_fini(&x->platform);
    cJSON_Delete(x->config);
    free(x->dir);
    free(x->ref);
    free(x->message);
    skl_request_unref(x->r);
    free(x);
}

/* -- the layer, on the worker */

static int write_layer(struct import *x, struct skl_tree *t, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf made = {0}, named = {0};
    const struct skl_node **nodes;
    size_t n = skl_tree_list(t, &nodes);
    int rc;

    for (size_t i = 0; i < n; i++)
        x->size += nodes[i]->size;
    skl_buf_init(&made, 4096);
    skl_buf_addf(&made, "%s/new", x->dir);
    rc = skl_layer_write(made.p, nodes, n, SKL_BUILD_MAX_LAYER, &x->layer, err);
    if (rc < 0)
        return rc;
    skl_buf_init(&named, 4096);
    skl_buf_addf(&named, "%s/%s.layer", x->dir, x->layer.digest);
    return rename(made.p, named.p) < 0 ? skl_fail_errno(err, errno, "keeping the layer") : 0;
}

/* The same file when it is no compressed one. */
static int open_plain(struct import *x, struct skl_body_file *plain, int *ret_fd,
                      struct skl_error *err)
{
    bool packed;
    int rc;

    *ret_fd = x->body.fd;
    if (x->body.received == 0 || skl_tree_is_tar(x->body.fd, 0, x->body.received))
        return 0;
    rc = skl_body_file_open(plain, x->dir, "plain", err);
    if (rc == 0)
        rc = skl_unpack(x->body.fd, 0, x->body.received, plain->fd, SKL_BUILD_MAX_WRITTEN, &packed,
                        err);
    if (rc < 0)
        return rc;
    *ret_fd = plain->fd;
    if (!packed || !skl_tree_is_tar(plain->fd, 0, lseek(plain->fd, 0, SEEK_END)))
        return skl_fail(err, SKL_E_INVALID, "archive/tar: invalid tar header");
    return 0;
}

static int make_layer(struct import *x, struct skl_error *err)
{
    struct skl_body_file plain = {.fd = -1}, scratch = {.fd = -1};
    SKL_AUTO(tree) t = skl_tree_new();
    int fd, rc = open_plain(x, &plain, &fd, err);

    if (rc == 0)
        rc = skl_body_file_open(&scratch, x->dir, "scratch", err);
    if (rc == 0 && x->body.received > 0)
        rc = skl_tree_add_root(t, fd, scratch.fd, SKL_BUILD_MAX_LAYER, err);
    if (rc == 0)
        rc = write_layer(x, t, err);
    skl_body_file_close(&plain);
    skl_body_file_close(&scratch);
    return rc;
}

static void work(void *arg)
{
    struct import *x = arg;

    x->rc = make_layer(x, &x->err);
}

/* -- the record */

static cJSON *image_json(struct import *x, int64_t now_ns)
{
    cJSON *json = cJSON_CreateObject(), *rootfs, *entry;
    char time[SKL_TIME_LEN], digest[80];

    skl_time_format(now_ns, time);
    snprintf(digest, sizeof(digest), "sha256:%s", x->layer.digest);
    cJSON_AddStringToObject(json, "created", time);
    cJSON_AddStringToObject(json, "architecture",
                            x->platform.architecture ? x->platform.architecture
                                                     : skl_render_go_arch());
    if (x->platform.variant)
        cJSON_AddStringToObject(json, "variant", x->platform.variant);
    cJSON_AddStringToObject(json, "os", "linux");
    cJSON_AddItemToObject(json, "config", skl_take(&x->config));
    rootfs = cJSON_AddObjectToObject(json, "rootfs");
    cJSON_AddStringToObject(rootfs, "type", "layers");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(rootfs, "diff_ids"), cJSON_CreateString(digest));
    entry = cJSON_CreateObject();
    cJSON_AddStringToObject(entry, "created", time);
    if (!skl_str_empty(x->message))
        cJSON_AddStringToObject(entry, "comment", x->message);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "history"), entry);
    if (!skl_str_empty(x->message))
        cJSON_AddStringToObject(json, "comment", x->message);
    return json;
}

static int record(struct import *x, struct skl_image **ret, struct skl_error *err)
{
    struct skl_engine *e = x->r->engine;
    char *layers[] = {x->layer.digest, NULL};
    struct skl_image *i;
    SKL_AUTO_JSON cJSON *json = NULL;
    const cJSON *label;
    int rc = skl_layers_take(e, x->dir, layers, err);

    if (rc < 0)
        return rc;
    i = skl_image_new();
    i->created_ns = skl_wall_ns();
    json = image_json(x, i->created_ns);
    i->config_json = skl_json_text(json);
    skl_config_id(i->config_json, i->id);
    if (x->ref)
        skl_strv_push(&i->refs, x->ref);
    i->os = skl_strdup("linux");
    i->architecture = skl_strdup(skl_json_get_str(json, "architecture"));
    i->variant = skl_strdup(skl_json_get_str(json, "variant"));
    i->size = x->size;
    i->layers = skl_strv_dup(layers);
    i->build_keys = skl_new0_n(char *, 1); /* made here; no step of a build */
    cJSON_ArrayForEach(
        label, skl_json_get(skl_json_get(json, "config"), "Labels")) if (cJSON_IsString(label))
        skl_labels_set(&i->labels, label->string, label->valuestring);
    return skl_image_add(e->store, i, ret, err);
}

static void answer(struct import *x, const struct skl_image *i)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, SKL_KIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "status", i->id);
    skl_json_end_object(&j);
    skl_buf_adds(&b, "\r\n");
    skl_request_begin(x->r, 200, "application/json", NULL);
    skl_http_write(x->r->http, b.p, b.n);
    skl_http_end(x->r->http);
}

static void done(void *arg, bool canceled)
{
    struct import *x = arg;
    struct skl_engine *e = x->r->engine;
    struct skl_image *i;

    if (canceled)
        x->rc = skl_fail(&x->err, SKL_E_CANCELED, "the daemon is shutting down");
    else if (x->rc == 0 && skl_request_gone(x->r))
        x->rc = skl_fail(&x->err, SKL_E_CANCELED, "the client is gone");
    if (x->rc == 0)
        x->rc = record(x, &i, &x->err);
    if (x->rc < 0) {
        skl_request_error(x->r, &x->err);
        import_free(x);
        return;
    }
    if (x->ref)
        skl_image_event(e, i, "tag", x->ref);
    skl_image_event(e, i, "import", NULL);
    skl_render_forget_lists(e->store);
    answer(x, i);
    import_free(x);
}

/* -- the request */

static void on_data(void *arg, const uint8_t *p, size_t n)
{
    struct import *x = arg;

    skl_body_file_add(&x->body, p, n, SKL_BUILD_MAX_CONTEXT, "the archive");
}

static void on_done(void *arg, const struct skl_error *err)
{
    struct import *x = arg;

    if (!err && x->body.failed)
        err = &x->body.err;
    if (err) {
        skl_request_error(x->r, err);
        import_free(x);
        return;
    }
    skl_work_submit(x->r->engine->workers, work, done, x);
}

static int take_name(struct import *x, struct skl_error *err)
{
    SKL_AUTO_STR char *repo = skl_request_query(x->r, "repo");
    SKL_AUTO_STR char *tag = skl_request_query(x->r, "tag");
    SKL_AUTO_REFERENCE struct skl_reference ref = {0};
    int rc;

    if (skl_str_empty(repo))
        return 0;
    rc = skl_reference_parse(repo, &ref, err);
    if (rc == 0 && ref.digest)
        rc = skl_fail(err, SKL_E_INVALID, "cannot import digest reference");
    if (rc == 0 && !skl_str_empty(tag))
        rc = skl_reference_set_tag(&ref, tag, err);
    if (rc < 0)
        return rc;
    skl_reference_default_tag(&ref);
    x->ref = skl_reference_familiar(&ref);
    return 0;
}

static int take_query(struct import *x, struct skl_error *err)
{
    SKL_AUTO_STR char *source = skl_request_query(x->r, "fromSrc");
    SKL_AUTO_STR char *platform = skl_request_query(x->r, "platform");
    int rc = take_name(x, err);

    x->message = skl_request_query(x->r, "message");
    x->config = cJSON_CreateObject();
    if (rc == 0 && x->r->version >= 132)
        rc = skl_platform_parse(platform, &x->platform, err);
    if (rc == 0 && x->platform.os && !skl_streq(x->platform.os, "linux"))
        rc = skl_fail(err, SKL_E_INVALID, "operating system is not supported");
    if (rc == 0)
        rc = skl_config_changes(x->r, x->config, err);
    if (rc == 0 && !skl_streq(source, "-"))
        rc = skl_fail(err, SKL_E_UNSUPPORTED,
                      "%.200s is not downloaded by this daemon: send the archive itself "
                      "(docker import - < archive)",
                      source);
    return rc;
}

void skl_image_import(struct skl_request *r)
{
    static const struct skl_http_body_events events = {on_data, on_done};
    struct import *x = skl_new0(struct import);
    struct skl_error err;
    int rc;

    x->r = skl_request_ref(r);
    x->body.fd = -1;
    rc = take_query(x, &err);
    if (rc == 0)
        rc = skl_build_dir_make(r->engine, &x->dir, &err);
    if (rc == 0)
        rc = skl_body_file_open(&x->body, x->dir, "body", &err);
    if (rc < 0) {
        skl_request_error(r, &err);
        import_free(x);
        return;
    }
    skl_http_stream_body(r->http, &events, x);
}
