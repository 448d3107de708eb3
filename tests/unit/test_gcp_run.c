/* Cloud Run services and objects of Cloud Storage. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "cloud/gcp/gcp.h"
#include "cloud/gcp/run.h"
#include "cloud/gcp/storage.h"
#include "http_stub.h"

#define TOKEN   "/computeMetadata/v1/instance/service-accounts/default/token"
#define SERVICE "projects/p/locations/r/services/s"

#define SERVICE_JSON(generation, observed, more)                                                   \
    "{\"name\":\"" SERVICE "\",\"etag\":\"e-" generation "\",\"generation\":\"" generation         \
    "\",\"observedGeneration\":\"" observed "\"," more "}"
#define READY                                                                                      \
    "\"latestCreatedRevision\":\"r-2\",\"latestReadyRevision\":\"r-2\",\"terminalCondition\":{"    \
    "\"state\":\"CONDITION_SUCCEEDED\"}"
#define FAILED(reason, message)                                                                    \
    "\"latestCreatedRevision\":\"r-2\",\"latestReadyRevision\":\"r-1\",\"terminalCondition\":{"    \
    "\"state\":\"CONDITION_FAILED\"," reason "\"message\":\"" message "\"}"
#define UNHEALTHY FAILED("\"revisionReason\":\"HEALTH_CHECK_CONTAINER_ERROR\",", "no\\nport.")

static struct stub *server;
static struct skl_gcp *gcp;
static struct skl_error err;

static void setup(void)
{
    struct skl_gcp_settings settings;

    server = stub_new();
    memset(&err, 0, sizeof(err));
    settings = (struct skl_gcp_settings){.endpoint_url = stub_url(server),
                                         .project = "p",
                                         .poll_interval_ms = 1,
                                         .rest = {.delay_percent = 1}};
    stub_rule(server, "GET", TOKEN, 0, 200, "Metadata-Flavor: Google\r\n",
              "{\"access_token\":\"tok-1\",\"expires_in\":3599}");
    ck_assert_msg(skl_gcp_new(&settings, &gcp, &err) == 0, "%s", err.msg);
}

static void teardown(void)
{
    skl_gcp_free(gcp);
    stub_free(server);
}

/* -- services */

static const struct {
    const char *service;
    enum skl_run_state state;
} states[] = {
    {"{}", SKL_RUN_PENDING},
    {SERVICE_JSON("2", "2", READY), SKL_RUN_READY},
    {SERVICE_JSON("2", "1", READY), SKL_RUN_PENDING},
    {SERVICE_JSON("2", "2", "\"reconciling\":true," READY), SKL_RUN_PENDING},
    {SERVICE_JSON("2", "2", UNHEALTHY), SKL_RUN_FAILED},
    {SERVICE_JSON("3", "2", UNHEALTHY), SKL_RUN_PENDING},
    {SERVICE_JSON("2", "2", "\"reconciling\":true," UNHEALTHY), SKL_RUN_PENDING},
    {SERVICE_JSON("2", "2", "\"terminalCondition\":{\"state\":\"CONDITION_RECONCILING\"}"),
     SKL_RUN_PENDING},
    /* The traffic is fine, but it is the old revision's. */
    {SERVICE_JSON("2", "2",
                  "\"latestCreatedRevision\":\"r-2\",\"latestReadyRevision\":\"r-1\","
                  "\"terminalCondition\":{\"state\":\"CONDITION_SUCCEEDED\"}"),
     SKL_RUN_PENDING},
};

START_TEST(ready_is_the_newest_revision_serving)
{
    SKL_AUTO_JSON cJSON *service = NULL;
    struct skl_run_condition condition;

    ck_assert_int_eq(skl_json_parse(skl_str(states[_i].service), &service, &err), 0);
    skl_run_service_judge(service, &condition);
    ck_assert_int_eq(condition.state, states[_i].state);
    if (condition.state == SKL_RUN_FAILED) {
        ck_assert_str_eq(condition.reason, "HEALTH_CHECK_CONTAINER_ERROR");
        ck_assert_str_eq(condition.message, "no port");
    }
}
END_TEST

static const struct {
    const char *reason, *message;
    enum skl_kind kind;
} failures[] = {
    {"CONTAINER_MISSING", "", SKL_E_NOTFOUND},
    {"CONTAINER_IMAGE_UNAUTHORIZED", "", SKL_E_FORBIDDEN},
    {"CONTAINER_PERMISSION_DENIED", "", SKL_E_FORBIDDEN},
    {"HEALTH_CHECK_CONTAINER_ERROR", "", SKL_E_INVALID},
    {"SECRETS_ACCESS_CHECK_FAILED", "", SKL_E_INVALID},
    {"ENCRYPTION_KEY_CHECK_FAILED", "", SKL_E_INVALID},
    {"PROGRESS_DEADLINE_EXCEEDED", "", SKL_E_UNAVAILABLE},
    {"ACTIVE_REVISION_LIMIT_REACHED", "", SKL_E_UNAVAILABLE},
    {"", "Quota exceeded for total allowable CPU", SKL_E_UNAVAILABLE},
    {"", "", SKL_E_INTERNAL},
};

START_TEST(a_reason_becomes_a_kind)
{
    struct skl_run_condition condition = {.state = SKL_RUN_FAILED};

    (void)snprintf(condition.reason, sizeof(condition.reason), "%s", failures[_i].reason);
    (void)snprintf(condition.message, sizeof(condition.message), "%s", failures[_i].message);
    ck_assert_int_eq(skl_run_fail(&err, &condition, "deploying service 's'"),
                     -(int)failures[_i].kind);
    ck_assert_ptr_eq(strstr(err.msg, "deploying service 's': "), err.msg);
    ck_assert_ptr_nonnull(strstr(err.msg, failures[_i].reason));
}
END_TEST

/* -- storage */

#define OBJECT "/storage/v1/b/b-1/o/sockerless%2Fa%20b.zip"
#define UPLOAD "/upload/storage/v1/b/b-1/o"

static int ensure(void)
{
    return skl_storage_ensure(gcp->client, "b-1", "sockerless/a b.zip", "application/zip",
                              SKL_STR("PK"), NULL, &err);
}

/* GET, POST (0: not sent), result. */
static const struct {
    int get, post, rc;
} uploads[] = {
    {200, 0, 0},
    {404, 200, 0},
    {404, 412, 0},
    {403, 200, 0},
    {404, 404, -SKL_E_NOTFOUND},
    {403, 403, -SKL_E_FORBIDDEN},
};

START_TEST(an_object_is_uploaded_unless_it_is_there)
{
    const char *sent;

    stub_rule(server, "GET", OBJECT, 0, uploads[_i].get, NULL, "{}");
    stub_rule(server, "POST", UPLOAD, 0, uploads[_i].post, NULL, "{}");
    ck_assert_int_eq(ensure(), uploads[_i].rc);
    ck_assert_uint_eq(stub_count(server, "POST", UPLOAD), uploads[_i].post ? 1 : 0);
    if (!uploads[_i].post)
        return;
    sent = stub_request(server, "POST", UPLOAD, 0);
    ck_assert_ptr_nonnull(
        strstr(sent, "?uploadType=media&ifGenerationMatch=0&name=sockerless%2Fa%20b.zip "));
    ck_assert_ptr_nonnull(strstr(sent, "Content-Type: application/zip\r\n"));
    ck_assert_ptr_nonnull(strstr(sent, "\r\n\r\nPK"));
    if (uploads[_i].rc < 0)
        ck_assert_ptr_nonnull(strstr(err.msg, "uploading 'sockerless/a b.zip' to bucket 'b-1'"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gcp_run");
    TCase *t = tcase_create("run");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, ready_is_the_newest_revision_serving, 0, (int)SKL_ARRAY_LEN(states));
    tcase_add_loop_test(t, a_reason_becomes_a_kind, 0, (int)SKL_ARRAY_LEN(failures));
    tcase_add_loop_test(t, an_object_is_uploaded_unless_it_is_there, 0,
                        (int)SKL_ARRAY_LEN(uploads));
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
