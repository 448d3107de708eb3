/* A known secret in any surroundings, whole or cut at the text's end, is gone after redaction, and redacting again changes
 * nothing. First byte: where the secret stands in the rest. */
#include <stdint.h>
#include <string.h>

#include "base/redact.h"
#include "base/secrets.h"

#define SECRET "pl4nted/s3cret+value"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    SKL_AUTO_BUF struct skl_buf text = {0}, once = {0}, twice = {0};
    size_t at, rest;

    if (n < 1 || n > 65536)
        return 0;
    skl_secret_seen(SECRET);
    skl_buf_init(&text, 1u << 20);
    skl_buf_init(&once, 1u << 20);
    skl_buf_init(&twice, 1u << 20);
    rest = n - 1;
    at = data[0] % n;
    skl_buf_add(&text, data + 1, at);
    skl_buf_adds(&text, SECRET);
    skl_buf_add(&text, data + 1 + at, rest - at);
    skl_redact_add(&once, skl_buf_str(&text));
    SKL_ASSERT(!memmem(once.p, once.n, SECRET, sizeof(SECRET) - 1));
    skl_redact_add(&twice, skl_buf_str(&once));
    SKL_ASSERT(!memmem(twice.p, twice.n, SECRET, sizeof(SECRET) - 1));
    skl_buf_reset(&twice);
    skl_redact_cut(&twice, skl_buf_str(&text), at + 12);
    SKL_ASSERT(twice.n <= at + 12 && !memmem(twice.p, twice.n, SECRET, sizeof(SECRET) - 1));
    return 0;
}
