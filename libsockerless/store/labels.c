#include "store/labels.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

size_t skl_labels_count(const struct skl_labels *l)
{
    return skl_strv_len(l->pairs) / 2;
}

/* Where the name stands, or would go; in pairs. */
static size_t position(const struct skl_labels *l, const char *name, bool *found)
{
    size_t low = 0, high = skl_labels_count(l);

    *found = false;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(l->pairs[2 * mid], name);

        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void skl_labels_set(struct skl_labels *l, const char *name, const char *value)
{
    size_t n = skl_labels_count(l);
    bool found;
    size_t at = position(l, name, &found);

    if (found) {
        skl_strset(&l->pairs[2 * at + 1], value);
        return;
    }
    l->pairs = skl_realloc(l->pairs, 2 * n + 3, sizeof(char *));
    memmove(&l->pairs[2 * at + 2], &l->pairs[2 * at], (2 * (n - at)) * sizeof(char *));
    l->pairs[2 * at] = skl_strdup(name);
    l->pairs[2 * at + 1] = skl_strdup(value);
    l->pairs[2 * n + 2] = NULL;
}

void skl_labels_remove(struct skl_labels *l, const char *name)
{
    size_t n = skl_labels_count(l);
    bool found;
    size_t at = position(l, name, &found);

    if (!found)
        return;
    free(l->pairs[2 * at]);
    free(l->pairs[2 * at + 1]);
    memmove(&l->pairs[2 * at], &l->pairs[2 * at + 2], (2 * (n - at - 1) + 1) * sizeof(char *));
}

const char *skl_labels_get(const struct skl_labels *l, const char *name)
{
    bool found;
    size_t at = position(l, name, &found);

    return found ? l->pairs[2 * at + 1] : NULL;
}

void skl_labels_copy(struct skl_labels *to, const struct skl_labels *from)
{
    char **copy = skl_strv_dup(from->pairs);

    skl_labels_fini(to);
    to->pairs = copy;
}

void skl_labels_fini(struct skl_labels *l)
{
    skl_strv_free(l->pairs);
    l->pairs = NULL;
}

bool skl_labels_match(const struct skl_labels *l, const char *filter)
{
    struct skl_str value, name = skl_str_cut(skl_str(filter), '=', &value);
    char *key SKL_AUTO_STR = skl_str_dup(name);
    const char *have = skl_labels_get(l, key);

    return have && (!value.p || skl_str_eqz(value, have));
}
