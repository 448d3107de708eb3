/* image_resolve - asking a registry what an image is, and recording the answer.
 *
 * Rules   a registry that says no is believed. One that cannot be reached, or wants credentials that nobody
 *         gave, leaves a synthetic record (unless SOCKERLESS_FETCH_IMAGE_CONFIG asks for real ones): its
 *         id is a hash of the name, its config is empty, and both say so (label sockerless.synthetic).
 * Thread  loop thread; the asking is done on a worker
 */
#ifndef SKL_DOCKER_IMAGE_RESOLVE_H
#define SKL_DOCKER_IMAGE_RESOLVE_H

#include <cjson/cJSON.h>

#include "docker/engine.h"
#include "docker/images/image_names.h"

#define SKL_SYNTHETIC_LABEL "sockerless.synthetic"

/* Exactly once, on the loop, never before the call returned. image is in the store. `is_new`: nothing of that
 * id and name was known. note: what a user should know (synthetic), or NULL. */
struct skl_resolved {
    struct skl_image *image;
    const char *digest; /* NULL: not known */
    bool is_new;
    const char *note;
};
typedef void skl_image_resolve_cb(void *arg, const struct skl_resolved *r,
                                  const struct skl_error *err);

/* registry_auth: the X-Registry-Auth header or NULL. only_real: no synthetic record, a failure instead. */
void skl_image_resolve(struct skl_engine *e, const struct skl_reference *ref,
                       const struct skl_platform *platform, const char *registry_auth,
                       bool only_real, skl_image_resolve_cb *cb, void *arg);

/* The header's JSON, taken apart; NULL where it says nothing. */
struct skl_auth_header {
    char *username, *password, *identity_token, *registry_token, *server;
};
void skl_auth_header_parse(const char *text, struct skl_auth_header *ret);
void skl_auth_header_fini(struct skl_auth_header *h);
/* Whatever is secret in an object of that form is told to base/secrets.h. */
void skl_auth_seen(const cJSON *auth);

#endif
