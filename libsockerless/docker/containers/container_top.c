/* GET /containers/{id}/top: the agent reads /proc and makes the columns. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "docker/api/routes.h"

static void render(struct skl_json *j, char *const *titles, char *const *cells)
{
    size_t columns = skl_strv_len(titles), n = skl_strv_len(cells);

    skl_json_object(j, NULL);
    skl_json_array(j, "Processes");
    for (size_t row = 0; columns > 0 && row + columns <= n; row += columns) {
        skl_json_array(j, NULL);
        for (size_t i = 0; i < columns; i++)
            skl_json_str(j, NULL, cells[row + i]);
        skl_json_end_array(j);
    }
    skl_json_end_array(j);
    skl_json_array(j, "Titles");
    for (size_t i = 0; i < columns; i++)
        skl_json_str(j, NULL, titles[i]);
    skl_json_end_array(j);
    skl_json_end_object(j);
}

static void answered(void *arg, char *const *titles, char *const *cells,
                     const struct skl_error *err)
{
    struct skl_request *r = arg;
    struct skl_container *c;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    if (err) {
        skl_request_error(r, err);
    } else {
        if (skl_container_find(r->engine->store, r->param, &c, NULL) == 0)
            skl_container_event(r->engine->store, c, "top", NULL);
        skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
        skl_json_init(&j, &b);
        render(&j, titles, cells);
        skl_request_json(r, 200, &b);
    }
    skl_request_unref(r);
}

void skl_route_container_top(struct skl_request *r)
{
    struct skl_container *c = skl_request_container(r);
    SKL_AUTO_STR char *args = skl_request_query(r, "ps_args");
    struct skl_error err;

    if (!c)
        return;
    if (c->state == SKL_CONTAINER_RESTARTING) {
        skl_request_fail(r, SKL_E_CONFLICT,
                         "Container %s is restarting, wait until the container is running", c->id);
        return;
    }
    if (!skl_container_is_running(c)) {
        skl_request_fail(r, SKL_E_CONFLICT, "container %s is not running", c->id);
        return;
    }
    if (skl_driver_top(skl_workload_of(r->engine->runtime, c), skl_str_empty(args) ? "-ef" : args,
                       answered, r, &err) < 0)
        skl_request_error(r, &err);
    else
        skl_request_ref(r);
}
