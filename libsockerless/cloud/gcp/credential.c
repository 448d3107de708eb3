/* Where the credential is found, and which of its tokens is made how. Tokens are kept by a key: "access" for the APIs,
 * "id AUDIENCE", and "base" for the identity behind an impersonated account, which is asked again for each audience. */
#include "cloud/gcp/credential.h"

#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/gcp/source.h"
#include "cloud/token_cache.h"

#define EARLY_MS      (225 * 1000) /* the metadata server has a new one 4 min before the end */
#define MAX_FILE      (256 * SKL_KIB)
#define KEY_ACCESS    "access"
#define KEY_BASE      "base"
#define KEY_ID        "id "
#define WELL_KNOWN    "application_default_credentials.json"
#define METADATA_HOST "metadata.google.internal"
#define IAM           "https://iamcredentials.googleapis.com"

struct skl_gcp_credential {
    struct skl_rest *rest;
    struct skl_gcp_source *source;
    char *endpoint; /* NULL: Google's own hosts */
    char *invoker_account, *quota_project;
    char *name; /* for people */
    struct skl_token_cache *tokens;
};

/* -- tokens */

/* The token that a source has without asking for another account's. */
static int own_token(const struct skl_gcp_source *s, struct skl_rest *rest,
                     const struct skl_token_limits *limits, struct skl_token *ret,
                     struct skl_error *err)
{
    switch (s->kind) {
    case SKL_GCP_SERVICE_ACCOUNT:
        return skl_gcp_service_account_token(s, rest, NULL, limits, ret, err);
    case SKL_GCP_AUTHORIZED_USER:
        return skl_gcp_user_token(s, rest, limits, ret, err);
    case SKL_GCP_EXTERNAL_ACCOUNT:
        return skl_gcp_external_token(s, rest, limits, ret, err);
    case SKL_GCP_METADATA:
        return skl_gcp_metadata_token(s, rest, NULL, limits, ret, err);
    case SKL_GCP_IMPERSONATED:
        break;
    }
    return skl_fail(err, SKL_E_INTERNAL, "an impersonated account has no token of its own");
}

/* Who asks for an impersonated account's tokens. */
static int base_token(const struct skl_gcp_source *s, struct skl_rest *rest,
                      const struct skl_token_limits *limits, struct skl_token *ret,
                      struct skl_error *err)
{
    const struct skl_gcp_source *base = s->base ? s->base : s;
    struct skl_token own = {0};
    bool refused;
    int rc;

    if (base == s || !base->impersonated)
        return own_token(base, rest, limits, ret, err);
    rc = own_token(base, rest, limits, &own, err);
    if (rc == 0)
        rc = skl_gcp_iam_access_token(base, rest, own.text, limits, &refused, ret, err);
    skl_secret_free(own.text);
    return rc;
}

/* An account's token from IAM; a bearer that it refuses with 401 is asked for anew, once. */
static int from_iam(struct skl_gcp_credential *c, const char *bearer_key,
                    const struct skl_gcp_id_token_ask *ask, const struct skl_token_limits *limits,
                    struct skl_token *ret, struct skl_error *err)
{
    for (int attempt = 0;; attempt++) {
        SKL_AUTO_SECRET char *bearer = NULL;
        bool refused = false;
        int rc = skl_token_cache_get(c->tokens, bearer_key, limits->deadline_ms, limits->cancel,
                                     &bearer, err);

        if (rc < 0)
            return rc;
        rc = ask ? skl_gcp_iam_id_token(ask, c->rest, bearer, limits, &refused, ret, err)
                 : skl_gcp_iam_access_token(c->source, c->rest, bearer, limits, &refused, ret, err);
        if (!refused || attempt > 0)
            return rc;
        skl_token_cache_drop(c->tokens, bearer);
    }
}

static int identity_by_iam(struct skl_gcp_credential *c, const char *audience,
                           const struct skl_token_limits *limits, struct skl_token *ret,
                           struct skl_error *err)
{
    const char *own = c->source->impersonated;
    const char *email = own ? own : c->invoker_account;
    struct skl_gcp_id_token_ask ask = {.audience = audience,
                                       .delegates = own ? c->source->delegates : NULL};
    SKL_AUTO_BUF struct skl_buf url = {0};
    int rc;

    if (!email)
        return skl_fail(err, SKL_E_INVALID,
                        "%s cannot have an ID token for '%.200s': name a service account to ask "
                        "for it (SOCKERLESS_GCF_INVOKER_SERVICE_ACCOUNT)",
                        c->name, audience);
    skl_buf_init(&url, 4 * SKL_KIB);
    skl_buf_addf(&url, "%s/v1/projects/-/serviceAccounts/%s:generateIdToken",
                 c->endpoint ? c->endpoint : IAM, email);
    ask.url = url.p;
    rc = from_iam(c, own ? KEY_BASE : KEY_ACCESS, &ask, limits, ret, err);
    return rc < 0 ? skl_wrap(err, rc, "service account '%.200s'", email) : 0;
}

static int fetch(void *arg, const char *key, const struct skl_token_limits *limits,
                 struct skl_token *ret, struct skl_error *err)
{
    struct skl_gcp_credential *c = arg;
    const struct skl_gcp_source *s = c->source;
    const char *audience = key + strlen(KEY_ID);

    if (skl_streq(key, KEY_BASE))
        return base_token(s, c->rest, limits, ret, err);
    if (skl_streq(key, KEY_ACCESS))
        return s->impersonated ? from_iam(c, KEY_BASE, NULL, limits, ret, err)
                               : own_token(s, c->rest, limits, ret, err);
    if (s->kind == SKL_GCP_SERVICE_ACCOUNT)
        return skl_gcp_service_account_token(s, c->rest, audience, limits, ret, err);
    if (s->kind == SKL_GCP_METADATA)
        return skl_gcp_metadata_token(s, c->rest, audience, limits, ret, err);
    return identity_by_iam(c, audience, limits, ret, err);
}

int skl_gcp_access_token(struct skl_gcp_credential *c, int64_t deadline_ms,
                         const atomic_bool *cancel, char **ret, struct skl_error *err)
{
    return skl_token_cache_get(c->tokens, KEY_ACCESS, deadline_ms, cancel, ret, err);
}

int skl_gcp_id_token(struct skl_gcp_credential *c, const char *audience, int64_t deadline_ms,
                     const atomic_bool *cancel, char **ret, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf key = {0};

    skl_buf_init(&key, 8 * SKL_KIB);
    skl_buf_addf(&key, KEY_ID "%s", audience);
    if (key.failed || skl_str_empty(audience))
        return skl_fail(err, SKL_E_INVALID, "an ID token needs an audience: a service's URL");
    return skl_token_cache_get(c->tokens, key.p, deadline_ms, cancel, ret, err);
}

void skl_gcp_credential_invalidate(struct skl_gcp_credential *c, const char *token)
{
    skl_token_cache_drop(c->tokens, token);
}

const char *skl_gcp_credential_source(const struct skl_gcp_credential *c)
{
    return c->name;
}

const char *skl_gcp_credential_quota_project(const struct skl_gcp_credential *c)
{
    return c->quota_project;
}

/* -- where it is */

static const char *const kind_names[] = {
    [SKL_GCP_SERVICE_ACCOUNT] = "service account key",
    [SKL_GCP_AUTHORIZED_USER] = "user credentials",
    [SKL_GCP_EXTERNAL_ACCOUNT] = "workload identity federation",
    [SKL_GCP_IMPERSONATED] = "impersonated service account",
    [SKL_GCP_METADATA] = "metadata server",
};

static int load_file(struct skl_gcp_credential *c, const char *path, struct skl_error *err)
{
    SKL_AUTO_SECRET char *text = NULL;
    SKL_AUTO_JSON cJSON *json = NULL;
    SKL_AUTO_BUF struct skl_buf name = {0};
    int rc = skl_secret_file_read(path, MAX_FILE, &text, NULL, err);

    if (rc < 0)
        return rc;
    if (skl_json_parse(skl_str(text), &json, NULL) < 0)
        return skl_fail(err, SKL_E_INVALID, "'%s' is not JSON", path);
    rc = skl_gcp_source_load(json, c->endpoint, &c->source, err);
    if (rc < 0)
        return skl_wrap(err, rc, "'%s'", path);
    skl_buf_init(&name, 8 * SKL_KIB);
    skl_buf_addf(&name, "%s '%s'", kind_names[c->source->kind], path);
    c->name = skl_buf_detach(&name);
    return 0;
}

/* The file that gcloud keeps; NULL when there is none. */
static char *well_known_file(const struct skl_gcp_auth_settings *s)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 8 * SKL_KIB);
    if (!skl_str_empty(s->config_dir))
        skl_buf_addf(&b, "%s/" WELL_KNOWN, s->config_dir);
    else if (!skl_str_empty(s->home))
        skl_buf_addf(&b, "%s/.config/gcloud/" WELL_KNOWN, s->home);
    if (b.n == 0 || b.failed || access(b.p, F_OK) < 0)
        return NULL;
    return skl_buf_detach(&b);
}

static void use_metadata(struct skl_gcp_credential *c, const struct skl_gcp_auth_settings *s)
{
    bool named = !skl_str_empty(s->metadata_host);
    SKL_AUTO_BUF struct skl_buf url = {0};

    skl_buf_init(&url, 4 * SKL_KIB);
    if (!named && c->endpoint)
        skl_buf_adds(&url, c->endpoint);
    else
        skl_buf_addf(&url, "http://%s", named ? s->metadata_host : METADATA_HOST);
    c->source = skl_gcp_source_metadata(url.p, named || c->endpoint);
    c->name = skl_strdup(kind_names[SKL_GCP_METADATA]);
}

static int find(struct skl_gcp_credential *c, const struct skl_gcp_auth_settings *s,
                struct skl_error *err)
{
    char *file SKL_AUTO_STR = NULL;

    if (!skl_str_empty(s->credentials_file)) {
        int rc = load_file(c, s->credentials_file, err);

        return rc < 0 ? skl_wrap(err, rc, "GOOGLE_APPLICATION_CREDENTIALS") : 0;
    }
    file = well_known_file(s);
    if (file)
        return load_file(c, file, err);
    if (s->no_metadata && skl_str_ieqz(skl_str(s->no_metadata), "true"))
        return skl_fail(err, SKL_E_UNAUTHORIZED,
                        "no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS to a "
                        "credentials file, or sign in with `gcloud auth application-default "
                        "login`; the metadata server is left out by NO_GCE_CHECK");
    use_metadata(c, s);
    return 0;
}

int skl_gcp_credential_new(const struct skl_gcp_auth_settings *s, const char *endpoint_url,
                           struct skl_rest *rest, struct skl_gcp_credential **ret,
                           struct skl_error *err)
{
    SKL_AUTO(gcp_credential) c = skl_new0(struct skl_gcp_credential);
    struct skl_token_cache_settings tokens = {.early_ms = EARLY_MS, .fetch = fetch, .arg = c};
    struct skl_str endpoint = skl_str(endpoint_url);
    const char *quota;
    int rc;

    while (endpoint.n > 0 && endpoint.p[endpoint.n - 1] == '/')
        endpoint.n--;
    c->rest = rest;
    c->endpoint = endpoint.n > 0 ? skl_str_dup(endpoint) : NULL;
    c->tokens = skl_token_cache_new(&tokens);
    rc = find(c, s, err);
    if (rc < 0)
        return rc;
    quota = skl_str_empty(s->quota_project) ? c->source->quota_project : s->quota_project;
    c->quota_project = skl_strdup(quota);
    if (!skl_str_empty(s->invoker_account))
        c->invoker_account = skl_strdup(s->invoker_account);
    *ret = skl_take(&c);
    return 0;
}

void skl_gcp_credential_free(struct skl_gcp_credential *c)
{
    if (!c)
        return;
    skl_token_cache_free(c->tokens);
    skl_gcp_source_free(c->source);
    free(c->endpoint);
    free(c->invoker_account);
    free(c->quota_project);
    free(c->name);
    free(c);
}
