/* finding - what a check of `doctor` has found, and what to do about it.
 *
 * Shape   a check tells its findings one by one; who asked prints them
 * Names   `check` is two or three words that a user can look for: "credentials", "api management"
 * Secrets none, neither in what is said nor in what is advised
 */
#ifndef SKL_BASE_FINDING_H
#define SKL_BASE_FINDING_H

#include <stddef.h>

#include "base/error.h"

enum skl_grade { SKL_GRADE_OK, SKL_GRADE_WARN, SKL_GRADE_FAIL };

struct skl_findings {
    /* All lent. fix: what to do, NULL with OK. */
    void (*tell)(void *arg, enum skl_grade grade, const char *check, const char *says,
                 const char *fix);
    void *arg;
};

void skl_find_ok(const struct skl_findings *to, const char *check, const char *fmt, ...)
    SKL_PRINTF(3, 4);
void skl_find(const struct skl_findings *to, enum skl_grade grade, const char *check,
              const char *fix, const char *fmt, ...) SKL_PRINTF(5, 6);

#endif
