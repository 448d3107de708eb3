/* ws_dial - the client's side of a WebSocket: URL, connection, opening handshake.
 *
 * Approach  the answer's head is small and of one shape, so it is looked at by hand once its empty line has
 *           come; llhttp would add nothing here but a second state.
 * Limits    head of the answer <= 16 KiB; one deadline over everything
 */
#include "base/alloc.h"
#include "base/encode.h"
#include "base/id.h"
#include "net/loop.h"
#include "net/ws_internal.h"

#define MAX_HEAD (16 * SKL_KIB)

struct skl_ws_dial {
    uv_loop_t *loop;
    struct skl_tls *tls;
    struct skl_ws_config config;
    skl_ws_connect_cb *cb;
    void *arg;
    struct skl_address to;
    struct skl_buf request, answer;
    char key[WS_KEY_LEN + 1];
    struct skl_timer *timer;
    struct skl_connect *connect;
    struct skl_stream *stream;
    struct skl_error bad; /* what was wrong before anything began */
    int64_t timeout_ms;
    bool deferred, canceled;
};

static void dial_free(struct skl_ws_dial *d)
{
    skl_timer_cancel(&d->timer);
    skl_connect_cancel(&d->connect);
    skl_stream_close(d->stream);
    skl_tls_unref(d->tls);
    skl_buf_fini(&d->request);
    skl_buf_fini(&d->answer);
    free(d);
}

static void fail(struct skl_ws_dial *d, int status, const struct skl_error *err)
{
    skl_ws_connect_cb *cb = d->cb;
    void *arg = d->arg;
    struct skl_error e = *err;
    dial_free(d);
    cb(arg, NULL, status, &e);
}

/* -- the URL */

static bool plain_text(struct skl_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
            return false;
    return true;
}

static int parse_unix(struct skl_ws_dial *d, struct skl_str s, struct skl_str *path,
                      struct skl_error *err)
{
    const char *mark = memmem(s.p, s.n, ":/", 2);
    struct skl_str file = mark ? skl_str_n(s.p, (size_t)(mark - s.p)) : s;
    char text[sizeof(d->to.path) + 8];
    *path = mark ? skl_str_skip(s, file.n + 1) : SKL_STR("/");
    if (file.n >= sizeof(d->to.path))
        return skl_fail(err, SKL_E_INVALID, "unix socket path is too long");
    snprintf(text, sizeof(text), "unix://" SKL_STR_FMT, SKL_STR_ARG(file));
    return skl_address_parse(text, 0, &d->to, err);
}

static int parse_url(struct skl_ws_dial *d, struct skl_str url, struct skl_str *path,
                     struct skl_str *host, struct skl_error *err)
{
    bool secure = false;
    char text[300];
    if (!plain_text(url))
        return skl_fail(err, SKL_E_INVALID, "the WebSocket URL has characters no URL has");
    *host = SKL_STR("localhost");
    if (skl_str_istarts(url, "unix://"))
        return parse_unix(d, skl_str_skip(url, 7), path, err);
    if (skl_str_istarts(url, "wss://") || skl_str_istarts(url, "https://"))
        secure = true;
    else if (!skl_str_istarts(url, "ws://") && !skl_str_istarts(url, "http://"))
        return skl_fail(err, SKL_E_INVALID,
                        "a WebSocket URL begins with ws, wss, http, https or unix");
    if (secure && !d->tls)
        return skl_fail(err, SKL_E_INVALID, "a secure WebSocket URL needs a TLS context");
    if (!secure) {
        skl_tls_unref(d->tls);
        d->tls = NULL;
    }
    const char *rest = (const char *)memmem(url.p, url.n, "://", 3) + 3;
    *host = skl_str_n(rest, strcspn(rest, "/?#"));
    *path = skl_str_n(rest + host->n, strcspn(rest + host->n, "#"));
    if (host->n == 0 || host->n >= sizeof(text))
        return skl_fail(err, SKL_E_INVALID, "the WebSocket URL has no usable host");
    snprintf(text, sizeof(text), SKL_STR_FMT, SKL_STR_ARG(*host));
    int rc = skl_address_parse(text, secure ? 443 : 80, &d->to, err);
    if (rc == 0 && !d->to.host[0])
        rc = skl_fail(err, SKL_E_INVALID, "the WebSocket URL has no host");
    return rc;
}

static void make_request(struct skl_ws_dial *d, struct skl_str path, struct skl_str host,
                         const char *headers)
{
    uint8_t nonce[16];
    struct skl_buf key;
    skl_random(nonce, sizeof(nonce));
    skl_buf_init(&key, 64);
    skl_base64_add(&key, nonce, sizeof(nonce));
    memcpy(d->key, key.p, WS_KEY_LEN + 1);
    skl_buf_fini(&key);
    skl_buf_adds(&d->request, "GET ");
    if (path.n == 0 || path.p[0] != '/')
        skl_buf_addc(&d->request, '/');
    skl_buf_addstr(&d->request, path);
    skl_buf_adds(&d->request, " HTTP/1.1\r\nHost: ");
    skl_buf_addstr(&d->request, host);
    skl_buf_addf(&d->request,
                 "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: %s\r\n%s\r\n",
                 d->key, headers ? headers : "");
}

/* -- the answer */

static struct skl_str header(struct skl_str head, const char *name)
{
    struct skl_str line, value;
    for (line = skl_str_cut(head, '\n', &head); head.p; line = skl_str_cut(head, '\n', &head)) {
        struct skl_str found = skl_str_cut(line, ':', &value);
        if (value.p && skl_str_ieqz(found, name))
            return skl_str_trim(value);
    }
    return (struct skl_str){NULL, 0};
}

static int status_of(struct skl_str head)
{
    uint64_t v;
    if (head.n < 12 || !skl_str_starts(head, "HTTP/1.") || head.p[8] != ' ' ||
        !skl_str_u64(skl_str_n(head.p + 9, 3), &v))
        return 0;
    return (int)v;
}

static void refused(struct skl_ws_dial *d, int status)
{
    struct skl_error e;
    skl_fail(&e,
             status == 401   ? SKL_E_UNAUTHORIZED
             : status == 403 ? SKL_E_FORBIDDEN
             : status == 404 ? SKL_E_NOTFOUND
                             : SKL_E_UNAVAILABLE,
             "the server answered %d %s to the WebSocket request", status,
             skl_http_status_text(status));
    fail(d, status, &e);
}

static void answered(struct skl_ws_dial *d, size_t head_n)
{
    struct skl_str head = skl_str_n(d->answer.p, head_n);
    char accept[WS_ACCEPT_LEN + 1];
    struct skl_error e;
    int status = status_of(head);
    ws_accept_value(skl_str_n(d->key, WS_KEY_LEN), accept);
    if (status == 0) {
        skl_fail(&e, SKL_E_PROTOCOL, "the server did not answer in HTTP");
        fail(d, 0, &e);
    } else if (status != 101) {
        refused(d, status);
    } else if (!ws_has_token(header(head, "upgrade"), "websocket") ||
               !ws_has_token(header(head, "connection"), "upgrade") ||
               !skl_str_eqz(header(head, "sec-websocket-accept"), accept)) {
        skl_fail(&e, SKL_E_PROTOCOL, "the server's WebSocket handshake is wrong");
        fail(d, status, &e);
    } else {
        struct skl_stream *s = skl_take(&d->stream);
        skl_stream_read_stop(s);
        skl_stream_unread(s, d->answer.p + head_n, d->answer.n - head_n);
        struct skl_ws *ws = ws_new(d->loop, s, true, &d->config);
        skl_ws_connect_cb *cb = d->cb;
        void *arg = d->arg;
        dial_free(d);
        cb(arg, ws, status, NULL);
    }
}

static void on_data(void *arg, const uint8_t *p, size_t n)
{
    struct skl_ws_dial *d = arg;
    struct skl_error e;
    size_t seen = d->answer.n > 3 ? d->answer.n - 3 : 0;
    skl_buf_add(&d->answer, p, n);
    const char *end = memmem(d->answer.p + seen, d->answer.n - seen, "\r\n\r\n", 4);
    if (end && !d->answer.failed && (size_t)(end - d->answer.p) <= MAX_HEAD) {
        answered(d, (size_t)(end - d->answer.p) + 4);
    } else if (d->answer.n > MAX_HEAD || d->answer.failed) {
        skl_fail(&e, SKL_E_TOOBIG, "the header of the server's answer is too large");
        fail(d, 0, &e);
    }
}

static void on_eof(void *arg)
{
    struct skl_error e;
    skl_fail(&e, SKL_E_UNAVAILABLE, "the server closed the connection instead of answering");
    fail(arg, 0, &e);
}

static void on_broken(void *arg, const struct skl_error *why)
{
    fail(arg, 0, why);
}

static void connected(void *arg, struct skl_stream *own_stream, const struct skl_error *err)
{
    static const struct skl_stream_events events = {on_data, on_eof, NULL, on_broken};
    struct skl_ws_dial *d = arg;
    d->connect = NULL;
    if (err) {
        fail(d, 0, err);
        return;
    }
    d->stream = own_stream;
    skl_stream_set_events(d->stream, &events, d);
    skl_stream_write(d->stream, d->request.p, d->request.n);
    skl_stream_read_start(d->stream);
}

static void out_of_time(void *arg)
{
    struct skl_ws_dial *d = arg;
    struct skl_error e;
    d->timer = NULL;
    skl_fail(&e, SKL_E_TIMEOUT, "the WebSocket did not open in time");
    fail(d, 0, &e);
}

static void start(void *arg)
{
    struct skl_ws_dial *d = arg;
    d->deferred = false;
    if (d->canceled) {
        dial_free(d);
    } else if (d->bad.kind != SKL_E_OK) {
        fail(d, 0, &d->bad);
    } else {
        d->timer = skl_timer_start(d->loop, d->timeout_ms, out_of_time, d);
        /* Its own limit is a little longer, so that one of the two reports. */
        d->connect = skl_stream_connect(d->loop, &d->to, d->tls, d->to.host, d->timeout_ms + 1000,
                                        connected, d);
    }
}

struct skl_ws_dial *skl_ws_connect(uv_loop_t *loop, const char *url, struct skl_tls *tls,
                                   const char *headers, const struct skl_ws_config *config,
                                   int64_t timeout_ms, skl_ws_connect_cb *cb, void *arg)
{
    struct skl_ws_dial *d = skl_new0(struct skl_ws_dial);
    struct skl_str path, host;
    d->loop = loop;
    d->tls = tls ? skl_tls_ref(tls) : NULL;
    d->config = *config;
    d->cb = cb;
    d->arg = arg;
    d->timeout_ms = timeout_ms;
    skl_buf_init(&d->request, SIZE_MAX / 2);
    skl_buf_init(&d->answer, MAX_HEAD + SKL_READ_CHUNK);
    if (parse_url(d, skl_str(url), &path, &host, &d->bad) == 0)
        make_request(d, path, host, headers);
    d->deferred = true;
    skl_defer(loop, start, d);
    return d;
}

void skl_ws_dial_cancel(struct skl_ws_dial **d)
{
    struct skl_ws_dial *dial = *d;
    *d = NULL;
    if (!dial)
        return;
    if (dial->deferred)
        dial->canceled = true; /* freed by the deferred call */
    else
        dial_free(dial);
}
