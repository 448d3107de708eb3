/* create_internal - what the files create_*.c share.
 *
 * Shape   one struct per request: the two JSON objects as inspect will show them, and the container whose typed
 *         members are filled beside them
 */
#ifndef SKL_DOCKER_CREATE_INTERNAL_H
#define SKL_DOCKER_CREATE_INTERNAL_H

#include "base/buf.h"
#include "docker/api/fields.h"
#include "docker/api/request.h"

struct skl_create_network {
    char *network_id;
    char **aliases;
    char *request_json; /* NULL: nothing of interest was asked for */
};

struct skl_create {
    struct skl_engine *engine;
    int version;
    cJSON *config, *host; /* canonical */
    const cJSON *body;    /* as sent */
    const struct skl_image *image;
    struct skl_container *c;
    struct skl_buf warnings; /* a line each */
    struct skl_create_network *networks;
    size_t n_networks;
    char **new_volumes;     /* made for this container: go again if it cannot be made */
    char **planned_volumes; /* to be made: name, "a" (anonymous) or "n", ... */
};

/* create_config.c: Config is checked, merged with the image's, typed members filled. */
int skl_create_check_config(struct skl_create *x, struct skl_error *err);
int skl_create_merge_image(struct skl_create *x, struct skl_error *err);
/* create_check.c: values as they were sent that no Engine takes. */
int skl_create_check_host(struct skl_create *x, struct skl_error *err);
/* create_host.c: HostConfig. */
int skl_create_take_host(struct skl_create *x, struct skl_error *err);
/* Parts of it that an update shares: x->host into the typed members of x->c. */
int skl_create_take_restart(struct skl_create *x, struct skl_error *err);
int skl_create_take_size(struct skl_create *x, struct skl_error *err);
/* create_limits.c: what a serverless cloud cannot follow: refused, or warned about. */
int skl_create_check_limits(struct skl_create *x, struct skl_error *err);
/* create_mounts.c: Binds, Mounts, Volumes, VolumesFrom, tmpfs. Volumes are made by the second. */
int skl_create_take_mounts(struct skl_create *x, struct skl_error *err);
int skl_create_make_volumes(struct skl_create *x, struct skl_error *err);
void skl_create_undo_volumes(struct skl_create *x);
/* create_links.c: after the name of x->c is known. */
int skl_create_take_links(struct skl_create *x, struct skl_error *err);
/* create_networks.c */
int skl_create_take_networks(struct skl_create *x, struct skl_error *err);
void skl_create_connect(struct skl_create *x);
/* EndpointSettings as sent: what inspect repeats (owned, NULL if nothing), and its aliases (owned vector). */
int skl_endpoint_take(const cJSON *settings, char ***ret_aliases, char **ret_json,
                      struct skl_error *err);

/* A name for a local volume, or INVALID with Docker's text. */
int skl_volume_name_check(const char *name, struct skl_error *err);

/* "80", "80/tcp", "8000-8010/udp" */
bool skl_port_spec_is_valid(const char *spec);
/* "/a/../b//c/" -> "/b/c"; owned; NULL if it is not absolute. */
char *skl_path_clean(const char *path);

#endif
