/* log_follow - output from a Log Analytics table, in order, without gap or repeat over many calls.
 *
 * Shape   the query gives the columns TimeGenerated, Ingested, Stream ("stderr" or anything), Source (tells apart
 *         equal lines of different writers) and Line, at most `rows` rows that were ingested after a
 *         moment, the earliest ingested ones, ordered by the time of the line
 * Errors  those of skl_logs_query(); TOOBIG: one moment holds more lines than can be asked for; the cursor stays then
 * Thread  any
 */
#ifndef SKL_CLOUD_AZURE_LOG_FOLLOW_H
#define SKL_CLOUD_AZURE_LOG_FOLLOW_H

#include "cloud/azure/loganalytics.h"

/* Owned by the caller. */
typedef char *skl_log_query_cb(const void *arg, int64_t after_ns, size_t rows);
typedef bool skl_log_follow_cb(void *arg, bool is_stderr, int64_t time_ns,
                               struct skl_str line); /* false: stop */

/* *cursor: opaque, owned, NULL: from the beginning; moved. */
int skl_log_follow(struct skl_logs *logs, skl_log_query_cb *query, const void *query_arg,
                   int64_t deadline_ms, const atomic_bool *cancel, char **cursor,
                   skl_log_follow_cb *cb, void *arg, struct skl_error *err);

#endif
