/* json_read - reading JSON through cJSON, with ceilings.
 *
 * Names   match exactly first, then without regard to case, as Go's decoder does
 * Errors  a missing or null member, or one of another type, reads as the default
 */
#ifndef SKL_BASE_JSON_READ_H
#define SKL_BASE_JSON_READ_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/error.h"

/* Whole text must be one JSON value; *ret is owned (cJSON_Delete). Nesting deeper than
 * SKL_MAX_JSON_DEPTH and text after the value fail. */
int skl_json_parse(struct skl_str text, cJSON **ret, struct skl_error *err);

cJSON *skl_json_get(const cJSON *object, const char *name);          /* NULL: absent or null */
const char *skl_json_get_str(const cJSON *object, const char *name); /* borrowed; NULL if none */
/* Of a number, cut to what fits; dflt for anything else, NULL too. */
int64_t skl_json_number(const cJSON *item, int64_t dflt);
int64_t skl_json_get_int(const cJSON *object, const char *name, int64_t dflt);
bool skl_json_get_bool(const cJSON *object, const char *name, bool dflt);
/* Array of strings (a bare string counts as one) to a vector that the caller owns; NULL if absent
 * or null; an empty array gives an empty vector. */
char **skl_json_get_strv(const cJSON *object, const char *name);
/* Compact text of an item, owned; "null" for NULL. */
char *skl_json_text(const cJSON *item);

#define SKL_AUTO_JSON __attribute__((cleanup(skl_auto_cjson)))
static inline void skl_auto_cjson(cJSON **p)
{
    cJSON_Delete(*p);
}

#endif
