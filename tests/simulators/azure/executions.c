/* Executions: a job's template with its secrets and variables filled in, run for real. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"
#include "sim.h"

#define MAX_TAKEN 32 /* in one answer */

struct gone {
    struct skl_list in_sim;
    struct sim_workload *workload;
};

/* -- events of the workload, on its thread */

static void set_status(struct execution *x, const char *status)
{
    snprintf(x->status, sizeof(x->status), "%s", status);
}

static void on_running(void *arg)
{
    struct execution *x = arg;

    pthread_mutex_lock(&x->sim->lock);
    set_status(x, "Running");
    pthread_mutex_unlock(&x->sim->lock);
}

static void on_line(void *arg, const char *container, bool is_stderr, const char *text, size_t n)
{
    struct execution *x = arg;
    char replica[128];

    snprintf(replica, sizeof(replica), "%s-rp001", x->name);
    pthread_mutex_lock(&x->sim->lock);
    sim_log_add(x->sim, SIM_TABLE_CONSOLE, x->job->name, replica, container, "",
                is_stderr ? "stderr" : "stdout", text, n);
    pthread_mutex_unlock(&x->sim->lock);
}

static void on_end(void *arg, bool ok, int code, bool stopped, const char *reason)
{
    struct execution *x = arg;
    struct sim *s = x->sim;
    struct gone *g = skl_new0(struct gone);
    char text[600];

    pthread_mutex_lock(&s->lock);
    set_status(x, stopped ? "Stopped" : ok && code == 0 ? "Succeeded" : "Failed");
    x->ended = true;
    x->has_code = ok;
    x->code = code;
    x->end_ns = skl_wall_ns();
    if (ok)
        snprintf(text, sizeof(text),
                 "Container 'main' was terminated with exit code '%d' and reason '%s'", code,
                 code ? "Error" : "Completed");
    else
        snprintf(text, sizeof(text), "%s", reason);
    if (!ok || code != 0)
        sim_log_add(s, SIM_TABLE_SYSTEM, x->job->name, x->name, "main", "",
                    ok ? "ContainerTerminated" : "Failed", text, strlen(text));
    g->workload = skl_take(&x->workload);
    skl_list_push(&s->finished, &g->in_sim);
    pthread_mutex_unlock(&s->lock);
}

void sim_executions_join(struct sim *s)
{
    for (;;) {
        struct gone *g;

        pthread_mutex_lock(&s->lock);
        g = SKL_LIST_FIRST(&s->finished, struct gone, in_sim);
        if (g)
            skl_list_remove(&g->in_sim);
        pthread_mutex_unlock(&s->lock);
        if (!g)
            return;
        sim_workload_join(g->workload);
        free(g);
    }
}

/* -- from the template to a workload */

/* $(NAME) is replaced where NAME is defined, $$( is $(; as Kubernetes does. */
static char *expand(const char *text, char *const *env)
{
    struct skl_buf b;

    skl_buf_init(&b, 8 * SKL_MIB);
    while (*text) {
        const char *end = text[0] == '$' && text[1] == '(' ? strchr(text, ')') : NULL;
        bool found = false;

        if (text[0] == '$' && text[1] == '$' && text[2] == '(') {
            skl_buf_adds(&b, "$(");
            text += 3;
            continue;
        }
        for (char *const *e = env; end && e && *e && !found; e++) {
            size_t n = (size_t)(end - text - 2);

            if (strncmp(*e, text + 2, n) == 0 && (*e)[n] == '=') {
                skl_buf_adds(&b, *e + n + 1);
                text = end + 1;
                found = true;
            }
        }
        if (!found)
            skl_buf_addc(&b, *text++);
    }
    return skl_buf_detach(&b);
}

static void push_env(char ***env, const char *name, const char *value)
{
    struct skl_buf b;
    char *text;

    skl_buf_init(&b, 8 * SKL_MIB);
    skl_buf_addf(&b, "%s=%s", name, value);
    text = skl_buf_detach(&b);
    skl_strv_push(env, text);
    free(text);
}

static const char *secret_value(const cJSON *secrets, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, secrets) if (skl_streq(skl_json_get_str(item, "name"),
                                                    name)) return skl_json_get_str(item, "value");
    return NULL;
}

static char **expand_all(char **own_v, char *const *env)
{
    for (char **p = own_v; p && *p; p++) {
        char *text = expand(*p, env);

        free(*p);
        *p = text;
    }
    return own_v;
}

static void fill_container(const struct execution *x, const cJSON *json, const cJSON *secrets,
                           struct sim_container *c)
{
    const char *memory = skl_json_get_str(skl_json_get(json, "resources"), "memory");
    const cJSON *item;

    push_env(&c->env, "CONTAINER_APP_JOB_NAME", x->job->name);
    push_env(&c->env, "CONTAINER_APP_JOB_EXECUTION_NAME", x->name);
    push_env(&c->env, "CONTAINER_APP_REPLICA_NAME", x->name);
    /* All workloads share this machine's network: one that listens is told which address is its own. */
    push_env(&c->env, "SOCKERLESS_AGENT_BIND", x->address);
    cJSON_ArrayForEach(item, skl_json_get(json, "env"))
    {
        const char *ref = skl_json_get_str(item, "secretRef");
        const char *value = ref ? secret_value(secrets, ref) : skl_json_get_str(item, "value");
        char *expanded SKL_AUTO_STR = expand(value ? value : "", c->env);

        push_env(&c->env, skl_json_get_str(item, "name"), expanded);
    }
    c->name = skl_strdup(skl_json_get_str(json, "name"));
    c->image = skl_strdup(skl_json_get_str(json, "image"));
    c->command = expand_all(skl_json_get_strv(json, "command"), c->env);
    if (c->command && !c->command[0]) {
        skl_strv_free(c->command);
        c->command = NULL;
    }
    c->args = expand_all(skl_json_get_strv(json, "args"), c->env);
    /* "0.5Gi", validated; a container that says nothing has 0.5 GiB. */
    c->memory_bytes = memory ? (int64_t)(strtod(memory, NULL) * (1 << 30)) : 1 << 29;
    cJSON_ArrayForEach(item, skl_json_get(json, "volumeMounts"))
    {
        if (c->n_mounts == SIM_MAX_MOUNTS)
            break;
        c->mounts[c->n_mounts++] =
            (struct sim_mount){skl_strdup(skl_json_get_str(item, "volumeName")),
                               skl_strdup(skl_json_get_str(item, "mountPath"))};
    }
}

static struct sim_workload_spec make_spec(const struct execution *x)
{
    const cJSON *properties = skl_json_get(x->job->body, "properties");
    const cJSON *configuration = skl_json_get(properties, "configuration");
    const cJSON *secrets = skl_json_get(configuration, "secrets");
    const cJSON *init = skl_json_get(x->template, "initContainers");
    const cJSON *item;
    struct sim_workload_spec spec = {
        .name = skl_strdup(x->name),
        .address = skl_strdup(x->address),
        .timeout_ms = skl_json_get_int(configuration, "replicaTimeout", 1800) * 1000,
    };

    spec.init = skl_new0_n(struct sim_container, (size_t)cJSON_GetArraySize(init));
    cJSON_ArrayForEach(item, init) fill_container(x, item, secrets, &spec.init[spec.n_init++]);
    fill_container(x, cJSON_GetArrayItem(skl_json_get(x->template, "containers"), 0), secrets,
                   &spec.main);
    cJSON_ArrayForEach(item, skl_json_get(x->template, "volumes"))
        skl_strv_push(&spec.volumes, skl_json_get_str(item, "name"));
    return spec;
}

static void pick_name(const struct job *j, char out[80])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    uint8_t dice[7];
    char suffix[8] = "";

    skl_random(dice, sizeof(dice));
    for (size_t i = 0; i < 7; i++)
        suffix[i] = letters[dice[i] % 36];
    snprintf(out, 80, "%.60s-%s", j->name, suffix);
}

/* -- the calls */

static const cJSON *wanted_template(const struct sim_request *r, const struct job *j, cJSON **body,
                                    struct sim_answer *a)
{
    const cJSON *properties = skl_json_get(j->body, "properties");

    *body = NULL;
    if (r->body.n == 0)
        return skl_json_get(properties, "template");
    if (skl_json_parse(r->body, body, NULL) < 0 || skl_json_get(*body, "template") ||
        (cJSON_GetArraySize(*body) > 0 && !skl_json_get(*body, "containers"))) {
        sim_arm_error(a, 400, "InvalidRequestContent",
                      "The body of a start is a job execution template: {\"containers\": [...]}.");
        return NULL;
    }
    if (cJSON_GetArraySize(*body) == 0)
        return skl_json_get(properties, "template");
    return sim_template_validate(
               *body, skl_json_get(skl_json_get(properties, "configuration"), "secrets"), false, a)
               ? *body
               : NULL;
}

void sim_job_start(struct sim *s, const struct sim_request *r, struct job *j, struct sim_answer *a)
{
    static const struct sim_workload_events events = {on_running, on_line, on_end};
    struct sim_workload_spec spec;
    const cJSON *template;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct execution *x;
    uint8_t dice[3];
    cJSON *body;

    if (sim_now_ms() < j->ready_ms) {
        sim_arm_error(a, 409, "ContainerAppOperationInProgress",
                      "Job '%s' cannot be started: its provisioning has not succeeded.", j->name);
        return;
    }
    template = wanted_template(r, j, &body, a);
    if (!template) {
        cJSON_Delete(body);
        return;
    }
    x = skl_new0(struct execution);
    x->sim = s;
    x->job = j;
    x->template = cJSON_Duplicate(template, 1);
    cJSON_Delete(body);
    pick_name(j, x->name);
    skl_random(dice, sizeof(dice));
    snprintf(x->address, sizeof(x->address), "127.%u.%u.%u", 1 + dice[0] % 250, dice[1],
             1 + dice[2] % 250);
    set_status(x, "Processing");
    x->start_ns = skl_wall_ns();
    skl_list_push_front(&j->executions, &x->in_job);
    spec = make_spec(x);
    x->workload = sim_workload_start(s->runtime, &spec, &events, x);
    skl_buf_init(&b, 4 * SKL_KIB);
    skl_buf_addf(&b, "{\"name\":\"%s\",\"id\":\"%s/executions/%s\"}", x->name, j->id, x->name);
    sim_text(a, 200, b.p);
}

void sim_execution_stop(struct execution *x)
{
    if (!x->ended && x->workload)
        sim_workload_stop(x->workload);
}

struct execution *sim_execution_by_name(struct sim *s, const char *name)
{
    struct job *j;
    size_t i = 0;

    while ((j = skl_map_next(&s->jobs, &i, NULL))) {
        struct skl_list *it;

        skl_list_foreach (it, &j->executions) {
            struct execution *x = SKL_LIST_ENTRY(it, struct execution, in_job);

            if (strcmp(x->name, name) == 0)
                return x;
        }
    }
    return NULL;
}

static void add_detail(cJSON *properties, const struct execution *x)
{
    cJSON *replicas =
        cJSON_AddArrayToObject(cJSON_AddObjectToObject(properties, "detailedStatus"), "replicas");
    cJSON *replica = cJSON_CreateObject();
    cJSON *container = cJSON_CreateObject();

    cJSON_AddItemToArray(replicas, replica);
    cJSON_AddStringToObject(replica, "name", x->name);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(replica, "containers"), container);
    cJSON_AddStringToObject(container, "name", "main");
    cJSON_AddStringToObject(container, "status", x->ended ? "Terminated" : "Running");
    if (x->has_code)
        cJSON_AddNumberToObject(container, "code", x->code);
}

cJSON *sim_execution_json(const struct execution *x, bool with_detail)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *properties = cJSON_AddObjectToObject(json, "properties");
    char text[SKL_TIME_LEN];
    struct skl_buf id;

    skl_buf_init(&id, 4 * SKL_KIB);
    skl_buf_addf(&id, "%s/executions/%s", x->job->id, x->name);
    cJSON_AddStringToObject(json, "id", id.p);
    skl_buf_fini(&id);
    cJSON_AddStringToObject(json, "name", x->name);
    cJSON_AddStringToObject(json, "type", "Microsoft.App/jobs/executions");
    cJSON_AddStringToObject(properties, "status", x->status);
    cJSON_AddStringToObject(properties, "startTime", skl_time_format(x->start_ns, text));
    if (x->ended)
        cJSON_AddStringToObject(properties, "endTime", skl_time_format(x->end_ns, text));
    cJSON_AddItemToObject(properties, "template", cJSON_Duplicate(x->template, 1));
    if (with_detail)
        add_detail(properties, x);
    return json;
}

static struct execution *find(struct job *j, const char *name)
{
    struct skl_list *it;

    skl_list_foreach (it, &j->executions) {
        struct execution *x = SKL_LIST_ENTRY(it, struct execution, in_job);

        if (skl_streq(x->name, name))
            return x;
    }
    return NULL;
}

void sim_executions(struct sim *s, const struct sim_request *r, struct job *j, char **parts,
                    struct sim_answer *a)
{
    char *version SKL_AUTO_STR = sim_query(r, "api-version");
    bool detail = skl_streq(version, "2024-02-02-preview");
    struct execution *x = parts[2] ? find(j, parts[2]) : NULL;
    cJSON *json;

    if (parts[2] && !x) {
        sim_arm_error(a, 404, "ResourceNotFound", "The execution '%s' was not found.", parts[2]);
        return;
    }
    if (x && skl_streq(r->method, "POST")) { /* executions/X/stop, and the CLI's stop/X */
        sim_execution_stop(x);
        a->status = 200;
        return;
    }
    if (x) {
        json = sim_execution_json(x, detail);
    } else {
        struct skl_list *it;
        cJSON *value;

        json = cJSON_CreateObject();
        value = cJSON_AddArrayToObject(json, "value");
        skl_list_foreach (it, &j->executions)
            cJSON_AddItemToArray(
                value, sim_execution_json(SKL_LIST_ENTRY(it, struct execution, in_job), detail));
    }
    sim_json(a, 200, json);
    cJSON_Delete(json);
}

/* -- played by somebody else */

static void add_taken(void *arg, const char *name, char *const *env)
{
    cJSON *item = cJSON_CreateObject(), *array;

    cJSON_AddStringToObject(item, "name", name);
    array = cJSON_AddArrayToObject(item, "env");
    for (; env && *env; env++)
        cJSON_AddItemToArray(array, cJSON_CreateString(*env));
    cJSON_AddItemToArray(arg, item);
}

void sim_executions_take(struct sim *s, struct sim_answer *a)
{
    cJSON *list = cJSON_CreateArray();

    (void)sim_workload_take(s->runtime, MAX_TAKEN, add_taken, list);
    sim_json(a, 200, list);
    cJSON_Delete(list);
}

void sim_execution_finish(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *name SKL_AUTO_STR = sim_query(r, "name");
    char *code SKL_AUTO_STR = sim_query(r, "code");
    uint64_t number = 0;

    if (!name || !skl_str_u64(skl_str(code), &number) || number > 255)
        sim_arm_error(a, 400, "BadRequest", "name and code are required.");
    else if (!sim_workload_finish(s->runtime, name, (int)number))
        sim_arm_error(a, 404, "NotFound", "No execution of that name is played.");
    else
        a->status = 200;
}
