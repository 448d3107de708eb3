#include "store/store_metrics.h"

struct skl_metric skl_db_statements = {
    .name = "sockerless_database_statement_duration_seconds",
    .help = "Time that writing statements of the state database took on the loop.",
    .type = SKL_METRIC_HISTOGRAM,
};
struct skl_metric skl_db_failures = {
    .name = "sockerless_database_failures_total",
    .help = "Statements of the state database that failed.",
    .type = SKL_METRIC_COUNTER,
};
struct skl_condition skl_db_condition = {.name = "database"};

struct skl_metric *const skl_store_metrics[] = {&skl_db_statements, &skl_db_failures};
const size_t skl_store_metrics_count = SKL_ARRAY_LEN(skl_store_metrics);
