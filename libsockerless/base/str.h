/* str - a view of bytes: pointer and length, passed by value, never owned.
 *
 * Use these on network data; no NUL-terminated parsing there.
 */
#ifndef SKL_BASE_STR_H
#define SKL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct skl_str {
    const char *p;
    size_t n;
};

#define SKL_STR(literal) ((struct skl_str){(literal), sizeof(literal) - 1})
#define SKL_STR_FMT      "%.*s"
#define SKL_STR_ARG(s)   (int)(s).n, (s).p

static inline struct skl_str skl_str(const char *s)
{
    return (struct skl_str){s ? s : "", s ? strlen(s) : 0};
}

static inline struct skl_str skl_str_n(const char *p, size_t n)
{
    return (struct skl_str){p, n};
}

bool skl_str_eq(struct skl_str a, struct skl_str b);
bool skl_str_eqz(struct skl_str a, const char *b);
bool skl_str_ieqz(struct skl_str a, const char *b); /* ASCII case ignored */
bool skl_str_starts(struct skl_str s, const char *prefix);
bool skl_str_istarts(struct skl_str s, const char *prefix);
bool skl_str_ends(struct skl_str s, const char *suffix);
struct skl_str skl_str_trim(struct skl_str s);
struct skl_str skl_str_skip(struct skl_str s, size_t n); /* without its first n bytes */
/* The part before `sep`; *rest is what follows (n = 0 and p = NULL when there is no `sep`). */
struct skl_str skl_str_cut(struct skl_str s, char sep, struct skl_str *rest);
const char *skl_str_find(struct skl_str s, char c); /* NULL if absent */
char *skl_str_dup(struct skl_str s);                /* NUL-terminated copy, owned */
/* Whole string is a number in range; false otherwise. No sign for the unsigned form. */
bool skl_str_u64(struct skl_str s, uint64_t *ret);
bool skl_str_i64(struct skl_str s, int64_t *ret);
/* Same time whatever differs; for secrets. */
bool skl_str_eq_secret(struct skl_str a, struct skl_str b);
bool skl_streq(const char *a, const char *b); /* NULL equals only NULL */
static inline bool skl_str_empty(const char *s)
{
    return !s || !*s;
}

#endif
