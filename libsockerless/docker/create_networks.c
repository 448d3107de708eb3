/* NetworkMode and NetworkingConfig become the container's endpoints. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/create_internal.h"
#include "docker/render.h"

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
    *ret_aliases = skl_json_get_strv(settings, "Aliases");
    *ret_json = NULL;
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
    qsort(names, skl_strv_len(names), sizeof(*names), compare);
    for (char **p = names; *p; p++)
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
        char id[65];

        skl_random_hex(id, SKL_ID_LEN);
        c->endpoints[i] = (struct skl_endpoint){
            .network_id = skl_strdup(x->networks[i].network_id),
            .endpoint_id = skl_strdup(id),
            .ip = skl_strdup(""),
            .mac = skl_strdup(""),
            .aliases = skl_take(&x->networks[i].aliases),
            .request_json = skl_take(&x->networks[i].request_json),
        };
    }
}
