/* TLS on streams: trust, names, client certificates, half-close. Certificates are made here. */
#include "net/tls.h"

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "base/id.h"
#include "net/listener.h"
#include "net_helper.h"

/* -- a small certificate authority */

static char dir[] = "/tmp/skl-tls-XXXXXX";
static char ca_pem[4096];

static int rng(void *ctx, unsigned char *p, size_t n)
{
    skl_random(p, n);
    return 0;
}

static const char *at(const char *name)
{
    static char paths[4][96];
    static int next;
    char *p = paths[next++ % 4];
    snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
    return p;
}

static void save(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void make_key(mbedtls_pk_context *key, const char *file)
{
    unsigned char pem[2048];
    mbedtls_pk_init(key);
    ck_assert_int_eq(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
    ck_assert_int_eq(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), rng, NULL),
                     0);
    ck_assert_int_eq(mbedtls_pk_write_key_pem(key, pem, sizeof(pem)), 0);
    save(file, (char *)pem);
}

static void make_cert(const char *file, const char *subject, mbedtls_pk_context *key,
                      const char *issuer, mbedtls_pk_context *issuer_key, bool ca)
{
    /* localhost and 127.0.0.1 */
    static const unsigned char names[] = "\x30\x11\x82\x09localhost\x87\x04\x7f\x00\x00\x01";
    unsigned char pem[4096];
    mbedtls_x509write_cert w;
    mbedtls_mpi serial;
    mbedtls_x509write_crt_init(&w);
    mbedtls_mpi_init(&serial);
    ck_assert_int_eq(mbedtls_mpi_lset(&serial, ca ? 1 : 2), 0);
    mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_serial(&w, &serial);
    mbedtls_x509write_crt_set_validity(&w, "20200101000000", "20991231235959");
    mbedtls_x509write_crt_set_subject_key(&w, key);
    mbedtls_x509write_crt_set_issuer_key(&w, issuer_key);
    ck_assert_int_eq(mbedtls_x509write_crt_set_subject_name(&w, subject), 0);
    ck_assert_int_eq(mbedtls_x509write_crt_set_issuer_name(&w, issuer), 0);
    ck_assert_int_eq(mbedtls_x509write_crt_set_basic_constraints(&w, ca, -1), 0);
    if (!ca)
        ck_assert_int_eq(
            mbedtls_x509write_crt_set_extension(&w, MBEDTLS_OID_SUBJECT_ALT_NAME,
                                                MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0,
                                                names, sizeof(names) - 1),
            0);
    ck_assert_int_eq(mbedtls_x509write_crt_pem(&w, pem, sizeof(pem), rng, NULL), 0);
    save(file, (char *)pem);
    if (skl_streq(file, "ca.pem"))
        snprintf(ca_pem, sizeof(ca_pem), "%s", (char *)pem);
    mbedtls_x509write_crt_free(&w);
    mbedtls_mpi_free(&serial);
}

static void make_all(void)
{
    mbedtls_pk_context ca, other, key;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    make_key(&ca, "ca.key");
    make_key(&other, "other.key");
    make_key(&key, "own.key");
    make_cert("ca.pem", "CN=test ca", &ca, "CN=test ca", &ca, true);
    make_cert("other.pem", "CN=other ca", &other, "CN=other ca", &other, true);
    make_cert("own.pem", "CN=own", &key, "CN=test ca", &ca, false);
    make_cert("stranger.pem", "CN=own", &key, "CN=other ca", &other, false);
    mbedtls_pk_free(&ca);
    mbedtls_pk_free(&other);
    mbedtls_pk_free(&key);
}

static void remove_all(void)
{
    static const char *const names[] = {"ca.key",    "other.key", "own.key",     "ca.pem",
                                        "other.pem", "own.pem",   "stranger.pem"};
    for (size_t i = 0; i < SKL_ARRAY_LEN(names); i++)
        unlink(at(names[i]));
    rmdir(dir);
}

/* -- two ends */

static struct skl_tls *server_tls, *client_tls;
static struct skl_listener *listener;
static struct skl_stream *server_end, *client_end;
static struct net_seen server_seen, client_seen;
static int connects;
static struct skl_error connect_error;

static void on_accept(void *arg, struct skl_stream *own_stream)
{
    server_end = own_stream;
    net_watch(server_end, &server_seen);
    skl_stream_read_start(server_end);
}

static void on_connect(void *arg, struct skl_stream *own_stream, const struct skl_error *err)
{
    connects++;
    client_end = own_stream;
    if (err) {
        connect_error = *err;
    } else {
        net_watch(client_end, &client_seen);
        skl_stream_read_start(client_end);
    }
}

static struct skl_tls *context(struct skl_tls_config config)
{
    struct skl_tls *t = NULL;
    struct skl_error e = {0};
    ck_assert_msg(skl_tls_new(&config, &t, &e) == 0, "%s", e.msg);
    return t;
}

static void begin(struct skl_tls *server, struct skl_tls *client, const char *name)
{
    struct skl_address to;
    struct skl_error e;
    net_begin();
    connects = 0;
    server_end = client_end = NULL;
    memset(&connect_error, 0, sizeof(connect_error));
    memset(&client_seen, 0, sizeof(client_seen));
    memset(&server_seen, 0, sizeof(server_seen));
    server_tls = server;
    client_tls = client;
    ck_assert_int_eq(skl_address_parse("127.0.0.1:0", 0, &to, &e), 0);
    ck_assert_int_eq(skl_listener_open(&net_loop, &to, server, on_accept, NULL, &listener, &e), 0);
    skl_stream_connect(&net_loop, skl_listener_address(listener), client, name, 5000, on_connect,
                       NULL);
    ck_assert_int_eq(connects, 0);
    net_until(connects == 1);
}

static void finish(void)
{
    skl_stream_close(server_end);
    skl_stream_close(client_end);
    skl_listener_close(listener);
    if (server_seen.data.p)
        skl_buf_fini(&server_seen.data);
    if (client_seen.data.p)
        skl_buf_fini(&client_seen.data);
    skl_tls_unref(server_tls);
    skl_tls_unref(client_tls);
    net_end();
}

static struct skl_tls *good_server(void)
{
    return context((struct skl_tls_config){
        .server = true, .cert_file = at("own.pem"), .key_file = at("own.key")});
}

static struct skl_tls *good_client(void)
{
    return context((struct skl_tls_config){.ca_pem = ca_pem});
}

START_TEST(bytes_go_both_ways_and_halves_end_alone)
{
    begin(good_server(), good_client(), "localhost");
    ck_assert_msg(client_end != NULL, "%s", connect_error.msg);
    skl_stream_write(client_end, "to the server", 13);
    net_until(server_seen.data.n == 13);
    ck_assert_str_eq(server_seen.data.p, "to the server");
    skl_stream_shutdown(client_end);
    net_until(server_seen.eofs == 1);
    skl_stream_write(server_end, "to the client", 13);
    net_until(client_seen.data.n == 13);
    skl_stream_shutdown(server_end);
    net_until(client_seen.eofs == 1);
    ck_assert_int_eq(server_seen.closes + client_seen.closes, 0);
    finish();
}
END_TEST

START_TEST(the_server_may_be_named_by_its_address)
{
    begin(good_server(), good_client(), NULL);
    ck_assert_msg(client_end != NULL, "%s", connect_error.msg);
    finish();
}
END_TEST

START_TEST(a_wrong_name_is_refused)
{
    static const char *const names[] = {"example.com", "127.0.0.2"};
    begin(good_server(), good_client(), names[_i]);
    ck_assert_ptr_null(client_end);
    ck_assert_ptr_nonnull(strstr(connect_error.msg, "TLS handshake"));
    net_until(server_seen.closes == 1);
    finish();
}
END_TEST

START_TEST(a_stranger_is_refused)
{
    begin(context((struct skl_tls_config){
              .server = true, .cert_file = at("stranger.pem"), .key_file = at("own.key")}),
          good_client(), "localhost");
    ck_assert_ptr_null(client_end);
    finish();
}
END_TEST

START_TEST(client_certificates_are_checked)
{
    static const struct {
        const char *cert;
        bool require, good;
    } cases[] = {{"own.pem", true, true},  {"stranger.pem", true, false},  {NULL, true, false},
                 {"own.pem", false, true}, {"stranger.pem", false, false}, {NULL, false, true}};
    begin(context((struct skl_tls_config){.server = true,
                                          .cert_file = at("own.pem"),
                                          .key_file = at("own.key"),
                                          .ca_file = at("ca.pem"),
                                          .require_peer_cert = cases[_i].require}),
          context((struct skl_tls_config){.ca_pem = ca_pem,
                                          .cert_file = cases[_i].cert ? at(cases[_i].cert) : NULL,
                                          .key_file = cases[_i].cert ? at("own.key") : NULL}),
          "localhost");
    if (client_end)
        skl_stream_write(client_end, "x", 1);
    net_until(server_seen.closes || server_seen.data.n);
    ck_assert_int_eq(server_seen.data.n == 1, cases[_i].good);
    finish();
}
END_TEST

START_TEST(much_data_arrives_whole_through_backpressure)
{
    size_t n = 8 << 20;
    char *block = skl_alloc0(1, n);
    begin(good_server(), good_client(), "localhost");
    for (size_t i = 0; i < n; i++)
        block[i] = (char)(i * 2654435761u >> 13);
    skl_stream_read_stop(server_end);
    for (size_t at_n = 0; at_n < n; at_n += 100000)
        skl_stream_write(client_end, block + at_n, n - at_n < 100000 ? n - at_n : 100000);
    net_spin();
    ck_assert(skl_stream_congested(client_end));
    size_t had = server_seen.data.n;
    net_spin();
    ck_assert_uint_eq(server_seen.data.n, had);
    skl_stream_shutdown(client_end);
    while (!server_seen.eofs) { /* stop and go, also in the middle of records */
        skl_stream_read_start(server_end);
        uv_run(&net_loop, UV_RUN_NOWAIT);
        skl_stream_read_stop(server_end);
        uv_run(&net_loop, UV_RUN_NOWAIT);
        skl_stream_read_start(server_end);
        uv_run(&net_loop, UV_RUN_NOWAIT);
    }
    ck_assert_uint_eq(server_seen.data.n, n);
    ck_assert(memcmp(server_seen.data.p, block, n) == 0);
    ck_assert_int_eq(client_seen.drains, 1);
    free(block);
    finish();
}
END_TEST

START_TEST(writes_before_the_handshake_wait)
{
    begin(good_server(), good_client(), "localhost");
    /* A second client whose server end writes at once, before any byte has come. */
    struct skl_stream *first_server = server_end, *first_client = client_end;
    struct net_seen unused = server_seen, unused2 = client_seen;
    server_end = NULL;
    connects = 0;
    skl_stream_connect(&net_loop, skl_listener_address(listener), client_tls, "localhost", 5000,
                       on_connect, NULL);
    net_until(server_end);
    skl_stream_write(server_end, "early", 5);
    net_until(client_seen.data.p && client_seen.data.n == 5);
    skl_stream_close(first_server);
    skl_stream_close(first_client);
    skl_buf_fini(&unused.data);
    skl_buf_fini(&unused2.data);
    finish();
}
END_TEST

START_TEST(an_end_without_notice_is_a_failure)
{
    begin(good_server(), good_client(), "localhost");
    skl_stream_close(client_end); /* no close_notify */
    client_end = NULL;
    net_until(server_seen.closes == 1);
    ck_assert_int_eq(server_seen.eofs, 0);
    finish();
}
END_TEST

START_TEST(graceful_close_sends_the_notice)
{
    begin(good_server(), good_client(), "localhost");
    skl_stream_write(client_end, "last", 4);
    skl_stream_close_gracefully(client_end, 5000);
    client_end = NULL;
    net_until(server_seen.eofs == 1);
    ck_assert_str_eq(server_seen.data.p, "last");
    finish();
}
END_TEST

START_TEST(plain_text_to_a_tls_port_breaks)
{
    struct skl_address to;
    begin(good_server(), good_client(), "localhost");
    struct skl_stream *first_server = server_end, *first_client = client_end;
    struct net_seen first_seen[] = {server_seen, client_seen};
    to = *skl_listener_address(listener);
    connects = 0;
    skl_stream_connect(&net_loop, &to, NULL, NULL, 5000, on_connect, NULL);
    net_until(connects == 1 && server_end != first_server);
    skl_stream_write(client_end, "GET / HTTP/1.1\r\n\r\n", 18);
    net_until(server_seen.closes == 1);
    skl_stream_close(first_server);
    skl_stream_close(first_client);
    skl_buf_fini(&first_seen[0].data);
    skl_buf_fini(&first_seen[1].data);
    finish();
}
END_TEST

START_TEST(contexts_with_wrong_files_are_refused)
{
    const struct skl_tls_config cases[] = {
        {.server = true},
        {.server = true, .cert_file = at("own.pem")},
        {.server = true, .cert_file = at("own.pem"), .key_file = at("ca.key")},
        {.ca_file = at("none.pem")},
        {.ca_pem = "nonsense"},
    };
    struct skl_tls *t = NULL;
    for (size_t i = 0; i < SKL_ARRAY_LEN(cases); i++) {
        struct skl_error e = {0};
        ck_assert_int_eq(skl_tls_new(&cases[i], &t, &e), -SKL_E_INVALID);
        ck_assert(e.msg[0] != '\0');
    }
    const struct skl_tls_config mutual = {.server = true,
                                          .cert_file = at("own.pem"),
                                          .key_file = at("own.key"),
                                          .require_peer_cert = true};
    ck_assert_int_eq(skl_tls_new(&mutual, &t, NULL), -SKL_E_INVALID);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tls");
    TCase *t = tcase_create("tls");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, make_all, remove_all);
    tcase_add_test(t, bytes_go_both_ways_and_halves_end_alone);
    tcase_add_test(t, the_server_may_be_named_by_its_address);
    tcase_add_loop_test(t, a_wrong_name_is_refused, 0, 2);
    tcase_add_test(t, a_stranger_is_refused);
    tcase_add_loop_test(t, client_certificates_are_checked, 0, 6);
    tcase_add_test(t, much_data_arrives_whole_through_backpressure);
    tcase_add_test(t, writes_before_the_handshake_wait);
    tcase_add_test(t, an_end_without_notice_is_a_failure);
    tcase_add_test(t, graceful_close_sends_the_notice);
    tcase_add_test(t, plain_text_to_a_tls_port_breaks);
    tcase_add_test(t, contexts_with_wrong_files_are_refused);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
