/* map - hash map from a string (bytes) to a pointer.
 *
 * Shape   open addressing; keys are copied; values are borrowed (the map never frees them)
 * Order   none
 * Limits  hashing is seeded per process, so that a peer cannot choose collisions
 */
#ifndef SKL_BASE_MAP_H
#define SKL_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

uint64_t skl_hash(struct skl_str key); /* seeded per process */

struct skl_map_slot {
    char *key;
    size_t key_n;
    uint64_t hash;
    void *value;
};

struct skl_map {
    struct skl_map_slot *slots;
    size_t cap, n, used; /* used counts tombstones too */
};

void skl_map_init(struct skl_map *m);
void skl_map_fini(struct skl_map *m);
void *skl_map_get(const struct skl_map *m, struct skl_str key); /* NULL if absent */
void *skl_map_getz(const struct skl_map *m, const char *key);
/* Sets and returns the value that was there before (NULL if none). value must not be NULL. */
void *skl_map_set(struct skl_map *m, struct skl_str key, void *value);
void *skl_map_remove(struct skl_map *m, struct skl_str key); /* the value, or NULL */
/* Iterate: `size_t i = 0; while ((v = skl_map_next(m, &i, &key))) ...`; key may be NULL. Removing the
 * current entry while iterating is allowed, adding is not. */
void *skl_map_next(const struct skl_map *m, size_t *i, struct skl_str *key);

#endif
