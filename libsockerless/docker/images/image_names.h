/* image_names - finding images by what users write, and platforms.
 *
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_IMAGE_NAMES_H
#define SKL_DOCKER_IMAGE_NAMES_H

#include "docker/images/reference.h"
#include "store/store.h"

/* Id, reference (tag latest by default) or id prefix. NOTFOUND "No such image: busybox:latest". */
int skl_image_lookup(struct skl_store *s, const char *text, struct skl_image **ret,
                     struct skl_error *err);
/* The text names the image by (a part of) its id, not by a reference of it. */
bool skl_image_is_by_id(const struct skl_image *i, const char *text);

/* The part of "a/b:1" or "a/b@sha256:..." before tag or digest; owned. */
char *skl_image_repository(const char *ref);

/* "linux/arm64/v8", or {"os":...,"architecture":...}; members are NULL where nothing was said. */
struct skl_platform {
    char *os, *architecture, *variant;
};
int skl_platform_parse(const char *text, struct skl_platform *ret, struct skl_error *err);
void skl_platform_fini(struct skl_platform *p);

#endif
