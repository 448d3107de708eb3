#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/redact.h"

#undef skl_fail
#undef skl_fail_errno

static int set(struct skl_error *err, enum skl_kind kind, int sys, const char *fmt, va_list ap)
    SKL_PRINTF(4, 0);

static int set(struct skl_error *err, enum skl_kind kind, int sys, const char *fmt, va_list ap)
{
    char text[4 * sizeof(err->msg)]; /* an argument may be err->msg itself */

    if (err) {
        vsnprintf(text, sizeof(text), fmt, ap);
        skl_redact_text(text, sizeof(text));
        err->kind = kind;
        err->sys = sys;
        text[sizeof(err->msg) - 1] = '\0';
        memcpy(err->msg, text, strlen(text) + 1);
    }
    return -(int)kind;
}

int skl_fail(struct skl_error *err, enum skl_kind kind, const char *fmt, ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = set(err, kind, 0, fmt, ap);
    va_end(ap);
    return rc;
}

int skl_fail_errno(struct skl_error *err, int errnum, const char *fmt, ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = set(err, SKL_E_INTERNAL, errnum, fmt, ap);
    va_end(ap);
    if (err) {
        size_t n = strlen(err->msg);

        snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", strerror(errnum));
    }
    return rc;
}

int skl_wrap(struct skl_error *err, int rc, const char *fmt, ...)
{
    char cause[sizeof(err->msg)];
    va_list ap;
    size_t n;

    if (!err || rc == 0)
        return rc;
    memcpy(cause, err->msg, sizeof(cause));
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    n = strlen(err->msg);
    snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", cause);
    skl_redact_text(err->msg, sizeof(err->msg));
    return rc;
}

int skl_kind_status(enum skl_kind kind)
{
    static const int status[SKL_E_MAX_] = {[SKL_E_OK] = 200,
#define X(name, number) [SKL_E_##name] = number,
                                           SKL_KINDS(X)
#undef X
    };

    return (unsigned)kind < SKL_E_MAX_ ? status[kind] : 500;
}

const char *skl_kind_name(enum skl_kind kind)
{
    static const char *const names[SKL_E_MAX_] = {[SKL_E_OK] = "OK",
#define X(name, number) [SKL_E_##name] = #name,
                                                  SKL_KINDS(X)
#undef X
    };

    return (unsigned)kind < SKL_E_MAX_ ? names[kind] : "?";
}
