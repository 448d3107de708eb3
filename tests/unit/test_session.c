/* One agent's session: resuming, output, exits, and what a hostile agent gets. */
#include "agent_helper.h"

/* -- resuming */

START_TEST(a_reconnect_goes_on_in_the_same_numbering)
{
    struct fake f = {0};
    char name[65];
    agents_begin();
    fake_running(&f);
    memcpy(name, f.session, sizeof(name));
    skl_session_signal(owner.s, 15);
    ck_assert_uint_eq(got_num(fake_next(&f, SKL_FRAME_SIGNAL), SKL_TAG_SIGNAL_NO), 15);
    fake_drop(&f);
    owner_told("down;");
    skl_session_signal(owner.s, 9); /* kept */
    skl_session_resize(owner.s, 24, 80);
    fake_connect(&f);
    fake_hello_again(&f, "i1", 1, 1, 0);
    const struct got *w = fake_next(&f, SKL_FRAME_WELCOME);
    ck_assert_uint_eq(got_num(w, SKL_TAG_RECEIVED), 1); /* STARTED */
    ck_assert_str_eq(f.session, name);
    ck_assert_uint_eq(got_num(fake_next(&f, SKL_FRAME_SIGNAL), SKL_TAG_SIGNAL_NO), 9);
    ck_assert_uint_eq(got_num(fake_next(&f, SKL_FRAME_RESIZE), SKL_TAG_COLS), 80);
    owner_told("hello i1 1 1;up;");
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(what_the_agent_lacks_is_sent_again)
{
    struct fake f = {0};
    agents_begin();
    fake_running(&f);
    skl_session_signal(owner.s, 1);
    skl_session_signal(owner.s, 2);
    fake_next(&f, SKL_FRAME_SIGNAL);
    fake_next(&f, SKL_FRAME_SIGNAL);
    fake_drop(&f);
    owner_told("down;");
    f.numbered--; /* as if the last one had been lost on the way */
    fake_connect(&f);
    fake_hello_again(&f, "i1", 1, 1, 0);
    fake_next(&f, SKL_FRAME_WELCOME);
    ck_assert_uint_eq(got_num(fake_next(&f, SKL_FRAME_SIGNAL), SKL_TAG_SIGNAL_NO), 2);
    owner_told("hello i1 1 1;up;");
    net_spin();
    ck_assert_uint_eq(f.seen, f.n_got);
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(an_agent_that_missed_welcome_still_gets_start)
{
    struct fake f = {0};
    struct skl_process_spec spec = {.argv = helper_argv, .warm_seconds = 7};
    agents_begin();
    fake_up(&f);
    skl_session_start(owner.s, 1, &spec);
    fake_drop(&f); /* before it has read WELCOME */
    owner_told("down;");
    f.session[0] = '\0';
    f.numbered = 0;
    fake_connect(&f);
    fake_hello(&f, "i1", 0, 0, 0);
    fake_next(&f, SKL_FRAME_WELCOME);
    const struct got *g = fake_next(&f, SKL_FRAME_START);
    ck_assert_uint_eq(g->stream, 1);
    ck_assert_uint_eq(got_num(g, SKL_TAG_RUN), 1);
    ck_assert_uint_eq(got_num(g, SKL_TAG_WARM_SECONDS), 7);
    fake_say(&f, SKL_FRAME_STARTED, 1, "nn", SKL_TAG_RUN, 1, SKL_TAG_PID, 3);
    owner_told("hello i1 0 0;up;started 1 3;");
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(a_count_that_cannot_be_begins_anew)
{
    struct fake f = {0};
    char name[65];
    agents_begin();
    fake_running(&f);
    memcpy(name, f.session, sizeof(name));
    fake_drop(&f);
    owner_told("down;");
    f.numbered = 1000;
    fake_connect(&f);
    fake_hello_again(&f, "i1", 1, 1, 0);
    const struct got *w = fake_next(&f, SKL_FRAME_WELCOME);
    ck_assert_uint_eq(got_num(w, SKL_TAG_RECEIVED), 0);
    ck_assert_str_ne(f.session, name);
    owner_told("hello i1 1 1;up;");
    fake_end(&f);
    agents_end();
}
END_TEST

/* START's answer was lost with the numbering: HELLO tells what became of it. */
START_TEST(a_start_in_a_lost_numbering_is_settled)
{
    struct fake f = {0};
    struct skl_process_spec spec = {.argv = helper_argv};
    agents_begin();
    fake_running(&f); /* the agent has sent a frame: its numbering was ours */
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnn", SKL_TAG_RUN, 1, SKL_TAG_CODE, 0, SKL_TAG_OFFSET, 0);
    owner_told("exit 1 0 0;");
    skl_session_start(owner.s, 2, &spec);
    fake_next(&f, SKL_FRAME_START);
    fake_drop(&f);
    owner_told("down;");
    fake_connect(&f);
    f.numbered = 1000;
    if (_i == 0) { /* it was begun, and has ended */
        snprintf(f.session, sizeof(f.session), "another");
        fake_say(&f, SKL_FRAME_HELLO, 0, "nssnnn", SKL_TAG_VERSION, 1, SKL_TAG_CONTAINER_ID, ID_A,
                 SKL_TAG_INSTANCE, "i1", SKL_TAG_STATE, 2, SKL_TAG_RUN, 2, SKL_TAG_CODE, 4);
        owner_told("hello i1 2 2;up;started 2 0;exit 2 4 0;");
    } else { /* it never arrived */
        fake_hello_again(&f, "i1", 2, 1, 0);
        owner_told("hello i1 2 1;up;start failed 125 the connection to the agent was lost before "
                   "the command was begun;");
    }
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(a_new_instance_is_a_new_session)
{
    struct fake f = {0};
    agents_begin();
    fake_running(&f);
    fake_drop(&f);
    owner_told("down;");
    fake_connect(&f);
    fake_hello_again(&f, "i2", 0, 0, 0);
    fake_next(&f, SKL_FRAME_WELCOME);
    owner_told("gone i1;hello i2 0 0;up;");
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(goodbye_ends_the_session_unless_a_command_runs)
{
    struct fake f = {0};
    agents_begin();
    fake_running(&f);
    skl_ws_close(skl_take(&f.ws), 1000); /* a proxy said it */
    owner_told("down;");
    ck_assert_ptr_eq(skl_agents_find(agents, ID_A), owner.s);
    fake_connect(&f);
    fake_hello_again(&f, "i1", 1, 1, 0);
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnn", SKL_TAG_RUN, 1, SKL_TAG_CODE, 0, SKL_TAG_OFFSET, 0);
    owner_told("hello i1 1 1;up;exit 1 0 0;");
    skl_ws_close(skl_take(&f.ws), 1000);
    owner_told("down;gone i1;");
    ck_assert_ptr_null(skl_agents_find(agents, ID_A));
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(the_owner_may_close_the_session)
{
    struct fake f = {0};
    agents_begin();
    fake_up(&f);
    skl_session_close(owner.s);
    owner_told("gone i1;");
    net_until(f.closes);
    ck_assert_ptr_null(skl_agents_find(agents, ID_A));
    fake_connect(&f); /* the token is still good */
    fake_hello(&f, "i1", 0, 0, 0);
    fake_next(&f, SKL_FRAME_WELCOME);
    owner_told("hello i1 0 0;up;");
    fake_end(&f);
    agents_end();
}
END_TEST

/* -- the main process */

START_TEST(start_carries_the_whole_specification)
{
    struct fake f = {0};
    char *env[] = {(char[]){"A=1"}, (char[]){"B.C=x y"}, NULL};
    char *hosts[] = {(char[]){"10.0.0.1 db"}, NULL}, *groups[] = {(char[]){"33"}, NULL};
    char *ulimits[] = {(char[]){"nofile=10:20"}, NULL};
    struct skl_process_spec spec = {
        .argv = helper_argv,
        .env = env,
        .cwd = "/w",
        .user = "u:g",
        .tty = true,
        .stdin_open = true,
        .init = true,
        .rows = 24,
        .cols = 80,
        .hostname = "box",
        .hosts = hosts,
        .group_add = groups,
        .ulimits = ulimits,
        .warm_seconds = 30,
    };
    agents_begin();
    fake_up(&f);
    skl_session_start(owner.s, 1, &spec);
    const struct got *g = fake_next(&f, SKL_FRAME_START);
    struct skl_str p = skl_str_n(g->payload, g->n);
    static const struct {
        enum skl_tag tag;
        const char *value;
    } texts[] = {
        {SKL_TAG_CWD, "/w"},       {SKL_TAG_USER, "u:g"},
        {SKL_TAG_HOSTNAME, "box"}, {SKL_TAG_HOSTS, "10.0.0.1 db"},
        {SKL_TAG_GROUP_ADD, "33"}, {SKL_TAG_ULIMIT, "nofile=10:20"},
        {SKL_TAG_ARG, "sh"},       {SKL_TAG_ENV, "A=1"},
    };
    for (size_t i = 0; i < SKL_ARRAY_LEN(texts); i++) {
        char *v SKL_AUTO_STR = skl_tlv_find_dup(p, texts[i].tag);
        ck_assert_str_eq(v, texts[i].value);
    }
    char **argv = skl_tlv_find_strv(p, SKL_TAG_ARG), **vars = skl_tlv_find_strv(p, SKL_TAG_ENV);
    ck_assert_uint_eq(skl_strv_len(argv), 3);
    ck_assert_str_eq(vars[1], "B.C=x y");
    ck_assert_uint_eq(got_num(g, SKL_TAG_TTY), 1);
    ck_assert_uint_eq(got_num(g, SKL_TAG_STDIN_OPEN), 1);
    ck_assert_uint_eq(got_num(g, SKL_TAG_INIT), 1);
    ck_assert_uint_eq(got_num(g, SKL_TAG_PRIVILEGED), 0);
    ck_assert_uint_eq(got_num(g, SKL_TAG_ROWS), 24);
    ck_assert_uint_eq(got_num(g, SKL_TAG_COLS), 80);
    ck_assert_uint_eq(got_num(g, SKL_TAG_WARM_SECONDS), 30);
    skl_strv_free(argv);
    skl_strv_free(vars);
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(a_start_that_is_too_large_fails_and_harms_nothing)
{
    struct fake f = {0};
    char *env[] = {skl_alloc0(1, SKL_WS_MAX_MESSAGE), NULL};
    struct skl_process_spec spec = {.argv = helper_argv, .env = env};
    agents_begin();
    fake_up(&f);
    memset(env[0], 'x', SKL_WS_MAX_MESSAGE - 1);
    skl_session_start(owner.s, 1, &spec);
    ck_assert_uint_eq(owner.log.n, 0); /* not before it returned */
    owner_told("start failed 125 command and environment are larger than an agent takes "
               "(256 KiB);");
    ck_assert(skl_session_is_up(owner.s));
    free(env[0]);
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(a_failed_start_has_its_code)
{
    static const int said[] = {126, 127, 125, 1}, told[] = {126, 127, 125, 125};
    struct fake f = {0};
    struct skl_process_spec spec = {.argv = helper_argv};
    char want[100];
    agents_begin();
    fake_up(&f);
    for (int i = 0; i < 2; i++) { /* the number of the run may be used again */
        skl_session_start(owner.s, 1, &spec);
        fake_next(&f, SKL_FRAME_START);
        fake_say(&f, SKL_FRAME_ERROR, 1, "ns", SKL_TAG_CODE, said[_i], SKL_TAG_MESSAGE, "no such");
        snprintf(want, sizeof(want), "start failed %d no such;", told[_i]);
        owner_told(want);
    }
    skl_session_start(owner.s, 1, &spec);
    fake_say(&f, SKL_FRAME_STARTED, 1, "nn", SKL_TAG_RUN, 1, SKL_TAG_PID, 3);
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnn", SKL_TAG_RUN, 1, SKL_TAG_CODE, 0, SKL_TAG_OFFSET, 0);
    owner_told("started 1 3;exit 1 0 0;");
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(stdin_is_bounded_by_credit)
{
    struct fake f = {0};
    size_t sent = 0, n, got = 0;
    char block[SKL_FRAME_MAX_PAYLOAD];
    agents_begin();
    fake_running(&f);
    memset(block, 'i', sizeof(block));
    while ((n = skl_session_stdin_credit(owner.s)) > 0) {
        ck_assert_uint_le(n, sizeof(block));
        skl_session_stdin(owner.s, skl_str_n(block, n));
        sent += n;
        ck_assert_uint_le(sent, SKL_LINK_WINDOW);
    }
    ck_assert_uint_eq(sent, SKL_LINK_WINDOW);
    skl_session_stdin_end(owner.s);
    while (got < sent)
        got += fake_next(&f, SKL_FRAME_STDIN)->n;
    fake_next(&f, SKL_FRAME_END);
    fake_say(&f, SKL_FRAME_CREDIT, 1, "nn", SKL_TAG_RECEIVED, (int)f.numbered, SKL_TAG_CONSUMED,
             (int)got);
    net_until(skl_session_stdin_credit(owner.s) > 0);
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(output_is_taken_once_and_in_order)
{
    struct fake f = {0};
    agents_begin();
    fake_running(&f);
    fake_output(&f, false, 0, SKL_STR("abc"));
    fake_output(&f, true, 3, SKL_STR("def"));
    fake_output(&f, false, 0, SKL_STR("abc")); /* had it */
    fake_output(&f, true, 4, SKL_STR("efgh")); /* had the half */
    fake_output(&f, true, 8, SKL_STR(""));     /* nothing */
    owner_told("out 0 0 abc;out 1 3 def;out 1 6 gh;");
    net_until(f.main_acked == 8);
    fake_output(&f, false, 9, SKL_STR("z")); /* a gap */
    owner_told("down;");
    net_until(f.closes);
    fake_connect(&f);
    fake_hello_again(&f, "i1", 1, 1, 10);
    ck_assert_uint_eq(got_num(fake_next(&f, SKL_FRAME_WELCOME), SKL_TAG_OFFSET), 8);
    fake_output(&f, false, 8, SKL_STR("yz"));
    owner_told("hello i1 1 1;up;out 0 8 yz;");
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(output_that_could_not_be_stored_comes_again)
{
    struct fake f = {0};
    agents_begin();
    fake_running(&f);
    owner.lose_output = true;
    fake_output(&f, false, 0, SKL_STR("abc"));
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnn", SKL_TAG_RUN, 1, SKL_TAG_CODE, 0, SKL_TAG_OFFSET, 3);
    owner_told("lost;down;"); /* and no exit */
    net_until(f.closes);
    owner.lose_output = false;
    fake_connect(&f);
    fake_hello_again(&f, "i1", 2, 1, 3);
    ck_assert_uint_eq(got_num(fake_next(&f, SKL_FRAME_WELCOME), SKL_TAG_OFFSET), 0);
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnn", SKL_TAG_RUN, 1, SKL_TAG_CODE, 0, SKL_TAG_OFFSET, 3);
    fake_output(&f, false, 0, SKL_STR("abc"));
    owner_told("hello i1 2 1;up;out 0 0 abc;exit 1 0 0;");
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(more_unconfirmed_output_than_the_window_is_refused)
{
    struct fake f = {0};
    char block[SKL_FRAME_MAX_PAYLOAD];
    agents_begin();
    fake_running(&f);
    owner.no_ack = true;
    memset(block, 'o', sizeof(block));
    for (uint64_t at = 0; at <= SKL_MIB; at += sizeof(block))
        fake_output(&f, false, at, skl_str_n(block, sizeof(block)));
    net_until(owner.resume == SKL_MIB + sizeof(block));
    ck_assert(skl_session_is_up(owner.s));
    fake_output(&f, false, owner.resume, SKL_STR("x"));
    net_until(!skl_session_is_up(owner.s));
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(exit_waits_for_the_output)
{
    struct fake f = {0};
    agents_begin();
    fake_running(&f);
    fake_output(&f, false, 0, SKL_STR("abc"));
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnnnn", SKL_TAG_RUN, 1, SKL_TAG_CODE, 137, SKL_TAG_SIGNAL_NO,
             9, SKL_TAG_OOM, 1, SKL_TAG_OFFSET, 6);
    owner_told("out 0 0 abc;");
    ck_assert_int_eq(skl_session_main_state(owner.s), SKL_MAIN_ENDED);
    fake_output(&f, true, 3, SKL_STR("def"));
    owner_told("out 1 3 def;exit 1 137 9 oom;");
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnn", SKL_TAG_RUN, 1, SKL_TAG_CODE, 1, SKL_TAG_OFFSET, 6);
    owner_told(""); /* once */
    fake_end(&f);
    agents_end();
}
END_TEST

/* An agent whose output and exit are confirmed may leave. The owner records the exit in its callback: what a daemon
 * that dies there must not have said yet is looked at by cutting the connection there. */
START_TEST(output_is_confirmed_after_the_exit_that_waits_for_it)
{
    struct fake f = {0};
    agents_begin();
    fake_running(&f);
    owner.reconnect_on_exit = true;
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnn", SKL_TAG_RUN, 1, SKL_TAG_CODE, 0, SKL_TAG_OFFSET, 6);
    fake_output(&f, false, 0, SKL_STR("abc"));
    owner_told("out 0 0 abc;");
    net_until(f.main_acked == 3);
    fake_output(&f, false, 3, SKL_STR("def"));
    owner_told("out 0 3 def;exit 1 0 0;down;");
    net_until(f.closes == 1);
    ck_assert_uint_eq(f.main_acked, 3);
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(a_frame_is_confirmed_after_it_was_acted_on)
{
    static char padding[70000]; /* so much that it is confirmed at once */
    struct fake f = {0};
    agents_begin();
    fake_running(&f);
    net_until(f.backend_received == 1); /* STARTED */
    owner.reconnect_on_exit = true;
    memset(padding, 'x', sizeof(padding) - 1);
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnns", SKL_TAG_RUN, 1, SKL_TAG_CODE, 0, SKL_TAG_OFFSET, 0,
             SKL_TAG_MESSAGE, padding);
    owner_told("exit 1 0 0;down;");
    net_until(f.closes == 1);
    ck_assert_uint_eq(f.backend_received, 1);
    fake_end(&f);
    agents_end();
}
END_TEST

static void hello_ended(struct fake *f, const char *instance, int run, int code, int produced)
{
    fake_say(f, SKL_FRAME_HELLO, 0, "nssnnnnn", SKL_TAG_VERSION, SKL_WIRE_VERSION,
             SKL_TAG_CONTAINER_ID, ID_A, SKL_TAG_INSTANCE, instance, SKL_TAG_STATE, 2, SKL_TAG_RUN,
             run, SKL_TAG_OFFSET, produced, SKL_TAG_CODE, code, SKL_TAG_FINISHED_NS, 77);
}

START_TEST(hello_brings_the_exit_to_a_new_backend)
{
    struct fake f = {0};
    agents_begin();
    owner.resume = 2;
    fake_connect(&f);
    hello_ended(&f, "i1", 3, 5, 4);
    const struct got *w = fake_next(&f, SKL_FRAME_WELCOME);
    ck_assert_uint_eq(got_num(w, SKL_TAG_OFFSET), 2);
    ck_assert_uint_eq(got_num(w, SKL_TAG_EXIT_KNOWN), 0);
    owner_told("hello i1 2 3;up;");
    fake_output(&f, false, 2, SKL_STR("cd"));
    owner_told("out 0 2 cd;exit 3 5 0;");
    /* An agent that sends the frame too says nothing new. */
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnn", SKL_TAG_RUN, 3, SKL_TAG_CODE, 5, SKL_TAG_OFFSET, 4);
    owner_told("");
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(an_exit_that_is_known_is_not_told)
{
    struct fake f = {0};
    agents_begin();
    owner.resume = 4;
    owner.exit_known = true;
    fake_connect(&f);
    hello_ended(&f, "i1", 3, 5, 4);
    ck_assert_uint_eq(got_num(fake_next(&f, SKL_FRAME_WELCOME), SKL_TAG_EXIT_KNOWN), 1);
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnn", SKL_TAG_RUN, 3, SKL_TAG_CODE, 5, SKL_TAG_OFFSET, 4);
    owner_told("hello i1 2 3;up;");
    fake_end(&f);
    agents_end();
}
END_TEST

/* STARTED and EXIT were on the way when the connection broke: they come in their order, not HELLO's news first. */
START_TEST(a_short_run_over_a_reconnect_is_told_in_order)
{
    struct fake f = {0};
    struct skl_process_spec spec = {.argv = helper_argv};
    agents_begin();
    fake_up(&f);
    skl_session_start(owner.s, 1, &spec);
    fake_next(&f, SKL_FRAME_START);
    fake_drop(&f);
    owner_told("down;");
    fake_connect(&f);
    fake_hello_again(&f, "i1", 2, 1, 2);
    fake_next(&f, SKL_FRAME_WELCOME);
    fake_say(&f, SKL_FRAME_STARTED, 1, "nn", SKL_TAG_RUN, 1, SKL_TAG_PID, 9);
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnn", SKL_TAG_RUN, 1, SKL_TAG_CODE, 0, SKL_TAG_OFFSET, 2);
    fake_output(&f, false, 0, SKL_STR("ok"));
    owner_told("hello i1 2 1;up;started 1 9;out 0 0 ok;exit 1 0 0;");
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(start_in_on_up_is_a_new_start)
{
    struct fake f = {0};
    agents_begin();
    owner.start_on_up = 1;
    fake_connect(&f);
    fake_hello(&f, "i1", 0, 0, 0);
    fake_next(&f, SKL_FRAME_WELCOME);
    fake_next(&f, SKL_FRAME_START);
    fake_say(&f, SKL_FRAME_STARTED, 1, "nn", SKL_TAG_RUN, 1, SKL_TAG_PID, 9);
    owner_told("hello i1 0 0;up;started 1 9;");
    /* ... also in the place of a start that was lost with its numbering. */
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnn", SKL_TAG_RUN, 1, SKL_TAG_CODE, 0, SKL_TAG_OFFSET, 0);
    owner_told("exit 1 0 0;");
    skl_session_start(owner.s, 2, &(struct skl_process_spec){.argv = helper_argv});
    fake_next(&f, SKL_FRAME_START);
    fake_drop(&f);
    owner_told("down;");
    owner.start_on_up = 3;
    owner.exit_known = true;
    f.numbered = 1000;
    fake_connect(&f);
    fake_hello_again(&f, "i1", 2, 1, 0);
    fake_next(&f, SKL_FRAME_WELCOME);
    ck_assert_uint_eq(got_num(fake_next(&f, SKL_FRAME_START), SKL_TAG_RUN), 3);
    fake_say(&f, SKL_FRAME_STARTED, 1, "nn", SKL_TAG_RUN, 3, SKL_TAG_PID, 10);
    owner_told("hello i1 2 1;up;started 3 10;");
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(a_warm_agent_runs_again)
{
    struct fake f = {0};
    struct skl_process_spec spec = {.argv = helper_argv};
    char want[100];
    agents_begin();
    fake_running(&f);
    for (int run = 1; run < 4; run++) {
        fake_output(&f, false, (uint64_t)(run - 1), SKL_STR("x"));
        fake_say(&f, SKL_FRAME_EXIT, 1, "nnn", SKL_TAG_RUN, run, SKL_TAG_CODE, run, SKL_TAG_OFFSET,
                 run);
        snprintf(want, sizeof(want), "out 0 %d x;exit %d %d 0;", run - 1, run, run);
        owner_told(want);
        skl_session_start(owner.s, (unsigned)run + 1, &spec);
        fake_next(&f, SKL_FRAME_START);
        fake_say(&f, SKL_FRAME_STARTED, 1, "nn", SKL_TAG_RUN, run + 1, SKL_TAG_PID, 10 + run);
        snprintf(want, sizeof(want), "started %d %d;", run + 1, 10 + run);
        owner_told(want);
    }
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(forgetting_inside_a_callback_is_safe)
{
    struct fake f = {0};
    agents_begin();
    fake_running(&f);
    owner.forget_on_exit = true;
    fake_output(&f, false, 0, SKL_STR("a"));
    fake_say(&f, SKL_FRAME_EXIT, 1, "nnn", SKL_TAG_RUN, 1, SKL_TAG_CODE, 0, SKL_TAG_OFFSET, 2);
    fake_output(&f, false, 1, SKL_STR("b"));
    fake_output(&f, false, 2, SKL_STR("c")); /* for nobody */
    owner_told("out 0 0 a;out 0 1 b;exit 1 0 0;gone i1;");
    net_until(f.closes);
    fake_end(&f);
    agents_end();
}
END_TEST

/* -- hostile HELLOs: each case spoils a good one */

static void bad_hello(struct fake *f, int which)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    char long_text[200];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    skl_buf_init(&b, SKL_MIB);
    tlv(&b, "n", SKL_TAG_VERSION, which == 0 ? 2 : 1);
    tlv(&b, "s", SKL_TAG_CONTAINER_ID, which == 1 ? ID_B : ID_A);
    if (which != 2)
        tlv(&b, "s", SKL_TAG_INSTANCE, which == 3 ? long_text : which == 4 ? "a b" : "i1");
    if (which == 5)
        tlv(&b, "s", SKL_TAG_SESSION, long_text);
    tlv(&b, "nn", SKL_TAG_STATE, which == 6 ? 3 : which == 7 ? 1 : 0, SKL_TAG_RUN, 0);
    if (which == 8)
        tlv(&b, "nn", SKL_TAG_OFFSET, 1, SKL_TAG_OLDEST, 2);
    if (which == 9)
        tlv(&b, "n", SKL_TAG_CODE, 256);
    if (which == 10)
        tlv(&b, "n", SKL_TAG_OFFSET, -1);
    if (which == 11)
        skl_tlv_str(&b, SKL_TAG_PID, SKL_STR("1234567"));
    if (which == 12)
        skl_tlv_str(&b, SKL_TAG_HOSTNAME, skl_str_n("a\0b", 3));
    if (which == 13)
        skl_buf_add(&b, "\0\1\0\0\0\77", 6); /* longer than the frame */
    if (which == 14)
        fake_send(f, SKL_FRAME_HELLO, 2, skl_buf_str(&b));
    else if (which == 15)
        fake_send(f, SKL_FRAME_EXIT, 1, skl_buf_str(&b));
    else if (which == 16)
        fake_send(f, 200, 0, skl_buf_str(&b));
    else
        fake_send(f, SKL_FRAME_HELLO, 0, skl_buf_str(&b));
}

START_TEST(a_hello_that_cannot_be_is_refused)
{
    struct fake f = {0};
    SKL_AUTO_BUF struct skl_buf log = {0};
    agents_begin();
    fake_connect(&f);
    bad_hello(&f, _i);
    net_until(f.closes);
    ck_assert_int_eq(f.code, 1002);
    owner_told("");
    helper_log(&log);
    ck_assert_ptr_nonnull(strstr(log.p, "broke the protocol"));
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(a_hello_behind_the_stored_output_ends_the_session)
{
    struct fake f = {0};
    agents_begin();
    owner.resume = 10;
    fake_connect(&f);
    fake_hello(&f, "i1", 1, 1, 9);
    net_until(f.closes);
    ck_assert_int_eq(f.code, 4403);
    owner_told("hello i1 1 1;gone i1;");
    fake_end(&f);
    agents_end();
}
END_TEST

/* -- hostile frames: each costs the connection, not the session */

static void bad_frame(struct fake *f, int which)
{
    char block[SKL_FRAME_MAX_PAYLOAD + 9] = {0};
    switch (which) {
    case 0:
        fake_send(f, SKL_FRAME_STDOUT, 1, SKL_STR("short"));
        break;
    case 1:
        fake_send(f, SKL_FRAME_STDOUT, 1, skl_str_n(block, sizeof(block)));
        break;
    case 2:
        fake_output(f, false, UINT64_MAX, SKL_STR("x"));
        break;
    case 3: /* nobody asked */
        fake_say(f, SKL_FRAME_STARTED, 1, "nn", SKL_TAG_RUN, 2, SKL_TAG_PID, 3);
        break;
    case 4:
        fake_say(f, SKL_FRAME_EXIT, 1, "nn", SKL_TAG_RUN, 2, SKL_TAG_CODE, 0);
        break;
    case 5:
        fake_say(f, SKL_FRAME_EXIT, 1, "nn", SKL_TAG_RUN, 1, SKL_TAG_CODE, 256);
        break;
    case 6:
        fake_say(f, SKL_FRAME_EXIT, 1, "n", SKL_TAG_RUN, 1);
        break;
    case 7:
        fake_say(f, SKL_FRAME_ERROR, 1, "n", SKL_TAG_CODE, 127);
        break;
    case 8:
        fake_say(f, SKL_FRAME_RESULT, 1, "n", SKL_TAG_CODE, 0);
        break;
    case 9:
        fake_send(f, SKL_FRAME_STDOUT, 2, SKL_STR("of nobody"));
        break;
    case 10:
        fake_send(f, SKL_FRAME_EXEC, 2, SKL_STR(""));
        break;
    case 11:
        fake_send(f, SKL_FRAME_START, 1, SKL_STR(""));
        break;
    case 12:
        fake_send(f, SKL_FRAME_END, 0, SKL_STR(""));
        break;
    case 13:
        fake_hello(f, "i1", 0, 0, 0);
        break;
    case 14:
        fake_send(f, SKL_FRAME_WELCOME, 0, SKL_STR(""));
        break;
    case 15:
        fake_send(f, SKL_FRAME_EXIT, 1, SKL_STR("\0\1\0\0"));
        break;
    case 16:
        fake_say(f, SKL_FRAME_CREDIT, 0, "n", SKL_TAG_RECEIVED, 99);
        break;
    case 17:
        fake_send(f, SKL_FRAME_CREDIT, 0, SKL_STR("\0"));
        break;
    case 18:
        fake_send(f, 0, 0, SKL_STR(""));
        break;
    case 19:
        skl_ws_send(f->ws, &(struct skl_str){"\7\0\0\1\0\0\0\1", 8}, 1); /* reserved bytes */
        break;
    case 20:
        skl_ws_send(f->ws, &(struct skl_str){"\7\0", 2}, 1);
        break;
    case 21: {
        SKL_AUTO_BUF struct skl_buf b = {0};
        skl_buf_init(&b, 2 * SKL_MIB);
        ck_assert_ptr_nonnull(skl_buf_reserve(&b, SKL_WS_MAX_MESSAGE + 1));
        memset(b.p, 0, SKL_WS_MAX_MESSAGE + 1);
        skl_ws_send(f->ws, &(struct skl_str){b.p, SKL_WS_MAX_MESSAGE + 1}, 1);
        break;
    }
    }
}

START_TEST(a_frame_that_cannot_be_costs_the_connection)
{
    struct fake f = {0};
    SKL_AUTO_BUF struct skl_buf log = {0};
    agents_begin();
    fake_running(&f);
    bad_frame(&f, _i);
    owner_told("down;");
    net_until(f.closes);
    ck_assert_ptr_eq(skl_agents_find(agents, ID_A), owner.s);
    helper_log(&log);
    ck_assert_msg(strstr(log.p, "broke the protocol"), "case %d", _i);
    fake_connect(&f);
    fake_hello_again(&f, "i1", 1, 1, 0);
    fake_next(&f, SKL_FRAME_WELCOME);
    owner_told("hello i1 1 1;up;");
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(frames_of_types_the_link_answers_are_harmless)
{
    struct fake f = {0};
    agents_begin();
    fake_running(&f);
    fake_send(&f, SKL_FRAME_PING, 7, SKL_STR("anything"));
    fake_send(&f, SKL_FRAME_PONG, 0, SKL_STR(""));
    fake_say(&f, SKL_FRAME_CREDIT, 1, "n", SKL_TAG_CONSUMED, 12345);
    fake_say(&f, SKL_FRAME_CREDIT, 77, "n", SKL_TAG_CONSUMED, 1);
    fake_next(&f, SKL_FRAME_PONG);
    owner_told("");
    ck_assert(skl_session_is_up(owner.s));
    fake_end(&f);
    agents_end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("session");
    TCase *t = tcase_create("session");
    SRunner *sr;
    int failed;
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_reconnect_goes_on_in_the_same_numbering);
    tcase_add_test(t, what_the_agent_lacks_is_sent_again);
    tcase_add_test(t, an_agent_that_missed_welcome_still_gets_start);
    tcase_add_test(t, a_count_that_cannot_be_begins_anew);
    tcase_add_loop_test(t, a_start_in_a_lost_numbering_is_settled, 0, 2);
    tcase_add_test(t, a_new_instance_is_a_new_session);
    tcase_add_test(t, goodbye_ends_the_session_unless_a_command_runs);
    tcase_add_test(t, the_owner_may_close_the_session);
    tcase_add_test(t, start_carries_the_whole_specification);
    tcase_add_test(t, a_start_that_is_too_large_fails_and_harms_nothing);
    tcase_add_loop_test(t, a_failed_start_has_its_code, 0, 4);
    tcase_add_test(t, stdin_is_bounded_by_credit);
    tcase_add_test(t, output_is_taken_once_and_in_order);
    tcase_add_test(t, output_that_could_not_be_stored_comes_again);
    tcase_add_test(t, more_unconfirmed_output_than_the_window_is_refused);
    tcase_add_test(t, exit_waits_for_the_output);
    tcase_add_test(t, output_is_confirmed_after_the_exit_that_waits_for_it);
    tcase_add_test(t, a_frame_is_confirmed_after_it_was_acted_on);
    tcase_add_test(t, hello_brings_the_exit_to_a_new_backend);
    tcase_add_test(t, an_exit_that_is_known_is_not_told);
    tcase_add_test(t, a_short_run_over_a_reconnect_is_told_in_order);
    tcase_add_test(t, start_in_on_up_is_a_new_start);
    tcase_add_test(t, a_warm_agent_runs_again);
    tcase_add_test(t, forgetting_inside_a_callback_is_safe);
    tcase_add_loop_test(t, a_hello_that_cannot_be_is_refused, 0, 17);
    tcase_add_test(t, a_hello_behind_the_stored_output_ends_the_session);
    tcase_add_loop_test(t, a_frame_that_cannot_be_costs_the_connection, 0, 22);
    tcase_add_test(t, frames_of_types_the_link_answers_are_harmless);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
