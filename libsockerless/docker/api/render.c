#include "docker/api/render.h"

#include <math.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"

#define MINUTE 60
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static void render_number(struct skl_json *j, const char *key, double v)
{
    if (v >= 9223372036854775807.0)
        skl_json_int(j, key, INT64_MAX);
    else if (v <= -9223372036854775808.0)
        skl_json_int(j, key, INT64_MIN);
    else if (fabs(v - trunc(v)) > 0)
        skl_json_num(j, key, v);
    else
        skl_json_int(j, key, (int64_t)v);
}

/* The depth is that of parsed input: SKL_MAX_JSON_DEPTH. */
void skl_render_item(struct skl_json *j, const char *key, const cJSON *item)
{
    const cJSON *child;

    if (cJSON_IsObject(item)) {
        skl_json_object(j, key);
        cJSON_ArrayForEach(child, item) skl_render_item(j, child->string, child);
        skl_json_end_object(j);
    } else if (cJSON_IsArray(item)) {
        skl_json_array(j, key);
        cJSON_ArrayForEach(child, item) skl_render_item(j, NULL, child);
        skl_json_end_array(j);
    } else if (cJSON_IsString(item)) {
        skl_json_str(j, key, item->valuestring);
    } else if (cJSON_IsNumber(item)) {
        render_number(j, key, item->valuedouble);
    } else if (cJSON_IsBool(item)) {
        skl_json_bool(j, key, cJSON_IsTrue(item));
    } else {
        skl_json_null(j, key);
    }
}

char *skl_render_text(const cJSON *item)
{
    struct skl_buf b;
    struct skl_json j;

    skl_buf_init(&b, 8 * SKL_MAX_JSON_BODY); /* a byte becomes \u00xx at most */
    skl_json_init(&j, &b);
    skl_render_item(&j, NULL, item);
    return skl_buf_detach(&b);
}

void skl_render_labels(struct skl_json *j, const char *key, const struct skl_labels *labels)
{
    skl_json_object(j, key);
    for (char **p = labels->pairs; p && p[0]; p += 2)
        skl_json_str(j, p[0], p[1]);
    skl_json_end_object(j);
}

/* -- times for people */

void skl_render_duration(struct skl_buf *b, int64_t s)
{
    if (s < 1)
        skl_buf_adds(b, "Less than a second");
    else if (s == 1)
        skl_buf_adds(b, "1 second");
    else if (s < MINUTE)
        skl_buf_addf(b, "%d seconds", (int)s);
    else if (s < 2 * MINUTE)
        skl_buf_adds(b, "About a minute");
    else if (s < HOUR)
        skl_buf_addf(b, "%d minutes", (int)(s / MINUTE));
    else if ((s + HOUR / 2) / HOUR == 1)
        skl_buf_adds(b, "About an hour");
    else if ((s + HOUR / 2) / HOUR < 48)
        skl_buf_addf(b, "%d hours", (int)((s + HOUR / 2) / HOUR));
    else if (s < 14 * (int64_t)DAY)
        skl_buf_addf(b, "%d days", (int)(s / DAY));
    else if (s < 60 * (int64_t)DAY)
        skl_buf_addf(b, "%d weeks", (int)(s / DAY / 7));
    else if (s < 730 * (int64_t)DAY)
        skl_buf_addf(b, "%d months", (int)(s / DAY / 30));
    else
        skl_buf_addf(b, "%lld years", (long long)(s / DAY / 365));
}

static void add_since(struct skl_buf *b, int64_t then_ns, int64_t now_ns)
{
    skl_render_duration(b, (now_ns - then_ns) / SKL_NS_PER_S);
}

static void add_health(struct skl_buf *b, enum skl_health health)
{
    switch (health) {
    case SKL_HEALTH_STARTING:
        skl_buf_adds(b, " (health: starting)");
        break;
    case SKL_HEALTH_HEALTHY:
        skl_buf_adds(b, " (healthy)");
        break;
    case SKL_HEALTH_UNHEALTHY:
        skl_buf_adds(b, " (unhealthy)");
        break;
    case SKL_HEALTH_NONE:
        break;
    }
}

void skl_render_status(struct skl_buf *b, const struct skl_container *c, int64_t now_ns)
{
    switch (skl_container_shown_state(c)) {
    case SKL_CONTAINER_RUNNING:
        skl_buf_adds(b, "Up ");
        add_since(b, c->started_ns, now_ns);
        add_health(b, c->health);
        break;
    case SKL_CONTAINER_PAUSED:
        skl_buf_adds(b, "Up ");
        add_since(b, c->started_ns, now_ns);
        skl_buf_adds(b, " (Paused)");
        break;
    case SKL_CONTAINER_RESTARTING:
        skl_buf_addf(b, "Restarting (%d) ", c->exit_code);
        add_since(b, c->finished_ns, now_ns);
        skl_buf_adds(b, " ago");
        break;
    case SKL_CONTAINER_REMOVING:
        skl_buf_adds(b, "Removal In Progress");
        break;
    case SKL_CONTAINER_DEAD:
        skl_buf_adds(b, "Dead");
        break;
    case SKL_CONTAINER_EXITED:
    case SKL_CONTAINER_CREATED:
    case SKL_CONTAINER_STARTING:
    case SKL_CONTAINER_MAX_:
        if (c->finished_ns == 0) {
            skl_buf_adds(b, "Created");
            break;
        }
        skl_buf_addf(b, "Exited (%d) ", c->exit_code);
        add_since(b, c->finished_ns, now_ns);
        skl_buf_adds(b, " ago");
        break;
    }
}

/* -- networks */

struct skl_network *skl_render_network_of(struct skl_store *s, const struct skl_endpoint *ep)
{
    struct skl_network *n;

    return skl_network_find(s, ep->network_id, &n, NULL) == 0 ? n : NULL;
}

int skl_render_prefix_len(const char *subnet)
{
    const char *slash = subnet ? strchr(subnet, '/') : NULL;
    uint64_t n;

    return slash && skl_str_u64(skl_str(slash + 1), &n) && n <= 128 ? (int)n : 0;
}

static void add_once(char ***v, const char *name)
{
    for (char **p = *v; p && *p; p++)
        if (skl_streq(*p, name))
            return;
    if (!skl_str_empty(name))
        skl_strv_push(v, name);
}

/* Names that the network's members may use. */
static char **dns_names(const struct skl_container *c, const struct skl_endpoint *ep)
{
    char short_id[13];
    char **v = NULL;

    snprintf(short_id, sizeof(short_id), "%.12s", c->id);
    add_once(&v, c->name);
    for (char **p = ep->aliases; p && *p; p++)
        add_once(&v, *p);
    add_once(&v, short_id);
    add_once(&v, c->spec.hostname);
    return v;
}

static void render_aliases(struct skl_json *j, const struct skl_container *c,
                           const struct skl_endpoint *ep, bool user_defined)
{
    char short_id[13];

    snprintf(short_id, sizeof(short_id), "%.12s", c->id);
    if (!user_defined) {
        skl_json_null(j, "Aliases");
        return;
    }
    skl_json_array(j, "Aliases");
    for (char **p = ep->aliases; p && *p; p++)
        if (!skl_streq(*p, short_id))
            skl_json_str(j, NULL, *p);
    skl_json_str(j, NULL, short_id); /* up to 1.44 */
    skl_json_end_array(j);
}

static void render_endpoint(struct skl_json *j, const struct skl_container *c,
                            const struct skl_endpoint *ep, const struct skl_network *n, int version)
{
    bool live = !skl_str_empty(ep->ip), live6 = n && !skl_str_empty(ep->ip6);
    bool user_defined = n && !n->predefined;
    SKL_AUTO_JSON cJSON *request = NULL;

    if (ep->request_json && skl_json_parse(skl_str(ep->request_json), &request, NULL) < 0)
        request = NULL;
    skl_json_object(j, n ? n->name : ep->network_id);
    skl_render_item(j, "IPAMConfig", skl_json_get(request, "IPAMConfig"));
    skl_render_item(j, "Links", skl_json_get(request, "Links"));
    render_aliases(j, c, ep, user_defined);
    skl_json_str(j, "MacAddress", live ? ep->mac : skl_json_get_str(request, "MacAddress"));
    skl_json_str(j, "NetworkID", ep->network_id);
    skl_json_str(j, "EndpointID", live ? ep->endpoint_id : "");
    skl_json_str(j, "Gateway", live && n ? n->gateway : "");
    skl_json_str(j, "IPAddress", ep->ip);
    skl_json_int(j, "IPPrefixLen", live && n ? skl_render_prefix_len(n->subnet) : 0);
    skl_json_str(j, "IPv6Gateway", live6 ? n->gateway6 : "");
    skl_json_str(j, "GlobalIPv6Address", live6 ? ep->ip6 : "");
    skl_json_int(j, "GlobalIPv6PrefixLen", live6 ? skl_render_prefix_len(n->subnet6) : 0);
    skl_render_item(j, "DriverOpts", skl_json_get(request, "DriverOpts"));
    if (version >= 144 && user_defined) {
        char **names = dns_names(c, ep);

        skl_json_strv(j, "DNSNames", names);
        skl_strv_free(names);
    } else if (version >= 144) {
        skl_json_null(j, "DNSNames");
    }
    skl_json_end_object(j);
}

void skl_render_endpoints(struct skl_json *j, struct skl_store *s, const struct skl_container *c,
                          int version)
{
    skl_json_object(j, "Networks");
    for (size_t i = 0; i < c->n_endpoints; i++) {
        const struct skl_endpoint *ep = &c->endpoints[i];

        render_endpoint(j, c, ep, skl_render_network_of(s, ep), version);
    }
    skl_json_end_object(j);
}

/* -- lists and machines */

void skl_render_forget_lists(struct skl_store *s)
{
    struct skl_list *it;

    skl_list_foreach (it, skl_container_all(s)) {
        struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

        free(c->list_cache);
        c->list_cache = NULL;
    }
}

const char *skl_render_kernel_arch(void)
{
    static struct utsname u;

    if (!u.machine[0] && uname(&u) < 0)
        return "x86_64";
    return u.machine;
}

const char *skl_render_go_arch(void)
{
    static const struct {
        const char *kernel, *go;
    } table[] = {
        {"x86_64", "amd64"},    {"aarch64", "arm64"}, {"armv7l", "arm"},      {"i686", "386"},
        {"ppc64le", "ppc64le"}, {"s390x", "s390x"},   {"riscv64", "riscv64"},
    };
    const char *kernel = skl_render_kernel_arch();

    for (size_t i = 0; i < SKL_ARRAY_LEN(table); i++)
        if (skl_streq(kernel, table[i].kernel))
            return table[i].go;
    return kernel;
}
