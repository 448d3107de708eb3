#include "base/encode.h"

static const char base64_standard[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void skl_hex_add(struct skl_buf *b, const void *p, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *at = p;

    for (size_t i = 0; i < n; i++) {
        skl_buf_addc(b, hex[at[i] >> 4]);
        skl_buf_addc(b, hex[at[i] & 15]);
    }
}

static void add_base64(struct skl_buf *b, const uint8_t *p, size_t n, const char *alphabet,
                       bool pad)
{
    for (; n > 0; p += n < 3 ? n : 3, n -= n < 3 ? n : 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0u);
        char quad[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63], alphabet[v >> 6 & 63],
                        alphabet[v & 63]};
        size_t used = n >= 3 ? 4 : n + 1;

        skl_buf_add(b, quad, used);
        while (pad && used++ < 4)
            skl_buf_addc(b, '=');
    }
}

void skl_base64_add(struct skl_buf *b, const void *p, size_t n)
{
    add_base64(b, p, n, base64_standard, true);
}

void skl_base64url_add(struct skl_buf *b, const void *p, size_t n)
{
    add_base64(b, p, n, base64_url, false);
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool skl_base64_decode(struct skl_buf *b, struct skl_str s)
{
    uint32_t v = 0;
    unsigned bits = 0;

    if (s.n % 4 == 0) /* padding is all there or not at all */
        for (size_t pad = 0; pad < 2 && s.n > 0 && s.p[s.n - 1] == '='; pad++)
            s.n--;
    if (s.n % 4 == 1)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int value = base64_value(s.p[i]);

        if (value < 0)
            return false;
        v = v << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            skl_buf_addc(b, (char)(v >> bits & 255));
        }
    }
    return !b->failed;
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void skl_url_encode(struct skl_buf *b, struct skl_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (is_unreserved(c))
            skl_buf_addc(b, (char)c);
        else
            skl_buf_addf(b, "%%%02X", c);
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void skl_url_decode(struct skl_buf *b, struct skl_str s, bool plus_is_space)
{
    for (size_t i = 0; i < s.n; i++) {
        int high = i + 2 < s.n && s.p[i] == '%' ? hex_value(s.p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(s.p[i + 2]) : -1;

        if (low >= 0) {
            skl_buf_addc(b, (char)(high << 4 | low));
            i += 2;
        } else {
            skl_buf_addc(b, plus_is_space && s.p[i] == '+' ? ' ' : s.p[i]);
        }
    }
}

bool skl_query_next(struct skl_str *rest, struct skl_str *key, struct skl_str *value)
{
    while (rest->n > 0) {
        struct skl_str pair = skl_str_cut(*rest, '&', rest);

        if (pair.n == 0)
            continue;
        *key = skl_str_cut(pair, '=', value);
        return true;
    }
    return false;
}
