/* Runs of containers as invocations of Function Apps.
 *
 * The site is made with the container and runs at once, but its command does not: the agent in it waits for the
 * invocation and START. A workload that has run is of no more use to App Service, which would start its process anew:
 * the agent stays and answers probes, the site is stopped when the agent has left, and a later start switches it on
 * again with a new container. Whether that is needed, the agent's own answer to a probe says.
 */
#include <signal.h>
#include <stdio.h>

#include "azf.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "function/probe.h"

#define CREATE_WAIT_MS (10 * 60 * 1000)
#define STOP_WAIT_MS   60000
#define REMOVE_WAIT_MS (5 * 60 * 1000)
#define PROBE_WAIT_MS  10000
#define FRONT_END_MS   240000 /* it cuts a request after 230 s */

void skl_azf_plan(void *ctx, const struct skl_container_snapshot *c, struct skl_labels *cloud)
{
    const struct skl_azf *azf = ctx;
    char name[SKL_AZF_NAME_LEN];

    if (!skl_labels_get(&c->cloud, SKL_AZF_SITE)) {
        skl_azf_site_name(c->short_id, 0, name);
        skl_labels_set(cloud, SKL_AZF_SITE, name);
    }
    if (skl_str_empty(azf->config->app_service_plan)) {
        skl_azf_plan_name(c->short_id, name);
        skl_labels_set(cloud, SKL_AZF_PLAN, name);
    }
}

bool skl_azf_has_agent(void *ctx, const struct skl_container_spec *spec, const char **why_not)
{
    const struct skl_azf *azf = ctx;

    if (!azf->has_agent && why_not)
        *why_not = "a Function App cannot be dialled: set SOCKERLESS_CALLBACK_URL to an address of "
                   "this daemon that Function Apps reach";
    return azf->has_agent;
}

int skl_azf_create(void *ctx, struct skl_call *call, struct skl_outcome *ret, struct skl_error *err)
{
    skl_azf_extend_deadline(call, CREATE_WAIT_MS);
    return skl_azf_site_ensure(ctx, call, ret, err);
}

/* -- the function's address */

static int address_of(const struct skl_azf *azf, const char *host, const char *path,
                      struct skl_function_address *ret)
{
    const char *endpoint = azf->config->endpoint_url;
    struct skl_buf b;

    skl_buf_init(&b, 4 * SKL_KIB);
    if (skl_str_empty(endpoint))
        skl_buf_addf(&b, "https://%s%s", host, path);
    else
        skl_buf_addf(&b, "%s%s", endpoint, path);
    ret->url = skl_buf_detach(&b);
    ret->host = skl_str_empty(endpoint) ? NULL : skl_strdup(host);
    return 0;
}

static const char *host_of(const struct skl_call *call, const struct skl_outcome *made)
{
    const char *host = made ? skl_labels_get(&made->cloud, SKL_AZF_HOST) : NULL;

    return host ? host : skl_labels_get(&call->c->cloud, SKL_AZF_HOST);
}

static int probe(struct skl_azf *azf, struct skl_call *call, const char *host,
                 struct skl_function_probe *ret, struct skl_error *err)
{
    struct skl_function_address address = {0};
    int64_t until = skl_mono_ms() + PROBE_WAIT_MS;
    int rc;

    if (call->deadline_ms && until > call->deadline_ms)
        until = call->deadline_ms;
    address_of(azf, host, "/", &address);
    rc = skl_function_probe(azf->azure->rest, &address, NULL, call->c->token, until,
                            &call->canceled, ret, err);
    skl_function_address_fini(&address);
    return rc;
}

int skl_azf_invocation(void *ctx, struct skl_call *call, struct skl_invocation *ret,
                       struct skl_error *err)
{
    const char *host = host_of(call, NULL);

    if (!host)
        return skl_fail(err, SKL_E_INTERNAL, "the Function App's address is not known");
    address_of(ctx, host, "/api/function", &ret->address);
    ret->timeout_ms = FRONT_END_MS;
    return 0;
}

/* -- start */

/* Until an agent that has not run a command yet answers; one that has is replaced by switching the site off and on. */
static int await_agent(struct skl_azf *azf, struct skl_call *call, const char *site,
                       const char *host, struct skl_error *err)
{
    char old[SKL_FUNCTION_INSTANCE_LEN] = "";

    for (;;) {
        struct skl_function_probe p;
        struct skl_error why;
        int rc = probe(azf, call, host, &p, &why);

        if (rc == 0 && p.state == SKL_FUNCTION_WAITING)
            return 0;
        if (rc == 0 && p.state != SKL_FUNCTION_STRANGER && !skl_streq(p.instance, old)) {
            snprintf(old, sizeof(old), "%s", p.instance);
            rc = skl_azf_site_switch(azf, call, site, false, err);
            if (rc == 0)
                rc = skl_azf_site_switch(azf, call, site, true, err);
            if (rc < 0)
                return rc;
        }
        if (skl_mono_ms() >= call->deadline_ms)
            return skl_fail(err, SKL_E_TIMEOUT,
                            "the agent in the Function App '%s' did not answer in time: is the "
                            "share '%s' there, does the image run its arguments? (%.120s)",
                            site, azf->config->agent_share,
                            rc < 0 ? why.msg : "something else answers");
        rc = skl_cloud_sleep(azf->poll_ms, call->deadline_ms, &call->canceled, err);
        if (rc == -SKL_E_CANCELED)
            return rc;
    }
}

int skl_azf_start(void *ctx, struct skl_call *call, struct skl_outcome *ret, struct skl_error *err)
{
    struct skl_azf *azf = ctx;
    enum skl_azf_site_state state = SKL_AZF_ABSENT;
    const char *site = skl_labels_get(&call->c->cloud, SKL_AZF_SITE);
    const char *host = host_of(call, NULL);
    int rc = 0;

    skl_azf_extend_deadline(call, azf->config->start_timeout_max_s * 1000);
    if (site && host)
        rc = skl_azf_site_state(azf, call, site, &state, err);
    if (rc == 0 && state == SKL_AZF_ABSENT) {
        /* The daemon ended while it was made, or somebody deleted it. */
        rc = skl_azf_site_ensure(azf, call, ret, err);
        site = skl_labels_get(&ret->cloud, SKL_AZF_SITE);
        host = host_of(call, ret);
    } else if (rc == 0 && state == SKL_AZF_STOPPED) {
        rc = skl_azf_site_switch(azf, call, site, true, err);
    }
    if (rc == 0 && azf->has_agent)
        rc = await_agent(azf, call, site, host, err);
    if (rc == 0 && !azf->has_agent) {
        const char *why = "";

        ret->no_agent = true;
        skl_azf_has_agent(azf, &call->c->spec, &why);
        ret->warning = skl_strdup(why);
    }
    return rc;
}

/* -- status */

static void agent_status(struct skl_azf *azf, struct skl_call *call, struct skl_status *ret)
{
    struct skl_function_probe p;

    if (probe(azf, call, host_of(call, NULL), &p, NULL) < 0)
        return; /* no answer is no news */
    if (p.state == SKL_FUNCTION_ENDED) {
        ret->status = SKL_RUN_ENDED;
        ret->has_exit_code = true;
        ret->exit_code = p.exit_code;
    } else if (p.state == SKL_FUNCTION_WAITING && call->c->was_running) {
        ret->status = SKL_RUN_ENDED;
        snprintf(ret->message, sizeof(ret->message),
                 "Azure started the Function App's container anew while the command ran");
    }
}

int skl_azf_status(void *ctx, struct skl_call *call, struct skl_status *ret, struct skl_error *err)
{
    struct skl_azf *azf = ctx;
    enum skl_azf_site_state state = SKL_AZF_ABSENT;
    const char *site = skl_labels_get(&call->c->cloud, SKL_AZF_SITE);
    int rc = 0;

    skl_azf_extend_deadline(call, STOP_WAIT_MS);
    *ret = (struct skl_status){.status = SKL_RUN_GONE};
    if (site && host_of(call, NULL))
        rc = skl_azf_site_state(azf, call, site, &state, err);
    if (rc < 0 || state == SKL_AZF_ABSENT)
        return rc;
    ret->status = state == SKL_AZF_STARTED ? SKL_RUN_RUNNING : SKL_RUN_ENDED;
    if (state == SKL_AZF_STARTED && azf->has_agent)
        agent_status(azf, call, ret);
    return 0;
}

/* -- stop, remove */

int skl_azf_ended(void *ctx, struct skl_call *call, struct skl_error *err)
{
    const char *site = skl_labels_get(&call->c->cloud, SKL_AZF_SITE);

    if (!site || !host_of(call, NULL))
        return 0;
    skl_azf_extend_deadline(call, STOP_WAIT_MS);
    return skl_azf_site_switch(ctx, call, site, false, err);
}

int skl_azf_stop(void *ctx, struct skl_call *call, struct skl_status *ret, struct skl_error *err)
{
    int rc = skl_azf_ended(ctx, call, err);

    *ret = (struct skl_status){
        .status = SKL_RUN_ENDED, .has_exit_code = true, .exit_code = 128 + SIGKILL};
    return rc;
}

int skl_azf_remove(void *ctx, struct skl_call *call, struct skl_error *err)
{
    int rc;

    skl_azf_extend_deadline(call, REMOVE_WAIT_MS);
    rc = skl_azf_site_remove(ctx, call, err);
    return rc < 0 ? rc : skl_azf_plan_remove(ctx, call, err);
}
