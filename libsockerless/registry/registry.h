/* registry - what an image is: its digest and config, asked from an OCI distribution registry.
 *
 * Shape   manifests (Docker v2, OCI), lists and indexes by platform; token and basic authentication;
 *         redirects without taking Authorization to another host; layers are fetched for those who ask for
 *         their files, never for a pull
 * Errors  in the words of a Docker Engine, which clients match on:
 *         NOTFOUND  "pull access denied for x, repository does not exist or may require 'docker login': ..."
 *         NOTFOUND  "manifest for x:tag not found: manifest unknown: manifest unknown"
 *         NOTFOUND  "no matching manifest for linux/arm64 in the manifest list entries"
 *         INTERNAL  "... unauthorized: authentication required"; `Get "https://reg/v2/": ...`
 *         UNAUTHORIZED by skl_registry_check_login() only
 * Thread  any; blocking; one mutex for the cached tokens
 * Limits  manifests <= 4 MiB, configs <= SKL_MAX_REGISTRY_BODY
 */
#ifndef SKL_REGISTRY_REGISTRY_H
#define SKL_REGISTRY_REGISTRY_H

#include "cloud/rest.h"

struct skl_registry_settings {
    const char
        *mirror; /* URL tried first for docker.io [SOCKERLESS_REGISTRY_MIRROR]; may be NULL */
    const char *const
        *insecure; /* "host[:port]" list, NULL-terminated: https without a check, else http */
};

/* All borrowed; NULL or "" is absent. */
struct skl_registry_auth {
    const char *username, *password;
    const char *identity_token; /* an OAuth2 refresh token */
    const char *registry_token; /* sent as it is */
};

struct skl_registry_ref {
    const char *host;       /* "docker.io", "localhost:5000" */
    const char *repository; /* "library/busybox" */
    const char *tag;        /* NULL with a digest: not asked for */
    const char *digest;     /* "sha256:..." or NULL; wins over the tag */
};

struct skl_registry_platform {
    const char *os, *architecture; /* NULL: linux, and this machine's */
    const char *variant;           /* may be NULL */
};

struct skl_registry_query {
    struct skl_registry_ref ref;
    struct skl_registry_platform platform;
    const struct skl_registry_auth *auth; /* NULL: anonymous */
    int64_t deadline_ms;                  /* skl_mono_ms(); 0: 120 s */
    const atomic_bool *cancel;            /* may be NULL */
};

struct skl_registry_layer {
    char *digest;
    int64_t size;
};

/* Owned; end it with skl_registry_image_fini(). */
struct skl_registry_image {
    char *digest;        /* of what the reference points at (a list's own digest if it is one) */
    char *media_type;    /* of the same */
    int64_t digest_size; /* of the same, bytes */
    char *config_digest; /* the image's ID */
    char *config_json;   /* text as the registry has it, digest checked */
    struct skl_registry_layer *layers;
    size_t n_layers;
    int64_t size;                      /* layers and config */
    char *os, *architecture, *variant; /* as the config says; variant may be NULL */
};
void skl_registry_image_fini(struct skl_registry_image *i);
#define SKL_AUTO_REGISTRY_IMAGE __attribute__((cleanup(skl_registry_image_fini)))

struct skl_registry;
int skl_registry_new(const struct skl_registry_settings *s, struct skl_rest *rest,
                     struct skl_registry **ret, struct skl_error *err);
void skl_registry_free(struct skl_registry *r);
SKL_DEFINE_AUTO(registry);

/* `ret` is overwritten; empty after a failure. */
int skl_registry_resolve(struct skl_registry *r, const struct skl_registry_query *q,
                         struct skl_registry_image *ret, struct skl_error *err);

/* GET /distribution/{name}/json: the descriptor, and the platforms that it is for. */
struct skl_registry_descriptor {
    char *digest, *media_type;
    int64_t size;
    struct {
        char *os, *architecture, *variant; /* variant may be NULL */
    } * platforms;
    size_t n_platforms;
};
void skl_registry_descriptor_fini(struct skl_registry_descriptor *d);
int skl_registry_describe(struct skl_registry *r, const struct skl_registry_query *q,
                          struct skl_registry_descriptor *ret, struct skl_error *err);

/* -- copying an image from one place to another; no more than a piece of a layer is held.
 * What became of each layer, in the words of an Engine's progress lines. */
typedef void skl_registry_copy_cb(void *arg, const char *digest, const char *status);
struct skl_registry_copied {
    char digest[72]; /* of the manifest that was written */
    int64_t size;
};
/* from: any reference; to: with a tag. The platform of `from` is copied, not a whole list. */
int skl_registry_copy(struct skl_registry *r, const struct skl_registry_query *from,
                      const struct skl_registry_query *to, skl_registry_copy_cb *cb, void *arg,
                      struct skl_registry_copied *ret, struct skl_error *err);
/* A piece of a blob, at most n bytes; appended to `to`. */
int skl_registry_read_blob(struct skl_registry *r, const struct skl_registry_query *q,
                           const char *digest, int64_t offset, size_t n, struct skl_buf *to,
                           struct skl_error *err);

/* A whole layer, written to fd; INTERNAL when it is not what its digest says. */
int skl_registry_fetch_blob(struct skl_registry *r, const struct skl_registry_query *q,
                            const struct skl_registry_layer *layer, int fd, struct skl_error *err);

/* GET /images/search: of docker.io by its search, of other registries by their catalog (where they have one). */
struct skl_registry_hit {
    char *name, *description;
    int64_t stars;
    bool is_official, is_automated;
};
struct skl_registry_hits {
    struct skl_registry_hit *items;
    size_t n;
};
void skl_registry_hits_fini(struct skl_registry_hits *h);
int skl_registry_search(struct skl_registry *r, const struct skl_registry_query *q,
                        const char *term, size_t limit, struct skl_registry_hits *ret,
                        struct skl_error *err);

/* POST /auth. server: "https://index.docker.io/v1/", "host:port", "" (docker.io). 0: the registry took it;
 * UNAUTHORIZED with its text; INTERNAL when it cannot be reached. */
int skl_registry_check_login(struct skl_registry *r, const char *server,
                             const struct skl_registry_auth *auth, int64_t deadline_ms,
                             const atomic_bool *cancel, struct skl_error *err);

#endif
