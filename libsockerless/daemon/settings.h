/* settings - the options that every backend has: listeners, state, logging. */
#ifndef SKL_DAEMON_SETTINGS_H
#define SKL_DAEMON_SETTINGS_H

#include "base/option.h"

struct skl_daemon_settings {
    char **hosts;
    bool tls, tls_verify, insecure_tcp;
    char *tls_ca, *tls_cert, *tls_key;
    char *agent_listen, *agent_tls_cert, *agent_tls_key, *agent_tls_ca;
    char *ops_listen;
    char *state_dir, *pidfile;
    char *log_level, *log_format;
    bool check_config, version, help;
    bool json; /* of `doctor` */
    bool fetch_image_config;
    char *registry_mirror;
    char **insecure_registries;
    int64_t warm_seconds, agent_grace_s;
    int64_t max_workers, max_queued, max_connections, max_requests, max_streams;
    int64_t header_timeout_s, idle_timeout_s, body_timeout_s;
    int64_t reap_interval_s, reap_grace_s;
    bool reap_dry_run;
};

extern const struct skl_option skl_daemon_options[];
extern const size_t skl_daemon_options_count;

#endif
