/* Loop, workers, addresses and streams. */
#include "net/address.h"
#include "net_helper.h"

/* -- addresses */

static const struct {
    const char *text;
    const char *want; /* NULL: refused */
} addresses[] = {
    {"unix:///run/a.sock", "unix:///run/a.sock"},
    {"unix://relative", NULL},
    {"unix://", NULL},
    {"tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"},
    {"tcp://[::1]:1", "tcp://[::1]:1"},
    {"[fe80::1]:65535", "tcp://[fe80::1]:65535"},
    {"[::1]", "tcp://[::1]:99"},
    {"host.example:80", "tcp://host.example:80"},
    {"host", "tcp://host:99"},
    {":9111", "tcp://:9111"},
    {"a:0", "tcp://a:0"},
    {"fd://3", "fd://3"},
    {"fd://x", NULL},
    {"fd://", NULL},
    {"a:65536", NULL},
    {"a:", NULL},
    {"a:-1", NULL},
    {"a: 1", NULL},
    {"::1", NULL},
    {"[::1", NULL},
    {"[::1]x", NULL},
    {"[nonsense]:1", NULL},
    {"http://a:1", NULL},
    {"a/b:1", NULL},
    {"a b:1", NULL},
    {"", NULL},
};

START_TEST(addresses_are_read_or_refused)
{
    struct skl_address a;
    struct skl_error e = {0};
    char out[300];
    int rc = skl_address_parse(addresses[_i].text, 99, &a, &e);
    if (!addresses[_i].want) {
        ck_assert_msg(rc == -SKL_E_INVALID, "%s", addresses[_i].text);
        ck_assert(e.msg[0] != '\0');
        return;
    }
    ck_assert_msg(rc == 0, "%s: %s", addresses[_i].text, e.msg);
    skl_address_format(&a, out, sizeof(out));
    ck_assert_str_eq(out, addresses[_i].want);
}
END_TEST

START_TEST(a_port_is_needed_where_there_is_no_default)
{
    struct skl_address a;
    ck_assert_int_eq(skl_address_parse("host", -1, &a, NULL), -SKL_E_INVALID);
    ck_assert_int_eq(skl_address_parse("host:1", -1, &a, NULL), 0);
}
END_TEST

START_TEST(long_paths_and_hosts_are_refused)
{
    char text[400] = "unix:///";
    struct skl_address a;
    memset(text + 8, 'a', 106);
    ck_assert_int_eq(skl_address_parse(text, 0, &a, NULL), 0);
    memset(text + 8, 'a', 107);
    ck_assert_int_eq(skl_address_parse(text, 0, &a, NULL), -SKL_E_INVALID);
    memset(text, 'a', 256);
    text[256] = '\0';
    ck_assert_int_eq(skl_address_parse(text, 0, &a, NULL), -SKL_E_INVALID);
}
END_TEST

START_TEST(loopback_is_told_from_the_rest)
{
    static const struct {
        const char *text;
        bool want;
    } cases[] = {{"unix:///a", true},   {"127.9.9.9:1", true}, {"[::1]:1", true},
                 {"LocalHost:1", true}, {":1", false},         {"0.0.0.0:1", false},
                 {"10.0.0.1:1", false}, {"other:1", false},    {"127.0.0.1.example.com:1", false},
                 {"fd://3", false}};
    struct skl_address a;
    for (size_t i = 0; i < SKL_ARRAY_LEN(cases); i++) {
        ck_assert_int_eq(skl_address_parse(cases[i].text, 1, &a, NULL), 0);
        ck_assert_msg(skl_address_is_loopback(&a) == cases[i].want, "%s", cases[i].text);
    }
}
END_TEST

/* -- loop */

static char calls[64];

static void note(void *arg)
{
    size_t n = strlen(calls);
    calls[n] = *(const char *)arg;
    calls[n + 1] = '\0';
}

static void note_again(void *arg)
{
    note(arg);
    if (strlen(calls) < 4)
        skl_defer(&net_loop, note_again, arg);
}

START_TEST(deferred_calls_run_later_in_order)
{
    net_begin();
    calls[0] = '\0';
    char one[] = "a", two[] = "b", three[] = "c";
    skl_defer(&net_loop, note, one);
    skl_defer(&net_loop, note_again, two);
    skl_defer(&net_loop, note, three);
    ck_assert_str_eq(calls, "");
    uv_run(&net_loop, UV_RUN_NOWAIT);
    ck_assert_str_eq(calls, "abc"); /* what they defer waits for the next turn */
    net_spin();
    ck_assert_str_eq(calls, "abcb");
    net_end();
}
END_TEST

static struct skl_timer *timer;
static int ticks;

static void tick(void *arg)
{
    if (++ticks == 3)
        skl_timer_cancel(&timer);
}

static void shot(void *arg)
{
    timer = NULL;
    ticks++;
}

START_TEST(timers_fire_and_can_be_canceled)
{
    net_begin();
    ticks = 0;
    timer = skl_timer_repeat(&net_loop, 1, tick, NULL);
    net_until(!timer);
    ck_assert_int_eq(ticks, 3);
    timer = skl_timer_start(&net_loop, 0, shot, NULL);
    skl_timer_cancel(&timer);
    ck_assert_ptr_null(timer);
    timer = skl_timer_start(&net_loop, 1, shot, NULL);
    net_until(!timer);
    ck_assert_int_eq(ticks, 4);
    skl_timer_cancel(&timer);
    net_end();
}
END_TEST

/* -- workers */

struct work {
    uv_sem_t *gate;
    int value, done, canceled;
};

static int done_order[64], n_done, pool_closed;

static void work_run(void *arg)
{
    struct work *w = arg;
    if (w->gate)
        uv_sem_wait(w->gate);
    char deep[100 * 1024]; /* the stack is as large as promised */
    memset(deep, w->value, sizeof(deep));
    w->value += deep[sizeof(deep) - 1];
}

static void work_done(void *arg, bool canceled)
{
    struct work *w = arg;
    w->done++;
    w->canceled += canceled;
    done_order[n_done++] = w->value;
}

static void pool_is_closed(void *arg)
{
    pool_closed++;
}

START_TEST(work_runs_on_threads_and_is_told_once)
{
    struct work jobs[20] = {0};
    net_begin();
    n_done = pool_closed = 0;
    struct skl_workers *w = skl_workers_new(&net_loop, 4);
    for (int i = 0; i < 20; i++) {
        jobs[i].value = i;
        skl_work_submit(w, work_run, work_done, &jobs[i]);
    }
    ck_assert_int_eq(n_done, 0);
    net_until(n_done == 20);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(jobs[i].done, 1);
        ck_assert_int_eq(jobs[i].value, 2 * i);
        ck_assert_int_eq(jobs[i].canceled, 0);
    }
    skl_workers_close(w, pool_is_closed, NULL);
    net_until(pool_closed == 1);
    net_end();
}
END_TEST

START_TEST(one_worker_keeps_the_order)
{
    struct work jobs[10] = {0};
    net_begin();
    n_done = pool_closed = 0;
    struct skl_workers *w = skl_workers_new(&net_loop, 1);
    for (int i = 0; i < 10; i++) {
        jobs[i].value = i;
        skl_work_submit(w, work_run, work_done, &jobs[i]);
    }
    net_until(n_done == 10);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(done_order[i], 2 * i);
    skl_workers_close(w, pool_is_closed, NULL);
    net_until(pool_closed == 1);
    net_end();
}
END_TEST

START_TEST(closing_cancels_what_waits_and_waits_for_what_runs)
{
    struct work jobs[4] = {0};
    uv_sem_t gate;
    net_begin();
    uv_sem_init(&gate, 0);
    n_done = pool_closed = 0;
    struct skl_workers *w = skl_workers_new(&net_loop, 1);
    for (int i = 0; i < 4; i++) {
        jobs[i].gate = &gate;
        skl_work_submit(w, work_run, work_done, &jobs[i]);
    }
    net_until(skl_workers_busy(w) == 1);
    ck_assert_uint_eq(skl_workers_queued(w), 3);
    skl_workers_close(w, pool_is_closed, NULL);
    net_until(n_done == 3);
    ck_assert_int_eq(pool_closed, 0);
    ck_assert_int_eq(jobs[0].done, 0);
    uv_sem_post(&gate);
    net_until(pool_closed == 1);
    ck_assert_int_eq(jobs[0].canceled, 0);
    for (int i = 1; i < 4; i++)
        ck_assert_int_eq(jobs[i].canceled, 1);
    uv_sem_destroy(&gate);
    net_end();
}
END_TEST

/* -- streams */

static struct net_seen a_seen, b_seen;
static struct skl_stream *a, *b;

static void begin_pair(void)
{
    int fds[2];
    net_begin();
    net_pair(fds);
    a = net_stream(fds[0]);
    b = net_stream(fds[1]);
    net_watch(a, &a_seen);
    net_watch(b, &b_seen);
}

static void end_pair(void)
{
    skl_stream_close(a);
    skl_stream_close(b);
    skl_buf_fini(&a_seen.data);
    skl_buf_fini(&b_seen.data);
    net_end();
}

START_TEST(bytes_arrive_in_order_and_are_counted)
{
    const struct skl_str parts[] = {SKL_STR("one "), SKL_STR(""), SKL_STR("two")};
    begin_pair();
    skl_stream_read_start(b);
    skl_stream_writev(a, parts, 3);
    ck_assert_str_eq(b_seen.data.p, "");
    net_until(b_seen.data.n == 7);
    ck_assert_str_eq(b_seen.data.p, "one two");
    ck_assert_uint_eq(skl_stream_bytes_in(b), 7);
    skl_stream_read_stop(b);
    skl_stream_write(a, "x", 1);
    net_spin();
    ck_assert_uint_eq(b_seen.data.n, 7);
    end_pair();
}
END_TEST

START_TEST(the_queue_is_counted_to_the_byte_and_drains_once)
{
    size_t total = 0, block_n = 10007;
    char *block = skl_alloc0(1, block_n);
    begin_pair();
    while (!skl_stream_congested(a)) {
        memset(block, 'a' + (int)(total % 26), block_n);
        skl_stream_write(a, block, block_n);
        total += block_n;
    }
    size_t queued = skl_stream_queued(a);
    ck_assert_uint_ge(queued, SKL_STREAM_HIGH_WATER);
    ck_assert_uint_lt(queued, total); /* the kernel took some */
    skl_stream_write(a, "12345", 5);
    ck_assert_uint_eq(skl_stream_queued(a), queued + 5);
    net_spin();
    ck_assert_int_eq(a_seen.drains, 0);
    skl_stream_read_start(b);
    net_until(b_seen.data.n == total + 5);
    net_until(skl_stream_queued(a) == 0);
    ck_assert_int_eq(a_seen.drains, 1);
    for (size_t at = 0; at < total; at += block_n)
        ck_assert_int_eq(b_seen.data.p[at + block_n - 1], 'a' + (int)(at % 26));
    ck_assert_str_eq(b_seen.data.p + total, "12345");
    free(block);
    end_pair();
}
END_TEST

START_TEST(many_small_writes_to_a_full_stream_cost_little_memory)
{
    char block[65536] = "";
    begin_pair();
    while (!skl_stream_queued(a))
        skl_stream_write(a, block, sizeof(block));
    size_t before = skl_stream_queued(a);
    for (int i = 0; i < 100000; i++)
        skl_stream_write(a, "0123456789", 10);
    ck_assert_uint_eq(skl_stream_queued(a), before + 1000000);
    skl_stream_read_start(b);
    net_until(skl_stream_queued(a) == 0);
    end_pair();
}
END_TEST

START_TEST(each_half_ends_alone)
{
    begin_pair();
    skl_stream_read_start(a);
    skl_stream_read_start(b);
    skl_stream_write(a, "bye", 3);
    skl_stream_shutdown(a);
    skl_stream_write(a, "lost", 4); /* after its end: nothing */
    net_until(b_seen.eofs == 1);
    ck_assert_str_eq(b_seen.data.p, "bye");
    skl_stream_write(b, "still", 5);
    net_until(a_seen.data.n == 5);
    skl_stream_shutdown(b);
    net_until(a_seen.eofs == 1);
    ck_assert_int_eq(a_seen.closes + b_seen.closes, 0);
    end_pair();
}
END_TEST

START_TEST(shutdown_comes_after_what_is_queued)
{
    char *block = skl_alloc0(1, 1 << 20);
    begin_pair();
    for (int i = 0; i < 3; i++)
        skl_stream_write(a, block, 1 << 20);
    skl_stream_shutdown(a);
    skl_stream_read_start(b);
    net_until(b_seen.eofs == 1);
    ck_assert_uint_eq(b_seen.data.n, 3u << 20);
    free(block);
    end_pair();
}
END_TEST

START_TEST(a_closed_peer_breaks_the_writer_once)
{
    begin_pair();
    skl_stream_close(b);
    b = NULL;
    net_spin();
    skl_stream_write(a, "x", 1);
    skl_stream_write(a, "y", 1);
    ck_assert_int_eq(a_seen.closes, 0); /* not before the call returns */
    net_until(a_seen.closes == 1);
    skl_stream_write(a, "z", 1);
    skl_stream_read_start(a);
    net_spin();
    ck_assert_int_eq(a_seen.closes, 1);
    ck_assert_int_eq(a_seen.why.kind, SKL_E_UNAVAILABLE);
    end_pair();
}
END_TEST

START_TEST(a_hang_up_is_noticed_after_half_close)
{
    begin_pair();
    skl_stream_read_start(a);
    skl_stream_shutdown(b);
    net_until(a_seen.eofs == 1);
    skl_stream_close(b);
    b = NULL;
    net_until(a_seen.closes == 1);
    end_pair();
}
END_TEST

START_TEST(what_is_given_back_comes_first)
{
    begin_pair();
    skl_stream_write(b, "new", 3);
    skl_stream_unread(a, "second ", 7);
    skl_stream_unread(a, "first ", 6);
    skl_stream_read_start(a);
    ck_assert_uint_eq(a_seen.data.n, 0);
    net_until(a_seen.data.n == 16);
    ck_assert_str_eq(a_seen.data.p, "first second new");
    end_pair();
}
END_TEST

START_TEST(a_new_owner_learns_of_the_end)
{
    struct net_seen second;
    begin_pair();
    skl_stream_read_start(a);
    skl_stream_shutdown(b);
    net_until(a_seen.eofs == 1);
    net_watch(a, &second);
    net_until(second.eofs == 1);
    skl_stream_close(b);
    b = NULL;
    net_until(second.closes == 1);
    net_watch(a, &second);
    net_until(second.closes == 1);
    end_pair();
}
END_TEST

static void close_in_data(void *arg, const uint8_t *p, size_t n)
{
    ticks++;
    skl_stream_close(a);
    a = NULL;
}

START_TEST(closing_in_a_callback_ends_the_callbacks)
{
    const struct skl_stream_events events = {close_in_data, net_on_eof, NULL, net_on_close};
    begin_pair();
    ticks = 0;
    skl_stream_set_events(a, &events, &a_seen);
    skl_stream_read_start(a);
    skl_stream_write(b, "x", 1);
    skl_stream_shutdown(b);
    net_until(ticks == 1);
    net_spin();
    ck_assert_int_eq(a_seen.eofs + a_seen.closes, 0);
    end_pair();
}
END_TEST

START_TEST(closing_drops_what_is_queued)
{
    char *block = skl_alloc0(1, 4 << 20);
    begin_pair();
    skl_stream_write(a, block, 4 << 20);
    skl_stream_close(a);
    a = NULL;
    skl_stream_read_start(b);
    net_until(b_seen.eofs + b_seen.closes == 1);
    ck_assert_uint_lt(b_seen.data.n, 4u << 20);
    free(block);
    end_pair();
}
END_TEST

START_TEST(graceful_close_delivers_and_drops_input)
{
    char *block = skl_alloc0(1, 1 << 20);
    begin_pair();
    skl_stream_write(a, block, 1 << 20);
    skl_stream_close_gracefully(a, 10000);
    a = NULL;
    skl_stream_write(b, block, 1 << 20); /* unread input must not turn the close into a reset */
    skl_stream_read_start(b);
    net_until(b_seen.eofs == 1);
    ck_assert_uint_eq(b_seen.data.n, 1u << 20);
    ck_assert_int_eq(b_seen.closes, 0);
    free(block);
    end_pair();
}
END_TEST

START_TEST(graceful_close_has_a_deadline)
{
    char *block = skl_alloc0(1, 4 << 20);
    begin_pair();
    skl_stream_write(a, block, 4 << 20); /* nobody reads */
    skl_stream_close_gracefully(a, 20);
    a = NULL;
    free(block);
    int64_t until = skl_mono_ms() + 60;
    net_until(skl_mono_ms() > until);
    skl_stream_read_start(b);
    net_until(b_seen.eofs + b_seen.closes > 0);
    end_pair();
}
END_TEST

START_TEST(a_terminal_ends_when_its_last_user_goes)
{
    struct net_seen seen;
    net_begin();
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master) + unlockpt(master), 0);
    int user = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(user, 0);
    struct skl_stream *s = net_stream(master);
    net_watch(s, &seen);
    skl_stream_read_start(s);
    ck_assert_int_eq(write(user, "out\n", 4), 4);
    net_until(seen.data.n == 5);
    ck_assert_str_eq(seen.data.p, "out\r\n");
    skl_stream_write(s, "in\n", 3);
    char line[8];
    ck_assert_int_eq(read(user, line, sizeof(line)), 3);
    close(user);
    net_until(seen.eofs == 1);
    ck_assert_int_eq(seen.closes, 0);
    skl_stream_close(s);
    skl_buf_fini(&seen.data);
    net_end();
}
END_TEST

START_TEST(pipes_end_by_closing)
{
    int fds[2];
    struct net_seen in, out;
    net_begin();
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    struct skl_stream *r = net_stream(fds[0]), *w = net_stream(fds[1]);
    net_watch(r, &in);
    net_watch(w, &out);
    skl_stream_read_start(r);
    skl_stream_write(w, "piped", 5);
    skl_stream_shutdown(w);
    net_until(in.eofs == 1);
    ck_assert_str_eq(in.data.p, "piped");
    skl_stream_close(w);
    skl_stream_close(r);
    skl_buf_fini(&in.data);
    /* The same by a graceful close, which has nothing to wait for. */
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    r = net_stream(fds[0]);
    w = net_stream(fds[1]);
    net_watch(r, &in);
    skl_stream_read_start(r);
    skl_stream_write(w, "last", 4);
    skl_stream_close_gracefully(w, 3600 * 1000);
    net_until(in.eofs == 1);
    ck_assert_str_eq(in.data.p, "last");
    skl_stream_close(r);
    skl_buf_fini(&in.data);
    net_end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("net");
    TCase *t = tcase_create("net");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, addresses_are_read_or_refused, 0, (int)SKL_ARRAY_LEN(addresses));
    tcase_add_test(t, a_port_is_needed_where_there_is_no_default);
    tcase_add_test(t, long_paths_and_hosts_are_refused);
    tcase_add_test(t, loopback_is_told_from_the_rest);
    tcase_add_test(t, deferred_calls_run_later_in_order);
    tcase_add_test(t, timers_fire_and_can_be_canceled);
    tcase_add_test(t, work_runs_on_threads_and_is_told_once);
    tcase_add_test(t, one_worker_keeps_the_order);
    tcase_add_test(t, closing_cancels_what_waits_and_waits_for_what_runs);
    tcase_add_test(t, bytes_arrive_in_order_and_are_counted);
    tcase_add_test(t, the_queue_is_counted_to_the_byte_and_drains_once);
    tcase_add_test(t, many_small_writes_to_a_full_stream_cost_little_memory);
    tcase_add_test(t, each_half_ends_alone);
    tcase_add_test(t, shutdown_comes_after_what_is_queued);
    tcase_add_test(t, a_closed_peer_breaks_the_writer_once);
    tcase_add_test(t, a_hang_up_is_noticed_after_half_close);
    tcase_add_test(t, what_is_given_back_comes_first);
    tcase_add_test(t, a_new_owner_learns_of_the_end);
    tcase_add_test(t, closing_in_a_callback_ends_the_callbacks);
    tcase_add_test(t, closing_drops_what_is_queued);
    tcase_add_test(t, graceful_close_delivers_and_drops_input);
    tcase_add_test(t, graceful_close_has_a_deadline);
    tcase_add_test(t, a_terminal_ends_when_its_last_user_goes);
    tcase_add_test(t, pipes_end_by_closing);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
