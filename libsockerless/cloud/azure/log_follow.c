/* Lines of a table that is filled late and out of order, each given out once.
 *
 * Asking for "newer than the last line" loses those that came late, asking for everything repeats. So pages go by
 * ingestion time and look back over an overlap; the cursor knows what was seen in it. The first page of a call begins
 * at the overlap, each other just before the end of the page before it, new lines or not: the overlap alone may be
 * several pages long. Rows that were ingested at one moment may be more than a page: then pages grow.
 */
#include "cloud/azure/log_follow.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "cloud/log_cursor.h"

#define OVERLAP_NS (60 * SKL_NS_PER_S)
#define TICK_NS    100 /* the service's resolution of time */
#define FIRST_ROWS 5000
#define MAX_ROWS   320000 /* the service gives 500,000 at most */
#define TIMESPAN   "P7D"

static uint64_t row_hash(const struct skl_logs_table *t, size_t row)
{
    static const char *const columns[] = {"Source", "TimeGenerated", "Stream", "Line"};
    uint64_t h = SKL_LOG_HASH_BEGIN;

    for (size_t i = 0; i < SKL_ARRAY_LEN(columns); i++)
        h = skl_log_hash(h, skl_logs_table_str(t, row, skl_logs_table_column(t, columns[i])));
    return h;
}

/* false: the caller wants no more. */
static bool give_rows(const struct skl_logs_table *t, struct skl_log_cursor *cursor,
                      skl_log_follow_cb *cb, void *arg, int64_t *ret_last_ns)
{
    int time = skl_logs_table_column(t, "TimeGenerated");
    int ingested = skl_logs_table_column(t, "Ingested");
    int stream = skl_logs_table_column(t, "Stream"), line = skl_logs_table_column(t, "Line");

    *ret_last_ns = 0;
    skl_log_cursor_begin(cursor);
    for (size_t row = 0; row < t->n_rows; row++) {
        bool is_stderr = skl_streq(skl_logs_table_str(t, row, stream), "stderr");
        int64_t time_ns = 0, ingested_ns = 0;

        skl_logs_table_time(t, row, time, &time_ns);
        if (!skl_logs_table_time(t, row, ingested, &ingested_ns))
            ingested_ns = time_ns;
        if (ingested_ns > *ret_last_ns)
            *ret_last_ns = ingested_ns;
        if (skl_log_cursor_is_repeated(cursor, row_hash(t, row), ingested_ns))
            continue;
        if (ingested_ns > cursor->newest_ns)
            cursor->newest_ns = ingested_ns;
        if (!cb(arg, is_stderr, time_ns, skl_str(skl_logs_table_str(t, row, line))))
            return false;
    }
    return true;
}

/* The next page; false: there is none. */
static bool next_page(const struct skl_logs_table *t, int64_t last_ns, int64_t *after_ns,
                      size_t *rows)
{
    if (t->n_rows < *rows)
        return false;
    if (last_ns - TICK_NS > *after_ns) {
        *after_ns = last_ns - TICK_NS; /* not all of that moment may have been in the page */
        *rows = FIRST_ROWS;
        return true;
    }
    *rows *= 4;
    return *rows <= MAX_ROWS;
}

int skl_log_follow(struct skl_logs *logs, skl_log_query_cb *query_text, const void *query_arg,
                   int64_t deadline_ms, const atomic_bool *cancel, char **cursor_text,
                   skl_log_follow_cb *cb, void *arg, struct skl_error *err)
{
    struct skl_log_cursor cursor;
    size_t rows = FIRST_ROWS;
    int64_t after_ns;
    bool more = true;
    int rc = 0;

    skl_log_cursor_load(&cursor, *cursor_text);
    after_ns = cursor.newest_ns > OVERLAP_NS ? cursor.newest_ns - OVERLAP_NS : 0;
    while (rc == 0 && more) {
        SKL_AUTO_LOGS_TABLE struct skl_logs_table table = {0};
        char *query SKL_AUTO_STR = query_text(query_arg, after_ns, rows);
        int64_t last_ns;

        rc = skl_logs_query(logs, query, TIMESPAN, deadline_ms, cancel, &table, err);
        if (rc < 0)
            break;
        more = give_rows(&table, &cursor, cb, arg, &last_ns) &&
               next_page(&table, last_ns, &after_ns, &rows);
        if (rows > MAX_ROWS)
            rc =
                skl_fail(err, SKL_E_TOOBIG,
                         "Log Analytics: more than %d lines were ingested at one moment", MAX_ROWS);
    }
    if (rc == 0) {
        free(*cursor_text);
        *cursor_text = skl_log_cursor_save(&cursor, OVERLAP_NS);
    }
    skl_log_cursor_fini(&cursor);
    return rc;
}
