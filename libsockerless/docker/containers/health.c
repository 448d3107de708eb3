/* Health checks, by a Docker Engine's rules.
 *
 * A run begins as `starting`. A probe runs one interval after the start or after the probe before it: an exec with
 * the container's own user, directory and environment. Exit code 0 makes `healthy` at once; as many failures in a
 * row as `Retries` make `unhealthy`; failures of a container that is still `starting` within its start period
 * do not count. A probe that is slower than the timeout is killed and counts as failed when it is gone, so that
 * dying probes never pile up.
 *
 * Beginning and end follow the container's transitions, not the callers of start and stop: every way of ending
 * passes there. A probe whose agent was lost says nothing about the container, and is not counted.
 */
#include "docker/containers/health.h"

#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/log.h"
#include "base/map.h"
#include "docker/api/render.h"
#include "store/exec.h"

#define DEFAULT_INTERVAL_NS (30 * SKL_NS_PER_S)
#define DEFAULT_TIMEOUT_NS  (30 * SKL_NS_PER_S)
#define DEFAULT_RETRIES     3
#define ESCAPED_BYTE        6 /* a control character in JSON text */

struct probe {
    struct skl_engine *e;
    struct monitor *m; /* NULL: nobody wants the result */
    struct skl_agent_exec *process;
    char exec_id[65];
    int64_t begun_ns;
    int64_t begun_ms; /* skl_mono_ms() */
    struct skl_buf output;
    bool truncated, timed_out;
};

struct monitor {
    struct skl_health_monitors *h;
    struct skl_container *c;
    char **argv;
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
    int64_t started_ms; /* skl_mono_ms() */
    unsigned retries;
    struct skl_timer *next, *deadline;
    struct probe *probe; /* under way */
};

struct skl_health_monitors {
    struct skl_engine *e;
    struct skl_map by_id;
};

/* -- the check as it was configured */

static const char *test_kind(const cJSON *test)
{
    return cJSON_GetStringValue(cJSON_GetArrayItem(test, 0));
}

bool skl_health_is_asked(const cJSON *config)
{
    const char *kind = test_kind(skl_json_get(skl_json_get(config, "Healthcheck"), "Test"));

    return skl_streq(kind, "CMD") || skl_streq(kind, "CMD-SHELL");
}

static void push_words(char ***v, const cJSON *array, size_t skip)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, array)
    {
        if (skip > 0)
            skip--;
        else if (cJSON_IsString(item))
            skl_strv_push(v, item->valuestring);
    }
}

static char **test_argv(const cJSON *config)
{
    const cJSON *test = skl_json_get(skl_json_get(config, "Healthcheck"), "Test");
    const cJSON *shell = skl_json_get(config, "Shell");
    char **argv = NULL;

    if (skl_streq(test_kind(test), "CMD-SHELL")) {
        push_words(&argv, shell, 0);
        if (!argv) {
            skl_strv_push(&argv, "/bin/sh");
            skl_strv_push(&argv, "-c");
        }
    }
    push_words(&argv, test, 1);
    return argv;
}

static int64_t duration(const cJSON *check, const char *name, int64_t dflt)
{
    int64_t ns = skl_json_get_int(check, name, 0);

    return ns > 0 ? ns : dflt;
}

static void read_check(struct monitor *m, const cJSON *config)
{
    const cJSON *check = skl_json_get(config, "Healthcheck");
    int64_t retries = skl_json_get_int(check, "Retries", 0);

    m->argv = test_argv(config);
    m->interval_ns = duration(check, "Interval", DEFAULT_INTERVAL_NS);
    m->timeout_ns = duration(check, "Timeout", DEFAULT_TIMEOUT_NS);
    m->start_period_ns = duration(check, "StartPeriod", 0);
    m->start_interval_ns = duration(check, "StartInterval", m->interval_ns);
    m->retries = retries > 0 && retries <= INT32_MAX ? (unsigned)retries : DEFAULT_RETRIES;
}

void skl_health_duration(struct skl_buf *b, int64_t ns)
{
    const int64_t unit = ns < SKL_NS_PER_S ? SKL_NS_PER_MS : SKL_NS_PER_S;
    int64_t minutes = ns / SKL_NS_PER_S / 60, rest = ns - minutes * 60 * SKL_NS_PER_S;
    int64_t fraction = rest % unit;
    char digits[16];
    size_t n;

    if (minutes >= 60)
        skl_buf_addf(b, "%lldh", (long long)(minutes / 60));
    if (minutes > 0)
        skl_buf_addf(b, "%lldm", (long long)(minutes % 60));
    skl_buf_addf(b, "%lld", (long long)(rest / unit));
    if (fraction > 0) {
        snprintf(digits, sizeof(digits), "%0*lld", unit == SKL_NS_PER_S ? 9 : 6,
                 (long long)fraction);
        for (n = strlen(digits); n > 0 && digits[n - 1] == '0'; n--)
            digits[n - 1] = '\0';
        skl_buf_addf(b, ".%s", digits);
    }
    skl_buf_adds(b, unit == SKL_NS_PER_S ? "s" : "ms");
}

/* -- results */

static void set_health(struct monitor *m, enum skl_health health, unsigned streak, const char *log)
{
    struct skl_error err;

    if (skl_container_set_health(m->h->e->store, m->c, health, streak, log, &err) < 0)
        skl_err("health", "a probe's result could not be recorded", "container", m->c->id, "error",
                err.msg, NULL);
}

/* The log with this result behind the newest of the others. */
static char *log_with(const struct skl_container *c, int64_t begun_ns, int code, const char *output)
{
    SKL_AUTO_JSON cJSON *log = NULL, *entry = NULL;
    SKL_AUTO_BUF struct skl_buf text = {0};
    struct skl_json j;

    if (!c->health_log_json || skl_json_parse(skl_str(c->health_log_json), &log, NULL) < 0 ||
        !cJSON_IsArray(log)) {
        cJSON_Delete(log);
        log = cJSON_CreateArray();
    }
    while (cJSON_GetArraySize(log) >= SKL_HEALTH_RESULTS)
        cJSON_DeleteItemFromArray(log, 0);
    skl_buf_init(&text, ESCAPED_BYTE * (SKL_HEALTH_OUTPUT + 512));
    skl_json_init(&j, &text);
    skl_json_object(&j, NULL);
    skl_json_time(&j, "Start", begun_ns);
    skl_json_time(&j, "End", skl_wall_ns());
    skl_json_int(&j, "ExitCode", code);
    skl_json_str(&j, "Output", output);
    skl_json_end_object(&j);
    if (skl_json_parse(skl_buf_str(&text), &entry, NULL) == 0) {
        cJSON_AddItemToArray(log, entry);
        entry = NULL;
    }
    return skl_render_text(log);
}

static void take_result(struct monitor *m, const struct probe *p, int code, const char *output)
{
    struct skl_container *c = m->c;
    SKL_AUTO_STR char *log = log_with(c, p->begun_ns, code, output);
    enum skl_health health = c->health;
    unsigned streak = c->health_streak;

    if (code == 0) {
        health = SKL_HEALTH_HEALTHY;
        streak = 0;
    } else if (health != SKL_HEALTH_STARTING ||
               p->begun_ms - m->started_ms >= m->start_period_ns / SKL_NS_PER_MS) {
        streak++;
        if (streak >= m->retries)
            health = SKL_HEALTH_UNHEALTHY;
    }
    set_health(m, health, streak, log);
}

/* -- probes */

static void probe_now(void *arg);

static void arm(struct monitor *m)
{
    const bool in_start = m->c->health == SKL_HEALTH_STARTING &&
                          skl_mono_ms() - m->started_ms < m->start_period_ns / SKL_NS_PER_MS;
    int64_t ns = in_start ? m->start_interval_ns : m->interval_ns;

    skl_timer_cancel(&m->next);
    m->next =
        skl_timer_start(m->h->e->loop, (ns + SKL_NS_PER_MS - 1) / SKL_NS_PER_MS, probe_now, m);
}

static void on_started(void *arg, int pid)
{
    struct probe *p = arg;
    struct skl_exec *x = skl_exec_find(p->e->store, p->exec_id);

    if (x)
        skl_exec_set_pid(p->e->store, x, pid);
}

static void on_output(void *arg, bool is_stderr, struct skl_str data)
{
    struct probe *p = arg;
    size_t room = SKL_HEALTH_OUTPUT - p->output.n;

    skl_agent_exec_consumed(p->process, data.n);
    p->truncated |= data.n > room;
    skl_buf_add(&p->output, data.p, data.n < room ? data.n : room);
}

static void on_stdin_credit(void *arg)
{
}

static void probe_free(struct probe *p)
{
    skl_buf_fini(&p->output);
    free(p);
}

static void report(struct monitor *m, struct probe *p, int code, const struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf text = {0};

    skl_buf_init(&text, SKL_HEALTH_OUTPUT + 2048);
    if (p->timed_out) {
        code = -1;
        skl_buf_adds(&text, "Health check exceeded timeout (");
        skl_health_duration(&text, m->timeout_ns);
        skl_buf_adds(&text, p->output.n > 0 ? "): " : ")");
        skl_buf_addstr(&text, skl_buf_str(&p->output));
    } else if (err) {
        code = -1;
        skl_buf_addf(&text,
                     "OCI runtime exec failed: exec failed: unable to start container process: "
                     "%s: unknown",
                     err->msg);
    } else {
        skl_buf_addstr(&text, skl_buf_str(&p->output));
    }
    if (p->truncated)
        skl_buf_adds(&text, "...");
    take_result(m, p, code, text.n > 0 ? text.p : "");
}

static void on_end(void *arg, int code, const struct skl_error *err)
{
    struct probe *p = arg;
    struct monitor *m = p->m;
    struct skl_exec *x = skl_exec_find(p->e->store, p->exec_id);
    /* Without a code its session ended: that says nothing about the container. */
    bool known = code >= 0 || p->timed_out;
    struct skl_error failed;

    if (x && skl_exec_ended(p->e->store, x, code < 0 ? 137 : code, &failed) < 0)
        skl_warn("health", "the end of a probe could not be recorded", "error", failed.msg, NULL);
    if (m) {
        skl_timer_cancel(&m->deadline);
        m->probe = NULL;
        if (known)
            report(m, p, code, err);
        arm(m);
    }
    probe_free(p);
}

static void too_slow(void *arg)
{
    struct monitor *m = arg;

    m->deadline = NULL;
    m->probe->timed_out = true;
    skl_agent_exec_signal(m->probe->process, SIGKILL);
}

static int record(struct monitor *m, struct probe *p, struct skl_error *err)
{
    struct skl_store *s = m->h->e->store;
    struct skl_exec *x = skl_exec_new();
    int rc;

    snprintf(x->container_id, sizeof(x->container_id), "%s", m->c->id);
    x->argv = skl_strv_dup(m->argv);
    x->user = skl_strdup(m->c->spec.user);
    x->cwd = skl_strdup(m->c->spec.cwd);
    x->attach_stdout = x->attach_stderr = true;
    x->is_probe = true;
    snprintf(p->exec_id, sizeof(p->exec_id), "%s", x->id);
    rc = skl_exec_add(s, x, err);
    return rc < 0 ? rc : skl_exec_started(s, x, err);
}

static int run(struct monitor *m, struct probe *p, struct skl_error *err)
{
    static const struct skl_agent_exec_events events = {on_started, on_output, on_stdin_credit,
                                                        on_end};
    const struct skl_container_spec *spec = &m->c->spec;
    const struct skl_process_spec process = {
        .argv = m->argv,
        .env = spec->env,
        .cwd = spec->cwd,
        .user = spec->user,
        .privileged = spec->privileged,
        .group_add = spec->group_add,
    };
    int rc = record(m, p, err);

    if (rc < 0)
        return rc;
    return skl_driver_exec(skl_workload_of(m->h->e->runtime, m->c), &process, &events, p,
                           &p->process, err);
}

static void probe_now(void *arg)
{
    struct monitor *m = arg;
    struct skl_engine *e = m->h->e;
    struct skl_session *session = skl_workload_session(skl_workload_of(e->runtime, m->c));
    struct skl_error err;
    struct probe *p;

    m->next = NULL;
    if (!session || !skl_session_is_up(session)) {
        arm(m); /* it is expected back; nothing can be known until then */
        return;
    }
    p = skl_new0(struct probe);
    p->e = e;
    p->begun_ns = skl_wall_ns();
    p->begun_ms = skl_mono_ms();
    skl_buf_init(&p->output, SKL_HEALTH_OUTPUT + 1);
    if (run(m, p, &err) < 0) {
        struct skl_exec *x = skl_exec_find(e->store, p->exec_id);

        skl_warn("health", "a probe could not be run", "container", m->c->id, "error", err.msg,
                 NULL);
        if (x && x->started)
            (void)skl_exec_ended(e->store, x, 126, &err); /* a probe's record is not written */
        probe_free(p);
        arm(m);
        return;
    }
    p->m = m;
    m->probe = p;
    m->deadline =
        skl_timer_start(e->loop, (m->timeout_ns + SKL_NS_PER_MS - 1) / SKL_NS_PER_MS, too_slow, m);
}

/* -- monitors */

static void monitor_end(struct monitor *m)
{
    skl_map_remove(&m->h->by_id, skl_str(m->c->id));
    skl_timer_cancel(&m->next);
    skl_timer_cancel(&m->deadline);
    if (m->probe) {
        m->probe->m = NULL;
        skl_agent_exec_signal(m->probe->process, SIGKILL);
        skl_agent_exec_abandon(m->probe->process);
    }
    skl_strv_free(m->argv);
    free(m);
}

static bool has_agent(struct skl_engine *e, struct skl_container *c)
{
    return skl_workload_session(skl_workload_of(e->runtime, c)) ||
           e->backend->has_agent(e->backend_ctx, &c->spec, NULL);
}

static void monitor_begin(struct skl_health_monitors *h, struct skl_container *c,
                          int64_t started_ms)
{
    SKL_AUTO_JSON cJSON *config = NULL;
    struct monitor *m;

    /* Parsed for those only that have a check at all: starts are many. */
    if (!strstr(c->spec.config_json, "\"Healthcheck\"") ||
        skl_json_parse(skl_str(c->spec.config_json), &config, NULL) < 0 ||
        !skl_health_is_asked(config))
        return;
    m = skl_new0(struct monitor);
    m->h = h;
    m->c = c;
    m->started_ms = started_ms;
    read_check(m, config);
    skl_map_set(&h->by_id, skl_str(c->id), m);
    if (!has_agent(h->e, c)) {
        skl_warn("health", "this run has no agent: its health check is not run", "container", c->id,
                 NULL);
        if (c->health != SKL_HEALTH_NONE)
            set_health(m, SKL_HEALTH_NONE, 0, c->health_log_json);
        monitor_end(m);
        return;
    }
    if (c->health == SKL_HEALTH_NONE)
        set_health(m, SKL_HEALTH_STARTING, 0, c->health_log_json);
    arm(m);
}

static void observe(void *arg, struct skl_container *c, enum skl_container_state from,
                    enum skl_container_state to)
{
    struct skl_health_monitors *h = arg;
    struct monitor *m = skl_map_getz(&h->by_id, c->id);

    if (m && to != SKL_CONTAINER_RUNNING)
        monitor_end(m);
    else if (!m && to == SKL_CONTAINER_RUNNING)
        monitor_begin(h, c, skl_mono_ms());
}

struct skl_health_monitors *skl_health_new(struct skl_engine *e)
{
    struct skl_health_monitors *h = skl_new0(struct skl_health_monitors);
    struct skl_list *it;

    h->e = e;
    skl_map_init(&h->by_id);
    skl_store_observe_containers(e->store, observe, h);
    skl_list_foreach (it, skl_container_all(e->store)) {
        struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

        if (c->state == SKL_CONTAINER_RUNNING)
            monitor_begin(h, c, skl_mono_of_wall(c->started_ns));
    }
    return h;
}

void skl_health_close(struct skl_health_monitors *h)
{
    struct monitor *m;
    size_t i = 0;

    skl_store_unobserve_containers(h->e->store, observe, h);
    while ((m = skl_map_next(&h->by_id, &i, NULL)))
        monitor_end(m);
}

void skl_health_free(struct skl_health_monitors *h)
{
    skl_map_fini(&h->by_id);
    free(h);
}
