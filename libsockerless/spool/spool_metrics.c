#include "spool/spool_metrics.h"

struct skl_metric skl_spool_written = {
    .name = "sockerless_output_bytes_total",
    .help = "Bytes of output that containers wrote and that are on disk.",
    .type = SKL_METRIC_COUNTER,
    .labels = {"stream"},
};
struct skl_metric skl_spool_failed = {
    .name = "sockerless_output_write_failures_total",
    .help = "Pieces of output that could not be written; their agents offer them again.",
    .type = SKL_METRIC_COUNTER,
};

struct skl_metric *const skl_spool_metrics[] = {&skl_spool_written, &skl_spool_failed};
const size_t skl_spool_metrics_count = SKL_ARRAY_LEN(skl_spool_metrics);
