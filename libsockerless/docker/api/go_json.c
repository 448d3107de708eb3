/* Two passes over the text: first whether it is JSON at all, as an Engine's scanner says it; then the value against its
 * type. A decoder that built something would be one more tree beside cJSON's, so this one only looks. */
#include "docker/api/go_json.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json_read.h"
#include "base/limits.h"

/* -- is it JSON? */

struct scan {
    const char *p, *end;
    unsigned depth;
    struct skl_error *err;
};

/* As Go quotes a byte: those from 0x80 on are characters of Latin-1. */
static void quoted(unsigned char c, char *ret, size_t size)
{
    static const char named[] = "\a\b\f\n\r\t\v", letters[] = "abfnrtv";
    const char *at = c ? strchr(named, c) : NULL;

    if (c == '\'')
        snprintf(ret, size, "'\\''");
    else if (c == '"')
        snprintf(ret, size, "'\"'");
    else if (c == '\\')
        snprintf(ret, size, "'\\\\'");
    else if (at)
        snprintf(ret, size, "'\\%c'", letters[at - named]);
    else if (c < 0x20 || c == 0x7f)
        snprintf(ret, size, "'\\x%02x'", c);
    else if (c < 0x7f)
        snprintf(ret, size, "'%c'", c);
    else if (c < 0xa1 || c == 0xad)
        snprintf(ret, size, "'\\u00%02x'", c);
    else
        snprintf(ret, size, "'%c%c'", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
}

/* The byte here is not what may stand here; or there is none. */
static bool bad(struct scan *s, const char *context)
{
    char c[16];

    if (s->p == s->end) {
        skl_fail(s->err, SKL_E_INVALID, "invalid JSON: unexpected EOF");
        return false;
    }
    quoted((unsigned char)*s->p, c, sizeof(c));
    skl_fail(s->err, SKL_E_INVALID, "invalid JSON: invalid character %s %s", c, context);
    return false;
}

static bool at(const struct scan *s, char c)
{
    return s->p < s->end && *s->p == c;
}

static bool at_digit(const struct scan *s)
{
    return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

static void space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static bool scan_word(struct scan *s, const char *word)
{
    for (size_t i = 1; word[i]; i++) {
        char context[48];

        s->p++;
        snprintf(context, sizeof(context), "in literal %s (expecting '%c')", word, word[i]);
        if (!at(s, word[i]))
            return bad(s, context);
    }
    s->p++;
    return true;
}

static bool scan_escape(struct scan *s)
{
    if (s->p == s->end || !*s->p || !strchr("\"\\/bfnrtu", *s->p))
        return bad(s, "in string escape code");
    if (*s->p++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, s->p++)
        if (s->p == s->end || !isxdigit((unsigned char)*s->p))
            return bad(s, "in \\u hexadecimal character escape");
    return true;
}

static bool scan_string(struct scan *s)
{
    for (s->p++; !at(s, '"'); s->p++) {
        if (s->p == s->end || (unsigned char)*s->p < 0x20)
            return bad(s, "in string literal");
        if (*s->p != '\\')
            continue;
        s->p++;
        if (!scan_escape(s))
            return false;
        s->p--;
    }
    s->p++;
    return true;
}

static bool scan_digits(struct scan *s, const char *context)
{
    if (!at_digit(s))
        return bad(s, context);
    while (at_digit(s))
        s->p++;
    return true;
}

static bool scan_number(struct scan *s)
{
    if (at(s, '-'))
        s->p++;
    if (at(s, '0'))
        s->p++;
    else if (!scan_digits(s, "in numeric literal"))
        return false;
    if (at(s, '.')) {
        s->p++;
        if (!scan_digits(s, "after decimal point in numeric literal"))
            return false;
    }
    if (at(s, 'e') || at(s, 'E')) {
        s->p++;
        if (at(s, '+') || at(s, '-'))
            s->p++;
        return scan_digits(s, "in exponent of numeric literal");
    }
    return true;
}

static bool scan_value(struct scan *s);

static bool scan_members(struct scan *s)
{
    static const char key[] = "looking for beginning of object key string";

    for (bool first = true;; first = false) {
        space(s);
        if (first && at(s, '}'))
            break;
        if (!at(s, '"'))
            return bad(s, key);
        if (!scan_string(s))
            return false;
        space(s);
        if (!at(s, ':'))
            return bad(s, "after object key");
        s->p++;
        if (!scan_value(s))
            return false;
        space(s);
        if (at(s, '}'))
            break;
        if (!at(s, ','))
            return bad(s, "after object key:value pair");
        s->p++;
    }
    s->p++;
    return true;
}

static bool scan_elements(struct scan *s)
{
    space(s);
    if (at(s, ']')) {
        s->p++;
        return true;
    }
    for (;;) {
        if (!scan_value(s))
            return false;
        space(s);
        if (at(s, ']'))
            break;
        if (!at(s, ','))
            return bad(s, "after array element");
        s->p++;
    }
    s->p++;
    return true;
}

static bool scan_nested(struct scan *s)
{
    bool object = *s->p++ == '{', ok;

    if (++s->depth > SKL_MAX_JSON_DEPTH) {
        skl_fail(s->err, SKL_E_INVALID, "invalid JSON: nested deeper than %d levels",
                 SKL_MAX_JSON_DEPTH);
        return false;
    }
    ok = object ? scan_members(s) : scan_elements(s);
    s->depth--;
    return ok;
}

static bool scan_value(struct scan *s)
{
    space(s);
    if (at(s, '{') || at(s, '['))
        return scan_nested(s);
    if (at(s, '"'))
        return scan_string(s);
    if (at(s, '-') || at_digit(s))
        return scan_number(s);
    if (at(s, 't'))
        return scan_word(s, "true");
    if (at(s, 'f'))
        return scan_word(s, "false");
    if (at(s, 'n'))
        return scan_word(s, "null");
    return bad(s, "looking for beginning of value");
}

int skl_go_json_scan(struct skl_str text, size_t *ret_n, struct skl_error *err)
{
    struct scan s = {.p = text.p, .end = text.p + text.n, .err = err};

    if (!scan_value(&s))
        return -SKL_E_INVALID;
    *ret_n = (size_t)(s.p - text.p);
    return 0;
}

/* -- does it fit? */

struct walk {
    struct scan s;
    struct skl_str in; /* the innermost struct: "HostConfig"; p = NULL outside of all */
    char path[200];    /* "HostConfig.Mounts.Type" */
};

static const char *kind_here(const struct walk *w)
{
    switch (*w->s.p) {
    case '{':
        return "object";
    case '[':
        return "array";
    case '"':
        return "string";
    case 't':
    case 'f':
        return "bool";
    default:
        return "number";
    }
}

static bool misfit(struct walk *w, const char *value, struct skl_str type)
{
    if (w->in.p)
        skl_fail(w->s.err, SKL_E_INVALID,
                 "invalid JSON: json: cannot unmarshal %s into Go struct field %.*s.%s of type "
                 "%.*s",
                 value, (int)w->in.n, w->in.p, w->path, (int)type.n, type.p);
    else
        skl_fail(w->s.err, SKL_E_INVALID,
                 "invalid JSON: json: cannot unmarshal %s into Go value of type %.*s", value,
                 (int)type.n, type.p);
    return false;
}

static bool skip(struct walk *w)
{
    return scan_value(&w->s); /* scanned before: it cannot fail */
}

static bool walk_value(struct walk *w, struct skl_str type);

static bool walk_array(struct walk *w, struct skl_str element, bool any_length)
{
    size_t n = 0;

    w->s.p++;
    space(&w->s);
    while (!at(&w->s, ']')) {
        if (any_length || n++ < 2 ? !walk_value(w, element) : !skip(w))
            return false;
        space(&w->s);
        if (at(&w->s, ','))
            w->s.p++;
        space(&w->s);
    }
    w->s.p++;
    return true;
}

/* The name of a member: its text between the quotes, escapes undone. */
static char *read_key(struct walk *w)
{
    const char *from = w->s.p;
    char *key = NULL;

    (void)scan_string(&w->s); /* scanned before */
    if (!memchr(from, '\\', (size_t)(w->s.p - from)))
        return skl_str_dup(skl_str_n(from + 1, (size_t)(w->s.p - from) - 2));
    SKL_AUTO_JSON cJSON *json = cJSON_ParseWithLength(from, (size_t)(w->s.p - from));
    key = skl_strdup(cJSON_GetStringValue(json));
    return key ? key : skl_strdup("");
}

static const struct skl_go_field *field_of(const struct skl_go_field *fields, const char *key)
{
    const struct skl_go_field *loose = NULL;

    for (; fields->name; fields++) {
        if (skl_streq(fields->name, key))
            return fields;
        if (!loose && skl_str_ieqz(skl_str(key), fields->name))
            loose = fields;
    }
    return loose;
}

static bool walk_field(struct walk *w, struct skl_str type, const struct skl_go_field *f)
{
    const struct skl_str in = w->in;
    const size_t n = strlen(w->path);
    const char *dot = memchr(type.p, '.', type.n);
    bool ok;

    w->in = dot ? skl_str_skip(type, (size_t)(dot + 1 - type.p)) : type;
    snprintf(w->path + n, sizeof(w->path) - n, "%s%s", n ? "." : "", f->name);
    ok = walk_value(w, skl_str(f->type));
    if (ok) {
        w->in = in;
        w->path[n] = '\0';
    }
    return ok;
}

/* Members of a struct (fields) or of a map (element). */
static bool walk_object(struct walk *w, struct skl_str type, const struct skl_go_field *fields,
                        struct skl_str element)
{
    w->s.p++;
    space(&w->s);
    while (!at(&w->s, '}')) {
        SKL_AUTO_STR char *key = read_key(w);
        const struct skl_go_field *f = fields ? field_of(fields, key) : NULL;

        space(&w->s);
        w->s.p++; /* : */
        if (f ? !walk_field(w, type, f) : element.p ? !walk_value(w, element) : !skip(w))
            return false;
        space(&w->s);
        if (at(&w->s, ','))
            w->s.p++;
        space(&w->s);
    }
    w->s.p++;
    return true;
}

static bool is_in_range(const char *digits, struct skl_str type)
{
    static const struct {
        const char *name;
        int64_t min;
        uint64_t max;
    } ranges[] = {
        {"int", INT64_MIN, INT64_MAX}, {"int64", INT64_MIN, INT64_MAX}, {"uint", 0, UINT64_MAX},
        {"uint64", 0, UINT64_MAX},     {"uint32", 0, UINT32_MAX},       {"uint16", 0, UINT16_MAX},
    };
    int64_t i;
    uint64_t u;

    for (size_t k = 0; k < SKL_ARRAY_LEN(ranges); k++) {
        if (!skl_str_eqz(type, ranges[k].name))
            continue;
        if (digits[0] == '-')
            return skl_str_i64(skl_str(digits), &i) && i >= ranges[k].min;
        return skl_str_u64(skl_str(digits), &u) && u <= ranges[k].max;
    }
    return false;
}

static bool walk_number(struct walk *w, struct skl_str base, struct skl_str shown)
{
    const char *from = w->s.p;
    char digits[64], value[80];
    size_t n;

    (void)scan_number(&w->s); /* scanned before */
    n = (size_t)(w->s.p - from);
    snprintf(digits, sizeof(digits), "%.*s", n < sizeof(digits) ? (int)n : 0, from);
    if (digits[0] && is_in_range(digits, base))
        return true;
    snprintf(value, sizeof(value), "number %.*s", n < 60 ? (int)n : 60, from);
    return misfit(w, value, shown);
}

/* Words of a command: a list of strings, or one string. */
static bool walk_words(struct walk *w)
{
    struct walk list = *w;
    struct skl_error ignored;

    list.s.err = &ignored;
    if (at(&w->s, '"'))
        return scan_string(&w->s);
    if (at(&w->s, '[') && walk_array(&list, SKL_STR("string"), true)) {
        w->s.p = list.s.p;
        return true;
    }
    return misfit(w, kind_here(w), SKL_STR("string"));
}

static bool walk_basic(struct walk *w, struct skl_str base, struct skl_str shown)
{
    const bool number = at(&w->s, '-') || at_digit(&w->s);

    if (skl_str_eqz(base, "string"))
        return at(&w->s, '"') ? scan_string(&w->s) : misfit(w, kind_here(w), shown);
    if (skl_str_eqz(base, "bool"))
        return at(&w->s, 't') || at(&w->s, 'f') ? skip(w) : misfit(w, kind_here(w), shown);
    return number ? walk_number(w, base, shown) : misfit(w, kind_here(w), shown);
}

static bool walk_value(struct walk *w, struct skl_str type)
{
    const struct skl_go_field *fields;
    struct skl_str base, shown, none = {NULL, 0};
    const char *close;

    space(&w->s);
    if (at(&w->s, 'n'))
        return skip(w);
    shown = type.p[0] == '*' ? skl_str_skip(type, 1) : type;
    if (skl_str_eqz(shown, "strslice.StrSlice"))
        return walk_words(w);
    base =
        skl_go_underlying(shown.p, shown.n) ? skl_str(skl_go_underlying(shown.p, shown.n)) : shown;
    fields = skl_go_struct_fields(base.p, base.n);
    close = memchr(base.p, ']', base.n);
    if (base.p[0] == '[')
        return at(&w->s, '[') ? walk_array(w, skl_str_skip(base, (size_t)(close + 1 - base.p)),
                                           base.p[1] == ']')
                              : misfit(w, kind_here(w), shown);
    if (fields || skl_str_eqz(base, "struct {}"))
        return at(&w->s, '{') ? walk_object(w, base, fields, none) : misfit(w, kind_here(w), shown);
    if (skl_str_starts(base, "map["))
        return at(&w->s, '{')
                   ? walk_object(w, base, NULL, skl_str_skip(base, (size_t)(close + 1 - base.p)))
                   : misfit(w, kind_here(w), shown);
    return walk_basic(w, base, shown);
}

int skl_go_json_fits(struct skl_str text, const char *type, struct skl_error *err)
{
    struct walk w = {.s = {.p = text.p, .end = text.p + text.n, .err = err}};

    return walk_value(&w, skl_str(type)) ? 0 : -SKL_E_INVALID;
}
