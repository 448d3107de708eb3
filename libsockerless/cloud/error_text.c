#include "cloud/error_text.h"

#include "base/redact.h"

void skl_error_text_add(struct skl_buf *b, struct skl_str s, size_t max)
{
    SKL_AUTO_BUF struct skl_buf clean = {0};
    bool space = false;

    /* A cloud may say back what we sent to it. */
    skl_buf_init(&clean, max + 1);
    s = skl_str_trim(s);
    skl_redact_cut(&clean, s, max + 1);
    s = skl_buf_str(&clean);
    if (s.n > max) {
        s.n = max;
        while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
            s.n--; /* not in the middle of a character */
    }
    while (s.n > 0 && s.p[s.n - 1] == '.')
        s.n--;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c == 0x7f) {
            space = true;
            continue;
        }
        if (space)
            skl_buf_addc(b, ' ');
        space = false;
        skl_buf_addc(b, (char)c);
    }
}
