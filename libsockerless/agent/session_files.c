/* Archives over a session: a tar stream out of the container, or into it. */
#include "agent/session_internal.h"
#include "base/alloc.h"

struct skl_transfer {
    struct session_stream stream;
    struct skl_get_events get;
    struct skl_put_events put;
    void *arg;
    bool is_get;
    bool has_stat; /* get: RESULT has come, data may */
    bool ended;    /* put: END is sent */
};

_Static_assert(offsetof(struct skl_transfer, stream) == 0, "freed as its stream");

static struct skl_transfer *of(struct session_stream *r)
{
    return SKL_CONTAINER_OF(r, struct skl_transfer, stream);
}

static void finish(struct skl_transfer *t, const struct skl_error *err)
{
    struct skl_transfer was = *t;

    free(t);
    if (was.is_get)
        was.get.on_end(was.arg, err);
    else
        was.put.on_end(was.arg, err);
}

static void take_stat(struct skl_transfer *t, struct skl_str payload)
{
    struct skl_path_stat st;
    const char *wrong = t->has_stat ? "a second path stat" : session_read_stat(payload, &st);

    if (wrong) {
        session_stream_violation(&t->stream, wrong);
        return;
    }
    t->has_stat = true;
    t->get.on_stat(t->arg, &st);
    skl_path_stat_fini(&st);
}

static void get_frame(struct skl_transfer *t, const struct skl_frame *f)
{
    if (f->type == SKL_FRAME_RESULT) {
        take_stat(t, f->payload);
    } else if (f->type == SKL_FRAME_STDOUT && t->has_stat) {
        t->get.on_data(t->arg, f->payload);
    } else if (f->type == SKL_FRAME_END && t->has_stat) {
        session_stream_over(&t->stream);
        finish(t, NULL);
    } else {
        session_stream_violation(&t->stream, "a frame that an archive has not here");
    }
}

static void put_frame(struct skl_transfer *t, const struct skl_frame *f)
{
    if (f->type == SKL_FRAME_RESULT && t->ended) {
        session_stream_over(&t->stream);
        finish(t, NULL);
    } else {
        session_stream_violation(&t->stream, "a frame that an archive's receiver has not here");
    }
}

static void on_frame(struct session_stream *r, const struct skl_frame *f)
{
    struct skl_transfer *t = of(r);
    struct skl_error err;
    int code;

    if (f->type == SKL_FRAME_ERROR) {
        session_read_error(f, &err, &code);
        session_stream_over(r);
        finish(t, &err);
    } else if (t->is_get) {
        get_frame(t, f);
    } else {
        put_frame(t, f);
    }
}

static void on_credit(struct session_stream *r)
{
    struct skl_transfer *t = of(r);

    if (!t->is_get && !t->ended)
        t->put.on_credit(t->arg);
}

static void on_lost(struct session_stream *r, const struct skl_error *err)
{
    finish(of(r), err);
}

static const struct session_stream_ops ops = {on_frame, on_credit, on_lost};

static struct skl_transfer *open_get(struct skl_session *s, const struct skl_buf *request,
                                     const struct skl_get_events *events, void *arg)
{
    struct skl_transfer *t = skl_new0(struct skl_transfer);

    t->is_get = true;
    t->get = *events;
    t->arg = arg;
    session_stream_open(&t->stream, &ops, s, SKL_FRAME_ARCHIVE_GET, request);
    return t;
}

struct skl_transfer *skl_session_get(struct skl_session *s, const char *path,
                                     const struct skl_get_events *events, void *arg)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, AGENT_PATH_MAX + 64);
    skl_tlv_strz(&b, SKL_TAG_PATH, path);
    return open_get(s, &b, events, arg);
}

struct skl_transfer *skl_session_get_changed(struct skl_session *s, const char *path,
                                             const struct skl_get_events *events, void *arg)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, AGENT_PATH_MAX + 64);
    skl_tlv_strz(&b, SKL_TAG_PATH, path);
    skl_tlv_u64(&b, SKL_TAG_IF_CHANGED, 1);
    return open_get(s, &b, events, arg);
}

struct skl_transfer *skl_session_view(struct skl_session *s, enum skl_view view,
                                      const struct skl_get_events *events, void *arg)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64);
    skl_tlv_u64(&b, SKL_TAG_VIEW, view);
    return open_get(s, &b, events, arg);
}

void skl_transfer_consumed(struct skl_transfer *t, size_t n)
{
    session_stream_consumed(&t->stream, n);
}

void skl_transfer_cancel(struct skl_transfer *t)
{
    session_stream_cancel(&t->stream);
}

struct skl_transfer *skl_session_put(struct skl_session *s, const struct skl_put_options *options,
                                     const struct skl_put_events *events, void *arg)
{
    struct skl_transfer *t = skl_new0(struct skl_transfer);
    SKL_AUTO_BUF struct skl_buf b = {0};

    t->put = *events;
    t->arg = arg;
    skl_buf_init(&b, AGENT_PATH_MAX + 64);
    skl_tlv_strz(&b, SKL_TAG_PATH, options->path);
    skl_tlv_u64(&b, SKL_TAG_NO_OVERWRITE_DIR, options->no_overwrite_dir_non_dir);
    skl_tlv_u64(&b, SKL_TAG_COPY_UIDGID, options->copy_uidgid);
    skl_tlv_u64(&b, SKL_TAG_REPLACE, options->replace);
    session_stream_open(&t->stream, &ops, s, SKL_FRAME_ARCHIVE_PUT, &b);
    return t;
}

size_t skl_transfer_credit(const struct skl_transfer *t)
{
    return session_stream_credit(&t->stream);
}

void skl_transfer_data(struct skl_transfer *t, struct skl_str data)
{
    if (data.n)
        session_stream_send(&t->stream, SKL_FRAME_STDIN, data);
}

void skl_transfer_end(struct skl_transfer *t)
{
    t->ended = true;
    session_stream_send(&t->stream, SKL_FRAME_END, skl_str_n("", 0));
}
