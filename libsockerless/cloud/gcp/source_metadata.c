/* The metadata server of Google's machines and of Cloud Run: never through a proxy, and believed only if its answer
 * carries its mark. Unless somebody named it, it is looked for first, since nothing tells from outside whether it is
 * there. */
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/gcp/source.h"

#define NAME     "metadata server"
#define ACCOUNT  "/computeMetadata/v1/instance/service-accounts/default/"
#define PROBE_MS 3000
#define PROBES   3
#define ABSENT                                                                                     \
    "no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS to a credentials file, or sign in " \
    "with `gcloud auth application-default login`, or run where the metadata server is"

static int get(const struct skl_gcp_source *s, struct skl_rest *rest, const char *path, bool probe,
               const struct skl_token_limits *limits, struct skl_rest_response *answer,
               struct skl_error *err)
{
    struct skl_rest_header header = {"Metadata-Flavor", "Google"};
    SKL_AUTO_BUF struct skl_buf url = {0};
    struct skl_rest_request req = {.operation = "token",
                                   .method = "GET",
                                   .headers = &header,
                                   .n_headers = 1,
                                   .max_body = SKL_MIB,
                                   .no_proxy = true,
                                   .no_retry = probe,
                                   .attempt_timeout_ms = probe ? PROBE_MS : 0,
                                   .connect_timeout_ms = probe ? PROBE_MS : 0,
                                   .deadline_ms = limits->deadline_ms,
                                   .cancel = limits->cancel};
    const char *flavor;
    int rc;

    skl_buf_init(&url, 16 * SKL_KIB);
    skl_buf_addf(&url, "%s%s", s->metadata_url, path);
    req.url = url.p;
    rc = skl_rest_call(rest, &req, answer, err);
    if (rc < 0)
        return skl_wrap(err, rc, NAME);
    flavor = skl_rest_response_header(answer, "Metadata-Flavor");
    if (!skl_streq(flavor, "Google"))
        return skl_fail(err, SKL_E_UNAUTHORIZED,
                        NAME ": what answers at '%s' is none (HTTP %d without its mark)",
                        s->metadata_url, answer->status);
    return 0;
}

static int probe(const struct skl_gcp_source *s, struct skl_rest *rest,
                 const struct skl_token_limits *limits, struct skl_error *err)
{
    int rc = 0;

    for (int i = 0; i < PROBES; i++) {
        SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};

        rc = get(s, rest, "/", true, limits, &answer, err);
        if (rc == 0 || rc == -SKL_E_CANCELED)
            return rc;
    }
    return skl_fail(err, SKL_E_UNAUTHORIZED, ABSENT);
}

int skl_gcp_metadata_token(const struct skl_gcp_source *s, struct skl_rest *rest,
                           const char *target_audience, const struct skl_token_limits *limits,
                           struct skl_token *ret, struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    SKL_AUTO_BUF struct skl_buf path = {0};
    SKL_AUTO_JSON cJSON *json = NULL;
    int rc = s->metadata_sure ? 0 : probe(s, rest, limits, err);

    if (rc < 0)
        return rc;
    skl_buf_init(&path, 8 * SKL_KIB);
    if (target_audience) {
        skl_buf_adds(&path, ACCOUNT "identity?format=full&audience=");
        skl_url_encode(&path, skl_str(target_audience));
    } else {
        skl_buf_adds(&path, ACCOUNT "token");
    }
    rc = get(s, rest, path.p, false, limits, &answer, err);
    if (rc < 0)
        return rc;
    if (answer.status != 200)
        return skl_oauth_refused(NAME, answer.status, skl_buf_str(&answer.body), err);
    if (target_audience)
        return skl_gcp_id_token_read(NAME, skl_buf_str(&answer.body), ret, err);
    rc = skl_json_parse(skl_buf_str(&answer.body), &json, err);
    if (rc == 0)
        rc = skl_token_read(json, "access_token", ret, err);
    return rc < 0 ? skl_wrap(err, rc, NAME) : 0;
}
