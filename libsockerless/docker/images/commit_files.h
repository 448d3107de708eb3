/* commit_files - what a container's workload has changed in its files, as a new layer.
 *
 * Errors  TOOBIG beyond SKL_BUILD_MAX_LAYER; the agent's and the driver's
 * Owns    itself, until the callback has run or skl_commit_files_cancel() was called
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_COMMIT_FILES_H
#define SKL_DOCKER_COMMIT_FILES_H

#include "docker/engine.h"

struct skl_commit_files;
/* Once, never before the start has returned. The layer is in layers/, and goes at the next collection unless somebody
 * names it until then. digest NULL: err says why. */
typedef void skl_commit_files_cb(void *arg, const char *digest, int64_t size,
                                 const struct skl_error *err);
int skl_commit_files_start(struct skl_engine *e, struct skl_container *c, skl_commit_files_cb *cb,
                           void *arg, struct skl_commit_files **ret, struct skl_error *err);
void skl_commit_files_cancel(struct skl_commit_files **x); /* NULL is fine */

#endif
