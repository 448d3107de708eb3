/* A pull without bytes: the cloud pulls the layers itself, here only the digest and the config are wanted. */
#include "docker/images/image_resolve.h"

#include <mbedtls/md.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/secrets.h"
#include "docker/api/render.h"
#include "docker/images/image_events.h"
#include "registry/registry.h"

#define DEADLINE_MS       120000
#define QUICK_DEADLINE_MS 20000 /* where a synthetic record would do */

struct resolving {
    struct skl_engine *e;
    struct skl_reference ref;
    struct skl_platform platform;
    char *auth_text;
    struct skl_auth_header auth;
    bool only_real;
    skl_image_resolve_cb *cb;
    void *arg;
    /* written by the worker */
    int rc;
    struct skl_error err;
    struct skl_registry_image found;
    struct skl_image *own_pulled; /* by the backend's own pull */
};

/* -- credentials */

void skl_auth_header_parse(const char *text, struct skl_auth_header *ret)
{
    SKL_AUTO_BUF struct skl_buf decoded = {0};
    SKL_AUTO_JSON cJSON *json = NULL;

    *ret = (struct skl_auth_header){0};
    skl_buf_init(&decoded, 64 * SKL_KIB);
    if (skl_str_empty(text) || !skl_base64_decode(&decoded, skl_str(text)) ||
        skl_json_parse(skl_buf_str(&decoded), &json, NULL) < 0)
        return; /* an invalid header is no header */
    ret->username = skl_strdup(skl_json_get_str(json, "username"));
    ret->password = skl_strdup(skl_json_get_str(json, "password"));
    ret->identity_token = skl_strdup(skl_json_get_str(json, "identitytoken"));
    ret->registry_token = skl_strdup(skl_json_get_str(json, "registrytoken"));
    ret->server = skl_strdup(skl_json_get_str(json, "serveraddress"));
    skl_secret_seen(text);
    skl_auth_seen(json);
}

void skl_auth_seen(const cJSON *auth)
{
    static const char *const secrets[] = {"password", "identitytoken", "registrytoken", "auth"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(secrets); i++)
        skl_secret_seen(skl_json_get_str(auth, secrets[i]));
}

void skl_auth_header_fini(struct skl_auth_header *h)
{
    free(h->username);
    free(h->password);
    free(h->identity_token);
    free(h->registry_token);
    free(h->server);
    *h = (struct skl_auth_header){0};
}

static bool has_credentials(const struct skl_auth_header *h)
{
    return !skl_str_empty(h->username) || !skl_str_empty(h->identity_token) ||
           !skl_str_empty(h->registry_token);
}

/* -- on the worker */

static int ask_registry(struct resolving *x)
{
    const struct skl_registry_auth auth = {
        .username = x->auth.username,
        .password = x->auth.password,
        .identity_token = x->auth.identity_token,
        .registry_token = x->auth.registry_token,
    };
    const struct skl_registry_query query = {
        .ref = {x->ref.domain, x->ref.path, x->ref.tag, x->ref.digest},
        .platform = {x->platform.os, x->platform.architecture, x->platform.variant},
        .auth = has_credentials(&x->auth) ? &auth : NULL,
        .deadline_ms =
            skl_mono_ms() + (x->e->settings.fetch_image_config ? DEADLINE_MS : QUICK_DEADLINE_MS),
    };

    return skl_registry_resolve(x->e->registry, &query, &x->found, &x->err);
}

static int ask_backend(struct resolving *x)
{
    struct skl_call call = {.deadline_ms = skl_mono_ms() + DEADLINE_MS};
    SKL_AUTO_STR char *full = skl_reference_full(&x->ref);

    atomic_init(&call.canceled, false);
    x->own_pulled = skl_image_new();
    return x->e->backend->image_pull(x->e->backend_ctx, &call, full, x->auth_text, x->own_pulled,
                                     &x->err);
}

static void work(void *arg)
{
    struct resolving *x = arg;

    x->rc = x->e->backend->image_pull ? ask_backend(x) : ask_registry(x);
}

/* -- the record */

static void add_names(struct resolving *x, struct skl_image *i, const char *digest)
{
    SKL_AUTO_STR char *name = skl_reference_familiar_name(&x->ref);
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 8 * SKL_KIB);
    if (!x->ref.digest) {
        skl_buf_addf(&b, "%s:%s", name, x->ref.tag);
        skl_strv_push(&i->refs, b.p);
        skl_buf_reset(&b);
    }
    if (digest) {
        skl_buf_addf(&b, "%s@%s", name, digest);
        skl_strv_push(&i->digests, b.p);
    }
}

static void fill_labels(struct skl_image *i)
{
    SKL_AUTO_JSON cJSON *json = NULL;
    const cJSON *label;
    const char *created;

    if (skl_json_parse(skl_str(i->config_json), &json, NULL) < 0)
        return;
    cJSON_ArrayForEach(
        label, skl_json_get(skl_json_get(json, "config"), "Labels")) if (cJSON_IsString(label))
        skl_labels_set(&i->labels, label->string, label->valuestring);
    created = skl_json_get_str(json, "created");
    if (created)
        (void)skl_time_parse(skl_str(created), &i->created_ns); /* stays as it is if it is none */
}

static struct skl_image *real_image(struct resolving *x)
{
    struct skl_image *i = skl_image_new();
    const struct skl_registry_image *f = &x->found;
    SKL_AUTO_BUF struct skl_buf pull = {0};

    skl_buf_init(&pull, 8 * SKL_KIB);
    snprintf(i->id, sizeof(i->id), "%s", f->config_digest);
    skl_buf_addf(&pull, "%s/%s@%s", x->ref.domain, x->ref.path, f->digest);
    i->pull_ref = skl_buf_detach(&pull);
    i->config_json = skl_strdup(f->config_json);
    i->os = skl_strdup(f->os);
    i->architecture = skl_strdup(f->architecture);
    i->variant = skl_strdup(f->variant);
    i->size = f->size;
    i->created_ns = 0;
    add_names(x, i, f->digest);
    fill_labels(i);
    return i;
}

static void hash_id(const char *text, char out[72])
{
    uint8_t sum[32];
    SKL_AUTO_BUF struct skl_buf hex = {0};

    skl_buf_init(&hex, 128);
    SKL_ASSERT(mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)text,
                          strlen(text), sum) == 0);
    skl_hex_add(&hex, sum, sizeof(sum));
    snprintf(out, 72, "sha256:%s", hex.p);
}

static struct skl_image *synthetic_image(struct resolving *x)
{
    struct skl_image *i = skl_image_new();
    SKL_AUTO_BUF struct skl_buf config = {0};
    struct skl_json j;

    i->synthetic = true;
    i->pull_ref = skl_reference_full(&x->ref);
    hash_id(i->pull_ref, i->id);
    i->os = skl_strdup(x->platform.os ? x->platform.os : "linux");
    i->architecture =
        skl_strdup(x->platform.architecture ? x->platform.architecture : skl_render_go_arch());
    i->variant = skl_strdup(x->platform.variant);
    i->created_ns = skl_wall_ns();
    skl_buf_init(&config, 8 * SKL_KIB);
    skl_json_init(&j, &config);
    skl_json_object(&j, NULL);
    skl_json_time(&j, "created", i->created_ns);
    skl_json_str(&j, "architecture", i->architecture);
    skl_json_str(&j, "os", i->os);
    skl_json_object(&j, "config");
    skl_json_object(&j, "Labels");
    skl_json_str(&j, SKL_SYNTHETIC_LABEL, "true");
    skl_json_end_object(&j);
    skl_json_end_object(&j);
    skl_json_end_object(&j);
    i->config_json = skl_buf_detach(&config);
    skl_labels_set(&i->labels, SKL_SYNTHETIC_LABEL, "true");
    add_names(x, i, x->ref.digest);
    return i;
}

/* The registry did not speak: that is not a no. */
static bool may_be_synthetic(const struct resolving *x)
{
    bool refused = strstr(x->err.msg, "unauthorized") != NULL;

    if (x->only_real || x->e->settings.fetch_image_config || x->e->backend->image_pull)
        return false;
    switch (x->err.kind) {
    case SKL_E_TIMEOUT:
    case SKL_E_UNAVAILABLE:
    case SKL_E_THROTTLED:
    case SKL_E_INTERNAL:
        return !refused || !has_credentials(&x->auth);
    default:
        return false;
    }
}

static void forget_unnamed_synthetic(struct skl_engine *e, const char *id)
{
    struct skl_image *old = skl_image_find(e->store, id);
    struct skl_list *it;

    if (!old || !old->synthetic || (old->refs && old->refs[0]))
        return;
    skl_list_foreach (it, skl_container_all(e->store))
        if (skl_streq(SKL_LIST_ENTRY(it, struct skl_container, in_store)->spec.image_id, id))
            return;
    (void)skl_image_remove(e->store, old, NULL); /* an empty record more or less */
}

static bool image_has(const struct skl_image *i, const char *ref)
{
    for (char **p = i->refs; p && *p; p++)
        if (skl_streq(*p, ref))
            return true;
    for (char **p = i->digests; p && *p; p++)
        if (skl_streq(*p, ref))
            return true;
    return false;
}

static int record(struct resolving *x, struct skl_image *own_i, struct skl_resolved *ret)
{
    SKL_AUTO_STR char *name = skl_reference_familiar(&x->ref);
    const struct skl_image *before = skl_image_find(x->e->store, name);
    char before_id[72] = "";
    bool known;
    int rc;

    if (before)
        snprintf(before_id, sizeof(before_id), "%s", before->id);
    known = before && skl_streq(before->id, own_i->id) && image_has(before, name);
    own_i->tagged_ns = skl_wall_ns();
    if (has_credentials(&x->auth))
        own_i->registry_auth = skl_strdup(x->auth_text);
    rc = skl_image_add(x->e->store, own_i, &ret->image, &x->err);
    if (rc < 0)
        return rc;
    ret->is_new = !known;
    if (!known) {
        forget_unnamed_synthetic(x->e, before_id);
        skl_render_forget_lists(x->e->store);
    }
    return 0;
}

static void emit_pull(struct resolving *x, const struct skl_image *i)
{
    SKL_AUTO_STR char *name = skl_reference_familiar(&x->ref);
    SKL_AUTO_STR char *bare = skl_reference_familiar_name(&x->ref);

    skl_image_event_of(x->e, name, "pull", bare, &i->labels);
}

static void done(void *arg, bool canceled)
{
    struct resolving *x = arg;
    struct skl_resolved ret = {0};
    struct skl_image *i = NULL;
    char note[700];

    if (canceled)
        x->rc = skl_fail(&x->err, SKL_E_CANCELED, "the daemon is shutting down");
    if (x->rc == 0) {
        i = skl_take(&x->own_pulled);
        i = i ? i : real_image(x);
        ret.digest = x->found.digest;
    } else if (may_be_synthetic(x)) {
        snprintf(note, sizeof(note),
                 "the registry did not tell what %s/%s is (%s): it is used as it is, its own "
                 "command and environment are not known here",
                 x->ref.domain, x->ref.path, x->err.msg);
        ret.note = note;
        skl_warn("docker", note, NULL);
        i = synthetic_image(x);
        x->rc = 0;
    }
    if (i)
        x->rc = record(x, i, &ret);
    if (x->rc == 0)
        emit_pull(x, ret.image);
    x->cb(x->arg, x->rc == 0 ? &ret : NULL, x->rc == 0 ? NULL : &x->err);
    skl_image_free(x->own_pulled);
    skl_registry_image_fini(&x->found);
    skl_auth_header_fini(&x->auth);
    skl_platform_fini(&x->platform);
    skl_reference_fini(&x->ref);
    free(x->auth_text);
    free(x);
}

void skl_image_resolve(struct skl_engine *e, const struct skl_reference *ref,
                       const struct skl_platform *platform, const char *registry_auth,
                       bool only_real, skl_image_resolve_cb *cb, void *arg)
{
    struct resolving *x = skl_new0(struct resolving);

    x->e = e;
    x->ref = (struct skl_reference){skl_strdup(ref->domain), skl_strdup(ref->path),
                                    skl_strdup(ref->tag), skl_strdup(ref->digest)};
    x->platform =
        (struct skl_platform){skl_strdup(platform->os), skl_strdup(platform->architecture),
                              skl_strdup(platform->variant)};
    x->auth_text = skl_strdup(registry_auth);
    skl_auth_header_parse(registry_auth, &x->auth);
    x->only_real = only_real || e->settings.fetch_image_config;
    x->cb = cb;
    x->arg = arg;
    skl_work_submit(e->workers, work, done, x);
}
