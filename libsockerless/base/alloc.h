/* alloc - memory for small objects of our own.
 *
 * Errors  none: the process ends with a line on stderr when memory is out. Sizes that a peer
 *         chooses never come here unchecked; they go through a bounded skl_buf.
 * Thread  any
 */
#ifndef SKL_BASE_ALLOC_H
#define SKL_BASE_ALLOC_H

#include <stddef.h>
#include <stdlib.h>

#define skl_new0(type)      ((type *)skl_alloc0(1, sizeof(type)))
#define skl_new0_n(type, n) ((type *)skl_alloc0((n), sizeof(type)))

void *skl_alloc0(size_t n, size_t size);
void *skl_realloc(void *p, size_t n, size_t size);
void *skl_memdup(const void *p, size_t n); /* copy with a NUL behind it */
char *skl_strdup(const char *s);           /* NULL gives NULL */
char *skl_strndup(const char *s, size_t n);
/* free *p, then *p = copy of s (NULL allowed). */
void skl_strset(char **p, const char *s);

/* char *x SKL_AUTO_STR = ...: freed at the end of the scope. */
#define SKL_AUTO_STR __attribute__((cleanup(skl_auto_str)))
static inline void skl_auto_str(char **p)
{
    free(*p);
}

void skl_secret_free(char *s); /* wipes, then frees; NULL is fine */
#define SKL_AUTO_SECRET __attribute__((cleanup(skl_auto_secret)))
static inline void skl_auto_secret(char **p)
{
    skl_secret_free(*p);
}

/* NULL-terminated string vectors (argv, environ). */
char **skl_strv_dup(char *const *v);          /* NULL gives NULL */
void skl_strv_free(char **v);                 /* NULL is fine */
size_t skl_strv_len(char *const *v);          /* 0 for NULL */
void skl_strv_push(char ***v, const char *s); /* appends a copy; *v may be NULL */

#endif
