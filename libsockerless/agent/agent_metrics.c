#include "agent/agent_metrics.h"

struct skl_metric skl_agent_greeted = {
    .name = "sockerless_agent_connections_total",
    .help = "Connections of agents that passed the exchange of greetings.",
    .type = SKL_METRIC_COUNTER,
};
struct skl_metric skl_agent_lost = {
    .name = "sockerless_agent_connections_lost_total",
    .help = "Connections of agents that broke or were ended.",
    .type = SKL_METRIC_COUNTER,
};
struct skl_metric skl_agent_refused = {
    .name = "sockerless_agent_refused_total",
    .help = "Requests at the agent listener that were turned away: no, wrong or forgotten token.",
    .type = SKL_METRIC_COUNTER,
};

struct skl_metric skl_agent_streams = {
    .name = "sockerless_agent_streams",
    .help = "Streams over connections of agents: main output, execs, copies, tunnels.",
    .type = SKL_METRIC_GAUGE,
};

struct skl_metric *const skl_agent_metrics[] = {&skl_agent_greeted, &skl_agent_lost,
                                                &skl_agent_refused, &skl_agent_streams};
const size_t skl_agent_metrics_count = SKL_ARRAY_LEN(skl_agent_metrics);
