/* A small evaluator of the Kusto Query Language: what backends and command lines ask for jobs.
 *
 * Grammar   table | where E | extend N = E, ... | project N, ... | order by N asc|desc, ... | take N | count
 *           union [isfuzzy=true] (query), (query), ...     datatable(N:type, ...)[literals]
 * E         or, and, not(), comparisons (== != =~ !~ < <= > >= contains has startswith startswith_cs in),
 *           column_ifexists, ingestion_time, datetime, real, ago, now, strings in both forms, numbers, true, false
 * Limits    text <= 64 KiB; nesting <= 64
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "kql.h"

/* The same text for each row: the parser goes back to where it was. */
static struct kql_parser mark(const struct kql_parser *p)
{
    return *p;
}

static void go_back(struct kql_parser *p, const struct kql_parser *to)
{
    p->p = to->p;
    p->tok = to->tok;
    p->text = to->text;
}

static void op_where(struct kql_parser *p, struct kql_table *t)
{
    struct kql_parser start = mark(p);
    size_t kept = 0;

    (void)kql_expression(
        p, &(struct kql_scope){.table = t}); /* where there is no row the text is checked too */
    for (size_t row = 0; row < t->n_rows && !p->failed; row++) {
        go_back(p, &start);
        if (!kql_expression(p, &(struct kql_scope){t, row, true}).i)
            continue;
        t->rows[kept] = t->rows[row];
        if (t->ingested_ns)
            t->ingested_ns[kept] = t->ingested_ns[row];
        kept++;
    }
    t->n_rows = kept;
}

static size_t add_column(struct kql_parser *p, struct kql_table *t, struct skl_str name,
                         enum kql_type type)
{
    int at = kql_column_of(t, name);
    char **columns;
    enum kql_type *types;
    char *copy;

    if (at >= 0) {
        t->types[at] = type;
        return (size_t)at;
    }
    columns = kql_alloc(p->arena, (t->n_columns + 1) * sizeof(char *));
    types = kql_alloc(p->arena, (t->n_columns + 1) * sizeof(*types));
    copy = kql_alloc(p->arena, name.n + 1);
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
            kql_alloc(p->arena, (t->n_columns + 1) * sizeof(struct kql_value));

        memcpy(wider, t->rows[row], t->n_columns * sizeof(struct kql_value));
        t->rows[row] = wider;
    }
    return t->n_columns++;
}

static void op_extend(struct kql_parser *p, struct kql_table *t)
{
    do {
        struct skl_str name = p->text;
        struct kql_table before = *t;
        struct kql_parser start;
        enum kql_type type;
        size_t at;

        kql_next(p);
        if (!kql_expect(p, "="))
            return;
        start = mark(p);
        type = kql_expression(p, &(struct kql_scope){.table = &before}).type;
        at = add_column(p, t, name, type);
        for (size_t row = 0; row < t->n_rows && !p->failed; row++) {
            struct kql_value v;

            go_back(p, &start);
            v = kql_expression(p, &(struct kql_scope){t, row, true});
            t->rows[row][at] = v;
        }
    } while (!p->failed && kql_accept(p, ","));
}

static void op_project(struct kql_parser *p, struct kql_table *t)
{
    struct kql_table out = {.n_rows = t->n_rows, .ingested_ns = t->ingested_ns};

    out.rows = kql_alloc(p->arena, (t->n_rows + 1) * sizeof(void *));
    for (size_t row = 0; row < t->n_rows; row++)
        out.rows[row] = kql_alloc(p->arena, sizeof(struct kql_value));
    do {
        int from = kql_column_of(t, p->text);
        size_t to;

        if (from < 0) {
            (void)kql_column(p, &(struct kql_scope){.table = t}, p->text);
            return;
        }
        to = add_column(p, &out, p->text, t->types[from]);
        for (size_t row = 0; row < t->n_rows; row++)
            out.rows[row][to] = t->rows[row][from];
        kql_next(p);
    } while (!p->failed && kql_accept(p, ","));
    *t = out;
}

static void sort_by(struct kql_parser *p, struct kql_table *t, const size_t *keys, const bool *down,
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
                order = kql_order_of(&t->rows[k - 1][keys[c]], &row[keys[c]]);
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

static void op_order(struct kql_parser *p, struct kql_table *t)
{
    size_t keys[8], n = 0;
    bool down[8];

    kql_expect(p, "by");
    do {
        int at = kql_column_of(t, p->text);

        if (at < 0 || n == SKL_ARRAY_LEN(keys)) {
            (void)kql_column(p, &(struct kql_scope){.table = t}, p->text);
            return;
        }
        kql_next(p);
        keys[n] = (size_t)at;
        down[n] = !kql_accept(p, "asc"); /* descending is the default */
        if (down[n])
            (void)kql_accept(p, "desc");
        n++;
    } while (!p->failed && kql_accept(p, ","));
    sort_by(p, t, keys, down, n);
}

static void op_take(struct kql_parser *p, struct kql_table *t)
{
    uint64_t n;

    if (p->tok != KQL_T_NUMBER || !skl_str_u64(p->text, &n)) {
        kql_fail(p, "a number");
        return;
    }
    kql_next(p);
    t->n_rows = n < t->n_rows ? (size_t)n : t->n_rows;
}

static void op_count(struct kql_parser *p, struct kql_table *t)
{
    struct kql_table out = {.n_rows = 1};
    size_t at;

    out.rows = kql_alloc(p->arena, sizeof(void *));
    out.rows[0] = kql_alloc(p->arena, sizeof(struct kql_value));
    at = add_column(p, &out, skl_str("Count"), KQL_LONG);
    out.rows[0][at] = (struct kql_value){.type = KQL_LONG, .i = (int64_t)t->n_rows};
    *t = out;
}

static void query(struct kql_parser *p, struct kql_table *t);

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
static void source_datatable(struct kql_parser *p, struct kql_table *t)
{
    kql_expect(p, "(");
    do {
        struct skl_str name = p->text;

        kql_next(p);
        kql_expect(p, ":");
        add_column(p, t, name, type_named(p->text));
        kql_next(p);
    } while (!p->failed && kql_accept(p, ","));
    kql_expect(p, ")");
    kql_expect(p, "[");
    while (!p->failed && !kql_is_word(p, "]") && p->tok != KQL_T_END)
        kql_next(p);
    kql_expect(p, "]");
}

static void append(struct kql_parser *p, struct kql_table *to, const struct kql_table *from)
{
    size_t at[64];
    struct kql_value **rows;
    int64_t *ingested;

    for (size_t c = 0; c < from->n_columns && c < 64; c++)
        at[c] = add_column(p, to, skl_str(from->columns[c]), from->types[c]);
    rows = kql_alloc(p->arena, (to->n_rows + from->n_rows + 1) * sizeof(void *));
    ingested = kql_alloc(p->arena, (to->n_rows + from->n_rows + 1) * sizeof(int64_t));
    for (size_t i = 0; i < to->n_rows; i++) {
        rows[i] = to->rows[i];
        ingested[i] = to->ingested_ns ? to->ingested_ns[i] : 0;
    }
    for (size_t i = 0; i < from->n_rows; i++) {
        struct kql_value *row = kql_alloc(p->arena, (to->n_columns + 1) * sizeof(struct kql_value));

        for (size_t c = 0; c < from->n_columns && c < 64; c++)
            row[at[c]] = from->rows[i][c];
        rows[to->n_rows + i] = row;
        ingested[to->n_rows + i] = from->ingested_ns ? from->ingested_ns[i] : 0;
    }
    to->rows = rows;
    to->ingested_ns = ingested;
    to->n_rows += from->n_rows;
}

static void source_union(struct kql_parser *p, struct kql_table *t)
{
    bool before = p->fuzzy;

    if (kql_accept(p, "isfuzzy")) {
        kql_expect(p, "=");
        p->fuzzy = kql_is_word(p, "true");
        kql_next(p);
    }
    do {
        struct kql_table part = {0};
        bool nested = kql_accept(p, "(");

        query(p, &part);
        if (nested)
            kql_expect(p, ")");
        append(p, t, &part);
    } while (!p->failed && kql_accept(p, ","));
    p->fuzzy = before;
}

static void source_named(struct kql_parser *p, struct kql_table *t)
{
    char name[128];

    snprintf(name, sizeof(name), SKL_STR_FMT, SKL_STR_ARG(p->text));
    if (p->tok != KQL_T_NAME) {
        kql_fail(p, "a table");
        return;
    }
    kql_next(p);
    if (p->source(p->arg, name, t))
        return;
    if (p->fuzzy) { /* a table that is not there yet has no rows, and its operators no columns to name */
        int open = 0;

        while (p->tok != KQL_T_END && !p->failed && !(open == 0 && kql_is_word(p, ")"))) {
            open += kql_is_word(p, "(");
            open -= kql_is_word(p, ")");
            kql_next(p);
        }
        return;
    }
    if (!p->failed)
        skl_fail(p->err, SKL_E_INVALID,
                 "SemanticError: Failed to resolve table expression named '%s'", name);
    p->failed = true;
}

static void query(struct kql_parser *p, struct kql_table *t)
{
    if (++p->depth > KQL_MAX_DEPTH) {
        kql_fail(p, "less nesting");
        return;
    }
    if (kql_accept(p, "union"))
        source_union(p, t);
    else if (kql_accept(p, "datatable"))
        source_datatable(p, t);
    else
        source_named(p, t);
    while (!p->failed && kql_accept(p, "|")) {
        if (kql_accept(p, "where"))
            op_where(p, t);
        else if (kql_accept(p, "extend"))
            op_extend(p, t);
        else if (kql_accept(p, "project"))
            op_project(p, t);
        else if (kql_accept(p, "order") || kql_accept(p, "sort"))
            op_order(p, t);
        else if (kql_accept(p, "take") || kql_accept(p, "limit"))
            op_take(p, t);
        else if (kql_accept(p, "count"))
            op_count(p, t);
        else
            kql_fail(p, "an operator");
    }
    p->depth--;
}

int kql_run(const char *text, kql_source_cb *source, void *arg, struct kql_table *ret,
            struct kql_arena **ret_arena, struct skl_error *err)
{
    struct kql_parser p = {.p = text, .source = source, .arg = arg, .err = err};

    if (strlen(text) > 64 * SKL_KIB)
        return skl_fail(err, SKL_E_INVALID, "SyntaxError: the query is too long");
    p.arena = skl_new0(struct kql_arena);
    *ret = (struct kql_table){0};
    kql_next(&p);
    query(&p, ret);
    if (!p.failed && p.tok != KQL_T_END)
        kql_fail(&p, "the end of the query");
    if (p.failed) {
        kql_arena_free(p.arena);
        return -SKL_E_INVALID;
    }
    *ret_arena = p.arena;
    return 0;
}
