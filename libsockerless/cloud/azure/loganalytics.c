/* Queries to a Log Analytics workspace, and the two literals that go into KQL. */
#include "cloud/azure/loganalytics.h"

#include <pthread.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"

#define WHAT "querying the log workspace"

struct skl_logs {
    struct skl_rest *rest;
    struct skl_azure_credential *credential;
    struct skl_arm *arm;
    char *endpoint, *workspace;
    pthread_mutex_t workspace_lock; /* guards customer_id */
    char *customer_id;              /* the GUID, once known */
};

int skl_logs_new(const struct skl_logs_settings *s, struct skl_rest *rest,
                 struct skl_azure_credential *credential, struct skl_arm *arm,
                 struct skl_logs **ret, struct skl_error *err)
{
    struct skl_str endpoint =
        skl_str(skl_str_empty(s->endpoint) ? "https://api.loganalytics.azure.com" : s->endpoint);
    struct skl_logs *l;

    if (skl_str_empty(s->workspace))
        return skl_fail(err, SKL_E_INVALID,
                        "no Log Analytics workspace: expected its GUID or its resource id");
    while (endpoint.n > 0 && endpoint.p[endpoint.n - 1] == '/')
        endpoint.n--;
    l = skl_new0(struct skl_logs);
    (void)pthread_mutex_init(&l->workspace_lock, NULL);
    l->rest = rest;
    l->credential = credential;
    l->arm = arm;
    l->endpoint = skl_str_dup(endpoint);
    l->workspace = skl_strdup(s->workspace);
    if (l->workspace[0] != '/')
        l->customer_id = skl_strdup(s->workspace);
    *ret = l;
    return 0;
}

const char *skl_logs_endpoint(const struct skl_logs *l)
{
    return l->endpoint;
}

void skl_logs_free(struct skl_logs *l)
{
    if (!l)
        return;
    free(l->endpoint);
    free(l->workspace);
    free(l->customer_id);
    (void)pthread_mutex_destroy(&l->workspace_lock);
    free(l);
}

/* The workspace's GUID, owned. Two threads may resolve it at once; both learn the same. */
static int workspace_id(struct skl_logs *l, int64_t deadline_ms, const atomic_bool *cancel,
                        char **ret, struct skl_error *err)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};
    struct skl_arm_call call = {.operation = "workspaces.get",
                                .what = "reading the log workspace",
                                .method = "GET",
                                .path = l->workspace,
                                .api_version = "2023-09-01",
                                .deadline_ms = deadline_ms,
                                .cancel = cancel};
    const char *id;
    int rc;

    (void)pthread_mutex_lock(&l->workspace_lock);
    *ret = skl_strdup(l->customer_id);
    (void)pthread_mutex_unlock(&l->workspace_lock);
    if (*ret)
        return 0;
    rc = skl_arm_send(l->arm, &call, &r, err);
    if (rc < 0)
        return rc;
    id = skl_json_get_str(skl_json_get(r.json, "properties"), "customerId");
    if (skl_str_empty(id))
        return skl_fail(err, SKL_E_INTERNAL, "reading the log workspace: it has no customerId");
    (void)pthread_mutex_lock(&l->workspace_lock);
    skl_strset(&l->customer_id, id);
    (void)pthread_mutex_unlock(&l->workspace_lock);
    *ret = skl_strdup(id);
    return 0;
}

static int read_table(const struct skl_rest_response *answer, struct skl_logs_table *t,
                      struct skl_error *err)
{
    const cJSON *tables, *error, *rows, *row;
    size_t n = 0;
    int rc;

    if (answer->status == 204 || skl_str_trim(skl_buf_str(&answer->body)).n == 0)
        return 0; /* no data in the workspace */
    rc = skl_json_parse(skl_buf_str(&answer->body), &t->root, err);
    if (rc < 0)
        return skl_wrap(err, rc, WHAT);
    error = skl_json_get(t->root, "error");
    if (error) {
        struct skl_error e;
        char *text SKL_AUTO_STR = skl_json_text(error);

        (void)skl_azure_fail(&e, 0, skl_str(text), "incomplete answer of the log workspace", NULL);
        t->partial = skl_strdup(e.msg);
    }
    tables = skl_json_get(t->root, "tables");
    if (cJSON_GetArraySize(tables) == 0)
        return 0;
    t->columns = skl_json_get(cJSON_GetArrayItem(tables, 0), "columns");
    rows = skl_json_get(cJSON_GetArrayItem(tables, 0), "rows");
    if (!cJSON_IsArray(rows))
        return 0;
    t->rows = skl_alloc0((size_t)cJSON_GetArraySize(rows) + 1, sizeof(*t->rows));
    cJSON_ArrayForEach(row, rows)
    {
        if (cJSON_IsArray(row))
            t->rows[n++] = row;
    }
    t->n_rows = n;
    return 0;
}

static int query_once(struct skl_logs *l, const char *url, struct skl_str body, int64_t deadline_ms,
                      const atomic_bool *cancel, char **token, struct skl_rest_response *answer,
                      struct skl_error *err)
{
    struct skl_rest_header headers[] = {{"Prefer", "wait=30"}, {"Accept", "application/json"}};
    struct skl_rest_request req = {.operation = "logs.query",
                                   .method = "POST",
                                   .url = url,
                                   .headers = headers,
                                   .n_headers = SKL_ARRAY_LEN(headers),
                                   .body = body,
                                   .idempotent = true,
                                   .deadline_ms = deadline_ms,
                                   .cancel = cancel};
    int rc =
        skl_azure_credential_token(l->credential, SKL_AZURE_LOGS, deadline_ms, cancel, token, err);

    if (rc < 0)
        return rc;
    req.bearer = *token;
    return skl_rest_call(l->rest, &req, answer, err);
}

static int query(struct skl_logs *l, const char *url, struct skl_str body, int64_t deadline_ms,
                 const atomic_bool *cancel, struct skl_logs_table *ret, struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    int rc;

    for (int attempt = 0;; attempt++) {
        SKL_AUTO_SECRET char *token = NULL;

        skl_rest_response_fini(&answer);
        rc = query_once(l, url, body, deadline_ms, cancel, &token, &answer, err);
        if (rc < 0)
            return skl_wrap(err, rc, WHAT);
        if (answer.status != 401 || attempt > 0)
            break;
        skl_azure_credential_invalidate(l->credential, token);
    }
    if (answer.status < 200 || answer.status >= 300)
        return skl_azure_fail(err, answer.status, skl_buf_str(&answer.body), WHAT, NULL);
    rc = read_table(&answer, ret, err);
    if (rc < 0)
        skl_logs_table_fini(ret);
    return rc;
}

int skl_logs_query(struct skl_logs *l, const char *kql, const char *timespan, int64_t deadline_ms,
                   const atomic_bool *cancel, struct skl_logs_table *ret, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf body = {0};
    SKL_AUTO_BUF struct skl_buf url = {0};
    char *id SKL_AUTO_STR = NULL;
    struct skl_json j;
    int rc;

    *ret = (struct skl_logs_table){0};
    skl_buf_init(&body, SKL_MIB);
    skl_buf_init(&url, 4096);
    if (!deadline_ms)
        deadline_ms = skl_mono_ms() + 120000;
    rc = workspace_id(l, deadline_ms, cancel, &id, err);
    if (rc < 0)
        return rc;
    skl_json_init(&j, &body);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "query", kql);
    skl_json_str(&j, "timespan", timespan);
    skl_json_end_object(&j);
    skl_buf_addf(&url, "%s/v1/workspaces/", l->endpoint);
    skl_url_encode(&url, skl_str(id));
    skl_buf_adds(&url, "/query");
    if (body.failed || url.failed)
        return skl_fail(err, SKL_E_TOOBIG, WHAT ": the query is too large");
    return query(l, url.p, skl_buf_str(&body), deadline_ms, cancel, ret, err);
}

void skl_kql_quote(struct skl_buf *b, struct skl_str s)
{
    skl_buf_addc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '\\' || c == '"')
            skl_buf_addf(b, "\\%c", c);
        else if (c == '\n')
            skl_buf_adds(b, "\\n");
        else if (c == '\t')
            skl_buf_adds(b, "\\t");
        else if (c == '\r')
            skl_buf_adds(b, "\\r");
        else if (c < ' ' || c == 0x7f)
            skl_buf_addf(b, "\\u%04x", c);
        else
            skl_buf_addc(b, (char)c);
    }
    skl_buf_addc(b, '"');
}

void skl_kql_datetime(struct skl_buf *b, int64_t wall_ns)
{
    char fixed[SKL_TIME_LEN];
    size_t n = strlen(skl_time_format_fixed(wall_ns, fixed));

    /* Nine digits and Z: the service knows seven. */
    SKL_ASSERT(n > 3 && fixed[n - 1] == 'Z');
    skl_buf_addf(b, "datetime(%.*sZ)", (int)(n - 3), fixed);
}
