/* expand - variables, quotes and escapes in the words of a Dockerfile.
 *
 * Shape   $x ${x} ${x:-y} ${x-y} ${x:+y} ${x+y} ${x:?y} ${x?y} ${x#p} ${x##p} ${x%p} ${x%%p} ${x/p/y} ${x//p/y};
 *         patterns have * and ?; 'single' and "double" quotes and the escape character go away
 * Errors  INVALID: failed to process "${b": syntax error: missing '}'; TOOBIG past a limit
 * Owns    what it returns is the caller's
 * Thread  any
 * Limits  a result SKL_EXPAND_MAX bytes, nesting SKL_EXPAND_MAX_DEPTH; with a pattern, the value
 *         SKL_EXPAND_MAX_MATCHED and the pattern SKL_EXPAND_MAX_PATTERN
 */
#ifndef SKL_BUILD_EXPAND_H
#define SKL_BUILD_EXPAND_H

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"

#define SKL_EXPAND_MAX         (256u * 1024u) /* Linux takes 128 KiB in one argument or variable */
#define SKL_EXPAND_MAX_DEPTH   32u
#define SKL_EXPAND_MAX_MATCHED 2048u
#define SKL_EXPAND_MAX_PATTERN 128u

typedef const char *skl_expand_lookup_cb(void *arg, struct skl_str name); /* NULL: not set */

struct skl_expand {
    char escape;
    skl_expand_lookup_cb *lookup;
    void *arg;
};

/* One word, whatever white space comes out. */
int skl_expand_word(const struct skl_expand *x, const char *word, char **ret,
                    struct skl_error *err);
/* Divided where white space stands that is not quoted; appended to *ret (may be NULL). */
int skl_expand_words(const struct skl_expand *x, const char *word, char ***ret,
                     struct skl_error *err);
/* A here-document: quotes are ordinary characters. */
int skl_expand_text(const struct skl_expand *x, const char *text, size_t max, char **ret,
                    struct skl_error *err);

#endif
