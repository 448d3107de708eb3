/* container_render - what list and inspect show alike. */
#ifndef SKL_DOCKER_CONTAINER_RENDER_H
#define SKL_DOCKER_CONTAINER_RENDER_H

#include "base/json.h"
#include "store/container.h"

void skl_render_mounts(struct skl_json *j, const struct skl_container *c);

/* INVALID for what Docker does not take as a name (without its slash). */
int skl_container_name_check(const char *name, struct skl_error *err);

#endif
