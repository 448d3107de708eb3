/* POST /build and its smaller relatives. The body goes to a file first: clients write the whole context before they
 * read a byte, and its Dockerfile may stand at its end. */
#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/api/filters.h"
#include "docker/api/prune.h"
#include "docker/api/routes.h"
#include "docker/build/build_job.h"
#include "docker/images/image_resolve.h"
#include "docker/images/layers.h"

void skl_build_job_free(struct skl_build_job *j)
{
    struct skl_build_cached *cached;
    size_t i = 0;

    skl_build_free(j->build);
    skl_body_file_close(&j->body);
    if (j->dir)
        skl_build_dir_remove(j->dir);
    while ((cached = skl_map_next(&j->cache, &i, NULL)))
        free(cached);
    skl_map_fini(&j->cache);
    free((char *)(uintptr_t)j->given.id);
    free((char *)(uintptr_t)j->given.config_json);
    skl_strv_free((char **)(uintptr_t)j->given.layers);
    skl_strv_free(j->bases);
    skl_strv_free(j->fetched);
    free(j->fetch_ref);
    free(j->fetch_auth);
    skl_strv_free(j->tags);
    skl_strv_free(j->args);
    skl_strv_free(j->labels);
    cJSON_Delete(j->registries);
    skl_platform_fini(&j->platform);
    skl_buf_fini(&j->out);
    free(j->dockerfile);
    free(j->target);
    free(j->platform_text);
    free(j->dir);
    if (j->r)
        skl_request_unref(j->r);
    free(j);
}

/* -- the query */

/* {"a":"b","c":null}: pairs; null says nothing. */
static int take_map(struct skl_request *r, const char *name, const char *what, char ***ret,
                    struct skl_error *err)
{
    SKL_AUTO_STR char *text = skl_request_query(r, name);
    SKL_AUTO_JSON cJSON *json = NULL;
    const cJSON *item;

    if (skl_str_empty(text))
        return 0;
    if (skl_json_parse(skl_str(text), &json, NULL) < 0)
        return skl_fail(err, SKL_E_INVALID,
                        "error reading %s: invalid character '%.1s' looking for beginning of value",
                        what, text);
    if (!cJSON_IsObject(json))
        return cJSON_IsNull(json)
                   ? 0
                   : skl_fail(err, SKL_E_INVALID,
                              "error reading %s: json: cannot unmarshal into Go value "
                              "of type map[string]string",
                              what);
    cJSON_ArrayForEach(item, json)
    {
        if (cJSON_IsNull(item))
            continue;
        if (!cJSON_IsString(item))
            return skl_fail(
                err, SKL_E_INVALID,
                "error reading %s: json: cannot unmarshal value of %.100s into Go value "
                "of type string",
                what, item->string);
        skl_strv_push(ret, item->string);
        skl_strv_push(ret, item->valuestring);
    }
    return 0;
}

static int take_tags(struct skl_build_job *j, struct skl_error *err)
{
    char **texts = skl_request_query_all(j->r, "t");
    int rc = 0;

    for (char **p = texts; rc == 0 && p && *p; p++) {
        SKL_AUTO_REFERENCE struct skl_reference ref = {0};
        SKL_AUTO_STR char *familiar = NULL;
        bool known = false;

        if (!**p)
            continue;
        rc = skl_reference_parse(*p, &ref, err);
        if (rc == 0 && ref.digest)
            rc = skl_fail(err, SKL_E_INVALID, "build tag cannot contain a digest");
        if (rc < 0)
            break;
        skl_reference_default_tag(&ref);
        familiar = skl_reference_familiar(&ref);
        for (char **t = j->tags; t && *t; t++)
            known |= skl_streq(*t, familiar);
        if (!known)
            skl_strv_push(&j->tags, familiar);
    }
    skl_strv_free(texts);
    return rc;
}

static void take_registries(struct skl_build_job *j)
{
    SKL_AUTO_BUF struct skl_buf text = {0};
    const cJSON *registry;

    skl_buf_init(&text, SKL_MIB);
    if (skl_base64_decode(&text, skl_http_header(j->r->http, "X-Registry-Config")))
        (void)skl_json_parse(skl_buf_str(&text), &j->registries, NULL); /* an odd header is none */
    cJSON_ArrayForEach(registry, j->registries)
        skl_auth_seen(registry);
}

static int check_supported(struct skl_request *r, struct skl_error *err)
{
    SKL_AUTO_STR char *remote = skl_request_query(r, "remote");
    SKL_AUTO_STR char *version = skl_request_query(r, "version");
    SKL_AUTO_STR char *outputs = skl_request_query(r, "outputs");

    if (skl_streq(version, "2"))
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "BuildKit is not available on this daemon: use DOCKER_BUILDKIT=0");
    if (!skl_str_empty(version) && !skl_streq(version, "1"))
        return skl_fail(err, SKL_E_INVALID, "invalid version \"%.50s\"", version);
    if (!skl_str_empty(remote) && !skl_streq(remote, "client-session"))
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "remote build contexts (%.200s) are not fetched by this daemon: send the "
                        "files as the context",
                        remote);
    if (skl_request_query_bool(r, "squash", false))
        return skl_fail(err, SKL_E_INVALID, "squash is only supported with experimental mode");
    if (!skl_str_empty(outputs) && !skl_streq(outputs, "null"))
        return skl_fail(err, SKL_E_UNSUPPORTED, "build outputs need BuildKit");
    return 0;
}

static int take_query(struct skl_build_job *j, struct skl_error *err)
{
    struct skl_request *r = j->r;
    int rc = check_supported(r, err);

    j->dockerfile = skl_request_query(r, "dockerfile");
    if (skl_str_empty(j->dockerfile))
        skl_strset(&j->dockerfile, "Dockerfile");
    j->target = skl_request_query(r, "target");
    j->platform_text = skl_request_query(r, "platform");
    j->quiet = skl_request_query_bool(r, "q", false);
    j->pull = skl_request_query_bool(r, "pull", false);
    j->nocache = skl_request_query_bool(r, "nocache", false);
    if (rc == 0)
        rc = skl_platform_parse(j->platform_text, &j->platform, err);
    if (rc == 0)
        rc = take_map(r, "buildargs", "build args", &j->args, err);
    if (rc == 0)
        rc = take_map(r, "labels", "labels", &j->labels, err);
    if (rc == 0)
        rc = take_tags(j, err);
    take_registries(j);
    return rc;
}

/* -- the body */

static void on_data(void *arg, const uint8_t *p, size_t n)
{
    struct skl_build_job *j = arg;

    skl_body_file_add(&j->body, p, n, SKL_BUILD_MAX_CONTEXT, "the build context");
}

static void on_done(void *arg, const struct skl_error *err)
{
    struct skl_build_job *j = arg;

    if (!err && j->body.failed)
        err = &j->body.err;
    if (!err) {
        skl_build_job_run(j);
        return;
    }
    skl_request_error(j->r, err);
    skl_build_job_free(j);
}

static int open_body(struct skl_build_job *j, struct skl_error *err)
{
    int rc = skl_build_dir_make(j->e, &j->dir, err);

    return rc < 0 ? rc : skl_body_file_open(&j->body, j->dir, "body", err);
}

void skl_route_build(struct skl_request *r)
{
    static const struct skl_http_body_events events = {on_data, on_done};
    struct skl_build_job *j = skl_new0(struct skl_build_job);
    struct skl_error err;
    int rc;

    j->e = r->engine;
    j->r = skl_request_ref(r);
    j->body.fd = -1;
    skl_map_init(&j->cache);
    skl_buf_init(&j->out, 64 * SKL_MIB);
    rc = take_query(j, &err);
    if (rc == 0)
        rc = open_body(j, &err);
    if (rc < 0) {
        skl_request_error(r, &err);
        skl_build_job_free(j);
        return;
    }
    skl_http_stream_body(r->http, &events, j);
}

/* -- relatives */

/* There is no cache beside the images themselves. */
void skl_route_build_prune(struct skl_request *r)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    SKL_AUTO_STR char *text = skl_request_query(r, "filters");
    struct skl_filters filters = {0};
    struct skl_error err;
    struct skl_json json;
    int64_t reclaimed;

    if (skl_filters_parse(text, &filters, &err) < 0) {
        skl_request_error(r, &err);
        skl_filters_fini(&filters);
        return;
    }
    skl_filters_fini(&filters);
    reclaimed = skl_layers_collect(r->engine);
    skl_prune_event(r->engine, "builder", reclaimed);
    skl_buf_init(&b, 4096);
    skl_json_init(&json, &b);
    skl_json_object(&json, NULL);
    skl_json_null(&json, "CachesDeleted");
    skl_json_int(&json, "SpaceReclaimed", reclaimed);
    skl_json_end_object(&json);
    skl_request_json(r, 200, &b);
}

/* Only BuildKit gives its builds ids; a build of ours ends with its client's connection. */
void skl_route_build_cancel(struct skl_request *r)
{
    SKL_AUTO_STR char *id = skl_request_query(r, "id");

    if (skl_str_empty(id))
        skl_request_fail(r, SKL_E_INVALID, "build ID not provided");
    else
        skl_request_status(r, 200);
}
