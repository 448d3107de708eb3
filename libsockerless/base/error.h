/* error - the one error object, end to end.
 *
 * Shape   functions return 0 or -SKL_E_<KIND> and describe the failure in *err, the last
 *         parameter, owned by the caller. A kind is what a caller may act on; its HTTP status is
 *         in the same list, so no handler maps errors.
 * Secrets a message is redacted as it is made (base/redact.h), whatever a peer's text brought into it
 * Errors  *err is written only on failure; err may be NULL when the text is not wanted
 * Thread  any
 */
#ifndef SKL_BASE_ERROR_H
#define SKL_BASE_ERROR_H

#include "base/macros.h"

#define SKL_KINDS(X)                                                                               \
    X(INVALID, 400) /* the caller's input is wrong */                                              \
    X(UNAUTHORIZED, 401)                                                                           \
    X(FORBIDDEN, 403)                                                                              \
    X(NOTFOUND, 404)                                                                               \
    X(TIMEOUT, 500) /* a deadline passed */                                                        \
    X(CONFLICT, 409)                                                                               \
    X(TOOBIG, 413)    /* a limit of base/limits.h was met */                                       \
    X(THROTTLED, 503) /* a cloud says: not now */                                                  \
    X(INTERNAL, 500)                                                                               \
    X(UNSUPPORTED, 501) /* the message says what to configure */                                   \
    X(UNAVAILABLE, 503) /* a peer or cloud cannot be reached */                                    \
    X(NOTMODIFIED, 304) /* already as wanted */                                                    \
    X(CANCELED, 500)    /* the asker went away */                                                  \
    X(PROTOCOL, 400)    /* a peer broke the protocol */

enum skl_kind {
    SKL_E_OK,
#define X(name, status) SKL_E_##name,
    SKL_KINDS(X)
#undef X
        SKL_E_MAX_
};

struct skl_error {
    enum skl_kind kind;
    int sys;       /* errno, libuv or libcurl code of the cause; 0 if none */
    char msg[512]; /* for a person; cut if longer */
};

/* Both return -kind, so that a caller can `return skl_fail(...)`. */
int skl_fail(struct skl_error *err, enum skl_kind kind, const char *fmt, ...) SKL_PRINTF(3, 4);
int skl_fail_errno(struct skl_error *err, int errnum, const char *fmt, ...) SKL_PRINTF(3, 4);
/* The values stand here too, where compilers and analysers see them: what follows a failure is known not to be a success. */
static inline int skl_fail_as(int rc, int same SKL_UNUSED)
{
    return rc;
}
#define skl_fail(err, kind, ...) skl_fail_as(-(int)(kind), skl_fail(err, kind, __VA_ARGS__))
#define skl_fail_errno(...)      skl_fail_as(-SKL_E_INTERNAL, skl_fail_errno(__VA_ARGS__))
/* Puts "context: " in front of the message; returns rc. */
int skl_wrap(struct skl_error *err, int rc, const char *fmt, ...) SKL_PRINTF(3, 4);

int skl_kind_status(enum skl_kind kind); /* the HTTP status */
const char *skl_kind_name(enum skl_kind kind);

#endif
