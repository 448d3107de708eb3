/* config_changes - `changes` of a commit or an import: instructions of a Dockerfile over a configuration.
 *
 * Errors  INVALID: "run is not a valid change command"
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_CONFIG_CHANGES_H
#define SKL_DOCKER_CONFIG_CHANGES_H

#include <cjson/cJSON.h>

#include "docker/api/request.h"

/* All `changes` of the query, in their order. */
int skl_config_changes(const struct skl_request *r, cJSON *config, struct skl_error *err);
/* "sha256:..." of an image's configuration. */
void skl_config_id(const char *text, char out[72]);

#endif
