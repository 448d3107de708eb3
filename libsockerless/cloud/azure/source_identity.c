/* Managed identity: the endpoint that Container Apps, App Service and Functions put into the environment,
 * and the metadata service of a virtual machine (IMDS). Neither goes through a proxy.
 *
 * IMDS cannot be seen from outside, so the first call to it is a probe: one attempt with a second to
 * connect. Whatever answers there without Azure's form of an answer (other clouds use the same address)
 * counts as "not here". Once IMDS has given a token, or when the operator named its address, its errors
 * are errors. */
#include "base/clock.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/azure/source.h"

#define IMDS_NAME    "managed identity of the virtual machine"
#define PROBE_MS     1000
#define IMDS_RETRIES 4

static void add_query(struct skl_buf *url, const struct skl_token_request *q,
                      const char *api_version)
{
    skl_buf_adds(url, memchr(url->p, '?', url->n) ? "&" : "?");
    skl_buf_addf(url, "api-version=%s&resource=", api_version);
    skl_url_encode(url, skl_str(q->resource));
    if (q->auth->client_id) {
        skl_buf_adds(url, "&client_id=");
        skl_url_encode(url, skl_str(q->auth->client_id));
    }
}

static int read_answer(const char *source, const struct skl_rest_response *answer,
                       struct skl_token *ret, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *json = NULL;
    int rc;

    if (answer->status != 200)
        return skl_oauth_refused(source, answer->status, skl_buf_str(&answer->body), err);
    rc = skl_json_parse(skl_buf_str(&answer->body), &json, err);
    if (rc == 0)
        rc = skl_token_read(json, "access_token", ret, err);
    return rc < 0 ? skl_wrap(err, rc, "%s", source) : 0;
}

int skl_token_from_identity_endpoint(const struct skl_token_request *q, struct skl_token *ret,
                                     struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    SKL_AUTO_BUF struct skl_buf url = {0};
    struct skl_rest_header header = {"X-IDENTITY-HEADER", q->auth->identity_header};
    struct skl_rest_request req = {.operation = "token",
                                   .method = "GET",
                                   .headers = &header,
                                   .n_headers = 1,
                                   .max_body = SKL_MIB,
                                   .no_proxy = true,
                                   .deadline_ms = q->limits.deadline_ms,
                                   .cancel = q->limits.cancel};
    int rc;

    if (!q->auth->identity_endpoint || !q->auth->identity_header)
        return SKL_SOURCE_ABSENT;
    skl_buf_init(&url, 8192);
    skl_buf_adds(&url, q->auth->identity_endpoint);
    add_query(&url, q, "2019-08-01");
    req.url = url.p;
    rc = skl_rest_call(q->auth->rest, &req, &answer, err);
    if (rc < 0)
        return skl_wrap(err, rc, "managed identity (IDENTITY_ENDPOINT)");
    return read_answer("managed identity (IDENTITY_ENDPOINT)", &answer, ret, err);
}

/* An answer that only Azure's service gives: a token, or its JSON form of an error. */
static bool looks_like_imds(const struct skl_rest_response *answer)
{
    SKL_AUTO_JSON cJSON *json = NULL;

    if (skl_json_parse(skl_buf_str(&answer->body), &json, NULL) < 0)
        return false;
    return skl_json_get(json, "access_token") || skl_json_get(json, "error");
}

static bool still_updating(int status)
{
    return status == 404 || status == 410 || status == 429 || status >= 500;
}

int skl_token_from_imds(const struct skl_token_request *q, struct skl_token *ret,
                        struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf url = {0};
    struct skl_rest_header header = {"Metadata", "true"};
    bool sure = q->known_good || q->auth->imds_named;
    int rc;

    if (q->auth->no_imds)
        return SKL_SOURCE_ABSENT;
    skl_buf_init(&url, 8192);
    skl_buf_addf(&url, "%s/metadata/identity/oauth2/token", q->auth->imds_host);
    add_query(&url, q, "2018-02-01");
    for (unsigned attempt = 0;; attempt++) {
        SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
        struct skl_rest_request req = {.operation = "token",
                                       .method = "GET",
                                       .url = url.p,
                                       .headers = &header,
                                       .n_headers = 1,
                                       .max_body = SKL_MIB,
                                       .no_proxy = true,
                                       .no_retry = true,
                                       .connect_timeout_ms = sure ? 0 : PROBE_MS,
                                       .attempt_timeout_ms = 10000,
                                       .deadline_ms = q->limits.deadline_ms,
                                       .cancel = q->limits.cancel};

        rc = skl_rest_call(q->auth->rest, &req, &answer, err);
        if (rc == -SKL_E_CANCELED)
            return rc;
        if (!sure && (rc < 0 || !looks_like_imds(&answer)))
            return SKL_SOURCE_ABSENT;
        sure = true;
        if ((rc == 0 && !still_updating(answer.status)) || attempt == IMDS_RETRIES) {
            if (rc < 0)
                return skl_wrap(err, rc, IMDS_NAME);
            return read_answer(IMDS_NAME, &answer, ret, err);
        }
        /* 2, 4, 8, 16 s: an identity that is being assigned is there within 70 s. */
        rc = skl_cloud_sleep(skl_rest_scale_ms(q->auth->rest, INT64_C(2000) << attempt),
                             q->limits.deadline_ms, q->limits.cancel, err);
        if (rc < 0)
            return skl_wrap(err, rc, IMDS_NAME);
    }
}
