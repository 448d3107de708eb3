/* Networks as records: list, inspect, remove, prune. Names and addresses are in store/network.c. */
#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/api/filters.h"
#include "docker/api/go_value.h"
#include "docker/api/prune.h"
#include "docker/api/render.h"
#include "docker/api/routes.h"

/* -- rendering */

static void render_picked(struct skl_json *j, const struct skl_network *n)
{
    skl_json_object(j, NULL);
    skl_json_str(j, "Subnet", n->subnet);
    skl_json_str(j, "Gateway", n->gateway);
    skl_json_end_object(j);
}

/* What was sent, and before it the subnet that nobody asked for. */
static void render_ipam(struct skl_json *j, const struct skl_network *n)
{
    SKL_AUTO_JSON cJSON *sent = NULL;
    const cJSON *config;

    if (n->ipam_json && skl_json_parse(skl_str(n->ipam_json), &sent, NULL) < 0)
        sent = NULL;
    skl_json_object(j, "IPAM");
    skl_json_str(j, "Driver", "default");
    skl_render_item(j, "Options", skl_json_get(sent, "Options"));
    skl_json_array(j, "Config");
    if (!skl_str_empty(n->subnet) && (n->picked || n->predefined || !sent))
        render_picked(j, n);
    cJSON_ArrayForEach(config, skl_json_get(sent, "Config")) skl_render_item(j, NULL, config);
    skl_json_end_array(j);
    skl_json_end_object(j);
}

static void render_address(struct skl_json *j, const char *key, const char *ip, const char *subnet)
{
    if (skl_str_empty(ip))
        skl_json_str(j, key, "");
    else
        skl_json_strf(j, key, "%s/%d", ip, skl_render_prefix_len(subnet));
}

/* Running containers only, by id. */
static void render_members(struct skl_json *j, struct skl_store *s, const struct skl_network *n)
{
    struct skl_list *it;

    skl_list_foreach (it, skl_container_all(s)) {
        struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);
        const struct skl_endpoint *ep = skl_network_endpoint(n, c);

        if (!ep || !skl_container_is_running(c))
            continue;
        skl_json_object(j, c->id);
        skl_json_str(j, "Name", c->name);
        skl_json_str(j, "EndpointID", ep->endpoint_id);
        skl_json_str(j, "MacAddress", ep->mac);
        render_address(j, "IPv4Address", ep->ip, n->subnet);
        render_address(j, "IPv6Address", ep->ip6, n->subnet6);
        skl_json_end_object(j);
    }
}

static void render_network(struct skl_json *j, struct skl_store *s, const struct skl_network *n,
                           bool members)
{
    skl_json_object(j, NULL);
    skl_json_str(j, "Name", n->name);
    skl_json_str(j, "Id", n->id);
    skl_json_time(j, "Created", n->created_ns);
    skl_json_str(j, "Scope", n->scope);
    skl_json_str(j, "Driver", n->driver);
    skl_json_bool(j, "EnableIPv6", n->enable_ipv6);
    render_ipam(j, n);
    skl_json_bool(j, "Internal", n->internal);
    skl_json_bool(j, "Attachable", n->attachable);
    skl_json_bool(j, "Ingress", false);
    skl_json_object(j, "ConfigFrom");
    skl_json_str(j, "Network", "");
    skl_json_end_object(j);
    skl_json_bool(j, "ConfigOnly", false);
    skl_json_object(j, "Containers");
    if (members)
        render_members(j, s, n);
    skl_json_end_object(j);
    skl_json_raw(j, "Options", n->options_json ? n->options_json : "{}");
    skl_render_labels(j, "Labels", &n->labels);
    skl_json_end_object(j);
}

/* -- list, inspect */

static bool is_used(struct skl_store *s, const struct skl_network *n)
{
    struct skl_list *it;

    skl_list_foreach (it, skl_container_all(s))
        if (skl_network_endpoint(n, SKL_LIST_ENTRY(it, struct skl_container, in_store)))
            return true;
    return false;
}

static int check_filters(const struct skl_filters *f, bool *dangling, struct skl_error *err)
{
    static const char *const keys[] = {"dangling", "driver", "id",   "label",
                                       "name",     "scope",  "type", NULL};
    int rc = skl_filters_accept(f, keys, err);

    if (rc == 0)
        rc = skl_filters_bool(f, "dangling", dangling, err);
    for (char *const *v = skl_filters_values(f, "type"); rc == 0 && v && *v; v++)
        if (!skl_streq(*v, "custom") && !skl_streq(*v, "builtin"))
            rc = skl_fail(err, SKL_E_INVALID, "invalid filter 'type=%.100s'", *v);
    return rc;
}

static bool takes(struct skl_filters *f, struct skl_store *s, const struct skl_network *n,
                  bool dangling)
{
    if (skl_filters_has(f, "dangling") && dangling == (n->predefined || is_used(s, n)))
        return false;
    return skl_filters_exact(f, "driver", n->driver) && skl_filters_prefix(f, "id", n->id) &&
           skl_filters_labels(f, "label", &n->labels) && skl_filters_name(f, "name", n->name) &&
           skl_filters_exact(f, "scope", n->scope) &&
           skl_filters_exact(f, "type", n->predefined ? "builtin" : "custom");
}

void skl_route_network_list(struct skl_request *r)
{
    SKL_AUTO_STR char *text = skl_request_query(r, "filters");
    SKL_AUTO_FILTERS struct skl_filters f = {0};
    struct skl_store *s = r->engine->store;
    SKL_AUTO_BUF struct skl_buf b = {0};
    bool dangling = false;
    struct skl_list *it;
    struct skl_error err;
    struct skl_json j;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    if (skl_filters_parse(text, &f, &err) < 0 || check_filters(&f, &dangling, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    skl_json_init(&j, &b);
    skl_json_array(&j, NULL);
    skl_list_foreach (it, skl_network_all(s)) {
        const struct skl_network *n = SKL_LIST_ENTRY(it, struct skl_network, in_store);

        if (takes(&f, s, n, dangling))
            render_network(&j, s, n, r->version < 128);
    }
    skl_json_end_array(&j);
    skl_request_json(r, 200, &b);
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

void skl_route_network_inspect(struct skl_request *r)
{
    SKL_AUTO_STR char *verbose = skl_request_query(r, "verbose");
    SKL_AUTO_STR char *scope = skl_request_query(r, "scope");
    const struct skl_network *n;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;
    bool yes;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    if (!skl_str_empty(verbose) && !skl_go_bool(verbose, &yes)) {
        skl_request_fail(r, SKL_E_INVALID,
                         "invalid value for verbose: %.60s: strconv.ParseBool: parsing \"%.60s\": "
                         "invalid syntax",
                         verbose, verbose);
        return;
    }
    n = network_of(r);
    if (!n)
        return;
    if (!skl_str_empty(scope) && !skl_streq(scope, n->scope)) {
        skl_request_fail(r, SKL_E_NOTFOUND, "network %s not found", r->param);
        return;
    }
    skl_json_init(&j, &b);
    render_network(&j, r->engine->store, n, true);
    skl_request_json(r, 200, &b);
}

/* -- remove, prune */

void skl_route_network_remove(struct skl_request *r)
{
    struct skl_network *n = network_of(r);
    struct skl_error err;

    if (!n)
        return;
    if (skl_network_remove(r->engine->store, n, &err) < 0)
        skl_request_error(r, &err);
    else
        skl_request_status(r, 204);
}

void skl_route_network_prune(struct skl_request *r)
{
    SKL_AUTO_PRUNE struct skl_prune prune = {0};
    struct skl_store *s = r->engine->store;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_list *it, *tmp;
    char **deleted = NULL;
    struct skl_error err;
    struct skl_json j;

    if (skl_prune_init(&prune, r, (const char *const[]){NULL}, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    skl_list_foreach_safe (it, tmp, skl_network_all(s)) {
        struct skl_network *n = SKL_LIST_ENTRY(it, struct skl_network, in_store);
        SKL_AUTO_STR char *name = skl_strdup(n->name);

        /* One that running containers are in refuses to go. */
        if (!n->predefined && skl_prune_takes(&prune, &n->labels, n->created_ns) &&
            skl_network_remove(s, n, NULL) == 0)
            skl_strv_push(&deleted, name);
    }
    skl_prune_event(r->engine, "network", 0);
    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_strv(&j, "NetworksDeleted", deleted);
    skl_json_end_object(&j);
    skl_strv_free(deleted);
    skl_request_json(r, 200, &b);
}
