#include "cloud/gcp/functions.h"

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/error_text.h"

#define MAX_MESSAGE 400

static int failed(const cJSON *function, const char *what, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf text = {0};
    const cJSON *message;

    skl_buf_init(&text, 2 * SKL_KIB);
    cJSON_ArrayForEach(message, skl_json_get(function, "stateMessages"))
    {
        const char *m = skl_json_get_str(message, "message");

        if (skl_str_empty(m) || text.n > MAX_MESSAGE)
            continue;
        skl_buf_adds(&text, text.n > 0 ? "; " : ": ");
        skl_error_text_add(&text, skl_str(m), MAX_MESSAGE);
    }
    return skl_fail(err, SKL_E_INVALID, "%s: it FAILED%s", what, text.p);
}

int skl_function_await(struct skl_gcp_client *c, const char *name,
                       const struct skl_gcp_context *context, cJSON **ret, struct skl_error *err)
{
    struct skl_gcp_context until = skl_gcp_long_context(context);
    SKL_AUTO_BUF struct skl_buf path = {0}, what = {0};

    skl_buf_init(&path, 2 * SKL_KIB);
    skl_buf_addf(&path, "/v2/%s", name);
    skl_buf_init(&what, 2 * SKL_KIB);
    skl_buf_addf(&what, "waiting for '%s'", name);
    for (;;) {
        SKL_AUTO_GCP_RESULT struct skl_gcp_result r = {0};
        struct skl_gcp_call get = {.api = SKL_GCP_FUNCTIONS,
                                   .operation = "functions.get",
                                   .what = what.p,
                                   .method = "GET",
                                   .path = path.p,
                                   .context = until};
        int rc = skl_gcp_send(c, &get, &r, err);
        const char *state;

        if (rc < 0)
            return rc;
        state = skl_json_get_str(r.json, "state");
        if (skl_streq(state, "ACTIVE")) {
            *ret = skl_take(&r.json);
            return 0;
        }
        if (skl_streq(state, "FAILED"))
            return failed(r.json, what.p, err);
        if (!skl_streq(state, "DEPLOYING"))
            return skl_fail(err, SKL_E_CONFLICT, "%s: it is %.40s", what.p,
                            state ? state : "in no known state");
        rc = skl_gcp_poll_sleep(c, &until, what.p, err);
        if (rc < 0)
            return rc;
    }
}
