/* storage - Cloud Storage: objects of a bucket.
 *
 * Errors  as in client.h
 * Thread  any
 */
#ifndef SKL_CLOUD_GCP_STORAGE_H
#define SKL_CLOUD_GCP_STORAGE_H

#include "cloud/gcp/client.h"

/* Puts bytes there unless the bucket has an object of that name: for names made of the content. */
int skl_storage_ensure(struct skl_gcp_client *c, const char *bucket, const char *object,
                       const char *content_type, struct skl_str bytes,
                       const struct skl_gcp_context *context, struct skl_error *err);

#endif
