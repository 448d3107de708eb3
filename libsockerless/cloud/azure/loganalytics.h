/* loganalytics - queries to a Log Analytics workspace.
 *
 * Errors  as in arm.h (403 FORBIDDEN, 404 NOTFOUND, 429 THROTTLED, 504 UNAVAILABLE...); a 400 tells the
 *         innermost message. No data is no error: an empty table
 * Partial a 200 with an error beside rows: table.partial holds the sentence; use the rows, do not move a
 *         cursor past them
 * Thread  any; one mutex for the resolved workspace
 */
#ifndef SKL_CLOUD_AZURE_LOGANALYTICS_H
#define SKL_CLOUD_AZURE_LOGANALYTICS_H

#include "cloud/azure/arm.h"

struct skl_logs_settings {
    const char *endpoint; /* NULL: https://api.loganalytics.azure.com */
    const char
        *workspace; /* GUID, or a resource id ("/subscriptions/..."), resolved once through ARM */
};

/* Owned; end it with skl_logs_table_fini(). */
struct skl_logs_table {
    cJSON *root;
    const cJSON *columns;
    const cJSON **rows;
    size_t n_rows;
    char *partial; /* NULL: complete */
};
void skl_logs_table_fini(struct skl_logs_table *t);
#define SKL_AUTO_LOGS_TABLE __attribute__((cleanup(skl_logs_table_fini)))

int skl_logs_table_column(const struct skl_logs_table *t, const char *name); /* -1: absent */
/* Borrowed; NULL for null, an absent column (-1) or another type. */
const char *skl_logs_table_str(const struct skl_logs_table *t, size_t row, int column);
/* Numbers, and numbers written as strings. */
bool skl_logs_table_int(const struct skl_logs_table *t, size_t row, int column, int64_t *ret);
/* A datetime column as ns of wall clock; false if it is none. */
bool skl_logs_table_time(const struct skl_logs_table *t, size_t row, int column, int64_t *ret_ns);

struct skl_logs;
/* All three are borrowed. */
int skl_logs_new(const struct skl_logs_settings *s, struct skl_rest *rest,
                 struct skl_azure_credential *credential, struct skl_arm *arm,
                 struct skl_logs **ret, struct skl_error *err);
void skl_logs_free(struct skl_logs *l);
SKL_DEFINE_AUTO(logs);
const char *skl_logs_endpoint(const struct skl_logs *l); /* without a slash at the end */

/* timespan: ISO 8601 duration ("PT6H") or "start/end"; always given. `ret` is overwritten. */
int skl_logs_query(struct skl_logs *l, const char *kql, const char *timespan, int64_t deadline_ms,
                   const atomic_bool *cancel, struct skl_logs_table *ret, struct skl_error *err);

/* Appends s as a KQL string literal with its quotes. */
void skl_kql_quote(struct skl_buf *b, struct skl_str s);
/* Appends datetime(2024-05-01T10:00:00.1234567Z): 100 ns steps, rounded down. */
void skl_kql_datetime(struct skl_buf *b, int64_t wall_ns);

#endif
