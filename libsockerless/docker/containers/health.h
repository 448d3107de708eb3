/* health - the health checks of running containers.
 *
 * Shape   one monitor per container that runs, has a check and an agent: it begins with the run, rests while
 *         the container is paused and ends with the run. A probe is an exec through the driver chain.
 * Owns    monitors; a probe outlives its monitor until the agent reported its end
 * Thread  loop thread
 * Limits  the last five results, SKL_HEALTH_OUTPUT bytes of output each
 */
#ifndef SKL_DOCKER_HEALTH_H
#define SKL_DOCKER_HEALTH_H

#include <cjson/cJSON.h>

#include "docker/engine.h"

#define SKL_HEALTH_OUTPUT  4096
#define SKL_HEALTH_RESULTS 5

struct skl_health_monitors;

/* After the runtime: takes over the containers that run already. */
struct skl_health_monitors *skl_health_new(struct skl_engine *e);
/* Monitors end, nothing is probed any more. */
void skl_health_close(struct skl_health_monitors *h);
void skl_health_free(
    struct skl_health_monitors *h); /* after the runtime, which ends the last probes */

/* Whether this Config asks for probes: a test that is there and not NONE. */
bool skl_health_is_asked(const cJSON *config);

/* A duration as Go prints it: "30s", "1m30s", "500ms". */
void skl_health_duration(struct skl_buf *b, int64_t ns);

#endif
