/* body_file - a request's body that goes to a file, for a worker to read.
 *
 * Errors  the first one is kept: TOOBIG past the limit, the system's else; what comes after it is dropped
 * Owns    its descriptor
 * Thread  loop thread. File access is plain and short (page cache)
 */
#ifndef SKL_DOCKER_BODY_FILE_H
#define SKL_DOCKER_BODY_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct skl_body_file {
    int fd; /* -1: none */
    int64_t received;
    bool failed;
    struct skl_error err;
};

/* A new file of this name in the folder. */
int skl_body_file_open(struct skl_body_file *f, const char *dir, const char *name,
                       struct skl_error *err);
/* what: "the build context", for messages. */
void skl_body_file_add(struct skl_body_file *f, const uint8_t *p, size_t n, int64_t max,
                       const char *what);
void skl_body_file_close(struct skl_body_file *f);

#endif
