/* event - the journal of what happened: the last SKL_EVENT_HISTORY events and who listens.
 *
 * Shape   an event is rendered by docker/; here it is type, action, actor and attributes
 * Owns    the journal owns its events; a subscriber borrows them during its callback
 * Thread  loop thread
 */
#ifndef SKL_STORE_EVENT_H
#define SKL_STORE_EVENT_H

#include "base/list.h"
#include "base/str.h"

struct skl_event {
    char *type, *action, *actor_id;
    char *from;        /* containers: the image as the user named it */
    char **attributes; /* name, value, name, value, ..., NULL; sorted by name when rendered */
    int64_t time_ns;   /* strictly increasing in the journal */
};

struct skl_journal;
struct skl_event_sub;
typedef void skl_event_cb(void *arg, const struct skl_event *e);

/* attributes are name, value pairs ended by NULL and are copied. */
void skl_journal_emit(struct skl_journal *j, const char *type, const char *action,
                      const char *actor_id, const char *from, char *const *attributes);
struct skl_event_sub *skl_journal_subscribe(struct skl_journal *j, skl_event_cb *cb, void *arg);
void skl_journal_unsubscribe(struct skl_event_sub **sub); /* allowed inside the callback */
/* Stored events with since_ns <= time <= until_ns (until 0: no end), oldest first. */
void skl_journal_replay(struct skl_journal *j, int64_t since_ns, int64_t until_ns, skl_event_cb *cb,
                        void *arg);
unsigned skl_journal_listeners(const struct skl_journal *j);

#endif
