/* NetworkMode and NetworkingConfig become the container's endpoints. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/ip.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/api/render.h"
#include "docker/containers/create_internal.h"

static bool is_mac(const char *text)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if (i % 3 == 2 ? text[i] != text[2] || (text[i] != ':' && text[i] != '-')
                       : !strchr(hex, text[i]))
            return false;
    return n == 17;
}

static int check_addresses(const cJSON *settings, struct skl_error *err)
{
    const cJSON *ipam = skl_json_get(settings, "IPAMConfig"), *local;
    const char *ip = skl_json_get_str(ipam, "IPv4Address");
    const char *ip6 = skl_json_get_str(ipam, "IPv6Address");
    const char *mac = skl_json_get_str(settings, "MacAddress");
    struct skl_ip a;

    if (!skl_str_empty(ip) && (!skl_ip_parse(ip, &a) || a.n != 4))
        return skl_fail(err, SKL_E_INVALID, "invalid IPv4 address: %.100s", ip);
    if (!skl_str_empty(ip6) && (!skl_ip_parse(ip6, &a) || a.n != 16))
        return skl_fail(err, SKL_E_INVALID, "invalid IPv6 address: %.100s", ip6);
    cJSON_ArrayForEach(
        local,
        skl_json_get(ipam, "LinkLocalIPs")) if (cJSON_IsString(local) &&
                                                !skl_ip_parse(
                                                    local->valuestring,
                                                    &a)) return skl_fail(err, SKL_E_INVALID,
                                                                         "invalid link-local IP "
                                                                         "address: %.100s",
                                                                         local->valuestring);
    if (!skl_str_empty(mac) && !is_mac(mac))
        return skl_fail(err, SKL_E_INVALID, "invalid MAC address: %.100s", mac);
    return 0;
}

int skl_endpoint_take(const cJSON *settings, char ***ret_aliases, char **ret_json,
                      struct skl_error *err)
{
    static const char *const kept[] = {"IPAMConfig", "Links", "MacAddress", "DriverOpts"};
    const cJSON *aliases = skl_json_get(settings, "Aliases");
    SKL_AUTO_JSON cJSON *json = cJSON_CreateObject();

    if (settings && !cJSON_IsObject(settings) && !cJSON_IsNull(settings))
        return skl_fail(err, SKL_E_INVALID,
                        "invalid JSON: the settings of an endpoint must be an object");
    if (aliases && !cJSON_IsArray(aliases))
        return skl_fail(err, SKL_E_INVALID, "invalid JSON: Aliases must be an array of strings");
    *ret_aliases = NULL;
    *ret_json = NULL;
    if (check_addresses(settings, err) < 0)
        return -SKL_E_INVALID;
    *ret_aliases = skl_json_get_strv(settings, "Aliases");
    for (size_t i = 0; i < SKL_ARRAY_LEN(kept); i++) {
        const cJSON *v = skl_json_get(settings, kept[i]);

        if (v && (!cJSON_IsString(v) || v->valuestring[0]))
            cJSON_AddItemToObject(json, kept[i], cJSON_Duplicate(v, true));
    }
    if (json->child)
        *ret_json = skl_render_text(json);
    return 0;
}

static const char *real_name(const char *name)
{
    return skl_str_empty(name) || skl_streq(name, "default") ? "bridge" : name;
}

static int push_network(struct skl_create *x, const char *name, const cJSON *settings,
                        struct skl_error *err)
{
    struct skl_network *n;
    struct skl_create_network *to;
    int rc = skl_network_find(x->engine->store, real_name(name), &n, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < x->n_networks; i++)
        if (skl_streq(x->networks[i].network_id, n->id))
            return 0; /* by name and by id */
    x->networks = skl_realloc(x->networks, x->n_networks + 1, sizeof(*to));
    to = &x->networks[x->n_networks];
    *to = (struct skl_create_network){0};
    rc = skl_endpoint_take(settings, &to->aliases, &to->request_json, err);
    if (rc < 0)
        return rc;
    to->network_id = skl_strdup(n->id);
    x->n_networks++;
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int too_many(const cJSON *endpoints, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf list = {0};
    const cJSON *item;
    char **names = NULL;

    skl_buf_init(&list, 400);
    cJSON_ArrayForEach(item, endpoints) skl_strv_push(&names, item->string);
    if (names)
        qsort(names, skl_strv_len(names), sizeof(*names), compare);
    for (char **p = names; p && *p; p++)
        skl_buf_addf(&list, "%s%s", p == names ? "" : ", ", *p);
    skl_strv_free(names);
    return skl_fail(err, SKL_E_INVALID,
                    "Container cannot be created with multiple network endpoints: %s", list.p);
}

/* The settings that were sent for a network under any of its names. */
static const cJSON *settings_of(struct skl_create *x, const cJSON *endpoints, const char *mode)
{
    struct skl_network *wanted, *n;
    const cJSON *item;

    if (skl_network_find(x->engine->store, real_name(mode), &wanted, NULL) < 0)
        return NULL;
    cJSON_ArrayForEach(
        item,
        endpoints) if (skl_network_find(x->engine->store, real_name(item->string), &n, NULL) == 0 &&
                       n == wanted) return item;
    return NULL;
}

int skl_create_take_networks(struct skl_create *x, struct skl_error *err)
{
    const cJSON *networking = skl_json_get(x->body, "NetworkingConfig");
    const cJSON *endpoints = skl_json_get(networking, "EndpointsConfig");
    const char *mode = skl_json_get_str(x->host, "NetworkMode");
    const cJSON *item;
    int rc;

    if (endpoints && !cJSON_IsObject(endpoints))
        return skl_fail(err, SKL_E_INVALID, "invalid JSON: EndpointsConfig must be an object");
    if (x->version < 144 && cJSON_GetArraySize(endpoints) > 1)
        return too_many(endpoints, err);
    cJSON_ArrayForEach(item, endpoints) if (cJSON_IsNull(item)) return skl_fail(
        err, SKL_E_INVALID, "no EndpointSettings for %.100s", item->string);
    rc = push_network(x, mode, settings_of(x, endpoints, mode), err);
    if (rc < 0 || skl_streq(mode, "host") || skl_streq(mode, "none"))
        return rc;
    cJSON_ArrayForEach(item, endpoints)
    {
        rc = push_network(x, item->string, item, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The container is not in the store yet: its endpoints go there with it, in one write. */
void skl_create_connect(struct skl_create *x)
{
    struct skl_container *c = x->c;

    c->endpoints = skl_new0_n(struct skl_endpoint, x->n_networks);
    c->n_endpoints = x->n_networks;
    for (size_t i = 0; i < x->n_networks; i++) {
        c->endpoints[i] = (struct skl_endpoint){
            .network_id = skl_strdup(x->networks[i].network_id),
            .endpoint_id = skl_strdup(""),
            .ip = skl_strdup(""),
            .ip6 = skl_strdup(""),
            .mac = skl_strdup(""),
            .aliases = skl_take(&x->networks[i].aliases),
            .request_json = skl_take(&x->networks[i].request_json),
        };
    }
}
