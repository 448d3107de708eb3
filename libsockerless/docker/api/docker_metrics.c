#include "docker/api/docker_metrics.h"

#include <stdio.h>

static struct skl_metric requests = {
    .name = "sockerless_http_requests_total",
    .help = "Requests of the Docker API by the status of their answer; route none: no such call.",
    .type = SKL_METRIC_COUNTER,
    .labels = {"method", "route", "status"},
};
static struct skl_metric durations = {
    .name = "sockerless_http_request_duration_seconds",
    .help = "Time from a request's header to the beginning of its answer.",
    .type = SKL_METRIC_HISTOGRAM,
    .labels = {"method", "route"},
};

struct skl_metric *const skl_docker_metrics[] = {&requests, &durations};
const size_t skl_docker_metrics_count = SKL_ARRAY_LEN(skl_docker_metrics);

void skl_docker_answered(const char *method, const char *route, int status, int64_t us)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", status);
    skl_series_add(skl_metric_series(&requests, method, route, text), 1);
    skl_series_observe(skl_metric_series(&durations, method, route, NULL), us);
}

/* Health checks ping all day long: their series are not looked up. Loop thread only. */
void skl_docker_pinged(bool head, int64_t us)
{
    static struct skl_series *count[2], *time[2];

    if (!count[head]) {
        count[head] = skl_metric_series(&requests, head ? "HEAD" : "GET", "/_ping", "200");
        time[head] = skl_metric_series(&durations, head ? "HEAD" : "GET", "/_ping", NULL);
    }
    skl_series_add(count[head], 1);
    skl_series_observe(time[head], us);
}
