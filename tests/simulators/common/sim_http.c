#include "sim_http.h"

#include <civetweb.h>
#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/limits.h"

#define MAX_BODY (64 * SKL_MIB)
#define N_THREADS                                                                                  \
    "640" /* a kept-alive connection holds one (the backend keeps up to 256), an invocation too */

struct sim_server {
    struct mg_context *ctx;
    sim_handler_cb *cb;
    void *arg;
    int port;
    int64_t skew_s;
};

const char *sim_header(const struct sim_request *r, const char *name)
{
    return mg_get_header(r->conn, name);
}

static char *encoded_value(struct skl_str rest, const char *name)
{
    struct skl_str key, value;
    struct skl_buf b;

    while (skl_query_next(&rest, &key, &value)) {
        SKL_AUTO_BUF struct skl_buf k = {0};

        skl_buf_init(&k, SKL_KIB);
        skl_url_decode(&k, key, true);
        if (!skl_str_eqz(skl_buf_str(&k), name))
            continue;
        skl_buf_init(&b, 64 * SKL_KIB);
        skl_url_decode(&b, value, true);
        return skl_buf_detach(&b);
    }
    return NULL;
}

char *sim_query(const struct sim_request *r, const char *name)
{
    return encoded_value(skl_str(r->query), name);
}

char *sim_form(const struct sim_request *r, const char *name)
{
    return encoded_value(r->body, name);
}

void sim_headers(const struct sim_request *r, sim_header_cb *cb, void *arg)
{
    const struct mg_request_info *info = mg_get_request_info(r->conn);

    for (int i = 0; i < info->num_headers; i++)
        cb(arg, info->http_headers[i].name, info->http_headers[i].value);
}

bool sim_send(const struct sim_request *r, const void *p, size_t n)
{
    return n == 0 || mg_write(r->conn, p, n) == (int)n;
}

void sim_close(const struct sim_request *r)
{
    mg_disable_connection_keep_alive(r->conn);
}

void sim_text(struct sim_answer *a, int status, const char *json_text)
{
    a->status = status;
    skl_buf_reset(&a->body);
    skl_buf_adds(&a->body, json_text);
}

void sim_json(struct sim_answer *a, int status, const cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);

    sim_text(a, status, text);
    cJSON_free(text);
}

/* false: it is too large; what follows is not read. */
static bool read_body(struct mg_connection *conn, struct skl_buf *b)
{
    int n;

    do {
        char *p = skl_buf_reserve(b, 16 * SKL_KIB);

        if (!p)
            return false;
        n = mg_read(conn, p, 16 * SKL_KIB);
        if (n > 0)
            skl_buf_commit(b, (size_t)n);
    } while (n > 0);
    return true;
}

static void write_answer(struct mg_connection *conn, const struct sim_answer *a, bool head,
                         int64_t skew_s)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    time_t now = time(NULL) + (time_t)skew_s;
    struct tm tm;
    char date[48];

    skl_buf_init(&out, 2 * SKL_MAX_CLOUD_BODY);
    skl_buf_addf(&out, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n", a->status,
                 mg_get_response_code_text(conn, a->status), a->body.n);
    if (strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm)) > 0)
        skl_buf_addf(&out, "Date: %s\r\n", date);
    if (a->body.n > 0)
        skl_buf_addf(&out, "Content-Type: %s\r\n",
                     a->type ? a->type : "application/json; charset=utf-8");
    skl_buf_addstr(&out, skl_buf_str(&a->headers));
    skl_buf_adds(&out, "\r\n");
    if (!head)
        skl_buf_addstr(&out, skl_buf_str(&a->body));
    mg_write(conn, out.p, out.n);
}

static int handle(struct mg_connection *conn, void *arg)
{
    const struct mg_request_info *info = mg_get_request_info(conn);
    struct sim_server *s = arg;
    const char *host = mg_get_header(conn, "Host");
    const char *scheme = mg_get_header(conn, "X-Forwarded-Proto"); /* of a TLS front */
    SKL_AUTO_BUF struct skl_buf body = {0}, path = {0};
    struct sim_answer a = {.status = 500};
    struct sim_request r = {
        .method = info->request_method,
        .raw_path = info->local_uri,
        .query = info->query_string ? info->query_string : "",
        .conn = conn,
    };

    skl_buf_init(&path, SKL_MAX_REQUEST_LINE);
    skl_url_decode(&path, skl_str(r.raw_path), false);
    r.path = path.p;
    skl_buf_init(&body, MAX_BODY);
    skl_buf_init(&a.headers, 64 * SKL_KIB);
    skl_buf_init(&a.body, SKL_MAX_CLOUD_BODY);
    snprintf(r.base, sizeof(r.base), "%s://%.200s", skl_streq(scheme, "https") ? "https" : "http",
             host ? host : "localhost");
    if (read_body(conn, &body)) {
        r.body = skl_buf_str(&body);
        s->cb(s->arg, &r, &a);
    } else {
        a.status = 413;
        a.drop = false;
        mg_disable_connection_keep_alive(conn);
    }
    if (a.drop)
        mg_disable_connection_keep_alive(conn);
    else if (!a.sent)
        write_answer(conn, &a, strcmp(r.method, "HEAD") == 0, s->skew_s);
    skl_buf_fini(&a.headers);
    skl_buf_fini(&a.body);
    return a.status ? a.status : 1;
}

int sim_server_start(const char *listen, sim_handler_cb *cb, void *arg, struct sim_server **ret,
                     struct skl_error *err)
{
    const char *options[] = {"listening_ports",
                             listen,
                             "num_threads",
                             N_THREADS,
                             "enable_keep_alive",
                             "yes",
                             "keep_alive_timeout_ms",
                             "60000",
                             "request_timeout_ms",
                             "60000",
                             "tcp_nodelay",
                             "1",
                             "decode_url", /* it would decode in place; both forms are wanted */
                             "no",
                             NULL};
    struct mg_callbacks callbacks = {0};
    struct mg_server_port ports[4];
    struct sim_server *s = skl_new0(struct sim_server);

    s->cb = cb;
    s->arg = arg;
    mg_init_library(0);
    s->ctx = mg_start(&callbacks, s, options);
    if (!s->ctx || mg_get_server_ports(s->ctx, 4, ports) < 1) {
        free(s);
        return skl_fail(err, SKL_E_UNAVAILABLE, "--listen '%s': the address cannot be used",
                        listen);
    }
    s->port = ports[0].port;
    mg_set_request_handler(s->ctx, "**", handle, s);
    *ret = s;
    return 0;
}

int sim_server_port(const struct sim_server *s)
{
    return s->port;
}

void sim_server_skew(struct sim_server *s, int64_t seconds)
{
    s->skew_s = seconds;
}

void sim_server_stop(struct sim_server *s)
{
    mg_stop(s->ctx);
    mg_exit_library();
    free(s);
}
