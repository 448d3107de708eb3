/* spool_metrics - what containers write. */
#ifndef SKL_SPOOL_SPOOL_METRICS_H
#define SKL_SPOOL_SPOOL_METRICS_H

#include "base/metrics.h"

extern struct skl_metric skl_spool_written, skl_spool_failed;

extern struct skl_metric *const skl_spool_metrics[];
extern const size_t skl_spool_metrics_count;

#endif
