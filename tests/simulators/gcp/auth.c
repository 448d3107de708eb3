/* Access tokens and ID tokens: the token endpoint, the security token service, the credentials of service accounts.
 *
 * Who a token is for is an email address. A federated identity has the one of its subject's pool; what an account may
 * do beyond calling APIs is a service's policy (invoke.c). */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

#define GRANT_JWT      "urn:ietf:params:oauth:grant-type:jwt-bearer"
#define GRANT_EXCHANGE "urn:ietf:params:oauth:grant-type:token-exchange"
#define TYPE_ACCESS    "urn:ietf:params:oauth:token-type:access_token"
#define MAX_LIFETIME_S 3600
#define CLOCK_SLACK_S  300

static int64_t wall_s(void)
{
    return skl_wall_ns() / SKL_NS_PER_S;
}

char *gcp_token_issue(struct sim *s, const char *email, int64_t lifetime_s)
{
    struct token *t = skl_new0(struct token);
    char digits[65];

    skl_random_hex(digits, 64);
    snprintf(t->value, sizeof(t->value), "ya29.%s", digits);
    t->email = skl_strdup(email);
    t->expires_ms = gcp_now_ms() + lifetime_s * 1000;
    skl_list_push_front(&s->tokens, &t->in_sim);
    return t->value;
}

char *gcp_id_token(struct sim *s, const char *email, const char *audience, bool with_email)
{
    SKL_AUTO_JSON cJSON *claims = cJSON_CreateObject();
    int64_t now = wall_s();
    uint64_t subject = skl_hash(skl_str(email));
    char number[32];

    snprintf(number, sizeof(number), "1%020llu", (unsigned long long)subject);
    cJSON_AddStringToObject(claims, "aud", audience);
    cJSON_AddStringToObject(claims, "azp", email);
    if (with_email) {
        cJSON_AddStringToObject(claims, "email", email);
        cJSON_AddTrueToObject(claims, "email_verified");
    }
    cJSON_AddNumberToObject(claims, "exp", (double)(now + s->options->token_lifetime_s));
    cJSON_AddNumberToObject(claims, "iat", (double)now);
    cJSON_AddStringToObject(claims, "iss", "https://accounts.google.com");
    cJSON_AddStringToObject(claims, "sub", number);
    return gcp_jwt_sign(s->keys, claims);
}

char *gcp_id_token_check(struct sim *s, struct skl_str token, char *const *audiences,
                         const char **ret_problem)
{
    SKL_AUTO_JSON cJSON *claims = gcp_jwt_verify(s->keys, GCP_BY_GOOGLE, token);
    const char *audience = skl_json_get_str(claims, "aud");

    *ret_problem = NULL;
    if (!claims)
        *ret_problem = "The access token could not be verified";
    else if (skl_json_get_int(claims, "exp", 0) <= wall_s())
        *ret_problem = "The access token is expired";
    for (; !*ret_problem && audiences && *audiences; audiences++)
        if (skl_streq(*audiences, audience))
            return skl_strdup(skl_json_get_str(claims, "azp"));
    if (!*ret_problem)
        *ret_problem = "The access token has another audience";
    return NULL;
}

/* -- the token endpoint */

static void refuse_grant(struct sim_answer *a, const char *error, const char *text)
{
    char *b SKL_AUTO_STR =
        gcp_format("{\"error\":\"%s\",\"error_description\":\"%s\"}", error, text);

    sim_text(a, 400, b);
}

static void answer_access(struct sim *s, const char *email, const char *more, struct sim_answer *a)
{
    char *text SKL_AUTO_STR = gcp_format(
        "{\"access_token\":\"%s\",\"expires_in\":%lld,\"token_type\":\"Bearer\"%s}",
        gcp_token_issue(s, email, s->options->token_lifetime_s),
        (long long)(s->options->token_lifetime_s > 1 ? s->options->token_lifetime_s - 1 : 1), more);

    sim_text(a, 200, text);
}

static const char *times_problem(const cJSON *claims)
{
    int64_t now = wall_s();
    int64_t issued = skl_json_get_int(claims, "iat", 0);
    int64_t expires = skl_json_get_int(claims, "exp", 0);

    if (issued <= 0 || expires <= issued || expires - issued > MAX_LIFETIME_S ||
        issued > now + CLOCK_SLACK_S || expires <= now - CLOCK_SLACK_S)
        return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
               "timeframe. Check your iat and exp values in the JWT claim.";
    return NULL;
}

static bool is_token_audience(const struct sim *s, const struct sim_request *r, const char *aud)
{
    char *here SKL_AUTO_STR = gcp_format("%s/token", r->base);
    char *own SKL_AUTO_STR = gcp_format("%s/token", s->base);

    return skl_streq(aud, here) || skl_streq(aud, own) ||
           skl_streq(aud, "https://oauth2.googleapis.com/token");
}

static void grant_jwt(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *assertion SKL_AUTO_STR = sim_form(r, "assertion");
    SKL_AUTO_JSON cJSON *claims =
        assertion ? gcp_jwt_verify(s->keys, GCP_BY_ACCOUNT, skl_str(assertion)) : NULL;
    const char *email = skl_json_get_str(claims, "iss");
    const char *audience = skl_json_get_str(claims, "target_audience");
    char *own SKL_AUTO_STR = gcp_format(GCP_ACCOUNT, s->options->project);

    if (skl_str_empty(assertion)) {
        refuse_grant(a, "invalid_request", "Missing required parameter: assertion");
    } else if (!claims) {
        refuse_grant(a, "invalid_grant", "Invalid JWT Signature.");
    } else if (!skl_streq(email, own)) {
        refuse_grant(a, "invalid_grant", "Invalid grant: account not found");
    } else if (!is_token_audience(s, r, skl_json_get_str(claims, "aud"))) {
        refuse_grant(a, "invalid_grant", "Invalid JWT: Failed audience check.");
    } else if (times_problem(claims)) {
        refuse_grant(a, "invalid_grant", times_problem(claims));
    } else if (audience) {
        char *token SKL_AUTO_STR = gcp_id_token(s, email, audience, true);
        char *text SKL_AUTO_STR = gcp_format("{\"id_token\":\"%s\"}", token);

        sim_text(a, 200, text);
    } else if (skl_str_empty(skl_json_get_str(claims, "scope"))) {
        refuse_grant(a, "invalid_scope", "Empty or missing scope not allowed.");
    } else {
        answer_access(s, email, "", a);
    }
}

static void grant_refresh(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *client SKL_AUTO_STR = sim_form(r, "client_id");
    char *secret SKL_AUTO_STR = sim_form(r, "client_secret");
    char *refresh SKL_AUTO_STR = sim_form(r, "refresh_token");

    if (skl_str_empty(client) || skl_str_empty(secret))
        refuse_grant(a, "invalid_request", "Could not determine client ID from request.");
    else if (skl_str_empty(refresh))
        refuse_grant(a, "invalid_request", "Missing required parameter: refresh_token");
    else if (!skl_str_empty(s->options->refresh_token) &&
             !skl_streq(refresh, s->options->refresh_token))
        refuse_grant(a, "invalid_grant", "Token has been expired or revoked.");
    else
        answer_access(s, "developer@example.com",
                      ",\"scope\":\"https://www.googleapis.com/auth/cloud-platform\"", a);
}

/* -- federation */

static void exchange(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *grant SKL_AUTO_STR = sim_form(r, "grant_type");
    char *wanted SKL_AUTO_STR = sim_form(r, "requested_token_type");
    char *audience SKL_AUTO_STR = sim_form(r, "audience");
    char *scope SKL_AUTO_STR = sim_form(r, "scope");
    char *subject SKL_AUTO_STR = sim_form(r, "subject_token");
    char *type SKL_AUTO_STR = sim_form(r, "subject_token_type");

    if (!skl_streq(grant, GRANT_EXCHANGE))
        refuse_grant(a, "unsupported_grant_type", "Invalid grant_type value.");
    else if (!skl_streq(wanted, TYPE_ACCESS))
        refuse_grant(a, "invalid_request", "Invalid requested_token_type value.");
    else if (!audience || !strstr(audience, "/workloadIdentityPools/"))
        refuse_grant(a, "invalid_request", "Invalid value for \\\"audience\\\".");
    else if (skl_str_empty(scope))
        refuse_grant(a, "invalid_scope", "Empty or missing scope not allowed.");
    else if (!type || !strstr(type, "token-type:"))
        refuse_grant(a, "invalid_request", "Invalid subject_token_type value.");
    else if (skl_str_empty(subject) || (!skl_str_empty(s->options->subject_token) &&
                                        !skl_streq(subject, s->options->subject_token)))
        refuse_grant(a, "invalid_grant", "The subject token could not be verified.");
    else
        answer_access(s, "subject@workload-identity-pool",
                      ",\"issued_token_type\":\"" TYPE_ACCESS "\"", a);
}

bool gcp_auth_route(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    struct skl_str path = skl_str(r->path);
    bool is_post = skl_streq(r->method, "POST");

    if (is_post && skl_str_eqz(path, "/token")) {
        char *grant SKL_AUTO_STR = sim_form(r, "grant_type");

        if (skl_streq(grant, GRANT_JWT))
            grant_jwt(s, r, a);
        else if (skl_streq(grant, "refresh_token"))
            grant_refresh(s, r, a);
        else
            refuse_grant(a, "unsupported_grant_type", "Invalid grant_type");
        gcp_count(s, "oauth2.token");
    } else if (is_post && skl_str_eqz(path, "/v1/token")) {
        exchange(s, r, a);
        gcp_count(s, "sts.token");
    } else if (skl_str_eqz(path, "/oauth2/v3/certs")) {
        char *text SKL_AUTO_STR = gcp_keys_jwks(s->keys);

        sim_text(a, 200, text);
    } else {
        return false;
    }
    return true;
}

/* -- checks */

static const char *refuse(struct sim_answer *a, const char *text)
{
    gcp_error(a, GCP_UNAUTHENTICATED,
              "%s Expected OAuth 2 access token, login cookie or other valid authentication "
              "credential. See "
              "https://developers.google.com/identity/sign-in/web/devconsole-project.",
              text);
    skl_buf_adds(&a->headers,
                 "WWW-Authenticate: Bearer realm=\"https://accounts.google.com/\"\r\n");
    return NULL;
}

/* A service account's own signature in the place of a token. */
static const char *self_signed(struct sim *s, struct skl_str token)
{
    SKL_AUTO_JSON cJSON *claims = gcp_jwt_verify(s->keys, GCP_BY_ACCOUNT, token);
    const char *email = skl_json_get_str(claims, "iss");
    const char *audience = skl_json_get_str(claims, "aud");

    if (!claims || times_problem(claims) || skl_json_get_int(claims, "exp", 0) <= wall_s() ||
        !skl_streq(email, skl_json_get_str(claims, "sub")) ||
        (skl_str_empty(skl_json_get_str(claims, "scope")) &&
         (!audience || !strstr(audience, ".googleapis.com"))))
        return NULL;
    (void)gcp_token_issue(s, email, MAX_LIFETIME_S); /* its record holds the borrowed email */
    return SKL_LIST_FIRST(&s->tokens, struct token, in_sim)->email;
}

const char *gcp_auth_check(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    const char *header = sim_header(r, "Authorization");
    struct skl_list *it;
    const char *email;

    if (!header || !skl_str_istarts(skl_str(header), "Bearer "))
        return refuse(a, "Request is missing required authentication credential.");
    skl_list_foreach (it, &s->tokens) {
        struct token *t = SKL_LIST_ENTRY(it, struct token, in_sim);

        if (!skl_streq(header + 7, t->value))
            continue;
        if (t->expires_ms > gcp_now_ms())
            return t->email;
        break;
    }
    email = self_signed(s, skl_str(header + 7));
    return email ? email : refuse(a, "Request had invalid authentication credentials.");
}

/* -- iamcredentials */

static int64_t lifetime_of(const cJSON *body)
{
    const char *text = skl_json_get_str(body, "lifetime");
    int64_t s;

    if (!text)
        return MAX_LIFETIME_S;
    if (!skl_str_ends(skl_str(text), "s") || !skl_str_i64(skl_str_n(text, strlen(text) - 1), &s) ||
        s < 1 || s > MAX_LIFETIME_S)
        return -1;
    return s;
}

static void generate_access(struct sim *s, const char *email, const cJSON *body,
                            struct sim_answer *a)
{
    int64_t lifetime = lifetime_of(body);
    char when[SKL_TIME_LEN];
    char *text SKL_AUTO_STR = NULL;

    if (cJSON_GetArraySize(skl_json_get(body, "scope")) < 1) {
        gcp_error(a, GCP_INVALID_ARGUMENT, "Request must have at least one scope.");
        return;
    }
    if (lifetime < 0) {
        gcp_error(a, GCP_INVALID_ARGUMENT, "The lifetime must be between 1s and 3600s.");
        return;
    }
    text = gcp_format("{\"accessToken\":\"%s\",\"expireTime\":\"%s\"}",
                      gcp_token_issue(s, email, lifetime),
                      skl_time_format((wall_s() + lifetime) * SKL_NS_PER_S, when));
    sim_text(a, 200, text);
}

static void generate_id(struct sim *s, const char *email, const cJSON *body, struct sim_answer *a)
{
    const char *audience = skl_json_get_str(body, "audience");
    char *token SKL_AUTO_STR = NULL;
    char *text SKL_AUTO_STR = NULL;

    if (skl_str_empty(audience)) {
        gcp_error(a, GCP_INVALID_ARGUMENT, "Request must have an audience.");
        return;
    }
    token = gcp_id_token(s, email, audience, skl_json_get_bool(body, "includeEmail", false));
    text = gcp_format("{\"token\":\"%s\"}", token);
    sim_text(a, 200, text);
}

/* v1, projects, -, serviceAccounts, EMAIL */
void gcp_iam_credentials(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                         struct sim_answer *a)
{
    const char *email = p->parts[4];
    SKL_AUTO_JSON cJSON *body = NULL;

    if (!gcp_auth_check(s, r, a))
        return;
    body = gcp_body(r, a);
    if (!body)
        return;
    if (!skl_streq(p->parts[2], "-"))
        gcp_error(a, GCP_INVALID_ARGUMENT, "Invalid form of resource name: use projects/-.");
    else if (!strchr(email, '@') || !skl_str_ends(skl_str(email), ".gserviceaccount.com"))
        gcp_error(a, GCP_NOT_FOUND, "Gaia id not found for email %s", email);
    else if (skl_streq(p->verb, "generateAccessToken"))
        generate_access(s, email, body, a);
    else if (skl_streq(p->verb, "generateIdToken"))
        generate_id(s, email, body, a);
    else
        gcp_unknown(r, a);
}
