#include "agent/rate.h"

#include <string.h>

#include "base/id.h"

void agent_rate_init(struct agent_rate *r)
{
    memset(r, 0, sizeof(*r));
    skl_random(&r->secret, sizeof(r->secret));
}

/* FNV-1a, begun with the secret. */
static unsigned slot_of(const struct agent_rate *r, const char *peer)
{
    const char *port = strrchr(peer, ':');
    size_t n = port ? (size_t)(port - peer) : strlen(peer);
    uint64_t hash = 14695981039346656037u ^ r->secret;

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)peer[i]) * 1099511628211u;
    return (unsigned)((hash ^ (hash >> 32)) % AGENT_RATE_SLOTS);
}

bool agent_rate_failed(struct agent_rate *r, const char *peer, int64_t now_ms)
{
    unsigned i = slot_of(r, peer), forgiven;
    int64_t passed = (now_ms - r->slots[i].since_ms) / AGENT_RATE_EVERY_MS;

    forgiven = passed > AGENT_RATE_BURST ? AGENT_RATE_BURST : (unsigned)passed;
    r->slots[i].failures -= forgiven < r->slots[i].failures ? forgiven : r->slots[i].failures;
    r->slots[i].since_ms =
        r->slots[i].failures ? r->slots[i].since_ms + passed * AGENT_RATE_EVERY_MS : now_ms;
    if (r->slots[i].failures >= AGENT_RATE_BURST)
        return true;
    r->slots[i].failures++;
    return false;
}
