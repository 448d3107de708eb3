#include "base/shared_text.h"

#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/map.h"

/* A chained table of its own: skl_map would keep each text a second time, as its key. */
struct shared {
    struct shared *next;
    uint64_t hash;
    size_t refs, n;
    char text[];
};

#define BUCKETS_MIN 64

static struct shared **buckets;
static size_t n_buckets, n_texts;

static void grow(void)
{
    size_t n = n_buckets ? 2 * n_buckets : BUCKETS_MIN;
    struct shared **wider = skl_new0_n(struct shared *, n);

    for (size_t i = 0; i < n_buckets; i++)
        for (struct shared *s = buckets[i], *next; s; s = next) {
            next = s->next;
            s->next = wider[s->hash & (n - 1)];
            wider[s->hash & (n - 1)] = s;
        }
    free(buckets);
    buckets = wider;
    n_buckets = n;
}

const char *skl_text_share(char *own_text)
{
    SKL_AUTO_STR char *text = own_text;
    struct skl_str key = skl_str(text);
    struct shared *s;
    uint64_t hash;

    if (!text)
        return NULL;
    if (n_texts >= n_buckets)
        grow();
    hash = skl_hash(key);
    for (s = buckets[hash & (n_buckets - 1)]; s; s = s->next)
        if (s->hash == hash && s->n == key.n && memcmp(s->text, key.p, key.n) == 0) {
            s->refs++;
            return s->text;
        }
    s = skl_alloc0(1, sizeof(*s) + key.n + 1);
    s->hash = hash;
    s->refs = 1;
    s->n = key.n;
    memcpy(s->text, key.p, key.n);
    s->next = buckets[hash & (n_buckets - 1)];
    buckets[hash & (n_buckets - 1)] = s;
    n_texts++;
    return s->text;
}

void skl_text_unref(const char *text)
{
    struct shared *s, **at;

    if (!text)
        return;
    s = (struct shared *)(uintptr_t)(text - offsetof(struct shared, text));
    SKL_ASSERT(s->refs > 0);
    if (--s->refs > 0)
        return;
    for (at = &buckets[s->hash & (n_buckets - 1)]; *at != s; at = &(*at)->next)
        ;
    *at = s->next;
    free(s);
    if (--n_texts == 0) {
        free(buckets);
        buckets = NULL;
        n_buckets = 0;
    }
}
