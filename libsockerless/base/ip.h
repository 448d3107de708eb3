/* ip - IP addresses and networks as bytes, of both families.
 *
 * Shape   the most significant byte first; n is 4 or 16, 0 for no address
 * Owns    nothing; texts are the caller's
 * Thread  any
 */
#ifndef SKL_BASE_IP_H
#define SKL_BASE_IP_H

#include <stdbool.h>
#include <stdint.h>

struct skl_ip {
    uint8_t b[16];
    unsigned n;
};

/* "10.0.0.1", "fd00::1"; no zone, no prefix. NULL is none. */
bool skl_ip_parse(const char *text, struct skl_ip *ret);
/* "10.0.0.1/24": the address as written, and the bits. */
bool skl_ip_parse_prefix(const char *text, struct skl_ip *ret, unsigned *bits);
/* Clears what stands behind the first `bits` bits. */
struct skl_ip skl_ip_mask(struct skl_ip a, unsigned bits);
/* `a` lies in the network of `net`; never across families. */
bool skl_ip_in(const struct skl_ip *a, const struct skl_ip *net, unsigned bits);
bool skl_ip_eq(const struct skl_ip *a, const struct skl_ip *b);
/* a + offset, without a carry out of the lowest eight bytes. */
struct skl_ip skl_ip_add(struct skl_ip a, uint64_t offset);
/* a - base; false when it is negative or takes more than 64 bits. */
bool skl_ip_offset(const struct skl_ip *a, const struct skl_ip *base, uint64_t *ret);
/* Canonical text, owned; "" for no address. */
char *skl_ip_text(const struct skl_ip *a);
char *skl_ip_prefix_text(const struct skl_ip *a, unsigned bits);

#endif
