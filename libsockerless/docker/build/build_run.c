/* The steps of a build: each on a worker, its lines to the client when it is done, images looked up or pulled between. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/download.h"
#include "docker/api/render.h"
#include "docker/api/unpack.h"
#include "docker/build/build_job.h"
#include "docker/images/image_resolve.h"
#include "docker/images/layers.h"
#include "docker/lifecycle/lifecycle.h"

static void submit(struct skl_build_job *j);

/* -- lines */

static void begin_line(struct skl_build_job *j, struct skl_json *json)
{
    skl_json_init(json, &j->out);
    json->escape_html = true;
    skl_json_object(json, NULL);
}

static void end_line(struct skl_build_job *j, struct skl_json *json)
{
    skl_json_end_object(json);
    skl_buf_adds(&j->out, "\r\n");
}

void skl_build_job_line(struct skl_build_job *j, const char *text)
{
    struct skl_json json;

    begin_line(j, &json);
    skl_json_str(&json, "stream", text);
    end_line(j, &json);
}

static void say(void *arg, const char *text, const char *id)
{
    struct skl_build_job *j = arg;
    struct skl_json json;

    if (text) {
        skl_build_job_line(j, text);
        return;
    }
    begin_line(j, &json);
    skl_json_object(&json, "aux");
    skl_json_str(&json, "ID", id);
    skl_json_end_object(&json);
    end_line(j, &json);
}

/* -q keeps the lines for a failure. */
static void send_lines(struct skl_build_job *j, bool last)
{
    if (j->out.n == 0 || (j->quiet && !last) || skl_request_gone(j->r))
        return;
    if (!j->begun) {
        j->begun = true;
        skl_request_begin(j->r, 200, "application/json", NULL);
    }
    skl_http_write(j->r->http, j->out.p, j->out.n);
    skl_buf_reset(&j->out);
}

static void end_job(struct skl_build_job *j)
{
    if (j->begun && !skl_request_gone(j->r))
        skl_http_end(j->r->http);
    skl_build_job_free(j);
}

static void fail_job(struct skl_build_job *j, const struct skl_error *err)
{
    struct skl_json json;

    if (!j->begun && j->out.n == 0) {
        skl_request_error(j->r, err);
        skl_build_job_free(j);
        return;
    }
    begin_line(j, &json);
    skl_json_object(&json, "errorDetail");
    skl_json_str(&json, "message", err->msg);
    skl_json_end_object(&json);
    skl_json_str(&json, "error", err->msg);
    end_line(j, &json);
    send_lines(j, true);
    end_job(j);
}

/* -- what a build asks of us; on the worker */

static const struct skl_build_cached *cached(void *arg, const char *key)
{
    struct skl_build_job *j = arg;

    return skl_map_getz(&j->cache, key);
}

static int unpack(void *arg, int from_fd, int64_t offset, int64_t size, int to_fd, int64_t max,
                  bool *ret_packed, struct skl_error *err)
{
    return skl_unpack(from_fd, offset, size, to_fd, max, ret_packed, err);
}

static bool signal_ok(const char *name)
{
    int signo;

    return skl_signal_parse(name, &signo);
}

static int download(void *arg, const char *url, int to_fd, int64_t max, int64_t *ret_mtime_s,
                    struct skl_error *err)
{
    return skl_download(url, to_fd, max, ret_mtime_s, err);
}

static int make_build(struct skl_build_job *j)
{
    SKL_AUTO_BUF struct skl_buf layers = {0};
    struct skl_build_settings settings = {
        .dir = j->dir,
        .dockerfile = j->dockerfile,
        .args = j->args,
        .labels = j->labels,
        .target = j->target,
        .os = j->platform.os ? j->platform.os : "linux",
        .architecture = j->platform.architecture ? j->platform.architecture : skl_render_go_arch(),
        .variant = j->platform.variant,
        .ops = {say, cached, unpack, signal_ok, download, j},
    };

    skl_buf_init(&layers, 4096);
    skl_layers_dir(&j->e->settings, &layers);
    settings.layers_dir = layers.p;
    return skl_build_new(&settings, j->body.fd, &j->build, &j->err);
}

static void work(void *arg)
{
    struct skl_build_job *j = arg;

    j->rc = 0;
    j->need = SKL_BUILD_MORE;
    if (!j->build) {
        j->rc = make_build(j);
        return;
    }
    if (j->giving) {
        j->giving = false;
        if (j->give_files && j->fetch_ref)
            j->rc = skl_build_job_fetch(j, &j->err);
        j->given.fetched = j->fetched;
        if (j->rc == 0)
            j->rc = skl_build_give(j->build, &j->given, &j->err);
        return;
    }
    j->rc = skl_build_step(j->build, &j->need, &j->err);
}

/* -- images */

static void free_given(struct skl_build_job *j)
{
    free((char *)(uintptr_t)j->given.id);
    free((char *)(uintptr_t)j->given.config_json);
    skl_strv_free((char **)(uintptr_t)j->given.layers);
    skl_strv_free(skl_take(&j->fetched));
    j->given = (struct skl_build_image){0};
}

/* Copies: the store may change while the worker reads. */
static void give(struct skl_build_job *j, const struct skl_image *i)
{
    free_given(j);
    j->giving = true;
    j->given = (struct skl_build_image){
        .id = skl_strdup(i->id),
        .config_json = skl_strdup(i->config_json),
        .layers = skl_strv_dup(i->layers),
        .size = i->size,
    };
    skl_strset(&j->fetch_ref, i->pull_ref);
    skl_strset(&j->fetch_auth, i->registry_auth ? i->registry_auth : "");
    skl_strv_push(&j->bases, i->id);
    skl_strv_push(&j->bases, i->pull_ref ? i->pull_ref : "");
    skl_strv_push(&j->bases, i->registry_auth ? i->registry_auth : "");
    submit(j);
}

static void fail_image(struct skl_build_job *j, const struct skl_error *err)
{
    struct skl_error told = *err;
    const char *platform;
    bool to_copy;
    const char *name = skl_build_wanted(j->build, &platform, &to_copy);

    if (to_copy)
        (void)skl_wrap(&told, -(int)told.kind, "invalid from flag value %.100s", name);
    fail_job(j, &told);
}

static void resolved(void *arg, const struct skl_resolved *found, const struct skl_error *err)
{
    struct skl_build_job *j = arg;
    struct skl_json json;

    if (err) {
        fail_image(j, err);
        return;
    }
    begin_line(j, &json);
    skl_json_strf(&json, "status", "Status: %s for %s",
                  found->is_new ? "Downloaded newer image" : "Image is up to date",
                  found->image->refs && found->image->refs[0] ? found->image->refs[0]
                                                              : found->image->id);
    end_line(j, &json);
    send_lines(j, false);
    give(j, found->image);
}

char *skl_build_job_auth(const struct skl_build_job *j, const char *domain)
{
    const char *key = strcmp(domain, "docker.io") == 0 ? "https://index.docker.io/v1/" : domain;
    const cJSON *entry = cJSON_GetObjectItemCaseSensitive(j->registries, key);
    SKL_AUTO_STR char *text = NULL;
    struct skl_buf b;

    if (!cJSON_IsObject(entry))
        return NULL;
    text = skl_json_text(entry);
    skl_buf_init(&b, SKL_MIB);
    skl_base64url_add(&b, text, strlen(text));
    return skl_buf_detach(&b);
}

static bool fits(const struct skl_image *i, const struct skl_platform *p)
{
    return (!p->os || skl_streq(p->os, i->os)) &&
           (!p->architecture || skl_streq(p->architecture, i->architecture));
}

static int pull(struct skl_build_job *j, const char *name, const struct skl_platform *platform,
                struct skl_error *err)
{
    SKL_AUTO_REFERENCE struct skl_reference ref = {0};
    SKL_AUTO_STR char *auth = NULL;
    int rc = skl_reference_parse(name, &ref, err);

    if (rc < 0)
        return rc;
    skl_reference_default_tag(&ref);
    auth = skl_build_job_auth(j, ref.domain);
    /* An image that is a guess is no base: its command and environment would be lost unseen. */
    skl_image_resolve(j->e, &ref, platform, auth, true, resolved, j);
    return 0;
}

static void find_image(struct skl_build_job *j)
{
    const char *platform_text;
    const char *name = skl_build_wanted(j->build, &platform_text, &j->give_files);
    struct skl_platform platform = {0};
    struct skl_image *i = NULL;
    struct skl_error err;
    int rc;

    rc = skl_image_lookup(j->e->store, name, &i, &err);
    rc = skl_platform_parse(platform_text ? platform_text : j->platform_text, &platform, &err);
    /* What was built here is in no registry: nothing newer can be pulled. */
    if (rc == 0 && i && fits(i, &platform) && (!j->pull || i->build_keys)) {
        if (i->synthetic && !j->give_files)
            skl_build_job_line(j,
                               "[Warning] what the base image's own command and environment are is "
                               "not known: its registry did not tell\n");
        give(j, i);
    } else if (rc == 0) {
        rc = pull(j, name, &platform, &err);
    }
    skl_platform_fini(&platform);
    if (rc < 0)
        fail_image(j, &err);
}

/* -- from step to step */

static void finish(struct skl_build_job *j)
{
    struct skl_error err;

    if (skl_build_job_record(j, &err) < 0) {
        fail_job(j, &err);
        return;
    }
    send_lines(j, true);
    end_job(j);
}

static void done(void *arg, bool canceled)
{
    struct skl_build_job *j = arg;

    if (canceled)
        j->rc = skl_fail(&j->err, SKL_E_CANCELED, "the daemon is shutting down");
    else if (skl_request_gone(j->r))
        j->rc = skl_fail(&j->err, SKL_E_CANCELED, "the client is gone");
    if (j->rc < 0) {
        fail_job(j, &j->err);
        return;
    }
    if (j->need != SKL_BUILD_DONE)
        send_lines(j, false);
    if (j->need == SKL_BUILD_DONE)
        finish(j);
    else if (j->need == SKL_BUILD_IMAGE)
        find_image(j);
    else
        submit(j);
}

static void submit(struct skl_build_job *j)
{
    skl_work_submit(j->e->workers, work, done, j);
}

/* What earlier builds left: copies, for the worker. */
static void take_cache(struct skl_build_job *j)
{
    struct skl_list *it;

    if (j->nocache)
        return;
    skl_list_foreach (it, skl_image_all(j->e->store)) {
        const struct skl_image *i = SKL_LIST_ENTRY(it, struct skl_image, in_store);
        SKL_AUTO_JSON cJSON *json = NULL;
        const cJSON *history, *diff_ids, *entry;
        int n, skip, layer = 0, at = 0;

        if (!i->build_keys || skl_json_parse(skl_str(i->config_json), &json, NULL) < 0)
            continue;
        history = skl_json_get(json, "history");
        diff_ids = skl_json_get(skl_json_get(json, "rootfs"), "diff_ids");
        n = (int)skl_strv_len(i->build_keys);
        skip = cJSON_GetArraySize(history) - n;
        /* layers of the steps are the newest ones */
        cJSON_ArrayForEach(entry, history) if (at++ >= skip) layer +=
            !skl_json_get_bool(entry, "empty_layer", false);
        layer = cJSON_GetArraySize(diff_ids) - layer;
        at = 0;
        cJSON_ArrayForEach(entry, history)
        {
            struct skl_build_cached *c;
            const char *digest;

            if (at++ < skip)
                continue;
            c = skl_new0(struct skl_build_cached);
            (void)skl_time_parse(skl_str(skl_json_get_str(entry, "created")), &c->created_ns);
            if (!skl_json_get_bool(entry, "empty_layer", false)) {
                digest = cJSON_GetStringValue(cJSON_GetArrayItem(diff_ids, layer++));
                if (digest && skl_str_starts(skl_str(digest), "sha256:"))
                    snprintf(c->layer, sizeof(c->layer), "%s", digest + strlen("sha256:"));
            }
            free(skl_map_set(&j->cache, skl_str(i->build_keys[at - 1 - skip]), c));
        }
    }
}

void skl_build_job_run(struct skl_build_job *own_j)
{
    take_cache(own_j);
    submit(own_j);
}
