/* tags - how a resource on Azure says whose it is.
 *
 * Shape   three tags on everything that a container makes: managed-by, the container, and the installation that
 *         made it. The last is what tells our resources from those of another daemon in the same group
 * Thread  any
 */
#ifndef SKL_CLOUD_AZURE_TAGS_H
#define SKL_CLOUD_AZURE_TAGS_H

#include "base/json.h"
#include "cloud/azure/arm.h"

#define SKL_AZURE_TAG_CONTAINER "sockerless-container-id"

/* The member "tags" of a resource's body. */
void skl_azure_tags_add(struct skl_json *j, const char *container_id, const char *instance);

/* Whether a resource, as ARM tells it, was made by that installation. */
bool skl_azure_is_tagged(const cJSON *resource, const char *instance);

/* container_id: "" when it is not told. All are lent. */
typedef void skl_azure_tagged_cb(void *arg, const char *name, const char *container_id);
/* The resources of a collection ("list" call) that were made by that installation. */
int skl_azure_list_tagged(struct skl_arm *a, const struct skl_arm_call *list, const char *instance,
                          skl_azure_tagged_cb *cb, void *arg, struct skl_error *err);

#endif
