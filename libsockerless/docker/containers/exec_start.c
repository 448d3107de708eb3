/* Running an exec.
 *
 * The order at the end is what clients rely on: all output is written, the exit code is in the record, then the
 * stream ends. A client that goes away leaves the process running; its stdin ends.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"
#include "docker/api/hijack.h"
#include "docker/api/routes.h"
#include "docker/containers/exec_live.h"

struct live {
    struct skl_hijacked hijacked; /* while there is a stream */
    struct skl_engine *e;
    struct skl_exec *x;
    struct skl_agent_exec *process; /* NULL: over */
    struct skl_stream *stream;      /* NULL: detached, or the client is gone */
    struct skl_request *detached;   /* waits for the process to have started */
    struct skl_detach detach;
    struct skl_buf pending; /* stdin beyond the credit */
    bool eof_pending;
    size_t unconsumed;          /* output that the client's stream has not drained */
    struct skl_timer *settling; /* until the client has taken the header */
    unsigned settle_ms;
};

static void live_free(struct live *v)
{
    skl_hijacked_remove(&v->hijacked);
    skl_timer_cancel(&v->settling);
    v->x->live = NULL;
    if (v->x->dropped)
        skl_exec_free(v->x); /* the container was removed meanwhile */
    skl_buf_fini(&v->pending);
    free(v);
}

/* -- output */

static void on_output(void *arg, bool is_stderr, struct skl_str data)
{
    struct live *v = arg;
    bool wanted = is_stderr ? v->x->attach_stderr : v->x->attach_stdout || v->x->tty;

    if (v->stream && wanted)
        skl_hijack_write(v->stream, !v->x->tty, is_stderr ? 2 : 1, data);
    if (v->stream && skl_stream_congested(v->stream))
        v->unconsumed += data.n;
    else
        skl_agent_exec_consumed(v->process, data.n);
}

static void on_drain(void *arg)
{
    struct live *v = arg;
    size_t n = v->unconsumed;

    v->unconsumed = 0;
    if (v->process && n > 0)
        skl_agent_exec_consumed(v->process, n);
}

/* -- input */

static void push(struct live *v)
{
    size_t n;

    /* Until the credit is used up: only then does the process call back. */
    while (v->pending.n > 0 && (n = skl_agent_exec_credit(v->process)) > 0) {
        n = n < v->pending.n ? n : v->pending.n;
        skl_agent_exec_stdin(v->process, skl_str_n(v->pending.p, n));
        skl_buf_consume(&v->pending, n);
    }
    if (!v->stream)
        return;
    if (v->pending.n > 0) {
        skl_stream_read_stop(v->stream);
        return;
    }
    skl_stream_read_start(v->stream);
    if (v->eof_pending) {
        v->eof_pending = false;
        skl_agent_exec_stdin_end(v->process);
    }
}

static void on_stdin_credit(void *arg)
{
    struct live *v = arg;

    if (v->pending.n > 0)
        push(v);
}

static void let_go(struct live *v)
{
    skl_hijacked_remove(&v->hijacked);
    v->stream = NULL;
    v->unconsumed = 0;
    skl_buf_reset(&v->pending);
    if (v->process) {
        skl_agent_exec_stdin_end(v->process);
        skl_agent_exec_abandon(v->process);
    }
}

static void detached_by_keys(struct live *v)
{
    struct skl_container *c = skl_container_by_id(v->e->store, v->x->container_id);
    char id[65];
    char *extra[] = {(char[]){"execID"}, id, NULL};
    struct skl_stream *s = v->stream;

    snprintf(id, sizeof(id), "%s", v->x->id);
    if (c)
        skl_container_event(v->e->store, c, "exec_detach", extra);
    let_go(v);
    skl_stream_close_gracefully(s, SKL_HIJACK_CLOSE_MS);
}

static void on_input(void *arg, const uint8_t *p, size_t n)
{
    struct live *v = arg;
    struct skl_str in = skl_str_n((const char *)p, n);

    if (!v->process || !v->x->attach_stdin)
        return;
    if (!v->x->tty)
        skl_buf_addstr(&v->pending, in);
    else if (skl_detach_feed(&v->detach, in, &v->pending)) {
        detached_by_keys(v);
        return;
    }
    push(v);
}

static void on_input_eof(void *arg)
{
    struct live *v = arg;

    if (!v->process || !v->x->attach_stdin)
        return;
    if (v->x->tty) {
        struct skl_stream *s = v->stream;

        let_go(v);
        skl_stream_close_gracefully(s, SKL_HIJACK_CLOSE_MS);
    } else if (v->pending.n > 0) {
        v->eof_pending = true;
    } else {
        skl_agent_exec_stdin_end(v->process);
    }
}

static void on_client_gone(void *arg, const struct skl_error *why)
{
    struct live *v = arg;
    struct skl_stream *s = v->stream;

    let_go(v);
    skl_stream_close(s);
}

/* The daemon goes down: the process keeps its stdin, and its record waits for the exit code. */
static void end_hijacked(struct skl_hijacked *h)
{
    struct live *v = SKL_CONTAINER_OF(h, struct live, hijacked);
    struct skl_stream *s = v->stream;

    skl_hijacked_remove(h);
    v->stream = NULL;
    skl_stream_close_gracefully(s, SKL_HIJACK_CLOSE_MS);
    if (v->settling)
        live_free(v); /* nothing was begun */
}

/* -- the process */

static void answer_detached(struct live *v, const struct skl_error *err)
{
    struct skl_request *r = v->detached;

    if (!r)
        return;
    v->detached = NULL;
    if (err)
        skl_request_error(r, err);
    else
        skl_request_status(r, 200);
    skl_request_unref(r);
}

static void on_started(void *arg, int pid)
{
    struct live *v = arg;

    skl_exec_set_pid(v->e->store, v->x, pid);
    if (v->x->tty && v->x->rows > 0)
        skl_agent_exec_resize(v->process, v->x->rows, v->x->cols);
    answer_detached(v, NULL);
}

/* The command could not be run: an Engine says so in the stream. */
static void write_failure(struct live *v, bool by_runtime, const struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf text = {0};

    skl_buf_init(&text, 4 * SKL_KIB);
    if (by_runtime)
        skl_buf_addf(&text,
                     "OCI runtime exec failed: exec failed: unable to start container process: "
                     "%s: unknown\r\n",
                     err->msg);
    else
        skl_buf_addf(&text, "%s\r\n", err->msg);
    skl_hijack_write(v->stream, !v->x->tty, 1, skl_buf_str(&text));
}

/* Output is written, then the code is recorded, then the stream ends. */
static void finish(struct live *v, int code)
{
    struct skl_stream *s = v->stream;
    struct skl_error err;

    if (!v->x->dropped && skl_exec_ended(v->e->store, v->x, code, &err) < 0)
        skl_err("exec", "the end of an exec could not be recorded", "exec", v->x->id, "error",
                err.msg, NULL);
    live_free(v);
    if (s)
        skl_stream_close_gracefully(s, SKL_HIJACK_CLOSE_MS);
}

static void on_end(void *arg, int code, const struct skl_error *err)
{
    struct live *v = arg;

    v->process = NULL;
    if (err && v->stream)
        write_failure(v, code == 126 || code == 127, err);
    answer_detached(v, err);
    finish(v, code < 0 ? 137 : code); /* without a code: it ended with its container */
}

static const struct skl_agent_exec_events process_events = {on_started, on_output, on_stdin_credit,
                                                            on_end};
static const struct skl_stream_events stream_events = {on_input, on_input_eof, on_drain,
                                                       on_client_gone};

/* The container's environment with the exec's own over it. */
static char **environment(const struct skl_container *c, const struct skl_exec *x)
{
    char **env = NULL;

    for (char **p = c->spec.env; p && *p; p++) {
        size_t n = strcspn(*p, "=");
        bool replaced = false;

        for (char **q = x->env; q && *q; q++)
            replaced |= strncmp(*p, *q, n) == 0 && ((*q)[n] == '=' || (*q)[n] == '\0');
        if (!replaced)
            skl_strv_push(&env, *p);
    }
    for (char **q = x->env; q && *q; q++)
        if (strchr(*q, '=')) /* a bare name removes the variable */
            skl_strv_push(&env, *q);
    return env;
}

static int run(struct live *v, struct skl_container *c, struct skl_error *err)
{
    struct skl_exec *x = v->x;
    char **env = environment(c, x);
    const struct skl_process_spec spec = {
        .argv = x->argv,
        .env = env,
        .cwd = skl_str_empty(x->cwd) ? c->spec.cwd : x->cwd,
        .user = skl_str_empty(x->user) ? c->spec.user : x->user,
        .tty = x->tty,
        .stdin_open = x->attach_stdin && v->stream,
        .privileged = x->privileged,
        .rows = x->rows,
        .cols = x->cols,
        .group_add = c->spec.group_add,
    };
    int rc = skl_driver_exec(skl_workload_of(v->e->runtime, c), &spec, &process_events, v,
                             &v->process, err);

    skl_strv_free(env);
    return rc;
}

/* No driver takes it: the sentence of the last one. */
static void run_failed(struct live *v, const struct skl_error *err)
{
    if (v->stream)
        write_failure(v, false, err);
    answer_detached(v, err);
    finish(v, 126);
}

void skl_exec_live_resize(struct skl_exec *x)
{
    struct live *v = x->live;

    if (v && v->process && x->tty)
        skl_agent_exec_resize(v->process, x->rows, x->cols);
}

static struct live *live_new(struct skl_request *r, struct skl_exec *x)
{
    struct live *v = skl_new0(struct live);

    v->e = r->engine;
    v->x = x;
    x->live = v;
    (void)skl_detach_parse(&v->detach, x->detach_keys, NULL); /* checked when it was created */
    skl_buf_init(&v->pending, 2 * SKL_READ_CHUNK + SKL_DETACH_MAX);
    return v;
}

static void begin(struct live *v)
{
    struct skl_container *c = skl_container_by_id(v->e->store, v->x->container_id);
    struct skl_error err;
    int rc = c ? skl_exec_check_container(c, c->id, &err)
               : skl_fail(&err, SKL_E_NOTFOUND, "No such container: %s", v->x->container_id);

    if (rc == 0)
        rc = run(v, c, &err);
    if (rc < 0)
        run_failed(v, &err);
    else if (v->stream)
        skl_stream_read_start(v->stream);
}

static void settle(void *arg)
{
    struct live *v = arg;

    v->settling = NULL;
    if (v->stream && v->settle_ms++ < SKL_SETTLE_MAX_MS && skl_stream_untaken(v->stream) > 0)
        v->settling = skl_timer_start(v->e->loop, 1, settle, v);
    else
        begin(v);
}

static void start(struct skl_request *r, struct skl_exec *x, bool detach)
{
    struct live *v;
    struct skl_error err;

    if (skl_exec_started(r->engine->store, x, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    v = live_new(r, x);
    if (detach) {
        v->detached = skl_request_ref(r);
    } else {
        v->stream = skl_hijack(r, x->tty, true);
        skl_hijacked_add(v->e, &v->hijacked, end_hijacked);
        skl_stream_set_keepalive(v->stream, 30);
        skl_stream_set_events(v->stream, &stream_events, v);
    }
    v->settling = skl_timer_start(v->e->loop, 0, settle, v);
}

static void refuse_second(struct skl_request *r, const struct skl_exec *x, bool detach)
{
    struct skl_stream *s;
    char text[128];

    if (detach) {
        skl_request_fail(r, SKL_E_CONFLICT, "Error: Exec command %s has already run", x->id);
        return;
    }
    snprintf(text, sizeof(text), "Error: Exec command %s has already run\r\n", x->id);
    s = skl_hijack(r, x->tty, true);
    skl_hijack_write(s, !x->tty, 1, skl_str(text));
    skl_stream_close_gracefully(s, SKL_HIJACK_CLOSE_MS);
}

void skl_route_exec_start(struct skl_request *r)
{
    struct skl_exec *x = skl_request_exec(r);
    bool detach = skl_json_get_bool(r->body, "Detach", false);
    const cJSON *size = skl_json_get(r->body, "ConsoleSize");
    struct skl_container *c;
    struct skl_error err;

    if (!x)
        return;
    c = skl_container_by_id(r->engine->store, x->container_id);
    if (!c) {
        skl_request_fail(r, SKL_E_NOTFOUND, "No such container: %s", x->container_id);
        return;
    }
    if (x->started) {
        refuse_second(r, x, detach);
        return;
    }
    if (skl_exec_check_container(c, c->id, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    skl_exec_read_size(x, size);
    start(r, x, detach);
}
