/* Followers of services' output, all on one budget of reads.
 *
 * Asking for "newer than the last line" loses what becomes known late, asking for everything repeats. So each follower
 * looks back over an overlap, and its cursor knows what it was given in it.
 *
 * Whoever follows puts its wish on a list. If nobody is reading, it becomes the reader: it waits for a turn in the
 * quota, takes all wishes that have come until then (of one region, from about the same time on), reads once for all
 * of them and hands out the lines by service. So a thousand followers cost as many reads as one. A wish belongs to the
 * list once it was taken, so that its owner may go away while the reader is still at work.
 *
 * What is new is at the end: a short window is read from its end, which the cloud is quick at. If that is more than
 * one round may hold, it is read from its beginning, where a round can stop anywhere. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "cloud/gcp/logging_internal.h"
#include "cloud/log_cursor.h"
#include "cloud/wait.h"

#define OVERLAP_NS  (20 * SKL_NS_PER_S) /* so late may a line become known */
#define WINDOW_NS   (300 * SKL_NS_PER_S)
#define MAX_BATCH   100
#define MAX_LINES   20000 /* of a round, over all its followers */
#define MAX_BYTES   (32 * SKL_MIB)
#define DEADLINE_MS 120000

struct follower {
    struct skl_list in_list; /* of those who wait */
    char *region, *service;
    int64_t from_ns;
    struct skl_log_cursor cursor;
    bool taken, done, left; /* left: the owner is gone, the reader frees it */
    /* The result: the reader's until done. */
    struct skl_log_entry *lines;
    size_t n;
    bool complete; /* nothing is left behind these lines */
    int rc;
    struct skl_error err;
};

static void forget_lines(struct follower *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->lines[i].line);
    free(f->lines);
    f->lines = NULL;
    f->n = 0;
}

static void follower_free(struct follower *f)
{
    forget_lines(f);
    skl_log_cursor_fini(&f->cursor);
    free(f->region);
    free(f->service);
    free(f);
}

/* -- one round */

struct round {
    struct follower *followers[MAX_BATCH];
    size_t n;
    size_t lines, bytes;
    bool overflow;
};

static struct follower *find(const struct round *r, const struct skl_log_entry *e)
{
    for (size_t i = 0; i < r->n; i++)
        if (skl_streq(r->followers[i]->service, e->service))
            return r->followers[i];
    return NULL;
}

static void begin_anew(struct round *r)
{
    for (size_t i = 0; i < r->n; i++)
        forget_lines(r->followers[i]);
    r->lines = r->bytes = 0;
    r->overflow = false;
}

/* Keeps what is new to its follower. */
static bool keep(void *arg, struct skl_log_entry *e)
{
    struct round *r = arg;
    struct follower *f;

    if (!e) {
        begin_anew(r);
        return true;
    }
    f = find(r, e);
    if (!f || e->time_ns < f->from_ns || skl_log_cursor_knows(&f->cursor, e->hash))
        return true;
    if (r->lines >= MAX_LINES || r->bytes >= MAX_BYTES) {
        r->overflow = true;
        return false;
    }
    if ((f->n & (f->n - 1)) == 0)
        f->lines = skl_realloc(f->lines, f->n ? 2 * f->n : 1, sizeof(*e));
    f->lines[f->n] = *e;
    f->lines[f->n++].service = NULL; /* it goes with the page */
    r->lines++;
    r->bytes += strlen(e->line) + sizeof(*e);
    e->line = NULL;
    return true;
}

static void reverse(struct follower *f)
{
    for (size_t i = 0, j = f->n; i + 1 < j; i++) {
        struct skl_log_entry e = f->lines[i];

        f->lines[i] = f->lines[--j];
        f->lines[j] = e;
    }
}

static int64_t earliest(const struct round *r)
{
    int64_t from = r->followers[0]->from_ns;

    for (size_t i = 1; i < r->n; i++)
        if (r->followers[i]->from_ns < from)
            from = r->followers[i]->from_ns;
    return from;
}

static int read_round(struct skl_gcp_logs *l, struct round *r,
                      const struct skl_gcp_context *context, bool *complete, struct skl_error *err)
{
    const char *services[MAX_BATCH];
    struct skl_log_filter filter = {.project = l->project,
                                    .region = r->followers[0]->region,
                                    .services = services,
                                    .n_services = r->n,
                                    .since_ns = earliest(r)};
    struct skl_log_read read = {.logs = l, .has_turn = true, .context = *context};
    char *text SKL_AUTO_STR = NULL;
    int rc;

    for (size_t i = 0; i < r->n; i++)
        services[i] = r->followers[i]->service;
    text = skl_log_filter_text(&filter);
    read.filter = text;
    read.descending = skl_wall_ns() - filter.since_ns < WINDOW_NS;
    rc = skl_log_read_all(&read, keep, r, complete, err);
    if (read.descending && rc == 0 && r->overflow) {
        begin_anew(r);
        read.descending = read.has_turn = false;
        rc = skl_log_read_all(&read, keep, r, complete, err);
    } else if (read.descending) {
        for (size_t i = 0; i < r->n; i++)
            reverse(r->followers[i]);
    }
    if (rc < 0 && !read.descending && r->lines > 0) {
        *complete = false; /* what was read from the beginning is good */
        return 0;
    }
    return rc;
}

/* With follow_lock held: the wishes that go with the reader's own. */
static void take(struct skl_gcp_logs *l, struct follower *own, struct round *r)
{
    struct skl_list *it, *next;

    skl_list_remove(&own->in_list);
    own->taken = true;
    r->followers[r->n++] = own;
    skl_list_foreach_safe (it, next, &l->waiting) {
        struct follower *f = SKL_LIST_ENTRY(it, struct follower, in_list);
        int64_t apart = f->from_ns - own->from_ns;

        /* Two followers of one service are two rounds: a line goes to one follower. */
        if (r->n == MAX_BATCH || !skl_streq(f->region, own->region) || apart > WINDOW_NS ||
            apart < -WINDOW_NS || find(r, &(struct skl_log_entry){.service = f->service}))
            continue;
        skl_list_remove(it);
        f->taken = true;
        r->followers[r->n++] = f;
    }
}

/* With follow_lock held. A failure that is the reader's alone puts the others back on the list. */
static void finish(struct skl_gcp_logs *l, struct follower *f, bool is_own, int rc,
                   const struct skl_error *err, bool complete)
{
    bool readers_alone = rc == -SKL_E_CANCELED || rc == -SKL_E_TIMEOUT || rc == -SKL_E_THROTTLED;

    if (f->left) {
        follower_free(f);
        return;
    }
    if (!is_own && readers_alone) {
        forget_lines(f);
        f->taken = false;
        skl_list_push(&l->waiting, &f->in_list);
        return;
    }
    f->rc = rc;
    f->err = *err;
    f->complete = complete;
    f->done = true;
}

/* Reads for `own` and whoever waits. */
static void lead(struct skl_gcp_logs *l, struct follower *own,
                 const struct skl_gcp_context *context)
{
    struct round r = {.n = 0};
    struct skl_error err = {0};
    bool complete = false;
    int rc = skl_log_quota_wait(l, context, &err);

    (void)pthread_mutex_lock(&l->follow_lock);
    if (rc < 0) { /* its own failure: the others may have more time */
        skl_list_remove(&own->in_list);
        own->taken = true;
        r.followers[r.n++] = own;
    } else {
        take(l, own, &r);
    }
    (void)pthread_mutex_unlock(&l->follow_lock);
    if (rc == 0)
        rc = read_round(l, &r, context, &complete, &err);
    (void)pthread_mutex_lock(&l->follow_lock);
    for (size_t i = 0; i < r.n; i++)
        finish(l, r.followers[i], r.followers[i] == own, rc, &err, complete);
    l->reading = false;
    (void)pthread_cond_broadcast(&l->follow_changed);
    (void)pthread_mutex_unlock(&l->follow_lock);
}

/* -- followers */

static int given_up(const struct skl_gcp_context *context, struct skl_error *err)
{
    if (context->cancel && atomic_load(context->cancel))
        return skl_fail(err, SKL_E_CANCELED, "canceled");
    if (skl_mono_ms() >= context->deadline_ms)
        return skl_fail(err, SKL_E_THROTTLED, "no turn to read Cloud Logging in time");
    return 0;
}

/* Waits until somebody, perhaps this thread, has read for f. On failure f may be gone: *kept tells. */
static int await_lines(struct skl_gcp_logs *l, struct follower *f,
                       const struct skl_gcp_context *context, bool *kept, struct skl_error *err)
{
    int rc = 0;

    *kept = true;
    (void)pthread_mutex_lock(&l->follow_lock);
    skl_list_push(&l->waiting, &f->in_list);
    while (!f->done && rc == 0) {
        if (!l->reading && !f->taken) {
            l->reading = true;
            (void)pthread_mutex_unlock(&l->follow_lock);
            lead(l, f, context);
            (void)pthread_mutex_lock(&l->follow_lock);
            continue;
        }
        skl_cond_wait_slice(&l->follow_changed, &l->follow_lock);
        if (!f->done)
            rc = given_up(context, err);
    }
    if (rc < 0 && f->taken) {
        f->left = true;
        *kept = false;
    } else if (rc < 0) {
        skl_list_remove(&f->in_list);
    }
    (void)pthread_mutex_unlock(&l->follow_lock);
    if (rc == 0 && f->rc < 0) {
        if (err)
            *err = f->err;
        return f->rc;
    }
    return rc;
}

/* The cursor moves with each line that the caller takes. false: the caller wants no more. */
static bool give(struct follower *f, skl_gcp_log_cb *cb, void *arg)
{
    skl_log_cursor_begin(&f->cursor);
    for (size_t i = 0; i < f->n; i++) {
        const struct skl_log_entry *e = &f->lines[i];

        if (skl_log_cursor_knows(&f->cursor, e->hash))
            continue; /* the cloud repeated it within the answer */
        (void)skl_log_cursor_is_repeated(&f->cursor, e->hash, e->time_ns);
        if (e->known_ns > f->cursor.newest_ns)
            f->cursor.newest_ns = e->known_ns; /* a writer's clock may be ahead */
        if (!cb(arg, e->is_stderr, e->time_ns, skl_str(e->line)))
            return false;
    }
    return true;
}

static struct follower *follower_new(const struct skl_gcp_log_source *source, int64_t since_ns,
                                     const char *cursor)
{
    struct follower *f = skl_new0(struct follower);
    int64_t back_ns;

    f->region = skl_strdup(source->region);
    f->service = skl_strdup(source->service);
    skl_log_cursor_load(&f->cursor, cursor);
    back_ns = f->cursor.newest_ns - OVERLAP_NS;
    f->from_ns = f->cursor.newest_ns && back_ns > since_ns ? back_ns : since_ns;
    return f;
}

int skl_gcp_logs_follow(struct skl_gcp_logs *l, const struct skl_gcp_log_source *source,
                        int64_t since_ns, const struct skl_gcp_context *context, char **cursor,
                        skl_gcp_log_cb *cb, void *arg, struct skl_error *err)
{
    struct skl_gcp_context until = context ? *context : (struct skl_gcp_context){0};
    bool more = true;
    int rc = 0;

    if (!until.deadline_ms)
        until.deadline_ms = skl_mono_ms() + DEADLINE_MS;
    while (rc == 0 && more) {
        struct follower *f = follower_new(source, since_ns, *cursor);
        bool kept;

        rc = await_lines(l, f, &until, &kept, err);
        if (rc == 0) {
            more = give(f, cb, arg) && !f->complete && f->n > 0;
            free(*cursor);
            *cursor = skl_log_cursor_save(&f->cursor, OVERLAP_NS);
        }
        if (kept)
            follower_free(f);
    }
    return rc == -SKL_E_THROTTLED ? 0 : rc;
}
