/* Runs of containers as invocations of functions.
 *
 * The function is made with the container; its command is not run by that: the agent in it waits for the invocation and
 * START. Create and start are the same turns: whatever is missing is made, until the agent answers and waits. An idle
 * function costs nothing, so nothing is switched off after a run; only what cannot be reached by a signal is.
 */
#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "function/probe.h"
#include "gcf.h"

#define TURN_WAIT_MS   180000
#define STOP_WAIT_MS   120000
#define REMOVE_WAIT_MS (10 * 60 * 1000)
#define PROBE_WAIT_MS  15000
#define REFUSED_MS     60000 /* a policy may be on its way */
#define LEAVING_MS     8000  /* an agent that has run a command leaves by itself */

void skl_gcf_plan(void *ctx, const struct skl_container_snapshot *c, struct skl_labels *cloud)
{
    const struct skl_gcf *gcf = ctx;
    char name[24];

    if (skl_labels_get(&c->cloud, SKL_GCF_NAME))
        return; /* made as the settings were then, and deleted as such */
    snprintf(name, sizeof(name), "skls-%s", c->short_id);
    skl_labels_set(cloud, SKL_GCF_NAME, name);
    skl_labels_set(cloud, SKL_GCF_KIND,
                   gcf->mode == SKL_GCF_RUN ? SKL_GCF_KIND_SERVICE : SKL_GCF_KIND_FUNCTION);
}

bool skl_gcf_has_agent(void *ctx, const struct skl_container_spec *spec, const char **why_not)
{
    const struct skl_gcf *gcf = ctx;

    (void)spec;
    if (!gcf->has_agent && why_not)
        *why_not = "there is no agent in the function: set SOCKERLESS_CALLBACK_URL to an address "
                   "of this daemon that functions reach";
    return gcf->has_agent;
}

/* -- requests to the function */

static int bearer(struct skl_gcf *gcf, struct skl_call *call, const char *uri, char **ret,
                  struct skl_error *err)
{
    char *token SKL_AUTO_SECRET = NULL;
    struct skl_buf b;
    int rc = skl_gcp_id_token(gcf->gcp->credential, uri, call->deadline_ms, &call->canceled, &token,
                              err);

    if (rc < 0)
        return skl_wrap(err, rc, "the function cannot be invoked");
    skl_buf_init(&b, 64 * SKL_KIB);
    skl_buf_addf(&b, "Bearer %s", token);
    *ret = skl_buf_detach(&b);
    return 0;
}

static int probe(struct skl_gcf *gcf, struct skl_call *call, const char *uri,
                 struct skl_function_probe *ret, struct skl_error *err)
{
    char *authorization SKL_AUTO_SECRET = NULL, *url SKL_AUTO_STR = skl_strdup(uri);
    const struct skl_function_address address = {.url = url};
    int64_t until = skl_mono_ms() + PROBE_WAIT_MS;
    int rc = bearer(gcf, call, uri, &authorization, err);

    if (rc < 0)
        return rc;
    if (call->deadline_ms && until > call->deadline_ms)
        until = call->deadline_ms;
    rc = skl_function_probe(gcf->gcp->rest, &address, authorization, call->c->token, until,
                            &call->canceled, ret, err);
    if (rc == 0 && ret->http_status == 401)
        skl_gcp_credential_invalidate(gcf->gcp->credential, authorization + strlen("Bearer "));
    return rc;
}

int skl_gcf_invocation(void *ctx, struct skl_call *call, struct skl_invocation *ret,
                       struct skl_error *err)
{
    struct skl_gcf *gcf = ctx;
    const char *uri = skl_labels_get(&call->c->cloud, SKL_GCF_URI);

    if (!uri)
        return skl_fail(err, SKL_E_INTERNAL, "the function's address is not known");
    skl_gcf_extend_deadline(call, TURN_WAIT_MS);
    ret->address.url = skl_strdup(uri);
    ret->timeout_ms = (gcf->config->timeout_s + 30) * 1000;
    return bearer(gcf, call, uri, &ret->authorization, err);
}

/* -- making: create and start */

static bool is_late(const struct skl_gcf *gcf, const struct skl_call *call)
{
    return skl_mono_ms() - call->since_ms > gcf->config->create_timeout_s * 1000;
}

static int refused(struct skl_gcf *gcf, struct skl_call *call, struct skl_outcome *ret, int status,
                   const char *uri, struct skl_error *err)
{
    const char *since = skl_gcf_known(call, ret, SKL_GCF_REFUSED);
    int64_t now = skl_wall_ns() / SKL_NS_PER_MS, first = now;
    char text[24];

    if (since)
        (void)skl_str_i64(skl_str(since), &first);
    if (now - first > REFUSED_MS || is_late(gcf, call))
        return skl_fail(
            err, SKL_E_FORBIDDEN,
            "%.120s answers %d: the account that invokes needs roles/run.invoker on the "
            "service or the project, and ingress must allow it",
            uri, status);
    snprintf(text, sizeof(text), "%lld", (long long)first);
    skl_labels_set(&ret->cloud, SKL_GCF_REFUSED, text);
    return 0;
}

/* Until an agent that has not run a command yet answers. */
static int agent_turn(struct skl_gcf *gcf, struct skl_call *call, struct skl_outcome *ret,
                      struct skl_error *err)
{
    const char *uri = skl_gcf_known(call, ret, SKL_GCF_URI);
    struct skl_function_probe p = {0};
    struct skl_error why;
    int rc = probe(gcf, call, uri, &p, &why);

    if (rc == -SKL_E_CANCELED) {
        *err = why;
        return rc;
    }
    if (rc == 0 && p.state == SKL_FUNCTION_WAITING) {
        skl_labels_set(&ret->cloud, SKL_GCF_REFUSED, "");
        return 0;
    }
    ret->again_ms = gcf->poll_ms;
    if (rc < 0)
        return rc == -SKL_E_TIMEOUT || rc == -SKL_E_UNAVAILABLE ? 0 : (*err = why, rc);
    if (p.state == SKL_FUNCTION_STRANGER &&
        (p.http_status == 401 || p.http_status == 403 || p.http_status == 404))
        return refused(gcf, call, ret, p.http_status, uri, err);
    if (p.state != SKL_FUNCTION_STRANGER && skl_mono_ms() - call->since_ms > LEAVING_MS)
        /* An earlier run's agent, which we do not reach any more: the next turn switches it on. */
        return skl_gcf_service_switch(gcf, call, skl_gcf_known(call, ret, SKL_GCF_SERVICE), false,
                                      err);
    return 0;
}

static int turn(struct skl_gcf *gcf, struct skl_call *call, struct skl_outcome *ret,
                struct skl_error *err)
{
    const char *kind = skl_labels_get(&call->c->cloud, SKL_GCF_KIND);
    bool over;
    int rc = skl_gcf_settle(gcf, call, ret, &over, err);

    if (rc < 0)
        return skl_gcf_service_explain(gcf, call, ret, rc, err);
    if (!over)
        return 0;
    if (!skl_gcf_known(call, ret, SKL_GCF_SERVICE)) {
        if (skl_streq(kind, SKL_GCF_KIND_SERVICE))
            skl_labels_set(&ret->cloud, SKL_GCF_SERVICE,
                           skl_labels_get(&call->c->cloud, SKL_GCF_NAME));
        else
            rc = skl_gcf_function_turn(gcf, call, ret, err);
    }
    if (rc == 0 && ret->again_ms == 0)
        rc = skl_gcf_service_turn(gcf, call, ret, err);
    if (rc == 0 && ret->again_ms == 0 && gcf->has_agent)
        rc = agent_turn(gcf, call, ret, err);
    if (rc == 0 && ret->again_ms > 0 && is_late(gcf, call))
        return skl_fail(err, SKL_E_TIMEOUT,
                        "the function '%s' was not ready within %d s "
                        "(SOCKERLESS_GCF_CREATE_TIMEOUT)",
                        skl_labels_get(&call->c->cloud, SKL_GCF_NAME),
                        (int)gcf->config->create_timeout_s);
    return rc;
}

int skl_gcf_create(void *ctx, struct skl_call *call, struct skl_outcome *ret, struct skl_error *err)
{
    skl_gcf_extend_deadline(call, TURN_WAIT_MS);
    return turn(ctx, call, ret, err);
}

int skl_gcf_start(void *ctx, struct skl_call *call, struct skl_outcome *ret, struct skl_error *err)
{
    struct skl_gcf *gcf = ctx;
    bool was_made = skl_labels_get(&call->c->cloud, SKL_GCF_URI) != NULL;
    const char *why = "";
    int rc;

    skl_gcf_extend_deadline(call, TURN_WAIT_MS);
    rc = turn(gcf, call, ret, err);
    if (rc < 0 && !was_made) {
        /* It has to be made anew: half of it is of no use. */
        struct skl_error unsaid;

        call->deadline_ms = skl_mono_ms() + REMOVE_WAIT_MS;
        ret->nothing_left = skl_gcf_delete_own(gcf, call, &unsaid) == 0;
    }
    if (rc == 0 && ret->again_ms == 0 && !gcf->has_agent) {
        ret->no_agent = true;
        skl_gcf_has_agent(gcf, &call->c->spec, &why);
        ret->warning = skl_strdup(why);
    }
    return rc;
}

/* -- status */

static void agent_status(struct skl_gcf *gcf, struct skl_call *call, const char *uri,
                         struct skl_status *ret)
{
    struct skl_function_probe p;
    struct skl_error unsaid;

    if (probe(gcf, call, uri, &p, &unsaid) < 0)
        return; /* no answer is no news */
    if (p.state == SKL_FUNCTION_ENDED) {
        ret->status = SKL_RUN_ENDED;
        ret->has_exit_code = true;
        ret->exit_code = p.exit_code;
    } else if (p.state == SKL_FUNCTION_WAITING && call->c->was_running) {
        ret->status = SKL_RUN_ENDED;
        snprintf(ret->message, sizeof(ret->message),
                 "Google ended the function's instance while the command ran");
    }
}

int skl_gcf_status(void *ctx, struct skl_call *call, struct skl_status *ret, struct skl_error *err)
{
    struct skl_gcf *gcf = ctx;
    enum skl_gcf_service_state state = SKL_GCF_ABSENT;
    const char *service = skl_labels_get(&call->c->cloud, SKL_GCF_SERVICE);
    const char *uri = skl_labels_get(&call->c->cloud, SKL_GCF_URI);
    int rc = 0;

    skl_gcf_extend_deadline(call, STOP_WAIT_MS);
    *ret = (struct skl_status){.status = SKL_RUN_GONE};
    if (service && uri)
        rc = skl_gcf_service_state(gcf, call, service, &state, err);
    if (rc < 0 || state == SKL_GCF_ABSENT)
        return rc;
    ret->status = state == SKL_GCF_ON ? SKL_RUN_RUNNING : SKL_RUN_ENDED;
    if (state == SKL_GCF_ON && gcf->has_agent)
        agent_status(gcf, call, uri, ret);
    return 0;
}

/* -- stop, remove */

int skl_gcf_stop(void *ctx, struct skl_call *call, struct skl_status *ret, struct skl_error *err)
{
    const char *service = skl_labels_get(&call->c->cloud, SKL_GCF_SERVICE);
    int rc = 0;

    skl_gcf_extend_deadline(call, STOP_WAIT_MS);
    *ret = (struct skl_status){
        .status = SKL_RUN_ENDED, .has_exit_code = true, .exit_code = 128 + SIGKILL};
    if (service)
        rc = skl_gcf_service_switch(ctx, call, service, false, err);
    return rc == -SKL_E_NOTFOUND ? 0 : rc;
}

int skl_gcf_remove(void *ctx, struct skl_call *call, struct skl_error *err)
{
    skl_gcf_extend_deadline(call, REMOVE_WAIT_MS);
    return skl_gcf_delete_own(ctx, call, err);
}
