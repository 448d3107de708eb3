/* Reading what token endpoints answer. Entra, App Service, IMDS and az agree on nothing but the idea:
 * expires_in or expires_on, numbers or strings. Errors are cut to what helps a person: the AADSTS code
 * and the first line; the rest is trace identifiers. */
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "cloud/azure/source.h"

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

static bool token_is_sane(const char *t)
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

    if (!token_is_sane(text))
        return skl_fail(err, SKL_E_INTERNAL, "the answer holds no token");
    if (number_of(json, "expires_on", &seconds))
        seconds -= skl_wall_ns() / SKL_NS_PER_S;
    else if (!number_of(json, "expires_in", &seconds))
        return skl_fail(err, SKL_E_INTERNAL, "the answer does not say how long the token lives");
    if (seconds <= 0)
        return skl_fail(err, SKL_E_INTERNAL, "the answer holds an expired token");
    ret->text = skl_strdup(text);
    ret->lifetime_ms = seconds * 1000;
    return 0;
}

/* One printable line, cut. */
static void add_line(struct skl_buf *b, struct skl_str s, size_t max)
{
    for (size_t i = 0; i < s.n && i < max; i++) {
        if (s.p[i] == '\n' || s.p[i] == '\r')
            break;
        skl_buf_addc(b, (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ? ' ' : s.p[i]);
    }
}

int skl_token_refused(const char *source, int status, struct skl_str body, struct skl_error *err)
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
