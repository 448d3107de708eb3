/* prune - what the four prune calls share: their filters, and the event at the end.
 *
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_PRUNE_H
#define SKL_DOCKER_PRUNE_H

#include "docker/api/filters.h"
#include "docker/api/request.h"

struct skl_prune {
    struct skl_filters filters;
    int64_t until_ns; /* INT64_MAX: not given */
};

/* `more`: keys beside until, label and label!; ended by NULL. INVALID with an Engine's text. Fini also after a
 * failure. */
int skl_prune_init(struct skl_prune *p, const struct skl_request *r, const char *const *more,
                   struct skl_error *err);
void skl_prune_fini(struct skl_prune *p);
#define SKL_AUTO_PRUNE __attribute__((cleanup(skl_prune_fini)))

bool skl_prune_takes(const struct skl_prune *p, const struct skl_labels *labels,
                     int64_t created_ns);
/* Event `prune` of the type. */
void skl_prune_event(struct skl_engine *e, const char *type, int64_t reclaimed_bytes);

#endif
