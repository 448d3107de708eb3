/* Containers go into networks and leave them. The order of the checks is an Engine's: the container, the network,
 * what the two say of each other, the address. */
#include "base/alloc.h"
#include "base/json_read.h"
#include "docker/api/routes.h"
#include "docker/containers/create_internal.h"

/* The container of the body: it is looked for before the network. */
static struct skl_container *member_of(struct skl_request *r)
{
    const char *ref = skl_json_get_str(r->body, "Container");
    struct skl_container *c;
    struct skl_error err;

    if (skl_container_find(r->engine->store, ref ? ref : "", &c, &err) == 0)
        return c;
    skl_request_error(r, &err);
    return NULL;
}

static struct skl_network *network_of(struct skl_request *r)
{
    struct skl_network *n;
    struct skl_error err;

    if (skl_network_find(r->engine->store, r->param, &n, &err) == 0)
        return n;
    skl_request_error(r, &err);
    return NULL;
}

static bool is_host(const struct skl_network *n)
{
    return skl_streq(n->driver, "host");
}

static bool is_none(const struct skl_network *n)
{
    return skl_streq(n->driver, "null");
}

static struct skl_network *of_endpoint(struct skl_store *s, const struct skl_endpoint *e)
{
    struct skl_network *n;

    return skl_network_find(s, e->network_id, &n, NULL) == 0 ? n : NULL;
}

static bool is_in_host(struct skl_store *s, const struct skl_container *c)
{
    for (size_t i = 0; i < c->n_endpoints; i++) {
        const struct skl_network *n = of_endpoint(s, &c->endpoints[i]);

        if (n && is_host(n))
            return true;
    }
    return false;
}

/* host and none go together with nothing else. */
static int check_mix(struct skl_store *s, const struct skl_network *n, struct skl_container *c,
                     struct skl_error *err)
{
    if (skl_network_endpoint(n, c))
        return 0;
    if (is_host(n) && !is_in_host(s, c))
        return skl_fail(err, SKL_E_INVALID,
                        "container cannot be disconnected from host network or connected to host "
                        "network");
    for (size_t i = 0; i < c->n_endpoints; i++) {
        const struct skl_network *o = of_endpoint(s, &c->endpoints[i]);

        if (!o)
            continue;
        if (is_host(o) || is_host(n))
            return skl_fail(err, SKL_E_INVALID,
                            "container sharing network namespace with another container or host "
                            "cannot be connected to any other network");
        if (is_none(o) || is_none(n))
            return skl_fail(err, SKL_E_INVALID,
                            "container cannot be connected to multiple networks with one of the "
                            "networks in private (none) mode");
    }
    return 0;
}

static int connect_to(struct skl_request *r, struct skl_network *n, struct skl_container *c,
                      struct skl_error *err)
{
    const cJSON *settings = skl_json_get(r->body, "EndpointConfig");
    const cJSON *ipam = skl_json_get(settings, "IPAMConfig");
    SKL_AUTO_STR char *json = NULL;
    char **aliases = NULL;
    int rc = skl_endpoint_take(settings, &aliases, &json, err);

    if (rc == 0)
        rc = skl_network_check_request(n, aliases, skl_json_get_str(ipam, "IPv4Address"),
                                       skl_json_get_str(ipam, "IPv6Address"), err);
    if (rc == 0)
        rc = check_mix(r->engine->store, n, c, err);
    if (rc == 0)
        rc = skl_network_connect(r->engine->store, n, c, aliases, json, err);
    skl_strv_free(aliases);
    return rc;
}

void skl_route_network_connect(struct skl_request *r)
{
    struct skl_container *c = member_of(r);
    struct skl_network *n = c ? network_of(r) : NULL;
    struct skl_error err;

    if (!n)
        return;
    if (connect_to(r, n, c, &err) < 0)
        skl_request_error(r, &err);
    else
        skl_request_status(r, 200);
}

/* Force reaches endpoints whose container is gone: here none outlives its container. */
static bool is_forced_for_nobody(struct skl_request *r)
{
    const char *ref = skl_json_get_str(r->body, "Container");
    struct skl_container *c;

    if (!skl_json_get_bool(r->body, "Force", false) ||
        skl_container_find(r->engine->store, ref ? ref : "", &c, NULL) == 0)
        return false;
    if (!network_of(r))
        return true;
    if (skl_str_empty(ref))
        skl_request_fail(r, SKL_E_INTERNAL, "invalid name: ");
    else
        skl_request_fail(r, SKL_E_NOTFOUND, "endpoint %s not found", ref);
    return true;
}

void skl_route_network_disconnect(struct skl_request *r)
{
    struct skl_container *c = is_forced_for_nobody(r) ? NULL : member_of(r);
    struct skl_network *n = c ? network_of(r) : NULL;
    struct skl_error err;

    if (!n)
        return;
    if (is_host(n) && skl_container_is_running(c) && skl_network_endpoint(n, c))
        skl_request_fail(r, SKL_E_INVALID,
                         "container cannot be disconnected from host network or connected to host "
                         "network");
    else if (skl_network_disconnect(r->engine->store, n, c, &err) < 0)
        skl_request_error(r, &err);
    else
        skl_request_status(r, 200);
}
