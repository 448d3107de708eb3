/* Swarm calls on a node that is in no swarm: an Engine's refusals, in its order of checks. Only how one gets into a swarm
 * differs: what an Engine can do there, nobody can here. */
#include "base/alloc.h"
#include "docker/api/go_value.h"
#include "docker/api/routes.h"

static bool ends_with(struct skl_str s, const char *end)
{
    size_t n = strlen(end);

    return s.n >= n && memcmp(s.p + s.n - n, end, n) == 0;
}

void skl_route_no_swarm(struct skl_request *r)
{
    skl_request_fail(r, SKL_E_UNAVAILABLE, SKL_NO_SWARM);
}

void skl_route_swarm_begin(struct skl_request *r)
{
    skl_request_fail(r, SKL_E_UNSUPPORTED,
                     "swarm mode is not supported by the %s backend: %s places the containers "
                     "itself",
                     r->engine->backend->name, r->engine->backend->title);
}

void skl_route_swarm_leave(struct skl_request *r)
{
    skl_request_fail(r, SKL_E_UNAVAILABLE, "This node is not part of a swarm");
}

void skl_route_swarm_list(struct skl_request *r)
{
    SKL_AUTO_STR char *status = skl_request_query(r, "status");
    bool yes;

    if (!skl_str_empty(status) && !skl_go_bool(status, &yes))
        skl_request_fail(r, SKL_E_INVALID,
                         "invalid value for status: %.60s: strconv.ParseBool: parsing \"%.60s\": "
                         "invalid syntax",
                         status, status);
    else
        skl_route_no_swarm(r);
}

/* {id} is "x" or "x/logs". */
void skl_route_swarm_get(struct skl_request *r)
{
    if (ends_with(skl_str(r->param), "/logs") && !skl_request_query_bool(r, "stdout", false) &&
        !skl_request_query_bool(r, "stderr", false))
        skl_request_fail(r, SKL_E_INVALID, "Bad parameters: you must choose at least one stream");
    else
        skl_route_no_swarm(r);
}

static bool is_number(const char *text)
{
    uint64_t n;

    return !skl_str_empty(text) && strspn(text, "0123456789") == strlen(text) &&
           skl_str_u64(skl_str(text), &n);
}

/* An update names the version of what it replaces. */
static void update(struct skl_request *r, const char *kind, bool with_reason)
{
    SKL_AUTO_STR char *version = skl_request_query(r, "version");

    if (is_number(version))
        skl_route_no_swarm(r);
    else if (with_reason)
        skl_request_fail(r, SKL_E_INVALID,
                         "invalid %s version '%.60s': strconv.ParseUint: parsing \"%.60s\": "
                         "invalid syntax",
                         kind, version ? version : "", version ? version : "");
    else
        skl_request_fail(r, SKL_E_INVALID, "invalid %s version", kind);
}

void skl_route_swarm_update(struct skl_request *r)
{
    update(r, "swarm", true);
}

void skl_route_service_update(struct skl_request *r)
{
    update(r, "service", true);
}

void skl_route_node_update(struct skl_request *r)
{
    update(r, "node", true);
}

void skl_route_secret_update(struct skl_request *r)
{
    update(r, "secret", false);
}

void skl_route_config_update(struct skl_request *r)
{
    update(r, "config", false);
}
