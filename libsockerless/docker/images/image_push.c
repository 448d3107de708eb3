/* POST /images/{name}/push. The bytes of an image are in a registry already, so a push is a copy from there: blobs that
 * the target lacks, then the manifest under its new name. The header is sent at once, the lines as far as they are known
 * when a tag is done: a copy between registries may take longer than a client waits for a header. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "docker/api/routes.h"
#include "docker/images/image_ask.h"
#include "docker/images/image_events.h"

#define DEADLINE_MS (30 * 60 * INT64_C(1000))

struct push {
    struct skl_request *r;
    char **targets; /* familiar references that are left; the first is being pushed */
    size_t at;
    struct skl_ask from, to;
    struct skl_buf lines;
    struct skl_registry_copied copied;
    int rc;
    struct skl_error err;
};

static void line(struct push *p, const char *status, const char *id)
{
    struct skl_json j;

    skl_json_init(&j, &p->lines);
    j.escape_html = true;
    skl_json_object(&j, NULL);
    skl_json_str(&j, "status", status);
    if (id) {
        skl_json_raw(&j, "progressDetail", "{}");
        skl_json_str(&j, "id", id);
    }
    skl_json_end_object(&j);
    skl_buf_adds(&p->lines, "\r\n");
}

static void error_line(struct push *p, const struct skl_error *err)
{
    struct skl_json j;

    skl_json_init(&j, &p->lines);
    j.escape_html = true;
    skl_json_object(&j, NULL);
    skl_json_object(&j, "errorDetail");
    skl_json_str(&j, "message", err->msg);
    skl_json_end_object(&j);
    skl_json_str(&j, "error", err->msg);
    skl_json_end_object(&j);
    skl_buf_adds(&p->lines, "\r\n");
}

static void done_lines(struct push *p)
{
    struct skl_json j;
    char text[256];

    snprintf(text, sizeof(text), "%.120s: digest: %s size: %lld", p->to.ref.tag, p->copied.digest,
             (long long)p->copied.size);
    line(p, text, NULL);
    skl_json_init(&j, &p->lines);
    skl_json_object(&j, NULL);
    skl_json_raw(&j, "progressDetail", "{}");
    skl_json_object(&j, "aux");
    skl_json_str(&j, "Tag", p->to.ref.tag);
    skl_json_str(&j, "Digest", p->copied.digest);
    skl_json_int(&j, "Size", p->copied.size);
    skl_json_end_object(&j);
    skl_json_end_object(&j);
    skl_buf_adds(&p->lines, "\r\n");
}

static void flush(struct push *p)
{
    if (!skl_request_gone(p->r))
        skl_http_write(p->r->http, p->lines.p, p->lines.n);
    skl_buf_reset(&p->lines);
}

static void push_free(struct push *p)
{
    flush(p);
    if (!skl_request_gone(p->r))
        skl_http_end(p->r->http);
    skl_request_unref(p->r);
    skl_strv_free(p->targets);
    skl_ask_fini(&p->from);
    skl_ask_fini(&p->to);
    skl_buf_fini(&p->lines);
    free(p);
}

/* -- on the worker */

static void on_layer(void *arg, const char *digest, const char *status)
{
    char id[13];

    snprintf(id, sizeof(id), "%.12s", digest + strlen("sha256:"));
    line(arg, status, id);
}

static void work(void *arg)
{
    struct push *p = arg;
    struct skl_registry_auth from_auth, to_auth;
    int64_t deadline_ms = skl_mono_ms() + DEADLINE_MS;
    struct skl_registry_query from = skl_ask_query(&p->from, &from_auth, deadline_ms);
    struct skl_registry_query to = skl_ask_query(&p->to, &to_auth, deadline_ms);

    p->rc = skl_registry_copy(p->r->engine->registry, &from, &to, on_layer, p, &p->copied, &p->err);
}

/* -- one tag after the other */

static void next(struct push *p);

static void pushed(void *arg, bool canceled)
{
    struct push *p = arg;
    SKL_AUTO_STR char *name = skl_reference_familiar(&p->to.ref);
    SKL_AUTO_STR char *bare = skl_reference_familiar_name(&p->to.ref);

    if (canceled)
        p->rc = skl_fail(&p->err, SKL_E_CANCELED, "the daemon is shutting down");
    if (p->rc < 0) {
        error_line(p, &p->err);
        push_free(p);
        return;
    }
    done_lines(p);
    skl_image_event_of(p->r->engine, name, "push", bare, NULL);
    flush(p);
    p->at++;
    next(p);
}

/* An Engine names the repository and calls it a tag. */
static int not_here(const char *target, struct skl_error *err)
{
    SKL_AUTO_REFERENCE struct skl_reference ref = {0};
    SKL_AUTO_STR char *bare = NULL;
    int rc = skl_reference_parse(target, &ref, err);

    if (rc < 0)
        return rc;
    bare = skl_reference_familiar_name(&ref);
    return skl_fail(err, SKL_E_NOTFOUND, "An image does not exist locally with the tag: %s", bare);
}

static int prepare(struct push *p, const char *target, const char *auth, struct skl_error *err)
{
    struct skl_image *i = skl_image_find(p->r->engine->store, target);
    int rc;

    skl_ask_fini(&p->from);
    skl_ask_fini(&p->to);
    if (!i)
        return not_here(target, err);
    if (i->build_keys) /* also without files: what is in the registry is its base image */
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "%s was built here and no registry has its files: this daemon keeps them "
                        "for its own containers and cannot push them",
                        target);
    rc = skl_ask_init(&p->to, target, auth, err);
    if (rc == 0)
        rc = skl_ask_init(&p->from, i->pull_ref, i->registry_auth, err);
    return rc;
}

static void next(struct push *p)
{
    SKL_AUTO_STR char *auth = NULL;
    struct skl_error err;

    if (!p->targets[p->at] || skl_request_gone(p->r)) {
        push_free(p);
        return;
    }
    auth = skl_str_dup(skl_http_header(p->r->http, "X-Registry-Auth"));
    if (prepare(p, p->targets[p->at], auth, &err) < 0) {
        error_line(p, &err);
        push_free(p);
        return;
    }
    skl_work_submit(p->r->engine->workers, work, pushed, p);
}

/* With a tag that one, else all of the repository. */
static char **targets_of(struct skl_store *s, const struct skl_reference *ref, const char *tag)
{
    SKL_AUTO_STR char *name = skl_reference_familiar_name(ref);
    struct skl_image *i;
    char **found = NULL;
    struct skl_list *it;

    if (tag) {
        SKL_AUTO_BUF struct skl_buf b = {0};

        skl_buf_init(&b, 8 * SKL_KIB);
        skl_buf_addf(&b, "%s:%s", name, tag);
        skl_strv_push(&found, b.p);
        return found;
    }
    skl_list_foreach (it, skl_image_all(s)) {
        i = SKL_LIST_ENTRY(it, struct skl_image, in_store);
        for (char **p = i->refs; p && *p; p++) {
            SKL_AUTO_STR char *repository = skl_image_repository(*p);

            if (skl_streq(repository, name))
                skl_strv_push(&found, *p);
        }
    }
    if (!found)
        skl_strv_push(&found, name);
    return found;
}

void skl_route_image_push(struct skl_request *r)
{
    SKL_AUTO_REFERENCE struct skl_reference ref = {0};
    SKL_AUTO_STR char *tag = skl_request_query(r, "tag");
    SKL_AUTO_STR char *name = NULL;
    SKL_AUTO_BUF struct skl_buf text = {0};
    struct skl_error err;
    struct push *p;

    if (!skl_http_header(r->http, "X-Registry-Auth").p) {
        skl_request_fail(r, SKL_E_INVALID, "bad parameters and missing X-Registry-Auth: EOF");
        return;
    }
    if (skl_reference_parse(r->param, &ref, &err) < 0 ||
        (!skl_str_empty(tag) && skl_reference_set_tag(&ref, tag, &err) < 0)) {
        skl_request_error(r, &err);
        return;
    }
    p = skl_new0(struct push);
    p->r = skl_request_ref(r);
    p->targets = targets_of(r->engine->store, &ref, ref.tag);
    skl_buf_init(&p->lines, 4 * SKL_MIB);
    skl_request_begin(r, 200, "application/json", NULL);
    skl_buf_init(&text, 8 * SKL_KIB);
    skl_buf_addf(&text, "The push refers to repository [%s/%s]", ref.domain, ref.path);
    line(p, text.p, NULL);
    flush(p);
    next(p);
}
