/* unpack - a stretch of a file, unpacked into another.
 *
 * Errors  TOOBIG past max; INVALID for broken archives
 * Thread  any; reads and writes files, so not the loop's
 */
#ifndef SKL_DOCKER_UNPACK_H
#define SKL_DOCKER_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* What is not compressed is copied. *ret_packed: it was compressed. */
int skl_unpack(int from_fd, int64_t offset, int64_t size, int to_fd, int64_t max, bool *ret_packed,
               struct skl_error *err);

#endif
