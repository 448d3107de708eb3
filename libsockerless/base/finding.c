#include "base/finding.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/redact.h"

#define MAX_SAYS 700

void skl_find_ok(const struct skl_findings *to, const char *check, const char *fmt, ...)
{
    char says[MAX_SAYS];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(says, sizeof(says), fmt, ap);
    va_end(ap);
    skl_redact_text(says, sizeof(says));
    to->tell(to->arg, SKL_GRADE_OK, check, says, NULL);
}

void skl_find(const struct skl_findings *to, enum skl_grade grade, const char *check,
              const char *fix, const char *fmt, ...)
{
    char says[MAX_SAYS];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(says, sizeof(says), fmt, ap);
    va_end(ap);
    skl_redact_text(says, sizeof(says));
    to->tell(to->arg, grade, check, says, fix);
}
