/* POST /images/create. The registry is asked first, so that a refusal is a status and not a line in a stream; the
 * stream then says what was done, and no more: no layer is downloaded here, the cloud fetches them itself. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "docker/api/routes.h"
#include "docker/images/image_import.h"
#include "docker/images/image_resolve.h"

static struct skl_json *begin_line(struct skl_json *j, struct skl_buf *b)
{
    skl_json_init(j, b);
    j->escape_html = true;
    skl_json_object(j, NULL);
    return j;
}

static void end_line(struct skl_json *j)
{
    skl_json_end_object(j);
    skl_buf_adds(j->b, "\r\n");
}

struct pull {
    struct skl_request *r;
    struct skl_reference ref;
};

static void pull_free(struct pull *p)
{
    skl_request_unref(p->r);
    skl_reference_fini(&p->ref);
    free(p);
}

static void write_lines(const struct pull *p, const struct skl_resolved *found, struct skl_buf *b)
{
    SKL_AUTO_STR char *familiar = skl_reference_familiar(&p->ref);
    struct skl_json j;

    begin_line(&j, b);
    skl_json_strf(&j, "status", "Pulling from %s", p->ref.path);
    skl_json_str(&j, "id", p->ref.digest ? p->ref.digest : p->ref.tag);
    end_line(&j);
    if (found->note) {
        begin_line(&j, b);
        skl_json_strf(&j, "status", "Warning: %s", found->note);
        end_line(&j);
    }
    if (found->digest) {
        begin_line(&j, b);
        skl_json_strf(&j, "status", "Digest: %s", found->digest);
        end_line(&j);
    }
    begin_line(&j, b);
    skl_json_strf(&j, "status", "Status: %s for %s",
                  found->is_new ? "Downloaded newer image" : "Image is up to date", familiar);
    end_line(&j);
}

static void pulled(void *arg, const struct skl_resolved *found, const struct skl_error *err)
{
    struct pull *p = arg;
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64 * SKL_KIB);
    if (err) {
        skl_request_error(p->r, err);
    } else if (!skl_request_gone(p->r)) {
        write_lines(p, found, &b);
        skl_request_begin(p->r, 200, "application/json", NULL);
        skl_http_write(p->r->http, b.p, b.n);
        skl_http_end(p->r->http);
    }
    pull_free(p);
}

static int take_reference(const char *image, const char *tag, struct skl_reference *ret,
                          struct skl_error *err)
{
    int rc = skl_reference_parse(image, ret, err);

    if (rc == 0 && !skl_str_empty(tag))
        rc = skl_reference_set_tag(ret, tag, err);
    if (rc == 0)
        skl_reference_default_tag(ret);
    return rc;
}

void skl_route_image_create(struct skl_request *r)
{
    SKL_AUTO_STR char *image = skl_request_query(r, "fromImage");
    SKL_AUTO_STR char *source = skl_request_query(r, "fromSrc");
    SKL_AUTO_STR char *tag = skl_request_query(r, "tag");
    SKL_AUTO_STR char *platform_text = skl_request_query(r, "platform");
    SKL_AUTO_STR char *auth = skl_str_dup(skl_http_header(r->http, "X-Registry-Auth"));
    struct skl_platform platform = {0};
    struct skl_reference ref = {0};
    struct skl_error err;
    struct pull *p;

    if (skl_str_empty(image) && !skl_str_empty(source)) {
        skl_image_import(r);
        return;
    }
    if (take_reference(image ? image : "", tag, &ref, &err) < 0 ||
        (r->version >= 132 && skl_platform_parse(platform_text, &platform, &err) < 0)) {
        skl_request_error(r, &err);
        skl_reference_fini(&ref);
        return;
    }
    p = skl_new0(struct pull);
    p->r = skl_request_ref(r);
    p->ref = ref;
    skl_image_resolve(r->engine, &p->ref, &platform, auth, false, pulled, p);
    skl_platform_fini(&platform);
}
