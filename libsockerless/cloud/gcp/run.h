/* run - Cloud Run services: reading, changing in place, and whether they are ready. Names are
 * "projects/P/locations/R/services/S".
 *
 * Errors  as in client.h; a service that does not become ready: skl_run_fail()
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

/* *ret is owned. */
int skl_run_service_get(struct skl_gcp_client *c, const char *name,
                        const struct skl_gcp_context *context, cJSON **ret, struct skl_error *err);
/* Reads it until it is READY (*ret, owned; ret may be NULL) or FAILED. `condition` (may be NULL) is filled when it
 * was read. */
int skl_run_service_await(struct skl_gcp_client *c, const char *name,
                          const struct skl_gcp_context *context, cJSON **ret,
                          struct skl_run_condition *condition, struct skl_error *err);

/* `service` as it was read; may be called again with a newer one. */
typedef int skl_run_edit_cb(void *arg, cJSON *service, struct skl_error *err);
/* Read, edit, write back with the etag that was read; from the beginning when somebody else was faster. Then the
 * operation, then as skl_run_service_await(). mask: what of it is written ("template", "scaling", "labels,annotations");
 * NULL: all. */
int skl_run_service_update(struct skl_gcp_client *c, const char *name, const char *mask,
                           skl_run_edit_cb *edit, void *arg, const struct skl_gcp_context *context,
                           cJSON **ret, struct skl_run_condition *condition, struct skl_error *err);

#endif
