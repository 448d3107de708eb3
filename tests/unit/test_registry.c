/* The registry client against a scripted registry: tokens, lists, digests, mirrors, words. */
#include <check.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "http_stub.h"
#include "registry/internal.h"
#include "registry/registry.h"

static struct stub *server, *other;
static struct skl_rest *rest;
static struct skl_registry *reg;
static struct skl_registry_image image;
static struct skl_registry_query query;
static struct skl_error err;
static char host[64];

static void open_registry(const char *mirror)
{
    struct skl_registry_settings s = {.mirror = mirror};

    skl_registry_free(reg);
    ck_assert_int_eq(skl_registry_new(&s, rest, &reg, &err), 0);
}

static void setup(void)
{
    struct skl_rest_settings s = {.delay_percent = 1};

    server = stub_new();
    other = stub_new();
    reg = NULL;
    image = (struct skl_registry_image){0};
    (void)snprintf(host, sizeof(host), "127.0.0.1:%d", stub_port(server));
    query = (struct skl_registry_query){
        .ref = {.host = host, .repository = "lib/app", .tag = "1"},
        .platform = {.os = "linux", .architecture = "amd64"},
    };
    rest = skl_rest_new(&s);
    open_registry(NULL);
}

static void teardown(void)
{
    skl_registry_image_fini(&image);
    skl_registry_free(reg);
    skl_rest_free(rest);
    stub_free(server);
    stub_free(other);
}

static int resolve(void)
{
    skl_registry_image_fini(&image);
    return skl_registry_resolve(reg, &query, &image, &err);
}

#define V2   "Content-Type: application/vnd.docker.distribution.manifest.v2+json\r\n"
#define LIST "Content-Type: application/vnd.docker.distribution.manifest.list.v2+json\r\n"
#define ZERO "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static const char config_text[] =
    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"sh\"]}}";
static char config_digest[72], manifest_text[1024], manifest_digest[72], list_text[2048],
    list_digest[72], path[512];

/* An image of one layer and a list around it, as texts. */
static void make_image(void)
{
    skl_digest_of(skl_str(config_text), config_digest);
    (void)snprintf(
        manifest_text, sizeof(manifest_text),
        "{\"schemaVersion\":2,\"mediaType\":\"application/"
        "vnd.docker.distribution.manifest.v2+json\",\"config\":{\"digest\":\"%s\",\"size\":"
        "%zu},\"layers\":[{\"digest\":\"" ZERO "\",\"size\":1000}]}",
        config_digest, strlen(config_text));
    skl_digest_of(skl_str(manifest_text), manifest_digest);
    (void)snprintf(
        list_text, sizeof(list_text),
        "{\"schemaVersion\":2,\"manifests\":["
        "{\"digest\":\"" ZERO "\",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}},"
        "{\"digest\":\"" ZERO "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}},"
        "{\"digest\":\"%s\",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
        manifest_digest);
    skl_digest_of(skl_str(list_text), list_digest);
}

static void rule_path(struct stub *s, const char *target, const char *headers, const char *body)
{
    stub_rule(s, "GET", target, 0, 200, headers, body);
}

static void serve_image(struct stub *s, const char *repository)
{
    make_image();
    (void)snprintf(path, sizeof(path), "/v2/%s/manifests/%s ", repository, manifest_digest);
    rule_path(s, path, V2, manifest_text);
    (void)snprintf(path, sizeof(path), "/v2/%s/manifests/1 ", repository);
    rule_path(s, path, V2, manifest_text);
    (void)snprintf(path, sizeof(path), "/v2/%s/manifests/list ", repository);
    rule_path(s, path, LIST, list_text);
    (void)snprintf(path, sizeof(path), "/v2/%s/blobs/%s ", repository, config_digest);
    rule_path(s, path, NULL, config_text);
}

static void expect_image(const char *digest)
{
    ck_assert_str_eq(image.digest, digest);
    ck_assert_str_eq(image.config_digest, config_digest);
    ck_assert_str_eq(image.config_json, config_text);
    ck_assert_uint_eq(image.n_layers, 1);
    ck_assert_str_eq(image.layers[0].digest, ZERO);
    ck_assert_int_eq(image.size, 1000 + (int64_t)strlen(config_text));
    ck_assert_str_eq(image.os, "linux");
    ck_assert_str_eq(image.architecture, "amd64");
}

START_TEST(a_plain_manifest_is_resolved_over_http_on_loopback)
{
    serve_image(server, "lib/app");
    ck_assert_msg(resolve() == 0, "%s", err.msg);
    expect_image(manifest_digest);
    ck_assert_str_eq(image.media_type, "application/vnd.docker.distribution.manifest.v2+json");
    ck_assert_int_eq(image.digest_size, (int64_t)strlen(manifest_text));
    ck_assert_ptr_nonnull(strstr(stub_request(server, "GET", "/v2/lib/app/manifests", 0),
                                 "application/vnd.oci.image.index.v1+json"));
}
END_TEST

START_TEST(a_list_is_chosen_from_by_platform_and_keeps_its_digest)
{
    serve_image(server, "lib/app");
    query.ref.tag = "list";
    ck_assert_msg(resolve() == 0, "%s", err.msg);
    expect_image(list_digest);
    ck_assert_str_eq(image.media_type, "application/vnd.docker.distribution.manifest.list.v2+json");
}
END_TEST

START_TEST(a_platform_that_is_not_there_is_named)
{
    serve_image(server, "lib/app");
    query.ref.tag = "list";
    query.platform.architecture = "arm64";
    ck_assert_int_eq(resolve(), -SKL_E_NOTFOUND);
    ck_assert_str_eq(err.msg, "no matching manifest for linux/arm64 in the manifest list entries");
    ck_assert_ptr_null(image.digest);
}
END_TEST

START_TEST(a_digest_is_asked_for_and_checked)
{
    serve_image(server, "lib/app");
    query.ref.digest = manifest_digest;
    ck_assert_msg(resolve() == 0, "%s", err.msg);
    expect_image(manifest_digest);
    query.ref.digest = ZERO;
    rule_path(server, "/v2/lib/app/manifests/" ZERO, V2, manifest_text);
    ck_assert_int_eq(resolve(), -SKL_E_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "manifest verification failed for digest " ZERO));
}
END_TEST

START_TEST(a_config_that_is_not_what_its_digest_says_is_refused)
{
    make_image();
    rule_path(server, "/v2/lib/app/manifests/1 ", V2, manifest_text);
    rule_path(server, "/v2/lib/app/blobs/", NULL, "{\"os\":\"evil\"}");
    ck_assert_int_eq(resolve(), -SKL_E_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "verification failed"));
    ck_assert_ptr_null(image.config_json);
}
END_TEST

START_TEST(a_redirect_is_followed_without_authorization)
{
    char to[256];
    struct skl_registry_auth auth = {.registry_token = "reg-token"};

    make_image();
    query.auth = &auth;
    (void)snprintf(to, sizeof(to), "Location: %s/blob?sig=1\r\n", stub_url(other));
    rule_path(server, "/v2/lib/app/manifests/1 ", V2, manifest_text);
    stub_rule(server, "GET", "/v2/lib/app/blobs/", 0, 307, to, NULL);
    rule_path(other, "/blob?sig=1", NULL, config_text);
    ck_assert_msg(resolve() == 0, "%s", err.msg);
    ck_assert_ptr_nonnull(strstr(stub_request(server, "GET", "/v2/lib/app/blobs/", 0),
                                 "Authorization: Bearer reg-token"));
    ck_assert_ptr_null(strcasestr(stub_request(other, "GET", "/blob", 0), "Authorization"));
}
END_TEST

START_TEST(a_redirect_that_never_ends_is_an_error)
{
    stub_rule(server, "GET", "/", 0, 302, "Location: /v2/again\r\n", NULL);
    ck_assert_int_eq(resolve(), -SKL_E_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "redirect"));
    ck_assert_uint_le(stub_count(server, "GET", "/"), 6);
}
END_TEST

#define CHALLENGE                                                                                  \
    "WWW-Authenticate: Bearer realm=\"$SELF/token\",service=\"reg.test\",scope=\"repository:lib/"  \
    "app:pull\"\r\n"

/* Answers only what comes after a token was given. */
static void challenge_twice_then_serve(void)
{
    stub_rule(server, "GET", "/v2/lib/app/manifests/1 ", 1, 401, CHALLENGE, NULL);
    serve_image(server, "lib/app");
}

START_TEST(an_anonymous_token_is_fetched_once_and_kept)
{
    const char *seen;

    challenge_twice_then_serve();
    stub_rule(server, "GET", "/token", 0, 200, NULL, "{\"token\":\"anon-1\",\"expires_in\":300}");
    ck_assert_msg(resolve() == 0, "%s", err.msg);
    seen = stub_request(server, "GET", "/token", 0);
    ck_assert_ptr_nonnull(strstr(seen, "service=reg.test"));
    ck_assert_ptr_nonnull(strstr(seen, "scope=repository%3Alib%2Fapp%3Apull"));
    ck_assert_ptr_null(strstr(seen, "Authorization"));
    ck_assert_ptr_nonnull(strstr(stub_request(server, "GET", "/v2/lib/app/manifests/1 ", 1),
                                 "Authorization: Bearer anon-1"));
    ck_assert_ptr_nonnull(
        strstr(stub_request(server, "GET", "/v2/lib/app/blobs/", 0), "Bearer anon-1"));
    stub_clear(server);
    challenge_twice_then_serve();
    ck_assert_int_eq(resolve(), 0);
    ck_assert_uint_eq(stub_count(server, "GET", "/token"), 0);
}
END_TEST

START_TEST(a_user_and_password_go_to_the_token_service)
{
    struct skl_registry_auth auth = {.username = "me", .password = "pw"};
    const char *seen;

    query.auth = &auth;
    challenge_twice_then_serve();
    stub_rule(server, "GET", "/token", 0, 200, NULL, "{\"access_token\":\"user-1\"}");
    ck_assert_msg(resolve() == 0, "%s", err.msg);
    seen = stub_request(server, "GET", "/token", 0);
    ck_assert_ptr_nonnull(strstr(seen, "Authorization: Basic bWU6cHc="));
    ck_assert_ptr_nonnull(strstr(seen, "account=me"));
}
END_TEST

START_TEST(an_identity_token_is_exchanged)
{
    struct skl_registry_auth auth = {.identity_token = "refresh-1"};
    const char *seen;

    query.auth = &auth;
    challenge_twice_then_serve();
    stub_rule(server, "POST", "/token", 0, 200, NULL, "{\"access_token\":\"id-1\"}");
    ck_assert_msg(resolve() == 0, "%s", err.msg);
    seen = stub_request(server, "POST", "/token", 0);
    ck_assert_ptr_nonnull(strstr(seen, "grant_type=refresh_token"));
    ck_assert_ptr_nonnull(strstr(seen, "refresh_token=refresh-1"));
}
END_TEST

START_TEST(a_basic_challenge_gets_user_and_password)
{
    struct skl_registry_auth auth = {.username = "me", .password = "pw"};

    query.auth = &auth;
    stub_rule(server, "GET", "/v2/lib/app/manifests/1 ", 1, 401,
              "WWW-Authenticate: Basic realm=\"x\"\r\n", NULL);
    serve_image(server, "lib/app");
    ck_assert_msg(resolve() == 0, "%s", err.msg);
    ck_assert_ptr_nonnull(strstr(stub_request(server, "GET", "/v2/lib/app/manifests/1 ", 1),
                                 "Authorization: Basic bWU6cHc="));
}
END_TEST

static const struct {
    int status;
    const char *headers, *body;
    enum skl_kind kind;
    const char *message; /* %s: the host */
} refusals[] = {
    {404, NULL, "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}",
     SKL_E_NOTFOUND, "manifest for %s/lib/app:1 not found: manifest unknown: manifest unknown"},
    {404, NULL, "<html>", SKL_E_NOTFOUND,
     "manifest for %s/lib/app:1 not found: manifest unknown: manifest unknown"},
    {404, NULL,
     "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"repository name not known to "
     "registry\"}]}",
     SKL_E_NOTFOUND,
     "repository %s/lib/app not found: name unknown: repository name not known to registry"},
    {403, NULL,
     "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"requested access to the resource is "
     "denied\"}]}",
     SKL_E_NOTFOUND,
     "pull access denied for %s/lib/app, repository does not exist or may require 'docker login': "
     "denied: requested access to the resource is denied"},
    {401, NULL,
     "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\"}]}",
     SKL_E_INTERNAL,
     "Get \"http://%s/v2/lib/app/manifests/1\": unauthorized: authentication required"},
    {401, "WWW-Authenticate: Basic realm=\"x\"\r\n", "", SKL_E_INTERNAL,
     "Get \"http://%s/v2/lib/app/manifests/1\": unauthorized: authentication required"},
    {500, NULL, "", SKL_E_INTERNAL,
     "Get \"http://%s/v2/lib/app/manifests/1\": received unexpected HTTP status: 500"},
};

START_TEST(a_refusal_has_the_engines_words)
{
    SKL_AUTO_BUF struct skl_buf want = {0};
    const char *percent = strstr(refusals[_i].message, "%s");

    skl_buf_init(&want, 1000);
    skl_buf_add(&want, refusals[_i].message, (size_t)(percent - refusals[_i].message));
    skl_buf_adds(&want, host);
    skl_buf_adds(&want, percent + 2);
    stub_rule(server, "GET", "/v2/", 0, refusals[_i].status, refusals[_i].headers,
              refusals[_i].body);
    ck_assert_int_eq(resolve(), -(int)refusals[_i].kind);
    ck_assert_str_eq(err.msg, want.p);
}
END_TEST

START_TEST(a_token_without_the_scope_is_access_denied)
{
    stub_rule(server, "GET", "/token", 0, 200, NULL, "{\"token\":\"anon\"}");
    stub_rule(server, "GET", "/v2/", 1, 401, CHALLENGE, NULL);
    stub_rule(server, "GET", "/v2/", 0, 401,
              "WWW-Authenticate: Bearer realm=\"$SELF/token\",service=\"s\","
              "error=\"insufficient_scope\"\r\n",
              "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\"}]}");
    ck_assert_int_eq(resolve(), -SKL_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.msg, "pull access denied for "));
    ck_assert_ptr_nonnull(strstr(err.msg, "denied: requested access to the resource is denied"));
}
END_TEST

START_TEST(a_mirror_is_asked_first_and_anonymously)
{
    struct skl_registry_auth auth = {.username = "me", .password = "pw"};

    open_registry(stub_url(server));
    query.ref.host = "docker.io";
    query.auth = &auth;
    serve_image(server, "lib/app");
    ck_assert_msg(resolve() == 0, "%s", err.msg);
    expect_image(manifest_digest);
    ck_assert_ptr_null(strcasestr(stub_request(server, "GET", "/v2/", 0), "Authorization"));
}
END_TEST

START_TEST(names_are_shown_as_people_write_them)
{
    static const struct {
        struct skl_registry_ref ref;
        const char *name;
    } rows[] = {
        {{"docker.io", "library/busybox", "1", NULL}, "busybox:1"},
        {{"docker.io", "library/busybox", NULL, NULL}, "busybox:latest"},
        {{"docker.io", "library/a/b", "1", NULL}, "library/a/b:1"},
        {{"docker.io", "me/app", "1", NULL}, "me/app:1"},
        {{"reg:5000", "library/app", "1", NULL}, "reg:5000/library/app:1"},
        {{"docker.io", "library/x", "1", ZERO}, "x@" ZERO},
    };
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 1000);
    skl_registry_familiar(&b, &rows[_i].ref, true);
    ck_assert_str_eq(b.p, rows[_i].name);
}
END_TEST

START_TEST(a_name_that_could_change_the_url_is_refused)
{
    static const struct skl_registry_ref rows[] = {
        {"127.0.0.1:1/x", "app", "1", NULL},
        {"u@h", "app", "1", NULL},
        {"h", "app?x", "1", NULL},
        {"h", "APP", "1", NULL},
        {"h", "app", "1/../../x", NULL},
        {"h", "app", NULL, "sha256:../x"},
        {"h", "", "1", NULL},
        {"h", "app", NULL, "sha512:00"},
    };

    query.ref = rows[_i];
    ck_assert_int_eq(resolve(), -SKL_E_INVALID);
}
END_TEST

START_TEST(nobody_there_is_told_like_an_engine_does)
{
    char want[256];

    (void)snprintf(host, sizeof(host), "127.0.0.1:%d", stub_dead_port());
    (void)snprintf(want, sizeof(want),
                   "Get \"http://%s/v2/lib/app/manifests/1\": dial tcp %s: connect: connection "
                   "refused",
                   host, host);
    ck_assert_int_eq(resolve(), -SKL_E_INTERNAL);
    ck_assert_str_eq(err.msg, want);
}
END_TEST

START_TEST(hostile_manifests_are_refused)
{
    static const char *const bodies[] = {
        "",
        "[]",
        "{",
        "{\"config\":{}}",
        "{\"config\":{\"digest\":\"sha256:x\"}}",
        "{\"manifests\":[]}",
        "{\"manifests\":[{\"platform\":{\"os\":\"linux\",\"architecture\":"
        "\"amd64\"},\"digest\":\"../../x\"}]}",
        "{\"config\":{\"digest\":\"" ZERO "\"},\"layers\":[{\"digest\":7}]}",
        "{\"schemaVersion\":1,\"fsLayers\":[]}"};

    stub_rule(server, "GET", "/v2/lib/app/manifests/1 ", 0, 200, NULL, bodies[_i]);
    ck_assert_int_lt(resolve(), 0);
    ck_assert_ptr_null(image.digest);
    ck_assert_uint_eq(stub_count(server, "GET", "/"), 1);
}
END_TEST

START_TEST(a_description_lists_platforms)
{
    struct skl_registry_descriptor d;

    serve_image(server, "lib/app");
    query.ref.tag = _i ? "list" : "1";
    ck_assert_msg(skl_registry_describe(reg, &query, &d, &err) == 0, "%s", err.msg);
    ck_assert_str_eq(d.digest, _i ? list_digest : manifest_digest);
    ck_assert_uint_eq(d.n_platforms, _i ? 2 : 1);
    ck_assert_str_eq(d.platforms[_i].architecture, "amd64");
    skl_registry_descriptor_fini(&d);
}
END_TEST

START_TEST(a_login_is_checked_against_the_registry)
{
    struct skl_registry_auth auth = {.username = "me", .password = "pw"};

    stub_rule(server, "GET", "/v2/ ", 1, 401, "WWW-Authenticate: Basic realm=\"x\"\r\n", NULL);
    stub_rule(server, "GET", "/v2/ ", 0, _i ? 401 : 200, NULL, NULL);
    ck_assert_int_eq(skl_registry_check_login(reg, host, &auth, 0, NULL, &err),
                     _i ? -SKL_E_UNAUTHORIZED : 0);
    ck_assert_ptr_nonnull(strstr(stub_request(server, "GET", "/v2/ ", 1), "Basic bWU6cHc="));
    if (_i)
        ck_assert_ptr_nonnull(strstr(err.msg, "failed with status: 401 Unauthorized"));
}
END_TEST

START_TEST(a_login_that_the_token_service_refuses_shows_its_text)
{
    struct skl_registry_auth auth = {.username = "me", .password = "top-secret"};
    char server_url[128];

    (void)snprintf(server_url, sizeof(server_url), "http://%s/v2/", host);
    stub_rule(server, "GET", "/v2/ ", 0, 401,
              "WWW-Authenticate: Bearer realm=\"$SELF/token\",service=\"s\"\r\n", NULL);
    stub_rule(server, "GET", "/token", 0, 401, NULL,
              "{\"details\":\"incorrect username or password\"}");
    ck_assert_int_eq(skl_registry_check_login(reg, server_url, &auth, 0, NULL, &err),
                     -SKL_E_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(err.msg, "unauthorized: incorrect username or password"));
    ck_assert_ptr_null(strstr(err.msg, "top-secret"));
}
END_TEST

START_TEST(challenges_are_read_in_their_odd_forms)
{
    struct skl_challenge c;

    ck_assert(skl_challenge_parse(
        SKL_STR("bearer realm=\"https://a/t?x=1,2\", service=reg ,scope=\"a:b:pull,push\""), &c));
    ck_assert(c.bearer);
    ck_assert_str_eq(c.realm, "https://a/t?x=1,2");
    ck_assert_str_eq(c.service, "reg");
    ck_assert_str_eq(c.scope, "a:b:pull,push");
    ck_assert(skl_challenge_parse(SKL_STR("Basic realm=\"x\""), &c) && !c.bearer);
    ck_assert(!skl_challenge_parse(SKL_STR("Bearer service=\"x\""), &c));
    ck_assert(!skl_challenge_parse(SKL_STR("Negotiate"), &c));
    ck_assert(!skl_challenge_parse(SKL_STR(""), &c));
    ck_assert(!skl_challenge_parse(SKL_STR("Bearer realm"), &c));
    ck_assert(skl_challenge_parse(SKL_STR("Bearer realm=\"unclosed"), &c));
}
END_TEST

START_TEST(variants_fit_as_processors_do)
{
    static const struct {
        const char *architecture, *want;
        const char *list[3]; /* variants; the digest's last digit is the index */
        int index;           /* -1: none */
    } rows[] = {
        {"arm", NULL, {"v5", "v7", "v6"}, 1},   {"arm", "v6", {"v5", "v7", "v6"}, 2},
        {"arm", "v7", {"v5", "v6", NULL}, 2},   {"arm", "v5", {"v6", "v7", "v8"}, -1},
        {"arm64", NULL, {"v8", "v9", NULL}, 0}, {"arm64", "v8", {"v9", "", "v8"}, 1},
        {"amd64", NULL, {"v3", "v2", ""}, 2},
    };
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_registry_platform p = {"linux", rows[_i].architecture, rows[_i].want};
    SKL_AUTO_MANIFEST struct skl_manifest m = {0};
    const char *digest = NULL;
    int rc;

    skl_buf_init(&b, 4096);
    skl_buf_adds(&b, "{\"manifests\":[");
    for (int i = 0; i < 3; i++) {
        if (i)
            skl_buf_addc(&b, ',');
        skl_buf_addf(&b, "{\"digest\":\"%.70s%d\",\"platform\":{\"os\":\"linux\",", ZERO, i);
        skl_buf_addf(&b, "\"architecture\":\"%s\"", rows[_i].architecture);
        if (rows[_i].list[i])
            skl_buf_addf(&b, ",\"variant\":\"%s\"", rows[_i].list[i]);
        skl_buf_adds(&b, "}}");
    }
    skl_buf_adds(&b, "]}");
    ck_assert_int_eq(skl_manifest_parse(skl_buf_str(&b), NULL, NULL, &m, &err), 0);
    rc = skl_manifest_choose(&m, &p, &digest, &err);
    ck_assert_int_eq(rc, rows[_i].index < 0 ? -SKL_E_NOTFOUND : 0);
    if (rc == 0)
        ck_assert_int_eq(digest[70] - '0', rows[_i].index);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("registry");
    TCase *t = tcase_create("registry");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_plain_manifest_is_resolved_over_http_on_loopback);
    tcase_add_test(t, a_list_is_chosen_from_by_platform_and_keeps_its_digest);
    tcase_add_test(t, a_platform_that_is_not_there_is_named);
    tcase_add_test(t, a_digest_is_asked_for_and_checked);
    tcase_add_test(t, a_config_that_is_not_what_its_digest_says_is_refused);
    tcase_add_test(t, a_redirect_is_followed_without_authorization);
    tcase_add_test(t, a_redirect_that_never_ends_is_an_error);
    tcase_add_test(t, an_anonymous_token_is_fetched_once_and_kept);
    tcase_add_test(t, a_user_and_password_go_to_the_token_service);
    tcase_add_test(t, an_identity_token_is_exchanged);
    tcase_add_test(t, a_basic_challenge_gets_user_and_password);
    tcase_add_loop_test(t, a_refusal_has_the_engines_words, 0, (int)SKL_ARRAY_LEN(refusals));
    tcase_add_test(t, a_token_without_the_scope_is_access_denied);
    tcase_add_test(t, a_mirror_is_asked_first_and_anonymously);
    tcase_add_loop_test(t, names_are_shown_as_people_write_them, 0, 6);
    tcase_add_loop_test(t, a_name_that_could_change_the_url_is_refused, 0, 8);
    tcase_add_test(t, nobody_there_is_told_like_an_engine_does);
    tcase_add_loop_test(t, hostile_manifests_are_refused, 0, 9);
    tcase_add_loop_test(t, a_description_lists_platforms, 0, 2);
    tcase_add_loop_test(t, a_login_is_checked_against_the_registry, 0, 2);
    tcase_add_test(t, a_login_that_the_token_service_refuses_shows_its_text);
    tcase_add_test(t, challenges_are_read_in_their_odd_forms);
    tcase_add_loop_test(t, variants_fit_as_processors_do, 0, 7);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
