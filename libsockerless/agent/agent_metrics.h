/* agent_metrics - connections of agents and what goes over them. */
#ifndef SKL_AGENT_AGENT_METRICS_H
#define SKL_AGENT_AGENT_METRICS_H

#include "base/metrics.h"

extern struct skl_metric skl_agent_greeted, skl_agent_lost, skl_agent_refused, skl_agent_streams;

extern struct skl_metric *const skl_agent_metrics[];
extern const size_t skl_agent_metrics_count;

#endif
