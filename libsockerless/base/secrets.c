/* A hash table by the first SKL_SECRET_MIN bytes, so that each place of a text costs one look; and a ring of those that
 * nobody holds any more, of which the oldest goes when another one comes. */
#include "base/secrets.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/json.h"

#define BUCKETS  4096 /* a power of two */
#define MAX_SIZE (64u * 1024)
#define NO_SLOT  SIZE_MAX

struct secret {
    struct secret *next; /* in the bucket */
    size_t refs;
    size_t slot; /* in the ring; NO_SLOT: held */
    size_t n;
    char text[];
};

static pthread_rwlock_t secrets_lock = PTHREAD_RWLOCK_INITIALIZER; /* guards all below */
static struct secret *buckets[BUCKETS];
static struct secret *ring[SKL_SECRETS_RECENT];
static size_t ring_next;

static struct secret **bucket_of(const char *p)
{
    uint64_t word;

    _Static_assert(sizeof(word) == SKL_SECRET_MIN, "the hash is of the first bytes");
    memcpy(&word, p, sizeof(word));
    return &buckets[(word * UINT64_C(0x9e3779b97f4a7c15)) >> 52];
}

static struct secret *find(struct skl_str value)
{
    struct secret *s = *bucket_of(value.p);

    while (s && (s->n != value.n || memcmp(s->text, value.p, value.n) != 0))
        s = s->next;
    return s;
}

static void drop(struct secret *s)
{
    struct secret **at = bucket_of(s->text);

    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    explicit_bzero(s->text, s->n);
    free(s);
}

static void hold(struct skl_str value)
{
    struct secret *s = find(value);

    if (!s) {
        struct secret **at = bucket_of(value.p);

        s = skl_alloc0(1, sizeof(*s) + value.n);
        s->n = value.n;
        s->slot = NO_SLOT;
        memcpy(s->text, value.p, value.n);
        s->next = *at;
        *at = s;
    }
    if (s->slot != NO_SLOT) {
        ring[s->slot] = NULL;
        s->slot = NO_SLOT;
    }
    s->refs++;
}

static void let_go(struct skl_str value)
{
    struct secret *s = find(value);

    if (!s || s->refs == 0 || --s->refs > 0)
        return;
    if (ring[ring_next])
        drop(ring[ring_next]);
    ring[ring_next] = s;
    s->slot = ring_next;
    ring_next = (ring_next + 1) % SKL_SECRETS_RECENT;
}

static void each_form(const char *value, void (*cb)(struct skl_str))
{
    struct skl_str plain = skl_str(value);
    struct skl_buf form = {0};

    if (plain.n < SKL_SECRET_MIN || plain.n > MAX_SIZE)
        return;
    (void)pthread_rwlock_wrlock(&secrets_lock);
    cb(plain);
    skl_buf_init(&form, 8 * MAX_SIZE);
    skl_url_encode(&form, plain);
    if (!skl_str_eq(skl_buf_str(&form), plain))
        cb(skl_buf_str(&form));
    skl_buf_reset(&form);
    skl_json_quote(&form, plain, false);
    if (form.n > plain.n + 2)
        cb(skl_str_n(form.p + 1, form.n - 2));
    (void)pthread_rwlock_unlock(&secrets_lock);
    explicit_bzero(form.p, form.n);
    skl_buf_fini(&form);
}

void skl_secret_add(const char *value)
{
    if (value)
        each_form(value, hold);
}

void skl_secret_remove(const char *value)
{
    if (value)
        each_form(value, let_go);
}

void skl_secret_seen(const char *value)
{
    skl_secret_add(value);
    skl_secret_remove(value);
}

size_t skl_secret_at(struct skl_str text)
{
    size_t found = 0;

    if (text.n < SKL_SECRET_MIN)
        return 0;
    (void)pthread_rwlock_rdlock(&secrets_lock);
    for (const struct secret *s = *bucket_of(text.p); s; s = s->next) {
        size_t n = s->n < text.n ? s->n : text.n;

        if (n > found && memcmp(s->text, text.p, n) == 0)
            found = n;
    }
    (void)pthread_rwlock_unlock(&secrets_lock);
    return found;
}
