/* Containers: making, finding, adding, renaming, and what a backend remembers with them. The transitions are in
 * container_state.c. */
#include "store/container.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/shared_text.h"
#include "store/store_internal.h"

struct skl_container_full *skl_container_full(struct skl_container *c)
{
    return SKL_CONTAINER_OF(c, struct skl_container_full, c);
}

/* -- memory */

struct skl_container *skl_container_new(void)
{
    struct skl_container_full *full = skl_new0(struct skl_container_full);
    struct skl_container *c = &full->c;

    skl_random_hex(c->id, SKL_ID_LEN);
    c->spec.stop_timeout_s = -1;
    c->error = skl_strdup("");
    skl_list_init(&c->waiters);
    skl_list_init(&c->in_store);
    skl_list_init(&full->execs);
    return c;
}

void skl_container_spec_fini(struct skl_container_spec *s)
{
    char **const texts[] = {&s->image,       &s->image_id, &s->image_ref,   &s->cwd,
                            &s->user,        &s->hostname, &s->stop_signal, &s->registry_auth,
                            &s->config_json, &s->platform};
    char ***const vectors[] = {&s->argv,      &s->env,     &s->extra_hosts,
                               &s->group_add, &s->ulimits, &s->layers};

    for (size_t i = 0; i < SKL_ARRAY_LEN(texts); i++)
        free(*texts[i]);
    for (size_t i = 0; i < SKL_ARRAY_LEN(vectors); i++)
        skl_strv_free(*vectors[i]);
    for (size_t i = 0; i < s->n_mounts; i++) {
        struct skl_mount *m = &s->mounts[i];

        free(m->type);
        free(m->name);
        free(m->source);
        free(m->destination);
        free(m->mode);
        free(m->propagation);
        free(m->request_json);
    }
    free(s->mounts);
    skl_text_unref(s->host_config_json);
    skl_labels_fini(&s->labels);
    *s = (struct skl_container_spec){0};
}

void skl_endpoint_fini(struct skl_endpoint *e)
{
    free(e->network_id);
    free(e->endpoint_id);
    free(e->ip);
    free(e->ip6);
    free(e->mac);
    skl_strv_free(e->aliases);
    free(e->request_json);
}

void skl_container_free(struct skl_container *c)
{
    if (!c)
        return;
    SKL_ASSERT(skl_list_empty(&c->in_store));
    skl_container_spec_fini(&c->spec);
    for (size_t i = 0; i < c->n_endpoints; i++)
        skl_endpoint_fini(&c->endpoints[i]);
    free(c->endpoints);
    free(c->name);
    free(c->error);
    free(c->health_log_json);
    free(c->token);
    free(c->agent_address);
    free(c->published_json);
    free(c->list_cache);
    skl_labels_fini(&c->cloud);
    free(skl_container_full(c));
}

/* -- finding */

const char *skl_container_state_name(enum skl_container_state s)
{
    static const char *const names[] = {
#define X(name, wire) [SKL_CONTAINER_##name] = wire,
        SKL_CONTAINER_STATES(X)
#undef X
    };

    SKL_ASSERT((unsigned)s < SKL_ARRAY_LEN(names));
    return names[s];
}

enum skl_container_state skl_container_shown_state(const struct skl_container *c)
{
    if (c->state != SKL_CONTAINER_STARTING)
        return c->state;
    if (c->restart_count > 0)
        return SKL_CONTAINER_RESTARTING; /* a start by hand has set it to 0 */
    return c->has_run ? SKL_CONTAINER_EXITED : SKL_CONTAINER_CREATED;
}

bool skl_container_has_command(const struct skl_container *c)
{
    return c->state == SKL_CONTAINER_RUNNING || c->state == SKL_CONTAINER_PAUSED;
}

bool skl_container_is_live(const struct skl_container *c)
{
    return c->state == SKL_CONTAINER_STARTING || skl_container_has_command(c);
}

bool skl_container_is_running(const struct skl_container *c)
{
    const enum skl_container_state shown = skl_container_shown_state(c);

    return shown == SKL_CONTAINER_RUNNING || shown == SKL_CONTAINER_PAUSED ||
           shown == SKL_CONTAINER_RESTARTING;
}

static const char *without_slash(const char *name)
{
    return name && *name == '/' ? name + 1 : name;
}

struct skl_container *skl_container_by_id(struct skl_store *s, const char *id)
{
    return skl_map_getz(&s->containers_by_id, id);
}

struct skl_container *skl_container_by_name(struct skl_store *s, const char *name)
{
    return skl_map_getz(&s->containers_by_name, without_slash(name));
}

static struct skl_container *by_prefix(struct skl_store *s, const char *ref, unsigned *n)
{
    struct skl_container *found = NULL;
    struct skl_list *it;
    size_t len = strlen(ref);

    *n = 0;
    if (len >= SKL_ID_LEN || !skl_is_hex(skl_str_n(ref, len)))
        return NULL;
    skl_list_foreach (it, &s->containers) {
        struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

        if (memcmp(c->id, ref, len) != 0)
            continue;
        found = c;
        if (++*n > 1)
            break;
    }
    return found;
}

int skl_container_find(struct skl_store *s, const char *ref, struct skl_container **ret,
                       struct skl_error *err)
{
    struct skl_container *c;
    unsigned n;

    if (skl_str_empty(ref))
        return skl_fail(err, SKL_E_INVALID, "invalid name or ID supplied: \"\"");
    c = skl_container_by_id(s, ref);
    if (!c)
        c = skl_container_by_name(s, ref);
    if (!c) {
        c = by_prefix(s, ref, &n);
        if (n > 1)
            return skl_fail(err, SKL_E_INVALID, "multiple IDs found with provided prefix: %s", ref);
    }
    if (!c)
        return skl_fail(err, SKL_E_NOTFOUND, "No such container: %s", ref);
    *ret = c;
    return 0;
}

struct skl_list *skl_container_all(struct skl_store *s)
{
    return &s->containers;
}

size_t skl_container_count(struct skl_store *s, enum skl_container_state state)
{
    SKL_ASSERT((unsigned)state < SKL_CONTAINER_MAX_);
    return s->n_in_state[state];
}

/* -- adding and changing */

static int name_taken(const struct skl_container *other, const char *prefix, struct skl_error *err)
{
    return skl_fail(err, SKL_E_CONFLICT,
                    "%sConflict. The container name \"/%s\" is already in use by container \"%s\". "
                    "You have to remove (or rename) that container to be able to reuse that name.",
                    prefix, other->name, other->id);
}

static int write_new(struct skl_store *s, const struct skl_container *c, struct skl_error *err)
{
    int rc = skl_db_begin(s->db, err);

    if (rc < 0)
        return rc;
    rc = skl_container_write(s, c, err);
    if (rc == 0)
        rc = skl_container_write_spec(s, c, err);
    return skl_db_end(s->db, rc, err);
}

/* Whatever the caller left there: a new container has not run. */
static void reset(struct skl_container *c)
{
    c->state = SKL_CONTAINER_CREATED;
    c->pid = c->exit_code = 0;
    c->oom_killed = c->manual_stop = c->has_run = false;
    skl_strset(&c->error, "");
    c->started_ns = c->finished_ns = 0;
    c->restart_count = c->run = c->health_streak = 0;
    c->end_rank = SKL_END_NONE;
    for (size_t i = 0; i < c->n_endpoints; i++) {
        skl_strset(&c->endpoints[i].endpoint_id, "");
        skl_strset(&c->endpoints[i].ip, "");
        skl_strset(&c->endpoints[i].mac, "");
    }
}

int skl_container_add(struct skl_store *s, struct skl_container *own_c, struct skl_error *err)
{
    struct skl_container *c = own_c, *other;
    char *name;
    int rc;

    SKL_ASSERT(!skl_str_empty(without_slash(c->name)));
    name = skl_strdup(without_slash(c->name));
    free(c->name);
    c->name = name;
    other = skl_container_by_name(s, name);
    if (other) {
        rc = name_taken(other, "", err);
        skl_container_free(c);
        return rc;
    }
    SKL_ASSERT(!skl_container_by_id(s, c->id)); /* 256 random bits */
    reset(c);
    if (c->created_ns == 0)
        c->created_ns = skl_wall_ns();
    skl_container_full(c)->seq = s->last_seq + 1;
    rc = write_new(s, c, err);
    if (rc < 0) {
        skl_container_free(c);
        return rc;
    }
    s->last_seq++;
    skl_container_link(s, c);
    skl_container_event(s, c, "create", NULL);
    return 0;
}

/* Writes the short row of `c` with the members of *next that the caller changed. */
static int write_changed(struct skl_store *s, struct skl_container *c,
                         const struct skl_container *next, struct skl_error *err)
{
    struct skl_container_full full = {.c = *next, .seq = skl_container_full(c)->seq};

    return skl_container_write(s, &full.c, err);
}

int skl_container_rename(struct skl_store *s, struct skl_container *c, const char *name,
                         struct skl_error *err)
{
    struct skl_container next = *c;
    struct skl_container *other;
    char *extra[] = {(char[]){"oldName"}, NULL, NULL};
    int rc;
    struct skl_buf old;

    name = without_slash(name);
    if (skl_str_empty(name))
        return skl_fail(err, SKL_E_INVALID, "Neither old nor new names may be empty");
    if (skl_streq(name, c->name))
        return skl_fail(err, SKL_E_INVALID,
                        "Renaming a container with the same name as its current name");
    other = skl_container_by_name(s, name);
    if (other)
        return name_taken(other, "Error when allocating new name: ", err);
    next.name = skl_strdup(name);
    rc = write_changed(s, c, &next, err);
    if (rc < 0) {
        free(next.name);
        return rc;
    }
    skl_buf_init(&old, 4096);
    skl_buf_addf(&old, "/%s", c->name);
    extra[1] = old.p;
    skl_map_remove(&s->containers_by_name, skl_str(c->name));
    free(c->name);
    c->name = next.name;
    skl_map_set(&s->containers_by_name, skl_str(c->name), c);
    skl_strset(&c->list_cache, NULL);
    skl_container_event(s, c, "rename", extra);
    skl_buf_fini(&old);
    return 0;
}

int skl_container_set_cloud(struct skl_store *s, struct skl_container *c, const char *name,
                            const char *value, struct skl_error *err)
{
    struct skl_container next = *c;
    int rc;

    next.cloud = (struct skl_labels){0};
    skl_labels_copy(&next.cloud, &c->cloud);
    skl_labels_set(&next.cloud, name, value);
    rc = write_changed(s, c, &next, err);
    if (rc < 0) {
        skl_labels_fini(&next.cloud);
        return rc;
    }
    skl_labels_fini(&c->cloud);
    c->cloud = next.cloud;
    return 0;
}

int skl_container_set_agent(struct skl_store *s, struct skl_container *c, const char *token,
                            const char *address, struct skl_error *err)
{
    struct skl_container next = *c;
    int rc;

    next.token = skl_strdup(token);
    next.agent_address = skl_strdup(address);
    rc = write_changed(s, c, &next, err);
    if (rc < 0) {
        free(next.token);
        free(next.agent_address);
        return rc;
    }
    free(c->token);
    free(c->agent_address);
    c->token = next.token;
    c->agent_address = next.agent_address;
    return 0;
}

int skl_container_set_published(struct skl_store *s, struct skl_container *c, const char *json,
                                struct skl_error *err)
{
    struct skl_container next = *c;
    int rc;

    next.published_json = skl_strdup(json);
    rc = write_changed(s, c, &next, err);
    if (rc < 0) {
        free(next.published_json);
        return rc;
    }
    free(c->published_json);
    c->published_json = next.published_json;
    return 0;
}

int skl_container_save(struct skl_store *s, struct skl_container *c, struct skl_error *err)
{
    skl_strset(&c->list_cache, NULL);
    return write_new(s, c, err);
}
