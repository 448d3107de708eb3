/* Networks and the endpoints of containers in them. */
#include "store/network.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_read.h"
#include "store/store_internal.h"

static struct skl_network_full *full_of(struct skl_network *n)
{
    return SKL_CONTAINER_OF(n, struct skl_network_full, n);
}

struct skl_network *skl_network_new(void)
{
    struct skl_network_full *full = skl_new0(struct skl_network_full);

    skl_random_hex(full->n.id, SKL_ID_LEN);
    skl_list_init(&full->n.in_store);
    return &full->n;
}

void skl_network_free(struct skl_network *n)
{
    if (!n)
        return;
    free(n->name);
    free(n->driver);
    free(n->scope);
    free(n->subnet);
    free(n->gateway);
    free(n->ipam_json);
    free(n->options_json);
    skl_labels_fini(&n->labels);
    free(n->range);
    free(n->subnet6);
    free(n->gateway6);
    free(n->range6);
    skl_labels_fini(&n->aux);
    skl_pool_fini(&full_of(n)->v4);
    skl_pool_fini(&full_of(n)->v6);
    free(full_of(n));
}

/* -- finding */

static struct skl_network *by_id(struct skl_store *s, const char *id)
{
    return skl_map_getz(&s->networks_by_id, id);
}

int skl_network_find(struct skl_store *s, const char *ref, struct skl_network **ret,
                     struct skl_error *err)
{
    struct skl_network *n = by_id(s, ref);
    struct skl_str prefix = skl_str(ref);
    struct skl_list *it;
    unsigned hits = 0;

    if (!n)
        n = skl_map_getz(&s->networks_by_name, ref);
    if (!n && prefix.n < SKL_ID_LEN && skl_is_hex(prefix)) {
        skl_list_foreach (it, &s->networks) {
            struct skl_network *o = SKL_LIST_ENTRY(it, struct skl_network, in_store);

            if (memcmp(o->id, ref, prefix.n) == 0) {
                n = o;
                hits++;
            }
        }
    }
    if (hits > 1)
        return skl_fail(err, SKL_E_INVALID,
                        "network %s is ambiguous (%u matches found based on ID prefix)", ref, hits);
    if (!n)
        return skl_fail(err, SKL_E_NOTFOUND, "network %s not found", ref);
    *ret = n;
    return 0;
}

struct skl_list *skl_network_all(struct skl_store *s)
{
    return &s->networks;
}

/* -- life */

static void network_event(struct skl_store *s, const struct skl_network *n, const char *action,
                          const struct skl_container *c)
{
    char id[65];
    char *attributes[] = {
        (char[]){"name"}, n->name, (char[]){"type"}, n->driver, (char[]){"container"}, id, NULL};

    snprintf(id, sizeof(id), "%s", c ? c->id : "");
    if (!c)
        attributes[4] = NULL;
    skl_journal_emit(s->journal, "network", action, n->id, NULL, attributes);
}

static void network_link(struct skl_store *s, struct skl_network *n)
{
    skl_list_push(&s->networks, &n->in_store);
    skl_map_set(&s->networks_by_id, skl_str(n->id), n);
    skl_map_set(&s->networks_by_name, skl_str(n->name), n);
}

static int network_write(struct skl_store *s, const struct skl_network *n, struct skl_error *err)
{
    char *body SKL_AUTO_STR = NULL;
    int rc = skl_network_encode(n, &body, err);

    return rc < 0 ? rc : skl_db_put(s->db, SKL_DB_NETWORK, n->id, NULL, body, err);
}

/* bridge counts too: it exists already, and a Docker Engine says the same of all three. */
static bool is_predefined_name(const char *name)
{
    return skl_streq(name, "host") || skl_streq(name, "none") || skl_streq(name, "bridge");
}

static int add_checked(struct skl_store *s, struct skl_network *n, struct skl_error *err)
{
    int rc;

    if (skl_str_empty(n->name))
        return skl_fail(err, SKL_E_INVALID, "invalid name: ");
    if (is_predefined_name(n->name))
        return skl_fail(err, SKL_E_FORBIDDEN,
                        "operation is not permitted on predefined %s network ", n->name);
    if (skl_map_getz(&s->networks_by_name, n->name))
        return skl_fail(err, SKL_E_CONFLICT, "network with name %s already exists", n->name);
    rc = skl_network_pick_subnet(s, full_of(n), err);
    return rc < 0 ? rc : network_write(s, n, err);
}

int skl_network_add(struct skl_store *s, struct skl_network *own_n, struct skl_network **ret,
                    struct skl_error *err)
{
    struct skl_network *n = own_n;
    int rc;

    if (skl_str_empty(n->driver))
        skl_strset(&n->driver, "bridge");
    if (skl_str_empty(n->scope))
        skl_strset(&n->scope, "local");
    if (n->created_ns == 0)
        n->created_ns = skl_wall_ns();
    n->predefined = false;
    rc = add_checked(s, n, err);
    if (rc < 0) {
        skl_network_free(n);
        return rc;
    }
    network_link(s, n);
    network_event(s, n, "create", NULL);
    *ret = n;
    return 0;
}

/* -- endpoints */

static bool is_live(const struct skl_endpoint *e)
{
    return !skl_str_empty(e->endpoint_id);
}

struct skl_endpoint *skl_network_endpoint(const struct skl_network *n, struct skl_container *c)
{
    for (size_t i = 0; i < c->n_endpoints; i++)
        if (skl_streq(c->endpoints[i].network_id, n->id))
            return &c->endpoints[i];
    return NULL;
}

int skl_network_remove(struct skl_store *s, struct skl_network *n, struct skl_error *err)
{
    struct skl_list *it;
    int rc;

    if (n->predefined)
        return skl_fail(err, SKL_E_FORBIDDEN, "%s is a pre-defined network and cannot be removed",
                        n->name);
    skl_list_foreach (it, &s->containers) {
        struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);
        struct skl_endpoint *e = skl_network_endpoint(n, c);

        if (e && is_live(e))
            return skl_fail(err, SKL_E_FORBIDDEN,
                            "error while removing network: network %s id %s has active endpoints",
                            n->name, n->id);
    }
    rc = skl_db_delete(s->db, SKL_DB_NETWORK, n->id, err);
    if (rc < 0)
        return rc;
    skl_map_remove(&s->networks_by_id, skl_str(n->id));
    skl_map_remove(&s->networks_by_name, skl_str(n->name));
    skl_list_remove(&n->in_store);
    network_event(s, n, "destroy", NULL);
    skl_network_free(n);
    return 0;
}

int skl_network_check_request(const struct skl_network *n, char *const *aliases, const char *ip,
                              const char *ip6, struct skl_error *err)
{
    const bool fixed = !skl_str_empty(ip) || !skl_str_empty(ip6);

    if (n->predefined && fixed)
        return skl_fail(err, SKL_E_INVALID,
                        "user specified IP address is supported on user defined networks only");
    if (n->predefined && aliases && aliases[0])
        return skl_fail(err, SKL_E_INVALID,
                        "network-scoped alias is supported only for containers in user defined "
                        "networks");
    if ((!skl_str_empty(ip) && n->picked) || (!skl_str_empty(ip6) && skl_str_empty(n->subnet6)))
        return skl_fail(err, SKL_E_INVALID,
                        "user specified IP address is supported only when connecting to networks "
                        "with user configured subnets");
    return 0;
}

static int take_addresses(struct skl_store *s, struct skl_network *n, struct skl_endpoint *e,
                          const char *ip, const char *ip6, struct skl_error *err)
{
    struct skl_network_full *full = full_of(n);
    int rc = 0;

    if (skl_network_has_addresses(full, false))
        rc = skl_network_take_address(s, full, false, ip, &e->ip, err);
    if (rc == 0 && n->enable_ipv6 && skl_network_has_addresses(full, true))
        rc = skl_network_take_address(s, full, true, ip6, &e->ip6, err);
    return rc;
}

static void endpoint_down(struct skl_network *n, struct skl_endpoint *e)
{
    if (n) {
        skl_network_mark(full_of(n), e->ip, false);
        skl_network_mark(full_of(n), e->ip6, false);
    }
    skl_strset(&e->endpoint_id, "");
    skl_strset(&e->ip, "");
    skl_strset(&e->ip6, "");
    skl_strset(&e->mac, "");
}

static int endpoint_up(struct skl_store *s, struct skl_network *n, struct skl_endpoint *e,
                       struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *request = NULL;
    const char *ip = NULL, *ip6 = NULL, *mac = NULL;
    unsigned a[4] = {0};
    char text[32] = ""; /* host and none have no addresses */
    int rc;

    if (e->request_json && skl_json_parse(skl_str(e->request_json), &request, NULL) == 0) {
        ip = skl_json_get_str(skl_json_get(request, "IPAMConfig"), "IPv4Address");
        ip6 = skl_json_get_str(skl_json_get(request, "IPAMConfig"), "IPv6Address");
        mac = skl_json_get_str(request, "MacAddress");
    }
    rc = skl_network_check_request(n, e->aliases, ip, ip6, err);
    if (rc == 0)
        rc = take_addresses(s, n, e, ip, ip6, err);
    if (rc < 0) {
        endpoint_down(n, e);
        return rc;
    }
    free(e->endpoint_id);
    e->endpoint_id = skl_alloc0(1, SKL_ID_LEN + 1);
    skl_random_hex(e->endpoint_id, SKL_ID_LEN);
    if (sscanf(e->ip, "%u.%u.%u.%u", &a[0], &a[1], &a[2], &a[3]) == 4)
        snprintf(text, sizeof(text), "02:42:%02x:%02x:%02x:%02x", a[0] & 255u, a[1] & 255u,
                 a[2] & 255u, a[3] & 255u);
    skl_strset(&e->mac, *text && !skl_str_empty(mac) ? mac : text);
    return 0;
}

int skl_network_assign_addresses(struct skl_store *s, struct skl_container *c,
                                 struct skl_error *err)
{
    for (size_t i = 0; i < c->n_endpoints; i++) {
        struct skl_endpoint *e = &c->endpoints[i];
        struct skl_network *n = by_id(s, e->network_id);
        int rc = 0;

        if (is_live(e))
            continue;
        if (!n)
            rc = skl_fail(err, SKL_E_NOTFOUND, "network %s not found", e->network_id);
        else
            rc = endpoint_up(s, n, e, err);
        if (rc < 0) {
            skl_network_release_addresses(s, c);
            return rc;
        }
        network_event(s, n, "connect", c);
    }
    skl_strset(&c->list_cache, NULL);
    return 0;
}

void skl_network_release_addresses(struct skl_store *s, struct skl_container *c)
{
    for (size_t i = 0; i < c->n_endpoints; i++) {
        struct skl_endpoint *e = &c->endpoints[i];
        struct skl_network *n = by_id(s, e->network_id);

        if (!is_live(e))
            continue;
        endpoint_down(n, e);
        if (n)
            network_event(s, n, "disconnect", c);
    }
    skl_strset(&c->list_cache, NULL);
}

static bool has_endpoints_up(const struct skl_container *c)
{
    return c->state == SKL_CONTAINER_STARTING || c->state == SKL_CONTAINER_RUNNING ||
           c->state == SKL_CONTAINER_PAUSED;
}

int skl_network_connect(struct skl_store *s, struct skl_network *n, struct skl_container *c,
                        char *const *aliases, const char *request_json, struct skl_error *err)
{
    struct skl_endpoint *e;
    int rc = 0;

    if (skl_network_endpoint(n, c)) {
        if (!has_endpoints_up(c))
            return 0; /* noted already; an Engine takes no second note of it */
        return skl_fail(err, SKL_E_FORBIDDEN, "endpoint with name %s already exists in network %s",
                        c->name, n->name);
    }
    c->endpoints = skl_realloc(c->endpoints, c->n_endpoints + 1, sizeof(*c->endpoints));
    e = &c->endpoints[c->n_endpoints++];
    *e = (struct skl_endpoint){
        .network_id = skl_strdup(n->id),
        .endpoint_id = skl_strdup(""),
        .ip = skl_strdup(""),
        .ip6 = skl_strdup(""),
        .mac = skl_strdup(""),
        .aliases = skl_strv_dup(aliases),
        .request_json = skl_strdup(request_json),
    };
    if (has_endpoints_up(c))
        rc = endpoint_up(s, n, e, err);
    if (rc == 0)
        rc = skl_container_write(s, c, err);
    if (rc < 0) {
        endpoint_down(n, e);
        skl_endpoint_fini(e);
        c->n_endpoints--;
        return rc;
    }
    skl_strset(&c->list_cache, NULL);
    if (is_live(e))
        network_event(s, n, "connect", c);
    return 0;
}

int skl_network_disconnect(struct skl_store *s, struct skl_network *n, struct skl_container *c,
                           struct skl_error *err)
{
    struct skl_endpoint *e = skl_network_endpoint(n, c), taken;
    struct skl_endpoint *rest = NULL;
    struct skl_container_full next = {.c = *c, .seq = skl_container_full(c)->seq};
    size_t k = 0;
    bool was_live;
    int rc;

    if (!e)
        return skl_fail(err, SKL_E_INTERNAL, "container %s is not connected to %snetwork %s", c->id,
                        has_endpoints_up(c) ? "" : "the ", n->name);
    if (c->n_endpoints > 1)
        rest = skl_new0_n(struct skl_endpoint, c->n_endpoints - 1);
    for (size_t i = 0; rest && i < c->n_endpoints; i++)
        if (&c->endpoints[i] != e)
            rest[k++] = c->endpoints[i];
    next.c.endpoints = rest;
    next.c.n_endpoints = k;
    rc = skl_container_write(s, &next.c, err);
    if (rc < 0) {
        free(rest);
        return rc;
    }
    taken = *e;
    was_live = is_live(e);
    free(c->endpoints);
    c->endpoints = rest;
    c->n_endpoints = k;
    skl_strset(&c->list_cache, NULL);
    endpoint_down(n, &taken);
    skl_endpoint_fini(&taken);
    if (was_live)
        network_event(s, n, "disconnect", c);
    return 0;
}

/* -- loading */

static int load_one(void *arg, const char *key, const char *body, struct skl_error *err)
{
    struct skl_store *s = arg;
    struct skl_network *n = skl_network_new();
    int rc = skl_network_decode(skl_str(body), n, err);

    snprintf(n->id, sizeof(n->id), "%s", key);
    if (rc == 0)
        rc = skl_network_parse(full_of(n), err);
    if (rc == 0 && (strlen(key) != SKL_ID_LEN || skl_map_getz(&s->networks_by_name, n->name)))
        rc = skl_fail(err, SKL_E_INTERNAL, "the id or name is no valid one or is there twice");
    if (rc < 0) {
        skl_network_free(n);
        return rc;
    }
    network_link(s, n);
    return 0;
}

static int ensure(struct skl_store *s, const char *name, const char *driver, const char *subnet,
                  const char *gateway, struct skl_error *err)
{
    struct skl_network *n;
    int rc;

    if (skl_map_getz(&s->networks_by_name, name))
        return 0;
    n = skl_network_new();
    n->name = skl_strdup(name);
    n->driver = skl_strdup(driver);
    n->scope = skl_strdup("local");
    n->subnet = skl_strdup(subnet);
    n->gateway = skl_strdup(gateway);
    n->created_ns = skl_wall_ns();
    n->predefined = true;
    SKL_ASSERT(skl_network_parse(full_of(n), NULL) == 0);
    rc = network_write(s, n, err);
    if (rc < 0) {
        skl_network_free(n);
        return rc;
    }
    network_link(s, n);
    return 0;
}

int skl_networks_load(struct skl_store *s, struct skl_error *err)
{
    int rc = skl_db_each(s->db, SKL_DB_NETWORK, load_one, s, err);

    if (rc == 0)
        rc = ensure(s, "bridge", "bridge", "172.17.0.0/16", "172.17.0.1", err);
    if (rc == 0)
        rc = ensure(s, "host", "host", "", "", err);
    if (rc == 0)
        rc = ensure(s, "none", "null", "", "", err);
    return rc;
}

void skl_networks_mark(struct skl_store *s)
{
    struct skl_list *it;

    skl_list_foreach (it, &s->containers) {
        struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);
        const bool live = c->state == SKL_CONTAINER_RUNNING || c->state == SKL_CONTAINER_PAUSED;

        for (size_t i = 0; i < c->n_endpoints; i++) {
            struct skl_endpoint *e = &c->endpoints[i];
            struct skl_network *n = by_id(s, e->network_id);

            if (!live) {
                endpoint_down(NULL, e);
            } else if (n) {
                skl_network_mark(full_of(n), e->ip, true);
                skl_network_mark(full_of(n), e->ip6, true);
            }
        }
    }
}
