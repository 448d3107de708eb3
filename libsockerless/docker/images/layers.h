/* layers - files of built images, in the state directory.
 *
 * Shape   "layers/<digest>": a tar file (build/layer.h); "builds/<random>/": what a running build works with
 * Owns    a layer lives as long as an image or a container names it; skl_layers_collect() takes the others away
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_LAYERS_H
#define SKL_DOCKER_LAYERS_H

#include "docker/engine.h"

void skl_layers_dir(const struct skl_engine_settings *settings, struct skl_buf *to);
/* Makes the folders, removes what an earlier daemon's builds left. */
int skl_layers_open(struct skl_engine *e, struct skl_error *err);
/* Returns the bytes that are free now. */
int64_t skl_layers_collect(struct skl_engine *e);
/* Takes the layers of a finished build over from its folder; fails when one is neither there nor here. */
int skl_layers_take(struct skl_engine *e, const char *build_dir, char *const *digests,
                    struct skl_error *err);

/* A new folder for a build; owned. */
int skl_build_dir_make(struct skl_engine *e, char **ret, struct skl_error *err);
void skl_build_dir_remove(const char *dir);

#endif
