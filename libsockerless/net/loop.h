/* loop - the event loop thread: timers, deferred calls and blocking work on worker threads.
 *
 * Shape   one uv_loop_t per process, its thread owns all sockets, agents and the store
 * Thread  everything here is called on the loop thread, except the body of a job
 * Source  libuv's design overview: handles are closed, and freed only in their close callback
 */
#ifndef SKL_NET_LOOP_H
#define SKL_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"

/* -- timers: one shot or repeating; freed by cancel or after the single shot. */
struct skl_timer;
typedef void skl_timer_cb(void *arg);
struct skl_timer *skl_timer_start(uv_loop_t *loop, int64_t delay_ms, skl_timer_cb *cb, void *arg);
struct skl_timer *skl_timer_repeat(uv_loop_t *loop, int64_t every_ms, skl_timer_cb *cb, void *arg);
/* *t becomes NULL; NULL is fine. A one-shot timer that has fired is already gone: its callback must
 * set the owner's pointer to NULL first. */
void skl_timer_cancel(struct skl_timer **t);

/* Runs cb once, later in this loop turn or in the next, never before this returns. Cannot be
 * cancelled: the argument must live. */
void skl_defer(uv_loop_t *loop, skl_timer_cb *cb, void *arg);

/* -- workers: plain blocking code off the loop.
 * Threads are made on demand up to max_threads, end after a while without work, have small stacks
 * (512 KiB), and take jobs from one queue in order. */
struct skl_workers;
typedef void skl_work_cb(void *arg);                     /* on a worker thread */
typedef void skl_work_done_cb(void *arg, bool canceled); /* on the loop thread, exactly once */

struct skl_workers *skl_workers_new(uv_loop_t *loop, unsigned max_threads);
/* Stops taking jobs, reports queued ones as cancelled, waits for running ones (they see their own
 * cancel flag). on_closed runs on the loop. */
void skl_workers_close(struct skl_workers *w, skl_timer_cb *on_closed, void *arg);
void skl_work_submit(struct skl_workers *w, skl_work_cb *work, skl_work_done_cb *done, void *arg);
unsigned skl_workers_busy(const struct skl_workers *w);
unsigned skl_workers_queued(const struct skl_workers *w);

#endif
