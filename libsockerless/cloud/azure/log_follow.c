/* Lines of a table that is filled late and out of order, each given out once.
 *
 * Asking for "newer than the last line" loses those that came late, asking for everything repeats. So pages go by
 * ingestion time and look back over an overlap; what was seen in it is remembered by a hash and a count (two equal
 * lines of the same moment are two lines). The cursor holds that memory as text, so that a follower keeps it.
 */
#include "cloud/azure/log_follow.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/map.h"

#define OVERLAP_NS (60 * SKL_NS_PER_S)
#define TIMESPAN   "P7D"

struct seen {
    int64_t ingested_ns;
    uint64_t hash;
    unsigned count; /* times it was given out */
    unsigned now;   /* times it was met in this answer */
};

struct cursor {
    int64_t newest_ns; /* of ingestion */
    struct seen *seen;
    size_t n, cap;
    struct skl_map by_hash;
};

static void cursor_fini(struct cursor *c)
{
    skl_map_fini(&c->by_hash);
    free(c->seen);
}

static void hash_key(uint64_t hash, char out[17])
{
    snprintf(out, 17, "%016" PRIx64, hash);
}

static void index_seen(struct cursor *c)
{
    char key[17];

    skl_map_fini(&c->by_hash);
    for (size_t i = 0; i < c->n; i++) {
        hash_key(c->seen[i].hash, key);
        skl_map_set(&c->by_hash, skl_str(key), &c->seen[i]);
    }
}

static bool parse_hash(const char *text, uint64_t *ret)
{
    return text && sscanf(text, "%16" SCNx64, ret) == 1;
}

static void cursor_load(struct cursor *c, const char *text)
{
    SKL_AUTO_JSON cJSON *json = NULL;
    const cJSON *row;
    const char *newest;

    *c = (struct cursor){0};
    skl_map_init(&c->by_hash);
    if (!text || skl_json_parse(skl_str(text), &json, NULL) < 0)
        return;
    newest = skl_json_get_str(json, "newest");
    if (!newest || !skl_str_i64(skl_str(newest), &c->newest_ns))
        return;
    cJSON_ArrayForEach(row, skl_json_get(json, "seen"))
    {
        struct seen s = {.count = (unsigned)skl_json_get_int(row, "n", 1)};
        const char *at = skl_json_get_str(row, "t");

        if (!parse_hash(skl_json_get_str(row, "h"), &s.hash) || !at ||
            !skl_str_i64(skl_str(at), &s.ingested_ns))
            continue;
        if (c->n == c->cap) {
            c->cap = c->cap ? c->cap * 2 : 64;
            c->seen = skl_realloc(c->seen, c->cap, sizeof(s));
        }
        c->seen[c->n++] = s;
    }
    index_seen(c);
}

static char *cursor_save(const struct cursor *c)
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
        if (c->seen[i].ingested_ns < c->newest_ns - OVERLAP_NS)
            continue; /* cannot come again */
        hash_key(c->seen[i].hash, key);
        skl_json_object(&j, NULL);
        skl_json_str(&j, "h", key);
        skl_json_strf(&j, "t", "%" PRId64, c->seen[i].ingested_ns);
        skl_json_int(&j, "n", c->seen[i].count);
        skl_json_end_object(&j);
    }
    skl_json_end_array(&j);
    skl_json_end_object(&j);
    return skl_buf_detach(&b);
}

static uint64_t fnv(uint64_t h, const char *text)
{
    for (; text && *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return (h ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t row_hash(const struct skl_logs_table *t, size_t row)
{
    static const char *const columns[] = {"Source", "TimeGenerated", "Stream", "Line"};
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < SKL_ARRAY_LEN(columns); i++)
        h = fnv(h, skl_logs_table_str(t, row, skl_logs_table_column(t, columns[i])));
    return h;
}

/* Whether the row was given out before; it counts as given out from here on. */
static bool is_repeated(struct cursor *cursor, uint64_t hash, int64_t ingested_ns)
{
    char key[17];
    struct seen *s;

    hash_key(hash, key);
    s = skl_map_getz(&cursor->by_hash, key);
    if (s && ++s->now <= s->count)
        return true;
    if (s) {
        s->count = s->now;
        return false;
    }
    if (cursor->n == cursor->cap) {
        cursor->cap = cursor->cap ? cursor->cap * 2 : 64;
        cursor->seen = skl_realloc(cursor->seen, cursor->cap, sizeof(*s));
        index_seen(cursor); /* the entries have moved */
    }
    s = &cursor->seen[cursor->n++];
    *s = (struct seen){ingested_ns, hash, 1, 1};
    skl_map_set(&cursor->by_hash, skl_str(key), s);
    return false;
}

/* false: the caller wants no more. */
static bool give_rows(const struct skl_logs_table *t, struct cursor *cursor, skl_log_follow_cb *cb,
                      void *arg, size_t *ret_new)
{
    int time = skl_logs_table_column(t, "TimeGenerated");
    int ingested = skl_logs_table_column(t, "Ingested");
    int stream = skl_logs_table_column(t, "Stream"), line = skl_logs_table_column(t, "Line");

    *ret_new = 0;
    for (size_t i = 0; i < cursor->n; i++)
        cursor->seen[i].now = 0;
    for (size_t row = 0; row < t->n_rows; row++) {
        bool is_stderr = skl_streq(skl_logs_table_str(t, row, stream), "stderr");
        int64_t time_ns = 0, ingested_ns = 0;

        skl_logs_table_time(t, row, time, &time_ns);
        if (!skl_logs_table_time(t, row, ingested, &ingested_ns))
            ingested_ns = time_ns;
        if (is_repeated(cursor, row_hash(t, row), ingested_ns))
            continue;
        if (ingested_ns > cursor->newest_ns)
            cursor->newest_ns = ingested_ns;
        ++*ret_new;
        if (!cb(arg, is_stderr, time_ns, skl_str(skl_logs_table_str(t, row, line))))
            return false;
    }
    return true;
}

int skl_log_follow(struct skl_logs *logs, skl_log_query_cb *query_text, const void *query_arg,
                   int64_t deadline_ms, const atomic_bool *cancel, char **cursor_text,
                   skl_log_follow_cb *cb, void *arg, struct skl_error *err)
{
    struct cursor cursor;
    bool more = true;
    int rc = 0;

    cursor_load(&cursor, *cursor_text);
    while (rc == 0 && more) {
        SKL_AUTO_LOGS_TABLE struct skl_logs_table table = {0};
        int64_t after = cursor.newest_ns > OVERLAP_NS ? cursor.newest_ns - OVERLAP_NS : 0;
        char *query SKL_AUTO_STR = query_text(query_arg, after);
        size_t fresh;

        rc = skl_logs_query(logs, query, TIMESPAN, deadline_ms, cancel, &table, err);
        if (rc < 0)
            break;
        more = give_rows(&table, &cursor, cb, arg, &fresh) && fresh > 0 &&
               table.n_rows >= SKL_LOG_FOLLOW_ROWS;
    }
    if (rc == 0) {
        free(*cursor_text);
        *cursor_text = cursor_save(&cursor);
    }
    cursor_fini(&cursor);
    return rc;
}
