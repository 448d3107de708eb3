/* Requests over a session: execs, archives, questions; each gets its end exactly once. */
#include "agent_helper.h"

/* -- what a request was told, in one text */

struct asker {
    struct skl_buf log;
    struct skl_agent_exec *x;
    struct skl_transfer *t;
    bool hold;   /* consumes nothing */
    bool forget; /* the container, in the last callback */
    bool again;  /* asks once more in the last callback */
    int ends;
};

static struct asker asker;

static void told_end(int code, const struct skl_error *err)
{
    skl_buf_addf(&asker.log, "end %d %d %s;", code, err ? (int)err->kind : 0, err ? err->msg : "");
    asker.ends++;
    if (asker.forget)
        skl_agents_forget(agents, ID_A);
}

static void exec_started(void *arg, int pid)
{
    skl_buf_addf(&asker.log, "started %d;", pid);
}

static void exec_output(void *arg, bool is_stderr, struct skl_str data)
{
    if (data.n < 100)
        skl_buf_addf(&asker.log, "out %d " SKL_STR_FMT ";", is_stderr, SKL_STR_ARG(data));
    else
        skl_buf_addf(&asker.log, "out %d (%zu);", is_stderr, data.n);
    if (!asker.hold)
        skl_agent_exec_consumed(asker.x, data.n);
}

static void exec_credit(void *arg)
{
    skl_buf_adds(&asker.log, "credit;");
}

static const struct skl_agent_exec_events exec_events;
static struct skl_process_spec exec_spec = {.argv = helper_argv};

static void exec_end(void *arg, int code, const struct skl_error *err)
{
    asker.x = NULL;
    if (asker.again) {
        asker.again = false;
        asker.x = skl_session_exec(arg, &exec_spec, &exec_events, arg);
    }
    told_end(code, err);
}

static const struct skl_agent_exec_events exec_events = {exec_started, exec_output, exec_credit,
                                                         exec_end};

static void get_stat(void *arg, const struct skl_path_stat *st)
{
    skl_buf_addf(&asker.log, "stat %s %llu %o %s;", st->name, (unsigned long long)st->size,
                 st->mode, st->link_target);
}

static void get_data(void *arg, struct skl_str data)
{
    skl_buf_addf(&asker.log, "data %zu;", data.n);
    if (!asker.hold)
        skl_transfer_consumed(asker.t, data.n);
}

static void transfer_ended(void *arg, const struct skl_error *err)
{
    asker.t = NULL;
    told_end(0, err);
}

static void put_credit(void *arg)
{
    skl_buf_adds(&asker.log, "credit;");
}

static const struct skl_get_events get_events = {get_stat, get_data, transfer_ended};
static const struct skl_put_events put_events = {put_credit, transfer_ended};
static const struct skl_put_options put_options = {"/dst", true, false};

static void answer_stat(void *arg, const struct skl_path_stat *st, const struct skl_error *err)
{
    if (st)
        get_stat(arg, st);
    told_end(0, err);
}

static void answer_top(void *arg, char *const *titles, char *const *cells,
                       const struct skl_error *err)
{
    for (; titles && *titles; titles++)
        skl_buf_addf(&asker.log, "[%s]", *titles);
    for (; cells && *cells; cells++)
        skl_buf_addf(&asker.log, "(%s)", *cells);
    told_end(0, err);
}

static void answer_stats(void *arg, char *const *stats, const struct skl_error *err)
{
    ck_assert(err || stats);
    for (; stats && *stats; stats++)
        skl_buf_addf(&asker.log, "%s,", *stats);
    told_end(0, err);
}

#define asker_told(text)                                                                           \
    do {                                                                                           \
        const char *want_ = (text);                                                                \
        int64_t end_ = skl_mono_ms() + NET_DEADLINE_MS;                                            \
        while (asker.log.n < strlen(want_) && skl_mono_ms() < end_) {                              \
            uv_ref((uv_handle_t *)&net_tick);                                                      \
            uv_run(&net_loop, UV_RUN_ONCE);                                                        \
            uv_unref((uv_handle_t *)&net_tick);                                                    \
        }                                                                                          \
        net_spin();                                                                                \
        ck_assert_str_eq(asker.log.p, want_);                                                      \
        skl_buf_reset(&asker.log);                                                                 \
    } while (0)

static void begin(struct fake *f)
{
    agents_begin();
    memset(&asker, 0, sizeof(asker));
    skl_buf_init(&asker.log, SKL_MIB);
    fake_running(f);
}

static void end(struct fake *f)
{
    fake_end(f);
    agents_end();
    skl_buf_fini(&asker.log);
}

/* An exec on stream 2 whose process runs. */
static void exec_running(struct fake *f)
{
    asker.x = skl_session_exec(owner.s, &exec_spec, &exec_events, owner.s);
    ck_assert_uint_eq(fake_next(f, SKL_FRAME_EXEC)->stream, 2);
    fake_say(f, SKL_FRAME_STARTED, 2, "n", SKL_TAG_PID, 50);
    asker_told("started 50;");
}

static void break_and_return(struct fake *f)
{
    fake_drop(f);
    owner_told("down;");
    fake_connect(f);
    fake_hello_again(f, "i1", 1, 1, 0);
    fake_next(f, SKL_FRAME_WELCOME);
    owner_told("hello i1 1 1;up;");
}

/* -- execs */

START_TEST(an_exec_from_beginning_to_end)
{
    struct fake f = {0};
    begin(&f);
    exec_running(&f);
    skl_agent_exec_stdin(asker.x, SKL_STR("in"));
    skl_agent_exec_stdin_end(asker.x);
    skl_agent_exec_stdin_end(asker.x); /* twice is once */
    skl_agent_exec_resize(asker.x, 3, 4);
    skl_agent_exec_signal(asker.x, 2);
    const struct got *g = fake_next(&f, SKL_FRAME_STDIN);
    ck_assert_uint_eq(g->n, 2);
    ck_assert_uint_eq(g->stream, 2);
    fake_next(&f, SKL_FRAME_END);
    ck_assert_uint_eq(got_num(fake_next(&f, SKL_FRAME_RESIZE), SKL_TAG_ROWS), 3);
    ck_assert_uint_eq(got_num(fake_next(&f, SKL_FRAME_SIGNAL), SKL_TAG_SIGNAL_NO), 2);
    fake_send(&f, SKL_FRAME_STDOUT, 2, SKL_STR("a"));
    fake_send(&f, SKL_FRAME_STDERR, 2, SKL_STR("b"));
    fake_send(&f, SKL_FRAME_STDERR, 2, SKL_STR(""));
    fake_send(&f, SKL_FRAME_END, 2, SKL_STR(""));
    fake_say(&f, SKL_FRAME_EXIT, 2, "n", SKL_TAG_CODE, 3);
    asker_told("out 0 a;out 1 b;end 3 0 ;");
    asker.x = skl_session_exec(owner.s, &exec_spec, &exec_events, owner.s);
    ck_assert_uint_eq(fake_next(&f, SKL_FRAME_EXEC)->stream, 3); /* a number is never used twice */
    end(&f);
}
END_TEST

START_TEST(an_exec_survives_a_reconnect)
{
    struct fake f = {0};
    begin(&f);
    exec_running(&f);
    fake_send(&f, SKL_FRAME_STDOUT, 2, SKL_STR("one"));
    asker_told("out 0 one;");
    fake_drop(&f);
    owner_told("down;");
    skl_agent_exec_stdin(asker.x, SKL_STR("kept"));
    fake_connect(&f);
    fake_hello_again(&f, "i1", 1, 1, 0);
    ck_assert_uint_eq(got_num(fake_next(&f, SKL_FRAME_WELCOME), SKL_TAG_RECEIVED), 3);
    ck_assert_uint_eq(fake_next(&f, SKL_FRAME_STDIN)->n, 4);
    fake_send(&f, SKL_FRAME_STDOUT, 2, SKL_STR("two"));
    fake_say(&f, SKL_FRAME_EXIT, 2, "n", SKL_TAG_CODE, 0);
    asker_told("out 0 two;end 0 0 ;");
    end(&f);
}
END_TEST

START_TEST(an_exec_that_cannot_run_has_its_code_and_words)
{
    static const struct {
        int said, code, kind;
    } cases[] = {
        {126, 126, SKL_E_INTERNAL}, {127, 127, SKL_E_INTERNAL},  {409, -1, SKL_E_CONFLICT},
        {404, -1, SKL_E_NOTFOUND},  {12345, -1, SKL_E_INTERNAL},
    };
    struct fake f = {0};
    char want[100];
    begin(&f);
    asker.x = skl_session_exec(owner.s, &exec_spec, &exec_events, owner.s);
    fake_next(&f, SKL_FRAME_EXEC);
    fake_say(&f, SKL_FRAME_ERROR, 2, "ns", SKL_TAG_CODE, cases[_i].said, SKL_TAG_MESSAGE, "no");
    snprintf(want, sizeof(want), "end %d %d no;", cases[_i].code, cases[_i].kind);
    asker_told(want);
    end(&f);
}
END_TEST

START_TEST(slow_readers_hold_the_sender)
{
    struct fake f = {0};
    char block[SKL_FRAME_MAX_PAYLOAD];
    begin(&f);
    exec_running(&f);
    memset(block, 'o', sizeof(block));
    asker.hold = true;
    for (int i = 0; i < 4; i++)
        fake_send(&f, SKL_FRAME_STDOUT, 2, skl_str_n(block, sizeof(block)));
    asker_told("out 0 (65536);out 0 (65536);out 0 (65536);out 0 (65536);");
    fake_send(&f, SKL_FRAME_STDOUT, 2, SKL_STR("x")); /* beyond the window */
    owner_told("down;");
    asker_told("");
    end(&f);
}
END_TEST

START_TEST(stdin_credit_comes_back)
{
    struct fake f = {0};
    char block[SKL_FRAME_MAX_PAYLOAD] = "";
    size_t n, sent = 0;
    begin(&f);
    exec_running(&f);
    while ((n = skl_agent_exec_credit(asker.x)) > 0) {
        skl_agent_exec_stdin(asker.x, skl_str_n(block, n));
        sent += n;
    }
    ck_assert_uint_eq(sent, SKL_LINK_WINDOW);
    for (size_t i = 0; i < sent; i += sizeof(block))
        fake_next(&f, SKL_FRAME_STDIN);
    fake_say(&f, SKL_FRAME_CREDIT, 2, "nn", SKL_TAG_RECEIVED, (int)f.numbered, SKL_TAG_CONSUMED,
             100);
    asker_told("credit;");
    ck_assert_uint_eq(skl_agent_exec_credit(asker.x), 100);
    end(&f);
}
END_TEST

START_TEST(an_abandoned_exec_still_has_its_code)
{
    struct fake f = {0};
    char block[SKL_FRAME_MAX_PAYLOAD];
    begin(&f);
    exec_running(&f);
    memset(block, 'o', sizeof(block));
    asker.hold = true;
    for (int i = 0; i < 4; i++)
        fake_send(&f, SKL_FRAME_STDOUT, 2, skl_str_n(block, sizeof(block)));
    asker_told("out 0 (65536);out 0 (65536);out 0 (65536);out 0 (65536);");
    skl_agent_exec_abandon(asker.x); /* what was held is given back */
    fake_next(&f, SKL_FRAME_END);
    net_spin();
    for (int i = 0; i < 8; i++)
        fake_send(&f, SKL_FRAME_STDOUT, 2, skl_str_n(block, sizeof(block)));
    fake_say(&f, SKL_FRAME_EXIT, 2, "n", SKL_TAG_CODE, 9);
    asker_told("end 9 0 ;");
    ck_assert(skl_session_is_up(owner.s));
    end(&f);
}
END_TEST

START_TEST(an_exec_that_breaks_the_rules_ends_with_protocol)
{
    struct fake f = {0};
    char want[200];
    begin(&f);
    asker.x = skl_session_exec(owner.s, &exec_spec, &exec_events, owner.s);
    fake_next(&f, SKL_FRAME_EXEC);
    switch (_i) {
    case 0:
        fake_send(&f, SKL_FRAME_STDOUT, 2, SKL_STR("early"));
        break;
    case 1:
        fake_say(&f, SKL_FRAME_EXIT, 2, "n", SKL_TAG_CODE, 0);
        break;
    case 2:
        fake_say(&f, SKL_FRAME_RESULT, 2, "n", SKL_TAG_CODE, 0);
        break;
    case 3:
        fake_say(&f, SKL_FRAME_STARTED, 2, "n", SKL_TAG_PID, -1);
        break;
    }
    owner_told("down;");
    ck_assert_int_eq(asker.ends, 1);
    snprintf(want, sizeof(want), "end -1 %d the agent broke the protocol: ", SKL_E_PROTOCOL);
    ck_assert(skl_str_starts(skl_buf_str(&asker.log), want));
    fake_connect(&f);
    fake_hello_again(&f, "i1", 1, 1, 0);
    ck_assert_uint_eq(fake_next(&f, SKL_FRAME_CLOSE)->stream, 2); /* it learns that it is over */
    fake_next(&f, SKL_FRAME_WELCOME);
    fake_send(&f, SKL_FRAME_STDOUT, 2, SKL_STR("late"));
    fake_say(&f, SKL_FRAME_EXIT, 2, "n", SKL_TAG_CODE, 0);
    owner_told("hello i1 1 1;up;");
    ck_assert_int_eq(asker.ends, 1);
    end(&f);
}
END_TEST

START_TEST(a_second_started_or_output_after_end_breaks_the_rules)
{
    struct fake f = {0};
    begin(&f);
    exec_running(&f);
    if (_i == 0) {
        fake_say(&f, SKL_FRAME_STARTED, 2, "n", SKL_TAG_PID, 51);
    } else {
        fake_send(&f, SKL_FRAME_END, 2, SKL_STR(""));
        fake_send(&f, SKL_FRAME_STDOUT, 2, SKL_STR("x"));
    }
    owner_told("down;");
    ck_assert_int_eq(asker.ends, 1);
    end(&f);
}
END_TEST

START_TEST(the_end_of_the_session_ends_every_request_once)
{
    struct fake f = {0};
    begin(&f);
    exec_running(&f);
    asker.t = skl_session_get(owner.s, "/x", &get_events, NULL);
    (void)skl_session_put(owner.s, &put_options, &put_events, NULL);
    skl_session_stat(owner.s, "/x", answer_stat, NULL);
    skl_session_top(owner.s, "-ef", answer_top, NULL);
    skl_session_stats(owner.s, answer_stats, NULL);
    asker.forget = _i < 2; /* again, inside the first one's end */
    if (_i == 0)
        skl_agents_forget(agents, ID_A);
    else if (_i == 1)
        skl_session_close(owner.s);
    else
        skl_agents_close(skl_take(&agents));
    ck_assert_int_eq(asker.ends, 6);
    owner_told(_i == 2 ? "" : "gone i1;"); /* at the very end the owners are gone already */
    ck_assert_int_eq(asker.ends, 6);
    end(&f);
}
END_TEST

START_TEST(a_request_after_the_end_fails_later)
{
    struct fake f = {0};
    char want[200];
    begin(&f);
    exec_running(&f);
    asker.again = true; /* asks in on_end, of a session that is ending */
    skl_agents_forget(agents, ID_A);
    ck_assert_int_eq(asker.ends, 1);
    ck_assert_ptr_nonnull(asker.x);
    skl_agent_exec_stdin(asker.x, SKL_STR("x")); /* harmless */
    skl_agent_exec_resize(asker.x, 1, 1);
    ck_assert_uint_eq(skl_agent_exec_credit(asker.x), 0);
    snprintf(want, sizeof(want),
             "end -1 %d the agent of the container is gone;end -1 %d the agent of the container is "
             "gone;",
             SKL_E_UNAVAILABLE, SKL_E_UNAVAILABLE);
    asker_told(want);
    end(&f);
}
END_TEST

START_TEST(a_lost_numbering_ends_requests_and_takes_new_ones)
{
    struct fake f = {0};
    begin(&f);
    exec_running(&f);
    fake_drop(&f);
    owner_told("down;");
    asker.again = true;
    f.numbered = 1000;
    fake_connect(&f);
    fake_hello_again(&f, "i1", 1, 1, 0);
    fake_next(&f, SKL_FRAME_WELCOME);
    ck_assert_uint_eq(fake_next(&f, SKL_FRAME_EXEC)->stream, 3);
    ck_assert_int_eq(asker.ends, 1);
    skl_buf_reset(&asker.log);
    fake_say(&f, SKL_FRAME_STARTED, 3, "n", SKL_TAG_PID, 60);
    asker_told("started 60;");
    end(&f);
}
END_TEST

START_TEST(a_request_that_is_too_large_fails_later)
{
    struct fake f = {0};
    char *big = skl_alloc0(1, SKL_WS_MAX_MESSAGE), *argv[] = {big, NULL};
    struct skl_process_spec spec = {.argv = argv};
    begin(&f);
    memset(big, 'x', SKL_WS_MAX_MESSAGE - 1);
    asker.x = skl_session_exec(owner.s, &spec, &exec_events, NULL);
    skl_session_stat(owner.s, big, answer_stat, NULL);
    asker.t = skl_session_get(owner.s, big, &get_events, NULL);
    skl_transfer_cancel(skl_take(&asker.t)); /* hears nothing */
    ck_assert_int_eq(asker.ends, 0);
    net_until(asker.ends == 2);
    net_spin();
    ck_assert_int_eq(asker.ends, 2);
    ck_assert(skl_session_is_up(owner.s));
    free(big);
    end(&f);
}
END_TEST

START_TEST(requests_of_a_container_are_bounded)
{
    struct fake f = {0};
    begin(&f);
    for (unsigned i = 0; i < SKL_AGENT_MAX_STREAMS; i++)
        skl_session_stats(owner.s, answer_stats, NULL);
    net_spin();
    ck_assert_int_eq(asker.ends, 0);
    skl_session_stats(owner.s, answer_stats, NULL);
    net_until(asker.ends == 1);
    ck_assert_ptr_nonnull(strstr(asker.log.p, "too many requests"));
    end(&f);
    ck_assert_int_eq(asker.ends, (int)SKL_AGENT_MAX_STREAMS + 1);
}
END_TEST

START_TEST(an_agent_that_confirms_nothing_is_given_up)
{
    struct fake f = {0};
    char block[SKL_FRAME_MAX_PAYLOAD] = "";
    struct skl_agent_exec *x[256];
    int n = 0;
    begin(&f);
    fake_drop(&f);
    owner_told("down;");
    /* Data stops by credit ... */
    for (; n < 256; n++) {
        x[n] = skl_session_exec(owner.s, &exec_spec, &exec_events, owner.s);
        for (size_t k; (k = skl_agent_exec_credit(x[n])) > 0;)
            skl_agent_exec_stdin(x[n], skl_str_n(block, k));
    }
    ck_assert_uint_eq(skl_agent_exec_credit(x[255]), 0);
    ck_assert_int_eq(asker.ends, 0);
    /* ... and what has no credit by an end. */
    for (int i = 0; i < 400000; i++)
        skl_session_resize(owner.s, 1, 1);
    owner_told("gone i1;");
    ck_assert_int_eq(asker.ends, 256);
    end(&f);
}
END_TEST

START_TEST(full_keeping_ends_with_credit_for_all)
{
    struct fake f = {0};
    char block[SKL_FRAME_MAX_PAYLOAD] = "";
    struct skl_agent_exec *x[256];
    size_t credits = 0;
    begin(&f);
    fake_drop(&f);
    owner_told("down;");
    for (int n = 0; n < 256; n++) {
        x[n] = skl_session_exec(owner.s, &exec_spec, &exec_events, owner.s);
        for (size_t k; (k = skl_agent_exec_credit(x[n])) > 0;)
            skl_agent_exec_stdin(x[n], skl_str_n(block, k));
    }
    fake_connect(&f);
    fake_hello_again(&f, "i1", 1, 1, 0);
    owner_told("hello i1 1 1;up;");
    ck_assert_uint_eq(asker.log.n, 0);
    net_until(f.numbered > 600);
    fake_say(&f, SKL_FRAME_CREDIT, 0, "n", SKL_TAG_RECEIVED, 300);
    net_until(asker.log.n);
    for (char *p = asker.log.p; (p = strstr(p, "credit;")); p++)
        credits++;
    ck_assert_uint_eq(credits, 256);
    end(&f);
}
END_TEST

/* -- archives */

static void say_stat(struct fake *f, uint32_t stream)
{
    fake_say(f, SKL_FRAME_RESULT, stream, "snnns", SKL_TAG_NAME, "n", SKL_TAG_SIZE, 5, SKL_TAG_MODE,
             0644, SKL_TAG_MTIME_NS, 1, SKL_TAG_LINK_TARGET, "t");
}

START_TEST(an_archive_out)
{
    struct fake f = {0};
    begin(&f);
    asker.t = skl_session_get(owner.s, "/etc/x", &get_events, NULL);
    const struct got *g = fake_next(&f, SKL_FRAME_ARCHIVE_GET);
    char *path SKL_AUTO_STR = skl_tlv_find_dup(skl_str_n(g->payload, g->n), SKL_TAG_PATH);
    ck_assert_str_eq(path, "/etc/x");
    say_stat(&f, 2);
    fake_send(&f, SKL_FRAME_STDOUT, 2, SKL_STR("tar"));
    fake_send(&f, SKL_FRAME_STDOUT, 2, SKL_STR("more"));
    if (_i == 0) {
        fake_send(&f, SKL_FRAME_END, 2, SKL_STR(""));
        asker_told("stat n 5 644 t;data 3;data 4;end 0 0 ;");
    } else { /* also in the middle */
        char want[100];
        fake_say(&f, SKL_FRAME_ERROR, 2, "ns", SKL_TAG_CODE, 404, SKL_TAG_MESSAGE, "gone away");
        snprintf(want, sizeof(want), "stat n 5 644 t;data 3;data 4;end 0 %d gone away;",
                 SKL_E_NOTFOUND);
        asker_told(want);
    }
    end(&f);
}
END_TEST

START_TEST(an_archive_in)
{
    struct fake f = {0};
    begin(&f);
    asker.t = skl_session_put(owner.s, &put_options, &put_events, NULL);
    const struct got *g = fake_next(&f, SKL_FRAME_ARCHIVE_PUT);
    ck_assert_uint_eq(got_num(g, SKL_TAG_NO_OVERWRITE_DIR), 1);
    ck_assert_uint_eq(got_num(g, SKL_TAG_COPY_UIDGID), 0);
    ck_assert_uint_eq(skl_transfer_credit(asker.t), SKL_FRAME_MAX_PAYLOAD);
    skl_transfer_data(asker.t, SKL_STR("tar"));
    skl_transfer_end(asker.t);
    ck_assert_uint_eq(fake_next(&f, SKL_FRAME_STDIN)->n, 3);
    fake_next(&f, SKL_FRAME_END);
    break_and_return(&f);
    fake_say(&f, SKL_FRAME_RESULT, 2, "");
    asker_told("end 0 0 ;");
    end(&f);
}
END_TEST

START_TEST(a_cancelled_transfer_is_silent)
{
    struct fake f = {0};
    begin(&f);
    asker.t = skl_session_get(owner.s, "/etc/x", &get_events, NULL);
    fake_next(&f, SKL_FRAME_ARCHIVE_GET);
    skl_transfer_cancel(asker.t);
    ck_assert_uint_eq(fake_next(&f, SKL_FRAME_CLOSE)->stream, 2);
    say_stat(&f, 2); /* was on the way */
    for (int i = 0; i < 8; i++) {
        char block[SKL_FRAME_MAX_PAYLOAD] = "";
        fake_send(&f, SKL_FRAME_STDOUT, 2, skl_str_n(block, sizeof(block)));
    }
    fake_send(&f, SKL_FRAME_END, 2, SKL_STR(""));
    owner_told("");
    asker_told("");
    ck_assert(skl_session_is_up(owner.s));
    end(&f);
}
END_TEST

START_TEST(a_transfer_that_breaks_the_rules_ends_with_protocol)
{
    struct fake f = {0};
    begin(&f);
    if (_i < 5)
        asker.t = skl_session_get(owner.s, "/x", &get_events, NULL);
    else
        asker.t = skl_session_put(owner.s, &put_options, &put_events, NULL);
    switch (_i) {
    case 0: /* data without its stat */
        fake_send(&f, SKL_FRAME_STDOUT, 2, SKL_STR("tar"));
        break;
    case 1:
        fake_send(&f, SKL_FRAME_END, 2, SKL_STR(""));
        break;
    case 2:
        fake_say(&f, SKL_FRAME_RESULT, 2, "n", SKL_TAG_SIZE, 1); /* no name */
        break;
    case 3:
        say_stat(&f, 2);
        say_stat(&f, 2);
        break;
    case 4:
        fake_say(&f, SKL_FRAME_EXIT, 2, "n", SKL_TAG_CODE, 1);
        break;
    case 5: /* done before it had all */
        fake_say(&f, SKL_FRAME_RESULT, 2, "");
        break;
    case 6:
        fake_send(&f, SKL_FRAME_STDOUT, 2, SKL_STR("x"));
        break;
    }
    owner_told("down;");
    ck_assert_int_eq(asker.ends, 1);
    ck_assert_ptr_nonnull(strstr(asker.log.p, "broke the protocol"));
    end(&f);
}
END_TEST

/* -- questions */

START_TEST(small_questions_are_answered)
{
    struct fake f = {0};
    begin(&f);
    skl_session_stat(owner.s, "/x", answer_stat, NULL);
    skl_session_top(owner.s, "-ef", answer_top, NULL);
    skl_session_stats(owner.s, answer_stats, NULL);
    skl_session_stats(owner.s, answer_stats, NULL);
    fake_next(&f, SKL_FRAME_ARCHIVE_STAT);
    fake_next(&f, SKL_FRAME_TOP);
    fake_next(&f, SKL_FRAME_STATS);
    fake_next(&f, SKL_FRAME_STATS);
    fake_say(&f, SKL_FRAME_RESULT, 3, "ssssss", SKL_TAG_TITLE, "PID", SKL_TAG_TITLE, "CMD",
             SKL_TAG_CELL, "1", SKL_TAG_CELL, "sh", SKL_TAG_CELL, "2", SKL_TAG_CELL, "cat");
    asker_told("[PID][CMD](1)(sh)(2)(cat)end 0 0 ;"); /* in any order */
    say_stat(&f, 2);
    asker_told("stat n 5 644 t;end 0 0 ;");
    fake_say(&f, SKL_FRAME_RESULT, 4, "ss", SKL_TAG_STAT, "cpu 1", SKL_TAG_STAT, "mem 2");
    asker_told("cpu 1,mem 2,end 0 0 ;");
    fake_say(&f, SKL_FRAME_RESULT, 5, "");
    asker_told("end 0 0 ;");
    end(&f);
}
END_TEST

START_TEST(refused_questions_have_their_kind)
{
    static const struct {
        int code, kind;
    } cases[] = {{400, SKL_E_INVALID},  {403, SKL_E_FORBIDDEN}, {404, SKL_E_NOTFOUND},
                 {409, SKL_E_CONFLICT}, {500, SKL_E_INTERNAL},  {7, SKL_E_INTERNAL}};
    struct fake f = {0};
    char want[100];
    begin(&f);
    skl_session_stat(owner.s, "/x", answer_stat, NULL);
    skl_session_top(owner.s, NULL, answer_top, NULL);
    skl_session_stats(owner.s, answer_stats, NULL);
    for (uint32_t i = 2; i < 5; i++) {
        fake_say(&f, SKL_FRAME_ERROR, i, "n", SKL_TAG_CODE, cases[_i].code);
        snprintf(want, sizeof(want), "end 0 %d the agent gave no reason;", cases[_i].kind);
        asker_told(want);
    }
    end(&f);
}
END_TEST

START_TEST(answers_that_cannot_be_end_with_protocol)
{
    struct fake f = {0};
    begin(&f);
    if (_i == 0 || _i == 4)
        skl_session_stat(owner.s, "/x", answer_stat, NULL);
    else
        skl_session_top(owner.s, NULL, answer_top, NULL);
    switch (_i) {
    case 0:
        fake_say(&f, SKL_FRAME_RESULT, 2, "sn", SKL_TAG_NAME, "", SKL_TAG_MODE, 0);
        break;
    case 1: /* no titles */
        fake_say(&f, SKL_FRAME_RESULT, 2, "s", SKL_TAG_CELL, "1");
        break;
    case 2: /* half a row */
        fake_say(&f, SKL_FRAME_RESULT, 2, "sss", SKL_TAG_TITLE, "A", SKL_TAG_TITLE, "B",
                 SKL_TAG_CELL, "1");
        break;
    case 3:
        fake_send(&f, SKL_FRAME_STDOUT, 2, SKL_STR("PID"));
        break;
    case 4: /* a mode of 64 bits */
        fake_say(&f, SKL_FRAME_RESULT, 2, "sn", SKL_TAG_NAME, "n", SKL_TAG_MODE, -1);
        break;
    }
    owner_told("down;");
    ck_assert_int_eq(asker.ends, 1);
    ck_assert_ptr_nonnull(strstr(asker.log.p, "broke the protocol"));
    end(&f);
}
END_TEST

START_TEST(asking_an_agent_that_is_away_waits_for_it)
{
    struct fake f = {0};
    begin(&f);
    fake_drop(&f);
    owner_told("down;");
    skl_session_stats(owner.s, answer_stats, NULL);
    fake_connect(&f);
    fake_hello_again(&f, "i1", 1, 1, 0);
    fake_next(&f, SKL_FRAME_WELCOME);
    fake_next(&f, SKL_FRAME_STATS);
    fake_say(&f, SKL_FRAME_RESULT, 2, "s", SKL_TAG_STAT, "a 1");
    asker_told("a 1,end 0 0 ;");
    end(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("session_requests");
    TCase *t = tcase_create("session_requests");
    SRunner *sr;
    int failed;
    tcase_set_timeout(t, 60);
    tcase_add_test(t, an_exec_from_beginning_to_end);
    tcase_add_test(t, an_exec_survives_a_reconnect);
    tcase_add_loop_test(t, an_exec_that_cannot_run_has_its_code_and_words, 0, 5);
    tcase_add_test(t, slow_readers_hold_the_sender);
    tcase_add_test(t, stdin_credit_comes_back);
    tcase_add_test(t, an_abandoned_exec_still_has_its_code);
    tcase_add_loop_test(t, an_exec_that_breaks_the_rules_ends_with_protocol, 0, 4);
    tcase_add_loop_test(t, a_second_started_or_output_after_end_breaks_the_rules, 0, 2);
    tcase_add_loop_test(t, the_end_of_the_session_ends_every_request_once, 0, 3);
    tcase_add_test(t, a_request_after_the_end_fails_later);
    tcase_add_test(t, a_lost_numbering_ends_requests_and_takes_new_ones);
    tcase_add_test(t, a_request_that_is_too_large_fails_later);
    tcase_add_test(t, requests_of_a_container_are_bounded);
    tcase_add_test(t, an_agent_that_confirms_nothing_is_given_up);
    tcase_add_test(t, full_keeping_ends_with_credit_for_all);
    tcase_add_loop_test(t, an_archive_out, 0, 2);
    tcase_add_test(t, an_archive_in);
    tcase_add_test(t, a_cancelled_transfer_is_silent);
    tcase_add_loop_test(t, a_transfer_that_breaks_the_rules_ends_with_protocol, 0, 7);
    tcase_add_test(t, small_questions_are_answered);
    tcase_add_loop_test(t, refused_questions_have_their_kind, 0, 6);
    tcase_add_loop_test(t, answers_that_cannot_be_end_with_protocol, 0, 5);
    tcase_add_test(t, asking_an_agent_that_is_away_waits_for_it);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
