/* The journal: a ring of the newest events and a list of subscribers.
 *
 * A subscriber may unsubscribe itself or others, subscribe, or emit in its callback. So a subscriber that is
 * ended during a round is only marked, and swept after the outermost round; events carry a reference count,
 * because an event that is being delivered or replayed may be pushed out of the ring meanwhile. */
#include "store/event.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/store_internal.h"

struct entry {
    struct skl_event e;
    struct skl_labels attributes; /* sorted and without repeats: the later value counts */
    unsigned refs;
};

struct skl_event_sub {
    struct skl_journal *journal; /* NULL: the journal is gone */
    skl_event_cb *cb;            /* NULL: ended, to be swept */
    void *arg;
    struct skl_list in_journal;
};

struct skl_journal {
    struct entry *ring[SKL_EVENT_HISTORY];
    size_t first, n;
    int64_t last_ns;
    struct skl_list subs;
    unsigned listeners;
    unsigned depth; /* rounds under way */
};

static void entry_unref(struct entry *entry)
{
    if (!entry || --entry->refs > 0)
        return;
    free(entry->e.type);
    free(entry->e.action);
    free(entry->e.actor_id);
    free(entry->e.from);
    skl_labels_fini(&entry->attributes);
    free(entry);
}

struct skl_journal *skl_journal_new(void)
{
    struct skl_journal *j = skl_new0(struct skl_journal);

    skl_list_init(&j->subs);
    return j;
}

void skl_journal_free(struct skl_journal *j)
{
    struct skl_list *it, *tmp;

    if (!j)
        return;
    skl_list_foreach_safe (it, tmp, &j->subs) {
        struct skl_event_sub *sub = SKL_LIST_ENTRY(it, struct skl_event_sub, in_journal);

        skl_list_remove(it);
        sub->journal = NULL; /* freed when its owner unsubscribes */
    }
    for (size_t i = 0; i < j->n; i++)
        entry_unref(j->ring[(j->first + i) % SKL_EVENT_HISTORY]);
    free(j);
}

static void sweep(struct skl_journal *j)
{
    struct skl_list *it, *tmp;

    if (--j->depth > 0)
        return;
    skl_list_foreach_safe (it, tmp, &j->subs) {
        struct skl_event_sub *sub = SKL_LIST_ENTRY(it, struct skl_event_sub, in_journal);

        if (sub->cb)
            continue;
        skl_list_remove(it);
        free(sub);
    }
}

static void keep(struct skl_journal *j, struct entry *entry)
{
    if (j->n == SKL_EVENT_HISTORY) {
        entry_unref(j->ring[j->first]);
        j->first = (j->first + 1) % SKL_EVENT_HISTORY;
        j->n--;
    }
    j->ring[(j->first + j->n) % SKL_EVENT_HISTORY] = entry;
    j->n++;
}

void skl_journal_emit(struct skl_journal *j, const char *type, const char *action,
                      const char *actor_id, const char *from, char *const *attributes)
{
    static char *none[] = {NULL};
    struct entry *entry = skl_new0(struct entry);
    struct skl_list *it, *last = j->subs.prev;
    int64_t now = skl_wall_ns();

    /* Clients resume with since=<last time>: equal times would lose or repeat events. */
    j->last_ns = now > j->last_ns ? now : j->last_ns + 1;
    entry->refs = 2; /* the ring and this round */
    skl_labels_build(&entry->attributes, attributes);
    entry->e = (struct skl_event){
        .type = skl_strdup(type),
        .action = skl_strdup(action),
        .actor_id = skl_strdup(actor_id),
        .from = skl_strdup(from),
        .attributes = entry->attributes.pairs ? entry->attributes.pairs : none,
        .time_ns = j->last_ns,
    };
    keep(j, entry);
    j->depth++;
    if (last != &j->subs) { /* who subscribes during the round comes behind `last` */
        skl_list_foreach (it, &j->subs) {
            struct skl_event_sub *sub = SKL_LIST_ENTRY(it, struct skl_event_sub, in_journal);

            if (sub->cb)
                sub->cb(sub->arg, &entry->e);
            if (it == last)
                break;
        }
    }
    entry_unref(entry);
    sweep(j);
}

struct skl_event_sub *skl_journal_subscribe(struct skl_journal *j, skl_event_cb *cb, void *arg)
{
    struct skl_event_sub *sub = skl_new0(struct skl_event_sub);

    sub->journal = j;
    sub->cb = cb;
    sub->arg = arg;
    skl_list_push(&j->subs, &sub->in_journal);
    j->listeners++;
    return sub;
}

void skl_journal_unsubscribe(struct skl_event_sub **sub)
{
    struct skl_event_sub *s = *sub;

    *sub = NULL;
    if (!s)
        return;
    if (!s->journal) {
        free(s);
        return;
    }
    s->journal->listeners--;
    s->cb = NULL;
    s->journal->depth++;
    sweep(s->journal);
}

void skl_journal_replay(struct skl_journal *j, int64_t since_ns, int64_t until_ns, skl_event_cb *cb,
                        void *arg)
{
    struct entry *picked[SKL_EVENT_HISTORY];
    size_t n = 0;

    for (size_t i = 0; i < j->n; i++) {
        struct entry *entry = j->ring[(j->first + i) % SKL_EVENT_HISTORY];

        if (entry->e.time_ns < since_ns || (until_ns != 0 && entry->e.time_ns > until_ns))
            continue;
        entry->refs++;
        picked[n++] = entry;
    }
    for (size_t i = 0; i < n; i++) {
        cb(arg, &picked[i]->e);
        entry_unref(picked[i]);
    }
}

unsigned skl_journal_listeners(const struct skl_journal *j)
{
    return j->listeners;
}
