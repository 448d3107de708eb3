/* Asking token endpoints and reading what they answer. Entra, App Service, IMDS, az and Google agree on nothing but
 * the idea: expires_in or expires_on, numbers or strings. Errors are cut to what helps a person: the first line of the
 * description; the rest is trace identifiers. */
#include "cloud/oauth.h"

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/error_text.h"

#define MAX_PASSING 3

static bool number_of(const cJSON *json, const char *key, int64_t *ret)
{
    const cJSON *item = skl_json_get(json, key);

    if (cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 1e13) {
        *ret = (int64_t)item->valuedouble;
        return true;
    }
    return cJSON_IsString(item) && skl_str_i64(skl_str(item->valuestring), ret) && *ret >= 0 &&
           *ret < INT64_C(10000000000000);
}

bool skl_token_is_sane(const char *t)
{
    if (!t || !*t)
        return false;
    for (; *t; t++)
        if ((unsigned char)*t <= ' ' || (unsigned char)*t >= 0x7f)
            return false;
    return true;
}

int skl_token_read(const cJSON *json, const char *token_key, struct skl_token *ret,
                   struct skl_error *err)
{
    const char *text = skl_json_get_str(json, token_key);
    int64_t seconds;

    if (!skl_token_is_sane(text))
        return skl_fail(err, SKL_E_INTERNAL, "the answer holds no token");
    /* Where both are told: the one that does not depend on this machine's clock. */
    if (!number_of(json, "expires_in", &seconds)) {
        if (!number_of(json, "expires_on", &seconds))
            return skl_fail(err, SKL_E_INTERNAL,
                            "the answer does not say how long the token lives");
        seconds -= skl_wall_ns() / SKL_NS_PER_S;
        if (seconds <= 0)
            return skl_fail(err, SKL_E_INTERNAL,
                            "the token has already ended: is this machine's clock right?");
    }
    if (seconds <= 0)
        return skl_fail(err, SKL_E_INTERNAL, "the answer holds an expired token");
    ret->text = skl_strdup(text);
    ret->lifetime_ms = seconds * 1000;
    return 0;
}

/* The first line of what it says; the rest is trace identifiers. */
static void add_line(struct skl_buf *b, struct skl_str s, size_t max)
{
    struct skl_str rest;

    skl_error_text_add(b, skl_str_cut(skl_str_cut(s, '\n', &rest), '\r', &rest), max);
}

int skl_oauth_refused(const char *source, int status, struct skl_str body, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *json = NULL;
    SKL_AUTO_BUF struct skl_buf text = {0};
    const char *code = NULL, *description = NULL;
    enum skl_kind kind = SKL_E_UNAUTHORIZED;

    if (status == 429 || status >= 500)
        kind = SKL_E_UNAVAILABLE;
    skl_buf_init(&text, 1024);
    if (skl_json_parse(body, &json, NULL) == 0) {
        code = skl_json_get_str(json, "error");
        description = skl_json_get_str(json, "error_description");
        if (!description)
            description = skl_json_get_str(json, "message");
    }
    if (description && *description)
        add_line(&text, skl_str(description), 300);
    else if (code)
        add_line(&text, skl_str(code), 100);
    else
        add_line(&text, body, 200);
    return skl_fail(err, kind, "%s: no token (HTTP %d): %s", source, status, text.p);
}

void skl_form_add(struct skl_buf *b, const char *key, const char *value)
{
    if (b->n > 0)
        skl_buf_addc(b, '&');
    skl_buf_adds(b, key);
    skl_buf_addc(b, '=');
    skl_url_encode(b, skl_str(value));
}

void skl_form_end(struct skl_buf *b)
{
    explicit_bzero(b->p, b->n);
    skl_buf_fini(b);
}

/* OAuth's own words for "try again", which come with any status. */
static bool is_passing(struct skl_str body)
{
    static const char *const codes[] = {"internal_failure", "server_error",
                                        "temporarily_unavailable"};
    SKL_AUTO_JSON cJSON *json = NULL;

    if (skl_json_parse(body, &json, NULL) < 0)
        return false;
    for (size_t i = 0; i < SKL_ARRAY_LEN(codes); i++)
        if (skl_streq(skl_json_get_str(json, "error"), codes[i]))
            return true;
    return false;
}

int skl_oauth_post(struct skl_rest *rest, const char *source, const char *url,
                   const struct skl_buf *form, const char *authorization,
                   const struct skl_token_limits *limits, cJSON **ret, struct skl_error *err)
{
    struct skl_rest_header header = {"Authorization", authorization};
    struct skl_rest_request req = {.operation = "token",
                                   .method = "POST",
                                   .url = url,
                                   .headers = &header,
                                   .n_headers = authorization ? 1 : 0,
                                   .body = skl_buf_str(form),
                                   .content_type = "application/x-www-form-urlencoded",
                                   .max_body = SKL_MIB,
                                   .idempotent = true,
                                   .deadline_ms = limits->deadline_ms,
                                   .cancel = limits->cancel};
    int rc;

    if (form->failed)
        return skl_fail(err, SKL_E_TOOBIG, "%s: the token request is too large", source);
    for (unsigned attempt = 0;; attempt++) {
        SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};

        rc = skl_rest_call(rest, &req, &answer, err);
        if (rc < 0)
            return skl_wrap(err, rc, "%s", source);
        if (answer.status == 200) {
            rc = skl_json_parse(skl_buf_str(&answer.body), ret, err);
            return rc < 0 ? skl_wrap(err, rc, "%s", source) : 0;
        }
        if (attempt == MAX_PASSING || answer.status == 429 || answer.status >= 500 ||
            !is_passing(skl_buf_str(&answer.body)))
            return skl_oauth_refused(source, answer.status, skl_buf_str(&answer.body), err);
        rc = skl_cloud_sleep(skl_rest_scale_ms(rest, INT64_C(1000) << attempt), limits->deadline_ms,
                             limits->cancel, err);
        if (rc < 0)
            return skl_wrap(err, rc, "%s", source);
    }
}

int skl_secret_file_read(const char *path, size_t max, char **ret, size_t *ret_n,
                         struct skl_error *err)
{
    FILE *f = fopen(path, "re");
    char *p;
    size_t n;

    if (!f)
        return skl_fail_errno(err, errno, "'%s'", path);
    p = skl_alloc0(1, max + 1);
    n = fread(p, 1, max + 1, f);
    if (ferror(f) || n > max) {
        explicit_bzero(p, max + 1);
        free(p);
        (void)fclose(f);
        return skl_fail(err, SKL_E_INVALID, "'%s': cannot be read, or is larger than %zu bytes",
                        path, max);
    }
    (void)fclose(f);
    p[n] = '\0';
    *ret = p;
    if (ret_n)
        *ret_n = n;
    return 0;
}
