/* Output of runs without an agent, and why runs failed, from Log Analytics. The seeds' filter on ContainerGroupName_s
 * never matches: that column is the replica.
 */
#include <stdio.h>

#include "aca.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "cloud/azure/log_follow.h"

#define TIMESPAN     "P7D"
#define LOGS_WAIT_MS 60000

static char *query_text(const void *job, int64_t after_ns, size_t rows)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 16 * SKL_KIB);
    skl_buf_adds(&b,
                 "union isfuzzy=true (ContainerAppConsoleLogs_CL | where ContainerJobName_s == ");
    skl_kql_quote(&b, skl_str(job));
    skl_buf_adds(&b, " | extend Ingested = ingestion_time(), "
                     "Source = ContainerId_s, Line = Log_s, "
                     "Stream = column_ifexists(\"Stream_s\",\"\"), "
                     "T = column_ifexists(\"_timestamp_d\",real(null))"
                     " | where Ingested > ");
    skl_kql_datetime(&b, after_ns);
    skl_buf_adds(&b, " | project TimeGenerated, Ingested, T, Stream, ContainerName_s, "
                     "Source, Line), "
                     "(datatable(TimeGenerated:datetime,Ingested:datetime,T:real,Stream:string,"
                     "ContainerName_s:string,Source:string,Line:string)[])"
                     " | where ContainerName_s == \"main\" | order by Ingested asc");
    skl_buf_addf(&b, " | take %zu | order by TimeGenerated asc, T asc", rows);
    return skl_buf_detach(&b);
}

struct lines {
    skl_log_line_cb *cb;
    void *arg;
};

static bool give_line(void *arg, bool is_stderr, int64_t time_ns, struct skl_str line)
{
    const struct lines *l = arg;

    return l->cb(l->arg, is_stderr ? SKL_SPOOL_STDERR : SKL_SPOOL_STDOUT, time_ns, line);
}

int skl_aca_logs(void *ctx, struct skl_call *call, char **cursor, skl_log_line_cb *cb, void *arg,
                 struct skl_error *err)
{
    struct skl_aca *aca = ctx;
    const char *job = skl_labels_get(&call->c->cloud, SKL_ACA_JOB);
    struct lines lines = {cb, arg};

    if (!aca->azure->logs)
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "the output of a container without an agent is in Log Analytics: set "
                        "SOCKERLESS_ACA_LOG_ANALYTICS_WORKSPACE to the workspace of the Container "
                        "Apps environment");
    if (!job)
        return 0; /* it never ran */
    if (call->deadline_ms == 0)
        call->deadline_ms = skl_mono_ms() + LOGS_WAIT_MS;
    return skl_log_follow(aca->azure->logs, query_text, job, call->deadline_ms, &call->canceled,
                          cursor, give_line, &lines, err);
}

void skl_aca_failure_reason(struct skl_aca *aca, struct skl_call *call, const char *job, char *out,
                            size_t cap)
{
    SKL_AUTO_LOGS_TABLE struct skl_logs_table table = {0};
    SKL_AUTO_BUF struct skl_buf b = {0};
    const char *text;

    if (!aca->azure->logs)
        return;
    skl_buf_init(&b, 4 * SKL_KIB);
    skl_buf_adds(&b, "union isfuzzy=true (ContainerAppSystemLogs_CL | where JobName_s == ");
    skl_kql_quote(&b, skl_str(job));
    skl_buf_adds(&b, " | project TimeGenerated, Reason_s, Log_s), "
                     "(datatable(TimeGenerated:datetime,Reason_s:string,Log_s:string)[])"
                     " | order by TimeGenerated desc | take 1");
    if (skl_logs_query(aca->azure->logs, b.p, TIMESPAN, skl_mono_ms() + 10000, &call->canceled,
                       &table, NULL) < 0 ||
        table.n_rows == 0)
        return; /* the reason is a help, not a condition */
    text = skl_logs_table_str(&table, 0, skl_logs_table_column(&table, "Log_s"));
    if (text)
        snprintf(out, cap, "%s", text);
}
