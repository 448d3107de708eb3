/* child - a process that has just begun, and our ends of its channels. process.c is its only user.
 *
 * Errors  *code is 126, 127 or 125, with a Docker Engine's words in err
 * Owns    the descriptors are the caller's
 */
#ifndef SKL_AGENT_CHILD_H
#define SKL_AGENT_CHILD_H

#include <sys/types.h>

#include "agent.h"

struct agent_child {
    pid_t pid;
    int out_fd;        /* with a terminal: its master end, which reads and writes */
    int err_fd, in_fd; /* -1: none */
};

int agent_child_start(const struct agent_process_spec *spec, struct agent_child *ret, int *code,
                      struct skl_error *err);

#endif
