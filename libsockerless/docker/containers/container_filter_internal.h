/* container_filter_internal - what the files container_filter*.c share. */
#ifndef SKL_DOCKER_CONTAINER_FILTER_INTERNAL_H
#define SKL_DOCKER_CONTAINER_FILTER_INTERNAL_H

#include "docker/api/filters.h"
#include "store/store.h"

/* The values of `publish` and `expose`: an Engine's text for what is no port. */
int skl_container_filter_check_ports(const struct skl_filters *f, struct skl_error *err);
bool skl_container_filter_takes_ports(const struct skl_filters *f, const struct skl_container *c);

#endif
