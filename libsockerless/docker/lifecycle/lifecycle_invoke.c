/* Invoking: where the cloud is a function, an HTTP request begins a run, and its answer may tell the end.
 *
 * Problem: platforms cut requests long before a container ends (230 s, an hour), lose them, answer in the function's
 * place while it starts, and one of them stops the CPU of what has no request. Approach: the request is an object on
 * the loop. Before the command runs it is repeated until the start's time is up (the agent takes it once); after that
 * a lost one is no news, and where the platform wants one to be open the next is sent before the last expires. The
 * agent's EXIT is the end; a code in an answer counts only when the agent is lost.
 */
#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "docker/lifecycle/lifecycle_internal.h"
#include "function/one_shot.h"

#define AGAIN_FIRST_MS 200
#define AGAIN_MAX_MS   5000

struct post {
    struct skl_list in_invoking;
    struct skl_flow *f;
    struct skl_http_call *call;
};

struct skl_invoking {
    struct skl_list posts; /* on the way: one, two while they overlap */
    struct skl_timer *next;
    int64_t delay_ms;
    bool asking; /* a worker makes the next request */
    bool has_code;
    int code;
    char trouble[256];
    struct skl_timer *one_shot, *lost;
};

static void invoke(struct skl_flow *f);

bool skl_flow_is_function(const struct skl_flow *f)
{
    return f->l->e->backend->container_invocation != NULL;
}

bool skl_flow_is_deaf(const struct skl_flow *f)
{
    const struct skl_engine *e = f->l->e;

    return skl_flow_is_function(f) && !e->backend->has_agent(e->backend_ctx, &f->c->spec, NULL);
}

static struct skl_invoking *invoking_of(struct skl_flow *f)
{
    if (!f->invoking) {
        f->invoking = skl_new0(struct skl_invoking);
        skl_list_init(&f->invoking->posts);
    }
    return f->invoking;
}

void skl_flow_uninvoke(struct skl_flow *f)
{
    struct skl_invoking *i = f->invoking;
    struct skl_list *it, *tmp;

    if (!i)
        return;
    skl_list_foreach_safe (it, tmp, &i->posts) {
        struct post *p = SKL_LIST_ENTRY(it, struct post, in_invoking);

        skl_http_call_cancel(&p->call);
        free(p);
    }
    skl_timer_cancel(&i->next);
    skl_timer_cancel(&i->one_shot);
    skl_timer_cancel(&i->lost);
    free(i);
    f->invoking = NULL;
}

static bool needs_request(struct skl_flow *f)
{
    return f->l->e->backend->invocation_renew_ms > 0;
}

static bool is_warm(struct skl_flow *f)
{
    const struct skl_session *s = skl_workload_session(skl_workload_of(f->l->e->runtime, f->c));

    return s && skl_session_is_up(s);
}

void skl_flow_run_is_over(struct skl_flow *f)
{
    struct skl_invoking *i = f->invoking;

    if (!i || !needs_request(f) || !is_warm(f)) {
        skl_flow_uninvoke(f);
        return;
    }
    skl_timer_cancel(&i->one_shot);
    skl_timer_cancel(&i->lost);
    i->has_code = false;
}

const char *skl_flow_invocation_trouble(const struct skl_flow *f)
{
    return f->invoking ? f->invoking->trouble : "";
}

/* -- the next request */

static void next_due(void *arg)
{
    struct skl_flow *f = arg;

    f->invoking->next = NULL;
    if (skl_container_is_live(f->c) || is_warm(f))
        invoke(f);
    else
        skl_flow_uninvoke(f); /* what was warm is gone */
}

static void invoke_after(struct skl_flow *f, int64_t ms)
{
    skl_timer_cancel(&f->invoking->next);
    f->invoking->next = skl_timer_start(f->l->e->loop, ms, next_due, f);
}

static void invoke_again(struct skl_flow *f)
{
    struct skl_invoking *i = f->invoking;

    i->delay_ms = i->delay_ms == 0 ? AGAIN_FIRST_MS : i->delay_ms * 2;
    if (i->delay_ms > AGAIN_MAX_MS)
        i->delay_ms = AGAIN_MAX_MS;
    invoke_after(f, i->delay_ms);
}

/* -- what an answer does */

static void end_run(struct skl_flow *f, int code, const char *error)
{
    skl_workload_ended(skl_workload_of(f->l->e->runtime, f->c),
                       &(struct skl_end){.rank = SKL_END_PLATFORM, .code = code, .error = error});
}

static void run_over(struct skl_flow *f, int code)
{
    struct skl_invoking *i = f->invoking;
    char why[sizeof(i->trouble)];

    i->has_code = true;
    i->code = code;
    if (!skl_container_has_command(f->c) || (!skl_flow_is_deaf(f) && !i->lost))
        return; /* the agent says it itself */
    snprintf(why, sizeof(why), "%s", i->trouble);
    end_run(f, code, why[0] ? why : NULL); /* ends `invoking` */
}

static void request_over(struct skl_flow *f, bool refused)
{
    bool starting = f->c->state == SKL_CONTAINER_STARTING;
    bool held = needs_request(f) && (skl_container_has_command(f->c) || is_warm(f));

    if (f->invoking->trouble[0])
        skl_debug("lifecycle", "an invocation had no success", "container", f->c->id, "why",
                  f->invoking->trouble, NULL);
    if (refused || !skl_list_empty(&f->invoking->posts) || f->invoking->asking)
        return;
    if (starting || held)
        invoke_again(f);
}

static void answered(void *arg, const struct skl_http_call_answer *answer)
{
    struct post *p = arg;
    struct skl_flow *f = p->f;
    enum skl_verdict verdict;
    int code;

    skl_list_remove(&p->in_invoking);
    free(p);
    verdict = skl_invocation_judge(answer, !skl_flow_is_deaf(f), &code, f->invoking->trouble);
    switch (verdict) {
    case SKL_VERDICT_ENDED:
        run_over(f, code);
        break;
    case SKL_VERDICT_RUNNING:
        break;
    case SKL_VERDICT_AGAIN:
    case SKL_VERDICT_LOST:
    case SKL_VERDICT_REFUSED:
        request_over(f, verdict == SKL_VERDICT_REFUSED);
        break;
    }
}

/* -- sending */

static void made(struct skl_flow *f, struct skl_job *job)
{
    const struct skl_backend *b = f->l->e->backend;
    struct skl_invoking *i = f->invoking;
    struct post *p;

    if (!i || (job->snapshot->run != f->c->run && !needs_request(f)))
        return; /* given up meanwhile */
    i->asking = false;
    if (job->snapshot->run != f->c->run) {
        invoke(f); /* a warm workload has begun its next run */
        return;
    }
    if (job->rc < 0) {
        snprintf(i->trouble, sizeof(i->trouble), "%.255s", job->err.msg);
        request_over(f, false);
        return;
    }
    p = skl_new0(struct post);
    p->f = f;
    skl_list_push(&i->posts, &p->in_invoking);
    p->call = skl_invocation_send(f->l->e->calls, &job->invocation,
                                  skl_flow_is_deaf(f) ? NULL : f->c->token, f->c->run, answered, p);
    if (needs_request(f))
        invoke_after(f, b->invocation_renew_ms);
}

static void invoke(struct skl_flow *f)
{
    if (f->invoking->asking)
        return;
    f->invoking->asking = true;
    skl_flow_job(f, SKL_JOB_INVOCATION, made);
}

void skl_flow_invoke(struct skl_flow *f)
{
    skl_flow_uninvoke(f);
    (void)invoking_of(f);
    invoke(f);
}

void skl_flow_hold(struct skl_flow *f)
{
    if (needs_request(f) && !f->invoking)
        skl_flow_invoke(f);
}

/* -- runs without an agent */

static void one_shot_over(void *arg)
{
    struct skl_flow *f = arg;

    f->invoking->one_shot = NULL;
    if (skl_container_has_command(f->c))
        end_run(f, 0, NULL);
}

void skl_flow_end_one_shot(struct skl_flow *f)
{
    if (skl_command_keeps_alive(f->c->spec.argv))
        return;
    skl_timer_cancel(&invoking_of(f)->one_shot);
    f->invoking->one_shot = skl_timer_start(f->l->e->loop, SKL_ONE_SHOT_MS, one_shot_over, f);
}

/* -- runs whose agent is lost */

static void lost_for_good(void *arg)
{
    struct skl_flow *f = arg;
    struct skl_session *s = skl_workload_session(skl_workload_of(f->l->e->runtime, f->c));

    f->invoking->lost = NULL;
    if (skl_container_has_command(f->c) && !(s && skl_session_is_up(s)))
        end_run(f, 128 + SIGKILL,
                "the agent was not heard of any more: what became of the command is not known");
}

void skl_flow_await_lost_agent(struct skl_flow *f)
{
    struct skl_invoking *i = invoking_of(f);

    if (i->has_code) {
        end_run(f, i->code, NULL);
        return;
    }
    skl_timer_cancel(&i->lost);
    i->lost = skl_timer_start(f->l->e->loop, f->l->e->backend->lost_agent_ms, lost_for_good, f);
}
