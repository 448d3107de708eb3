/* filter - Cloud Logging's query language, the part that log readers use.
 *
 * Shape   comparisons (= != < <= > >= : =~ !~) of fields, AND (also by juxtaposition), OR, NOT and '-', parentheses,
 *         field=("a" OR "b"), a bare text that any field may contain; OR binds tighter than AND, as in the cloud
 * Errors  a filter that the cloud would refuse is refused with a sentence for INVALID_ARGUMENT
 */
#ifndef SKL_SIM_GCP_FILTER_H
#define SKL_SIM_GCP_FILTER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct gcp_filter;
/* *ret NULL: an empty filter, which every entry passes. */
int gcp_filter_parse(const char *text, struct gcp_filter **ret, struct skl_error *err);
bool gcp_filter_matches(const struct gcp_filter *f, const cJSON *entry);
void gcp_filter_free(struct gcp_filter *f);
/* Entries before this time cannot match; INT64_MIN: no such bound. */
int64_t gcp_filter_since_ns(const struct gcp_filter *f);

#endif
