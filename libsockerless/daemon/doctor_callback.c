/* Does the callback URL lead to our agent listener? It is dialled as an agent dials it: name, connection, TLS with the CA
 * that agents pin, WebSocket. What answers is our own listener, opened for the moment on the configured address, and known
 * by a number that only we can have sent; or, where that address is taken, a daemon that refuses an agent it does not know.
 */
#include <errno.h>
#include <stdio.h>
#include <uv.h>

#include "base/id.h"
#include "base/log.h"
#include "daemon/agent_address.h"
#include "daemon/doctor.h"
#include "net/ws.h"

#define CHECK       "callback"
#define HEADER      "X-Sockerless-Doctor"
#define PATIENCE_MS 6000
#define GRACE_MS    200

struct visit {
    uv_loop_t loop;
    struct skl_http_server *server; /* NULL: somebody else has the address */
    struct skl_listener *listener;
    char number[33];
    bool arrived; /* at our own listener */
    int status;
    struct skl_error err;
};

static void on_accept(void *arg, struct skl_stream *own_stream)
{
    skl_http_server_add(((struct visit *)arg)->server, own_stream);
}

/* Answers as a daemon does that does not know the agent. */
static void on_request(void *arg, struct skl_http *x)
{
    struct visit *v = arg;

    v->arrived |= skl_str_eqz(skl_http_header(x, HEADER), v->number);
    skl_http_close_after(x);
    skl_http_answer(x, 401, "application/json", NULL, SKL_STR("{\"message\":\"unauthorized\"}\n"));
}

static void on_closed(void *arg)
{
    uv_stop(&((struct visit *)arg)->loop);
}

static void on_dialled(void *arg, struct skl_ws *own_ws, int http_status,
                       const struct skl_error *err)
{
    struct visit *v = arg;

    v->status = http_status;
    if (err)
        v->err = *err;
    if (own_ws)
        skl_ws_close(own_ws, 1000);
    if (v->server)
        skl_http_server_close(v->server, GRACE_MS, on_closed, v);
    else
        uv_stop(&v->loop);
}

static void judge(const struct visit *v, const char *url, const struct skl_findings *to)
{
    bool is_tls = skl_str_istarts(skl_str(url), "https:") || skl_str_istarts(skl_str(url), "wss:");

    if (v->arrived)
        skl_find_ok(to, CHECK, "'%s' leads from this machine to the agent listener%s", url,
                    is_tls ? ", by TLS that agents accept" : "");
    else if (!v->server && v->status == 401)
        skl_find_ok(to, CHECK, "'%s' leads to an agent listener: a daemon is running", url);
    else if (v->status > 0)
        skl_find(to, SKL_GRADE_FAIL, CHECK,
                 "point SOCKERLESS_CALLBACK_URL, and any proxy or load balancer before it, at the "
                 "agent listener "
                 "(--agent-listen)",
                 "'%s' is answered by something else, with status %d", url, v->status);
    else
        skl_find(to, SKL_GRADE_FAIL, CHECK,
                 "see that the name resolves, the port is open, the certificate names the host and "
                 "chains to "
                 "--agent-tls-ca, and that it leads to --agent-listen",
                 "'%s' does not lead to the agent listener: %s", url, v->err.msg);
}

/* false: told. */
static bool open_listener(struct visit *v, const struct skl_doctor_subject *s,
                          const struct skl_address *at, const struct skl_findings *to)
{
    struct skl_error err;

    v->server = skl_http_server_new(
        &v->loop, &(struct skl_http_server_config){.handler = on_request, .arg = v});
    if (skl_listener_open(&v->loop, at, s->tls->agents, on_accept, v, &v->listener, &err) == 0)
        return true;
    skl_http_server_close(v->server, 0, on_closed, v);
    (void)uv_run(&v->loop, UV_RUN_DEFAULT);
    v->server = NULL;
    if (err.sys == EADDRINUSE || err.sys == UV_EADDRINUSE)
        return true;
    skl_find(to, SKL_GRADE_FAIL, "agent listener",
             "set --agent-listen to an address of this machine and a port that this user may open",
             "%s", err.msg);
    return false;
}

void skl_doctor_check_callback(const struct skl_doctor_subject *s, const struct skl_findings *to)
{
    static const struct skl_ws_config config = {.max_message = 65536};
    struct visit v = {0};
    struct skl_tls *tls = NULL;
    struct skl_address at;
    struct skl_error err;
    char headers[128];
    bool wanted;

    if (skl_str_empty(s->callback_url))
        return; /* the backend tells what that means for its agents */
    if (skl_agent_address(s->settings, s->callback_url, &at, &wanted, &err) < 0 ||
        skl_tls_new(&(struct skl_tls_config){.ca_pem = s->tls->agent_ca}, &tls, &err) < 0) {
        skl_find(to, SKL_GRADE_FAIL, CHECK, "set it as docs/configuration.md says", "%s", err.msg);
        return;
    }
    uv_loop_init(&v.loop);
    skl_random_hex(v.number, 32);
    snprintf(headers, sizeof(headers), HEADER ": %s\r\nX-Sockerless-Container: doctor\r\n",
             v.number);
    if (open_listener(&v, s, &at, to)) {
        (void)skl_ws_connect(&v.loop, s->callback_url, tls, headers, &config, PATIENCE_MS,
                             on_dialled, &v);
        (void)uv_run(&v.loop, UV_RUN_DEFAULT);
        judge(&v, s->callback_url, to);
    }
    skl_listener_close(v.listener);
    (void)uv_run(&v.loop, UV_RUN_DEFAULT); /* what is closing */
    (void)uv_loop_close(&v.loop);
    skl_tls_unref(tls);
}
