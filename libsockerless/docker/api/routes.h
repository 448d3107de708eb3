/* routes - the table of all Docker API calls and the handlers behind it.
 *
 * Shape   a pattern is literal text with at most one parameter: "/containers/{id}/json". The parameter takes
 *         everything up to the text that follows it, slashes too (image and volume names have them); it
 *         is never empty. Rows are tried in order, so longer patterns stand before "/x/{id}".
 * Rule    a handler answers exactly once, now or later with a reference of its own (docker/api/request.h)
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_ROUTES_H
#define SKL_DOCKER_ROUTES_H

#include "docker/api/request.h"

typedef void skl_route_cb(struct skl_request *r);

enum skl_route_body {
    SKL_BODY_NONE,     /* not read; it is dropped */
    SKL_BODY_JSON,     /* read and parsed into r->body; may be empty */
    SKL_BODY_REQUIRED, /* the same, not empty */
    SKL_BODY_STREAM    /* the handler reads it; its type is not checked */
};

/* What a call adds to, beyond itself: refused while that is at its limit. */
enum skl_route_adds {
    SKL_ADDS_NOTHING,
    SKL_ADDS_STREAM, /* a connection that is taken over */
    SKL_ADDS_WORK    /* jobs of worker threads; what ends something is never refused for that */
};

struct skl_route {
    const char *method;
    const char *pattern;
    enum skl_route_body body;
    int min_version; /* 0: all; below it the page does not exist */
    skl_route_cb *handler;
    const char *type; /* of a JSON body: docker/api/go_json.h */
    /* Needs the agent, or to know whether the container runs: after a restart of the daemon the handler runs when that
     * is settled. {id} is a container or an exec. */
    bool settled;
    enum skl_route_adds adds;
};
extern const struct skl_route skl_routes[];
extern const size_t skl_routes_count;

/* Whether the decoded path fits; *param is what {} stands for, p = NULL if the pattern has none. */
bool skl_route_match(const struct skl_route *route, struct skl_str path, struct skl_str *param);

/* What no cloud has an answer for: 501 with a sentence. */
void skl_route_unsupported(struct skl_request *r);

/* system.c, auth.c, events.c */
void skl_route_ping(struct skl_request *r);
void skl_route_version(struct skl_request *r);
void skl_route_info(struct skl_request *r);
void skl_route_system_df(struct skl_request *r);
void skl_route_plugins(struct skl_request *r);
void skl_route_plugin(struct skl_request *r);
void skl_route_auth(struct skl_request *r);
void skl_route_events(struct skl_request *r);

/* container_*.c */
void skl_route_container_create(struct skl_request *r);
void skl_route_container_list(struct skl_request *r);
void skl_route_container_inspect(struct skl_request *r);
void skl_route_container_start(struct skl_request *r);
void skl_route_container_stop(struct skl_request *r);
void skl_route_container_restart(struct skl_request *r);
void skl_route_container_kill(struct skl_request *r);
void skl_route_container_pause(struct skl_request *r);
void skl_route_container_unpause(struct skl_request *r);
void skl_route_container_update(struct skl_request *r);
void skl_route_container_rename(struct skl_request *r);
void skl_route_container_remove(struct skl_request *r);
void skl_route_container_wait(struct skl_request *r);
void skl_route_checkpoints(struct skl_request *r);
void skl_route_container_prune(struct skl_request *r);
void skl_route_container_top(struct skl_request *r);
void skl_route_container_changes(struct skl_request *r);
void skl_route_container_export(struct skl_request *r);
void skl_route_container_stats(struct skl_request *r);

/* attach.c, logs.c, resize.c, exec.c, archive.c */
void skl_route_container_attach(struct skl_request *r);
void skl_route_container_attach_ws(struct skl_request *r);
void skl_route_container_logs(struct skl_request *r);
void skl_route_container_resize(struct skl_request *r);
void skl_route_exec_create(struct skl_request *r);
void skl_route_exec_start(struct skl_request *r);
void skl_route_exec_inspect(struct skl_request *r);
void skl_route_exec_resize(struct skl_request *r);
void skl_route_archive_head(struct skl_request *r);
void skl_route_archive_get(struct skl_request *r);
void skl_route_archive_put(struct skl_request *r);

/* images*.c */
void skl_route_image_list(struct skl_request *r);
void skl_route_image_inspect(struct skl_request *r);
void skl_route_image_history(struct skl_request *r);
void skl_route_image_create(struct skl_request *r);
void skl_route_image_tag(struct skl_request *r);
void skl_route_image_remove(struct skl_request *r);
void skl_route_image_prune(struct skl_request *r);
void skl_route_image_get(struct skl_request *r);
void skl_route_images_get(struct skl_request *r);
void skl_route_image_load(struct skl_request *r);
void skl_route_image_push(struct skl_request *r);
void skl_route_image_search(struct skl_request *r);
void skl_route_distribution(struct skl_request *r);

/* swarm.c */
void skl_route_no_swarm(struct skl_request *r);
void skl_route_swarm_begin(struct skl_request *r);
void skl_route_swarm_leave(struct skl_request *r);
void skl_route_swarm_list(struct skl_request *r);
void skl_route_swarm_get(struct skl_request *r);
void skl_route_swarm_update(struct skl_request *r);
void skl_route_service_update(struct skl_request *r);
void skl_route_node_update(struct skl_request *r);
void skl_route_secret_update(struct skl_request *r);
void skl_route_config_update(struct skl_request *r);

/* build*.c */
void skl_route_commit(struct skl_request *r);
void skl_route_build(struct skl_request *r);
void skl_route_build_prune(struct skl_request *r);
void skl_route_build_cancel(struct skl_request *r);

#define SKL_NO_SWARM                                                                               \
    "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to "     \
    "connect "                                                                                     \
    "this node to swarm and try again."

/* network*.c, volumes.c */
void skl_route_network_list(struct skl_request *r);
void skl_route_network_inspect(struct skl_request *r);
void skl_route_network_create(struct skl_request *r);
void skl_route_network_remove(struct skl_request *r);
void skl_route_network_connect(struct skl_request *r);
void skl_route_network_disconnect(struct skl_request *r);
void skl_route_network_prune(struct skl_request *r);
void skl_route_volume_list(struct skl_request *r);
void skl_route_volume_inspect(struct skl_request *r);
void skl_route_volume_create(struct skl_request *r);
void skl_route_volume_remove(struct skl_request *r);
void skl_route_volume_prune(struct skl_request *r);
void skl_route_volume_update(struct skl_request *r);

#endif
