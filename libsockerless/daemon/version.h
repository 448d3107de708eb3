/* version - what --version says: the build, and the libraries as they are loaded now. */
#ifndef SKL_DAEMON_VERSION_H
#define SKL_DAEMON_VERSION_H

#include "base/buf.h"

void skl_version(const char *program, struct skl_buf *out);

#endif
