/* service - containers that serve HTTP together: started one after another, probed, watched, ended as one.
 *
 * Shape   the containers share the machine's network; one of them listens on the service's port. When one ends or fails
 *         its probe, all end. Starting again is the caller's decision
 * Thread  one thread per service and one per container; start and stop may be called from any thread. Events come
 *         on those threads, never with a lock of this file held
 * Owns    the specification is taken over
 */
#ifndef SKL_SIM_SERVICE_H
#define SKL_SIM_SERVICE_H

#include "workload.h"

enum sim_probe_kind { SIM_PROBE_NONE, SIM_PROBE_TCP, SIM_PROBE_HTTP, SIM_PROBE_ANY_HTTP };
struct sim_probe {
    enum sim_probe_kind kind;
    char *address;        /* NULL: 127.0.0.1 */
    int port, other_port; /* other_port: tried, too; 0: none */
    char *path;           /* HTTP: any status from 200 to 399 is fine; ANY_HTTP: any */
    int64_t initial_ms, period_ms, timeout_ms;
    int threshold;
};

struct sim_member {
    struct sim_container container;
    struct sim_probe startup, liveness;
};

struct sim_service_spec {
    char *name;                 /* unique */
    struct sim_member *members; /* in the order of their start */
    size_t n;
    int64_t stop_grace_ms; /* 0, or more than the runtime's: the runtime's */
};
void sim_service_spec_fini(struct sim_service_spec *s);

enum sim_service_end {
    SIM_ENDED,     /* a container ended by itself */
    SIM_STOPPED,   /* it was asked to */
    SIM_NO_START,  /* a container could not be made */
    SIM_NOT_READY, /* a startup probe failed for too long */
    SIM_NOT_ALIVE  /* a liveness probe */
};
struct sim_service_events {
    void (*on_ready)(void *arg);
    void (*on_line)(void *arg, const char *container, bool is_stderr, const char *text, size_t n);
    /* container: which one was the first to end; code: its exit code; reason: why it could not be made */
    void (*on_end)(void *arg, enum sim_service_end how, const char *container, int code,
                   const char *reason);
};
struct sim_service;
struct sim_service *sim_service_start(struct sim_runtime *rt, struct sim_service_spec *own_spec,
                                      const struct sim_service_events *events, void *arg);
void sim_service_stop(struct sim_service *v); /* SIGTERM, grace, SIGKILL; returns at once */
void sim_service_join(struct sim_service *v); /* after on_end; frees */

/* One attempt; timeout_ms bounds it. */
bool sim_probe_once(const struct sim_probe *p, int64_t timeout_ms);
/* A connected socket to a port of this machine, or -1. */
int sim_connect(const char *address, int port, int64_t timeout_ms);
/* A port that nobody listens on, below those that the kernel hands out. */
int sim_free_port(void);

#endif
