/* The loop publishes its numbers twice a second. That timer is also the pulse by which the ops threads tell whether
 * the loop turns: it is late by as much as everything else is. */
#include "daemon/ops_feed.h"

#include <stdio.h>

#include "agent/agent_metrics.h"
#include "agent/registry.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "cloud/cloud_metrics.h"
#include "docker/api/docker_metrics.h"
#include "driver/workload.h"
#include "net/net_metrics.h"
#include "ops/ops.h"
#include "spool/spool_metrics.h"
#include "store/store.h"
#include "store/store_metrics.h"

#define EVERY_MS 500
#define PROBE_MS 10000 /* a database that is written anyway need not be probed often */

static struct skl_metric loop_delay = {
    .name = "sockerless_loop_delay_seconds",
    .help = "How late the event loop ran a timer of its own, twice a second.",
    .type = SKL_METRIC_HISTOGRAM,
};
static struct skl_metric *const own_metrics[] = {&loop_delay};

static const struct skl_ops_condition conditions[] = {
    {&skl_db_condition, .vital = true},
    {&skl_credentials_condition, .vital = false},
    {&skl_cloud_condition, .vital = false},
};

/* States have one word in the API where we tell two apart. */
static const char *const state_words[] = {
    [SKL_CONTAINER_CREATED] = "created",       [SKL_CONTAINER_STARTING] = "starting",
    [SKL_CONTAINER_RUNNING] = "running",       [SKL_CONTAINER_PAUSED] = "paused",
    [SKL_CONTAINER_RESTARTING] = "restarting", [SKL_CONTAINER_REMOVING] = "removing",
    [SKL_CONTAINER_EXITED] = "exited",         [SKL_CONTAINER_DEAD] = "dead",
};
_Static_assert(SKL_ARRAY_LEN(state_words) == SKL_CONTAINER_MAX_, "a word per state");

struct skl_ops_feed {
    struct skl_ops_feed_config c;
    struct skl_ops *ops;
    struct skl_timer *timer;
    int64_t last_us, probed_ms;
    char address[64], output[4096], layers[4096];
    struct skl_ops_folder folders[2];
};

/* NULL: it has closed. */
static unsigned connections(const struct skl_http_server *s)
{
    return s ? skl_http_server_connections(s) : 0;
}

static size_t measure(const struct skl_ops_feed *f, struct skl_ops_sample *s)
{
    const struct skl_engine *e = f->c.engine;
    size_t n = 0;

    for (int i = 0; i < SKL_CONTAINER_MAX_; i++)
        s[n++] = (struct skl_ops_sample){
            "sockerless_containers", "Containers by state.", "state", state_words[i],
            (int64_t)skl_container_count(e->store, (enum skl_container_state)i)};
    s[n++] = (struct skl_ops_sample){"sockerless_agents_connected",
                                     "Containers whose agent is connected.", NULL, NULL,
                                     skl_agents_connected(skl_runtime_agents(e->runtime))};
    s[n++] = (struct skl_ops_sample){"sockerless_http_connections",
                                     "Open connections of the HTTP servers.", "listener", "docker",
                                     connections(f->c.api)};
    s[n++] = (struct skl_ops_sample){"sockerless_http_connections",
                                     "Open connections of the HTTP servers.", "listener", "agents",
                                     connections(f->c.agents)};
    s[n++] = (struct skl_ops_sample){"sockerless_attached_clients",
                                     "Connections that attach and exec have taken over.", NULL,
                                     NULL, e->n_hijacked};
    s[n++] = (struct skl_ops_sample){"sockerless_workers_busy",
                                     "Worker threads that are in a call, of the cloud mostly.",
                                     NULL, NULL, skl_workers_busy(e->workers)};
    s[n++] =
        (struct skl_ops_sample){"sockerless_workers_queued", "Jobs that wait for a worker thread.",
                                NULL, NULL, skl_workers_queued(e->workers)};
    s[n++] = (struct skl_ops_sample){"sockerless_workers_limit", "The most worker threads.", NULL,
                                     NULL, f->c.settings->max_workers};
    SKL_ASSERT(n <= SKL_OPS_MAX_SAMPLES);
    return n;
}

static void publish(struct skl_ops_feed *f)
{
    struct skl_ops_sample samples[SKL_OPS_MAX_SAMPLES];

    skl_ops_publish(f->ops, samples, measure(f, samples));
}

static void tick(void *arg)
{
    struct skl_ops_feed *f = arg;
    int64_t now_us = skl_mono_us(), late_us = now_us - f->last_us - EVERY_MS * 1000;
    struct skl_error err;

    f->last_us = now_us;
    skl_metric_observe(&loop_delay, late_us > 0 ? late_us : 0);
    if (now_us / 1000 - f->probed_ms >= PROBE_MS || skl_condition_is_failing(&skl_db_condition)) {
        f->probed_ms = now_us / 1000;
        (void)skl_store_probe(f->c.engine->store, &err); /* its condition tells */
    }
    publish(f);
}

int skl_ops_feed_check(const struct skl_daemon_settings *settings, struct skl_error *err)
{
    char address[64];

    return skl_str_empty(settings->ops_listen)
               ? 0
               : skl_ops_address(settings->ops_listen, address, sizeof(address), err);
}

int skl_ops_feed_open(const struct skl_ops_feed_config *config, struct skl_ops_feed **ret,
                      struct skl_error *err)
{
    struct skl_ops_feed *f;
    char shown[64];
    int rc;

    if (skl_str_empty(config->settings->ops_listen))
        return 0;
    f = skl_new0(struct skl_ops_feed);
    f->c = *config;
    skl_metrics_register(own_metrics, SKL_ARRAY_LEN(own_metrics));
    skl_metrics_register(skl_docker_metrics, skl_docker_metrics_count);
    skl_metrics_register(skl_cloud_metrics, skl_cloud_metrics_count);
    skl_metrics_register(skl_agent_metrics, skl_agent_metrics_count);
    skl_metrics_register(skl_spool_metrics, skl_spool_metrics_count);
    skl_metrics_register(skl_store_metrics, skl_store_metrics_count);
    skl_metrics_register(skl_net_metrics, skl_net_metrics_count);
    snprintf(f->output, sizeof(f->output), "%s/output", config->settings->state_dir);
    snprintf(f->layers, sizeof(f->layers), "%s/layers", config->settings->state_dir);
    f->folders[0] = (struct skl_ops_folder){"output", f->output};
    f->folders[1] = (struct skl_ops_folder){"layers", f->layers};
    rc = skl_ops_address(config->settings->ops_listen, f->address, sizeof(f->address), err);
    if (rc == 0)
        rc = skl_ops_open(&(struct skl_ops_config){.address = f->address,
                                                   .backend = config->engine->backend->name,
                                                   .conditions = conditions,
                                                   .n_conditions = SKL_ARRAY_LEN(conditions),
                                                   .folders = f->folders,
                                                   .n_folders = SKL_ARRAY_LEN(f->folders),
                                                   .publish_every_ms = EVERY_MS},
                          &f->ops, err);
    if (rc < 0) {
        free(f);
        return rc;
    }
    f->last_us = skl_mono_us();
    f->timer = skl_timer_repeat(config->loop, EVERY_MS, tick, f);
    publish(f);
    snprintf(shown, sizeof(shown), "%.*s:%d", (int)strcspn(f->address, ":"), f->address,
             skl_ops_port(f->ops));
    skl_info("daemon", "ops", "address", shown, NULL);
    *ret = f;
    return 0;
}

void skl_ops_feed_ready(struct skl_ops_feed *f, const char *why_not)
{
    if (f)
        skl_ops_set_ready(f->ops, why_not);
}

void skl_ops_feed_gone(struct skl_ops_feed *f, const struct skl_http_server *server)
{
    if (f && f->c.api == server)
        f->c.api = NULL;
    if (f && f->c.agents == server)
        f->c.agents = NULL;
}

void skl_ops_feed_stop(struct skl_ops_feed *f)
{
    if (f)
        skl_timer_cancel(&f->timer);
}

void skl_ops_feed_close(struct skl_ops_feed *f)
{
    if (!f)
        return;
    skl_ops_close(f->ops);
    free(f);
}
