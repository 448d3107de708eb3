/* pattern_internal - what ignore.c needs of pattern.c. */
#ifndef SKL_BUILD_PATTERN_INTERNAL_H
#define SKL_BUILD_PATTERN_INTERNAL_H

#include <stdbool.h>

bool skl_pattern_is_valid(const char *pattern);
bool skl_pattern_match_deep(const char *pattern, const char *path); /* with ** */

#endif
