#include "docker/images/image_events.h"

#include "store/store.h"

void skl_image_event_of(struct skl_engine *e, const char *actor, const char *action,
                        const char *name, const struct skl_labels *labels)
{
    struct skl_labels attributes = {0};

    if (labels)
        skl_labels_copy(&attributes, labels);
    skl_labels_set(&attributes, "name", name);
    skl_journal_emit(skl_store_journal(e->store), "image", action, actor, NULL, attributes.pairs);
    skl_labels_fini(&attributes);
}

void skl_image_event(struct skl_engine *e, const struct skl_image *i, const char *action,
                     const char *name)
{
    skl_image_event_of(e, i->id, action, name ? name : i->id, &i->labels);
}
