/* fields - Config and HostConfig as tables: names, types and defaults.
 *
 * Shape   what a client sent (names in any case, wrong types refused) becomes what inspect shows: canonical names in
 *         Docker's order, defaults filled in
 * Errors  INVALID: "invalid JSON: cannot unmarshal string into field HostConfig.Memory of type int64"
 * Thread  any
 */
#ifndef SKL_DOCKER_FIELDS_H
#define SKL_DOCKER_FIELDS_H

#include <cjson/cJSON.h>

#include "base/error.h"

enum skl_field_type {
    SKL_FIELD_STRING,
    SKL_FIELD_BOOL,
    SKL_FIELD_INT,
    SKL_FIELD_STRINGS, /* array of strings */
    SKL_FIELD_WORDS,   /* the same; a bare string is one element */
    SKL_FIELD_SET,     /* {"80/tcp":{}} */
    SKL_FIELD_MAP,     /* {"name":"value"} */
    SKL_FIELD_OBJECT,
    SKL_FIELD_LIST
};

struct skl_field {
    const char *name;
    enum skl_field_type type;
    const char *dflt; /* JSON text; NULL: left out when not sent */
};

extern const struct skl_field skl_config_fields[], skl_host_config_fields[];
extern const size_t skl_config_fields_count, skl_host_config_fields_count;

/* `what` ("Config") is for messages. `in` may be NULL. *ret is owned. */
int skl_fields_take(const struct skl_field *fields, size_t n, const char *what, const cJSON *in,
                    cJSON **ret, struct skl_error *err);

/* Replaces or adds a member; takes own_value (NULL writes null). */
void skl_fields_set(cJSON *object, const char *name, cJSON *own_value);

#endif
