#include "base/id.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/macros.h"

void skl_random(void *p, size_t n)
{
    uint8_t *at = p;

    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        SKL_ASSERT(got > 0); /* without randomness no token is safe */
        at += got;
        n -= (size_t)got;
    }
}

void skl_random_hex(char *out, size_t digits)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t bytes[64];
    size_t at = 0;

    while (at < digits) {
        skl_random(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes) && at < digits; i++) {
            out[at++] = hex[bytes[i] >> 4];
            if (at < digits)
                out[at++] = hex[bytes[i] & 15];
        }
    }
    out[digits] = '\0';
}

void skl_uuid4(char out[37])
{
    uint8_t b[16];

    skl_random(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

bool skl_is_hex(struct skl_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    return s.n > 0;
}
