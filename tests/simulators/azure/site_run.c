/* The life of a site's container: started with the site, pinged, started again whenever it ends, stopped with it.
 *
 * One thread per site does what the site's record wants; whoever changes the record wakes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"
#include "web.h"

#define STOP_GRACE_MS    5000
#define BACKOFF_FIRST_MS 200
#define BACKOFF_MAX_MS   10000
#define START_LIMIT_S    230
#define PING_MS          100

/* -- events of the container, on its threads */

static void on_ready(void *arg)
{
    struct site *x = arg;

    pthread_mutex_lock(&x->sim->lock);
    x->answers_pings = true;
    pthread_mutex_unlock(&x->sim->lock);
}

static void on_line(void *arg, const char *container SKL_UNUSED, bool is_stderr, const char *text,
                    size_t n)
{
    struct site *x = arg;
    struct skl_buf *b = &x->output;
    char now[SKL_TIME_LEN];

    pthread_mutex_lock(&x->sim->lock);
    if (b->n + n + 64 > 32 * SKL_KIB)
        skl_buf_reset(b); /* the tail alone is kept */
    if (n < 16 * SKL_KIB) {
        skl_buf_addf(b, "%s ", skl_time_format(skl_wall_ns(), now));
        skl_buf_add(b, text, n);
        skl_buf_addc(b, '\n');
    }
    if (sim_site_setting(x, "APPLICATIONINSIGHTS_CONNECTION_STRING"))
        sim_log_add(x->sim, SIM_TABLE_TRACES, x->name, x->address, "main", "",
                    is_stderr ? "stderr" : "stdout", text, n);
    pthread_mutex_unlock(&x->sim->lock);
}

static void on_end(void *arg, enum sim_service_end how, const char *container SKL_UNUSED, int code,
                   const char *reason)
{
    struct site *x = arg;
    char text[600];

    pthread_mutex_lock(&x->sim->lock);
    x->ended = true;
    x->answers_pings = false;
    snprintf(text, sizeof(text), "%s",
             how == SIM_NO_START    ? reason
             : how == SIM_NOT_READY ? "Container didn't respond to HTTP pings"
                                    : "Container ended");
    skl_buf_addf(&x->output, "Site %s: %s (exit code %d)\n", x->name, text, code);
    skl_debug("sim", "site", "name", x->name, "what", text, "log", x->output.p, NULL);
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->sim->lock);
}

/* -- from the site to a container */

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

int sim_site_port(const struct site *x)
{
    const char *port = sim_site_setting(x, "WEBSITES_PORT");

    return port ? (int)strtol(port, NULL, 10) : 80;
}

static void add_mounts(struct site *x, const cJSON *config, struct sim_container *c)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(config, "azureStorageAccounts"))
    {
        char *dir =
            sim_share_dir(x->sim, skl_json_get_str(item, "accountName"),
                          skl_json_get_str(item, "shareName"), skl_json_get_str(item, "accessKey"));

        if (dir)
            c->mounts[c->n_mounts++] = (struct sim_mount){
                .path = skl_strdup(skl_json_get_str(item, "mountPath")), .source = dir};
        else
            skl_buf_addf(&x->output, "Mount of %s: InvalidCredentials\n", item->string);
    }
}

static void fill_container(struct site *x, struct sim_container *c)
{
    const cJSON *config = skl_json_get(skl_json_get(x->body, "properties"), "siteConfig");
    struct skl_str words = skl_str(skl_json_get_str(config, "appCommandLine"));
    const cJSON *item;

    c->name = skl_strdup("main");
    c->image = skl_strdup(skl_json_get_str(config, "linuxFxVersion") + strlen("DOCKER|"));
    push_env(&c->env, "WEBSITE_SITE_NAME", x->name);
    push_env(&c->env, "WEBSITE_INSTANCE_ID", x->address);
    /* Containers share this machine's network: each is told which address is its own. */
    push_env(&c->env, "SOCKERLESS_AGENT_BIND", x->address);
    cJSON_ArrayForEach(item, skl_json_get(config, "appSettings"))
    {
        const char *name = skl_json_get_str(item, "name");

        if (!skl_streq(name, "WEBSITES_PORT") &&
            !skl_str_starts(skl_str(name), "DOCKER_REGISTRY_SERVER_"))
            push_env(&c->env, name, skl_json_get_str(item, "value"));
    }
    while (words.n > 0) {
        struct skl_str word = skl_str_cut(words, ' ', &words);
        char *text SKL_AUTO_STR = skl_str_dup(word);

        if (word.n > 0)
            skl_strv_push(&c->args, text);
    }
    add_mounts(x, config, c);
}

static struct sim_service_spec make_spec(struct site *x)
{
    const char *limit = sim_site_setting(x, "WEBSITES_CONTAINER_START_TIME_LIMIT");
    int64_t limit_s = limit ? strtol(limit, NULL, 10) : START_LIMIT_S;
    struct sim_service_spec spec = {.n = 1, .members = skl_new0(struct sim_member)};
    struct skl_buf name;

    skl_buf_init(&name, SKL_KIB);
    skl_buf_addf(&name, "%s-%s-%u", x->name, x->address, x->generation);
    spec.name = skl_buf_detach(&name);
    spec.stop_grace_ms = STOP_GRACE_MS;
    fill_container(x, &spec.members[0].container);
    spec.members[0].startup = (struct sim_probe){
        .kind = SIM_PROBE_ANY_HTTP,
        .address = skl_strdup(x->address),
        .port = sim_site_port(x),
        .path = skl_strdup("/robots933456.txt"),
        .period_ms = PING_MS,
        .timeout_ms = 1000,
        .threshold = (int)(limit_s > 0 ? limit_s : START_LIMIT_S),
    };
    return spec;
}

/* -- the controlling thread; holds the lock but while it waits */

static void wait_for(struct site *x, int64_t ms)
{
    struct timespec until;

    if (ms < 0) {
        pthread_cond_wait(&x->changed, &x->sim->lock);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * SKL_NS_PER_MS;
    if (until.tv_nsec >= SKL_NS_PER_S) {
        until.tv_nsec -= SKL_NS_PER_S;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&x->changed, &x->sim->lock, &until);
}

static bool is_due(const struct site *x, unsigned generation)
{
    return x->wanted && !x->deleted && x->generation == generation;
}

/* One life of the container. */
static void run_once(struct site *x, unsigned generation)
{
    static const struct sim_service_events events = {on_ready, on_line, on_end};
    struct sim_service_spec spec = make_spec(x);
    bool stopping = false;

    x->ended = false;
    x->service = sim_service_start(x->sim->runtime, &spec, &events, x);
    while (!x->ended) {
        if (!is_due(x, generation) && !stopping) {
            stopping = true;
            x->answers_pings = false;
            sim_service_stop(x->service);
        }
        wait_for(x, -1);
    }
    pthread_mutex_unlock(&x->sim->lock);
    sim_service_join(x->service);
    pthread_mutex_lock(&x->sim->lock);
    x->service = NULL;
}

static void site_free(struct site *x)
{
    skl_list_remove(&x->in_sim);
    cJSON_Delete(x->body);
    skl_buf_fini(&x->output);
    pthread_cond_destroy(&x->changed);
    free(x->name);
    free(x->key);
    free(x->id);
    free(x);
}

static void *control(void *arg)
{
    struct site *x = arg;
    struct sim *s = x->sim;
    int64_t backoff_ms = BACKOFF_FIRST_MS;

    pthread_mutex_lock(&s->lock);
    while (!x->deleted) {
        unsigned generation = x->generation;

        if (!x->wanted) {
            wait_for(x, -1);
            continue;
        }
        run_once(x, generation);
        if (!is_due(x, generation)) {
            backoff_ms = BACKOFF_FIRST_MS;
            continue;
        }
        wait_for(x, backoff_ms); /* a container that ends is started again, slower each time */
        backoff_ms = backoff_ms * 2 < BACKOFF_MAX_MS ? backoff_ms * 2 : BACKOFF_MAX_MS;
    }
    site_free(x);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

void sim_site_run(struct site *x)
{
    pthread_cond_init(&x->changed, NULL);
    SKL_ASSERT(pthread_create(&x->thread, NULL, control, x) == 0);
    pthread_detach(x->thread);
}

void sim_site_wake(struct site *x)
{
    pthread_cond_broadcast(&x->changed);
}
