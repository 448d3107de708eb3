#include "base/redact.h"

#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "base/secrets.h"

#define MARK          "***"
#define LOOKED_BEYOND 8192 /* of a text that is cut */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

/* Of tokens in headers, base64 in both alphabets, and what is percent-encoded. */
static bool is_token(char c)
{
    return is_word(c) || (c && strchr("-._~+/=%", c));
}

static size_t run_of(struct skl_str s, bool (*is)(char))
{
    size_t n = 0;

    while (n < s.n && is(s.p[n]))
        n++;
    return n;
}

/* -- shapes that begin at the text's first byte: where the secret in them is */

struct span {
    size_t start, end; /* equal: none */
};

/* "Bearer x", "Basic x"; words of a sentence ("Basic authentication") are in small letters. */
static struct span authorization(struct skl_str s)
{
    size_t head = skl_str_istarts(s, "Bearer ") ? 7 : skl_str_istarts(s, "Basic ") ? 6 : 0;
    size_t n = head ? run_of(skl_str_skip(s, head), is_token) : 0;
    bool is_sentence = true;

    for (size_t i = head; i < head + n; i++)
        is_sentence &= s.p[i] >= 'a' && s.p[i] <= 'z';
    return n < SKL_SECRET_MIN || is_sentence ? (struct span){0, 0} : (struct span){head, head + n};
}

static struct span web_token(struct skl_str s)
{
    size_t n = skl_str_starts(s, "eyJ") || skl_str_starts(s, "ya29.") ? run_of(s, is_token) : 0;

    return n > 16 && memchr(s.p, '.', n) ? (struct span){0, n} : (struct span){0, 0};
}

/* To its end, or to that of a text that was cut. */
static struct span pem(struct skl_str s)
{
    static const char begin[] = "-----BEGIN ", end[] = "-----END ";
    const char *at;

    if (!skl_str_starts(s, begin))
        return (struct span){0, 0};
    at = memmem(s.p, s.n, end, sizeof(end) - 1);
    at = at ? memmem(at + sizeof(end) - 1, (size_t)(s.p + s.n - at) - sizeof(end) + 1, "-----", 5)
            : NULL;
    return (struct span){0, at ? (size_t)(at - s.p) + 5 : s.n};
}

/* "://user:password@" */
static struct span url_password(struct skl_str s)
{
    size_t at = 0, colon = 0;

    if (!skl_str_starts(s, "://"))
        return (struct span){0, 0};
    for (size_t i = 3; i < s.n && (unsigned char)s.p[i] > ' ' && !strchr("/?#\"'<>", s.p[i]); i++)
        if (s.p[i] == '@')
            at = i;
        else if (s.p[i] == ':' && !colon)
            colon = i;
    if (!at)
        return (struct span){0, 0};
    if (colon && colon < at)
        return (struct span){colon + 1, at};
    return at - 3 >= 20 ? (struct span){3, at} : (struct span){0, 0}; /* a token alone */
}

/* -- names whose values are secrets */

enum form {
    EQUALS = 1, /* name=value */
    QUOTED = 2, /* "name": "value" */
    QUERY = 4,  /* ?name=value, &name=value */
    COLON = 8,  /* Name: value */
    ANY = EQUALS | QUOTED,
    HEADER = ANY | COLON
};

static const struct {
    const char *name;
    int forms;
} names[] = {
    {"access_token", ANY},
    {"accesskey", ANY},
    {"accesstoken", ANY},
    {"accountkey", ANY},
    {"api_key", ANY},
    {"apikey", ANY},
    {"assertion", ANY},
    {"auth", QUERY | QUOTED},
    {"authorization", HEADER},
    {"client_assertion", ANY},
    {"client_secret", ANY},
    {"clientsecret", ANY},
    {"code", QUERY},
    {"id_token", ANY},
    {"identity_token", ANY},
    {"identitytoken", ANY},
    {"passphrase", ANY},
    {"passwd", ANY},
    {"password", ANY},
    {"private_key", ANY},
    {"privatekey", ANY},
    {"proxy-authorization", HEADER},
    {"refresh_token", ANY},
    {"registry_token", ANY},
    {"registrytoken", ANY},
    {"secret", ANY},
    {"sharedaccesskey", ANY},
    {"sig", QUERY | QUOTED},
    {"signature", QUERY | QUOTED},
    {"subject_token", ANY},
    {"token", ANY},
    {"value", QUOTED}, /* of a setting, an environment or a secret in what a cloud says back */
    {"x-functions-key", HEADER},
    {"x-identity-header", HEADER},
    {"x-registry-auth", HEADER},
    {"x-registry-config", HEADER},
    {"x-sockerless-token", HEADER},
};

static bool is_name(char c)
{
    return is_word(c) || c == '-';
}

static bool is_value(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f && !strchr("&;,\"'<>()[]{}\\", c);
}

static size_t skip_spaces(struct skl_str s, size_t i)
{
    while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t'))
        i++;
    return i;
}

static size_t count_backslashes(struct skl_str s, size_t i)
{
    size_t n = 0;

    while (i + n < s.n && s.p[i + n] == '\\')
        n++;
    return n;
}

/* Behind a quote, or one that is written inside of another text, \"; 0: there is none. */
static size_t skip_quote(struct skl_str s, size_t i)
{
    i += count_backslashes(s, i);
    return i < s.n && s.p[i] == '"' ? i + 1 : 0;
}

static struct span quoted_value(struct skl_str s, size_t i)
{
    size_t depth = count_backslashes(s, i), start = skip_quote(s, i), end = start;

    if (!start)
        return (struct span){0, 0};
    while (end < s.n && s.p[end] != '"') {
        size_t n = count_backslashes(s, end);

        if (n > 0 && n <= depth && end + n < s.n && s.p[end + n] == '"')
            break;
        end += n + 1; /* with what is escaped */
    }
    return (struct span){start, end < s.n ? end : s.n};
}

/* "Name: value", where a word such as Bearer may stand before it. */
static struct span header_value(struct skl_str s, size_t i)
{
    size_t start = skip_spaces(s, i), n = run_of(skl_str_skip(s, start), is_value), next;
    bool is_scheme = n > 0 && n == run_of(skl_str_skip(s, start), is_letter);

    next = start + n;
    if (next < s.n && s.p[next] == ' ' && is_scheme)
        next += 1 + run_of(skl_str_skip(s, next + 1), is_value);
    return (struct span){start, next};
}

static struct span value_of(struct skl_str s, size_t i, int forms, char before)
{
    bool in_query = before == '?' || before == '&';
    size_t quote = before == '"' ? skip_quote(s, i) : 0;
    struct span quoted;

    if (i < s.n && s.p[i] == '=' && (forms & EQUALS || (forms & QUERY && in_query))) {
        quoted = quoted_value(s, i + 1);
        return quoted.end > quoted.start
                   ? quoted
                   : (struct span){i + 1, i + 1 + run_of(skl_str_skip(s, i + 1), is_value)};
    }
    if (i < s.n && s.p[i] == ':' && forms & COLON)
        return header_value(s, i + 1);
    quote = quote && forms & QUOTED ? skip_spaces(s, quote) : 0;
    if (quote && quote < s.n && s.p[quote] == ':')
        return quoted_value(s, skip_spaces(s, quote + 1));
    return (struct span){0, 0};
}

/* The name itself, or one that ends so: AZURE_CLIENT_SECRET. */
static bool is_named(struct skl_str word, const char *name, int forms)
{
    size_t n = strlen(name);

    if (word.n <= n || !(forms & EQUALS))
        return skl_str_ieqz(word, name);
    word = skl_str_skip(word, word.n - n - 1);
    return (word.p[0] == '_' || word.p[0] == '-') && skl_str_ieqz(skl_str_skip(word, 1), name);
}

static struct span named(struct skl_str s, char before)
{
    size_t n = run_of(s, is_name);

    if (n == s.n || !strchr("=:\"\\", s.p[n]))
        return (struct span){0, 0};
    for (size_t i = 0; i < SKL_ARRAY_LEN(names); i++)
        if (is_named(skl_str_n(s.p, n), names[i].name, names[i].forms))
            return value_of(s, n, names[i].forms, before);
    return (struct span){0, 0};
}

/* -- the text */

static struct span shape_at(struct skl_str s, char before)
{
    struct span found = {0, 0};

    if (s.p[0] == ':')
        return url_password(s);
    if (s.p[0] == '-')
        return pem(s);
    if (!is_word(s.p[0]) || is_name(before))
        return found;
    found = authorization(s);
    if (found.end == found.start)
        found = web_token(s);
    return found.end > found.start ? found : named(s, before);
}

bool skl_redact_find(struct skl_str text, size_t from, size_t *start, size_t *end)
{
    for (size_t i = from; i < text.n; i++) {
        struct skl_str rest = skl_str_skip(text, i);
        size_t known = skl_secret_at(rest);
        struct span shape = shape_at(rest, i > 0 ? text.p[i - 1] : ' ');

        if (known == 0 && shape.end == shape.start)
            continue;
        *start = i + (known ? 0 : shape.start);
        *end = i + (known > shape.end ? known : shape.end > shape.start ? shape.end : known);
        return true;
    }
    return false;
}

void skl_redact_add(struct skl_buf *to, struct skl_str text)
{
    size_t at = 0, start, end;

    while (skl_redact_find(text, at, &start, &end)) {
        skl_buf_add(to, text.p + at, start - at);
        skl_buf_adds(to, MARK);
        at = end;
    }
    skl_buf_add(to, text.p + at, text.n - at);
}

void skl_redact_cut(struct skl_buf *to, struct skl_str text, size_t max)
{
    SKL_AUTO_BUF struct skl_buf clean = {0};

    if (text.n > max + LOOKED_BEYOND)
        text.n = max + LOOKED_BEYOND;
    skl_buf_init(&clean, 2 * (max + LOOKED_BEYOND));
    skl_redact_add(&clean, text);
    skl_buf_add(to, clean.p, clean.n < max ? clean.n : max);
}

void skl_redact_text(char *text, size_t cap)
{
    SKL_AUTO_BUF struct skl_buf clean = {0};
    size_t start, end, n;

    if (cap == 0 || !skl_redact_find(skl_str(text), 0, &start, &end))
        return;
    skl_buf_init(&clean, 64 * SKL_KIB);
    skl_redact_add(&clean, skl_str(text));
    n = clean.failed ? 0 : clean.n;
    n = n < cap ? n : cap - 1;
    memcpy(text, clean.p, n);
    text[n] = '\0';
}
