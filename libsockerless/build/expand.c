/* Expansion as a recursive descent over one string.
 *
 * A ${x:-word} contains a word that is expanded in turn, up to its '}', so the walker stops at a character
 * its caller names. Patterns are run as a set of states over the text once per starting place: no pattern can take more
 * than (text * text * pattern) steps, and both are bounded.
 */
#include "build/expand.h"

#include "base/alloc.h"
#include "base/buf.h"

struct walk {
    const struct skl_expand *x;
    const char *s; /* next character */
    char ***words; /* NULL: one word */
    bool text;     /* a here-document */
    bool in_word;  /* something quoted began: an empty word counts */
    unsigned depth;
    struct skl_error *err;
};

static int walk_until(struct walk *w, char stop, struct skl_buf *out);

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* $name, $1, $@ ...: p = NULL when no name follows. */
static struct skl_str take_name(struct walk *w)
{
    const char *from = w->s;

    if (is_name_start(*w->s))
        while (is_name_start(*w->s) || (*w->s >= '0' && *w->s <= '9'))
            w->s++;
    else if (*w->s >= '0' && *w->s <= '9')
        while (*w->s >= '0' && *w->s <= '9')
            w->s++;
    else if (*w->s && strchr("@*#", *w->s))
        w->s++;
    return skl_str_n(w->s > from ? from : NULL, (size_t)(w->s - from));
}

/* -- patterns */

/* *ends[n] tells whether the pattern matches the first n bytes of s. */
static void match_ends(const char *pattern, const char *s, size_t n, bool *ends)
{
    bool state[SKL_EXPAND_MAX_PATTERN + 1] = {true}, next[SKL_EXPAND_MAX_PATTERN + 1];
    size_t m = strlen(pattern);

    for (size_t i = 0;; i++) {
        for (size_t p = 0; p < m; p++) /* a star may stand for nothing */
            if (state[p] && pattern[p] == '*')
                state[p + 1] = true;
        ends[i] = state[m];
        if (i == n)
            return;
        memset(next, 0, sizeof(next));
        for (size_t p = 0; p < m; p++) {
            bool escaped = pattern[p] == '\\' && p + 1 < m;
            char c = escaped ? pattern[p + 1] : pattern[p];

            if (!state[p])
                continue;
            if (!escaped && c == '*')
                next[p] = true;
            else if ((!escaped && c == '?') || c == s[i])
                next[p + (escaped ? 2 : 1)] = true;
        }
        memcpy(state, next, sizeof(state));
    }
}

static int check_sizes(const struct walk *w, const char *value, const char *pattern)
{
    if (strlen(value) <= SKL_EXPAND_MAX_MATCHED && strlen(pattern) <= SKL_EXPAND_MAX_PATTERN)
        return 0;
    return skl_fail(w->err, SKL_E_TOOBIG,
                    "a value that is matched with a pattern may have %u bytes, the pattern %u",
                    SKL_EXPAND_MAX_MATCHED, SKL_EXPAND_MAX_PATTERN);
}

static int cut_prefix(struct walk *w, const char *value, const char *pattern, bool longest,
                      struct skl_buf *out)
{
    bool ends[SKL_EXPAND_MAX_MATCHED + 1];
    size_t n = strlen(value), cut = 0;
    int rc = check_sizes(w, value, pattern);

    if (rc < 0)
        return rc;
    match_ends(pattern, value, n, ends);
    for (size_t i = 0; i <= n; i++)
        if (ends[i]) {
            cut = i;
            if (!longest)
                break;
        }
    skl_buf_adds(out, value + cut);
    return 0;
}

static int cut_suffix(struct walk *w, const char *value, const char *pattern, bool longest,
                      struct skl_buf *out)
{
    bool ends[SKL_EXPAND_MAX_MATCHED + 1];
    size_t n = strlen(value), keep = n;
    int rc = check_sizes(w, value, pattern);

    if (rc < 0)
        return rc;
    for (size_t k = 0; k <= n; k++) {
        size_t i = longest ? k : n - k;

        match_ends(pattern, value + i, n - i, ends);
        if (ends[n - i]) {
            keep = i;
            break;
        }
    }
    skl_buf_add(out, value, keep);
    return 0;
}

static int replace(struct walk *w, const char *value, const char *pattern, const char *by, bool all,
                   struct skl_buf *out)
{
    bool ends[SKL_EXPAND_MAX_MATCHED + 1];
    size_t n = strlen(value), i = 0;
    int rc = check_sizes(w, value, pattern);

    while (rc == 0 && i < n) {
        size_t best = 0;

        match_ends(pattern, value + i, n - i, ends);
        for (size_t k = 1; k <= n - i; k++)
            best = ends[k] ? k : best;
        if (best == 0) {
            skl_buf_addc(out, value[i++]);
            continue;
        }
        skl_buf_adds(out, by);
        i += best;
        if (!all)
            break;
    }
    if (rc == 0)
        skl_buf_adds(out, value + i);
    return rc;
}

/* -- ${...} */

/* A word up to `stop`, which is taken too. */
static int inner_word(struct walk *w, char stop, struct skl_buf *b)
{
    struct walk inner = *w;
    int rc;

    inner.words = NULL;
    inner.text = false;
    inner.depth++;
    if (inner.depth > SKL_EXPAND_MAX_DEPTH)
        return skl_fail(w->err, SKL_E_TOOBIG, "substitutions nest too deep");
    skl_buf_init(b, SKL_EXPAND_MAX);
    rc = walk_until(&inner, stop, b);
    w->s = inner.s;
    if (rc < 0)
        return rc;
    if (*w->s != stop)
        return skl_fail(w->err, SKL_E_INVALID, "syntax error: missing '}'");
    w->s++;
    return 0;
}

static int take_default(struct walk *w, struct skl_str name, const char *value, bool colon,
                        struct skl_buf *out)
{
    SKL_AUTO_BUF struct skl_buf word = {0};
    bool set = value && (*value || !colon);
    char how = *w->s++;
    int rc = inner_word(w, '}', &word);

    if (rc < 0)
        return rc;
    if (how == '?' && !set)
        return skl_fail(w->err, SKL_E_INVALID, "%.*s: %s", (int)(name.n < 100 ? name.n : 100),
                        name.p, word.n ? word.p : "not allowed to be unset");
    if (how == '+')
        skl_buf_adds(out, set ? word.p : "");
    else
        skl_buf_adds(out, set ? value : word.p);
    return 0;
}

static int take_cut(struct walk *w, const char *value, struct skl_buf *out)
{
    SKL_AUTO_BUF struct skl_buf pattern = {0};
    char how = *w->s++;
    bool twice = *w->s == how;
    int rc;

    w->s += twice;
    rc = inner_word(w, '}', &pattern);
    if (rc < 0)
        return rc;
    return how == '#' ? cut_prefix(w, value ? value : "", pattern.p, twice, out)
                      : cut_suffix(w, value ? value : "", pattern.p, twice, out);
}

static int take_replace(struct walk *w, const char *value, struct skl_buf *out)
{
    SKL_AUTO_BUF struct skl_buf pattern = {0}, by = {0};
    bool all = w->s[1] == '/';
    int rc;

    w->s += all ? 2 : 1;
    rc = inner_word(w, '/', &pattern);
    if (rc == 0)
        rc = inner_word(w, '}', &by);
    return rc < 0 ? rc : replace(w, value ? value : "", pattern.p, by.p, all, out);
}

static int take_braces(struct walk *w, struct skl_buf *out)
{
    struct skl_str name = take_name(w);
    const char *value;
    bool colon;

    if (!name.p)
        return skl_fail(w->err, SKL_E_INVALID, "syntax error: bad substitution");
    value = w->x->lookup(w->x->arg, name);
    if (*w->s == '}') {
        w->s++;
        skl_buf_adds(out, value ? value : "");
        return 0;
    }
    colon = *w->s == ':';
    w->s += colon;
    switch (*w->s) {
    case '-':
    case '+':
    case '?':
        return take_default(w, name, value, colon, out);
    case '\0':
        return skl_fail(w->err, SKL_E_INVALID, "syntax error: missing '}'");
    case '#':
    case '%':
        if (!colon)
            return take_cut(w, value, out);
        break;
    case '/':
        if (!colon)
            return take_replace(w, value, out);
        break;
    }
    return skl_fail(w->err, SKL_E_INVALID, "unsupported modifier (%s%.1s) in substitution",
                    colon ? ":" : "", w->s);
}

static void end_word(struct walk *w, struct skl_buf *out)
{
    if (out->n > 0 || w->in_word)
        skl_strv_push(w->words, out->p);
    skl_buf_reset(out);
    w->in_word = false;
}

/* Values divide words too, where they are not quoted. */
static void add_value(struct walk *w, const char *value, bool quoted, struct skl_buf *out)
{
    for (; *value; value++)
        if (w->words && !quoted && is_space(*value))
            end_word(w, out);
        else
            skl_buf_addc(out, *value);
}

static int take_dollar(struct walk *w, bool quoted, struct skl_buf *out)
{
    SKL_AUTO_BUF struct skl_buf value = {0};
    struct skl_str name;
    const char *plain;
    int rc;

    w->s++;
    if (*w->s == '{') {
        w->s++;
        skl_buf_init(&value, SKL_EXPAND_MAX);
        rc = take_braces(w, &value);
        if (rc < 0)
            return rc;
        if (value.failed)
            out->failed = true;
        add_value(w, value.p, quoted, out);
        return 0;
    }
    name = take_name(w);
    if (!name.p) {
        skl_buf_addc(out, '$');
        return 0;
    }
    plain = w->x->lookup(w->x->arg, name);
    add_value(w, plain ? plain : "", quoted, out);
    return 0;
}

/* -- quotes */

static int take_single(struct walk *w, struct skl_buf *out)
{
    w->in_word = true;
    for (w->s++; *w->s && *w->s != '\''; w->s++)
        skl_buf_addc(out, *w->s);
    if (!*w->s)
        return skl_fail(w->err, SKL_E_INVALID,
                        "unexpected end of statement while looking for matching single-quote");
    w->s++;
    return 0;
}

static int take_double(struct walk *w, struct skl_buf *out)
{
    int rc = 0;

    w->in_word = true;
    w->s++;
    while (rc == 0 && *w->s && *w->s != '"') {
        if (*w->s == '$') {
            rc = take_dollar(w, true, out);
            continue;
        }
        if (*w->s == w->x->escape && w->s[1]) {
            if (w->s[1] != '"' && w->s[1] != '$' && w->s[1] != w->x->escape)
                skl_buf_addc(out, *w->s);
            w->s++;
        }
        skl_buf_addc(out, *w->s++);
    }
    if (rc == 0 && !*w->s)
        return skl_fail(w->err, SKL_E_INVALID,
                        "unexpected end of statement while looking for matching double-quote");
    w->s += rc == 0;
    return rc;
}

static int walk_until(struct walk *w, char stop, struct skl_buf *out)
{
    int rc = 0;

    while (rc == 0 && *w->s && (*w->s != stop || !stop)) {
        char c = *w->s;

        if (c == '$') {
            rc = take_dollar(w, false, out);
        } else if (w->text) {
            if (c == w->x->escape && (w->s[1] == '$' || w->s[1] == c))
                w->s++;
            skl_buf_addc(out, *w->s++);
        } else if (c == '\'') {
            rc = take_single(w, out);
        } else if (c == '"') {
            rc = take_double(w, out);
        } else if (c == w->x->escape) {
            w->s++;
            if (*w->s)
                skl_buf_addc(out, *w->s++);
        } else if (w->words && is_space(c)) {
            end_word(w, out);
            w->s++;
        } else {
            skl_buf_addc(out, c);
            w->s++;
        }
    }
    return rc;
}

static int run(const struct skl_expand *x, const char *text, struct walk *w, struct skl_buf *out)
{
    int rc;

    w->x = x;
    w->s = text;
    rc = walk_until(w, '\0', out);
    if (rc == 0 && out->failed)
        rc = skl_fail(w->err, SKL_E_TOOBIG, "the result is larger than %zu bytes", out->max);
    return rc < 0 ? skl_wrap(w->err, rc, "failed to process \"%.100s\"", text) : 0;
}

int skl_expand_word(const struct skl_expand *x, const char *word, char **ret, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    struct walk w = {.err = err};
    int rc;

    skl_buf_init(&out, SKL_EXPAND_MAX);
    rc = run(x, word, &w, &out);
    if (rc == 0)
        *ret = skl_buf_detach(&out);
    return rc;
}

int skl_expand_words(const struct skl_expand *x, const char *word, char ***ret,
                     struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    struct walk w = {.words = ret, .err = err};
    int rc;

    skl_buf_init(&out, SKL_EXPAND_MAX);
    rc = run(x, word, &w, &out);
    if (rc == 0)
        end_word(&w, &out);
    return rc;
}

int skl_expand_text(const struct skl_expand *x, const char *text, size_t max, char **ret,
                    struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    struct walk w = {.text = true, .err = err};
    int rc;

    skl_buf_init(&out, max);
    rc = run(x, text, &w, &out);
    if (rc == 0)
        *ret = skl_buf_detach(&out);
    return rc;
}
