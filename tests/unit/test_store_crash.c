/* The process dies at each write of the store, whole and half done: what the next one finds is all that was answered,
 * and the change that was under way either whole or not at all. */
#include "store_helper.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fault_point.h"
#include "store/store_internal.h"

#define IMAGE_ID   "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define MAX_POINTS 2000

struct crash {
    uv_loop_t loop;
    char dir[64];
    struct skl_store *s;
};

static struct skl_error err;

/* -- the life of a store; each step is one call that a client would get an answer for */

static struct skl_container *container(struct crash *x, const char *name)
{
    struct skl_container *c = NULL;

    return skl_container_find(x->s, name, &c, &err) == 0 ? c : NULL;
}

static int add(struct crash *x, const char *name, enum skl_restart_policy restart)
{
    struct skl_container *c = skl_container_new();

    c->name = skl_strdup(name);
    c->spec.image = skl_strdup("alpine");
    c->spec.restart = restart;
    return skl_container_add(x->s, c, &err);
}

static int add_one(struct crash *x)
{
    return add(x, "one", SKL_RESTART_ALWAYS);
}

static int add_two(struct crash *x)
{
    return add(x, "two", SKL_RESTART_NO);
}

static int plan_one(struct crash *x)
{
    return skl_container_set_cloud(x->s, container(x, "one"), "job", "j1", &err);
}

static int token_one(struct crash *x)
{
    return skl_container_set_agent(x->s, container(x, "one"), "t1", "1.2.3.4:5", &err);
}

static int start_one(struct crash *x)
{
    return skl_container_starting(x->s, container(x, "one"), &err);
}

static int address_one(struct crash *x)
{
    return skl_network_assign_addresses(x->s, container(x, "one"), &err);
}

static int publish_one(struct crash *x)
{
    return skl_container_set_published(x->s, container(x, "one"), "{}", &err);
}

static int started_one(struct crash *x)
{
    return skl_container_started(x->s, container(x, "one"), 7, 0, &err);
}

static int pause_one(struct crash *x)
{
    return skl_container_paused(x->s, container(x, "one"), true, &err);
}

static int unpause_one(struct crash *x)
{
    return skl_container_paused(x->s, container(x, "one"), false, &err);
}

static int health_one(struct crash *x)
{
    return skl_container_set_health(x->s, container(x, "one"), SKL_HEALTH_HEALTHY, 2, "[]", &err);
}

static int restart_one(struct crash *x)
{
    const struct skl_end end = {.rank = SKL_END_AGENT, .code = 3};

    return skl_container_exited(x->s, container(x, "one"), &end, true, &err);
}

static int put_off_one(struct crash *x)
{
    return skl_container_start_put_off(x->s, container(x, "one"), 128, "why", true, &err);
}

static int exit_one(struct crash *x)
{
    const struct skl_end end = {.rank = SKL_END_PLATFORM, .code = 4, .error = "late"};

    return skl_container_exited(x->s, container(x, "one"), &end, false, &err);
}

static int correct_one(struct crash *x)
{
    const struct skl_end end = {.rank = SKL_END_AGENT, .code = 5};

    return skl_container_exited(x->s, container(x, "one"), &end, false, &err);
}

static int fail_one(struct crash *x)
{
    return skl_container_start_failed(x->s, container(x, "one"), 127, "not there", &err);
}

static int stop_one(struct crash *x)
{
    skl_container_set_manual_stop(x->s, container(x, "one"), true);
    return 0;
}

static int anew_one(struct crash *x)
{
    skl_container_begin_anew(x->s, container(x, "one"));
    return 0;
}

static int exec_one(struct crash *x)
{
    struct skl_exec *e = skl_exec_new();

    snprintf(e->container_id, sizeof(e->container_id), "%s", container(x, "one")->id);
    skl_strv_push(&e->argv, "sh");
    return skl_exec_add(x->s, e, &err);
}

static int rename_two(struct crash *x)
{
    return skl_container_rename(x->s, container(x, "two"), "three", &err);
}

static int add_network(struct crash *x)
{
    struct skl_network *n = skl_network_new(), *added;

    n->name = skl_strdup("net");
    n->driver = skl_strdup("bridge");
    return skl_network_add(x->s, n, &added, &err);
}

static int connect_one(struct crash *x)
{
    struct skl_network *n;

    if (skl_network_find(x->s, "net", &n, &err) < 0)
        return -1;
    return skl_network_connect(x->s, n, container(x, "one"), NULL, NULL, &err);
}

static int disconnect_one(struct crash *x)
{
    struct skl_network *n;

    if (skl_network_find(x->s, "net", &n, &err) < 0)
        return -1;
    return skl_network_disconnect(x->s, n, container(x, "one"), &err);
}

static int remove_network(struct crash *x)
{
    struct skl_network *n;

    if (skl_network_find(x->s, "net", &n, &err) < 0)
        return -1;
    return skl_network_remove(x->s, n, &err);
}

static int add_volume(struct crash *x)
{
    struct skl_volume *v = skl_volume_new(), *added;

    v->name = skl_strdup("vol");
    v->driver = skl_strdup("local");
    return skl_volume_add(x->s, v, &added, &err);
}

static int remove_volume(struct crash *x)
{
    return skl_volume_remove(x->s, skl_volume_find(x->s, "vol"), &err);
}

static int add_image(struct crash *x)
{
    struct skl_image *i = skl_image_new(), *added;

    snprintf(i->id, sizeof(i->id), "%s", IMAGE_ID);
    skl_strv_push(&i->refs, "alpine:latest");
    return skl_image_add(x->s, i, &added, &err);
}

static int tag_image(struct crash *x)
{
    return skl_image_tag(x->s, skl_image_find(x->s, "alpine:latest"), "b:1", &err);
}

static int untag_image(struct crash *x)
{
    return skl_image_untag(x->s, skl_image_find(x->s, "b:1"), "b:1", &err);
}

static int remove_image(struct crash *x)
{
    return skl_image_remove(x->s, skl_image_find(x->s, "alpine:latest"), &err);
}

static int removing_one(struct crash *x)
{
    return skl_container_removing(x->s, container(x, "one"), &err);
}

static int dead_one(struct crash *x)
{
    return skl_container_remove_failed(x->s, container(x, "one"), "the cloud", &err);
}

static int removed_one(struct crash *x)
{
    return skl_container_removed(x->s, container(x, "one"), &err);
}

static int (*const steps[])(struct crash *x) = {
    add_image,      tag_image,     add_one,     add_volume,   add_network, add_two,
    connect_one,    plan_one,      token_one,   start_one,    address_one, publish_one,
    started_one,    exec_one,      health_one,  pause_one,    unpause_one, restart_one,
    start_one,      put_off_one,   start_one,   started_one,  stop_one,    exit_one,
    correct_one,    anew_one,      start_one,   fail_one,     rename_two,  disconnect_one,
    remove_network, remove_volume, untag_image, removing_one, dead_one,    removing_one,
    removed_one,    remove_image,
};
#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

/* -- a store that is opened, and its process that may end */

static void open_store(struct crash *x)
{
    ck_assert_msg(skl_store_open(&x->loop, x->dir, &x->s, &err) == 0, "%s", err.msg);
}

static void close_store(struct crash *x)
{
    skl_store_close(x->s);
    x->s = NULL;
    uv_run(&x->loop, UV_RUN_DEFAULT);
}

static void begin(struct crash *x)
{
    snprintf(x->dir, sizeof(x->dir), "/tmp/skl-crash-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(x->dir));
    ck_assert_int_eq(uv_loop_init(&x->loop), 0);
}

static void end(struct crash *x)
{
    ck_assert_int_eq(uv_loop_close(&x->loop), 0);
    remove_tree(x->dir);
}

static void live(struct crash *x, size_t n, volatile unsigned *done)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(steps[i](x) == 0, "step %zu: %s", i, err.msg);
        *done = (unsigned)i + 1;
    }
}

/* All that the steps change, without what differs from run to run (ids, times). */
static void show(struct crash *x, struct skl_buf *b)
{
    struct skl_list *it;

    skl_list_foreach (it, skl_container_all(x->s)) {
        const struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

        skl_buf_addf(b, "%s %s pid %d code %d stop %d ran %d '%s' restarts %u run %u rank %d ",
                     c->name, skl_container_state_name(c->state), c->pid, c->exit_code,
                     c->manual_stop, c->has_run, c->error, c->restart_count, c->run,
                     (int)c->end_rank);
        skl_buf_addf(b, "health %d %u token %s at %s job %s ports %s ends %zu\n", (int)c->health,
                     c->health_streak, c->token ? c->token : "-",
                     c->agent_address ? c->agent_address : "-",
                     skl_labels_get(&c->cloud, "job") ? "planned" : "-",
                     c->published_json ? c->published_json : "-", c->n_endpoints);
    }
    skl_list_foreach (it, skl_image_all(x->s)) {
        const struct skl_image *i = SKL_LIST_ENTRY(it, struct skl_image, in_store);

        skl_buf_adds(b, "image");
        for (char **p = i->refs; p && *p; p++)
            skl_buf_addf(b, " %s", *p);
        skl_buf_addc(b, '\n');
    }
    skl_buf_addf(b, "network %d volume %d execs %zu\n",
                 skl_network_find(x->s, "net", &(struct skl_network *){NULL}, &err) == 0,
                 skl_volume_find(x->s, "vol") != NULL, x->s->execs_by_id.n);
}

static void reopen_and_show(struct crash *x, struct skl_buf *b)
{
    skl_buf_init(b, 64 * 1024);
    open_store(x);
    show(x, b);
    close_store(x);
}

/* after[n]: what is found when the process ended between step n and the next one. */
static void show_each(struct skl_buf after[N_STEPS + 1])
{
    for (size_t n = 0; n <= N_STEPS; n++) {
        struct crash x = {0};
        unsigned done;

        begin(&x);
        open_store(&x);
        live(&x, n, &done);
        close_store(&x);
        reopen_and_show(&x, &after[n]);
        end(&x);
    }
}

static unsigned count_points(void)
{
    struct crash x = {0};
    unsigned done, points;

    begin(&x);
    open_store(&x);
    ck_assert_int_eq(skl_fault_points_setup("count:/dev/null", &err), 0);
    live(&x, N_STEPS, &done);
    ck_assert_uint_eq(done, N_STEPS);
    points = skl_fault_points_passed();
    ck_assert_int_eq(skl_fault_points_setup(NULL, &err), 0);
    close_store(&x);
    end(&x);
    return points;
}

/* In a process of its own; the point is reached, or the test fails. */
static void die_at(struct crash *x, unsigned point, volatile unsigned *done)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        char spec[32];

        snprintf(spec, sizeof(spec), "die:%u:", point);
        open_store(x);
        if (skl_fault_points_setup(spec, &err) < 0)
            _exit(1);
        live(x, N_STEPS, done);
        _exit(2);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "point %u: status %d", point,
                  status);
}

START_TEST(each_write_is_whole_or_not_there)
{
    volatile unsigned *done =
        mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    static struct skl_buf after[N_STEPS + 1];
    unsigned points, half = 0, whole = 0;

    ck_assert((const volatile void *)done != MAP_FAILED);
    show_each(after);
    points = count_points();
    ck_assert_uint_gt(points, N_STEPS);
    ck_assert_uint_lt(points, MAX_POINTS);
    for (unsigned point = 1; point <= points; point++) {
        struct crash x = {0};
        struct skl_buf found;

        *done = 0;
        begin(&x);
        die_at(&x, point, done);
        reopen_and_show(&x, &found);
        if (strcmp(found.p, after[*done].p) == 0)
            half++;
        else if (strcmp(found.p, after[*done + 1].p) == 0)
            whole++;
        else
            ck_abort_msg("point %u, after step %u:\n%s\nexpected\n%s\nor\n%s", point, *done,
                         found.p, after[*done].p, after[*done + 1].p);
        skl_buf_fini(&found);
        end(&x);
    }
    ck_assert_uint_gt(half, N_STEPS / 2);
    ck_assert_uint_gt(whole, N_STEPS / 2);
    printf("# %u points: %u found without the change, %u with it\n", points, half, whole);
    for (size_t n = 0; n <= N_STEPS; n++)
        skl_buf_fini(&after[n]);
    munmap((void *)(uintptr_t)done, sizeof(*done));
}
END_TEST

START_TEST(a_bad_spec_is_refused)
{
    static const char *const bad[] = {"",        "die",    "die:0:x",
                                      "die:x:y", "counts", "count:/nowhere/x"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(skl_fault_points_setup(bad[i], &err) < 0, "'%s'", bad[i]);
    ck_assert_int_eq(skl_fault_points_setup(NULL, &err), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store_crash");
    TCase *t = tcase_create("all");
    SRunner *r;
    int failed;

    tcase_set_timeout(t, 0);
    tcase_add_test(t, each_write_is_whole_or_not_there);
    tcase_add_test(t, a_bad_spec_is_refused);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_set_tap(r, "-");
    srunner_run_all(r, CK_SILENT);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
