/* Tokens from Microsoft Entra's v2 token endpoint: client secret, certificate, federated token. */
#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/secrets.h"
#include "cloud/azure/source.h"

#define MAX_FORM      (64 * SKL_KIB)
#define MAX_ASSERTION (32 * SKL_KIB) /* a projected service account token is about 1 KiB */

static void form_begin(struct skl_buf *b, const struct skl_token_request *q)
{
    skl_buf_init(b, MAX_FORM);
    skl_form_add(b, "grant_type", "client_credentials");
    skl_form_add(b, "client_id", q->auth->client_id);
    skl_form_add(b, "scope", q->scope);
}

static void add_assertion(struct skl_buf *b, const char *jwt)
{
    skl_form_add(b, "client_assertion_type",
                 "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    skl_form_add(b, "client_assertion", jwt);
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
    SKL_AUTO_JSON cJSON *json = NULL;
    int rc = skl_oauth_post(q->auth->rest, source, url, form, NULL, &q->limits, &json, err);

    skl_form_end(form);
    if (rc < 0)
        return rc;
    rc = skl_token_read(json, "access_token", ret, err);
    return rc < 0 ? skl_wrap(err, rc, "%s", source) : 0;
}

int skl_token_from_secret(const struct skl_token_request *q, struct skl_token *ret,
                          struct skl_error *err)
{
    struct skl_buf form;

    if (!q->auth->client_secret)
        return SKL_SOURCE_ABSENT;
    form_begin(&form, q);
    skl_form_add(&form, "client_secret", q->auth->client_secret);
    return post_form(q, "client secret (AZURE_CLIENT_SECRET)", &form, ret, err);
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
    return post_form(q, "client certificate (AZURE_CLIENT_CERTIFICATE_PATH)", &form, ret, err);
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
    skl_secret_seen(jwt);
    form_begin(&form, q);
    add_assertion(&form, jwt);
    return post_form(q, "workload identity (AZURE_FEDERATED_TOKEN_FILE)", &form, ret, err);
}
