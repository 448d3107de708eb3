/* ws_frame - the WebSocket framing of RFC 6455, without I/O: bytes in, events out.
 *
 * Shape   skl_ws_reader_next() takes bytes until it has something to tell; the caller loops
 * Limits  the joined message <= max_message; control payloads <= 125
 * Errors  SKL_WS_ERROR with the close code to send (1002, 1003, 1007, 1009); the reader is done then
 * Owns    the reader holds the message that is being joined, and nothing between messages
 */
#ifndef SKL_NET_WS_FRAME_H
#define SKL_NET_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SKL_WS_HEAD_MAX    14
#define SKL_WS_CONTROL_MAX 125

enum skl_ws_opcode {
    SKL_WS_CONTINUATION = 0,
    SKL_WS_TEXT = 1,
    SKL_WS_BINARY = 2,
    SKL_WS_CLOSE = 8,
    SKL_WS_PING = 9,
    SKL_WS_PONG = 10,
};

enum skl_ws_event { SKL_WS_MORE, SKL_WS_MESSAGE, SKL_WS_CONTROL, SKL_WS_ERROR };

struct skl_ws_reader {
    bool masked; /* we are the server: every frame must be masked; else none may be */
    bool accept_text;
    struct skl_buf message;

    uint8_t head[SKL_WS_HEAD_MAX];
    size_t head_n, head_need;
    bool in_payload, fin, control, text;
    bool joining; /* a fragmented message is open */
    uint8_t opcode;
    uint64_t left;
    uint8_t key[4];
    size_t key_at;
    uint8_t payload[SKL_WS_CONTROL_MAX]; /* of a control frame */
    size_t payload_n;
    bool given; /* the message was handed out: drop it at the next call */
};

struct skl_ws_out {
    enum skl_ws_opcode opcode; /* SKL_WS_TEXT or _BINARY for a message, else the control frame's */
    const uint8_t *p;          /* valid until the next call */
    size_t n;
    int code; /* SKL_WS_ERROR */
};

void skl_ws_reader_init(struct skl_ws_reader *r, bool masked, bool accept_text, size_t max_message);
void skl_ws_reader_fini(struct skl_ws_reader *r);
/* Takes *used of the n bytes. Call again while bytes are left or the result is not SKL_WS_MORE. */
enum skl_ws_event skl_ws_reader_next(struct skl_ws_reader *r, const uint8_t *p, size_t n,
                                     size_t *used, struct skl_ws_out *out);

/* The head of a whole (FIN) frame; key NULL: not masked. Returns its length. */
size_t skl_ws_write_head(uint8_t head[SKL_WS_HEAD_MAX], enum skl_ws_opcode opcode, uint64_t length,
                         const uint8_t *key);
/* to = from masked with key, the first byte being number `at` of the payload. to may be from. */
void skl_ws_mask(uint8_t *to, const uint8_t *from, size_t n, const uint8_t key[4], size_t at);
/* 1005 for an empty payload; -1 for a payload that no close frame may have. */
int skl_ws_close_code(const uint8_t *p, size_t n);
bool skl_ws_valid_utf8(const uint8_t *p, size_t n);

#endif
