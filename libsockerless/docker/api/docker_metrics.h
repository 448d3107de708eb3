/* docker_metrics - requests of the Docker API, by route. */
#ifndef SKL_DOCKER_DOCKER_METRICS_H
#define SKL_DOCKER_DOCKER_METRICS_H

#include "base/metrics.h"

/* The answer begins: what streams on after it is not part of the time. route: the row's pattern, or "none". */
void skl_docker_answered(const char *method, const char *route, int status, int64_t us);
void skl_docker_pinged(bool head, int64_t us);

extern struct skl_metric *const skl_docker_metrics[];
extern const size_t skl_docker_metrics_count;

#endif
