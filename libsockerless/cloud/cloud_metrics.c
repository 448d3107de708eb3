#include "cloud/cloud_metrics.h"

#include <stdio.h>

#include "base/str.h"

static struct skl_metric calls = {
    .name = "sockerless_cloud_calls_total",
    .help = "Calls to the cloud and to registries, retries within a call not counted; status none: "
            "no answer.",
    .type = SKL_METRIC_COUNTER,
    .labels = {"operation", "status"},
};
static struct skl_metric retries_made = {
    .name = "sockerless_cloud_retries_total",
    .help = "Attempts of calls that had to be made again.",
    .type = SKL_METRIC_COUNTER,
    .labels = {"operation"},
};
static struct skl_metric durations = {
    .name = "sockerless_cloud_call_duration_seconds",
    .help = "Time of calls to the cloud and to registries, with their retries.",
    .type = SKL_METRIC_HISTOGRAM,
    .labels = {"operation"},
};
static struct skl_metric tokens = {
    .name = "sockerless_cloud_tokens_total",
    .help = "Access tokens that were asked for.",
    .type = SKL_METRIC_COUNTER,
    .labels = {"result"},
};

struct skl_condition skl_cloud_condition = {.name = "cloud"};
struct skl_condition skl_credentials_condition = {.name = "credentials"};

struct skl_metric *const skl_cloud_metrics[] = {&calls, &retries_made, &durations, &tokens};
const size_t skl_cloud_metrics_count = SKL_ARRAY_LEN(skl_cloud_metrics);

/* A refusal of one call is the cloud at work; no answer, a failure of its own and "too many" are not. */
static bool cloud_works(int status)
{
    return status > 0 && status < 500 && status != 429;
}

void skl_cloud_called(void *cloud, const char *operation, int status, unsigned retries,
                      int64_t elapsed_ms)
{
    char text[16] = "none";

    if (status > 0)
        snprintf(text, sizeof(text), "%d", status);
    skl_series_add(skl_metric_series(&calls, operation, text, NULL), 1);
    skl_series_add(skl_metric_series(&retries_made, operation, NULL, NULL), retries);
    skl_series_observe(skl_metric_series(&durations, operation, NULL, NULL), elapsed_ms * 1000);
    /* What a workload's own address answers says nothing about the cloud. */
    if (cloud && !skl_str_starts(skl_str(operation), "function."))
        skl_condition_report(cloud, cloud_works(status), "%s: %s%s after %lld ms, %u retries",
                             operation, status > 0 ? "status " : "no answer",
                             status > 0 ? text : "", (long long)elapsed_ms, retries);
}

struct skl_rest_settings skl_cloud_observed(const struct skl_rest_settings *s)
{
    struct skl_rest_settings observed = *s;

    if (!observed.on_call) {
        observed.on_call = skl_cloud_called;
        observed.on_call_arg = &skl_cloud_condition;
    }
    return observed;
}

void skl_cloud_token_fetched(int rc, const struct skl_error *err)
{
    if (rc == -SKL_E_CANCELED)
        return;
    skl_series_add(skl_metric_series(&tokens, rc < 0 ? "failed" : "ok", NULL, NULL), 1);
    if (rc < 0)
        skl_condition_report(&skl_credentials_condition, false, "%s", err->msg);
    else
        skl_condition_report(&skl_credentials_condition, true, NULL);
}
