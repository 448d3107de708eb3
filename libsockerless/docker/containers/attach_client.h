/* attach_client - the client's end of an attached container: a raw connection or a WebSocket.
 *
 * Shape   one interface for both; events as those of a stream (a WebSocket that closes is on_close: it has no
 *         half that ends). Output is framed only on raw connections without a terminal.
 * Owns    its stream or socket; freed by finish and close
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_ATTACH_CLIENT_H
#define SKL_DOCKER_ATTACH_CLIENT_H

#include "docker/api/request.h"
#include "net/stream.h"
#include "net/ws.h"

#define SKL_ATTACH_MAX_MESSAGE (SKL_KIB * SKL_KIB)

struct skl_attach_client;

struct skl_attach_client *skl_attach_client_stream(struct skl_stream *own_stream, bool framed);
struct skl_attach_client *skl_attach_client_ws(struct skl_ws *own_ws);

void skl_attach_client_set_events(struct skl_attach_client *a,
                                  const struct skl_stream_events *events, void *arg);
void skl_attach_client_read(struct skl_attach_client *a, bool on);
/* stream_no: 1 stdout, 2 stderr */
void skl_attach_client_write(struct skl_attach_client *a, int stream_no, struct skl_str data);
/* Bytes that the client has not read yet, as far as this end knows. */
size_t skl_attach_client_untaken(const struct skl_attach_client *a);
bool skl_attach_client_congested(const struct skl_attach_client *a);
void skl_attach_client_finish(struct skl_attach_client *a); /* after what is queued */
void skl_attach_client_close(struct skl_attach_client *a);  /* at once */

#endif
