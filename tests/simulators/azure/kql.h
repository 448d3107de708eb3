/* kql - the parts of the evaluator: kql_tokens.c, kql_expression.c, and kql.c with the operators.
 *
 * Shape   one pass over the text, a token ahead; what is evaluated per row goes back to where its text begins
 * Errors  the first one is kept; `failed` ends every loop
 * Owns    tokens, columns and rows live in the arena
 */
#ifndef TESTS_SIM_AZURE_KQL_H
#define TESTS_SIM_AZURE_KQL_H

#include "sim.h"

#define KQL_MAX_DEPTH 64

struct kql_arena {
    void **blocks;
    size_t n;
};

enum kql_tok { KQL_T_END, KQL_T_NAME, KQL_T_STRING, KQL_T_NUMBER, KQL_T_OP };

struct kql_parser {
    const char *p;
    struct kql_arena *arena;
    enum kql_tok tok;
    struct skl_str text; /* of a string: its value */
    int depth;
    kql_source_cb *source;
    void *arg;
    bool fuzzy;
    struct skl_error *err;
    bool failed;
};

struct kql_scope {
    const struct kql_table *table;
    size_t row;
    bool has_row; /* false: only the syntax is checked */
};

void *kql_alloc(struct kql_arena *a, size_t n);
int kql_fail(struct kql_parser *p, const char *what);

void kql_next(struct kql_parser *p);
bool kql_is_word(const struct kql_parser *p, const char *text); /* a name or an operator */
bool kql_accept(struct kql_parser *p, const char *text);        /* past it, if it is there */
bool kql_expect(struct kql_parser *p, const char *text);

int kql_column_of(const struct kql_table *t, struct skl_str name); /* -1: none */
/* The value in the scope's row; a name that is no column fails. */
struct kql_value kql_column(struct kql_parser *p, const struct kql_scope *sc, struct skl_str name);
struct kql_value kql_expression(struct kql_parser *p, const struct kql_scope *sc);
int kql_order_of(const struct kql_value *a, const struct kql_value *b); /* as memcmp() */

#endif
