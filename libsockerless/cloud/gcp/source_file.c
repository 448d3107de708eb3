/* Reading a credential's file. A Google host in it is replaced when an endpoint URL is set: the file of a real account
 * then works against a simulator, and nothing of it goes to Google. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/secrets.h"
#include "cloud/gcp/source.h"

#define GOOGLE_TOKEN_URL   "https://oauth2.googleapis.com/token"
#define DEFAULT_LIFETIME_S 3600
#define MAX_LIFETIME_S     43200

static char *get(const cJSON *json, const char *key)
{
    const char *v = skl_json_get_str(json, key);

    return skl_str_empty(v) ? NULL : skl_strdup(v);
}

static int need(const cJSON *json, const char *key, char **ret, struct skl_error *err)
{
    *ret = get(json, key);
    if (*ret)
        return 0;
    return skl_fail(err, SKL_E_INVALID, "it has no '%s'", key);
}

/* "https://NAME.googleapis.com/path": where its path begins; NULL for any other host. */
static const char *google_path(const char *url)
{
    struct skl_str rest, host;

    if (!skl_str_istarts(skl_str(url), "https://"))
        return NULL;
    host = skl_str_cut(skl_str(url + 8), '/', &rest);
    if (!rest.p || !skl_str_ends(host, ".googleapis.com"))
        return NULL;
    return rest.p - 1;
}

static char *called_url(const char *url, const char *endpoint)
{
    const char *path = endpoint ? google_path(url) : NULL;
    SKL_AUTO_BUF struct skl_buf b = {0};

    if (!path)
        return skl_strdup(url);
    skl_buf_init(&b, 16 * SKL_KIB);
    skl_buf_addf(&b, "%s%s", endpoint, path);
    return skl_buf_detach(&b);
}

static int check_url(const char *key, const char *url, struct skl_error *err)
{
    if (skl_url_same_origin(url, url))
        return 0;
    return skl_fail(err, SKL_E_INVALID, "its '%s' is not an http:// or https:// URL", key);
}

/* Required; as it is called. */
static int need_url(const cJSON *json, const char *key, const char *endpoint, char **ret,
                    struct skl_error *err)
{
    const char *url = skl_json_get_str(json, key);
    int rc;

    if (skl_str_empty(url))
        return skl_fail(err, SKL_E_INVALID, "it has no '%s'", key);
    rc = check_url(key, url, err);
    if (rc == 0)
        *ret = called_url(url, endpoint);
    return rc;
}

static int load_service_account(const cJSON *json, const char *endpoint, struct skl_gcp_source *s,
                                struct skl_error *err)
{
    const char *url = skl_json_get_str(json, "token_uri");
    mbedtls_pk_context key;
    int rc = need(json, "client_email", &s->email, err);

    if (rc == 0)
        rc = need(json, "private_key", &s->private_key, err);
    if (rc < 0)
        return rc;
    s->private_key_id = get(json, "private_key_id");
    s->assertion_audience = skl_strdup(skl_str_empty(url) ? GOOGLE_TOKEN_URL : url);
    rc = check_url("token_uri", s->assertion_audience, err);
    if (rc < 0)
        return rc;
    s->token_url = called_url(s->assertion_audience, endpoint);
    mbedtls_pk_init(&key);
    if (skl_key_parse(&key, s->private_key, strlen(s->private_key), NULL) != 0 ||
        !mbedtls_pk_can_do(&key, MBEDTLS_PK_RSA))
        rc = skl_fail(err, SKL_E_INVALID, "its 'private_key' is not an RSA key in PEM form");
    mbedtls_pk_free(&key);
    return rc;
}

static int load_user(const cJSON *json, const char *endpoint, struct skl_gcp_source *s,
                     struct skl_error *err)
{
    const char *url = skl_json_get_str(json, "token_uri");
    int rc = need(json, "client_id", &s->client_id, err);

    if (rc == 0)
        rc = need(json, "client_secret", &s->client_secret, err);
    if (rc == 0)
        rc = need(json, "refresh_token", &s->refresh_token, err);
    if (skl_str_empty(url))
        url = GOOGLE_TOKEN_URL;
    if (rc == 0)
        rc = check_url("token_uri", url, err);
    if (rc == 0)
        s->token_url = called_url(url, endpoint);
    return rc;
}

/* ".../serviceAccounts/EMAIL:generateAccessToken" */
static int load_impersonation(const cJSON *json, const char *endpoint, struct skl_gcp_source *s,
                              struct skl_error *err)
{
    static const char key[] = "service_account_impersonation_url";
    int rc = need_url(json, key, endpoint, &s->impersonation_url, err);
    const char *name;
    struct skl_str email;

    if (rc < 0)
        return rc;
    name = strstr(s->impersonation_url, "/serviceAccounts/");
    email = name ? skl_str_cut(skl_str(strrchr(name, '/') + 1), ':', &(struct skl_str){NULL, 0})
                 : (struct skl_str){NULL, 0};
    if (email.n == 0 || !skl_str_ends(skl_str(s->impersonation_url), ":generateAccessToken"))
        return skl_fail(err, SKL_E_INVALID,
                        "its '%s' is not .../serviceAccounts/EMAIL:generateAccessToken", key);
    s->impersonated = skl_str_dup(email);
    return 0;
}

static int load_lifetime(const cJSON *json, struct skl_gcp_source *s, struct skl_error *err)
{
    s->lifetime_s = skl_json_get_int(skl_json_get(json, "service_account_impersonation"),
                                     "token_lifetime_seconds", DEFAULT_LIFETIME_S);
    if (s->lifetime_s < 1 || s->lifetime_s > MAX_LIFETIME_S)
        return skl_fail(err, SKL_E_INVALID, "its 'token_lifetime_seconds' is not 1 to %d",
                        MAX_LIFETIME_S);
    return 0;
}

static int refuse_subject(const cJSON *source, struct skl_error *err)
{
    const char *what = "no 'file' and no 'url'";

    if (skl_json_get(source, "executable"))
        what = "'executable', which is not supported";
    else if (skl_json_get(source, "environment_id"))
        what = "'environment_id' (AWS), which is not supported";
    else if (skl_json_get(source, "certificate"))
        what = "'certificate', which is not supported";
    return skl_fail(err, SKL_E_INVALID,
                    "its 'credential_source' has %s: use a source of kind 'file' or 'url'", what);
}

static int load_subject(const cJSON *source, struct skl_gcp_source *s, struct skl_error *err)
{
    const cJSON *format = skl_json_get(source, "format"), *header;
    const char *type = skl_json_get_str(format, "type");
    int rc;

    s->subject_file = get(source, "file");
    s->subject_url = s->subject_file ? NULL : get(source, "url");
    if (!s->subject_file && !s->subject_url)
        return refuse_subject(source, err);
    rc = s->subject_url ? check_url("credential_source.url", s->subject_url, err) : 0;
    if (rc < 0)
        return rc;
    cJSON_ArrayForEach(header, skl_json_get(source, "headers"))
    {
        if (!cJSON_IsString(header) || !header->string)
            continue;
        skl_strv_push(&s->subject_headers, header->string);
        skl_strv_push(&s->subject_headers, header->valuestring);
    }
    if (!type || skl_streq(type, "text"))
        return 0;
    if (!skl_streq(type, "json"))
        return skl_fail(err, SKL_E_INVALID, "its 'credential_source' has an unknown format");
    return need(format, "subject_token_field_name", &s->subject_field, err);
}

static int load_external(const cJSON *json, const char *endpoint, struct skl_gcp_source *s,
                         struct skl_error *err)
{
    int rc = need(json, "audience", &s->audience, err);

    if (rc == 0)
        rc = need(json, "subject_token_type", &s->subject_token_type, err);
    if (rc == 0)
        rc = need_url(json, "token_url", endpoint, &s->token_url, err);
    if (rc == 0)
        rc = load_subject(skl_json_get(json, "credential_source"), s, err);
    if (rc == 0)
        rc = load_lifetime(json, s, err);
    if (rc < 0)
        return rc;
    s->client_id = get(json, "client_id");
    s->client_secret = get(json, "client_secret");
    s->workforce_project = get(json, "workforce_pool_user_project");
    if (skl_str_empty(skl_json_get_str(json, "service_account_impersonation_url")))
        return 0;
    return load_impersonation(json, endpoint, s, err);
}

static int load_impersonated(const cJSON *json, const char *endpoint, struct skl_gcp_source *s,
                             struct skl_error *err)
{
    const cJSON *base = skl_json_get(json, "source_credentials");
    const char *type = skl_json_get_str(base, "type");
    int rc = load_impersonation(json, endpoint, s, err);

    s->lifetime_s = DEFAULT_LIFETIME_S;
    s->delegates = skl_json_get_strv(json, "delegates");
    if (rc < 0)
        return rc;
    if (!cJSON_IsObject(base))
        return skl_fail(err, SKL_E_INVALID, "it has no 'source_credentials'");
    if (skl_streq(type, "impersonated_service_account"))
        return skl_fail(err, SKL_E_INVALID,
                        "its 'source_credentials' are impersonated, too: use 'delegates'");
    rc = skl_gcp_source_load(base, endpoint, &s->base, err);
    return rc < 0 ? skl_wrap(err, rc, "source_credentials") : 0;
}

static const struct {
    const char *type;
    enum skl_gcp_source_kind kind;
    int (*load)(const cJSON *, const char *, struct skl_gcp_source *, struct skl_error *);
} types[] = {
    {"service_account", SKL_GCP_SERVICE_ACCOUNT, load_service_account},
    {"authorized_user", SKL_GCP_AUTHORIZED_USER, load_user},
    {"external_account", SKL_GCP_EXTERNAL_ACCOUNT, load_external},
    {"impersonated_service_account", SKL_GCP_IMPERSONATED, load_impersonated},
};

int skl_gcp_source_load(const cJSON *json, const char *endpoint, struct skl_gcp_source **ret,
                        struct skl_error *err)
{
    const char *type = skl_json_get_str(json, "type");
    SKL_AUTO(gcp_source) s = skl_new0(struct skl_gcp_source);

    if (skl_str_empty(type))
        return skl_fail(err, SKL_E_INVALID, "it is not a credentials file: it has no 'type'");
    for (size_t i = 0; i < SKL_ARRAY_LEN(types); i++) {
        int rc;

        if (!skl_streq(types[i].type, type))
            continue;
        s->kind = types[i].kind;
        s->quota_project = get(json, "quota_project_id");
        rc = types[i].load(json, endpoint, s, err);
        skl_secret_add(s->client_secret);
        skl_secret_add(s->refresh_token);
        if (rc == 0)
            *ret = skl_take(&s);
        return rc;
    }
    return skl_fail(err, SKL_E_INVALID,
                    "credentials of type '%.60s' are not supported: use service_account, "
                    "authorized_user, external_account or impersonated_service_account",
                    type);
}

struct skl_gcp_source *skl_gcp_source_metadata(const char *url, bool sure)
{
    struct skl_gcp_source *s = skl_new0(struct skl_gcp_source);

    s->kind = SKL_GCP_METADATA;
    s->metadata_url = skl_strdup(url);
    s->metadata_sure = sure;
    return s;
}

void skl_gcp_source_free(struct skl_gcp_source *s)
{
    if (!s)
        return;
    free(s->quota_project);
    free(s->email);
    skl_secret_free(s->private_key);
    free(s->private_key_id);
    free(s->assertion_audience);
    free(s->token_url);
    free(s->client_id);
    skl_secret_remove(s->client_secret);
    skl_secret_free(s->client_secret);
    skl_secret_remove(s->refresh_token);
    skl_secret_free(s->refresh_token);
    free(s->audience);
    free(s->subject_token_type);
    free(s->subject_file);
    free(s->subject_url);
    free(s->subject_field);
    for (char **h = s->subject_headers; h && *h; h++)
        explicit_bzero(*h, strlen(*h)); /* one of them may carry a secret */
    skl_strv_free(s->subject_headers);
    free(s->workforce_project);
    free(s->impersonated);
    free(s->impersonation_url);
    skl_strv_free(s->delegates);
    skl_gcp_source_free(s->base);
    free(s->metadata_url);
    free(s);
}
