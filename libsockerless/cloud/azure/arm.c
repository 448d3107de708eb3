/* Calls to Azure Resource Manager and paged lists. */
#include "cloud/azure/arm.h"

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/azure/arm_internal.h"

#define MAX_URL   (16 * SKL_KIB) /* polling URLs of 4 KiB are normal */
#define MAX_PAGES 1000

int skl_arm_new(const struct skl_arm_settings *s, struct skl_rest *rest,
                struct skl_azure_credential *credential, struct skl_arm **ret,
                struct skl_error *err)
{
    struct skl_str endpoint =
        skl_str(skl_str_empty(s->endpoint) ? "https://management.azure.com" : s->endpoint);
    struct skl_arm *a;

    while (endpoint.n > 0 && endpoint.p[endpoint.n - 1] == '/')
        endpoint.n--;
    if (!skl_url_same_origin(s->endpoint ? s->endpoint : endpoint.p, endpoint.p))
        return skl_fail(err, SKL_E_INVALID, "'" SKL_STR_FMT "' is not a URL (http://HOST[:PORT])",
                        SKL_STR_ARG(endpoint));
    a = skl_new0(struct skl_arm);
    a->rest = rest;
    a->credential = credential;
    a->endpoint = skl_str_dup(endpoint);
    a->poll_interval_ms = s->poll_interval_ms ? s->poll_interval_ms : 2000;
    a->lro_timeout_ms = s->lro_timeout_ms ? s->lro_timeout_ms : 20 * 60 * 1000;
    *ret = a;
    return 0;
}

void skl_arm_free(struct skl_arm *a)
{
    if (!a)
        return;
    free(a->endpoint);
    free(a);
}

const char *skl_arm_endpoint(const struct skl_arm *a)
{
    return a->endpoint;
}

void skl_arm_result_fini(struct skl_arm_result *r)
{
    cJSON_Delete(r->json);
    *r = (struct skl_arm_result){0};
}

const char *skl_arm_what(const struct skl_arm_call *call)
{
    return call->what ? call->what : call->operation ? call->operation : call->method;
}

int skl_arm_url(const struct skl_arm *a, const struct skl_arm_call *call, char **ret,
                struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    bool query = strchr(call->path, '?') != NULL;

    skl_buf_init(&b, MAX_URL);
    if (call->path[0] == '/')
        skl_buf_adds(&b, a->endpoint);
    skl_buf_adds(&b, call->path);
    if (call->api_version) {
        skl_buf_addf(&b, "%capi-version=%s", query ? '&' : '?', call->api_version);
        query = true;
    }
    if (!skl_str_empty(call->query))
        skl_buf_addf(&b, "%c%s", query ? '&' : '?', call->query);
    if (!b.failed && !skl_url_same_origin(b.p, a->endpoint))
        return skl_fail(err, SKL_E_INTERNAL,
                        "%s: the cloud named a URL on another host than '%s'; it is not followed, "
                        "because the token would go with it",
                        skl_arm_what(call), a->endpoint);
    return skl_buf_finish(&b, ret, err);
}

/* One attempt with the cached token; *token is the one that was used. */
static int send_once(struct skl_arm *a, const struct skl_arm_call *call, const char *url,
                     char **token, struct skl_rest_response *answer, struct skl_error *err)
{
    struct skl_rest_header headers[] = {{"Accept", "application/json"}};
    struct skl_rest_request req = {.operation = call->operation,
                                   .method = call->method,
                                   .url = url,
                                   .headers = headers,
                                   .n_headers = SKL_ARRAY_LEN(headers),
                                   .body = skl_str(call->body),
                                   .idempotent = call->idempotent,
                                   .no_retry = call->no_retry,
                                   .deadline_ms = call->deadline_ms,
                                   .cancel = call->cancel};
    int rc = skl_azure_credential_token(a->credential, SKL_AZURE_ARM, call->deadline_ms,
                                        call->cancel, token, err);

    if (rc < 0)
        return rc;
    req.bearer = *token;
    return skl_rest_call(a->rest, &req, answer, err);
}

int skl_arm_exchange(struct skl_arm *a, const struct skl_arm_call *call, const char *url,
                     struct skl_rest_response *answer, struct skl_arm_result *ret,
                     struct skl_error *err)
{
    const char *what = skl_arm_what(call);
    int rc;

    for (int attempt = 0;; attempt++) {
        SKL_AUTO_SECRET char *token = NULL;

        skl_rest_response_fini(answer);
        rc = send_once(a, call, url, &token, answer, err);
        ret->status = answer->status;
        ret->maybe_sent = answer->maybe_sent;
        if (rc < 0)
            return skl_wrap(err, rc, "%s", what);
        if (answer->status != 401 || attempt > 0)
            break;
        skl_azure_credential_invalidate(a->credential, token);
    }
    if (answer->status < 200 || answer->status >= 300)
        return skl_azure_fail(err, answer->status, skl_buf_str(&answer->body), what, ret->code);
    if (skl_str_trim(skl_buf_str(&answer->body)).n == 0)
        return 0;
    rc = skl_json_parse(skl_buf_str(&answer->body), &ret->json, NULL);
    if (rc < 0)
        return skl_fail(err, SKL_E_INTERNAL, "%s: HTTP %d with a body that is not JSON", what,
                        answer->status);
    return 0;
}

int skl_arm_send(struct skl_arm *a, const struct skl_arm_call *call, struct skl_arm_result *ret,
                 struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    char *url SKL_AUTO_STR = NULL;
    int rc;

    *ret = (struct skl_arm_result){0};
    rc = skl_arm_url(a, call, &url, err);
    if (rc < 0)
        return rc;
    return skl_arm_exchange(a, call, url, &answer, ret, err);
}

/* One page; *next is the URL of the next one, NULL at the end or when the caller has enough. */
static int list_page(struct skl_arm *a, const struct skl_arm_call *call, skl_arm_item_cb *cb,
                     void *arg, char **next, struct skl_error *err)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};
    const char *link;
    const cJSON *item;
    int rc = skl_arm_send(a, call, &r, err);

    if (rc < 0)
        return rc;
    cJSON_ArrayForEach(item, skl_json_get(r.json, "value"))
    {
        if (!cb(arg, item))
            return 0;
    }
    link = skl_json_get_str(r.json, "nextLink");
    if (!skl_str_empty(link))
        *next = skl_strdup(link);
    return 0;
}

int skl_arm_list(struct skl_arm *a, const struct skl_arm_call *call, skl_arm_item_cb *cb, void *arg,
                 struct skl_error *err)
{
    struct skl_arm_call page = *call;
    char *url SKL_AUTO_STR = NULL;

    page.method = "GET";
    for (int i = 0; i < MAX_PAGES; i++) {
        char *next = NULL;
        int rc = list_page(a, &page, cb, arg, &next, err);

        if (rc < 0 || !next)
            return rc;
        free(url);
        url = next;
        page.path = url;
        page.api_version = NULL; /* a nextLink is complete */
        page.query = NULL;
        if (!skl_url_same_origin(url, a->endpoint) && url[0] == '/')
            return skl_fail(err, SKL_E_INTERNAL, "%s: nextLink is not an absolute URL",
                            skl_arm_what(call));
    }
    return skl_fail(err, SKL_E_TOOBIG, "%s: the list has more than %d pages", skl_arm_what(call),
                    MAX_PAGES);
}
