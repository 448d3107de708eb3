/* sockerless-agent: the first process of a workload. See docs/agent-protocol.md. */
#include <errno.h>
#include <llhttp.h>
#include <mbedtls/version.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <uv.h>

#include "agent.h"
#include "base/alloc.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/secrets.h"

#define START_TIMEOUT_S 300
#define WARM_SECONDS    30

static const char usage[] =
    "Usage: sockerless-agent [--callback URL | --addr ADDR] -- COMMAND [ARGUMENT]...\n"
    "       sockerless-agent --http-port PORT [--http-hold SECONDS] [--http-stay] -- COMMAND...\n"
    "       sockerless-agent --install DIR\n"
    "\n"
    "  --callback URL  dial the backend there (SOCKERLESS_AGENT_CALLBACK_URL)\n"
    "  --addr ADDR     be dialled there, :9111 for instance\n"
    "  --http-port N   be invoked there first, by POST, and then dial the backend: a function\n"
    "  --http-hold S   answer the invocation after S seconds; 0: when the workload ends\n"
    "  --http-stay     after the end go on answering probes until the platform says to stop\n"
    "  --install DIR   copy this program to DIR/sockerless-agent and exit\n"
    "\n"
    "SOCKERLESS_CONTAINER_ID and SOCKERLESS_AGENT_TOKEN say whose agent this is.\n";

static int fail(const char *message)
{
    fprintf(stderr, "sockerless-agent: %s\n", message);
    return SKL_AGENT_EXIT_NO_START;
}

static unsigned env_number(const char *name, unsigned dflt)
{
    const char *text = getenv(name);
    uint64_t v;

    return text && skl_str_u64(skl_str(text), &v) && v <= 86400 ? (unsigned)v : dflt;
}

/* ":9111" listens everywhere, unless the platform says which address is ours. */
static char *listen_address(const char *addr)
{
    const char *bind = getenv("SOCKERLESS_AGENT_BIND");
    struct skl_buf b;

    skl_buf_init(&b, 512);
    if (*addr == ':' && !skl_str_empty(bind))
        skl_buf_adds(&b, bind);
    skl_buf_adds(&b, addr);
    return skl_buf_detach(&b);
}

static void read_environment(struct skl_agent_options *o)
{
    o->container_id = skl_strdup(getenv("SOCKERLESS_CONTAINER_ID"));
    o->token = skl_strdup(getenv("SOCKERLESS_AGENT_TOKEN"));
    skl_secret_add(o->token);
    o->ca_pem = skl_strdup(getenv("SOCKERLESS_AGENT_CA"));
    o->callback_url = skl_strdup(getenv("SOCKERLESS_AGENT_CALLBACK_URL"));
    if (skl_str_empty(o->callback_url))
        o->callback_url = NULL;
    o->warm_seconds = env_number("SOCKERLESS_WARM_SECONDS", WARM_SECONDS);
    o->start_timeout_s = env_number("SOCKERLESS_START_TIMEOUT", START_TIMEOUT_S);
    o->environ = skl_new0_n(char *, skl_strv_len(environ) + 1);
    for (size_t i = 0, n = 0; environ[i]; i++)
        if (strncmp(environ[i], "SOCKERLESS_", 11) != 0)
            o->environ[n++] = skl_strdup(environ[i]);
}

static bool read_number(const char *text, uint64_t max, unsigned *ret)
{
    uint64_t v;

    if (!skl_str_u64(skl_str(text), &v) || v > max)
        return false;
    *ret = (unsigned)v;
    return true;
}

static bool read_option(struct skl_agent_options *o, const char *name, char *value)
{
    if (strcmp(name, "--callback") == 0)
        o->callback_url = value;
    else if (strcmp(name, "--addr") == 0)
        o->addr = listen_address(value);
    else if (strcmp(name, "--http-port") == 0)
        return read_number(value, 65535, &o->http_port) && o->http_port > 0;
    else if (strcmp(name, "--http-hold") == 0)
        return read_number(value, 86400, &o->http_hold_s);
    else
        return strcmp(name, "--install") == 0;
    return true;
}

static void print_version(void)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    char mbedtls[32];

    skl_buf_init(&out, 1024);
    skl_build_info("sockerless-agent", &out);
    mbedtls_version_get_string_full(mbedtls);
    skl_buf_addf(&out, "libuv/%s %s llhttp/%d.%d.%d\n", uv_version_string(), mbedtls,
                 LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR, LLHTTP_VERSION_PATCH);
    fputs(out.p, stdout);
}

/* -1: go on; else the exit code. */
static int read_arguments(struct skl_agent_options *o, char **argv)
{
    static char *nothing[] = {NULL};
    struct skl_error err;

    o->argv = nothing;
    for (argv++; *argv; argv++) {
        if (strcmp(*argv, "--") == 0) {
            o->argv = argv + 1;
            break;
        }
        if (strcmp(*argv, "--version") == 0) {
            print_version();
            return 0;
        }
        if (strcmp(*argv, "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(*argv, "--http-stay") == 0) {
            o->http_stay = true;
            continue;
        }
        if (!argv[1] || !read_option(o, argv[0], argv[1])) {
            fputs(usage, stderr);
            return 2;
        }
        if (strcmp(*argv, "--install") == 0)
            return agent_install(argv[1], &err) < 0 ? fail(err.msg) : 0;
        argv++;
    }
    return -1;
}

static void never_started(void *arg)
{
    struct agent *a = arg;

    a->life = NULL;
    fputs("sockerless-agent: the backend did not start the command in time\n", stderr);
    agent_leave(a, SKL_AGENT_EXIT_NO_START);
}

static void on_child(uv_signal_t *h, int signo)
{
    agent_reap();
}

void agent_await_start(struct agent *a)
{
    a->life =
        skl_timer_start(a->loop, (int64_t)a->options->start_timeout_s * 1000, never_started, a);
}

/* The platform ends the workload: the command is told, and we end when it did. */
static void on_platform_signal(uv_signal_t *h, int signo)
{
    struct agent *a = h->data;

    a->platform_ends = true;
    agent_shutdown(a, signo, false);
}

static void watch(struct agent *a, uv_signal_t *h, uv_signal_cb cb, int signo)
{
    uv_signal_init(a->loop, h);
    h->data = a;
    uv_signal_start(h, cb, signo);
}

static int run(const struct skl_agent_options *o)
{
    static struct agent a;
    static uv_loop_t loop;
    static uv_signal_t child, term, intr, hup, quit;
    struct skl_error err;

    uv_loop_init(&loop);
    a.loop = &loop;
    a.options = o;
    a.warm_seconds = o->warm_seconds;
    a.output = agent_output_new();
    skl_random_hex(a.instance, 32);
    a.began_ns = agent_file_clock_after(skl_wall_ns());
    skl_list_init(&a.tasks);
    skl_list_init(&a.held);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* orphans come to us, also when we are not process 1 */
    signal(SIGPIPE, SIG_IGN);
    watch(&a, &child, on_child, SIGCHLD);
    watch(&a, &term, on_platform_signal, SIGTERM);
    watch(&a, &intr, on_platform_signal, SIGINT);
    watch(&a, &hup, on_platform_signal, SIGHUP);
    watch(&a, &quit, on_platform_signal, SIGQUIT);
    a.last_up_ms = (int64_t)uv_now(&loop);
    if (agent_open_link(&a, &err) < 0)
        return fail(err.msg);
    if ((o->http_port ? agent_serve(&a, &err) : o->callback_url ? 0 : agent_listen(&a, &err)) < 0)
        return fail(err.msg);
    if (!o->http_port) {
        if (o->callback_url)
            agent_connect(&a);
        agent_await_start(&a);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    return 0;
}

int main(int argc, char **argv)
{
    static struct skl_agent_options o;
    int code;

    (void)argc;
    skl_log_setup(SKL_LOG_WARN, false, STDERR_FILENO);
    read_environment(&o);
    code = read_arguments(&o, argv);
    if (code >= 0)
        return code;
    if (o.addr)
        o.callback_url = NULL;
    if ((!o.callback_url && !o.addr) || (o.http_port && !o.callback_url)) {
        fputs(usage, stderr);
        return 2;
    }
    if (skl_str_empty(o.container_id) || skl_str_empty(o.token))
        return fail("SOCKERLESS_CONTAINER_ID and SOCKERLESS_AGENT_TOKEN are required");
    return run(&o);
}
