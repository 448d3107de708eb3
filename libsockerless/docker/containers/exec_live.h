/* exec_live - a running exec: between its client's stream and the driver. */
#ifndef SKL_DOCKER_EXEC_LIVE_H
#define SKL_DOCKER_EXEC_LIVE_H

#include "docker/api/request.h"

/* Docker's refusals: paused, restarting, not running. `ref` is what the client called it. */
int skl_exec_check_container(const struct skl_container *c, const char *ref, struct skl_error *err);
struct skl_exec *skl_request_exec(struct skl_request *r); /* NULL: answered */
/* A ConsoleSize, [rows, columns]; absent is fine. */
void skl_exec_read_size(struct skl_exec *x, const cJSON *size);
/* Passes the recorded size on, if it runs. */
void skl_exec_live_resize(struct skl_exec *x);
/* resize.c: h and w of the query; false: answered. */
bool skl_route_read_size(struct skl_request *r, unsigned *rows, unsigned *cols);

#endif
