/* What a container wrote: from the spool, line by line.
 *
 * The spool holds pieces as they came; clients want a frame per line with the time of its beginning. Lines of stdout
 * and stderr are put together apart. A line longer than MAX_LINE is given out in parts, so that a program
 * that never ends a line costs no memory. Runs without an agent have no spool: logs_cloud.c.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "docker/api/hijack.h"
#include "docker/api/routes.h"
#include "docker/containers/logs.h"

#define MAX_LINE (64 * SKL_KIB)

struct line {
    struct skl_buf text;
    int64_t time_ns; /* of its first byte; 0: empty */
};

struct logs {
    struct skl_request *r;
    struct skl_logs_format format;
    struct skl_spool_reader *reader;
    struct line lines[2]; /* stdout, stderr */
    int64_t to_skip;      /* lines, for tail */
};

/* -- one line */

void skl_logs_write_line(struct skl_http *x, const struct skl_logs_format *f, int stream_no,
                         int64_t time_ns, struct skl_str line)
{
    char time[SKL_TIME_LEN];
    struct skl_buf b;
    uint8_t head[8] = {(uint8_t)stream_no};

    skl_buf_init(&b, MAX_LINE + 64 * SKL_KIB);
    if (f->framed)
        skl_buf_add(&b, head, sizeof(head));
    if (f->timestamps)
        skl_buf_addf(&b, "%s ", skl_time_format_fixed(time_ns, time));
    if (f->details)
        skl_buf_addf(&b, "%s ", f->details);
    skl_buf_addstr(&b, line);
    if (f->framed)
        for (int i = 0; i < 4; i++)
            b.p[4 + i] = (char)((b.n - sizeof(head)) >> (8 * (3 - i)));
    skl_http_write(x, b.p, b.n);
    skl_buf_fini(&b);
}

static void give(struct logs *l, int stream_no, struct line *line)
{
    if (l->to_skip > 0)
        l->to_skip--;
    else
        skl_logs_write_line(l->r->http, &l->format, stream_no, line->time_ns,
                            skl_buf_str(&line->text));
    skl_buf_reset(&line->text);
}

static void take(struct logs *l, int stream_no, int64_t time_ns, struct skl_str data)
{
    struct line *line = &l->lines[stream_no - 1];

    while (data.n > 0) {
        const char *newline = skl_str_find(data, '\n');
        size_t n = newline ? (size_t)(newline - data.p) + 1 : data.n;

        if (line->text.n == 0)
            line->time_ns = time_ns;
        if (n > MAX_LINE - line->text.n)
            n = MAX_LINE - line->text.n;
        skl_buf_add(&line->text, data.p, n);
        data = skl_str_skip(data, n);
        if (line->text.p[line->text.n - 1] == '\n' || line->text.n == MAX_LINE)
            give(l, stream_no, line);
    }
}

/* -- from the spool to the client */

static bool on_data(void *arg, enum skl_spool_stream stream, int64_t time_ns, struct skl_str data)
{
    struct logs *l = arg;
    bool is_stderr = stream == SKL_SPOOL_STDERR;

    if (is_stderr ? l->format.want_stderr : l->format.want_stdout)
        take(l, is_stderr ? 2 : 1, time_ns, data);
    return !skl_http_congested(l->r->http);
}

static void on_end(void *arg)
{
    struct logs *l = arg;

    l->reader = NULL;
    for (int i = 0; i < 2; i++)
        if (l->lines[i].text.n > 0)
            give(l, i + 1, &l->lines[i]); /* the last line has no newline */
    skl_http_end(l->r->http);
}

static void on_drain(void *owner)
{
    struct skl_request *r = owner;
    struct logs *l = r->state;

    if (l && l->reader)
        skl_spool_reader_resume(l->reader);
}

static void on_gone(struct skl_request *r)
{
    struct logs *l = r->state;

    skl_spool_reader_close(&l->reader);
}

static void on_free(struct skl_request *r)
{
    struct logs *l = r->state;

    skl_spool_reader_close(&l->reader);
    skl_buf_fini(&l->lines[0].text);
    skl_buf_fini(&l->lines[1].text);
    free(l->format.details);
    free(l);
}

/* -- the request */

/* "seconds[.nanoseconds]" or RFC 3339; 0 for none. */
static bool read_time(struct skl_request *r, const char *name, int64_t *ret, struct skl_error *err)
{
    char *text SKL_AUTO_STR = skl_request_query(r, name);
    struct skl_str fraction, whole = skl_str_cut(skl_str(text), '.', &fraction);
    uint64_t seconds, part = 0;

    *ret = 0;
    if (skl_str_empty(text) || skl_time_parse(skl_str(text), ret))
        return true;
    if (!skl_str_u64(whole, &seconds) || seconds > INT64_MAX / SKL_NS_PER_S ||
        (fraction.p && (fraction.n > 9 || !skl_str_u64(fraction, &part)))) {
        skl_fail(err, SKL_E_INVALID, "invalid value for \"%s\": %s", name, text);
        return false;
    }
    for (size_t i = fraction.n; i < 9; i++)
        part *= 10;
    *ret = (int64_t)seconds * SKL_NS_PER_S + (int64_t)part;
    return true;
}

/* Lines from the end; -1: all. */
static int64_t read_tail(struct skl_request *r)
{
    int64_t tail = skl_request_query_int(r, "tail", -1);

    return tail < 0 ? -1 : tail;
}

static int read_format(struct skl_request *r, const struct skl_container *c,
                       struct skl_logs_format *f, struct skl_error *err)
{
    *f = (struct skl_logs_format){
        .framed = !c->spec.tty,
        .want_stdout = skl_request_query_bool(r, "stdout", false),
        .want_stderr = skl_request_query_bool(r, "stderr", false),
        .timestamps = skl_request_query_bool(r, "timestamps", false),
        .follow = skl_request_query_bool(r, "follow", false),
        .tail = read_tail(r),
    };
    if (!f->want_stdout && !f->want_stderr)
        return skl_fail(err, SKL_E_INVALID, "Bad parameters: you must choose at least one stream");
    if (!read_time(r, "since", &f->since_ns, err) || !read_time(r, "until", &f->until_ns, err))
        return -SKL_E_INVALID;
    if (skl_request_query_bool(r, "details", false))
        f->details = skl_logs_details(c);
    return 0;
}

static int check(const struct skl_container *c, struct skl_error *err)
{
    if (c->spec.log_none)
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "configured logging driver does not support reading");
    if (c->state == SKL_CONTAINER_REMOVING || c->state == SKL_CONTAINER_DEAD)
        return skl_fail(err, SKL_E_CONFLICT,
                        "can not get logs from container which is dead or marked for removal");
    return 0;
}

static void begin_answer(struct skl_request *r, const struct skl_container *c)
{
    const char *type = c->spec.tty ? "application/vnd.docker.raw-stream"
                                   : "application/vnd.docker.multiplexed-stream";

    skl_request_begin(r, 200, r->version >= 142 ? type : NULL, NULL);
    skl_http_on_drain(r->http, on_drain);
    skl_http_end_on_eof(r->http, true);
}

static void read_spool(struct skl_request *r, struct skl_container *c, struct skl_logs_format *f)
{
    static const struct skl_spool_events events = {on_data, on_end};
    struct skl_spool *spool = skl_workload_spool(skl_workload_of(r->engine->runtime, c));
    struct logs *l = skl_new0(struct logs);

    l->r = r;
    l->format = *f;
    skl_buf_init(&l->lines[0].text, MAX_LINE);
    skl_buf_init(&l->lines[1].text, MAX_LINE);
    if (f->tail >= 0) {
        int64_t lines =
            skl_spool_count_lines(spool, f->since_ns, f->until_ns, f->want_stdout, f->want_stderr);

        l->to_skip = lines > f->tail ? lines - f->tail : 0;
    }
    r->state = l;
    r->on_gone = on_gone;
    r->on_free = on_free;
    begin_answer(r, c);
    l->reader =
        skl_spool_read(spool,
                       &(struct skl_spool_read_options){
                           .from = SKL_SPOOL_FROM_START,
                           .until = f->follow ? SKL_SPOOL_UNTIL_RUN_END : SKL_SPOOL_UNTIL_NOW,
                           .wait_next_run = c->state == SKL_CONTAINER_CREATED ||
                                            c->state == SKL_CONTAINER_STARTING,
                           .since_ns = f->since_ns,
                           .until_ns = f->until_ns,
                       },
                       &events, l);
}

void skl_route_container_logs(struct skl_request *r)
{
    struct skl_container *c = skl_request_container(r);
    struct skl_logs_format format = {0};
    struct skl_error err;

    if (!c)
        return;
    if (read_format(r, c, &format, &err) < 0 || check(c, &err) < 0) {
        free(format.details);
        skl_request_error(r, &err);
        return;
    }
    if (c->has_run && !r->engine->backend->has_agent(r->engine->backend_ctx, &c->spec, NULL) &&
        skl_spool_is_empty(skl_workload_spool(skl_workload_of(r->engine->runtime, c))))
        skl_logs_from_cloud(r, c, &format);
    else
        read_spool(r, c, &format);
}
