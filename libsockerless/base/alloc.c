#include "base/alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"

static void out_of_memory(void) SKL_NORETURN;

static void out_of_memory(void)
{
    static const char text[] = "sockerless: out of memory\n";

    (void)!write(STDERR_FILENO, text, sizeof(text) - 1); /* nothing else can be done */
    abort();
}

void skl_assert_failed(const char *cond, const char *file, int line, const char *func)
{
    fprintf(stderr, "sockerless: assertion failed: %s (%s:%d, %s)\n", cond, file, line, func);
    abort();
}

void *skl_alloc0(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *skl_realloc(void *p, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        out_of_memory();
    p = realloc(p, n > 0 && size > 0 ? n * size : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *skl_memdup(const void *p, size_t n)
{
    char *copy = skl_alloc0(n + 1, 1);

    if (n)
        memcpy(copy, p, n);
    return copy;
}

char *skl_strdup(const char *s)
{
    return s ? skl_memdup(s, strlen(s)) : NULL;
}

char *skl_strndup(const char *s, size_t n)
{
    return skl_memdup(s, strnlen(s, n));
}

void skl_strset(char **p, const char *s)
{
    char *copy = skl_strdup(s); /* first: s may be part of *p */

    free(*p);
    *p = copy;
}

size_t skl_strv_len(char *const *v)
{
    size_t n = 0;

    while (v && v[n])
        n++;
    return n;
}

char **skl_strv_dup(char *const *v)
{
    size_t n = skl_strv_len(v);
    char **copy;

    if (!v)
        return NULL;
    copy = skl_new0_n(char *, n + 1);
    for (size_t i = 0; i < n; i++)
        copy[i] = skl_strdup(v[i]);
    return copy;
}

void skl_strv_free(char **v)
{
    for (char **p = v; p && *p; p++)
        free(*p);
    free(v);
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
/* Two places that differ by a number it does not know are one to gcc 12's analyser: the end would overwrite the word. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
void skl_strv_push(char ***v, const char *s)
{
    size_t n = skl_strv_len(*v);

    *v = skl_realloc(*v, n + 2, sizeof(char *));
    (*v)[n] = skl_strdup(s);
    (*v)[n + 1] = NULL;
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

void skl_secret_free(char *s)
{
    if (!s)
        return;
    explicit_bzero(s, strlen(s));
    free(s);
}
