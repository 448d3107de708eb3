/* POST /networks/create: what is asked for is checked as a whole before the store takes it.
 *
 * The IPAM settings are looked at as an Engine since 25 does (every fault is told at once, 400); what only shows
 * when addresses are taken (pools that overlap, a gateway that is taken) is the store's word. */
#include "base/alloc.h"
#include "base/ip.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/api/go_value.h"
#include "docker/api/render.h"
#include "docker/api/routes.h"
#include "docker/containers/create_internal.h"

/* -- the faults of IPAM settings */

struct faults {
    struct skl_buf text; /* "* fault\n* fault" */
    size_t n;
};

static void SKL_PRINTF(2, 3) fault(struct faults *f, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    skl_buf_adds(&f->text, f->n++ > 0 ? "\n* " : "* ");
    skl_buf_addv(&f->text, fmt, ap);
    va_end(ap);
}

struct subnet {
    struct skl_ip base; /* masked */
    unsigned bits;
    const char *text;
};

static const char *family(const struct skl_ip *a)
{
    return a->n == 4 ? "IPv4" : "IPv6";
}

static void check_range(struct faults *f, const struct subnet *s, const char *text)
{
    struct skl_ip a, masked;
    unsigned bits;

    if (skl_str_empty(text))
        return;
    if (!skl_ip_parse_prefix(text, &a, &bits)) {
        fault(f, "invalid ip-range %.60s: invalid CIDR block notation", text);
        return;
    }
    if (a.n != s->base.n) {
        fault(f, "invalid ip-range %s: parent subnet is an %s block", text, family(&s->base));
        return;
    }
    if (bits < s->bits)
        fault(f, "invalid ip-range %s: CIDR block is bigger than its parent subnet %s", text,
              s->text);
    masked = skl_ip_mask(a, bits);
    if (!skl_ip_eq(&a, &masked)) {
        SKL_AUTO_STR char *better = skl_ip_prefix_text(&masked, bits);

        fault(f, "invalid ip-range %s: it should be %s", text, better);
    }
    if (!skl_ip_in(&a, &s->base, bits < s->bits ? bits : s->bits))
        fault(f, "invalid ip-range %s: parent subnet %s doesn't contain ip-range", text, s->text);
}

/* NULL: it is an address of the subnet. */
static const char *address_fault(const struct subnet *s, const char *text, struct skl_buf *b)
{
    struct skl_ip a;

    if (skl_str_empty(text))
        return NULL;
    if (!skl_ip_parse(text, &a))
        return "invalid address";
    if (a.n != s->base.n)
        skl_buf_addf(b, "parent subnet is an %s block", family(&s->base));
    else if (!skl_ip_in(&a, &s->base, s->bits))
        skl_buf_addf(b, "parent subnet %s doesn't contain this address", s->text);
    else
        return NULL;
    return b->p;
}

static void check_address(struct faults *f, const struct subnet *s, const char *what,
                          const char *name, const char *text)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    const char *why;

    skl_buf_init(&b, SKL_KIB);
    why = address_fault(s, text, &b);
    if (why)
        fault(f, "invalid %s %.60s: %s", what, name, why);
}

static void check_config(struct faults *f, const cJSON *item, bool ipv6)
{
    const char *text = skl_json_get_str(item, "Subnet");
    const char *gateway = skl_json_get_str(item, "Gateway");
    struct subnet s = {.text = text};
    struct skl_ip written;
    const cJSON *aux;

    if (!skl_ip_parse_prefix(text, &written, &s.bits)) {
        fault(f, "invalid subnet %.60s: invalid CIDR block notation", text ? text : "");
        return;
    }
    s.base = skl_ip_mask(written, s.bits);
    if (written.n == 16 && !ipv6)
        return;
    if (!skl_ip_eq(&written, &s.base)) {
        SKL_AUTO_STR char *better = skl_ip_prefix_text(&s.base, s.bits);

        fault(f, "invalid subnet %s: it should be %s", text, better);
    }
    check_range(f, &s, skl_json_get_str(item, "IPRange"));
    check_address(f, &s, "gateway", gateway ? gateway : "", gateway);
    cJSON_ArrayForEach(aux, skl_json_get(item, "AuxiliaryAddresses"))
        check_address(f, &s, "auxiliary address", aux->string, cJSON_GetStringValue(aux));
}

static int check_ipam(const cJSON *config, bool ipv6, struct skl_error *err)
{
    struct faults f = {0};
    const cJSON *item;
    int rc = 0;

    skl_buf_init(&f.text, 8 * SKL_KIB);
    cJSON_ArrayForEach(item, config) check_config(&f, item, ipv6);
    if (f.n > 0)
        rc = skl_fail(err, SKL_E_INVALID, "%s", f.n == 1 ? f.text.p + 2 : f.text.p);
    skl_buf_fini(&f.text);
    return rc;
}

/* -- the settings become the network's */

static void add_text(cJSON *to, const cJSON *from, const char *name)
{
    const char *text = skl_json_get_str(from, name);

    if (!skl_str_empty(text))
        cJSON_AddStringToObject(to, name, text);
}

static cJSON *shown_config(const cJSON *item)
{
    const cJSON *aux = skl_json_get(item, "AuxiliaryAddresses");
    cJSON *shown = cJSON_CreateObject();

    add_text(shown, item, "Subnet");
    add_text(shown, item, "IPRange");
    add_text(shown, item, "Gateway");
    if (cJSON_IsObject(aux) && aux->child)
        cJSON_AddItemToObject(shown, "AuxiliaryAddresses", cJSON_Duplicate(aux, true));
    return shown;
}

static void take_aux(const cJSON *item, struct skl_network *n)
{
    const cJSON *aux;

    cJSON_ArrayForEach(aux, skl_json_get(item, "AuxiliaryAddresses"))
    {
        const char *address = cJSON_GetStringValue(aux);

        if (!skl_str_empty(address))
            skl_labels_set(&n->aux, aux->string, address);
    }
}

static int take_config(const cJSON *item, bool v6, struct skl_network *n, struct skl_error *err)
{
    char **subnet = v6 ? &n->subnet6 : &n->subnet;

    if (*subnet)
        return skl_fail(err, SKL_E_FORBIDDEN, "bridge driver doesn't support multiple subnets");
    *subnet = skl_strdup(skl_json_get_str(item, "Subnet"));
    skl_strset(v6 ? &n->range6 : &n->range, skl_json_get_str(item, "IPRange"));
    skl_strset(v6 ? &n->gateway6 : &n->gateway, skl_json_get_str(item, "Gateway"));
    take_aux(item, n);
    return 0;
}

/* IPv4 settings stand before those of IPv6; what the store picks comes first of all (networks.c). */
static int take_ipam(const cJSON *body, struct skl_network *n, struct skl_error *err)
{
    const cJSON *ipam = skl_json_get(body, "IPAM"), *config = skl_json_get(ipam, "Config"), *item;
    const char *driver = skl_json_get_str(ipam, "Driver");
    SKL_AUTO_JSON cJSON *shown = cJSON_CreateObject();
    cJSON *list;
    int rc;

    if (!skl_str_empty(driver) && !skl_streq(driver, "default"))
        return skl_fail(err, SKL_E_NOTFOUND, "plugin \"%.100s\" not found", driver);
    rc = check_ipam(config, n->enable_ipv6, err);
    cJSON_AddStringToObject(shown, "Driver", "default");
    skl_fields_set(shown, "Options", cJSON_Duplicate(skl_json_get(ipam, "Options"), true));
    list = cJSON_AddArrayToObject(shown, "Config");
    for (int v6 = 0; rc == 0 && v6 < 2; v6++) {
        cJSON_ArrayForEach(item, config)
        {
            bool is_v6 = strchr(skl_json_get_str(item, "Subnet"), ':') != NULL;

            if (is_v6 != v6)
                continue;
            cJSON_AddItemToArray(list, shown_config(item));
            if (rc == 0 && (!is_v6 || n->enable_ipv6))
                rc = take_config(item, is_v6, n, err);
        }
    }
    if (rc == 0 && n->enable_ipv6 && !n->subnet6)
        rc = skl_fail(err, SKL_E_NOTFOUND,
                      "could not find an available, non-overlapping IPv6 address pool among the "
                      "defaults to assign to the network");
    if (rc == 0)
        n->ipam_json = skl_render_text(shown);
    return rc;
}

static bool is_predefined(const char *name)
{
    return skl_streq(name, "bridge") || skl_streq(name, "host") || skl_streq(name, "none") ||
           skl_streq(name, "default");
}

static int check_driver(const char *driver, struct skl_error *err)
{
    if (skl_streq(driver, "host") || skl_streq(driver, "null"))
        return skl_fail(err, SKL_E_FORBIDDEN, "only one instance of \"%s\" network is allowed",
                        driver);
    if (skl_streq(driver, "overlay"))
        return skl_fail(err, SKL_E_INTERNAL, SKL_NO_SWARM);
    if (!skl_str_empty(driver) && !skl_streq(driver, "bridge"))
        return skl_fail(err, SKL_E_NOTFOUND, "plugin \"%.100s\" not found", driver);
    return 0;
}

/* What the bridge driver reads of its options, and refuses when it cannot. */
static int check_options(const cJSON *options, struct skl_error *err)
{
    static const char *const flags[] = {"com.docker.network.bridge.enable_icc",
                                        "com.docker.network.bridge.enable_ip_masquerade"};
    static const char mtu[] = "com.docker.network.driver.mtu";
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(options, mtu);
    bool yes;
    int64_t n;

    for (size_t i = 0; i < SKL_ARRAY_LEN(flags); i++) {
        const cJSON *flag = cJSON_GetObjectItemCaseSensitive(options, flags[i]);

        if (cJSON_IsString(flag) && !skl_go_bool(flag->valuestring, &yes))
            return skl_fail(err, SKL_E_INTERNAL,
                            "failed to parse %s value: %.60s (strconv.ParseBool: parsing "
                            "\"%.60s\": invalid syntax)",
                            flags[i], flag->valuestring, flag->valuestring);
    }
    if (cJSON_IsString(v) && !skl_go_int(v->valuestring, &n))
        return skl_fail(err, SKL_E_INTERNAL,
                        "failed to parse %s value: %.60s (strconv.Atoi: parsing \"%.60s\": "
                        "invalid syntax)",
                        mtu, v->valuestring, v->valuestring);
    return 0;
}

static int check_create(struct skl_request *r, struct skl_error *err)
{
    const cJSON *body = r->body;
    const char *name = skl_json_get_str(body, "Name");
    const char *scope = skl_json_get_str(body, "Scope");
    const char *from = skl_json_get_str(skl_json_get(body, "ConfigFrom"), "Network");
    int rc;

    if (skl_str_trim(skl_str(name)).n == 0)
        return skl_fail(err, SKL_E_INVALID, "invalid name: %s", name ? name : "");
    if (is_predefined(name))
        return skl_fail(err, SKL_E_FORBIDDEN,
                        "operation is not permitted on predefined %.50s network ", name);
    if (skl_streq(scope, "swarm"))
        return skl_fail(err, SKL_E_FORBIDDEN,
                        "cannot create a swarm scoped network when swarm is not active");
    if (!skl_str_empty(scope) && !skl_streq(scope, "local"))
        return skl_fail(err, SKL_E_INTERNAL, SKL_NO_SWARM);
    if (skl_json_get_bool(body, "Ingress", false))
        return skl_fail(err, SKL_E_FORBIDDEN, "Ingress network can only be global scope network");
    if (skl_json_get_bool(body, "ConfigOnly", false))
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "config-only networks are not supported by the %s backend",
                        r->engine->backend->name);
    if (!skl_str_empty(from))
        return skl_fail(err, SKL_E_NOTFOUND, "configuration network \"%.100s\" does not exist",
                        from);
    rc = check_driver(skl_json_get_str(body, "Driver"), err);
    return rc < 0 ? rc : check_options(skl_json_get(body, "Options"), err);
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
    if (check_create(r, &err) < 0) {
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
