/* GET /containers/{id}/json */
#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/api/render.h"
#include "docker/api/routes.h"
#include "docker/containers/container_render.h"
#include "docker/containers/ports.h"

#define BRIDGE "bridge"

void skl_render_mounts(struct skl_json *j, const struct skl_container *c)
{
    skl_json_array(j, "Mounts");
    for (size_t i = 0; i < c->spec.n_mounts; i++) {
        const struct skl_mount *m = &c->spec.mounts[i];

        skl_json_object(j, NULL);
        skl_json_str(j, "Type", m->type);
        if (m->name)
            skl_json_str(j, "Name", m->name);
        skl_json_str(j, "Source", m->source);
        skl_json_str(j, "Destination", m->destination);
        if (m->name)
            skl_json_str(j, "Driver", "local");
        skl_json_str(j, "Mode", m->mode);
        skl_json_bool(j, "RW", m->rw);
        skl_json_str(j, "Propagation", m->propagation);
        skl_json_end_object(j);
    }
    skl_json_end_array(j);
}

static void render_health(struct skl_json *j, const struct skl_container *c)
{
    static const char *const names[] = {"none", "starting", "healthy", "unhealthy"};

    if (c->health == SKL_HEALTH_NONE)
        return;
    skl_json_object(j, "Health");
    skl_json_str(j, "Status", names[c->health]);
    skl_json_int(j, "FailingStreak", c->health_streak);
    skl_json_raw(j, "Log", c->health_log_json ? c->health_log_json : "[]");
    skl_json_end_object(j);
}

static void render_state(struct skl_json *j, const struct skl_container *c)
{
    skl_json_object(j, "State");
    skl_json_str(j, "Status", skl_container_state_name(skl_container_shown_state(c)));
    skl_json_bool(j, "Running", skl_container_is_running(c));
    skl_json_bool(j, "Paused", c->state == SKL_CONTAINER_PAUSED);
    skl_json_bool(j, "Restarting", c->state == SKL_CONTAINER_RESTARTING);
    skl_json_bool(j, "OOMKilled", c->oom_killed);
    skl_json_bool(j, "Dead", c->state == SKL_CONTAINER_DEAD);
    skl_json_int(j, "Pid", c->pid);
    skl_json_int(j, "ExitCode", c->exit_code);
    skl_json_str(j, "Error", c->error);
    skl_json_time(j, "StartedAt", c->started_ns);
    skl_json_time(j, "FinishedAt", c->finished_ns);
    render_health(j, c);
    skl_json_end_object(j);
}

/* The default bridge's endpoint once more at the top: clients from before 1.21 look there. */
static void render_bridge(struct skl_json *j, struct skl_store *s, const struct skl_container *c)
{
    const struct skl_endpoint *found = NULL;
    const struct skl_network *n = NULL;

    for (size_t i = 0; i < c->n_endpoints && !found; i++) {
        n = skl_render_network_of(s, &c->endpoints[i]);
        if (n && n->predefined && skl_streq(n->name, BRIDGE) && c->endpoints[i].ip &&
            c->endpoints[i].ip[0])
            found = &c->endpoints[i];
    }
    skl_json_str(j, "EndpointID", found ? found->endpoint_id : "");
    skl_json_str(j, "Gateway", found ? n->gateway : "");
    skl_json_str(j, "GlobalIPv6Address", "");
    skl_json_int(j, "GlobalIPv6PrefixLen", 0);
    skl_json_str(j, "IPAddress", found ? found->ip : "");
    skl_json_int(j, "IPPrefixLen", found ? skl_render_prefix_len(n->subnet) : 0);
    skl_json_str(j, "IPv6Gateway", "");
    skl_json_str(j, "MacAddress", found ? found->mac : "");
}

static void render_network_settings(struct skl_json *j, struct skl_store *s,
                                    const struct skl_container *c, int version)
{
    skl_json_object(j, "NetworkSettings");
    skl_json_str(j, "Bridge", "");
    skl_json_str(j, "SandboxID", "");
    skl_json_str(j, "SandboxKey", "");
    skl_render_ports(j, c);
    skl_json_bool(j, "HairpinMode", false);
    skl_json_str(j, "LinkLocalIPv6Address", "");
    skl_json_int(j, "LinkLocalIPv6PrefixLen", 0);
    skl_json_null(j, "SecondaryIPAddresses");
    skl_json_null(j, "SecondaryIPv6Addresses");
    render_bridge(j, s, c);
    skl_render_endpoints(j, s, c, version);
    skl_json_end_object(j);
}

static void render_head(struct skl_json *j, struct skl_store *s, const struct skl_container *c)
{
    char *const *argv = c->spec.argv;
    static char *const none[] = {NULL};

    skl_json_str(j, "Id", c->id);
    skl_json_time(j, "Created", c->created_ns);
    skl_json_str(j, "Path", argv && argv[0] ? argv[0] : "");
    skl_json_strv(j, "Args", argv && argv[0] ? argv + 1 : none);
    render_state(j, c);
    skl_json_str(j, "Image", c->spec.image_id);
    skl_json_str(j, "ResolvConfPath", "");
    skl_json_str(j, "HostnamePath", "");
    skl_json_str(j, "HostsPath", "");
    skl_json_str(j, "LogPath", "");
    skl_json_strf(j, "Name", "/%s", c->name);
    skl_json_int(j, "RestartCount", c->restart_count);
}

static void render_execs(struct skl_json *j, struct skl_store *s, const struct skl_container *c)
{
    char **ids = skl_exec_running_ids(s, c->id);

    /* The end of an exec may be told after the end of its container, which it cannot outlive. */
    skl_json_strv(j, "ExecIDs", skl_container_is_running(c) && ids && ids[0] ? ids : NULL);
    skl_strv_free(ids);
}

void skl_route_container_inspect(struct skl_request *r)
{
    struct skl_container *c = skl_request_container(r);
    struct skl_store *s = r->engine->store;
    struct skl_backend_info info = {0};
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_image *image;
    struct skl_json j;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    if (!c)
        return;
    r->engine->backend->info(r->engine->backend_ctx, &info);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    render_head(&j, s, c);
    skl_json_str(&j, "Driver", info.driver);
    skl_json_str(&j, "Platform", c->spec.platform ? c->spec.platform : "linux");
    skl_json_str(&j, "MountLabel", "");
    skl_json_str(&j, "ProcessLabel", "");
    skl_json_str(&j, "AppArmorProfile", "");
    render_execs(&j, s, c);
    skl_json_raw(&j, "HostConfig", c->spec.host_config_json);
    skl_json_object(&j, "GraphDriver");
    skl_json_null(&j, "Data");
    skl_json_str(&j, "Name", info.driver);
    skl_json_end_object(&j);
    if (skl_request_query_bool(r, "size", false)) {
        image = skl_image_find(s, c->spec.image_id);
        skl_json_int(&j, "SizeRw", 0);
        skl_json_int(&j, "SizeRootFs", image ? image->size : 0);
    }
    skl_render_mounts(&j, c);
    skl_json_raw(&j, "Config", c->spec.config_json);
    render_network_settings(&j, s, c, r->version);
    skl_json_end_object(&j);
    skl_labels_fini(&info.status);
    skl_request_json(r, 200, &b);
}
