/* What is on disk: after a close, a kill, a full disk, in damaged and foreign files. */
#include "store_helper.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/shared_text.h"
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

static char **strv(const char *a, const char *b)
{
    char **v = NULL;

    skl_strv_push(&v, a);
    if (b)
        skl_strv_push(&v, b);
    return v;
}

static struct skl_container *full_container(void)
{
    struct skl_container *c = skl_container_new();
    struct skl_container_spec *s = &c->spec;

    c->name = skl_strdup("full");
    c->created_ns = INT64_C(1795427080789954159); /* more than a double holds */
    s->image = skl_strdup("busybox");
    s->image_id = skl_strdup("sha256:1");
    s->image_ref = skl_strdup("docker.io/library/busybox@sha256:2");
    s->argv = strv("sh", "-c \"\n\xc3\xa4\"");
    s->env = strv("A=1", "B=");
    s->cwd = skl_strdup("/w");
    s->user = skl_strdup("1:1");
    s->hostname = skl_strdup("h");
    s->tty = s->open_stdin = s->stdin_once = s->auto_remove = s->init = s->privileged = true;
    s->stop_signal = skl_strdup("SIGINT");
    s->stop_timeout_s = 0;
    s->restart = SKL_RESTART_ON_FAILURE;
    s->restart_max = 3;
    s->nano_cpus = INT64_C(9223372036854775807);
    s->memory_bytes = 1 << 30;
    s->log_max_bytes = 10;
    s->log_max_files = 2;
    s->log_none = true;
    s->extra_hosts = strv("a:1.2.3.4", NULL);
    s->group_add = strv("5", NULL);
    s->ulimits = strv("nofile=1:2", NULL);
    s->registry_auth = skl_strdup("secret");
    skl_labels_set(&s->labels, "k", "v=w");
    s->mounts = skl_new0_n(struct skl_mount, 1);
    s->n_mounts = 1;
    s->mounts[0] = (struct skl_mount){.type = skl_strdup("volume"),
                                      .name = skl_strdup("n"),
                                      .destination = skl_strdup("/d"),
                                      .rw = true,
                                      .anonymous = true,
                                      .request_json = skl_strdup("{\"a\":1.50}")};
    s->config_json = skl_strdup("{\"Cmd\":[\"sh\"],\"N\":9007199254740993}");
    s->host_config_json = skl_text_share(skl_strdup("{}"));
    s->platform = skl_strdup("linux");
    return c;
}

START_TEST(every_member_comes_back)
{
    struct skl_container *c = full_container();
    char *before SKL_AUTO_STR = NULL;
    char *after SKL_AUTO_STR = NULL;
    char token[65];

    skl_labels_set(&c->cloud, "job", "j1");
    ck_assert_int_eq(skl_container_add(f.s, c, &f.err), 0);
    ck_assert_int_eq(skl_spec_encode(&c->spec, &before, &f.err), 0);
    memset(token, 'a', 64);
    token[64] = '\0';
    ck_assert_int_eq(skl_container_set_agent(f.s, c, token, "1.2.3.4:9111", &f.err), 0);
    ck_assert_int_eq(skl_container_set_agent(f.s, c, c->token, c->agent_address, &f.err), 0);
    ck_assert_int_eq(skl_container_set_cloud(f.s, c, "execution", "e1", &f.err), 0);
    ck_assert_int_eq(skl_container_set_cloud(f.s, c, "job", NULL, &f.err), 0);
    run_container(&f, c);
    ck_assert_int_eq(skl_container_exited(
                         f.s, c, &(struct skl_end){.rank = SKL_END_AGENT, .code = 1}, true, &f.err),
                     0);
    run_container(&f, c);
    skl_container_set_manual_stop(f.s, c, true);
    ck_assert_int_eq(
        skl_container_exited(f.s, c,
                             &(struct skl_end){.rank = SKL_END_AGENT,
                                               .code = 137,
                                               .oom = true,
                                               .finished_ns = INT64_C(1795427080789954161),
                                               .error = "why"},
                             false, &f.err),
        0);
    store_reopen(&f);
    c = named(&f, "full");
    ck_assert_int_eq(skl_spec_encode(&c->spec, &after, &f.err), 0);
    ck_assert_str_eq(before, after);
    ck_assert_str_eq(c->spec.config_json, "{\"Cmd\":[\"sh\"],\"N\":9007199254740993}");
    ck_assert_int_eq(c->spec.nano_cpus, INT64_C(9223372036854775807));
    ck_assert_int_eq(c->created_ns, INT64_C(1795427080789954159));
    ck_assert_int_eq(c->finished_ns, INT64_C(1795427080789954161));
    ck_assert_int_eq(c->state, SKL_CONTAINER_EXITED);
    ck_assert_int_eq(c->exit_code, 137);
    ck_assert(c->oom_killed && c->manual_stop && c->has_run);
    ck_assert_str_eq(c->error, "why");
    ck_assert_uint_eq(c->restart_count, 1);
    ck_assert_uint_eq(c->run, 2);
    ck_assert_int_eq(c->end_rank, SKL_END_AGENT);
    ck_assert_str_eq(c->token, token);
    ck_assert_str_eq(c->agent_address, "1.2.3.4:9111");
    ck_assert_uint_eq(skl_labels_count(&c->cloud), 1);
    ck_assert_str_eq(skl_labels_get(&c->cloud, "execution"), "e1");
}
END_TEST

START_TEST(save_keeps_what_update_changed)
{
    struct skl_container *c = add_container(&f, "a");

    c->spec.restart = SKL_RESTART_ALWAYS;
    c->spec.memory_bytes = 77;
    c->spec.host_config_json = skl_text_share(skl_strdup("{\"Memory\":77}"));
    ck_assert_int_eq(skl_container_save(f.s, c, &f.err), 0);
    store_reopen(&f);
    c = named(&f, "a");
    ck_assert_int_eq(c->spec.restart, SKL_RESTART_ALWAYS);
    ck_assert_int_eq(c->spec.memory_bytes, 77);
    ck_assert_str_eq(c->spec.host_config_json, "{\"Memory\":77}");
}
END_TEST

START_TEST(instance_and_order_are_kept)
{
    char instance[64];
    struct skl_list *it;
    int i = 0;

    snprintf(instance, sizeof(instance), "%s", skl_store_instance(f.s));
    ck_assert_uint_eq(strlen(instance), 32);
    add_container(&f, "z");
    add_container(&f, "a");
    ck_assert_int_eq(skl_container_removing(f.s, named(&f, "z"), &f.err), 0);
    ck_assert_int_eq(skl_container_removed(f.s, named(&f, "z"), &f.err), 0);
    add_container(&f, "m");
    store_reopen(&f);
    ck_assert_str_eq(skl_store_instance(f.s), instance);
    skl_list_foreach (it, skl_container_all(f.s))
        ck_assert_str_eq(SKL_LIST_ENTRY(it, struct skl_container, in_store)->name,
                         i++ == 0 ? "a" : "m");
    ck_assert_int_eq(i, 2);
}
END_TEST

START_TEST(a_kill_loses_no_transition_that_returned)
{
    int status;
    pid_t child;

    skl_journal_unsubscribe(&f.sub);
    skl_store_close(f.s);
    f.s = NULL;
    child = fork();
    if (child == 0) {
        struct skl_store *s = NULL;
        struct skl_container *c = skl_container_new();
        struct skl_exec *x = skl_exec_new();

        c->name = skl_strdup("killed");
        if (skl_store_open(&f.loop, f.dir, &s, NULL) < 0 || skl_container_add(s, c, NULL) < 0 ||
            skl_container_starting(s, c, NULL) < 0 || skl_container_started(s, c, 9, 5, NULL) < 0)
            _exit(1);
        snprintf(x->container_id, sizeof(x->container_id), "%s", c->id);
        skl_strv_push(&x->argv, "sh");
        if (skl_exec_add(s, x, NULL) < 0 || skl_exec_started(s, x, NULL) < 0)
            _exit(1);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    store_reopen(&f); /* the lock went with the process */
    ck_assert_int_eq(named(&f, "killed")->state, SKL_CONTAINER_RUNNING);
    ck_assert_int_eq(named(&f, "killed")->pid, 9);
    ck_assert_uint_eq(f.s->execs_by_id.n, 1);
    {
        struct skl_exec *x = SKL_LIST_ENTRY(f.s->execs.next, struct skl_exec, in_store);

        ck_assert(x->started && !x->running && !x->has_exit_code);
    }
}
END_TEST

START_TEST(a_full_disk_changes_nothing)
{
    struct rlimit before, small;
    struct skl_container *c = add_container(&f, "a"), *b = skl_container_new();
    struct stat st;
    char path[128];
    int rc = 0;

    b->name = skl_strdup("b");
    b->spec.config_json = skl_alloc0(1, 1 << 20);
    memset(b->spec.config_json, 'x', (1 << 20) - 1);
    run_container(&f, c);
    skl_buf_reset(&f.events);
    snprintf(path, sizeof(path), "%s/state.db-wal", f.dir);
    ck_assert_int_eq(stat(path, &st), 0);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = (rlim_t)st.st_size;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    rc = skl_container_exited(f.s, c, &(struct skl_end){.rank = SKL_END_AGENT, .code = 3}, false,
                              &f.err);
    ck_assert_int_lt(rc, 0);
    ck_assert_int_lt(skl_container_add(f.s, b, &f.err), 0);
    ck_assert_int_lt(skl_container_rename(f.s, c, "c", NULL), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_ptr_nonnull(strstr(f.err.msg, f.dir)); /* the message says where */
    ck_assert_int_eq(c->state, SKL_CONTAINER_RUNNING);
    ck_assert_int_eq(c->exit_code, 0);
    ck_assert_uint_eq(skl_container_count(f.s, SKL_CONTAINER_RUNNING), 1);
    ck_assert_ptr_null(skl_container_by_name(f.s, "b"));
    expect_events(&f, "");
    /* room again: the same transition succeeds, and what is on disk is what is in memory */
    ck_assert_int_eq(skl_container_exited(f.s, c,
                                          &(struct skl_end){.rank = SKL_END_AGENT, .code = 3},
                                          false, &f.err),
                     0);
    store_reopen(&f);
    ck_assert_int_eq(named(&f, "a")->exit_code, 3);
    ck_assert_uint_eq(f.s->containers_by_id.n, 1);
}
END_TEST

START_TEST(a_second_daemon_is_refused)
{
    struct skl_store *s = NULL;
    char pid[32];

    snprintf(pid, sizeof(pid), "process id %ld", (long)getpid());
    ck_assert_int_lt(skl_store_open(&f.loop, f.dir, &s, &f.err), 0);
    ck_assert_ptr_nonnull(strstr(f.err.msg, "in use by another daemon"));
    ck_assert_ptr_nonnull(strstr(f.err.msg, pid));
    ck_assert_ptr_nonnull(strstr(f.err.msg, f.dir));
}
END_TEST

START_TEST(files_are_for_the_owner_only)
{
    static const char *const names[] = {"", "/state.db", "/state.db-wal", "/lock"};
    struct stat st;
    char path[128];

    add_container(&f, "a");
    for (size_t i = 0; i < SKL_ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s%s", f.dir, names[i]);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 077, 0);
    }
}
END_TEST

/* Runs SQL on the closed database, or writes garbage into it when sql is NULL; then opens the store. */
static int open_after(const char *statements)
{
    char path[128];
    sqlite3 *db = NULL;
    int fd, rc;

    skl_journal_unsubscribe(&f.sub);
    skl_store_close(f.s);
    f.s = NULL;
    snprintf(path, sizeof(path), "%s/state.db", f.dir);
    if (statements) {
        ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(db, statements, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
    } else {
        fd = open(path, O_WRONLY | O_TRUNC);
        ck_assert_int_eq(write(fd, "this is no database, it only looks like a file", 46), 46);
        close(fd);
    }
    rc = skl_store_open(&f.loop, f.dir, &f.s, &f.err);
    return rc;
}

START_TEST(a_damaged_database_says_where_it_is_and_what_to_do)
{
    static const char *const damages[] = {
        NULL,
        "UPDATE container_spec SET body = '{'",
        "UPDATE container SET id = 'x'",
        "UPDATE container SET cloud = '[]'",
        "UPDATE network SET body = '7'",
    };

    add_container(&f, "a");
    ck_assert_int_lt(open_after(damages[_i]), 0);
    ck_assert_ptr_null(f.s);
    ck_assert_ptr_nonnull(strstr(f.err.msg, f.dir));
    ck_assert_ptr_nonnull(strstr(f.err.msg, "move"));
}
END_TEST

START_TEST(a_newer_schema_is_refused)
{
    ck_assert_int_lt(open_after("PRAGMA user_version = 99"), 0);
    ck_assert_ptr_nonnull(strstr(f.err.msg, "newer version"));
}
END_TEST

START_TEST(a_store_in_memory_works_and_leaves_nothing)
{
    struct skl_store *s = NULL;
    struct skl_container *c = skl_container_new();

    c->name = skl_strdup("a");
    ck_assert_int_eq(skl_store_open(&f.loop, ":memory:", &s, &f.err), 0);
    ck_assert_int_eq(skl_container_add(s, c, &f.err), 0);
    skl_store_close(s);
    ck_assert_int_ne(access(":memory:", F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_disk");
    TCase *tc = tcase_create("disk");
    SRunner *sr = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_member_comes_back);
    tcase_add_test(tc, save_keeps_what_update_changed);
    tcase_add_test(tc, instance_and_order_are_kept);
    tcase_add_test(tc, a_kill_loses_no_transition_that_returned);
    tcase_add_test(tc, a_full_disk_changes_nothing);
    tcase_add_test(tc, a_second_daemon_is_refused);
    tcase_add_test(tc, files_are_for_the_owner_only);
    tcase_add_loop_test(tc, a_damaged_database_says_where_it_is_and_what_to_do, 0, 5);
    tcase_add_test(tc, a_newer_schema_is_refused);
    tcase_add_test(tc, a_store_in_memory_works_and_leaves_nothing);
    suite_add_tcase(suite, tc);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
