/* Update masks: "template,labels.a" or "scaling.min_instance_count"; without one every mutable field is replaced. */
#include <ctype.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

/* "min_instance_count" is minInstanceCount. */
static char *camel(struct skl_str s)
{
    struct skl_buf b;

    skl_buf_init(&b, SKL_KIB);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '_' && i + 1 < s.n && islower((unsigned char)s.p[i + 1]))
            skl_buf_addc(&b, (char)toupper((unsigned char)s.p[++i]));
        else
            skl_buf_addc(&b, s.p[i]);
    }
    return skl_buf_detach(&b);
}

static void set_field(cJSON *target, const char *name, const cJSON *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(target, name);
    if (value && !cJSON_IsNull(value))
        cJSON_AddItemToObject(target, name, cJSON_Duplicate(value, true));
}

static void apply_path(cJSON *target, const cJSON *body, struct skl_str path)
{
    struct skl_str rest, part = skl_str_cut(path, '.', &rest);
    char *name SKL_AUTO_STR = camel(part);
    cJSON *inner;

    if (!rest.p) {
        set_field(target, name, cJSON_GetObjectItemCaseSensitive(body, name));
        return;
    }
    inner = cJSON_GetObjectItemCaseSensitive(target, name);
    if (!cJSON_IsObject(inner)) {
        cJSON_DeleteItemFromObjectCaseSensitive(target, name);
        inner = cJSON_AddObjectToObject(target, name);
    }
    apply_path(inner, cJSON_GetObjectItemCaseSensitive(body, name), rest);
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static bool check_mask(const char *mask, const char *const *mutable_fields, struct sim_answer *a)
{
    struct skl_str rest = skl_str(mask);

    while (rest.p) {
        struct skl_str sub, path = skl_str_trim(skl_str_cut(rest, ',', &rest));
        char *name SKL_AUTO_STR = camel(skl_str_cut(path, '.', &sub));

        if (!is_one_of(name, mutable_fields)) {
            gcp_error(a, GCP_INVALID_ARGUMENT,
                      "The update_mask contains an unknown or immutable field: '" SKL_STR_FMT "'.",
                      SKL_STR_ARG(path));
            return false;
        }
    }
    return true;
}

bool gcp_apply_mask(cJSON *target, const cJSON *body, const char *mask,
                    const char *const *mutable_fields, struct sim_answer *a)
{
    struct skl_str rest = skl_str(mask);

    if (skl_str_empty(mask) || strcmp(mask, "*") == 0) {
        for (; *mutable_fields; mutable_fields++)
            set_field(target, *mutable_fields,
                      cJSON_GetObjectItemCaseSensitive(body, *mutable_fields));
        return true;
    }
    if (!check_mask(mask, mutable_fields, a))
        return false;
    while (rest.p)
        apply_path(target, body, skl_str_trim(skl_str_cut(rest, ',', &rest)));
    return true;
}
