/* One allocation holds the pointers and, behind them, the bytes: a container carries two sets, and ten
 * thousand containers carry the same Compose labels. Changing a set builds a new block; sets are small and
 * change rarely. A set that a peer chose comes through skl_labels_build(), which sorts once. */
#include "store/labels.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

/* `pairs` are borrowed, sorted and without repeats; they may lie in the old block. */
static void replace(struct skl_labels *l, const char *const *pairs, size_t n_strings)
{
    size_t bytes = (n_strings + 1) * sizeof(char *);
    char **block;
    char *at;

    if (n_strings == 0) {
        skl_labels_fini(l);
        return;
    }
    for (size_t i = 0; i < n_strings; i++)
        bytes += strlen(pairs[i]) + 1;
    block = skl_alloc0(1, bytes);
    at = (char *)(block + n_strings + 1);
    for (size_t i = 0; i < n_strings; i++) {
        size_t n = strlen(pairs[i]) + 1;

        memcpy(at, pairs[i], n);
        block[i] = at;
        at += n;
    }
    free(l->pairs);
    l->pairs = block;
}

void skl_labels_set(struct skl_labels *l, const char *name, const char *value)
{
    size_t n = skl_strv_len(l->pairs), k = 0;
    const char **pairs = skl_new0_n(const char *, n + 2);
    bool placed = value == NULL;

    for (size_t i = 0; i < n; i += 2) {
        int order = strcmp(l->pairs[i], name);

        if (!placed && order >= 0) {
            pairs[k++] = name;
            pairs[k++] = value;
            placed = true;
        }
        if (order != 0) {
            pairs[k++] = l->pairs[i];
            pairs[k++] = l->pairs[i + 1];
        }
    }
    if (!placed) {
        pairs[k++] = name;
        pairs[k++] = value;
    }
    replace(l, pairs, k);
    free(pairs);
}

void skl_labels_remove(struct skl_labels *l, const char *name)
{
    if (skl_labels_get(l, name))
        skl_labels_set(l, name, NULL);
}

struct pair {
    const char *name, *value;
    size_t index;
};

static int pair_order(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    if (order != 0)
        return order;
    return x->index < y->index ? -1 : 1;
}

void skl_labels_build(struct skl_labels *l, char *const *from)
{
    size_t n = skl_strv_len(from) / 2, k = 0;
    struct pair *sorted = skl_new0_n(struct pair, n + 1);
    const char **pairs = skl_new0_n(const char *, 2 * n + 1);

    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct pair){from[2 * i], from[2 * i + 1], i};
    qsort(sorted, n, sizeof(*sorted), pair_order);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && strcmp(sorted[i].name, sorted[i + 1].name) == 0)
            continue; /* the later one counts */
        pairs[k++] = sorted[i].name;
        pairs[k++] = sorted[i].value;
    }
    replace(l, pairs, k);
    free(pairs);
    free(sorted);
}

const char *skl_labels_get(const struct skl_labels *l, const char *name)
{
    size_t low = 0, high = skl_labels_count(l);

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(l->pairs[2 * mid], name);

        if (order == 0)
            return l->pairs[2 * mid + 1];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

size_t skl_labels_count(const struct skl_labels *l)
{
    return skl_strv_len(l->pairs) / 2;
}

void skl_labels_copy(struct skl_labels *to, const struct skl_labels *from)
{
    if (to == from)
        return;
    replace(to, (const char *const *)from->pairs, skl_strv_len(from->pairs));
}

void skl_labels_fini(struct skl_labels *l)
{
    free(l->pairs);
    l->pairs = NULL;
}

bool skl_labels_match(const struct skl_labels *l, const char *filter)
{
    struct skl_str rest = {0};
    struct skl_str name = skl_str_cut(skl_str(filter), '=', &rest);
    char *key = skl_str_dup(name);
    const char *value = skl_labels_get(l, key);

    free(key);
    return value && (!rest.p || skl_str_eqz(rest, value));
}
