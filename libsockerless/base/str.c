#include "base/str.h"

#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"

bool skl_str_eq(struct skl_str a, struct skl_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool skl_str_eqz(struct skl_str a, const char *b)
{
    return skl_str_eq(a, skl_str(b));
}

bool skl_str_ieqz(struct skl_str a, const char *b)
{
    return a.n == strlen(b) && (a.n == 0 || strncasecmp(a.p, b, a.n) == 0);
}

bool skl_str_starts(struct skl_str s, const char *prefix)
{
    size_t n = strlen(prefix);

    return n == 0 || (s.n >= n && memcmp(s.p, prefix, n) == 0);
}

bool skl_str_istarts(struct skl_str s, const char *prefix)
{
    size_t n = strlen(prefix);

    return n == 0 || (s.n >= n && strncasecmp(s.p, prefix, n) == 0);
}

bool skl_str_ends(struct skl_str s, const char *suffix)
{
    size_t n = strlen(suffix);

    return n == 0 || (s.n >= n && memcmp(s.p + s.n - n, suffix, n) == 0);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

struct skl_str skl_str_trim(struct skl_str s)
{
    while (s.n > 0 && is_space(s.p[0]))
        s = skl_str_skip(s, 1);
    while (s.n > 0 && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct skl_str skl_str_skip(struct skl_str s, size_t n)
{
    if (n > s.n)
        n = s.n;
    return n ? (struct skl_str){s.p + n, s.n - n} : s; /* s.p may be NULL */
}

struct skl_str skl_str_cut(struct skl_str s, char sep, struct skl_str *rest)
{
    const char *at = skl_str_find(s, sep);

    if (!at) {
        *rest = (struct skl_str){NULL, 0};
        return s;
    }
    *rest = (struct skl_str){at + 1, s.n - (size_t)(at - s.p) - 1};
    return (struct skl_str){s.p, (size_t)(at - s.p)};
}

const char *skl_str_find(struct skl_str s, char c)
{
    return s.n ? memchr(s.p, c, s.n) : NULL;
}

char *skl_str_dup(struct skl_str s)
{
    return skl_memdup(s.p, s.n);
}

bool skl_str_u64(struct skl_str s, uint64_t *ret)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned char)s.p[i] - '0';

        if (digit > 9 || v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *ret = v;
    return true;
}

bool skl_str_i64(struct skl_str s, int64_t *ret)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    uint64_t v;

    if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
        s = skl_str_skip(s, 1);
    if (!skl_str_u64(s, &v) || v > (uint64_t)INT64_MAX + minus)
        return false;
    *ret = minus ? -(int64_t)(v - 1) - 1 : (int64_t)v;
    if (minus && v == 0)
        *ret = 0;
    return true;
}

bool skl_str_eq_secret(struct skl_str a, struct skl_str b)
{
    volatile unsigned char diff = a.n != b.n;

    /* The time depends on the length of `a`, which the asker chose, and on nothing else. */
    for (size_t i = 0; i < a.n; i++)
        diff |= (unsigned char)(a.p[i] ^ (b.n ? b.p[i % b.n] : 0));
    return diff == 0;
}

bool skl_streq(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}
