/* Archives and small questions over a session. */
#include "agent/session_internal.h"
#include "base/alloc.h"
#include "base/limits.h"

/* -- path stats */

void skl_path_stat_fini(struct skl_path_stat *st)
{
    free(st->name);
    free(st->link_target);
}

static void read_stat(struct skl_str payload, struct skl_path_stat *ret)
{
    *ret = (struct skl_path_stat){
        .name = skl_tlv_find_dup(payload, SKL_TAG_NAME),
        .link_target = skl_tlv_find_dup(payload, SKL_TAG_LINK_TARGET),
        .size = skl_tlv_find_num(payload, SKL_TAG_SIZE, 0),
        .mode = (uint32_t)skl_tlv_find_num(payload, SKL_TAG_MODE, 0),
        .mtime_ns = (int64_t)skl_tlv_find_num(payload, SKL_TAG_MTIME_NS, 0),
    };
}

/* -- questions: one frame there, one back */

struct question {
    struct skl_request_stream stream;
    void (*answer)(struct question *q, struct skl_str payload, const struct skl_error *err);
    union {
        skl_stat_cb *stat;
        skl_top_cb *top;
        skl_stats_cb *stats;
    } cb;
    void *arg;
};

static void question_frame(struct skl_request_stream *r, const struct skl_frame *f)
{
    struct question *q = SKL_CONTAINER_OF(r, struct question, stream);
    struct skl_error err;
    int code;

    if (f->type != SKL_FRAME_RESULT && f->type != SKL_FRAME_ERROR)
        return;
    skl_stream_over(r);
    if (f->type == SKL_FRAME_ERROR) {
        skl_frame_error(f, &err, &code);
        q->answer(q, skl_str_n("", 0), &err);
    } else {
        q->answer(q, f->payload, NULL);
    }
    free(q);
}

static void question_credit(struct skl_request_stream *r)
{
    /* Nothing is sent after the question. */
}

static void question_lost(struct skl_request_stream *r, const struct skl_error *err)
{
    struct question *q = SKL_CONTAINER_OF(r, struct question, stream);

    q->answer(q, skl_str_n("", 0), err);
    free(q);
}

static struct question *ask(struct skl_session *s, uint8_t type, enum skl_tag tag, const char *text,
                            void *arg)
{
    struct question *q = skl_new0(struct question);
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, SKL_WS_MAX_MESSAGE);
    skl_tlv_strz(&b, tag, text);
    q->arg = arg;
    q->stream.on_frame = question_frame;
    q->stream.on_credit = question_credit;
    q->stream.on_lost = question_lost;
    skl_stream_open(&q->stream, s, type, skl_buf_str(&b));
    return q;
}

static void answer_stat(struct question *q, struct skl_str payload, const struct skl_error *err)
{
    struct skl_path_stat st;

    if (err) {
        q->cb.stat(q->arg, NULL, err);
        return;
    }
    read_stat(payload, &st);
    q->cb.stat(q->arg, &st, NULL);
    skl_path_stat_fini(&st);
}

void skl_session_stat(struct skl_session *s, const char *path, skl_stat_cb *cb, void *arg)
{
    struct question *q = ask(s, SKL_FRAME_ARCHIVE_STAT, SKL_TAG_PATH, path, arg);

    q->cb.stat = cb;
    q->answer = answer_stat;
}

static void answer_top(struct question *q, struct skl_str payload, const struct skl_error *err)
{
    char **titles = skl_tlv_find_strv(payload, SKL_TAG_TITLE);
    char **cells = skl_tlv_find_strv(payload, SKL_TAG_CELL);

    q->cb.top(q->arg, titles, cells, err);
    skl_strv_free(titles);
    skl_strv_free(cells);
}

void skl_session_top(struct skl_session *s, const char *ps_args, skl_top_cb *cb, void *arg)
{
    struct question *q = ask(s, SKL_FRAME_TOP, SKL_TAG_PS_ARGS, ps_args, arg);

    q->cb.top = cb;
    q->answer = answer_top;
}

static void answer_stats(struct question *q, struct skl_str payload, const struct skl_error *err)
{
    char **stats = skl_tlv_find_strv(payload, SKL_TAG_STAT);

    q->cb.stats(q->arg, stats, err);
    skl_strv_free(stats);
}

void skl_session_stats(struct skl_session *s, skl_stats_cb *cb, void *arg)
{
    struct question *q = ask(s, SKL_FRAME_STATS, SKL_TAG_PS_ARGS, NULL, arg);

    q->cb.stats = cb;
    q->answer = answer_stats;
}

/* -- transfers */

struct skl_transfer {
    struct skl_request_stream stream;
    struct skl_get_events get;
    struct skl_put_events put;
    void *arg;
    bool is_get;
};

static void transfer_end(struct skl_transfer *t, const struct skl_error *err)
{
    struct skl_transfer copy = *t;

    free(t);
    if (copy.is_get)
        copy.get.on_end(copy.arg, err);
    else
        copy.put.on_end(copy.arg, err);
}

static void get_result(struct skl_transfer *t, struct skl_str payload)
{
    struct skl_path_stat st;

    read_stat(payload, &st);
    t->get.on_stat(t->arg, &st);
    skl_path_stat_fini(&st);
}

static void transfer_frame(struct skl_request_stream *r, const struct skl_frame *f)
{
    struct skl_transfer *t = SKL_CONTAINER_OF(r, struct skl_transfer, stream);
    struct skl_error err;
    int code;

    if (f->type == SKL_FRAME_ERROR) {
        skl_frame_error(f, &err, &code);
        skl_stream_over(r);
        transfer_end(t, &err);
    } else if (t->is_get && f->type == SKL_FRAME_RESULT) {
        get_result(t, f->payload);
    } else if (t->is_get && f->type == SKL_FRAME_STDOUT) {
        t->get.on_data(t->arg, f->payload);
    } else if ((t->is_get && f->type == SKL_FRAME_END) ||
               (!t->is_get && f->type == SKL_FRAME_RESULT)) {
        skl_stream_over(r);
        transfer_end(t, NULL);
    }
}

static void transfer_credit(struct skl_request_stream *r)
{
    struct skl_transfer *t = SKL_CONTAINER_OF(r, struct skl_transfer, stream);

    if (!t->is_get)
        t->put.on_credit(t->arg);
}

static void transfer_lost(struct skl_request_stream *r, const struct skl_error *err)
{
    transfer_end(SKL_CONTAINER_OF(r, struct skl_transfer, stream), err);
}

static struct skl_transfer *transfer_new(void *arg, bool is_get)
{
    struct skl_transfer *t = skl_new0(struct skl_transfer);

    t->arg = arg;
    t->is_get = is_get;
    t->stream.on_frame = transfer_frame;
    t->stream.on_credit = transfer_credit;
    t->stream.on_lost = transfer_lost;
    return t;
}

struct skl_transfer *skl_session_get(struct skl_session *s, const char *path,
                                     const struct skl_get_events *events, void *arg)
{
    struct skl_transfer *t = transfer_new(arg, true);
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, SKL_WS_MAX_MESSAGE);
    skl_tlv_strz(&b, SKL_TAG_PATH, path);
    t->get = *events;
    skl_stream_open(&t->stream, s, SKL_FRAME_ARCHIVE_GET, skl_buf_str(&b));
    return t;
}

void skl_transfer_consumed(struct skl_transfer *t, size_t n)
{
    skl_link_consumed(t->stream.s->link, t->stream.id, n);
}

void skl_transfer_cancel(struct skl_transfer *t)
{
    skl_link_send(t->stream.s->link, SKL_FRAME_CLOSE, t->stream.id, skl_str_n("", 0));
    skl_stream_over(&t->stream);
    free(t);
}

struct skl_transfer *skl_session_put(struct skl_session *s, const struct skl_put_options *options,
                                     const struct skl_put_events *events, void *arg)
{
    struct skl_transfer *t = transfer_new(arg, false);
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, SKL_WS_MAX_MESSAGE);
    skl_tlv_strz(&b, SKL_TAG_PATH, options->path);
    skl_tlv_u64(&b, SKL_TAG_NO_OVERWRITE_DIR, options->no_overwrite_dir_non_dir);
    skl_tlv_u64(&b, SKL_TAG_COPY_UIDGID, options->copy_uidgid);
    t->put = *events;
    skl_stream_open(&t->stream, s, SKL_FRAME_ARCHIVE_PUT, skl_buf_str(&b));
    return t;
}

size_t skl_transfer_credit(const struct skl_transfer *t)
{
    size_t n = skl_link_credit(t->stream.s->link, t->stream.id);

    return n < SKL_FRAME_MAX_PAYLOAD ? n : SKL_FRAME_MAX_PAYLOAD;
}

void skl_transfer_data(struct skl_transfer *t, struct skl_str data)
{
    skl_link_send(t->stream.s->link, SKL_FRAME_STDIN, t->stream.id, data);
}

void skl_transfer_end(struct skl_transfer *t)
{
    skl_link_send(t->stream.s->link, SKL_FRAME_END, t->stream.id, skl_str_n("", 0));
}
