/* json_read: what parses prints as JSON that parses to the same; quoted bytes decode. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_quoted(struct skl_str s)
{
    SKL_AUTO_JSON cJSON *plain = NULL, *html = NULL;
    SKL_AUTO_BUF struct skl_buf a = {0}, b = {0};

    skl_buf_init(&a, 8u << 20);
    skl_buf_init(&b, 8u << 20);
    skl_json_quote(&a, s, false);
    skl_json_quote(&b, s, true);
    if (skl_str_find(s, '\0'))
        return; /* cJSON does not take \u0000 */
    SKL_ASSERT(skl_json_parse(skl_buf_str(&a), &plain, NULL) == 0);
    SKL_ASSERT(skl_json_parse(skl_buf_str(&b), &html, NULL) == 0);
    SKL_ASSERT(strcmp(plain->valuestring, html->valuestring) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct skl_str text = skl_str_n((const char *)data, n);
    SKL_AUTO_JSON cJSON *json = NULL, *again = NULL;
    SKL_AUTO_STR char *printed = NULL, *twice = NULL;

    check_quoted(text);
    if (skl_json_parse(text, &json, NULL) < 0) {
        SKL_ASSERT(!json);
        return 0;
    }
    (void)skl_json_get_str(json, "Image"); /* none of these may fail, whatever it is */
    (void)skl_json_get_int(json, "n", 0);
    (void)skl_json_get_bool(json, "Tty", false);
    skl_strv_free(skl_json_get_strv(json, "Cmd"));
    printed = skl_json_text(json);
    SKL_ASSERT(skl_json_parse(skl_str(printed), &again, NULL) == 0);
    twice = skl_json_text(again);
    SKL_ASSERT(strcmp(printed, twice) == 0);
    return 0;
}
