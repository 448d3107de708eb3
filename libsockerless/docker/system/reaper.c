/* Finding what costs money and belongs to nothing.
 *
 * Problem: every creation is recorded before its call, yet a request whose answer was lost may be carried out after its
 * removal was told to be done. Approach: the cloud itself is asked, now and then. Two things keep the reaper from taking
 * what is wanted: a record that may have resources protects everything that was made for its container, and what has no
 * record must stay so for the grace time. Rejected: to trust names (they are short, and other daemons make the same).
 */
#include "docker/system/reaper.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "store/store.h"

#define SHORT_ID      12 /* clouds cut ids short; names of resources have that much, too */
#define CALL_MS       60000
#define MAX_RESOURCES 100000
#define MAX_AT_A_TIME 100 /* so that a mistake shows before everything is gone */

struct found {
    char *kind, *name, *container_id, *key;
    bool removed;
    char *why; /* it could not be removed; NULL: it was, or was not tried */
};

/* Seen without a record. */
struct suspect {
    int64_t since_ms;
    unsigned look; /* the newest that saw it */
    bool told;
};

struct look {
    struct skl_reaper *r;
    struct skl_engine *e;
    struct skl_call call;
    struct found *found;
    size_t n, cap;
    int rc;
    struct skl_error err;
};

struct skl_reaper {
    struct skl_engine *e;
    struct skl_timer *next;
    struct look *look; /* under way */
    struct skl_map suspects;
    unsigned looks;
    bool closing;
};

static void look_begin(void *arg);

struct skl_reaper *skl_reaper_new(struct skl_engine *e)
{
    struct skl_reaper *r = skl_new0(struct skl_reaper);

    r->e = e;
    skl_map_init(&r->suspects);
    if (e->settings.reap_interval_ms > 0 && e->backend->resources_list)
        r->next = skl_timer_start(e->loop, e->settings.reap_interval_ms, look_begin, r);
    return r;
}

void skl_reaper_close(struct skl_reaper *r)
{
    r->closing = true;
    skl_timer_cancel(&r->next);
    if (r->look)
        atomic_store(&r->look->call.canceled, true);
}

void skl_reaper_free(struct skl_reaper *r)
{
    struct suspect *s;
    size_t i = 0;

    while ((s = skl_map_next(&r->suspects, &i, NULL)))
        free(s);
    skl_map_fini(&r->suspects);
    free(r);
}

/* -- what was found */

static void take_found(void *arg, const struct skl_resource *r)
{
    struct look *l = arg;
    struct skl_buf key;

    if (l->n == MAX_RESOURCES)
        return;
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 16;
        l->found = skl_realloc(l->found, l->cap, sizeof(*l->found));
    }
    skl_buf_init(&key, 4096);
    skl_buf_addf(&key, "%s/%s", r->kind, r->name);
    l->found[l->n++] = (struct found){.kind = skl_strdup(r->kind),
                                      .name = skl_strdup(r->name),
                                      .container_id = skl_strdup(r->container_id),
                                      .key = skl_buf_detach(&key)};
}

static void found_fini(struct found *f)
{
    free(f->kind);
    free(f->name);
    free(f->container_id);
    free(f->key);
    free(f->why);
    *f = (struct found){0};
}

static void look_end(struct look *l)
{
    struct skl_reaper *r = l->r;

    r->look = NULL;
    for (size_t i = 0; i < l->n; i++)
        found_fini(&l->found[i]);
    free(l->found);
    free(l);
    if (!r->closing)
        r->next = skl_timer_start(r->e->loop, r->e->settings.reap_interval_ms, look_begin, r);
}

/* -- what is known */

/* The containers whose record names cloud resources, by the beginning of their ids. */
static void known_init(struct skl_engine *e, struct skl_map *known)
{
    struct skl_list *it;

    skl_map_init(known);
    skl_list_foreach (it, skl_container_all(e->store)) {
        struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

        if (c->cloud.pairs && c->cloud.pairs[0])
            skl_map_set(known, (struct skl_str){c->id, SHORT_ID}, c);
    }
}

static bool is_known(const struct skl_map *known, const char *container_id)
{
    return strlen(container_id) >= SHORT_ID &&
           skl_map_get(known, (struct skl_str){container_id, SHORT_ID});
}

static struct suspect *suspect_of(struct skl_reaper *r, const struct found *f)
{
    struct suspect *s = skl_map_getz(&r->suspects, f->key);

    if (!s) {
        s = skl_new0(struct suspect);
        s->since_ms = skl_mono_ms();
        skl_map_set(&r->suspects, skl_str(f->key), s);
    }
    s->look = r->looks;
    return s;
}

/* What this look did not see any more, or saw with a record, begins anew when it is seen again. */
static void forget_others(struct skl_reaper *r)
{
    struct suspect *s;
    struct skl_str key;
    size_t i = 0;

    while ((s = skl_map_next(&r->suspects, &i, &key)))
        if (s->look != r->looks) {
            skl_map_remove(&r->suspects, key);
            free(s);
        }
}

/* Leaves those in l->found that have to go now. */
static void pick(struct look *l)
{
    struct skl_reaper *r = l->r;
    const struct skl_engine_settings *settings = &r->e->settings;
    struct skl_map known;
    size_t n = 0;

    known_init(r->e, &known);
    for (size_t i = 0; i < l->n; i++) {
        struct found *f = &l->found[i];
        struct suspect *s = is_known(&known, f->container_id) ? NULL : suspect_of(r, f);
        bool due = s && skl_mono_ms() - s->since_ms >= settings->reap_grace_ms;

        if (due && settings->reap_dry_run && !s->told) {
            s->told = true;
            skl_warn("reaper", "a cloud resource without a record would be removed", "kind",
                     f->kind, "name", f->name, "container", f->container_id, NULL);
        }
        if (due && !settings->reap_dry_run && n < MAX_AT_A_TIME) {
            struct found kept = *f;

            *f = (struct found){0};
            l->found[n++] = kept;
        } else {
            found_fini(f);
        }
    }
    l->n = n;
    skl_map_fini(&known);
    forget_others(r);
}

/* -- the calls */

static void remove_work(void *arg)
{
    struct look *l = arg;

    for (size_t i = 0; i < l->n && !atomic_load(&l->call.canceled); i++) {
        struct found *f = &l->found[i];
        const struct skl_resource resource = {f->kind, f->name, f->container_id};
        struct skl_error err;

        l->call.deadline_ms = skl_mono_ms() + CALL_MS;
        f->removed =
            l->e->backend->resource_remove(l->e->backend_ctx, &l->call, &resource, &err) == 0;
        f->why = f->removed ? NULL : skl_strdup(err.msg);
    }
}

static void tell_removed(struct skl_engine *e, const struct found *f)
{
    struct skl_labels attributes = {0};

    skl_labels_set(&attributes, "backend", e->backend->name);
    skl_labels_set(&attributes, "container", f->container_id);
    skl_labels_set(&attributes, "kind", f->kind);
    skl_labels_set(&attributes, "name", f->name);
    skl_warn("reaper", "a cloud resource without a record was removed", "kind", f->kind, "name",
             f->name, "container", f->container_id, NULL);
    skl_journal_emit(skl_store_journal(e->store), "daemon", "reap", f->name, NULL,
                     attributes.pairs);
    skl_labels_fini(&attributes);
}

static void remove_done(void *arg, bool canceled)
{
    struct look *l = arg;

    for (size_t i = 0; i < l->n; i++) {
        const struct found *f = &l->found[i];

        if (f->removed)
            tell_removed(l->e, f);
        else if (f->why && !canceled && !l->r->closing)
            skl_warn("reaper", "a cloud resource without a record stays, and is tried again",
                     "kind", f->kind, "name", f->name, "error", f->why, NULL);
    }
    look_end(l);
}

static void list_work(void *arg)
{
    struct look *l = arg;

    l->rc = l->e->backend->resources_list(l->e->backend_ctx, &l->call,
                                          skl_store_instance(l->e->store), take_found, l, &l->err);
}

static void list_done(void *arg, bool canceled)
{
    struct look *l = arg;

    /* A list that is not whole says nothing about what is gone. */
    if (!canceled && l->rc < 0 && !l->r->closing)
        skl_warn("reaper", "the cloud's resources could not be listed", "error", l->err.msg, NULL);
    if (canceled || l->rc < 0 || l->r->closing) {
        look_end(l);
        return;
    }
    pick(l);
    if (l->n > 0)
        skl_work_submit(l->e->workers, remove_work, remove_done, l);
    else
        look_end(l);
}

static void look_begin(void *arg)
{
    struct skl_reaper *r = arg;
    struct look *l = skl_new0(struct look);

    r->next = NULL;
    r->looks++;
    l->r = r;
    l->e = r->e;
    atomic_init(&l->call.canceled, false);
    l->call.deadline_ms = skl_mono_ms() + CALL_MS;
    r->look = l;
    skl_work_submit(r->e->workers, list_work, list_done, l);
}
