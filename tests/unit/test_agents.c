/* The door for agents, forward dialling, and who of two instances is heard. */
#include "agent/forward_tls.h"
#include "agent/rate.h"
#include "agent_helper.h"

#define ID_A_TAIL "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* -- tokens */

static const struct {
    const char *path, *headers;
    int status;
} doors[] = {
    {"/agent/v1", AUTH_A, 101},
    {"/agent/v1?id=" ID_A "&token=" TOKEN, "", 101},
    {"/any/path?token=" TOKEN "&x=1&id=" ID_A, "", 101},
    {"/any/path?id=" ID_A, "Authorization: bearer  " TOKEN "\r\n", 101},
    {"/cb?id=%61" ID_A_TAIL "&token=" TOKEN, "", 101},
    {"/cb?id=" ID_A, "", 401},
    {"/agent/v1", "", 401},
    {"/agent/v1", "X-Sockerless-Container: " ID_A "\r\n", 401},
    {"/agent/v1", "Authorization: Bearer " TOKEN "\r\n", 401},
    {"/agent/v1", "Authorization: Basic " TOKEN "\r\nX-Sockerless-Container: " ID_A "\r\n", 401},
    {"/agent/v1", "Authorization: Bearer " TOKEN "5\r\nX-Sockerless-Container: " ID_A "\r\n", 401},
    {"/agent/v1", "Authorization: Bearer \r\nX-Sockerless-Container: " ID_A "\r\n", 401},
    {"/agent/v1", "Authorization: Bearer " TOKEN "\r\nX-Sockerless-Container: " ID_B "\r\n", 401},
    {"/agent/v1?id=" ID_A "&token=" TOKEN "%00", "", 401},
    {"/agent/v1?id=" ID_A "%00&token=" TOKEN, "", 401},
    {"/", "", 404},
    {"/", AUTH_A, 101},
    {"/containers/json", AUTH_A, 404},
};

START_TEST(only_the_right_token_opens_the_door)
{
    struct fake f = {0};
    agents_begin();
    int status = fake_dial(&f, doors[_i].path, doors[_i].headers);
    ck_assert_msg(status == doors[_i].status, "case %d: %d", _i, status);
    fake_end(&f);
    agents_end();
}
END_TEST

/* The bytes of an answer to a plain request. */
static void ask_door(const char *request, struct skl_buf *answer)
{
    int fds[2];
    net_pair(fds);
    skl_http_server_add(door, net_stream(fds[0]));
    net_write(fds[1], request, strlen(request));
    skl_buf_init(answer, SKL_MIB);
    net_until(net_read(fds[1], answer) || strstr(answer->p, "\r\n\r\n"));
    net_spin();
    net_read(fds[1], answer);
    close(fds[1]);
}

START_TEST(unknown_wrong_and_forgotten_get_the_same_answer)
{
    SKL_AUTO_BUF struct skl_buf unknown = {0}, wrong = {0}, forgotten = {0}, log = {0};
    agents_begin();
    ask_door("GET /agent/v1?id=" ID_B "&token=" TOKEN " HTTP/1.1\r\nHost: a\r\n\r\n", &unknown);
    ask_door("GET /agent/v1?id=" ID_A "&token=" ID_B " HTTP/1.1\r\nHost: a\r\n\r\n", &wrong);
    skl_agents_forget(agents, ID_A);
    ask_door("GET /agent/v1?id=" ID_A "&token=" TOKEN " HTTP/1.1\r\nHost: a\r\n\r\n", &forgotten);
    ck_assert(skl_str_starts(skl_buf_str(&unknown), "HTTP/1.1 401 "));
    ck_assert_ptr_nonnull(strstr(unknown.p, "{\"message\":\"unauthorized\"}"));
    for (struct skl_buf *b[] = {&wrong, &forgotten}, **p = b; p < b + 2; p++) {
        char *date = strstr((*p)->p, "\r\nDate: "), *first = strstr(unknown.p, "\r\nDate: ");
        if (date && first) /* the clock may have gone on */
            memcpy(date, first, strlen("\r\nDate: Mon, 23 Nov 2026 16:00:00 GMT"));
        ck_assert_str_eq((*p)->p, unknown.p);
    }
    helper_log(&log);
    ck_assert_ptr_nonnull(strstr(log.p, "refused"));
    ck_assert_ptr_null(strstr(log.p, ID_B)); /* what a stranger sends is not logged */
    agents_end();
}
END_TEST

START_TEST(a_flood_of_refusals_is_a_few_log_lines)
{
    SKL_AUTO_BUF struct skl_buf log = {0};
    int lines = 0;
    agents_begin();
    for (int i = 0; i < 40; i++) {
        SKL_AUTO_BUF struct skl_buf b = {0};
        ask_door("GET /agent/v1 HTTP/1.1\r\nHost: a\r\n\r\n", &b);
        ck_assert(skl_str_starts(skl_buf_str(&b), "HTTP/1.1 401 "));
    }
    helper_log(&log);
    for (char *p = log.p; (p = strstr(p, "without a valid token")); p++)
        lines++;
    ck_assert_int_ge(lines, 1);
    ck_assert_int_le(lines, 10); /* a window may have ended in between */
    agents_end();
}
END_TEST

/* One address for all here: strangers are held off, who has a token is not. */
START_TEST(an_address_that_goes_on_is_told_to_wait)
{
    struct fake f = {0};
    agents_begin();
    for (int i = 0; i < AGENT_RATE_BURST + 60; i++) {
        SKL_AUTO_BUF struct skl_buf b = {0};
        ask_door("GET /agent/v1 HTTP/1.1\r\nHost: a\r\n\r\n", &b);
        if (i < AGENT_RATE_BURST)
            ck_assert(skl_str_starts(skl_buf_str(&b), "HTTP/1.1 401 "));
        if (skl_str_starts(skl_buf_str(&b), "HTTP/1.1 429 ")) {
            ck_assert_ptr_nonnull(strstr(b.p, "Connection: close\r\n"));
            ck_assert_int_eq(fake_dial(&f, "/agent/v1", AUTH_A), 101);
            fake_end(&f);
            agents_end();
            return;
        }
    }
    ck_abort_msg("nobody was told to wait");
}
END_TEST

START_TEST(patience_comes_back_with_time)
{
    struct agent_rate r;
    agent_rate_init(&r);
    for (int i = 0; i < AGENT_RATE_BURST; i++)
        ck_assert(!agent_rate_failed(&r, "192.0.2.1:1000", 5000));
    ck_assert(agent_rate_failed(&r, "192.0.2.1:1001", 5000)); /* the port does not count */
    ck_assert(agent_rate_failed(&r, "192.0.2.1:1", 5000 + AGENT_RATE_EVERY_MS - 1));
    ck_assert(!agent_rate_failed(&r, "192.0.2.1:1", 5000 + AGENT_RATE_EVERY_MS));
    ck_assert(agent_rate_failed(&r, "192.0.2.1:1", 5000 + AGENT_RATE_EVERY_MS));
    for (int i = 0; i < AGENT_RATE_BURST; i++)
        ck_assert(!agent_rate_failed(&r, "192.0.2.1:1", INT64_MAX / 2));
    ck_assert(agent_rate_failed(&r, "192.0.2.1:1", INT64_MAX / 2));
}
END_TEST

START_TEST(a_token_without_an_upgrade_is_a_bad_request)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    agents_begin();
    ask_door("GET /agent/v1 HTTP/1.1\r\nHost: a\r\n" AUTH_A "\r\n", &b);
    ck_assert(skl_str_starts(skl_buf_str(&b), "HTTP/1.1 400 "));
    agents_end();
}
END_TEST

START_TEST(forgetting_ends_session_and_token)
{
    struct fake f = {0};
    agents_begin();
    fake_up(&f);
    ck_assert_uint_eq(skl_agents_connected(agents), 1);
    skl_agents_forget(agents, ID_A);
    owner_told("gone i1;");
    ck_assert_ptr_null(skl_agents_find(agents, ID_A));
    net_until(f.closes);
    ck_assert_int_eq(fake_dial(&f, "/agent/v1", AUTH_A), 401);
    ck_assert_uint_eq(skl_agents_connected(agents), 0);
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(forgetting_cuts_a_connection_that_has_not_greeted)
{
    struct fake f = {0};
    agents_begin();
    fake_connect(&f);
    skl_agents_forget(agents, ID_A);
    net_until(f.closes);
    ck_assert_int_eq(f.code, 4401);
    owner_told("");
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(another_token_ends_what_came_with_the_old_one)
{
    struct fake f = {0};
    agents_begin();
    fake_up(&f);
    skl_agents_prepare(agents, ID_A, TOKEN, &owner); /* the same: nothing happens */
    owner_told("");
    skl_agents_prepare(agents, ID_A, ID_B, &owner);
    owner_told("gone i1;");
    net_until(f.closes);
    ck_assert_int_eq(fake_dial(&f, "/agent/v1", AUTH_A), 401);
    fake_end(&f);
    agents_end();
}
END_TEST

START_TEST(connections_without_hello_are_few)
{
    struct fake f[6] = {{0}};
    int closed = 0;
    agents_begin();
    for (int i = 0; i < 6; i++)
        fake_connect(&f[i]);
    net_until(f[4].closes && f[5].closes);
    for (int i = 0; i < 6; i++)
        closed += f[i].closes;
    ck_assert_int_eq(closed, 2);
    ck_assert_int_eq(f[5].code, 1013);
    for (int i = 0; i < 6; i++)
        fake_end(&f[i]);
    agents_end();
}
END_TEST

START_TEST(a_refused_agent_is_told_so)
{
    struct fake f = {0};
    agents_begin();
    owner.refuse = true;
    fake_connect(&f);
    fake_hello(&f, "i1", 0, 0, 0);
    net_until(f.closes);
    ck_assert_int_eq(f.code, 4403);
    owner_told("hello i1 0 0;"); /* nothing of a session that never was */
    ck_assert_ptr_null(skl_agents_find(agents, ID_A));
    fake_end(&f);
    agents_end();
}
END_TEST

/* -- two instances */

START_TEST(a_second_instance_is_refused_while_the_first_answers)
{
    struct fake a = {0}, b = {0};
    agents_begin();
    fake_up(&a);
    fake_connect(&b);
    fake_hello(&b, "i2", 0, 0, 0);
    net_until(b.closes);
    ck_assert_int_eq(b.code, 4409);
    ck_assert_int_eq(a.pings, 1);
    owner_told("");
    ck_assert(skl_session_is_up(owner.s));
    fake_end(&a);
    fake_end(&b);
    agents_end();
}
END_TEST

START_TEST(a_second_instance_takes_over_from_a_silent_one)
{
    struct fake a = {.silent = true}, b = {0};
    agents_begin();
    fake_up(&a);
    fake_connect(&b);
    fake_hello(&b, "i2", 0, 0, 0);
    fake_next(&b, SKL_FRAME_WELCOME); /* after the time to answer */
    owner_told("gone i1;hello i2 0 0;up;");
    net_until(a.closes);
    fake_end(&a);
    fake_end(&b);
    agents_end();
}
END_TEST

START_TEST(a_second_instance_comes_in_when_the_first_is_gone)
{
    struct fake a = {.silent = true}, b = {0};
    agents_begin();
    fake_up(&a);
    fake_connect(&b);
    fake_hello(&b, "i2", 0, 0, 0);
    net_until(a.pings); /* the question is open */
    fake_drop(&a);
    fake_next(&b, SKL_FRAME_WELCOME);
    owner_told("down;gone i1;hello i2 0 0;up;");
    fake_end(&a);
    fake_end(&b);
    agents_end();
}
END_TEST

START_TEST(forgetting_in_on_gone_refuses_the_successor)
{
    struct fake a = {0}, b = {0};
    agents_begin();
    fake_up(&a);
    fake_drop(&a);
    owner_told("down;");
    owner.forget_on_gone = true;
    fake_connect(&b);
    fake_hello(&b, "i2", 0, 0, 0);
    net_until(b.closes);
    ck_assert_int_eq(b.code, 4401);
    owner_told("gone i1;");
    fake_end(&a);
    fake_end(&b);
    agents_end();
}
END_TEST

START_TEST(the_same_instance_replaces_its_own_connection)
{
    struct fake a = {.silent = true}, b = {0};
    agents_begin();
    fake_up(&a);
    fake_connect(&b);
    memcpy(b.session, a.session, sizeof(b.session));
    fake_hello_again(&b, "i1", 0, 0, 0);
    fake_next(&b, SKL_FRAME_WELCOME);
    ck_assert_str_eq(b.session, a.session);
    owner_told("down;hello i1 0 0;up;");
    net_until(a.closes);
    fake_end(&a);
    fake_end(&b);
    agents_end();
}
END_TEST

/* -- forward */

static struct fake *forward_fake;
static char forward_auth[200];
static const char *forward_token = TOKEN;
static int forward_asked, forward_refuse, forward_accepted;

static void forward_handler(void *arg, struct skl_http *x)
{
    static const struct skl_ws_config config = {.max_message = SKL_WS_MAX_MESSAGE};
    struct skl_str auth = skl_http_header(x, "authorization");
    struct skl_str id = skl_http_header(x, "x-sockerless-container");
    struct skl_error e;
    struct skl_ws *ws;
    forward_asked++;
    snprintf(forward_auth, sizeof(forward_auth), "%.*s %.*s %.*s", SKL_STR_ARG(skl_http_path(x)),
             SKL_STR_ARG(auth), SKL_STR_ARG(id));
    if (forward_refuse-- > 0) {
        skl_http_answer(x, 401, NULL, NULL, SKL_STR("no"));
        return;
    }
    ck_assert_int_eq(skl_ws_accept(x, &config, &ws, &e), 0);
    forward_fake->closes = 0;
    fake_attach(forward_fake, ws);
}

static struct skl_http_server *forward_server;

static void forward_accept(void *arg, struct skl_stream *own_stream)
{
    forward_accepted++;
    skl_http_server_add(forward_server, own_stream);
}

static struct skl_listener *forward_open(int port)
{
    struct skl_listener *l;
    struct skl_address at = {.kind = SKL_ADDRESS_TCP, .host = "127.0.0.1", .port = port};
    struct skl_tls *tls;
    struct skl_error e;
    ck_assert_int_eq(skl_forward_tls_new(true, ID_A, forward_token, &tls, &e), 0);
    ck_assert_msg(skl_listener_open(&net_loop, &at, tls, forward_accept, NULL, &l, &e) == 0, "%s",
                  e.msg);
    skl_tls_unref(tls);
    return l;
}

static void forward_begin(struct fake *f)
{
    agents_begin();
    forward_fake = f;
    forward_asked = forward_refuse = forward_accepted = 0;
    forward_server = skl_http_server_new(
        &net_loop, &(struct skl_http_server_config){.handler = forward_handler});
}

static void forward_end(struct fake *f, struct skl_listener *l)
{
    skl_agents_close(skl_take(&agents));
    skl_listener_close(l);
    fake_end(f);
    skl_http_server_close(forward_server, 0, door_closed, NULL);
    agents_end();
}

START_TEST(dialling_goes_on_until_the_agent_listens)
{
    struct fake f = {0};
    struct skl_listener *l;
    char address[40];
    int tries = 0;
    forward_begin(&f);
    l = forward_open(0);
    int port = helper_port(l);
    skl_listener_close(l); /* a port on which nobody listens yet */
    net_spin();
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    skl_agents_dial(agents, ID_A, address, NET_DEADLINE_MS);
    while (tries++ < 40)
        uv_run(&net_loop, UV_RUN_ONCE); /* refused attempts */
    ck_assert_int_eq(forward_asked, 0);
    forward_refuse = 1; /* an earlier workload with another token is at that address */
    l = forward_open(port);
    net_until(f.ws);
    ck_assert_int_eq(forward_asked, 2);
    ck_assert_str_eq(forward_auth, "/agent/v1 Bearer " TOKEN " " ID_A);
    fake_hello(&f, "i1", 0, 0, 0);
    fake_next(&f, SKL_FRAME_WELCOME);
    owner_told("hello i1 0 0;up;");
    forward_end(&f, l);
}
END_TEST

START_TEST(a_lost_connection_is_dialled_again)
{
    struct fake f = {0};
    struct skl_listener *l;
    char address[40];
    forward_begin(&f);
    l = forward_open(0);
    snprintf(address, sizeof(address), "127.0.0.1:%d", helper_port(l));
    skl_agents_dial(agents, ID_A, address, NET_DEADLINE_MS);
    skl_agents_dial(agents, ID_A, address, NET_DEADLINE_MS); /* once more does no harm */
    net_until(f.ws);
    fake_hello(&f, "i1", 0, 0, 0);
    fake_next(&f, SKL_FRAME_WELCOME);
    owner_told("hello i1 0 0;up;");
    fake_drop(&f);
    net_until(f.ws);
    fake_hello_again(&f, "i1", 0, 0, 0);
    fake_next(&f, SKL_FRAME_WELCOME);
    owner_told("down;hello i1 0 0;up;");
    ck_assert_int_eq(forward_asked, 2);
    /* An agent that says goodbye for good is not dialled any more, nor one that is forgotten. */
    skl_ws_close(skl_take(&f.ws), 1000);
    owner_told("down;gone i1;");
    ck_assert_ptr_null(skl_agents_find(agents, ID_A));
    forward_end(&f, l);
}
END_TEST

/* Whoever listens at the address without knowing the token is not spoken to, and sees none of it. */
START_TEST(an_impostor_is_not_told_the_token)
{
    struct fake f = {0};
    struct skl_listener *l;
    char address[40];
    forward_begin(&f);
    forward_token = "another workload's token";
    l = forward_open(0);
    snprintf(address, sizeof(address), "127.0.0.1:%d", helper_port(l));
    skl_agents_dial(agents, ID_A, address, NET_DEADLINE_MS);
    net_until(forward_accepted >= 2); /* it tries again, and again without a request */
    ck_assert_int_eq(forward_asked, 0);
    forward_token = TOKEN;
    forward_end(&f, l);
}
END_TEST

static struct net_seen impostor_saw;
static struct skl_stream *impostor;

static void impostor_accept(void *arg, struct skl_stream *own_stream)
{
    if (impostor) {
        skl_stream_close(own_stream);
        return;
    }
    impostor = own_stream;
    net_watch(impostor, &impostor_saw);
    skl_stream_read_start(impostor);
}

START_TEST(what_a_plain_listener_hears_holds_no_token)
{
    struct fake f = {0};
    struct skl_listener *l;
    struct skl_address at = {.kind = SKL_ADDRESS_TCP, .host = "127.0.0.1"};
    struct skl_error e;
    char address[40];
    forward_begin(&f);
    ck_assert_int_eq(skl_listener_open(&net_loop, &at, NULL, impostor_accept, NULL, &l, &e), 0);
    snprintf(address, sizeof(address), "127.0.0.1:%d", helper_port(l));
    skl_agents_dial(agents, ID_A, address, NET_DEADLINE_MS);
    net_until(impostor_saw.data.n > 0);
    ck_assert_int_eq(impostor_saw.data.p[0], 22); /* a TLS handshake */
    ck_assert_ptr_null(memmem(impostor_saw.data.p, impostor_saw.data.n, TOKEN, strlen(TOKEN)));
    skl_stream_close(skl_take(&impostor));
    skl_buf_fini(&impostor_saw.data);
    forward_end(&f, l);
}
END_TEST

START_TEST(dialling_ends_with_its_deadline)
{
    struct fake f = {0};
    struct skl_listener *l;
    char address[40];
    forward_begin(&f);
    l = forward_open(0);
    snprintf(address, sizeof(address), "127.0.0.1:%d", helper_port(l));
    skl_listener_close(l);
    net_spin();
    skl_agents_dial(agents, ID_A, address, 1);
    skl_agents_dial(agents, ID_A, "not an address/x", 1); /* ignored */
    /* Without a timer or a socket of it the loop has nothing left but the door. */
    uv_unref((uv_handle_t *)&net_tick);
    skl_listener_close(skl_take(&door_listener));
    net_until(!uv_loop_alive(&net_loop) || !(uv_run(&net_loop, UV_RUN_NOWAIT)));
    ck_assert_int_eq(forward_asked, 0);
    forward_end(&f, NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agents");
    TCase *t = tcase_create("agents");
    SRunner *sr;
    int failed;
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, only_the_right_token_opens_the_door, 0, (int)SKL_ARRAY_LEN(doors));
    tcase_add_test(t, unknown_wrong_and_forgotten_get_the_same_answer);
    tcase_add_test(t, a_flood_of_refusals_is_a_few_log_lines);
    tcase_add_test(t, an_address_that_goes_on_is_told_to_wait);
    tcase_add_test(t, patience_comes_back_with_time);
    tcase_add_test(t, a_token_without_an_upgrade_is_a_bad_request);
    tcase_add_test(t, forgetting_ends_session_and_token);
    tcase_add_test(t, forgetting_cuts_a_connection_that_has_not_greeted);
    tcase_add_test(t, another_token_ends_what_came_with_the_old_one);
    tcase_add_test(t, connections_without_hello_are_few);
    tcase_add_test(t, a_refused_agent_is_told_so);
    tcase_add_test(t, a_second_instance_is_refused_while_the_first_answers);
    tcase_add_test(t, a_second_instance_takes_over_from_a_silent_one);
    tcase_add_test(t, a_second_instance_comes_in_when_the_first_is_gone);
    tcase_add_test(t, forgetting_in_on_gone_refuses_the_successor);
    tcase_add_test(t, the_same_instance_replaces_its_own_connection);
    tcase_add_test(t, dialling_goes_on_until_the_agent_listens);
    tcase_add_test(t, a_lost_connection_is_dialled_again);
    tcase_add_test(t, an_impostor_is_not_told_the_token);
    tcase_add_test(t, what_a_plain_listener_hears_holds_no_token);
    tcase_add_test(t, dialling_ends_with_its_deadline);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
