/* forward_tls - how a backend and the agent it dials know each other: TLS on a key made of the container's token.
 *
 * Problem   in forward mode the backend dials an address: whoever listens there would be told the token, and
 *           the agent has no certificate.
 * Approach  the token is never sent before both ends have shown that they have it: the handshake (TLS 1.2,
 *           ECDHE-PSK, so that what was recorded stays secret) fails else. The container's id is the identity.
 */
#ifndef SKL_AGENT_FORWARD_TLS_H
#define SKL_AGENT_FORWARD_TLS_H

#include "net/tls.h"

int skl_forward_tls_new(bool server, const char *container_id, const char *token,
                        struct skl_tls **ret, struct skl_error *err);

#endif
