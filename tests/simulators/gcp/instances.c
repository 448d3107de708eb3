/* Instances: one set of containers of a revision. They start for a rollout, for a request or as a minimum, and end when
 * they were idle for long, when their revision is not served any more, or by themselves.
 *
 * Events come on the instance's own threads and take the lock. An instance that has ended is joined and freed by the
 * housekeeper, never by an event. */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

#define MAX_BACKOFF_MS 60000

void gcp_await_change(struct sim *s, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * SKL_NS_PER_MS;
    if (until.tv_nsec >= SKL_NS_PER_S) {
        until.tv_nsec -= SKL_NS_PER_S;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

static void say(struct instance *x, const char *text)
{
    gcp_log(x->revision->sim, x->revision, x->id, "varlog%2Fsystem", text, strlen(text));
}

/* -- events */

static void on_ready(void *arg)
{
    struct instance *x = arg;
    struct revision *r = x->revision;
    struct sim *s = r->sim;
    int fd = x->declared_port ? sim_connect(x->address, x->declared_port, 100) : -1;

    if (fd >= 0)
        close(fd);
    pthread_mutex_lock(&s->lock);
    if (x->state == INSTANCE_STARTING) {
        if (fd >= 0)
            x->port = x->declared_port; /* that is where it listens */
        x->state = INSTANCE_READY;
        x->idle_since_ms = gcp_now_ms();
        r->crashes = 0;
        say(x, "Default STARTUP TCP probe succeeded after 1 attempt for container.");
        if (x->is_rollout && r->state == REVISION_DEPLOYING)
            gcp_revision_ready(r);
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void on_line(void *arg, const char *container, bool is_stderr, const char *text, size_t n)
{
    struct instance *x = arg;
    struct sim *s = x->revision->sim;

    pthread_mutex_lock(&s->lock);
    gcp_log(s, x->revision, x->id, is_stderr ? "stderr" : "stdout", text, n);
    pthread_mutex_unlock(&s->lock);
}

static void fail_rollout(struct revision *r, enum sim_service_end how, int code, const char *reason)
{
    const char *image =
        skl_json_get_str(cJSON_GetArrayItem(skl_json_get(r->template, "containers"), 0), "image");

    if (how == SIM_NO_START && strstr(reason, "pull image"))
        gcp_revision_fail(r, "CONTAINER_MISSING", "Image '%s' not found.", image);
    else if (how == SIM_NO_START)
        gcp_revision_fail(r, "HEALTH_CHECK_CONTAINER_ERROR", "Container failed to start: %s",
                          reason);
    else
        gcp_revision_fail(
            r, "HEALTH_CHECK_CONTAINER_ERROR",
            "The user-provided container failed to start and listen on the port defined provided "
            "by the PORT=%d environment variable within the allocated timeout. This can happen "
            "when the container port is misconfigured or if the timeout is too short.%s",
            gcp_declared_port(gcp_ingress_container(skl_json_get(r->template, "containers"))),
            how == SIM_ENDED ? " The container exited." : "");
}

static void on_end(void *arg, enum sim_service_end how, const char *container, int code,
                   const char *reason)
{
    struct instance *x = arg;
    struct revision *r = x->revision;
    struct sim *s = r->sim;
    char text[600];

    pthread_mutex_lock(&s->lock);
    if (how == SIM_NO_START)
        snprintf(text, sizeof(text), "%s", reason);
    else if (how == SIM_NOT_READY)
        snprintf(text, sizeof(text),
                 "Default STARTUP TCP probe failed 1 time consecutively for container \"%s\".",
                 container);
    else if (how == SIM_NOT_ALIVE)
        snprintf(text, sizeof(text), "LIVENESS probe failed for container \"%s\".", container);
    else
        snprintf(text, sizeof(text), "Container called exit(%d).", code);
    say(x, text);
    if (x->is_rollout && r->state == REVISION_DEPLOYING) {
        if (r->service->deleted || how == SIM_STOPPED)
            gcp_revision_fail(r, "PROGRESS_DEADLINE_EXCEEDED", "The rollout was ended.");
        else
            fail_rollout(r, how, code, reason);
    }
    if (x->state == INSTANCE_STARTING || how == SIM_ENDED)
        r->crashes++;
    x->state = INSTANCE_ENDED;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static const struct sim_service_events events = {on_ready, on_line, on_end};

/* -- start and stop */

static void make_address(struct instance *x)
{
    uint8_t dice[3];

    skl_random(dice, sizeof(dice));
    snprintf(x->address, sizeof(x->address), "127.%u.%u.%u", 1u + dice[0] % 250, dice[1],
             1u + dice[2] % 250);
}

struct instance *gcp_instance_start(struct revision *r, const char *why)
{
    struct instance *x = skl_new0(struct instance);
    struct sim_service_spec spec = {0};
    struct skl_error err;
    char text[200];

    x->revision = r;
    skl_random_hex(x->id, 64);
    x->start_ms = gcp_now_ms();
    make_address(x);
    x->is_rollout = r->state == REVISION_DEPLOYING;
    if (gcp_service_spec(x, &spec, &err) < 0) {
        gcp_instance_dirs_remove(x);
        sim_service_spec_fini(&spec);
        skl_strv_free(x->mounted);
        free(x);
        if (r->state == REVISION_DEPLOYING)
            gcp_revision_fail(r, "HEALTH_CHECK_CONTAINER_ERROR", "%s", err.msg);
        return NULL;
    }
    snprintf(text, sizeof(text), "Starting new instance. Reason: %s", why);
    skl_list_push(&r->instances, &x->in_revision);
    r->sim->n_instances++;
    say(x, text);
    x->service = sim_service_start(r->sim->runtime, &spec, &events, x);
    return x;
}

void gcp_instance_stop(struct instance *x)
{
    if (x->state >= INSTANCE_STOPPING)
        return;
    x->state = INSTANCE_STOPPING;
    sim_service_stop(x->service);
}

/* -- how many */

static int least(const cJSON *a, const cJSON *b, const char *key, int none)
{
    int64_t x = skl_json_get_int(a, key, 0);
    int64_t y = skl_json_get_int(b, key, 0);

    if (x <= 0 && y <= 0)
        return none;
    return (int)(x <= 0 ? y : y <= 0 ? x : x < y ? x : y);
}

static bool is_manual(const struct service *v)
{
    return skl_streq(skl_json_get_str(skl_json_get(v->json, "scaling"), "scalingMode"), "MANUAL");
}

static int manual_count(const struct service *v)
{
    return (int)skl_json_get_int(skl_json_get(v->json, "scaling"), "manualInstanceCount", 0);
}

bool gcp_is_disabled(const struct service *v)
{
    return is_manual(v) && manual_count(v) == 0;
}

int gcp_max_instances(const struct service *v)
{
    const cJSON *template = skl_json_get(v->json, "template");

    if (is_manual(v))
        return manual_count(v);
    return least(skl_json_get(v->json, "scaling"), skl_json_get(template, "scaling"),
                 "maxInstanceCount", 100);
}

int gcp_min_instances(const struct service *v)
{
    const cJSON *template = skl_json_get(v->json, "template");

    if (is_manual(v))
        return manual_count(v);
    return least(skl_json_get(v->json, "scaling"), skl_json_get(template, "scaling"),
                 "minInstanceCount", 0);
}

int gcp_live_instances(const struct revision *r)
{
    struct skl_list *it;
    int n = 0;

    skl_list_foreach (it, &r->instances)
        n += SKL_LIST_ENTRY(it, struct instance, in_revision)->state < INSTANCE_STOPPING;
    return n;
}

static bool is_at(const char *dir, char *const *mounted)
{
    size_t n = strlen(dir) - (dir[strlen(dir) - 1] == '/');

    for (; mounted && *mounted; mounted++)
        if (strncmp(*mounted, dir, n) == 0 && ((*mounted)[n] == '/' || (*mounted)[n] == '\0'))
            return true;
    return false;
}

bool gcp_is_mounted(const struct sim *s, const char *dir)
{
    struct service *v;
    size_t i = 0;

    while ((v = skl_map_next(&s->services, &i, NULL))) {
        struct skl_list *it, *it2;

        skl_list_foreach (it, &v->revisions) {
            struct revision *r = SKL_LIST_ENTRY(it, struct revision, in_service);

            skl_list_foreach (it2, &r->instances)
                if (is_at(dir, SKL_LIST_ENTRY(it2, struct instance, in_revision)->mounted))
                    return true;
        }
    }
    return false;
}

cJSON *gcp_in_flight(const struct sim *s)
{
    cJSON *json = cJSON_CreateObject();
    struct service *v;
    size_t i = 0;

    while ((v = skl_map_next(&s->services, &i, NULL))) {
        struct skl_list *it, *it2;
        int n = 0;

        skl_list_foreach (it, &v->revisions) {
            struct revision *r = SKL_LIST_ENTRY(it, struct revision, in_service);

            skl_list_foreach (it2, &r->instances)
                n += SKL_LIST_ENTRY(it2, struct instance, in_revision)->in_flight;
        }
        cJSON_AddNumberToObject(json, v->id, n);
    }
    return json;
}

static void start_minimum(struct service *v)
{
    struct revision *r = v->serving;
    int64_t now = gcp_now_ms();

    if (gcp_is_stub(r) || r->not_before_ms > now)
        return;
    while (gcp_live_instances(r) < gcp_min_instances(v)) {
        int64_t wait = INT64_C(1000) << (r->crashes < 6 ? r->crashes : 6);

        r->not_before_ms =
            r->crashes > 0 ? now + (wait < MAX_BACKOFF_MS ? wait : MAX_BACKOFF_MS) : 0;
        if (!gcp_instance_start(r, "MIN_INSTANCES") || r->crashes > 0)
            return;
    }
}

void gcp_scale(struct service *v)
{
    int64_t now = gcp_now_ms(), idle_ms = v->sim->options->idle_s * 1000;
    struct skl_list *it, *it2;

    if (v->deleted || !v->serving)
        return;
    skl_list_foreach (it, &v->revisions) {
        struct revision *r = SKL_LIST_ENTRY(it, struct revision, in_service);
        int spare = gcp_live_instances(r) - (r == v->serving ? gcp_min_instances(v) : 0);

        skl_list_foreach (it2, &r->instances) {
            struct instance *x = SKL_LIST_ENTRY(it2, struct instance, in_revision);
            bool is_old = r != v->serving || gcp_is_disabled(v);

            if (x->state == INSTANCE_READY && x->in_flight == 0 && spare > 0 &&
                (is_old || now - x->idle_since_ms >= idle_ms)) {
                gcp_instance_stop(x);
                spare--;
            }
        }
    }
    start_minimum(v);
}

/* -- housekeeping */

static struct instance *take_ended(struct service *v)
{
    struct skl_list *it, *it2;

    skl_list_foreach (it, &v->revisions) {
        struct revision *r = SKL_LIST_ENTRY(it, struct revision, in_service);

        skl_list_foreach (it2, &r->instances) {
            struct instance *x = SKL_LIST_ENTRY(it2, struct instance, in_revision);

            if (x->state == INSTANCE_ENDED && x->in_flight == 0) {
                skl_list_remove(&x->in_revision);
                return x;
            }
        }
    }
    return NULL;
}

static void free_ended(struct sim *s, struct service *v)
{
    struct instance *x;

    while ((x = take_ended(v))) {
        pthread_mutex_unlock(&s->lock); /* its last event may just return */
        sim_service_join(x->service);
        gcp_instance_dirs_remove(x);
        skl_strv_free(x->mounted);
        free(x);
        pthread_mutex_lock(&s->lock);
        s->n_instances--;
    }
}

void gcp_housekeep(struct sim *s)
{
    struct skl_list *it;
    struct service *v;
    size_t i = 0, n = 0;
    struct service **all = skl_new0_n(struct service *, s->services.n + 1);

    while ((v = skl_map_next(&s->services, &i, NULL)))
        all[n++] = v; /* the map may change while the lock is not held */
    for (i = 0; i < n; i++) {
        free_ended(s, all[i]);
        if (!s->closing)
            gcp_scale(all[i]);
    }
    free(all);
    skl_list_foreach (it, &s->deleted)
        free_ended(s, SKL_LIST_ENTRY(it, struct service, in_deleted));
    pthread_cond_broadcast(&s->changed); /* operations that only time completes */
}

void gcp_instances_stop(struct service *v)
{
    struct skl_list *it, *it2;

    skl_list_foreach (it, &v->revisions) {
        struct revision *r = SKL_LIST_ENTRY(it, struct revision, in_service);

        skl_list_foreach (it2, &r->instances)
            gcp_instance_stop(SKL_LIST_ENTRY(it2, struct instance, in_revision));
    }
}

void gcp_instances_stop_all(struct sim *s)
{
    struct service *v;
    size_t i = 0;

    pthread_mutex_lock(&s->lock);
    while ((v = skl_map_next(&s->services, &i, NULL)))
        gcp_instances_stop(v);
    while (s->n_instances > 0) {
        gcp_housekeep(s);
        if (s->n_instances > 0)
            gcp_await_change(s, 50);
    }
    pthread_mutex_unlock(&s->lock);
}
