#include "daemon/tls_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"

/* It travels in an environment variable of the workload, next to the user's. */
#define MAX_AGENT_CA (16 * SKL_KIB)

static int default_name(char **name, const char *flag, const char *file, skl_getenv_cb *get_env,
                        struct skl_error *err)
{
    const char *dir = get_env("DOCKER_CERT_PATH");
    const char *home = get_env("HOME");
    struct skl_buf b;

    if (!skl_str_empty(*name))
        return 0;
    skl_buf_init(&b, SIZE_MAX / 2);
    if (!skl_str_empty(dir))
        skl_buf_addf(&b, "%s/%s", dir, file);
    else
        skl_buf_addf(&b, "%s/.docker/%s", home ? home : "", file);
    free(*name);
    *name = skl_buf_detach(&b);
    return access(*name, R_OK) == 0
               ? 0
               : skl_fail_errno(err, errno, "%s is not given, and there is no '%s'", flag, *name);
}

int skl_tls_files_check(struct skl_daemon_settings *s, skl_getenv_cb *get_env,
                        struct skl_error *err)
{
    int rc = s->tls_verify ? default_name(&s->tls_ca, "--tlscacert", "ca.pem", get_env, err) : 0;

    if (rc == 0 && (s->tls_verify || s->tls))
        rc = default_name(&s->tls_cert, "--tlscert", "cert.pem", get_env, err);
    if (rc == 0 && (s->tls_verify || s->tls))
        rc = default_name(&s->tls_key, "--tlskey", "key.pem", get_env, err);
    if (rc < 0)
        return rc;
    if (skl_str_empty(s->tls_cert) != skl_str_empty(s->tls_key))
        return skl_fail(err, SKL_E_INVALID, "--tlscert and --tlskey go together");
    if (!skl_str_empty(s->tls_ca) && !s->tls_verify)
        return skl_fail(err, SKL_E_INVALID,
                        "--tlscacert says whose clients are let in: it needs --tlsverify");
    if (skl_str_empty(s->agent_tls_cert) != skl_str_empty(s->agent_tls_key))
        return skl_fail(err, SKL_E_INVALID, "--agent-tls-cert and --agent-tls-key go together");
    return 0;
}

static int read_agent_ca(const char *path, char **ret, struct skl_error *err)
{
    char text[MAX_AGENT_CA + 1];
    struct skl_tls *probe;
    FILE *f = fopen(path, "re");
    size_t n;
    int rc;

    if (!f)
        return skl_fail_errno(err, errno, "--agent-tls-ca '%s'", path);
    n = fread(text, 1, sizeof(text), f);
    fclose(f);
    if (n == sizeof(text))
        return skl_fail(err, SKL_E_TOOBIG, "--agent-tls-ca '%s': more than %u bytes", path,
                        MAX_AGENT_CA);
    text[n] = '\0';
    rc = n ? skl_tls_new(&(struct skl_tls_config){.ca_pem = text}, &probe, err)
           : skl_fail(err, SKL_E_INVALID, "the file is empty");
    if (rc < 0)
        return skl_wrap(err, rc, "--agent-tls-ca '%s'", path);
    skl_tls_unref(probe);
    *ret = skl_strdup(text);
    return 0;
}

int skl_tls_files_load(const struct skl_daemon_settings *s, struct skl_tls_files *ret,
                       struct skl_error *err)
{
    struct skl_tls_files f = {0};
    int rc = 0;

    if (!skl_str_empty(s->tls_cert))
        rc = skl_tls_new(&(struct skl_tls_config){.server = true,
                                                  .cert_file = s->tls_cert,
                                                  .key_file = s->tls_key,
                                                  .ca_file = s->tls_verify ? s->tls_ca : NULL,
                                                  .require_peer_cert = s->tls_verify},
                         &f.api, err);
    if (rc == 0 && !skl_str_empty(s->agent_tls_cert))
        rc = skl_tls_new(&(struct skl_tls_config){.server = true,
                                                  .cert_file = s->agent_tls_cert,
                                                  .key_file = s->agent_tls_key},
                         &f.agents, err);
    if (rc == 0 && !skl_str_empty(s->agent_tls_ca))
        rc = read_agent_ca(s->agent_tls_ca, &f.agent_ca, err);
    if (rc < 0) {
        skl_tls_files_fini(&f);
        return rc;
    }
    *ret = f;
    return 0;
}

void skl_tls_files_fini(struct skl_tls_files *f)
{
    skl_tls_unref(f->api);
    skl_tls_unref(f->agents);
    free(f->agent_ca);
    *f = (struct skl_tls_files){0};
}
