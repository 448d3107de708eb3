/* transfer - one HTTP exchange by libcurl, on a handle that keeps its connections warm.
 *
 * Shape   idle handles lie in a stack: the newest is taken, so that few stay warm under light load. DNS
 *         answers and TLS sessions are shared by all handles
 * Thread  any; the stack has one mutex, libcurl's share one per kind of data
 * Limits  64 idle handles, 4 connections each
 */
#ifndef SKL_CLOUD_TRANSFER_H
#define SKL_CLOUD_TRANSFER_H

#include "cloud/rest.h"

struct skl_transfer_pool;
struct skl_transfer_pool *skl_transfer_pool_new(void);
void skl_transfer_pool_free(struct skl_transfer_pool *p);

/* How an exchange without an answer ended; an answer is SKL_TRANSFER_ANSWER. */
enum skl_transfer_end {
    SKL_TRANSFER_ANSWER,
    SKL_TRANSFER_FINAL,  /* would fail again: bad URL, certificate refused, too large, canceled */
    SKL_TRANSFER_UNSENT, /* no byte of the request left */
    SKL_TRANSFER_LOST    /* it may have been acted on */
};

/* Headers and body of `ret` are filled (they must be initialised); err on anything but ANSWER. */
enum skl_transfer_end skl_transfer_run(struct skl_transfer_pool *p,
                                       const struct skl_rest_request *req, bool idempotent,
                                       int64_t connect_ms, int64_t deadline_ms,
                                       struct skl_rest_response *ret, struct skl_error *err);

/* A URL without its query, for logs and messages. */
struct skl_str skl_url_shown(const char *url);

#endif
