/* sockerless-sim-gcp: the parts of Google Cloud that the backend uses, on this machine. tests/simulators/README.md */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/option.h"
#include "sim.h"

#define ROW(member) .offset = offsetof(struct sim_options, member)

/* clang-format off */
static const struct skl_option rows[] = {
    {.flag = "--listen", ROW(listen), .dflt = "127.0.0.1:4567", .help = "address and port; port 0 picks one"},
    {.flag = "--project", ROW(project), .dflt = "sockerless", .help = "the one project's id"},
    {.flag = "--project-number", ROW(project_number), .type = SKL_OPTION_INT, .dflt = "123456789012",
     .help = "and its number"},
    {.flag = "--credentials-dir", ROW(credentials_dir),
     .help = "a folder for service_account.json, authorized_user.json and external_account.json"},
    {.flag = "--refresh-token", ROW(refresh_token), .help = "the one refresh token that is accepted (default: any)"},
    {.flag = "--subject-token", ROW(subject_token), .help = "the one subject token that is accepted (default: any)"},
    {.flag = "--metadata-email", ROW(metadata_email), .help = "the account that the metadata server speaks for"},
    {.flag = "--token-lifetime", ROW(token_lifetime_s), .type = SKL_OPTION_INT, .dflt = "3600", .help = "seconds"},
    {.flag = "--log-level", ROW(log_level), .type = SKL_OPTION_ENUM, .choices = "debug|info|warn|error", .dflt = "warn",
     .help = "the least level that is logged"},
    {.flag = "--help", ROW(help), .type = SKL_OPTION_BOOL, .help = "prints this"},
    {.flag = "--version", ROW(version), .type = SKL_OPTION_BOOL, .help = "prints the version"},
};
/* clang-format on */

int64_t gcp_now_ms(void)
{
    return skl_mono_ms();
}

void gcp_count(struct sim *s, const char *method)
{
    size_t n = (size_t)(uintptr_t)skl_map_getz(&s->calls, method);

    skl_map_set(&s->calls, skl_str(method), (void *)(uintptr_t)(n + 1));
}

/* -- what Google does not have */

static void show_state(struct sim *s, struct sim_answer *a)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *calls = cJSON_AddObjectToObject(json, "calls");
    size_t i = 0;
    struct skl_str key;
    void *n;

    while ((n = skl_map_next(&s->calls, &i, &key))) {
        char *name SKL_AUTO_STR = skl_str_dup(key);

        cJSON_AddNumberToObject(calls, name, (double)(uintptr_t)n);
    }
    cJSON_AddStringToObject(json, "project", s->options->project);
    sim_json(a, 200, json);
    cJSON_Delete(json);
}

static void show_credentials(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *type SKL_AUTO_STR = sim_query(r, "type");
    const char *dir = s->options->credentials_dir;
    char *text SKL_AUTO_STR =
        gcp_credentials_text(s, type ? type : "service_account", skl_str_empty(dir) ? "" : dir);

    sim_text(a, text ? 200 : 400, text ? text : "{}");
}

static bool simulator_route(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    if (skl_streq(r->path, "/simulator/state"))
        show_state(s, a);
    else if (skl_streq(r->path, "/simulator/credentials"))
        show_credentials(s, r, a);
    else
        return false;
    return true;
}

/* -- requests */

static void cloud_route(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                        struct sim_answer *a)
{
    if (p->n == 5 && skl_streq(p->parts[0], "v1") && skl_streq(p->parts[3], "serviceAccounts"))
        gcp_iam_credentials(s, r, p, a);
    else
        gcp_unknown(r, a);
}

static void handle(void *arg, const struct sim_request *r, struct sim_answer *a)
{
    struct sim *s = arg;
    struct gcp_path p;

    gcp_path_split(&p, r->raw_path);
    pthread_mutex_lock(&s->lock);
    if (!simulator_route(s, r, a) && !gcp_metadata(s, r, a) && !gcp_auth_route(s, r, a))
        cloud_route(s, r, &p, a);
    pthread_mutex_unlock(&s->lock);
    gcp_path_fini(&p);
    skl_debug("sim", "request", "method", r->method, "path", r->path, NULL);
}

/* -- up and down */

static int run(struct sim_options *o, const sigset_t *signals)
{
    static struct sim s = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct sim_server *server;
    struct skl_error err;
    int signo;

    s.options = o;
    skl_list_init(&s.tokens);
    skl_map_init(&s.calls);
    pthread_mutex_lock(&s.lock); /* requests wait until all is there */
    if (gcp_keys_new(&s.keys, &err) < 0 ||
        sim_server_start(o->listen, handle, &s, &server, &err) < 0) {
        fprintf(stderr, "sockerless-sim-gcp: %s\n", err.msg);
        return 1;
    }
    snprintf(s.base, sizeof(s.base), "http://127.0.0.1:%d", sim_server_port(server));
    if (!skl_str_empty(o->credentials_dir) &&
        gcp_credentials_write(&s, o->credentials_dir, &err) < 0) {
        fprintf(stderr, "sockerless-sim-gcp: %s\n", err.msg);
        return 1;
    }
    pthread_mutex_unlock(&s.lock);
    printf("listening on %s\n", s.base);
    fflush(stdout);
    (void)sigwait(signals, &signo);
    sim_server_stop(server);
    return 0;
}

static const char *no_environment(const char *name)
{
    return NULL;
}

int main(int argc, char **argv)
{
    static struct sim_options o;
    const struct skl_option_table table = {"Options", rows, SKL_ARRAY_LEN(rows), &o};
    enum skl_log_level level = SKL_LOG_WARN;
    struct skl_error err;
    sigset_t signals;
    int code = 0;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before there are threads */
    signal(SIGPIPE, SIG_IGN);
    if (skl_options_load(&table, 1, no_environment, argv + 1, &err) < 0) {
        fprintf(stderr, "sockerless-sim-gcp: %s\n", err.msg);
        return 2;
    }
    (void)skl_log_level_parse(o.log_level, &level); /* its row has checked it */
    skl_log_setup(level, false, STDERR_FILENO);
    if (o.help) {
        SKL_AUTO_BUF struct skl_buf out = {0};

        skl_buf_init(&out, 64 * SKL_KIB);
        skl_options_help(&table, 1, &out);
        fputs(out.p, stdout);
    } else if (o.version) {
        puts("sockerless-sim-gcp " SKL_VERSION);
    } else {
        code = run(&o, &signals);
    }
    skl_options_fini(&table, 1);
    return code;
}
