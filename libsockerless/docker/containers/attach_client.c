#include "docker/containers/attach_client.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "docker/api/hijack.h"

#define WS_NORMAL 1000

struct skl_attach_client {
    struct skl_stream *stream; /* or */
    struct skl_ws *ws;
    bool framed;
    const struct skl_stream_events *events;
    void *arg;
};

struct skl_attach_client *skl_attach_client_stream(struct skl_stream *own_stream, bool framed)
{
    struct skl_attach_client *a = skl_new0(struct skl_attach_client);

    a->stream = own_stream;
    a->framed = framed;
    skl_stream_set_keepalive(own_stream, 30);
    return a;
}

static void on_message(void *arg, const uint8_t *p, size_t n)
{
    struct skl_attach_client *a = arg;

    a->events->on_data(a->arg, p, n);
}

static void on_drain(void *arg)
{
    struct skl_attach_client *a = arg;

    a->events->on_drain(a->arg);
}

static void on_close(void *arg, int code, const struct skl_error *why)
{
    struct skl_attach_client *a = arg;

    a->events->on_close(a->arg, why);
}

struct skl_attach_client *skl_attach_client_ws(struct skl_ws *own_ws)
{
    struct skl_attach_client *a = skl_new0(struct skl_attach_client);

    a->ws = own_ws;
    return a;
}

void skl_attach_client_set_events(struct skl_attach_client *a,
                                  const struct skl_stream_events *events, void *arg)
{
    static const struct skl_ws_events ws_events = {on_message, on_drain, on_close};

    a->events = events;
    a->arg = arg;
    if (a->stream)
        skl_stream_set_events(a->stream, events, arg);
    else
        skl_ws_set_events(a->ws, &ws_events, a);
}

void skl_attach_client_read(struct skl_attach_client *a, bool on)
{
    if (a->stream)
        (on ? skl_stream_read_start : skl_stream_read_stop)(a->stream);
    else
        (on ? skl_ws_read_start : skl_ws_read_stop)(a->ws);
}

void skl_attach_client_write(struct skl_attach_client *a, int stream_no, struct skl_str data)
{
    if (a->stream)
        skl_hijack_write(a->stream, a->framed, stream_no, data);
    else if (data.n > 0)
        skl_ws_send(a->ws, &data, 1);
}

bool skl_attach_client_congested(const struct skl_attach_client *a)
{
    return a->stream ? skl_stream_congested(a->stream) : skl_ws_congested(a->ws);
}

size_t skl_attach_client_untaken(const struct skl_attach_client *a)
{
    return a->stream ? skl_stream_untaken(a->stream) : 0; /* a WebSocket's client reads frames */
}

void skl_attach_client_finish(struct skl_attach_client *a)
{
    if (a->stream)
        skl_stream_close_gracefully(a->stream, SKL_HIJACK_CLOSE_MS);
    else
        skl_ws_close(a->ws, WS_NORMAL);
    free(a);
}

void skl_attach_client_close(struct skl_attach_client *a)
{
    skl_stream_close(a->stream);
    skl_ws_close(a->ws, WS_NORMAL);
    free(a);
}
