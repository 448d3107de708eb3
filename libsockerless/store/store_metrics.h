/* store_metrics - the state database, as its writes go. */
#ifndef SKL_STORE_STORE_METRICS_H
#define SKL_STORE_STORE_METRICS_H

#include "base/condition.h"
#include "base/metrics.h"

extern struct skl_metric skl_db_statements, skl_db_failures;
extern struct skl_condition skl_db_condition;

extern struct skl_metric *const skl_store_metrics[];
extern const size_t skl_store_metrics_count;

#endif
