/* token_cache - tokens by what they are for (a scope, an audience), asked for once and shared.
 *
 * Cache   refreshed when less than the early time is left, by one caller, while the others get the old token; a
 *         failed early refresh serves the old token and is tried again after 30 s. Without a valid token all
 *         callers wait for the one request and share its result, good or bad
 * Owns    its tokens, wiped when dropped; expired ones of keys that nobody asks for any more go
 * Thread  any; one mutex, never held during a request
 */
#ifndef SKL_CLOUD_TOKEN_CACHE_H
#define SKL_CLOUD_TOKEN_CACHE_H

#include "cloud/oauth.h"

/* Asks for a new token; may block. 0 or an error. */
typedef int skl_token_fetch_cb(void *arg, const char *key, const struct skl_token_limits *limits,
                               struct skl_token *ret, struct skl_error *err);

struct skl_token_cache_settings {
    int64_t early_ms;       /* a token with less left than this... */
    unsigned early_percent; /* ...or than this part of its life is refreshed */
    skl_token_fetch_cb *fetch;
    void *arg;
};

struct skl_token_cache;
struct skl_token_cache *skl_token_cache_new(const struct skl_token_cache_settings *s);
void skl_token_cache_free(struct skl_token_cache *c); /* nobody may be asking */
SKL_DEFINE_AUTO(token_cache);

/* *ret is owned (wipe with skl_secret_free()). deadline 0: 120 s. */
int skl_token_cache_get(struct skl_token_cache *c, const char *key, int64_t deadline_ms,
                        const atomic_bool *cancel, char **ret, struct skl_error *err);
/* Drops that token if it is still in use for any key: somebody answered 401 to it. */
void skl_token_cache_drop(struct skl_token_cache *c, const char *token);

#endif
