/* Tokens from Microsoft Entra's v2 token endpoint: client secret, certificate, federated token. */
#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/azure/source.h"

#define MAX_FORM      (64 * SKL_KIB)
#define MAX_ASSERTION (32 * SKL_KIB) /* a projected service account token is about 1 KiB */

static void form_add(struct skl_buf *b, const char *key, const char *value)
{
    if (b->n > 0)
        skl_buf_addc(b, '&');
    skl_buf_adds(b, key);
    skl_buf_addc(b, '=');
    skl_url_encode(b, skl_str(value));
}

static void form_begin(struct skl_buf *b, const struct skl_token_request *q)
{
    skl_buf_init(b, MAX_FORM);
    form_add(b, "grant_type", "client_credentials");
    form_add(b, "client_id", q->auth->client_id);
    form_add(b, "scope", q->scope);
}

static void add_assertion(struct skl_buf *b, const char *jwt)
{
    form_add(b, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    form_add(b, "client_assertion", jwt);
}

static char *token_url(const struct skl_azure_auth *a)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 4096);
    skl_buf_addf(&b, "%s/%s/oauth2/v2.0/token", a->authority, a->tenant_id);
    return skl_buf_detach(&b);
}

static int post_form(const struct skl_token_request *q, const char *source, struct skl_buf *form,
                     struct skl_token *ret, struct skl_error *err)
{
    char *url SKL_AUTO_STR = token_url(q->auth);
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    SKL_AUTO_JSON cJSON *json = NULL;
    struct skl_rest_request req = {.operation = "token",
                                   .method = "POST",
                                   .url = url,
                                   .body = skl_buf_str(form),
                                   .content_type = "application/x-www-form-urlencoded",
                                   .max_body = SKL_MIB,
                                   .idempotent = true,
                                   .deadline_ms = q->deadline_ms,
                                   .cancel = q->cancel};
    int rc;

    if (form->failed)
        return skl_fail(err, SKL_E_TOOBIG, "%s: the token request is too large", source);
    rc = skl_rest_call(q->auth->rest, &req, &answer, err);
    if (rc < 0)
        return skl_wrap(err, rc, "%s", source);
    if (answer.status != 200)
        return skl_token_refused(source, answer.status, skl_buf_str(&answer.body), err);
    rc = skl_json_parse(skl_buf_str(&answer.body), &json, err);
    if (rc == 0)
        rc = skl_token_read(json, "access_token", ret, err);
    return rc < 0 ? skl_wrap(err, rc, "%s", source) : 0;
}

static void form_end(struct skl_buf *b)
{
    explicit_bzero(b->p, b->n);
    skl_buf_fini(b);
}

int skl_token_from_secret(const struct skl_token_request *q, struct skl_token *ret,
                          struct skl_error *err)
{
    struct skl_buf form;
    int rc;

    if (!q->auth->client_secret)
        return SKL_SOURCE_ABSENT;
    form_begin(&form, q);
    form_add(&form, "client_secret", q->auth->client_secret);
    rc = post_form(q, "client secret (AZURE_CLIENT_SECRET)", &form, ret, err);
    form_end(&form);
    return rc;
}

int skl_token_from_certificate(const struct skl_token_request *q, struct skl_token *ret,
                               struct skl_error *err)
{
    char *url SKL_AUTO_STR = NULL;
    SKL_AUTO_SECRET char *jwt = NULL;
    struct skl_buf form;
    int rc;

    if (!q->auth->certificate_path)
        return SKL_SOURCE_ABSENT;
    url = token_url(q->auth);
    rc = skl_assertion_make(q->auth->certificate_path, q->auth->certificate_password,
                            q->auth->client_id, url, &jwt, err);
    if (rc < 0)
        return skl_wrap(err, rc, "AZURE_CLIENT_CERTIFICATE_PATH");
    form_begin(&form, q);
    add_assertion(&form, jwt);
    rc = post_form(q, "client certificate (AZURE_CLIENT_CERTIFICATE_PATH)", &form, ret, err);
    form_end(&form);
    return rc;
}

int skl_token_from_federation(const struct skl_token_request *q, struct skl_token *ret,
                              struct skl_error *err)
{
    SKL_AUTO_SECRET char *jwt = NULL;
    struct skl_str trimmed;
    struct skl_buf form;
    int rc;

    if (!q->auth->federated_token_file || !q->auth->tenant_id || !q->auth->client_id)
        return SKL_SOURCE_ABSENT;
    rc = skl_secret_file_read(q->auth->federated_token_file, MAX_ASSERTION, &jwt, NULL, err);
    if (rc < 0)
        return skl_wrap(err, rc, "AZURE_FEDERATED_TOKEN_FILE");
    trimmed = skl_str_trim(skl_str(jwt));
    if (trimmed.n == 0)
        return skl_fail(err, SKL_E_INVALID, "AZURE_FEDERATED_TOKEN_FILE: '%s' is empty",
                        q->auth->federated_token_file);
    memmove(jwt, trimmed.p, trimmed.n);
    jwt[trimmed.n] = '\0';
    form_begin(&form, q);
    add_assertion(&form, jwt);
    rc = post_form(q, "workload identity (AZURE_FEDERATED_TOKEN_FILE)", &form, ret, err);
    form_end(&form);
    return rc;
}
