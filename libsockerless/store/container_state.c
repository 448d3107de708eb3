/* The state machine of containers.
 *
 *     CREATED ---> STARTING ---> RUNNING <---> PAUSED
 *        ^          ^ |  ^          |             |
 *        '----------|-'  |          v             v
 *              RESTARTING <---- EXITED or RESTARTING        any ---> REMOVING <---> DEAD
 *
 * Approach  a table of allowed moves, one setter, one named function per transition. A transition fills in a
 *           copy of the container as it shall be; the setter writes that copy to the database and only then
 *           makes it true, tells the event, the observer and the waiters, in this order: clients that see
 *           `die` must find `exited`, streams end before `wait` answers.
 * Rejected  changing memory first and undoing on failure: every member would need its way back.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/store_internal.h"

#define TO(name) (1u << SKL_CONTAINER_##name)

static const uint8_t allowed[SKL_CONTAINER_MAX_] = {
    [SKL_CONTAINER_CREATED] = TO(STARTING) | TO(REMOVING),
    [SKL_CONTAINER_STARTING] =
        TO(CREATED) | TO(RUNNING) | TO(RESTARTING) | TO(EXITED) | TO(REMOVING),
    [SKL_CONTAINER_RUNNING] = TO(PAUSED) | TO(RESTARTING) | TO(EXITED) | TO(REMOVING),
    [SKL_CONTAINER_PAUSED] = TO(RUNNING) | TO(RESTARTING) | TO(EXITED) | TO(REMOVING),
    [SKL_CONTAINER_RESTARTING] = TO(STARTING) | TO(EXITED) | TO(REMOVING),
    [SKL_CONTAINER_REMOVING] = TO(DEAD),
    [SKL_CONTAINER_EXITED] = TO(STARTING) | TO(REMOVING),
    [SKL_CONTAINER_DEAD] = TO(REMOVING),
};
_Static_assert(SKL_CONTAINER_MAX_ <= 8, "allowed[] is a bit set in one byte");

bool skl_container_move_is_allowed(enum skl_container_state from, enum skl_container_state to)
{
    return (allowed[from] & (1u << to)) != 0;
}

/* -- events */

void skl_container_event(struct skl_store *s, const struct skl_container *c, const char *action,
                         char *const *extra)
{
    /* A label may be called "image": what we say counts, so it comes later. */
    const size_t n_extra = skl_strv_len(extra), n_labels = skl_strv_len(c->spec.labels.pairs);
    char **all = skl_new0_n(char *, n_extra + n_labels + 5);
    size_t n = 0;

    for (size_t i = 0; i < n_labels; i++)
        all[n++] = c->spec.labels.pairs[i];
    all[n++] = (char[]){"image"};
    all[n++] = c->spec.image ? c->spec.image : (char[]){""};
    all[n++] = (char[]){"name"};
    all[n++] = c->name;
    for (char *const *p = extra; p && *p; p++)
        all[n++] = *p;
    skl_journal_emit(s->journal, "container", action, c->id, c->spec.image ? c->spec.image : "",
                     all);
    free(all);
}

static void die_event(struct skl_store *s, const struct skl_container *c)
{
    char code[16], seconds[24];
    char *extra[] = {(char[]){"exitCode"}, code, (char[]){"execDuration"}, seconds, NULL};
    int64_t ns = c->finished_ns - c->started_ns;

    snprintf(code, sizeof(code), "%d", c->exit_code);
    snprintf(seconds, sizeof(seconds), "%" PRId64, ns > 0 ? ns / SKL_NS_PER_S : 0);
    skl_container_event(s, c, "die", extra);
}

void skl_container_mount_events(struct skl_store *s, const struct skl_container *c, bool on)
{
    for (size_t i = 0; i < c->spec.n_mounts; i++) {
        const struct skl_mount *m = &c->spec.mounts[i];
        struct skl_volume *v = m->name ? skl_volume_find(s, m->name) : NULL;
        const char *mounted[] = {"driver",      v && v->driver ? v->driver : "local",
                                 "container",   c->id,
                                 "destination", m->destination ? m->destination : "",
                                 "propagation", m->propagation ? m->propagation : "",
                                 "read/write",  m->rw ? "true" : "false",
                                 NULL};

        if (!skl_streq(m->type, "volume") || skl_str_empty(m->name))
            continue;
        if (!on)
            mounted[4] = NULL; /* unmount tells driver and container only */
        skl_journal_emit(s->journal, "volume", on ? "mount" : "unmount", m->name, NULL,
                         (char *const *)(uintptr_t)mounted); /* read only */
    }
}

/* -- the setter */

/* The members that transitions write. Text members of `next` that differ are owned by it. */
static void adopt(struct skl_container *c, const struct skl_container *next)
{
    c->state = next->state;
    c->pid = next->pid;
    c->exit_code = next->exit_code;
    c->oom_killed = next->oom_killed;
    c->manual_stop = next->manual_stop;
    c->has_run = next->has_run;
    c->started_ns = next->started_ns;
    c->finished_ns = next->finished_ns;
    c->restart_count = next->restart_count;
    c->run = next->run;
    c->end_rank = next->end_rank;
    c->health = next->health;
    c->health_streak = next->health_streak;
    if (next->error != c->error) {
        free(c->error);
        c->error = next->error;
    }
}

/* Writes *next and makes it true; on failure nothing changes and next's own text is freed. */
static int apply(struct skl_store *s, struct skl_container *c, struct skl_container *next,
                 struct skl_error *err)
{
    struct skl_container_full full = {.c = *next, .seq = skl_container_full(c)->seq};
    int rc = skl_container_write(s, &full.c, err);

    if (rc < 0) {
        if (next->error != c->error)
            free(next->error);
        return skl_wrap(err, rc, "container %.12s", c->id);
    }
    adopt(c, next);
    return 0;
}

typedef void told_cb(struct skl_store *s, const struct skl_container *c);

/* The one place that changes a state. tell emits the Docker events (may be NULL), wake says which
 * waiters are due. */
static int set_state(struct skl_store *s, struct skl_container *c, struct skl_container *next,
                     told_cb *tell, unsigned wake, struct skl_error *err)
{
    const enum skl_container_state from = c->state, to = next->state;
    int rc;

    SKL_ASSERT(skl_container_move_is_allowed(from, to));
    rc = apply(s, c, next, err);
    if (rc < 0)
        return rc;
    s->n_in_state[from]--;
    s->n_in_state[to]++;
    skl_debug("store", "container changed", "container", c->id, "from",
              skl_container_state_name(from), "to", skl_container_state_name(to), NULL);
    if (tell)
        tell(s, c);
    for (size_t i = 0; i < SKL_STORE_OBSERVERS; i++)
        if (s->observers[i].cb)
            s->observers[i].cb(s->observers[i].arg, c, from, to);
    skl_container_wake(s, c, wake, NULL);
    return 0;
}

void skl_store_observe_containers(struct skl_store *s, skl_container_observer_cb *cb, void *arg)
{
    size_t i = 0;

    while (s->observers[i].cb)
        SKL_ASSERT(++i < SKL_STORE_OBSERVERS);
    s->observers[i].cb = cb;
    s->observers[i].arg = arg;
}

void skl_store_unobserve_containers(struct skl_store *s, skl_container_observer_cb *cb, void *arg)
{
    for (size_t i = 0; i < SKL_STORE_OBSERVERS; i++)
        if (s->observers[i].cb == cb && s->observers[i].arg == arg)
            s->observers[i].cb = NULL;
}

/* -- a run begins */

int skl_container_starting(struct skl_store *s, struct skl_container *c, struct skl_error *err)
{
    struct skl_container next = *c;

    switch (c->state) {
    case SKL_CONTAINER_STARTING:
        return skl_fail(err, SKL_E_CONFLICT, "container %s is being started already", c->id);
    case SKL_CONTAINER_RUNNING:
        return skl_fail(err, SKL_E_NOTMODIFIED, "container %s is running already", c->id);
    case SKL_CONTAINER_PAUSED:
        return skl_fail(err, SKL_E_CONFLICT,
                        "cannot start a paused container, try unpause instead");
    case SKL_CONTAINER_REMOVING:
    case SKL_CONTAINER_DEAD:
        return skl_fail(err, SKL_E_CONFLICT,
                        "container is marked for removal and cannot be started");
    case SKL_CONTAINER_CREATED:
    case SKL_CONTAINER_RESTARTING:
    case SKL_CONTAINER_EXITED:
    case SKL_CONTAINER_MAX_:
        break;
    }
    next.state = SKL_CONTAINER_STARTING;
    next.run = c->run + 1;
    next.end_rank = SKL_END_NONE;
    next.oom_killed = false;
    return set_state(s, c, &next, NULL, 0, err);
}

static void tell_start(struct skl_store *s, const struct skl_container *c)
{
    skl_container_mount_events(s, c, true);
    skl_container_event(s, c, "start", NULL);
}

static int wrong_state(const struct skl_container *c, const char *what, struct skl_error *err)
{
    return skl_fail(err, SKL_E_CONFLICT, "container %s is %s and cannot be %s", c->id,
                    skl_container_state_name(c->state), what);
}

int skl_container_started(struct skl_store *s, struct skl_container *c, int pid, int64_t started_ns,
                          struct skl_error *err)
{
    struct skl_container next = *c;

    if (c->state != SKL_CONTAINER_STARTING)
        return wrong_state(c, "running", err);
    next.state = SKL_CONTAINER_RUNNING;
    next.pid = pid;
    next.exit_code = 0;
    next.has_run = true;
    next.error = skl_strdup("");
    next.started_ns = started_ns > 0 ? started_ns : skl_wall_ns();
    if (c->health != SKL_HEALTH_NONE) {
        next.health = SKL_HEALTH_STARTING;
        next.health_streak = 0;
    }
    return set_state(s, c, &next, tell_start, 0, err);
}

int skl_container_start_failed(struct skl_store *s, struct skl_container *c, int code,
                               const char *message, struct skl_error *err)
{
    struct skl_container next = *c;

    if (c->state != SKL_CONTAINER_STARTING)
        return wrong_state(c, "marked as not started", err);
    next.state = c->has_run ? SKL_CONTAINER_EXITED : SKL_CONTAINER_CREATED;
    next.pid = 0;
    next.exit_code = code;
    next.error = skl_strdup(message ? message : "");
    return set_state(s, c, &next, NULL, SKL_WAKE_STOPPED, err);
}

int skl_container_start_put_off(struct skl_store *s, struct skl_container *c, int code,
                                const char *message, bool counts, struct skl_error *err)
{
    struct skl_container next = *c;

    if (c->state != SKL_CONTAINER_STARTING)
        return wrong_state(c, "marked as started again later", err);
    next.state = SKL_CONTAINER_RESTARTING;
    next.pid = 0;
    next.exit_code = code;
    next.restart_count += counts;
    next.error = skl_strdup(message ? message : "");
    return set_state(s, c, &next, NULL, 0, err);
}

/* -- a run ends */

static void tell_die(struct skl_store *s, const struct skl_container *c)
{
    if (c->oom_killed)
        skl_container_event(s, c, "oom", NULL);
    die_event(s, c);
}

static int run_ended(struct skl_store *s, struct skl_container *c, const struct skl_end *end,
                     bool will_restart, struct skl_error *err)
{
    struct skl_container next = *c;
    int rc;

    next.state = will_restart ? SKL_CONTAINER_RESTARTING : SKL_CONTAINER_EXITED;
    next.restart_count += will_restart;
    next.pid = 0;
    next.exit_code = end->code;
    next.oom_killed = end->oom;
    next.end_rank = end->rank;
    next.has_run = true;
    next.error = skl_strdup(end->error ? end->error : "");
    next.finished_ns = end->finished_ns > 0 ? end->finished_ns : skl_wall_ns();
    if (c->state == SKL_CONTAINER_STARTING)
        next.started_ns = next.finished_ns; /* it ended before its start was reported */
    if (c->health != SKL_HEALTH_NONE)
        next.health = SKL_HEALTH_UNHEALTHY;
    /* An Engine ends the waiting for "not running" here also when a restart policy goes on. */
    rc = set_state(s, c, &next, tell_die, SKL_WAKE_EXITED | SKL_WAKE_STOPPED, err);
    if (rc == 0)
        skl_container_mount_events(s, c, false);
    return rc;
}

/* Late news about a run that has ended. */
static int correct_end(struct skl_store *s, struct skl_container *c, const struct skl_end *end,
                       struct skl_error *err)
{
    struct skl_container next = *c;

    if (c->run == 0 || end->rank <= c->end_rank)
        return 0;
    next.exit_code = end->code;
    next.oom_killed = end->oom;
    next.end_rank = end->rank;
    next.has_run = true;
    if (end->finished_ns > 0)
        next.finished_ns = end->finished_ns;
    next.error = skl_strdup(end->error ? end->error : "");
    return apply(s, c, &next, err);
}

int skl_container_exited(struct skl_store *s, struct skl_container *c, const struct skl_end *end,
                         bool will_restart, struct skl_error *err)
{
    struct skl_container next = *c;

    switch (c->state) {
    case SKL_CONTAINER_STARTING:
    case SKL_CONTAINER_RUNNING:
    case SKL_CONTAINER_PAUSED:
        return run_ended(s, c, end, will_restart, err);
    case SKL_CONTAINER_RESTARTING:
        if (end->rank != SKL_END_USER || will_restart)
            return correct_end(s, c, end, err);
        next.state = SKL_CONTAINER_EXITED;
        return set_state(s, c, &next, NULL, SKL_WAKE_STOPPED | SKL_WAKE_EXITED, err);
    case SKL_CONTAINER_EXITED:
    case SKL_CONTAINER_REMOVING:
    case SKL_CONTAINER_DEAD:
        return correct_end(s, c, end, err);
    case SKL_CONTAINER_CREATED:
    case SKL_CONTAINER_MAX_:
        break;
    }
    return 0; /* it never ran: late news about a failed start */
}

/* -- pause */

static void tell_pause(struct skl_store *s, const struct skl_container *c)
{
    skl_container_event(s, c, c->state == SKL_CONTAINER_PAUSED ? "pause" : "unpause", NULL);
}

int skl_container_paused(struct skl_store *s, struct skl_container *c, bool on,
                         struct skl_error *err)
{
    struct skl_container next = *c;

    if (on && c->state == SKL_CONTAINER_PAUSED)
        return skl_fail(err, SKL_E_CONFLICT, "Container %s is already paused", c->id);
    if (!on && c->state != SKL_CONTAINER_PAUSED)
        return skl_fail(err, SKL_E_INTERNAL, "Container %s is not paused", c->id);
    if (on && c->state != SKL_CONTAINER_RUNNING)
        return skl_fail(err, SKL_E_CONFLICT, "Container %s is not running", c->id);
    next.state = on ? SKL_CONTAINER_PAUSED : SKL_CONTAINER_RUNNING;
    if (on && c->health != SKL_HEALTH_NONE)
        next.health =
            SKL_HEALTH_UNHEALTHY; /* nobody looks, until the first probe after the pause */
    return set_state(s, c, &next, tell_pause, 0, err);
}

/* -- small facts. They have no way to fail: memory leads, and the row of the next transition holds them
 * as well. */

static void write_fact(struct skl_store *s, struct skl_container *c, const char *what)
{
    struct skl_error err;

    if (skl_container_write(s, c, &err) < 0)
        skl_warn("store", what, "container", c->id, "error", err.msg, NULL);
}

void skl_container_set_manual_stop(struct skl_store *s, struct skl_container *c, bool on)
{
    if (c->manual_stop == on)
        return;
    c->manual_stop = on;
    write_fact(s, c, "a stop is recorded with the next change only");
}

void skl_container_begin_anew(struct skl_store *s, struct skl_container *c)
{
    if (!c->manual_stop && c->restart_count == 0)
        return;
    c->manual_stop = false;
    c->restart_count = 0;
    write_fact(s, c, "a start by hand is recorded with the next change only");
}

/* -- removal */

int skl_container_removing(struct skl_store *s, struct skl_container *c, struct skl_error *err)
{
    struct skl_container next = *c;

    if (c->state == SKL_CONTAINER_REMOVING)
        return skl_fail(err, SKL_E_CONFLICT, "removal of container %s is already in progress",
                        c->name);
    next.state = SKL_CONTAINER_REMOVING;
    next.pid = 0;
    return set_state(s, c, &next, NULL, SKL_WAKE_STOPPED, err);
}

int skl_container_remove_failed(struct skl_store *s, struct skl_container *c, const char *message,
                                struct skl_error *err)
{
    struct skl_container next = *c;
    int rc;

    if (c->state != SKL_CONTAINER_REMOVING)
        return wrong_state(c, "marked as not removed", err);
    next.state = SKL_CONTAINER_DEAD;
    next.error = skl_strdup(message ? message : "");
    rc = set_state(s, c, &next, NULL, 0, err);
    if (rc == 0)
        skl_container_wake(s, c, SKL_WAKE_REMOVED, c->error);
    return rc;
}

void skl_container_removal_put_off(struct skl_store *s, struct skl_container *c)
{
    SKL_ASSERT(c->state == SKL_CONTAINER_REMOVING);
    skl_container_wake(s, c, SKL_WAKE_REMOVED, NULL);
}

int skl_container_removed(struct skl_store *s, struct skl_container *c, struct skl_error *err)
{
    int rc;

    if (c->state != SKL_CONTAINER_REMOVING)
        return wrong_state(c, "removed", err);
    rc = skl_container_delete_rows(s, c, err);
    if (rc < 0)
        return skl_wrap(err, rc, "container %.12s", c->id);
    skl_network_release_addresses(s, c);
    skl_execs_forget(s, c);
    skl_container_unlink(s, c);
    skl_container_event(s, c, "destroy", NULL);
    skl_container_wake(s, c, SKL_WAKE_STOPPED | SKL_WAKE_EXITED | SKL_WAKE_REMOVED, NULL);
    skl_container_free(c);
    return 0;
}

/* -- health */

int skl_container_set_health(struct skl_store *s, struct skl_container *c, enum skl_health health,
                             unsigned streak, const char *log_json, struct skl_error *err)
{
    struct skl_container next = *c;
    const bool changed = health != c->health;
    int rc = skl_db_begin(s->db, err);

    if (rc < 0)
        return rc;
    next.health = health;
    next.health_streak = streak;
    {
        struct skl_container_full full = {.c = next, .seq = skl_container_full(c)->seq};

        rc = skl_container_write(s, &full.c, err);
    }
    if (rc == 0)
        rc = skl_container_write_health(s, c, log_json, err);
    rc = skl_db_end(s->db, rc, err);
    if (rc < 0)
        return rc;
    c->health = health;
    c->health_streak = streak;
    if (log_json != c->health_log_json)
        skl_strset(&c->health_log_json, log_json);
    if (changed && health == SKL_HEALTH_HEALTHY)
        skl_container_event(s, c, "health_status: healthy", NULL);
    else if (changed && health == SKL_HEALTH_UNHEALTHY)
        skl_container_event(s, c, "health_status: unhealthy", NULL);
    return 0;
}
