#include "docker/api/hijack.h"

#include <stdio.h>

#include "base/limits.h"

void skl_hijacked_add(struct skl_engine *e, struct skl_hijacked *h,
                      void (*end)(struct skl_hijacked *h))
{
    h->e = e;
    h->end = end;
    skl_list_push(&e->hijacked, &h->in_engine);
    e->n_hijacked++;
}

void skl_hijacked_remove(struct skl_hijacked *h)
{
    if (!h->e)
        return;
    skl_list_remove(&h->in_engine);
    h->e->n_hijacked--;
    h->e = NULL;
}

int skl_hijacked_check_room(const struct skl_engine *e, struct skl_error *err)
{
    return e->n_hijacked < e->settings.max_streams
               ? 0
               : skl_fail(err, SKL_E_UNAVAILABLE,
                          "too many streams at a time (the limit is %u); try again",
                          e->settings.max_streams);
}

void skl_hijacked_end_all(struct skl_engine *e)
{
    struct skl_list *it, *tmp;

    skl_list_foreach_safe (it, tmp, &e->hijacked) {
        struct skl_hijacked *h = SKL_LIST_ENTRY(it, struct skl_hijacked, in_engine);

        h->end(h);
    }
}

struct skl_stream *skl_hijack(struct skl_request *r, bool tty, bool with_api_headers)
{
    bool upgrade = skl_http_has_upgrade(r->http);
    bool multiplexed = upgrade && !tty && r->version >= 142;
    SKL_AUTO_BUF struct skl_buf head = {0};

    skl_buf_init(&head, 4 * SKL_KIB);
    skl_buf_addf(&head, "HTTP/1.1 %s\r\nContent-Type: application/vnd.docker.%s\r\n",
                 upgrade ? "101 UPGRADED" : "200 OK",
                 multiplexed ? "multiplexed-stream" : "raw-stream");
    if (upgrade)
        skl_buf_adds(&head, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
    if (with_api_headers)
        skl_buf_adds(&head, skl_docker_headers);
    skl_buf_adds(&head, "\r\n");
    skl_request_answered(r, upgrade ? 101 : 200);
    return skl_http_take_over(r->http, skl_buf_str(&head));
}

void skl_hijack_refuse(struct skl_request *r, const struct skl_error *err)
{
    int status = skl_kind_status(err->kind);
    SKL_AUTO_BUF struct skl_buf head = {0};

    skl_buf_init(&head, 4 * SKL_KIB);
    skl_buf_addf(&head,
                 "HTTP/1.1 %d %s\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n%s\r\n",
                 status, skl_http_status_text(status), err->msg);
    skl_request_answered(r, status);
    skl_stream_close_gracefully(skl_http_take_over(r->http, skl_buf_str(&head)),
                                SKL_HIJACK_CLOSE_MS);
}

void skl_hijack_write(struct skl_stream *s, bool framed, int stream_no, struct skl_str data)
{
    uint8_t head[8] = {(uint8_t)stream_no,
                       0,
                       0,
                       0,
                       (uint8_t)(data.n >> 24),
                       (uint8_t)(data.n >> 16),
                       (uint8_t)(data.n >> 8),
                       (uint8_t)data.n};
    struct skl_str parts[2] = {skl_str_n((const char *)head, sizeof(head)), data};

    if (data.n == 0)
        return;
    if (framed)
        skl_stream_writev(s, parts, 2);
    else
        skl_stream_write(s, data.p, data.n);
}

/* -- detach keys */

static bool parse_key(struct skl_str key, uint8_t *ret)
{
    static const char controls[] = "@[\\]^_";

    if (key.n == 1) {
        *ret = (uint8_t)key.p[0];
        return true;
    }
    if (key.n != 6 || !skl_str_istarts(key, "ctrl-"))
        return false;
    if (key.p[5] >= 'a' && key.p[5] <= 'z') {
        *ret = (uint8_t)(key.p[5] - 'a' + 1);
        return true;
    }
    if (key.p[5] == ',' || !memchr(controls, key.p[5], sizeof(controls) - 1))
        return false;
    *ret = (uint8_t)(key.p[5] & 0x1f);
    return true;
}

int skl_detach_parse(struct skl_detach *d, const char *text, struct skl_error *err)
{
    struct skl_str rest = skl_str(text);

    *d = (struct skl_detach){.keys = {16, 17}, .n = 2};
    if (skl_str_empty(text))
        return 0;
    d->n = 0;
    while (rest.p) {
        struct skl_str key = skl_str_cut(rest, ',', &rest);

        if (d->n == SKL_DETACH_MAX || !parse_key(key, &d->keys[d->n]))
            return skl_fail(err, SKL_E_INVALID, "Invalid detach keys (%s) provided", text);
        d->n++;
    }
    return 0;
}

bool skl_detach_feed(struct skl_detach *d, struct skl_str in, struct skl_buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = (uint8_t)in.p[i];

        if (c == d->keys[d->matched]) {
            if (++d->matched == d->n)
                return true;
            continue;
        }
        /* What looked like the sequence was input after all. */
        skl_buf_add(out, d->keys, d->matched);
        d->matched = c == d->keys[0] ? 1 : 0;
        if (d->matched == d->n)
            return true;
        if (!d->matched)
            skl_buf_addc(out, (char)c);
    }
    return false;
}
