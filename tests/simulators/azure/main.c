/* sockerless-sim-azure: the parts of Azure that the backends use, on this machine. tests/simulators/README.md */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/option.h"
#include "web.h"
#include "workload_internal.h"

#define ROW(member) .offset = offsetof(struct sim_options, member)

/* clang-format off */
static const struct skl_option rows[] = {
    {.flag = "--listen", ROW(listen), .dflt = "127.0.0.1:4568", .help = "address and port; port 0 picks one"},
    {.flag = "--agent", ROW(agent), .help = "the sockerless-agent that its image holds"},
    {.flag = "--state-dir", ROW(state_dir), .help = "a folder for images and workloads (default: a temporary one)"},
    {.flag = "--runtime", ROW(runtime), .type = SKL_OPTION_ENUM, .choices = "auto|runc|process|external", .dflt = "auto",
     .help = "how workloads run; external: executions do not, somebody plays them"},
    {.flag = "--registry-mirror", ROW(mirror), .help = "the registry that answers for Docker Hub"},
    {.flag = "--latency", ROW(latency_ms), .type = SKL_OPTION_INT, .dflt = "0", .help = "milliseconds that operations take"},
    {.flag = "--ingestion-delay", ROW(ingestion_delay_s), .type = SKL_OPTION_INT, .dflt = "0",
     .help = "seconds until a line of output can be queried"},
    {.flag = "--fault", ROW(fault), .help = "calls that fail at random: 429:0.1,500:0.05,drop:0.02,slow:0.1"},
    {.flag = "--fault-seed", ROW(fault_seed), .type = SKL_OPTION_INT, .dflt = "1", .help = "the seed of those"},
    {.flag = "--client-secret", ROW(client_secret), .help = "the one secret that is accepted (default: any)"},
    {.flag = "--action", ROW(actions), .type = SKL_OPTION_LIST,
     .help = "an action that callers are permitted, as a role names it (default: all)"},
    {.flag = "--clock-skew", ROW(clock_skew_s), .type = SKL_OPTION_INT, .min = -86400, .max = 86400, .dflt = "0",
     .help = "seconds that the dates of answers are ahead"},
    {.flag = "--token-lifetime", ROW(token_lifetime_s), .type = SKL_OPTION_INT, .dflt = "3600", .help = "seconds"},
    {.flag = "--stop-grace", ROW(stop_grace_s), .type = SKL_OPTION_INT, .dflt = "30",
     .help = "seconds from SIGTERM to SIGKILL"},
    {.flag = "--memory-limits", ROW(memory_limits), .type = SKL_OPTION_BOOL,
     .help = "what uses more memory than its container may have is killed (runc)"},
    {.flag = "--front-end-limit", ROW(front_end_limit_ms), .type = SKL_OPTION_INT, .dflt = "230000",
     .help = "milliseconds after which App Service's front end cuts a request"},
    {.flag = "--log-level", ROW(log_level), .type = SKL_OPTION_ENUM, .choices = "debug|info|warn|error", .dflt = "warn",
     .help = "the least level that is logged"},
    {.flag = "--help", ROW(help), .type = SKL_OPTION_BOOL, .help = "prints this"},
    {.flag = "--version", ROW(version), .type = SKL_OPTION_BOOL, .help = "prints the version"},
};
/* clang-format on */

int64_t sim_now_ms(void)
{
    return skl_mono_ms();
}

void sim_count(struct sim *s, const char *operation)
{
    size_t n = (size_t)(uintptr_t)skl_map_getz(&s->calls, operation);

    skl_map_set(&s->calls, skl_str(operation), (void *)(uintptr_t)(n + 1));
}

/* -- faults */

/* The next call of that name fails so: a status, drop (no effect), lost (effect, no answer), hold (effect, then nothing
 * until /simulator/release), stall (the same without effect). "any" is the name of every call. */
struct planned_fault {
    struct skl_list in_sim;
    char operation[48], kind[16];
    uint64_t skip; /* so many calls of that name are left alone before */
};

/* operation: "sites.put" or, for the third call from now, "sites.put+2" */
static void plan_fault(struct sim *s, struct skl_str operation, struct skl_str kind)
{
    struct planned_fault *f = skl_new0(struct planned_fault);
    struct skl_str skip;

    operation = skl_str_cut(operation, '+', &skip);
    if (skip.p)
        (void)skl_str_u64(skip, &f->skip);
    snprintf(f->operation, sizeof(f->operation), SKL_STR_FMT, SKL_STR_ARG(operation));
    snprintf(f->kind, sizeof(f->kind), SKL_STR_FMT, SKL_STR_ARG(kind));
    skl_list_push(&s->planned, &f->in_sim);
}

static bool fail_planned(struct sim *s, const char *kind, struct sim_answer *a)
{
    if (strcmp(kind, "429") == 0) {
        skl_buf_adds(&a->headers, "Retry-After: 1\r\n");
        sim_arm_error(a, 429, "TooManyRequests", "Too many requests.");
    } else if (strcmp(kind, "409taken") == 0) {
        sim_arm_error(a, 409, "Conflict", "Website with given name already exists.");
    } else if (strcmp(kind, "lost") == 0) {
        s->lose_answer = true;
        return false;
    } else if (strcmp(kind, "hold") == 0) {
        s->hold_answer = true;
        return false;
    } else if (strcmp(kind, "stall") == 0) {
        s->hold_answer = true;
        a->drop = true;
    } else if (strcmp(kind, "drop") == 0) {
        a->drop = true;
    } else {
        sim_arm_error(a, (int)strtol(kind, NULL, 10), "InternalServerError",
                      "The server has an internal error.");
    }
    return true;
}

bool sim_planned(struct sim *s, const char *operation, struct sim_answer *a)
{
    struct skl_list *it;

    sim_count(s, operation);
    snprintf(s->last_call, sizeof(s->last_call), "%s", operation);
    skl_list_foreach (it, &s->planned) {
        struct planned_fault *f = SKL_LIST_ENTRY(it, struct planned_fault, in_sim);
        bool failed;

        if (strcmp(f->operation, operation) != 0 || f->skip-- > 0)
            continue;
        skl_list_remove(&f->in_sim);
        s->faults++;
        failed = fail_planned(s, f->kind, a);
        free(f);
        return failed;
    }
    return false;
}

struct sim_answer_fault sim_take_answer_fault(struct sim *s)
{
    struct sim_answer_fault f = {s->lose_answer, s->hold_answer};

    s->holding |= s->hold_answer;
    s->lose_answer = s->hold_answer = false;
    return f;
}

void sim_hold(struct sim *s)
{
    pthread_mutex_lock(&s->lock);
    s->n_held++;
    while (s->holding && !s->closing) {
        pthread_mutex_unlock(&s->lock);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        pthread_mutex_lock(&s->lock);
    }
    s->n_held--;
    pthread_mutex_unlock(&s->lock);
}

bool sim_parse_faults(struct sim *s, const char *spec)
{
    struct skl_str rest = skl_str(spec);

    s->fault_429 = s->fault_500 = s->fault_away = s->fault_drop = s->fault_slow = 0;
    while (rest.n > 0) {
        struct skl_str kind, number, operation;

        operation = skl_str_cut(skl_str_cut(rest, ',', &number), '=', &kind);
        if (kind.p) {
            plan_fault(s, operation, kind);
            rest = number;
            continue;
        }
        struct skl_str name = skl_str_cut(skl_str_cut(rest, ',', &rest), ':', &number);
        double p = number.p ? strtod(number.p, NULL) : 0;

        if (skl_str_eqz(name, "429"))
            s->fault_429 = p;
        else if (skl_str_eqz(name, "500"))
            s->fault_500 = p;
        else if (skl_str_eqz(name, "away"))
            s->fault_away = p; /* 503, and says to come back soon: retries do not take a test's time */
        else if (skl_str_eqz(name, "drop"))
            s->fault_drop = p;
        else if (skl_str_eqz(name, "slow"))
            s->fault_slow = p;
        else
            return false;
    }
    return true;
}

/* xorshift: a fixed seed gives the same faults */
static double roll(struct sim *s)
{
    s->dice ^= s->dice << 13;
    s->dice ^= s->dice >> 7;
    s->dice ^= s->dice << 17;
    return (double)(s->dice % 1000000) / 1e6;
}

/* true: the call has failed already, without effect. *drop: it takes effect and its answer is lost. */
static bool fault(struct sim *s, struct sim_answer *a, bool *drop, bool *slow)
{
    double dice = roll(s);

    *drop = roll(s) < s->fault_drop;
    *slow = roll(s) < s->fault_slow;
    if (*drop && roll(s) < 0.5) {
        a->drop = true;
        s->faults++;
        return true;
    }
    if (dice < s->fault_429) {
        skl_buf_adds(&a->headers, "Retry-After: 1\r\n");
        sim_arm_error(a, 429, "TooManyRequests", "Too many requests.");
    } else if (dice < s->fault_429 + s->fault_500) {
        sim_arm_error(a, 500, "InternalServerError", "The server has an internal error.");
    } else if (dice < s->fault_429 + s->fault_500 + s->fault_away) {
        skl_buf_adds(&a->headers, "retry-after-ms: 20\r\n");
        sim_arm_error(a, 503, "ServiceUnavailable", "The service is unavailable.");
    } else {
        s->faults += *drop;
        return false;
    }
    s->faults++;
    return true;
}

/* -- conveniences that Azure does not have */

static void resolve(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *name SKL_AUTO_STR = sim_query(r, "name");
    char *port SKL_AUTO_STR = sim_query(r, "port");
    struct execution *x = name ? sim_execution_by_name(s, name) : NULL;
    char text[128];

    if (!x || x->ended) {
        sim_arm_error(a, 404, "NotFound", "No execution of that name runs.");
        return;
    }
    snprintf(text, sizeof(text), "{\"address\":\"%s:%s\"}", x->address, port ? port : "9111");
    sim_text(a, 200, text);
}

static void show_web(struct sim *s, cJSON *json)
{
    cJSON *plans = cJSON_AddArrayToObject(json, "plans");
    cJSON *sites = cJSON_AddObjectToObject(json, "sites");
    struct plan *p;
    struct site *x;

    for (size_t i = 0; (p = skl_map_next(&s->plans, &i, NULL));)
        cJSON_AddItemToArray(plans, cJSON_CreateString(p->name));
    for (size_t i = 0; (x = skl_map_next(&s->sites, &i, NULL));)
        cJSON_AddStringToObject(sites, x->name,
                                !x->wanted         ? "stopped"
                                : x->answers_pings ? "ready"
                                                   : "starting");
}

static void show_state(struct sim *s, struct sim_answer *a)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *calls = cJSON_AddObjectToObject(json, "calls");
    size_t i = 0, jobs = 0, running = 0, planned = 0;
    struct skl_list *it;
    struct skl_str key;
    struct job *j;
    void *n;

    while ((j = skl_map_next(&s->jobs, &i, NULL))) {
        jobs += !j->deleting;
        skl_list_foreach (it, &j->executions)
            running += !SKL_LIST_ENTRY(it, struct execution, in_job)->ended;
    }
    skl_list_foreach (it, &s->planned)
        planned++;
    for (i = 0; (n = skl_map_next(&s->calls, &i, &key));) {
        char *name SKL_AUTO_STR = skl_str_dup(key);

        cJSON_AddNumberToObject(calls, name, (double)(uintptr_t)n);
    }
    cJSON_AddNumberToObject(json, "jobs", (double)jobs);
    cJSON_AddNumberToObject(json, "running", (double)running);
    show_web(s, json);
    cJSON_AddNumberToObject(json, "faults", (double)s->faults);
    cJSON_AddNumberToObject(json, "planned", (double)planned);
    cJSON_AddStringToObject(json, "last", s->last_call);
    cJSON_AddNumberToObject(json, "held", (double)s->n_held);
    cJSON_AddStringToObject(json, "runtime", sim_runtime_kind(s->runtime));
    cJSON_AddStringToObject(json, "workspace", SIM_WORKSPACE);
    sim_json(a, 200, json);
    cJSON_Delete(json);
}

static void set_faults(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *spec SKL_AUTO_STR = skl_str_dup(r->body);

    a->status = sim_parse_faults(s, spec) ? 200 : 400;
}

static void release(struct sim *s, struct sim_answer *a)
{
    s->holding = false;
    a->status = 200;
}

/* A stranger has that site name. */
static void take_name(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    skl_map_set(&s->taken, r->body, s);
    a->status = 200;
}

/* -- requests */

static bool is_cloud(const char *path)
{
    return skl_str_istarts(skl_str(path), "/subscriptions/") ||
           skl_str_starts(skl_str(path), "/v1/workspaces/");
}

static void handle_cloud(struct sim *s, const struct sim_request *r, struct sim_answer *a,
                         bool *slow)
{
    bool drop;

    if (fault(s, a, &drop, slow))
        return;
    if (skl_str_starts(skl_str(r->path), "/v1/"))
        sim_log_query(s, r, a);
    else
        sim_arm(s, r, a);
    a->drop |= drop;
}

static void handle_own(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    struct skl_str path = skl_str(r->path);

    if (skl_str_eqz(path, "/simulator/resolve"))
        resolve(s, r, a);
    else if (skl_str_eqz(path, "/simulator/state"))
        show_state(s, a);
    else if (skl_str_eqz(path, "/simulator/fault"))
        set_faults(s, r, a);
    else if (skl_str_eqz(path, "/simulator/release"))
        release(s, a);
    else if (skl_str_eqz(path, "/simulator/executions"))
        sim_executions_take(s, a);
    else if (skl_str_eqz(path, "/simulator/executions/end"))
        sim_execution_finish(s, r, a);
    else if (skl_str_eqz(path, "/simulator/taken"))
        take_name(s, r, a);
    else if (skl_str_eqz(path, "/simulator/secret"))
        sim_set_secret(s, r, a);
    else
        sim_arm_error(a, 404, "NotFound", "'%s' is not known here.", r->path);
}

static void handle(void *arg, const struct sim_request *r, struct sim_answer *a)
{
    struct sim *s = arg;
    struct sim_answer_fault f = {0};
    bool slow = false;

    sim_executions_join(s);
    if (sim_front_end(s, r, a))
        return;
    pthread_mutex_lock(&s->lock);
    if (skl_str_starts(skl_str(r->path), "/simulator/")) {
        handle_own(s, r, a);
    } else {
        if (sim_planned(s, "any", a))
            ;
        else if (is_cloud(r->path))
            handle_cloud(s, r, a, &slow);
        else if (!sim_auth_route(s, r, a))
            sim_arm_error(a, 404, "NotFound", "'%s' is not known here.", r->path);
        f = sim_take_answer_fault(s);
        a->drop |= f.lost || f.hold;
    }
    pthread_mutex_unlock(&s->lock);
    if (f.hold)
        sim_hold(s);
    if (slow)
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL); /* what was asked for: a slow answer */
    skl_debug("sim", "request", "method", r->method, "path", r->path, NULL);
}

/* -- up and down */

static cJSON *resource(const char *text)
{
    cJSON *json = cJSON_Parse(text);

    SKL_ASSERT(json);
    return json;
}

#define GROUP "00000000-0000-0000-0000-000000000000/sockerless"
#define RESOURCES                                                                                  \
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sockerless/providers/"     \
    "Microsoft.Web"

static void seed(struct sim *s)
{
    static const char plan[] =
        "{\"location\":\"eastus\",\"kind\":\"elastic\",\"sku\":{\"name\":\"EP1\",\"tier\":"
        "\"ElasticPremium\"},\"properties\":{\"reserved\":true,\"maximumElasticWorkerCount\":20}}";
    static const char environment[] =
        "{\"name\":\"sockerless\",\"location\":\"eastus\",\"properties\":{\"provisioningState\":"
        "\"Succeeded\",\"appLogsConfiguration\":{\"destination\":\"log-analytics\","
        "\"logAnalyticsConfiguration\":{\"customerId\":\"" SIM_WORKSPACE "\"}}}}";
    static const char group[] = "{\"name\":\"sockerless\",\"location\":\"eastus\",\"properties\":{"
                                "\"provisioningState\":\"Succeeded\"}}";

    skl_map_set(&s->environments, SKL_STR("sockerless"), resource(environment));
    sim_plan_add(s, GROUP "/sockerless", RESOURCES "/serverfarms/sockerless", "sockerless",
                 resource(plan));
    skl_map_set(&s->accounts, SKL_STR("sockerless"), resource(group));
    skl_map_set(&s->groups, SKL_STR(GROUP), resource(group));
}

static void stop_all(struct sim *s)
{
    bool running = true;

    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_mutex_unlock(&s->lock);
    while (running) {
        struct skl_list *it;
        struct job *j;
        size_t i = 0;

        running = false;
        pthread_mutex_lock(&s->lock);
        while ((j = skl_map_next(&s->jobs, &i, NULL))) {
            skl_list_foreach (it, &j->executions) {
                struct execution *x = SKL_LIST_ENTRY(it, struct execution, in_job);

                sim_execution_stop(x);
                running |= !x->ended;
            }
        }
        skl_list_foreach (it, &s->site_threads) {
            struct site *x = SKL_LIST_ENTRY(it, struct site, in_sim);

            x->deleted = running = true;
            sim_site_wake(x);
        }
        pthread_mutex_unlock(&s->lock);
        sim_executions_join(s);
        if (running)
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
}

static int run(struct sim_options *o, const sigset_t *signals)
{
    static struct sim s = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct sim_server *server;
    struct skl_error err;
    bool temporary;
    int signo;

    s.options = o;
    s.client_secret = skl_strdup(o->client_secret);
    s.dice = (uint64_t)o->fault_seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    skl_list_init(&s.tokens);
    skl_list_init(&s.finished);
    skl_list_init(&s.site_threads);
    skl_list_init(&s.planned);
    if (!sim_parse_faults(&s, o->fault)) {
        fprintf(stderr, "sockerless-sim-azure: --fault '%s': use 429:P,500:P,drop:P,slow:P\n",
                o->fault);
        return 2;
    }
    seed(&s);
    if (sim_paths(&o->state_dir, &o->agent, &temporary, &err) < 0 ||
        sim_runtime_new(&(struct sim_runtime_config){.dir = o->state_dir,
                                                     .agent_path = o->agent,
                                                     .mirror = o->mirror,
                                                     .kind = o->runtime,
                                                     .stop_grace_ms = o->stop_grace_s * 1000,
                                                     .memory_limits = o->memory_limits},
                        &s.runtime, &err) < 0 ||
        sim_server_start(o->listen, handle, &s, &server, &err) < 0) {
        fprintf(stderr, "sockerless-sim-azure: %s\n", err.msg);
        return 1;
    }
    sim_server_skew(server, o->clock_skew_s);
    printf("listening on http://127.0.0.1:%d\n", sim_server_port(server));
    fflush(stdout);
    (void)sigwait(signals, &signo);
    sim_server_stop(server);
    s.runtime->stop_grace_ms = s.runtime->stop_grace_ms < 1000 ? s.runtime->stop_grace_ms : 1000;
    stop_all(&s);
    if (temporary)
        (void)sim_tool_run((char *[]){(char[]){"rm"}, (char[]){"-rf"},
                                      (char[]){"--one-file-system"}, o->state_dir, NULL},
                           NULL);
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
        fprintf(stderr, "sockerless-sim-azure: %s\n", err.msg);
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
        puts("sockerless-sim-azure " SKL_VERSION);
    } else {
        code = run(&o, &signals);
    }
    skl_options_fini(&table, 1);
    return code;
}
