/* archive - what the three archive requests share. */
#ifndef SKL_AGENT_ARCHIVE_H
#define SKL_AGENT_ARCHIVE_H

#include <stdbool.h>

#include "base/error.h"

/* Without a trailing "/" or "/."; *must_be_dir says whether it had one. Owned. */
char *agent_path_clean(const char *path, bool *must_be_dir);
const char *agent_base_name(const char *path); /* "/" for the root */
/* A Docker Engine's words and status for a failed system call on a path. */
int agent_path_fail(struct skl_error *err, int errnum, const char *path);

#endif
