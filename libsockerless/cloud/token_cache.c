/* One entry per key. Whoever finds its token stale asks for a new one, with the mutex released; all others either still
 * have a valid token and take it, or wait for that one request and share its result, good or bad: a thousand callers
 * of a broken authority send one request, not a thousand. A thread that refreshes in the background was rejected: the
 * caller that pays the request once an hour is a worker thread, and a program without calls then asks for nothing. */
#include "cloud/token_cache.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/secrets.h"
#include "cloud/cloud_metrics.h"
#include "cloud/wait.h"

#define RETRY_EARLY_MS    30000
#define DEADLINE_MS       120000
#define MAX_EARLY_WAIT_MS 20000
#define FIRST_SWEEP       64 /* entries; then whenever their number has doubled */

struct entry {
    char *token;
    int64_t expires_ms, early_ms; /* skl_mono_ms() */
    bool refreshing;
    unsigned users;  /* callers that hold this entry */
    uint64_t rounds; /* finished requests: waiters see that theirs is over */
    int last_rc;     /* of the last round */
    struct skl_error last_err;
};

struct skl_token_cache {
    struct skl_token_cache_settings s;
    pthread_mutex_t cache_lock; /* guards all below */
    pthread_cond_t cache_changed;
    struct skl_map entries; /* by key */
    size_t sweep_at;
};

struct asker {
    struct skl_token_cache *cache;
    struct entry *entry;
    const char *key;
    struct skl_token_limits limits;
};

struct skl_token_cache *skl_token_cache_new(const struct skl_token_cache_settings *s)
{
    struct skl_token_cache *c = skl_new0(struct skl_token_cache);

    c->s = *s;
    c->sweep_at = FIRST_SWEEP;
    (void)pthread_mutex_init(&c->cache_lock, NULL);
    skl_cond_init(&c->cache_changed);
    skl_map_init(&c->entries);
    return c;
}

static void forget_token(struct entry *e)
{
    skl_secret_remove(e->token);
    skl_secret_free(e->token);
    e->token = NULL;
}

static void entry_free(struct entry *e)
{
    forget_token(e);
    free(e);
}

void skl_token_cache_free(struct skl_token_cache *c)
{
    struct entry *e;
    size_t i = 0;

    if (!c)
        return;
    while ((e = skl_map_next(&c->entries, &i, NULL)))
        entry_free(e);
    skl_map_fini(&c->entries);
    (void)pthread_cond_destroy(&c->cache_changed);
    (void)pthread_mutex_destroy(&c->cache_lock);
    free(c);
}

static bool is_valid(const struct entry *e, int64_t now)
{
    return e->token && now < e->expires_ms;
}

/* With the mutex held. */
static void sweep(struct skl_token_cache *c)
{
    int64_t now = skl_mono_ms();
    struct skl_str key;
    struct entry *e;
    size_t i = 0;

    while ((e = skl_map_next(&c->entries, &i, &key))) {
        if (e->users > 0 || is_valid(e, now))
            continue;
        (void)skl_map_remove(&c->entries, key);
        entry_free(e);
    }
    c->sweep_at = c->entries.n > FIRST_SWEEP ? 2 * c->entries.n : FIRST_SWEEP;
}

/* With the mutex held. */
static struct entry *entry_of(struct skl_token_cache *c, const char *key)
{
    struct entry *e = skl_map_getz(&c->entries, key);

    if (!e) {
        if (c->entries.n >= c->sweep_at)
            sweep(c);
        e = skl_new0(struct entry);
        skl_map_set(&c->entries, skl_str(key), e);
    }
    e->users++;
    return e;
}

static void store(const struct skl_token_cache *c, struct entry *e, struct skl_token *t)
{
    int64_t early = t->lifetime_ms * (int64_t)c->s.early_percent / 100;

    if (early < c->s.early_ms)
        early = c->s.early_ms;
    if (early > t->lifetime_ms / 2)
        early = t->lifetime_ms / 2; /* a short-lived token is not stale at birth */
    skl_secret_add(t->text);
    forget_token(e);
    e->token = t->text;
    e->expires_ms = skl_mono_ms() + t->lifetime_ms;
    e->early_ms = e->expires_ms - early;
}

/* With the mutex held at both ends; the request runs without it. */
static int refresh(struct asker *a, struct skl_error *err)
{
    struct skl_token_cache *c = a->cache;
    struct entry *e = a->entry;
    struct skl_token t = {0};
    int rc;

    e->refreshing = true;
    (void)pthread_mutex_unlock(&c->cache_lock);
    rc = c->s.fetch(c->s.arg, a->key, &a->limits, &t, err);
    skl_cloud_token_fetched(rc, err);
    (void)pthread_mutex_lock(&c->cache_lock);
    e->refreshing = false;
    e->rounds++;
    e->last_rc = rc;
    if (rc == 0) {
        store(c, e, &t);
    } else {
        e->last_err = *err;
        e->early_ms = skl_mono_ms() + RETRY_EARLY_MS;
    }
    (void)pthread_cond_broadcast(&c->cache_changed);
    return rc;
}

/* With the mutex held: 0 when the entry holds a token to hand out. */
static int ensure(struct asker *a, struct skl_error *err)
{
    struct entry *e = a->entry;
    uint64_t seen = e->rounds;
    bool waited = false;

    for (;;) {
        int64_t now = skl_mono_ms();
        bool valid = is_valid(e, now);

        if (valid && (e->refreshing || now < e->early_ms))
            return 0;
        if (waited && e->rounds != seen && e->last_rc < 0 && e->last_rc != -SKL_E_CANCELED &&
            e->last_rc != -SKL_E_TIMEOUT) {
            *err = e->last_err; /* the request that we waited for */
            return e->last_rc;
        }
        if (a->limits.cancel && atomic_load(a->limits.cancel))
            return skl_fail(err, SKL_E_CANCELED, "canceled");
        if (now >= a->limits.deadline_ms)
            return skl_fail(err, SKL_E_TIMEOUT, "no token in time");
        if (!e->refreshing) {
            int rc;

            if (valid && a->limits.deadline_ms > now + MAX_EARLY_WAIT_MS)
                a->limits.deadline_ms = now + MAX_EARLY_WAIT_MS; /* nobody needs the new one yet */
            rc = refresh(a, err);
            if (rc < 0 && is_valid(e, skl_mono_ms())) {
                skl_debug("cloud", "early token refresh failed", "error", err->msg, NULL);
                return 0;
            }
            return rc;
        }
        waited = true;
        skl_cond_wait_slice(&a->cache->cache_changed, &a->cache->cache_lock);
    }
}

int skl_token_cache_get(struct skl_token_cache *c, const char *key, int64_t deadline_ms,
                        const atomic_bool *cancel, char **ret, struct skl_error *err)
{
    struct asker a = {.cache = c,
                      .key = key,
                      .limits = {deadline_ms ? deadline_ms : skl_mono_ms() + DEADLINE_MS, cancel}};
    struct skl_error own;
    int rc;

    if (!err)
        err = &own;
    (void)pthread_mutex_lock(&c->cache_lock);
    a.entry = entry_of(c, key);
    rc = ensure(&a, err);
    if (rc == 0)
        *ret = skl_strdup(a.entry->token);
    a.entry->users--;
    (void)pthread_mutex_unlock(&c->cache_lock);
    return rc;
}

void skl_token_cache_drop(struct skl_token_cache *c, const char *token)
{
    struct entry *e;
    size_t i = 0;

    (void)pthread_mutex_lock(&c->cache_lock);
    while ((e = skl_map_next(&c->entries, &i, NULL))) {
        if (e->token && skl_streq(e->token, token))
            forget_token(e);
    }
    (void)pthread_mutex_unlock(&c->cache_lock);
}
