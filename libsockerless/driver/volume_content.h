/* volume_content - what is in volumes, carried from one workload to the next.
 *
 * Problem  a cloud gives a workload empty folders; a volume is expected to keep what was in it, and to show it to the
 *          next container. GitLab's runner hands a checkout from its helper to the build in this way
 * Shape    "<volumes_dir>/<name>": a tar file of the content as the newest run left it. It is fetched by the agent
 *          after the command's end and before that end is told, if the run changed anything of it; and delivered
 *          before the command of the next run begins
 * Limits   containers that run at the same time do not see each other's changes, and the one that ends last
 *          decides; SKL_MAX_VOLUME bytes; nothing is kept of a run whose workload is lost with its agent
 * Thread   loop thread
 */
#ifndef SKL_DRIVER_VOLUME_CONTENT_H
#define SKL_DRIVER_VOLUME_CONTENT_H

#include "driver/workload.h"

/* Drops what an earlier daemon had begun to fetch. */
void skl_content_sweep(struct skl_runtime *rt);
/* The volume is gone. */
void skl_content_remove(struct skl_runtime *rt, const char *volume);
/* Bytes that are kept of it; 0: nothing. */
int64_t skl_content_size(struct skl_runtime *rt, const char *volume);

#endif
