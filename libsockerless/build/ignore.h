/* ignore - .dockerignore: which paths of a context are left out.
 *
 * Shape   one pattern a line; '#' in the first column is a comment; '!' takes a path back in; the last pattern that
 *         matches decides; a pattern that matches a directory matches what is below it.
 *         Patterns: * and ? (not '/'), [a-z] [^a-z], ** (any number of directories), '\' escapes
 * Errors  INVALID: error reading .dockerignore: ... syntax error in pattern
 * Thread  any
 * Limits  SKL_IGNORE_MAX bytes, SKL_IGNORE_MAX_PATTERNS
 */
#ifndef SKL_BUILD_IGNORE_H
#define SKL_BUILD_IGNORE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/str.h"

#define SKL_IGNORE_MAX          (1024u * 1024u)
#define SKL_IGNORE_MAX_PATTERNS 1000u

struct skl_ignore;

int skl_ignore_parse(struct skl_str text, struct skl_ignore **ret, struct skl_error *err);
void skl_ignore_free(struct skl_ignore *g); /* NULL is fine */
SKL_DEFINE_AUTO(ignore);
/* path: clean and relative ("a/b"). NULL ignores nothing. */
bool skl_ignore_excludes(const struct skl_ignore *g, const char *path);

/* A wildcard of COPY against a path: *, ?, [..], '\'; none of them matches '/'. 1, 0, or -SKL_E_INVALID when the
 * pattern is malformed. */
int skl_pattern_match(const char *pattern, const char *path);
bool skl_pattern_has_wildcards(const char *s);
/* Go's path.Clean for relative and absolute paths: "a//b/../c/" -> "a/c", "" -> "."; owned. */
char *skl_pattern_clean(struct skl_str path);

#endif
