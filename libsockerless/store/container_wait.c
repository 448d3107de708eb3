/* Waiting for a container.
 *
 * A waiter that is due moves to the store's `fired` list and is called from the loop, not from within the
 * transition: its owner may remove the container, of which the transition's caller still knows. The answer is
 * in the waiter by then, so it does not need the container any more. */
#include "base/alloc.h"
#include "store/store_internal.h"

struct skl_waiter {
    struct skl_list in_list; /* the container's, the store's `fired`, or none after a close */
    enum skl_wait_condition condition;
    skl_wait_cb *cb;
    void *arg;
    int exit_code;
    char *error;
};

struct skl_store_turn {
    struct skl_store *store; /* NULL: closed meanwhile */
};

static void waiter_free(struct skl_waiter *w)
{
    skl_list_remove(&w->in_list);
    free(w->error);
    free(w);
}

static void answer_fired(void *arg)
{
    struct skl_store_turn *turn = arg;
    struct skl_store *s = turn->store;
    struct skl_list round;

    if (!s) {
        free(turn);
        return;
    }
    /* Waiters fired by these callbacks get the next turn. A callback may also cancel others of this
     * round or close the store, so the round is a list of its own that both can empty. */
    skl_list_init(&round);
    while (!skl_list_empty(&s->fired)) {
        struct skl_list *node = s->fired.next;

        skl_list_remove(node);
        skl_list_push(&round, node);
    }
    s->turn = NULL;
    while (!skl_list_empty(&round)) {
        struct skl_waiter *w = SKL_LIST_ENTRY(round.next, struct skl_waiter, in_list);
        skl_wait_cb *cb = w->cb;
        void *cb_arg = w->arg;
        int exit_code = w->exit_code;
        char *error = skl_take(&w->error);

        waiter_free(w);
        cb(cb_arg, exit_code, error);
        free(error);
    }
    free(turn);
}

static void fire(struct skl_store *s, struct skl_waiter *w, int exit_code, const char *error)
{
    skl_list_remove(&w->in_list);
    w->exit_code = exit_code;
    w->error = skl_strdup(error);
    skl_list_push(&s->fired, &w->in_list);
    if (s->turn)
        return;
    s->turn = skl_new0(struct skl_store_turn);
    s->turn->store = s;
    skl_defer(s->loop, answer_fired, s->turn);
}

void skl_container_wake(struct skl_store *s, struct skl_container *c, unsigned who,
                        const char *error)
{
    static const unsigned of_condition[] = {
        [SKL_WAIT_NOT_RUNNING] = SKL_WAKE_STOPPED,
        [SKL_WAIT_NEXT_EXIT] = SKL_WAKE_EXITED,
        [SKL_WAIT_REMOVED] = SKL_WAKE_REMOVED,
    };
    struct skl_list *it, *tmp;

    skl_list_foreach_safe (it, tmp, &c->waiters) {
        struct skl_waiter *w = SKL_LIST_ENTRY(it, struct skl_waiter, in_list);

        if (of_condition[w->condition] & who)
            fire(s, w, c->exit_code, error);
    }
}

static bool is_stopped(const struct skl_container *c)
{
    switch (c->state) {
    case SKL_CONTAINER_CREATED:
    case SKL_CONTAINER_EXITED:
    case SKL_CONTAINER_REMOVING:
    case SKL_CONTAINER_DEAD:
        return true;
    case SKL_CONTAINER_STARTING: /* a run has begun: its end is what the caller wants */
    case SKL_CONTAINER_RUNNING:
    case SKL_CONTAINER_PAUSED:
    case SKL_CONTAINER_RESTARTING:
    case SKL_CONTAINER_MAX_:
        break;
    }
    return false;
}

struct skl_waiter *skl_container_wait(struct skl_store *s, struct skl_container *c,
                                      enum skl_wait_condition condition, skl_wait_cb *cb, void *arg)
{
    struct skl_waiter *w = skl_new0(struct skl_waiter);

    w->condition = condition;
    w->cb = cb;
    w->arg = arg;
    skl_list_push(&c->waiters, &w->in_list);
    if (condition == SKL_WAIT_NOT_RUNNING && is_stopped(c))
        fire(s, w, c->exit_code, NULL);
    return w;
}

void skl_waiter_cancel(struct skl_waiter **w)
{
    struct skl_waiter *waiter = *w;

    *w = NULL;
    if (waiter)
        waiter_free(waiter);
}

void skl_waiters_orphan(struct skl_list *waiters)
{
    while (!skl_list_empty(waiters))
        skl_list_remove(waiters->next);
}

void skl_store_turn_close(struct skl_store *s)
{
    skl_waiters_orphan(&s->fired);
    if (s->turn)
        s->turn->store = NULL;
    s->turn = NULL;
}
