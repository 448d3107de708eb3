/* doctor - `sockerless-backend-X doctor`: looks at all that a first `docker run` needs, and says what to fix.
 *
 * Shape   one line per check: "ok", "warn" or "fail", what was found, and what to do about it; with --json one object
 *         with all of them. Checks that depend on a failed one are left out
 * Effects none but a file that is made and removed in the state directory, and a listener while the callback is tried
 * Thread  the main one; blocks for seconds, at most some thirty when nothing answers
 */
#ifndef SKL_DAEMON_DOCTOR_H
#define SKL_DAEMON_DOCTOR_H

#include "base/finding.h"
#include "daemon/settings.h"
#include "daemon/tls_files.h"
#include "docker/backend.h"

struct skl_doctor;
struct skl_doctor *skl_doctor_new(const char *program, bool json);
const struct skl_findings *skl_doctor_findings(struct skl_doctor *d);
/* Prints what is left to print and frees; the exit code: 1 if a check failed. */
int skl_doctor_end(struct skl_doctor *d);

struct skl_doctor_subject {
    const struct skl_daemon_settings *settings;
    const struct skl_tls_files *tls;
    const char *callback_url;
    const struct skl_backend *backend;
    void *ctx; /* the backend's */
};
/* The settings are known to be good. */
void skl_doctor_look(struct skl_doctor *d, const struct skl_doctor_subject *s);

/* doctor_callback.c: dials the callback URL as an agent does, to a listener of our own where no daemon has it. */
void skl_doctor_check_callback(const struct skl_doctor_subject *s, const struct skl_findings *to);

#endif
