/* Tokens from Google's OAuth endpoints: a service account's signed assertion, a user's refresh token, a federated
 * identity's subject token. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/secrets.h"
#include "cloud/gcp/source.h"

#define LIFETIME_S     3600
#define CLOCK_SLACK_S  10
#define MAX_FORM       (64 * SKL_KIB)
#define MAX_SUBJECT    (64 * SKL_KIB)
#define GRANT_JWT      "urn:ietf:params:oauth:grant-type:jwt-bearer"
#define GRANT_EXCHANGE "urn:ietf:params:oauth:grant-type:token-exchange"
#define TYPE_ACCESS    "urn:ietf:params:oauth:token-type:access_token"

int skl_gcp_id_token_read(const char *source, struct skl_str text, struct skl_token *ret,
                          struct skl_error *err)
{
    struct skl_str payload, signature = {NULL, 0};
    SKL_AUTO_SECRET char *token = NULL;
    SKL_AUTO_BUF struct skl_buf b = {0};
    SKL_AUTO_JSON cJSON *claims = NULL;
    int64_t left;

    text = skl_str_trim(text);
    skl_buf_init(&b, MAX_FORM);
    (void)skl_str_cut(text, '.', &payload);
    if (payload.p)
        payload = skl_str_cut(payload, '.', &signature);
    token = skl_str_dup(text);
    if (!signature.p || strlen(token) != text.n || !skl_token_is_sane(token) ||
        !skl_base64_decode(&b, payload) || skl_json_parse(skl_buf_str(&b), &claims, NULL) < 0)
        return skl_fail(err, SKL_E_INTERNAL, "%s: the answer is no ID token", source);
    left = skl_json_get_int(claims, "exp", 0);
    if (left > INT64_C(100000000000))
        left = 0; /* no such year */
    left -= skl_wall_ns() / SKL_NS_PER_S;
    if (left <= 0)
        return skl_fail(err, SKL_E_INTERNAL,
                        "%s: the ID token has already ended: is this machine's clock right?",
                        source);
    ret->text = skl_take(&token);
    ret->lifetime_ms = left * 1000;
    return 0;
}

/* The assertion: who we are, for which endpoint, and what for. */
static int sign_assertion(const struct skl_gcp_source *s, const char *target_audience, char **ret,
                          struct skl_error *err)
{
    int64_t now = skl_wall_ns() / SKL_NS_PER_S - CLOCK_SLACK_S;
    SKL_AUTO_BUF struct skl_buf header = {0}, claims = {0};
    mbedtls_pk_context key;
    struct skl_json j;
    int rc;

    skl_buf_init(&header, 4 * SKL_KIB);
    skl_json_init(&j, &header);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "alg", "RS256");
    skl_json_str(&j, "typ", "JWT");
    if (s->private_key_id)
        skl_json_str(&j, "kid", s->private_key_id);
    skl_json_end_object(&j);
    skl_buf_init(&claims, 8 * SKL_KIB);
    skl_json_init(&j, &claims);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "iss", s->email);
    skl_json_str(&j, "aud", s->assertion_audience);
    skl_json_str(&j, target_audience ? "target_audience" : "scope",
                 target_audience ? target_audience : SKL_GCP_SCOPE);
    skl_json_int(&j, "iat", now);
    skl_json_int(&j, "exp", now + LIFETIME_S);
    skl_json_end_object(&j);
    if (header.failed || claims.failed)
        return skl_fail(err, SKL_E_TOOBIG, "the assertion is too large");
    mbedtls_pk_init(&key);
    if (skl_key_parse(&key, s->private_key, strlen(s->private_key), NULL) != 0)
        rc = skl_fail(err, SKL_E_INVALID, "the private key cannot be read");
    else
        rc =
            skl_jwt_make(&key, SKL_JWT_RS256, skl_buf_str(&header), skl_buf_str(&claims), ret, err);
    mbedtls_pk_free(&key);
    return rc;
}

int skl_gcp_service_account_token(const struct skl_gcp_source *s, struct skl_rest *rest,
                                  const char *target_audience,
                                  const struct skl_token_limits *limits, struct skl_token *ret,
                                  struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf source = {0};
    SKL_AUTO_SECRET char *jwt = NULL;
    SKL_AUTO_JSON cJSON *json = NULL;
    struct skl_buf form;
    int rc;

    skl_buf_init(&source, SKL_KIB);
    skl_buf_addf(&source, "service account '%.200s'", s->email);
    rc = sign_assertion(s, target_audience, &jwt, err);
    if (rc < 0)
        return skl_wrap(err, rc, "%s", source.p);
    skl_buf_init(&form, MAX_FORM);
    skl_form_add(&form, "grant_type", GRANT_JWT);
    skl_form_add(&form, "assertion", jwt);
    rc = skl_oauth_post(rest, source.p, s->token_url, &form, NULL, limits, &json, err);
    skl_form_end(&form);
    if (rc == -SKL_E_UNAUTHORIZED) {
        struct skl_error why = *err;

        return skl_fail(err, SKL_E_UNAUTHORIZED,
                        "%.400s (is this machine's clock right, and does the key still exist?)",
                        why.msg);
    }
    if (rc < 0)
        return rc;
    if (target_audience)
        return skl_gcp_id_token_read(source.p, skl_str(skl_json_get_str(json, "id_token")), ret,
                                     err);
    rc = skl_token_read(json, "access_token", ret, err);
    return rc < 0 ? skl_wrap(err, rc, "%s", source.p) : 0;
}

int skl_gcp_user_token(const struct skl_gcp_source *s, struct skl_rest *rest,
                       const struct skl_token_limits *limits, struct skl_token *ret,
                       struct skl_error *err)
{
    static const char source[] = "user credentials (gcloud auth application-default login)";
    SKL_AUTO_JSON cJSON *json = NULL;
    struct skl_buf form;
    int rc;

    skl_buf_init(&form, MAX_FORM);
    skl_form_add(&form, "grant_type", "refresh_token");
    skl_form_add(&form, "client_id", s->client_id);
    skl_form_add(&form, "client_secret", s->client_secret);
    skl_form_add(&form, "refresh_token", s->refresh_token);
    rc = skl_oauth_post(rest, source, s->token_url, &form, NULL, limits, &json, err);
    skl_form_end(&form);
    if (rc == 0) {
        rc = skl_token_read(json, "access_token", ret, err);
        if (rc < 0)
            return skl_wrap(err, rc, "%s", source);
    }
    return rc;
}

/* -- federation */

static int ask_subject(const struct skl_gcp_source *s, struct skl_rest *rest,
                       const struct skl_token_limits *limits, char **ret, struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    size_t n = skl_strv_len(s->subject_headers) / 2;
    struct skl_rest_header *headers = skl_new0_n(struct skl_rest_header, n + 1);
    struct skl_rest_request req = {.operation = "token",
                                   .method = "GET",
                                   .url = s->subject_url,
                                   .headers = headers,
                                   .n_headers = n,
                                   .max_body = MAX_SUBJECT,
                                   .deadline_ms = limits->deadline_ms,
                                   .cancel = limits->cancel};
    int rc;

    for (size_t i = 0; i < n; i++)
        headers[i] =
            (struct skl_rest_header){s->subject_headers[2 * i], s->subject_headers[2 * i + 1]};
    rc = skl_rest_call(rest, &req, &answer, err);
    free(headers);
    if (rc < 0)
        return skl_wrap(err, rc, "credential_source.url");
    if (answer.status != 200)
        return skl_oauth_refused("credential_source.url", answer.status, skl_buf_str(&answer.body),
                                 err);
    *ret = skl_strndup(answer.body.p, answer.body.n);
    return 0;
}

/* Read anew each time: whoever writes it replaces it before it ends. */
static int subject_token(const struct skl_gcp_source *s, struct skl_rest *rest,
                         const struct skl_token_limits *limits, char **ret, struct skl_error *err)
{
    const char *where = s->subject_file ? "credential_source.file" : "credential_source.url";
    SKL_AUTO_SECRET char *text = NULL;
    SKL_AUTO_JSON cJSON *json = NULL;
    struct skl_str token;
    int rc = s->subject_file ? skl_secret_file_read(s->subject_file, MAX_SUBJECT, &text, NULL, err)
                             : ask_subject(s, rest, limits, &text, err);

    if (rc < 0)
        return s->subject_file ? skl_wrap(err, rc, "%s", where) : rc;
    token = skl_str_trim(skl_str(text));
    if (s->subject_field) {
        if (skl_json_parse(token, &json, NULL) < 0)
            return skl_fail(err, SKL_E_INVALID, "%s: it is not JSON", where);
        token = skl_str_trim(skl_str(skl_json_get_str(json, s->subject_field)));
    }
    if (token.n == 0)
        return skl_fail(err, SKL_E_INVALID, "%s: it holds no subject token", where);
    *ret = skl_str_dup(token);
    skl_secret_seen(*ret);
    return 0;
}

static void add_exchange(struct skl_buf *form, const struct skl_gcp_source *s, const char *subject)
{
    skl_form_add(form, "grant_type", GRANT_EXCHANGE);
    skl_form_add(form, "requested_token_type", TYPE_ACCESS);
    skl_form_add(form, "audience", s->audience);
    skl_form_add(form, "scope", SKL_GCP_SCOPE);
    skl_form_add(form, "subject_token_type", s->subject_token_type);
    skl_form_add(form, "subject_token", subject);
    if (s->workforce_project && !s->client_id) {
        SKL_AUTO_BUF struct skl_buf options = {0};
        struct skl_json j;

        skl_buf_init(&options, 4 * SKL_KIB);
        skl_json_init(&j, &options);
        skl_json_object(&j, NULL);
        skl_json_str(&j, "userProject", s->workforce_project);
        skl_json_end_object(&j);
        skl_form_add(form, "options", options.p);
    }
}

/* "Basic base64(id:secret)", owned; NULL without a client. */
static char *basic_authorization(const struct skl_gcp_source *s)
{
    struct skl_buf plain, b;

    if (!s->client_id || !s->client_secret)
        return NULL;
    skl_buf_init(&plain, 4 * SKL_KIB);
    skl_buf_init(&b, 8 * SKL_KIB);
    skl_buf_addf(&plain, "%s:%s", s->client_id, s->client_secret);
    skl_buf_adds(&b, "Basic ");
    skl_base64_add(&b, plain.p, plain.n);
    skl_form_end(&plain);
    return skl_buf_detach(&b);
}

int skl_gcp_external_token(const struct skl_gcp_source *s, struct skl_rest *rest,
                           const struct skl_token_limits *limits, struct skl_token *ret,
                           struct skl_error *err)
{
    static const char source[] = "workload identity federation";
    SKL_AUTO_SECRET char *authorization = NULL;
    SKL_AUTO_SECRET char *subject = NULL;
    SKL_AUTO_JSON cJSON *json = NULL;
    struct skl_buf form;
    int rc = subject_token(s, rest, limits, &subject, err);

    if (rc < 0)
        return skl_wrap(err, rc, "%s", source);
    authorization = basic_authorization(s);
    skl_buf_init(&form, 2 * MAX_FORM);
    add_exchange(&form, s, subject);
    rc = skl_oauth_post(rest, source, s->token_url, &form, authorization, limits, &json, err);
    skl_form_end(&form);
    if (rc == 0) {
        rc = skl_token_read(json, "access_token", ret, err);
        if (rc < 0)
            return skl_wrap(err, rc, "%s", source);
    }
    return rc;
}
