/* One question to a registry: which URL answers, with which Authorization, after which redirects.
 *
 * Insecure registries (loopback, and those the operator named) are asked by https first, without looking
 * at the certificate, then by http, as a Docker Engine does. A mirror is asked first and anonymously:
 * the user's credentials are for docker.io. Redirects go to blob stores with signed URLs; Authorization
 * stays with the registry. */
#include <stdio.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "registry/internal.h"

#define MAX_REDIRECTS  5
#define MAX_CHALLENGES 3 /* to read, to write, and once to make sure */
#define DEADLINE_MS    120000
/* With another URL to try (a mirror, https before http) a silent one does not take long. */
#define FALLBACK_CONNECT_MS 3000

static struct skl_str host_name(struct skl_str host)
{
    if (host.n > 0 && host.p[0] == '[') {
        const char *end = skl_str_find(host, ']');

        return end ? skl_str_n(host.p, (size_t)(end - host.p) + 1) : host;
    }
    return skl_str_cut(host, ':', &(struct skl_str){0});
}

static bool is_loopback(struct skl_str host)
{
    struct skl_str name = host_name(host);

    return skl_str_ieqz(name, "localhost") || skl_str_eqz(name, "[::1]") ||
           (skl_str_starts(name, "127.") && strspn(name.p, "0123456789.") >= name.n);
}

static bool is_insecure(const struct skl_registry *reg, const char *host)
{
    if (is_loopback(skl_str(host)))
        return true;
    for (char **v = reg->insecure; v && *v; v++)
        if (skl_str_ieqz(skl_str(host), *v) || skl_str_ieqz(host_name(skl_str(host)), *v))
            return true;
    return false;
}

static bool only(const char *s, const char *chars)
{
    return *s && strspn(s, chars) == strlen(s);
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static int check_ref(const struct skl_registry_ref *ref, struct skl_error *err)
{
    if (!ref->host || !only(ref->host, LOWER UPPER DIGIT ".-:[]_"))
        return skl_fail(err, SKL_E_INVALID, "invalid registry host");
    if (ref->repository && !only(ref->repository, LOWER DIGIT "._-/"))
        return skl_fail(err, SKL_E_INVALID, "invalid repository name '%s'", ref->repository);
    if (ref->tag && !only(ref->tag, LOWER UPPER DIGIT "._-"))
        return skl_fail(err, SKL_E_INVALID, "invalid tag '%s'", ref->tag);
    if (!skl_str_empty(ref->digest) && !skl_digest_is_valid(ref->digest))
        return skl_fail(err, SKL_E_INVALID, "invalid digest '%s'", ref->digest);
    return 0;
}

static void add_base(struct skl_registry_session *s, const char *scheme, const char *rest,
                     bool insecure, bool mirror)
{
    struct skl_registry_base *base = &s->bases[s->n_bases++];
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 4096);
    skl_buf_addf(&b, "%s%s", scheme, rest);
    *base = (struct skl_registry_base){skl_buf_detach(&b), insecure, mirror};
}

int skl_registry_session_init(struct skl_registry_session *s, struct skl_registry *reg,
                              const struct skl_registry_query *q, struct skl_error *err)
{
    const char *host = q->ref.host;
    int rc;

    *s = (struct skl_registry_session){.reg = reg, .q = q};
    rc = check_ref(&q->ref, err);
    if (rc < 0)
        return rc;
    s->deadline_ms = q->deadline_ms ? q->deadline_ms : skl_mono_ms() + DEADLINE_MS;
    if (skl_streq(host, "docker.io")) {
        if (reg->mirror)
            add_base(s, "", reg->mirror, skl_str_istarts(skl_str(reg->mirror), "http://"), true);
        add_base(s, "https://", "registry-1.docker.io", false, false);
    } else if (is_insecure(reg, host)) {
        add_base(s, "https://", host, true, false);
        add_base(s, "http://", host, true, false);
    } else {
        add_base(s, "https://", host, false, false);
    }
    return 0;
}

void skl_registry_session_fini(struct skl_registry_session *s)
{
    for (size_t i = 0; i < s->n_bases; i++)
        free(s->bases[i].url);
    if (s->authorization)
        explicit_bzero(s->authorization, strlen(s->authorization));
    free(s->authorization);
    *s = (struct skl_registry_session){0};
}

const struct skl_registry_auth *skl_registry_session_auth(const struct skl_registry_session *s)
{
    return s->bases[s->base].mirror ? NULL : s->q->auth;
}

static const char *reason(int curl_code)
{
    switch (curl_code) {
    case CURLE_COULDNT_CONNECT:
        return "connect: connection refused";
    case CURLE_OPERATION_TIMEDOUT:
        return "net/http: request canceled (Client.Timeout exceeded while awaiting headers)";
    default:
        return NULL;
    }
}

int skl_registry_unreachable(const char *url, struct skl_error *err)
{
    struct skl_error cause = *err;
    const char *slashes = strstr(url, "://"), *host = slashes ? slashes + 3 : url;
    struct skl_str authority = skl_str_n(host, strcspn(host, "/?#"));
    struct skl_str name = host_name(authority);
    const char *why = reason(cause.sys), *text;
    int rc;

    if (cause.kind == SKL_E_CANCELED || cause.kind == SKL_E_TOOBIG)
        return -(int)cause.kind;
    if (cause.sys == CURLE_COULDNT_RESOLVE_HOST) {
        rc = skl_fail(err, SKL_E_INTERNAL,
                      "Get \"%s\": dial tcp: lookup " SKL_STR_FMT ": no such host", url,
                      SKL_STR_ARG(name));
    } else if (why) {
        rc = skl_fail(err, SKL_E_INTERNAL, "Get \"%s\": dial tcp " SKL_STR_FMT ": %s", url,
                      SKL_STR_ARG(authority), why);
    } else {
        /* "GET URL: text": only the text */
        text = strstr(cause.msg, ": ");
        rc = skl_fail(err, SKL_E_INTERNAL, "Get \"%s\": %s", url, text ? text + 2 : cause.msg);
    }
    err->sys = cause.sys;
    return rc;
}

static int send_once(struct skl_registry_session *s, const char *url,
                     const struct skl_registry_call *call, bool authorized,
                     struct skl_rest_response *ret, struct skl_error *err)
{
    const struct skl_registry_base *base = &s->bases[s->base];
    bool last = s->base + 1 >= s->n_bases;
    struct skl_rest_header headers[4];
    struct skl_rest_request req = {.operation = "registry",
                                   .method = call->method,
                                   .url = url,
                                   .headers = headers,
                                   .body = call->body,
                                   .content_type = call->content_type,
                                   .max_body = call->max_body,
                                   .no_connect_retry = true,
                                   .no_retry = !last,
                                   .connect_timeout_ms = last ? 0 : FALLBACK_CONNECT_MS,
                                   .insecure_tls = base->insecure,
                                   .attempt_timeout_ms = 60000,
                                   .deadline_ms = s->deadline_ms,
                                   .cancel = s->q->cancel};

    if (call->accept)
        headers[req.n_headers++] = (struct skl_rest_header){"Accept", call->accept};
    if (call->range)
        headers[req.n_headers++] = (struct skl_rest_header){"Range", call->range};
    if (call->content_range)
        headers[req.n_headers++] = (struct skl_rest_header){"Content-Range", call->content_range};
    if (authorized && s->authorization)
        headers[req.n_headers++] = (struct skl_rest_header){"Authorization", s->authorization};
    skl_rest_response_fini(ret);
    return skl_rest_call(s->reg->rest, &req, ret, err);
}

/* The next URL of a redirect, owned; NULL when it must not be followed. */
static char *redirect_target(const char *from, const struct skl_rest_response *answer,
                             bool insecure)
{
    const char *to = skl_rest_response_header(answer, "Location");
    SKL_AUTO_BUF struct skl_buf b = {0};

    if (skl_str_empty(to) || strpbrk(to, " \\"))
        return NULL;
    if (to[0] == '/' && to[1] != '/') {
        const char *path = strchr(strstr(from, "://") + 3, '/');
        size_t n = path ? (size_t)(path - from) : strlen(from);

        skl_buf_init(&b, 16 * SKL_KIB);
        skl_buf_add(&b, from, n);
        skl_buf_adds(&b, to);
        return b.failed ? NULL : skl_buf_detach(&b);
    }
    if (skl_str_istarts(skl_str(to), "https://"))
        return skl_strdup(to);
    if (skl_str_istarts(skl_str(to), "http://") &&
        (insecure || skl_str_istarts(skl_str(from), "http://")))
        return skl_strdup(to);
    return NULL;
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static int follow(struct skl_registry_session *s, const char *first,
                  const struct skl_registry_call *call, struct skl_rest_response *ret,
                  struct skl_error *err)
{
    bool reads = skl_streq(call->method, "GET") || skl_streq(call->method, "HEAD");

    char *url SKL_AUTO_STR = skl_strdup(first);

    for (int i = 0;; i++) {
        char *next;
        int rc = send_once(s, url, call, skl_url_same_origin(url, s->bases[s->base].url), ret, err);

        if (rc < 0)
            return rc;
        if (!reads || !is_redirect(ret->status))
            return 0;
        next = i < MAX_REDIRECTS ? redirect_target(url, ret, s->bases[s->base].insecure) : NULL;
        if (!next)
            return skl_fail(err, SKL_E_INTERNAL, "Get \"%s\": a redirect that cannot be followed",
                            first);
        free(url);
        url = next;
    }
}

/* True when the 401 named a way in that was not tried yet; the caller asks again. */
static int answer_challenge(struct skl_registry_session *s, const struct skl_rest_response *answer,
                            bool *again, struct skl_error *err)
{
    const char *header = skl_rest_response_header(answer, "WWW-Authenticate");
    struct skl_challenge c;
    char *value = NULL;
    int rc;

    *again = false;
    if (!header || !skl_challenge_parse(skl_str(header), &c) ||
        (s->challenged && skl_streq(c.scope, s->scope)))
        return 0; /* to ask twice for the same is of no use */
    s->challenged = true;
    snprintf(s->scope, sizeof(s->scope), "%s", c.scope);
    rc = skl_registry_authorize(s, &c, &value, err);
    if (rc < 0 || !value)
        return rc;
    if (s->authorization)
        explicit_bzero(s->authorization, strlen(s->authorization));
    free(s->authorization);
    s->authorization = value;
    *again = true;
    return 0;
}

static int ask_base(struct skl_registry_session *s, const struct skl_registry_call *call,
                    struct skl_rest_response *ret, struct skl_error *err)
{
    const struct skl_registry_auth *auth = skl_registry_session_auth(s);
    SKL_AUTO_BUF struct skl_buf url = {0};
    bool again = true;
    int rc = 0;

    skl_buf_init(&url, 8192);
    if (!s->authorization && auth && !skl_str_empty(auth->registry_token)) {
        skl_buf_addf(&url, "Bearer %s", auth->registry_token);
        s->authorization = skl_buf_detach(&url);
        s->challenged = true;
        skl_buf_init(&url, 8192);
    }
    skl_buf_addf(&url, "%s%s", call->path[0] == '/' ? s->bases[s->base].url : "", call->path);
    for (int tries = 0; again && tries < MAX_CHALLENGES; tries++) {
        rc = follow(s, url.p, call, ret, err);
        if (rc < 0)
            return err->sys ? skl_registry_unreachable(url.p, err) : rc;
        if (ret->status != 401)
            return 0;
        rc = answer_challenge(s, ret, &again, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void next_base(struct skl_registry_session *s)
{
    s->base++;
    s->challenged = false;
    if (s->authorization)
        explicit_bzero(s->authorization, strlen(s->authorization));
    free(s->authorization);
    s->authorization = NULL;
}

int skl_registry_get(struct skl_registry_session *s, const char *path, const char *accept,
                     size_t max_body, struct skl_rest_response *ret, struct skl_error *err)
{
    const struct skl_registry_call call = {
        .method = "GET", .path = path, .accept = accept, .max_body = max_body};

    return skl_registry_send(s, &call, ret, err);
}

int skl_registry_send(struct skl_registry_session *s, const struct skl_registry_call *call,
                      struct skl_rest_response *ret, struct skl_error *err)
{
    for (;;) {
        bool last = s->base + 1 >= s->n_bases;
        int rc = ask_base(s, call, ret, err);

        if (rc == -SKL_E_CANCELED || rc == -SKL_E_TOOBIG || last)
            return rc;
        if (rc == 0 && (ret->status / 100 == 2 || !s->bases[s->base].mirror))
            break;
        if (skl_mono_ms() >= s->deadline_ms)
            return rc;
        next_base(s);
    }
    /* This one answers; the others are not asked in this session. */
    for (size_t i = s->base + 1; i < s->n_bases; i++)
        free(s->bases[i].url);
    s->n_bases = s->base + 1;
    return 0;
}
