/* Small questions over a session: path stat, processes, statistics. One frame there, one back. */
#include "agent/session_internal.h"
#include "base/alloc.h"

/* The agent answers these from memory and /proc. While its connection is away nobody answers, and whoever asks is
 * a person or a health check. */
#define ANSWER_MS 60000

struct question {
    struct session_stream stream;
    struct skl_timer *deadline;
    /* Reads the answer and calls back; what is wrong with it, or NULL. err: there is no answer. */
    const char *(*answer)(struct question *q, struct skl_str payload, const struct skl_error *err);
    union {
        skl_stat_cb *stat;
        skl_top_cb *top;
        skl_stats_cb *stats;
    } cb;
    void *arg;
};

_Static_assert(offsetof(struct question, stream) == 0, "freed as its stream");

static struct question *of(struct session_stream *r)
{
    return SKL_CONTAINER_OF(r, struct question, stream);
}

static void fail(struct question *q, const struct skl_error *err)
{
    skl_timer_cancel(&q->deadline);
    (void)q->answer(q, skl_str_n("", 0), err); /* an error is never malformed */
    free(q);
}

static void late(void *arg)
{
    struct question *q = arg;
    struct skl_error err;

    q->deadline = NULL;
    if (q->stream.id) {
        session_send(q->stream.s, SKL_FRAME_CLOSE, q->stream.id, skl_str_n("", 0));
        session_stream_over(&q->stream);
    }
    skl_fail(&err, SKL_E_TIMEOUT, "the agent of the container did not answer in time");
    fail(q, &err);
}

static void on_frame(struct session_stream *r, const struct skl_frame *f)
{
    struct question *q = of(r);
    struct skl_session *s = r->s;
    struct skl_error err;
    const char *wrong = NULL;
    int code;

    if (f->type != SKL_FRAME_RESULT && f->type != SKL_FRAME_ERROR) {
        session_stream_violation(r, "a frame that answers no question");
        return;
    }
    session_stream_over(r);
    if (f->type == SKL_FRAME_ERROR) {
        session_read_error(f, &err, &code);
        fail(q, &err);
        return;
    }
    skl_timer_cancel(&q->deadline);
    wrong = q->answer(q, f->payload, NULL);
    if (wrong) {
        skl_fail(&err, SKL_E_PROTOCOL, "the agent broke the protocol: %s", wrong);
        fail(q, &err);
        if (!s->closed)
            session_violation(s, wrong);
    } else {
        free(q);
    }
}

static void on_credit(struct session_stream *r)
{
    /* Nothing is sent after the question. */
}

static void on_lost(struct session_stream *r, const struct skl_error *err)
{
    fail(of(r), err);
}

static const struct session_stream_ops ops = {on_frame, on_credit, on_lost};

static struct question *question_new(void *arg)
{
    struct question *q = skl_new0(struct question);

    q->arg = arg;
    return q;
}

static void ask(struct question *q, struct skl_session *s, uint8_t type, enum skl_tag tag,
                const char *text)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, AGENT_PATH_MAX + 64);
    skl_tlv_strz(&b, tag, text);
    session_stream_open(&q->stream, &ops, s, type, &b);
    if (q->stream.id)
        q->deadline = skl_timer_start(s->loop, ANSWER_MS, late, q);
}

/* -- stat */

void skl_path_stat_fini(struct skl_path_stat *st)
{
    free(st->name);
    free(st->link_target);
}

const char *session_read_stat(struct skl_str payload, struct skl_path_stat *ret)
{
    struct skl_str name, target;
    uint64_t mode = skl_tlv_find_num(payload, SKL_TAG_MODE, 0);

    if (!skl_tlv_find(payload, SKL_TAG_NAME, &name) || name.n == 0 || name.n > AGENT_PATH_MAX ||
        mode > UINT32_MAX)
        return "a path stat without a usable name or mode";
    if (!skl_tlv_find(payload, SKL_TAG_LINK_TARGET, &target))
        target = skl_str_n("", 0);
    if (target.n > AGENT_PATH_MAX)
        return "a link target that is too long";
    *ret = (struct skl_path_stat){
        .name = skl_str_dup(name),
        .link_target = skl_str_dup(target),
        .size = skl_tlv_find_num(payload, SKL_TAG_SIZE, 0),
        .mode = (uint32_t)mode,
        .mtime_ns = (int64_t)skl_tlv_find_num(payload, SKL_TAG_MTIME_NS, 0),
    };
    return NULL;
}

static const char *answer_stat(struct question *q, struct skl_str payload,
                               const struct skl_error *err)
{
    struct skl_path_stat st;
    const char *wrong;

    if (err) {
        q->cb.stat(q->arg, NULL, err);
        return NULL;
    }
    wrong = session_read_stat(payload, &st);
    if (wrong)
        return wrong;
    q->cb.stat(q->arg, &st, NULL);
    skl_path_stat_fini(&st);
    return NULL;
}

void skl_session_stat(struct skl_session *s, const char *path, skl_stat_cb *cb, void *arg)
{
    struct question *q = question_new(arg);

    q->cb.stat = cb;
    q->answer = answer_stat;
    ask(q, s, SKL_FRAME_ARCHIVE_STAT, SKL_TAG_PATH, path);
}

/* -- top and stats */

static const char *answer_top(struct question *q, struct skl_str payload,
                              const struct skl_error *err)
{
    char **titles, **cells;
    const char *wrong = NULL;

    if (err) {
        q->cb.top(q->arg, NULL, NULL, err);
        return NULL;
    }
    titles = skl_tlv_find_strv(payload, SKL_TAG_TITLE);
    cells = skl_tlv_find_strv(payload, SKL_TAG_CELL);
    if (!cells)
        cells = skl_new0_n(char *, 1);
    if (!titles || skl_strv_len(cells) % skl_strv_len(titles) != 0)
        wrong = "a process list that is not a table";
    else
        q->cb.top(q->arg, titles, cells, NULL);
    skl_strv_free(titles);
    skl_strv_free(cells);
    return wrong;
}

void skl_session_top(struct skl_session *s, const char *ps_args, skl_top_cb *cb, void *arg)
{
    struct question *q = question_new(arg);

    q->cb.top = cb;
    q->answer = answer_top;
    ask(q, s, SKL_FRAME_TOP, SKL_TAG_PS_ARGS, ps_args);
}

static const char *answer_stats(struct question *q, struct skl_str payload,
                                const struct skl_error *err)
{
    char **stats;

    if (err) {
        q->cb.stats(q->arg, NULL, err);
        return NULL;
    }
    stats = skl_tlv_find_strv(payload, SKL_TAG_STAT);
    if (!stats)
        stats = skl_new0_n(char *, 1);
    q->cb.stats(q->arg, stats, NULL);
    skl_strv_free(stats);
    return NULL;
}

void skl_session_stats(struct skl_session *s, skl_stats_cb *cb, void *arg)
{
    struct question *q = question_new(arg);

    q->cb.stats = cb;
    q->answer = answer_stats;
    ask(q, s, SKL_FRAME_STATS, SKL_TAG_PS_ARGS, NULL);
}
