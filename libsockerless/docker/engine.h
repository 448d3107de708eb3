/* engine - everything one daemon is: store, runtime, workers, backend, and the settings of the core.
 *
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_ENGINE_H
#define SKL_DOCKER_ENGINE_H

#include "docker/backend.h"
#include "driver/driver.h"
#include "net/http_server.h"
#include "net/loop.h"

struct skl_engine_settings {
    const char *state_dir;
    const char *name;            /* host name shown in /info */
    bool fetch_image_config;     /* SOCKERLESS_FETCH_IMAGE_CONFIG */
    const char *registry_mirror; /* SOCKERLESS_REGISTRY_MIRROR; NULL: none */
    char *const *insecure_registries;
    const char *agent_token; /* one for all containers; NULL or "": one per run */
    unsigned warm_seconds;
    int64_t agent_grace_ms;
    unsigned max_workers;
    unsigned max_queued;      /* jobs that wait for a worker */
    unsigned max_streams;     /* connections that are taken over */
    int64_t reap_interval_ms; /* between two looks at the cloud for what no record knows; 0: none */
    int64_t reap_grace_ms;    /* how long it must have been seen */
    bool reap_dry_run;        /* says what would go */
};

struct skl_engine {
    uv_loop_t *loop;
    struct skl_store *store;
    struct skl_runtime *runtime;
    struct skl_workers *workers;
    struct skl_rest *rest; /* of the registry client */
    struct skl_registry *registry;
    const struct skl_backend *backend;
    void *backend_ctx;
    struct skl_engine_settings settings;
    int64_t started_ns;
    struct skl_lifecycle *lifecycle;
    struct skl_http_calls *calls; /* invocations of functions */
    struct skl_health_monitors *health;
    struct skl_reaper *reaper;
    struct skl_list hijacked; /* docker/api/hijack.h */
    unsigned n_hijacked;
    char *agent_ca; /* PEM; what workloads are told to trust; NULL: nothing */
    bool closing;
};

/* Opens the store, takes over what an earlier daemon left running. */
int skl_engine_open(uv_loop_t *loop, const struct skl_engine_settings *settings,
                    const struct skl_backend *backend, void *backend_ctx, struct skl_engine **ret,
                    struct skl_error *err);
/* For workloads that are made from now on; copied, NULL: none. */
void skl_engine_set_agent_ca(struct skl_engine *e, const char *pem);
/* First step of the way down: operations that clients wait for fail with UNAVAILABLE, connections that were
 * taken over end. What still asks is answered; workloads go on running. */
void skl_engine_stop(struct skl_engine *e);
/* Last step, when no client and no listener is left; stops if that was not done. on_closed when workers
 * are done and everything is on disk. */
void skl_engine_close(struct skl_engine *e, skl_timer_cb *on_closed, void *arg);

/* The Docker API: the handler of the Docker listener's HTTP server (arg = engine). docker/api/router.c */
void skl_docker_handle(void *engine, struct skl_http *x);
/* What is answered whatever limit is reached. */
bool skl_docker_is_vital(const struct skl_http *x);
/* Answers {"message": ...} for errors that the HTTP server makes itself. */
void skl_docker_error_body(struct skl_buf *b, int status, const char *message);
/* "Api-Version: ...\r\n..." for every answer */
extern const char skl_docker_headers[];

#endif
