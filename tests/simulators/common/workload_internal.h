#ifndef SKL_SIM_WORKLOAD_INTERNAL_H
#define SKL_SIM_WORKLOAD_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/map.h"
#include "workload.h"

struct sim_external;

struct sim_runtime {
    char *dir, *agent_path, *mirror;
    bool runc, memory_limits;
    struct sim_external *external; /* NULL: workloads run here */
    _Atomic int64_t stop_grace_ms; /* shortened at the end */
    pthread_mutex_t images_lock;   /* of `images`; pulls of different images wait for each other */
    struct skl_map images;         /* ref -> struct sim_image */
};

struct sim_workload {
    struct sim_runtime *rt;
    struct sim_workload_spec spec;
    const struct sim_workload_events *events;
    void *arg;
    pthread_t thread;
    atomic_bool stop;
    char *dir;
    struct skl_list in_external; /* begun, untaken or over */
    int code;                    /* what its player said */
};

/* external.c */
struct sim_external *sim_external_new(void);
void sim_external_start(struct sim_external *e, struct sim_workload *w);
void sim_external_stop(struct sim_external *e, struct sim_workload *w);

#endif
