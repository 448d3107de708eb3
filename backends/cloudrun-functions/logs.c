/* Output of runs without an agent: what Cloud Logging has of the service. */
#include "base/alloc.h"
#include "base/clock.h"
#include "cloud/gcp/logging.h"
#include "gcf.h"

#define LOGS_WAIT_MS 60000

struct lines {
    skl_log_line_cb *cb;
    void *arg;
};

static bool give_line(void *arg, bool is_stderr, int64_t time_ns, struct skl_str line)
{
    const struct lines *l = arg;

    return l->cb(l->arg, is_stderr ? SKL_SPOOL_STDERR : SKL_SPOOL_STDOUT, time_ns, line);
}

int skl_gcf_logs(void *ctx, struct skl_call *call, char **cursor, skl_log_line_cb *cb, void *arg,
                 struct skl_error *err)
{
    struct skl_gcf *gcf = ctx;
    const struct skl_gcp_log_source source = {
        .region = gcf->config->region,
        .service = skl_labels_get(&call->c->cloud, SKL_GCF_SERVICE),
    };
    struct lines lines = {cb, arg};

    if (!source.service)
        return 0;
    skl_gcf_extend_deadline(call, LOGS_WAIT_MS);
    return skl_gcp_logs_follow(
        gcf->gcp->logs, &source, call->c->created_ns,
        &(struct skl_gcp_context){.deadline_ms = call->deadline_ms, .cancel = &call->canceled},
        cursor, give_line, &lines, err);
}
