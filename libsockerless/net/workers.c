/* workers - a pool of threads for blocking code, apart from libuv's own.
 *
 * Problem   cloud calls block for minutes, up to 256 at a time. libuv's pool is fixed in size and shared
 *           with name resolution, which must not wait behind them.
 * Approach  threads made on demand, one mutex around both queues, results through one uv_async. A
 *           thread that found no work for a while ends; the loop joins it when it is told so.
 * Threads   everything in `struct skl_workers` below the mutex is guarded by it.
 */
#include "base/alloc.h"
#include "base/list.h"
#include "net/loop.h"

#include <malloc.h>

/* loop.h promises small stacks; curl with a resolver and mbedTLS with RSA use below 100 KiB, glibc's
 * getaddrinfo may use 200 KiB when a name server answers at length. */
#define WORKER_STACK   (512 * 1024)
#define KEPT_WARM      8 /* threads that steady polling keeps busy now and then */
#define WORKER_IDLE_NS (UINT64_C(20) * 1000 * 1000 * 1000)

struct job {
    struct skl_list node;
    skl_work_cb *work;
    skl_work_done_cb *done;
    void *arg;
    bool canceled;
};

struct worker {
    struct skl_list node; /* in ended, after its last job */
    uv_thread_t thread;
    struct skl_workers *pool;
};

struct skl_workers {
    uv_loop_t *loop;
    uv_async_t async;
    unsigned max_threads;
    skl_timer_cb *on_closed;
    void *closed_arg;
    bool handle_closing;

    uv_mutex_t lock;
    uv_cond_t wake;
    struct skl_list queue, finished, ended;
    unsigned threads, idle, busy, queued;
    bool closing;
};

static struct job *job_wait(struct skl_workers *w)
{
    while (skl_list_empty(&w->queue)) {
        if (w->closing)
            return NULL;
        w->idle++;
        int rc = uv_cond_timedwait(&w->wake, &w->lock, WORKER_IDLE_NS);
        w->idle--;
        if (rc == UV_ETIMEDOUT && skl_list_empty(&w->queue))
            return NULL;
    }
    struct job *j = SKL_LIST_FIRST(&w->queue, struct job, node);
    skl_list_remove(&j->node);
    w->queued--;
    w->busy++;
    return j;
}

static void worker_main(void *arg)
{
    struct worker *self = arg;
    struct skl_workers *w = self->pool;
    struct job *j;
    uv_mutex_lock(&w->lock);
    while ((j = job_wait(w))) {
        uv_mutex_unlock(&w->lock);
        j->work(j->arg);
        uv_mutex_lock(&w->lock);
        w->busy--;
        skl_list_push(&w->finished, &j->node);
        uv_async_send(&w->async);
    }
    w->threads--;
    if (w->threads == KEPT_WARM && !w->closing) {
        /* A burst is over: what its calls needed goes back to the system. */
        uv_mutex_unlock(&w->lock);
        (void)malloc_trim(0);
        uv_mutex_lock(&w->lock);
    }
    skl_list_push(&w->ended, &self->node);
    /* Under the lock: the pool is freed only after this thread was seen in `ended` and joined. */
    uv_async_send(&w->async);
    uv_mutex_unlock(&w->lock);
}

static void take_all(struct skl_list *to, struct skl_list *from)
{
    skl_list_init(to);
    while (!skl_list_empty(from)) {
        struct skl_list *n = from->next;
        skl_list_remove(n);
        skl_list_push(to, n);
    }
}

static void pool_closed(uv_handle_t *h)
{
    struct skl_workers *w = h->data;
    uv_mutex_destroy(&w->lock);
    uv_cond_destroy(&w->wake);
    if (w->on_closed)
        w->on_closed(w->closed_arg);
    free(w);
}

static void pool_news(uv_async_t *h)
{
    struct skl_workers *w = h->data;
    struct skl_list finished, ended;

    uv_mutex_lock(&w->lock);
    take_all(&finished, &w->finished);
    take_all(&ended, &w->ended);
    uv_mutex_unlock(&w->lock);

    while (!skl_list_empty(&ended)) {
        struct worker *t = SKL_LIST_FIRST(&ended, struct worker, node);
        skl_list_remove(&t->node);
        uv_thread_join(&t->thread);
        free(t);
    }
    while (!skl_list_empty(&finished)) {
        struct job *j = SKL_LIST_FIRST(&finished, struct job, node);
        skl_list_remove(&j->node);
        j->done(j->arg, j->canceled);
        free(j);
    }
    uv_mutex_lock(&w->lock);
    bool last =
        w->closing && !w->threads && skl_list_empty(&w->finished) && skl_list_empty(&w->ended);
    uv_mutex_unlock(&w->lock);
    if (last && !w->handle_closing) {
        w->handle_closing = true;
        uv_close((uv_handle_t *)&w->async, pool_closed);
    }
}

struct skl_workers *skl_workers_new(uv_loop_t *loop, unsigned max_threads)
{
    struct skl_workers *w = skl_new0(struct skl_workers);
    w->loop = loop;
    w->max_threads = max_threads ? max_threads : 1;
    skl_list_init(&w->queue);
    skl_list_init(&w->finished);
    skl_list_init(&w->ended);
    SKL_ASSERT(uv_mutex_init(&w->lock) == 0);
    SKL_ASSERT(uv_cond_init(&w->wake) == 0);
    SKL_ASSERT(uv_async_init(loop, &w->async, pool_news) == 0);
    w->async.data = w;
    return w;
}

static bool worker_start(struct skl_workers *w)
{
    const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                         .stack_size = WORKER_STACK};
    struct worker *t = skl_new0(struct worker);
    t->pool = w;
    w->threads++; /* under the lock; the thread waits for it before it looks */
    if (uv_thread_create_ex(&t->thread, &options, worker_main, t) == 0)
        return true;
    w->threads--;
    free(t);
    return false;
}

void skl_work_submit(struct skl_workers *w, skl_work_cb *work, skl_work_done_cb *done, void *arg)
{
    struct job *j = skl_new0(struct job);
    j->work = work;
    j->done = done;
    j->arg = arg;

    uv_mutex_lock(&w->lock);
    SKL_ASSERT(!w->handle_closing);
    if (w->closing) {
        j->canceled = true;
        skl_list_push(&w->finished, &j->node);
        uv_async_send(&w->async);
    } else {
        skl_list_push(&w->queue, &j->node);
        w->queued++;
        if (w->queued > w->idle && w->threads < w->max_threads && !worker_start(w) && !w->threads) {
            /* Not one thread to be had: saying so beats waiting for ever. */
            skl_list_remove(&j->node);
            w->queued--;
            j->canceled = true;
            skl_list_push(&w->finished, &j->node);
            uv_async_send(&w->async);
        }
        uv_cond_signal(&w->wake);
    }
    uv_mutex_unlock(&w->lock);
}

void skl_workers_close(struct skl_workers *w, skl_timer_cb *on_closed, void *arg)
{
    uv_mutex_lock(&w->lock);
    SKL_ASSERT(!w->closing);
    w->closing = true;
    w->on_closed = on_closed;
    w->closed_arg = arg;
    while (!skl_list_empty(&w->queue)) {
        struct job *j = SKL_LIST_FIRST(&w->queue, struct job, node);
        skl_list_remove(&j->node);
        j->canceled = true;
        skl_list_push(&w->finished, &j->node);
    }
    w->queued = 0;
    uv_cond_broadcast(&w->wake);
    uv_async_send(&w->async);
    uv_mutex_unlock(&w->lock);
}

static unsigned counted(const struct skl_workers *w, bool busy)
{
    uv_mutex_t *lock = (uv_mutex_t *)(uintptr_t)&w->lock;
    uv_mutex_lock(lock);
    unsigned n = busy ? w->busy : w->queued;
    uv_mutex_unlock(lock);
    return n;
}

unsigned skl_workers_busy(const struct skl_workers *w)
{
    return counted(w, true);
}

unsigned skl_workers_queued(const struct skl_workers *w)
{
    return counted(w, false);
}
