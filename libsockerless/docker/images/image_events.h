/* image_events - what is told of images.
 *
 * Shape   attributes are the image's labels and `name`: a reference where one was asked for, else the id
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_IMAGE_EVENTS_H
#define SKL_DOCKER_IMAGE_EVENTS_H

#include "docker/engine.h"

struct skl_image;
struct skl_labels;

/* tag, untag, save, import: of an image that is here. name NULL: its id. */
void skl_image_event(struct skl_engine *e, const struct skl_image *i, const char *action,
                     const char *name);
/* pull, push: of a reference; delete: of an image that is gone. labels may be NULL. */
void skl_image_event_of(struct skl_engine *e, const char *actor, const char *action,
                        const char *name, const struct skl_labels *labels);

#endif
