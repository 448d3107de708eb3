#include "cloud/wait.h"

#include <time.h>

#define SLICE_NS 50000000
#define S_NS     1000000000

void skl_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(c, &attr);
    (void)pthread_condattr_destroy(&attr);
}

void skl_cond_wait_slice(pthread_cond_t *c, pthread_mutex_t *lock)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_nsec += SLICE_NS;
    if (ts.tv_nsec >= S_NS) {
        ts.tv_nsec -= S_NS;
        ts.tv_sec++;
    }
    (void)pthread_cond_timedwait(c, lock, &ts);
}
