/* One sentence from what Azure answers. Two families: ARM's {"error":{"code","message","details"}} and
 * the App Service's own {"Code","Message","Details":[{"ErrorEntity":{...}}]}; the query service nests
 * "innererror" objects. The outermost code names the failure, the innermost message explains it. */
#include <stdio.h>

#include "base/json_read.h"
#include "cloud/azure/arm.h"
#include "cloud/error_text.h"

#define MAX_DEPTH   16
#define MAX_MESSAGE 400

static enum skl_kind kind_of(int status)
{
    switch (status) {
    case 400:
        return SKL_E_INVALID;
    case 401:
    case 403:
        return SKL_E_FORBIDDEN;
    case 404:
    case 410:
        return SKL_E_NOTFOUND;
    case 409:
    case 412:
        return SKL_E_CONFLICT;
    case 429:
        return SKL_E_THROTTLED;
    case 408:
        return SKL_E_UNAVAILABLE;
    default:
        return status >= 500 ? SKL_E_UNAVAILABLE : SKL_E_INTERNAL;
    }
}

static void deepest(const cJSON *node, int depth, int *best, const char **message)
{
    const char *m = cJSON_IsObject(node) ? skl_json_get_str(node, "message") : NULL;
    const cJSON *child;

    if (depth > MAX_DEPTH)
        return;
    if (m && *m && depth > *best) {
        *best = depth;
        *message = m;
    }
    if (!cJSON_IsObject(node))
        return;
    cJSON_ArrayForEach(child, skl_json_get(node, "details"))
        deepest(child, depth + 1, best, message);
    deepest(skl_json_get(node, "ErrorEntity"), depth + 1, best, message);
    deepest(skl_json_get(node, "innererror"), depth + 1, best, message);
}

int skl_azure_fail(struct skl_error *err, int status, struct skl_str body, const char *what,
                   char code[96])
{
    SKL_AUTO_JSON cJSON *json = NULL;
    SKL_AUTO_BUF struct skl_buf text = {0};
    const char *name = NULL, *message = NULL;
    int best = -1;

    skl_buf_init(&text, 2048);
    if (code)
        code[0] = '\0';
    if (body.n > 0 && skl_json_parse(body, &json, NULL) == 0) {
        const cJSON *error = skl_json_get(json, "error");

        if (!cJSON_IsObject(error))
            error = json;
        if (cJSON_IsObject(error)) {
            name = skl_json_get_str(error, "code");
            deepest(error, 0, &best, &message);
        }
    }
    if (name && *name) {
        skl_error_text_add(&text, skl_str(name), 80);
        if (code)
            (void)snprintf(code, 96, "%.95s", text.p);
    } else if (status) {
        skl_buf_addf(&text, "HTTP %d", status);
    } else {
        skl_buf_adds(&text, "failed");
    }
    if (message || (!name && body.n > 0)) {
        skl_buf_adds(&text, ": ");
        skl_error_text_add(&text, message ? skl_str(message) : body, message ? MAX_MESSAGE : 200);
    }
    return skl_fail(err, kind_of(status), "%s: %s", what, text.p);
}
