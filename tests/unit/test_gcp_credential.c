/* Google's Application Default Credentials: their order, each kind of file, ID tokens, the cache. */
#include <check.h>
#include <fcntl.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/gcp/credential.h"
#include "http_stub.h"

#define MD       "/computeMetadata/v1/instance/service-accounts/default/"
#define ACCOUNTS "/v1/projects/-/serviceAccounts/"
#define FLAVOR   "Metadata-Flavor: Google\r\n"
#define ID_TOKEN "e30.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln" /* {"exp":4102444800} */
#define OLD_ID   "e30.eyJleHAiOjEwMDB9.c2ln"
#define ACCESS   "{\"access_token\":\"tok-1\",\"expires_in\":3599,\"token_type\":\"Bearer\"}"
#define SCOPE    "scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform"

static struct stub *server;
static struct skl_rest *rest;
static struct skl_gcp_auth_settings settings;
static struct skl_gcp_credential *credential;
static struct skl_error err;
static char dir[] = "/tmp/skl-test-XXXXXX", file[64], subject[64];
static const char *endpoint;

static void setup(void)
{
    struct skl_rest_settings s = {.delay_percent = 1};

    server = stub_new();
    rest = skl_rest_new(&s);
    memset(&err, 0, sizeof(err));
    credential = NULL;
    endpoint = NULL;
    (void)snprintf(dir, sizeof(dir), "/tmp/skl-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(file, sizeof(file), "%s/application_default_credentials.json", dir);
    (void)snprintf(subject, sizeof(subject), "%s/subject", dir);
    settings = (struct skl_gcp_auth_settings){.credentials_file = file};
}

static void teardown(void)
{
    skl_gcp_credential_free(credential);
    skl_rest_free(rest);
    stub_free(server);
    (void)unlink(file);
    (void)unlink(subject);
    (void)rmdir(dir);
}

static void write_to(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

/* The file; "$SELF" in it is the server's URL. */
static void write_credentials(const char *text)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    const char *at;

    skl_buf_init(&b, SKL_MIB);
    for (; (at = strstr(text, "$SELF")); text = at + 5) {
        skl_buf_add(&b, text, (size_t)(at - text));
        skl_buf_adds(&b, stub_url(server));
    }
    skl_buf_adds(&b, text);
    write_to(file, b.p);
}

static int open_credential(void)
{
    return skl_gcp_credential_new(&settings, endpoint, rest, &credential, &err);
}

static void must_open(void)
{
    ck_assert_msg(open_credential() == 0, "%s", err.msg);
}

static int access_token(char **ret)
{
    return skl_gcp_access_token(credential, 0, NULL, ret, &err);
}

static void expect_access(const char *want)
{
    SKL_AUTO_SECRET char *t = NULL;

    ck_assert_msg(access_token(&t) == 0, "%s", err.msg);
    ck_assert_str_eq(t, want);
}

static void expect_id(const char *audience)
{
    SKL_AUTO_SECRET char *t = NULL;

    ck_assert_msg(skl_gcp_id_token(credential, audience, 0, NULL, &t, &err) == 0, "%s", err.msg);
    ck_assert_str_eq(t, ID_TOKEN);
}

static const char *sent(const char *path, size_t n)
{
    return stub_request(server, NULL, path, n);
}

static void expect_sent(const char *path, size_t n, const char *part)
{
    ck_assert_msg(strstr(sent(path, n), part) != NULL, "'%s' is not in %s", part, sent(path, n));
}

/* -- the order */

START_TEST(a_named_file_that_cannot_be_read_is_an_error)
{
    ck_assert_int_lt(open_credential(), 0);
    ck_assert_ptr_nonnull(strstr(err.msg, "GOOGLE_APPLICATION_CREDENTIALS"));
    ck_assert_ptr_nonnull(strstr(err.msg, file));
}
END_TEST

START_TEST(the_file_of_gcloud_is_the_second_and_the_metadata_server_the_last)
{
    char name[256];

    settings = (struct skl_gcp_auth_settings){.config_dir = dir, .home = "/nonexistent"};
    write_credentials("{\"type\":\"authorized_user\",\"client_id\":\"c\",\"client_secret\":\"s\","
                      "\"refresh_token\":\"r\",\"quota_project_id\":\"q-1\"}");
    must_open();
    (void)snprintf(name, sizeof(name), "user credentials '%s'", file);
    ck_assert_str_eq(skl_gcp_credential_source(credential), name);
    ck_assert_str_eq(skl_gcp_credential_quota_project(credential), "q-1");
    skl_gcp_credential_free(credential);
    credential = NULL;
    settings.quota_project = "q-2";
    must_open();
    ck_assert_str_eq(skl_gcp_credential_quota_project(credential), "q-2");
    skl_gcp_credential_free(credential);
    credential = NULL;
    (void)unlink(file);
    must_open();
    ck_assert_str_eq(skl_gcp_credential_source(credential), "metadata server");
    skl_gcp_credential_free(credential);
    credential = NULL;
    settings.no_metadata = "TRUE";
    ck_assert_int_eq(open_credential(), -SKL_E_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(err.msg, "GOOGLE_APPLICATION_CREDENTIALS"));
}
END_TEST

START_TEST(the_default_folder_is_below_home)
{
    char below[128];

    (void)snprintf(below, sizeof(below), "%s/.config", dir);
    ck_assert_int_eq(mkdir(below, 0700), 0);
    (void)snprintf(below, sizeof(below), "%s/.config/gcloud", dir);
    ck_assert_int_eq(mkdir(below, 0700), 0);
    (void)snprintf(below, sizeof(below), "%s/.config/gcloud/application_default_credentials.json",
                   dir);
    write_to(below, "{\"type\":\"unheard\"}");
    settings = (struct skl_gcp_auth_settings){.home = dir};
    ck_assert_int_eq(open_credential(), -SKL_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "type 'unheard' are not supported"));
    (void)unlink(below);
    *strrchr(below, '/') = '\0';
    (void)rmdir(below);
    *strrchr(below, '/') = '\0';
    (void)rmdir(below);
}
END_TEST

static const struct {
    const char *text, *expected;
} refused_files[] = {
    {"no json", "is not JSON"},
    {"{}", "has no 'type'"},
    {"{\"type\":\"gdch_service_account\"}", "'gdch_service_account' are not supported"},
    {"{\"type\":\"external_account_authorized_user\"}",
     "'external_account_authorized_user' are not supported"},
    {"{\"type\":\"service_account\"}", "has no 'client_email'"},
    {"{\"type\":\"service_account\",\"client_email\":\"a\"}", "has no 'private_key'"},
    {"{\"type\":\"service_account\",\"client_email\":\"a\",\"private_key\":\"SECRET\"}",
     "not an RSA key"},
    {"{\"type\":\"authorized_user\",\"client_id\":\"c\",\"client_secret\":\"SECRET\"}",
     "has no 'refresh_token'"},
    {"{\"type\":\"authorized_user\",\"client_id\":\"c\",\"client_secret\":\"s\",\"refresh_token\":"
     "\"r\",\"token_uri\":\"file:///etc\"}",
     "'token_uri' is not an http"},
    {"{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\",\"token_url\":"
     "\"https://sts.googleapis.com/v1/token\",\"credential_source\":{\"executable\":{}}}",
     "'executable', which is not supported"},
    {"{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\",\"token_url\":"
     "\"https://sts.googleapis.com/v1/token\",\"credential_source\":{\"environment_id\":\"aws1\"}}",
     "AWS"},
    {"{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\",\"token_url\":"
     "\"https://sts.googleapis.com/v1/token\",\"credential_source\":{\"file\":\"/f\"},"
     "\"service_account_impersonation_url\":\"https://x/v1/a\"}",
     "generateAccessToken"},
    {"{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":"
     "\"https://x/v1/projects/-/serviceAccounts/e:generateAccessToken\"}",
     "has no 'source_credentials'"},
    {"{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":"
     "\"https://x/v1/projects/-/serviceAccounts/e:generateAccessToken\",\"source_credentials\":"
     "{\"type\":\"impersonated_service_account\"}}",
     "use 'delegates'"},
};

START_TEST(a_file_that_cannot_be_used_is_refused_by_what_is_wrong)
{
    write_credentials(refused_files[_i].text);
    ck_assert_int_eq(open_credential(), -SKL_E_INVALID);
    ck_assert_msg(strstr(err.msg, refused_files[_i].expected) != NULL, "%s", err.msg);
    ck_assert_ptr_null(strstr(err.msg, "SECRET"));
}
END_TEST

/* -- service_account */

static int rng(void *arg, unsigned char *p, size_t n)
{
    skl_random(p, n);
    return 0;
}

static void make_key(mbedtls_pk_context *key, unsigned char *pem, size_t n)
{
    mbedtls_pk_init(key);
    ck_assert_int_eq(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)), 0);
    ck_assert_int_eq(mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), rng, NULL, 2048, 65537), 0);
    ck_assert_int_eq(mbedtls_pk_write_key_pem(key, pem, n), 0);
}

static void write_service_account(const char *pem, const char *token_uri)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, SKL_MIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "type", "service_account");
    skl_json_str(&j, "client_email", "sa@p.iam.gserviceaccount.com");
    skl_json_str(&j, "private_key", pem);
    skl_json_str(&j, "private_key_id", "kid-1");
    skl_json_str(&j, "token_uri", token_uri);
    skl_json_end_object(&j);
    write_credentials(b.p);
}

static cJSON *jwt_part(struct skl_str jwt, int n)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_str part = {NULL, 0};
    cJSON *json = NULL;

    for (int i = 0; i <= n; i++)
        part = skl_str_cut(jwt, '.', &jwt);
    skl_buf_init(&b, 16384);
    ck_assert(skl_base64_decode(&b, part));
    ck_assert_int_eq(skl_json_parse(skl_buf_str(&b), &json, &err), 0);
    return json;
}

static void check_signature(mbedtls_pk_context *key, struct skl_str jwt)
{
    SKL_AUTO_BUF struct skl_buf signature = {0};
    const char *dot = memrchr(jwt.p, '.', jwt.n);
    unsigned char hash[32];

    skl_buf_init(&signature, 4096);
    ck_assert(skl_base64_decode(&signature, skl_str_skip(jwt, (size_t)(dot + 1 - jwt.p))));
    ck_assert_int_eq(mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                                (const unsigned char *)jwt.p, (size_t)(dot - jwt.p), hash),
                     0);
    ck_assert_int_eq(mbedtls_pk_verify(key, MBEDTLS_MD_SHA256, hash, 32,
                                       (const unsigned char *)signature.p, signature.n),
                     0);
}

static struct skl_str sent_assertion(size_t n)
{
    const char *at = strstr(sent("/token", n), "&assertion=");

    ck_assert_ptr_nonnull(at);
    return skl_str(at + strlen("&assertion="));
}

START_TEST(a_service_account_signs_for_access_and_for_an_audience)
{
    unsigned char pem[8192];
    mbedtls_pk_context key;
    SKL_AUTO_JSON cJSON *header = NULL, *claims = NULL, *id_claims = NULL;
    int64_t now = skl_wall_ns() / SKL_NS_PER_S;

    make_key(&key, pem, sizeof(pem));
    /* A Google host in the file is the endpoint's; the assertion is still for the one that the file names. */
    endpoint = stub_url(server);
    write_service_account((char *)pem, "https://oauth2.googleapis.com/token");
    must_open();
    stub_rule(server, "POST", "/token", 1, 200, NULL, ACCESS);
    stub_rule(server, "POST", "/token", 1, 200, NULL, "{\"id_token\":\"" ID_TOKEN "\"}");
    expect_access("tok-1");
    expect_access("tok-1");
    expect_id("https://service.example");
    expect_id("https://service.example");
    ck_assert_uint_eq(stub_count(server, "POST", "/token"), 2);
    expect_sent("/token", 0, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer");
    check_signature(&key, sent_assertion(0));
    header = jwt_part(sent_assertion(0), 0);
    ck_assert_str_eq(skl_json_get_str(header, "alg"), "RS256");
    ck_assert_str_eq(skl_json_get_str(header, "kid"), "kid-1");
    claims = jwt_part(sent_assertion(0), 1);
    ck_assert_str_eq(skl_json_get_str(claims, "iss"), "sa@p.iam.gserviceaccount.com");
    ck_assert_str_eq(skl_json_get_str(claims, "aud"), "https://oauth2.googleapis.com/token");
    ck_assert_str_eq(skl_json_get_str(claims, "scope"),
                     "https://www.googleapis.com/auth/cloud-platform");
    ck_assert_int_le(skl_json_get_int(claims, "iat", 0), now);
    ck_assert_int_eq(skl_json_get_int(claims, "exp", 0) - skl_json_get_int(claims, "iat", 0), 3600);
    id_claims = jwt_part(sent_assertion(1), 1);
    ck_assert_str_eq(skl_json_get_str(id_claims, "target_audience"), "https://service.example");
    ck_assert_ptr_null(skl_json_get_str(id_claims, "scope"));
    mbedtls_pk_free(&key);
}
END_TEST

START_TEST(a_refused_key_tells_of_the_clock)
{
    unsigned char pem[8192];
    mbedtls_pk_context key;
    SKL_AUTO_SECRET char *t = NULL;

    make_key(&key, pem, sizeof(pem));
    mbedtls_pk_free(&key);
    write_service_account((char *)pem, "$SELF/token");
    must_open();
    stub_rule(server, "POST", "/token", 1, 400, NULL, "{\"error\":\"temporarily_unavailable\"}");
    stub_rule(server, "POST", "/token", 0, 400, NULL,
              "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}");
    ck_assert_int_eq(access_token(&t), -SKL_E_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(err.msg, "sa@p.iam.gserviceaccount.com"));
    ck_assert_ptr_nonnull(strstr(err.msg, "Invalid JWT Signature"));
    ck_assert_ptr_nonnull(strstr(err.msg, "clock"));
    ck_assert_uint_eq(stub_count(server, "POST", "/token"), 2);
}
END_TEST

START_TEST(an_id_token_that_has_ended_is_refused)
{
    unsigned char pem[8192];
    mbedtls_pk_context key;
    SKL_AUTO_SECRET char *t = NULL;

    make_key(&key, pem, sizeof(pem));
    mbedtls_pk_free(&key);
    write_service_account((char *)pem, "$SELF/token");
    must_open();
    stub_rule(server, "POST", "/token", 1, 200, NULL, "{\"id_token\":\"" OLD_ID "\"}");
    stub_rule(server, "POST", "/token", 1, 200, NULL, "{\"id_token\":\"opaque\"}");
    ck_assert_int_eq(skl_gcp_id_token(credential, "a", 0, NULL, &t, &err), -SKL_E_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "already ended"));
    ck_assert_int_eq(skl_gcp_id_token(credential, "a", 0, NULL, &t, &err), -SKL_E_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "no ID token"));
    ck_assert_int_eq(skl_gcp_id_token(credential, "", 0, NULL, &t, &err), -SKL_E_INVALID);
}
END_TEST

/* -- the others */

#define USER                                                                                       \
    "{\"type\":\"authorized_user\",\"client_id\":\"c-1\",\"client_secret\":\"s&1\","               \
    "\"refresh_token\":\"r-1\",\"token_uri\":\"$SELF/token\"}"

START_TEST(a_user_asks_an_invoker_account_for_id_tokens)
{
    SKL_AUTO_SECRET char *t = NULL;

    write_credentials(USER);
    endpoint = stub_url(server);
    must_open();
    stub_rule(server, "POST", "/token", 1, 200, NULL, ACCESS);
    expect_access("tok-1");
    expect_sent("/token", 0, "grant_type=refresh_token");
    expect_sent("/token", 0, "client_secret=s%261");
    expect_sent("/token", 0, "refresh_token=r-1");
    ck_assert_int_eq(skl_gcp_id_token(credential, "https://x", 0, NULL, &t, &err), -SKL_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "SOCKERLESS_GCF_INVOKER_SERVICE_ACCOUNT"));
    skl_gcp_credential_free(credential);
    credential = NULL;
    settings.invoker_account = "inv@p.iam";
    must_open();
    stub_rule(server, "POST", "/token", 1, 200, NULL, ACCESS);
    stub_rule(server, "POST", ACCOUNTS "inv@p.iam:generateIdToken", 1, 200, NULL,
              "{\"token\":\"" ID_TOKEN "\"}");
    expect_id("https://x");
    expect_sent(ACCOUNTS, 0, "Authorization: Bearer tok-1");
    expect_sent(ACCOUNTS, 0, "{\"audience\":\"https://x\",\"includeEmail\":true}");
}
END_TEST

#define EXTERNAL                                                                                   \
    "{\"type\":\"external_account\",\"audience\":\"//iam/p\",\"subject_token_type\":"              \
    "\"urn:ietf:params:oauth:token-type:jwt\",\"token_url\":"                                      \
    "\"https://sts.googleapis.com/v1/token\",\"client_id\":\"id\",\"client_secret\":\"pw\","       \
    "\"service_account_impersonation\":{\"token_lifetime_seconds\":600},"                          \
    "\"service_account_impersonation_url\":\"https://iamcredentials.googleapis.com" ACCOUNTS       \
    "sa@p:generateAccessToken\",\"credential_source\":"

static void give_exchange(void)
{
    stub_rule(server, "POST", "/v1/token", 0, 200, NULL,
              "{\"access_token\":\"sts-1\",\"expires_in\":3600,\"token_type\":\"Bearer\"}");
    stub_rule(server, "POST", ACCOUNTS "sa@p:generateAccessToken", 0, 200, NULL,
              "{\"accessToken\":\"imp-1\",\"expireTime\":\"2099-01-01T00:00:00Z\"}");
    stub_rule(server, "POST", ACCOUNTS "sa@p:generateIdToken", 0, 200, NULL,
              "{\"token\":\"" ID_TOKEN "\"}");
}

START_TEST(a_federated_identity_becomes_a_service_account)
{
    SKL_AUTO_BUF struct skl_buf text = {0};

    skl_buf_init(&text, 8192);
    skl_buf_addf(&text, EXTERNAL "{\"file\":\"%s\"}}", subject);
    write_credentials(text.p);
    write_to(subject, " subject-1\n");
    endpoint = stub_url(server);
    must_open();
    give_exchange();
    expect_access("imp-1");
    expect_sent("/v1/token", 0, "subject_token=subject-1");
    expect_sent("/v1/token", 0, "audience=%2F%2Fiam%2Fp");
    expect_sent("/v1/token", 0, SCOPE);
    expect_sent("/v1/token", 0,
                "requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token");
    expect_sent("/v1/token", 0, "Authorization: Basic aWQ6cHc=");
    expect_sent(ACCOUNTS "sa@p:generateAccessToken", 0, "Authorization: Bearer sts-1");
    expect_sent(ACCOUNTS "sa@p:generateAccessToken", 0,
                "{\"scope\":[\"https://www.googleapis.com/auth/cloud-platform\"],"
                "\"lifetime\":\"600s\"}");
    /* The federated identity asks for ID tokens, with the token that it has. */
    expect_id("https://x");
    expect_id("https://y");
    expect_sent(ACCOUNTS "sa@p:generateIdToken", 1, "Authorization: Bearer sts-1");
    ck_assert_uint_eq(stub_count(server, "POST", "/v1/token"), 1);
}
END_TEST

START_TEST(a_subject_token_comes_from_a_url_with_headers_as_json)
{
    SKL_AUTO_SECRET char *t = NULL;

    write_credentials(EXTERNAL "{\"url\":\"$SELF/subject?a=b\",\"headers\":{\"X-Key\":\"k-1\"},"
                               "\"format\":{\"type\":\"json\",\"subject_token_field_name\":"
                               "\"value\"}}}");
    endpoint = stub_url(server);
    must_open();
    stub_rule(server, "GET", "/subject?a=b", 1, 200, NULL, "{\"other\":1}");
    stub_rule(server, "GET", "/subject?a=b", 1, 403, NULL, "{\"error\":\"go away\"}");
    stub_rule(server, "GET", "/subject?a=b", 1, 200, NULL, "{\"value\":\"subject-2\"}");
    give_exchange();
    ck_assert_int_eq(access_token(&t), -SKL_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "no subject token"));
    ck_assert_int_eq(access_token(&t), -SKL_E_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(err.msg, "go away"));
    expect_access("imp-1");
    expect_sent("/subject", 2, "X-Key: k-1");
    expect_sent("/v1/token", 0, "subject_token=subject-2");
}
END_TEST

START_TEST(an_impersonated_account_uses_its_source_and_delegates)
{
    write_credentials("{\"type\":\"impersonated_service_account\",\"delegates\":[\"d-1\"],"
                      "\"service_account_impersonation_url\":\"$SELF" ACCOUNTS
                      "sa@p:generateAccessToken\",\"source_credentials\":" USER "}");
    endpoint = stub_url(server);
    must_open();
    stub_rule(server, "POST", "/token", 0, 200, NULL, ACCESS);
    give_exchange();
    expect_access("imp-1");
    expect_sent(ACCOUNTS "sa@p:generateAccessToken", 0, "Authorization: Bearer tok-1");
    expect_sent(ACCOUNTS "sa@p:generateAccessToken", 0, "\"delegates\":[\"d-1\"]");
    expect_id("https://x");
    expect_sent(ACCOUNTS "sa@p:generateIdToken", 0, "\"delegates\":[\"d-1\"]");
    ck_assert_uint_eq(stub_count(server, "POST", "/token"), 1);
}
END_TEST

START_TEST(a_source_token_that_iam_refuses_is_asked_for_anew_once)
{
    SKL_AUTO_SECRET char *t = NULL;

    write_credentials("{\"type\":\"impersonated_service_account\","
                      "\"service_account_impersonation_url\":\"$SELF" ACCOUNTS
                      "sa@p:generateAccessToken\",\"source_credentials\":" USER "}");
    must_open();
    stub_rule(server, "POST", "/token", 0, 200, NULL, ACCESS);
    stub_rule(server, "POST", ACCOUNTS, 1, 401, NULL, "{\"error\":{\"code\":401}}");
    stub_rule(server, "POST", ACCOUNTS, 1, 403, NULL,
              "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"Permission "
              "'iam.serviceAccounts.getAccessToken' denied.\"}}");
    ck_assert_int_eq(access_token(&t), -SKL_E_FORBIDDEN);
    ck_assert_ptr_nonnull(strstr(err.msg, "impersonating 'sa@p': PERMISSION_DENIED"));
    ck_assert_uint_eq(stub_count(server, "POST", "/token"), 2);
}
END_TEST

START_TEST(the_metadata_server_gives_both_kinds)
{
    settings = (struct skl_gcp_auth_settings){.home = dir};
    endpoint = stub_url(server); /* it stands for the metadata server, too */
    must_open();
    stub_rule(server, "GET", MD "token", 1, 200, FLAVOR, ACCESS);
    stub_rule(server, "GET", MD "identity?format=full&audience=https%3A%2F%2Fx", 1, 200, FLAVOR,
              ID_TOKEN "\n");
    expect_access("tok-1");
    expect_id("https://x");
    expect_sent(MD "token", 0, "Metadata-Flavor: Google");
    ck_assert_uint_eq(stub_count(server, NULL, "/"), 2);
}
END_TEST

START_TEST(what_does_not_carry_the_mark_is_no_metadata_server)
{
    SKL_AUTO_SECRET char *t = NULL;
    char host[64];

    (void)snprintf(host, sizeof(host), "127.0.0.1:%d", stub_port(server));
    settings = (struct skl_gcp_auth_settings){.metadata_host = host};
    must_open();
    stub_rule(server, "GET", MD "token", 1, 200, NULL, ACCESS);
    ck_assert_int_eq(access_token(&t), -SKL_E_UNAUTHORIZED);
    ck_assert_ptr_null(strstr(err.msg, "tok-1"));
    stub_rule(server, "GET", MD "token", 1, 200, FLAVOR, ACCESS);
    expect_access("tok-1");
}
END_TEST

START_TEST(a_dropped_token_is_asked_for_anew)
{
    write_credentials(USER);
    must_open();
    stub_rule(server, "POST", "/token", 1, 200, NULL, ACCESS);
    stub_rule(server, "POST", "/token", 1, 200, NULL,
              "{\"access_token\":\"tok-2\",\"expires_in\":200}");
    expect_access("tok-1");
    skl_gcp_credential_invalidate(credential, "another");
    expect_access("tok-1");
    skl_gcp_credential_invalidate(credential, "tok-1");
    expect_access("tok-2");
    expect_access("tok-2"); /* short-lived, yet not stale at birth */
    ck_assert_uint_eq(stub_count(server, "POST", "/token"), 2);
}
END_TEST

START_TEST(many_audiences_are_kept_apart)
{
    settings = (struct skl_gcp_auth_settings){.home = dir};
    endpoint = stub_url(server);
    must_open();
    stub_rule(server, "GET", MD "identity", 0, 200, FLAVOR, ID_TOKEN);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 200; i++) {
            char audience[32];

            (void)snprintf(audience, sizeof(audience), "https://s%d", i);
            expect_id(audience);
        }
    }
    ck_assert_uint_eq(stub_count(server, "GET", MD "identity"), 200);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gcp_credential");
    TCase *t = tcase_create("credential");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_named_file_that_cannot_be_read_is_an_error);
    tcase_add_test(t, the_file_of_gcloud_is_the_second_and_the_metadata_server_the_last);
    tcase_add_test(t, the_default_folder_is_below_home);
    tcase_add_loop_test(t, a_file_that_cannot_be_used_is_refused_by_what_is_wrong, 0,
                        (int)SKL_ARRAY_LEN(refused_files));
    tcase_add_test(t, a_service_account_signs_for_access_and_for_an_audience);
    tcase_add_test(t, a_refused_key_tells_of_the_clock);
    tcase_add_test(t, an_id_token_that_has_ended_is_refused);
    tcase_add_test(t, a_user_asks_an_invoker_account_for_id_tokens);
    tcase_add_test(t, a_federated_identity_becomes_a_service_account);
    tcase_add_test(t, a_subject_token_comes_from_a_url_with_headers_as_json);
    tcase_add_test(t, an_impersonated_account_uses_its_source_and_delegates);
    tcase_add_test(t, a_source_token_that_iam_refuses_is_asked_for_anew_once);
    tcase_add_test(t, the_metadata_server_gives_both_kinds);
    tcase_add_test(t, what_does_not_carry_the_mark_is_no_metadata_server);
    tcase_add_test(t, a_dropped_token_is_asked_for_anew);
    tcase_add_test(t, many_audiences_are_kept_apart);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
