/* buf - a growing byte buffer with a ceiling.
 *
 * Shape   b.p is never NULL and always NUL-terminated at b.n (the NUL is not counted)
 * Errors  growing past `max` sets `failed`; later adds do nothing; builders check once with
 *         skl_buf_finish() or b.failed
 * Owns    its memory, until skl_buf_fini() or skl_buf_detach()
 */
#ifndef SKL_BASE_BUF_H
#define SKL_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct skl_buf {
    char *p;
    size_t n;
    size_t cap;
    size_t max;
    bool failed;
};

void skl_buf_init(struct skl_buf *b, size_t max);
void skl_buf_fini(struct skl_buf *b);
void skl_buf_reset(struct skl_buf *b); /* empty, not failed, memory kept */

void skl_buf_add(struct skl_buf *b, const void *p, size_t n);
void skl_buf_adds(struct skl_buf *b, const char *s);
void skl_buf_addc(struct skl_buf *b, char c);
void skl_buf_addstr(struct skl_buf *b, struct skl_str s);
void skl_buf_addf(struct skl_buf *b, const char *fmt, ...) SKL_PRINTF(2, 3);
void skl_buf_addv(struct skl_buf *b, const char *fmt, va_list ap) SKL_PRINTF(2, 0);
/* Space for n more bytes, to be written by the caller and counted with skl_buf_commit(); NULL when
 * that would pass the ceiling. */
char *skl_buf_reserve(struct skl_buf *b, size_t n);
void skl_buf_commit(struct skl_buf *b, size_t n);
void skl_buf_consume(struct skl_buf *b, size_t n); /* drops the first n bytes */

/* 0 and *ret (owned, NUL-terminated; the buffer is empty again), or -SKL_E_TOOBIG. */
int skl_buf_finish(struct skl_buf *b, char **ret, struct skl_error *err);
char *skl_buf_detach(struct skl_buf *b); /* owned; whatever is there, even after a failure */

static inline struct skl_str skl_buf_str(const struct skl_buf *b)
{
    return (struct skl_str){b->p, b->n};
}

/* Always with "= {0}": a return before skl_buf_init() must find nothing to free. */
#define SKL_AUTO_BUF __attribute__((cleanup(skl_buf_fini)))

#endif
