/* container_filter - which containers a list shows.
 *
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_CONTAINER_FILTER_H
#define SKL_DOCKER_CONTAINER_FILTER_H

#include "docker/api/filters.h"
#include "store/store.h"

struct skl_container_filter {
    struct skl_filters filters;
    const struct skl_container *before, *since; /* borrowed; NULL: no limit */
    bool all;
};

/* `all` is the query's parameter; some filters mean it. */
int skl_container_filter_init(struct skl_container_filter *f, struct skl_store *s,
                              const char *filters, bool all, struct skl_error *err);
void skl_container_filter_fini(struct skl_container_filter *f);
bool skl_container_filter_takes(struct skl_container_filter *f, struct skl_store *s,
                                const struct skl_container *c);

#endif
