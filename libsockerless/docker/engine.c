/* One daemon: its parts are made here in the order of the layers, and ended in the reverse order. */
#include "docker/engine.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cloud/cloud_metrics.h"
#include "docker/api/hijack.h"
#include "docker/containers/health.h"
#include "docker/images/layers.h"
#include "docker/lifecycle/lifecycle_internal.h"
#include "docker/system/reaper.h"
#include "registry/registry.h"

static int open_registry(struct skl_engine *e, struct skl_error *err)
{
    const struct skl_registry_settings settings = {
        .mirror = e->settings.registry_mirror,
        .insecure = (const char *const *)e->settings.insecure_registries,
    };

    e->rest = skl_rest_new(&(struct skl_rest_settings){.on_call = skl_cloud_called});
    return skl_registry_new(&settings, e->rest, &e->registry, err);
}

static int make_dir(const char *path, struct skl_error *err)
{
    return mkdir(path, 0700) < 0 && errno != EEXIST
               ? skl_fail_errno(err, errno, "making '%s'", path)
               : 0;
}

int skl_engine_open(uv_loop_t *loop, const struct skl_engine_settings *settings,
                    const struct skl_backend *backend, void *backend_ctx, struct skl_engine **ret,
                    struct skl_error *err)
{
    struct skl_engine *e = skl_new0(struct skl_engine);
    SKL_AUTO_BUF struct skl_buf spool_dir = {0}, layers_dir = {0}, volumes_dir = {0};
    int rc;

    e->loop = loop;
    skl_list_init(&e->hijacked);
    e->settings = *settings;
    e->backend = backend;
    e->backend_ctx = backend_ctx;
    e->started_ns = skl_wall_ns();
    skl_buf_init(&spool_dir, 4096);
    skl_buf_addf(&spool_dir, "%s/output", settings->state_dir);
    skl_buf_init(&layers_dir, 4096);
    skl_layers_dir(settings, &layers_dir);
    skl_buf_init(&volumes_dir, 4096);
    skl_buf_addf(&volumes_dir, "%s/volumes", settings->state_dir);
    rc = skl_store_open(loop, settings->state_dir, &e->store, err);
    if (rc == 0)
        rc = skl_layers_open(e, err);
    if (rc == 0)
        rc = open_registry(e, err);
    if (rc == 0)
        rc = make_dir(spool_dir.p, err);
    if (rc == 0)
        rc = make_dir(volumes_dir.p, err);
    if (rc < 0) {
        skl_registry_free(e->registry);
        skl_rest_free(e->rest);
        skl_store_close(e->store);
        free(e);
        return rc;
    }
    e->runtime = skl_runtime_new(&(struct skl_runtime_config){
        .loop = loop,
        .store = e->store,
        .spool_dir = spool_dir.p,
        .layers_dir = layers_dir.p,
        .volumes_dir = volumes_dir.p,
        .agent_token = settings->agent_token,
        .warm_seconds = settings->warm_seconds,
        .agent_grace_ms = settings->agent_grace_ms,
        .will_restart = skl_flow_will_restart,
        .on_exited = skl_flow_on_exited,
        .on_agent_up = skl_flow_on_agent_up,
        .on_agent_lost = skl_flow_on_agent_lost,
        .on_agent_left = skl_flow_on_agent_left,
        .arg = e,
    });
    e->workers = skl_workers_new(loop, settings->max_workers);
    e->calls = skl_http_calls_new(loop);
    e->lifecycle = skl_lifecycle_new(e);
    e->health = skl_health_new(e);
    skl_lifecycle_recover(e->lifecycle);
    e->reaper = skl_reaper_new(e);
    *ret = e;
    return 0;
}

void skl_engine_set_agent_ca(struct skl_engine *e, const char *pem)
{
    skl_strset(&e->agent_ca, pem);
}

struct closing {
    struct skl_engine *e;
    skl_timer_cb *on_closed;
    void *arg;
};

static void workers_closed(void *arg)
{
    struct closing *c = arg;
    struct skl_engine *e = c->e;

    skl_runtime_close(e->runtime);
    skl_health_free(e->health);
    skl_reaper_free(e->reaper);
    skl_lifecycle_free(e->lifecycle);
    skl_http_calls_close(e->calls);
    skl_registry_free(e->registry);
    skl_rest_free(e->rest);
    skl_store_close(e->store);
    free(e->agent_ca);
    free(e);
    c->on_closed(c->arg);
    free(c);
}

void skl_engine_stop(struct skl_engine *e)
{
    if (e->closing)
        return;
    e->closing = true;
    skl_health_close(e->health);
    skl_reaper_close(e->reaper);
    skl_lifecycle_close(e->lifecycle); /* running calls see that they are cancelled */
    skl_hijacked_end_all(e);
}

void skl_engine_close(struct skl_engine *e, skl_timer_cb *on_closed, void *arg)
{
    struct closing *c = skl_new0(struct closing);

    *c = (struct closing){e, on_closed, arg};
    skl_engine_stop(e);
    skl_workers_close(e->workers, workers_closed, c);
}
