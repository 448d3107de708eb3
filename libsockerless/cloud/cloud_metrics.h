/* cloud_metrics - calls to a cloud and its registries, and whether the cloud and our credentials work.
 *
 * Thread  any
 */
#ifndef SKL_CLOUD_CLOUD_METRICS_H
#define SKL_CLOUD_CLOUD_METRICS_H

#include "base/condition.h"
#include "base/error.h"
#include "base/metrics.h"
#include "cloud/rest.h"

extern struct skl_condition skl_cloud_condition, skl_credentials_condition;

/* skl_rest_metric_cb of a client. `cloud` is &skl_cloud_condition for the client of the cloud's API, NULL for others. */
void skl_cloud_called(void *cloud, const char *operation, int status, unsigned retries,
                      int64_t elapsed_ms);
/* Settings of the client of a cloud's API: its calls are counted and tell how the cloud is, unless somebody else
 * listens to them. */
struct skl_rest_settings skl_cloud_observed(const struct skl_rest_settings *s);
/* A token was asked for: rc is 0 or the failure. */
void skl_cloud_token_fetched(int rc, const struct skl_error *err);

extern struct skl_metric *const skl_cloud_metrics[];
extern const size_t skl_cloud_metrics_count;

#endif
