#include "store/network.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/limits.h"
#include "store/store_internal.h"

struct skl_network *skl_network_new(void)
{
    struct skl_network *n = skl_new0(struct skl_network);

    skl_random_hex(n->id, SKL_ID_LEN);
    n->created_ns = skl_wall_ns();
    skl_list_init(&n->in_store);
    return n;
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
    free(n);
}

/* -- rows */

static char *row_text(const struct skl_network *n)
{
    struct skl_json j;
    struct skl_buf b;

    skl_buf_init(&b, 4 * SKL_MIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_row_add_str(&j, "name", n->name);
    skl_row_add_str(&j, "driver", n->driver);
    skl_row_add_str(&j, "scope", n->scope);
    skl_json_strf(&j, "created", "%lld", (long long)n->created_ns);
    skl_json_bool(&j, "internal", n->internal);
    skl_json_bool(&j, "attachable", n->attachable);
    skl_json_bool(&j, "ipv6", n->enable_ipv6);
    skl_json_bool(&j, "predefined", n->predefined);
    skl_row_add_str(&j, "subnet", n->subnet);
    skl_row_add_str(&j, "gateway", n->gateway);
    skl_row_add_str(&j, "ipam", n->ipam_json);
    skl_row_add_str(&j, "options", n->options_json);
    skl_row_add_labels(&j, "labels", &n->labels);
    skl_json_end_object(&j);
    return skl_buf_detach(&b);
}

static void link_network(struct skl_store *s, struct skl_network *n)
{
    skl_list_push(&s->networks, &n->in_store);
    skl_map_set(&s->networks_by_id, skl_str(n->id), n);
}

int skl_network_load(void *store, const char *id, const cJSON *fixed, const cJSON *moving,
                     struct skl_error *err)
{
    struct skl_network *n;
    int64_t created = 0;

    if (strlen(id) != 64 || !skl_json_get_str(fixed, "name"))
        return skl_fail(err, SKL_E_INTERNAL, "network '%.64s' is not complete", id);
    n = skl_network_new();
    memcpy(n->id, id, sizeof(n->id));
    n->name = skl_row_str(fixed, "name");
    n->driver = skl_row_str(fixed, "driver");
    n->scope = skl_row_str(fixed, "scope");
    if (skl_str_i64(skl_str(skl_json_get_str(fixed, "created")), &created))
        n->created_ns = created;
    n->internal = skl_json_get_bool(fixed, "internal", false);
    n->attachable = skl_json_get_bool(fixed, "attachable", false);
    n->enable_ipv6 = skl_json_get_bool(fixed, "ipv6", false);
    n->predefined = skl_json_get_bool(fixed, "predefined", false);
    n->subnet = skl_row_str(fixed, "subnet");
    n->gateway = skl_row_str(fixed, "gateway");
    n->ipam_json = skl_row_str(fixed, "ipam");
    n->options_json = skl_row_str(fixed, "options");
    skl_row_labels(fixed, "labels", &n->labels);
    link_network(store, n);
    return 0;
}

/* -- finding */

struct skl_list *skl_network_all(struct skl_store *s)
{
    return &s->networks;
}

enum match { BY_NAME, BY_PREFIX };

static int find_one(struct skl_store *s, const char *ref, enum match how, struct skl_network **ret,
                    struct skl_error *err)
{
    struct skl_list *it;
    unsigned hits = 0;

    skl_list_foreach (it, &s->networks) {
        struct skl_network *n = SKL_LIST_ENTRY(it, struct skl_network, in_store);

        if (how == BY_NAME ? strcmp(n->name, ref) == 0 : skl_str_starts(skl_str(n->id), ref)) {
            *ret = n;
            hits++;
        }
    }
    if (hits > 1)
        return skl_fail(err, SKL_E_INVALID, "network %s is ambiguous (%u matches found %s)", ref,
                        hits, how == BY_NAME ? "on name" : "based on ID prefix");
    return hits ? 0 : -SKL_E_NOTFOUND;
}

int skl_network_find(struct skl_store *s, const char *ref, struct skl_network **ret,
                     struct skl_error *err)
{
    int rc;

    *ret = skl_map_getz(&s->networks_by_id, ref);
    if (*ret)
        return 0;
    rc = find_one(s, ref, BY_NAME, ret, err);
    if (rc == -SKL_E_NOTFOUND && *ref)
        rc = find_one(s, ref, BY_PREFIX, ret, err);
    return rc == -SKL_E_NOTFOUND ? skl_fail(err, SKL_E_NOTFOUND, "network %s not found", ref) : rc;
}

/* -- events */

static void event(struct skl_store *s, const struct skl_network *n, const char *action,
                  const char *container)
{
    struct skl_labels attributes = {0};

    skl_labels_set(&attributes, "name", n->name);
    skl_labels_set(&attributes, "type", n->driver);
    if (container)
        skl_labels_set(&attributes, "container", container);
    skl_journal_emit(s->journal, "network", action, n->id, NULL, attributes.pairs);
    skl_labels_fini(&attributes);
}

/* -- adding, removing */

static bool subnet_is_taken(struct skl_store *s, const char *subnet)
{
    struct skl_list *it;

    skl_list_foreach (it, &s->networks)
        if (skl_streq(SKL_LIST_ENTRY(it, struct skl_network, in_store)->subnet, subnet))
            return true;
    return false;
}

/* 172.18.0.0/16 to 172.31.0.0/16, then 192.168.0.0/20 and up, as Docker's default pools go. */
static int pick_subnet(struct skl_store *s, struct skl_network *n, struct skl_error *err)
{
    char subnet[32], gateway[32];

    for (unsigned i = 18; i < 32 + 16; i++) {
        if (i < 32) {
            snprintf(subnet, sizeof(subnet), "172.%u.0.0/16", i);
            snprintf(gateway, sizeof(gateway), "172.%u.0.1", i);
        } else {
            snprintf(subnet, sizeof(subnet), "192.168.%u.0/20", (i - 32) * 16);
            snprintf(gateway, sizeof(gateway), "192.168.%u.1", (i - 32) * 16);
        }
        if (subnet_is_taken(s, subnet))
            continue;
        n->subnet = skl_strdup(subnet);
        skl_strset(&n->gateway, gateway);
        return 0;
    }
    /* Addresses are names in answers here, not routes: the networks beyond the pools share one range. */
    n->subnet = skl_strdup("10.201.0.0/16");
    skl_strset(&n->gateway, "10.201.0.1");
    return 0;
}

static int insert(struct skl_store *s, struct skl_network *own_n, struct skl_error *err)
{
    char *row SKL_AUTO_STR = row_text(own_n);
    int rc = skl_db_insert(s->db, "network", own_n->id, row, "{}", err);

    if (rc < 0) {
        skl_network_free(own_n);
        return rc;
    }
    link_network(s, own_n);
    return 0;
}

int skl_network_add(struct skl_store *s, struct skl_network *own_n, struct skl_network **ret,
                    struct skl_error *err)
{
    struct skl_network *same = NULL;
    int rc = find_one(s, own_n->name, BY_NAME, &same, err);

    if (rc == -SKL_E_NOTFOUND)
        rc = skl_str_empty(own_n->subnet) ? pick_subnet(s, own_n, err) : 0;
    else
        rc = skl_fail(err, SKL_E_CONFLICT, "network with name %s already exists", own_n->name);
    if (rc < 0) {
        skl_network_free(own_n);
        return rc;
    }
    rc = insert(s, own_n, err);
    if (rc < 0)
        return rc;
    event(s, own_n, "create", NULL);
    *ret = own_n;
    return 0;
}

int skl_network_make_predefined(struct skl_store *s, struct skl_error *err)
{
    static const struct {
        const char *name, *driver, *subnet, *gateway;
    } rows[] = {
        {"bridge", "bridge", "172.17.0.0/16", "172.17.0.1"},
        {"host", "host", "", ""},
        {"none", "null", "", ""},
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < SKL_ARRAY_LEN(rows); i++) {
        struct skl_network *n = NULL;

        if (find_one(s, rows[i].name, BY_NAME, &n, NULL) == 0)
            continue;
        n = skl_network_new();
        n->name = skl_strdup(rows[i].name);
        n->driver = skl_strdup(rows[i].driver);
        n->scope = skl_strdup("local");
        n->subnet = skl_strdup(rows[i].subnet);
        n->gateway = skl_strdup(rows[i].gateway);
        n->predefined = true;
        rc = insert(s, n, err);
    }
    return rc;
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

        if (skl_container_is_running(c) && skl_network_endpoint(n, c))
            return skl_fail(err, SKL_E_FORBIDDEN,
                            "error while removing network: network %s id %s has active endpoints",
                            n->name, n->id);
    }
    rc = skl_db_delete(s->db, "network", n->id, err);
    if (rc < 0)
        return rc;
    skl_map_remove(&s->networks_by_id, skl_str(n->id));
    skl_list_remove(&n->in_store);
    event(s, n, "destroy", NULL);
    skl_network_free(n);
    return 0;
}

/* -- endpoints */

int skl_network_connect(struct skl_store *s, struct skl_network *n, struct skl_container *c,
                        char *const *aliases, const char *request_json, struct skl_error *err)
{
    struct skl_endpoint *e;
    char id[65];
    int rc;

    if (skl_network_endpoint(n, c))
        return skl_fail(err, SKL_E_FORBIDDEN, "endpoint with name %s already exists in network %s",
                        c->name, n->name);
    c->endpoints = skl_realloc(c->endpoints, c->n_endpoints + 1, sizeof(*e));
    e = &c->endpoints[c->n_endpoints++];
    skl_random_hex(id, SKL_ID_LEN);
    *e = (struct skl_endpoint){
        .network_id = skl_strdup(n->id),
        .endpoint_id = skl_strdup(id),
        .ip = skl_strdup(""),
        .mac = skl_strdup(""),
        .aliases = skl_strv_dup(aliases),
        .request_json = skl_strdup(request_json),
    };
    rc = skl_container_save(s, c, err);
    if (rc < 0) {
        skl_endpoint_fini(e);
        c->n_endpoints--;
        return rc;
    }
    if (skl_container_is_running(c))
        skl_network_assign_addresses(s, c);
    return 0;
}

int skl_network_disconnect(struct skl_store *s, struct skl_network *n, struct skl_container *c,
                           struct skl_error *err)
{
    struct skl_endpoint *e = skl_network_endpoint(n, c);
    size_t at;

    if (!e)
        return skl_fail(err, SKL_E_INTERNAL, "container %s is not connected to network %s", c->id,
                        n->name);
    at = (size_t)(e - c->endpoints);
    if (skl_container_is_running(c))
        event(s, n, "disconnect", c->id);
    skl_endpoint_fini(e);
    memmove(e, e + 1, (c->n_endpoints - at - 1) * sizeof(*e));
    c->n_endpoints--;
    return skl_container_save(s, c, err);
}

static bool parse_ipv4(const char *text, uint32_t *ret)
{
    struct skl_str rest = skl_str(text);
    uint32_t v = 0;

    for (int i = 0; i < 4; i++) {
        struct skl_str part = skl_str_cut(rest, i < 3 ? '.' : '/', &rest);
        uint64_t byte;

        if (!skl_str_u64(part, &byte) || byte > 255)
            return false;
        v = v << 8 | (uint32_t)byte;
    }
    *ret = v;
    return true;
}

/* Lowest free address: the taken ones of the network are marked first, so that a start costs one walk over the
 * containers and not one per candidate. */
static void assign(struct skl_store *s, const struct skl_network *n, struct skl_endpoint *e)
{
    uint8_t taken[65536 / 8] = {0};
    uint32_t base, address, gateway = 0;
    struct skl_list *it;
    char text[64];

    if (!parse_ipv4(n->subnet, &base))
        return;
    (void)parse_ipv4(n->gateway, &gateway); /* 0 when there is none */
    skl_list_foreach (it, &s->containers) {
        struct skl_endpoint *other =
            skl_network_endpoint(n, SKL_LIST_ENTRY(it, struct skl_container, in_store));

        if (other && parse_ipv4(other->ip, &address) && address - base < 65536)
            taken[(address - base) / 8] |= (uint8_t)(1u << (address - base) % 8);
    }
    for (uint32_t i = 2; i < 65534; i++) {
        address = base + i;
        if (address == gateway || (taken[i / 8] & (1u << i % 8)))
            continue;
        snprintf(text, sizeof(text), "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
                 address >> 8 & 255, address & 255);
        skl_strset(&e->ip, text);
        snprintf(text, sizeof(text), "02:42:%02x:%02x:%02x:%02x", address >> 24,
                 address >> 16 & 255, address >> 8 & 255, address & 255);
        skl_strset(&e->mac, text);
        return;
    }
}

void skl_network_assign_addresses(struct skl_store *s, struct skl_container *c)
{
    for (size_t i = 0; i < c->n_endpoints; i++) {
        struct skl_network *n = skl_map_getz(&s->networks_by_id, c->endpoints[i].network_id);

        if (!n || !skl_str_empty(c->endpoints[i].ip))
            continue;
        assign(s, n, &c->endpoints[i]);
        event(s, n, "connect", c->id);
    }
}

void skl_network_release_addresses(struct skl_store *s, struct skl_container *c)
{
    for (size_t i = 0; i < c->n_endpoints; i++) {
        struct skl_network *n = skl_map_getz(&s->networks_by_id, c->endpoints[i].network_id);

        skl_strset(&c->endpoints[i].ip, "");
        skl_strset(&c->endpoints[i].mac, "");
        if (n)
            event(s, n, "disconnect", c->id);
    }
}
