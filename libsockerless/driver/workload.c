/* The running side of a container.
 *
 * Problem: a run is a conversation between four parties that come and go on their own: the agent, the
 * platform, the user and the disk. Approach: this file is the one place where an agent's news becomes the
 * container's history. Output goes to the spool and is confirmed to the agent only after that, so that a
 * killed backend loses nothing; the exit becomes one transition; everything a caller waits for (the
 * beginning of a run) is a small step machine here, and asking the cloud is the layer above.
 */
#include "driver/workload.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "driver/volume_content.h"
#include "driver/workload_internal.h"

#define FETCH_WARM_S    30
#define RECORD_AGAIN_MS 1000 /* a disk that is full, or read-only */

static const struct skl_session_events session_events;
static void observe(void *arg, struct skl_container *c, enum skl_container_state from,
                    enum skl_container_state to);

/* -- runtime */

struct skl_runtime *skl_runtime_new(const struct skl_runtime_config *config)
{
    struct skl_runtime *rt = skl_new0(struct skl_runtime);

    rt->config = *config;
    rt->spool_dir = skl_strdup(config->spool_dir);
    rt->config.spool_dir = rt->spool_dir;
    rt->layers_dir = skl_strdup(config->layers_dir);
    rt->config.layers_dir = rt->layers_dir;
    rt->volumes_dir = skl_strdup(config->volumes_dir);
    rt->config.volumes_dir = rt->volumes_dir;
    if (rt->volumes_dir)
        skl_content_sweep(rt);
    rt->agents = skl_agents_new(config->loop, &session_events, rt);
    skl_store_observe_containers(config->store, observe, rt);
    return rt;
}

static void forget_unrecorded(struct skl_workload *w)
{
    skl_timer_cancel(&w->record_again);
    free((void *)(uintptr_t)w->unrecorded.error);
    w->unrecorded = (struct skl_end){0};
}

static void workload_free(struct skl_workload *w)
{
    skl_delivery_cancel(&w->delivery);
    skl_content_cancel(w);
    skl_timer_cancel(&w->grace);
    forget_unrecorded(w);
    free(w->marks);
    skl_buf_fini(&w->stdin_waiting);
    free(w->room_subs);
    free(w->instance);
    free(w->ports);
    w->c->workload = NULL;
    free(w);
}

void skl_runtime_close(struct skl_runtime *rt)
{
    struct skl_list *it;

    skl_list_foreach (it, skl_container_all(rt->config.store)) {
        struct skl_workload *w = SKL_LIST_ENTRY(it, struct skl_container, in_store)->workload;

        if (!w)
            continue;
        w->session = NULL; /* closed with the registry below, without a word to us */
        skl_spool_close(w->spool);
        workload_free(w);
    }
    skl_store_unobserve_containers(rt->config.store, observe, rt);
    skl_agents_close(rt->agents);
    free(rt->spool_dir);
    free(rt->layers_dir);
    free(rt->volumes_dir);
    free(rt);
}

struct skl_agents *skl_runtime_agents(struct skl_runtime *rt)
{
    return rt->agents;
}

struct skl_workload *skl_workload_of(struct skl_runtime *rt, struct skl_container *c)
{
    struct skl_workload *w = c->workload;

    if (w)
        return w;
    w = skl_new0(struct skl_workload);
    w->rt = rt;
    w->c = c;
    skl_buf_init(&w->stdin_waiting, SKL_LINK_WINDOW);
    c->workload = w;
    return w;
}

void skl_workload_forget(struct skl_runtime *rt, struct skl_container *c)
{
    struct skl_workload *w = skl_workload_of(rt, c);

    w->begin_cb = NULL;
    skl_content_cancel(w);
    w->session = NULL;
    skl_agents_forget(rt->agents, c->id);
    skl_staging_delete(w);
    skl_spool_delete(skl_workload_spool(w));
    w->spool = NULL;
    workload_free(w);
}

struct skl_container *skl_workload_container(const struct skl_workload *w)
{
    return w->c;
}

struct skl_session *skl_workload_session(const struct skl_workload *w)
{
    return w->session;
}

struct skl_runtime *skl_workload_runtime(const struct skl_workload *w)
{
    return w->rt;
}

struct skl_spool *skl_workload_spool(struct skl_workload *w)
{
    if (!w->spool)
        w->spool = skl_spool_new(w->rt->config.loop, w->rt->spool_dir, w->c->id,
                                 w->c->spec.log_max_bytes, w->c->spec.log_max_files);
    return w->spool;
}

/* -- beginning a run */

int skl_workload_prepare(struct skl_workload *w, struct skl_error *err)
{
    char token[65];
    int rc;

    skl_random_hex(token, 64);
    rc = skl_container_set_agent(
        w->rt->config.store, w->c,
        skl_str_empty(w->rt->config.agent_token) ? token : w->rt->config.agent_token, NULL, err);
    if (rc < 0)
        return rc;
    /* An agent of an earlier run that is still about has the old token: it is refused from here on. */
    w->session = NULL;
    skl_agents_forget(w->rt->agents, w->c->id);
    skl_agents_prepare(w->rt->agents, w->c->id, w->c->token, w);
    return 0;
}

void skl_workload_prepare_again(struct skl_workload *w)
{
    w->session = NULL;
    skl_agents_forget(w->rt->agents, w->c->id);
    skl_agents_prepare(w->rt->agents, w->c->id, w->c->token, w);
}

void skl_workload_resume(struct skl_workload *w)
{
    struct skl_error err;

    if (!w->c->token)
        return;
    if (w->c->state != SKL_CONTAINER_EXITED)
        (void)skl_spool_begin_run(skl_workload_spool(w), w->c->run, &err); /* memory only */
    skl_agents_prepare(w->rt->agents, w->c->id, w->c->token, w);
    if (w->c->agent_address)
        skl_agents_dial(w->rt->agents, w->c->id, w->c->agent_address, w->rt->config.agent_grace_ms);
}

void skl_workload_dial(struct skl_workload *w, const char *address, int64_t deadline_ms)
{
    struct skl_error err;

    if (skl_container_set_agent(w->rt->config.store, w->c, w->c->token, address, &err) < 0)
        skl_warn("workload", "agent address not recorded", "container", w->c->id, "error", err.msg,
                 NULL);
    skl_agents_dial(w->rt->agents, w->c->id, address, deadline_ms);
}

void skl_workload_set_ports(struct skl_workload *w, const uint16_t *ports, size_t n)
{
    free(w->ports);
    w->ports = n > 0 ? skl_memdup(ports, n * sizeof(*ports)) : NULL;
    w->n_ports = n;
}

bool skl_workload_is_warm(const struct skl_workload *w)
{
    return w->session && skl_session_is_up(w->session) &&
           skl_session_main_state(w->session) != SKL_MAIN_RUNNING;
}

bool skl_workload_awaits_start(const struct skl_workload *w)
{
    return skl_workload_is_warm(w) && w->step == SKL_BEGIN_NONE &&
           (skl_session_main_state(w->session) == SKL_MAIN_WAITING || w->hello_run < w->c->run);
}

bool skl_workload_has_ended(const struct skl_workload *w)
{
    return skl_workload_is_warm(w) && skl_session_main_state(w->session) == SKL_MAIN_ENDED &&
           w->hello_run == w->c->run;
}

/* Volumes are fetched after the end: the agent stays for that at least. */
static unsigned warm_seconds(const struct skl_workload *w)
{
    unsigned s = w->c->spec.auto_remove ? 0 : w->rt->config.warm_seconds;

    return s < FETCH_WARM_S && skl_content_is_kept(w->c) ? FETCH_WARM_S : s;
}

void skl_workload_process_spec(const struct skl_workload *w, struct skl_process_spec *ret)
{
    const struct skl_container_spec *spec = &w->c->spec;

    *ret = (struct skl_process_spec){
        .argv = spec->argv,
        .env = spec->env,
        .cwd = spec->cwd,
        .user = spec->user,
        .tty = spec->tty,
        .stdin_open = spec->open_stdin,
        .init = spec->init,
        .privileged = spec->privileged,
        .hostname = spec->hostname,
        .hosts = spec->extra_hosts,
        .group_add = spec->group_add,
        .ulimits = spec->ulimits,
        .warm_seconds = warm_seconds(w),
        .ports = w->ports,
        .n_ports = w->n_ports,
    };
}

static void begin_finish(struct skl_workload *w, int code, const struct skl_error *err)
{
    skl_begin_cb *cb = w->begin_cb;

    w->step = SKL_BEGIN_NONE;
    w->begin_cb = NULL;
    if (cb)
        cb(w->begin_arg, code, err);
}

static void begin_start(struct skl_workload *w)
{
    struct skl_process_spec spec;
    struct skl_error err;

    if (skl_spool_begin_run(skl_workload_spool(w), w->c->run, &err) < 0) {
        begin_finish(w, 125, &err);
        return;
    }
    w->step = SKL_BEGIN_STARTING;
    skl_workload_process_spec(w, &spec);
    skl_fault_point("agent.before", "start");
    skl_session_start(w->session, w->c->run, &spec);
    skl_fault_point("agent.after", "start");
}

static void on_delivered(void *arg, const struct skl_error *err)
{
    struct skl_workload *w = arg;

    w->delivery = NULL;
    if (err) {
        begin_finish(w, 125, err);
        return;
    }
    begin_start(w);
}

static void begin_advance(struct skl_workload *w)
{
    if (w->step != SKL_BEGIN_AWAIT_AGENT || !w->session || !skl_session_is_up(w->session))
        return;
    w->step = SKL_BEGIN_DELIVER;
    w->delivery = skl_delivery_start(w, on_delivered, w);
    if (!w->delivery)
        begin_start(w);
}

static void begin_deferred(void *arg)
{
    begin_advance(arg);
}

void skl_workload_begin(struct skl_workload *w, skl_begin_cb *cb, void *arg)
{
    SKL_ASSERT(w->step == SKL_BEGIN_NONE && w->c->state == SKL_CONTAINER_STARTING);
    w->step = SKL_BEGIN_AWAIT_AGENT;
    w->begin_cb = cb;
    w->begin_arg = arg;
    /* The workload of a container that is STARTING is not forgotten before this run ended. */
    skl_defer(w->rt->config.loop, begin_deferred, w);
}

void skl_workload_cancel_begin(struct skl_workload *w)
{
    skl_delivery_cancel(&w->delivery);
    w->step = SKL_BEGIN_NONE;
    w->begin_cb = NULL;
}

static int now_running(struct skl_workload *w, int pid, int64_t started_ns, struct skl_error *err)
{
    struct skl_error why;
    int rc;

    /* Done at the start; but a start that a killed daemon had begun is found without them. */
    if (skl_network_assign_addresses(w->rt->config.store, w->c, &why) < 0)
        skl_warn("workload", "a container runs without the addresses that it asked for",
                 "container", w->c->id, "error", why.msg, NULL);
    rc = skl_container_started(w->rt->config.store, w->c, pid, started_ns, err);
    if (rc < 0)
        skl_network_release_addresses(w->rt->config.store, w->c);
    return rc;
}

int skl_workload_begin_agentless(struct skl_workload *w, struct skl_error *err)
{
    skl_agents_forget(w->rt->agents, w->c->id);
    w->session = NULL;
    return now_running(w, 1, skl_wall_ns(), err);
}

/* -- the end of a run */

static void stdin_reset(struct skl_workload *w)
{
    skl_buf_reset(&w->stdin_waiting);
    w->stdin_ended = false;
}

static void record_again(void *arg)
{
    struct skl_workload *w = arg;
    struct skl_end end = w->unrecorded;
    char *error SKL_AUTO_STR = (char *)(uintptr_t)end.error;

    w->record_again = NULL;
    w->unrecorded = (struct skl_end){0};
    skl_workload_ended(w, &end);
}

/* The agent has told its end and may leave: nobody could be asked for it later. The best report is kept until the store
 * takes it; the container counts as running until then, as its record does. */
static void record_later(struct skl_workload *w, const struct skl_end *end)
{
    struct skl_end copy = *end;

    if (w->record_again && w->unrecorded.rank >= end->rank)
        return;
    copy.error = skl_strdup(end->error);
    if (copy.finished_ns == 0)
        copy.finished_ns = skl_wall_ns();
    forget_unrecorded(w);
    w->unrecorded = copy;
    w->record_again = skl_timer_start(w->rt->config.loop, RECORD_AGAIN_MS, record_again, w);
}

void skl_workload_ended(struct skl_workload *w, const struct skl_end *end)
{
    struct skl_runtime *rt = w->rt;
    struct skl_container *c = w->c;
    bool was_live = skl_container_is_live(c);
    bool again = was_live && rt->config.will_restart(rt->config.arg, c, end->code);
    struct skl_error err;

    if (w->fetch && end->rank != SKL_END_AGENT) {
        /* Its end is known, and told when its volumes are here; unless nobody can give them any more. */
        if (!w->session || !skl_session_is_up(w->session))
            skl_content_give_up(w);
        return;
    }
    skl_timer_cancel(&w->grace);
    if (skl_container_exited(rt->config.store, c, end, again, &err) < 0) {
        if (!w->unrecorded_told)
            skl_err("workload", "the end of a run could not be recorded, which is tried again",
                    "container", c->id, "error", err.msg, NULL);
        w->unrecorded_told = true;
        record_later(w, end);
        return;
    }
    if (w->unrecorded_told)
        skl_info("workload", "the end of the run is recorded", "container", c->id, NULL);
    w->unrecorded_told = false;
    forget_unrecorded(w);
    /* Nobody is there who could answer what is still asked. */
    if (end->rank != SKL_END_AGENT && w->session && !skl_session_is_up(w->session))
        skl_session_close(w->session);
    if (was_live)
        rt->config.on_exited(rt->config.arg, c);
}

/* Between the `die` event and the waiters: readers of this run get their end. */
static void observe(void *arg, struct skl_container *c, enum skl_container_state from,
                    enum skl_container_state to)
{
    struct skl_runtime *rt = arg;
    struct skl_workload *w = c->workload;
    struct skl_error err;

    /* CREATED: the first start failed; who waits for output of that run has waited enough. */
    if (!w ||
        (to != SKL_CONTAINER_EXITED && to != SKL_CONTAINER_RESTARTING &&
         to != SKL_CONTAINER_CREATED) ||
        from == SKL_CONTAINER_EXITED || from == SKL_CONTAINER_RESTARTING)
        return;
    stdin_reset(w);
    skl_network_release_addresses(rt->config.store, c);
    if (skl_spool_end_run(skl_workload_spool(w), c->run, &err) < 0)
        skl_err("workload", "the end of the output could not be recorded", "container", c->id,
                "error", err.msg, NULL);
}

bool skl_workload_is_ending(const struct skl_workload *w)
{
    return w->fetch != NULL;
}

void skl_workload_shutdown(struct skl_workload *w)
{
    if (w->session && skl_session_is_up(w->session))
        skl_session_shutdown(w->session);
}

/* -- stdin */

static void notify_room(struct skl_workload *w)
{
    /* A callback may unsubscribe itself: walk from the end. */
    for (size_t i = w->n_room_subs; i-- > 0;)
        if (i < w->n_room_subs)
            w->room_subs[i].cb(w->room_subs[i].arg);
}

static void stdin_flush(struct skl_workload *w)
{
    struct skl_session *s = w->session;
    size_t n;

    if (!s || skl_session_main_state(s) != SKL_MAIN_RUNNING || w->c->state != SKL_CONTAINER_RUNNING)
        return;
    while (w->stdin_waiting.n > 0 && (n = skl_session_stdin_credit(s)) > 0) {
        if (n > w->stdin_waiting.n)
            n = w->stdin_waiting.n;
        skl_session_stdin(s, skl_str_n(w->stdin_waiting.p, n));
        skl_buf_consume(&w->stdin_waiting, n);
    }
    if (w->stdin_waiting.n == 0 && w->stdin_ended) {
        w->stdin_ended = false;
        skl_session_stdin_end(s);
    }
}

size_t skl_workload_stdin_room(const struct skl_workload *w)
{
    return SKL_LINK_WINDOW - w->stdin_waiting.n;
}

void skl_workload_stdin(struct skl_workload *w, struct skl_str data)
{
    SKL_ASSERT(data.n <= skl_workload_stdin_room(w));
    skl_buf_addstr(&w->stdin_waiting, data);
    stdin_flush(w);
}

void skl_workload_stdin_end(struct skl_workload *w)
{
    w->stdin_ended = true;
    stdin_flush(w);
}

void skl_workload_on_stdin_room(struct skl_workload *w, void (*cb)(void *arg), void *arg)
{
    w->room_subs = skl_realloc(w->room_subs, w->n_room_subs + 1, sizeof(*w->room_subs));
    w->room_subs[w->n_room_subs++] = (struct skl_room_sub){cb, arg};
}

void skl_workload_off_stdin_room(struct skl_workload *w, void (*cb)(void *arg), void *arg)
{
    for (size_t i = 0; i < w->n_room_subs; i++)
        if (w->room_subs[i].cb == cb && w->room_subs[i].arg == arg) {
            w->room_subs[i] = w->room_subs[--w->n_room_subs];
            return;
        }
}

/* -- what the agent reports */

static bool on_hello(void *owner, struct skl_session *s, const struct skl_session_hello *hello,
                     uint64_t *resume_offset, bool *exit_known)
{
    struct skl_workload *w = owner;

    if (w->c->state == SKL_CONTAINER_REMOVING)
        return false;
    w->session = s;
    skl_strset(&w->instance, hello->instance);
    w->hello_run = hello->run;
    w->hello_pid = hello->pid;
    *resume_offset = skl_spool_resume_offset(skl_workload_spool(w), hello->instance);
    *exit_known =
        hello->state == SKL_MAIN_ENDED &&
        (hello->run < w->c->run || (hello->run == w->c->run && !skl_container_is_live(w->c)));
    return true;
}

static void on_up(void *owner, struct skl_session *s)
{
    struct skl_workload *w = owner;
    enum skl_main_state state = skl_session_main_state(s);

    skl_timer_cancel(&w->grace);
    skl_debug("workload", "agent connected", "container", w->c->id, NULL);
    if (w->step == SKL_BEGIN_AWAIT_AGENT) {
        begin_advance(w);
    } else if (state == SKL_MAIN_WAITING && w->step == SKL_BEGIN_NONE &&
               skl_container_has_command(w->c)) {
        /* The platform put a new replica in the place of the one that ran the command. */
        skl_workload_ended(w, &(struct skl_end){.rank = SKL_END_PLATFORM,
                                                .code = 137,
                                                .error = "the platform replaced the workload "
                                                         "while the command ran"});
        skl_workload_shutdown(w);
    } else if (state == SKL_MAIN_RUNNING && w->hello_run == w->c->run &&
               w->c->state == SKL_CONTAINER_STARTING && w->step == SKL_BEGIN_NONE) {
        /* The daemon ended between START and the record of it. */
        struct skl_error err;

        if (now_running(w, w->hello_pid, skl_wall_ns(), &err) < 0)
            skl_err("workload", "the start of a run could not be recorded", "container", w->c->id,
                    "error", err.msg, NULL);
    } else {
        stdin_flush(w);
    }
    w->rt->config.on_agent_up(w->rt->config.arg, w->c);
}

static void grace_over(void *arg)
{
    struct skl_workload *w = arg;

    w->grace = NULL;
    if (skl_container_is_live(w->c))
        w->rt->config.on_agent_lost(w->rt->config.arg, w->c);
}

static void on_down(void *owner, struct skl_session *s)
{
    struct skl_workload *w = owner;

    skl_debug("workload", "agent away", "container", w->c->id, NULL);
    if (skl_container_is_live(w->c) && !w->grace)
        w->grace = skl_timer_start(w->rt->config.loop, w->rt->config.agent_grace_ms, grace_over, w);
}

static void on_gone(void *owner, struct skl_session *s)
{
    struct skl_workload *w = owner;

    if (w->session != s)
        return;
    w->session = NULL;
    if (w->fetch)
        skl_content_give_up(w);
    if (w->step == SKL_BEGIN_DELIVER || w->step == SKL_BEGIN_STARTING) {
        struct skl_error err;

        skl_delivery_cancel(&w->delivery);
        skl_fail(&err, SKL_E_UNAVAILABLE, "the workload ended before the command was started");
        begin_finish(w, 125, &err);
    } else if (w->step == SKL_BEGIN_NONE && skl_container_is_live(w->c)) {
        skl_timer_cancel(&w->grace);
        w->rt->config.on_agent_lost(w->rt->config.arg, w->c);
    } else if (w->c->state == SKL_CONTAINER_EXITED || w->c->state == SKL_CONTAINER_CREATED) {
        w->rt->config.on_agent_left(w->rt->config.arg, w->c);
    }
}

static void on_started(void *owner, struct skl_session *s, unsigned run, int pid,
                       int64_t started_ns)
{
    struct skl_workload *w = owner;
    struct skl_error err;

    if (run != w->c->run || w->c->state != SKL_CONTAINER_STARTING)
        return;
    if (now_running(w, pid, started_ns, &err) < 0) {
        skl_session_signal(s, 9);
        begin_finish(w, 125, &err);
        return;
    }
    stdin_flush(w);
    notify_room(w);
    begin_finish(w, 0, NULL);
}

static void on_start_failed(void *owner, struct skl_session *s, int code, const char *message)
{
    struct skl_workload *w = owner;
    struct skl_error err;

    if (w->step != SKL_BEGIN_STARTING)
        return;
    if (skl_spool_end_run(skl_workload_spool(w), w->c->run, &err) < 0)
        skl_err("workload", "the end of the output could not be recorded", "container", w->c->id,
                "error", err.msg, NULL);
    skl_fail(&err, code == 126 || code == 127 ? SKL_E_INVALID : SKL_E_INTERNAL, "%s", message);
    begin_finish(w, code, &err);
}

static void on_spool_room(void *arg)
{
    struct skl_workload *w = arg;

    if (!w->confirm_later || skl_spool_is_full(w->spool))
        return;
    w->confirm_later = false;
    if (w->session)
        skl_session_ack(w->session, w->unconfirmed);
}

static void on_output(void *owner, struct skl_session *s, bool is_stderr, uint64_t offset,
                      struct skl_str data)
{
    struct skl_workload *w = owner;
    struct skl_spool *spool = skl_workload_spool(w);
    struct skl_error err;

    if (skl_spool_append(spool, w->instance, offset,
                         is_stderr ? SKL_SPOOL_STDERR : SKL_SPOOL_STDOUT, skl_wall_ns(), data,
                         &err) < 0) {
        /* Not confirmed, so the agent keeps it; the session is cut, so that it comes again. */
        skl_err("workload", "output could not be stored; the agent keeps it", "container", w->c->id,
                "error", err.msg, NULL);
        skl_session_reconnect(s);
        return;
    }
    skl_fault_point("agent.before", "output confirmed");
    if (skl_spool_is_full(spool)) {
        w->unconfirmed = offset + data.n;
        w->confirm_later = true;
        skl_spool_on_room(spool, on_spool_room, w);
        return;
    }
    skl_session_ack(s, offset + data.n);
}

static void on_exit_reported(void *owner, struct skl_session *s, const struct skl_exit *exit)
{
    struct skl_workload *w = owner;
    struct skl_end end;

    if (exit->run != w->c->run || w->fetch)
        return;
    skl_fault_point("agent.before", "exit");
    end = (struct skl_end){.rank = SKL_END_AGENT,
                           .code = exit->code,
                           .oom = exit->oom,
                           .finished_ns = exit->finished_ns};
    if (!skl_container_is_live(w->c) || !skl_content_fetch(w, &end))
        skl_workload_ended(w, &end);
    skl_fault_point("agent.after", "exit");
}

static void on_stdin_credit(void *owner, struct skl_session *s)
{
    stdin_flush(owner);
    notify_room(owner);
}

static const struct skl_session_events session_events = {
    .on_hello = on_hello,
    .on_up = on_up,
    .on_down = on_down,
    .on_gone = on_gone,
    .on_started = on_started,
    .on_start_failed = on_start_failed,
    .on_output = on_output,
    .on_exit = on_exit_reported,
    .on_stdin_credit = on_stdin_credit,
};
