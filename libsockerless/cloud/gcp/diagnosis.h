/* diagnosis - the checks of `doctor` on Google Cloud: APIs, clock, credentials, project, rights, buckets.
 *
 * Thread  any; blocks for seconds
 */
#ifndef SKL_CLOUD_GCP_DIAGNOSIS_H
#define SKL_CLOUD_GCP_DIAGNOSIS_H

#include "base/finding.h"
#include "cloud/gcp/gcp.h"

struct skl_gcp_api_use {
    enum skl_gcp_api api;
    const char *check;   /* "api run" */
    const char *service; /* "run.googleapis.com": what is enabled in a project */
    const char *probe;   /* path of a list that needs rights and the API enabled; NULL: none */
};

struct skl_gcp_subject {
    const char *project;
    const struct skl_gcp_api_use *apis;
    size_t n_apis;
    const char *const *permissions; /* on the project, NULL-terminated */
    const char *callback_url;
    bool is_simulator;
};

/* false: nothing else can be looked at. */
bool skl_gcp_diagnose(struct skl_gcp *g, const struct skl_gcp_subject *s,
                      const struct skl_findings *to);

/* A bucket, and what we may do in it (NULL-terminated; at most 4). */
bool skl_gcp_diagnose_bucket(struct skl_gcp *g, const char *check, const char *setting,
                             const char *bucket, const char *const *permissions,
                             const struct skl_findings *to);
/* An object in it. */
void skl_gcp_diagnose_object(struct skl_gcp *g, const char *check, const char *bucket,
                             const char *object, const char *missing_fix,
                             const struct skl_findings *to);

#endif
