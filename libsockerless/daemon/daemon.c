/* The way up: settings, store, listeners, READY. The way down (SIGTERM, SIGINT): no new connections, answers are
 * finished, workloads run on; the next start takes them over. */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/registry.h"
#include "base/alloc.h"
#include "base/fault_point.h"
#include "base/limits.h"
#include "base/log.h"
#include "daemon/agent_address.h"
#include "daemon/doctor.h"
#include "daemon/hosts.h"
#include "daemon/notify.h"
#include "daemon/ops_feed.h"
#include "daemon/settings.h"
#include "daemon/startup_pages.h"
#include "daemon/tls_files.h"
#include "daemon/version.h"
#include "driver/workload.h"

#define DEFAULT_HOST     "unix:///run/sockerless/docker.sock"
#define CLOSE_GRACE_MS   3000
#define EXIT_BAD_SETTING 2

struct daemon {
    const struct skl_daemon_backend *b;
    struct skl_daemon_settings settings;
    struct skl_option_table tables[2];
    uv_loop_t loop;
    struct skl_backend backend;
    void *ctx;
    struct skl_engine *engine;
    struct skl_http_server *api, *agents;
    struct skl_listener *listeners[SKL_MAX_HOSTS + 1];
    struct skl_listener *agent_listener; /* one of them, or NULL */
    size_t n_listeners;
    struct skl_tls_files tls;
    uv_signal_t term, intr, hup;
    struct skl_ops_feed *ops;
    unsigned closing_servers;
    bool closing;
    bool is_doctor; /* `doctor` in the place of a daemon */
};

static const char *get_env(const char *name)
{
    return getenv(name);
}

/* -- settings */

static int load(struct daemon *d, char **argv, struct skl_error *err)
{
    int rc;

    d->tables[0] = (struct skl_option_table){"Options", skl_daemon_options,
                                             skl_daemon_options_count, &d->settings};
    d->tables[1] =
        (struct skl_option_table){d->b->title, d->b->options, *d->b->n_options, d->b->config};
    /* --help and --version work without any setting. */
    for (char **p = argv; *p; p++) {
        d->settings.help |= skl_streq(*p, "--help");
        d->settings.version |= skl_streq(*p, "--version");
        d->settings.json |= skl_streq(*p, "--json"); /* also when what follows is wrong */
    }
    if (d->settings.help || d->settings.version)
        return 0;
    rc = skl_options_load(d->tables, 2, get_env, argv, err);
    if (rc < 0)
        return rc;
    if (d->settings.json && !d->is_doctor)
        return skl_fail(err, SKL_E_INVALID, "--json: it is for `doctor`");
    if (!d->settings.hosts)
        skl_strv_push(&d->settings.hosts, DEFAULT_HOST);
    rc = skl_ops_feed_check(&d->settings, err);
    return rc < 0 ? rc : d->b->check(d->b->config, err);
}

/* -- listeners */

static void api_accept(void *arg, struct skl_stream *own_stream)
{
    skl_http_server_add(((struct daemon *)arg)->api, own_stream);
}

static void agent_accept(void *arg, struct skl_stream *own_stream)
{
    skl_http_server_add(((struct daemon *)arg)->agents, own_stream);
}

static void agent_handle(void *arg, struct skl_http *x)
{
    struct daemon *d = arg;

    skl_agents_accept(skl_runtime_agents(d->engine->runtime), x);
}

/* Idle clients come again; those that have to wait for a descriptor may wait for ever. */
static void fds_low(void *arg)
{
    skl_http_server_shed(((struct daemon *)arg)->api);
}

static int listen_at(struct daemon *d, const struct skl_address *at, struct skl_tls *tls,
                     skl_accept_cb *cb, struct skl_error *err)
{
    struct skl_listener *l;
    char name[400];
    int rc = skl_listener_open(&d->loop, at, tls, cb, d, &l, err);

    if (rc < 0)
        return rc;
    skl_listener_on_low(l, fds_low);
    d->listeners[d->n_listeners++] = l;
    if (cb == agent_accept)
        d->agent_listener = l;
    skl_address_format(skl_listener_address(l), name, sizeof(name));
    skl_info("daemon", cb == api_accept ? "Docker API" : "agents", "address", name, NULL);
    return 0;
}

/* The folder of the default socket does not exist on a fresh machine. */
static void make_socket_dir(const struct skl_address *a)
{
    char dir[sizeof(a->path)];
    char *slash;

    snprintf(dir, sizeof(dir), "%s", a->path);
    slash = strrchr(dir, '/');
    if (!slash || slash == dir)
        return;
    *slash = '\0';
    (void)mkdir(dir, 0755); /* there already, or the listener tells what is wrong */
}

/* The service manager's socket: what it is bound to is not in our settings. */
static int listen_inherited(struct daemon *d, int fd, struct skl_error *err)
{
    const struct skl_address at = {.kind = SKL_ADDRESS_FD, .fd = fd};
    struct sockaddr_storage sa;
    socklen_t n = sizeof(sa);
    char name[32];

    snprintf(name, sizeof(name), "fd://%d", fd);
    if (getsockname(fd, (struct sockaddr *)&sa, &n) == 0 && sa.ss_family != AF_UNIX) {
        struct skl_address bound = {.kind = SKL_ADDRESS_TCP};
        int rc = getnameinfo((struct sockaddr *)&sa, n, bound.host, sizeof(bound.host), NULL, 0,
                             NI_NUMERICHOST);

        if (rc != 0 || skl_hosts_check_exposure(&d->settings, &bound, name, err) < 0)
            return rc ? skl_fail(err, SKL_E_INVALID, "%s: %s", name, gai_strerror(rc))
                      : -SKL_E_INVALID;
    }
    return listen_at(d, &at, d->tls.api, api_accept, err);
}

static int listen_api(struct daemon *d, struct skl_error *err)
{
    const struct skl_daemon_settings *s = &d->settings;
    int n_fds = skl_notify_listen_fds(getenv("LISTEN_PID"), getenv("LISTEN_FDS"));
    int rc = 0;

    for (int fd = 3; rc == 0 && fd < 3 + n_fds && d->n_listeners < SKL_MAX_HOSTS; fd++)
        rc = listen_inherited(d, fd, err);
    for (char **p = s->hosts; rc == 0 && *p && d->n_listeners < SKL_MAX_HOSTS; p++) {
        struct skl_address a;

        if (skl_streq(*p, "fd://") && n_fds == 0)
            return skl_fail(err, SKL_E_INVALID, "-H fd://: the service manager passed no socket");
        if (skl_streq(*p, "fd://") || (n_fds > 0 && skl_streq(*p, DEFAULT_HOST)))
            continue; /* the service manager opened it */
        rc = skl_address_parse(*p, SKL_DOCKER_PORT, &a, err);
        if (rc == 0 && a.kind == SKL_ADDRESS_UNIX)
            make_socket_dir(&a);
        if (rc == 0)
            rc = listen_at(d, &a, d->tls.api, api_accept, err);
    }
    return rc;
}

static int listen_agents(struct daemon *d, struct skl_error *err)
{
    struct skl_address at;
    bool wanted;
    int rc = skl_agent_address(&d->settings, *d->b->callback_url, &at, &wanted, err);

    if (rc < 0 || !wanted)
        return rc;
    return listen_at(d, &at, d->tls.agents, agent_accept, err);
}

/* SIGHUP: new connections get the new certificates; files that cannot be used change nothing. */
static void on_hangup(uv_signal_t *handle, int signo)
{
    struct daemon *d = handle->data;
    struct skl_tls_files fresh;
    struct skl_error err;

    if (d->closing)
        return;
    if (skl_tls_files_load(&d->settings, &fresh, &err) < 0) {
        skl_warn("daemon", "certificates not reloaded, the old ones stay", "error", err.msg, NULL);
        return;
    }
    skl_tls_files_fini(&d->tls);
    d->tls = fresh;
    for (size_t i = 0; i < d->n_listeners; i++)
        skl_listener_set_tls(d->listeners[i],
                             d->listeners[i] == d->agent_listener ? fresh.agents : fresh.api);
    skl_engine_set_agent_ca(d->engine, fresh.agent_ca);
    skl_info("daemon", "certificates reloaded", NULL);
}

static void make_servers(struct daemon *d)
{
    const struct skl_daemon_settings *s = &d->settings;
    struct skl_http_server_config config = {
        .handler = skl_docker_handle,
        .arg = d->engine,
        .extra_headers = skl_docker_headers,
        .error_body = skl_docker_error_body,
        .header_timeout_ms = s->header_timeout_s * 1000,
        .idle_timeout_ms = s->idle_timeout_s * 1000,
        .body_stall_ms = s->body_timeout_s * 1000,
        .max_connections = (unsigned)s->max_connections,
        .max_requests = (unsigned)s->max_requests,
        .is_vital = skl_docker_is_vital,
    };

    d->api = skl_http_server_new(&d->loop, &config);
    d->agents = skl_http_server_new(
        &d->loop, &(struct skl_http_server_config){.handler = agent_handle,
                                                   .arg = d,
                                                   .header_timeout_ms = config.header_timeout_ms});
}

/* -- the way down */

static void engine_closed(void *arg)
{
    struct daemon *d = arg;

    skl_ops_feed_stop(d->ops);
    uv_stop(&d->loop);
}

/* Clients' requests use the engine to their last moment. */
static void server_closed(struct daemon *d, const struct skl_http_server *server)
{
    skl_ops_feed_gone(d->ops, server);
    if (--d->closing_servers == 0)
        skl_engine_close(d->engine, engine_closed, d);
}

static void api_closed(void *arg)
{
    struct daemon *d = arg;

    server_closed(d, d->api);
}

static void agents_closed(void *arg)
{
    struct daemon *d = arg;

    server_closed(d, d->agents);
}

static void on_signal(uv_signal_t *handle, int signo)
{
    struct daemon *d = handle->data;

    if (d->closing)
        return;
    d->closing = true;
    skl_ops_feed_ready(d->ops, "shutting down");
    skl_info("daemon", "shutting down; workloads run on", NULL);
    skl_notify(getenv("NOTIFY_SOCKET"), "STOPPING=1");
    for (size_t i = 0; i < d->n_listeners; i++)
        skl_listener_close(d->listeners[i]);
    skl_engine_stop(d->engine);
    d->closing_servers = 2;
    skl_http_server_close(d->api, CLOSE_GRACE_MS, api_closed, d);
    skl_http_server_close(d->agents, CLOSE_GRACE_MS, agents_closed, d);
}

/* -- the way up */

/* 10,000 containers with an agent and a client each need three descriptors each. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        skl_warn("daemon", "the limit of open files could not be raised", NULL);
}

static int write_pidfile(const char *path, struct skl_error *err)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write(fd, text, (size_t)n) == n;
    int errnum = errno;

    if (fd >= 0)
        close(fd);
    return ok ? 0 : skl_fail_errno(err, errnum, "--pidfile '%s'", path);
}

static int open_engine(struct daemon *d, struct skl_error *err)
{
    const struct skl_daemon_settings *s = &d->settings;
    static char name[256];
    const struct skl_engine_settings settings = {
        .state_dir = s->state_dir,
        .name = name,
        .fetch_image_config = s->fetch_image_config,
        .registry_mirror = skl_str_empty(s->registry_mirror) ? NULL : s->registry_mirror,
        .insecure_registries = s->insecure_registries,
        .warm_seconds = (unsigned)s->warm_seconds,
        .agent_grace_ms = s->agent_grace_s * 1000,
        .agent_token = *d->b->agent_token,
        .max_workers = (unsigned)s->max_workers,
        .max_queued = (unsigned)s->max_queued,
        .max_streams = (unsigned)s->max_streams,
        .reap_interval_ms = s->reap_interval_s * 1000,
        .reap_grace_ms = s->reap_grace_s * 1000,
        .reap_dry_run = s->reap_dry_run,
    };

    if (gethostname(name, sizeof(name) - 1) < 0)
        snprintf(name, sizeof(name), "sockerless");
    return skl_engine_open(&d->loop, &settings, &d->backend, d->ctx, &d->engine, err);
}

static int start(struct daemon *d, struct skl_error *err)
{
    int rc = d->b->open(d->b->config, &d->ctx, &d->backend, err);

    if (rc == 0)
        rc = open_engine(d, err);
    if (rc < 0)
        return rc;
    make_servers(d);
    skl_engine_set_agent_ca(d->engine, d->tls.agent_ca);
    rc = skl_ops_feed_open(&(struct skl_ops_feed_config){.loop = &d->loop,
                                                         .engine = d->engine,
                                                         .api = d->api,
                                                         .agents = d->agents,
                                                         .settings = &d->settings},
                           &d->ops, err);
    if (rc < 0)
        return rc;
    rc = listen_agents(d, err);
    if (rc == 0)
        rc = listen_api(d, err);
    if (rc == 0 && !skl_str_empty(d->settings.pidfile))
        rc = write_pidfile(d->settings.pidfile, err);
    return rc;
}

static int run(struct daemon *d)
{
    struct skl_error err;
    enum skl_log_level level = SKL_LOG_INFO;

    (void)skl_log_level_parse(d->settings.log_level, &level); /* checked by its row */
    skl_log_setup(level, skl_streq(d->settings.log_format, "json"), STDERR_FILENO);
    if (skl_fault_points_setup(getenv("SOCKERLESS_FAULT_POINT"), &err) < 0) {
        fprintf(stderr, "%s: SOCKERLESS_FAULT_POINT: %s\n", d->b->program, err.msg);
        return EXIT_BAD_SETTING;
    }
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_ARENA_MAX, 2); /* worker threads wait for clouds, not for each other's heap */
    raise_descriptor_limit();
    uv_loop_init(&d->loop);
    if (start(d, &err) < 0) {
        fprintf(stderr, "%s: %s\n", d->b->program, err.msg);
        return 1;
    }
    uv_signal_init(&d->loop, &d->term);
    uv_signal_init(&d->loop, &d->intr);
    uv_signal_init(&d->loop, &d->hup);
    d->term.data = d->intr.data = d->hup.data = d;
    uv_signal_start(&d->hup, on_hangup, SIGHUP);
    uv_signal_start(&d->term, on_signal, SIGTERM);
    uv_signal_start(&d->intr, on_signal, SIGINT);
    skl_startup_pages_release();
    skl_ops_feed_ready(d->ops, NULL);
    skl_notify(getenv("NOTIFY_SOCKET"), "READY=1");
    skl_info("daemon", "ready", "version", SKL_VERSION, "backend", d->backend.name, NULL);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    if (!skl_str_empty(d->settings.pidfile))
        (void)unlink(d->settings.pidfile); /* somebody tidied it away: fine */
    skl_ops_feed_close(d->ops);
    d->b->close(d->ctx);
    skl_tls_files_fini(&d->tls);
    skl_info("daemon", "ended", NULL);
    return 0;
}

static int print_and_exit(struct daemon *d)
{
    SKL_AUTO_BUF struct skl_buf out = {0};

    skl_buf_init(&out, SKL_MIB);
    if (d->settings.version) {
        skl_version(d->b->program, &out);
    } else if (d->settings.help) {
        skl_buf_addf(&out,
                     "Usage: %s [option]...\n       %s doctor [--json] [option]...\n"
                     "The Docker Engine API, with containers on %s. `doctor` looks at settings, "
                     "credentials, "
                     "rights\nand reachability and says what to fix.\n\n",
                     d->b->program, d->b->program, d->b->title);
        skl_options_help(d->tables, 2, &out);
    } else {
        skl_options_print(d->tables, 2, &out);
        skl_buf_adds(&out, "configuration ok\n");
    }
    fputs(out.p, stdout);
    return 0;
}

/* Settings, hosts, certificates: what must be good before anything is opened. */
static int prepare(struct daemon *d, char **argv, struct skl_error *err)
{
    int rc = load(d, argv, err);

    if (rc < 0 || d->settings.help || d->settings.version)
        return rc;
    rc = skl_hosts_check(&d->settings, get_env, err);
    return rc < 0 ? rc : skl_tls_files_load(&d->settings, &d->tls, err);
}

static int examine(struct daemon *d, char **argv)
{
    struct skl_doctor *doctor;
    struct skl_error err;
    int rc = prepare(d, argv, &err);

    if (rc == 0 && (d->settings.help || d->settings.version || d->settings.check_config))
        return print_and_exit(d);
    doctor = skl_doctor_new(d->b->program, d->settings.json);
    skl_log_setup(skl_streq(d->settings.log_level, "debug") ? SKL_LOG_DEBUG : SKL_LOG_ERROR,
                  skl_streq(d->settings.log_format, "json"), STDERR_FILENO);
    signal(SIGPIPE, SIG_IGN);
    if (rc == 0)
        rc = d->b->open(d->b->config, &d->ctx, &d->backend, &err);
    if (rc < 0) {
        skl_find(skl_doctor_findings(doctor), SKL_GRADE_FAIL, "configuration",
                 "set it as docs/configuration.md says", "%s", err.msg);
    } else {
        skl_doctor_look(doctor, &(struct skl_doctor_subject){.settings = &d->settings,
                                                             .tls = &d->tls,
                                                             .callback_url = *d->b->callback_url,
                                                             .backend = &d->backend,
                                                             .ctx = d->ctx});
        d->b->close(d->ctx);
    }
    skl_tls_files_fini(&d->tls);
    return skl_doctor_end(doctor);
}

int skl_daemon_main(const struct skl_daemon_backend *backend, int argc, char **argv)
{
    static struct daemon d; /* handles live in it until the process ends */
    struct skl_error err;
    int code;

    d.b = backend;
    d.is_doctor = argc > 1 && skl_streq(argv[1], "doctor");
    if (d.is_doctor) {
        code = examine(&d, argv + 2);
    } else if (prepare(&d, argv + 1, &err) < 0) {
        fprintf(stderr, "%s: %s\n", backend->program, err.msg);
        return EXIT_BAD_SETTING;
    } else if (d.settings.help || d.settings.version || d.settings.check_config) {
        code = print_and_exit(&d);
    } else {
        code = run(&d);
    }
    skl_options_fini(d.tables, 2);
    return code;
}
