/* volume_remove - a volume goes: what the backend keeps of it first, then the record.
 *
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_VOLUME_REMOVE_H
#define SKL_DOCKER_VOLUME_REMOVE_H

#include "docker/lifecycle/lifecycle.h"

/* cb runs exactly once, never before this returned: CONFLICT while a container mounts it. */
void skl_volume_erase(struct skl_engine *e, const char *name, skl_lifecycle_cb *cb, void *arg);

#endif
