/* ws_internal - what ws.c and ws_dial.c share. */
#ifndef SKL_NET_WS_INTERNAL_H
#define SKL_NET_WS_INTERNAL_H

#include "net/ws.h"

#define WS_KEY_LEN    24 /* base64 of 16 bytes */
#define WS_ACCEPT_LEN 28 /* base64 of a SHA-1 */

/* A WebSocket on a stream whose handshake is over. */
struct skl_ws *ws_new(uv_loop_t *loop, struct skl_stream *own_stream, bool client,
                      const struct skl_ws_config *config);
void ws_accept_value(struct skl_str key, char out[WS_ACCEPT_LEN + 1]);
bool ws_has_token(struct skl_str list, const char *token); /* in a comma-separated header value */

#endif
