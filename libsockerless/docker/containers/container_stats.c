/* GET /containers/{id}/stats: the agent's figures in an Engine's shape, once or every second.
 *
 * A client computes the processor's share from two samples, so each object carries the one before it (precpu_stats).
 * stream=0 takes two samples a second apart; one-shot=1 takes one and leaves the other empty. A container that does not
 * run has no figures: one empty object, or a stream that waits for its next run and ends with its removal.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "docker/api/routes.h"

#define PERIOD_MS 1000

#define FIGURES(X)                                                                                 \
    X(read_ns)                                                                                     \
    X(cpu_ns)                                                                                      \
    X(system_cpu_ns)                                                                               \
    X(online_cpus)                                                                                 \
    X(memory_usage)                                                                                \
    X(memory_limit)                                                                                \
    X(inactive_file)                                                                               \
    X(pids)                                                                                        \
    X(net_rx_bytes)                                                                                \
    X(net_rx_packets)                                                                              \
    X(net_rx_errors)                                                                               \
    X(net_rx_dropped)                                                                              \
    X(net_tx_bytes)                                                                                \
    X(net_tx_packets)                                                                              \
    X(net_tx_errors)                                                                               \
    X(net_tx_dropped)                                                                              \
    X(blk_read_bytes)                                                                              \
    X(blk_write_bytes)

struct sample {
#define X(name) uint64_t name;
    FIGURES(X)
#undef X
};

struct watch {
    struct skl_request *r;
    char id[65];
    struct skl_timer *timer;
    struct sample before;
    bool stream, one_shot;
    bool asking; /* the agent's answer holds a reference */
};

static void take_figure(struct sample *s, struct skl_str name, uint64_t value)
{
#define X(figure)                                                                                  \
    if (skl_str_eqz(name, #figure))                                                                \
        s->figure = value;
    FIGURES(X)
#undef X
}

static struct sample take_sample(char *const *stats)
{
    struct sample s = {0};

    for (; stats && *stats; stats++) {
        struct skl_str value, name = skl_str_cut(skl_str(*stats), ' ', &value);
        uint64_t v;

        if (value.p && skl_str_u64(value, &v))
            take_figure(&s, name, v);
    }
    if (s.read_ns == 0 || s.read_ns > INT64_MAX)
        s.read_ns = (uint64_t)skl_wall_ns();
    return s;
}

static void render_cpu(struct skl_json *j, const char *key, const struct sample *s)
{
    bool is_empty = s->read_ns == 0;

    skl_json_object(j, key);
    skl_json_object(j, "cpu_usage");
    skl_json_int(j, "total_usage", (int64_t)s->cpu_ns);
    skl_json_int(j, "usage_in_kernelmode", 0);
    skl_json_int(j, "usage_in_usermode", (int64_t)s->cpu_ns);
    skl_json_end_object(j);
    if (!is_empty) {
        skl_json_int(j, "system_cpu_usage", (int64_t)s->system_cpu_ns);
        skl_json_int(j, "online_cpus", (int64_t)s->online_cpus);
    }
    skl_json_object(j, "throttling_data");
    skl_json_int(j, "periods", 0);
    skl_json_int(j, "throttled_periods", 0);
    skl_json_int(j, "throttled_time", 0);
    skl_json_end_object(j);
    skl_json_end_object(j);
}

/* A control group without a limit says some number near 2^63. */
#define NO_LIMIT (UINT64_C(1) << 50)

static int64_t memory_limit(const struct skl_container *c, const struct sample *s)
{
    if (s->memory_limit > 0 && s->memory_limit < NO_LIMIT)
        return (int64_t)s->memory_limit;
    if (c->spec.memory_bytes > 0)
        return c->spec.memory_bytes;
    return (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
}

static void render_memory(struct skl_json *j, const struct skl_container *c, const struct sample *s)
{
    skl_json_object(j, "memory_stats");
    if (s->read_ns != 0) {
        skl_json_int(j, "usage", (int64_t)s->memory_usage);
        skl_json_object(j, "stats");
        skl_json_int(j, "inactive_file", (int64_t)s->inactive_file);
        skl_json_end_object(j);
        skl_json_int(j, "limit", memory_limit(c, s));
    }
    skl_json_end_object(j);
}

static void render_networks(struct skl_json *j, const struct sample *s)
{
    skl_json_object(j, "networks");
    skl_json_object(j, "eth0");
    skl_json_int(j, "rx_bytes", (int64_t)s->net_rx_bytes);
    skl_json_int(j, "rx_packets", (int64_t)s->net_rx_packets);
    skl_json_int(j, "rx_errors", (int64_t)s->net_rx_errors);
    skl_json_int(j, "rx_dropped", (int64_t)s->net_rx_dropped);
    skl_json_int(j, "tx_bytes", (int64_t)s->net_tx_bytes);
    skl_json_int(j, "tx_packets", (int64_t)s->net_tx_packets);
    skl_json_int(j, "tx_errors", (int64_t)s->net_tx_errors);
    skl_json_int(j, "tx_dropped", (int64_t)s->net_tx_dropped);
    skl_json_end_object(j);
    skl_json_end_object(j);
}

static void render_block_io(struct skl_json *j, const struct sample *s)
{
    static const char *const empty[] = {"io_serviced_recursive",     "io_queue_recursive",
                                        "io_service_time_recursive", "io_wait_time_recursive",
                                        "io_merged_recursive",       "io_time_recursive",
                                        "sectors_recursive"};
    const struct {
        const char *op;
        uint64_t bytes;
    } rows[] = {{"read", s->blk_read_bytes}, {"write", s->blk_write_bytes}};

    skl_json_object(j, "blkio_stats");
    if (s->blk_read_bytes || s->blk_write_bytes) {
        skl_json_array(j, "io_service_bytes_recursive");
        for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
            skl_json_object(j, NULL);
            skl_json_int(j, "major", 0);
            skl_json_int(j, "minor", 0);
            skl_json_str(j, "op", rows[i].op);
            skl_json_int(j, "value", (int64_t)rows[i].bytes);
            skl_json_end_object(j);
        }
        skl_json_end_array(j);
    } else {
        skl_json_null(j, "io_service_bytes_recursive");
    }
    for (size_t i = 0; i < SKL_ARRAY_LEN(empty); i++)
        skl_json_null(j, empty[i]);
    skl_json_end_object(j);
}

static void render_time(struct skl_json *j, const char *key, uint64_t ns)
{
    if (ns == 0)
        skl_json_str(j, key, "0001-01-01T00:00:00Z");
    else
        skl_json_time(j, key, (int64_t)ns);
}

static void render(struct skl_json *j, const struct skl_container *c, const struct sample *now,
                   const struct sample *before)
{
    skl_json_object(j, NULL);
    render_time(j, "read", now->read_ns);
    render_time(j, "preread", before->read_ns);
    skl_json_object(j, "pids_stats");
    if (now->read_ns != 0)
        skl_json_int(j, "current", (int64_t)now->pids);
    skl_json_end_object(j);
    render_block_io(j, now);
    skl_json_int(j, "num_procs", 0);
    skl_json_raw(j, "storage_stats", "{}");
    render_cpu(j, "cpu_stats", now);
    render_cpu(j, "precpu_stats", before);
    render_memory(j, c, now);
    skl_json_strf(j, "name", "/%s", c->name);
    skl_json_str(j, "id", c->id);
    if (now->read_ns != 0)
        render_networks(j, now);
    skl_json_end_object(j);
    skl_buf_addc(j->b, '\n');
}

static void write_object(struct watch *w, const struct skl_container *c, const struct sample *now)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, SKL_MIB);
    skl_json_init(&j, &b);
    render(&j, c, now, &w->before);
    if (!skl_http_congested(w->r->http)) /* a slow reader misses a second, not its place */
        skl_http_write(w->r->http, b.p, b.n);
}

static void tick(void *arg);

static void later(struct watch *w)
{
    w->timer = skl_timer_start(w->r->engine->loop, PERIOD_MS, tick, w);
}

static void answered(void *arg, char *const *stats, const struct skl_error *err)
{
    struct watch *w = arg;
    struct skl_request *r = w->r;
    struct skl_container *c = skl_container_by_id(r->engine->store, w->id);

    w->asking = false;
    if (skl_request_gone(r)) {
        skl_request_unref(r);
        return;
    }
    if (!c) {
        skl_http_end(r->http);
    } else {
        struct sample now = err ? (struct sample){0} : take_sample(stats);
        bool wants_second = !w->stream && !w->one_shot && !err && w->before.read_ns == 0;

        if (!wants_second && (!err || !w->stream))
            write_object(w, c, &now);
        w->before = now;
        if (w->stream || wants_second)
            later(w);
        else
            skl_http_end(r->http);
    }
    skl_request_unref(r);
}

static void tick(void *arg)
{
    struct watch *w = arg;
    struct skl_request *r = w->r;
    struct skl_container *c = skl_container_by_id(r->engine->store, w->id);
    static const struct sample none;

    w->timer = NULL;
    if (!c) {
        skl_http_end(r->http);
        return;
    }
    if (skl_container_is_running(c) &&
        skl_driver_stats(skl_workload_of(r->engine->runtime, c), answered, w, NULL) == 0) {
        w->asking = true;
        skl_request_ref(r);
        return;
    }
    w->before = none;
    if (w->stream) {
        later(w);
        return;
    }
    write_object(w, c, &none);
    skl_http_end(r->http);
}

static void gone(struct skl_request *r)
{
    struct watch *w = r->state;

    skl_timer_cancel(&w->timer);
}

static void watch_free(struct skl_request *r)
{
    free(r->state);
}

void skl_route_container_stats(struct skl_request *r)
{
    struct skl_container *c = skl_request_container(r);
    bool stream = skl_request_query_bool(r, "stream", true);
    bool one_shot = r->version >= 141 && skl_request_query_bool(r, "one-shot", false);
    struct watch *w;

    if (!c)
        return;
    if (stream && one_shot) {
        skl_request_fail(r, SKL_E_INVALID, "cannot have stream=true and one-shot=true");
        return;
    }
    w = skl_new0(struct watch);
    w->r = r;
    memcpy(w->id, c->id, sizeof(w->id));
    w->stream = stream;
    w->one_shot = one_shot;
    r->state = w;
    r->on_gone = gone;
    r->on_free = watch_free;
    skl_request_begin(r, 200, "application/json", NULL);
    if (stream)
        skl_http_end_on_eof(r->http, true);
    tick(w);
}
