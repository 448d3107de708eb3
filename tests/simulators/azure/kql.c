/* A small evaluator of the Kusto Query Language: what backends and command lines ask for jobs.
 *
 * Grammar   table | where E | extend N = E, ... | project N, ... | order by N asc|desc, ... | take N | count
 *           union [isfuzzy=true] (query), (query), ...     datatable(N:type, ...)[literals]
 * E         or, and, not(), comparisons (== != =~ !~ < <= > >= contains has startswith startswith_cs in),
 *           column_ifexists, ingestion_time, datetime, real, ago, now, strings in both forms, numbers, true, false
 * Limits    text <= 64 KiB; nesting <= 64
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "sim.h"

#define MAX_DEPTH 64

struct kql_arena {
    void **blocks;
    size_t n;
};

static void *arena_alloc(struct kql_arena *a, size_t n)
{
    if ((a->n & (a->n - 1)) == 0)
        a->blocks = skl_realloc(a->blocks, a->n ? 2 * a->n : 1, sizeof(void *));
    return a->blocks[a->n++] = skl_alloc0(1, n ? n : 1);
}

void kql_arena_free(struct kql_arena *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n; i++)
        free(a->blocks[i]);
    free(a->blocks);
    free(a);
}

/* -- tokens */

enum tok { T_END, T_NAME, T_STRING, T_NUMBER, T_OP };

struct parser {
    const char *p;
    struct kql_arena *arena;
    enum tok tok;
    struct skl_str text; /* of a string: its value */
    int depth;
    kql_source_cb *source;
    void *arg;
    bool fuzzy;
    struct skl_error *err;
    bool failed;
};

static int fail(struct parser *p, const char *what)
{
    if (!p->failed)
        skl_fail(p->err, SKL_E_INVALID, "SyntaxError: %s near '%.40s'", what, p->p);
    p->failed = true;
    return -SKL_E_INVALID;
}

static void read_string(struct parser *p)
{
    bool verbatim = *p->p == '@';
    char quote = p->p[verbatim];
    const char *at = p->p + verbatim + 1;
    char *out = arena_alloc(p->arena, strlen(at) + 1);
    size_t n = 0;

    for (;; at++) {
        if (!*at) {
            fail(p, "a string without an end");
            return;
        }
        if (*at == quote && verbatim && at[1] == quote) {
            out[n++] = *at++;
        } else if (*at == quote) {
            break;
        } else if (*at == '\\' && !verbatim) {
            static const char from[] = "ntr\\\"'0", to[] = "\n\t\r\\\"'\0";
            const char *e = *++at ? strchr(from, *at) : NULL;

            if (*at == 'u' && strlen(at) > 4) {
                char hex[5] = {at[1], at[2], at[3], at[4], 0};

                out[n++] = (char)strtoul(hex, NULL, 16);
                at += 4;
            } else if (e) {
                out[n++] = to[e - from];
            } else {
                fail(p, "an unknown escape");
                return;
            }
        } else {
            out[n++] = *at;
        }
    }
    p->tok = T_STRING;
    p->text = skl_str_n(out, n);
    p->p = at + 1;
}

static void next(struct parser *p)
{
    static const char *const ops[] = {"==", "!=", "=~", "!~", "<=", ">=", "<", ">", "=",
                                      "(",  ")",  "[",  "]",  ",",  "|",  ":", "-"};
    const char *start;

    while (isspace((unsigned char)*p->p))
        p->p++;
    start = p->p;
    if (!*p->p) {
        p->tok = T_END;
        p->text = skl_str("");
    } else if (*p->p == '"' || *p->p == '\'' ||
               (*p->p == '@' && (p->p[1] == '"' || p->p[1] == '\''))) {
        read_string(p);
    } else if (isdigit((unsigned char)*p->p)) {
        while (isalnum((unsigned char)*p->p) || *p->p == '.')
            p->p++;
        p->tok = T_NUMBER;
        p->text = skl_str_n(start, (size_t)(p->p - start));
    } else if (isalpha((unsigned char)*p->p) || *p->p == '_' || *p->p == '$') {
        while (isalnum((unsigned char)*p->p) || *p->p == '_' || *p->p == '$')
            p->p++;
        p->tok = T_NAME;
        p->text = skl_str_n(start, (size_t)(p->p - start));
    } else {
        for (size_t i = 0; i < SKL_ARRAY_LEN(ops); i++)
            if (strncmp(p->p, ops[i], strlen(ops[i])) == 0) {
                p->tok = T_OP;
                p->text = skl_str(ops[i]);
                p->p += strlen(ops[i]);
                return;
            }
        fail(p, "an unexpected character");
        p->tok = T_END;
    }
}

static bool is_word(const struct parser *p, const char *text)
{
    return (p->tok == T_NAME || p->tok == T_OP) && skl_str_eqz(p->text, text);
}

static bool accept(struct parser *p, const char *text)
{
    if (!is_word(p, text))
        return false;
    next(p);
    return true;
}

static bool expect(struct parser *p, const char *text)
{
    if (accept(p, text))
        return true;
    fail(p, text);
    return false;
}

/* -- expressions: evaluated per row by parsing again; tables here are small */

struct scope {
    const struct kql_table *table;
    size_t row;
    bool has_row; /* false: only the syntax is checked */
};

static struct kql_value text_value(struct skl_str s)
{
    return (struct kql_value){.type = KQL_STRING, .s = s};
}

static struct kql_value bool_value(bool b)
{
    return (struct kql_value){.type = KQL_BOOL, .i = b};
}

static int column_of(const struct kql_table *t, struct skl_str name)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (skl_str_eqz(name, t->columns[i]))
            return (int)i;
    return -1;
}

static struct kql_value expression(struct parser *p, const struct scope *sc);

static struct kql_value column(struct parser *p, const struct scope *sc, struct skl_str name)
{
    int at = column_of(sc->table, name);

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
static struct kql_value datetime_literal(struct parser *p)
{
    const char *end = strchr(p->p, ')');
    struct kql_value v = {.type = KQL_DATETIME};

    if (!end || !skl_time_parse(skl_str_trim(skl_str_n(p->p, (size_t)(end - p->p))), &v.i))
        v.type = KQL_NULL;
    if (!end) {
        fail(p, ")");
        return v;
    }
    p->p = end + 1;
    next(p);
    return v;
}

static struct kql_value ago(struct parser *p)
{
    struct kql_value v = {.type = KQL_DATETIME};
    char *end;
    double n = strtod(p->text.p, &end);
    double unit = *end == 'd' ? 86400 : *end == 'h' ? 3600 : *end == 'm' ? 60 : 1;

    v.i = skl_wall_ns() - (int64_t)(n * unit * 1e9);
    next(p);
    expect(p, ")");
    return v;
}

static struct kql_value call(struct parser *p, const struct scope *sc, struct skl_str name)
{
    struct kql_value v = {0};

    if (skl_str_eqz(name, "datetime"))
        return datetime_literal(p);
    next(p); /* "(" was the current token */
    if (skl_str_eqz(name, "ingestion_time")) {
        v = (struct kql_value){
            .type = KQL_DATETIME,
            .i = sc->has_row && sc->table->ingested_ns ? sc->table->ingested_ns[sc->row] : 0};
    } else if (skl_str_eqz(name, "column_ifexists")) {
        struct skl_str column_name = p->text;
        struct kql_value dflt;

        next(p);
        expect(p, ",");
        dflt = expression(p, sc);
        v = column_of(sc->table, column_name) < 0 ? dflt : column(p, sc, column_name);
    } else if (skl_str_eqz(name, "ago")) {
        return ago(p);
    } else if (skl_str_eqz(name, "now")) {
        v = (struct kql_value){.type = KQL_DATETIME, .i = skl_wall_ns()};
    } else if (skl_str_eqz(name, "not")) {
        v = bool_value(!expression(p, sc).i);
    } else if (skl_str_eqz(name, "real") || skl_str_eqz(name, "long") || skl_str_eqz(name, "int")) {
        if (!accept(p, "null"))
            v = expression(p, sc);
    } else if (skl_str_eqz(name, "tostring") || skl_str_eqz(name, "tolower")) {
        v = expression(p, sc);
    } else {
        fail(p, "an unknown function");
    }
    expect(p, ")");
    return v;
}

static struct kql_value primary(struct parser *p, const struct scope *sc)
{
    struct kql_value v = {0};

    if (accept(p, "(")) {
        v = expression(p, sc);
        expect(p, ")");
    } else if (p->tok == T_STRING) {
        v = text_value(p->text);
        next(p);
    } else if (p->tok == T_NUMBER || is_word(p, "-")) {
        bool minus = accept(p, "-");

        v.type = memchr(p->text.p, '.', p->text.n) ? KQL_REAL : KQL_LONG;
        v.d = strtod(p->text.p, NULL) * (minus ? -1 : 1);
        v.i = (int64_t)v.d;
        next(p);
    } else if (is_word(p, "true") || is_word(p, "false")) {
        v = bool_value(is_word(p, "true"));
        next(p);
    } else if (p->tok == T_NAME) {
        struct skl_str name = p->text;

        next(p);
        if (!is_word(p, "("))
            return column(p, sc, name);
        return call(p, sc, name);
    } else {
        fail(p, "an expression");
    }
    return v;
}

static int order_of(const struct kql_value *a, const struct kql_value *b)
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

static struct kql_value in_list(struct parser *p, const struct scope *sc, struct kql_value a)
{
    bool found = false;

    expect(p, "(");
    do {
        struct kql_value b = expression(p, sc);

        found |= order_of(&a, &b) == 0;
    } while (accept(p, ","));
    expect(p, ")");
    return bool_value(found);
}

static struct kql_value comparison(struct parser *p, const struct scope *sc)
{
    static const char *const ops[] = {"==", "!=", "=~",       "!~",  "<",          "<=",
                                      ">",  ">=", "contains", "has", "startswith", "startswith_cs"};
    struct kql_value a = primary(p, sc), b;

    if (accept(p, "in"))
        return in_list(p, sc, a);
    for (size_t i = 0; i < SKL_ARRAY_LEN(ops); i++) {
        if (!accept(p, ops[i]))
            continue;
        b = primary(p, sc);
        switch (i) {
        case 0:
            return bool_value(order_of(&a, &b) == 0);
        case 1:
            return bool_value(order_of(&a, &b) != 0);
        case 2:
            return bool_value(text_is(a.s, b.s));
        case 3:
            return bool_value(!text_is(a.s, b.s));
        case 4:
            return bool_value(order_of(&a, &b) < 0);
        case 5:
            return bool_value(order_of(&a, &b) <= 0);
        case 6:
            return bool_value(order_of(&a, &b) > 0);
        case 7:
            return bool_value(order_of(&a, &b) >= 0);
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

static struct kql_value conjunction(struct parser *p, const struct scope *sc)
{
    struct kql_value a = comparison(p, sc);

    while (!p->failed && accept(p, "and")) {
        struct kql_value b = comparison(p, sc);

        a = bool_value(a.i && b.i);
    }
    return a;
}

static struct kql_value expression(struct parser *p, const struct scope *sc)
{
    struct kql_value a = {0};

    if (++p->depth > MAX_DEPTH) {
        fail(p, "less nesting");
        p->depth--;
        return a;
    }
    a = conjunction(p, sc);
    while (!p->failed && accept(p, "or")) {
        struct kql_value b = conjunction(p, sc);

        a = bool_value(a.i || b.i);
    }
    p->depth--;
    return a;
}

/* -- operators */

/* The same text for each row: the parser goes back to where it was. */
static struct parser mark(const struct parser *p)
{
    return *p;
}

static void go_back(struct parser *p, const struct parser *to)
{
    p->p = to->p;
    p->tok = to->tok;
    p->text = to->text;
}

static void op_where(struct parser *p, struct kql_table *t)
{
    struct parser start = mark(p);
    size_t kept = 0;

    (void)expression(
        p, &(struct scope){.table = t}); /* where there is no row the text is checked too */
    for (size_t row = 0; row < t->n_rows && !p->failed; row++) {
        go_back(p, &start);
        if (!expression(p, &(struct scope){t, row, true}).i)
            continue;
        t->rows[kept] = t->rows[row];
        if (t->ingested_ns)
            t->ingested_ns[kept] = t->ingested_ns[row];
        kept++;
    }
    t->n_rows = kept;
}

static size_t add_column(struct parser *p, struct kql_table *t, struct skl_str name,
                         enum kql_type type)
{
    int at = column_of(t, name);
    char **columns;
    enum kql_type *types;
    char *copy;

    if (at >= 0) {
        t->types[at] = type;
        return (size_t)at;
    }
    columns = arena_alloc(p->arena, (t->n_columns + 1) * sizeof(char *));
    types = arena_alloc(p->arena, (t->n_columns + 1) * sizeof(*types));
    copy = arena_alloc(p->arena, name.n + 1);
    memcpy(copy, name.p, name.n);
    if (t->n_columns) {
        memcpy(columns, t->columns, t->n_columns * sizeof(char *));
        memcpy(types, t->types, t->n_columns * sizeof(*types));
    }
    columns[t->n_columns] = copy;
    types[t->n_columns] = type;
    t->columns = columns;
    t->types = types;
    for (size_t row = 0; row < t->n_rows; row++) {
        struct kql_value *wider =
            arena_alloc(p->arena, (t->n_columns + 1) * sizeof(struct kql_value));

        memcpy(wider, t->rows[row], t->n_columns * sizeof(struct kql_value));
        t->rows[row] = wider;
    }
    return t->n_columns++;
}

static void op_extend(struct parser *p, struct kql_table *t)
{
    do {
        struct skl_str name = p->text;
        struct kql_table before = *t;
        struct parser start;
        enum kql_type type;
        size_t at;

        next(p);
        if (!expect(p, "="))
            return;
        start = mark(p);
        type = expression(p, &(struct scope){.table = &before}).type;
        at = add_column(p, t, name, type);
        for (size_t row = 0; row < t->n_rows && !p->failed; row++) {
            struct kql_value v;

            go_back(p, &start);
            v = expression(p, &(struct scope){t, row, true});
            t->rows[row][at] = v;
        }
    } while (!p->failed && accept(p, ","));
}

static void op_project(struct parser *p, struct kql_table *t)
{
    struct kql_table out = {.n_rows = t->n_rows, .ingested_ns = t->ingested_ns};

    out.rows = arena_alloc(p->arena, (t->n_rows + 1) * sizeof(void *));
    for (size_t row = 0; row < t->n_rows; row++)
        out.rows[row] = arena_alloc(p->arena, sizeof(struct kql_value));
    do {
        int from = column_of(t, p->text);
        size_t to;

        if (from < 0) {
            (void)column(p, &(struct scope){.table = t}, p->text);
            return;
        }
        to = add_column(p, &out, p->text, t->types[from]);
        for (size_t row = 0; row < t->n_rows; row++)
            out.rows[row][to] = t->rows[row][from];
        next(p);
    } while (!p->failed && accept(p, ","));
    *t = out;
}

static void sort_by(struct parser *p, struct kql_table *t, const size_t *keys, const bool *down,
                    size_t n)
{
    /* Insertion sort from the end of what is sorted: stable, and linear for rows that come in order. */
    for (size_t i = 1; i < t->n_rows; i++) {
        struct kql_value *row = t->rows[i];
        int64_t ingested = t->ingested_ns ? t->ingested_ns[i] : 0;
        size_t k = i;

        for (; k > 0; k--) {
            int order = 0;

            for (size_t c = 0; c < n && order == 0; c++) {
                order = order_of(&t->rows[k - 1][keys[c]], &row[keys[c]]);
                order = down[c] ? -order : order;
            }
            if (order <= 0)
                break;
            t->rows[k] = t->rows[k - 1];
            if (t->ingested_ns)
                t->ingested_ns[k] = t->ingested_ns[k - 1];
        }
        t->rows[k] = row;
        if (t->ingested_ns)
            t->ingested_ns[k] = ingested;
    }
}

static void op_order(struct parser *p, struct kql_table *t)
{
    size_t keys[8], n = 0;
    bool down[8];

    expect(p, "by");
    do {
        int at = column_of(t, p->text);

        if (at < 0 || n == SKL_ARRAY_LEN(keys)) {
            (void)column(p, &(struct scope){.table = t}, p->text);
            return;
        }
        next(p);
        keys[n] = (size_t)at;
        down[n] = !accept(p, "asc"); /* descending is the default */
        if (down[n])
            (void)accept(p, "desc");
        n++;
    } while (!p->failed && accept(p, ","));
    sort_by(p, t, keys, down, n);
}

static void op_take(struct parser *p, struct kql_table *t)
{
    uint64_t n;

    if (p->tok != T_NUMBER || !skl_str_u64(p->text, &n)) {
        fail(p, "a number");
        return;
    }
    next(p);
    t->n_rows = n < t->n_rows ? (size_t)n : t->n_rows;
}

static void op_count(struct parser *p, struct kql_table *t)
{
    struct kql_table out = {.n_rows = 1};
    size_t at;

    out.rows = arena_alloc(p->arena, sizeof(void *));
    out.rows[0] = arena_alloc(p->arena, sizeof(struct kql_value));
    at = add_column(p, &out, skl_str("Count"), KQL_LONG);
    out.rows[0][at] = (struct kql_value){.type = KQL_LONG, .i = (int64_t)t->n_rows};
    *t = out;
}

static void query(struct parser *p, struct kql_table *t);

static enum kql_type type_named(struct skl_str name)
{
    if (skl_str_eqz(name, "datetime"))
        return KQL_DATETIME;
    if (skl_str_eqz(name, "real"))
        return KQL_REAL;
    if (skl_str_eqz(name, "long") || skl_str_eqz(name, "int"))
        return KQL_LONG;
    return skl_str_eqz(name, "bool") ? KQL_BOOL : KQL_STRING;
}

/* Only the empty one is of use here: it gives a union its columns. */
static void source_datatable(struct parser *p, struct kql_table *t)
{
    expect(p, "(");
    do {
        struct skl_str name = p->text;

        next(p);
        expect(p, ":");
        add_column(p, t, name, type_named(p->text));
        next(p);
    } while (!p->failed && accept(p, ","));
    expect(p, ")");
    expect(p, "[");
    while (!p->failed && !is_word(p, "]") && p->tok != T_END)
        next(p);
    expect(p, "]");
}

static void append(struct parser *p, struct kql_table *to, const struct kql_table *from)
{
    size_t at[64];
    struct kql_value **rows;
    int64_t *ingested;

    for (size_t c = 0; c < from->n_columns && c < 64; c++)
        at[c] = add_column(p, to, skl_str(from->columns[c]), from->types[c]);
    rows = arena_alloc(p->arena, (to->n_rows + from->n_rows + 1) * sizeof(void *));
    ingested = arena_alloc(p->arena, (to->n_rows + from->n_rows + 1) * sizeof(int64_t));
    for (size_t i = 0; i < to->n_rows; i++) {
        rows[i] = to->rows[i];
        ingested[i] = to->ingested_ns ? to->ingested_ns[i] : 0;
    }
    for (size_t i = 0; i < from->n_rows; i++) {
        struct kql_value *row =
            arena_alloc(p->arena, (to->n_columns + 1) * sizeof(struct kql_value));

        for (size_t c = 0; c < from->n_columns && c < 64; c++)
            row[at[c]] = from->rows[i][c];
        rows[to->n_rows + i] = row;
        ingested[to->n_rows + i] = from->ingested_ns ? from->ingested_ns[i] : 0;
    }
    to->rows = rows;
    to->ingested_ns = ingested;
    to->n_rows += from->n_rows;
}

static void source_union(struct parser *p, struct kql_table *t)
{
    bool before = p->fuzzy;

    if (accept(p, "isfuzzy")) {
        expect(p, "=");
        p->fuzzy = is_word(p, "true");
        next(p);
    }
    do {
        struct kql_table part = {0};
        bool nested = accept(p, "(");

        query(p, &part);
        if (nested)
            expect(p, ")");
        append(p, t, &part);
    } while (!p->failed && accept(p, ","));
    p->fuzzy = before;
}

static void source_named(struct parser *p, struct kql_table *t)
{
    char name[128];

    snprintf(name, sizeof(name), SKL_STR_FMT, SKL_STR_ARG(p->text));
    if (p->tok != T_NAME) {
        fail(p, "a table");
        return;
    }
    next(p);
    if (p->source(p->arg, name, t))
        return;
    if (p->fuzzy) { /* a table that is not there yet has no rows, and its operators no columns to name */
        int open = 0;

        while (p->tok != T_END && !p->failed && !(open == 0 && is_word(p, ")"))) {
            open += is_word(p, "(");
            open -= is_word(p, ")");
            next(p);
        }
        return;
    }
    if (!p->failed)
        skl_fail(p->err, SKL_E_INVALID,
                 "SemanticError: Failed to resolve table expression named '%s'", name);
    p->failed = true;
}

static void query(struct parser *p, struct kql_table *t)
{
    if (++p->depth > MAX_DEPTH) {
        fail(p, "less nesting");
        return;
    }
    if (accept(p, "union"))
        source_union(p, t);
    else if (accept(p, "datatable"))
        source_datatable(p, t);
    else
        source_named(p, t);
    while (!p->failed && accept(p, "|")) {
        if (accept(p, "where"))
            op_where(p, t);
        else if (accept(p, "extend"))
            op_extend(p, t);
        else if (accept(p, "project"))
            op_project(p, t);
        else if (accept(p, "order") || accept(p, "sort"))
            op_order(p, t);
        else if (accept(p, "take") || accept(p, "limit"))
            op_take(p, t);
        else if (accept(p, "count"))
            op_count(p, t);
        else
            fail(p, "an operator");
    }
    p->depth--;
}

int kql_run(const char *text, kql_source_cb *source, void *arg, struct kql_table *ret,
            struct kql_arena **ret_arena, struct skl_error *err)
{
    struct parser p = {.p = text, .source = source, .arg = arg, .err = err};

    if (strlen(text) > 64 * SKL_KIB)
        return skl_fail(err, SKL_E_INVALID, "SyntaxError: the query is too long");
    p.arena = skl_new0(struct kql_arena);
    *ret = (struct kql_table){0};
    next(&p);
    query(&p, ret);
    if (!p.failed && p.tok != T_END)
        fail(&p, "the end of the query");
    if (p.failed) {
        kql_arena_free(p.arena);
        return -SKL_E_INVALID;
    }
    *ret_arena = p.arena;
    return 0;
}
