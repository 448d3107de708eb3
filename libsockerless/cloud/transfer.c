/* One HTTP exchange.
 *
 * Each handle is an easy handle in a multi handle of its own: the connection cache belongs to the multi
 * handle, and curl_multi_poll() lets us look at the cancel flag ten times a second, which
 * curl_easy_perform() does not (its progress callback comes once a second). One multi handle for all
 * threads was rejected: it needs a thread of its own and a hand-over per call. Sharing connections
 * through CURLSH was rejected: libcurl calls it not safe between threads.
 *
 * libcurl repeats a request by itself when a reused connection turns out to be dead, whatever the method.
 * That is right for everything that may be repeated, and wrong for "start an execution"; those requests
 * get a connection of their own. HTTP/1.1 only: with one request per connection it is known whether a
 * request left. */
#include "cloud/transfer.h"

#include <curl/curl.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"

#define MAX_IDLE           32
#define MAX_HEADERS        (64 * SKL_KIB)
#define DEFAULT_ATTEMPT_MS 100000

struct handle {
    CURL *easy;
    CURLM *multi;
    struct handle *next;
    char error[CURL_ERROR_SIZE];
};

struct skl_transfer_pool {
    CURLSH *share;
    pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];
    pthread_mutex_t idle_lock; /* guards idle, n_idle */
    struct handle *idle;
    unsigned n_idle;
};

/* What the callbacks see. */
struct exchange {
    struct skl_rest_response *ret;
    bool too_big;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
    (void)curl_global_init(
        CURL_GLOBAL_DEFAULT); /* a failure shows as handles that cannot be made */
}

static void share_lock(CURL *h SKL_UNUSED, curl_lock_data data, curl_lock_access access SKL_UNUSED,
                       void *arg)
{
    struct skl_transfer_pool *p = arg;

    (void)pthread_mutex_lock(&p->share_locks[data]);
}

static void share_unlock(CURL *h SKL_UNUSED, curl_lock_data data, void *arg)
{
    struct skl_transfer_pool *p = arg;

    (void)pthread_mutex_unlock(&p->share_locks[data]);
}

struct skl_transfer_pool *skl_transfer_pool_new(void)
{
    struct skl_transfer_pool *p = skl_new0(struct skl_transfer_pool);

    (void)pthread_mutex_init(&p->idle_lock, NULL);
    for (size_t i = 0; i < SKL_ARRAY_LEN(p->share_locks); i++)
        (void)pthread_mutex_init(&p->share_locks[i], NULL);
    return p;
}

/* With the first call: a daemon that nobody has asked anything does not hold libcurl's 2 MB. */
static void make_share(struct skl_transfer_pool *p)
{
    (void)pthread_once(&curl_once, init_curl);
    p->share = curl_share_init();
    if (!p->share)
        return;
    (void)curl_share_setopt(p->share, CURLSHOPT_LOCKFUNC, share_lock);
    (void)curl_share_setopt(p->share, CURLSHOPT_UNLOCKFUNC, share_unlock);
    (void)curl_share_setopt(p->share, CURLSHOPT_USERDATA, p);
    (void)curl_share_setopt(p->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    (void)curl_share_setopt(p->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
}

static void handle_free(struct handle *h)
{
    if (!h)
        return;
    if (h->easy)
        curl_easy_cleanup(h->easy);
    if (h->multi)
        (void)curl_multi_cleanup(h->multi);
    free(h);
}

void skl_transfer_pool_free(struct skl_transfer_pool *p)
{
    if (!p)
        return;
    while (p->idle) {
        struct handle *h = p->idle;

        p->idle = h->next;
        handle_free(h);
    }
    if (p->share)
        (void)curl_share_cleanup(p->share);
    for (size_t i = 0; i < SKL_ARRAY_LEN(p->share_locks); i++)
        (void)pthread_mutex_destroy(&p->share_locks[i]);
    (void)pthread_mutex_destroy(&p->idle_lock);
    free(p);
}

static struct handle *take_handle(struct skl_transfer_pool *p)
{
    struct handle *h;

    (void)pthread_mutex_lock(&p->idle_lock);
    if (!p->share)
        make_share(p);
    h = p->idle;
    if (h) {
        p->idle = h->next;
        p->n_idle--;
    }
    (void)pthread_mutex_unlock(&p->idle_lock);
    if (h)
        return h;
    h = skl_new0(struct handle);
    h->easy = curl_easy_init();
    h->multi = curl_multi_init();
    if (!h->easy || !h->multi || !p->share) {
        handle_free(h);
        return NULL;
    }
    (void)curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, 4L);
    return h;
}

static void give_handle(struct skl_transfer_pool *p, struct handle *h)
{
    curl_easy_reset(h->easy); /* options go, connections stay */
    (void)pthread_mutex_lock(&p->idle_lock);
    if (p->n_idle < MAX_IDLE) {
        h->next = p->idle;
        p->idle = h;
        p->n_idle++;
        h = NULL;
    }
    (void)pthread_mutex_unlock(&p->idle_lock);
    handle_free(h);
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;

    skl_buf_add(&x->ret->body, data, size * n);
    if (x->ret->body.failed) {
        x->too_big = true;
        return 0;
    }
    return size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    struct skl_str line = skl_str_n(data, size * n), name, value;

    if (skl_str_istarts(line, "HTTP/")) {
        skl_buf_reset(&x->ret->headers); /* what came before belongs to a 100 or to a proxy */
        return size * n;
    }
    name = skl_str_cut(line, ':', &value);
    if (!value.p || memchr(line.p, '\0', line.n))
        return size * n;
    name = skl_str_trim(name);
    value = skl_str_trim(value);
    skl_buf_addstr(&x->ret->headers, name);
    skl_buf_addc(&x->ret->headers, '\0');
    skl_buf_addstr(&x->ret->headers, value);
    skl_buf_addc(&x->ret->headers, '\0');
    if (x->ret->headers.failed) {
        x->too_big = true;
        return 0;
    }
    return size * n;
}

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct curl_slist *more;

    skl_buf_init(&b, MAX_HEADERS);
    /* An empty value is written "Name;": "Name:" would remove the header. */
    skl_buf_addf(&b, *value ? "%s: %s" : "%s%s;", name, value);
    if (b.failed || strpbrk(b.p, "\r\n"))
        return false;
    more = curl_slist_append(*list, b.p);
    explicit_bzero(b.p, b.n);
    if (!more)
        return false;
    *list = more;
    return true;
}

static void free_headers(struct curl_slist *list)
{
    for (struct curl_slist *l = list; l; l = l->next)
        explicit_bzero(l->data, strlen(l->data)); /* one of them may be Authorization */
    curl_slist_free_all(list);
}

static bool build_headers(const struct skl_rest_request *req, const char *request_id,
                          struct curl_slist **list)
{
    bool ok = add_header(list, "User-Agent", "sockerless/" SKL_VERSION) &&
              add_header(list, "x-ms-client-request-id", request_id);
    struct curl_slist *more = curl_slist_append(*list, "Expect:"); /* no 100-continue round trip */

    if (!more)
        return false;
    *list = more;
    for (size_t i = 0; ok && i < req->n_headers; i++)
        ok = add_header(list, req->headers[i].name, req->headers[i].value);
    if (ok && req->body.n > 0)
        ok = add_header(list, "Content-Type",
                        req->content_type ? req->content_type : "application/json");
    if (ok && req->bearer) {
        SKL_AUTO_BUF struct skl_buf b = {0};

        skl_buf_init(&b, MAX_HEADERS);
        skl_buf_addf(&b, "Bearer %s", req->bearer);
        ok = !b.failed && add_header(list, "Authorization", b.p);
        explicit_bzero(b.p, b.n);
    }
    return ok;
}

static void set_options(struct skl_transfer_pool *p, struct handle *h,
                        const struct skl_rest_request *req, bool idempotent, int64_t connect_ms,
                        int64_t total_ms, struct curl_slist *headers, struct exchange *x)
{
    CURL *e = h->easy;

    h->error[0] = '\0';
    (void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->error);
    (void)curl_easy_setopt(e, CURLOPT_SHARE, p->share);
    (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(e, CURLOPT_URL, req->url);
    (void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
    (void)curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    (void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    (void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)total_ms);
    (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
    (void)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
    if (!idempotent)
        (void)curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
    if (req->no_proxy)
        (void)curl_easy_setopt(e, CURLOPT_PROXY, "");
    if (req->insecure_tls) {
        (void)curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (skl_streq(req->method, "HEAD")) {
        (void)curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    } else if (!skl_streq(req->method, "GET") || req->body.n > 0) {
        /* POST and PUT without a body still say Content-Length: 0. */
        (void)curl_easy_setopt(e, CURLOPT_POSTFIELDS, req->body.n > 0 ? req->body.p : "");
        (void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.n);
        (void)curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, req->method);
    }
}

/* The result of the transfer, or -1 when the asker went away. */
static int drive(struct handle *h, const atomic_bool *cancel)
{
    int running = 1, n, result = CURLE_FAILED_INIT;
    CURLMsg *msg;

    if (curl_multi_add_handle(h->multi, h->easy) != CURLM_OK)
        return CURLE_FAILED_INIT;
    while (running) {
        if (cancel && atomic_load(cancel)) {
            result = -1;
            break;
        }
        if (curl_multi_perform(h->multi, &running) != CURLM_OK)
            break;
        if (running && curl_multi_poll(h->multi, NULL, 0, cancel ? 50 : 1000, NULL) != CURLM_OK)
            break;
    }
    while ((msg = curl_multi_info_read(h->multi, &n)))
        if (msg->msg == CURLMSG_DONE && result != -1)
            result = (int)msg->data.result;
    (void)curl_multi_remove_handle(h->multi, h->easy);
    return result;
}

struct skl_str skl_url_shown(const char *url)
{
    return skl_str_n(url, strcspn(url, "?#"));
}

static enum skl_transfer_end explain(const struct skl_rest_request *req, struct handle *h, int code,
                                     const struct exchange *x, int64_t deadline_ms,
                                     struct skl_error *err)
{
    struct skl_str url = skl_url_shown(req->url);
    const char *why = h->error[0] ? h->error : curl_easy_strerror((CURLcode)code);
    enum skl_kind kind = SKL_E_UNAVAILABLE;
    enum skl_transfer_end end;
    long sent = 0;

    (void)curl_easy_getinfo(h->easy, CURLINFO_REQUEST_SIZE, &sent);
    end = sent > 0 ? SKL_TRANSFER_LOST : SKL_TRANSFER_UNSENT;
    if (x->too_big) {
        (void)skl_fail(err, SKL_E_TOOBIG, "%s " SKL_STR_FMT ": the answer is too large",
                       req->method, SKL_STR_ARG(url));
        return SKL_TRANSFER_FINAL;
    }
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        kind = SKL_E_INVALID;
        end = SKL_TRANSFER_FINAL;
    } else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
        end = SKL_TRANSFER_FINAL;
    } else if (code == CURLE_OPERATION_TIMEDOUT && (sent > 0 || skl_mono_ms() >= deadline_ms)) {
        kind = SKL_E_TIMEOUT;
    }
    (void)skl_fail(err, kind, "%s " SKL_STR_FMT ": %s", req->method, SKL_STR_ARG(url), why);
    if (err)
        err->sys = code;
    return end;
}

enum skl_transfer_end skl_transfer_run(struct skl_transfer_pool *p,
                                       const struct skl_rest_request *req, bool idempotent,
                                       int64_t connect_ms, int64_t deadline_ms,
                                       struct skl_rest_response *ret, struct skl_error *err)
{
    struct exchange x = {.ret = ret};
    struct curl_slist *headers = NULL;
    int64_t total_ms = req->attempt_timeout_ms ? req->attempt_timeout_ms : DEFAULT_ATTEMPT_MS;
    int64_t left_ms = deadline_ms - skl_mono_ms();
    enum skl_transfer_end end = SKL_TRANSFER_ANSWER;
    struct handle *h;
    long status = 0;
    int code;

    if (left_ms <= 0) {
        (void)skl_fail(err, SKL_E_TIMEOUT, "%s " SKL_STR_FMT ": no time left", req->method,
                       SKL_STR_ARG(skl_url_shown(req->url)));
        return SKL_TRANSFER_FINAL;
    }
    if (total_ms > left_ms)
        total_ms = left_ms;
    if (!build_headers(req, ret->request_id, &headers)) {
        free_headers(headers);
        (void)skl_fail(err, SKL_E_INVALID, "%s " SKL_STR_FMT ": a header cannot be sent",
                       req->method, SKL_STR_ARG(skl_url_shown(req->url)));
        return SKL_TRANSFER_FINAL;
    }
    h = take_handle(p);
    if (!h) {
        free_headers(headers);
        (void)skl_fail(err, SKL_E_INTERNAL, "libcurl has no handle left");
        return SKL_TRANSFER_FINAL;
    }
    set_options(p, h, req, idempotent, connect_ms, total_ms, headers, &x);
    code = drive(h, req->cancel);
    if (code == -1) {
        long sent = 0;

        (void)curl_easy_getinfo(h->easy, CURLINFO_REQUEST_SIZE, &sent);
        ret->maybe_sent = sent > 0;
        (void)skl_fail(err, SKL_E_CANCELED, "canceled");
        end = SKL_TRANSFER_FINAL;
    } else if (code != CURLE_OK) {
        end = explain(req, h, code, &x, deadline_ms, err);
        ret->maybe_sent = end != SKL_TRANSFER_UNSENT;
    } else {
        curl_off_t first_byte_us = 0;

        (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(h->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
        ret->status = (int)status;
        ret->first_byte_ms = (int64_t)first_byte_us / 1000;
    }
    give_handle(p, h);
    free_headers(headers);
    return end;
}
