/* What Azure answers: error bodies of both families, token answers, Retry-After. The sentence made of them
 * is one printable line, whatever comes in; a text that goes into a KQL query stays one literal of it. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "cloud/azure/loganalytics.h"
#include "cloud/oauth.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

static void check_line(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            abort();
}

static unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* Reads a KQL literal as the service does; it must end where the text ends, and say what was quoted. */
static void check_kql(struct skl_str s)
{
    SKL_AUTO_BUF struct skl_buf quoted = {0}, back = {0};
    size_t i = 1;

    skl_buf_init(&quoted, 6 * s.n + 16);
    skl_buf_init(&back, s.n + 16);
    skl_kql_quote(&quoted, s);
    if (quoted.failed || quoted.p[0] != '"')
        abort();
    for (; i < quoted.n && quoted.p[i] != '"'; i++) {
        char c = quoted.p[i];

        if ((unsigned char)c < ' ' || c == 0x7f)
            abort(); /* a literal is one line */
        if (c == '\\') {
            c = quoted.p[++i];
            if (c == 'u') {
                unsigned code = 0;

                for (int k = 0; k < 4; k++)
                    code = code * 16 + hex_digit(quoted.p[++i]);
                c = (char)code;
            } else {
                c = (char)(c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c);
            }
        }
        skl_buf_addc(&back, c);
    }
    if (i + 1 != quoted.n || !skl_str_eq(skl_buf_str(&back), s))
        abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
    struct skl_str body = skl_str_n((const char *)data, n);
    struct skl_token token = {0};
    cJSON *json = NULL;
    struct skl_error err;
    char code[96];

    if (skl_azure_fail(&err, 400, body, "fuzz", code) != -SKL_E_INVALID)
        abort();
    check_line(err.msg);
    check_line(code);
    if (skl_oauth_refused("fuzz", 401, body, &err) != -SKL_E_UNAUTHORIZED)
        abort();
    check_line(err.msg);
    if (skl_json_parse(body, &json, NULL) == 0 &&
        skl_token_read(json, "access_token", &token, &err) == 0) {
        if (token.lifetime_ms <= 0 || !token.text || !*token.text)
            abort();
        skl_secret_free(token.text);
    }
    cJSON_Delete(json);
    (void)skl_retry_after_parse(body, 0);
    check_kql(body);
    return 0;
}
