/* forward - one connection to a published port, and its tunnel to the workload.
 *
 * Owns    itself: it ends with its connection, with the session, or when the engine goes down
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_FORWARD_H
#define SKL_DOCKER_FORWARD_H

#include "docker/engine.h"

void skl_forward_begin(struct skl_engine *e, struct skl_container *c, unsigned port,
                       struct skl_stream *own_stream);

#endif
