#include "docker/containers/ports.h"

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"
#include "docker/api/render.h"
#include "docker/containers/forward.h"
#include "net/listener.h"

struct published {
    struct skl_list in_ports;
    struct skl_ports *ports;
    struct skl_listener *listener;
    unsigned port; /* of the workload */
};

struct skl_ports {
    struct skl_engine *e;
    struct skl_container *c;
    struct skl_list published;
    cJSON *shown; /* while it is made: NetworkSettings.Ports */
};

/* -- connections */

static void accepted(void *arg, struct skl_stream *own_stream)
{
    struct published *x = arg;

    if (skl_container_is_running(x->ports->c))
        skl_forward_begin(x->ports->e, x->ports->c, x->port, own_stream);
    else
        skl_stream_close(own_stream);
}

/* -- listening */

static int listen_at(struct skl_ports *p, const char *ip, int host_port, unsigned port, int *ret,
                     struct skl_error *err)
{
    struct published *x = skl_new0(struct published);
    struct skl_address at = {.kind = SKL_ADDRESS_TCP, .port = host_port};
    int rc;

    x->ports = p;
    x->port = port;
    snprintf(at.host, sizeof(at.host), "%s", ip);
    rc = skl_listener_open(p->e->loop, &at, NULL, accepted, x, &x->listener, err);
    if (rc < 0) {
        free(x);
        return rc;
    }
    skl_list_push(&p->published, &x->in_ports);
    *ret = skl_listener_address(x->listener)->port;
    return 0;
}

static void show(struct skl_ports *p, const char *spec, const char *ip, int host_port)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(p->shown, spec), *row = cJSON_CreateObject();
    char text[16];

    if (!list) {
        list = cJSON_CreateArray();
        cJSON_AddItemToObject(p->shown, spec, list);
    }
    snprintf(text, sizeof(text), "%d", host_port);
    cJSON_AddStringToObject(row, "HostIp", ip);
    cJSON_AddStringToObject(row, "HostPort", text);
    cJSON_AddItemToArray(list, row);
}

static int fail_taken(const struct skl_container *c, const char *ip, unsigned host_port,
                      struct skl_error *err)
{
    struct skl_error cause = *err;
    const char *endpoint = c->n_endpoints > 0 && !skl_str_empty(c->endpoints[0].endpoint_id)
                               ? c->endpoints[0].endpoint_id
                               : c->id;
    const char *shown = ip[0] ? ip : "0.0.0.0";

    if (cause.sys == EADDRINUSE)
        return skl_fail(err, SKL_E_INTERNAL,
                        "driver failed programming external connectivity on endpoint %.64s "
                        "(%.12s): Bind for %.45s:%u failed: port is already allocated",
                        c->name, endpoint, shown, host_port);
    return skl_fail(err, SKL_E_INTERNAL,
                    "driver failed programming external connectivity on endpoint %.64s (%.12s): "
                    "%.120s",
                    c->name, endpoint, cause.msg);
}

/* One binding: the first port of its range that is free. */
static int publish(struct skl_ports *p, const char *spec, unsigned port, const char *ip,
                   unsigned first, unsigned last, struct skl_error *err)
{
    for (unsigned host_port = first;; host_port++) {
        int got, rc = listen_at(p, ip, (int)host_port, port, &got, err);

        if (rc == 0) {
            show(p, spec, ip[0] ? ip : "0.0.0.0", got);
            if (!ip[0])
                show(p, spec, "::", got);
            return 0;
        }
        if (host_port >= last || err->sys != EADDRINUSE)
            return fail_taken(p->c, ip, first, err);
    }
}

static void parse_range(const char *text, unsigned *first, unsigned *last)
{
    struct skl_str to, from = skl_str_cut(skl_str(text), '-', &to);
    uint64_t v;

    /* Checked when the container was created. */
    *first = skl_str_u64(from, &v) ? (unsigned)v : 0;
    *last = to.p && skl_str_u64(to, &v) ? (unsigned)v : *first;
}

/* The port of "80/tcp"; 0 for what cannot be carried. */
static unsigned tcp_port(const char *spec)
{
    struct skl_str proto, number = skl_str_cut(skl_str(spec), '/', &proto);
    uint64_t v;

    if ((proto.p && !skl_str_ieqz(proto, "tcp")) || !skl_str_u64(number, &v) || v > UINT16_MAX)
        return 0;
    return (unsigned)v;
}

static int publish_bindings(struct skl_ports *p, const cJSON *bindings, struct skl_error *err)
{
    const cJSON *port, *binding;
    int rc = 0;

    cJSON_ArrayForEach(port, bindings)
    {
        unsigned number = tcp_port(port->string);

        cJSON_ArrayForEach(binding, port)
        {
            const char *ip = skl_json_get_str(binding, "HostIp");
            unsigned first, last;

            parse_range(skl_json_get_str(binding, "HostPort"), &first, &last);
            if (rc == 0 && number > 0)
                rc = publish(p, port->string, number, ip ? ip : "", first, last, err);
        }
    }
    return rc;
}

/* -P: what is exposed and has no binding of its own. */
static int publish_exposed(struct skl_ports *p, const cJSON *exposed, const cJSON *bindings,
                           struct skl_error *err)
{
    const cJSON *port;
    int rc = 0;

    cJSON_ArrayForEach(port, exposed)
    {
        unsigned number = tcp_port(port->string);

        if (rc == 0 && number > 0 && !cJSON_GetObjectItemCaseSensitive(bindings, port->string))
            rc = publish(p, port->string, number, "", 0, 0, err);
    }
    return rc;
}

static struct skl_ports *ports_new(struct skl_engine *e, struct skl_container *c)
{
    struct skl_ports *p = skl_new0(struct skl_ports);

    p->e = e;
    p->c = c;
    skl_list_init(&p->published);
    return p;
}

static int publish_all(struct skl_ports *p, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *host = NULL;
    SKL_AUTO_JSON cJSON *config = NULL;
    SKL_AUTO_STR char *text = NULL;
    const cJSON *bindings;
    int rc;

    if (skl_json_parse(skl_str(p->c->spec.host_config_json), &host, NULL) < 0 ||
        skl_json_parse(skl_str(p->c->spec.config_json), &config, NULL) < 0)
        return 0; /* nothing to read a port from */
    bindings = skl_json_get(host, "PortBindings");
    rc = publish_bindings(p, bindings, err);
    if (rc == 0 && skl_json_get_bool(host, "PublishAllPorts", false))
        rc = publish_exposed(p, skl_json_get(config, "ExposedPorts"), bindings, err);
    if (rc < 0 || skl_list_empty(&p->published))
        return rc;
    text = skl_render_text(p->shown);
    return skl_container_set_published(p->e->store, p->c, text, err);
}

/* So that START can name them: what is published twice is there twice. */
static void announce(const struct skl_ports *p)
{
    struct skl_list *it;
    uint16_t *ports;
    size_t n = 0;

    skl_list_foreach (it, &p->published)
        n++;
    ports = skl_new0_n(uint16_t, n + 1);
    n = 0;
    skl_list_foreach (it, &p->published)
        ports[n++] = (uint16_t)SKL_LIST_ENTRY(it, struct published, in_ports)->port;
    skl_workload_set_ports(skl_workload_of(p->e->runtime, p->c), ports, n);
    free(ports);
}

int skl_ports_open(struct skl_engine *e, struct skl_container *c, struct skl_ports **ret,
                   struct skl_error *err)
{
    struct skl_ports *p = ports_new(e, c);
    int rc;

    p->shown = cJSON_CreateObject();
    rc = publish_all(p, err);
    cJSON_Delete(p->shown);
    p->shown = NULL;
    announce(p);
    if (rc < 0 || skl_list_empty(&p->published))
        skl_ports_close(p);
    else
        *ret = p;
    return rc;
}

void skl_ports_reopen(struct skl_engine *e, struct skl_container *c, struct skl_ports **ret)
{
    SKL_AUTO_JSON cJSON *shown = NULL;
    struct skl_ports *p = ports_new(e, c);
    const cJSON *port, *binding;
    struct skl_error err;

    if (skl_json_parse(skl_str(c->published_json), &shown, NULL) < 0)
        shown = NULL;
    cJSON_ArrayForEach(port, shown)
    {
        bool all = false;

        cJSON_ArrayForEach(binding, port)
        {
            const char *ip = skl_json_get_str(binding, "HostIp");
            unsigned first, last;
            int got;

            parse_range(skl_json_get_str(binding, "HostPort"), &first, &last);
            /* "0.0.0.0" and "::" of one port are one listener. */
            if (all && skl_streq(ip, "::"))
                continue;
            all = skl_streq(ip, "0.0.0.0") &&
                  skl_streq(skl_json_get_str(binding->next, "HostIp"), "::");
            if (listen_at(p, all || !ip ? "" : ip, (int)first, tcp_port(port->string), &got, &err) <
                0)
                skl_warn("ports", "a published port could not be taken again", "container", c->id,
                         "error", err.msg, NULL);
        }
    }
    *ret = p;
}

void skl_ports_close(struct skl_ports *p)
{
    struct skl_list *it, *tmp;

    if (!p)
        return;
    skl_list_foreach_safe (it, tmp, &p->published) {
        struct published *x = SKL_LIST_ENTRY(it, struct published, in_ports);

        skl_listener_close(x->listener);
        free(x);
    }
    free(p);
}
