/* Open addressing with linear probing; removed entries leave tombstones (key NULL, value set to the mark)
 * that go at the next growth. SipHash-1-3 would be the careful choice for hostile keys; a seeded
 * multiply-and-mix over 8-byte words is enough here, because the seed never leaves the process. */
#include "base/map.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/macros.h"

static char tombstone;

static uint64_t seed(void)
{
    static _Atomic uint64_t value;
    uint64_t v = atomic_load_explicit(&value, memory_order_relaxed), none = 0;

    while (v == 0) {
        skl_random(&v, sizeof(v));
        if (v != 0 && !atomic_compare_exchange_strong(&value, &none, v))
            v = none; /* another thread was first */
    }
    return v;
}

static uint64_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 29;
    h *= UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ (h >> 32);
}

uint64_t skl_hash(struct skl_str key)
{
    uint64_t h = seed() ^ (key.n * UINT64_C(0x9e3779b97f4a7c15));

    while (key.n >= 8) {
        uint64_t word;

        memcpy(&word, key.p, 8);
        h = mix(h ^ word);
        key = skl_str_skip(key, 8);
    }
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.p[i]) * UINT64_C(0x100000001b3);
    return mix(h);
}

void skl_map_init(struct skl_map *m)
{
    *m = (struct skl_map){0};
}

void skl_map_fini(struct skl_map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->slots[i].key);
    free(m->slots);
    skl_map_init(m);
}

/* The slot of the key, or the one where it would go. */
static struct skl_map_slot *probe(const struct skl_map *m, struct skl_str key, uint64_t hash)
{
    struct skl_map_slot *free_slot = NULL;

    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct skl_map_slot *slot = &m->slots[i];

        if (!slot->key) {
            if (!free_slot)
                free_slot = slot;
            if (slot->value != &tombstone)
                return free_slot;
        } else if (slot->hash == hash && slot->key_n == key.n &&
                   memcmp(slot->key, key.p ? key.p : "", key.n) == 0) {
            return slot;
        }
    }
}

static void grow(struct skl_map *m)
{
    struct skl_map old = *m;

    m->cap = old.n * 2 < 8 ? 8 : old.cap;
    while (m->cap < old.n * 2 + 2)
        m->cap *= 2;
    m->slots = skl_new0_n(struct skl_map_slot, m->cap);
    m->used = old.n;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].key)
            *probe(m, skl_str_n(old.slots[i].key, old.slots[i].key_n), old.slots[i].hash) =
                old.slots[i];
    free(old.slots);
}

void *skl_map_get(const struct skl_map *m, struct skl_str key)
{
    struct skl_map_slot *slot;

    if (m->n == 0)
        return NULL;
    slot = probe(m, key, skl_hash(key));
    return slot->key ? slot->value : NULL;
}

void *skl_map_getz(const struct skl_map *m, const char *key)
{
    return skl_map_get(m, skl_str(key));
}

void *skl_map_set(struct skl_map *m, struct skl_str key, void *value)
{
    uint64_t hash = skl_hash(key);
    struct skl_map_slot *slot;
    void *before;

    SKL_ASSERT(value);
    if ((m->used + 1) * 4 > m->cap * 3)
        grow(m);
    slot = probe(m, key, hash);
    if (slot->key) {
        before = slot->value;
        slot->value = value;
        return before;
    }
    m->used += slot->value != &tombstone;
    m->n++;
    *slot = (struct skl_map_slot){skl_memdup(key.p, key.n), key.n, hash, value};
    return NULL;
}

void *skl_map_remove(struct skl_map *m, struct skl_str key)
{
    struct skl_map_slot *slot;
    void *value;

    if (m->n == 0)
        return NULL;
    slot = probe(m, key, skl_hash(key));
    if (!slot->key)
        return NULL;
    value = slot->value;
    free(slot->key);
    *slot = (struct skl_map_slot){.value = &tombstone};
    m->n--;
    return value;
}

void *skl_map_next(const struct skl_map *m, size_t *i, struct skl_str *key)
{
    while (*i < m->cap) {
        const struct skl_map_slot *slot = &m->slots[(*i)++];

        if (!slot->key)
            continue;
        if (key)
            *key = skl_str_n(slot->key, slot->key_n);
        return slot->value;
    }
    return NULL;
}
