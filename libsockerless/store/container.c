/* The record of a container and its state machine.
 *
 * One setter checks the move against a table; every named transition writes the row before anything is told to
 * anybody, and undoes its changes when the row cannot be written. Then: event, observer, waiters.
 */
#include "store/container.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "store/store_internal.h"

static const char *const state_names[] = {
#define X(name, wire) [SKL_CONTAINER_##name] = wire,
    SKL_CONTAINER_STATES(X)
#undef X
};

#define TO(state) (1u << SKL_CONTAINER_##state)
static const uint8_t allowed[SKL_CONTAINER_MAX_] = {
    [SKL_CONTAINER_CREATED] = TO(STARTING) | TO(REMOVING),
    [SKL_CONTAINER_STARTING] = TO(RUNNING) | TO(CREATED) | TO(EXITED),
    [SKL_CONTAINER_RUNNING] = TO(PAUSED) | TO(RESTARTING) | TO(EXITED) | TO(REMOVING),
    [SKL_CONTAINER_PAUSED] = TO(RUNNING) | TO(RESTARTING) | TO(EXITED) | TO(REMOVING),
    [SKL_CONTAINER_RESTARTING] = TO(STARTING) | TO(EXITED) | TO(REMOVING),
    [SKL_CONTAINER_REMOVING] = TO(DEAD),
    [SKL_CONTAINER_EXITED] = TO(STARTING) | TO(REMOVING),
    [SKL_CONTAINER_DEAD] = TO(REMOVING),
};
_Static_assert(SKL_CONTAINER_MAX_ <= 8, "allowed[] is a bit set in one byte");

struct skl_waiter {
    struct skl_list in_container;
    struct skl_container *c; /* NULL: answered, the callback is on its way */
    enum skl_wait_condition condition;
    struct skl_timer *deferred;
    struct skl_store *s;
    int code;
    skl_wait_cb *cb;
    void *arg;
};

const char *skl_container_state_name(enum skl_container_state s)
{
    return state_names[s];
}

enum skl_container_state skl_container_shown_state(const struct skl_container *c)
{
    if (c->state == SKL_CONTAINER_STARTING)
        return c->has_run ? SKL_CONTAINER_EXITED : SKL_CONTAINER_CREATED;
    return c->state;
}

bool skl_container_move_is_allowed(enum skl_container_state from, enum skl_container_state to)
{
    return allowed[from] & (1u << to);
}

bool skl_container_is_running(const struct skl_container *c)
{
    return c->state == SKL_CONTAINER_RUNNING || c->state == SKL_CONTAINER_PAUSED ||
           c->state == SKL_CONTAINER_RESTARTING;
}

/* -- memory */

struct skl_container *skl_container_new(void)
{
    struct skl_container *c = skl_new0(struct skl_container);

    skl_random_hex(c->id, SKL_ID_LEN);
    c->created_ns = skl_wall_ns();
    c->spec.stop_timeout_s = -1;
    c->error = skl_strdup("");
    skl_list_init(&c->waiters);
    skl_list_init(&c->in_store);
    return c;
}

void skl_container_spec_fini(struct skl_container_spec *s)
{
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
    free(s->image);
    free(s->image_id);
    free(s->image_ref);
    skl_strv_free(s->argv);
    skl_strv_free(s->env);
    free(s->cwd);
    free(s->user);
    free(s->hostname);
    free(s->stop_signal);
    skl_strv_free(s->extra_hosts);
    skl_strv_free(s->group_add);
    skl_strv_free(s->ulimits);
    free(s->registry_auth);
    skl_labels_fini(&s->labels);
    free(s->config_json);
    free(s->host_config_json);
    free(s->platform);
}

void skl_endpoint_fini(struct skl_endpoint *e)
{
    free(e->network_id);
    free(e->endpoint_id);
    free(e->ip);
    free(e->mac);
    skl_strv_free(e->aliases);
    free(e->request_json);
}

void skl_container_free(struct skl_container *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_endpoints; i++)
        skl_endpoint_fini(&c->endpoints[i]);
    free(c->endpoints);
    skl_container_spec_fini(&c->spec);
    free(c->name);
    free(c->error);
    free(c->health_log_json);
    free(c->token);
    skl_labels_fini(&c->cloud);
    free(c->agent_address);
    free(c->list_cache);
    free(c);
}

/* -- finding */

void skl_container_link(struct skl_store *s, struct skl_container *c)
{
    skl_list_push(&s->containers, &c->in_store);
    skl_map_set(&s->containers_by_id, skl_str(c->id), c);
    skl_map_set(&s->containers_by_name, skl_str(c->name), c);
    s->by_state[c->state]++;
}

struct skl_container *skl_container_by_id(struct skl_store *s, const char *id)
{
    return skl_map_getz(&s->containers_by_id, id);
}

struct skl_container *skl_container_by_name(struct skl_store *s, const char *name)
{
    return skl_map_getz(&s->containers_by_name, *name == '/' ? name + 1 : name);
}

int skl_container_find(struct skl_store *s, const char *ref, struct skl_container **ret,
                       struct skl_error *err)
{
    struct skl_container *found = skl_container_by_id(s, ref);
    struct skl_list *it;

    if (skl_str_empty(ref))
        return skl_fail(err, SKL_E_INVALID, "invalid name or ID supplied: \"\"");
    if (!found)
        found = skl_container_by_name(s, ref);
    if (!found && skl_is_hex(skl_str(ref)))
        skl_list_foreach (it, &s->containers) {
            struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

            if (!skl_str_starts(skl_str(c->id), ref))
                continue;
            if (found)
                return skl_fail(err, SKL_E_INVALID, "multiple IDs found with provided prefix: %s",
                                ref);
            found = c;
        }
    if (!found)
        return skl_fail(err, SKL_E_NOTFOUND, "No such container: %s", ref);
    *ret = found;
    return 0;
}

struct skl_list *skl_container_all(struct skl_store *s)
{
    return &s->containers;
}

size_t skl_container_count(struct skl_store *s, enum skl_container_state state)
{
    return s->by_state[state];
}

/* -- events */

void skl_container_event(struct skl_store *s, const struct skl_container *c, const char *action,
                         char *const *extra)
{
    struct skl_labels attributes = {0};

    skl_labels_copy(&attributes, &c->spec.labels);
    skl_labels_set(&attributes, "image", c->spec.image ? c->spec.image : "");
    skl_labels_set(&attributes, "name", c->name);
    for (; extra && extra[0]; extra += 2)
        skl_labels_set(&attributes, extra[0], extra[1]);
    skl_journal_emit(s->journal, "container", action, c->id, c->spec.image, attributes.pairs);
    skl_labels_fini(&attributes);
}

void skl_store_observe_containers(struct skl_store *s, skl_container_observer_cb *cb, void *arg)
{
    s->observer = cb;
    s->observer_arg = arg;
}

/* -- waiting */

static void waiter_answer(void *arg)
{
    struct skl_waiter *w = arg;
    skl_wait_cb *cb = w->cb;
    void *user = w->arg;
    int code = w->code;

    free(w);
    cb(user, code, NULL);
}

static void waiter_fire(struct skl_waiter *w)
{
    w->code = w->c->exit_code;
    w->c = NULL;
    skl_list_remove(&w->in_container);
    w->deferred = skl_timer_start(w->s->loop, 0, waiter_answer, w);
}

struct skl_waiter *skl_container_wait(struct skl_store *s, struct skl_container *c,
                                      enum skl_wait_condition condition, skl_wait_cb *cb, void *arg)
{
    struct skl_waiter *w = skl_new0(struct skl_waiter);

    *w = (struct skl_waiter){.c = c, .condition = condition, .s = s, .cb = cb, .arg = arg};
    skl_list_push(&c->waiters, &w->in_container);
    if (condition == SKL_WAIT_NOT_RUNNING &&
        (c->state == SKL_CONTAINER_CREATED || c->state == SKL_CONTAINER_EXITED ||
         c->state == SKL_CONTAINER_STARTING || c->state == SKL_CONTAINER_DEAD))
        waiter_fire(w);
    return w;
}

void skl_waiter_cancel(struct skl_waiter **w)
{
    if (!*w)
        return;
    skl_timer_cancel(&(*w)->deferred);
    skl_list_remove(&(*w)->in_container);
    free(*w);
    *w = NULL;
}

static void wake(struct skl_container *c, bool exited, bool removed)
{
    struct skl_list *it, *tmp;

    skl_list_foreach_safe (it, tmp, &c->waiters) {
        struct skl_waiter *w = SKL_LIST_ENTRY(it, struct skl_waiter, in_container);
        bool fits = w->condition == SKL_WAIT_NEXT_EXIT ? exited || removed
                    : w->condition == SKL_WAIT_NOT_RUNNING
                        ? removed || (exited && c->state == SKL_CONTAINER_EXITED)
                        : removed;

        if (fits)
            waiter_fire(w);
    }
}

/* -- the state */

/* What a transition may change and must be able to undo. */
struct moving {
    enum skl_container_state state;
    int pid, exit_code;
    bool oom_killed, manual_stop, has_run;
    int64_t started_ns, finished_ns;
    unsigned restart_count, run;
    enum skl_end_rank end_rank;
    enum skl_health health;
    char *error;
};

static struct moving keep(const struct skl_container *c)
{
    return (struct moving){
        c->state,    c->pid,        c->exit_code,        c->oom_killed,    c->manual_stop,
        c->has_run,  c->started_ns, c->finished_ns,      c->restart_count, c->run,
        c->end_rank, c->health,     skl_strdup(c->error)};
}

static void undo(struct skl_container *c, struct moving *m)
{
    c->state = m->state;
    c->pid = m->pid;
    c->exit_code = m->exit_code;
    c->oom_killed = m->oom_killed;
    c->manual_stop = m->manual_stop;
    c->has_run = m->has_run;
    c->started_ns = m->started_ns;
    c->finished_ns = m->finished_ns;
    c->restart_count = m->restart_count;
    c->run = m->run;
    c->end_rank = m->end_rank;
    c->health = m->health;
    free(c->error);
    c->error = skl_take(&m->error);
}

/* Writes what has been changed since keep(), or undoes it. Ends `m`. */
static int commit(struct skl_store *s, struct skl_container *c, struct moving *m,
                  struct skl_error *err)
{
    int rc;

    SKL_ASSERT(m->state == c->state || skl_container_move_is_allowed(m->state, c->state));
    rc = skl_container_persist(s, c, err);
    if (rc < 0) {
        undo(c, m);
    } else {
        s->by_state[m->state]--;
        s->by_state[c->state]++;
        if (m->state != c->state)
            skl_debug("container", "state", "container", c->id, "from", state_names[m->state], "to",
                      state_names[c->state], NULL);
    }
    free(m->error);
    return rc;
}

static void tell(struct skl_store *s, struct skl_container *c, enum skl_container_state from)
{
    if (s->observer && from != c->state)
        s->observer(s->observer_arg, c, from, c->state);
}

static int refuse(const struct skl_container *c, enum skl_container_state to, struct skl_error *err)
{
    return skl_fail(err, SKL_E_CONFLICT, "container %s is %s and cannot become %s", c->id,
                    state_names[c->state], state_names[to]);
}

/* -- transitions */

static int name_conflict(const struct skl_container *holder, struct skl_error *err)
{
    return skl_fail(err, SKL_E_CONFLICT,
                    "Conflict. The container name \"/%s\" is already in use by container \"%s\". "
                    "You have to remove (or rename) that container to be able to reuse that name.",
                    holder->name, holder->id);
}

int skl_container_add(struct skl_store *s, struct skl_container *own_c, struct skl_error *err)
{
    struct skl_container *c = own_c;
    struct skl_container *holder = skl_container_by_name(s, c->name);
    char *fixed SKL_AUTO_STR = skl_container_fixed_text(c);
    char *moving SKL_AUTO_STR = skl_container_moving_text(c);
    int rc = holder ? name_conflict(holder, err)
                    : skl_db_insert(s->db, "container", c->id, fixed, moving, err);

    if (rc < 0) {
        skl_container_free(c);
        return rc;
    }
    skl_container_link(s, c);
    skl_container_event(s, c, "create", NULL);
    return 0;
}

int skl_container_starting(struct skl_store *s, struct skl_container *c, struct skl_error *err)
{
    struct moving m;
    int rc;

    if (!skl_container_move_is_allowed(c->state, SKL_CONTAINER_STARTING))
        return refuse(c, SKL_CONTAINER_STARTING, err);
    m = keep(c);
    c->state = SKL_CONTAINER_STARTING;
    c->run++;
    c->end_rank = SKL_END_NONE;
    rc = commit(s, c, &m, err);
    if (rc == 0)
        tell(s, c, m.state);
    return rc;
}

int skl_container_started(struct skl_store *s, struct skl_container *c, int pid, int64_t started_ns,
                          struct skl_error *err)
{
    struct moving m;
    int rc;

    if (c->state != SKL_CONTAINER_STARTING)
        return refuse(c, SKL_CONTAINER_RUNNING, err);
    m = keep(c);
    c->state = SKL_CONTAINER_RUNNING;
    c->pid = pid > 0 ? pid : 1;
    c->started_ns = started_ns;
    c->exit_code = 0;
    c->oom_killed = false;
    c->has_run = true;
    skl_strset(&c->error, "");
    rc = commit(s, c, &m, err);
    if (rc < 0)
        return rc;
    skl_container_event(s, c, "start", NULL);
    tell(s, c, m.state);
    return 0;
}

int skl_container_start_failed(struct skl_store *s, struct skl_container *c, int code,
                               const char *message, struct skl_error *err)
{
    struct moving m;
    int rc;

    if (c->state != SKL_CONTAINER_STARTING)
        return refuse(c, SKL_CONTAINER_CREATED, err);
    m = keep(c);
    c->state = c->has_run ? SKL_CONTAINER_EXITED : SKL_CONTAINER_CREATED;
    c->exit_code = code;
    c->pid = 0;
    skl_strset(&c->error, message);
    rc = commit(s, c, &m, err);
    if (rc < 0)
        return rc;
    tell(s, c, m.state);
    return 0;
}

static void die_events(struct skl_store *s, const struct skl_container *c)
{
    char code[16], seconds[24];
    char *extra[] = {(char[]){"execDuration"}, seconds, (char[]){"exitCode"}, code, NULL};

    if (c->oom_killed)
        skl_container_event(s, c, "oom", NULL);
    snprintf(code, sizeof(code), "%d", c->exit_code);
    snprintf(seconds, sizeof(seconds), "%lld",
             (long long)((c->finished_ns - c->started_ns) / SKL_NS_PER_S));
    skl_container_event(s, c, "die", extra);
}

/* The end is known already; somebody who knows better corrects the code. */
static int correct_end(struct skl_store *s, struct skl_container *c, const struct skl_end *end,
                       struct skl_error *err)
{
    struct moving m;

    if (end->rank <= c->end_rank)
        return 0;
    m = keep(c);
    c->exit_code = end->code;
    c->oom_killed = end->oom;
    c->end_rank = end->rank;
    return commit(s, c, &m, err);
}

int skl_container_exited(struct skl_store *s, struct skl_container *c, const struct skl_end *end,
                         bool will_restart, struct skl_error *err)
{
    enum skl_container_state to = will_restart ? SKL_CONTAINER_RESTARTING : SKL_CONTAINER_EXITED;
    bool had_run = c->state != SKL_CONTAINER_RESTARTING;
    struct moving m;
    int rc;

    if (c->state == SKL_CONTAINER_EXITED || (c->state == SKL_CONTAINER_RESTARTING && will_restart))
        return correct_end(s, c, end, err);
    if (c->state == SKL_CONTAINER_STARTING)
        to = SKL_CONTAINER_EXITED;
    if (!skl_container_move_is_allowed(c->state, to))
        return refuse(c, to, err);
    m = keep(c);
    c->state = to;
    c->exit_code = end->code;
    c->oom_killed = end->oom;
    c->end_rank = end->rank;
    c->pid = 0;
    if (had_run)
        c->finished_ns = end->finished_ns ? end->finished_ns : skl_wall_ns();
    if (m.state == SKL_CONTAINER_STARTING && !c->has_run) {
        c->has_run = true;
        c->started_ns = c->finished_ns;
    }
    if (c->health != SKL_HEALTH_NONE)
        c->health = SKL_HEALTH_UNHEALTHY;
    skl_strset(&c->error, end->error ? end->error : "");
    rc = commit(s, c, &m, err);
    if (rc < 0)
        return rc;
    if (had_run)
        die_events(s, c);
    tell(s, c, m.state);
    wake(c, true, false);
    return 0;
}

int skl_container_paused(struct skl_store *s, struct skl_container *c, bool on,
                         struct skl_error *err)
{
    enum skl_container_state from = on ? SKL_CONTAINER_RUNNING : SKL_CONTAINER_PAUSED;
    enum skl_container_state to = on ? SKL_CONTAINER_PAUSED : SKL_CONTAINER_RUNNING;
    struct moving m;
    int rc;

    if (c->state != from)
        return refuse(c, to, err);
    m = keep(c);
    c->state = to;
    rc = commit(s, c, &m, err);
    if (rc < 0)
        return rc;
    skl_container_event(s, c, on ? "pause" : "unpause", NULL);
    tell(s, c, m.state);
    return 0;
}

static void set_logged(struct skl_store *s, struct skl_container *c, struct moving *m)
{
    struct skl_error err;

    if (commit(s, c, m, &err) < 0)
        skl_err("container", "a change could not be recorded", "container", c->id, "error", err.msg,
                NULL);
}

void skl_container_set_manual_stop(struct skl_store *s, struct skl_container *c, bool on)
{
    struct moving m;

    if (c->manual_stop == on)
        return;
    m = keep(c);
    c->manual_stop = on;
    set_logged(s, c, &m);
}

void skl_container_count_restart(struct skl_store *s, struct skl_container *c)
{
    struct moving m = keep(c);

    c->restart_count++;
    set_logged(s, c, &m);
}

int skl_container_removing(struct skl_store *s, struct skl_container *c, struct skl_error *err)
{
    struct moving m;
    int rc;

    if (c->state == SKL_CONTAINER_REMOVING)
        return skl_fail(err, SKL_E_CONFLICT, "removal of container %s is already in progress",
                        c->name);
    if (!skl_container_move_is_allowed(c->state, SKL_CONTAINER_REMOVING))
        return refuse(c, SKL_CONTAINER_REMOVING, err);
    m = keep(c);
    c->state = SKL_CONTAINER_REMOVING;
    c->pid = 0;
    rc = commit(s, c, &m, err);
    if (rc == 0)
        tell(s, c, m.state);
    return rc;
}

int skl_container_remove_failed(struct skl_store *s, struct skl_container *c, const char *message,
                                struct skl_error *err)
{
    struct moving m = keep(c);
    int rc;

    SKL_ASSERT(c->state == SKL_CONTAINER_REMOVING);
    c->state = SKL_CONTAINER_DEAD;
    skl_strset(&c->error, message);
    rc = commit(s, c, &m, err);
    if (rc == 0)
        tell(s, c, m.state);
    return rc;
}

int skl_container_removed(struct skl_store *s, struct skl_container *c, struct skl_error *err)
{
    int rc = skl_db_delete(s->db, "container", c->id, err);

    if (rc < 0)
        return rc;
    skl_exec_drop_all(s, c->id);
    skl_map_remove(&s->containers_by_id, skl_str(c->id));
    skl_map_remove(&s->containers_by_name, skl_str(c->name));
    skl_list_remove(&c->in_store);
    s->by_state[c->state]--;
    skl_container_event(s, c, "destroy", NULL);
    wake(c, false, true);
    skl_container_free(c);
    return 0;
}

int skl_container_rename(struct skl_store *s, struct skl_container *c, const char *name,
                         struct skl_error *err)
{
    const char *bare = *name == '/' ? name + 1 : name;
    struct skl_container *holder = skl_container_by_name(s, bare);
    char *old SKL_AUTO_STR = NULL;
    char *extra[] = {(char[]){"oldName"}, NULL, NULL};
    char before[300];
    int rc;

    if (holder)
        return name_conflict(holder, err);
    old = skl_take(&c->name);
    c->name = skl_strdup(bare);
    rc = skl_container_persist(s, c, err);
    if (rc < 0) {
        skl_strset(&c->name, old);
        return rc;
    }
    skl_map_remove(&s->containers_by_name, skl_str(old));
    skl_map_set(&s->containers_by_name, skl_str(c->name), c);
    skl_strset(&c->list_cache, NULL);
    snprintf(before, sizeof(before), "/%s", old);
    extra[1] = before;
    skl_container_event(s, c, "rename", extra);
    return 0;
}

int skl_container_set_health(struct skl_store *s, struct skl_container *c, enum skl_health health,
                             unsigned streak, const char *log_json, struct skl_error *err)
{
    static const char *const names[] = {"none", "starting", "healthy", "unhealthy"};
    bool changed = health != c->health;
    char action[48];
    struct moving m = keep(c);
    int rc;

    c->health = health;
    rc = commit(s, c, &m, err);
    if (rc < 0)
        return rc;
    c->health_streak = streak;
    skl_strset(&c->health_log_json, log_json);
    snprintf(action, sizeof(action), "health_status: %s", names[health]);
    if (changed)
        skl_container_event(s, c, action, NULL);
    return 0;
}

int skl_container_set_cloud(struct skl_store *s, struct skl_container *c, const char *name,
                            const char *value, struct skl_error *err)
{
    struct skl_labels before = {0};
    char *key SKL_AUTO_STR = skl_strdup(name); /* name may live in what is changed */
    int rc;

    if (value && skl_streq(skl_labels_get(&c->cloud, name), value))
        return 0;
    skl_labels_copy(&before, &c->cloud);
    if (value)
        skl_labels_set(&c->cloud, key, value);
    else
        skl_labels_remove(&c->cloud, key);
    rc = skl_container_persist(s, c, err);
    if (rc < 0)
        skl_labels_copy(&c->cloud, &before);
    skl_labels_fini(&before);
    return rc;
}

int skl_container_set_agent(struct skl_store *s, struct skl_container *c, const char *token,
                            const char *address, struct skl_error *err)
{
    char *old_token = skl_take(&c->token);
    char *old_address = skl_take(&c->agent_address);
    int rc;

    c->token = skl_strdup(token == old_token ? old_token : token);
    c->agent_address = skl_strdup(address);
    rc = skl_container_persist(s, c, err);
    if (rc < 0) {
        skl_strset(&c->token, old_token);
        skl_strset(&c->agent_address, old_address);
    }
    free(old_token);
    free(old_address);
    return rc;
}

int skl_container_save(struct skl_store *s, struct skl_container *c, struct skl_error *err)
{
    skl_strset(&c->list_cache, NULL);
    return skl_container_persist(s, c, err);
}
