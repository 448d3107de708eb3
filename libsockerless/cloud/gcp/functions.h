/* functions - Cloud Functions: the state of one. Names are "projects/P/locations/R/functions/ID".
 *
 * Thread  any
 */
#ifndef SKL_CLOUD_GCP_FUNCTIONS_H
#define SKL_CLOUD_GCP_FUNCTIONS_H

#include "cloud/gcp/client.h"

/* Reads it until it is no longer in the making. *ret (owned) is the function when it is ACTIVE; else an error: INVALID
 * with its state messages when FAILED, NOTFOUND when it is not there (any more), CONFLICT in any other state. */
int skl_function_await(struct skl_gcp_client *c, const char *name,
                       const struct skl_gcp_context *context, cJSON **ret, struct skl_error *err);

#endif
