/* rate - how often an address has come without a valid token lately.
 *
 * Problem   a stranger that tries again and again must not cost more than its connections; valid agents may come
 *           from the same address (one NAT gateway for a whole cloud), so they must not be held against it.
 * Approach  a leaky bucket per address, in a table of fixed size: addresses that fall into one slot share it, which
 *           costs a stranger nothing but a shorter patience. The slots are chosen with a secret, so that nobody can
 *           aim at another's.
 * Limits    RATE_BURST failures at once, then one per RATE_EVERY_MS
 */
#ifndef SKL_AGENT_RATE_H
#define SKL_AGENT_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define AGENT_RATE_SLOTS    256
#define AGENT_RATE_BURST    50
#define AGENT_RATE_EVERY_MS 1000

struct agent_rate {
    uint64_t secret;
    struct {
        int64_t since_ms;
        unsigned failures;
    } slots[AGENT_RATE_SLOTS];
};

void agent_rate_init(struct agent_rate *r);
/* One more failure of this peer ("ip:port"; the port does not count). True: that is too many. */
bool agent_rate_failed(struct agent_rate *r, const char *peer, int64_t now_ms);

#endif
