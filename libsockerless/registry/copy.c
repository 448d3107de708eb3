/* A manifest and its blobs, from one repository to another. A blob that the target has stays; one of the same registry is
 * mounted; any other is read and written in pieces, so that a layer of gigabytes holds one piece here. */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "registry/internal.h"

#define PIECE (8 * SKL_MIB)

struct copy {
    struct skl_registry_session from, to;
    skl_registry_copy_cb *cb;
    void *arg;
};

static int unexpected(const struct skl_registry_session *s, const char *what, int status,
                      struct skl_error *err)
{
    return skl_fail(err, status == 401 || status == 403 ? SKL_E_UNAUTHORIZED : SKL_E_INTERNAL,
                    status == 401 || status == 403
                        ? "%s %s: denied: requested access to the resource is denied"
                        : "%s %s: the registry answered with status %d",
                    what, s->q->ref.repository, status);
}

/* -- reading */

int skl_registry_read_piece(struct skl_registry_session *s, const char *digest, int64_t offset,
                            size_t n, struct skl_buf *to, struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    SKL_AUTO_BUF struct skl_buf path = {0};
    struct skl_registry_call call = {.method = "GET", .max_body = n};
    char range[64];
    int rc;

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "/v2/%s/blobs/%s", s->q->ref.repository, digest);
    snprintf(range, sizeof(range), "bytes=%" PRId64 "-%" PRId64, offset, offset + (int64_t)n - 1);
    call.path = path.p;
    call.range = range;
    rc = skl_registry_send(s, &call, &answer, err);
    if (rc < 0)
        return rc;
    if (answer.status != 206 && !(answer.status == 200 && offset == 0))
        return skl_registry_refuse(s, path.p, &answer, err);
    skl_buf_addstr(to, skl_buf_str(&answer.body));
    return 0;
}

int skl_registry_read_blob(struct skl_registry *r, const struct skl_registry_query *q,
                           const char *digest, int64_t offset, size_t n, struct skl_buf *to,
                           struct skl_error *err)
{
    SKL_AUTO_SESSION struct skl_registry_session s = {0};
    int rc = skl_registry_session_init(&s, r, q, err);

    return rc < 0 ? rc : skl_registry_read_piece(&s, digest, offset, n, to, err);
}

/* -- writing */

static int call_to(struct copy *c, const char *method, const char *path, struct skl_str body,
                   const char *type, const char *range, struct skl_rest_response *answer,
                   struct skl_error *err)
{
    const struct skl_registry_call call = {.method = method,
                                           .path = path,
                                           .body = body,
                                           .content_type = type,
                                           .content_range = range,
                                           .max_body = SKL_MIB};

    return skl_registry_send(&c->to, &call, answer, err);
}

static int is_there(struct copy *c, const char *digest, bool *ret, struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    SKL_AUTO_BUF struct skl_buf path = {0};
    int rc;

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "/v2/%s/blobs/%s", c->to.q->ref.repository, digest);
    rc = call_to(c, "HEAD", path.p, (struct skl_str){0}, NULL, NULL, &answer, err);
    *ret = rc == 0 && answer.status == 200;
    return rc;
}

static char *location_of(const struct skl_rest_response *answer)
{
    const char *to = skl_rest_response_header(answer, "Location");

    return skl_str_empty(to) || strpbrk(to, " \\") ? NULL : skl_strdup(to);
}

/* *ret_location NULL: the blob was mounted. */
static int begin_upload(struct copy *c, const char *digest, char **ret_location,
                        struct skl_error *err)
{
    bool same = skl_streq(c->from.q->ref.host, c->to.q->ref.host);
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    SKL_AUTO_BUF struct skl_buf path = {0};
    int rc;

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "/v2/%s/blobs/uploads/", c->to.q->ref.repository);
    if (same)
        skl_buf_addf(&path, "?mount=%s&from=%s", digest, c->from.q->ref.repository);
    *ret_location = NULL;
    rc = call_to(c, "POST", path.p, (struct skl_str){0}, NULL, NULL, &answer, err);
    if (rc < 0 || (same && answer.status == 201))
        return rc;
    if (answer.status != 202)
        return unexpected(&c->to, "pushing to", answer.status, err);
    *ret_location = location_of(&answer);
    return *ret_location ? 0 : unexpected(&c->to, "pushing to", answer.status, err);
}

static int upload_pieces(struct copy *c, const char *digest, int64_t size, char **location,
                         struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf piece = {0};
    char range[64];
    int rc = 0;

    for (int64_t at = 0; rc == 0 && at < size; at += (int64_t)piece.n) {
        SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
        char *next;

        skl_buf_fini(&piece);
        skl_buf_init(&piece, PIECE + 1);
        rc = skl_registry_read_piece(&c->from, digest, at, PIECE, &piece, err);
        if (rc == 0 && (piece.n == 0 || at + (int64_t)piece.n > size))
            rc = skl_fail(err, SKL_E_INTERNAL, "layer %s has another size than its manifest says",
                          digest);
        if (rc < 0)
            return rc;
        snprintf(range, sizeof(range), "%" PRId64 "-%" PRId64, at, at + (int64_t)piece.n - 1);
        rc = call_to(c, "PATCH", *location, skl_buf_str(&piece), "application/octet-stream", range,
                     &answer, err);
        if (rc < 0)
            return rc;
        next = answer.status == 202 ? location_of(&answer) : NULL;
        if (!next)
            return unexpected(&c->to, "pushing to", answer.status, err);
        free(*location);
        *location = next;
    }
    return rc;
}

static int finish_upload(struct copy *c, const char *digest, const char *location,
                         struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    SKL_AUTO_BUF struct skl_buf url = {0};
    int rc;

    skl_buf_init(&url, 16 * SKL_KIB);
    skl_buf_addf(&url, "%s%cdigest=%s", location, strchr(location, '?') ? '&' : '?', digest);
    rc = call_to(c, "PUT", url.p, (struct skl_str){0}, NULL, NULL, &answer, err);
    if (rc == 0 && answer.status != 201)
        rc = unexpected(&c->to, "pushing to", answer.status, err);
    return rc;
}

static int copy_blob(struct copy *c, const char *digest, int64_t size, const char **status,
                     struct skl_error *err)
{
    char *location SKL_AUTO_STR = NULL;
    bool there = false;
    int rc = is_there(c, digest, &there, err);

    *status = "Layer already exists";
    if (rc < 0 || there)
        return rc;
    rc = begin_upload(c, digest, &location, err);
    *status = location ? "Pushed" : "Mounted";
    if (rc < 0 || !location)
        return rc;
    rc = upload_pieces(c, digest, size, &location, err);
    return rc < 0 ? rc : finish_upload(c, digest, location, err);
}

static int put_manifest(struct copy *c, const struct skl_manifest *m, struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    SKL_AUTO_BUF struct skl_buf path = {0};
    int rc;

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "/v2/%s/manifests/%s", c->to.q->ref.repository, c->to.q->ref.tag);
    rc = call_to(c, "PUT", path.p, skl_str(m->text), m->media_type, NULL, &answer, err);
    if (rc == 0 && answer.status != 201)
        rc = unexpected(&c->to, "pushing to", answer.status, err);
    return rc;
}

static int copy_all(struct copy *c, struct skl_registry_copied *ret, struct skl_error *err)
{
    SKL_AUTO_REGISTRY_IMAGE struct skl_registry_image image = {0};
    SKL_AUTO_MANIFEST struct skl_manifest m = {0};
    const cJSON *config;
    const char *status;
    int rc = skl_registry_get_leaf(&c->from, &m, err);

    if (rc == 0)
        rc = skl_manifest_read(&m, &image, err);
    for (size_t i = 0; rc == 0 && i < image.n_layers; i++) {
        rc = copy_blob(c, image.layers[i].digest, image.layers[i].size, &status, err);
        if (rc == 0 && c->cb)
            c->cb(c->arg, image.layers[i].digest, status);
    }
    if (rc < 0)
        return rc;
    config = skl_json_get(m.json, "config");
    rc = copy_blob(c, image.config_digest, skl_descriptor_size(config), &status, err);
    if (rc == 0)
        rc = put_manifest(c, &m, err);
    if (rc == 0) {
        snprintf(ret->digest, sizeof(ret->digest), "%s", m.digest);
        ret->size = m.size;
    }
    return rc;
}

int skl_registry_copy(struct skl_registry *r, const struct skl_registry_query *from,
                      const struct skl_registry_query *to, skl_registry_copy_cb *cb, void *arg,
                      struct skl_registry_copied *ret, struct skl_error *err)
{
    struct copy c = {.cb = cb, .arg = arg};
    int rc = skl_registry_session_init(&c.from, r, from, err);

    if (rc == 0)
        rc = skl_registry_session_init(&c.to, r, to, err);
    if (rc == 0 && c.to.n_bases > 0 && c.to.bases[0].mirror)
        c.to.base = 1; /* a mirror is read, never written */
    if (rc == 0)
        rc = copy_all(&c, ret, err);
    skl_registry_session_fini(&c.from);
    skl_registry_session_fini(&c.to);
    return rc;
}
