/* WebSocket frames: any split gives the same events; the ceiling holds. First byte: who we are and the
 * split. */
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "net/ws_frame.h"

#define MAX_MESSAGE 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void events(const uint8_t *p, size_t n, size_t step, bool masked, struct skl_buf *log)
{
    struct skl_ws_reader r;
    struct skl_ws_out o;
    enum skl_ws_event ev = SKL_WS_MORE;
    skl_ws_reader_init(&r, masked, true, MAX_MESSAGE);
    for (size_t at = 0; at < n && ev != SKL_WS_ERROR;) {
        size_t end = n - at < step ? n : at + step;
        do {
            size_t used;
            ev = skl_ws_reader_next(&r, p + at, end - at, &used, &o);
            SKL_ASSERT(used <= end - at);
            at += used;
            if (ev == SKL_WS_MESSAGE || ev == SKL_WS_CONTROL) {
                SKL_ASSERT(o.n <= MAX_MESSAGE);
                skl_buf_addf(log, "%d %zu ", o.opcode, o.n);
                skl_buf_add(log, o.p, o.n);
            } else if (ev == SKL_WS_ERROR) {
                skl_buf_addf(log, "error %d", o.code);
            }
        } while (ev != SKL_WS_ERROR && (at < end || ev != SKL_WS_MORE));
    }
    skl_ws_reader_fini(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct skl_buf whole, split;
    if (n < 1)
        return 0;
    bool masked = data[0] & 1;
    size_t step = data[0] / 2u + 1;
    skl_buf_init(&whole, SIZE_MAX / 2);
    skl_buf_init(&split, SIZE_MAX / 2);
    events(data + 1, n - 1, n, masked, &whole);
    events(data + 1, n - 1, step, masked, &split);
    SKL_ASSERT(skl_str_eq(skl_buf_str(&whole), skl_buf_str(&split)));
    skl_buf_fini(&whole);
    skl_buf_fini(&split);
    return 0;
}
