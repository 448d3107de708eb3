/* The chain of sources; their tokens are kept by scope. */
#include "cloud/azure/credential.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "cloud/azure/source.h"
#include "cloud/token_cache.h"

#define EARLY_MS      (5 * 60 * 1000)
#define EARLY_PERCENT 10

static const struct {
    const char *name;
    skl_token_source_cb *fetch;
} sources[] = {
    {"environment (client secret)", skl_token_from_secret},
    {"environment (client certificate)", skl_token_from_certificate},
    {"workload identity", skl_token_from_federation},
    {"managed identity (app)", skl_token_from_identity_endpoint},
    {"managed identity (virtual machine)", skl_token_from_imds},
    {"az command line", skl_token_from_cli},
};

static const struct {
    const char *scope, *resource;
} audiences[] = {
    [SKL_AZURE_ARM] = {"https://management.azure.com/.default", "https://management.azure.com/"},
    [SKL_AZURE_LOGS] = {"https://api.loganalytics.io/.default", "https://api.loganalytics.io"},
    [SKL_AZURE_STORAGE] = {"https://storage.azure.com/.default", "https://storage.azure.com/"},
};
_Static_assert(SKL_ARRAY_LEN(audiences) == SKL_AZURE_AUDIENCE_MAX_, "a row per audience");

struct skl_azure_credential {
    struct skl_azure_auth auth; /* constant after new */
    struct skl_token_cache *tokens;
    atomic_int source; /* index that gave a token; -1: none yet */
};

static char *copy(const char *s)
{
    return skl_str_empty(s) ? NULL : skl_strdup(s);
}

static char *copy_url(const char *s, const char *dflt)
{
    struct skl_str v = skl_str(skl_str_empty(s) ? dflt : s);
    SKL_AUTO_BUF struct skl_buf b = {0};

    while (v.n > 0 && v.p[v.n - 1] == '/')
        v.n--;
    skl_buf_init(&b, 4096);
    if (!skl_str_istarts(v, "http://") && !skl_str_istarts(v, "https://"))
        skl_buf_adds(&b, "https://");
    skl_buf_addstr(&b, v);
    return skl_buf_detach(&b);
}

static bool is_plain_id(const char *s)
{
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
              *s == '-' || *s == '.' || *s == '_'))
            return false;
    return true;
}

static int check(const struct skl_azure_auth *a, struct skl_error *err)
{
    const char *proof = a->client_secret      ? "AZURE_CLIENT_SECRET"
                        : a->certificate_path ? "AZURE_CLIENT_CERTIFICATE_PATH"
                                              : NULL;

    if (proof && !a->tenant_id)
        return skl_fail(err, SKL_E_INVALID, "%s is set, but AZURE_TENANT_ID is not", proof);
    if (proof && !a->client_id)
        return skl_fail(err, SKL_E_INVALID, "%s is set, but AZURE_CLIENT_ID is not", proof);
    if (a->tenant_id && !is_plain_id(a->tenant_id))
        return skl_fail(err, SKL_E_INVALID,
                        "AZURE_TENANT_ID: expected a tenant's GUID or domain name");
    if (!a->client_secret && a->certificate_path) {
        int rc = skl_assertion_check(a->certificate_path, a->certificate_password, err);

        if (rc < 0)
            return skl_wrap(err, rc, "AZURE_CLIENT_CERTIFICATE_PATH");
    }
    return 0;
}

/* Asks the source that worked before, else walks the chain. */
static int fetch(void *arg, const char *key, const struct skl_token_limits *limits,
                 struct skl_token *ret, struct skl_error *err)
{
    struct skl_azure_credential *c = arg;
    int known = atomic_load(&c->source);
    struct skl_token_request q = {.auth = &c->auth, .known_good = known >= 0, .limits = *limits};
    size_t first = known < 0 ? 0 : (size_t)known;
    size_t end = known < 0 ? SKL_ARRAY_LEN(sources) : first + 1;

    for (size_t i = 0; i < SKL_ARRAY_LEN(audiences); i++) {
        if (!skl_streq(audiences[i].scope, key))
            continue;
        q.scope = audiences[i].scope;
        q.resource = audiences[i].resource;
    }
    for (size_t i = first; i < end; i++) {
        int rc = sources[i].fetch(&q, ret, err);

        if (rc < 0)
            return rc;
        if (rc == 0) {
            atomic_store(&c->source, (int)i);
            return 0;
        }
    }
    return skl_fail(err, SKL_E_UNAUTHORIZED,
                    "no Azure credential is configured: set AZURE_TENANT_ID, AZURE_CLIENT_ID and "
                    "AZURE_CLIENT_SECRET (or AZURE_CLIENT_CERTIFICATE_PATH, or "
                    "AZURE_FEDERATED_TOKEN_FILE), or run where a managed identity is assigned, or "
                    "sign in with `az login`");
}

int skl_azure_credential_new(const struct skl_azure_auth_settings *s, struct skl_rest *rest,
                             struct skl_azure_credential **ret, struct skl_error *err)
{
    SKL_AUTO(azure_credential) c = skl_new0(struct skl_azure_credential);
    struct skl_azure_auth *a = &c->auth;
    struct skl_token_cache_settings tokens = {
        .early_ms = EARLY_MS, .early_percent = EARLY_PERCENT, .fetch = fetch, .arg = c};
    int rc;

    c->tokens = skl_token_cache_new(&tokens);
    atomic_store(&c->source, -1);
    a->rest = rest;
    a->tenant_id = copy(s->tenant_id);
    a->client_id = copy(s->client_id);
    a->client_secret = copy(s->client_secret);
    a->certificate_path = copy(s->certificate_path);
    a->certificate_password = copy(s->certificate_password);
    a->federated_token_file = copy(s->federated_token_file);
    a->authority = copy_url(s->authority_host, "https://login.microsoftonline.com");
    a->identity_endpoint = copy(s->identity_endpoint);
    a->identity_header = copy(s->identity_header);
    a->imds_host = copy_url(s->imds_host, "http://169.254.169.254");
    a->imds_named = !skl_str_empty(s->imds_host);
    a->az_path = skl_strdup(skl_str_empty(s->az_path) ? "az" : s->az_path);
    a->no_imds = s->no_imds;
    a->no_cli = s->no_cli;
    rc = check(a, err);
    if (rc < 0)
        return rc;
    *ret = skl_take(&c);
    return 0;
}

void skl_azure_credential_free(struct skl_azure_credential *c)
{
    if (!c)
        return;
    skl_token_cache_free(c->tokens);
    free(c->auth.tenant_id);
    free(c->auth.client_id);
    skl_secret_free(c->auth.client_secret);
    free(c->auth.certificate_path);
    skl_secret_free(c->auth.certificate_password);
    free(c->auth.federated_token_file);
    free(c->auth.authority);
    free(c->auth.identity_endpoint);
    skl_secret_free(c->auth.identity_header);
    free(c->auth.imds_host);
    free(c->auth.az_path);
    free(c);
}

int skl_azure_credential_token(struct skl_azure_credential *c, enum skl_azure_audience audience,
                               int64_t deadline_ms, const atomic_bool *cancel, char **ret,
                               struct skl_error *err)
{
    return skl_token_cache_get(c->tokens, audiences[audience].scope, deadline_ms, cancel, ret, err);
}

void skl_azure_credential_invalidate(struct skl_azure_credential *c, const char *token)
{
    skl_token_cache_drop(c->tokens, token);
}

const char *skl_azure_credential_authority(const struct skl_azure_credential *c)
{
    return c->auth.authority;
}

const char *skl_azure_credential_source(struct skl_azure_credential *c)
{
    int source = atomic_load(&c->source);

    return source < 0 ? "none yet" : sources[source].name;
}
