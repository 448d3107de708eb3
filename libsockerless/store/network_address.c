/* Subnets for networks and addresses in them.
 *
 * An address that is handed out is the lowest free one of the range, as a Docker Engine does, so that a lone
 * container is .2: a bit per address says whether it is taken. An address that was asked for may lie anywhere in
 * the subnet (that is what a range is for); the networks' reserved addresses and the endpoints themselves say
 * whether it is free. Nothing is routed by these addresses: they name a container in answers. */
#include <stdio.h>

#include "base/alloc.h"
#include "store/store_internal.h"

/* -- pools */

static bool has_pool(const struct skl_pool *p)
{
    return p->base.n > 0;
}

/* The greatest offset in the subnet. */
static uint64_t last_offset(const struct skl_ip *base, unsigned bits)
{
    unsigned host = 8 * base->n - bits;

    return host >= 64 ? UINT64_MAX : (UINT64_C(1) << host) - 1;
}

/* The first address names the network; the last one of IPv4 is for broadcasts. */
static void limit_to_hosts(struct skl_pool *p)
{
    uint64_t last = last_offset(&p->base, p->bits);

    if (p->base.n == 4 && last > 0)
        last--;
    if (p->first == 0)
        p->first = 1;
    if (p->last > last)
        p->last = last;
}

static int pool_parse(struct skl_pool *p, const char *subnet, const char *range,
                      struct skl_error *err)
{
    struct skl_ip at;
    unsigned bits;

    *p = (struct skl_pool){0};
    if (skl_str_empty(subnet))
        return 0;
    if (!skl_ip_parse_prefix(subnet, &at, &p->bits))
        return skl_fail(err, SKL_E_INVALID, "invalid subnet %s: invalid CIDR block notation",
                        subnet);
    p->base = skl_ip_mask(at, p->bits);
    p->last = last_offset(&p->base, p->bits);
    if (!skl_str_empty(range)) {
        struct skl_ip low;

        if (!skl_ip_parse_prefix(range, &at, &bits) || bits < p->bits ||
            !skl_ip_in(&at, &p->base, p->bits))
            return skl_fail(err, SKL_E_INVALID, "invalid ip-range %s: it is none of subnet %s",
                            range, subnet);
        low = skl_ip_mask(at, bits);
        if (!skl_ip_offset(&low, &p->base, &p->first))
            return skl_fail(err, SKL_E_INVALID, "invalid ip-range %s: too far into subnet %s",
                            range, subnet);
        if (p->last - p->first > last_offset(&low, bits))
            p->last = p->first + last_offset(&low, bits);
    }
    limit_to_hosts(p);
    return 0;
}

static void pool_set(struct skl_pool *p, const struct skl_ip *a, bool used)
{
    uint64_t offset;
    size_t i, byte;

    if (!has_pool(p) || !skl_ip_offset(a, &p->base, &offset) || offset < p->first ||
        offset - p->first >= SKL_NETWORK_MAX_ADDRESSES)
        return;
    i = (size_t)(offset - p->first);
    byte = i / 8;
    if (byte >= p->n_used) {
        size_t bytes = byte + 1 > 2 * p->n_used ? byte + 1 : 2 * p->n_used;

        p->used = skl_realloc(p->used, bytes, 1);
        memset(p->used + p->n_used, 0, bytes - p->n_used);
        p->n_used = bytes;
    }
    if (used)
        p->used[byte] = (uint8_t)(p->used[byte] | (1u << (i % 8)));
    else
        p->used[byte] = (uint8_t)(p->used[byte] & ~(1u << (i % 8)));
    if (!used && i < p->first_free)
        p->first_free = i;
}

/* The lowest free address of the range; none when it is full. */
static struct skl_ip pool_next(struct skl_pool *p)
{
    for (size_t i = p->first_free; i < SKL_NETWORK_MAX_ADDRESSES; i++) {
        size_t byte = i / 8;

        if (p->first > p->last || i > p->last - p->first)
            break;
        if (byte < p->n_used && (p->used[byte] & (1u << (i % 8))))
            continue;
        p->first_free = i;
        return skl_ip_add(p->base, p->first + i);
    }
    return (struct skl_ip){0};
}

void skl_pool_fini(struct skl_pool *p)
{
    free(p->used);
    *p = (struct skl_pool){0};
}

static struct skl_pool *pool_of(struct skl_network_full *n, bool v6)
{
    return v6 ? &n->v6 : &n->v4;
}

void skl_network_mark(struct skl_network_full *n, const char *ip, bool used)
{
    struct skl_ip a;

    if (skl_ip_parse(ip, &a))
        pool_set(pool_of(n, a.n == 16), &a, used);
}

/* -- what the network keeps for itself */

static bool is_text_of(const char *text, const struct skl_ip *a)
{
    struct skl_ip b;

    return skl_ip_parse(text, &b) && skl_ip_eq(a, &b);
}

static bool is_edge(const struct skl_pool *p, const struct skl_ip *a)
{
    uint64_t offset;

    return skl_ip_offset(a, &p->base, &offset) &&
           (offset == 0 || (a->n == 4 && offset == last_offset(&p->base, p->bits)));
}

static bool is_reserved(struct skl_network_full *n, const struct skl_ip *a)
{
    if (is_edge(pool_of(n, a->n == 16), a) || is_text_of(n->n.gateway, a) ||
        is_text_of(n->n.gateway6, a))
        return true;
    for (char **p = n->n.aux.pairs; p && p[0]; p += 2)
        if (is_text_of(p[1], a))
            return true;
    return false;
}

static int parse_pools(struct skl_network_full *n, struct skl_error *err)
{
    int rc = pool_parse(&n->v4, n->n.subnet, n->n.range, err);

    return rc < 0 ? rc : pool_parse(&n->v6, n->n.subnet6, n->n.range6, err);
}

int skl_network_parse(struct skl_network_full *n, struct skl_error *err)
{
    int rc = parse_pools(n, err);

    if (rc < 0)
        return rc;
    skl_network_mark(n, n->n.gateway, true);
    skl_network_mark(n, n->n.gateway6, true);
    for (char **p = n->n.aux.pairs; p && p[0]; p += 2)
        skl_network_mark(n, p[1], true);
    return 0;
}

/* -- a new network */

static bool overlaps(struct skl_store *s, const struct skl_pool *p)
{
    struct skl_list *it;

    skl_list_foreach (it, &s->networks) {
        struct skl_network_full *o = SKL_CONTAINER_OF(
            SKL_LIST_ENTRY(it, struct skl_network, in_store), struct skl_network_full, n);
        const struct skl_pool *other = pool_of(o, p->base.n == 16);

        if (has_pool(other) &&
            skl_ip_in(&p->base, &other->base, p->bits < other->bits ? p->bits : other->bits))
            return true;
    }
    return false;
}

/* The pools in their order; false behind the last. */
static bool pool_at(unsigned i, char *ret, size_t size)
{
    if (i < 14)
        snprintf(ret, size, "172.%u.0.0/16", 18 + i);
    else if (i < 30)
        snprintf(ret, size, "192.168.%u.0/20", (i - 14) << 4);
    else if (i < 286)
        snprintf(ret, size, "10.%u.0.0/16", i - 30);
    else
        return false;
    return true;
}

static int pick_subnet(struct skl_store *s, struct skl_network_full *n, struct skl_error *err)
{
    char text[32];

    for (unsigned i = 0; pool_at(i, text, sizeof(text)); i++) {
        if (pool_parse(&n->v4, text, NULL, NULL) == 0 && !overlaps(s, &n->v4)) {
            skl_strset(&n->n.subnet, text);
            n->n.picked = true;
            return 0;
        }
    }
    return skl_fail(err, SKL_E_NOTFOUND,
                    "could not find an available, non-overlapping IPv4 address pool "
                    "among the defaults to assign to the network");
}

/* The gateway comes first, as an Engine takes it: the lowest address of the range when none was asked for. */
static int take_gateway(struct skl_network_full *n, char **gateway, bool v6, struct skl_error *err)
{
    struct skl_pool *p = pool_of(n, v6);
    struct skl_ip a;

    if (skl_str_empty(*gateway)) {
        a = pool_next(p);
        if (a.n == 0)
            return skl_fail(err, SKL_E_INTERNAL,
                            "failed to allocate gateway (): No available addresses on this pool");
        free(*gateway);
        *gateway = skl_ip_text(&a);
    } else if (!skl_ip_parse(*gateway, &a) || !skl_ip_in(&a, &p->base, p->bits)) {
        return skl_fail(err, SKL_E_INTERNAL,
                        "failed to allocate gateway (%s): Requested address is out of range",
                        *gateway);
    } else if (is_edge(p, &a)) {
        return skl_fail(err, SKL_E_INTERNAL,
                        "failed to allocate gateway (%s): Address already in use", *gateway);
    }
    pool_set(p, &a, true);
    return 0;
}

/* Twice the same one among the auxiliary addresses, or one that is the gateway's. */
static int check_aux(struct skl_network_full *n, struct skl_error *err)
{
    for (char **p = n->n.aux.pairs; p && p[0]; p += 2) {
        struct skl_ip a;
        bool taken;

        if (!skl_ip_parse(p[1], &a))
            return skl_fail(err, SKL_E_INTERNAL,
                            "non parsable secondary ip address (%s:%s) passed for network %s", p[0],
                            p[1], n->n.name);
        taken = is_edge(pool_of(n, a.n == 16), &a) || is_text_of(n->n.gateway, &a) ||
                is_text_of(n->n.gateway6, &a);
        for (char **q = n->n.aux.pairs; q != p; q += 2)
            taken = taken || is_text_of(q[1], &a);
        if (taken)
            return skl_fail(
                err, SKL_E_INTERNAL,
                "failed to allocate secondary ip address (%s:%s): Address already in use", p[0],
                p[1]);
        pool_set(pool_of(n, a.n == 16), &a, true);
    }
    return 0;
}

int skl_network_pick_subnet(struct skl_store *s, struct skl_network_full *n, struct skl_error *err)
{
    int rc = parse_pools(n, err);

    if (rc == 0 && !has_pool(&n->v4))
        rc = pick_subnet(s, n, err);
    else if (rc == 0 && overlaps(s, &n->v4))
        rc = skl_fail(err, SKL_E_FORBIDDEN, "Pool overlaps with other one on this address space");
    if (rc == 0)
        rc = take_gateway(n, &n->n.gateway, false, err);
    if (rc == 0 && has_pool(&n->v6) && overlaps(s, &n->v6))
        rc = skl_fail(err, SKL_E_FORBIDDEN, "Pool overlaps with other one on this address space");
    if (rc == 0 && has_pool(&n->v6))
        rc = take_gateway(n, &n->n.gateway6, true, err);
    return rc < 0 ? rc : check_aux(n, err);
}

/* -- endpoints */

bool skl_network_has_addresses(const struct skl_network_full *n, bool v6)
{
    return has_pool(v6 ? &n->v6 : &n->v4);
}

static bool is_held(struct skl_store *s, const struct skl_network_full *n, const struct skl_ip *a)
{
    struct skl_list *it;

    skl_list_foreach (it, &s->containers) {
        const struct skl_endpoint *e =
            skl_network_endpoint(&n->n, SKL_LIST_ENTRY(it, struct skl_container, in_store));

        if (e && (is_text_of(e->ip, a) || is_text_of(e->ip6, a)))
            return true;
    }
    return false;
}

static int take_wanted(struct skl_store *s, struct skl_network_full *n, bool v6, const char *wanted,
                       struct skl_ip *ret, struct skl_error *err)
{
    struct skl_pool *p = pool_of(n, v6);

    if (!skl_ip_parse(wanted, ret) || !skl_ip_in(ret, &p->base, p->bits))
        return skl_fail(err, SKL_E_INTERNAL,
                        "Invalid address %s: It does not belong to any of this network's subnets",
                        wanted);
    if (is_reserved(n, ret) || is_held(s, n, ret))
        return skl_fail(err, SKL_E_FORBIDDEN, "Address already in use");
    return 0;
}

int skl_network_take_address(struct skl_store *s, struct skl_network_full *n, bool v6,
                             const char *wanted, char **ret, struct skl_error *err)
{
    struct skl_pool *p = pool_of(n, v6);
    struct skl_ip a = {0};
    int rc = 0;

    if (!skl_str_empty(wanted))
        rc = take_wanted(s, n, v6, wanted, &a, err);
    else if ((a = pool_next(p)).n == 0)
        rc = skl_fail(err, SKL_E_INTERNAL,
                      "no available %s addresses on this network's address pools: %s (%s)",
                      v6 ? "IPv6" : "IPv4", n->n.name, n->n.id);
    if (rc < 0)
        return rc;
    pool_set(p, &a, true);
    free(*ret);
    *ret = skl_ip_text(&a);
    return 0;
}
