/* Answering a registry's challenge: Basic, or a token from the service that the challenge names.
 *
 * Tokens are kept until they expire, per service, scope and credentials, because one `docker run` asks
 * for a manifest, a second manifest and a config. The token service is chosen by the registry, so
 * credentials go to it only over https, or over http when the registry itself was reached by http. */
#include <mbedtls/md.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/secrets.h"
#include "cloud/error_text.h"
#include "registry/internal.h"

#define MAX_TOKENS     64
#define MIN_LIFETIME_S 60

struct token {
    struct skl_list node;
    char *key;
    char *value; /* Authorization header, secret */
    int64_t expires_ms;
};

static void token_free(struct token *t)
{
    skl_list_remove(&t->node);
    free(t->key);
    skl_secret_remove(t->value + strlen("Bearer "));
    explicit_bzero(t->value, strlen(t->value));
    free(t->value);
    free(t);
}

void skl_registry_tokens_free(struct skl_registry *reg)
{
    struct skl_list *it, *tmp;

    skl_list_foreach_safe (it, tmp, &reg->tokens)
        token_free(SKL_LIST_ENTRY(it, struct token, node));
    reg->n_tokens = 0;
}

/* Takes `name=value` or `name="value"` from *s; false at the end or at the next scheme. */
static bool next_param(struct skl_str *s, struct skl_str *name, char *value, size_t cap)
{
    size_t n = 0, out = 0;

    while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == ',' || s->p[0] == '\t'))
        *s = skl_str_skip(*s, 1);
    while (n < s->n && s->p[n] != '=' && s->p[n] != ' ' && s->p[n] != ',')
        n++;
    if (n == 0 || n >= s->n || s->p[n] != '=')
        return false;
    *name = skl_str_n(s->p, n);
    *s = skl_str_skip(*s, n + 1);
    if (s->n > 0 && s->p[0] == '"') {
        for (n = 1; n < s->n && s->p[n] != '"'; n++) {
            if (s->p[n] == '\\' && n + 1 < s->n)
                n++;
            if (out + 1 < cap)
                value[out++] = s->p[n];
        }
        n = n < s->n ? n + 1 : n;
    } else {
        for (n = 0; n < s->n && s->p[n] != ',' && s->p[n] != ' '; n++)
            if (out + 1 < cap)
                value[out++] = s->p[n];
    }
    *s = skl_str_skip(*s, n);
    value[out] = '\0';
    return true;
}

bool skl_challenge_parse(struct skl_str header, struct skl_challenge *ret)
{
    struct skl_str name;
    char value[1024];

    *ret = (struct skl_challenge){0};
    header = skl_str_trim(header);
    if (skl_str_istarts(header, "Basic") && (header.n == 5 || header.p[5] == ' '))
        return true;
    if (!skl_str_istarts(header, "Bearer "))
        return false;
    ret->bearer = true;
    header = skl_str_skip(header, 7);
    while (next_param(&header, &name, value, sizeof(value))) {
        if (skl_str_ieqz(name, "realm"))
            (void)snprintf(ret->realm, sizeof(ret->realm), "%s", value);
        else if (skl_str_ieqz(name, "service"))
            (void)snprintf(ret->service, sizeof(ret->service), "%.511s", value);
        else if (skl_str_ieqz(name, "scope"))
            (void)snprintf(ret->scope, sizeof(ret->scope), "%s", value);
        else if (skl_str_ieqz(name, "error"))
            (void)snprintf(ret->error, sizeof(ret->error), "%.63s", value);
    }
    return ret->realm[0] != '\0';
}

static const char *text_or_empty(const char *s)
{
    return s ? s : "";
}

/* A name for the cache that holds no secret. */
static char *cache_key(const struct skl_challenge *c, const struct skl_registry_auth *auth)
{
    unsigned char hash[32] = {0};
    SKL_AUTO_BUF struct skl_buf secret = {0};
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&secret, 64 * SKL_KIB);
    skl_buf_init(&b, 8192);
    if (auth) {
        skl_buf_adds(&secret, text_or_empty(auth->username));
        skl_buf_addc(&secret, '\0');
        skl_buf_adds(&secret, text_or_empty(auth->password));
        skl_buf_addc(&secret, '\0');
        skl_buf_adds(&secret, text_or_empty(auth->identity_token));
        (void)mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                         (const unsigned char *)secret.p, secret.n, hash);
        explicit_bzero(secret.p, secret.n);
    }
    skl_buf_addf(&b, "%s\n%s\n%s\n", c->realm, c->service, c->scope);
    skl_hex_add(&b, hash, sizeof(hash));
    return skl_buf_detach(&b);
}

/* Owned copy, or NULL. Expired entries go on the way. */
static char *cache_find(struct skl_registry *reg, const char *key)
{
    struct skl_list *it, *tmp;
    char *value = NULL;

    (void)pthread_mutex_lock(&reg->token_lock);
    skl_list_foreach_safe (it, tmp, &reg->tokens) {
        struct token *t = SKL_LIST_ENTRY(it, struct token, node);

        if (skl_mono_ms() >= t->expires_ms) {
            token_free(t);
            reg->n_tokens--;
        } else if (skl_streq(t->key, key)) {
            value = skl_strdup(t->value);
        }
    }
    (void)pthread_mutex_unlock(&reg->token_lock);
    return value;
}

static void cache_add(struct skl_registry *reg, const char *key, const char *value,
                      int64_t lifetime_s)
{
    struct token *t = skl_new0(struct token), *oldest;

    t->key = skl_strdup(key);
    t->value = skl_strdup(value);
    skl_secret_add(value + strlen("Bearer "));
    /* Used for at most 90 %: the other end's clock, and the time of the call itself. */
    t->expires_ms = skl_mono_ms() + lifetime_s * 900;
    (void)pthread_mutex_lock(&reg->token_lock);
    oldest = SKL_LIST_FIRST(&reg->tokens, struct token, node);
    if (oldest && reg->n_tokens >= MAX_TOKENS) {
        token_free(oldest);
        reg->n_tokens--;
    }
    skl_list_push(&reg->tokens, &t->node);
    reg->n_tokens++;
    (void)pthread_mutex_unlock(&reg->token_lock);
}

/* "Basic ...", owned, secret; NULL without a user name. */
static char *basic_value(const struct skl_registry_auth *auth)
{
    SKL_AUTO_BUF struct skl_buf plain = {0};
    SKL_AUTO_BUF struct skl_buf b = {0};

    if (!auth || skl_str_empty(auth->username))
        return NULL;
    skl_buf_init(&plain, 32 * SKL_KIB);
    skl_buf_init(&b, 64 * SKL_KIB);
    skl_buf_addf(&plain, "%s:%s", auth->username, text_or_empty(auth->password));
    skl_buf_adds(&b, "Basic ");
    skl_base64_add(&b, plain.p, plain.n);
    explicit_bzero(plain.p, plain.n);
    return skl_buf_detach(&b);
}

static void add_param(struct skl_buf *b, char sep, const char *key, const char *value)
{
    if (sep)
        skl_buf_addc(b, sep);
    skl_buf_addf(b, "%s=", key);
    skl_url_encode(b, skl_str(value));
}

/* Docker Hub names its text "details", others follow the registry's "errors". */
static int token_refused(const char *realm, const struct skl_rest_response *answer,
                         struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf shown = {0};
    SKL_AUTO_JSON cJSON *json = NULL;
    const char *text = NULL;

    if (answer->status != 401 && answer->status != 403 && answer->status != 400)
        return skl_fail(err, SKL_E_INTERNAL,
                        "unexpected status from the token service '" SKL_STR_FMT "': %d",
                        (int)strcspn(realm, "?"), realm, answer->status);
    if (skl_json_parse(skl_buf_str(&answer->body), &json, NULL) == 0) {
        const cJSON *errors = skl_json_get(json, "errors");

        text = skl_json_get_str(json, "details");
        if (!text && cJSON_IsArray(errors))
            text = skl_json_get_str(cJSON_GetArrayItem(errors, 0), "message");
    }
    skl_buf_init(&shown, 1024);
    skl_error_text_add(&shown, skl_str(text), 200);
    return skl_fail(err, SKL_E_UNAUTHORIZED, "unauthorized: %s",
                    shown.n > 0 ? shown.p : "authentication required");
}

static int read_token(const struct skl_rest_response *answer, char **ret, int64_t *lifetime_s,
                      struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *json = NULL;
    SKL_AUTO_BUF struct skl_buf b = {0};
    const char *token;
    int rc = skl_json_parse(skl_buf_str(&answer->body), &json, err);

    if (rc < 0)
        return skl_wrap(err, rc, "the token service's answer");
    token = skl_json_get_str(json, "token");
    if (skl_str_empty(token))
        token = skl_json_get_str(json, "access_token");
    if (skl_str_empty(token) || strpbrk(token, "\r\n"))
        return skl_fail(err, SKL_E_INTERNAL, "authorization server did not include a token");
    *lifetime_s = skl_json_get_int(json, "expires_in", MIN_LIFETIME_S);
    if (*lifetime_s < MIN_LIFETIME_S || *lifetime_s > 86400)
        *lifetime_s = MIN_LIFETIME_S;
    skl_buf_init(&b, 64 * SKL_KIB);
    skl_buf_addf(&b, "Bearer %s", token);
    return skl_buf_finish(&b, ret, err);
}

static bool realm_is_trusted(const struct skl_registry_session *s, const char *realm)
{
    return skl_str_istarts(skl_str(realm), "https://") ||
           (skl_str_istarts(skl_str(realm), "http://") &&
            skl_str_istarts(skl_str(s->bases[s->base].url), "http://"));
}

static int fetch_token(struct skl_registry_session *s, const struct skl_challenge *c, char **ret,
                       int64_t *lifetime_s, struct skl_error *err)
{
    const struct skl_registry_auth *auth = skl_registry_session_auth(s);
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    char *basic = basic_value(auth);
    struct skl_rest_header header = {"Authorization", basic};
    bool refresh = auth && !skl_str_empty(auth->identity_token);
    struct skl_buf url, form;
    int rc;

    skl_buf_init(&url, 8192);
    skl_buf_init(&form, 64 * SKL_KIB);
    skl_buf_adds(&url, c->realm);
    if (refresh) {
        add_param(&form, 0, "grant_type", "refresh_token");
        add_param(&form, '&', "service", c->service);
        add_param(&form, '&', "scope", c->scope);
        add_param(&form, '&', "client_id", "sockerless");
        add_param(&form, '&', "refresh_token", auth->identity_token);
    } else {
        add_param(&url, strchr(c->realm, '?') ? '&' : '?', "service", c->service);
        if (c->scope[0])
            add_param(&url, '&', "scope", c->scope);
        if (basic)
            add_param(&url, '&', "account", auth->username);
    }
    struct skl_rest_request req = {.operation = "registry.token",
                                   .method = refresh ? "POST" : "GET",
                                   .url = url.p,
                                   .headers = &header,
                                   .n_headers = basic && !refresh ? 1 : 0,
                                   .body = skl_buf_str(&form),
                                   .content_type = "application/x-www-form-urlencoded",
                                   .max_body = SKL_MIB,
                                   .idempotent = true,
                                   .no_connect_retry = true,
                                   .insecure_tls = s->bases[s->base].insecure,
                                   .deadline_ms = s->deadline_ms,
                                   .cancel = s->q->cancel};

    rc = skl_rest_call(s->reg->rest, &req, &answer, err);
    if (rc < 0 && err->sys)
        rc = skl_registry_unreachable(c->realm, err);
    else if (rc == 0 && answer.status != 200)
        rc = token_refused(c->realm, &answer, err);
    else if (rc == 0)
        rc = read_token(&answer, ret, lifetime_s, err);
    explicit_bzero(form.p, form.n);
    skl_buf_fini(&form);
    skl_buf_fini(&url);
    if (basic)
        explicit_bzero(basic, strlen(basic));
    free(basic);
    return rc;
}

int skl_registry_authorize(struct skl_registry_session *s, const struct skl_challenge *c,
                           char **ret, struct skl_error *err)
{
    const struct skl_registry_auth *auth = skl_registry_session_auth(s);
    struct skl_challenge with_scope = *c;
    char *key SKL_AUTO_STR = NULL;
    int64_t lifetime_s = 0;
    int rc;

    if (!c->bearer) {
        *ret = basic_value(auth);
        return 0;
    }
    if (!realm_is_trusted(s, c->realm))
        return skl_fail(err, SKL_E_INTERNAL,
                        "the registry names a token service that is not reached by https");
    if (!with_scope.scope[0] && s->q->ref.repository)
        (void)snprintf(with_scope.scope, sizeof(with_scope.scope), "repository:%s:pull",
                       s->q->ref.repository);
    key = cache_key(&with_scope, auth);
    *ret = cache_find(s->reg, key);
    if (*ret)
        return 0;
    rc = fetch_token(s, &with_scope, ret, &lifetime_s, err);
    if (rc == 0)
        cache_add(s->reg, key, *ret, lifetime_s);
    return rc;
}
