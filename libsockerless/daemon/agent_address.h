/* agent_address - where the agent listener binds: --agent-listen, else the port of the callback URL. */
#ifndef SKL_DAEMON_AGENT_ADDRESS_H
#define SKL_DAEMON_AGENT_ADDRESS_H

#include "daemon/settings.h"
#include "net/address.h"

/* *wanted false: there is no such listener. callback_url may be NULL or "". */
int skl_agent_address(const struct skl_daemon_settings *s, const char *callback_url,
                      struct skl_address *ret, bool *wanted, struct skl_error *err);

#endif
