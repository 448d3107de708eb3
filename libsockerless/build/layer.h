/* layer - the files of one COPY, ADD or WORKDIR as a tar file.
 *
 * Shape   what cannot be known here is left to who unpacks it, as extended attributes of the members:
 *         SKL_LAYER_OWNER "user:group" are names of the image's own passwd; SKL_LAYER_INTO: where the
 *         member's path is a directory, the file goes into it by this name; SKL_LAYER_IF_MISSING: a
 *         directory that is left alone where there is one
 * Thread  any; writes files, so not the loop's
 */
#ifndef SKL_BUILD_LAYER_H
#define SKL_BUILD_LAYER_H

#include "build/tree.h"

#define SKL_LAYER_OWNER      "sockerless.owner"
#define SKL_LAYER_INTO       "sockerless.into"
#define SKL_LAYER_IF_MISSING "sockerless.if-missing"

struct skl_layer {
    char digest[65]; /* hex SHA-256 of the tar file: its name */
    char content
        [65]; /* of what it holds, times left out: equal contents are the same layer to a cache */
    int64_t size;
};

/* Writes nodes (in this order) to a new file. Their data must lie elsewhere. */
int skl_layer_write(const char *path, const struct skl_node *const *nodes, size_t n,
                    int64_t max_size, struct skl_layer *ret, struct skl_error *err);

#endif
