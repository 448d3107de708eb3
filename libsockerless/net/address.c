#include "net/address.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/str.h"

static bool parse_port(struct skl_str s, int *ret)
{
    uint64_t v;
    if (!skl_str_u64(s, &v) || v > 65535)
        return false;
    *ret = (int)v;
    return true;
}

static bool host_ok(struct skl_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c >= 0x7f || c == '/' || c == '@' || c == '?' || c == '#' || c == '[' ||
            c == ']')
            return false;
    }
    return true;
}

static int parse_unix(struct skl_str path, struct skl_address *ret, struct skl_error *err)
{
    if (path.n == 0 || path.p[0] != '/')
        return skl_fail(err, SKL_E_INVALID, "a unix socket address needs an absolute path");
    if (path.n >= sizeof(ret->path))
        return skl_fail(err, SKL_E_INVALID, "unix socket path is longer than %zu bytes",
                        sizeof(ret->path) - 1);
    ret->kind = SKL_ADDRESS_UNIX;
    memcpy(ret->path, path.p, path.n);
    return 0;
}

static int parse_tcp(struct skl_str s, int default_port, struct skl_address *ret,
                     struct skl_error *err)
{
    struct skl_str host = s, port = {NULL, 0};
    if (s.n && s.p[0] == '[') {
        const char *end = skl_str_find(s, ']');
        if (!end)
            return skl_fail(err, SKL_E_INVALID, "address has '[' without ']'");
        host = skl_str_n(s.p + 1, (size_t)(end - s.p) - 1);
        struct skl_str rest = skl_str_skip(s, (size_t)(end - s.p) + 1);
        struct in6_addr unused;
        char text[INET6_ADDRSTRLEN] = "";
        if (host.n < sizeof(text))
            memcpy(text, host.p, host.n);
        if (inet_pton(AF_INET6, text, &unused) != 1)
            return skl_fail(err, SKL_E_INVALID, "address has no IPv6 address between '[' and ']'");
        if (rest.n && rest.p[0] != ':')
            return skl_fail(err, SKL_E_INVALID, "address has text after ']'");
        if (rest.n)
            port = skl_str_skip(rest, 1);
    } else {
        const char *colon = skl_str_find(s, ':');
        if (colon) {
            host = skl_str_n(s.p, (size_t)(colon - s.p));
            port = skl_str_skip(s, host.n + 1);
            if (skl_str_find(port, ':'))
                return skl_fail(err, SKL_E_INVALID,
                                "an IPv6 address is written in brackets: [::1]:port");
        }
        if (!host_ok(host))
            return skl_fail(err, SKL_E_INVALID, "address has a character that no host name has");
    }
    if (host.n >= sizeof(ret->host))
        return skl_fail(err, SKL_E_INVALID, "host name is longer than %zu bytes",
                        sizeof(ret->host) - 1);
    ret->kind = SKL_ADDRESS_TCP;
    memcpy(ret->host, host.p, host.n);
    ret->port = default_port;
    if (port.p && !parse_port(port, &ret->port))
        return skl_fail(err, SKL_E_INVALID, "port is not a number from 0 to 65535");
    if (!port.p && default_port < 0)
        return skl_fail(err, SKL_E_INVALID, "address has no port");
    return 0;
}

int skl_address_parse(const char *text, int default_port, struct skl_address *ret,
                      struct skl_error *err)
{
    struct skl_str s = skl_str(text);
    struct skl_address a = {.fd = -1};
    int rc;
    if (s.n == 0)
        return skl_fail(err, SKL_E_INVALID, "address is empty");
    if (skl_str_starts(s, "unix://")) {
        rc = parse_unix(skl_str_skip(s, 7), &a, err);
    } else if (skl_str_starts(s, "fd://")) {
        a.kind = SKL_ADDRESS_FD;
        rc = parse_port(skl_str_skip(s, 5), &a.fd)
                 ? 0
                 : skl_fail(err, SKL_E_INVALID, "fd:// needs a descriptor number");
    } else if (skl_str_starts(s, "tcp://")) {
        rc = parse_tcp(skl_str_skip(s, 6), default_port, &a, err);
    } else if (memmem(s.p, s.n, "://", 3)) {
        rc = skl_fail(err, SKL_E_INVALID, "address scheme is not unix, tcp or fd");
    } else {
        rc = parse_tcp(s, default_port, &a, err);
    }
    if (rc == 0)
        *ret = a;
    return rc;
}

bool skl_address_is_loopback(const struct skl_address *a)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (a->kind == SKL_ADDRESS_UNIX)
        return true;
    if (a->kind != SKL_ADDRESS_TCP)
        return false;
    if (skl_str_ieqz(skl_str(a->host), "localhost"))
        return true;
    if (inet_pton(AF_INET, a->host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, a->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

void skl_address_format(const struct skl_address *a, char *out, size_t cap)
{
    switch (a->kind) {
    case SKL_ADDRESS_UNIX:
        snprintf(out, cap, "unix://%s", a->path);
        break;
    case SKL_ADDRESS_TCP:
        if (strchr(a->host, ':'))
            snprintf(out, cap, "tcp://[%s]:%d", a->host, a->port);
        else
            snprintf(out, cap, "tcp://%s:%d", a->host, a->port);
        break;
    case SKL_ADDRESS_FD:
        snprintf(out, cap, "fd://%d", a->fd);
        break;
    }
}
