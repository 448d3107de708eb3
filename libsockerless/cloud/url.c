/* The few questions about URLs and waiting that decide where a token goes and when a call is repeated.
 *
 * Origins are compared by a parser of our own that refuses what it does not know (user info, spaces,
 * backslashes): whoever may name the next URL of a poll or a page must not be able to write one that we
 * read as ours and libcurl as theirs. */
#include "cloud/rest.h"

#include <curl/curl.h>
#include <errno.h>
#include <time.h>

#include "base/clock.h"

struct origin {
    bool https;
    struct skl_str host;
    uint64_t port;
};

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

static bool parse_host(struct skl_str authority, struct origin *ret)
{
    struct skl_str port = {NULL, 0};
    size_t n = 0;

    if (authority.n > 0 && authority.p[0] == '[') {
        while (n < authority.n && authority.p[n] != ']')
            n++;
        if (n == authority.n)
            return false;
        n++;
    } else {
        while (n < authority.n && is_host_char(authority.p[n]))
            n++;
    }
    ret->host = skl_str_n(authority.p, n);
    if (n < authority.n) {
        if (authority.p[n] != ':')
            return false;
        port = skl_str_skip(authority, n + 1);
        if (!skl_str_u64(port, &ret->port) || ret->port == 0 || ret->port > 65535)
            return false;
    }
    return n > 0;
}

static bool parse_origin(const char *url, struct origin *ret)
{
    struct skl_str s = skl_str(url), authority;
    size_t n = 0;

    if (skl_str_istarts(s, "https://")) {
        *ret = (struct origin){.https = true, .port = 443};
        s = skl_str_skip(s, 8);
    } else if (skl_str_istarts(s, "http://")) {
        *ret = (struct origin){.port = 80};
        s = skl_str_skip(s, 7);
    } else {
        return false;
    }
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '\\' || s.p[i] == 0x7f)
            return false;
    while (n < s.n && s.p[n] != '/' && s.p[n] != '?' && s.p[n] != '#')
        n++;
    authority = skl_str_n(s.p, n);
    return parse_host(authority, ret);
}

bool skl_url_same_origin(const char *a, const char *b)
{
    struct origin x, y;

    if (!a || !b || !parse_origin(a, &x) || !parse_origin(b, &y))
        return false;
    return x.https == y.https && x.port == y.port && x.host.n == y.host.n &&
           strncasecmp(x.host.p, y.host.p, x.host.n) == 0;
}

bool skl_http_date_parse(const char *text, int64_t *ret_wall_ns)
{
    time_t t = curl_getdate(text, NULL);

    if (t == (time_t)-1 || t > INT64_MAX / SKL_NS_PER_S || t < INT64_MIN / SKL_NS_PER_S)
        return false;
    *ret_wall_ns = (int64_t)t * SKL_NS_PER_S;
    return true;
}

int64_t skl_retry_after_parse(struct skl_str value, int64_t wall_ns)
{
    char date[64];
    uint64_t seconds;
    int64_t at_ns, ms;

    value = skl_str_trim(value);
    if (skl_str_u64(value, &seconds))
        return seconds > 86400 ? INT64_C(86400000) : (int64_t)seconds * 1000;
    if (value.n == 0 || value.n >= sizeof(date))
        return -1;
    memcpy(date, value.p, value.n);
    date[value.n] = '\0';
    if (!skl_http_date_parse(date, &at_ns))
        return -1;
    ms = (at_ns - wall_ns) / SKL_NS_PER_MS;
    return ms < 0 ? 0 : ms;
}

/* Slices of 50 ms: a cancel flag has no one to wake us, and a worker that waits costs nothing. */
int skl_cloud_sleep(int64_t ms, int64_t deadline_ms, const atomic_bool *cancel,
                    struct skl_error *err)
{
    int64_t end = skl_mono_ms() + ms;

    for (;;) {
        int64_t now = skl_mono_ms(), left = end - now;
        struct timespec ts;

        if (cancel && atomic_load(cancel))
            return skl_fail(err, SKL_E_CANCELED, "canceled");
        if (left <= 0)
            return 0;
        if (deadline_ms && now >= deadline_ms)
            return skl_fail(err, SKL_E_TIMEOUT, "no time left");
        if (left > 50)
            left = 50;
        ts = (struct timespec){.tv_sec = 0, .tv_nsec = (long)left * 1000000};
        (void)nanosleep(&ts, NULL); /* woken early: the loop looks at the clock again */
    }
}

int skl_url_check_setting(const char *name, const char *value, struct skl_error *err)
{
    struct skl_str s = skl_str(value);

    if (skl_str_empty(value) || skl_str_istarts(s, "http://") || skl_str_istarts(s, "https://") ||
        skl_str_istarts(s, "ws://") || skl_str_istarts(s, "wss://"))
        return 0;
    return skl_fail(err, SKL_E_INVALID, "%s: '%s' is not an http:// or https:// URL", name, value);
}
