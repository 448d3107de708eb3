/* The filters `publish` and `expose`: ports of the host and of the container, of what runs. Either of the two is enough,
 * as with an Engine. */
#include "base/json_read.h"
#include "docker/containers/container_filter_internal.h"

#define MAX_PORT 65535

struct range {
    uint64_t from, to;
    struct skl_str proto;
};

static int bad(const char *key, const char *value, const char *why, struct skl_error *err)
{
    return skl_fail(err, SKL_E_INTERNAL, "error while looking up for %s %.100s: %s", key, value,
                    why);
}

static int parse_port(const char *key, const char *value, struct skl_str digits, uint64_t *ret,
                      struct skl_error *err)
{
    bool number = digits.n > 0;

    for (size_t i = 0; i < digits.n; i++)
        number = number && digits.p[i] >= '0' && digits.p[i] <= '9';
    if (number && skl_str_u64(digits, ret) && *ret <= MAX_PORT)
        return 0;
    return skl_fail(err, SKL_E_INTERNAL,
                    "error while looking up for %s %.60s: strconv.ParseUint: parsing \"%.*s\": %s",
                    key, value, digits.n > 60 ? 60 : (int)digits.n, digits.p,
                    number ? "value out of range" : "invalid syntax");
}

/* "80", "80/udp", "8000-8010" */
static int parse(const char *key, const char *value, struct range *ret, struct skl_error *err)
{
    struct skl_str proto, last, more;
    struct skl_str ports = skl_str_cut(skl_str(value), '/', &proto);
    struct skl_str first = skl_str_cut(ports, '-', &last);
    int rc;

    if (strchr(value, ':'))
        return skl_fail(err, SKL_E_INTERNAL, "filter for '%s' should not contain ':': %.100s", key,
                        value);
    if (ports.n == 0)
        return bad(key, value, "Empty string specified for ports.", err);
    ret->proto = proto.n > 0 ? proto : SKL_STR("tcp");
    rc = parse_port(key, value, first, &ret->from, err);
    ret->to = ret->from;
    if (rc == 0 && last.p)
        rc = parse_port(key, value, skl_str_cut(last, '-', &more), &ret->to, err);
    if (rc == 0 && ret->to < ret->from)
        return skl_fail(err, SKL_E_INTERNAL,
                        "error while looking up for %s %.60s: Invalid range specified for the "
                        "Port: %.*s",
                        key, value, ports.n > 60 ? 60 : (int)ports.n, ports.p);
    return rc;
}

int skl_container_filter_check_ports(const struct skl_filters *f, struct skl_error *err)
{
    static const char *const keys[] = {"publish", "expose"};
    struct range range;
    int rc = 0;

    for (size_t i = 0; i < SKL_ARRAY_LEN(keys); i++)
        for (char *const *v = skl_filters_values(f, keys[i]); rc == 0 && v && *v; v++)
            rc = parse(keys[i], *v, &range, err);
    return rc;
}

static bool is_wanted(const struct skl_filters *f, const char *key, uint64_t port,
                      struct skl_str proto)
{
    struct range range;

    for (char *const *v = skl_filters_values(f, key); v && *v; v++)
        if (parse(key, *v, &range, NULL) == 0 && port >= range.from && port <= range.to &&
            skl_str_eq(range.proto, proto))
            return true;
    return false;
}

/* A port of the container and where it is published: nowhere is port 0 of the host. */
static bool takes_port(const struct skl_filters *f, const char *spec, const cJSON *bindings)
{
    struct skl_str proto, number = skl_str_cut(skl_str(spec), '/', &proto);
    const cJSON *binding;
    uint64_t port;

    if (!proto.p)
        proto = SKL_STR("tcp");
    if (!skl_str_u64(number, &port))
        return false; /* a range is one key and no port */
    if (is_wanted(f, "expose", port, proto) ||
        (cJSON_GetArraySize(bindings) == 0 && is_wanted(f, "publish", 0, proto)))
        return true;
    cJSON_ArrayForEach(binding, bindings)
    {
        const char *host = skl_json_get_str(binding, "HostPort");

        if (skl_str_u64(skl_str(host), &port) && is_wanted(f, "publish", port, proto))
            return true;
    }
    return false;
}

bool skl_container_filter_takes_ports(const struct skl_filters *f, const struct skl_container *c)
{
    SKL_AUTO_JSON cJSON *config = NULL, *published = NULL;
    const cJSON *port;

    if (!skl_filters_has(f, "publish") && !skl_filters_has(f, "expose"))
        return true;
    if (!skl_container_is_running(c) ||
        skl_json_parse(skl_str(c->spec.config_json), &config, NULL) < 0)
        return false;
    if (c->published_json && skl_json_parse(skl_str(c->published_json), &published, NULL) < 0)
        published = NULL;
    cJSON_ArrayForEach(port, skl_json_get(config, "ExposedPorts"))
    {
        const cJSON *bindings =
            published ? cJSON_GetObjectItemCaseSensitive(published, port->string) : NULL;

        if (takes_port(f, port->string, bindings))
            return true;
    }
    return false;
}
