/* ws_frame - see ws_frame.h.
 *
 * Approach  a frame that came whole, unmasked and unfragmented is handed out where it lies, without a copy;
 *           everything else is unmasked into one growing buffer that is given back when it was handed out.
 */
#include "net/ws_frame.h"

#include <string.h>

#define KEEP (4 * 1024) /* a message buffer up to this size is kept for the next one */

void skl_ws_reader_init(struct skl_ws_reader *r, bool masked, bool accept_text, size_t max_message)
{
    memset(r, 0, sizeof(*r));
    r->masked = masked;
    r->accept_text = accept_text;
    r->head_need = 2;
    skl_buf_init(&r->message, max_message);
}

void skl_ws_reader_fini(struct skl_ws_reader *r)
{
    skl_buf_fini(&r->message);
}

void skl_ws_mask(uint8_t *to, const uint8_t *from, size_t n, const uint8_t key[4], size_t at)
{
    uint8_t k[8];
    uint64_t wide, word;
    size_t i = 0;
    for (size_t j = 0; j < sizeof(k); j++)
        k[j] = key[(at + j) & 3];
    memcpy(&wide, k, sizeof(wide));
    for (; n - i >= sizeof(word); i += sizeof(word)) {
        memcpy(&word, from + i, sizeof(word));
        word ^= wide;
        memcpy(to + i, &word, sizeof(word));
    }
    for (; i < n; i++)
        to[i] = from[i] ^ k[i & 3];
}

bool skl_ws_valid_utf8(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint8_t c = p[i];
        size_t more = c < 0x80                 ? 0
                      : c >= 0xc2 && c <= 0xdf ? 1
                      : c >= 0xe0 && c <= 0xef ? 2
                      : c >= 0xf0 && c <= 0xf4 ? 3
                                               : 4;
        if (more == 4 || n - i <= more)
            return false;
        for (size_t j = 1; j <= more; j++)
            if ((p[i + j] & 0xc0) != 0x80)
                return false;
        /* Overlong forms, surrogates, and what is beyond U+10FFFF. */
        if ((c == 0xe0 && p[i + 1] < 0xa0) || (c == 0xed && p[i + 1] > 0x9f) ||
            (c == 0xf0 && p[i + 1] < 0x90) || (c == 0xf4 && p[i + 1] > 0x8f))
            return false;
        i += more + 1;
    }
    return true;
}

int skl_ws_close_code(const uint8_t *p, size_t n)
{
    if (n == 0)
        return 1005;
    int code = n >= 2 ? p[0] << 8 | p[1] : 0;
    bool known = (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
                 (code >= 3000 && code <= 4999);
    return known && skl_ws_valid_utf8(p + 2, n - 2) ? code : -1;
}

size_t skl_ws_write_head(uint8_t head[SKL_WS_HEAD_MAX], enum skl_ws_opcode opcode, uint64_t length,
                         const uint8_t *key)
{
    size_t n = 0, bytes = length < 126 ? 0 : length <= UINT16_MAX ? 2 : 8;
    uint8_t mask = key ? 0x80 : 0;
    head[n++] = (uint8_t)(0x80 | opcode);
    head[n++] = (uint8_t)(mask | (bytes == 0 ? length : bytes == 2 ? 126 : 127));
    for (size_t i = bytes; i-- > 0;)
        head[n++] = (uint8_t)(length >> (8 * i));
    if (key) {
        memcpy(head + n, key, 4);
        n += 4;
    }
    return n;
}

static enum skl_ws_event failed(struct skl_ws_out *out, int code)
{
    out->code = code;
    return SKL_WS_ERROR;
}

static size_t length_bytes(uint8_t second)
{
    return (second & 0x7f) == 126 ? 2 : (second & 0x7f) == 127 ? 8 : 0;
}

/* The head is complete. 0 or a close code. */
static int parse_head(struct skl_ws_reader *r)
{
    const uint8_t *h = r->head;
    size_t bytes = length_bytes(h[1]);
    uint64_t length = h[1] & 0x7f;
    if (bytes) {
        length = 0;
        for (size_t i = 0; i < bytes; i++)
            length = length << 8 | h[2 + i];
        if (length < (bytes == 2 ? 126 : UINT64_C(0x10000)) || length >> 63)
            return 1002;
    }
    if (h[0] & 0x70)
        return 1002; /* a reserved bit: no extension was agreed on */
    r->fin = h[0] & 0x80;
    r->opcode = h[0] & 0x0f;
    r->control = r->opcode >= 8;
    if (r->control) {
        if (r->opcode > SKL_WS_PONG || !r->fin || length > SKL_WS_CONTROL_MAX)
            return 1002;
    } else if (r->opcode > SKL_WS_BINARY || r->joining != (r->opcode == SKL_WS_CONTINUATION)) {
        return 1002;
    } else {
        if (r->opcode == SKL_WS_TEXT && !r->accept_text)
            return 1003;
        if (r->opcode != SKL_WS_CONTINUATION)
            r->text = r->opcode == SKL_WS_TEXT;
        if (length > r->message.max - r->message.n)
            return 1009;
        r->joining = !r->fin;
    }
    if (r->masked)
        memcpy(r->key, h + 2 + bytes, 4);
    r->key_at = 0;
    r->left = length;
    r->payload_n = 0;
    r->in_payload = true;
    return 0;
}

static int take_head(struct skl_ws_reader *r, const uint8_t *p, size_t n, size_t *used)
{
    while (*used < n && r->head_n < r->head_need) {
        r->head[r->head_n++] = p[(*used)++];
        if (r->head_n == 2) {
            if (!!(r->head[1] & 0x80) != r->masked)
                return 1002;
            r->head_need += length_bytes(r->head[1]) + (r->masked ? 4 : 0);
        }
    }
    return r->head_n == r->head_need ? parse_head(r) : 0;
}

static void take_payload(struct skl_ws_reader *r, const uint8_t *p, size_t n)
{
    uint8_t *to;
    if (r->control) {
        to = r->payload + r->payload_n;
        r->payload_n += n;
    } else {
        /* The head was checked against the ceiling; room is made only for bytes that are here. */
        to = (uint8_t *)skl_buf_reserve(&r->message, n);
        skl_buf_commit(&r->message, n);
    }
    if (r->masked)
        skl_ws_mask(to, p, n, r->key, r->key_at);
    else
        memcpy(to, p, n);
    r->key_at = (r->key_at + n) & 3;
}

static enum skl_ws_event frame_ended(struct skl_ws_reader *r, const uint8_t *whole, size_t n,
                                     struct skl_ws_out *out)
{
    r->in_payload = false;
    r->head_n = 0;
    r->head_need = 2;
    if (r->control) {
        out->opcode = (enum skl_ws_opcode)r->opcode;
        out->p = r->payload;
        out->n = r->payload_n;
        return SKL_WS_CONTROL;
    }
    if (!r->fin)
        return SKL_WS_MORE;
    out->opcode = r->text ? SKL_WS_TEXT : SKL_WS_BINARY;
    out->p = whole ? whole : (const uint8_t *)r->message.p;
    out->n = whole ? n : r->message.n;
    r->given = true;
    if (r->text && !skl_ws_valid_utf8(out->p, out->n))
        return failed(out, 1007);
    return SKL_WS_MESSAGE;
}

static void drop_given(struct skl_ws_reader *r)
{
    r->given = false;
    if (r->message.cap > KEEP) {
        size_t max = r->message.max;
        skl_buf_fini(&r->message);
        skl_buf_init(&r->message, max);
    } else {
        skl_buf_reset(&r->message);
    }
}

enum skl_ws_event skl_ws_reader_next(struct skl_ws_reader *r, const uint8_t *p, size_t n,
                                     size_t *used, struct skl_ws_out *out)
{
    *used = 0;
    *out = (struct skl_ws_out){0};
    if (r->given)
        drop_given(r);
    for (;;) {
        if (!r->in_payload) {
            int code = take_head(r, p, n, used);
            if (code)
                return failed(out, code);
            if (!r->in_payload)
                return SKL_WS_MORE;
            if (!r->control && !r->masked && r->fin && r->message.n == 0 && r->left <= n - *used) {
                const uint8_t *whole = p + *used;
                *used += (size_t)r->left;
                return frame_ended(r, whole, (size_t)r->left, out);
            }
        }
        size_t k = r->left < n - *used ? (size_t)r->left : n - *used;
        if (k)
            take_payload(r, p + *used, k);
        *used += k;
        r->left -= k;
        if (r->left)
            return SKL_WS_MORE;
        enum skl_ws_event ev = frame_ended(r, NULL, 0, out);
        if (ev != SKL_WS_MORE)
            return ev;
    }
}
