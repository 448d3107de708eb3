/* pattern - regular expressions of name filters, as Go writes them, in time that is bounded by what is small.
 *
 * Syntax  literals . [classes] \d \w \s ^ $ ( (?: | * + ? {n,m}; a match may begin anywhere
 * Errors  what is no pattern, or too large a one, is NULL: it matches nothing
 * Limits  SKL_PATTERN_MAX instructions; matching takes text length times pattern size, never more
 * Thread  any; a pattern is used by one thread at a time
 */
#ifndef SKL_DOCKER_PATTERN_H
#define SKL_DOCKER_PATTERN_H

#include <stdbool.h>

#define SKL_PATTERN_MAX 1000

struct skl_pattern;
struct skl_pattern *skl_pattern_new(const char *text); /* NULL: no pattern */
void skl_pattern_free(struct skl_pattern *p);
bool skl_pattern_matches(struct skl_pattern *p, const char *text);

#endif
