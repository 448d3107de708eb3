/* reaper - removes cloud resources of this installation that no record knows.
 *
 * Shape   one look at a time: a worker lists what bears our instance, the loop compares it with the store; what was
 *         seen without a record for the whole grace time is removed by a worker, with a log line and an event
 *         (type "daemon", action "reap"). What bears another instance, or none, is never touched
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_REAPER_H
#define SKL_DOCKER_REAPER_H

#include "docker/engine.h"

struct skl_reaper;

/* Nothing happens where the settings or the backend want no reaper. */
struct skl_reaper *skl_reaper_new(struct skl_engine *e);
void skl_reaper_close(struct skl_reaper *r); /* no more looks; a call under way is cancelled */
void skl_reaper_free(struct skl_reaper *r);  /* after the workers */

#endif
