/* loop - timers and deferred calls.
 *
 * Problem   libuv handles live until their close callback; callers want a timer that is simply gone
 *           after skl_timer_cancel(), and a call "soon" without a handle of their own.
 * Approach  a timer is one allocation that its close callback frees. Deferred calls of a loop share one
 *           idle handle that exists only while calls wait, so that an idle loop has nothing to close.
 *           Idle handles run before the poll and make it not block, hence "this turn or the next".
 * Rejected  a zero timer per deferred call: an allocation, a heap insert and a close for each.
 */
#include "net/loop.h"

#include "base/alloc.h"

struct skl_timer {
    uv_timer_t uv;
    skl_timer_cb *cb;
    void *arg;
};

static void timer_closed(uv_handle_t *h)
{
    free(h->data);
}

static void timer_fired(uv_timer_t *h)
{
    struct skl_timer *t = h->data;
    skl_timer_cb *cb = t->cb;
    void *arg = t->arg;
    if (!uv_timer_get_repeat(h))
        uv_close((uv_handle_t *)h, timer_closed);
    cb(arg);
}

static struct skl_timer *timer_new(uv_loop_t *loop, int64_t delay, int64_t repeat, skl_timer_cb *cb,
                                   void *arg)
{
    struct skl_timer *t = skl_new0(struct skl_timer);
    t->cb = cb;
    t->arg = arg;
    SKL_ASSERT(uv_timer_init(loop, &t->uv) == 0);
    t->uv.data = t;
    /* The loop's clock is that of its last turn: without this a timer that is set after long
     * work in a callback would fire early. */
    uv_update_time(loop);
    uv_timer_start(&t->uv, timer_fired, delay > 0 ? (uint64_t)delay : 0, (uint64_t)repeat);
    return t;
}

struct skl_timer *skl_timer_start(uv_loop_t *loop, int64_t delay_ms, skl_timer_cb *cb, void *arg)
{
    return timer_new(loop, delay_ms, 0, cb, arg);
}

struct skl_timer *skl_timer_repeat(uv_loop_t *loop, int64_t every_ms, skl_timer_cb *cb, void *arg)
{
    if (every_ms < 1)
        every_ms = 1;
    return timer_new(loop, every_ms, every_ms, cb, arg);
}

void skl_timer_cancel(struct skl_timer **t)
{
    struct skl_timer *timer = *t;
    *t = NULL;
    if (timer && !uv_is_closing((uv_handle_t *)&timer->uv))
        uv_close((uv_handle_t *)&timer->uv, timer_closed);
}

/* -- deferred calls */

struct call {
    skl_timer_cb *cb;
    void *arg;
};

struct defer_queue {
    uv_idle_t idle;
    struct defer_queue *next; /* queues of other loops of this thread: only tests have them */
    struct call *calls;
    size_t n, cap;
};

static _Thread_local struct defer_queue *queues;

static void queue_closed(uv_handle_t *h)
{
    struct defer_queue *q = h->data;
    free(q->calls);
    free(q);
}

static void queue_unlink(struct defer_queue *q)
{
    struct defer_queue **at = &queues;
    while (*at && *at != q)
        at = &(*at)->next;
    if (*at)
        *at = q->next;
}

static void queue_run(uv_idle_t *h)
{
    struct defer_queue *q = h->data;
    /* Calls made by these calls go into a new queue and run in the next turn: a chain of deferred
     * calls must not starve the sockets. */
    queue_unlink(q);
    for (size_t i = 0; i < q->n; i++)
        q->calls[i].cb(q->calls[i].arg);
    uv_close((uv_handle_t *)h, queue_closed);
}

void skl_defer(uv_loop_t *loop, skl_timer_cb *cb, void *arg)
{
    struct defer_queue *q = queues;
    while (q && q->idle.loop != loop)
        q = q->next;
    if (!q) {
        q = skl_new0(struct defer_queue);
        SKL_ASSERT(uv_idle_init(loop, &q->idle) == 0);
        q->idle.data = q;
        uv_idle_start(&q->idle, queue_run);
        q->next = queues;
        queues = q;
    }
    if (q->n == q->cap) {
        q->cap = q->cap ? q->cap * 2 : 8;
        q->calls = skl_realloc(q->calls, q->cap, sizeof(*q->calls));
    }
    q->calls[q->n++] = (struct call){cb, arg};
}
