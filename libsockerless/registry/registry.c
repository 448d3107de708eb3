/* The questions: what is this image, what is behind this name, is this login good. */
#include "registry/registry.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "registry/internal.h"

#define ACCEPT                                                                                     \
    "application/vnd.docker.distribution.manifest.v2+json, "                                       \
    "application/vnd.docker.distribution.manifest.list.v2+json, "                                  \
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"

int skl_registry_new(const struct skl_registry_settings *s, struct skl_rest *rest,
                     struct skl_registry **ret, struct skl_error *err)
{
    SKL_AUTO(registry) r = skl_new0(struct skl_registry);

    (void)pthread_mutex_init(&r->token_lock, NULL);
    skl_list_init(&r->tokens);
    r->rest = rest;
    if (s && !skl_str_empty(s->mirror)) {
        struct skl_str m = skl_str(s->mirror);

        if (!skl_url_same_origin(s->mirror, s->mirror))
            return skl_fail(err, SKL_E_INVALID, "'%s' is not a URL (http://HOST[:PORT])",
                            s->mirror);
        while (m.n > 0 && m.p[m.n - 1] == '/')
            m.n--;
        r->mirror = skl_str_dup(m);
    }
    for (size_t i = 0; s && s->insecure && s->insecure[i]; i++)
        skl_strv_push(&r->insecure, s->insecure[i]);
    *ret = skl_take(&r);
    return 0;
}

void skl_registry_free(struct skl_registry *r)
{
    if (!r)
        return;
    skl_registry_tokens_free(r);
    (void)pthread_mutex_destroy(&r->token_lock);
    skl_strv_free(r->insecure);
    free(r->mirror);
    free(r);
}

void skl_registry_image_fini(struct skl_registry_image *i)
{
    free(i->digest);
    free(i->media_type);
    free(i->config_digest);
    free(i->config_json);
    for (size_t n = 0; n < i->n_layers; n++)
        free(i->layers[n].digest);
    free(i->layers);
    free(i->os);
    free(i->architecture);
    free(i->variant);
    *i = (struct skl_registry_image){0};
}

void skl_registry_descriptor_fini(struct skl_registry_descriptor *d)
{
    free(d->digest);
    free(d->media_type);
    for (size_t i = 0; i < d->n_platforms; i++) {
        free(d->platforms[i].os);
        free(d->platforms[i].architecture);
        free(d->platforms[i].variant);
    }
    free(d->platforms);
    *d = (struct skl_registry_descriptor){0};
}

int skl_registry_get_manifest(struct skl_registry_session *s, const char *reference,
                              const char *want_digest, struct skl_manifest *ret,
                              struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    SKL_AUTO_BUF struct skl_buf path = {0};
    int rc;

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "/v2/%s/manifests/%s", s->q->ref.repository, reference);
    rc = skl_registry_get(s, path.p, ACCEPT, SKL_REGISTRY_MAX_MANIFEST, &answer, err);
    if (rc == -SKL_E_UNAUTHORIZED) { /* the token service refused; a pull that fails so is a 500 */
        (void)skl_wrap(err, rc, "Get \"%s%s\"", s->bases[s->base].url, path.p);
        err->kind = SKL_E_INTERNAL;
        return -SKL_E_INTERNAL;
    }
    if (rc < 0)
        return rc;
    if (answer.status != 200)
        return skl_registry_refuse(s, path.p, &answer, err);
    return skl_manifest_parse(skl_buf_str(&answer.body),
                              skl_rest_response_header(&answer, "Content-Type"), want_digest, ret,
                              err);
}

static int get_config(struct skl_registry_session *s, struct skl_registry_image *image,
                      struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    SKL_AUTO_JSON cJSON *json = NULL;
    SKL_AUTO_BUF struct skl_buf path = {0};
    char digest[72];
    int rc;

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "/v2/%s/blobs/%s", s->q->ref.repository, image->config_digest);
    rc = skl_registry_get(s, path.p, NULL, SKL_MAX_REGISTRY_BODY, &answer, err);
    if (rc < 0)
        return rc;
    if (answer.status != 200)
        return skl_registry_refuse(s, path.p, &answer, err);
    skl_digest_of(skl_buf_str(&answer.body), digest);
    if (!skl_streq(digest, image->config_digest))
        return skl_fail(err, SKL_E_INTERNAL, "image config verification failed for digest %s",
                        image->config_digest);
    rc = skl_json_parse(skl_buf_str(&answer.body), &json, err);
    if (rc < 0)
        return skl_wrap(err, rc, "the image's config");
    skl_strset(&image->os, skl_json_get_str(json, "os"));
    skl_strset(&image->architecture, skl_json_get_str(json, "architecture"));
    skl_strset(&image->variant, skl_json_get_str(json, "variant"));
    image->config_json = skl_buf_detach(&answer.body);
    return 0;
}

static const char *reference_of(const struct skl_registry_ref *ref)
{
    if (!skl_str_empty(ref->digest))
        return ref->digest;
    return skl_str_empty(ref->tag) ? "latest" : ref->tag;
}

int skl_registry_get_leaf(struct skl_registry_session *s, struct skl_manifest *ret,
                          struct skl_error *err)
{
    SKL_AUTO_MANIFEST struct skl_manifest top = {0};
    const char *digest;
    int rc = skl_registry_get_manifest(s, reference_of(&s->q->ref), s->q->ref.digest, &top, err);

    if (rc == 0 && top.is_index) {
        rc = skl_manifest_choose(&top, &s->q->platform, &digest, err);
        return rc < 0 ? rc : skl_registry_get_manifest(s, digest, digest, ret, err);
    }
    if (rc == 0) {
        *ret = top;
        top = (struct skl_manifest){0};
    }
    return rc;
}

static int resolve(struct skl_registry_session *s, struct skl_registry_image *ret,
                   struct skl_error *err)
{
    SKL_AUTO_MANIFEST struct skl_manifest top = {0}, leaf = {0};
    const struct skl_manifest *m = &top;
    const char *digest = NULL;
    int rc = skl_registry_get_manifest(s, reference_of(&s->q->ref), s->q->ref.digest, &top, err);

    if (rc < 0)
        return rc;
    if (top.is_index) {
        rc = skl_manifest_choose(&top, &s->q->platform, &digest, err);
        if (rc == 0)
            rc = skl_registry_get_manifest(s, digest, digest, &leaf, err);
        if (rc == 0 && leaf.is_index)
            rc = skl_fail(err, SKL_E_UNSUPPORTED, "a manifest list inside a manifest list");
        if (rc < 0)
            return rc;
        m = &leaf;
    }
    ret->digest = skl_strdup(top.digest);
    ret->media_type = skl_strdup(top.media_type);
    ret->digest_size = top.size;
    rc = skl_manifest_read(m, ret, err);
    return rc < 0 ? rc : get_config(s, ret, err);
}

int skl_registry_resolve(struct skl_registry *r, const struct skl_registry_query *q,
                         struct skl_registry_image *ret, struct skl_error *err)
{
    SKL_AUTO_SESSION struct skl_registry_session s = {0};
    struct skl_error own;
    int rc;

    if (!err)
        err = &own;
    *ret = (struct skl_registry_image){0};
    rc = skl_registry_session_init(&s, r, q, err);
    if (rc == 0 && skl_str_empty(q->ref.repository))
        rc = skl_fail(err, SKL_E_INVALID, "no repository name");
    if (rc == 0)
        rc = resolve(&s, ret, err);
    if (rc < 0)
        skl_registry_image_fini(ret);
    return rc;
}

static void add_platform(struct skl_registry_descriptor *d, const char *os,
                         const char *architecture, const char *variant)
{
    if (!os || !architecture || skl_streq(os, "unknown"))
        return; /* attestations are listed as unknown/unknown */
    d->platforms = skl_realloc(d->platforms, d->n_platforms + 1, sizeof(*d->platforms));
    d->platforms[d->n_platforms].os = skl_strdup(os);
    d->platforms[d->n_platforms].architecture = skl_strdup(architecture);
    d->platforms[d->n_platforms++].variant = skl_strdup(variant);
}

static int describe(struct skl_registry_session *s, struct skl_registry_descriptor *ret,
                    struct skl_error *err)
{
    SKL_AUTO_REGISTRY_IMAGE struct skl_registry_image image = {0};
    SKL_AUTO_MANIFEST struct skl_manifest m = {0};
    const cJSON *entry;
    int rc = skl_registry_get_manifest(s, reference_of(&s->q->ref), s->q->ref.digest, &m, err);

    if (rc < 0)
        return rc;
    ret->digest = skl_strdup(m.digest);
    ret->media_type = skl_strdup(m.media_type);
    ret->size = m.size;
    if (!m.is_index) {
        rc = skl_manifest_read(&m, &image, err);
        if (rc == 0)
            rc = get_config(s, &image, err);
        if (rc == 0)
            add_platform(ret, image.os, image.architecture, image.variant);
        return rc;
    }
    cJSON_ArrayForEach(entry, skl_json_get(m.json, "manifests"))
    {
        const cJSON *p = skl_json_get(entry, "platform");

        add_platform(ret, skl_json_get_str(p, "os"), skl_json_get_str(p, "architecture"),
                     skl_json_get_str(p, "variant"));
    }
    return 0;
}

int skl_registry_describe(struct skl_registry *r, const struct skl_registry_query *q,
                          struct skl_registry_descriptor *ret, struct skl_error *err)
{
    SKL_AUTO_SESSION struct skl_registry_session s = {0};
    struct skl_error own;
    int rc;

    if (!err)
        err = &own;
    *ret = (struct skl_registry_descriptor){0};
    rc = skl_registry_session_init(&s, r, q, err);
    if (rc == 0 && skl_str_empty(q->ref.repository))
        rc = skl_fail(err, SKL_E_INVALID, "no repository name");
    if (rc == 0)
        rc = describe(&s, ret, err);
    if (rc < 0)
        skl_registry_descriptor_fini(ret);
    return rc;
}

/* "https://index.docker.io/v1/", "reg.example:5000", "http://reg/v2/": the host; owned. */
static char *server_host(const char *server)
{
    struct skl_str s = skl_str(server), rest;

    if (skl_str_istarts(s, "https://"))
        s = skl_str_skip(s, 8);
    else if (skl_str_istarts(s, "http://"))
        s = skl_str_skip(s, 7);
    s = skl_str_cut(s, '/', &rest);
    if (s.n == 0 || skl_str_ieqz(s, "index.docker.io") || skl_str_ieqz(s, "registry-1.docker.io"))
        return skl_strdup("docker.io");
    return skl_str_dup(s);
}

int skl_registry_check_login(struct skl_registry *r, const char *server,
                             const struct skl_registry_auth *auth, int64_t deadline_ms,
                             const atomic_bool *cancel, struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    SKL_AUTO_SESSION struct skl_registry_session s = {0};
    char *host SKL_AUTO_STR = server_host(server);
    struct skl_registry_query q = {
        .ref = {.host = host}, .auth = auth, .deadline_ms = deadline_ms, .cancel = cancel};
    struct skl_error own;
    const char *base;
    int rc;

    if (!err)
        err = &own;
    rc = skl_registry_session_init(&s, r, &q, err);
    if (rc < 0)
        return rc;
    if (s.bases[0].mirror)
        s.base = 1; /* the login is docker.io's */
    rc = skl_registry_get(&s, "/v2/", NULL, SKL_MIB, &answer, err);
    base = s.bases[s.base].url;
    if (rc == -SKL_E_UNAUTHORIZED)
        return skl_wrap(err, rc, "Get \"%s/v2/\"", base);
    if (rc < 0 || answer.status == 200)
        return rc;
    return skl_fail(
        err, answer.status == 401 || answer.status == 403 ? SKL_E_UNAUTHORIZED : SKL_E_INTERNAL,
        "login attempt to %s/v2/ failed with status: %d%s", base, answer.status,
        answer.status == 401 ? " Unauthorized" : "");
}
