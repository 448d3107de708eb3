/* volume - named and anonymous volumes as records; what keeps their content is the backend's matter. */
#ifndef SKL_STORE_VOLUME_H
#define SKL_STORE_VOLUME_H

#include "store/container.h"

struct skl_volume {
    char *name, *driver;
    int64_t created_ns;
    bool anonymous;
    char *options_json;
    struct skl_labels labels;
    struct skl_list in_store;
};

struct skl_volume *skl_volume_new(void);
void skl_volume_free(struct skl_volume *v);
struct skl_volume *skl_volume_find(struct skl_store *s, const char *name); /* exact; NULL if none */
struct skl_list *skl_volume_all(struct skl_store *s);
/* own_v is swallowed, also when this fails. A volume of that name and driver that is there already is
 * *ret, unchanged and without an event; with another driver: CONFLICT. */
int skl_volume_add(struct skl_store *s, struct skl_volume *own_v, struct skl_volume **ret,
                   struct skl_error *err); /* event create */
/* CONFLICT with Docker's text while any container mounts it. Event destroy. */
int skl_volume_remove(struct skl_store *s, struct skl_volume *v, struct skl_error *err);
size_t skl_volume_users(struct skl_store *s,
                        const struct skl_volume *v); /* containers that mount it */

#endif
