/* Expressions: evaluated per row by parsing again; tables here are small. */
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "kql.h"

static struct kql_value text_value(struct skl_str s)
{
    return (struct kql_value){.type = KQL_STRING, .s = s};
}

static struct kql_value bool_value(bool b)
{
    return (struct kql_value){.type = KQL_BOOL, .i = b};
}

int kql_column_of(const struct kql_table *t, struct skl_str name)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (skl_str_eqz(name, t->columns[i]))
            return (int)i;
    return -1;
}

struct kql_value kql_column(struct kql_parser *p, const struct kql_scope *sc, struct skl_str name)
{
    int at = kql_column_of(sc->table, name);

    if (at < 0) {
        if (!p->failed)
            skl_fail(p->err, SKL_E_INVALID, "SemanticError: '" SKL_STR_FMT "' is not a column",
                     SKL_STR_ARG(name));
        p->failed = true;
        return (struct kql_value){0};
    }
    return sc->has_row ? sc->table->rows[sc->row][at]
                       : (struct kql_value){.type = sc->table->types[at]};
}

/* datetime(2024-05-01T10:00:00Z): not a token of its own, read to the parenthesis */
static struct kql_value datetime_literal(struct kql_parser *p)
{
    const char *end = strchr(p->p, ')');
    struct kql_value v = {.type = KQL_DATETIME};

    if (!end || !skl_time_parse(skl_str_trim(skl_str_n(p->p, (size_t)(end - p->p))), &v.i))
        v.type = KQL_NULL;
    if (!end) {
        kql_fail(p, ")");
        return v;
    }
    p->p = end + 1;
    kql_next(p);
    return v;
}

static struct kql_value ago(struct kql_parser *p)
{
    struct kql_value v = {.type = KQL_DATETIME};
    char *end;
    double n = strtod(p->text.p, &end);
    double unit = *end == 'd' ? 86400 : *end == 'h' ? 3600 : *end == 'm' ? 60 : 1;

    v.i = skl_wall_ns() - (int64_t)(n * unit * 1e9);
    kql_next(p);
    kql_expect(p, ")");
    return v;
}

static struct kql_value call(struct kql_parser *p, const struct kql_scope *sc, struct skl_str name)
{
    struct kql_value v = {0};

    if (skl_str_eqz(name, "datetime"))
        return datetime_literal(p);
    kql_next(p); /* "(" was the current token */
    if (skl_str_eqz(name, "ingestion_time")) {
        v = (struct kql_value){
            .type = KQL_DATETIME,
            .i = sc->has_row && sc->table->ingested_ns ? sc->table->ingested_ns[sc->row] : 0};
    } else if (skl_str_eqz(name, "column_ifexists")) {
        struct skl_str column_name = p->text;
        struct kql_value dflt;

        kql_next(p);
        kql_expect(p, ",");
        dflt = kql_expression(p, sc);
        v = kql_column_of(sc->table, column_name) < 0 ? dflt : kql_column(p, sc, column_name);
    } else if (skl_str_eqz(name, "ago")) {
        return ago(p);
    } else if (skl_str_eqz(name, "now")) {
        v = (struct kql_value){.type = KQL_DATETIME, .i = skl_wall_ns()};
    } else if (skl_str_eqz(name, "not")) {
        v = bool_value(!kql_expression(p, sc).i);
    } else if (skl_str_eqz(name, "real") || skl_str_eqz(name, "long") || skl_str_eqz(name, "int")) {
        if (!kql_accept(p, "null"))
            v = kql_expression(p, sc);
    } else if (skl_str_eqz(name, "tostring") || skl_str_eqz(name, "tolower")) {
        v = kql_expression(p, sc);
    } else {
        kql_fail(p, "an unknown function");
    }
    kql_expect(p, ")");
    return v;
}

static struct kql_value primary(struct kql_parser *p, const struct kql_scope *sc)
{
    struct kql_value v = {0};

    if (kql_accept(p, "(")) {
        v = kql_expression(p, sc);
        kql_expect(p, ")");
    } else if (p->tok == KQL_T_STRING) {
        v = text_value(p->text);
        kql_next(p);
    } else if (p->tok == KQL_T_NUMBER || kql_is_word(p, "-")) {
        bool minus = kql_accept(p, "-");

        v.type = memchr(p->text.p, '.', p->text.n) ? KQL_REAL : KQL_LONG;
        v.d = strtod(p->text.p, NULL) * (minus ? -1 : 1);
        v.i = (int64_t)v.d;
        kql_next(p);
    } else if (kql_is_word(p, "true") || kql_is_word(p, "false")) {
        v = bool_value(kql_is_word(p, "true"));
        kql_next(p);
    } else if (p->tok == KQL_T_NAME) {
        struct skl_str name = p->text;

        kql_next(p);
        if (!kql_is_word(p, "("))
            return kql_column(p, sc, name);
        return call(p, sc, name);
    } else {
        kql_fail(p, "an expression");
    }
    return v;
}

int kql_order_of(const struct kql_value *a, const struct kql_value *b)
{
    if (a->type == KQL_STRING && b->type == KQL_STRING) {
        size_t n = a->s.n < b->s.n ? a->s.n : b->s.n;
        int c = n ? memcmp(a->s.p, b->s.p, n) : 0;

        return c ? c : (a->s.n > b->s.n) - (a->s.n < b->s.n);
    }
    if (a->type == KQL_REAL || b->type == KQL_REAL)
        return (a->d > b->d) - (a->d < b->d);
    if (a->type == KQL_NULL || b->type == KQL_NULL)
        return (a->type != KQL_NULL) - (b->type != KQL_NULL);
    return (a->i > b->i) - (a->i < b->i);
}

static bool text_contains(struct skl_str s, struct skl_str part)
{
    for (size_t i = 0; part.n <= s.n && i <= s.n - part.n; i++)
        if (part.n == 0 || strncasecmp(s.p + i, part.p, part.n) == 0)
            return true;
    return false;
}

static bool text_is(struct skl_str a, struct skl_str b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static struct kql_value in_list(struct kql_parser *p, const struct kql_scope *sc,
                                struct kql_value a)
{
    bool found = false;

    kql_expect(p, "(");
    do {
        struct kql_value b = kql_expression(p, sc);

        found |= kql_order_of(&a, &b) == 0;
    } while (kql_accept(p, ","));
    kql_expect(p, ")");
    return bool_value(found);
}

static struct kql_value comparison(struct kql_parser *p, const struct kql_scope *sc)
{
    static const char *const ops[] = {"==", "!=", "=~",       "!~",  "<",          "<=",
                                      ">",  ">=", "contains", "has", "startswith", "startswith_cs"};
    struct kql_value a = primary(p, sc), b;

    if (kql_accept(p, "in"))
        return in_list(p, sc, a);
    for (size_t i = 0; i < SKL_ARRAY_LEN(ops); i++) {
        if (!kql_accept(p, ops[i]))
            continue;
        b = primary(p, sc);
        switch (i) {
        case 0:
            return bool_value(kql_order_of(&a, &b) == 0);
        case 1:
            return bool_value(kql_order_of(&a, &b) != 0);
        case 2:
            return bool_value(text_is(a.s, b.s));
        case 3:
            return bool_value(!text_is(a.s, b.s));
        case 4:
            return bool_value(kql_order_of(&a, &b) < 0);
        case 5:
            return bool_value(kql_order_of(&a, &b) <= 0);
        case 6:
            return bool_value(kql_order_of(&a, &b) > 0);
        case 7:
            return bool_value(kql_order_of(&a, &b) >= 0);
        case 8:
        case 9:
            return bool_value(text_contains(a.s, b.s));
        case 10:
            return bool_value(a.s.n >= b.s.n && text_is(skl_str_n(a.s.p, b.s.n), b.s));
        default:
            return bool_value(a.s.n >= b.s.n && memcmp(a.s.p, b.s.p, b.s.n) == 0);
        }
    }
    return a;
}

static struct kql_value conjunction(struct kql_parser *p, const struct kql_scope *sc)
{
    struct kql_value a = comparison(p, sc);

    while (!p->failed && kql_accept(p, "and")) {
        struct kql_value b = comparison(p, sc);

        a = bool_value(a.i && b.i);
    }
    return a;
}

struct kql_value kql_expression(struct kql_parser *p, const struct kql_scope *sc)
{
    struct kql_value a = {0};

    if (++p->depth > KQL_MAX_DEPTH) {
        kql_fail(p, "less nesting");
        p->depth--;
        return a;
    }
    a = conjunction(p, sc);
    while (!p->failed && kql_accept(p, "or")) {
        struct kql_value b = conjunction(p, sc);

        a = bool_value(a.i || b.i);
    }
    p->depth--;
    return a;
}
