/* labels - a small sorted set of name=value pairs, compact in memory. */
#ifndef SKL_STORE_LABELS_H
#define SKL_STORE_LABELS_H

#include <stdbool.h>
#include <stddef.h>

struct skl_labels {
    char **pairs; /* name, value, ..., NULL; sorted by name; NULL when empty */
};

void skl_labels_set(struct skl_labels *l, const char *name, const char *value);
void skl_labels_remove(struct skl_labels *l, const char *name);           /* fine if absent */
const char *skl_labels_get(const struct skl_labels *l, const char *name); /* NULL if absent */
size_t skl_labels_count(const struct skl_labels *l);
void skl_labels_copy(struct skl_labels *to, const struct skl_labels *from);
void skl_labels_fini(struct skl_labels *l);
/* "k" or "k=v" as Docker's label filter has it */
bool skl_labels_match(const struct skl_labels *l, const char *filter);

#endif
