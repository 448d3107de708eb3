/* Subnets for networks and addresses in them.
 *
 * An address is an offset from the network's base, and a bit per offset says whether it is taken; the lowest free
 * one is handed out, as a Docker Engine does, so that a lone container is .2. Nothing is routed by these
 * addresses: they name a container in answers. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/alloc.h"
#include "store/store_internal.h"

static bool parse_ip(const char *text, uint32_t *ret)
{
    struct in_addr a;

    if (skl_str_empty(text) || inet_pton(AF_INET, text, &a) != 1)
        return false;
    *ret = ntohl(a.s_addr);
    return true;
}

static char *ip_text(uint32_t ip, const char *suffix)
{
    char text[32];

    snprintf(text, sizeof(text), "%u.%u.%u.%u%s", ip >> 24, (ip >> 16) & 255u, (ip >> 8) & 255u,
             ip & 255u, suffix);
    return skl_strdup(text);
}

static uint32_t mask_of(unsigned bits)
{
    return bits == 0 ? 0 : ~UINT32_C(0) << (32 - bits);
}

/* Number of offsets that we manage. */
static uint32_t capacity(const struct skl_network_full *n)
{
    uint32_t host = ~mask_of(n->bits);

    return host < SKL_NETWORK_MAX_ADDRESSES ? host + 1 : SKL_NETWORK_MAX_ADDRESSES;
}

/* Fills base and bits from the subnet text; false and *err when it is none. */
bool skl_network_parse(struct skl_network_full *n, struct skl_error *err)
{
    struct skl_str rest = {0};
    struct skl_str head = skl_str_cut(skl_str(n->n.subnet), '/', &rest);
    char *ip SKL_AUTO_STR = skl_str_dup(head);
    uint64_t bits = 0;

    if (!parse_ip(ip, &n->base) || !rest.p || !skl_str_u64(rest, &bits) || bits > 30 || bits < 8) {
        skl_fail(err, SKL_E_INVALID, "invalid subnet %s: expected IPv4 address/prefix, /8 to /30",
                 n->n.subnet);
        return false;
    }
    n->bits = (unsigned)bits;
    n->base &= mask_of(n->bits);
    n->first_free = 1;
    return true;
}

static struct skl_network *overlapping(struct skl_store *s, uint32_t base, unsigned bits)
{
    struct skl_list *it;

    skl_list_foreach (it, &s->networks) {
        struct skl_network_full *o = SKL_CONTAINER_OF(
            SKL_LIST_ENTRY(it, struct skl_network, in_store), struct skl_network_full, n);
        uint32_t mask;

        if (o->base == 0)
            continue;
        mask = mask_of(o->bits < bits ? o->bits : bits);
        if (((o->base ^ base) & mask) == 0)
            return &o->n;
    }
    return NULL;
}

/* The pools in their order: index -> base and prefix; false behind the last. */
static bool pool_at(unsigned i, uint32_t *base, unsigned *bits)
{
    if (i < 14) { /* 172.18 to 172.31 */
        *base = (172u << 24) | ((18u + i) << 16);
        *bits = 16;
    } else if (i < 30) { /* 192.168.0.0/20 and on */
        *base = (192u << 24) | (168u << 16) | ((i - 14) << 12);
        *bits = 20;
    } else if (i < 286) { /* 10.0 to 10.255 */
        *base = (10u << 24) | ((i - 30) << 16);
        *bits = 16;
    } else {
        return false;
    }
    return true;
}

int skl_network_pick_subnet(struct skl_store *s, struct skl_network_full *n, struct skl_error *err)
{
    char prefix[8];

    if (!skl_str_empty(n->n.subnet)) {
        if (!skl_network_parse(n, err))
            return -SKL_E_INVALID;
        if (overlapping(s, n->base, n->bits))
            return skl_fail(err, SKL_E_FORBIDDEN,
                            "Pool overlaps with other one on this address space");
    } else {
        for (unsigned i = 0;; i++) {
            if (!pool_at(i, &n->base, &n->bits))
                return skl_fail(err, SKL_E_INVALID,
                                "could not find an available, non-overlapping IPv4 address pool "
                                "among the defaults to assign to the network");
            if (!overlapping(s, n->base, n->bits))
                break;
        }
        snprintf(prefix, sizeof(prefix), "/%u", n->bits);
        free(n->n.subnet);
        n->n.subnet = ip_text(n->base, prefix);
        n->first_free = 1;
    }
    if (skl_str_empty(n->n.gateway)) {
        free(n->n.gateway);
        n->n.gateway = ip_text(n->base + 1, "");
    }
    return 0;
}

static bool is_used(const struct skl_network_full *n, uint32_t offset)
{
    size_t byte = offset / 8;

    return byte < n->n_used && (n->used[byte] & (1u << (offset % 8)));
}

static void set_used(struct skl_network_full *n, uint32_t offset, bool used)
{
    size_t byte = offset / 8;

    if (byte >= n->n_used) {
        size_t bytes = byte + 1 > 2 * n->n_used ? byte + 1 : 2 * n->n_used;

        n->used = skl_realloc(n->used, bytes, 1);
        memset(n->used + n->n_used, 0, bytes - n->n_used);
        n->n_used = bytes;
    }
    if (used)
        n->used[byte] = (uint8_t)(n->used[byte] | (1u << (offset % 8)));
    else
        n->used[byte] = (uint8_t)(n->used[byte] & ~(1u << (offset % 8)));
    if (!used && offset < n->first_free)
        n->first_free = offset;
}

/* Offset 0 is the network, the last one the broadcast address. */
static bool offset_of(const struct skl_network_full *n, const char *ip, uint32_t *ret)
{
    uint32_t a;

    if (n->base == 0 || !parse_ip(ip, &a) || (a & mask_of(n->bits)) != n->base)
        return false;
    *ret = a - n->base;
    return *ret > 0 && *ret < capacity(n) - 1;
}

static bool is_gateway(const struct skl_network_full *n, uint32_t offset)
{
    uint32_t gateway;

    return parse_ip(n->n.gateway, &gateway) && gateway == n->base + offset;
}

void skl_network_mark(struct skl_network_full *n, const char *ip, bool used)
{
    uint32_t offset;

    if (offset_of(n, ip, &offset))
        set_used(n, offset, used);
}

char *skl_network_take_address(struct skl_network_full *n, const char *wanted)
{
    uint32_t offset;

    if (n->base == 0)
        return skl_strdup("");
    if (offset_of(n, wanted, &offset) && !is_used(n, offset) && !is_gateway(n, offset)) {
        set_used(n, offset, true);
        return ip_text(n->base + offset, "");
    }
    for (offset = n->first_free ? n->first_free : 1; offset < capacity(n) - 1; offset++) {
        if (is_used(n, offset) || is_gateway(n, offset))
            continue;
        set_used(n, offset, true);
        n->first_free = offset + 1;
        return ip_text(n->base + offset, "");
    }
    return skl_strdup("");
}
