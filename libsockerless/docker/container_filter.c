#include "docker/container_filter.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "docker/image_names.h"

static const char *const keys[] = {
    "ancestor", "before", "exited",  "expose",  "health", "id",     "is-task", "isolation",
    "label",    "name",   "network", "publish", "since",  "status", "volume",  NULL};

static int bad_value(const char *key, const char *value, struct skl_error *err)
{
    return skl_fail(err, SKL_E_INVALID, "invalid filter '%s=%.200s'", key, value);
}

static int check_values(const struct skl_filters *f, const char *key, const char *const *allowed,
                        struct skl_error *err)
{
    for (char *const *v = skl_filters_values(f, key); v && *v; v++) {
        const char *const *a = allowed;

        while (*a && !skl_streq(*a, *v))
            a++;
        if (!*a && skl_streq(key, "health"))
            return skl_fail(err, SKL_E_INVALID, "Unrecognised filter value for health: %.200s", *v);
        if (!*a)
            return bad_value(key, *v, err);
    }
    return 0;
}

static int check(const struct skl_filters *f, struct skl_error *err)
{
    static const char *const states[] = {"created",  "running", "paused", "restarting",
                                         "removing", "exited",  "dead",   NULL};
    static const char *const health[] = {"starting", "healthy", "unhealthy", "none", NULL};
    int64_t code;
    bool task = false;
    int rc = skl_filters_accept(f, keys, err);

    if (rc == 0)
        rc = check_values(f, "status", states, err);
    if (rc == 0)
        rc = check_values(f, "health", health, err);
    if (rc == 0)
        rc = skl_filters_bool(f, "is-task", &task, err);
    for (char *const *v = skl_filters_values(f, "exited"); rc == 0 && v && *v; v++)
        if (!skl_str_i64(skl_str(*v), &code))
            rc = bad_value("exited", *v, err);
    return rc;
}

static int find_limit(struct skl_store *s, const struct skl_filters *f, const char *key,
                      const char *param, const struct skl_container **ret, struct skl_error *err)
{
    char *const *v = skl_filters_values(f, key);
    const char *name = v ? *v : param;
    struct skl_container *c;
    int rc;

    *ret = NULL;
    if (skl_str_empty(name))
        return 0;
    rc = skl_container_find(s, name, &c, err);
    if (rc == 0)
        *ret = c;
    return rc;
}

int skl_container_filter_init(struct skl_container_filter *f, struct skl_store *s,
                              const char *filters, bool all, const char *before, const char *since,
                              struct skl_error *err)
{
    int rc;

    *f = (struct skl_container_filter){.all = all};
    rc = skl_filters_parse(filters, &f->filters, err);
    if (rc == 0)
        rc = check(&f->filters, err);
    if (rc == 0)
        rc = find_limit(s, &f->filters, "before", before, &f->before, err);
    if (rc == 0)
        rc = find_limit(s, &f->filters, "since", since, &f->since, err);
    if (skl_filters_has(&f->filters, "status") || skl_filters_has(&f->filters, "exited"))
        f->all = true;
    return rc;
}

void skl_container_filter_fini(struct skl_container_filter *f)
{
    skl_filters_fini(&f->filters);
}

/* -- one key each */

static const char *health_name(enum skl_health h)
{
    static const char *const names[] = {"none", "starting", "healthy", "unhealthy"};

    return names[h];
}

static bool takes_exit_code(const struct skl_filters *f, const struct skl_container *c)
{
    char code[16];

    if (!skl_filters_has(f, "exited"))
        return true;
    snprintf(code, sizeof(code), "%d", c->exit_code);
    return c->state == SKL_CONTAINER_EXITED && c->finished_ns > 0 &&
           skl_filters_exact(f, "exited", code);
}

static bool takes_ancestor(const struct skl_filters *f, struct skl_store *s,
                           const struct skl_container *c)
{
    char *const *v = skl_filters_values(f, "ancestor");
    struct skl_image *i;

    if (!v)
        return true;
    for (; *v; v++)
        if (skl_streq(*v, c->spec.image) ||
            (skl_image_lookup(s, *v, &i, NULL) == 0 && skl_streq(i->id, c->spec.image_id)))
            return true;
    return false;
}

static bool takes_network(const struct skl_filters *f, struct skl_store *s,
                          const struct skl_container *c)
{
    char *const *v = skl_filters_values(f, "network");

    if (!v)
        return true;
    for (size_t i = 0; i < c->n_endpoints; i++) {
        struct skl_network *n;

        if (skl_network_find(s, c->endpoints[i].network_id, &n, NULL) == 0 &&
            (skl_filters_exact(f, "network", n->name) || skl_filters_prefix(f, "network", n->id)))
            return true;
    }
    return false;
}

static bool takes_volume(const struct skl_filters *f, const struct skl_container *c)
{
    if (!skl_filters_has(f, "volume"))
        return true;
    for (size_t i = 0; i < c->spec.n_mounts; i++) {
        const struct skl_mount *m = &c->spec.mounts[i];

        if (skl_filters_exact(f, "volume", m->destination) ||
            (m->name && skl_filters_exact(f, "volume", m->name)))
            return true;
    }
    return false;
}

/* "80", "80/udp", "8000-8010" against a port key of the container */
static bool port_is_in(const char *port, const char *wanted)
{
    struct skl_str proto, wanted_proto, last;
    struct skl_str number = skl_str_cut(skl_str(port), '/', &proto);
    struct skl_str range = skl_str_cut(skl_str(wanted), '/', &wanted_proto);
    struct skl_str first = skl_str_cut(range, '-', &last);
    uint64_t p, from, to;

    if (!skl_str_u64(number, &p) || !skl_str_u64(first, &from))
        return false;
    to = from;
    if (last.p && !skl_str_u64(last, &to))
        return false;
    if (!proto.p)
        proto = SKL_STR("tcp");
    if (!wanted_proto.p)
        wanted_proto = SKL_STR("tcp");
    return p >= from && p <= to && skl_str_eq(proto, wanted_proto);
}

static bool takes_ports(const struct skl_filters *f, const char *key, const char *json,
                        const char *member)
{
    char *const *v = skl_filters_values(f, key);
    SKL_AUTO_JSON cJSON *config = NULL;
    const cJSON *port;

    if (!v)
        return true;
    if (skl_json_parse(skl_str(json), &config, NULL) < 0)
        return false;
    for (; *v; v++)
        cJSON_ArrayForEach(
            port, skl_json_get(config, member)) if (port_is_in(port->string, *v)) return true;
    return false;
}

static bool is_older(const struct skl_container *a, const struct skl_container *b)
{
    return a->created_ns < b->created_ns;
}

bool skl_container_filter_takes(struct skl_container_filter *x, struct skl_store *s,
                                const struct skl_container *c)
{
    struct skl_filters *f = &x->filters;
    char *const *task = skl_filters_values(f, "is-task");

    if (!x->all && !skl_container_is_running(c))
        return false;
    if ((x->before && !is_older(c, x->before)) || (x->since && !is_older(x->since, c)))
        return false;
    if (f->n == 0)
        return true;
    if (task && (skl_streq(*task, "1") || skl_str_ieqz(skl_str(*task), "true")))
        return false; /* there is no swarm */
    return skl_filters_labels(f, "label", &c->spec.labels) &&
           skl_filters_exact(f, "status", skl_container_state_name(skl_container_shown_state(c))) &&
           skl_filters_prefix(f, "id", c->id) && skl_filters_name(f, "name", c->name) &&
           skl_filters_exact(f, "health", health_name(c->health)) && takes_exit_code(f, c) &&
           takes_ancestor(f, s, c) && takes_network(f, s, c) && takes_volume(f, c) &&
           takes_ports(f, "expose", c->spec.config_json, "ExposedPorts") &&
           takes_ports(f, "publish", c->spec.host_config_json, "PortBindings");
}
