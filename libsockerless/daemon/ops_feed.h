/* ops_feed - what of this daemon the ops listener shows: tables of metrics, conditions, and the loop's numbers.
 *
 * Thread  loop thread
 */
#ifndef SKL_DAEMON_OPS_FEED_H
#define SKL_DAEMON_OPS_FEED_H

#include "daemon/settings.h"
#include "docker/engine.h"

struct skl_ops_feed;

struct skl_ops_feed_config {
    uv_loop_t *loop;
    struct skl_engine *engine;
    const struct skl_http_server *api, *agents;
    const struct skl_daemon_settings *settings;
};

/* --ops-listen is empty, or an address. */
int skl_ops_feed_check(const struct skl_daemon_settings *settings, struct skl_error *err);
/* *ret stays NULL without --ops-listen: no thread, nothing on the loop. */
int skl_ops_feed_open(const struct skl_ops_feed_config *config, struct skl_ops_feed **ret,
                      struct skl_error *err);
/* NULL is fine for all of these. */
void skl_ops_feed_ready(struct skl_ops_feed *f, const char *why_not); /* a literal; NULL: ready */
/* One of the two servers has closed, and is not looked at any more. */
void skl_ops_feed_gone(struct skl_ops_feed *f, const struct skl_http_server *server);
void skl_ops_feed_stop(struct skl_ops_feed *f);                       /* before the engine goes */
void skl_ops_feed_close(struct skl_ops_feed *f);

#endif
