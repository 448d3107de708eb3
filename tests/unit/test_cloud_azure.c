/* Azure: credentials and their cache, ARM errors, long-running operations, lists, log queries. */
#include <check.h>
#include <fcntl.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_crt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/json_read.h"
#include "cloud/azure/azure.h"
#include "cloud/azure/diagnosis.h"
#include "http_stub.h"

#define TOKEN_PATH "/t-1/oauth2/v2.0/token"
#define SCOPE_ARM  "scope=https%3A%2F%2Fmanagement.azure.com%2F.default"
#define GUID       "11111111-2222-3333-4444-555555555555"

static struct stub *server;
static struct skl_azure_settings settings;
static struct skl_azure *azure;
static struct skl_error err;
static char dir[] = "/tmp/skl-test-XXXXXX", file[64];

static void setup(void)
{
    server = stub_new();
    memset(&err, 0, sizeof(err));
    settings = (struct skl_azure_settings){
        .endpoint_url = stub_url(server),
        .auth = {.tenant_id = "t-1",
                 .client_id = "c-1",
                 .client_secret = "s3cr&t",
                 .no_imds = true,
                 .no_cli = true},
        .workspace = GUID,
        .poll_interval_ms = 1,
        .rest = {.delay_percent = 1},
    };
    azure = NULL;
    (void)snprintf(dir, sizeof(dir), "/tmp/skl-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(file, sizeof(file), "%s/file", dir);
}

static void teardown(void)
{
    skl_azure_free(azure);
    stub_free(server);
    (void)unlink(file);
    (void)rmdir(dir);
}

static void write_file(const char *text, mode_t mode)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static void give_tokens(void)
{
    stub_rule(server, "POST", TOKEN_PATH, 1, 200, NULL,
              "{\"access_token\":\"tok-1\",\"expires_in\":3599,\"token_type\":\"Bearer\"}");
    stub_rule(server, "POST", TOKEN_PATH, 0, 200, NULL,
              "{\"access_token\":\"tok-2\",\"expires_in\":\"3599\"}");
}

static void open_azure(void)
{
    ck_assert_msg(skl_azure_new(&settings, &azure, &err) == 0, "%s", err.msg);
}

static int token(enum skl_azure_audience audience, char **ret)
{
    return skl_azure_credential_token(azure->credential, audience, 0, NULL, ret, &err);
}

static void expect_token(const char *want)
{
    SKL_AUTO_SECRET char *t = NULL;

    ck_assert_msg(token(SKL_AZURE_ARM, &t) == 0, "%s", err.msg);
    ck_assert_str_eq(t, want);
}

/* Credentials. */

START_TEST(a_client_secret_is_sent_encoded_and_the_token_is_kept)
{
    const char *body;

    give_tokens();
    open_azure();
    ck_assert_str_eq(skl_azure_credential_source(azure->credential), "none yet");
    expect_token("tok-1");
    expect_token("tok-1");
    ck_assert_uint_eq(stub_count(server, "POST", TOKEN_PATH), 1);
    body = strstr(stub_request(server, "POST", TOKEN_PATH, 0), "\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(body, "grant_type=client_credentials"));
    ck_assert_ptr_nonnull(strstr(body, "client_id=c-1"));
    ck_assert_ptr_nonnull(strstr(body, "client_secret=s3cr%26t"));
    ck_assert_ptr_nonnull(strstr(body, SCOPE_ARM));
    ck_assert_str_eq(skl_azure_credential_source(azure->credential), "environment (client secret)");
}
END_TEST

START_TEST(each_audience_has_a_token_of_its_own)
{
    SKL_AUTO_SECRET char *t = NULL;

    give_tokens();
    open_azure();
    expect_token("tok-1");
    ck_assert_int_eq(token(SKL_AZURE_LOGS, &t), 0);
    ck_assert_str_eq(t, "tok-2");
    ck_assert_ptr_nonnull(strstr(stub_request(server, "POST", TOKEN_PATH, 1),
                                 "scope=https%3A%2F%2Fapi.loganalytics.io%2F.default"));
}
END_TEST

START_TEST(only_the_token_that_failed_is_dropped)
{
    give_tokens();
    open_azure();
    expect_token("tok-1");
    skl_azure_credential_invalidate(azure->credential, "another");
    expect_token("tok-1");
    skl_azure_credential_invalidate(azure->credential, "tok-1");
    expect_token("tok-2");
}
END_TEST

/* The one case that needs time to pass: a token of 3 s is asked for anew after half of them. */
START_TEST(an_early_refresh_that_fails_serves_the_old_token)
{
    int64_t end = skl_mono_ms() + 10000;

    stub_rule(server, "POST", TOKEN_PATH, 1, 200, NULL,
              "{\"access_token\":\"tok-1\",\"expires_in\":3}");
    stub_rule(server, "POST", TOKEN_PATH, 0, 400, NULL, "{\"error\":\"invalid_client\"}");
    open_azure();
    expect_token("tok-1");
    expect_token("tok-1");
    ck_assert_uint_eq(stub_count(server, "POST", TOKEN_PATH), 1);
    while (stub_count(server, "POST", TOKEN_PATH) == 1 && skl_mono_ms() < end) {
        expect_token("tok-1");
        (void)skl_cloud_sleep(5, 0, NULL, NULL);
    }
    expect_token("tok-1"); /* and not asked for again at once */
    ck_assert_uint_eq(stub_count(server, "POST", TOKEN_PATH), 2);
}
END_TEST

START_TEST(a_refused_secret_is_final_and_told_in_one_line_without_it)
{
    SKL_AUTO_SECRET char *t = NULL;

    settings.auth.no_cli = false; /* it must not be asked: the search has ended */
    settings.auth.az_path = "/bin/false";
    stub_rule(server, "POST", TOKEN_PATH, 0, 401, NULL,
              "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid client "
              "secret provided.\\r\\nTrace ID: 123\",\"correlation_id\":\"x\"}");
    open_azure();
    ck_assert_int_eq(token(SKL_AZURE_ARM, &t), -SKL_E_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(err.msg, "AADSTS7000215: Invalid client secret provided"));
    ck_assert_ptr_nonnull(strstr(err.msg, "AZURE_CLIENT_SECRET"));
    ck_assert_ptr_null(strstr(err.msg, "Trace"));
    ck_assert_ptr_null(strstr(err.msg, "s3cr"));
    ck_assert_uint_eq(stub_count(server, "POST", TOKEN_PATH), 1);
}
END_TEST

START_TEST(a_busy_authority_is_asked_again)
{
    stub_rule(server, "POST", TOKEN_PATH, 2, 503, NULL, NULL);
    give_tokens();
    open_azure();
    expect_token("tok-1");
}
END_TEST

static void *ask_token(void *arg)
{
    SKL_AUTO_SECRET char *t = NULL;

    return skl_azure_credential_token(azure->credential, SKL_AZURE_ARM, 0, NULL, &t, NULL) == 0
               ? NULL
               : arg;
}

START_TEST(many_callers_send_one_token_request)
{
    pthread_t t[16];
    int one;

    /* Row 0: a token; row 1: a refusal, which all share. */
    stub_rule(server, "POST", TOKEN_PATH, 1, 503, "retry-after-ms: 100\r\n", NULL);
    if (_i)
        stub_rule(server, "POST", TOKEN_PATH, 0, 401, NULL, "{\"error\":\"invalid_client\"}");
    give_tokens();
    open_azure();
    for (size_t i = 0; i < SKL_ARRAY_LEN(t); i++)
        (void)pthread_create(&t[i], NULL, ask_token, &one);
    for (size_t i = 0; i < SKL_ARRAY_LEN(t); i++) {
        void *bad;

        (void)pthread_join(t[i], &bad);
        ck_assert_ptr_eq(bad, _i ? &one : NULL);
    }
    if (!_i)
        ck_assert_uint_eq(stub_count(server, "POST", TOKEN_PATH), 2);
}
END_TEST

START_TEST(settings_that_contradict_each_other_are_named)
{
    settings.auth.tenant_id = "";
    ck_assert_int_eq(skl_azure_new(&settings, &azure, &err), -SKL_E_INVALID);
    ck_assert_str_eq(err.msg, "AZURE_CLIENT_SECRET is set, but AZURE_TENANT_ID is not");
    settings.auth.tenant_id = "t/../../x";
    ck_assert_int_eq(skl_azure_new(&settings, &azure, &err), -SKL_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "AZURE_TENANT_ID"));
    settings.auth = (struct skl_azure_auth_settings){
        .tenant_id = "t", .client_id = "c", .certificate_path = "/nonexistent.pem"};
    ck_assert_int_lt(skl_azure_new(&settings, &azure, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.msg, "AZURE_CLIENT_CERTIFICATE_PATH"));
}
END_TEST

START_TEST(nothing_configured_says_what_to_set)
{
    SKL_AUTO_SECRET char *t = NULL;

    settings.auth = (struct skl_azure_auth_settings){.no_imds = true, .no_cli = true};
    open_azure();
    ck_assert_int_eq(token(SKL_AZURE_ARM, &t), -SKL_E_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(err.msg, "no Azure credential is configured"));
    ck_assert_ptr_nonnull(strstr(err.msg, "AZURE_CLIENT_SECRET"));
    ck_assert_ptr_nonnull(strstr(err.msg, "az login"));
}
END_TEST

/* A self-signed certificate and its key, as the PEM file that users have. */
static int rng(void *arg, unsigned char *p, size_t n)
{
    skl_random(p, n);
    return 0;
}

static void make_certificate(mbedtls_pk_context *key, struct skl_buf *pem)
{
    unsigned char text[8192];
    mbedtls_x509write_cert crt;
    mbedtls_mpi serial;

    ck_assert_int_eq(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)), 0);
    ck_assert_int_eq(mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), rng, NULL, 2048, 65537), 0);
    mbedtls_x509write_crt_init(&crt);
    mbedtls_mpi_init(&serial);
    (void)mbedtls_mpi_lset(&serial, 1);
    mbedtls_x509write_crt_set_subject_key(&crt, key);
    mbedtls_x509write_crt_set_issuer_key(&crt, key);
    ck_assert_int_eq(mbedtls_x509write_crt_set_subject_name(&crt, "CN=test"), 0);
    ck_assert_int_eq(mbedtls_x509write_crt_set_issuer_name(&crt, "CN=test"), 0);
    ck_assert_int_eq(mbedtls_x509write_crt_set_serial(&crt, &serial), 0);
    ck_assert_int_eq(mbedtls_x509write_crt_set_validity(&crt, "20200101000000", "20990101000000"),
                     0);
    mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
    ck_assert_int_eq(mbedtls_x509write_crt_pem(&crt, text, sizeof(text), rng, NULL), 0);
    skl_buf_adds(pem, (char *)text);
    mbedtls_mpi_free(&serial);
    mbedtls_x509write_crt_free(&crt);
}

/* The n-th dot-separated part of a JWT, decoded. */
static void jwt_part(struct skl_str jwt, int n, struct skl_buf *ret)
{
    struct skl_str part = {NULL, 0};

    for (int i = 0; i <= n; i++)
        part = skl_str_cut(jwt, '.', &jwt);
    skl_buf_init(ret, 16384);
    ck_assert(skl_base64_decode(ret, part));
}

static void check_claims(struct skl_str jwt)
{
    SKL_AUTO_BUF struct skl_buf header = {0}, claims = {0}, audience = {0};
    SKL_AUTO_JSON cJSON *h = NULL, *c = NULL;

    jwt_part(jwt, 0, &header);
    jwt_part(jwt, 1, &claims);
    ck_assert_int_eq(skl_json_parse(skl_buf_str(&header), &h, &err), 0);
    ck_assert_int_eq(skl_json_parse(skl_buf_str(&claims), &c, &err), 0);
    skl_buf_init(&audience, 1000);
    skl_buf_addf(&audience, "%s" TOKEN_PATH, stub_url(server));
    ck_assert_str_eq(skl_json_get_str(h, "alg"), "PS256");
    ck_assert_uint_eq(strlen(skl_json_get_str(h, "x5t#S256")), 43);
    ck_assert_str_eq(skl_json_get_str(c, "aud"), audience.p);
    ck_assert_str_eq(skl_json_get_str(c, "iss"), "c-1");
    ck_assert_str_eq(skl_json_get_str(c, "sub"), "c-1");
    ck_assert_uint_eq(strlen(skl_json_get_str(c, "jti")), 36);
    ck_assert_int_gt(skl_json_get_int(c, "exp", 0), skl_wall_ns() / SKL_NS_PER_S);
}

START_TEST(a_certificate_signs_an_assertion_that_verifies)
{
    SKL_AUTO_BUF struct skl_buf pem = {0}, signature = {0};
    unsigned char text[8192], hash[32];
    mbedtls_pk_context key;
    struct skl_str jwt;
    const char *p;

    skl_buf_init(&pem, 65536);
    mbedtls_pk_init(&key);
    make_certificate(&key, &pem);
    ck_assert_int_eq(mbedtls_pk_write_key_pem(&key, text, sizeof(text)), 0);
    skl_buf_adds(&pem, (char *)text);
    write_file(pem.p, 0600);
    settings.auth.client_secret = NULL;
    settings.auth.certificate_path = file;
    give_tokens();
    open_azure();
    expect_token("tok-1");
    p = strstr(stub_request(server, "POST", TOKEN_PATH, 0), "&client_assertion=");
    ck_assert_ptr_nonnull(p);
    jwt = skl_str(p + strlen("&client_assertion="));
    check_claims(jwt);
    jwt_part(jwt, 2, &signature);
    p = memrchr(jwt.p, '.', jwt.n);
    ck_assert_int_eq(mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                                (const unsigned char *)jwt.p, (size_t)(p - jwt.p), hash),
                     0);
    mbedtls_pk_rsassa_pss_options pss = {MBEDTLS_MD_SHA256, 32};
    ck_assert_int_eq(mbedtls_pk_verify_ext(MBEDTLS_PK_RSASSA_PSS, &pss, &key, MBEDTLS_MD_SHA256,
                                           hash, 32, (unsigned char *)signature.p, signature.n),
                     0);
    mbedtls_pk_free(&key);
}
END_TEST

START_TEST(a_certificate_file_without_its_key_is_refused)
{
    SKL_AUTO_BUF struct skl_buf pem = {0};
    mbedtls_pk_context key;

    skl_buf_init(&pem, 65536);
    mbedtls_pk_init(&key);
    make_certificate(&key, &pem);
    mbedtls_pk_free(&key);
    write_file(pem.p, 0600);
    settings.auth.client_secret = NULL;
    settings.auth.certificate_path = file;
    ck_assert_int_eq(skl_azure_new(&settings, &azure, &err), -SKL_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "holds no private key"));
}
END_TEST

START_TEST(a_federated_token_is_read_anew_each_time)
{
    settings.auth.client_secret = NULL;
    settings.auth.federated_token_file = file;
    write_file("jwt.one\n", 0600);
    give_tokens();
    open_azure();
    expect_token("tok-1");
    write_file("jwt.two", 0600);
    skl_azure_credential_invalidate(azure->credential, "tok-1");
    expect_token("tok-2");
    ck_assert_ptr_nonnull(
        strstr(stub_request(server, "POST", TOKEN_PATH, 0), "client_assertion=jwt.one"));
    ck_assert_ptr_nonnull(
        strstr(stub_request(server, "POST", TOKEN_PATH, 1), "client_assertion=jwt.two"));
    ck_assert_ptr_nonnull(strstr(
        stub_request(server, "POST", TOKEN_PATH, 0),
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"));
}
END_TEST

START_TEST(an_identity_endpoint_gets_its_header_and_resource)
{
    char endpoint[128];
    const char *seen;

    (void)snprintf(endpoint, sizeof(endpoint), "%s/msi/token", stub_url(server));
    settings.auth = (struct skl_azure_auth_settings){.client_id = "c-1",
                                                     .identity_endpoint = endpoint,
                                                     .identity_header = "id-header",
                                                     .no_cli = true};
    stub_rule(server, "GET", "/msi/token", 0, 200, NULL,
              "{\"access_token\":\"tok-m\",\"expires_on\":\"99999999999\",\"resource\":\"x\"}");
    open_azure();
    expect_token("tok-m");
    seen = stub_request(server, "GET", "/msi/token", 0);
    ck_assert_ptr_nonnull(strstr(seen, "?api-version=2019-08-01"));
    ck_assert_ptr_nonnull(strstr(seen, "resource=https%3A%2F%2Fmanagement.azure.com%2F"));
    ck_assert_ptr_nonnull(strstr(seen, "client_id=c-1"));
    ck_assert_ptr_nonnull(strstr(seen, "X-IDENTITY-HEADER: id-header"));
}
END_TEST

START_TEST(imds_is_waited_for_while_an_identity_is_assigned)
{
    settings.auth = (struct skl_azure_auth_settings){.imds_host = stub_url(server), .no_cli = true};
    stub_rule(server, "GET", "/metadata/identity/oauth2/token", 1, 404, NULL,
              "{\"error\":\"not_found\"}");
    stub_rule(server, "GET", "/metadata/identity/oauth2/token", 1, 410, NULL, "{}");
    stub_rule(server, "GET", "/metadata/identity/oauth2/token", 0, 200, NULL,
              "{\"access_token\":\"tok-v\",\"expires_in\":\"3600\",\"refresh_token\":\"\"}");
    open_azure();
    expect_token("tok-v");
    ck_assert_ptr_nonnull(strstr(stub_request(server, "GET", "/metadata", 0), "Metadata: true"));
    ck_assert_uint_eq(stub_count(server, "GET", "/metadata"), 3);
}
END_TEST

START_TEST(an_identity_that_is_not_there_is_final)
{
    SKL_AUTO_SECRET char *t = NULL;

    settings.auth = (struct skl_azure_auth_settings){.imds_host = stub_url(server)};
    stub_rule(server, "GET", "/metadata", 0, 400, NULL,
              "{\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}");
    open_azure();
    ck_assert_int_eq(token(SKL_AZURE_ARM, &t), -SKL_E_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(err.msg, "Identity not found"));
    ck_assert_uint_eq(stub_count(server, "GET", "/metadata"), 1);
}
END_TEST

START_TEST(az_is_the_last_resort)
{
    settings.auth = (struct skl_azure_auth_settings){.no_imds = true, .az_path = file};
    write_file("#!/bin/sh\n"
               "[ \"$*\" = 'account get-access-token -o json --resource "
               "https://management.azure.com/' ] || exit 1\n"
               "echo '{\"accessToken\":\"tok-az\",\"expiresOn\":\"2099-01-01 00:00:00.000000\"}'\n",
               0755);
    open_azure();
    expect_token("tok-az");
}
END_TEST

START_TEST(az_that_fails_shows_its_first_line)
{
    SKL_AUTO_SECRET char *t = NULL;

    settings.auth = (struct skl_azure_auth_settings){.no_imds = true, .az_path = file};
    write_file(
        "#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account.\" >&2\necho x >&2\n"
        "exit 1\n",
        0755);
    open_azure();
    ck_assert_int_eq(token(SKL_AZURE_ARM, &t), -SKL_E_UNAUTHORIZED);
    ck_assert_str_eq(err.msg, "az gave no token: ERROR: Please run 'az login' to setup account.");
}
END_TEST

/* ARM. */

#define JOB "/subscriptions/s/resourceGroups/g/providers/Microsoft.App/jobs/j"

static struct skl_arm_call call_of(const char *method)
{
    return (struct skl_arm_call){.operation = "jobs.test",
                                 .what = "creating job 'j'",
                                 .method = method,
                                 .path = JOB,
                                 .api_version = "2024-03-01",
                                 .body = skl_streq(method, "PUT") ? "{\"location\":\"x\"}" : NULL};
}

static int run(const char *method, struct skl_arm_result *r)
{
    struct skl_arm_call call = call_of(method);

    return skl_arm_run(azure->arm, &call, r, &err);
}

static const char *state_of(const struct skl_arm_result *r)
{
    return skl_json_get_str(skl_json_get(r->json, "properties"), "provisioningState");
}

START_TEST(a_call_carries_token_and_version)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};
    struct skl_arm_call call = call_of("GET");
    const char *seen;

    give_tokens();
    stub_rule(server, "GET", JOB, 0, 200, NULL, "{\"name\":\"j\"}");
    open_azure();
    call.query = "$top=3";
    ck_assert_int_eq(skl_arm_send(azure->arm, &call, &r, &err), 0);
    ck_assert_str_eq(skl_json_get_str(r.json, "name"), "j");
    seen = stub_request(server, "GET", JOB, 0);
    ck_assert_ptr_nonnull(strstr(seen, JOB "?api-version=2024-03-01&$top=3 HTTP"));
    ck_assert_ptr_nonnull(strstr(seen, "Authorization: Bearer tok-1\r\n"));
}
END_TEST

START_TEST(a_401_takes_a_new_token_once)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};
    struct skl_arm_call call = call_of("GET");

    give_tokens();
    stub_rule(server, "GET", JOB, _i ? 0 : 1, 401, NULL,
              "{\"Code\":\"Unauthorized\",\"Message\":\"quota of 0 instances\"}");
    stub_rule(server, "GET", JOB, 0, 200, NULL, "{}");
    open_azure();
    if (_i) {
        ck_assert_int_eq(skl_arm_send(azure->arm, &call, &r, &err), -SKL_E_FORBIDDEN);
        ck_assert_str_eq(err.msg, "creating job 'j': Unauthorized: quota of 0 instances");
    } else {
        ck_assert_int_eq(skl_arm_send(azure->arm, &call, &r, &err), 0);
    }
    ck_assert_uint_eq(stub_count(server, "GET", JOB), 2);
    ck_assert_ptr_nonnull(strstr(stub_request(server, "GET", JOB, 1), "Bearer tok-2"));
}
END_TEST

static const struct {
    int status;
    enum skl_kind kind;
    const char *body, *code, *message;
} errors[] = {
    {404, SKL_E_NOTFOUND,
     "{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"The Resource 'j' was not found.\"}}",
     "ResourceNotFound", "creating job 'j': ResourceNotFound: The Resource 'j' was not found"},
    {400, SKL_E_INVALID,
     "{\"error\":{\"code\":\"Outer\",\"message\":\"failed\",\"innererror\":\"a "
     "string\",\"details\":["
     "{\"code\":\"Inner\",\"message\":\"cpu and memory\\n do not fit\"}]}}",
     "Outer", "creating job 'j': Outer: cpu and memory do not fit"},
    {409, SKL_E_CONFLICT,
     "{\"Code\":\"Conflict\",\"Message\":\"top\",\"Details\":[{\"Message\":\"top\"},{"
     "\"ErrorEntity\":"
     "{\"ExtendedCode\":\"04068\",\"Code\":\"Conflict\",\"Message\":\"deep\"}}],\"Innererror\":"
     "null}",
     "Conflict", "creating job 'j': Conflict: deep"},
    {403, SKL_E_FORBIDDEN,
     "{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"no rights\"}}",
     "AuthorizationFailed", "creating job 'j': AuthorizationFailed: no rights"},
    {429, SKL_E_THROTTLED, "{\"error\":{\"code\":\"TooManyRequests\",\"message\":\"later\"}}",
     "TooManyRequests", "creating job 'j': TooManyRequests: later"},
    {502, SKL_E_UNAVAILABLE, "<html>Bad\tGateway</html>", "",
     "creating job 'j': HTTP 502: <html>Bad Gateway</html>"},
    {400, SKL_E_INVALID, "", "", "creating job 'j': HTTP 400"},
    {400, SKL_E_INVALID, "[]", "", "creating job 'j': HTTP 400: []"},
    {418, SKL_E_INTERNAL, "{\"error\":{\"code\":7,\"message\":[]}}", "", NULL},
    {412, SKL_E_CONFLICT, "{\"error\":{\"code\":\"PreconditionFailed\"}}", "PreconditionFailed",
     "creating job 'j': PreconditionFailed"},
};

START_TEST(an_error_becomes_one_sentence_with_the_clouds_code)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};
    struct skl_arm_call call = call_of("GET");

    give_tokens();
    stub_rule(server, "GET", JOB, 0, errors[_i].status, NULL, errors[_i].body);
    open_azure();
    ck_assert_int_eq(skl_arm_send(azure->arm, &call, &r, &err), -(int)errors[_i].kind);
    ck_assert_int_eq(r.status, errors[_i].status);
    ck_assert_str_eq(r.code, errors[_i].code);
    if (errors[_i].message)
        ck_assert_str_eq(err.msg, errors[_i].message);
}
END_TEST

START_TEST(a_lost_post_says_that_it_may_have_been_done)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};
    struct skl_arm_call call = call_of("POST");

    give_tokens();
    stub_rule(server, "POST", JOB, 0, STUB_DROP, NULL, NULL);
    open_azure();
    ck_assert_int_eq(skl_arm_send(azure->arm, &call, &r, &err), -SKL_E_UNAVAILABLE);
    ck_assert(r.maybe_sent);
    ck_assert_uint_eq(stub_count(server, "POST", JOB), 1);
}
END_TEST

START_TEST(an_async_operation_is_followed_and_the_resource_read)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};

    give_tokens();
    stub_rule(server, "PUT", JOB, 0, 201,
              "Azure-AsyncOperation: $SELF/ops/1?a=b\r\nLocation: $SELF/wrong\r\n",
              "{\"properties\":{\"provisioningState\":\"InProgress\"}}");
    stub_rule(server, "GET", "/ops/1?a=b", 1, 200, NULL, "{\"status\":\"Running\"}");
    stub_rule(server, "GET", "/ops/1?a=b", 1, 500, NULL, NULL);
    stub_rule(server, "GET", "/ops/1?a=b", 1, STUB_DROP, NULL, NULL);
    stub_rule(server, "GET", "/ops/1?a=b", 1, 429, "retry-after-ms: 1\r\n", NULL);
    stub_rule(server, "GET", "/ops/1?a=b", 0, 200, NULL, "{\"status\":\"sUCCEEDED\"}");
    stub_rule(server, "GET", JOB, 0, 200, NULL,
              "{\"properties\":{\"provisioningState\":\"Succeeded\"}}");
    open_azure();
    ck_assert_msg(run("PUT", &r) == 0, "%s", err.msg);
    ck_assert_str_eq(state_of(&r), "Succeeded");
    ck_assert_uint_eq(stub_count(server, "GET", "/ops/1"), 5);
    ck_assert_uint_eq(stub_count(server, "GET", "/wrong"), 0);
}
END_TEST

START_TEST(an_async_operation_that_fails_tells_why)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};

    give_tokens();
    stub_rule(server, "PUT", JOB, 0, 202, "Azure-AsyncOperation: $SELF/ops/1\r\n", NULL);
    stub_rule(
        server, "GET", "/ops/1", 0, 200, NULL,
        _i ? "{\"status\":\"Canceled\"}"
           : "{\"status\":\"Failed\",\"error\":{\"code\":\"ImagePull\",\"message\":\"denied\"}}");
    open_azure();
    ck_assert_int_eq(run("PUT", &r), -SKL_E_INTERNAL);
    ck_assert_str_eq(err.msg, _i ? "creating job 'j': the operation ended as Canceled"
                                 : "creating job 'j': ImagePull: denied");
    ck_assert_str_eq(r.code, _i ? "" : "ImagePull");
}
END_TEST

START_TEST(a_location_is_followed_until_it_is_not_202)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};

    give_tokens();
    stub_rule(server, "DELETE", JOB, 0, 202, "Location: $SELF/results/1\r\nRetry-After: 0\r\n",
              NULL);
    stub_rule(server, "GET", "/results/1", 3, 202, NULL, NULL);
    stub_rule(server, "GET", "/results/1", 0, _i ? 404 : 204, NULL, NULL);
    open_azure();
    ck_assert_msg(run("DELETE", &r) == 0, "%s", err.msg);
    ck_assert_uint_eq(stub_count(server, "GET", "/results/1"), 4);
    ck_assert_uint_eq(stub_count(server, "GET", JOB), 0);
}
END_TEST

START_TEST(a_location_of_a_post_gives_the_result)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};

    give_tokens();
    stub_rule(server, "POST", JOB, 0, 202, "Location: $SELF/results/1\r\n", NULL);
    stub_rule(server, "GET", "/results/1", 0, 200, NULL, "{\"name\":\"j-abc\"}");
    open_azure();
    ck_assert_int_eq(run("POST", &r), 0);
    ck_assert_str_eq(skl_json_get_str(r.json, "name"), "j-abc");
}
END_TEST

START_TEST(a_location_that_is_the_resource_is_not_its_end)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};

    give_tokens();
    stub_rule(server, "PUT", JOB, 0, 201, "Location: $SELF" JOB "?api-version=2024-03-01\r\n",
              "{}");
    stub_rule(server, "GET", JOB, 3, 200, NULL,
              "{\"properties\":{\"provisioningState\":\"InProgress\"}}");
    stub_rule(server, "GET", JOB, 0, 200, NULL,
              "{\"properties\":{\"provisioningState\":\"Succeeded\"}}");
    open_azure();
    ck_assert_int_eq(run("PUT", &r), 0);
    ck_assert_str_eq(state_of(&r), "Succeeded");
}
END_TEST

START_TEST(the_provisioning_state_is_polled_when_no_header_says_more)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};

    give_tokens();
    stub_rule(server, "PUT", JOB, 0, 200, NULL,
              "{\"properties\":{\"provisioningState\":\"Updating\"}}");
    stub_rule(server, "GET", JOB, 2, 200, NULL,
              "{\"properties\":{\"provisioningState\":\"Updating\"}}");
    stub_rule(server, "GET", JOB, 0, 200, NULL,
              _i ? "{\"properties\":{\"provisioningState\":\"Failed\"}}"
                 : "{\"properties\":{\"provisioningState\":\"Succeeded\"}}");
    open_azure();
    ck_assert_int_eq(run("PUT", &r), _i ? -SKL_E_INTERNAL : 0);
    ck_assert_uint_eq(stub_count(server, "GET", JOB), 3);
}
END_TEST

START_TEST(a_finished_answer_is_not_polled)
{
    static const char *const bodies[] = {"{\"properties\":{\"provisioningState\":\"Succeeded\"}}",
                                         "{\"properties\":{}}", "{}"};
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};

    give_tokens();
    stub_rule(server, "PUT", JOB, 0, 200, NULL, bodies[_i]);
    open_azure();
    ck_assert_int_eq(run("PUT", &r), 0);
    ck_assert_uint_eq(stub_count(server, "GET", "/"), 0);
}
END_TEST

START_TEST(the_token_never_goes_to_another_host)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};
    struct stub *evil = stub_new();
    char headers[256];

    (void)snprintf(headers, sizeof(headers), "%s: %s/ops/1\r\n",
                   _i ? "Location" : "Azure-AsyncOperation", stub_url(evil));
    give_tokens();
    stub_rule(server, "PUT", JOB, 0, 202, headers, NULL);
    stub_rule(evil, NULL, "/", 0, 200, NULL, "{\"status\":\"Succeeded\"}");
    open_azure();
    ck_assert_int_eq(run("PUT", &r), -SKL_E_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "another host"));
    ck_assert_uint_eq(stub_connections(evil), 0);
    stub_free(evil);
}
END_TEST

START_TEST(an_operation_has_a_deadline)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result r = {0};
    struct skl_arm_call call = call_of("DELETE");

    give_tokens();
    stub_rule(server, "DELETE", JOB, 0, 202, "Location: $SELF/results/1\r\n", NULL);
    stub_rule(server, "GET", "/results/1", 0, 202, "retry-after-ms: 10\r\n", NULL);
    open_azure();
    call.deadline_ms = skl_mono_ms() + 200;
    ck_assert_int_eq(skl_arm_run(azure->arm, &call, &r, &err), -SKL_E_TIMEOUT);
}
END_TEST

static bool collect(void *arg, const cJSON *item)
{
    skl_buf_adds(arg, skl_json_get_str(item, "name"));
    return !skl_streq(skl_json_get_str(item, "name"), "stop");
}

START_TEST(a_list_is_walked_over_its_pages)
{
    SKL_AUTO_BUF struct skl_buf names = {0};
    struct skl_arm_call call = call_of("GET");

    skl_buf_init(&names, 100);
    give_tokens();
    stub_rule(server, "GET", "/page/2?x=1 ", 0, 200, NULL,
              "{\"value\":[{\"name\":\"c\"}],\"nextLink\":null}");
    stub_rule(server, "GET", JOB, 0, 200, NULL,
              "{\"value\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"nextLink\":\"$SELF/page/2?x=1\"}");
    open_azure();
    ck_assert_int_eq(skl_arm_list(azure->arm, &call, collect, &names, &err), 0);
    ck_assert_str_eq(names.p, "abc");
}
END_TEST

START_TEST(a_list_ends_early_and_never_on_another_host)
{
    SKL_AUTO_BUF struct skl_buf names = {0};
    struct skl_arm_call call = call_of("GET");

    skl_buf_init(&names, 100);
    give_tokens();
    stub_rule(server, "GET", JOB, 1, 200, NULL,
              "{\"value\":[{\"name\":\"stop\"},{\"name\":\"b\"}],\"nextLink\":\"$SELF/page/2\"}");
    stub_rule(server, "GET", JOB, 1, 200, NULL,
              "{\"value\":[],\"nextLink\":\"http://127.0.0.1:1/page/2\"}");
    open_azure();
    ck_assert_int_eq(skl_arm_list(azure->arm, &call, collect, &names, &err), 0);
    ck_assert_str_eq(names.p, "stop");
    ck_assert_int_eq(skl_arm_list(azure->arm, &call, collect, &names, &err), -SKL_E_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "another host"));
}
END_TEST

/* Log Analytics. */

#define QUERY "/v1/workspaces/" GUID "/query"

static int query(struct skl_logs_table *t)
{
    return skl_logs_query(azure->logs, "T | take \"5\"", "PT6H", 0, NULL, t, &err);
}

START_TEST(rows_are_read_by_column_name)
{
    SKL_AUTO_LOGS_TABLE struct skl_logs_table t = {0};
    int64_t n, ns;

    give_tokens();
    stub_rule(
        server, "POST", QUERY, 0, 200, NULL,
        "{\"tables\":[{\"name\":\"PrimaryResult\",\"columns\":[{\"name\":\"TimeGenerated\","
        "\"type\":\"datetime\"},{\"name\":\"Log_s\"},{\"name\":\"N\"}],\"rows\":[[\"2024-05-01T10:"
        "00:00.1234567Z\",\"line\",7],[null,null,\"8\"]]}]}");
    open_azure();
    ck_assert_msg(query(&t) == 0, "%s", err.msg);
    ck_assert_uint_eq(t.n_rows, 2);
    ck_assert_ptr_null(t.partial);
    ck_assert_str_eq(skl_logs_table_str(&t, 0, skl_logs_table_column(&t, "Log_s")), "line");
    ck_assert_ptr_null(skl_logs_table_str(&t, 1, skl_logs_table_column(&t, "Log_s")));
    ck_assert_int_eq(skl_logs_table_column(&t, "absent"), -1);
    ck_assert_ptr_null(skl_logs_table_str(&t, 0, -1));
    ck_assert(skl_logs_table_int(&t, 0, 2, &n) && n == 7);
    ck_assert(skl_logs_table_int(&t, 1, 2, &n) && n == 8);
    ck_assert(!skl_logs_table_int(&t, 2, 2, &n));
    ck_assert(skl_logs_table_time(&t, 0, 0, &ns));
    ck_assert_int_eq(ns % SKL_NS_PER_S, 123456700);
    ck_assert_ptr_nonnull(strstr(stub_request(server, "POST", QUERY, 0),
                                 "{\"query\":\"T | take \\\"5\\\"\",\"timespan\":\"PT6H\"}"));
    ck_assert_ptr_nonnull(strstr(stub_request(server, "POST", QUERY, 0), "Prefer: wait=30"));
}
END_TEST

START_TEST(no_data_is_an_empty_table)
{
    SKL_AUTO_LOGS_TABLE struct skl_logs_table t = {0};

    give_tokens();
    stub_rule(server, "POST", QUERY, 0, _i ? 204 : 200, NULL, NULL);
    open_azure();
    ck_assert_int_eq(query(&t), 0);
    ck_assert_uint_eq(t.n_rows, 0);
    ck_assert_int_eq(skl_logs_table_column(&t, "x"), -1);
}
END_TEST

START_TEST(a_partial_answer_keeps_its_rows_and_its_error)
{
    SKL_AUTO_LOGS_TABLE struct skl_logs_table t = {0};

    give_tokens();
    stub_rule(
        server, "POST", QUERY, 0, 200, NULL,
        "{\"tables\":[{\"columns\":[{\"name\":\"a\"}],\"rows\":[[\"x\"]]}],\"error\":{\"code\":"
        "\"PartialError\",\"message\":\"some\",\"details\":[{\"message\":\"too large\"}]}}");
    open_azure();
    ck_assert_int_eq(query(&t), 0);
    ck_assert_uint_eq(t.n_rows, 1);
    ck_assert_str_eq(t.partial, "incomplete answer of the log workspace: PartialError: too large");
}
END_TEST

START_TEST(a_query_error_tells_its_innermost_message)
{
    SKL_AUTO_LOGS_TABLE struct skl_logs_table t = {0};

    give_tokens();
    stub_rule(
        server, "POST", QUERY, 0, 400, NULL,
        "{\"error\":{\"message\":\"bad\",\"code\":\"BadArgumentError\",\"innererror\":{\"code\":"
        "\"SemanticError\",\"message\":\"sem\",\"innererror\":{\"code\":\"S\",\"message\":"
        "\"no table 'X_CL'\"}}}}");
    open_azure();
    ck_assert_int_eq(query(&t), -SKL_E_INVALID);
    ck_assert_str_eq(err.msg, "querying the log workspace: BadArgumentError: no table 'X_CL'");
}
END_TEST

START_TEST(a_refused_query_token_is_renewed_once)
{
    SKL_AUTO_LOGS_TABLE struct skl_logs_table t = {0};

    give_tokens();
    stub_rule(server, "POST", QUERY, 1, 401, NULL, NULL);
    stub_rule(server, "POST", QUERY, 0, 200, NULL, "{\"tables\":[]}");
    open_azure();
    ck_assert_int_eq(query(&t), 0);
    ck_assert_ptr_nonnull(strstr(stub_request(server, "POST", QUERY, 1), "Bearer tok-2"));
}
END_TEST

START_TEST(a_workspace_resource_id_is_resolved_once)
{
    give_tokens();
    settings.workspace = "/subscriptions/s/resourceGroups/g/providers/"
                         "Microsoft.OperationalInsights/workspaces/w";
    stub_rule(server, "GET", settings.workspace, 0, 200, NULL,
              "{\"properties\":{\"customerId\":\"" GUID "\"}}");
    stub_rule(server, "POST", QUERY, 0, 200, NULL, "{\"tables\":[]}");
    open_azure();
    for (int i = 0; i < 2; i++) {
        SKL_AUTO_LOGS_TABLE struct skl_logs_table t = {0};

        ck_assert_msg(query(&t) == 0, "%s", err.msg);
    }
    ck_assert_uint_eq(stub_count(server, "GET", settings.workspace), 1);
    ck_assert_ptr_nonnull(
        strstr(stub_request(server, "GET", settings.workspace, 0), "?api-version=2023-09-01"));
}
END_TEST

START_TEST(an_action_matches_its_pattern)
{
    static const struct {
        const char *pattern, *action;
        bool matches;
    } rows[] = {
        {"*", "Microsoft.App/jobs/write", true},
        {"*/read", "Microsoft.App/jobs/read", true},
        {"*/read", "Microsoft.App/jobs/write", false},
        {"*/read", "Microsoft.App/read/write", false},
        {"microsoft.app/JOBS/*", "Microsoft.App/jobs/start/action", true},
        {"Microsoft.App/jobs/*", "Microsoft.App/managedEnvironments/read", false},
        {"Microsoft.App/*/read", "Microsoft.App/jobs/executions/read", true},
        {"Microsoft.App/*/a/*/b", "Microsoft.App/x/a/y/a/b", true},
        {"Microsoft.App/jobs/read", "Microsoft.App/jobs/read", true},
        {"Microsoft.App/jobs/read", "Microsoft.App/jobs/readable", false},
        {"Microsoft.App/jobs/readable", "Microsoft.App/jobs/read", false},
        {"", "Microsoft.App/jobs/read", false},
        {"**", "", true},
    };

    ck_assert_msg(skl_azure_action_matches(rows[_i].pattern, rows[_i].action) == rows[_i].matches,
                  "%s and %s", rows[_i].pattern, rows[_i].action);
}
END_TEST

START_TEST(kql_literals_cannot_be_left)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 1000);
    skl_kql_quote(&b, SKL_STR("a\"b\\c\n\t\r\x01\xc3\xa9' | drop"));
    ck_assert_str_eq(b.p, "\"a\\\"b\\\\c\\n\\t\\r\\u0001\xc3\xa9' | drop\"");
    skl_buf_reset(&b);
    skl_kql_datetime(&b, INT64_C(1714557600123456789));
    ck_assert_str_eq(b.p, "datetime(2024-05-01T10:00:00.1234567Z)");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cloud_azure");
    TCase *t = tcase_create("azure");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_client_secret_is_sent_encoded_and_the_token_is_kept);
    tcase_add_test(t, each_audience_has_a_token_of_its_own);
    tcase_add_test(t, only_the_token_that_failed_is_dropped);
    tcase_add_test(t, an_early_refresh_that_fails_serves_the_old_token);
    tcase_add_test(t, a_certificate_signs_an_assertion_that_verifies);
    tcase_add_test(t, a_certificate_file_without_its_key_is_refused);
    tcase_add_test(t, a_refused_secret_is_final_and_told_in_one_line_without_it);
    tcase_add_test(t, a_busy_authority_is_asked_again);
    tcase_add_loop_test(t, many_callers_send_one_token_request, 0, 2);
    tcase_add_test(t, settings_that_contradict_each_other_are_named);
    tcase_add_test(t, nothing_configured_says_what_to_set);
    tcase_add_test(t, a_federated_token_is_read_anew_each_time);
    tcase_add_test(t, an_identity_endpoint_gets_its_header_and_resource);
    tcase_add_test(t, imds_is_waited_for_while_an_identity_is_assigned);
    tcase_add_test(t, an_identity_that_is_not_there_is_final);
    tcase_add_test(t, az_is_the_last_resort);
    tcase_add_test(t, az_that_fails_shows_its_first_line);
    tcase_add_test(t, a_call_carries_token_and_version);
    tcase_add_loop_test(t, a_401_takes_a_new_token_once, 0, 2);
    tcase_add_loop_test(t, an_error_becomes_one_sentence_with_the_clouds_code, 0,
                        (int)SKL_ARRAY_LEN(errors));
    tcase_add_test(t, a_lost_post_says_that_it_may_have_been_done);
    tcase_add_test(t, an_async_operation_is_followed_and_the_resource_read);
    tcase_add_loop_test(t, an_async_operation_that_fails_tells_why, 0, 2);
    tcase_add_loop_test(t, a_location_is_followed_until_it_is_not_202, 0, 2);
    tcase_add_test(t, a_location_of_a_post_gives_the_result);
    tcase_add_test(t, a_location_that_is_the_resource_is_not_its_end);
    tcase_add_loop_test(t, the_provisioning_state_is_polled_when_no_header_says_more, 0, 2);
    tcase_add_loop_test(t, a_finished_answer_is_not_polled, 0, 3);
    tcase_add_loop_test(t, the_token_never_goes_to_another_host, 0, 2);
    tcase_add_test(t, an_operation_has_a_deadline);
    tcase_add_test(t, a_list_is_walked_over_its_pages);
    tcase_add_test(t, a_list_ends_early_and_never_on_another_host);
    tcase_add_test(t, rows_are_read_by_column_name);
    tcase_add_loop_test(t, no_data_is_an_empty_table, 0, 2);
    tcase_add_test(t, a_partial_answer_keeps_its_rows_and_its_error);
    tcase_add_test(t, a_query_error_tells_its_innermost_message);
    tcase_add_test(t, a_refused_query_token_is_renewed_once);
    tcase_add_test(t, a_workspace_resource_id_is_resolved_once);
    tcase_add_loop_test(t, an_action_matches_its_pattern, 0, 13);
    tcase_add_test(t, kql_literals_cannot_be_left);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
