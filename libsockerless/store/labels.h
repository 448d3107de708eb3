/* labels - a small sorted set of name=value pairs, compact in memory.
 *
 * Shape   one block of memory for all pairs: they are read here and changed through these calls only
 * Limits  skl_labels_set() costs the size of the set; many pairs from a peer go through skl_labels_build()
 */
#ifndef SKL_STORE_LABELS_H
#define SKL_STORE_LABELS_H

#include <stdbool.h>
#include <stddef.h>

struct skl_labels {
    char **pairs; /* name, value, ..., NULL; sorted by name; NULL when empty */
};

/* value NULL takes the name out. Both may point into the set itself. */
void skl_labels_set(struct skl_labels *l, const char *name, const char *value);
/* Replaces the set by name, value, ..., NULL in any order; of equal names the last counts. */
void skl_labels_build(struct skl_labels *l, char *const *pairs);
void skl_labels_remove(struct skl_labels *l, const char *name);           /* fine if absent */
const char *skl_labels_get(const struct skl_labels *l, const char *name); /* NULL if absent */
size_t skl_labels_count(const struct skl_labels *l);
void skl_labels_copy(struct skl_labels *to, const struct skl_labels *from);
void skl_labels_fini(struct skl_labels *l);
/* "k" or "k=v" as Docker's label filter has it */
bool skl_labels_match(const struct skl_labels *l, const char *filter);

#endif
