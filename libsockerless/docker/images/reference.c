#include "docker/images/reference.h"

#include <ctype.h>

#include "base/alloc.h"
#include "base/buf.h"

#define MAX_NAME   255
#define MAX_TAG    128
#define MAX_TEXT   4096
#define SHA256_HEX 64

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_path_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_hex_any(struct skl_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isxdigit((unsigned char)s.p[i]))
            return false;
    return s.n > 0;
}

static bool has_upper(struct skl_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'Z')
            return true;
    return false;
}

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* */
static bool is_path_component(struct skl_str s)
{
    size_t i = 0;

    while (i < s.n) {
        size_t from = i;

        while (i < s.n && is_path_char(s.p[i]))
            i++;
        if (i == from)
            return false;
        if (i == s.n)
            return true;
        if (s.p[i] == '.') {
            i++;
        } else if (s.p[i] == '_') {
            i += i + 1 < s.n && s.p[i + 1] == '_' ? 2 : 1;
        } else if (s.p[i] == '-') {
            while (i < s.n && s.p[i] == '-')
                i++;
        } else {
            return false;
        }
    }
    return false;
}

static bool is_path(struct skl_str s)
{
    do {
        if (!is_path_component(skl_str_cut(s, '/', &s)))
            return false;
    } while (s.p);
    return true;
}

static bool is_host(struct skl_str s)
{
    do {
        struct skl_str part = skl_str_cut(s, '.', &s);

        if (part.n == 0 || !is_alnum(part.p[0]) || !is_alnum(part.p[part.n - 1]))
            return false;
        for (size_t i = 0; i < part.n; i++)
            if (!is_alnum(part.p[i]) && part.p[i] != '-')
                return false;
    } while (s.p);
    return true;
}

static bool is_port(struct skl_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

/* host[:port] or [ipv6][:port] */
static bool is_domain(struct skl_str s)
{
    struct skl_str host, port;

    if (s.n > 0 && s.p[0] == '[') {
        const char *end = skl_str_find(s, ']');

        if (!end || end == s.p + 1)
            return false;
        for (const char *p = s.p + 1; p < end; p++)
            if (!isxdigit((unsigned char)*p) && *p != ':')
                return false;
        s = skl_str_skip(s, (size_t)(end - s.p) + 1);
        return s.n == 0 || (s.p[0] == ':' && is_port(skl_str_skip(s, 1)));
    }
    host = skl_str_cut(s, ':', &port);
    return is_host(host) && (!port.p || is_port(port));
}

static bool is_tag(struct skl_str s)
{
    if (s.n == 0 || s.n > MAX_TAG || (!is_alnum(s.p[0]) && s.p[0] != '_'))
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '.' && s.p[i] != '-')
            return false;
    return true;
}

static bool is_digest(struct skl_str s)
{
    struct skl_str hex, algorithm = skl_str_cut(s, ':', &hex);
    bool letter_next = true;

    for (size_t i = 0; i < algorithm.n; i++) {
        char c = algorithm.p[i];
        bool separator = c == '-' || c == '_' || c == '+' || c == '.';

        if (letter_next ? !isalpha((unsigned char)c) : !separator && !is_alnum(c))
            return false;
        letter_next = separator;
    }
    if (letter_next || hex.n < 32 || !is_hex_any(hex))
        return false;
    if (skl_str_eqz(algorithm, "sha256"))
        return hex.n == SHA256_HEX && !has_upper(hex);
    return true;
}

static bool is_first_component_a_domain(struct skl_str s)
{
    return skl_str_eqz(s, "localhost") || skl_str_find(s, '.') || skl_str_find(s, ':') ||
           has_upper(s);
}

static void split_domain(struct skl_str text, struct skl_reference *ret, struct skl_str *rest)
{
    struct skl_str tail, first = skl_str_cut(text, '/', &tail);

    if (!tail.p || !is_first_component_a_domain(first)) {
        first = SKL_STR("docker.io");
        tail = text;
    } else if (skl_str_eqz(first, "index.docker.io")) {
        first = SKL_STR("docker.io");
    }
    ret->domain = skl_str_dup(first);
    *rest = tail;
}

static int bad_format(struct skl_error *err)
{
    return skl_fail(err, SKL_E_INVALID, "invalid reference format");
}

/* Takes "@digest" and ":tag" off the end. */
static int take_suffixes(struct skl_str *name, struct skl_reference *ret, struct skl_error *err)
{
    struct skl_str digest, tag;
    const char *colon;

    *name = skl_str_cut(*name, '@', &digest);
    if (digest.p) {
        if (!is_digest(digest))
            return bad_format(err);
        ret->digest = skl_str_dup(digest);
    }
    colon = skl_str_find(*name, ':');
    if (colon) {
        tag = skl_str_skip(*name, (size_t)(colon - name->p) + 1);
        if (!is_tag(tag))
            return bad_format(err);
        ret->tag = skl_str_dup(tag);
        name->n = (size_t)(colon - name->p);
    }
    return 0;
}

static int parse(struct skl_str text, struct skl_reference *ret, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    struct skl_str name, before;
    int rc;

    skl_buf_init(&path, MAX_TEXT + 16);
    if (text.n == 0 || text.n > MAX_TEXT)
        return bad_format(err);
    if (text.n == SHA256_HEX && is_hex_any(text) && !has_upper(text))
        return skl_fail(err, SKL_E_INVALID,
                        "invalid repository name (%.*s), cannot specify 64-byte hexadecimal "
                        "strings",
                        SKL_STR_ARG(text));
    split_domain(text, ret, &name);
    if (skl_streq(ret->domain, "docker.io") && !skl_str_find(name, '/'))
        skl_buf_adds(&path, "library/");
    before = skl_str_cut(name, ':', &(struct skl_str){0});
    if (has_upper(before) && !skl_str_find(before, '@'))
        return skl_fail(err, SKL_E_INVALID,
                        "invalid reference format: repository name (%s%.*s) must be lowercase",
                        path.p, before.n > 300 ? 300 : (int)before.n, before.p);
    rc = take_suffixes(&name, ret, err);
    if (rc < 0)
        return rc;
    skl_buf_addstr(&path, name);
    if (!is_path(skl_buf_str(&path)) || !is_domain(skl_str(ret->domain)))
        return bad_format(err);
    if (strlen(ret->domain) + 1 + path.n > MAX_NAME)
        return skl_fail(err, SKL_E_INVALID, "repository name must not be more than %d characters",
                        MAX_NAME);
    ret->path = skl_buf_detach(&path);
    return 0;
}

int skl_reference_parse(const char *text, struct skl_reference *ret, struct skl_error *err)
{
    int rc;

    *ret = (struct skl_reference){0};
    rc = parse(skl_str(text), ret, err);
    if (rc < 0)
        skl_reference_fini(ret);
    return rc;
}

void skl_reference_fini(struct skl_reference *r)
{
    free(r->domain);
    free(r->path);
    free(r->tag);
    free(r->digest);
    *r = (struct skl_reference){0};
}

void skl_reference_default_tag(struct skl_reference *r)
{
    if (!r->tag && !r->digest)
        r->tag = skl_strdup("latest");
}

int skl_reference_set_tag(struct skl_reference *r, const char *tag, struct skl_error *err)
{
    if (is_digest(skl_str(tag))) {
        skl_strset(&r->digest, tag);
        return 0;
    }
    if (!is_tag(skl_str(tag)))
        return skl_fail(err, SKL_E_INVALID, "invalid tag format");
    skl_strset(&r->tag, tag);
    return 0;
}

static char *render(const struct skl_reference *r, bool familiar, bool with_tag)
{
    const char *path = r->path;
    struct skl_buf b;

    skl_buf_init(&b, MAX_TEXT + 256);
    if (!familiar || !skl_streq(r->domain, "docker.io"))
        skl_buf_addf(&b, "%s/", r->domain);
    else if (skl_str_starts(skl_str(path), "library/"))
        path += strlen("library/");
    skl_buf_adds(&b, path);
    if (with_tag && r->digest)
        skl_buf_addf(&b, "@%s", r->digest);
    else if (with_tag && r->tag)
        skl_buf_addf(&b, ":%s", r->tag);
    return skl_buf_detach(&b);
}

char *skl_reference_familiar_name(const struct skl_reference *r)
{
    return render(r, true, false);
}

char *skl_reference_familiar(const struct skl_reference *r)
{
    return render(r, true, true);
}

char *skl_reference_full(const struct skl_reference *r)
{
    return render(r, false, true);
}
