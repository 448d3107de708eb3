/* Containers: finding, the state machine, events, waiting. */
#include "store_helper.h"

#include "store/store_internal.h"

static struct fixture f;

static void setup(void)
{
    store_setup(&f);
}

static void teardown(void)
{
    store_teardown(&f);
}

/* -- finding */

START_TEST(find_goes_by_id_then_name_then_prefix)
{
    struct skl_container *a = add_container(&f, "a1"), *b = skl_container_new(), *c = NULL;
    char prefix[8];

    snprintf(prefix, sizeof(prefix), "%.6s", a->id);
    b->name = skl_strdup(prefix); /* named like the beginning of a's id */
    ck_assert_int_eq(skl_container_add(f.s, b, &f.err), 0);
    ck_assert_ptr_eq(named(&f, a->id), a);
    ck_assert_ptr_eq(named(&f, "/a1"), a);
    ck_assert_ptr_eq(named(&f, prefix), b);
    prefix[5] = '\0';
    ck_assert_ptr_eq(named(&f, prefix), a);
    ck_assert_int_eq(skl_container_find(f.s, "", &c, &f.err), -SKL_E_INVALID);
    ck_assert_str_eq(f.err.msg, "invalid name or ID supplied: \"\"");
    ck_assert_int_eq(skl_container_find(f.s, "x", &c, &f.err), -SKL_E_NOTFOUND);
    ck_assert_str_eq(f.err.msg, "No such container: x");
}
END_TEST

START_TEST(a_prefix_of_several_ids_is_refused)
{
    struct skl_container *c;

    for (int i = 0; i < 2; i++) {
        c = skl_container_new();
        c->name = skl_strdup(i ? "b" : "a");
        memcpy(c->id, "ab", 2);
        ck_assert_int_eq(skl_container_add(f.s, c, &f.err), 0);
    }
    ck_assert_int_eq(skl_container_find(f.s, "ab", &c, &f.err), -SKL_E_INVALID);
    ck_assert_str_eq(f.err.msg, "multiple IDs found with provided prefix: ab");
}
END_TEST

START_TEST(a_taken_name_conflicts_in_create_and_rename)
{
    struct skl_container *a = add_container(&f, "a"), *b = skl_container_new();
    char wanted[400];

    b->name = skl_strdup("/a");
    snprintf(wanted, sizeof(wanted),
             "Conflict. The container name \"/a\" is already in use by container \"%s\". You have "
             "to remove (or rename) that container to be able to reuse that name.",
             a->id);
    ck_assert_int_eq(skl_container_add(f.s, b, &f.err), -SKL_E_CONFLICT);
    ck_assert_str_eq(f.err.msg, wanted);
    b = add_container(&f, "b");
    ck_assert_int_eq(skl_container_rename(f.s, b, "/a", &f.err), -SKL_E_CONFLICT);
    ck_assert_ptr_nonnull(strstr(f.err.msg, wanted));
    ck_assert_ptr_eq(strstr(f.err.msg, "Error when allocating new name: "), f.err.msg);
    ck_assert_int_eq(skl_container_rename(f.s, b, "b", &f.err), -SKL_E_INVALID);
    ck_assert_int_eq(skl_container_rename(f.s, b, "", &f.err), -SKL_E_INVALID);
    ck_assert_int_eq(skl_container_rename(f.s, b, "/c", &f.err), 0);
    ck_assert_ptr_eq(named(&f, "c"), b);
    ck_assert_ptr_null(skl_container_by_name(f.s, "b"));
}
END_TEST

static void check_rename(void *arg, const struct skl_event *e)
{
    const struct skl_labels attributes = {e->attributes};

    if (strcmp(e->action, "rename") != 0)
        return;
    ck_assert_str_eq(skl_labels_get(&attributes, "oldName"), "/a");
    ck_assert_str_eq(skl_labels_get(&attributes, "name"), "b");
    ck_assert_str_eq(skl_labels_get(&attributes, "image"), "alpine");
    ck_assert_str_eq(skl_labels_get(&attributes, "project"), "x");
    ck_assert_str_eq(e->from, "alpine");
    *(int *)arg = 1;
}

START_TEST(rename_tells_the_old_name_with_a_slash)
{
    int seen = 0;
    struct skl_event_sub *sub = skl_journal_subscribe(skl_store_journal(f.s), check_rename, &seen);
    struct skl_container *c = add_container(&f, "a");

    ck_assert_int_eq(skl_container_rename(f.s, c, "b", &f.err), 0);
    ck_assert_int_eq(seen, 1);
    skl_journal_unsubscribe(&sub);
}
END_TEST

START_TEST(picked_names_are_free)
{
    for (int i = 0; i < 200; i++) {
        char *name = skl_store_pick_name(f.s);

        ck_assert_ptr_nonnull(strchr(name, '_'));
        ck_assert_ptr_null(skl_container_by_name(f.s, name));
        add_container(&f, name);
        free(name);
    }
}
END_TEST

/* -- the machine */

/* A container in the given state, by the shortest way there. */
static struct skl_container *bring(enum skl_container_state to)
{
    char name[16];
    struct skl_container *c;
    const struct skl_end end = {.rank = SKL_END_AGENT, .code = 1};

    snprintf(name, sizeof(name), "c%zu", f.s->containers_by_id.n);
    c = add_container(&f, name);
    if (to == SKL_CONTAINER_CREATED)
        return c;
    if (to == SKL_CONTAINER_REMOVING || to == SKL_CONTAINER_DEAD) {
        ck_assert_int_eq(skl_container_removing(f.s, c, &f.err), 0);
        if (to == SKL_CONTAINER_DEAD)
            ck_assert_int_eq(skl_container_remove_failed(f.s, c, "no", &f.err), 0);
        return c;
    }
    ck_assert_int_eq(skl_container_starting(f.s, c, &f.err), 0);
    if (to == SKL_CONTAINER_STARTING)
        return c;
    ck_assert_int_eq(skl_container_started(f.s, c, 7, 0, &f.err), 0);
    if (to == SKL_CONTAINER_PAUSED)
        ck_assert_int_eq(skl_container_paused(f.s, c, true, &f.err), 0);
    else if (to == SKL_CONTAINER_EXITED || to == SKL_CONTAINER_RESTARTING)
        ck_assert_int_eq(skl_container_exited(f.s, c, &end, to == SKL_CONTAINER_RESTARTING, &f.err),
                         0);
    return c;
}

/* Asks for every transition that leads to `to`; whether the state was reached. */
static bool attempt(struct skl_container *c, enum skl_container_state to)
{
    const enum skl_container_state from = c->state;
    const struct skl_end end = {.rank = SKL_END_USER, .code = 1};
    int rc = -1;

    switch (to) {
    case SKL_CONTAINER_CREATED:
        rc = skl_container_start_failed(f.s, c, 127, "x", &f.err);
        break;
    case SKL_CONTAINER_STARTING:
        rc = skl_container_starting(f.s, c, &f.err);
        break;
    case SKL_CONTAINER_RUNNING:
        rc = from == SKL_CONTAINER_PAUSED ? skl_container_paused(f.s, c, false, &f.err)
                                          : skl_container_started(f.s, c, 1, 0, &f.err);
        break;
    case SKL_CONTAINER_PAUSED:
        rc = skl_container_paused(f.s, c, true, &f.err);
        break;
    case SKL_CONTAINER_RESTARTING:
        rc = skl_container_exited(f.s, c, &end, true, &f.err);
        break;
    case SKL_CONTAINER_REMOVING:
        rc = skl_container_removing(f.s, c, &f.err);
        break;
    case SKL_CONTAINER_EXITED:
        rc = skl_container_exited(f.s, c, &end, false, &f.err);
        break;
    case SKL_CONTAINER_DEAD:
        rc = skl_container_remove_failed(f.s, c, "x", &f.err);
        break;
    case SKL_CONTAINER_MAX_:
        break;
    }
    if (rc < 0 || from == to)
        ck_assert_int_eq(c->state, from);
    return c->state == to && from != to;
}

START_TEST(every_pair_of_states_is_allowed_or_refused_as_documented)
{
    /* rows: from; columns: to, in the order of the enum. Written down apart from the code's table. */
    static const char *const moves[SKL_CONTAINER_MAX_] = {
        [SKL_CONTAINER_CREATED] = ".x...x..",    [SKL_CONTAINER_STARTING] = "x.x.xxx.",
        [SKL_CONTAINER_RUNNING] = "...xxxx.",    [SKL_CONTAINER_PAUSED] = "..x.xxx.",
        [SKL_CONTAINER_RESTARTING] = ".x...xx.", [SKL_CONTAINER_REMOVING] = ".......x",
        [SKL_CONTAINER_EXITED] = ".x...x..",     [SKL_CONTAINER_DEAD] = ".....x..",
    };
    enum skl_container_state from = (enum skl_container_state)(_i / SKL_CONTAINER_MAX_);
    enum skl_container_state to = (enum skl_container_state)(_i % SKL_CONTAINER_MAX_);
    struct skl_container *c = bring(from);
    const bool wanted = moves[from][to] == 'x';
    size_t before = skl_container_count(f.s, from);

    ck_assert_int_eq(c->state, from);
    ck_assert_int_eq(skl_container_move_is_allowed(from, to), wanted);
    ck_assert_int_eq(attempt(c, to), wanted);
    ck_assert_uint_eq(skl_container_count(f.s, from), wanted ? before - 1 : before);
    if (wanted)
        ck_assert_uint_eq(skl_container_count(f.s, to), 1);
}
END_TEST

START_TEST(starting_is_shown_as_what_it_was)
{
    struct skl_container *c = bring(SKL_CONTAINER_STARTING);

    ck_assert_int_eq(skl_container_shown_state(c), SKL_CONTAINER_CREATED);
    ck_assert_int_eq(skl_container_start_failed(f.s, c, 127, "not found", &f.err), 0);
    ck_assert_int_eq(c->state, SKL_CONTAINER_CREATED);
    ck_assert_int_eq(c->exit_code, 127);
    ck_assert_str_eq(c->error, "not found");
    run_container(&f, c);
    ck_assert_str_eq(c->error, "");
    ck_assert_int_eq(c->exit_code, 0);
    ck_assert_int_eq(skl_container_exited(f.s, c,
                                          &(struct skl_end){.rank = SKL_END_AGENT, .code = 3},
                                          false, &f.err),
                     0);
    ck_assert_int_eq(skl_container_starting(f.s, c, &f.err), 0);
    ck_assert_int_eq(skl_container_shown_state(c), SKL_CONTAINER_EXITED);
    ck_assert_uint_eq(c->run, 3);
    ck_assert_int_eq(skl_container_start_failed(f.s, c, 125, "x", &f.err), 0);
    ck_assert_int_eq(c->state, SKL_CONTAINER_EXITED);
}
END_TEST

START_TEST(a_lower_rank_never_overwrites_an_end)
{
    struct skl_container *c = bring(SKL_CONTAINER_RUNNING);
    struct skl_end end = {.rank = SKL_END_PLATFORM, .code = 137};

    ck_assert_int_eq(skl_container_exited(f.s, c, &end, false, &f.err), 0);
    skl_buf_reset(&f.events);
    end = (struct skl_end){.rank = SKL_END_USER, .code = 9};
    ck_assert_int_eq(skl_container_exited(f.s, c, &end, false, &f.err), 0);
    ck_assert_int_eq(c->exit_code, 137);
    end = (struct skl_end){.rank = SKL_END_AGENT, .code = 3, .finished_ns = 5};
    ck_assert_int_eq(skl_container_exited(f.s, c, &end, false, &f.err), 0);
    ck_assert_int_eq(c->exit_code, 3);
    ck_assert_int_eq(c->finished_ns, 5);
    expect_events(&f, "");
    /* and while it is removed: `wait` for removal gives the real code */
    ck_assert_int_eq(skl_container_removing(f.s, c, &f.err), 0);
    ck_assert_int_eq(skl_container_exited(f.s, c, &end, false, &f.err), 0);
    ck_assert_int_eq(c->state, SKL_CONTAINER_REMOVING);
}
END_TEST

START_TEST(late_news_do_not_stop_a_restart)
{
    struct skl_container *c = bring(SKL_CONTAINER_RUNNING);
    struct skl_end end = {.rank = SKL_END_PLATFORM, .code = 1};

    ck_assert_int_eq(skl_container_exited(f.s, c, &end, true, &f.err), 0);
    end = (struct skl_end){.rank = SKL_END_AGENT, .code = 4};
    ck_assert_int_eq(skl_container_exited(f.s, c, &end, false, &f.err), 0);
    ck_assert_int_eq(c->state, SKL_CONTAINER_RESTARTING);
    ck_assert_int_eq(c->exit_code, 4);
    skl_buf_reset(&f.events);
    end = (struct skl_end){.rank = SKL_END_USER, .code = 4};
    ck_assert_int_eq(skl_container_exited(f.s, c, &end, false, &f.err), 0);
    ck_assert_int_eq(c->state, SKL_CONTAINER_EXITED);
    expect_events(&f, "");
}
END_TEST

/* -- events */

START_TEST(a_run_tells_its_events_in_dockers_order)
{
    struct skl_container *c = skl_container_new();
    struct skl_volume *v = skl_volume_new();
    struct skl_network *n;

    v->name = skl_strdup("data");
    ck_assert_int_eq(skl_volume_add(f.s, v, &v, &f.err), 0);
    c->name = skl_strdup("a");
    c->spec.mounts = skl_new0_n(struct skl_mount, 1);
    c->spec.n_mounts = 1;
    c->spec.mounts[0] = (struct skl_mount){.type = skl_strdup("volume"),
                                           .name = skl_strdup("data"),
                                           .destination = skl_strdup("/data"),
                                           .rw = true};
    ck_assert_int_eq(skl_container_add(f.s, c, &f.err), 0);
    ck_assert_int_eq(skl_network_find(f.s, "bridge", &n, &f.err), 0);
    ck_assert_int_eq(skl_network_connect(f.s, n, c, NULL, NULL, &f.err), 0);
    run_container(&f, c);
    ck_assert_int_eq(skl_container_exited(
                         f.s, c, &(struct skl_end){.rank = SKL_END_AGENT, .code = 137, .oom = true},
                         false, &f.err),
                     0);
    skl_network_release_addresses(f.s, c);
    ck_assert_int_eq(skl_container_removing(f.s, c, &f.err), 0);
    ck_assert_int_eq(skl_container_removed(f.s, c, &f.err), 0);
    ck_assert_int_eq(skl_volume_remove(f.s, v, &f.err), 0);
    expect_events(&f, "volume create\ncontainer create\nnetwork connect\nvolume mount\n"
                      "container start\ncontainer oom\ncontainer die\nvolume unmount\n"
                      "network disconnect\ncontainer destroy\nvolume destroy\n");
}
END_TEST

static void check_die(void *arg, const struct skl_event *e)
{
    const struct skl_labels attributes = {e->attributes};

    if (strcmp(e->action, "die") != 0)
        return;
    ck_assert_str_eq(skl_labels_get(&attributes, "exitCode"), "9");
    ck_assert_str_eq(skl_labels_get(&attributes, "execDuration"), "5");
    *(int *)arg = 1;
}

START_TEST(die_tells_code_and_duration)
{
    int seen = 0;
    struct skl_event_sub *sub = skl_journal_subscribe(skl_store_journal(f.s), check_die, &seen);
    struct skl_container *c = bring(SKL_CONTAINER_STARTING);

    ck_assert_int_eq(skl_container_started(f.s, c, 7, 1000000000, &f.err), 0);
    ck_assert_int_eq(
        skl_container_exited(
            f.s, c, &(struct skl_end){.rank = SKL_END_AGENT, .code = 9, .finished_ns = 6500000000},
            false, &f.err),
        0);
    ck_assert_int_eq(seen, 1);
    skl_journal_unsubscribe(&sub);
}
END_TEST

START_TEST(health_is_told_when_it_changes)
{
    struct skl_container *c = bring(SKL_CONTAINER_RUNNING);

    skl_buf_reset(&f.events);
    ck_assert_int_eq(skl_container_set_health(f.s, c, SKL_HEALTH_STARTING, 0, NULL, &f.err), 0);
    ck_assert_int_eq(skl_container_set_health(f.s, c, SKL_HEALTH_HEALTHY, 0, "[1]", &f.err), 0);
    ck_assert_int_eq(skl_container_set_health(f.s, c, SKL_HEALTH_HEALTHY, 0, "[2]", &f.err), 0);
    ck_assert_int_eq(skl_container_set_health(f.s, c, SKL_HEALTH_UNHEALTHY, 3, "[3]", &f.err), 0);
    expect_events(&f, "container health_status: healthy\ncontainer health_status: unhealthy\n");
    store_reopen(&f);
    c = named(&f, "c0");
    ck_assert_int_eq(c->health, SKL_HEALTH_UNHEALTHY);
    ck_assert_uint_eq(c->health_streak, 3);
    ck_assert_str_eq(c->health_log_json, "[3]");
}
END_TEST

/* -- the observer */

struct observed {
    int n;
    enum skl_container_state from, to;
    size_t events; /* bytes of events told before the observer */
};

static void observe(void *arg, struct skl_container *c, enum skl_container_state from,
                    enum skl_container_state to)
{
    struct observed *o = arg;

    o->n++;
    o->from = from;
    o->to = to;
    o->events = f.events.n;
    ck_assert_int_eq(c->state, to);
}

START_TEST(the_observer_comes_after_the_event)
{
    struct skl_container *c = bring(SKL_CONTAINER_RUNNING);
    struct observed o = {0};

    skl_buf_reset(&f.events);
    skl_store_observe_containers(f.s, observe, &o);
    ck_assert_int_eq(
        skl_container_exited(f.s, c, &(struct skl_end){.rank = SKL_END_AGENT}, false, &f.err), 0);
    ck_assert_int_eq(o.n, 1);
    ck_assert_int_eq(o.from, SKL_CONTAINER_RUNNING);
    ck_assert_int_eq(o.to, SKL_CONTAINER_EXITED);
    ck_assert_uint_eq(o.events, strlen("container die\n"));
}
END_TEST

/* -- waiting */

struct waited {
    int n, code;
    char error[64];
};

static void on_wait(void *arg, int code, const char *error)
{
    struct waited *w = arg;

    w->n++;
    w->code = code;
    snprintf(w->error, sizeof(w->error), "%s", error ? error : "");
}

START_TEST(not_running_answers_soon_for_what_does_not_run)
{
    static const enum skl_container_state states[] = {SKL_CONTAINER_CREATED, SKL_CONTAINER_EXITED,
                                                      SKL_CONTAINER_REMOVING, SKL_CONTAINER_DEAD};
    struct skl_container *c = bring(states[_i]);
    struct waited w = {0};

    skl_container_wait(f.s, c, SKL_WAIT_NOT_RUNNING, on_wait, &w);
    ck_assert_int_eq(w.n, 0); /* never before the call returned */
    turn(&f);
    ck_assert_int_eq(w.n, 1);
    ck_assert_int_eq(w.code, states[_i] == SKL_CONTAINER_EXITED ? 1 : 0);
}
END_TEST

START_TEST(each_condition_has_its_moment)
{
    struct skl_container *c = bring(SKL_CONTAINER_RUNNING);
    struct waited stopped = {0}, next = {0}, removed = {0};
    struct skl_end end = {.rank = SKL_END_AGENT, .code = 3};

    skl_container_wait(f.s, c, SKL_WAIT_NOT_RUNNING, on_wait, &stopped);
    skl_container_wait(f.s, c, SKL_WAIT_NEXT_EXIT, on_wait, &next);
    skl_container_wait(f.s, c, SKL_WAIT_REMOVED, on_wait, &removed);
    ck_assert_int_eq(skl_container_exited(f.s, c, &end, true, &f.err), 0);
    turn(&f);
    ck_assert_int_eq(next.n, 1);
    ck_assert_int_eq(next.code, 3);
    ck_assert_int_eq(stopped.n, 1); /* although it will be restarted */
    ck_assert_int_eq(stopped.code, 3);
    skl_container_wait(f.s, c, SKL_WAIT_NOT_RUNNING, on_wait, &stopped);
    turn(&f);
    ck_assert_int_eq(stopped.n, 1); /* it counts as running */
    run_container(&f, c);
    end.code = 4;
    ck_assert_int_eq(skl_container_exited(f.s, c, &end, false, &f.err), 0);
    turn(&f);
    ck_assert_int_eq(stopped.n, 2);
    ck_assert_int_eq(stopped.code, 4);
    ck_assert_int_eq(skl_container_removing(f.s, c, &f.err), 0);
    turn(&f);
    ck_assert_int_eq(removed.n, 0);
    ck_assert_int_eq(skl_container_removed(f.s, c, &f.err), 0);
    turn(&f);
    ck_assert_int_eq(removed.n, 1);
    ck_assert_int_eq(removed.code, 4); /* of the process */
    ck_assert_int_eq(stopped.n + next.n, 3);
}
END_TEST

START_TEST(removal_answers_who_waits_for_an_exit)
{
    struct skl_container *c = bring(SKL_CONTAINER_CREATED);
    struct waited next = {0}, removed = {0};

    skl_container_wait(f.s, c, SKL_WAIT_NEXT_EXIT, on_wait, &next);
    ck_assert_int_eq(skl_container_removing(f.s, c, &f.err), 0);
    skl_container_wait(f.s, c, SKL_WAIT_REMOVED, on_wait, &removed);
    ck_assert_int_eq(skl_container_remove_failed(f.s, c, "the cloud says no", &f.err), 0);
    turn(&f);
    ck_assert_str_eq(removed.error, "the cloud says no");
    ck_assert_int_eq(next.n, 0);
    ck_assert_int_eq(skl_container_removing(f.s, c, &f.err), 0);
    ck_assert_int_eq(skl_container_removed(f.s, c, &f.err), 0);
    turn(&f);
    ck_assert_int_eq(next.n, 1);
    ck_assert_str_eq(next.error, "");
}
END_TEST

START_TEST(a_failed_start_is_no_exit)
{
    struct skl_container *c = bring(SKL_CONTAINER_STARTING);
    struct waited stopped = {0}, next = {0};
    struct skl_waiter *left;

    skl_container_wait(f.s, c, SKL_WAIT_NOT_RUNNING, on_wait, &stopped);
    left = skl_container_wait(f.s, c, SKL_WAIT_NEXT_EXIT, on_wait, &next);
    turn(&f);
    ck_assert_int_eq(stopped.n, 0); /* the run has begun */
    ck_assert_int_eq(skl_container_start_failed(f.s, c, 127, "x", &f.err), 0);
    turn(&f);
    ck_assert_int_eq(stopped.n, 1);
    ck_assert_int_eq(stopped.code, 127);
    ck_assert_int_eq(next.n, 0);
    skl_waiter_cancel(&left);
}
END_TEST

struct cancelling {
    struct skl_waiter *other;
    int n;
};

static void cancel_other(void *arg, int code, const char *error)
{
    struct cancelling *c = arg;

    c->n++;
    skl_waiter_cancel(&c->other);
}

START_TEST(a_waiter_may_cancel_another_that_is_due)
{
    struct skl_container *c = bring(SKL_CONTAINER_EXITED);
    struct cancelling first = {0};
    struct waited w = {0};

    skl_container_wait(f.s, c, SKL_WAIT_NOT_RUNNING, cancel_other, &first);
    first.other = skl_container_wait(f.s, c, SKL_WAIT_NOT_RUNNING, on_wait, &w);
    turn(&f);
    ck_assert_int_eq(first.n, 1);
    ck_assert_int_eq(w.n, 0);
}
END_TEST

START_TEST(waiters_outlive_the_store_for_their_cancel)
{
    struct skl_container *c = bring(SKL_CONTAINER_EXITED);
    struct waited w = {0};
    struct skl_waiter *due, *waiting;

    due = skl_container_wait(f.s, c, SKL_WAIT_NOT_RUNNING, on_wait, &w);
    waiting = skl_container_wait(f.s, c, SKL_WAIT_REMOVED, on_wait, &w);
    store_reopen(&f);
    turn(&f);
    ck_assert_int_eq(w.n, 0);
    skl_waiter_cancel(&due);
    skl_waiter_cancel(&waiting);
}
END_TEST

/* -- the journal */

struct ended {
    struct skl_event_sub *self, *other;
    int n;
};

static void end_both(void *arg, const struct skl_event *e)
{
    struct ended *x = arg;

    x->n++;
    skl_journal_unsubscribe(&x->self);
    skl_journal_unsubscribe(&x->other);
}

START_TEST(subscribers_may_end_in_their_callback)
{
    struct skl_journal *j = skl_store_journal(f.s);
    struct ended a = {0}, b = {0};

    a.self = skl_journal_subscribe(j, end_both, &a);
    a.other = skl_journal_subscribe(j, end_both, &b);
    skl_journal_emit(j, "daemon", "reload", "x", NULL, NULL);
    skl_journal_emit(j, "daemon", "reload", "x", NULL, NULL);
    ck_assert_int_eq(a.n, 1);
    ck_assert_int_eq(b.n, 0);
    ck_assert_uint_eq(skl_journal_listeners(j), 1);
}
END_TEST

struct replayed {
    int n;
    int64_t first, last;
};

static void on_replay(void *arg, const struct skl_event *e)
{
    struct replayed *r = arg;

    ck_assert_int_gt(e->time_ns, r->last);
    r->first = r->n ? r->first : e->time_ns;
    r->last = e->time_ns;
    r->n++;
    /* an event that is told while others are replayed does not disturb them */
    skl_journal_emit(skl_store_journal(f.s), "daemon", "reload", "y", NULL, NULL);
}

START_TEST(the_journal_keeps_the_newest_256_in_strict_order)
{
    struct skl_journal *j = skl_store_journal(f.s);
    struct replayed all = {0}, part = {0}, none = {0};

    for (int i = 0; i < 300; i++)
        skl_journal_emit(j, "daemon", "reload", "x", NULL, NULL);
    skl_journal_replay(j, 0, 0, on_replay, &all);
    ck_assert_int_eq(all.n, 256);
    skl_journal_replay(j, INT64_MAX, 0, on_replay, &none);
    ck_assert_int_eq(none.n, 0);
    skl_journal_replay(j, all.last + 1, 0, on_replay, &part);
    ck_assert_int_eq(part.n, 256); /* those that the first replay emitted */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tc = tcase_create("containers");
    SRunner *sr = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, find_goes_by_id_then_name_then_prefix);
    tcase_add_test(tc, a_prefix_of_several_ids_is_refused);
    tcase_add_test(tc, a_taken_name_conflicts_in_create_and_rename);
    tcase_add_test(tc, rename_tells_the_old_name_with_a_slash);
    tcase_add_test(tc, picked_names_are_free);
    tcase_add_loop_test(tc, every_pair_of_states_is_allowed_or_refused_as_documented, 0,
                        SKL_CONTAINER_MAX_ * SKL_CONTAINER_MAX_);
    tcase_add_test(tc, starting_is_shown_as_what_it_was);
    tcase_add_test(tc, a_lower_rank_never_overwrites_an_end);
    tcase_add_test(tc, late_news_do_not_stop_a_restart);
    tcase_add_test(tc, a_run_tells_its_events_in_dockers_order);
    tcase_add_test(tc, die_tells_code_and_duration);
    tcase_add_test(tc, health_is_told_when_it_changes);
    tcase_add_test(tc, the_observer_comes_after_the_event);
    tcase_add_loop_test(tc, not_running_answers_soon_for_what_does_not_run, 0, 4);
    tcase_add_test(tc, each_condition_has_its_moment);
    tcase_add_test(tc, removal_answers_who_waits_for_an_exit);
    tcase_add_test(tc, a_failed_start_is_no_exit);
    tcase_add_test(tc, a_waiter_may_cancel_another_that_is_due);
    tcase_add_test(tc, waiters_outlive_the_store_for_their_cancel);
    tcase_add_test(tc, subscribers_may_end_in_their_callback);
    tcase_add_test(tc, the_journal_keeps_the_newest_256_in_strict_order);
    suite_add_tcase(suite, tc);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
