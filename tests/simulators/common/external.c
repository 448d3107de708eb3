/* Workloads that somebody else plays: they are listed with their environment, and end when their player says so.
 *
 * Problem   ten thousand workloads as processes need a machine that tests do not have, and what is measured with them
 *           is the backend.
 * Approach  one thread tells the beginnings and ends of all of them, in the place of a thread for each.
 */
#include "base/alloc.h"
#include "workload_internal.h"

#define CODE_STOPPED 143 /* by the platform's SIGTERM */

struct sim_external {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct skl_list begun;   /* on_running is due */
    struct skl_list untaken; /* not listed yet */
    struct skl_list over;    /* on_end is due */
    struct skl_map live;     /* name -> those that are in none of these, or in `untaken` */
};

static struct sim_workload *take_first(struct skl_list *l)
{
    struct sim_workload *w = SKL_LIST_FIRST(l, struct sim_workload, in_external);

    if (w)
        skl_list_remove(&w->in_external);
    return w;
}

static void *tell(void *arg)
{
    struct sim_external *e = arg;
    struct sim_workload *w;

    pthread_mutex_lock(&e->lock);
    for (;;) {
        if ((w = take_first(&e->begun))) {
            pthread_mutex_unlock(&e->lock);
            w->events->on_running(w->arg);
            pthread_mutex_lock(&e->lock);
            skl_map_set(&e->live, skl_str(w->spec.name), w);
            skl_list_push(atomic_load(&w->stop) ? &e->over : &e->untaken, &w->in_external);
        } else if ((w = take_first(&e->over))) {
            skl_map_remove(&e->live, skl_str(w->spec.name));
            pthread_mutex_unlock(&e->lock);
            w->events->on_end(w->arg, true, w->code, atomic_load(&w->stop), "");
            pthread_mutex_lock(&e->lock); /* w may be gone */
        } else {
            pthread_cond_wait(&e->wake, &e->lock);
        }
    }
    return NULL;
}

struct sim_external *sim_external_new(void)
{
    struct sim_external *e = skl_new0(struct sim_external);

    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->wake, NULL);
    skl_list_init(&e->begun);
    skl_list_init(&e->untaken);
    skl_list_init(&e->over);
    skl_map_init(&e->live);
    SKL_ASSERT(pthread_create(&e->thread, NULL, tell, e) == 0);
    return e;
}

static void end(struct sim_external *e, struct sim_workload *w, int code)
{
    w->code = code;
    skl_list_remove(&w->in_external); /* of the untaken */
    skl_list_push(&e->over, &w->in_external);
    pthread_cond_signal(&e->wake);
}

void sim_external_start(struct sim_external *e, struct sim_workload *w)
{
    w->code = CODE_STOPPED;
    pthread_mutex_lock(&e->lock);
    skl_list_push(&e->begun, &w->in_external);
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
}

void sim_external_stop(struct sim_external *e, struct sim_workload *w)
{
    pthread_mutex_lock(&e->lock);
    if (!atomic_exchange(&w->stop, true) && skl_map_getz(&e->live, w->spec.name) == w)
        end(e, w, CODE_STOPPED);
    pthread_mutex_unlock(&e->lock);
}

bool sim_workload_finish(struct sim_runtime *rt, const char *name, int code)
{
    struct sim_external *e = rt->external;
    struct sim_workload *w;

    if (!e)
        return false;
    pthread_mutex_lock(&e->lock);
    w = skl_map_remove(&e->live, skl_str(name));
    if (w && !atomic_load(&w->stop))
        end(e, w, code);
    pthread_mutex_unlock(&e->lock);
    return w;
}

size_t sim_workload_take(struct sim_runtime *rt, size_t max, sim_taken_cb *cb, void *arg)
{
    struct sim_external *e = rt->external;
    struct sim_workload *w;
    size_t n = 0;

    if (!e)
        return 0;
    pthread_mutex_lock(&e->lock);
    while (n < max && (w = take_first(&e->untaken))) {
        cb(arg, w->spec.name, w->spec.main.env);
        n++;
    }
    pthread_mutex_unlock(&e->lock);
    return n;
}
