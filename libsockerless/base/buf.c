#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

static char empty[1]; /* what p points to while nothing is allocated; never written */

void skl_buf_init(struct skl_buf *b, size_t max)
{
    *b = (struct skl_buf){.p = empty, .max = max};
}

void skl_buf_fini(struct skl_buf *b)
{
    if (b->p != empty)
        free(b->p);
    *b = (struct skl_buf){.p = empty, .max = b->max};
}

void skl_buf_reset(struct skl_buf *b)
{
    b->n = 0;
    b->failed = false;
    if (b->p != empty)
        b->p[0] = '\0';
}

char *skl_buf_reserve(struct skl_buf *b, size_t n)
{
    size_t cap = b->cap;

    if (b->failed || n > b->max - b->n) {
        b->failed = true;
        return NULL;
    }
    if (b->n + n + 1 > cap) {
        cap = cap ? cap : 64;
        while (cap < b->n + n + 1)
            cap *= 2;
        b->p = skl_realloc(b->p == empty ? NULL : b->p, cap, 1);
        b->cap = cap;
        b->p[b->n] = '\0';
    }
    return b->p + b->n;
}

void skl_buf_commit(struct skl_buf *b, size_t n)
{
    b->n += n;
    b->p[b->n] = '\0';
}

void skl_buf_add(struct skl_buf *b, const void *p, size_t n)
{
    char *to = n ? skl_buf_reserve(b, n) : NULL;

    if (!to)
        return;
    memcpy(to, p, n);
    skl_buf_commit(b, n);
}

void skl_buf_adds(struct skl_buf *b, const char *s)
{
    skl_buf_add(b, s, strlen(s));
}

void skl_buf_addc(struct skl_buf *b, char c)
{
    skl_buf_add(b, &c, 1);
}

void skl_buf_addstr(struct skl_buf *b, struct skl_str s)
{
    skl_buf_add(b, s.p, s.n);
}

void skl_buf_addv(struct skl_buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n <= 0) {
        b->failed |= n < 0;
        return;
    }
    if (!skl_buf_reserve(b, (size_t)n))
        return;
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
    b->n += (size_t)n;
}

void skl_buf_addf(struct skl_buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    skl_buf_addv(b, fmt, ap);
    va_end(ap);
}

void skl_buf_consume(struct skl_buf *b, size_t n)
{
    SKL_ASSERT(n <= b->n);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n + 1);
    b->n -= n;
}

char *skl_buf_detach(struct skl_buf *b)
{
    char *p = b->p == empty ? skl_strdup("") : b->p;

    if (b->cap - b->n > 64 && b->p != empty)
        p = skl_realloc(p, b->n + 1, 1); /* what is detached is kept for long */
    b->p = empty;
    b->n = b->cap = 0;
    b->failed = false;
    return p;
}

int skl_buf_finish(struct skl_buf *b, char **ret, struct skl_error *err)
{
    if (b->failed) {
        skl_buf_fini(b);
        return skl_fail(err, SKL_E_TOOBIG, "the text is larger than %zu bytes", b->max);
    }
    *ret = skl_buf_detach(b);
    return 0;
}
