#include "daemon/settings.h"

#include <stddef.h>

#define ROW(member) .offset = offsetof(struct skl_daemon_settings, member)

/* clang-format off */
const struct skl_option skl_daemon_options[] = {
    {.flag = "-H", .env = "SOCKERLESS_HOST", ROW(hosts), .type = SKL_OPTION_LIST,
     .help = "where the Docker API is served: unix:///path, tcp://host:port or fd:// "
             "(default unix:///run/sockerless/docker.sock)"},
    {.flag = "--tls", .env = "SOCKERLESS_TLS", ROW(tls), .type = SKL_OPTION_BOOL,
     .help = "TLS on TCP addresses; --tlsverify implies it"},
    {.flag = "--tlsverify", .env = "SOCKERLESS_TLSVERIFY", ROW(tls_verify), .type = SKL_OPTION_BOOL,
     .help = "TLS, and clients must show a certificate of --tlscacert (files: default $DOCKER_CERT_PATH or "
             "~/.docker, read again on SIGHUP)"},
    {.flag = "--tlscacert", .env = "SOCKERLESS_TLSCACERT", ROW(tls_ca),
     .help = "the CA that clients' certificates chain to"},
    {.flag = "--tlscert", .env = "SOCKERLESS_TLSCERT", ROW(tls_cert), .help = "the daemon's certificate"},
    {.flag = "--tlskey", .env = "SOCKERLESS_TLSKEY", ROW(tls_key), .help = "the daemon's key"},
    {.flag = "--insecure-tcp", .env = "SOCKERLESS_INSECURE_TCP", ROW(insecure_tcp), .type = SKL_OPTION_BOOL,
     .help = "TCP without client certificates on an address that is not loopback: everybody who reaches it is root"},
    {.flag = "--agent-listen", .env = "SOCKERLESS_AGENT_LISTEN", ROW(agent_listen),
     .help = "where reverse agents arrive, ADDR:PORT (default: the port of the callback URL)"},
    {.flag = "--agent-tls-cert", .env = "SOCKERLESS_AGENT_TLS_CERT", ROW(agent_tls_cert),
     .help = "the certificate of the agent listener"},
    {.flag = "--agent-tls-key", .env = "SOCKERLESS_AGENT_TLS_KEY", ROW(agent_tls_key),
     .help = "the key of the agent listener"},
    {.flag = "--agent-tls-ca", .env = "SOCKERLESS_AGENT_TLS_CA", ROW(agent_tls_ca),
     .help = "the CA (PEM, at most 16 KiB) that agents pin for an https callback URL; without it, the "
             "image's own CA bundle"},
    {.flag = "--ops-listen", .env = "SOCKERLESS_OPS_LISTEN", ROW(ops_listen),
     .help = "where /healthz, /readyz and /metrics are served, ADDR:PORT; a port alone is loopback's (default: nowhere)"},
    {.flag = "--state-dir", .env = "SOCKERLESS_STATE_DIR", ROW(state_dir), .dflt = "/var/lib/sockerless",
     .help = "the directory that holds everything the daemon must not forget"},
    {.flag = "--pidfile", .env = "SOCKERLESS_PIDFILE", ROW(pidfile), .help = "a file for the process ID"},
    {.flag = "--log-level", .env = "SOCKERLESS_LOG_LEVEL", ROW(log_level), .type = SKL_OPTION_ENUM,
     .dflt = "info", .choices = "debug|info|warn|error", .help = "the least level that is logged"},
    {.flag = "--log-format", .env = "SOCKERLESS_LOG_FORMAT", ROW(log_format), .type = SKL_OPTION_ENUM,
     .dflt = "text", .choices = "text|json", .help = "the form of log lines"},
    {.env = "SOCKERLESS_FETCH_IMAGE_CONFIG", ROW(fetch_image_config), .type = SKL_OPTION_BOOL,
     .dflt = "false", .help = "a pull fails when the registry does not tell the image's configuration"},
    {.env = "SOCKERLESS_REGISTRY_MIRROR", ROW(registry_mirror),
     .help = "the URL of a mirror that is asked first for images of Docker Hub"},
    {.env = "SOCKERLESS_INSECURE_REGISTRIES", ROW(insecure_registries), .type = SKL_OPTION_LIST,
     .help = "registries (host:port) that may be spoken to without TLS; loopback always may"},
    {.env = "SOCKERLESS_WARM_SECONDS", ROW(warm_seconds), .type = SKL_OPTION_INT, .dflt = "30",
     .min = 0, .max = 86400,
     .help = "seconds that an ended workload waits for the container's next start"},
    {.env = "SOCKERLESS_AGENT_GRACE", ROW(agent_grace_s), .type = SKL_OPTION_INT, .dflt = "120",
     .min = 1, .max = 86400, .help = "seconds that a lost agent is waited for"},
    {.env = "SOCKERLESS_MAX_WORKERS", ROW(max_workers), .type = SKL_OPTION_INT, .dflt = "256",
     .min = 1, .max = 256, .help = "cloud calls at a time"},
    {.flag = "--reap-interval", .env = "SOCKERLESS_REAP_INTERVAL", ROW(reap_interval_s), .type = SKL_OPTION_INT,
     .dflt = "300", .min = 0, .max = 86400,
     .help = "seconds between two looks for cloud resources of this daemon that no record knows; 0: never"},
    {.flag = "--reap-grace", .env = "SOCKERLESS_REAP_GRACE", ROW(reap_grace_s), .type = SKL_OPTION_INT,
     .dflt = "600", .min = 1, .max = 604800,
     .help = "seconds after which such a resource is removed"},
    {.flag = "--reap-dry-run", .env = "SOCKERLESS_REAP_DRY_RUN", ROW(reap_dry_run), .type = SKL_OPTION_BOOL,
     .help = "such resources are told in the log, and stay"},
    {.flag = "--check-config", ROW(check_config), .type = SKL_OPTION_BOOL,
     .help = "checks the settings, prints them and exits"},
    {.flag = "--json", ROW(json), .type = SKL_OPTION_BOOL, .help = "with doctor: its findings as JSON"},
    {.flag = "--version", ROW(version), .type = SKL_OPTION_BOOL, .help = "prints the version and exits"},
    {.flag = "--help", ROW(help), .type = SKL_OPTION_BOOL, .help = "prints this and exits"},
};
/* clang-format on */
const size_t skl_daemon_options_count = SKL_ARRAY_LEN(skl_daemon_options);
