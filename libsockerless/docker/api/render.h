/* render - pieces of answers that several routes share.
 *
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_RENDER_H
#define SKL_DOCKER_RENDER_H

#include <cjson/cJSON.h>

#include "base/json.h"
#include "store/store.h"

/* A cJSON tree; whole numbers stay whole (cJSON itself would print 2^60 as 1.15e+18). */
void skl_render_item(struct skl_json *j, const char *key, const cJSON *item);
char *skl_render_text(const cJSON *item); /* owned */

void skl_render_labels(struct skl_json *j, const char *key, const struct skl_labels *labels);

/* "Up 5 seconds", "Exited (1) 2 hours ago", ... */
void skl_render_status(struct skl_buf *b, const struct skl_container *c, int64_t now_ns);
/* "Less than a second", "About a minute", "3 weeks" */
void skl_render_duration(struct skl_buf *b, int64_t seconds);

/* Member "Networks" of a container: name -> EndpointSettings. */
void skl_render_endpoints(struct skl_json *j, struct skl_store *s, const struct skl_container *c,
                          int version);
struct skl_network *skl_render_network_of(struct skl_store *s, const struct skl_endpoint *ep);
int skl_render_prefix_len(const char *subnet);

/* Entries of the lists, which /system/df shows too. containers, users: how many use it; -1: not counted. */
void skl_render_container_entry(struct skl_json *j, struct skl_store *s, struct skl_container *c,
                                bool size, int version, int64_t now_ns);
void skl_render_image_entry(struct skl_json *j, const struct skl_image *i, int64_t containers,
                            int version);
void skl_render_volume(struct skl_json *j, const struct skl_volume *v, int64_t users,
                       int64_t content_bytes);

/* The list entries' fixed parts name images: forget them when images get or lose names. */
void skl_render_forget_lists(struct skl_store *s);

/* This machine in Go's words ("amd64", "arm64") and in the kernel's ("x86_64"). */
const char *skl_render_go_arch(void);
const char *skl_render_kernel_arch(void);

#endif
