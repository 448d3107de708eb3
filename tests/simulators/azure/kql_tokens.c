/* The words of a query, and the memory that its values live in. */
#include <ctype.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "kql.h"

void *kql_alloc(struct kql_arena *a, size_t n)
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

int kql_fail(struct kql_parser *p, const char *what)
{
    if (!p->failed)
        skl_fail(p->err, SKL_E_INVALID, "SyntaxError: %s near '%.40s'", what, p->p);
    p->failed = true;
    return -SKL_E_INVALID;
}

static void read_string(struct kql_parser *p)
{
    bool verbatim = *p->p == '@';
    char quote = p->p[verbatim];
    const char *at = p->p + verbatim + 1;
    char *out = kql_alloc(p->arena, strlen(at) + 1);
    size_t n = 0;

    for (;; at++) {
        if (!*at) {
            kql_fail(p, "a string without an end");
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
                kql_fail(p, "an unknown escape");
                return;
            }
        } else {
            out[n++] = *at;
        }
    }
    p->tok = KQL_T_STRING;
    p->text = skl_str_n(out, n);
    p->p = at + 1;
}

void kql_next(struct kql_parser *p)
{
    static const char *const ops[] = {"==", "!=", "=~", "!~", "<=", ">=", "<", ">", "=",
                                      "(",  ")",  "[",  "]",  ",",  "|",  ":", "-"};
    const char *start;

    while (isspace((unsigned char)*p->p))
        p->p++;
    start = p->p;
    if (!*p->p) {
        p->tok = KQL_T_END;
        p->text = skl_str("");
    } else if (*p->p == '"' || *p->p == '\'' ||
               (*p->p == '@' && (p->p[1] == '"' || p->p[1] == '\''))) {
        read_string(p);
    } else if (isdigit((unsigned char)*p->p)) {
        while (isalnum((unsigned char)*p->p) || *p->p == '.')
            p->p++;
        p->tok = KQL_T_NUMBER;
        p->text = skl_str_n(start, (size_t)(p->p - start));
    } else if (isalpha((unsigned char)*p->p) || *p->p == '_' || *p->p == '$') {
        while (isalnum((unsigned char)*p->p) || *p->p == '_' || *p->p == '$')
            p->p++;
        p->tok = KQL_T_NAME;
        p->text = skl_str_n(start, (size_t)(p->p - start));
    } else {
        for (size_t i = 0; i < SKL_ARRAY_LEN(ops); i++)
            if (strncmp(p->p, ops[i], strlen(ops[i])) == 0) {
                p->tok = KQL_T_OP;
                p->text = skl_str(ops[i]);
                p->p += strlen(ops[i]);
                return;
            }
        kql_fail(p, "an unexpected character");
        p->tok = KQL_T_END;
    }
}

bool kql_is_word(const struct kql_parser *p, const char *text)
{
    return (p->tok == KQL_T_NAME || p->tok == KQL_T_OP) && skl_str_eqz(p->text, text);
}

bool kql_accept(struct kql_parser *p, const char *text)
{
    if (!kql_is_word(p, text))
        return false;
    kql_next(p);
    return true;
}

bool kql_expect(struct kql_parser *p, const char *text)
{
    if (kql_accept(p, text))
        return true;
    kql_fail(p, text);
    return false;
}
