/* build_info - what --version says of the program itself: version, commit, time and compiler. */
#ifndef SKL_BASE_BUILD_INFO_H
#define SKL_BASE_BUILD_INFO_H

#include "base/buf.h"

/* Two lines. */
void skl_build_info(const char *program, struct skl_buf *out);

#endif
