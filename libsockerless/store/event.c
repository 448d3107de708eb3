#include "store/event.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/store_internal.h"

struct skl_event_sub {
    struct skl_list in_journal;
    struct skl_journal *j;
    skl_event_cb *cb;
    void *arg;
};

struct skl_journal {
    struct skl_event ring[SKL_EVENT_HISTORY];
    size_t first, n;
    int64_t last_ns;
    struct skl_list subs;
    struct skl_list *walking; /* next subscriber of the emission that is under way */
    unsigned n_subs;
};

struct skl_journal *skl_journal_new(void)
{
    struct skl_journal *j = skl_new0(struct skl_journal);

    skl_list_init(&j->subs);
    return j;
}

static void event_fini(struct skl_event *e)
{
    free(e->type);
    free(e->action);
    free(e->actor_id);
    free(e->from);
    skl_strv_free(e->attributes);
}

void skl_journal_free(struct skl_journal *j)
{
    for (size_t i = 0; i < j->n; i++)
        event_fini(&j->ring[(j->first + i) % SKL_EVENT_HISTORY]);
    while (!skl_list_empty(&j->subs)) {
        struct skl_event_sub *sub = SKL_LIST_FIRST(&j->subs, struct skl_event_sub, in_journal);

        skl_list_remove(&sub->in_journal);
        free(sub);
    }
    free(j);
}

void skl_journal_emit(struct skl_journal *j, const char *type, const char *action,
                      const char *actor_id, const char *from, char *const *attributes)
{
    struct skl_event *e;

    if (j->n == SKL_EVENT_HISTORY) {
        event_fini(&j->ring[j->first]);
        j->first = (j->first + 1) % SKL_EVENT_HISTORY;
        j->n--;
    }
    e = &j->ring[(j->first + j->n++) % SKL_EVENT_HISTORY];
    *e = (struct skl_event){
        .type = skl_strdup(type),
        .action = skl_strdup(action),
        .actor_id = skl_strdup(actor_id),
        .from = skl_strdup(from),
        .attributes = skl_strv_dup(attributes),
        .time_ns = skl_wall_ns(),
    };
    if (e->time_ns <= j->last_ns)
        e->time_ns = j->last_ns + 1;
    j->last_ns = e->time_ns;
    for (struct skl_list *it = j->subs.next; it != &j->subs; it = j->walking) {
        struct skl_event_sub *sub = SKL_LIST_ENTRY(it, struct skl_event_sub, in_journal);

        j->walking = it->next;
        sub->cb(sub->arg, e);
    }
    j->walking = NULL;
}

struct skl_event_sub *skl_journal_subscribe(struct skl_journal *j, skl_event_cb *cb, void *arg)
{
    struct skl_event_sub *sub = skl_new0(struct skl_event_sub);

    sub->j = j;
    sub->cb = cb;
    sub->arg = arg;
    skl_list_push(&j->subs, &sub->in_journal);
    j->n_subs++;
    return sub;
}

void skl_journal_unsubscribe(struct skl_event_sub **sub)
{
    struct skl_event_sub *s = *sub;

    if (!s)
        return;
    *sub = NULL;
    if (s->j->walking == &s->in_journal)
        s->j->walking = s->in_journal.next;
    s->j->n_subs--;
    skl_list_remove(&s->in_journal);
    free(s);
}

void skl_journal_replay(struct skl_journal *j, int64_t since_ns, int64_t until_ns, skl_event_cb *cb,
                        void *arg)
{
    for (size_t i = 0; i < j->n; i++) {
        const struct skl_event *e = &j->ring[(j->first + i) % SKL_EVENT_HISTORY];

        if (e->time_ns >= since_ns && (until_ns == 0 || e->time_ns <= until_ns))
            cb(arg, e);
    }
}

unsigned skl_journal_listeners(const struct skl_journal *j)
{
    return j->n_subs;
}
