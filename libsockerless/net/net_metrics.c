#include "net/net_metrics.h"

struct skl_metric skl_net_received = {
    .name = "sockerless_net_received_bytes_total",
    .help = "Bytes received from clients and agents.",
    .type = SKL_METRIC_COUNTER,
};
struct skl_metric skl_net_sent = {
    .name = "sockerless_net_sent_bytes_total",
    .help = "Bytes accepted for sending to clients and agents.",
    .type = SKL_METRIC_COUNTER,
};
struct skl_metric skl_net_queued = {
    .name = "sockerless_net_queued_bytes",
    .help = "Bytes that wait in output queues because their peers read slowly.",
    .type = SKL_METRIC_GAUGE,
};

struct skl_metric skl_net_refused = {
    .name = "sockerless_http_refused_total",
    .help = "Requests that were refused because a limit of connections or requests was reached.",
    .type = SKL_METRIC_COUNTER,
};

struct skl_metric *const skl_net_metrics[] = {&skl_net_received, &skl_net_sent, &skl_net_queued,
                                              &skl_net_refused};
const size_t skl_net_metrics_count = SKL_ARRAY_LEN(skl_net_metrics);
