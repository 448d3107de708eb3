/* Listeners and dials. */
#include "net/listener.h"

#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "net_helper.h"

struct dialled {
    struct skl_stream *s;
    int calls;
    struct skl_error e;
};

static struct skl_stream *accepted[8];
static int n_accepted;

static void on_accept(void *arg, struct skl_stream *own_stream)
{
    accepted[n_accepted++] = own_stream;
}

static void on_connect(void *arg, struct skl_stream *own_stream, const struct skl_error *err)
{
    struct dialled *d = arg;
    d->s = own_stream;
    d->calls++;
    if (err)
        d->e = *err;
}

static struct skl_listener *listen_at(const char *text, int want)
{
    struct skl_address at;
    struct skl_error e = {0};
    struct skl_listener *l = NULL;
    ck_assert_int_eq(skl_address_parse(text, 0, &at, &e), 0);
    int rc = skl_listener_open(&net_loop, &at, NULL, on_accept, NULL, &l, &e);
    ck_assert_msg(rc == want, "%d %s", rc, e.msg);
    return l;
}

static void dial_and_talk(const struct skl_address *to, const char *peer)
{
    struct dialled d = {0};
    struct net_seen seen;
    char name[80];
    n_accepted = 0;
    skl_stream_connect(&net_loop, to, NULL, NULL, 5000, on_connect, &d);
    ck_assert_int_eq(d.calls, 0);
    net_until(d.calls == 1 && n_accepted == 1);
    ck_assert_msg(d.s != NULL, "%s", d.e.msg);
    net_watch(accepted[0], &seen);
    skl_stream_read_start(accepted[0]);
    skl_stream_write(d.s, "hello", 5);
    net_until(seen.data.n == 5);
    skl_stream_peer_name(accepted[0], name, sizeof(name));
    ck_assert_msg(strncmp(name, peer, strlen(peer)) == 0, "%s", name);
    skl_stream_set_keepalive(d.s, 30);
    skl_stream_close(d.s);
    net_until(seen.eofs == 1);
    skl_stream_close(accepted[0]);
    skl_buf_fini(&seen.data);
}

static const char *const tcp_hosts[][2] = {
    {"127.0.0.1:0", "127.0.0.1:"}, {"[::1]:0", "[::1]:"}, {":0", ""}, {"localhost:0", ""}};

START_TEST(tcp_is_dialled_and_accepted)
{
    net_begin();
    struct skl_listener *l = listen_at(tcp_hosts[_i][0], 0);
    ck_assert_int_gt(skl_listener_address(l)->port, 0);
    dial_and_talk(skl_listener_address(l), tcp_hosts[_i][1]);
    skl_listener_close(l);
    net_end();
}
END_TEST

START_TEST(a_wildcard_takes_both_families)
{
    net_begin();
    struct skl_listener *l = listen_at(":0", 0);
    struct skl_address to = *skl_listener_address(l);
    snprintf(to.host, sizeof(to.host), "127.0.0.1");
    dial_and_talk(&to, "");
    snprintf(to.host, sizeof(to.host), "::1");
    dial_and_talk(&to, "");
    skl_listener_close(l);
    net_end();
}
END_TEST

START_TEST(unix_sockets_have_their_rules)
{
    char dir[] = "/tmp/skl-net-XXXXXX", text[128], path[64];
    struct stat st;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    net_begin();
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    snprintf(text, sizeof(text), "unix://%s", path);
    /* A stale file is replaced. */
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    close(fd);
    struct skl_listener *l = listen_at(text, 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0660);
    dial_and_talk(skl_listener_address(l), "unix");
    n_accepted = 0;
    listen_at(text, -SKL_E_CONFLICT); /* a live one is not */
    net_until(n_accepted == 1);       /* it was asked */
    skl_stream_close(accepted[0]);
    dial_and_talk(skl_listener_address(l), "unix");
    skl_listener_close(l);
    ck_assert_int_eq(stat(path, &st), -1);
    /* A file that is no socket stays. */
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(fd);
    listen_at(text, -SKL_E_CONFLICT);
    ck_assert_int_eq(stat(path, &st), 0);
    unlink(path);
    /* Another's file at our path is not removed. */
    l = listen_at(text, 0);
    unlink(path);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(fd);
    skl_listener_close(l);
    ck_assert_int_eq(stat(path, &st), 0);
    unlink(path);
    rmdir(dir);
    net_end();
}
END_TEST

START_TEST(an_inherited_descriptor_is_listened_on)
{
    char text[32];
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct skl_address to = {.kind = SKL_ADDRESS_TCP, .host = "127.0.0.1"};
    socklen_t n = sizeof(sa);
    net_begin();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, n), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    to.port = ntohs(sa.sin_port);
    snprintf(text, sizeof(text), "fd://%d", fd);
    struct skl_listener *l = listen_at(text, 0);
    dial_and_talk(&to, "127.0.0.1:");
    skl_listener_close(l);
    net_end();
}
END_TEST

START_TEST(a_taken_port_is_an_error)
{
    char text[64];
    net_begin();
    struct skl_listener *l = listen_at("127.0.0.1:0", 0);
    skl_address_format(skl_listener_address(l), text, sizeof(text));
    struct skl_address at = *skl_listener_address(l);
    struct skl_error e = {0};
    struct skl_listener *second;
    ck_assert_int_lt(skl_listener_open(&net_loop, &at, NULL, on_accept, NULL, &second, &e), 0);
    ck_assert_ptr_nonnull(strstr(e.msg, text));
    skl_listener_close(l);
    net_end();
}
END_TEST

START_TEST(failed_dials_say_why)
{
    struct dialled d = {0};
    struct skl_address to = {.kind = SKL_ADDRESS_UNIX, .path = "/nonexistent/socket"};
    net_begin();
    skl_stream_connect(&net_loop, &to, NULL, NULL, 5000, on_connect, &d);
    net_until(d.calls == 1);
    ck_assert_ptr_null(d.s);
    ck_assert_ptr_nonnull(strstr(d.e.msg, "unix:///nonexistent/socket"));
    /* A port that was just given back: nobody answers. */
    struct skl_listener *l = listen_at("127.0.0.1:0", 0);
    to = *skl_listener_address(l);
    skl_listener_close(l);
    net_spin();
    memset(&d, 0, sizeof(d));
    skl_stream_connect(&net_loop, &to, NULL, NULL, 5000, on_connect, &d);
    net_until(d.calls == 1);
    ck_assert_ptr_null(d.s);
    ck_assert_int_eq(d.e.kind, SKL_E_UNAVAILABLE);
    /* A name that cannot be. */
    memset(&d, 0, sizeof(d));
    snprintf(to.host, sizeof(to.host), "no-such-host.invalid");
    skl_stream_connect(&net_loop, &to, NULL, NULL, 15000, on_connect, &d);
    net_until(d.calls == 1);
    ck_assert_ptr_null(d.s);
    net_end();
}
END_TEST

START_TEST(a_dial_can_be_canceled_at_any_time)
{
    struct dialled d = {0};
    net_begin();
    struct skl_listener *l = listen_at("localhost:0", 0);
    for (int turns = 0; turns < 6; turns++) {
        n_accepted = 0;
        struct skl_connect *c = skl_stream_connect(&net_loop, skl_listener_address(l), NULL, NULL,
                                                   5000, on_connect, &d);
        for (int i = 0; i < turns && !d.calls; i++)
            uv_run(&net_loop, UV_RUN_NOWAIT);
        if (d.calls)
            break;
        skl_connect_cancel(&c);
        ck_assert_ptr_null(c);
        net_spin();
        ck_assert_int_eq(d.calls, 0);
        for (int i = 0; i < n_accepted; i++)
            skl_stream_close(accepted[i]);
    }
    skl_stream_close(d.s);
    net_spin();
    for (int i = 0; d.calls && i < n_accepted; i++)
        skl_stream_close(accepted[i]);
    skl_listener_close(l);
    net_end();
}
END_TEST

START_TEST(a_reset_is_told)
{
    struct net_seen seen;
    struct linger now = {1, 0};
    net_begin();
    struct skl_listener *l = listen_at("127.0.0.1:0", 0);
    n_accepted = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)skl_listener_address(l)->port)};
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    net_until(n_accepted == 1);
    net_watch(accepted[0], &seen);
    skl_stream_read_start(accepted[0]);
    net_spin();
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
    net_until(seen.closes == 1);
    ck_assert_int_eq(seen.why.sys, UV_ECONNRESET);
    skl_stream_close(accepted[0]);
    skl_listener_close(l);
    net_end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("listener");
    TCase *t = tcase_create("listener");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, tcp_is_dialled_and_accepted, 0, (int)SKL_ARRAY_LEN(tcp_hosts));
    tcase_add_test(t, a_wildcard_takes_both_families);
    tcase_add_test(t, unix_sockets_have_their_rules);
    tcase_add_test(t, an_inherited_descriptor_is_listened_on);
    tcase_add_test(t, a_taken_port_is_an_error);
    tcase_add_test(t, failed_dials_say_why);
    tcase_add_test(t, a_dial_can_be_canceled_at_any_time);
    tcase_add_test(t, a_reset_is_told);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
