/* image_ask - questions to registries, for the routes that pass them on.
 *
 * Thread  loop thread; the pieces marked WORKER are for work callbacks
 */
#ifndef SKL_DOCKER_IMAGE_ASK_H
#define SKL_DOCKER_IMAGE_ASK_H

#include "docker/images/image_resolve.h"
#include "registry/registry.h"

/* A reference and the credentials for it, owned: what a worker needs. */
struct skl_ask {
    struct skl_reference ref;
    struct skl_auth_header header;
};
/* name: as users write it. registry_auth: X-Registry-Auth or NULL. */
int skl_ask_init(struct skl_ask *a, const char *name, const char *registry_auth,
                 struct skl_error *err);
void skl_ask_fini(struct skl_ask *a);
/* WORKER. The query borrows from a and from auth. */
struct skl_registry_query skl_ask_query(const struct skl_ask *a, struct skl_registry_auth *auth,
                                        int64_t deadline_ms);

#endif
