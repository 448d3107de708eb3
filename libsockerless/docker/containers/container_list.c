/* GET /containers/json.
 *
 * A list of a thousand entries is asked for many times a second by some clients, and most of an entry never changes.
 * That part is rendered once and kept with the container (list_cache): its members, a newline (JSON text has
 * none), the array of exposed ports. What moves is written around it.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/api/render.h"
#include "docker/api/routes.h"
#include "docker/containers/container_filter.h"
#include "docker/containers/container_render.h"
#include "docker/containers/ports.h"
#include "docker/images/image_names.h"

static void render_command(struct skl_json *j, const struct skl_container *c)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    char *const *argv = c->spec.argv;

    skl_buf_init(&b, SKL_MAX_JSON_BODY * 2);
    for (char *const *p = argv; p && *p; p++) {
        bool quote = p != argv && strchr(*p, ' ');

        skl_buf_addf(&b, quote ? "%s'%s'" : "%s%s", p == argv ? "" : " ", *p);
    }
    skl_json_strn(j, "Command", skl_buf_str(&b));
}

static void render_image(struct skl_json *j, struct skl_store *s, const struct skl_container *c)
{
    struct skl_image *i;
    bool same =
        skl_image_lookup(s, c->spec.image, &i, NULL) == 0 && skl_streq(i->id, c->spec.image_id);

    skl_json_str(j, "Image", same ? c->spec.image : c->spec.image_id);
    skl_json_str(j, "ImageID", c->spec.image_id);
}

static void render_fixed(struct skl_json *j, struct skl_store *s, const struct skl_container *c)
{
    SKL_AUTO_JSON cJSON *host = NULL;

    if (skl_json_parse(skl_str(c->spec.host_config_json), &host, NULL) < 0)
        host = NULL;
    skl_json_str(j, "Id", c->id);
    skl_json_array(j, "Names");
    skl_json_strf(j, NULL, "/%s", c->name);
    skl_json_end_array(j);
    render_image(j, s, c);
    render_command(j, c);
    skl_json_int(j, "Created", c->created_ns / SKL_NS_PER_S);
    skl_render_labels(j, "Labels", &c->spec.labels);
    skl_json_object(j, "HostConfig");
    skl_json_str(j, "NetworkMode", skl_json_get_str(host, "NetworkMode"));
    if (skl_json_get(host, "Annotations"))
        skl_render_item(j, "Annotations", skl_json_get(host, "Annotations"));
    skl_json_end_object(j);
    skl_render_mounts(j, c);
}

static const char *fixed_part(struct skl_store *s, struct skl_container *c)
{
    struct skl_buf b;
    struct skl_json j;

    if (c->list_cache)
        return c->list_cache;
    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    skl_json_init(&j, &b);
    render_fixed(&j, s, c);
    skl_buf_addc(&b, '\n');
    skl_json_init(&j, &b);
    skl_render_port_list(&j, c);
    c->list_cache = skl_buf_detach(&b);
    return c->list_cache;
}

static void render_size(struct skl_json *j, struct skl_store *s, const struct skl_container *c)
{
    struct skl_image *i = skl_image_find(s, c->spec.image_id);

    skl_json_int(j, "SizeRw", 0);
    skl_json_int(j, "SizeRootFs", i ? i->size : 0);
}

void skl_render_container_entry(struct skl_json *j, struct skl_store *s, struct skl_container *c,
                                bool size, int version, int64_t now_ns)
{
    const char *fixed = fixed_part(s, c), *ports = strchr(fixed, '\n') + 1;
    SKL_AUTO_BUF struct skl_buf status = {0};

    skl_buf_init(&status, 128);
    skl_render_status(&status, c, now_ns);
    skl_json_object(j, NULL);
    skl_buf_add(j->b, fixed, (size_t)(ports - fixed) - 1);
    j->need_comma = true;
    if (c->published_json && skl_container_is_running(c))
        skl_render_port_list(j, c);
    else
        skl_json_raw(j, "Ports", skl_container_is_running(c) ? ports : "[]");
    skl_json_str(j, "State", skl_container_state_name(skl_container_shown_state(c)));
    skl_json_strn(j, "Status", skl_buf_str(&status));
    if (size)
        render_size(j, s, c);
    skl_json_object(j, "NetworkSettings");
    skl_render_endpoints(j, s, c, version);
    skl_json_end_object(j);
    skl_json_end_object(j);
}

void skl_route_container_list(struct skl_request *r)
{
    struct skl_store *s = r->engine->store;
    SKL_AUTO_STR char *filters = skl_request_query(r, "filters");
    int64_t limit = skl_request_query_int(r, "limit", 0), now_ns = skl_wall_ns(), n = 0;
    bool size = skl_request_query_bool(r, "size", false);
    bool all = skl_request_query_bool(r, "all", false) || limit > 0;
    struct skl_container_filter f;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_error err;
    struct skl_json j;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    skl_json_init(&j, &b);
    if (skl_container_filter_init(&f, s, filters, all, &err) < 0) {
        skl_request_error(r, &err);
        skl_container_filter_fini(&f);
        return;
    }
    skl_json_array(&j, NULL);
    for (struct skl_list *it = skl_container_all(s)->prev; it != skl_container_all(s);
         it = it->prev) {
        struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

        if (!skl_container_filter_takes(&f, s, c))
            continue;
        if (limit > 0 && ++n > limit)
            break;
        skl_render_container_entry(&j, s, c, size, r->version, now_ns);
    }
    skl_json_end_array(&j);
    skl_container_filter_fini(&f);
    skl_request_json(r, 200, &b);
}
