#include "docker/containers/container_filter.h"

#include <stdio.h>

#include "base/alloc.h"
#include "docker/api/go_value.h"
#include "docker/containers/container_filter_internal.h"
#include "docker/images/image_names.h"

#define MAX_GENERATIONS 1000

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
        if (!skl_go_int(*v, &code))
            rc = skl_fail(err, SKL_E_INTERNAL, "strconv.Atoi: parsing \"%.100s\": invalid syntax",
                          *v);
    return rc < 0 ? rc : skl_container_filter_check_ports(f, err);
}

static int find_limit(struct skl_store *s, const struct skl_filters *f, const char *key,
                      const struct skl_container **ret, struct skl_error *err)
{
    char *const *v = skl_filters_values(f, key);
    struct skl_container *c;
    int rc;

    *ret = NULL;
    if (!v)
        return 0;
    rc = skl_container_find(s, *v, &c, err);
    if (rc == 0)
        *ret = c;
    return rc;
}

int skl_container_filter_init(struct skl_container_filter *f, struct skl_store *s,
                              const char *filters, bool all, struct skl_error *err)
{
    int rc;

    *f = (struct skl_container_filter){.all = all};
    rc = skl_filters_parse(filters, &f->filters, err);
    if (rc == 0)
        rc = check(&f->filters, err);
    if (rc == 0)
        rc = find_limit(s, &f->filters, "before", &f->before, err);
    if (rc == 0)
        rc = find_limit(s, &f->filters, "since", &f->since, err);
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

/* The image itself, or one that it was built on. */
static bool descends_from(struct skl_store *s, const char *id, const char *ancestor)
{
    const struct skl_image *i;

    for (unsigned n = 0; id && n < MAX_GENERATIONS; n++) {
        if (skl_streq(id, ancestor))
            return true;
        i = skl_image_find(s, id);
        id = i ? i->parent : NULL;
    }
    return false;
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
            (skl_image_lookup(s, *v, &i, NULL) == 0 && descends_from(s, c->spec.image_id, i->id)))
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
           skl_container_filter_takes_ports(f, c);
}
