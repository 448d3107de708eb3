#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/str.h"

bool skl_ip_parse(const char *text, struct skl_ip *ret)
{
    struct skl_ip a = {0};

    if (skl_str_empty(text))
        return false;
    if (inet_pton(AF_INET, text, a.b) == 1)
        a.n = 4;
    else if (inet_pton(AF_INET6, text, a.b) == 1)
        a.n = 16;
    else
        return false;
    *ret = a;
    return true;
}

bool skl_ip_parse_prefix(const char *text, struct skl_ip *ret, unsigned *bits)
{
    struct skl_str rest = {0}, head = skl_str_cut(skl_str(text ? text : ""), '/', &rest);
    SKL_AUTO_STR char *address = skl_str_dup(head);
    struct skl_ip a;
    uint64_t value;

    if (!rest.p || rest.n > 3 || !skl_str_u64(rest, &value) || !skl_ip_parse(address, &a) ||
        value > 8u * a.n)
        return false;
    *ret = a;
    *bits = (unsigned)value;
    return true;
}

struct skl_ip skl_ip_mask(struct skl_ip a, unsigned bits)
{
    for (unsigned i = 0; i < a.n; i++) {
        unsigned kept = bits > 8 * i ? bits - 8 * i : 0;

        if (kept < 8)
            a.b[i] = (uint8_t)(a.b[i] & (0xff00u >> kept));
    }
    return a;
}

bool skl_ip_eq(const struct skl_ip *a, const struct skl_ip *b)
{
    return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

bool skl_ip_in(const struct skl_ip *a, const struct skl_ip *net, unsigned bits)
{
    struct skl_ip x = skl_ip_mask(*a, bits), y = skl_ip_mask(*net, bits);

    return a->n > 0 && skl_ip_eq(&x, &y);
}

struct skl_ip skl_ip_add(struct skl_ip a, uint64_t offset)
{
    unsigned carry = 0, low = a.n == 16 ? 8 : 0;

    for (unsigned i = a.n; i > low; i--) {
        unsigned sum = a.b[i - 1] + (unsigned)(offset & 255u) + carry;

        a.b[i - 1] = (uint8_t)(sum & 255u);
        carry = sum >> 8;
        offset >>= 8;
    }
    return a;
}

static uint64_t tail(const struct skl_ip *a)
{
    uint64_t value = 0;

    for (unsigned i = a->n == 16 ? 8 : 0; i < a->n; i++)
        value = value << 8 | a->b[i];
    return value;
}

bool skl_ip_offset(const struct skl_ip *a, const struct skl_ip *base, uint64_t *ret)
{
    if (a->n != base->n || a->n == 0 || (a->n == 16 && memcmp(a->b, base->b, 8) != 0) ||
        tail(a) < tail(base))
        return false;
    *ret = tail(a) - tail(base);
    return true;
}

char *skl_ip_text(const struct skl_ip *a)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (a->n > 0)
        (void)inet_ntop(a->n == 4 ? AF_INET : AF_INET6, a->b, text, sizeof(text)); /* it fits */
    return skl_strdup(text);
}

char *skl_ip_prefix_text(const struct skl_ip *a, unsigned bits)
{
    SKL_AUTO_STR char *address = skl_ip_text(a);
    char text[INET6_ADDRSTRLEN + 8];

    snprintf(text, sizeof(text), "%s/%u", address, bits);
    return skl_strdup(text);
}
