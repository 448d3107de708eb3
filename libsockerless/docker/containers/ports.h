/* ports - published ports: listeners of this host, each connection carried to the workload by its agent.
 *
 * Shape   one object per container that publishes, from before its start to its end. A connection that comes while the
 *         command does not run is closed.
 * Why     docs/decisions/0007-published-ports.md
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_PORTS_H
#define SKL_DOCKER_PORTS_H

#include "base/json.h"
#include "docker/engine.h"

struct skl_ports;

/* What PortBindings and PublishAllPorts ask for; *ret NULL when that is nothing. Written to published_json. A taken port
 * is INTERNAL with an Engine's text. */
int skl_ports_open(struct skl_engine *e, struct skl_container *c, struct skl_ports **ret,
                   struct skl_error *err);
/* After a restart of the daemon, from published_json; what cannot be had again is logged. */
void skl_ports_reopen(struct skl_engine *e, struct skl_container *c, struct skl_ports **ret);
void skl_ports_close(struct skl_ports *p); /* NULL is fine; connections end with the workload */

/* ports_render.c: member "Ports" of inspect (an object) and of the list (an array; key NULL there). */
void skl_render_ports(struct skl_json *j, const struct skl_container *c);
void skl_render_port_list(struct skl_json *j, const struct skl_container *c);

#endif
