/* What the caller may do: --permission names it; asked of a project and of a bucket, and checked before each call that
 * needs one of them. */
#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

#define MAX_ASKED 100

static bool has(const struct sim *s, const char *permission)
{
    char **p = s->options->permissions;

    for (; p && *p; p++)
        if (strcmp(*p, permission) == 0)
            return true;
    return !s->options->permissions; /* owner */
}

/* Our methods by Google's permissions; a method that is not here needs none. */
static const struct {
    const char *method, *permission;
} needs[] = {
    {"services.create", "run.services.create"},
    {"services.get", "run.services.get"},
    {"services.list", "run.services.list"},
    {"services.patch", "run.services.update"},
    {"services.delete", "run.services.delete"},
    {"functions.create", "cloudfunctions.functions.create"},
    {"functions.get", "cloudfunctions.functions.get"},
    {"functions.list", "cloudfunctions.functions.list"},
    {"functions.patch", "cloudfunctions.functions.update"},
    {"functions.delete", "cloudfunctions.functions.delete"},
    {"runtimes.list", "cloudfunctions.runtimes.list"},
    {"entries.list", "logging.logEntries.list"},
    {"storage.upload", "storage.objects.create"},
};

bool gcp_permitted(struct sim *s, const struct sim_request *r, const char *method,
                   struct sim_answer *a)
{
    if (!s->options->permissions)
        return true;
    for (size_t i = 0; i < SKL_ARRAY_LEN(needs); i++) {
        if (strcmp(needs[i].method, method) != 0 || has(s, needs[i].permission))
            continue;
        if (gcp_auth_check(s, r, a)) /* who is not known is told that first */
            gcp_error(a, GCP_PERMISSION_DENIED,
                      "Permission '%s' denied on resource '%s' (or it may not exist).",
                      needs[i].permission, r->path);
        return false;
    }
    return true;
}

static void answer(const struct sim *s, char *const *asked, struct sim_answer *a)
{
    SKL_AUTO_JSON cJSON *json = cJSON_CreateObject();
    cJSON *granted = cJSON_CreateArray();

    for (; asked && *asked; asked++)
        if (has(s, *asked))
            cJSON_AddItemToArray(granted, cJSON_CreateString(*asked));
    if (cJSON_GetArraySize(granted) > 0) /* an empty list is left out */
        cJSON_AddItemToObject(json, "permissions", granted);
    else
        cJSON_Delete(granted);
    sim_json(a, 200, json);
}

static bool is_permission(const char *text)
{
    size_t dots = 0;

    for (const char *p = text; *p; p++)
        dots += *p == '.';
    return dots == 2 && !strchr(text, '*');
}

/* /v3/projects/P:testIamPermissions */
void gcp_project_permissions(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    SKL_AUTO_JSON cJSON *body = gcp_body(r, a);
    char **asked = body ? skl_json_get_strv(body, "permissions") : NULL;

    if (!body)
        return;
    if (!skl_streq(r->method, "POST")) {
        gcp_unknown(r, a);
    } else if (skl_strv_len(asked) > MAX_ASKED) {
        gcp_error(a, GCP_INVALID_ARGUMENT, "At most %d permissions can be tested.", MAX_ASKED);
    } else {
        char **p = asked;

        while (p && *p && is_permission(*p))
            p++;
        if (p && *p)
            gcp_error(a, GCP_INVALID_ARGUMENT, "Permission %s is not valid for this resource.", *p);
        else
            answer(s, asked, a);
    }
    skl_strv_free(asked);
}

/* /storage/v1/b/B/iam/testPermissions?permissions=... */
void gcp_bucket_permissions(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    struct skl_str key, value, rest = skl_str(r->query);
    char **asked = NULL;

    while (skl_query_next(&rest, &key, &value))
        if (skl_str_eqz(key, "permissions")) {
            char *one SKL_AUTO_STR = skl_str_dup(value);

            skl_strv_push(&asked, one);
        }
    if (!asked)
        gcp_error(a, GCP_INVALID_ARGUMENT, "Required parameter: permissions");
    else
        answer(s, asked, a);
    skl_strv_free(asked);
}
