/* tls_files - what the daemon's TLS is made of: files named by its settings, read at the start and on SIGHUP.
 *
 * Shape   as dockerd: --tlsverify without file names takes ca.pem, cert.pem and key.pem of $DOCKER_CERT_PATH
 *         or ~/.docker
 */
#ifndef SKL_DAEMON_TLS_FILES_H
#define SKL_DAEMON_TLS_FILES_H

#include "daemon/settings.h"
#include "net/tls.h"

struct skl_tls_files {
    struct skl_tls *api, *agents; /* NULL: plain */
    char *agent_ca;               /* PEM for the workloads; NULL: none */
};

/* Fills in the names that were left out, and refuses what does not go together. */
int skl_tls_files_check(struct skl_daemon_settings *s, skl_getenv_cb *get_env,
                        struct skl_error *err);
/* All of it or nothing: *ret is untouched on failure. */
int skl_tls_files_load(const struct skl_daemon_settings *s, struct skl_tls_files *ret,
                       struct skl_error *err);
void skl_tls_files_fini(struct skl_tls_files *f);

#endif
