/* The reaper: what it takes, what it leaves, when. */
#include "docker_helper.h"

#include <pthread.h>

/* -- a cloud that holds a few resources; the mutex, since its slots run on workers */

struct planted {
    char name[32], container_id[65];
    bool there, stuck; /* stuck: cannot be removed */
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct planted planted[8];
static size_t n_planted;
static bool list_fails;
static atomic_uint looks, tries;
static char told_instance[64];

static void plant(const char *name, const char *container_id)
{
    pthread_mutex_lock(&lock);
    snprintf(planted[n_planted].name, sizeof(planted[0].name), "%s", name);
    snprintf(planted[n_planted].container_id, sizeof(planted[0].container_id), "%s", container_id);
    planted[n_planted].stuck = strcmp(name, "stuck") == 0;
    planted[n_planted++].there = true;
    pthread_mutex_unlock(&lock);
}

static bool is_there(const char *name)
{
    bool there = false;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_planted; i++)
        there |= strcmp(planted[i].name, name) == 0 && planted[i].there;
    pthread_mutex_unlock(&lock);
    return there;
}

static int fake_list(void *ctx, struct skl_call *call, const char *instance, skl_resource_cb *cb,
                     void *arg, struct skl_error *err)
{
    int rc = 0;

    pthread_mutex_lock(&lock);
    snprintf(told_instance, sizeof(told_instance), "%s", instance);
    for (size_t i = 0; i < n_planted; i++)
        if (planted[i].there)
            cb(arg, &(struct skl_resource){"thing", planted[i].name, planted[i].container_id});
    if (list_fails)
        rc = skl_fail(err, SKL_E_UNAVAILABLE, "the rest could not be listed");
    pthread_mutex_unlock(&lock);
    atomic_fetch_add(&looks, 1);
    return rc;
}

static int fake_remove_resource(void *ctx, struct skl_call *call, const struct skl_resource *r,
                                struct skl_error *err)
{
    int rc = 0;

    ck_assert_str_eq(r->kind, "thing");
    atomic_fetch_add(&tries, 1);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_planted; i++) {
        if (strcmp(planted[i].name, r->name) != 0)
            continue;
        if (planted[i].stuck)
            rc = skl_fail(err, SKL_E_CONFLICT, "it is in use");
        else
            planted[i].there = false;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static void begin(int64_t grace_ms, bool dry_run)
{
    static struct skl_backend backend;

    backend = fake_backend;
    backend.resources_list = fake_list;
    backend.resource_remove = fake_remove_resource;
    docker_backend = &backend;
    docker_reap_interval_ms = 2;
    docker_reap_grace_ms = grace_ms;
    docker_reap_dry_run = dry_run;
    n_planted = 0;
    list_fails = false;
    atomic_store(&tries, 0);
    docker_teardown(); /* the one that every test is given has no reaper */
    docker_setup();
}

static void more_looks(void)
{
    unsigned seen = atomic_load(&looks);

    net_until(atomic_load(&looks) >= seen + 5);
}

static unsigned events;
static char orphan[] = "orphan";
static void count_event(void *arg, const struct skl_event *e)
{
    if (strcmp(e->type, "daemon") != 0)
        return;
    events++;
    ck_assert_str_eq(e->action, "reap");
    ck_assert_str_eq(e->actor_id, arg);
}

/* -- tests */

START_TEST(what_has_no_record_goes_and_is_told)
{
    char id[65];

    begin(0, false);
    snprintf(id, sizeof(id), "%s",
             docker_create("?name=aa", "{\"Image\":\"busybox\",\"Cmd\":[\"x\"]}"));
    docker_expect("POST", "/containers/aa/start", NULL, 204);
    plant("known", id);
    plant("orphan", "0123456789abcdef0123456789abcdef");
    net_until(!is_there("orphan"));
    more_looks();
    ck_assert(is_there("known"));
    ck_assert_str_eq(told_instance, skl_store_instance(engine->store));
    events = 0;
    skl_journal_replay(skl_store_journal(engine->store), 0, 0, count_event, orphan);
    ck_assert_uint_eq(events, 1);

    /* Clouds cut ids; and what has no id at all, but our instance, is nobody's either. */
    plant("nameless", "");
    id[32] = '\0';
    plant("cut", id);
    net_until(!is_there("nameless"));
    more_looks();
    ck_assert(is_there("cut"));

    /* With its container the protection ends. */
    docker_expect("DELETE", "/containers/aa?force=1", NULL, 204);
    net_until(!is_there("known") && !is_there("cut"));
}
END_TEST

START_TEST(a_record_without_resources_protects_nothing)
{
    begin(0, false);
    /* A creation whose answer was lost, and which was carried out after its removal. */
    plant("late", docker_create("?name=aa", "{\"Image\":\"busybox\",\"Cmd\":[\"x\"]}"));
    net_until(!is_there("late"));
}
END_TEST

START_TEST(nothing_goes_before_the_grace_time)
{
    begin(3600000, false);
    plant("orphan", "0123456789abcdef");
    more_looks();
    ck_assert(is_there("orphan"));
    ck_assert_uint_eq(atomic_load(&tries), 0);
}
END_TEST

START_TEST(a_dry_run_removes_nothing)
{
    begin(0, true);
    plant("orphan", "0123456789abcdef");
    more_looks();
    ck_assert(is_there("orphan"));
    ck_assert_uint_eq(atomic_load(&tries), 0);
}
END_TEST

START_TEST(half_a_list_and_a_failed_removal)
{
    begin(0, false);
    list_fails = true;
    plant("orphan", "0123456789abcdef");
    plant("stuck", "0123456789abcdef");
    more_looks();
    ck_assert_uint_eq(atomic_load(&tries), 0);
    pthread_mutex_lock(&lock);
    list_fails = false;
    pthread_mutex_unlock(&lock);
    net_until(!is_there("orphan"));
    net_until(atomic_load(&tries) >= 4); /* the stuck one is tried again and again */
    events = 0;
    skl_journal_replay(skl_store_journal(engine->store), 0, 0, count_event, orphan);
    ck_assert_uint_eq(events, 1);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("all");

    tcase_add_test(t, what_has_no_record_goes_and_is_told);
    tcase_add_test(t, a_record_without_resources_protects_nothing);
    tcase_add_test(t, nothing_goes_before_the_grace_time);
    tcase_add_test(t, a_dry_run_removes_nothing);
    tcase_add_test(t, half_a_list_and_a_failed_removal);
    return docker_run("reaper", t);
}
