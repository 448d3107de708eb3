#include "base/json_read.h"

#include <math.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/limits.h"

/* cJSON recurses per level and stops only at 1000; this looks before it parses. */
static bool is_too_deep(struct skl_str s)
{
    bool in_string = false;
    unsigned depth = 0;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > SKL_MAX_JSON_DEPTH)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

int skl_json_parse(struct skl_str text, cJSON **ret, struct skl_error *err)
{
    const char *end = NULL;
    struct skl_str rest;
    cJSON *json;

    if (is_too_deep(text))
        return skl_fail(err, SKL_E_INVALID, "invalid JSON: nested deeper than %d levels",
                        SKL_MAX_JSON_DEPTH);
    if (text.n == 0)
        return skl_fail(err, SKL_E_INVALID, "invalid JSON: empty");
    json = cJSON_ParseWithLengthOpts(text.p, text.n, &end, 0);
    if (!json)
        return skl_fail(err, SKL_E_INVALID, "invalid JSON: syntax error at byte %zu",
                        end ? (size_t)(end - text.p) : (size_t)0);
    rest = skl_str_trim(skl_str_n(end, text.n - (size_t)(end - text.p)));
    if (rest.n > 0) {
        cJSON_Delete(json);
        return skl_fail(err, SKL_E_INVALID, "unexpected content after JSON");
    }
    *ret = json;
    return 0;
}

cJSON *skl_json_get(const cJSON *object, const char *name)
{
    cJSON *item;

    if (!cJSON_IsObject(object))
        return NULL;
    item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!item)
        item = cJSON_GetObjectItem(object, name);
    return cJSON_IsNull(item) ? NULL : item;
}

const char *skl_json_get_str(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(skl_json_get(object, name));
}

int64_t skl_json_number(const cJSON *item, int64_t dflt)
{
    if (!item || !cJSON_IsNumber(item) || !isfinite(item->valuedouble))
        return dflt;
    if (item->valuedouble >= 9223372036854775807.0)
        return INT64_MAX;
    if (item->valuedouble <= -9223372036854775808.0)
        return INT64_MIN;
    return (int64_t)item->valuedouble;
}

int64_t skl_json_get_int(const cJSON *object, const char *name, int64_t dflt)
{
    return skl_json_number(skl_json_get(object, name), dflt);
}

bool skl_json_get_bool(const cJSON *object, const char *name, bool dflt)
{
    const cJSON *item = skl_json_get(object, name);

    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : dflt;
}

char **skl_json_get_strv(const cJSON *object, const char *name)
{
    const cJSON *item = skl_json_get(object, name);
    const cJSON *element;
    char **v;

    if (item && cJSON_IsString(item)) {
        v = NULL;
        skl_strv_push(&v, item->valuestring);
        return v;
    }
    if (!cJSON_IsArray(item))
        return NULL;
    v = skl_new0_n(char *, (size_t)cJSON_GetArraySize(item) + 1);
    size_t n = 0;
    cJSON_ArrayForEach(element, item) if (cJSON_IsString(element)) v[n++] =
        skl_strdup(element->valuestring);
    return v;
}

char *skl_json_text(const cJSON *item)
{
    char *text = item ? cJSON_PrintUnformatted(item) : NULL;
    char *copy;

    if (!text)
        return skl_strdup("null");
    copy = skl_strdup(text); /* free() must fit: cJSON may have other hooks */
    cJSON_free(text);
    return copy;
}
