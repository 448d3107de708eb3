/* Tokens of another service account, from IAM credentials, for a caller that may make them. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/gcp/client_internal.h"
#include "cloud/gcp/source.h"

#define MAX_BODY (64 * SKL_KIB)

static int post(struct skl_rest *rest, const char *what, const char *url,
                const struct skl_buf *body, const char *bearer,
                const struct skl_token_limits *limits, bool *refused, cJSON **ret,
                struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    struct skl_rest_request req = {.operation = "token",
                                   .method = "POST",
                                   .url = url,
                                   .body = skl_buf_str(body),
                                   .bearer = bearer,
                                   .max_body = SKL_MIB,
                                   .idempotent = true,
                                   .deadline_ms = limits->deadline_ms,
                                   .cancel = limits->cancel};
    int rc;

    *refused = false;
    if (body->failed)
        return skl_fail(err, SKL_E_TOOBIG, "%s: the request is too large", what);
    rc = skl_rest_call(rest, &req, &answer, err);
    if (rc < 0)
        return skl_wrap(err, rc, "%s", what);
    *refused = answer.status == 401;
    if (answer.status != 200)
        return skl_gcp_fail(err, answer.status, skl_buf_str(&answer.body), what, NULL, NULL);
    rc = skl_json_parse(skl_buf_str(&answer.body), ret, err);
    return rc < 0 ? skl_wrap(err, rc, "%s", what) : 0;
}

static void add_delegates(struct skl_json *j, char *const *delegates)
{
    if (delegates && *delegates)
        skl_json_strv(j, "delegates", delegates);
}

int skl_gcp_iam_access_token(const struct skl_gcp_source *s, struct skl_rest *rest,
                             const char *bearer, const struct skl_token_limits *limits,
                             bool *refused, struct skl_token *ret, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf body = {0}, what = {0};
    SKL_AUTO_JSON cJSON *json = NULL;
    const char *text, *until;
    int64_t until_ns = 0;
    struct skl_json j;
    int rc;

    skl_buf_init(&what, SKL_KIB);
    skl_buf_addf(&what, "impersonating '%.200s'", s->impersonated);
    skl_buf_init(&body, MAX_BODY);
    skl_json_init(&j, &body);
    skl_json_object(&j, NULL);
    skl_json_array(&j, "scope");
    skl_json_str(&j, NULL, SKL_GCP_SCOPE);
    skl_json_end_array(&j);
    skl_json_strf(&j, "lifetime", "%llds", (long long)s->lifetime_s);
    add_delegates(&j, s->delegates);
    skl_json_end_object(&j);
    rc = post(rest, what.p, s->impersonation_url, &body, bearer, limits, refused, &json, err);
    if (rc < 0)
        return rc;
    text = skl_json_get_str(json, "accessToken");
    until = skl_json_get_str(json, "expireTime");
    if (!skl_token_is_sane(text) || !until || !skl_time_parse(skl_str(until), &until_ns))
        return skl_fail(err, SKL_E_INTERNAL, "%s: the answer holds no token", what.p);
    ret->lifetime_ms = (until_ns - skl_wall_ns()) / SKL_NS_PER_MS;
    if (ret->lifetime_ms <= 0)
        return skl_fail(err, SKL_E_INTERNAL,
                        "%s: the token has already ended: is this machine's clock right?", what.p);
    ret->text = skl_strdup(text);
    return 0;
}

int skl_gcp_iam_id_token(const struct skl_gcp_id_token_ask *ask, struct skl_rest *rest,
                         const char *bearer, const struct skl_token_limits *limits, bool *refused,
                         struct skl_token *ret, struct skl_error *err)
{
    static const char what[] = "asking for an ID token";
    SKL_AUTO_BUF struct skl_buf body = {0};
    SKL_AUTO_JSON cJSON *json = NULL;
    struct skl_json j;
    int rc;

    skl_buf_init(&body, MAX_BODY);
    skl_json_init(&j, &body);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "audience", ask->audience);
    skl_json_bool(&j, "includeEmail", true);
    add_delegates(&j, ask->delegates);
    skl_json_end_object(&j);
    rc = post(rest, what, ask->url, &body, bearer, limits, refused, &json, err);
    if (rc < 0)
        return rc;
    return skl_gcp_id_token_read(what, skl_str(skl_json_get_str(json, "token")), ret, err);
}
