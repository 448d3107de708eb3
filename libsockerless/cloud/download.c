#include "cloud/download.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"

#define MAX_REDIRECTS 10L
#define MAX_SECONDS   600L
#define CONNECT_S     30L
#define MAX_REASON    512 /* of a refusal's body, in the error */

struct download {
    CURL *curl;
    int fd;
    int64_t left;
    struct skl_buf reason;
    char status[128]; /* as the server words it: "404 Not Found" */
    bool refused_address;
    struct skl_error *err;
    int rc;
};

static bool is_link_local(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 16 ==
               0xa9fe;
    if (a->sa_family == AF_INET6) {
        const struct in6_addr *in = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;

        return IN6_IS_ADDR_LINKLOCAL(in) ||
               (IN6_IS_ADDR_V4MAPPED(in) && in->s6_addr[12] == 0xa9 && in->s6_addr[13] == 0xfe);
    }
    return true;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose SKL_UNUSED,
                                 struct curl_sockaddr *to)
{
    struct download *d = arg;

    if (is_link_local(&to->addr)) {
        d->refused_address = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static size_t take(char *p, size_t size, size_t n, void *arg)
{
    struct download *d = arg;
    struct skl_str data = skl_str_n(p, size * n);
    long status = 0;

    (void)curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300) { /* of a refusal the beginning is told, of a redirect nothing */
        size_t room = MAX_REASON - d->reason.n;

        if (status >= 400)
            skl_buf_add(&d->reason, data.p, data.n < room ? data.n : room);
        return data.n;
    }
    d->left -= (int64_t)data.n;
    if (d->left < 0) {
        d->rc = skl_fail(d->err, SKL_E_TOOBIG, "the download is larger than what is allowed");
        return 0;
    }
    while (data.n > 0) {
        ssize_t done = write(d->fd, data.p, data.n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            d->rc = skl_fail_errno(d->err, errno, "writing a download");
            return 0;
        }
        data = skl_str_skip(data, (size_t)done);
    }
    return size * n;
}

static size_t take_header(char *p, size_t size, size_t n, void *arg)
{
    struct download *d = arg;
    struct skl_str status, head = skl_str_cut(skl_str_n(p, size * n), ' ', &status);

    if (skl_str_starts(head, "HTTP/") && status.p) {
        while (status.n > 0 && (unsigned char)status.p[status.n - 1] <= ' ')
            status.n--;
        snprintf(d->status, sizeof(d->status), SKL_STR_FMT, SKL_STR_ARG(status));
    }
    return size * n;
}

static void set_up(struct download *d, const char *url, char *message)
{
    CURL *c = d->curl;

    (void)curl_easy_setopt(c, CURLOPT_URL, url);
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl_easy_setopt(c, CURLOPT_MAXREDIRS, MAX_REDIRECTS);
    (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    (void)curl_easy_setopt(c, CURLOPT_TIMEOUT, MAX_SECONDS);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_FILETIME, 1L);
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, message);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, d);
    (void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(c, CURLOPT_HEADERDATA, d);
    (void)curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    (void)curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, d);
}

static int refuse_status(const struct download *d, const char *url, long status)
{
    SKL_AUTO_BUF struct skl_buf text = {0};

    skl_buf_init(&text, 4096);
    skl_buf_addstr(&text, skl_buf_str(&d->reason));
    while (text.n > 0 && (unsigned char)text.p[text.n - 1] <= ' ')
        text.p[--text.n] = '\0';
    return skl_fail(d->err, status == 404 ? SKL_E_NOTFOUND : SKL_E_INTERNAL,
                    "failed to GET %.200s with status %s: %s", url, d->status,
                    text.n ? text.p : "");
}

int skl_download(const char *url, int fd, int64_t max, int64_t *ret_mtime_s, struct skl_error *err)
{
    struct download d = {.curl = curl_easy_init(), .fd = fd, .left = max, .err = err};
    char message[CURL_ERROR_SIZE] = "";
    curl_off_t mtime = -1;
    long status = 0;
    CURLcode code;

    if (!d.curl)
        return skl_fail(err, SKL_E_INTERNAL, "libcurl gives no handle");
    skl_buf_init(&d.reason, MAX_REASON + 1);
    set_up(&d, url, message);
    code = curl_easy_perform(d.curl);
    (void)curl_easy_getinfo(d.curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(d.curl, CURLINFO_FILETIME_T, &mtime);
    *ret_mtime_s = mtime > 0 ? mtime : 0;
    if (d.refused_address)
        d.rc = skl_fail(err, SKL_E_FORBIDDEN,
                        "%.200s: a link-local address is not for builds: it is the machine's own",
                        url);
    else if (d.rc == 0 && code != CURLE_OK)
        d.rc = skl_fail(err, SKL_E_INTERNAL, "Get \"%.200s\": %s", url,
                        *message ? message : curl_easy_strerror(code));
    else if (d.rc == 0 && status >= 400)
        d.rc = refuse_status(&d, url, status);
    curl_easy_cleanup(d.curl);
    skl_buf_fini(&d.reason);
    return d.rc;
}
