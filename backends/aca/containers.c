/* Runs of containers as executions of jobs.
 *
 * One job per container, made at its first start and updated at each later one (a new run has a new agent token,
 * and secrets must be sent again); removed with the container. `POST start` is the one call that must not be
 * repeated blindly: after a lost answer the executions are listed first.
 */
#include <signal.h>
#include <stdio.h>

#include "aca.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"

#define BUSY_WAIT_MS   1000 /* another operation on the job is in progress */
#define START_WAIT_MS  (10 * 60 * 1000)
#define STOP_WAIT_MS   60000 /* SIGTERM, 30 s, SIGKILL, and some */
#define REMOVE_WAIT_MS (5 * 60 * 1000)
#define UNDO_WAIT_MS                                                                               \
    60000 /* a client waits to hear of a failed start; what stays is removed with the container */

void skl_aca_plan(void *ctx, const struct skl_container_snapshot *c, struct skl_labels *cloud)
{
    char job[SKL_ACA_JOB_NAME_LEN];

    skl_aca_job_name(c->short_id, job);
    skl_labels_set(cloud, SKL_ACA_JOB, job);
}

bool skl_aca_has_agent(void *ctx, const struct skl_container_spec *spec, const char **why_not)
{
    const struct skl_aca *aca = ctx;

    if (aca->agent != SKL_ACA_AGENT_NONE)
        return true;
    if (why_not)
        *why_not = "Azure Container Apps Jobs have no address that could be dialled: set "
                   "SOCKERLESS_CALLBACK_URL to an address of this daemon that workloads reach";
    return false;
}

static void extend_deadline(struct skl_call *call, int64_t ms)
{
    if (call->deadline_ms == 0)
        call->deadline_ms = skl_mono_ms() + ms;
}

/* -- what an execution says */

static enum skl_run_status status_of(const cJSON *properties)
{
    const char *status = skl_json_get_str(properties, "status");
    bool ended = skl_json_get_str(properties, "endTime") != NULL;
    struct skl_str s = skl_str(status);

    if (skl_str_ieqz(s, "Running"))
        return SKL_RUN_RUNNING;
    if (skl_str_ieqz(s, "Succeeded") || skl_str_ieqz(s, "Failed") || skl_str_ieqz(s, "Stopped"))
        return SKL_RUN_ENDED;
    if ((skl_str_ieqz(s, "Degraded") || skl_str_ieqz(s, "Unknown")) && ended)
        return SKL_RUN_ENDED;
    return SKL_RUN_STARTING;
}

/* Only the preview tells exit codes; derived ones never call something killed a success. */
static void exit_code_of(const cJSON *properties, struct skl_status *ret)
{
    const cJSON *detail = skl_json_get(properties, "detailedStatus");
    const cJSON *replica, *container;
    const char *status = skl_json_get_str(properties, "status");

    cJSON_ArrayForEach(replica, skl_json_get(detail, "replicas"))
    {
        cJSON_ArrayForEach(container, skl_json_get(replica, "containers"))
        {
            if (!skl_streq(skl_json_get_str(container, "name"), "main") ||
                !skl_json_get(container, "code"))
                continue;
            ret->has_exit_code = true;
            ret->exit_code = (int)skl_json_get_int(container, "code", 137);
            return;
        }
    }
    ret->has_exit_code = true;
    if (skl_str_ieqz(skl_str(status), "Succeeded"))
        ret->exit_code = 0;
    else
        ret->exit_code = skl_str_ieqz(skl_str(status), "Stopped") ? 128 + SIGKILL : 1;
}

static int get_execution(struct skl_aca *aca, struct skl_call *call, const char *job,
                         const char *execution, const char *api, struct skl_arm_result *ret,
                         struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    struct skl_arm_call arm;

    skl_buf_init(&path, 8 * SKL_KIB);
    skl_buf_addf(&path, "%s/%s/executions/%s", aca->jobs_path, job, execution);
    arm = (struct skl_arm_call){
        .operation = "executions.get",
        .what = "asking for the state of the execution",
        .method = "GET",
        .path = path.p,
        .api_version = api,
        .deadline_ms = call->deadline_ms,
        .cancel = &call->canceled,
    };
    return skl_arm_send(aca->azure->arm, &arm, ret, err);
}

static void fill_end(struct skl_aca *aca, struct skl_call *call, const char *job,
                     const char *execution, const cJSON *properties, struct skl_status *ret)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result detail = {0};
    const char *end = skl_json_get_str(properties, "endTime");

    if (!end || !skl_time_parse(skl_str(end), &ret->ended_ns))
        ret->ended_ns = 0;
    /* The preview may be switched off at any time: then the code is derived. */
    if (get_execution(aca, call, job, execution, SKL_ACA_API_PREVIEW, &detail, NULL) == 0)
        exit_code_of(skl_json_get(detail.json, "properties"), ret);
    else
        exit_code_of(properties, ret);
    if (ret->exit_code != 0)
        skl_aca_failure_reason(aca, call, job, ret->message, sizeof(ret->message));
}

/* In the simulator a name stands for the address that Container Apps Jobs do not have. */
static void resolve_agent(struct skl_aca *aca, struct skl_call *call, const char *execution,
                          char *out, size_t cap)
{
    SKL_AUTO_RESPONSE struct skl_rest_response response = {0};
    SKL_AUTO_BUF struct skl_buf url = {0};
    SKL_AUTO_JSON cJSON *json = NULL;
    const char *address;

    if (skl_str_empty(aca->config->endpoint_url)) {
        snprintf(out, cap, "%s:%d", execution, SKL_ACA_AGENT_PORT);
        return;
    }
    skl_buf_init(&url, 4 * SKL_KIB);
    skl_buf_addf(&url, "%s/simulator/resolve?name=%s&port=%d", aca->config->endpoint_url, execution,
                 SKL_ACA_AGENT_PORT);
    if (skl_rest_call(aca->azure->rest,
                      &(struct skl_rest_request){.operation = "simulator.resolve",
                                                 .method = "GET",
                                                 .url = url.p,
                                                 .deadline_ms = call->deadline_ms,
                                                 .cancel = &call->canceled},
                      &response, NULL) < 0 ||
        response.status != 200 || skl_json_parse(skl_buf_str(&response.body), &json, NULL) < 0)
        return; /* asked again with the next status */
    address = skl_json_get_str(json, "address");
    if (address)
        snprintf(out, cap, "%s", address);
}

int skl_aca_status(void *ctx, struct skl_call *call, struct skl_status *ret, struct skl_error *err)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
    struct skl_aca *aca = ctx;
    const char *job = skl_labels_get(&call->c->cloud, SKL_ACA_JOB);
    const char *execution = skl_labels_get(&call->c->cloud, SKL_ACA_EXECUTION);
    const cJSON *properties;
    int rc;

    extend_deadline(call, STOP_WAIT_MS);
    *ret = (struct skl_status){.status = SKL_RUN_GONE};
    if (!job || !execution)
        return 0;
    rc = get_execution(aca, call, job, execution, SKL_ACA_API, &result, err);
    if (rc == -SKL_E_NOTFOUND)
        return 0;
    if (rc < 0)
        return rc;
    properties = skl_json_get(result.json, "properties");
    ret->status = status_of(properties);
    if (ret->status == SKL_RUN_ENDED)
        fill_end(aca, call, job, execution, properties, ret);
    else if (aca->agent == SKL_ACA_AGENT_FORWARD)
        resolve_agent(aca, call, execution, ret->agent_address, sizeof(ret->agent_address));
    return 0;
}

/* -- start */

/* *ret_sent: the cloud may have it, whatever became of the call. */
static int put_job(struct skl_aca *aca, struct skl_call *call, const char *job, bool *ret_sent,
                   struct skl_error *err)
{
    char *spec SKL_AUTO_SECRET = NULL;
    int rc = skl_aca_job_spec(aca, call->c, &spec, err);

    while (rc == 0) {
        SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};

        rc = skl_aca_job_call(aca, call, "jobs.create", "PUT", job, "", spec, true, &result, err);
        *ret_sent |= rc == 0 || result.status != 0 || result.maybe_sent;
        if (rc != -SKL_E_CONFLICT)
            break;
        /* An earlier operation on this job (its deletion, say) is still in progress. */
        rc = skl_cloud_sleep(BUSY_WAIT_MS, call->deadline_ms, &call->canceled, err);
    }
    return rc;
}

struct newest {
    int64_t start_ns; /* by the cloud's clock, as all that it is compared with */
    char name[128];
};

static bool take_newest(void *arg, const cJSON *item)
{
    struct newest *n = arg;
    const char *name = skl_json_get_str(item, "name");
    const char *start = skl_json_get_str(skl_json_get(item, "properties"), "startTime");
    int64_t start_ns = 0;

    if (name && start && skl_time_parse(skl_str(start), &start_ns) && start_ns >= n->start_ns) {
        n->start_ns = start_ns;
        snprintf(n->name, sizeof(n->name), "%s", name);
    }
    return true;
}

/* The execution that a start with a lost answer may have made; "" if there is none. */
static int find_newer(struct skl_aca *aca, struct skl_call *call, const char *job,
                      struct newest *ret, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};

    skl_buf_init(&path, 8 * SKL_KIB);
    skl_buf_addf(&path, "%s/%s/executions", aca->jobs_path, job);
    return skl_arm_list(aca->azure->arm,
                        &(struct skl_arm_call){.operation = "executions.list",
                                               .what = "looking for the started execution",
                                               .method = "GET",
                                               .path = path.p,
                                               .api_version = SKL_ACA_API,
                                               .deadline_ms = call->deadline_ms,
                                               .cancel = &call->canceled},
                        take_newest, ret, err);
}

static bool may_be_repeated(int rc)
{
    return rc == -SKL_E_UNAVAILABLE || rc == -SKL_E_THROTTLED || rc == -SKL_E_INTERNAL ||
           rc == -SKL_E_CONFLICT;
}

static int start_job(struct skl_aca *aca, struct skl_call *call, const char *job,
                     struct skl_outcome *ret, struct skl_error *err)
{
    struct newest newest = {0};
    const char *previous = skl_labels_get(&call->c->cloud, SKL_ACA_EXECUTION);

    for (;;) {
        SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
        const char *name;
        int rc = skl_aca_job_call(aca, call, "jobs.start", "POST", job, "/start", NULL, false,
                                  &result, err);

        name = rc == 0 ? skl_json_get_str(result.json, "name") : NULL;
        if (name) {
            skl_labels_set(&ret->cloud, SKL_ACA_EXECUTION, name);
            return 0;
        }
        if (rc < 0 && !may_be_repeated(rc))
            return rc;
        rc = find_newer(aca, call, job, &newest, err);
        if (rc < 0)
            return rc;
        if (newest.name[0] && !skl_streq(newest.name, previous)) {
            skl_labels_set(&ret->cloud, SKL_ACA_EXECUTION, newest.name);
            return 0;
        }
        rc = skl_cloud_sleep(BUSY_WAIT_MS, call->deadline_ms, &call->canceled, err);
        if (rc < 0)
            return rc;
    }
}

static int stop_execution(struct skl_aca *aca, struct skl_call *call, const char *job,
                          const char *execution, struct skl_error *err)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
    SKL_AUTO_BUF struct skl_buf rest = {0};
    int rc;

    skl_buf_init(&rest, SKL_KIB);
    skl_buf_addf(&rest, "/executions/%s/stop", execution);
    rc = skl_aca_job_call(aca, call, "executions.stop", "POST", job, rest.p, NULL, true, &result,
                          err);
    return rc == -SKL_E_NOTFOUND ? 0 : rc;
}

/* A workload of the last run that is still there would compete with the new one. */
static int end_previous(struct skl_aca *aca, struct skl_call *call, const char *job,
                        struct skl_error *err)
{
    struct skl_status status;
    int rc = skl_aca_status(aca, call, &status, err);

    if (rc < 0 || status.status == SKL_RUN_GONE || status.status == SKL_RUN_ENDED)
        return rc;
    return skl_aca_stop(aca, call, &status, err);
}

int skl_aca_start(void *ctx, struct skl_call *call, struct skl_outcome *ret, struct skl_error *err)
{
    struct skl_aca *aca = ctx;
    char job[SKL_ACA_JOB_NAME_LEN];
    bool has_run = skl_labels_get(&call->c->cloud, SKL_ACA_EXECUTION), sent = has_run;
    int rc = 0;

    extend_deadline(call, START_WAIT_MS);
    skl_aca_job_name(call->c->short_id, job);
    if (has_run)
        rc = end_previous(aca, call, job, err);
    if (rc == 0)
        rc = put_job(aca, call, job, &sent, err);
    if (rc == 0)
        rc = start_job(aca, call, job, ret, err);
    if (rc < 0) {
        /* Nothing is left behind, also when the caller gave up. */
        struct skl_call undo = {.c = call->c, .deadline_ms = skl_mono_ms() + UNDO_WAIT_MS};

        ret->nothing_left = !sent || skl_aca_remove(aca, &undo, NULL) == 0;
        if (!ret->nothing_left)
            skl_debug("aca", "a job of a failed start could not be removed", "job", job, NULL);
        return rc;
    }
    if (aca->agent == SKL_ACA_AGENT_NONE) {
        const char *why = "";

        ret->no_agent = true;
        skl_aca_has_agent(aca, &call->c->spec, &why);
        ret->warning = skl_strdup(why);
    }
    return 0;
}

/* -- stop, remove */

int skl_aca_stop(void *ctx, struct skl_call *call, struct skl_status *ret, struct skl_error *err)
{
    struct skl_aca *aca = ctx;
    const char *job = skl_labels_get(&call->c->cloud, SKL_ACA_JOB);
    const char *execution = skl_labels_get(&call->c->cloud, SKL_ACA_EXECUTION);
    int64_t poll_ms = aca->config->poll_interval_ms;
    int rc;

    call->deadline_ms = skl_mono_ms() + STOP_WAIT_MS;
    *ret = (struct skl_status){.status = SKL_RUN_GONE};
    if (!job || !execution)
        return 0;
    rc = stop_execution(aca, call, job, execution, err);
    while (rc == 0) {
        rc = skl_aca_status(aca, call, ret, err);
        if (rc < 0 || ret->status == SKL_RUN_ENDED || ret->status == SKL_RUN_GONE)
            break;
        rc = skl_cloud_sleep(poll_ms, call->deadline_ms, &call->canceled, err);
    }
    if (rc == 0 && ret->has_exit_code && ret->exit_code == 0 && ret->status == SKL_RUN_GONE)
        ret->exit_code = 128 + SIGKILL;
    return rc;
}

static int delete_job(struct skl_aca *aca, struct skl_call *call, const char *job,
                      struct skl_error *err)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
    int rc =
        skl_aca_job_call(aca, call, "jobs.delete", "DELETE", job, "", NULL, true, &result, err);

    return rc == -SKL_E_NOTFOUND ? 0 : rc;
}

int skl_aca_remove(void *ctx, struct skl_call *call, struct skl_error *err)
{
    char job[SKL_ACA_JOB_NAME_LEN];

    extend_deadline(call, REMOVE_WAIT_MS);
    skl_aca_job_name(call->c->short_id, job);
    return delete_job(ctx, call, job, err);
}

/* -- what no record may know */

struct listing {
    skl_resource_cb *cb;
    void *arg;
};

static void take_job(void *arg, const char *name, const char *container_id)
{
    const struct listing *l = arg;

    l->cb(l->arg, &(struct skl_resource){SKL_ACA_JOB, name, container_id});
}

int skl_aca_list(void *ctx, struct skl_call *call, const char *instance, skl_resource_cb *cb,
                 void *arg, struct skl_error *err)
{
    const struct skl_aca *aca = ctx;
    const struct skl_arm_call list = {.operation = "jobs.list",
                                      .what = "listing the jobs",
                                      .method = "GET",
                                      .path = aca->jobs_path,
                                      .api_version = SKL_ACA_API,
                                      .deadline_ms = call->deadline_ms,
                                      .cancel = &call->canceled};
    struct listing l = {cb, arg};

    return skl_azure_list_tagged(aca->azure->arm, &list, instance, take_job, &l, err);
}

int skl_aca_remove_resource(void *ctx, struct skl_call *call, const struct skl_resource *r,
                            struct skl_error *err)
{
    return delete_job(ctx, call, r->name, err);
}
