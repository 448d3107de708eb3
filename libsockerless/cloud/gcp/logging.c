/* Reading entries page by page within the project's quota.
 *
 * The quota is kept by a schedule: each read moves the time until which the quota is used up by a step, and may run ahead
 * of it by a few steps, so that a single reader is served at once. */
#include "cloud/gcp/logging.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/gcp/client_internal.h"
#include "cloud/gcp/logging_internal.h"
#include "cloud/wait.h"

#define STEP_MS        1200 /* 50 a minute; the quota is 60 */
#define AHEAD          10
#define FIRST_BACK_MS  2000
#define MAX_BACK_MS    60000
#define DEADLINE_MS    120000
#define PAGE           1000
#define MIN_PAGE       10
#define MAX_TRIES      4
#define MAX_TAIL_BYTES (64 * SKL_MIB)
#define WHAT           "reading Cloud Logging"

struct skl_gcp_logs *skl_gcp_logs_new(struct skl_rest *rest, struct skl_gcp_client *client,
                                      const char *project)
{
    struct skl_gcp_logs *l = skl_new0(struct skl_gcp_logs);

    l->rest = rest;
    l->client = client;
    l->project = skl_strdup(project);
    skl_list_init(&l->waiting);
    (void)pthread_mutex_init(&l->quota_lock, NULL);
    (void)pthread_mutex_init(&l->follow_lock, NULL);
    skl_cond_init(&l->follow_changed);
    return l;
}

void skl_gcp_logs_free(struct skl_gcp_logs *l)
{
    if (!l)
        return;
    (void)pthread_cond_destroy(&l->follow_changed);
    (void)pthread_mutex_destroy(&l->follow_lock);
    (void)pthread_mutex_destroy(&l->quota_lock);
    free(l->project);
    free(l);
}

/* -- the quota */

/* Takes a turn, or tells in how many ms to ask again. */
static int64_t take_turn(struct skl_gcp_logs *l)
{
    int64_t step = skl_rest_scale_ms(l->rest, STEP_MS), now = skl_mono_ms(), wait;

    (void)pthread_mutex_lock(&l->quota_lock);
    if (l->paid_until_ms < now)
        l->paid_until_ms = now;
    wait = l->paid_until_ms - now - (AHEAD - 1) * step;
    if (l->closed_until_ms - now > wait)
        wait = l->closed_until_ms - now;
    if (wait <= 0)
        l->paid_until_ms += step;
    (void)pthread_mutex_unlock(&l->quota_lock);
    return wait > 0 ? wait : 0;
}

static void tell_answer(struct skl_gcp_logs *l, bool throttled)
{
    (void)pthread_mutex_lock(&l->quota_lock);
    if (throttled) {
        l->backoff_ms = l->backoff_ms ? 2 * l->backoff_ms : FIRST_BACK_MS;
        if (l->backoff_ms > MAX_BACK_MS)
            l->backoff_ms = MAX_BACK_MS;
        l->closed_until_ms = skl_mono_ms() + skl_rest_scale_ms(l->rest, l->backoff_ms);
    } else {
        l->backoff_ms = 0;
    }
    (void)pthread_mutex_unlock(&l->quota_lock);
}

int skl_log_quota_wait(struct skl_gcp_logs *l, const struct skl_gcp_context *context,
                       struct skl_error *err)
{
    for (;;) {
        int64_t wait = take_turn(l);
        int rc;

        if (wait == 0)
            return 0;
        if (context->deadline_ms && skl_mono_ms() + wait >= context->deadline_ms)
            return skl_fail(err, SKL_E_THROTTLED,
                            WHAT ": the project's quota of 60 reads a minute is used up");
        rc = skl_cloud_sleep(wait, context->deadline_ms, context->cancel, err);
        if (rc < 0)
            return rc;
    }
}

/* -- pages */

static void write_body(struct skl_buf *b, const struct skl_log_read *r, int page, const char *token)
{
    struct skl_json j;

    skl_buf_reset(b);
    skl_json_init(&j, b);
    skl_json_object(&j, NULL);
    skl_json_array(&j, "resourceNames");
    skl_json_strf(&j, NULL, "projects/%s", r->logs->project);
    skl_json_end_array(&j);
    skl_json_str(&j, "filter", r->filter);
    skl_json_str(&j, "orderBy", r->descending ? "timestamp desc" : "timestamp asc");
    skl_json_int(&j, "pageSize", page);
    if (token)
        skl_json_str(&j, "pageToken", token);
    skl_json_end_object(&j);
}

static bool is_passing(int rc, int status)
{
    return status == 0 ? rc == -SKL_E_UNAVAILABLE : status == 408 || status >= 500;
}

static int read_page(const struct skl_log_read *r, bool has_turn, const struct skl_buf *body,
                     struct skl_gcp_result *ret, struct skl_error *err)
{
    struct skl_gcp_call call = {.api = SKL_GCP_LOGGING,
                                .operation = "entries.list",
                                .what = WHAT,
                                .method = "POST",
                                .path = "/v2/entries:list",
                                .body = skl_buf_str(body),
                                .idempotent = true,
                                .no_retry = true, /* a repeated call costs a turn, too */
                                .context = r->context};

    for (int tries = 1;; tries++) {
        int rc = has_turn ? 0 : skl_log_quota_wait(r->logs, &r->context, err);

        has_turn = false;
        if (rc < 0)
            return rc;
        rc = skl_gcp_send(r->logs->client, &call, ret, err);
        tell_answer(r->logs, ret->status == 429);
        if (rc == 0)
            return 0;
        if (ret->status == 429)
            tries--; /* as long as the deadline allows */
        else if (tries == MAX_TRIES || !is_passing(rc, ret->status))
            return rc;
        skl_gcp_result_fini(ret);
    }
}

/* Gives the entries of a page. false: the caller has enough. */
static bool give_page(const cJSON *json, skl_log_entry_cb *cb, void *arg)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(json, "entries"))
    {
        struct skl_log_entry entry;
        bool more;

        if (!skl_log_entry_read(item, &entry))
            continue;
        more = cb(arg, &entry);
        free(entry.line);
        if (!more)
            return false;
    }
    return true;
}

int skl_log_read_all(const struct skl_log_read *r, skl_log_entry_cb *cb, void *arg, bool *ret_end,
                     struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf body = {0};
    char *token SKL_AUTO_STR = NULL;
    bool has_turn = r->has_turn;
    int page = PAGE;

    if (ret_end)
        *ret_end = false;
    skl_buf_init(&body, SKL_MIB);
    for (;;) {
        SKL_AUTO_GCP_RESULT struct skl_gcp_result result = {0};
        const char *next;
        int rc;

        write_body(&body, r, page, token);
        rc = read_page(r, has_turn, &body, &result, err);
        has_turn = false;
        if (rc == -SKL_E_TOOBIG && page > MIN_PAGE) {
            page /= 10; /* lines may have 256 KiB; a token is for one size */
            skl_strset(&token, NULL);
            (void)cb(arg, NULL);
            continue;
        }
        if (rc < 0)
            return rc;
        if (!give_page(result.json, cb, arg))
            return 0;
        next = skl_json_get_str(result.json, "nextPageToken");
        if (skl_str_empty(next)) {
            if (ret_end)
                *ret_end = true;
            return 0;
        }
        skl_strset(&token, next); /* also after a page without entries: the search goes on */
    }
}

/* -- the whole, or the end of it */

struct lines {
    skl_gcp_log_cb *cb;
    void *arg;
    uint64_t last_hash; /* the identity of the last one: the cloud may repeat an entry */
    bool any;
    size_t given, skip; /* lines of this attempt; those that an attempt before has given */
    /* tail */
    struct skl_log_entry *kept;
    size_t n, max, bytes;
};

static bool is_same(struct lines *s, uint64_t hash)
{
    bool same = s->any && s->last_hash == hash;

    s->any = true;
    s->last_hash = hash;
    return same;
}

static bool give_line(void *arg, struct skl_log_entry *e)
{
    struct lines *s = arg;

    if (!e) {
        s->skip = s->given > s->skip ? s->given : s->skip;
        s->given = 0;
        s->any = false;
        return true;
    }
    if (is_same(s, e->hash) || s->given++ < s->skip)
        return true;
    return s->cb(s->arg, e->is_stderr, e->time_ns, skl_str(e->line));
}

static void forget(struct lines *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->kept[i].line);
    s->n = s->bytes = 0;
    s->any = false;
}

static bool keep_line(void *arg, struct skl_log_entry *e)
{
    struct lines *s = arg;

    if (!e) {
        forget(s);
        return true;
    }
    if (is_same(s, e->hash))
        return true;
    if ((s->n & (s->n - 1)) == 0)
        s->kept = skl_realloc(s->kept, s->n ? 2 * s->n : 1, sizeof(*s->kept));
    s->kept[s->n++] = *e;
    s->bytes += strlen(e->line) + sizeof(*e);
    e->line = NULL;
    return s->n < s->max && s->bytes <= MAX_TAIL_BYTES;
}

static int read_tail(struct skl_log_read *r, struct lines *s, struct skl_error *err)
{
    int rc;

    r->descending = true;
    rc = skl_log_read_all(r, keep_line, s, NULL, err);
    if (rc == 0 && s->bytes > MAX_TAIL_BYTES)
        rc =
            skl_fail(err, SKL_E_TOOBIG, WHAT ": the last %zu lines are larger than 64 MiB", s->max);
    for (size_t i = s->n; rc == 0 && i > 0; i--) {
        const struct skl_log_entry *e = &s->kept[i - 1];

        if (!s->cb(s->arg, e->is_stderr, e->time_ns, skl_str(e->line)))
            break;
    }
    forget(s);
    free(s->kept);
    return rc;
}

int skl_gcp_logs_read(struct skl_gcp_logs *l, const struct skl_gcp_log_query *q,
                      const struct skl_gcp_context *context, skl_gcp_log_cb *cb, void *arg,
                      struct skl_error *err)
{
    struct skl_log_filter filter = {.project = l->project,
                                    .region = q->source.region,
                                    .services = &q->source.service,
                                    .n_services = 1,
                                    .system = q->system,
                                    .since_ns = q->since_ns,
                                    .until_ns = q->until_ns};
    char *text SKL_AUTO_STR = skl_log_filter_text(&filter);
    struct skl_log_read r = {.logs = l, .filter = text};
    struct lines lines = {.cb = cb, .arg = arg, .max = q->tail};

    if (context)
        r.context = *context;
    if (!r.context.deadline_ms)
        r.context.deadline_ms = skl_mono_ms() + DEADLINE_MS;
    if (q->tail > 0)
        return read_tail(&r, &lines, err);
    return skl_log_read_all(&r, give_line, &lines, NULL, err);
}
