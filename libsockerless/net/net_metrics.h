/* net_metrics - what the streams of the process carry. */
#ifndef SKL_NET_NET_METRICS_H
#define SKL_NET_NET_METRICS_H

#include "base/metrics.h"

extern struct skl_metric skl_net_received, skl_net_sent, skl_net_queued, skl_net_refused;

extern struct skl_metric *const skl_net_metrics[];
extern const size_t skl_net_metrics_count;

#endif
