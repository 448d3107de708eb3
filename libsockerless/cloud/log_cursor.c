#include "cloud/log_cursor.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"

void skl_log_cursor_fini(struct skl_log_cursor *c)
{
    skl_map_fini(&c->by_hash);
    free(c->seen);
}

static void hash_key(uint64_t hash, char out[17])
{
    (void)snprintf(out, 17, "%016" PRIx64, hash);
}

static void index_seen(struct skl_log_cursor *c)
{
    char key[17];

    skl_map_fini(&c->by_hash);
    for (size_t i = 0; i < c->n; i++) {
        hash_key(c->seen[i].hash, key);
        skl_map_set(&c->by_hash, skl_str(key), &c->seen[i]);
    }
}

static struct skl_log_seen *find(const struct skl_log_cursor *c, uint64_t hash)
{
    char key[17];

    hash_key(hash, key);
    return skl_map_getz(&c->by_hash, key);
}

static void add(struct skl_log_cursor *c, const struct skl_log_seen *s)
{
    char key[17];

    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 64;
        c->seen = skl_realloc(c->seen, c->cap, sizeof(*s));
        index_seen(c); /* the entries have moved */
    }
    c->seen[c->n] = *s;
    hash_key(s->hash, key);
    skl_map_set(&c->by_hash, skl_str(key), &c->seen[c->n++]);
}

void skl_log_cursor_load(struct skl_log_cursor *c, const char *text)
{
    SKL_AUTO_JSON cJSON *json = NULL;
    const cJSON *row;
    const char *newest;

    *c = (struct skl_log_cursor){0};
    skl_map_init(&c->by_hash);
    if (!text || skl_json_parse(skl_str(text), &json, NULL) < 0)
        return;
    newest = skl_json_get_str(json, "newest");
    if (!newest || !skl_str_i64(skl_str(newest), &c->newest_ns))
        return;
    cJSON_ArrayForEach(row, skl_json_get(json, "seen"))
    {
        struct skl_log_seen s = {.count = (unsigned)skl_json_get_int(row, "n", 1)};
        const char *at = skl_json_get_str(row, "t"), *hash = skl_json_get_str(row, "h");

        if (hash && sscanf(hash, "%16" SCNx64, &s.hash) == 1 && at &&
            skl_str_i64(skl_str(at), &s.at_ns) && !find(c, s.hash))
            add(c, &s);
    }
}

char *skl_log_cursor_save(const struct skl_log_cursor *c, int64_t overlap_ns)
{
    struct skl_json j;
    struct skl_buf b;
    char key[17];

    skl_buf_init(&b, 16 * SKL_MIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_strf(&j, "newest", "%" PRId64, c->newest_ns);
    skl_json_array(&j, "seen");
    for (size_t i = 0; i < c->n; i++) {
        if (c->seen[i].at_ns < c->newest_ns - overlap_ns)
            continue; /* cannot come again */
        hash_key(c->seen[i].hash, key);
        skl_json_object(&j, NULL);
        skl_json_str(&j, "h", key);
        skl_json_strf(&j, "t", "%" PRId64, c->seen[i].at_ns);
        skl_json_int(&j, "n", c->seen[i].count);
        skl_json_end_object(&j);
    }
    skl_json_end_array(&j);
    skl_json_end_object(&j);
    return skl_buf_detach(&b);
}

void skl_log_cursor_begin(struct skl_log_cursor *c)
{
    for (size_t i = 0; i < c->n; i++)
        c->seen[i].now = 0;
}

bool skl_log_cursor_is_repeated(struct skl_log_cursor *c, uint64_t hash, int64_t at_ns)
{
    struct skl_log_seen *s = find(c, hash);

    if (!s) {
        add(c, &(struct skl_log_seen){at_ns, hash, 1, 1});
        return false;
    }
    if (++s->now <= s->count)
        return true;
    s->count = s->now;
    return false;
}

bool skl_log_cursor_knows(const struct skl_log_cursor *c, uint64_t hash)
{
    return find(c, hash) != NULL;
}

uint64_t skl_log_hash(uint64_t h, const char *text)
{
    for (; text && *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return (h ^ 0xff) * UINT64_C(0x100000001b3);
}
