/* Tokens: client credentials and managed identity; checked on every other call. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/limits.h"
#include "sim.h"

static char *form_value(const struct sim_request *r, const char *name)
{
    struct skl_str key, value, rest = r->body;
    struct skl_buf b;

    while (skl_query_next(&rest, &key, &value))
        if (skl_str_eqz(key, name)) {
            skl_buf_init(&b, 64 * SKL_KIB);
            skl_url_decode(&b, value, true);
            return skl_buf_detach(&b);
        }
    return NULL;
}

/* "https://management.azure.com/.default" and "https://management.azure.com/" are one audience. */
static void audience_of(const char *text, char out[64])
{
    struct skl_str rest, s = skl_str(text);

    if (skl_str_istarts(s, "https://"))
        s = skl_str_skip(s, 8);
    s = skl_str_cut(s, '/', &rest);
    snprintf(out, 64, SKL_STR_FMT, SKL_STR_ARG(s));
}

static struct token *issue(struct sim *s, const char *resource)
{
    struct token *t = skl_new0(struct token);

    skl_random_hex(t->value, 64);
    audience_of(resource, t->audience);
    t->expires_ms = sim_now_ms() + s->options->token_lifetime_s * 1000;
    skl_list_push_front(&s->tokens, &t->in_sim);
    return t;
}

static void refuse_client(struct sim_answer *a, const char *error, const char *text)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 4 * SKL_KIB);
    skl_buf_addf(&b, "{\"error\":\"%s\",\"error_description\":\"%s\",\"error_codes\":[7000215]}",
                 error, text);
    sim_text(a, 401, b.p);
}

static void client_credentials(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *grant SKL_AUTO_STR = form_value(r, "grant_type");
    char *client SKL_AUTO_STR = form_value(r, "client_id");
    char *secret SKL_AUTO_STR = form_value(r, "client_secret");
    char *assertion SKL_AUTO_STR = form_value(r, "client_assertion");
    char *scope SKL_AUTO_STR = form_value(r, "scope");
    SKL_AUTO_BUF struct skl_buf b = {0};

    sim_count(s, "token");
    if (!skl_streq(grant, "client_credentials") || skl_str_empty(client) || !scope) {
        sim_text(a, 400,
                 "{\"error\":\"invalid_request\",\"error_description\":\"AADSTS900144: The "
                 "request body must contain grant_type, client_id and scope.\"}");
        return;
    }
    if (skl_str_empty(secret) && skl_str_empty(assertion)) {
        refuse_client(a, "invalid_client",
                      "AADSTS7000218: The request body must contain "
                      "client_assertion or client_secret.");
        return;
    }
    if (secret && !skl_str_empty(s->client_secret) && !skl_streq(secret, s->client_secret)) {
        refuse_client(a, "invalid_client", "AADSTS7000215: Invalid client secret provided.");
        return;
    }
    skl_buf_init(&b, 4 * SKL_KIB);
    skl_buf_addf(&b,
                 "{\"token_type\":\"Bearer\",\"expires_in\":%lld,\"ext_expires_in\":%lld,"
                 "\"access_token\":\"%s\"}",
                 (long long)s->options->token_lifetime_s, (long long)s->options->token_lifetime_s,
                 issue(s, scope)->value);
    sim_text(a, 200, b.p);
}

static void managed_identity(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *resource SKL_AUTO_STR = sim_query(r, "resource");
    int64_t expires = skl_wall_ns() / SKL_NS_PER_S + s->options->token_lifetime_s;
    SKL_AUTO_BUF struct skl_buf b = {0};

    if (!skl_streq(sim_header(r, "Metadata"), "true") && !sim_header(r, "X-IDENTITY-HEADER")) {
        sim_text(a, 400,
                 "{\"error\":\"invalid_request\",\"error_description\":\"Required metadata "
                 "header not specified\"}");
        return;
    }
    if (skl_str_empty(resource)) {
        sim_text(a, 400,
                 "{\"error\":\"invalid_request\",\"error_description\":\"Required query "
                 "variable 'resource' is missing\"}");
        return;
    }
    skl_buf_init(&b, 4 * SKL_KIB);
    skl_buf_addf(&b,
                 "{\"access_token\":\"%s\",\"expires_on\":\"%lld\",\"expires_in\":\"%lld\","
                 "\"not_before\":\"0\",\"resource\":\"%s\",\"token_type\":\"Bearer\"}",
                 issue(s, resource)->value, (long long)expires,
                 (long long)s->options->token_lifetime_s, resource);
    sim_text(a, 200, b.p);
}

/* Where MSAL finds the endpoint that it asks for tokens. */
static void discovery(const struct sim_request *r, struct sim_answer *a)
{
    struct skl_str tenant = skl_str_cut(skl_str(r->path + 1), '/', &(struct skl_str){0});
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 4 * SKL_KIB);
    skl_buf_addf(&b,
                 "{\"issuer\":\"%s/" SKL_STR_FMT "/v2.0\",\"token_endpoint\":\"%s/" SKL_STR_FMT
                 "/oauth2/v2.0/token\",\"authorization_endpoint\":\"%s/" SKL_STR_FMT
                 "/oauth2/v2.0/authorize\",\"jwks_uri\":\"%s/common/discovery/v2.0/keys\"}",
                 r->base, SKL_STR_ARG(tenant), r->base, SKL_STR_ARG(tenant), r->base,
                 SKL_STR_ARG(tenant), r->base);
    sim_text(a, 200, b.p);
}

/* The one secret that is accepted from now on; what was issued for another is void. */
void sim_set_secret(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    free(s->client_secret);
    s->client_secret = skl_str_dup(r->body);
    while (!skl_list_empty(&s->tokens)) {
        struct token *t = SKL_LIST_ENTRY(s->tokens.next, struct token, in_sim);

        skl_list_remove(&t->in_sim);
        free(t);
    }
    a->status = 200;
}

bool sim_auth_route(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    struct skl_str path = skl_str(r->path);

    if (skl_str_ends(path, "/oauth2/v2.0/token") && skl_streq(r->method, "POST")) {
        client_credentials(s, r, a);
        return true;
    }
    if (skl_str_ends(path, "/v2.0/.well-known/openid-configuration")) {
        discovery(r, a);
        return true;
    }
    if (skl_str_eqz(path, "/metadata/identity/oauth2/token") || skl_str_ends(path, "/msi/token")) {
        managed_identity(s, r, a);
        return true;
    }
    return false;
}

static void refuse(struct sim_answer *a, bool is_query, int status, const char *code,
                   const char *text)
{
    if (is_query && status == 401)
        status = 403;
    sim_arm_error(a, status, code, "%s", text);
    skl_buf_adds(&a->headers, "WWW-Authenticate: Bearer authorization_uri=\"\"\r\n");
}

bool sim_auth_check(struct sim *s, const struct sim_request *r, const char *audience, bool is_query,
                    struct sim_answer *a)
{
    const char *header = sim_header(r, "Authorization");
    struct skl_list *it;

    if (!header || !skl_str_istarts(skl_str(header), "Bearer ")) {
        refuse(a, is_query, 401, "AuthenticationFailed",
               "Authentication failed. The 'Authorization' header is missing.");
        return false;
    }
    skl_list_foreach (it, &s->tokens) {
        struct token *t = SKL_LIST_ENTRY(it, struct token, in_sim);

        if (!skl_streq(header + 7, t->value))
            continue;
        if (t->expires_ms < sim_now_ms()) {
            refuse(a, is_query, 401, "ExpiredAuthenticationToken",
                   "The access token expiry UTC time is earlier than current UTC time.");
            return false;
        }
        if (skl_streq(t->audience, audience) ||
            (is_query && skl_streq(t->audience, "api.loganalytics.azure.com")))
            return true;
        refuse(a, is_query, 403, "InvalidAuthenticationTokenAudience",
               "The access token has been obtained for wrong audience or resource.");
        return false;
    }
    refuse(a, is_query, 401, "InvalidAuthenticationToken", "The access token is invalid.");
    return false;
}
