/* reach - is a cloud's API there, how soon does it answer, and does it agree with us about the time: checks of `doctor`.
 *
 * Thread  any; blocks for a few seconds per target at most
 */
#ifndef SKL_CLOUD_REACH_H
#define SKL_CLOUD_REACH_H

#include "base/finding.h"
#include "cloud/rest.h"

#define SKL_DOCTOR_CALL_MS 6000 /* the patience of one call of a check */

struct skl_reach_target {
    const char *check; /* "api management" */
    const char *url;   /* asked without credentials: any answer will do */
};

/* A finding for each target, and "clock" by the first answer that has a date. false: one is out of reach. */
bool skl_cloud_reach(struct skl_rest *r, const struct skl_reach_target *targets, size_t n,
                     const struct skl_findings *to);

/* The callback URL as workloads in a real cloud will see it: "callback url". "" and NULL: nothing to find. */
void skl_cloud_judge_callback(const char *url, const struct skl_findings *to);

#endif
