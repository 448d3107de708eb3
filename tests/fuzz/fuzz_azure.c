/* What Azure answers: error bodies of both families, token answers, Retry-After. The sentence made of them
 * is one printable line, whatever comes in. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "cloud/azure/arm.h"
#include "cloud/oauth.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

static void check_line(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
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
    return 0;
}
