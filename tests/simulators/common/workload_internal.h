#ifndef SKL_SIM_WORKLOAD_INTERNAL_H
#define SKL_SIM_WORKLOAD_INTERNAL_H

#include <pthread.h>

#include "base/map.h"
#include "workload.h"

struct sim_runtime {
    char *dir, *agent_path, *mirror;
    bool runc, memory_limits;
    _Atomic int64_t stop_grace_ms; /* shortened at the end */
    pthread_mutex_t images_lock;   /* of `images`; pulls of different images wait for each other */
    struct skl_map images;         /* ref -> struct sim_image */
};

#endif
