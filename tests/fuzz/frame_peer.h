/* frame_peer - the other end of an agent's connection: says whatever the input says.
 *
 * Shape   the input is frames: type, stream, length (2 bytes, low first), payload; the last may be cut. A stream of 255
 *         is the number 2^32 - 1. Each goes in a WebSocket message of its own; what is not well formed inside
 *         the message itself is the matter of the targets `ws` and `wire`.
 */
#ifndef SKL_FUZZ_FRAME_PEER_H
#define SKL_FUZZ_FRAME_PEER_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "agent/wire.h"
#include "net/stream.h"

#define PEER_ID    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PEER_TOKEN "5ec4e75ec4e75ec4e75ec4e75ec4e75ec4e75ec4e75ec4e75ec4e75ec4e75ec4"

static int peer_fd;

/* Our end is peer_fd, the other one is returned. */
static struct skl_stream *peer_open(uv_loop_t *loop)
{
    struct skl_stream *s = NULL;
    int fds[2];

    SKL_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    SKL_ASSERT(skl_stream_from_fd(loop, fds[1], &s, NULL) == 0);
    peer_fd = fds[0];
    return s;
}

static void peer_turn(uv_loop_t *loop)
{
    char text[65536];

    for (int i = 0; i < 4; i++)
        uv_run(loop, UV_RUN_NOWAIT);
    while (read(peer_fd, text, sizeof(text)) > 0)
        uv_run(loop, UV_RUN_NOWAIT);
}

/* False: the connection is over. */
static bool peer_write(uv_loop_t *loop, const void *p, size_t n)
{
    const uint8_t *at = p;

    while (n > 0) {
        ssize_t k = send(peer_fd, at, n, MSG_NOSIGNAL);

        if (k < 0 && errno != EAGAIN)
            return false;
        if (k > 0) {
            at += k;
            n -= (size_t)k;
        } else {
            peer_turn(loop);
        }
    }
    return true;
}

static bool peer_upgrade(uv_loop_t *loop)
{
    static const char request[] =
        "GET /agent/v1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        "Authorization: Bearer " PEER_TOKEN "\r\nX-Sockerless-Container: " PEER_ID "\r\n\r\n";
    bool open = peer_write(loop, request, sizeof(request) - 1);

    peer_turn(loop);
    return open;
}

static bool peer_frame(uv_loop_t *loop, uint8_t type, uint8_t stream, const uint8_t *p, size_t n)
{
    uint8_t head[8 + SKL_FRAME_HEAD] = {0x82, 0xfe, 0, 0, 0, 0, 0, 0}; /* masked with zeros */
    size_t total = n + SKL_FRAME_HEAD;

    SKL_ASSERT(total <= 0xffff);
    head[2] = (uint8_t)(total >> 8);
    head[3] = (uint8_t)total;
    if (total < 126) { /* the short form is the only one allowed */
        head[2] = 0x82;
        head[3] = (uint8_t)(0x80 | total);
    }
    skl_frame_head(head + 8, type, 0, stream == 255 ? UINT32_MAX : stream);
    return total < 126 ? peer_write(loop, head + 2, 2) && peer_write(loop, head + 4, 4 + 8) &&
                             peer_write(loop, p, n)
                       : peer_write(loop, head, sizeof(head)) && peer_write(loop, p, n);
}

static void peer_say(uv_loop_t *loop, const uint8_t *data, size_t n)
{
    while (n >= 4) {
        size_t want = data[2] | (size_t)data[3] << 8, left = n - 4;
        size_t take = want < left ? want : left;

        take = take < 60000 ? take : 60000;
        if (!peer_frame(loop, data[0], data[1], data + 4, take))
            break;
        peer_turn(loop);
        data += 4 + take;
        n = left - take;
    }
    peer_turn(loop);
}

#endif
