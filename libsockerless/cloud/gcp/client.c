/* Calls to Google's APIs and paged lists. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/gcp/client_internal.h"

#define MAX_URL         (16 * SKL_KIB)
#define MAX_PAGES       1000
#define LONG_TIMEOUT_MS (30 * 60 * 1000) /* gcloud gives a deployment as long */
#define MAX_HEADERS     3

static const char *const hosts[] = {
    [SKL_GCP_FUNCTIONS] = "https://cloudfunctions.googleapis.com",
    [SKL_GCP_RUN] = "https://run.googleapis.com",
    [SKL_GCP_LOGGING] = "https://logging.googleapis.com",
    [SKL_GCP_STORAGE] = "https://storage.googleapis.com",
    [SKL_GCP_BUILD] = "https://cloudbuild.googleapis.com",
    [SKL_GCP_ARTIFACTS] = "https://artifactregistry.googleapis.com",
    [SKL_GCP_PROJECTS] = "https://cloudresourcemanager.googleapis.com",
};
_Static_assert(SKL_ARRAY_LEN(hosts) == SKL_GCP_API_MAX_, "a host per API");

int skl_gcp_client_new(const struct skl_gcp_client_settings *s, struct skl_rest *rest,
                       struct skl_gcp_credential *credential, struct skl_gcp_client **ret,
                       struct skl_error *err)
{
    struct skl_str endpoint = skl_str(s->endpoint_url);
    struct skl_gcp_client *c;

    while (endpoint.n > 0 && endpoint.p[endpoint.n - 1] == '/')
        endpoint.n--;
    if (endpoint.n > 0 && !skl_url_same_origin(s->endpoint_url, s->endpoint_url))
        return skl_fail(err, SKL_E_INVALID, "'" SKL_STR_FMT "' is not a URL (http://HOST[:PORT])",
                        SKL_STR_ARG(endpoint));
    c = skl_new0(struct skl_gcp_client);
    c->rest = rest;
    c->credential = credential;
    c->endpoint = endpoint.n > 0 ? skl_str_dup(endpoint) : NULL;
    c->poll_interval_ms = s->poll_interval_ms ? s->poll_interval_ms : 1000;
    *ret = c;
    return 0;
}

void skl_gcp_client_free(struct skl_gcp_client *c)
{
    if (!c)
        return;
    free(c->endpoint);
    free(c);
}

const char *skl_gcp_client_host(const struct skl_gcp_client *c, enum skl_gcp_api api)
{
    return c->endpoint ? c->endpoint : hosts[api];
}

void skl_gcp_result_fini(struct skl_gcp_result *r)
{
    cJSON_Delete(r->json);
    *r = (struct skl_gcp_result){0};
}

const char *skl_gcp_what(const struct skl_gcp_call *call)
{
    return call->what ? call->what : call->operation ? call->operation : call->method;
}

static int make_url(const struct skl_gcp_client *c, const struct skl_gcp_call *call, char **ret,
                    struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, MAX_URL);
    skl_buf_adds(&b, skl_gcp_client_host(c, call->api));
    skl_buf_adds(&b, call->path);
    if (!skl_str_empty(call->query))
        skl_buf_addf(&b, "%c%s", strchr(call->path, '?') ? '&' : '?', call->query);
    return skl_buf_finish(&b, ret, err);
}

static int64_t said_delay(const struct skl_rest_response *answer)
{
    return answer->status >= 400 ? skl_gcp_retry_delay(skl_buf_str(&answer->body)) : -1;
}

static size_t make_headers(const struct skl_gcp_client *c, const struct skl_gcp_call *call,
                           struct skl_rest_header headers[MAX_HEADERS])
{
    const char *quota = skl_gcp_credential_quota_project(c->credential);
    size_t n = 0;

    headers[n++] = (struct skl_rest_header){"Accept", "application/json"};
    if (quota)
        headers[n++] = (struct skl_rest_header){"X-Goog-User-Project", quota};
    if (!skl_str_empty(call->context.reason))
        headers[n++] = (struct skl_rest_header){"X-Goog-Request-Reason", call->context.reason};
    return n;
}

/* One attempt with the cached token; *token is the one that was used. */
static int send_once(struct skl_gcp_client *c, const struct skl_gcp_call *call, const char *url,
                     char **token, struct skl_rest_response *answer, struct skl_error *err)
{
    const struct skl_gcp_context *context = &call->context;
    struct skl_rest_header headers[MAX_HEADERS];
    struct skl_rest_request req = {.operation = call->operation,
                                   .method = call->method,
                                   .url = url,
                                   .headers = headers,
                                   .n_headers = make_headers(c, call, headers),
                                   .body = call->body,
                                   .content_type = call->content_type,
                                   .idempotent = call->idempotent,
                                   .creates = !call->idempotent,
                                   .no_retry = call->no_retry,
                                   .said_delay = said_delay,
                                   .deadline_ms = context->deadline_ms,
                                   .cancel = context->cancel};
    int rc = skl_gcp_access_token(c->credential, context->deadline_ms, context->cancel, token, err);

    if (rc < 0)
        return rc;
    req.bearer = *token;
    return skl_rest_call(c->rest, &req, answer, err);
}

int skl_gcp_exchange(struct skl_gcp_client *c, const struct skl_gcp_call *call,
                     struct skl_gcp_result *ret, int64_t *ret_retry_after_ms, struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    const char *what = skl_gcp_what(call);
    char *url SKL_AUTO_STR = NULL;
    int rc = make_url(c, call, &url, err);

    *ret = (struct skl_gcp_result){0};
    *ret_retry_after_ms = -1;
    if (rc < 0)
        return skl_wrap(err, rc, "%s", what);
    for (int attempt = 0;; attempt++) {
        SKL_AUTO_SECRET char *token = NULL;

        skl_rest_response_fini(&answer);
        rc = send_once(c, call, url, &token, &answer, err);
        ret->status = answer.status;
        ret->maybe_sent = answer.maybe_sent;
        if (rc < 0)
            return skl_wrap(err, rc, "%s", what);
        if (answer.status != 401 || attempt > 0)
            break;
        skl_gcp_credential_invalidate(c->credential, token);
    }
    *ret_retry_after_ms = answer.retry_after_ms;
    if (answer.status < 200 || answer.status >= 300)
        return skl_gcp_fail(err, answer.status, skl_buf_str(&answer.body), what, ret->code,
                            ret->reason);
    if (skl_str_trim(skl_buf_str(&answer.body)).n == 0)
        return 0;
    rc = skl_json_parse(skl_buf_str(&answer.body), &ret->json, NULL);
    if (rc < 0)
        return skl_fail(err, SKL_E_INTERNAL, "%s: HTTP %d with a body that is not JSON", what,
                        answer.status);
    return 0;
}

int skl_gcp_send(struct skl_gcp_client *c, const struct skl_gcp_call *call,
                 struct skl_gcp_result *ret, struct skl_error *err)
{
    int64_t retry_after_ms;

    return skl_gcp_exchange(c, call, ret, &retry_after_ms, err);
}

/* The query of a page: the caller's own, and the token that the page before gave. */
static void page_query(struct skl_buf *b, const char *own, const char *token)
{
    skl_buf_reset(b);
    if (!skl_str_empty(own))
        skl_buf_adds(b, own);
    if (!token)
        return;
    skl_buf_adds(b, b->n > 0 ? "&pageToken=" : "pageToken=");
    skl_url_encode(b, skl_str(token));
}

static int unreachable(const struct skl_gcp_call *call, const char *location, struct skl_error *err)
{
    if (!location)
        return 0;
    return skl_fail(err, SKL_E_UNAVAILABLE, "%s: '%.100s' did not answer", skl_gcp_what(call),
                    location);
}

int skl_gcp_list(struct skl_gcp_client *c, const struct skl_gcp_call *call, const char *items,
                 skl_gcp_item_cb *cb, void *arg, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf query = {0};
    struct skl_gcp_call page = *call;
    char *token SKL_AUTO_STR = NULL;
    char *missing SKL_AUTO_STR = NULL;

    page.method = "GET";
    skl_buf_init(&query, MAX_URL);
    for (int i = 0; i < MAX_PAGES; i++) {
        SKL_AUTO_GCP_RESULT struct skl_gcp_result r = {0};
        const cJSON *item, *location;
        int rc;

        page_query(&query, call->query, token);
        page.query = query.p;
        rc = skl_gcp_send(c, &page, &r, err);
        if (rc < 0)
            return rc;
        cJSON_ArrayForEach(item, skl_json_get(r.json, items))
        {
            if (!cb(arg, item))
                return 0;
        }
        location = cJSON_GetArrayItem(skl_json_get(r.json, "unreachable"), 0);
        if (!missing && cJSON_IsString(location))
            missing = skl_strdup(location->valuestring);
        skl_strset(&token, skl_json_get_str(r.json, "nextPageToken"));
        if (skl_str_empty(token))
            return unreachable(call, missing, err);
    }
    return skl_fail(err, SKL_E_TOOBIG, "%s: the list has more than %d pages", skl_gcp_what(call),
                    MAX_PAGES);
}

struct skl_gcp_context skl_gcp_long_context(const struct skl_gcp_context *context)
{
    struct skl_gcp_context c = context ? *context : (struct skl_gcp_context){0};

    if (!c.deadline_ms)
        c.deadline_ms = skl_mono_ms() + LONG_TIMEOUT_MS;
    return c;
}
