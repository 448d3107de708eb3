/* Files of a container: HEAD, GET and PUT of /containers/{id}/archive, streamed both ways.
 *
 * A `docker cp` of gigabytes holds one window of bytes here: the client's socket is not read while the workload
 * has no credit, and the workload gets none while the client does not read.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/limits.h"
#include "docker/api/decompress.h"
#include "docker/api/routes.h"

/* The query's path, or NULL and answered. */
static char *path_of(struct skl_request *r)
{
    char *path = skl_request_query(r, "path");

    if (!skl_str_empty(path))
        return path;
    free(path);
    skl_request_fail(r, SKL_E_INVALID, "bad parameter: pathcannot be empty");
    return NULL;
}

static void not_found(struct skl_error *err, const struct skl_request *r, const char *path)
{
    if (err->kind == SKL_E_NOTFOUND)
        skl_fail(err, SKL_E_NOTFOUND, "Could not find the file %s in container %s", path, r->param);
}

/* "X-Docker-Container-Path-Stat: base64\r\n" */
static void stat_header(const struct skl_path_stat *st, struct skl_buf *out)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, 64 * SKL_KIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "name", st->name);
    skl_json_int(&j, "size", (int64_t)st->size);
    skl_json_int(&j, "mode", st->mode);
    skl_json_time(&j, "mtime", st->mtime_ns);
    skl_json_str(&j, "linkTarget", st->link_target);
    skl_json_end_object(&j);
    skl_buf_adds(out, "X-Docker-Container-Path-Stat: ");
    skl_base64_add(out, b.p, b.n);
    skl_buf_adds(out, "\r\n");
}

/* -- HEAD */

static void on_stat(void *arg, const struct skl_path_stat *st, const struct skl_error *err)
{
    struct skl_request *r = arg;
    SKL_AUTO_BUF struct skl_buf header = {0};
    char *path SKL_AUTO_STR = skl_request_query(r, "path");
    struct skl_error told;

    if (err) {
        told = *err;
        not_found(&told, r, path);
        skl_request_error(r, &told);
    } else if (!skl_request_gone(r)) {
        skl_buf_init(&header, 128 * SKL_KIB);
        stat_header(st, &header);
        skl_request_answered(r, 200);
        skl_http_answer(r->http, 200, NULL, header.p, skl_str_n("", 0));
    }
    skl_request_unref(r);
}

void skl_route_archive_head(struct skl_request *r)
{
    struct skl_container *c = skl_request_container(r);
    char *path SKL_AUTO_STR = c ? path_of(r) : NULL;
    struct skl_error err;

    if (!path)
        return;
    skl_request_ref(r);
    if (skl_driver_stat(skl_workload_of(r->engine->runtime, c), path, on_stat, r, &err) < 0)
        on_stat(r, NULL, &err);
}

/* -- GET */

struct get {
    struct skl_request *r;
    struct skl_source *source;
    char *path; /* NULL: the root file system, for export */
    bool begun;
    size_t unconsumed;
};

static void get_stat(void *arg, const struct skl_path_stat *st)
{
    struct get *g = arg;
    SKL_AUTO_BUF struct skl_buf header = {0};

    g->begun = true;
    if (!g->path) {
        skl_request_begin(g->r, 200, "application/octet-stream", NULL);
        return;
    }
    skl_buf_init(&header, 128 * SKL_KIB);
    stat_header(st, &header);
    skl_request_begin(g->r, 200, "application/x-tar", header.p);
}

static void get_data(void *arg, struct skl_str data)
{
    struct get *g = arg;

    skl_http_write(g->r->http, data.p, data.n);
    if (skl_http_congested(g->r->http))
        g->unconsumed += data.n;
    else
        skl_source_consumed(g->source, data.n);
}

static void get_end(void *arg, const struct skl_error *err)
{
    struct get *g = arg;
    struct skl_error told;

    g->source = NULL;
    if (!err) {
        skl_http_end(g->r->http);
    } else if (g->begun) {
        skl_http_abort(g->r->http); /* a cut archive must not look complete */
    } else {
        told = *err;
        if (g->path)
            not_found(&told, g->r, g->path);
        skl_request_error(g->r, &told);
    }
}

static void get_drain(void *owner)
{
    struct skl_request *r = owner;
    struct get *g = r->state;
    size_t n = g->unconsumed;

    g->unconsumed = 0;
    if (g->source && n > 0)
        skl_source_consumed(g->source, n);
}

static void get_gone(struct skl_request *r)
{
    struct get *g = r->state;

    if (g->source)
        skl_source_cancel(g->source);
    g->source = NULL;
}

static void get_free(struct skl_request *r)
{
    struct get *g = r->state;

    get_gone(r);
    free(g->path);
    free(g);
}

static const struct skl_get_events get_events = {get_stat, get_data, get_end};

static struct get *get_new(struct skl_request *r, char *own_path)
{
    struct get *g = skl_new0(struct get);

    g->r = r;
    g->path = own_path;
    r->state = g;
    r->on_gone = get_gone;
    r->on_free = get_free;
    skl_http_on_drain(r->http, get_drain);
    return g;
}

void skl_route_archive_get(struct skl_request *r)
{
    struct skl_container *c = skl_request_container(r);
    char *path = c ? path_of(r) : NULL;
    struct skl_error err;
    struct get *g;

    if (!path)
        return;
    g = get_new(r, path);
    if (skl_driver_get(skl_workload_of(r->engine->runtime, c), path, &get_events, g, &g->source,
                       &err) < 0) {
        not_found(&err, r, path);
        skl_request_error(r, &err);
        return;
    }
    skl_container_event(r->engine->store, c, "archive-path", NULL);
}

void skl_route_container_export(struct skl_request *r)
{
    struct skl_container *c = skl_request_container(r);
    struct skl_error err;
    struct get *g;

    if (!c)
        return;
    g = get_new(r, NULL);
    if (skl_driver_view(skl_workload_of(r->engine->runtime, c), SKL_VIEW_ROOT, &get_events, g,
                        &g->source, &err) < 0)
        skl_request_error(r, &err);
    else
        skl_container_event(r->engine->store, c, "export", NULL);
}

/* -- PUT */

/* A few bytes of a compressed archive may be megabytes: it is unpacked in small steps, as the sink takes it. */
#define UNPACK_STEP    256
#define UNPACKED_ROOM  (2 * SKL_READ_CHUNK)
#define UNPACKED_LIMIT (64 * SKL_MIB) /* one block of bzip2 can hold 46 MB */

struct put {
    struct skl_request *r;
    struct skl_sink *sink;
    char *path;
    struct skl_decompress *unpack;
    struct skl_buf arrived; /* as it came */
    struct skl_buf pending; /* unpacked, beyond the credit */
    bool paused, body_done, unpack_ended;
};

static int put_unpacked(void *arg, struct skl_str data, struct skl_error *err)
{
    struct put *p = arg;

    skl_buf_addstr(&p->pending, data);
    return p->pending.failed ? skl_fail(err, SKL_E_INVALID, "the archive is packed too tightly")
                             : 0;
}

static int put_step(struct put *p, struct skl_error *err)
{
    size_t n = p->arrived.n;
    int rc;

    if (n == 0) {
        p->unpack_ended = true;
        return skl_decompress_end(p->unpack, err);
    }
    if (!skl_streq(skl_decompress_format(p->unpack), "plain") && n > UNPACK_STEP)
        n = UNPACK_STEP;
    rc = skl_decompress_feed(p->unpack, p->arrived.p, n, err);
    skl_buf_consume(&p->arrived, n);
    return rc;
}

static int put_unpack(struct put *p, struct skl_error *err)
{
    int rc = 0;

    while (rc == 0 && p->pending.n < UNPACKED_ROOM && !p->unpack_ended &&
           (p->arrived.n > 0 || p->body_done))
        rc = put_step(p, err);
    return rc;
}

static void put_refuse(struct put *p, const struct skl_error *err)
{
    skl_sink_cancel(p->sink);
    p->sink = NULL;
    skl_request_error(p->r, err);
    skl_request_unref(p->r);
}

static void put_pump(struct put *p)
{
    struct skl_error err;
    size_t n;

    do {
        if (put_unpack(p, &err) < 0) {
            put_refuse(p, &err);
            return;
        }
        /* Until the credit is used up: only then does the sink call back. */
        while (p->pending.n > 0 && (n = skl_sink_credit(p->sink)) > 0) {
            n = n < p->pending.n ? n : p->pending.n;
            skl_sink_data(p->sink, skl_str_n(p->pending.p, n));
            skl_buf_consume(&p->pending, n);
        }
    } while (p->pending.n == 0 && (p->arrived.n > 0 || (p->body_done && !p->unpack_ended)));
    if (p->pending.n == 0 && p->unpack_ended) {
        skl_sink_end(p->sink);
    } else if (p->pending.n > 0 && !p->paused && !p->body_done) {
        p->paused = true;
        skl_http_pause_body(p->r->http);
    } else if (p->pending.n == 0 && p->paused) {
        p->paused = false;
        skl_http_resume_body(p->r->http);
    }
}

static void put_credit(void *arg)
{
    struct put *p = arg;

    if (p->sink && !skl_request_gone(p->r) && p->pending.n > 0)
        put_pump(p);
}

static void put_end(void *arg, const struct skl_error *err)
{
    struct put *p = arg;
    struct skl_request *r = p->r;
    struct skl_container *c;
    struct skl_error told;

    p->sink = NULL;
    if (err) {
        told = *err;
        not_found(&told, r, p->path);
        skl_request_error(r, &told);
    } else {
        if (skl_container_find(r->engine->store, r->param, &c, &told) == 0)
            skl_container_event(r->engine->store, c, "extract-to-dir", NULL);
        skl_request_status(r, 200);
    }
    skl_request_unref(r);
}

static void put_body_data(void *arg, const uint8_t *bytes, size_t n)
{
    struct put *p = arg;

    if (!p->sink)
        return; /* refused */
    skl_buf_add(&p->arrived, bytes, n);
    put_pump(p);
}

static void put_body_done(void *arg, const struct skl_error *err)
{
    struct put *p = arg;

    p->body_done = true;
    if (!p->sink)
        return;
    if (!err) {
        put_pump(p);
    } else { /* the client left in the middle: nothing more comes */
        skl_sink_cancel(p->sink);
        p->sink = NULL;
        skl_request_unref(p->r);
    }
}

static void put_free(struct skl_request *r)
{
    struct put *p = r->state;

    skl_decompress_free(p->unpack);
    skl_buf_fini(&p->arrived);
    skl_buf_fini(&p->pending);
    free(p->path);
    free(p);
}

void skl_route_archive_put(struct skl_request *r)
{
    static const struct skl_put_events events = {put_credit, put_end};
    static const struct skl_http_body_events body = {put_body_data, put_body_done};
    struct skl_container *c = skl_request_container(r);
    char *path = c ? path_of(r) : NULL;
    struct skl_error err;
    struct put *p;

    if (!path)
        return;
    p = skl_new0(struct put);
    p->r = r;
    p->path = path;
    p->unpack = skl_decompress_new(put_unpacked, p);
    skl_buf_init(&p->arrived, 4 * SKL_READ_CHUNK);
    skl_buf_init(&p->pending, UNPACKED_LIMIT);
    r->state = p;
    r->on_free = put_free;
    const struct skl_put_options options = {
        .path = path,
        .no_overwrite_dir_non_dir = skl_request_query_bool(r, "noOverwriteDirNonDir", false),
        .copy_uidgid = skl_request_query_bool(r, "copyUIDGID", false),
    };
    if (skl_driver_put(skl_workload_of(r->engine->runtime, c), &options, &events, p, &p->sink,
                       &err) < 0) {
        not_found(&err, r, path);
        skl_request_error(r, &err);
        return;
    }
    skl_request_ref(r);
    skl_http_stream_body(r->http, &body, p);
}
