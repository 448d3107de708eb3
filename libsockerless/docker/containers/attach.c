/* Attaching to a container's main process, over a connection that is taken over or a WebSocket.
 *
 * Output is a reader of the spool, so that every attacher has all of it, in order, however slow it is; input goes to
 * the workload, which holds it until the command runs. A client that ends its half is still there: `docker
 * run` does so at once when it has no stdin.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "docker/api/hijack.h"
#include "docker/api/routes.h"
#include "docker/containers/attach_client.h"

struct attach {
    struct skl_hijacked hijacked;
    struct skl_engine *e;
    char id[65];
    struct skl_attach_client *client;
    struct skl_spool_reader *reader;
    bool tty, want_stdin, want_stdout, want_stderr;
    bool open_stdin, stdin_once, waits_for_room;
    unsigned run; /* whose input this is: the present one, or the next */
    struct skl_detach detach;
    struct skl_buf pending; /* stdin that the workload has no room for yet */
    bool eof_pending;
    struct skl_timer *settling; /* until the client has taken the header */
    unsigned settle_ms;
};

static struct skl_workload *workload_of(struct attach *a)
{
    struct skl_container *c = skl_container_by_id(a->e->store, a->id);

    return c ? skl_workload_of(a->e->runtime, c) : NULL;
}

/* Where the input goes; NULL: its run is over. What comes late must not reach the next one. */
static struct skl_workload *input_of(struct attach *a)
{
    struct skl_container *c = skl_container_by_id(a->e->store, a->id);

    if (!c || c->run > a->run || (c->run == a->run && !skl_container_is_live(c)))
        return NULL;
    return skl_workload_of(a->e->runtime, c);
}

static void on_room(void *arg);

static void stop_waiting(struct attach *a)
{
    struct skl_workload *w = workload_of(a);

    if (a->waits_for_room && w)
        skl_workload_off_stdin_room(w, on_room, a);
    a->waits_for_room = false;
}

/* The client's end is closed or being closed by the caller. */
static void attach_free(struct attach *a)
{
    skl_hijacked_remove(&a->hijacked);
    skl_timer_cancel(&a->settling);
    stop_waiting(a);
    skl_spool_reader_close(&a->reader);
    skl_buf_fini(&a->pending);
    free(a);
}

static void finish(struct attach *a)
{
    struct skl_attach_client *client = a->client;

    attach_free(a);
    skl_attach_client_finish(client);
}

/* -- output */

static bool on_output(void *arg, enum skl_spool_stream stream, int64_t time_ns, struct skl_str data)
{
    struct attach *a = arg;
    bool is_stderr = stream == SKL_SPOOL_STDERR;

    if (is_stderr ? a->want_stderr : a->want_stdout)
        skl_attach_client_write(a->client, is_stderr ? 2 : 1, data);
    return !skl_attach_client_congested(a->client);
}

static void on_output_end(void *arg)
{
    struct attach *a = arg;

    a->reader = NULL;
    finish(a);
}

static void on_drain(void *arg)
{
    struct attach *a = arg;

    if (a->reader && !a->settling)
        skl_spool_reader_resume(a->reader);
}

/* The reader has its place since the attach; only its output waits. */
static void settle(void *arg)
{
    struct attach *a = arg;

    a->settling = NULL;
    if (a->settle_ms++ < SKL_SETTLE_MAX_MS && skl_attach_client_untaken(a->client) > 0)
        a->settling = skl_timer_start(a->e->loop, 1, settle, a);
    else if (a->reader)
        skl_spool_reader_resume(a->reader);
}

/* -- input */

static void input_ended(struct attach *a)
{
    struct skl_workload *w = input_of(a);

    if (w && a->stdin_once)
        skl_workload_stdin_end(w);
}

static void push(struct attach *a)
{
    struct skl_workload *w = input_of(a);
    size_t room;

    if (!w) {
        skl_buf_reset(&a->pending);
        return;
    }
    room = skl_workload_stdin_room(w);
    if (room > a->pending.n)
        room = a->pending.n;
    if (room > 0) {
        skl_workload_stdin(w, skl_str_n(a->pending.p, room));
        skl_buf_consume(&a->pending, room);
    }
    if (a->pending.n > 0) {
        skl_attach_client_read(a->client, false);
        if (!a->waits_for_room)
            skl_workload_on_stdin_room(w, on_room, a);
        a->waits_for_room = true;
        return;
    }
    stop_waiting(a);
    skl_attach_client_read(a->client, true);
    if (a->eof_pending) {
        a->eof_pending = false;
        input_ended(a);
    }
}

static void on_room(void *arg)
{
    push(arg);
}

static void detached(struct attach *a)
{
    struct skl_container *c = skl_container_by_id(a->e->store, a->id);

    if (c)
        skl_container_event(a->e->store, c, "detach", NULL);
    finish(a);
}

static void on_input(void *arg, const uint8_t *p, size_t n)
{
    struct attach *a = arg;
    struct skl_str in = skl_str_n((const char *)p, n);

    if (!a->want_stdin || !a->open_stdin)
        return; /* read and dropped */
    if (!a->tty)
        skl_buf_addstr(&a->pending, in);
    else if (skl_detach_feed(&a->detach, in, &a->pending)) {
        detached(a);
        return;
    }
    push(a);
}

static void on_input_eof(void *arg)
{
    struct attach *a = arg;

    if (!a->want_stdin || !a->open_stdin)
        return;
    if (!a->stdin_once || a->tty) {
        finish(a); /* the process keeps its stdin: this attacher is gone */
    } else if (a->pending.n > 0) {
        a->eof_pending = true;
    } else {
        input_ended(a);
    }
}

static void on_gone(void *arg, const struct skl_error *why)
{
    struct attach *a = arg;
    struct skl_attach_client *client = a->client;

    if (a->want_stdin && a->open_stdin)
        input_ended(a);
    attach_free(a);
    skl_attach_client_close(client);
}

/* The daemon goes down; the container keeps its stdin. */
static void end_hijacked(struct skl_hijacked *h)
{
    finish(SKL_CONTAINER_OF(h, struct attach, hijacked));
}

/* -- beginning */

static int check_state(const struct skl_request *r, const struct skl_container *c,
                       struct skl_error *err)
{
    if (c->state == SKL_CONTAINER_PAUSED)
        return skl_fail(err, SKL_E_CONFLICT,
                        "container %s is paused, unpause the container before attach", r->param);
    if (c->state == SKL_CONTAINER_RESTARTING)
        return skl_fail(err, SKL_E_CONFLICT,
                        "container %s is restarting, wait until the container is running",
                        r->param);
    return 0;
}

static struct attach *attach_new(struct skl_request *r, const struct skl_container *c,
                                 const struct skl_detach *detach)
{
    struct attach *a = skl_new0(struct attach);
    bool stream = skl_request_query_bool(r, "stream", false);

    a->e = r->engine;
    snprintf(a->id, sizeof(a->id), "%s", c->id);
    a->tty = c->spec.tty;
    a->open_stdin = c->spec.open_stdin;
    a->stdin_once = c->spec.stdin_once;
    a->run = skl_container_is_live(c) ? c->run : c->run + 1;
    a->want_stdin = stream && skl_request_query_bool(r, "stdin", false);
    a->want_stdout = skl_request_query_bool(r, "stdout", false);
    a->want_stderr = skl_request_query_bool(r, "stderr", false);
    a->detach = *detach;
    skl_buf_init(&a->pending, SKL_ATTACH_MAX_MESSAGE + 2 * SKL_READ_CHUNK + SKL_DETACH_MAX);
    return a;
}

/* The client's end is in its place. */
static void begin(struct skl_request *r, struct attach *a, struct skl_container *c)
{
    static const struct skl_stream_events client_events = {on_input, on_input_eof, on_drain,
                                                           on_gone};
    static const struct skl_spool_events spool_events = {on_output, on_output_end};
    struct skl_workload *w = skl_workload_of(r->engine->runtime, c);
    bool logs = skl_request_query_bool(r, "logs", false);
    bool stream = skl_request_query_bool(r, "stream", false);

    skl_hijacked_add(a->e, &a->hijacked, end_hijacked);
    skl_attach_client_set_events(a->client, &client_events, a);
    if (!logs && !stream) {
        finish(a);
        return;
    }
    a->reader = skl_spool_read(skl_workload_spool(w),
                               &(struct skl_spool_read_options){
                                   .from = logs ? SKL_SPOOL_FROM_START : SKL_SPOOL_FROM_NOW,
                                   .until = stream ? SKL_SPOOL_UNTIL_RUN_END : SKL_SPOOL_UNTIL_NOW,
                                   .wait_next_run = stream,
                                   .paused = true,
                               },
                               &spool_events, a);
    a->settling = skl_timer_start(a->e->loop, 0, settle, a);
    skl_attach_client_read(a->client, true);
    skl_container_event(r->engine->store, c, "attach", NULL);
}

static int check(struct skl_request *r, struct skl_container **c, struct skl_detach *detach,
                 struct skl_error *err)
{
    char *keys SKL_AUTO_STR = skl_request_query(r, "detachKeys");
    int rc = skl_container_find(r->engine->store, r->param, c, err);

    if (rc == 0)
        rc = check_state(r, *c, err);
    return rc < 0 ? rc : skl_detach_parse(detach, keys, err);
}

void skl_route_container_attach(struct skl_request *r)
{
    struct skl_container *c;
    struct skl_detach detach;
    struct skl_error err;
    struct attach *a;

    if (check(r, &c, &detach, &err) < 0) {
        skl_hijack_refuse(r, &err);
        return;
    }
    a = attach_new(r, c, &detach);
    a->client = skl_attach_client_stream(skl_hijack(r, a->tty, false), !a->tty);
    begin(r, a, c);
}

/* Nothing is taken over before the checks: a refusal is an answer like any other. */
void skl_route_container_attach_ws(struct skl_request *r)
{
    static const struct skl_ws_config config = {.max_message = SKL_ATTACH_MAX_MESSAGE,
                                                .accept_text = true};
    struct skl_container *c;
    struct skl_detach detach;
    struct skl_error err;
    struct attach *a;
    struct skl_ws *ws;

    if (check(r, &c, &detach, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    skl_request_answered(r, 101);
    a = attach_new(r, c, &detach);
    if (r->version < 142) /* these had no choice */
        a->want_stdin = a->want_stdout = a->want_stderr = true;
    if (skl_ws_accept(r->http, &config, &ws, &err) < 0) {
        r->status = 400;
        attach_free(a);
        return;
    }
    a->client = skl_attach_client_ws(ws);
    begin(r, a, c);
}
