/* HTTP requests on the loop: libcurl says which sockets and when, libuv watches them.
 *
 * Calls keep small buffers, because thousands may wait at once, each with its own connection. A call that could not
 * even begin is reported by a deferred callback, as every other end is.
 */
#include "function/http_call.h"

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fault_point.h"
#include "base/limits.h"
#include "base/list.h"
#include "net/loop.h"

#define MAX_BODY     (64 * SKL_KIB)
#define BUFFER_BYTES 1024L /* libcurl's least; answers are a line */
#define KEEPALIVE_S  30L
#define CONNECT_MS   15000L
#define MAX_IDLE     8L

struct skl_http_calls {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct skl_list calls;
    unsigned n_polls;
    bool closed, timer_closed;
};

struct skl_http_call {
    struct skl_list in_calls;
    struct skl_http_calls *owner;
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    struct skl_buf answer;
    char error[CURL_ERROR_SIZE];
    struct skl_timer *failed; /* could not begin */
    skl_http_call_cb *cb;
    void *arg;
};

/* What libuv watches for one of libcurl's sockets. */
struct socket_poll {
    uv_poll_t poll;
    struct skl_http_calls *calls;
    curl_socket_t fd;
};

static void collect(struct skl_http_calls *calls);

static void free_when_closed(struct skl_http_calls *calls)
{
    if (calls->closed && calls->timer_closed && calls->n_polls == 0)
        free(calls);
}

/* -- sockets */

static void poll_closed(uv_handle_t *h)
{
    struct socket_poll *p = h->data;
    struct skl_http_calls *calls = p->calls;

    free(p);
    calls->n_polls--;
    free_when_closed(calls);
}

static void on_socket(uv_poll_t *h, int status, int events)
{
    struct socket_poll *p = h->data;
    struct skl_http_calls *calls = p->calls;
    int flags = 0, running;

    if (status < 0)
        flags = CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    (void)curl_multi_socket_action(calls->multi, p->fd, flags, &running);
    collect(calls);
}

static int want_socket(CURL *easy SKL_UNUSED, curl_socket_t fd, int what, void *arg,
                       void *socket_arg)
{
    struct skl_http_calls *calls = arg;
    struct socket_poll *p = socket_arg;
    int events = 0;

    if (what == CURL_POLL_REMOVE) {
        if (p) {
            (void)curl_multi_assign(calls->multi, fd, NULL);
            uv_poll_stop(&p->poll);
            uv_close((uv_handle_t *)&p->poll, poll_closed);
        }
        return 0;
    }
    if (!p) {
        p = skl_new0(struct socket_poll);
        p->calls = calls;
        p->fd = fd;
        if (uv_poll_init_socket(calls->loop, &p->poll, fd) < 0) {
            free(p);
            return -1;
        }
        p->poll.data = p;
        calls->n_polls++;
        (void)curl_multi_assign(calls->multi, fd, p);
    }
    if (what & CURL_POLL_IN)
        events |= UV_READABLE;
    if (what & CURL_POLL_OUT)
        events |= UV_WRITABLE;
    return uv_poll_start(&p->poll, events, on_socket) < 0 ? -1 : 0;
}

/* -- time */

static void on_timeout(uv_timer_t *t)
{
    struct skl_http_calls *calls = t->data;
    int running;

    (void)curl_multi_socket_action(calls->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(calls);
}

static int want_timer(CURLM *multi SKL_UNUSED, long ms, void *arg)
{
    struct skl_http_calls *calls = arg;

    if (ms < 0)
        uv_timer_stop(&calls->timer);
    else
        uv_timer_start(&calls->timer, on_timeout, (uint64_t)ms, 0);
    return 0;
}

/* -- ends */

static void call_free(struct skl_http_call *c)
{
    skl_list_remove(&c->in_calls);
    skl_timer_cancel(&c->failed);
    if (c->easy)
        curl_easy_cleanup(c->easy);
    for (struct curl_slist *l = c->headers; l; l = l->next)
        explicit_bzero(l->data, strlen(l->data)); /* tokens */
    curl_slist_free_all(c->headers);
    skl_secret_free(c->body);
    skl_buf_fini(&c->answer);
    free(c);
}

static void finish(struct skl_http_call *c, CURLcode result)
{
    struct skl_http_call_answer answer = {.body = skl_buf_str(&c->answer)};
    struct skl_error err;
    long status = 0, sent = 0;

    if (result == CURLE_OK || result == CURLE_WRITE_ERROR) {
        /* WRITE_ERROR: the answer is longer than we want to know; its status counts. */
        (void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
        answer.status = (int)status;
    }
    if (answer.status == 0) {
        (void)curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &sent);
        answer.maybe_sent = sent > 0;
        skl_fail(&err, result == CURLE_OPERATION_TIMEDOUT ? SKL_E_TIMEOUT : SKL_E_UNAVAILABLE, "%s",
                 c->error[0] ? c->error : curl_easy_strerror(result));
        answer.err = &err;
    }
    skl_fault_point("invoke.after", NULL);
    c->cb(c->arg, &answer);
    call_free(c);
}

static void collect(struct skl_http_calls *calls)
{
    CURLMsg *msg;
    int n;

    while ((msg = curl_multi_info_read(calls->multi, &n))) {
        CURL *easy = msg->easy_handle;
        CURLcode result = msg->data.result;
        struct skl_http_call *c = NULL;

        if (msg->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&c);
        (void)curl_multi_remove_handle(calls->multi, easy);
        finish(c, result);
    }
}

static void never_began(void *arg)
{
    struct skl_http_call *c = arg;
    struct skl_error err;

    c->failed = NULL;
    skl_fail(&err, SKL_E_INVALID, "the request cannot be sent");
    c->cb(c->arg, &(struct skl_http_call_answer){.err = &err});
    call_free(c);
}

/* -- beginning */

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct skl_http_call *c = arg;

    skl_buf_add(&c->answer, data, size * n);
    return c->answer.failed ? 0 : size * n;
}

static bool add_headers(struct skl_http_call *c, const char *const *headers)
{
    struct curl_slist *more = curl_slist_append(NULL, "Expect:");

    for (; more && headers && *headers; headers++) {
        c->headers = more;
        if (strpbrk(*headers, "\r\n"))
            return false;
        more = curl_slist_append(c->headers, *headers);
    }
    c->headers = more ? more : c->headers;
    return more != NULL;
}

static bool set_up(struct skl_http_call *c, const struct skl_http_call_request *request)
{
    CURL *e = c->easy;

    if (!e || !add_headers(c, request->headers))
        return false;
    (void)curl_easy_setopt(e, CURLOPT_PRIVATE, c);
    (void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->error);
    (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(e, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    /* A request on a connection that turns out to be dead is repeated by libcurl: here it must not be. */
    (void)curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
    (void)curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
    (void)curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
    (void)curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S);
    (void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    (void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    (void)curl_easy_setopt(e, CURLOPT_USERAGENT, "sockerless/" SKL_VERSION);
    (void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers);
    (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
    (void)curl_easy_setopt(e, CURLOPT_POSTFIELDS, c->body);
    (void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.n);
    (void)curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, request->method);
    return curl_easy_setopt(e, CURLOPT_URL, request->url) == CURLE_OK;
}

struct skl_http_call *skl_http_call_start(struct skl_http_calls *calls,
                                          const struct skl_http_call_request *request,
                                          skl_http_call_cb *cb, void *arg)
{
    struct skl_http_call *c = skl_new0(struct skl_http_call);

    skl_fault_point("invoke.before", NULL);
    c->owner = calls;
    c->cb = cb;
    c->arg = arg;
    c->body = skl_str_dup(request->body);
    skl_buf_init(&c->answer, MAX_BODY);
    skl_list_push(&calls->calls, &c->in_calls);
    if (!calls->multi) {
        calls->multi = curl_multi_init(); /* a daemon that invokes nothing does not hold it */
        SKL_ASSERT(calls->multi);
        (void)curl_multi_setopt(calls->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
        (void)curl_multi_setopt(calls->multi, CURLMOPT_SOCKETDATA, calls);
        (void)curl_multi_setopt(calls->multi, CURLMOPT_TIMERFUNCTION, want_timer);
        (void)curl_multi_setopt(calls->multi, CURLMOPT_TIMERDATA, calls);
        (void)curl_multi_setopt(calls->multi, CURLMOPT_MAXCONNECTS, MAX_IDLE);
    }
    c->easy = curl_easy_init();
    if (!set_up(c, request) || curl_multi_add_handle(calls->multi, c->easy) != CURLM_OK)
        c->failed = skl_timer_start(calls->loop, 0, never_began, c);
    return c;
}

void skl_http_call_cancel(struct skl_http_call **call)
{
    struct skl_http_call *c = *call;

    if (!c)
        return;
    *call = NULL;
    if (!c->failed)
        (void)curl_multi_remove_handle(c->owner->multi, c->easy);
    call_free(c);
}

/* -- all of them */

struct skl_http_calls *skl_http_calls_new(uv_loop_t *loop)
{
    struct skl_http_calls *calls = skl_new0(struct skl_http_calls);

    calls->loop = loop;
    skl_list_init(&calls->calls);
    uv_timer_init(loop, &calls->timer);
    calls->timer.data = calls;
    return calls;
}

static void timer_closed(uv_handle_t *h)
{
    struct skl_http_calls *calls = h->data;

    calls->timer_closed = true;
    free_when_closed(calls);
}

void skl_http_calls_close(struct skl_http_calls *calls)
{
    if (!calls)
        return;
    SKL_ASSERT(skl_list_empty(&calls->calls));
    if (calls->multi)
        (void)curl_multi_cleanup(calls->multi); /* takes its sockets back by want_socket() */
    calls->closed = true;
    uv_close((uv_handle_t *)&calls->timer, timer_closed);
}
