/* run - Cloud Run services: whether they are ready, and why not.
 *
 * Thread  any
 */
#ifndef SKL_CLOUD_GCP_RUN_H
#define SKL_CLOUD_GCP_RUN_H

#include "cloud/gcp/client.h"

enum skl_run_state { SKL_RUN_PENDING, SKL_RUN_READY, SKL_RUN_FAILED };

struct skl_run_condition {
    enum skl_run_state state;
    char reason[64];   /* FAILED: "HEALTH_CHECK_CONTAINER_ERROR"...; "" if none */
    char message[512]; /* FAILED: one line */
};

/* READY: the newest revision is what serves. FAILED: it never will; traffic goes on to an older one, so a service may
 * answer although what was asked of it has failed. */
void skl_run_service_judge(const cJSON *service, struct skl_run_condition *ret);
/* A missing image NOTFOUND; one that may not be read FORBIDDEN; a container that does not start, missing secrets,
 * networks or keys INVALID; a deadline, limit or quota UNAVAILABLE; else INTERNAL. */
int skl_run_fail(struct skl_error *err, const struct skl_run_condition *condition,
                 const char *what);

#endif
