/* Output of runs without an agent: what the image's own Functions host wrote to Application Insights. */
#include <stdio.h>

#include "azf.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "cloud/azure/log_follow.h"

#define LOGS_WAIT_MS 60000

static char *query_text(const void *site, int64_t after_ns, size_t rows)
{
    struct skl_buf b;

    skl_buf_init(&b, 16 * SKL_KIB);
    /* The SDK reports the site's name in its own case. */
    skl_buf_adds(&b, "union isfuzzy=true (AppTraces | where AppRoleName =~ ");
    skl_kql_quote(&b, skl_str(site));
    skl_buf_adds(&b, " | extend Ingested = ingestion_time(), Stream = \"stdout\", "
                     "Source = AppRoleInstance, Line = Message | where Ingested > ");
    skl_kql_datetime(&b, after_ns);
    skl_buf_addf(&b,
                 " | project TimeGenerated, Ingested, Stream, Source, Line), "
                 "(datatable(TimeGenerated:datetime,Ingested:datetime,Stream:string,"
                 "Source:string,Line:string)[])"
                 " | order by Ingested asc | take %zu | order by TimeGenerated asc",
                 rows);
    return skl_buf_detach(&b);
}

struct lines {
    skl_log_line_cb *cb;
    void *arg;
};

static bool give_line(void *arg, bool is_stderr SKL_UNUSED, int64_t time_ns, struct skl_str line)
{
    const struct lines *l = arg;

    return l->cb(l->arg, SKL_SPOOL_STDOUT, time_ns, line);
}

int skl_azf_logs(void *ctx, struct skl_call *call, char **cursor, skl_log_line_cb *cb, void *arg,
                 struct skl_error *err)
{
    struct skl_azf *azf = ctx;
    const char *site = skl_labels_get(&call->c->cloud, SKL_AZF_SITE);
    struct lines lines = {cb, arg};

    if (!azf->azure->logs)
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "the output of a container without an agent is in Log Analytics: set "
                        "SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE to the workspace that the Function "
                        "App's Application Insights writes to");
    if (!site)
        return 0;
    skl_azf_extend_deadline(call, LOGS_WAIT_MS);
    return skl_log_follow(azf->azure->logs, query_text, site, call->deadline_ms, &call->canceled,
                          cursor, give_line, &lines, err);
}
