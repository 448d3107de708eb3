/* wait - condition variables of threads that also look at a deadline and a cancel flag. */
#ifndef SKL_CLOUD_WAIT_H
#define SKL_CLOUD_WAIT_H

#include <pthread.h>

void skl_cond_init(pthread_cond_t *c); /* on the monotonic clock */
/* With the lock held: until somebody signals, or 50 ms: a cancel flag has no one to wake us. */
void skl_cond_wait_slice(pthread_cond_t *c, pthread_mutex_t *lock);

#endif
