/* The chain of sources and the cache of their tokens.
 *
 * One entry per audience. Whoever finds its token stale asks for a new one, with the mutex released;
 * all others either still have a valid token and take it, or wait for that one request and share its
 * result, good or bad: a thousand callers of a broken authority send one request, not a thousand. A
 * thread that refreshes in the background was rejected: the caller that pays the request once an hour is
 * a worker thread, and a program without calls then asks for nothing. */
#include "cloud/azure/credential.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "cloud/azure/source.h"

#define EARLY_MS          (5 * 60 * 1000)
#define RETRY_EARLY_MS    30000
#define DEADLINE_MS       120000
#define MAX_EARLY_WAIT_MS 20000

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

struct entry {
    char *token;
    int64_t expires_ms, early_ms; /* skl_mono_ms() */
    bool refreshing;
    uint64_t rounds; /* finished requests: waiters see that theirs is over */
    int last_rc;     /* of the last round */
    struct skl_error last_err;
};

struct skl_azure_credential {
    struct skl_azure_auth auth; /* constant after new */
    pthread_mutex_t cache_lock; /* guards all below */
    pthread_cond_t cache_changed;
    struct entry entries[SKL_AZURE_AUDIENCE_MAX_];
    int source; /* index that gave a token; -1: none yet */
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

int skl_azure_credential_new(const struct skl_azure_auth_settings *s, struct skl_rest *rest,
                             struct skl_azure_credential **ret, struct skl_error *err)
{
    SKL_AUTO(azure_credential) c = skl_new0(struct skl_azure_credential);
    struct skl_azure_auth *a = &c->auth;
    pthread_condattr_t attr;
    int rc;

    (void)pthread_mutex_init(&c->cache_lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&c->cache_changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    c->source = -1;
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
    for (size_t i = 0; i < SKL_ARRAY_LEN(c->entries); i++)
        skl_secret_free(c->entries[i].token);
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
    (void)pthread_cond_destroy(&c->cache_changed);
    (void)pthread_mutex_destroy(&c->cache_lock);
    free(c);
}

/* Asks the source that worked before, else walks the chain. Called without the mutex. */
static int ask(struct skl_azure_credential *c, struct skl_token_request *q, int *source,
               struct skl_token *ret, struct skl_error *err)
{
    size_t first = *source < 0 ? 0 : (size_t)*source;
    size_t end = *source < 0 ? SKL_ARRAY_LEN(sources) : first + 1;

    q->auth = &c->auth;
    q->known_good = *source >= 0;
    for (size_t i = first; i < end; i++) {
        int rc = sources[i].fetch(q, ret, err);

        if (rc < 0)
            return rc;
        if (rc == 0) {
            *source = (int)i;
            return 0;
        }
    }
    return skl_fail(err, SKL_E_UNAUTHORIZED,
                    "no Azure credential is configured: set AZURE_TENANT_ID, AZURE_CLIENT_ID and "
                    "AZURE_CLIENT_SECRET (or AZURE_CLIENT_CERTIFICATE_PATH, or "
                    "AZURE_FEDERATED_TOKEN_FILE), or run where a managed identity is assigned, or "
                    "sign in with `az login`");
}

static void store(struct entry *e, struct skl_token *t)
{
    int64_t now = skl_mono_ms(), early = t->lifetime_ms / 10;

    if (early < EARLY_MS)
        early = EARLY_MS;
    if (early > t->lifetime_ms / 2)
        early = t->lifetime_ms / 2; /* a short-lived token is not stale at birth */
    skl_secret_free(e->token);
    e->token = t->text;
    e->expires_ms = now + t->lifetime_ms;
    e->early_ms = e->expires_ms - early;
}

/* With the mutex held at both ends; the request runs without it. */
static int refresh(struct skl_azure_credential *c, struct entry *e, struct skl_token_request *q,
                   struct skl_error *err)
{
    struct skl_token t = {0};
    int source = c->source, rc;

    e->refreshing = true;
    (void)pthread_mutex_unlock(&c->cache_lock);
    rc = ask(c, q, &source, &t, err);
    (void)pthread_mutex_lock(&c->cache_lock);
    e->refreshing = false;
    e->rounds++;
    e->last_rc = rc;
    if (rc == 0) {
        store(e, &t);
        c->source = source;
    } else {
        e->last_err = *err;
        e->early_ms = skl_mono_ms() + RETRY_EARLY_MS;
    }
    (void)pthread_cond_broadcast(&c->cache_changed);
    return rc;
}

/* Waits until the request in flight is over, or 50 ms, to look at the cancel flag. */
static void wait_change(struct skl_azure_credential *c)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_nsec += 50 * 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_nsec -= 1000000000;
        ts.tv_sec++;
    }
    (void)pthread_cond_timedwait(&c->cache_changed, &c->cache_lock, &ts);
}

static bool is_valid(const struct entry *e, int64_t now)
{
    return e->token && now < e->expires_ms;
}

/* With the mutex held: 0 when the entry holds a token to hand out. */
static int ensure(struct skl_azure_credential *c, struct entry *e, struct skl_token_request *q,
                  struct skl_error *err)
{
    uint64_t seen = e->rounds;
    bool waited = false;

    for (;;) {
        int64_t now = skl_mono_ms();
        bool valid = is_valid(e, now);

        if (valid && (e->refreshing || now < e->early_ms))
            return 0;
        if (waited && e->rounds != seen && e->last_rc < 0 && e->last_rc != -SKL_E_CANCELED &&
            e->last_rc != -SKL_E_TIMEOUT) {
            *err = e->last_err; /* the request that we waited for */
            return e->last_rc;
        }
        if (q->cancel && atomic_load(q->cancel))
            return skl_fail(err, SKL_E_CANCELED, "canceled");
        if (now >= q->deadline_ms)
            return skl_fail(err, SKL_E_TIMEOUT, "no token in time");
        if (!e->refreshing) {
            int rc;

            if (valid && q->deadline_ms > now + MAX_EARLY_WAIT_MS)
                q->deadline_ms = now + MAX_EARLY_WAIT_MS; /* nobody needs the new one yet */
            rc = refresh(c, e, q, err);

            if (rc < 0 && is_valid(e, skl_mono_ms())) {
                skl_debug("cloud", "early token refresh failed", "error", err->msg, NULL);
                return 0;
            }
            return rc;
        }
        waited = true;
        wait_change(c);
    }
}

int skl_azure_credential_token(struct skl_azure_credential *c, enum skl_azure_audience audience,
                               int64_t deadline_ms, const atomic_bool *cancel, char **ret,
                               struct skl_error *err)
{
    struct entry *e = &c->entries[audience];
    struct skl_token_request q = {.scope = audiences[audience].scope,
                                  .resource = audiences[audience].resource,
                                  .deadline_ms =
                                      deadline_ms ? deadline_ms : skl_mono_ms() + DEADLINE_MS,
                                  .cancel = cancel};
    struct skl_error own;
    int rc;

    if (!err)
        err = &own;
    (void)pthread_mutex_lock(&c->cache_lock);
    rc = ensure(c, e, &q, err);
    if (rc == 0)
        *ret = skl_strdup(e->token);
    (void)pthread_mutex_unlock(&c->cache_lock);
    return rc;
}

void skl_azure_credential_invalidate(struct skl_azure_credential *c,
                                     enum skl_azure_audience audience, const char *token)
{
    struct entry *e = &c->entries[audience];

    (void)pthread_mutex_lock(&c->cache_lock);
    if (e->token && skl_streq(e->token, token)) {
        skl_secret_free(e->token);
        e->token = NULL;
    }
    (void)pthread_mutex_unlock(&c->cache_lock);
}

const char *skl_azure_credential_source(struct skl_azure_credential *c)
{
    int source;

    (void)pthread_mutex_lock(&c->cache_lock);
    source = c->source;
    (void)pthread_mutex_unlock(&c->cache_lock);
    return source < 0 ? "none yet" : sources[source].name;
}
