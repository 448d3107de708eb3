/* GET /events: what is stored since a time, then what happens.
 *
 * Backpressure: the journal is the queue. A listener that does not read is not written to; when it reads again, what
 * it missed is replayed from the journal. If that reaches further back than the journal does, the connection is
 * cut: a gap that nobody notices would be worse.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "docker/api/routes.h"
#include "docker/system/event_filter.h"

#define RECORD_SEPARATOR '\x1e'

struct listener {
    struct skl_request *r;
    struct skl_filters filters;
    struct skl_event_sub *sub;
    struct skl_timer *end;
    bool sequence;     /* records of RFC 7464: a separator before each */
    int64_t until_ns;  /* 0: none */
    int64_t last_ns;   /* of the last event that was looked at */
    uint64_t missed;   /* happened while the client did not read */
    uint64_t replayed; /* of those */
};

static void listener_free(struct listener *l)
{
    skl_journal_unsubscribe(&l->sub);
    skl_timer_cancel(&l->end);
    skl_filters_fini(&l->filters);
    free(l);
}

static void on_gone(struct skl_request *r)
{
    struct listener *l = r->state;

    r->state = NULL;
    if (l)
        listener_free(l);
}

static void end(struct listener *l)
{
    skl_journal_unsubscribe(&l->sub);
    skl_timer_cancel(&l->end);
    skl_http_end(l->r->http); /* on_gone follows */
}

static void write_event(struct listener *l, const struct skl_event *e)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, SKL_MIB);
    l->last_ns = e->time_ns;
    if (!skl_event_filter_takes(&l->filters, e))
        return;
    if (l->sequence)
        skl_buf_addc(&b, RECORD_SEPARATOR);
    skl_event_render(e, &b);
    skl_http_write(l->r->http, b.p, b.n);
}

static void on_event(void *arg, const struct skl_event *e)
{
    struct listener *l = arg;

    if (l->missed > 0 || skl_http_congested(l->r->http))
        l->missed++;
    else
        write_event(l, e);
}

static void on_stored(void *arg, const struct skl_event *e)
{
    struct listener *l = arg;

    l->replayed++;
    write_event(l, e);
}

static void on_drain(void *arg)
{
    struct skl_request *r = arg;
    struct listener *l = r->state;
    uint64_t missed;

    if (!l || l->missed == 0 || !l->sub)
        return;
    missed = l->missed;
    l->missed = l->replayed = 0;
    skl_journal_replay(skl_store_journal(r->engine->store), l->last_ns + 1, 0, on_stored, l);
    if (l->replayed < missed)
        skl_http_abort(r->http);
}

static void on_until(void *arg)
{
    struct listener *l = arg;

    l->end = NULL;
    end(l);
}

/* Both times, in order; since -1: only what comes. */
static int take_times(struct skl_request *r, int64_t now_ns, int64_t *since, int64_t *until,
                      struct skl_error *err)
{
    SKL_AUTO_STR char *since_text = skl_request_query(r, "since");
    SKL_AUTO_STR char *until_text = skl_request_query(r, "until");
    int rc = 0;

    *since = -1;
    *until = 0;
    if (!skl_str_empty(since_text))
        rc = skl_event_time_parse(since_text, now_ns, since, err);
    if (rc == 0 && !skl_str_empty(until_text) && !skl_streq(until_text, "0"))
        rc = skl_event_time_parse(until_text, now_ns, until, err);
    if (rc == 0 && *until != 0 && *since > *until)
        rc = skl_fail(err, SKL_E_INVALID,
                      "`since` time (%.60s) cannot be after `until` time (%.60s)", since_text,
                      until_text);
    return rc;
}

/* A quality of 0 refuses. */
static double quality(struct skl_str parameters)
{
    while (parameters.n > 0) {
        struct skl_str one = skl_str_trim(skl_str_cut(parameters, ';', &parameters));

        if (skl_str_istarts(one, "q=")) {
            SKL_AUTO_STR char *value = skl_str_dup(skl_str_skip(one, 2));

            return strtod(value, NULL);
        }
    }
    return 1;
}

/* Since API 1.52 clients may ask for a type of their streams by name; who does not gets the old one. */
static const char *media_type(const struct skl_request *r)
{
    static const char *const offers[] = {"application/x-ndjson", "application/jsonl",
                                         "application/json-seq"};
    struct skl_str rest = skl_http_header(r->http, "Accept");
    const char *best = "application/json";
    double best_quality = 0;

    while (rest.n > 0) {
        struct skl_str parameters, one = skl_str_cut(rest, ',', &rest);
        struct skl_str type = skl_str_trim(skl_str_cut(one, ';', &parameters));
        double q = quality(parameters);

        if (skl_str_ieqz(type, "application/json") && q > best_quality) {
            best = "application/json";
            best_quality = q;
        }
        for (size_t i = 0; i < SKL_ARRAY_LEN(offers); i++)
            if (skl_str_ieqz(type, offers[i]) && q > best_quality) {
                best = offers[i];
                best_quality = q;
            }
    }
    return best;
}

void skl_route_events(struct skl_request *r)
{
    const char *type = media_type(r);
    SKL_AUTO_STR char *text = skl_request_query(r, "filters");
    struct skl_journal *journal = skl_store_journal(r->engine->store);
    int64_t now_ns = skl_wall_ns(), since, until;
    struct skl_filters filters = {0};
    struct skl_error err;
    struct listener *l;

    if (take_times(r, now_ns, &since, &until, &err) < 0 ||
        skl_event_filter_parse(text, &filters, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    l = skl_new0(struct listener);
    l->r = r;
    l->filters = filters;
    l->until_ns = until;
    r->state = l;
    r->on_gone = on_gone;
    l->sequence = skl_streq(type, "application/json-seq");
    skl_request_begin(r, 200, type, NULL);
    skl_http_end_on_eof(r->http, true);
    if (since >= 0)
        skl_journal_replay(journal, since, until, on_stored, l);
    if (until != 0 && until <= now_ns) {
        end(l);
        return;
    }
    l->sub = skl_journal_subscribe(journal, on_event, l);
    skl_http_on_drain(r->http, on_drain);
    if (until != 0)
        l->end =
            skl_timer_start(r->engine->loop, (until - now_ns) / SKL_NS_PER_MS + 1, on_until, l);
}
