/* Output on disk: what is appended comes back, in order, once, after any end of the process. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "spool/spool_internal.h"

static uv_loop_t loop;
static char dir[64];
static struct skl_spool *s;
static struct skl_error err;

static void setup(void)
{
    snprintf(dir, sizeof(dir), "/tmp/skl-spool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    s = skl_spool_new(&loop, dir, "c", 0, 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static void teardown(void)
{
    skl_spool_close(s);
    s = NULL;
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void reopen(int64_t max_bytes, unsigned max_files)
{
    skl_spool_close(s);
    uv_run(&loop, UV_RUN_DEFAULT);
    s = skl_spool_new(&loop, dir, "c", max_bytes, max_files);
}

/* -- a reader that collects */

struct collected {
    struct skl_buf text;
    struct skl_spool_reader *r;
    int ended;
    bool pause_next, close_next;
    bool pause_always;
};

static bool on_data(void *arg, enum skl_spool_stream stream, int64_t time_ns, struct skl_str data)
{
    struct collected *c = arg;

    ck_assert_int_eq(c->ended, 0);
    skl_buf_addstr(&c->text, data);
    if (c->close_next)
        skl_spool_reader_close(&c->r);
    if (c->pause_next || c->pause_always) {
        c->pause_next = false;
        return false;
    }
    return true;
}

static void on_end(void *arg)
{
    struct collected *c = arg;

    c->ended++;
    c->r = NULL;
}

static const struct skl_spool_events events = {on_data, on_end};

static void collect(struct collected *c, enum skl_spool_from from, enum skl_spool_until until,
                    bool wait_next_run)
{
    struct skl_spool_read_options options = {
        .from = from, .until = until, .wait_next_run = wait_next_run};

    skl_buf_init(&c->text, 1 << 28);
    c->r = skl_spool_read(s, &options, &events, c);
    ck_assert_uint_eq(c->text.n, 0); /* no callback before it returned */
}

static void spin(void)
{
    for (int i = 0; i < 400; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
}

static void expect(struct collected *c, const char *text, int ended)
{
    spin();
    ck_assert_str_eq(c->text.p, text);
    ck_assert_int_eq(c->ended, ended);
}

static void end(struct collected *c)
{
    skl_spool_reader_close(&c->r);
    skl_buf_fini(&c->text);
}

static void put(const char *instance, uint64_t offset, const char *text)
{
    ck_assert_msg(skl_spool_append(s, instance, offset, SKL_SPOOL_STDOUT, 5, skl_str(text), &err) ==
                      0,
                  "%s", err.msg);
}

/* -- writing and coming back */

START_TEST(nothing_is_made_before_the_first_append)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/c", dir);
    ck_assert(skl_spool_is_empty(s));
    ck_assert_uint_eq(skl_spool_resume_offset(s, "i"), 0);
    ck_assert_int_ne(access(path, F_OK), 0);
    put("i", 0, "a");
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert(!skl_spool_is_empty(s));
}
END_TEST

START_TEST(bytes_that_are_there_are_skipped)
{
    struct collected c = {0};

    put("i", 0, "hello ");
    put("i", 0, "hello world"); /* sent again after a lost connection */
    put("i", 3, "lo");
    ck_assert_uint_eq(skl_spool_resume_offset(s, "i"), 11);
    ck_assert_uint_eq(skl_spool_resume_offset(s, "other"), 0);
    put("other", 0, "!");
    ck_assert_uint_eq(skl_spool_resume_offset(s, "other"), 1);
    collect(&c, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_NOW, false);
    expect(&c, "hello world!", 1);
    end(&c);
}
END_TEST

START_TEST(a_gap_does_not_stop_what_comes)
{
    struct collected c = {0};

    put("i", 0, "ab");
    put("i", 10, "cd");
    ck_assert_uint_eq(skl_spool_resume_offset(s, "i"), 12);
    reopen(0, 0);
    ck_assert_uint_eq(skl_spool_resume_offset(s, "i"), 12);
    collect(&c, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_NOW, false);
    expect(&c, "abcd", 1);
    end(&c);
}
END_TEST

static void truncate_last(off_t size)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/c/1.log", dir);
    ck_assert_int_eq(truncate(path, size), 0);
}

START_TEST(a_file_cut_at_any_byte_resumes_without_loss_or_repeat)
{
    /* two marks and three frames; then everything is sent again from the resume offset */
    const char *text = "0123456789abcdef";
    struct collected c = {0};
    uint64_t offset;

    put("old", 0, "x");
    put("i", 0, "0123");
    put("i", 4, "4567");
    truncate_last(_i); /* the size of the whole file is reached by the last turns: nothing is cut */
    reopen(0, 0);
    offset = skl_spool_resume_offset(s, "i");
    ck_assert_uint_eq(offset % 4, 0); /* whole frames only */
    ck_assert_uint_le(offset, 8);
    put("i", offset, text + offset);
    ck_assert_uint_eq(skl_spool_resume_offset(s, "i"), 16);
    reopen(0, 0);
    ck_assert_uint_eq(skl_spool_resume_offset(s, "i"), 16);
    collect(&c, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_NOW, false);
    spin();
    ck_assert_int_eq(c.ended, 1);
    ck_assert_str_eq(c.text.p[0] == 'x' ? c.text.p + 1 : c.text.p, text);
    end(&c);
}
END_TEST

START_TEST(a_segment_without_its_mark_is_taken_back)
{
    char path[128];
    int fd;

    put("i", 0, "hello");
    snprintf(path, sizeof(path), "%s/c/2.log", dir);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "torn", 4), 4);
    close(fd);
    reopen(0, 0);
    ck_assert_uint_eq(skl_spool_resume_offset(s, "i"), 5);
    put("i", 5, "!");
    reopen(0, 0);
    ck_assert_uint_eq(skl_spool_resume_offset(s, "i"), 6);
}
END_TEST

START_TEST(what_append_returned_for_survives_a_kill)
{
    struct collected c = {0};
    int status;
    pid_t child = fork();

    if (child == 0) {
        put("i", 0, "survives");
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_uint_eq(skl_spool_resume_offset(s, "i"), 8);
    collect(&c, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_NOW, false);
    expect(&c, "survives", 1);
    end(&c);
}
END_TEST

START_TEST(a_full_disk_fails_an_append_and_loses_nothing)
{
    struct rlimit before, small;
    struct collected c = {0};
    char big[4096];

    memset(big, 'x', sizeof(big));
    put("i", 0, "kept");
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1024;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    ck_assert_int_lt(
        skl_spool_append(s, "i", 4, SKL_SPOOL_STDOUT, 5, skl_str_n(big, sizeof(big)), &err), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_uint_eq(skl_spool_resume_offset(s, "i"), 4);
    put("i", 4, " on");
    collect(&c, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_NOW, false);
    expect(&c, "kept on", 1);
    end(&c);
}
END_TEST

/* -- runs */

START_TEST(attach_before_start_follows_the_next_run_to_its_end)
{
    struct collected c = {0};

    collect(&c, SKL_SPOOL_FROM_NOW, SKL_SPOOL_UNTIL_RUN_END, true);
    expect(&c, "", 0);
    ck_assert_int_eq(skl_spool_begin_run(s, 1, &err), 0);
    put("i", 0, "one");
    expect(&c, "one", 0);
    put("i", 3, " two");
    ck_assert_int_eq(skl_spool_end_run(s, 1, &err), 0);
    put("i", 7, " late"); /* behind the end of the run */
    expect(&c, "one two", 1);
    end(&c);
}
END_TEST

START_TEST(a_run_without_output_here_ends_who_waited_for_it)
{
    struct collected c = {0};

    collect(&c, SKL_SPOOL_FROM_NOW, SKL_SPOOL_UNTIL_RUN_END, true);
    ck_assert_int_eq(skl_spool_end_run(s, 1, &err), 0); /* had no agent: never begun here */
    expect(&c, "", 1);
    end(&c);
    ck_assert(skl_spool_is_empty(s));
}
END_TEST

START_TEST(following_an_exited_container_gives_everything_and_ends)
{
    struct collected c = {0};

    ck_assert_int_eq(skl_spool_begin_run(s, 1, &err), 0);
    put("i", 0, "first ");
    ck_assert_int_eq(skl_spool_end_run(s, 1, &err), 0);
    ck_assert_int_eq(skl_spool_begin_run(s, 2, &err), 0);
    put("j", 0, "second");
    ck_assert_int_eq(skl_spool_end_run(s, 2, &err), 0);
    collect(&c, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_RUN_END, false);
    expect(&c, "first second", 1);
    end(&c);
}
END_TEST

START_TEST(a_restart_is_not_followed)
{
    struct collected one = {0}, all = {0};

    ck_assert_int_eq(skl_spool_begin_run(s, 1, &err), 0);
    collect(&one, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_RUN_END, false);
    collect(&all, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_CLOSE, false);
    put("i", 0, "one");
    /* the next run begins before the reader had its turn, and nobody told the end of the first */
    ck_assert_int_eq(skl_spool_begin_run(s, 2, &err), 0);
    put("j", 0, "two");
    expect(&one, "one", 1);
    expect(&all, "onetwo", 0);
    end(&one);
    skl_spool_close(s);
    s = skl_spool_new(&loop, dir, "c", 0, 0);
    expect(&all, "onetwo", 1);
    end(&all);
}
END_TEST

START_TEST(times_bound_what_a_reader_gets)
{
    struct skl_spool_read_options options = {
        .until = SKL_SPOOL_UNTIL_CLOSE, .since_ns = 2, .until_ns = 3};
    struct collected c = {0};

    for (int i = 1; i <= 4; i++)
        ck_assert_int_eq(skl_spool_append(s, "i", (uint64_t)i - 1, SKL_SPOOL_STDERR, i,
                                          skl_str_n("1234" + i - 1, 1), &err),
                         0);
    skl_buf_init(&c.text, 100);
    c.r = skl_spool_read(s, &options, &events, &c);
    expect(&c, "23", 1); /* it follows, but nothing that it wants can come */
    end(&c);
}
END_TEST

/* -- pausing, closing, deleting */

START_TEST(a_paused_reader_goes_on_behind_the_piece)
{
    struct collected c = {.pause_next = true};

    put("i", 0, "a");
    put("i", 1, "b");
    collect(&c, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_NOW, false);
    expect(&c, "a", 0);
    put("i", 2, "c");
    expect(&c, "a", 0);
    skl_spool_reader_resume(c.r);
    expect(&c, "ab", 1);
    end(&c);
}
END_TEST

START_TEST(a_reader_may_close_itself_in_its_callback)
{
    struct collected c = {.close_next = true};

    put("i", 0, "a");
    put("i", 1, "b");
    collect(&c, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_CLOSE, false);
    expect(&c, "a", 0);
    end(&c);
}
END_TEST

START_TEST(a_slow_reader_gets_everything_of_a_deleted_spool)
{
    struct collected c = {.pause_next = true}, gone = {.pause_next = true};
    char path[128];

    put("i", 0, "a");
    put("i", 1, "b");
    collect(&c, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_RUN_END, true);
    collect(&gone, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_CLOSE, true);
    spin();
    skl_spool_delete(s);
    s = NULL;
    snprintf(path, sizeof(path), "%s/c", dir);
    ck_assert_int_ne(access(path, F_OK), 0);
    expect(&c, "a", 0);
    end(&gone);
    skl_spool_reader_resume(c.r);
    expect(&c, "ab", 1);
    end(&c);
}
END_TEST

/* -- rotation */

static void on_room(void *arg)
{
    ++*(int *)arg;
}

static uint64_t fill(uint64_t offset, size_t n)
{
    char block[4096];

    for (size_t i = 0; i < n; i++) {
        memset(block, 'a' + (int)(i % 26), sizeof(block));
        ck_assert_int_eq(skl_spool_append(s, "i", offset, SKL_SPOOL_STDOUT, 1,
                                          skl_str_n(block, sizeof(block)), &err),
                         0);
        offset += sizeof(block);
    }
    return offset;
}

START_TEST(old_segments_go_unless_a_reader_needs_them)
{
    struct collected c = {.pause_always = true};
    int room = 0;
    uint64_t offset;

    reopen(256 * 1024, 2);
    skl_spool_on_room(s, on_room, &room);
    offset = fill(0, 300);
    ck_assert(!skl_spool_is_full(s));
    ck_assert_int_le(skl_spool_bytes(s), 3 * 256 * 1024);
    collect(&c, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_CLOSE, false);
    spin();
    offset = fill(offset, 300);
    ck_assert(skl_spool_is_full(s));
    spin();
    ck_assert_int_eq(room, 0);
    end(&c); /* the reader that held them leaves */
    spin();
    ck_assert(!skl_spool_is_full(s));
    ck_assert_int_eq(room, 1);
    reopen(256 * 1024, 2);
    ck_assert_uint_eq(skl_spool_resume_offset(s, "i"), offset);
}
END_TEST

START_TEST(a_long_replay_leaves_the_loop_its_turns)
{
    struct collected c = {0};

    reopen(0, 0);
    fill(0, 1024);
    collect(&c, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_NOW, false);
    uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_uint_le(c.text.n, 512 * 1024);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(c.text.n, 4 * 1024 * 1024);
    ck_assert_int_eq(c.ended, 1);
    end(&c);
}
END_TEST

START_TEST(a_paused_reader_of_a_closed_spool_gets_its_end)
{
    struct collected c = {.pause_always = true};

    put("i", 0, "a");
    collect(&c, SKL_SPOOL_FROM_START, SKL_SPOOL_UNTIL_CLOSE, false);
    expect(&c, "a", 0);
    reopen(0, 0);
    expect(&c, "a", 1);
    end(&c);
}
END_TEST

START_TEST(lines_are_counted_over_frames_and_streams)
{
    put("i", 0, "one\ntw");
    put("i", 6, "o\nthree");
    ck_assert_int_eq(
        skl_spool_append(s, "i", 13, SKL_SPOOL_STDERR, 9, skl_str("err\nerr2\n"), &err), 0);
    ck_assert_int_eq(skl_spool_count_lines(s, 0, 0, true, false), 3);
    ck_assert_int_eq(skl_spool_count_lines(s, 0, 0, false, true), 2);
    ck_assert_int_eq(skl_spool_count_lines(s, 0, 0, true, true), 5);
    ck_assert_int_eq(skl_spool_count_lines(s, 6, 0, true, true), 2);
}
END_TEST

/* -- random histories against a model: a plain string */

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

struct follower {
    struct collected c;
    size_t from; /* where in the model it began */
    bool active;
};

static void check_follower(struct follower *w, const struct skl_buf *model)
{
    spin();
    ck_assert_uint_eq(w->c.text.n, model->n - w->from);
    ck_assert_int_eq(memcmp(w->c.text.p, model->p + w->from, w->c.text.n), 0);
}

static void random_append(struct skl_buf *model, unsigned *seed)
{
    char piece[70000];
    size_t n = next_random(seed) % (next_random(seed) % 10 ? 300 : sizeof(piece));
    size_t again = next_random(seed) % 20;

    again = again > model->n ? model->n : again; /* sent again after a lost acknowledgement */
    memcpy(piece, model->p + model->n - again, again);
    n = n < again ? again : n;
    for (size_t i = again; i < n; i++)
        piece[i] = (char)('!' + next_random(seed) % 90);
    ck_assert_int_eq(skl_spool_append(s, "i", model->n - again,
                                      next_random(seed) % 2 ? SKL_SPOOL_STDOUT : SKL_SPOOL_STDERR,
                                      1, skl_str_n(piece, n), &err),
                     0);
    skl_buf_add(model, piece + again, n - again);
}

START_TEST(random_histories_read_as_they_were_written)
{
    unsigned seed = (unsigned)_i * 7919u + 1;
    struct follower w[4] = {0};
    struct skl_buf model;

    skl_buf_init(&model, 1 << 28);
    reopen(256 * 1024, 1000); /* many segments, none is dropped */
    for (int step = 0; step < 300; step++) {
        struct follower *x = &w[next_random(&seed) % 4];

        switch (next_random(&seed) % 12) {
        case 0:
            if (!x->active) {
                bool start = next_random(&seed) % 2;

                x->from = start ? 0 : model.n;
                x->c = (struct collected){0};
                collect(&x->c, start ? SKL_SPOOL_FROM_START : SKL_SPOOL_FROM_NOW,
                        SKL_SPOOL_UNTIL_CLOSE, false);
                x->active = true;
            }
            break;
        case 1:
            if (x->active) {
                check_follower(x, &model);
                end(&x->c);
                x->active = false;
            }
            break;
        case 2:
            if (!w[0].active && !w[1].active && !w[2].active && !w[3].active)
                reopen(256 * 1024, 1000);
            ck_assert_uint_eq(skl_spool_resume_offset(s, "i"), model.n);
            break;
        case 3:
            uv_run(&loop, UV_RUN_NOWAIT);
            break;
        default:
            random_append(&model, &seed);
        }
    }
    for (size_t i = 0; i < SKL_ARRAY_LEN(w); i++)
        if (w[i].active) {
            check_follower(&w[i], &model);
            end(&w[i].c);
        }
    skl_buf_fini(&model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spool");
    TCase *tc = tcase_create("spool");
    SRunner *sr = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, nothing_is_made_before_the_first_append);
    tcase_add_test(tc, bytes_that_are_there_are_skipped);
    tcase_add_test(tc, a_gap_does_not_stop_what_comes);
    /* marks of 16 + 8 + 3 and 16 + 8 + 1 bytes, frames of 16 + 1, 16 + 4 and 16 + 4 */
    tcase_add_loop_test(tc, a_file_cut_at_any_byte_resumes_without_loss_or_repeat, 0, 110);
    tcase_add_test(tc, a_segment_without_its_mark_is_taken_back);
    tcase_add_test(tc, what_append_returned_for_survives_a_kill);
    tcase_add_test(tc, a_full_disk_fails_an_append_and_loses_nothing);
    tcase_add_test(tc, attach_before_start_follows_the_next_run_to_its_end);
    tcase_add_test(tc, a_run_without_output_here_ends_who_waited_for_it);
    tcase_add_test(tc, following_an_exited_container_gives_everything_and_ends);
    tcase_add_test(tc, a_restart_is_not_followed);
    tcase_add_test(tc, times_bound_what_a_reader_gets);
    tcase_add_test(tc, a_paused_reader_goes_on_behind_the_piece);
    tcase_add_test(tc, a_reader_may_close_itself_in_its_callback);
    tcase_add_test(tc, a_slow_reader_gets_everything_of_a_deleted_spool);
    tcase_add_test(tc, old_segments_go_unless_a_reader_needs_them);
    tcase_add_test(tc, a_long_replay_leaves_the_loop_its_turns);
    tcase_add_test(tc, a_paused_reader_of_a_closed_spool_gets_its_end);
    tcase_add_test(tc, lines_are_counted_over_frames_and_streams);
    tcase_add_loop_test(tc, random_histories_read_as_they_were_written, 0, 20);
    suite_add_tcase(suite, tc);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
