/* sockerless-sim-gcp: the parts of Google Cloud that the backend uses, on this machine. tests/simulators/README.md */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/option.h"
#include "sim.h"

#define HOUSE_MS 50

#define ROW(member) .offset = offsetof(struct sim_options, member)

/* clang-format off */
static const struct skl_option rows[] = {
    {.flag = "--listen", ROW(listen), .dflt = "127.0.0.1:4567", .help = "address and port; port 0 picks one"},
    {.flag = "--project", ROW(project), .dflt = "sockerless", .help = "the one project's id"},
    {.flag = "--project-number", ROW(project_number), .type = SKL_OPTION_INT, .dflt = "123456789012",
     .help = "and its number"},
    {.flag = "--agent", ROW(agent), .help = "the sockerless-agent, mounted at /sockerless/bin/ in every container"},
    {.flag = "--state-dir", ROW(state_dir), .help = "a folder for images, buckets and instances (default: a temporary one)"},
    {.flag = "--runtime", ROW(runtime), .type = SKL_OPTION_ENUM, .choices = "auto|runc|process", .dflt = "auto",
     .help = "how containers run"},
    {.flag = "--registry-mirror", ROW(mirror), .help = "the registry that answers for Docker Hub and Artifact Registry"},
    {.flag = "--registry", ROW(registries), .type = SKL_OPTION_LIST,
     .help = "a host that images may come from beside Google's and docker.io"},
    {.flag = "--bucket", ROW(buckets), .type = SKL_OPTION_LIST, .help = "a bucket that is there from the start"},
    {.flag = "--latency", ROW(latency_ms), .type = SKL_OPTION_INT, .dflt = "0", .help = "milliseconds that operations take"},
    {.flag = "--ingestion-delay", ROW(ingestion_delay_s), .type = SKL_OPTION_INT, .dflt = "0",
     .help = "seconds until a log entry can be listed"},
    {.flag = "--read-quota", ROW(read_quota), .type = SKL_OPTION_INT, .dflt = "60",
     .help = "calls of entries.list in a minute; 0: no limit"},
    {.flag = "--idle-timeout", ROW(idle_s), .type = SKL_OPTION_INT, .dflt = "900",
     .help = "seconds that an instance without a request stays"},
    {.flag = "--pending-timeout", ROW(pending_s), .type = SKL_OPTION_INT, .dflt = "10",
     .help = "seconds that a request waits for a free instance until 429"},
    {.flag = "--startup-timeout", ROW(startup_s), .type = SKL_OPTION_INT, .dflt = "240",
     .help = "seconds that a container may take until it listens"},
    {.flag = "--stop-grace", ROW(stop_grace_s), .type = SKL_OPTION_INT, .dflt = "10",
     .help = "seconds from SIGTERM to SIGKILL"},
    {.flag = "--memory-limits", ROW(memory_limits), .type = SKL_OPTION_BOOL,
     .help = "what uses more memory than its container may have is killed (runc)"},
    {.flag = "--docker-runtime", ROW(docker_runtime), .type = SKL_OPTION_BOOL,
     .help = "takes functions of the runtime \"docker\", which Google does not have"},
    {.flag = "--google-uris", ROW(google_uris), .type = SKL_OPTION_BOOL,
     .help = "services' uri is that of run.app, to be reached by Host, not one of this address"},
    {.flag = "--permission", ROW(permissions), .type = SKL_OPTION_LIST,
     .help = "a permission that callers have (default: all)"},
    {.flag = "--clock-skew", ROW(clock_skew_s), .type = SKL_OPTION_INT, .min = -86400, .max = 86400, .dflt = "0",
     .help = "seconds that the dates of answers are ahead"},
    {.flag = "--without-invoker", ROW(strangers), .type = SKL_OPTION_LIST,
     .help = "an account that has no run.invoker role on the project"},
    {.flag = "--fault", ROW(fault),
     .help = "429:0.1,500:0.05,drop:0.02,slow:0.1 at random; METHOD=KIND*N for the next N calls"},
    {.flag = "--fault-seed", ROW(fault_seed), .type = SKL_OPTION_INT, .dflt = "1", .help = "the seed of the random ones"},
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
    SKL_AUTO_JSON cJSON *json = cJSON_CreateObject();
    cJSON *calls = cJSON_AddObjectToObject(json, "calls");
    size_t i = 0;
    struct skl_str key;
    void *n;

    while ((n = skl_map_next(&s->calls, &i, &key))) {
        char *name SKL_AUTO_STR = skl_str_dup(key);

        cJSON_AddNumberToObject(calls, name, (double)(uintptr_t)n);
    }
    cJSON_AddStringToObject(json, "project", s->options->project);
    cJSON_AddNumberToObject(json, "functions", (double)s->functions.n);
    cJSON_AddNumberToObject(json, "services", (double)s->services.n);
    cJSON_AddNumberToObject(json, "instances", (double)s->n_instances);
    cJSON_AddNumberToObject(json, "entries", (double)s->n_entries);
    cJSON_AddItemToObject(json, "inFlight", gcp_in_flight(s));
    cJSON_AddNumberToObject(json, "faults", (double)s->faults.count);
    cJSON_AddStringToObject(json, "runtime", sim_runtime_kind(s->runtime));
    sim_json(a, 200, json);
}

static void show_credentials(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *type SKL_AUTO_STR = sim_query(r, "type");
    const char *dir = s->options->credentials_dir;
    char *text SKL_AUTO_STR =
        gcp_credentials_text(s, type ? type : "service_account", skl_str_empty(dir) ? "" : dir);

    sim_text(a, text ? 200 : 400, text ? text : "{}");
}

static void set_faults(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *spec SKL_AUTO_STR = skl_str_dup(r->body);

    sim_text(a, sim_faults_parse(&s->faults, spec) ? 200 : 400, "{}");
}

/* What maintenance does at any time: the instances of a service are told to end. */
static void end_instances(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *id SKL_AUTO_STR = sim_query(r, "service");
    struct service *v;
    size_t i = 0;

    sim_text(a, 404, "{}");
    while ((v = skl_map_next(&s->services, &i, NULL)))
        if (skl_streq(v->id, id)) {
            gcp_instances_stop(v);
            sim_text(a, 200, "{}");
        }
}

static bool simulator_route(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    if (skl_streq(r->path, "/simulator/state"))
        show_state(s, a);
    else if (skl_streq(r->path, "/simulator/credentials"))
        show_credentials(s, r, a);
    else if (skl_streq(r->path, "/simulator/fault"))
        set_faults(s, r, a);
    else if (skl_streq(r->path, "/simulator/maintenance"))
        end_instances(s, r, a);
    else
        return false;
    return true;
}

/* -- requests */

enum api {
    API_NONE,
    API_IAM,
    API_SERVICES,
    API_FUNCTIONS,
    API_RUNTIMES,
    API_OPERATIONS,
    API_ENTRIES,
    API_REGISTRY,
    API_STORAGE,
    API_PROJECT
};

/* [v1|v2], projects, P, locations, R, KIND, ... */
static enum api api_of(const struct gcp_path *p)
{
    static const struct {
        const char *version, *kind;
        enum api api;
    } kinds[] = {
        {"v2", "services", API_SERVICES},     {"v2", "functions", API_FUNCTIONS},
        {"v2", "runtimes", API_RUNTIMES},     {"v2", "operations", API_OPERATIONS},
        {"v1", "repositories", API_REGISTRY}, {"v1", "operations", API_REGISTRY},
    };

    if (p->n == 5 && skl_streq(p->parts[0], "v1") && skl_streq(p->parts[3], "serviceAccounts"))
        return API_IAM;
    if (p->n == 3 && skl_streq(p->parts[0], "v3") && skl_streq(p->parts[1], "projects") &&
        skl_streq(p->verb, "testIamPermissions"))
        return API_PROJECT;
    if (p->n == 2 && skl_streq(p->parts[0], "v2") && skl_streq(p->parts[1], "entries"))
        return API_ENTRIES;
    if (p->n >= 6 && skl_streq(p->parts[1], "projects") && skl_streq(p->parts[3], "locations"))
        for (size_t i = 0; i < SKL_ARRAY_LEN(kinds); i++)
            if (skl_streq(p->parts[0], kinds[i].version) && skl_streq(p->parts[5], kinds[i].kind))
                return kinds[i].api;
    if (p->n >= 3 && (skl_streq(p->parts[0], "storage") || skl_streq(p->parts[1], "storage")))
        return API_STORAGE;
    return p->n == 2 && skl_str_starts(skl_str(p->parts[0]), "gcf-v2-uploads-") ? API_STORAGE
                                                                                : API_NONE;
}

/* "services.create", "functions.get", "entries.list", "storage.upload": what faults and counts go by. */
static void method_name(const struct sim_request *r, const struct gcp_path *p, enum api api,
                        char out[64])
{
    const char *kind = api == API_ENTRIES   ? "entries"
                       : api == API_STORAGE ? "storage"
                       : api == API_IAM     ? "iamcredentials"
                       : api == API_PROJECT ? "projects"
                                            : p->parts[5];
    bool is_one = p->n % 2 == 1;
    const char *verb = p->verb                            ? p->verb
                       : strcmp(r->method, "POST") == 0   ? "create"
                       : strcmp(r->method, "PATCH") == 0  ? "patch"
                       : strcmp(r->method, "PUT") == 0    ? "put"
                       : strcmp(r->method, "DELETE") == 0 ? "delete"
                       : is_one                           ? "get"
                                                          : "list";

    if (api == API_SERVICES && p->n > 7)
        kind = p->parts[7];
    if (api == API_STORAGE)
        verb = skl_streq(p->parts[0], "upload") ? "upload"
               : strcmp(r->method, "GET") == 0  ? "get"
                                                : verb;
    snprintf(out, 64, "%.30s.%.30s", kind, verb);
}

/* true: the call is answered, without effect */
static bool make_fault(struct sim *s, const char *method, struct sim_answer *a, bool *lost,
                       bool *slow)
{
    struct sim_fault f = sim_fault_next(&s->faults, method);

    *lost = f.lost;
    *slow = f.slow;
    s->fault_word = f.word;
    if (f.drop) {
        a->drop = true;
    } else if (f.status == 429) {
        gcp_error(a, GCP_RESOURCE_EXHAUSTED, "Quota exceeded for quota metric.");
    } else if (f.status == 503) {
        gcp_error(a, GCP_UNAVAILABLE, "The service is currently unavailable.");
    } else if (f.status == 502) {
        gcp_html(a, 502, "Server Error", "The server encountered a temporary error.");
    } else if (f.status == 403) {
        gcp_error(a, GCP_PERMISSION_DENIED, "Permission denied on the resource.");
    } else if (f.status == 409) {
        gcp_error(a, GCP_ABORTED, "The operation was aborted.");
    } else if (f.status == 401) {
        gcp_error(a, GCP_UNAUTHENTICATED, "Request had invalid authentication credentials.");
    } else if (f.status) {
        gcp_error(a, GCP_INTERNAL, "Internal error encountered.");
        a->status = f.status;
    } else {
        return false;
    }
    return true;
}

bool gcp_invoke_fault(struct sim *s, struct sim_answer *a, bool *lost)
{
    struct sim_fault f = sim_fault_next(&s->faults, "invoke");

    *lost = f.lost;
    a->drop = f.drop;
    if (f.status)
        gcp_html(a, f.status, "Server Error", "The server has an error that was asked for.");
    return f.drop || f.status;
}

static bool check_project(struct sim *s, const struct gcp_path *p, struct sim_answer *a)
{
    const char *project = p->parts[2];
    char *number SKL_AUTO_STR = gcp_format("%lld", (long long)s->options->project_number);

    if (strcmp(project, s->options->project) == 0 || strcmp(project, number) == 0)
        return true;
    gcp_error(a, GCP_PERMISSION_DENIED, "Permission denied on resource project %s.", project);
    return false;
}

static bool check_location(const struct gcp_path *p, struct sim_answer *a)
{
    const char *l = p->parts[4];
    size_t n = strlen(l);

    if (strcmp(l, "-") == 0 || (n > 3 && strchr(l, '-') && l[n - 1] >= '0' && l[n - 1] <= '9' &&
                                strspn(l, "abcdefghijklmnopqrstuvwxyz0123456789-") == n))
        return true;
    gcp_error(a, GCP_PERMISSION_DENIED,
              "Permission denied on 'locations/%s' (or it may not exist).", l);
    return false;
}

static void route(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                  enum api api, struct sim_answer *a)
{
    const char *email;

    if (api == API_IAM || api == API_STORAGE) {
        if (api == API_IAM)
            gcp_iam_credentials(s, r, p, a);
        else if (!gcp_storage(s, r, p, a))
            gcp_unknown(r, a);
        return;
    }
    email = gcp_auth_check(s, r, a);
    if (!email)
        return;
    if (api == API_ENTRIES) {
        gcp_entries(s, r, p, a);
        return;
    }
    if (!check_project(s, p, a))
        return;
    if (api == API_PROJECT) {
        gcp_project_permissions(s, r, a);
        return;
    }
    if (!check_location(p, a))
        return;
    switch (api) {
    case API_SERVICES:
        gcp_services(s, r, p, email, a);
        break;
    case API_FUNCTIONS:
        gcp_functions(s, r, p, email, a);
        break;
    case API_RUNTIMES:
        gcp_runtimes(a);
        break;
    case API_OPERATIONS:
        gcp_operations(s, r, p, a);
        break;
    default:
        gcp_registry(s, r, p, a);
        break;
    }
}

static void cloud_route(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                        bool *slow, struct sim_answer *a)
{
    enum api api = api_of(p);
    char method[64];
    bool lost;

    if (api == API_NONE) {
        gcp_unknown(r, a);
        return;
    }
    method_name(r, p, api, method);
    gcp_count(s, method);
    if (make_fault(s, method, a, &lost, slow))
        return;
    if (gcp_permitted(s, r, method, a))
        route(s, r, p, api, a);
    a->drop = lost;
    s->fault_word = NULL;
}

static void handle(void *arg, const struct sim_request *r, struct sim_answer *a)
{
    struct sim *s = arg;
    struct gcp_path p;
    bool slow = false;

    if (gcp_invoke(s, r, a))
        return;
    gcp_path_split(&p, r->raw_path);
    pthread_mutex_lock(&s->lock);
    if (!simulator_route(s, r, a) && !gcp_metadata(s, r, a) && !gcp_auth_route(s, r, a))
        cloud_route(s, r, &p, &slow, a);
    pthread_mutex_unlock(&s->lock);
    gcp_path_fini(&p);
    if (slow)
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL); /* what was asked for: a slow answer */
    skl_debug("sim", "request", "method", r->method, "path", r->path, NULL);
}

/* -- up and down */

static void *keep_house(void *arg)
{
    struct sim *s = arg;

    pthread_mutex_lock(&s->lock);
    while (!s->closing) {
        gcp_functions_tick(s);
        gcp_housekeep(s);
        gcp_await_change(s, HOUSE_MS);
        pthread_mutex_unlock(&s->lock);
        nanosleep(&(struct timespec){.tv_nsec = 5 * SKL_NS_PER_MS}, NULL); /* others' turn */
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static int prepare(struct sim *s, struct sim_options *o, bool *temporary, struct skl_error *err)
{
    pthread_condattr_t monotonic;
    int rc;

    s->options = o;
    skl_list_init(&s->tokens);
    skl_list_init(&s->deleted);
    skl_list_init(&s->gone_functions);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &monotonic);
    sim_faults_seed(&s->faults, o->fault_seed);
    if (!sim_faults_parse(&s->faults, o->fault))
        return skl_fail(err, SKL_E_INVALID,
                        "--fault '%s': use 429:P,500:P,drop:P,slow:P or "
                        "METHOD=KIND*N",
                        o->fault);
    rc = sim_paths(&o->state_dir, &o->agent, temporary, err);
    if (rc < 0)
        return rc;
    s->state_dir = o->state_dir;
    rc = sim_runtime_new(&(struct sim_runtime_config){.dir = o->state_dir,
                                                      .agent_path = o->agent,
                                                      .mirror = o->mirror,
                                                      .kind = o->runtime,
                                                      .stop_grace_ms = o->stop_grace_s * 1000,
                                                      .memory_limits = o->memory_limits},
                         &s->runtime, err);
    if (rc == 0)
        rc = gcp_keys_new(&s->keys, err);
    for (char **b = o->buckets; rc == 0 && b && *b; b++)
        gcp_bucket_add(s, *b);
    return rc;
}

static void finish(struct sim *s, struct sim_server *server, bool temporary)
{
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->housekeeper, NULL);
    sim_runtime_hurry(s->runtime);
    gcp_instances_stop_all(s); /* requests in flight end with their containers */
    sim_server_stop(server);
    if (temporary)
        (void)sim_tool_run((char *[]){(char[]){"rm"}, (char[]){"-rf"},
                                      (char[]){"--one-file-system"}, s->options->state_dir, NULL},
                           NULL);
}

static int run(struct sim_options *o, const sigset_t *signals)
{
    static struct sim s = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct sim_server *server;
    struct skl_error err;
    bool temporary;
    int signo;

    pthread_mutex_lock(&s.lock); /* requests wait until all is there */
    if (prepare(&s, o, &temporary, &err) < 0 ||
        sim_server_start(o->listen, handle, &s, &server, &err) < 0) {
        fprintf(stderr, "sockerless-sim-gcp: %s\n", err.msg);
        return err.kind == SKL_E_INVALID ? 2 : 1;
    }
    sim_server_skew(server, o->clock_skew_s);
    snprintf(s.base, sizeof(s.base), "http://127.0.0.1:%d", sim_server_port(server));
    if (!skl_str_empty(o->credentials_dir) &&
        gcp_credentials_write(&s, o->credentials_dir, &err) < 0) {
        fprintf(stderr, "sockerless-sim-gcp: %s\n", err.msg);
        return 1;
    }
    SKL_ASSERT(pthread_create(&s.housekeeper, NULL, keep_house, &s) == 0);
    pthread_mutex_unlock(&s.lock);
    printf("listening on %s\n", s.base);
    fflush(stdout);
    (void)sigwait(signals, &signo);
    finish(&s, server, temporary);
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
