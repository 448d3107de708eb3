/* Google answers which of a list of permissions the caller has: on a project, and on a bucket, whose rights are often its
 * own. Nothing is made to try them. */
#include "cloud/gcp/diagnosis.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/reach.h"

#define MAX_APIS 8
#define ROLE_FIX "give the account the roles that terraform/modules/gcf gives the backend's"
/* Any service's URL will do: the token is not used. */
#define PROBE_AUDIENCE "https://sockerless-doctor.run.app"

static struct skl_gcp_context soon(void)
{
    return (struct skl_gcp_context){.deadline_ms = skl_mono_ms() + SKL_DOCTOR_CALL_MS};
}

static bool check_apis(struct skl_gcp *g, const struct skl_gcp_subject *s,
                       const struct skl_findings *to)
{
    struct skl_reach_target targets[MAX_APIS];
    size_t n = 0;

    for (; n < s->n_apis && n < MAX_APIS; n++)
        targets[n] = (struct skl_reach_target){s->apis[n].check,
                                               skl_gcp_client_host(g->client, s->apis[n].api)};
    return skl_cloud_reach(g->rest, targets, n, to);
}

static bool check_tokens(struct skl_gcp *g, const struct skl_findings *to)
{
    char *token = NULL;
    struct skl_error err;

    if (skl_gcp_access_token(g->credential, soon().deadline_ms, NULL, &token, &err) < 0) {
        skl_find(to, SKL_GRADE_FAIL, "credentials",
                 "set GOOGLE_APPLICATION_CREDENTIALS to a key or federation file that is still "
                 "valid, run on a "
                 "machine with a service account, or log in with `gcloud auth application-default "
                 "login`",
                 "%s", err.msg);
        return false;
    }
    skl_secret_free(token);
    skl_find_ok(to, "credentials", "a token by %s", skl_gcp_credential_source(g->credential));
    token = NULL;
    if (skl_gcp_id_token(g->credential, PROBE_AUDIENCE, soon().deadline_ms, NULL, &token, &err) < 0)
        skl_find(to, SKL_GRADE_FAIL, "invoker",
                 "use a service account's credentials, or set "
                 "SOCKERLESS_GCF_INVOKER_SERVICE_ACCOUNT to one whose "
                 "ID tokens these may make (roles/iam.serviceAccountTokenCreator)",
                 "%s", err.msg);
    else
        skl_find_ok(to, "invoker", "an ID token for invocations is to be had");
    skl_secret_free(token);
    return true;
}

static bool contains(char *const *v, const char *s)
{
    for (; v && *v; v++)
        if (strcmp(*v, s) == 0)
            return true;
    return false;
}

/* What the body of testIamPermissions says that we have not. */
static size_t missing_of(const cJSON *answer, const char *const *wanted, struct skl_buf *missing)
{
    char **granted = skl_json_get_strv(answer, "permissions");
    size_t n = 0;

    for (; wanted[n]; n++)
        if (!contains(granted, wanted[n]))
            skl_buf_addf(missing, "%s%s", missing->n ? ", " : "", wanted[n]);
    skl_strv_free(granted);
    return n;
}

static void tell_rights(const cJSON *answer, const char *const *wanted, const char *check,
                        const char *where, const struct skl_findings *to)
{
    SKL_AUTO_BUF struct skl_buf missing = {0};
    size_t n;

    skl_buf_init(&missing, 8 * SKL_KIB);
    n = missing_of(answer, wanted, &missing);
    if (missing.n)
        skl_find(to, SKL_GRADE_FAIL, check, ROLE_FIX, "not permitted on %s: %s", where, missing.p);
    else
        skl_find_ok(to, check, "all %zu permissions on %s are there", n, where);
}

static bool check_project(struct skl_gcp *g, const struct skl_gcp_subject *s,
                          const struct skl_findings *to)
{
    SKL_AUTO_GCP_RESULT struct skl_gcp_result result = {0};
    SKL_AUTO_BUF struct skl_buf path = {0}, body = {0};
    struct skl_json j;
    struct skl_error err;

    skl_buf_init(&path, SKL_KIB);
    skl_buf_init(&body, 8 * SKL_KIB);
    skl_buf_addf(&path, "/v3/projects/%s:testIamPermissions", s->project);
    skl_json_init(&j, &body);
    skl_json_object(&j, NULL);
    skl_json_array(&j, "permissions");
    for (const char *const *p = s->permissions; *p; p++)
        skl_json_str(&j, NULL, *p);
    skl_json_end_array(&j);
    skl_json_end_object(&j);
    if (skl_gcp_send(g->client,
                     &(struct skl_gcp_call){.api = SKL_GCP_PROJECTS,
                                            .operation = "doctor.permissions",
                                            .what = "asking for the rights on the project",
                                            .method = "POST",
                                            .path = path.p,
                                            .body = skl_buf_str(&body),
                                            .idempotent = true,
                                            .no_retry = true,
                                            .context = soon()},
                     &result, &err) == 0) {
        tell_rights(result.json, s->permissions, "permissions", "the project", to);
        return true;
    }
    if (skl_streq(result.reason, "SERVICE_DISABLED")) {
        skl_find(to, SKL_GRADE_WARN, "permissions",
                 "gcloud services enable cloudresourcemanager.googleapis.com, so that rights can "
                 "be compared",
                 "%s", err.msg);
        return true;
    }
    skl_find(to, SKL_GRADE_FAIL, "project",
             "set SOCKERLESS_GCF_PROJECT to the ID of a project that this account may see",
             "%s: %s", s->project, err.msg);
    return false;
}

/* An API that a project has not enabled answers nobody, whatever their rights are. */
static bool check_use(struct skl_gcp *g, const struct skl_gcp_api_use *use,
                      const struct skl_findings *to)
{
    SKL_AUTO_GCP_RESULT struct skl_gcp_result result = {0};
    SKL_AUTO_BUF struct skl_buf fix = {0};
    char check[64];
    struct skl_error err;

    snprintf(check, sizeof(check), "use of %s", use->check);
    if (skl_gcp_send(g->client,
                     &(struct skl_gcp_call){.api = use->api,
                                            .operation = "doctor.list",
                                            .what = "listing",
                                            .method = "GET",
                                            .path = use->probe,
                                            .query = "pageSize=1",
                                            .no_retry = true,
                                            .context = soon()},
                     &result, &err) == 0) {
        skl_find_ok(to, check, "it is enabled and lists");
        return true;
    }
    skl_buf_init(&fix, SKL_KIB);
    if (skl_streq(result.reason, "SERVICE_DISABLED"))
        skl_buf_addf(&fix, "gcloud services enable %s", use->service);
    else
        skl_buf_adds(&fix, result.status == 403
                               ? ROLE_FIX
                               : "look at SOCKERLESS_GCF_PROJECT and SOCKERLESS_GCF_REGION");
    skl_find(to, SKL_GRADE_FAIL, check, fix.p, "%s", err.msg);
    return false;
}

bool skl_gcp_diagnose(struct skl_gcp *g, const struct skl_gcp_subject *s,
                      const struct skl_findings *to)
{
    if (!s->is_simulator)
        skl_cloud_judge_callback(s->callback_url, to);
    if (!check_apis(g, s, to) || !check_tokens(g, to) || !check_project(g, s, to))
        return false;
    for (size_t i = 0; i < s->n_apis; i++)
        if (s->apis[i].probe)
            (void)check_use(g, &s->apis[i], to); /* told; the others are independent */
    return true;
}

/* -- buckets */

bool skl_gcp_diagnose_bucket(struct skl_gcp *g, const char *check, const char *setting,
                             const char *bucket, const char *const *permissions,
                             const struct skl_findings *to)
{
    SKL_AUTO_GCP_RESULT struct skl_gcp_result result = {0};
    SKL_AUTO_BUF struct skl_buf path = {0}, query = {0}, text = {0};
    struct skl_error err;

    skl_buf_init(&path, SKL_KIB);
    skl_buf_init(&query, SKL_KIB);
    skl_buf_init(&text, SKL_KIB);
    skl_buf_addf(&path, "/storage/v1/b/%s/iam/testPermissions", bucket);
    for (const char *const *p = permissions; *p; p++)
        skl_buf_addf(&query, "%spermissions=%s", query.n ? "&" : "", *p);
    if (skl_gcp_send(g->client,
                     &(struct skl_gcp_call){.api = SKL_GCP_STORAGE,
                                            .operation = "doctor.bucket",
                                            .what = "asking for the rights on the bucket",
                                            .method = "GET",
                                            .path = path.p,
                                            .query = query.p,
                                            .no_retry = true,
                                            .context = soon()},
                     &result, &err) < 0) {
        skl_buf_addf(&text,
                     "make the bucket (gcloud storage buckets create gs://%s), or set %s to one "
                     "that is there",
                     bucket, setting);
        skl_find(to, SKL_GRADE_FAIL, check, result.status == 404 ? text.p : ROLE_FIX, "'%s': %s",
                 bucket, err.msg);
        return false;
    }
    skl_buf_addf(&text, "the bucket '%s'", bucket);
    tell_rights(result.json, permissions, check, text.p, to);
    return true;
}

void skl_gcp_diagnose_object(struct skl_gcp *g, const char *check, const char *bucket,
                             const char *object, const char *missing_fix,
                             const struct skl_findings *to)
{
    SKL_AUTO_GCP_RESULT struct skl_gcp_result result = {0};
    SKL_AUTO_BUF struct skl_buf path = {0};
    struct skl_error err;

    skl_buf_init(&path, 4 * SKL_KIB);
    skl_buf_addf(&path, "/storage/v1/b/%s/o/", bucket);
    skl_url_encode(&path, skl_str(object));
    if (skl_gcp_send(g->client,
                     &(struct skl_gcp_call){.api = SKL_GCP_STORAGE,
                                            .operation = "doctor.object",
                                            .what = "looking for the object",
                                            .method = "GET",
                                            .path = path.p,
                                            .no_retry = true,
                                            .context = soon()},
                     &result, &err) < 0)
        skl_find(to, SKL_GRADE_FAIL, check, result.status == 404 ? missing_fix : ROLE_FIX,
                 "gs://%s/%s: %s", bucket, object, err.msg);
    else
        skl_find_ok(to, check, "gs://%s/%s is there", bucket, object);
}
