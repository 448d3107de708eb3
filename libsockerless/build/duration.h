/* duration - "1m30s", "500ms", "1.5h" as nanoseconds.
 *
 * Errors  INVALID with the words of the Docker tools: time: unknown unit "x" in duration "5x"
 * Thread  any
 */
#ifndef SKL_BUILD_DURATION_H
#define SKL_BUILD_DURATION_H

#include <stdint.h>

#include "base/error.h"

int skl_duration_parse(const char *text, int64_t *ret_ns, struct skl_error *err);

#endif
