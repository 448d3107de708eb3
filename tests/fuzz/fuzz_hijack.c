/* Detach keys as clients name them, and terminal input that is searched for them: nothing is lost, nothing invented. */
#include <stdint.h>

#include "base/alloc.h"
#include "docker/api/hijack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const uint8_t *newline = n > 0 ? memchr(data, '\n', n) : NULL;
    size_t keys_n = newline ? (size_t)(newline - data) : 0, in_n;
    SKL_AUTO_STR char *keys = skl_strndup((const char *)data, keys_n);
    SKL_AUTO_BUF struct skl_buf out = {0};
    struct skl_detach d;
    bool detached;

    if (skl_detach_parse(&d, keys, NULL) < 0)
        return 0;
    data += newline ? keys_n + 1 : 0;
    in_n = n - (newline ? keys_n + 1 : 0);
    skl_buf_init(&out, 1 << 20);
    detached = skl_detach_feed(&d, skl_str_n((const char *)data, in_n), &out);
    SKL_ASSERT(out.n + d.matched <= in_n);
    SKL_ASSERT(detached || out.n + d.matched == in_n);
    return 0;
}
