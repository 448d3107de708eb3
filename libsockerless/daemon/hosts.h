/* hosts - the addresses of -H: whether they can be used, and whether they keep strangers out. */
#ifndef SKL_DAEMON_HOSTS_H
#define SKL_DAEMON_HOSTS_H

#include "daemon/settings.h"
#include "net/address.h"

#define SKL_MAX_HOSTS   16
#define SKL_DOCKER_PORT 2375

/* All of them, and the names of the TLS files. */
int skl_hosts_check(struct skl_daemon_settings *s, skl_getenv_cb *get_env, struct skl_error *err);
/* Where a client needs no certificate, the address alone has to keep strangers out. */
int skl_hosts_check_exposure(const struct skl_daemon_settings *s, const struct skl_address *a,
                             const char *name, struct skl_error *err);

#endif
