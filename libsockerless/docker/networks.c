/* Networks as records; names and addresses are in store/network.c. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/create_internal.h"
#include "docker/filters.h"
#include "docker/prune.h"
#include "docker/render.h"
#include "docker/routes.h"

/* -- rendering */

static void render_ipam(struct skl_json *j, const struct skl_network *n)
{
    if (n->ipam_json) {
        skl_json_raw(j, "IPAM", n->ipam_json);
        return;
    }
    skl_json_object(j, "IPAM");
    skl_json_str(j, "Driver", "default");
    skl_json_null(j, "Options");
    skl_json_array(j, "Config");
    if (!skl_str_empty(n->subnet)) {
        skl_json_object(j, NULL);
        skl_json_str(j, "Subnet", n->subnet);
        skl_json_str(j, "Gateway", n->gateway);
        skl_json_end_object(j);
    }
    skl_json_end_array(j);
    skl_json_end_object(j);
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
        if (skl_str_empty(ep->ip))
            skl_json_str(j, "IPv4Address", "");
        else
            skl_json_strf(j, "IPv4Address", "%s/%d", ep->ip, skl_render_prefix_len(n->subnet));
        skl_json_str(j, "IPv6Address", "");
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
    const struct skl_network *n = network_of(r);
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    if (!n)
        return;
    skl_json_init(&j, &b);
    render_network(&j, r->engine->store, n, true);
    skl_request_json(r, 200, &b);
}

/* -- create */

static bool is_subnet(const char *text)
{
    SKL_AUTO_STR char *copy = skl_strdup(text);
    char *slash = strchr(copy, '/');
    unsigned char address[16];
    uint64_t bits;

    if (!slash || !skl_str_u64(skl_str(slash + 1), &bits))
        return false;
    *slash = '\0';
    if (inet_pton(AF_INET, copy, address) == 1)
        return bits <= 32;
    return inet_pton(AF_INET6, copy, address) == 1 && bits <= 128;
}

static bool is_address(const char *text)
{
    unsigned char address[16];

    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* The first IPv4 subnet is the one that addresses come from. */
static int take_ipam(const cJSON *body, struct skl_network *n, struct skl_error *err)
{
    const cJSON *ipam = skl_json_get(body, "IPAM"), *config = skl_json_get(ipam, "Config"), *item;
    const char *driver = skl_json_get_str(ipam, "Driver");
    SKL_AUTO_JSON cJSON *shown = NULL;

    if (!skl_str_empty(driver) && !skl_streq(driver, "default"))
        return skl_fail(err, SKL_E_NOTFOUND, "plugin \"%.100s\" not found", driver);
    cJSON_ArrayForEach(item, config)
    {
        const char *subnet = skl_json_get_str(item, "Subnet");
        const char *gateway = skl_json_get_str(item, "Gateway");

        if (skl_str_empty(subnet))
            continue;
        if (!is_subnet(subnet))
            return skl_fail(err, SKL_E_INVALID,
                            "invalid subnet %.100s: invalid CIDR block notation", subnet);
        if (!skl_str_empty(gateway) && !is_address(gateway))
            return skl_fail(err, SKL_E_INVALID, "invalid gateway %.100s: invalid address", gateway);
        if (!n->subnet && !strchr(subnet, ':')) {
            n->subnet = skl_strdup(subnet);
            n->gateway = skl_strdup(gateway ? gateway : "");
        }
    }
    if (!n->subnet)
        return 0; /* picked by the store, and rendered from there */
    shown = cJSON_CreateObject();
    cJSON_AddStringToObject(shown, "Driver", "default");
    skl_fields_set(shown, "Options", cJSON_Duplicate(skl_json_get(ipam, "Options"), true));
    skl_fields_set(shown, "Config", cJSON_Duplicate(config, true));
    n->ipam_json = skl_render_text(shown);
    return 0;
}

static bool is_predefined(const char *name)
{
    return skl_streq(name, "bridge") || skl_streq(name, "host") || skl_streq(name, "none") ||
           skl_streq(name, "default");
}

static int check_create(const cJSON *body, struct skl_error *err)
{
    const char *name = skl_json_get_str(body, "Name");
    const char *driver = skl_json_get_str(body, "Driver");

    if (skl_str_trim(skl_str(name)).n == 0)
        return skl_fail(err, SKL_E_INVALID, "invalid name: ");
    if (is_predefined(name))
        return skl_fail(err, SKL_E_FORBIDDEN,
                        "operation is not permitted on predefined %.50s network ", name);
    if (skl_json_get_bool(body, "Ingress", false) || skl_json_get_bool(body, "ConfigOnly", false) ||
        skl_streq(skl_json_get_str(body, "Scope"), "swarm"))
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "ingress, config-only and swarm networks need a swarm, and there is none");
    if (skl_streq(driver, "host") || skl_streq(driver, "null"))
        return skl_fail(err, SKL_E_FORBIDDEN, "only one instance of \"%s\" network is allowed",
                        driver);
    if (!skl_str_empty(driver) && !skl_streq(driver, "bridge"))
        return skl_fail(err, SKL_E_NOTFOUND, "plugin \"%.100s\" not found", driver);
    return 0;
}

static void take_labels(const cJSON *body, struct skl_labels *to)
{
    const cJSON *label;

    cJSON_ArrayForEach(label, skl_json_get(body, "Labels")) if (cJSON_IsString(label))
        skl_labels_set(to, label->string, label->valuestring);
}

void skl_route_network_create(struct skl_request *r)
{
    const cJSON *body = r->body, *options = skl_json_get(body, "Options");
    struct skl_network *n;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_error err;
    struct skl_json j;

    skl_buf_init(&b, 4 * SKL_KIB);
    if (check_create(body, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    n = skl_network_new();
    n->name = skl_strdup(skl_json_get_str(body, "Name"));
    n->driver = skl_strdup("bridge");
    n->scope = skl_strdup("local");
    n->internal = skl_json_get_bool(body, "Internal", false);
    n->attachable = skl_json_get_bool(body, "Attachable", false);
    n->enable_ipv6 = skl_json_get_bool(body, "EnableIPv6", false);
    if (cJSON_IsObject(options))
        n->options_json = skl_render_text(options);
    take_labels(body, &n->labels);
    if (take_ipam(body, n, &err) < 0) {
        skl_network_free(n);
        skl_request_error(r, &err);
        return;
    }
    if (skl_network_add(r->engine->store, n, &n, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "Id", n->id);
    skl_json_str(&j, "Warning", "");
    skl_json_end_object(&j);
    skl_request_json(r, 201, &b);
}

/* -- remove, connect, disconnect */

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

void skl_route_network_connect(struct skl_request *r)
{
    struct skl_container *c = member_of(r);
    struct skl_network *n = c ? network_of(r) : NULL;
    SKL_AUTO_STR char *json = NULL;
    char **aliases = NULL;
    struct skl_error err;
    int rc;

    if (!n)
        return;
    if (skl_streq(n->driver, "host") || skl_streq(n->driver, "null")) {
        skl_request_fail(r, SKL_E_FORBIDDEN,
                         "container cannot be connected to %s network: containers get there by "
                         "--network %s only",
                         n->name, n->name);
        return;
    }
    rc = skl_endpoint_take(skl_json_get(r->body, "EndpointConfig"), &aliases, &json, &err);
    if (rc == 0)
        rc = skl_network_connect(r->engine->store, n, c, aliases, json, &err);
    skl_strv_free(aliases);
    if (rc < 0)
        skl_request_error(r, &err);
    else
        skl_request_status(r, 200);
}

void skl_route_network_disconnect(struct skl_request *r)
{
    struct skl_container *c = member_of(r);
    struct skl_network *n = c ? network_of(r) : NULL;
    struct skl_error err;

    if (!n)
        return;
    if (skl_network_disconnect(r->engine->store, n, c, &err) < 0)
        skl_request_error(r, &err);
    else
        skl_request_status(r, 200);
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
