#include "daemon/hosts.h"

#include "base/alloc.h"
#include "daemon/tls_files.h"

int skl_hosts_check_exposure(const struct skl_daemon_settings *s, const struct skl_address *a,
                             const char *name, struct skl_error *err)
{
    if (skl_address_is_loopback(a) || s->tls_verify || s->insecure_tcp)
        return 0;
    return skl_fail(
        err, SKL_E_INVALID,
        "-H '%s': whoever reaches this address controls the daemon: use --tlsverify with "
        "certificates, a loopback address, or accept it with --insecure-tcp",
        name);
}

int skl_hosts_check(struct skl_daemon_settings *s, skl_getenv_cb *get_env, struct skl_error *err)
{
    if (skl_tls_files_check(s, get_env, err) < 0)
        return -SKL_E_INVALID;
    if (skl_strv_len(s->hosts) > SKL_MAX_HOSTS)
        return skl_fail(err, SKL_E_INVALID, "-H: at most %d", SKL_MAX_HOSTS);
    for (char **p = s->hosts; *p; p++) {
        struct skl_address a;
        int rc = skl_streq(*p, "fd://") ? 0 : skl_address_parse(*p, SKL_DOCKER_PORT, &a, err);

        if (rc < 0)
            return skl_wrap(err, rc, "-H '%s'", *p);
        if (!skl_streq(*p, "fd://") && skl_hosts_check_exposure(s, &a, *p, err) < 0)
            return -SKL_E_INVALID;
    }
    return 0;
}
