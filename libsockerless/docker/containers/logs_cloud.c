/* Logs of runs without an agent: asked of the cloud's log service, again and again while they are followed.
 *
 * The backend's cursor leaves out what was given before. After the container has ended the follower goes on for
 * a while, because log services are late.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "docker/containers/logs.h"

#define POLL_MS        2000
#define LATE_LINES_MS  (3 * 60 * 1000) /* after the end of the container, without a new line */
#define MAX_ROWS_BYTES (64 * SKL_MIB)

struct row {
    int64_t time_ns;
    int stream_no;
    size_t from, n; /* in the text of the fetch */
};

/* One call on a worker. */
struct fetch {
    struct skl_engine *e;
    struct cloud_logs *l; /* NULL: the client has gone */
    struct skl_call call;
    struct skl_container_snapshot *snapshot;
    char *cursor;
    struct skl_buf text;
    struct row *rows;
    size_t n_rows;
    int rc;
    struct skl_error err;
};

struct cloud_logs {
    struct skl_request *r;
    struct skl_logs_format format;
    char id[65];
    char *cursor;
    struct fetch *fetch;
    struct skl_timer *again;
    int64_t ended_ms; /* when the container was first seen ended; moved by each new line */
    bool begun;
};

static void fetch_free(struct fetch *f)
{
    skl_snapshot_free(f->snapshot);
    skl_buf_fini(&f->text);
    free(f->rows);
    free(f->cursor);
    free(f);
}

static bool take_line(void *arg, enum skl_spool_stream stream, int64_t time_ns, struct skl_str line)
{
    struct fetch *f = arg;

    if ((f->n_rows & (f->n_rows - 1)) == 0)
        f->rows = skl_realloc(f->rows, f->n_rows ? 2 * f->n_rows : 1, sizeof(*f->rows));
    f->rows[f->n_rows++] =
        (struct row){time_ns, stream == SKL_SPOOL_STDERR ? 2 : 1, f->text.n, line.n + 1};
    skl_buf_addstr(&f->text, line);
    skl_buf_addc(&f->text, '\n');
    return !f->text.failed && !atomic_load(&f->call.canceled);
}

static void fetch_work(void *arg)
{
    struct fetch *f = arg;

    f->rc = f->e->backend->container_logs(f->e->backend_ctx, &f->call, &f->cursor, take_line, f,
                                          &f->err);
}

static void fetch_start(void *arg);

static void give(struct cloud_logs *l, const struct fetch *f)
{
    size_t first = 0;

    if (!l->cursor && l->format.tail >= 0 && f->n_rows > (size_t)l->format.tail)
        first = f->n_rows - (size_t)l->format.tail;
    for (size_t i = first; i < f->n_rows; i++) {
        const struct row *row = &f->rows[i];

        if ((row->stream_no == 1 ? l->format.want_stdout : l->format.want_stderr) &&
            row->time_ns >= l->format.since_ns &&
            (l->format.until_ns == 0 || row->time_ns <= l->format.until_ns))
            skl_logs_write_line(l->r->http, &l->format, row->stream_no, row->time_ns,
                                skl_str_n(f->text.p + row->from, row->n));
    }
}

static bool goes_on(struct cloud_logs *l, const struct fetch *f)
{
    struct skl_container *c = skl_container_by_id(l->r->engine->store, l->id);
    int64_t now = skl_mono_ms();

    if (!l->format.follow || !c)
        return false;
    if (skl_container_is_running(c) || l->ended_ms == 0 || f->n_rows > 0)
        l->ended_ms = now;
    return now - l->ended_ms < LATE_LINES_MS;
}

static void fetch_done(void *arg, bool canceled)
{
    struct fetch *f = arg;
    struct cloud_logs *l = f->l;

    if (!l) {
        fetch_free(f);
        return;
    }
    l->fetch = NULL;
    if (f->rc < 0 && !l->begun) {
        skl_request_error(l->r, &f->err);
        fetch_free(f);
        return;
    }
    if (!l->begun) {
        l->begun = true;
        skl_request_begin(l->r, 200,
                          !l->format.framed ? "application/vnd.docker.raw-stream"
                                            : "application/vnd.docker.multiplexed-stream",
                          NULL);
        skl_http_end_on_eof(l->r->http, true);
    }
    if (f->rc == 0) {
        give(l, f);
        free(l->cursor);
        l->cursor = skl_take(&f->cursor);
    } else {
        skl_warn("logs", "the log service did not answer; asked again", "container", l->id, "error",
                 f->err.msg, NULL);
    }
    if (goes_on(l, f))
        l->again = skl_timer_start(l->r->engine->loop, POLL_MS, fetch_start, l);
    else
        skl_http_end(l->r->http);
    fetch_free(f);
}

static void fetch_start(void *arg)
{
    struct cloud_logs *l = arg;
    struct skl_engine *e = l->r->engine;
    struct skl_container *c = skl_container_by_id(e->store, l->id);
    struct fetch *f;

    l->again = NULL;
    if (!c) {
        skl_http_end(l->r->http);
        return;
    }
    f = skl_new0(struct fetch);
    f->e = e;
    f->l = l;
    f->snapshot = skl_snapshot_new(c, skl_store_instance(e->store));
    f->call.c = f->snapshot;
    atomic_init(&f->call.canceled, false);
    f->cursor = skl_strdup(l->cursor);
    skl_buf_init(&f->text, MAX_ROWS_BYTES);
    l->fetch = f;
    skl_work_submit(e->workers, fetch_work, fetch_done, f);
}

static void on_gone(struct skl_request *r)
{
    struct cloud_logs *l = r->state;

    skl_timer_cancel(&l->again);
    if (l->fetch) {
        l->fetch->l = NULL;
        atomic_store(&l->fetch->call.canceled, true);
        l->fetch = NULL;
    }
}

static void on_free(struct skl_request *r)
{
    struct cloud_logs *l = r->state;

    on_gone(r);
    free(l->cursor);
    free(l->format.details);
    free(l);
}

void skl_logs_from_cloud(struct skl_request *r, struct skl_container *c, struct skl_logs_format *f)
{
    struct cloud_logs *l;

    if (!r->engine->backend->container_logs) {
        free(f->details);
        skl_request_fail(r, SKL_E_UNSUPPORTED,
                         "logs of a container without an agent are not supported by %s",
                         r->engine->backend->title);
        return;
    }
    l = skl_new0(struct cloud_logs);
    l->r = r;
    l->format = *f;
    memcpy(l->id, c->id, sizeof(l->id));
    r->state = l;
    r->on_gone = on_gone;
    r->on_free = on_free;
    fetch_start(l);
}
