/* Calls to Google's APIs: headers, errors, long-running operations, lost answers, lists. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "cloud/gcp/gcp.h"
#include "http_stub.h"

#define TOKEN "/computeMetadata/v1/instance/service-accounts/default/token"
#define LOC   "/v2/projects/p/locations/r"
#define FN    LOC "/functions/f"
#define OP    "projects/p/locations/r/operations/op-1"

static struct stub *server;
static struct skl_gcp_settings settings;
static struct skl_gcp *gcp;
static struct skl_gcp_result result;
static struct skl_error err;
static unsigned progress;

static void setup(void)
{
    server = stub_new();
    memset(&err, 0, sizeof(err));
    memset(&result, 0, sizeof(result));
    progress = 0;
    settings = (struct skl_gcp_settings){.endpoint_url = stub_url(server),
                                         .project = "p",
                                         .poll_interval_ms = 1,
                                         .rest = {.delay_percent = 1}};
    stub_rule(server, "GET", TOKEN, 1, 200, "Metadata-Flavor: Google\r\n",
              "{\"access_token\":\"tok-1\",\"expires_in\":3599}");
    stub_rule(server, "GET", TOKEN, 0, 200, "Metadata-Flavor: Google\r\n",
              "{\"access_token\":\"tok-2\",\"expires_in\":3599}");
    gcp = NULL;
}

static void teardown(void)
{
    skl_gcp_result_fini(&result);
    skl_gcp_free(gcp);
    stub_free(server);
}

static void must_open(void)
{
    ck_assert_msg(skl_gcp_new(&settings, &gcp, &err) == 0, "%s", err.msg);
}

static void on_progress(void *arg, const cJSON *metadata)
{
    ck_assert_ptr_eq(arg, &progress);
    ck_assert_str_eq(skl_json_get_str(metadata, "verb"), "create");
    progress++;
}

static struct skl_gcp_call create_call(void)
{
    return (struct skl_gcp_call){.api = SKL_GCP_FUNCTIONS,
                                 .operation = "functions.create",
                                 .what = "creating function 'f'",
                                 .method = "POST",
                                 .path = LOC "/functions",
                                 .query = "functionId=f",
                                 .body = SKL_STR("{}"),
                                 .resource = FN,
                                 .on_progress = on_progress,
                                 .progress_arg = &progress,
                                 .context = {.reason = "sockerless/abc"}};
}

static struct skl_gcp_call get_call(void)
{
    return (struct skl_gcp_call){
        .api = SKL_GCP_FUNCTIONS, .what = "reading function 'f'", .method = "GET", .path = FN};
}

static int run(void)
{
    struct skl_gcp_call call = create_call();

    return skl_gcp_run(gcp->client, &call, &result, &err);
}

static int get(void)
{
    struct skl_gcp_call call = get_call();

    return skl_gcp_send(gcp->client, &call, &result, &err);
}

/* -- calls */

START_TEST(a_call_carries_token_reason_and_quota_project)
{
    struct skl_gcp_call call = create_call();
    const char *sent;

    settings.auth.quota_project = "payer";
    must_open();
    stub_rule(server, "POST", LOC "/functions?functionId=f", 1, 200, NULL, "{\"a\":1}");
    ck_assert_msg(skl_gcp_send(gcp->client, &call, &result, &err) == 0, "%s", err.msg);
    ck_assert_int_eq(skl_json_get_int(result.json, "a", 0), 1);
    sent = stub_request(server, "POST", LOC, 0);
    ck_assert_ptr_nonnull(strstr(sent, "Authorization: Bearer tok-1"));
    ck_assert_ptr_nonnull(strstr(sent, "X-Goog-Request-Reason: sockerless/abc"));
    ck_assert_ptr_nonnull(strstr(sent, "X-Goog-User-Project: payer"));
    ck_assert_ptr_nonnull(strstr(sent, "Content-Type: application/json"));
}
END_TEST

START_TEST(a_project_and_a_url_are_needed)
{
    settings.project = "";
    ck_assert_int_eq(skl_gcp_new(&settings, &gcp, &err), -SKL_E_INVALID);
    settings.project = "p";
    settings.endpoint_url = "localhost:4567";
    ck_assert_int_eq(skl_gcp_new(&settings, &gcp, &err), -SKL_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "localhost:4567"));
}
END_TEST

START_TEST(a_401_takes_a_new_token_once)
{
    must_open();
    stub_rule(
        server, "GET", FN, _i ? 2 : 1, 401, NULL,
        "{\"error\":{\"code\":401,\"message\":\"bad token\",\"status\":\"UNAUTHENTICATED\"}}");
    stub_rule(server, "GET", FN, 0, 200, NULL, "{}");
    ck_assert_int_eq(get(), _i ? -SKL_E_FORBIDDEN : 0);
    ck_assert_uint_eq(stub_count(server, "GET", FN), 2);
    ck_assert_ptr_nonnull(strstr(stub_request(server, "GET", FN, 1), "Bearer tok-2"));
}
END_TEST

static const struct {
    int status;
    const char *body, *expected, *code, *reason;
    enum skl_kind kind;
} errors[] = {
    {404,
     "{\"error\":{\"code\":404,\"message\":\"Resource 'f' was not "
     "found.\",\"status\":\"NOT_FOUND\"}}",
     "reading function 'f': NOT_FOUND: Resource 'f' was not found", "NOT_FOUND", "",
     SKL_E_NOTFOUND},
    {403,
     "{\"error\":{\"code\":403,\"message\":\"API has not\\nbeen used\",\"status\":"
     "\"PERMISSION_DENIED\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.Help\"},{"
     "\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"SERVICE_DISABLED\"}]}}",
     "reading function 'f': PERMISSION_DENIED: API has not been used", "PERMISSION_DENIED",
     "SERVICE_DISABLED", SKL_E_FORBIDDEN},
    {400,
     "{\"error\":{\"code\":400,\"message\":\"Request contains an invalid "
     "argument.\",\"status\":\"INVALID_ARGUMENT\",\"details\":[{\"@type\":\"type.googleapis.com/"
     "google.rpc.BadRequest\",\"fieldViolations\":[{\"field\":\"a.b\",\"description\":\"no.\"}]}]}"
     "}",
     "reading function 'f': INVALID_ARGUMENT: Request contains an invalid argument (a.b: no)",
     "INVALID_ARGUMENT", "", SKL_E_INVALID},
    {409, "{\"error\":{\"code\":409,\"message\":\"etag\",\"status\":\"ABORTED\"}}",
     "reading function 'f': ABORTED: etag", "ABORTED", "", SKL_E_CONFLICT},
    {400,
     "{\"error\":{\"code\":400,\"message\":\"Quota exceeded for total allowable CPU per project "
     "per "
     "region.\",\"status\":\"INVALID_ARGUMENT\"}}",
     "reading function 'f': INVALID_ARGUMENT: Quota exceeded for total allowable CPU per project "
     "per region",
     "INVALID_ARGUMENT", "", SKL_E_UNAVAILABLE},
    {412,
     "{\"error\":{\"code\":412,\"message\":\"At least one of the pre-conditions you specified did "
     "not hold.\",\"errors\":[{\"reason\":\"conditionNotMet\"}]}}",
     "reading function 'f': HTTP 412: At least one of the pre-conditions you specified did not "
     "hold",
     "", "", SKL_E_CONFLICT},
    {404, "<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title><p>x",
     "reading function 'f': HTTP 404: Error 404 (Not Found)!!1", "NOT_FOUND", "", SKL_E_NOTFOUND},
    {418, "<b>tea</b>", "reading function 'f': HTTP 418: tea", "", "", SKL_E_INTERNAL},
    {400, "{\"error\":\"invalid_grant\",\"error_description\":\"gone\"}",
     "reading function 'f': HTTP 400: gone", "INVALID_ARGUMENT", "", SKL_E_INVALID},
    {501, "[{\"error\":{\"code\":501,\"status\":\"UNIMPLEMENTED\"}}]",
     "reading function 'f': UNIMPLEMENTED", "UNIMPLEMENTED", "", SKL_E_UNSUPPORTED},
};

START_TEST(an_error_becomes_one_sentence_with_its_code)
{
    must_open();
    stub_rule(server, "GET", FN, 0, errors[_i].status, NULL, errors[_i].body);
    ck_assert_int_eq(get(), -(int)errors[_i].kind);
    ck_assert_str_eq(err.msg, errors[_i].expected);
    ck_assert_str_eq(result.code, errors[_i].code);
    ck_assert_str_eq(result.reason, errors[_i].reason);
    ck_assert_int_eq(result.status, errors[_i].status);
}
END_TEST

START_TEST(retry_info_in_a_body_is_obeyed)
{
    struct skl_gcp_call call = get_call();

    must_open();
    stub_rule(server, "GET", FN, 1, 429, "Retry-After: 3600\r\n",
              "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":"
              "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"0.01s\"}]}}");
    stub_rule(server, "GET", FN, 0, 200, NULL, "{}");
    call.context.deadline_ms = skl_mono_ms() + 30000; /* the header's hour would not fit */
    ck_assert_msg(skl_gcp_send(gcp->client, &call, &result, &err) == 0, "%s", err.msg);
    ck_assert_uint_eq(stub_count(server, "GET", FN), 2);
}
END_TEST

/* -- operations */

START_TEST(an_operation_is_polled_until_it_is_done)
{
    must_open();
    stub_rule(server, "POST", LOC "/functions", 1, 200, NULL,
              "{\"name\":\"" OP "\",\"metadata\":{\"verb\":\"create\"}}");
    stub_rule(server, "GET", "/v2/" OP, 1, 200, NULL,
              "{\"name\":\"" OP "\",\"metadata\":{\"verb\":\"create\"},\"done\":false}");
    stub_rule(server, "GET", "/v2/" OP, 1, 503, NULL, NULL);
    stub_rule(server, "GET", "/v2/" OP, 1, STUB_DROP, NULL, NULL);
    stub_rule(server, "GET", "/v2/" OP, 0, 200, NULL,
              "{\"name\":\"" OP "\",\"metadata\":{\"verb\":\"create\"},\"done\":true,\"response\":"
              "{\"@type\":\"type.googleapis.com/x.Function\",\"state\":\"ACTIVE\"}}");
    ck_assert_msg(run() == 0, "%s", err.msg);
    ck_assert_str_eq(skl_json_get_str(result.json, "state"), "ACTIVE");
    ck_assert_ptr_null(skl_json_get_str(result.json, "@type"));
    ck_assert(!result.looked_up);
    ck_assert_uint_eq(progress, 3);
    ck_assert_uint_eq(stub_count(server, "GET", "/v2/" OP), 4);
}
END_TEST

START_TEST(an_operation_that_ends_with_an_error_is_one)
{
    static const struct {
        const char *error, *code;
        enum skl_kind kind;
    } rows[] = {
        {"{\"code\":3,\"message\":\"Build failed.\"}", "INVALID_ARGUMENT", SKL_E_INVALID},
        {"{\"code\":6,\"message\":\"there\"}", "ALREADY_EXISTS", SKL_E_CONFLICT},
        {"{\"code\":8,\"message\":\"out\"}", "RESOURCE_EXHAUSTED", SKL_E_THROTTLED},
        {"{\"code\":3,\"message\":\"Quota exceeded for it\"}", "INVALID_ARGUMENT",
         SKL_E_UNAVAILABLE},
        {"{\"code\":99}", "", SKL_E_INTERNAL},
    };
    char body[512];

    must_open();
    (void)snprintf(body, sizeof(body), "{\"name\":\"" OP "\",\"done\":true,\"error\":%s}",
                   rows[_i].error);
    stub_rule(server, "POST", LOC "/functions", 1, 200, NULL, body);
    ck_assert_int_eq(run(), -(int)rows[_i].kind);
    ck_assert_str_eq(result.code, rows[_i].code);
    ck_assert_ptr_eq(strstr(err.msg, "creating function 'f': "), err.msg);
}
END_TEST

START_TEST(an_operation_that_is_not_known_any_more_is_looked_up)
{
    must_open();
    stub_rule(server, "POST", LOC "/functions", 1, 200, NULL, "{\"name\":\"" OP "\"}");
    stub_rule(server, "GET", "/v2/" OP, 0, 404, NULL, NULL);
    stub_rule(server, "GET", FN, 0, 200, NULL, "{\"state\":\"DEPLOYING\"}");
    ck_assert_msg(run() == 0, "%s", err.msg);
    ck_assert(result.looked_up);
    ck_assert_str_eq(skl_json_get_str(result.json, "state"), "DEPLOYING");
}
END_TEST

START_TEST(a_create_whose_answer_was_lost_is_looked_up)
{
    must_open();
    stub_rule(server, "POST", LOC "/functions", 0, _i ? 503 : STUB_DROP, NULL, NULL);
    stub_rule(server, "GET", FN, 0, 200, NULL, "{\"state\":\"DEPLOYING\"}");
    ck_assert_msg(run() == 0, "%s", err.msg);
    ck_assert(result.looked_up);
    ck_assert_uint_eq(stub_count(server, "POST", LOC "/functions"), 1);
}
END_TEST

START_TEST(a_create_that_made_nothing_is_sent_again)
{
    must_open();
    stub_rule(server, "POST", LOC "/functions", 1, STUB_DROP, NULL, NULL);
    stub_rule(server, "POST", LOC "/functions", 1, 200, NULL,
              "{\"name\":\"" OP "\",\"done\":true,"
              "\"response\":{\"state\":\"ACTIVE\"}}");
    stub_rule(server, "GET", FN, 0, 404, NULL, NULL);
    ck_assert_msg(run() == 0, "%s", err.msg);
    ck_assert(!result.looked_up);
    ck_assert_uint_eq(stub_count(server, "POST", LOC "/functions"), 2);
}
END_TEST

START_TEST(already_exists_is_ours_only_after_a_lost_answer)
{
    must_open();
    if (_i)
        stub_rule(server, "POST", LOC "/functions", 1, STUB_DROP, NULL, NULL);
    stub_rule(server, "POST", LOC "/functions", 0, 409, NULL,
              "{\"error\":{\"code\":409,\"message\":\"there\",\"status\":\"ALREADY_EXISTS\"}}");
    stub_rule(server, "GET", FN, 1, _i ? 404 : 200, NULL, _i ? NULL : "{}");
    stub_rule(server, "GET", FN, 0, 200, NULL, "{\"state\":\"DEPLOYING\"}");
    ck_assert_int_eq(run(), _i ? 0 : -SKL_E_CONFLICT);
    ck_assert(result.looked_up == (_i == 1));
}
END_TEST

START_TEST(a_create_that_stays_lost_tells_why)
{
    must_open();
    stub_rule(server, "POST", LOC "/functions", 0, STUB_DROP, NULL, NULL);
    stub_rule(server, "GET", FN, 0, 404, NULL, NULL);
    ck_assert_int_eq(run(), -SKL_E_UNAVAILABLE);
    ck_assert_ptr_null(strstr(err.msg, "NOT_FOUND"));
    ck_assert_uint_eq(stub_count(server, "POST", LOC "/functions"), 3);
}
END_TEST

START_TEST(a_delete_whose_operation_is_gone_looks_whether_the_resource_is)
{
    struct skl_gcp_call call = {.api = SKL_GCP_FUNCTIONS,
                                .what = "deleting function 'f'",
                                .method = "DELETE",
                                .path = FN,
                                .resource = FN};

    must_open();
    stub_rule(server, "DELETE", FN, 0, 200, NULL, "{\"name\":\"" OP "\"}");
    stub_rule(server, "GET", "/v2/" OP, 0, 404, NULL, NULL);
    stub_rule(server, "GET", FN, 0, _i ? 404 : 200, NULL, _i ? NULL : "{}");
    ck_assert_int_eq(skl_gcp_run(gcp->client, &call, &result, &err), _i ? 0 : -SKL_E_UNAVAILABLE);
    ck_assert_str_eq(result.code, "");
}
END_TEST

START_TEST(an_operation_has_a_deadline_and_can_be_canceled)
{
    struct skl_gcp_call call = create_call();
    atomic_bool cancel = _i == 1;

    must_open();
    stub_rule(server, "POST", LOC "/functions", 0, 200, NULL, "{\"name\":\"" OP "\"}");
    stub_rule(server, "GET", "/v2/" OP, 0, 200, NULL, "{\"name\":\"" OP "\"}");
    call.context.deadline_ms = skl_mono_ms() + 300;
    call.context.cancel = &cancel;
    ck_assert_int_eq(skl_gcp_run(gcp->client, &call, &result, &err),
                     _i ? -SKL_E_CANCELED : -SKL_E_TIMEOUT);
}
END_TEST

static const char *const no_operations[] = {
    "{}", "{\"name\":\"projects/p/locations/r/functions/f\"}", "{\"name\":\"../operations/x\"}",
    "{\"name\":\"p/operations/a?b\"}", "{\"name\":\"/operations/a\"}"};

START_TEST(an_answer_that_is_no_operation_is_not_followed)
{
    must_open();
    stub_rule(server, "POST", LOC "/functions", 0, 200, NULL, no_operations[_i]);
    ck_assert_int_eq(run(), -SKL_E_INTERNAL);
    ck_assert_uint_eq(stub_count(server, "GET", "/v2"), 0);
}
END_TEST

/* -- lists */

struct seen {
    char names[64];
    int left;
};

static bool note(void *arg, const cJSON *item)
{
    struct seen *s = arg;

    (void)strncat(s->names, skl_json_get_str(item, "name"), sizeof(s->names) - 8);
    return --s->left != 0;
}

START_TEST(a_list_is_walked_over_its_pages)
{
    struct skl_gcp_call call = {
        .api = SKL_GCP_FUNCTIONS, .path = LOC "/functions", .query = "pageSize=2"};
    struct seen s = {.left = _i == 1 ? 3 : 100};

    must_open();
    stub_rule(server, "GET", LOC "/functions?pageSize=2&pageToken=c", 0, 200, NULL,
              _i == 2 ? "{\"unreachable\":[\"europe-west1\"]}" : "{}");
    stub_rule(server, "GET", LOC "/functions?pageSize=2&pageToken=b", 0, 200, NULL,
              "{\"functions\":[{\"name\":\"c\"},{\"name\":\"d\"}],\"nextPageToken\":\"c\"}");
    stub_rule(server, "GET", LOC "/functions?pageSize=2&pageToken=a%2F", 0, 200, NULL,
              "{\"nextPageToken\":\"b\"}");
    stub_rule(server, "GET", LOC "/functions?pageSize=2", 0, 200, NULL,
              "{\"functions\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"nextPageToken\":\"a/\"}");
    ck_assert_int_eq(skl_gcp_list(gcp->client, &call, "functions", note, &s, &err),
                     _i == 2 ? -SKL_E_UNAVAILABLE : 0);
    ck_assert_str_eq(s.names, _i == 1 ? "abc" : "abcd");
    if (_i == 2)
        ck_assert_ptr_nonnull(strstr(err.msg, "europe-west1"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gcp_client");
    TCase *t = tcase_create("client");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_call_carries_token_reason_and_quota_project);
    tcase_add_test(t, a_project_and_a_url_are_needed);
    tcase_add_loop_test(t, a_401_takes_a_new_token_once, 0, 2);
    tcase_add_loop_test(t, an_error_becomes_one_sentence_with_its_code, 0,
                        (int)SKL_ARRAY_LEN(errors));
    tcase_add_test(t, retry_info_in_a_body_is_obeyed);
    tcase_add_test(t, an_operation_is_polled_until_it_is_done);
    tcase_add_loop_test(t, an_operation_that_ends_with_an_error_is_one, 0, 5);
    tcase_add_test(t, an_operation_that_is_not_known_any_more_is_looked_up);
    tcase_add_loop_test(t, a_create_whose_answer_was_lost_is_looked_up, 0, 2);
    tcase_add_test(t, a_create_that_made_nothing_is_sent_again);
    tcase_add_loop_test(t, already_exists_is_ours_only_after_a_lost_answer, 0, 2);
    tcase_add_test(t, a_create_that_stays_lost_tells_why);
    tcase_add_loop_test(t, a_delete_whose_operation_is_gone_looks_whether_the_resource_is, 0, 2);
    tcase_add_loop_test(t, an_operation_has_a_deadline_and_can_be_canceled, 0, 2);
    tcase_add_loop_test(t, an_answer_that_is_no_operation_is_not_followed, 0,
                        (int)SKL_ARRAY_LEN(no_operations));
    tcase_add_loop_test(t, a_list_is_walked_over_its_pages, 0, 3);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
