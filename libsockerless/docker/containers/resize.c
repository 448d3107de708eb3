/* The size of a container's terminal. */
#include <stdio.h>

#include "base/alloc.h"
#include "docker/api/routes.h"
#include "docker/containers/exec_live.h"

/* Both are needed, as Docker has them: text that is no number is told as strconv tells it. */
bool skl_route_read_size(struct skl_request *r, unsigned *rows, unsigned *cols)
{
    static const char *const names[] = {"h", "w"};
    unsigned *const into[] = {rows, cols};

    for (size_t i = 0; i < 2; i++) {
        char *text SKL_AUTO_STR = skl_request_query(r, names[i]);
        uint64_t v;

        if (!skl_str_u64(skl_str(text), &v) || v > 65535) {
            skl_request_fail(r, SKL_E_INVALID, "strconv.Atoi: parsing \"%s\": invalid syntax",
                             text ? text : "");
            return false;
        }
        *into[i] = (unsigned)v;
    }
    return true;
}

void skl_route_container_resize(struct skl_request *r)
{
    struct skl_container *c = skl_request_container(r);
    unsigned rows = 0, cols = 0;
    struct skl_error err;
    char height[12], width[12];
    char *extra[] = {(char[]){"height"}, height, (char[]){"width"}, width, NULL};

    if (!c || !skl_route_read_size(r, &rows, &cols))
        return;
    if (c->state != SKL_CONTAINER_RUNNING && c->state != SKL_CONTAINER_PAUSED) {
        skl_request_fail(r, SKL_E_CONFLICT, "container %s is not running", c->id);
        return;
    }
    if (skl_driver_resize(skl_workload_of(r->engine->runtime, c), rows, cols, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    snprintf(height, sizeof(height), "%u", rows);
    snprintf(width, sizeof(width), "%u", cols);
    skl_container_event(r->engine->store, c, "resize", extra);
    skl_request_status(r, 200);
}
