/* The server and its three pages. CivetWeb hands every request to one callback before it looks at files; none is
 * served. The threads read copies and atomics only: a loop that hangs cannot hang them. */
#include "ops/ops_internal.h"

#include <civetweb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"

#define MAX_PAGE (8 * SKL_MIB)

/* -- the address */

int skl_ops_address(const char *text, char *ret, size_t cap, struct skl_error *err)
{
    const char *colon = strrchr(text, ':');
    struct skl_str host = colon ? skl_str_n(text, (size_t)(colon - text)) : skl_str_n("", 0);
    struct skl_str port = skl_str(colon ? colon + 1 : text);
    SKL_AUTO_STR char *address = NULL;
    struct skl_ip ip;
    uint64_t number;

    bool bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';

    if (host.n == 0 || skl_str_eqz(host, "localhost"))
        host = SKL_STR("127.0.0.1");
    if (bracketed)
        host = skl_str_n(host.p + 1, host.n - 2);
    address = skl_str_dup(host);
    if (!skl_str_u64(port, &number) || number > 65535)
        return skl_fail(err, SKL_E_INVALID, "--ops-listen '%s': expected ADDR:PORT", text);
    if (!skl_ip_parse(address, &ip) || (ip.n == 16) != bracketed)
        return skl_fail(err, SKL_E_INVALID,
                        "--ops-listen '%s': expected an IP address before the port, of IPv6 in "
                        "brackets",
                        text);
    if (bracketed && !mg_check_feature(MG_FEATURES_IPV6))
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "--ops-listen '%s': this system's CivetWeb is built without IPv6: give an "
                        "IPv4 address",
                        text);
    snprintf(ret, cap, bracketed ? "[%s]:%u" : "%s:%u", address, (unsigned)number);
    return 0;
}

/* -- pages */

static void answer(struct mg_connection *c, int status, const char *type, struct skl_str body,
                   bool head)
{
    mg_printf(
        c,
        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%sConnection: close\r\n\r\n",
        status, mg_get_response_code_text(c, status), type, body.n,
        status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (!head && body.n > 0)
        mg_write(c, body.p, body.n);
}

static int on_request(struct mg_connection *c)
{
    const struct mg_request_info *info = mg_get_request_info(c);
    struct skl_ops *o = info->user_data;
    bool head = skl_streq(info->request_method, "HEAD");
    SKL_AUTO_BUF struct skl_buf b = {0};
    const char *type = "application/json";
    int status = 200;

    skl_buf_init(&b, MAX_PAGE);
    if (!head && !skl_streq(info->request_method, "GET")) {
        status = 405;
    } else if (skl_streq(info->local_uri, "/healthz")) {
        status = ops_health(o, &b);
    } else if (skl_streq(info->local_uri, "/readyz")) {
        status = ops_ready(o, &b);
    } else if (skl_streq(info->local_uri, "/metrics")) {
        type = "text/plain; version=0.0.4; charset=utf-8";
        ops_metrics(o, &b);
    } else {
        status = 404;
    }
    if (b.failed) {
        skl_buf_reset(&b);
        status = 500;
    }
    answer(c, status, type, skl_buf_str(&b), head);
    return status;
}

static int on_message(const struct mg_connection *c SKL_UNUSED, const char *message)
{
    skl_debug("ops", "server", "message", message, NULL);
    return 1;
}

/* -- what the loop says */

void skl_ops_publish(struct skl_ops *o, const struct skl_ops_sample *samples, size_t n)
{
    SKL_ASSERT(n <= SKL_OPS_MAX_SAMPLES);
    (void)pthread_mutex_lock(&o->loop_view_lock);
    memcpy(o->loop_view.samples, samples, n * sizeof(*samples));
    o->loop_view.n = n;
    o->loop_view.at_ms = skl_mono_ms();
    (void)pthread_mutex_unlock(&o->loop_view_lock);
}

void skl_ops_set_ready(struct skl_ops *o, const char *why_not)
{
    (void)pthread_mutex_lock(&o->loop_view_lock);
    o->loop_view.why_not_ready = why_not;
    (void)pthread_mutex_unlock(&o->loop_view_lock);
}

void ops_read_view(struct skl_ops *o, struct ops_loop_view *ret)
{
    (void)pthread_mutex_lock(&o->loop_view_lock);
    *ret = o->loop_view;
    (void)pthread_mutex_unlock(&o->loop_view_lock);
}

int64_t ops_loop_lag_ms(const struct skl_ops *o, const struct ops_loop_view *view)
{
    int64_t lag = skl_mono_ms() - view->at_ms - o->config.publish_every_ms;

    return lag > 0 ? lag : 0;
}

/* -- life */

int skl_ops_open(const struct skl_ops_config *config, struct skl_ops **ret, struct skl_error *err)
{
    const char *options[] = {"listening_ports",
                             config->address,
                             "num_threads",
                             "4",
                             "request_timeout_ms",
                             "5000",
                             "enable_keep_alive",
                             "no",
                             "max_request_size",
                             "16384",
                             NULL};
    const struct mg_callbacks callbacks = {.begin_request = on_request, .log_message = on_message};
    struct skl_ops *o = skl_new0(struct skl_ops);

    SKL_ASSERT(config->n_folders <= SKL_ARRAY_LEN(o->folder_bytes));
    o->config = *config;
    (void)pthread_mutex_init(&o->loop_view_lock, NULL);
    (void)pthread_mutex_init(&o->folders_lock, NULL);
    o->loop_view.at_ms = skl_mono_ms();
    o->loop_view.why_not_ready = "starting";
    mg_init_library(0);
    o->server = mg_start(&callbacks, o, options);
    if (!o->server) {
        skl_ops_close(o);
        return skl_fail(err, SKL_E_UNAVAILABLE, "--ops-listen '%s': the address cannot be used",
                        config->address);
    }
    *ret = o;
    return 0;
}

void skl_ops_close(struct skl_ops *o)
{
    if (!o)
        return;
    if (o->server)
        mg_stop(o->server);
    mg_exit_library();
    (void)pthread_mutex_destroy(&o->loop_view_lock);
    (void)pthread_mutex_destroy(&o->folders_lock);
    free(o);
}

int skl_ops_port(const struct skl_ops *o)
{
    struct mg_server_port ports[2];

    return mg_get_server_ports(o->server, 2, ports) < 1 ? 0 : ports[0].port;
}
