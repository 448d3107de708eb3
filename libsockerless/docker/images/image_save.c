/* GET /images/{name}/get and /images/get?names=: the archive of `docker save`, made from what registries have.
 *
 * Its parts are known before its first byte (manifests are asked for first, so that a refusal is a status); layers follow
 * in pieces that a worker reads while the client takes the piece before. Layers stay packed as the registry has them:
 * `docker load` and other readers unpack by content. A part is never held as a whole.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/tar.h"
#include "docker/api/routes.h"
#include "docker/images/image_ask.h"
#include "docker/images/image_events.h"

#define PIECE      (4 * SKL_MIB)
#define ASK_MS     60000
#define READ_MS    300000
#define MAX_IMAGES 100

struct saved_image {
    struct skl_ask ask;
    char id[72]; /* of the image, for the event */
    char **tags;
    struct skl_registry_image found;
    size_t layer; /* the one that is being sent */
};

struct save {
    struct skl_request *r;
    struct saved_image *images;
    size_t n, at; /* of at: what is being asked for, then what is being sent */
    int64_t offset;
    struct skl_buf out;
    bool begun;
    int rc;
    struct skl_error err;
};

static void save_free(struct save *s)
{
    for (size_t i = 0; i < s->n; i++) {
        skl_ask_fini(&s->images[i].ask);
        skl_strv_free(s->images[i].tags);
        skl_registry_image_fini(&s->images[i].found);
    }
    free(s->images);
    skl_buf_fini(&s->out);
    skl_request_unref(s->r);
    free(s);
}

/* A failure in the middle must not look like a complete archive. */
static void fail(struct save *s, const struct skl_error *err)
{
    if (!s->begun)
        skl_request_error(s->r, err);
    else if (!skl_request_gone(s->r))
        skl_http_abort(s->r->http);
    save_free(s);
}

/* -- the archive's parts */

static const char *hex_of(const char *digest)
{
    const char *colon = strchr(digest, ':');

    return colon ? colon + 1 : digest;
}

static int add_member(struct save *s, const char *name, int64_t size)
{
    const struct skl_tar_entry e = {.name = name,
                                    .linkname = "",
                                    .uname = "",
                                    .gname = "",
                                    .type = SKL_TAR_FILE,
                                    .mode = 0644,
                                    .size = size};

    return skl_tar_write_header(&s->out, &e, &s->err);
}

static int add_text(struct save *s, const char *name, struct skl_str text)
{
    int rc = add_member(s, name, (int64_t)text.n);

    skl_buf_addstr(&s->out, text);
    skl_tar_write_padding(&s->out, (int64_t)text.n);
    return rc;
}

static void render_manifest(const struct save *s, struct skl_json *j)
{
    skl_json_array(j, NULL);
    for (size_t i = 0; i < s->n; i++) {
        const struct saved_image *image = &s->images[i];

        skl_json_object(j, NULL);
        skl_json_strf(j, "Config", "blobs/sha256/%s", hex_of(image->found.config_digest));
        if (image->tags)
            skl_json_strv(j, "RepoTags", image->tags);
        else
            skl_json_null(j, "RepoTags");
        skl_json_array(j, "Layers");
        for (size_t k = 0; k < image->found.n_layers; k++)
            skl_json_strf(j, NULL, "blobs/sha256/%s", hex_of(image->found.layers[k].digest));
        skl_json_end_array(j);
        skl_json_end_object(j);
    }
    skl_json_end_array(j);
}

static int add_head(struct save *s)
{
    SKL_AUTO_BUF struct skl_buf manifest = {0};
    struct skl_json j;
    char name[128];
    int rc;

    skl_buf_init(&manifest, 4 * SKL_MIB);
    skl_json_init(&j, &manifest);
    render_manifest(s, &j);
    rc = add_text(s, "manifest.json", skl_buf_str(&manifest));
    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        snprintf(name, sizeof(name), "blobs/sha256/%s", hex_of(s->images[i].found.config_digest));
        rc = add_text(s, name, skl_str(s->images[i].found.config_json));
    }
    return rc;
}

/* -- sending: a piece is read by a worker, written on the loop, and the next one waits for the client */

static void next_piece(struct save *s);

static void on_drain(void *owner)
{
    struct skl_request *r = owner;
    struct save *s = r->state;

    if (s)
        next_piece(s);
}

static void send_out(struct save *s)
{
    if (skl_request_gone(s->r)) {
        save_free(s);
        return;
    }
    skl_http_write(s->r->http, s->out.p, s->out.n);
    skl_buf_reset(&s->out);
    if (skl_http_congested(s->r->http))
        s->r->state = s; /* on_drain goes on */
    else
        next_piece(s);
}

static const struct skl_registry_layer *current_layer(const struct save *s)
{
    const struct saved_image *i = &s->images[s->at];

    return &i->found.layers[i->layer];
}

static void read_piece(void *arg)
{
    struct save *s = arg;
    const struct skl_registry_layer *l = current_layer(s);
    int64_t left = l->size - s->offset;
    struct skl_registry_auth auth;
    struct skl_registry_query q =
        skl_ask_query(&s->images[s->at].ask, &auth, skl_mono_ms() + READ_MS);
    size_t before = s->out.n;

    s->rc = skl_registry_read_blob(s->r->engine->registry, &q, l->digest, s->offset,
                                   left < (int64_t)PIECE ? (size_t)left : PIECE, &s->out, &s->err);
    if (s->rc == 0 && (s->out.n == before || (int64_t)(s->out.n - before) > left))
        s->rc = skl_fail(&s->err, SKL_E_INTERNAL,
                         "layer %s has another size than its manifest says", l->digest);
    if (s->rc == 0)
        s->offset += (int64_t)(s->out.n - before);
}

static void piece_read(void *arg, bool canceled)
{
    struct save *s = arg;

    if (canceled)
        s->rc = skl_fail(&s->err, SKL_E_CANCELED, "the daemon is shutting down");
    if (s->rc < 0) {
        fail(s, &s->err);
        return;
    }
    if (s->offset == current_layer(s)->size) {
        skl_tar_write_padding(&s->out, s->offset);
        s->offset = 0;
        s->images[s->at].layer++;
    }
    send_out(s);
}

/* A layer that an earlier image has is in the archive already. */
static bool is_sent(const struct save *s, const char *digest)
{
    for (size_t i = 0; i <= s->at; i++)
        for (size_t k = 0; k < (i < s->at ? s->images[i].found.n_layers : s->images[i].layer); k++)
            if (skl_streq(s->images[i].found.layers[k].digest, digest))
                return true;
    return false;
}

static void next_piece(struct save *s)
{
    char name[128];

    s->r->state = NULL;
    while (s->at < s->n && s->offset == 0 &&
           (s->images[s->at].layer == s->images[s->at].found.n_layers ||
            is_sent(s, current_layer(s)->digest))) {
        if (s->images[s->at].layer == s->images[s->at].found.n_layers)
            s->at++;
        else
            s->images[s->at].layer++;
    }
    if (s->at == s->n) {
        skl_tar_write_end(&s->out);
        skl_http_write(s->r->http, s->out.p, s->out.n);
        skl_http_end(s->r->http);
        save_free(s);
        return;
    }
    if (s->offset == 0) {
        snprintf(name, sizeof(name), "blobs/sha256/%s", hex_of(current_layer(s)->digest));
        if (add_member(s, name, current_layer(s)->size) < 0) {
            fail(s, &s->err);
            return;
        }
    }
    skl_work_submit(s->r->engine->workers, read_piece, piece_read, s);
}

/* -- asking */

static void ask(void *arg)
{
    struct save *s = arg;

    s->rc = 0;
    for (size_t i = 0; s->rc == 0 && i < s->n; i++) {
        struct skl_registry_auth auth;
        struct skl_registry_query q =
            skl_ask_query(&s->images[i].ask, &auth, skl_mono_ms() + ASK_MS);

        s->rc = skl_registry_resolve(s->r->engine->registry, &q, &s->images[i].found, &s->err);
    }
}

static void gone(struct skl_request *r)
{
    struct save *s = r->state;

    r->state = NULL;
    if (s)
        save_free(s); /* it waited for the client; else a worker's answer frees it */
}

/* Once for an image, under however many names. */
static void emit(const struct save *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct skl_image *image = skl_image_find(s->r->engine->store, s->images[i].id);
        size_t before = 0;

        while (before < i && !skl_streq(s->images[before].id, s->images[i].id))
            before++;
        if (image && before == i)
            skl_image_event(s->r->engine, image, "save", NULL);
    }
}

static void asked(void *arg, bool canceled)
{
    struct save *s = arg;

    if (canceled)
        s->rc = skl_fail(&s->err, SKL_E_CANCELED, "the daemon is shutting down");
    if (s->rc == 0)
        s->rc = add_head(s);
    if (s->rc < 0) {
        fail(s, &s->err);
        return;
    }
    if (skl_request_gone(s->r)) {
        save_free(s);
        return;
    }
    s->begun = true;
    emit(s);
    s->r->on_gone = gone;
    skl_request_begin(s->r, 200, "application/x-tar", NULL);
    skl_http_on_drain(s->r->http, on_drain);
    send_out(s);
}

static int take_image(struct save *s, const char *name, struct skl_error *err)
{
    struct saved_image *x = &s->images[s->n];
    struct skl_image *i;
    int rc = skl_image_lookup(s->r->engine->store, name, &i, err);

    if (rc < 0)
        return rc;
    if (i->build_keys) /* also without files: what a registry has is its base image */
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "%.200s was built here: its files are laid over its base image when a "
                        "container starts, and cannot be saved as an image",
                        name);
    s->n++;
    snprintf(x->id, sizeof(x->id), "%s", i->id);
    /* By id all its names, by a name that one. */
    for (char **p = i->refs; p && *p; p++)
        if (skl_image_is_by_id(i, name) || skl_streq(*p, name) ||
            (strncmp(*p, name, strlen(name)) == 0 && skl_streq(*p + strlen(name), ":latest")))
            skl_strv_push(&x->tags, *p);
    return skl_ask_init(&x->ask, i->pull_ref, i->registry_auth, err);
}

static void save(struct skl_request *r, char *const *names)
{
    struct save *s = skl_new0(struct save);
    struct skl_error err;
    int rc = 0;

    s->r = skl_request_ref(r);
    s->images = skl_new0_n(struct saved_image, skl_strv_len(names));
    skl_buf_init(&s->out, 4 * PIECE + SKL_MAX_REGISTRY_BODY);
    for (; rc == 0 && *names; names++)
        rc = take_image(s, *names, &err);
    if (rc < 0)
        fail(s, &err);
    else
        skl_work_submit(r->engine->workers, ask, asked, s);
}

void skl_route_image_get(struct skl_request *r)
{
    char *names[] = {r->param, NULL};

    save(r, names);
}

void skl_route_images_get(struct skl_request *r)
{
    char **names = skl_request_query_all(r, "names");

    if (!names || skl_strv_len(names) > MAX_IMAGES)
        skl_request_fail(r, SKL_E_INVALID, "names of 1 to 100 images are needed");
    else
        save(r, names);
    skl_strv_free(names);
}
