/* go_json - bodies are read as an Engine's decoder reads them, so that what is refused is refused in its words.
 *
 * Problem  clients and people know "json: cannot unmarshal number into Go struct field ...": what is wrong, and where.
 * Shape    types are written as Go writes them: "map[string]string", "[]container.DeviceMapping". go_types.c says what
 *          a name stands for. Names of members match exactly first, then without regard to case; null fits
 *          everywhere; members that nobody knows are passed over.
 * Errors   INVALID: "invalid JSON: unexpected EOF", "invalid JSON: json: cannot unmarshal ..."; the first of several
 * Thread   any
 * Limits   nesting: SKL_MAX_JSON_DEPTH
 */
#ifndef SKL_DOCKER_GO_JSON_H
#define SKL_DOCKER_GO_JSON_H

#include "base/error.h"
#include "base/str.h"

/* The first value of the text must be JSON; what follows it is not looked at. *ret_n is its length with the space before
 * it. */
int skl_go_json_scan(struct skl_str text, size_t *ret_n, struct skl_error *err);
/* The first value must fit the type. The text has been scanned. */
int skl_go_json_fits(struct skl_str text, const char *type, struct skl_error *err);

/* -- go_types.c */

struct skl_go_field {
    const char *name, *type; /* name NULL: the end */
};

/* NULL: a type of the language. */
const struct skl_go_field *skl_go_struct_fields(const char *type, size_t n);
/* What a named type that is no struct stands for; NULL: nothing else. */
const char *skl_go_underlying(const char *type, size_t n);

#endif
