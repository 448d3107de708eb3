/* Ports as clients see them: exposed ones, with where they are published. */
#include "base/json_read.h"
#include "docker/api/render.h"
#include "docker/containers/ports.h"

static cJSON *parse(const char *text)
{
    cJSON *json = NULL;

    return text && skl_json_parse(skl_str(text), &json, NULL) == 0 ? json : NULL;
}

void skl_render_ports(struct skl_json *j, const struct skl_container *c)
{
    SKL_AUTO_JSON cJSON *config = parse(c->spec.config_json);
    SKL_AUTO_JSON cJSON *published = parse(c->published_json);
    const cJSON *port;

    skl_json_object(j, "Ports");
    if (skl_container_is_running(c))
        cJSON_ArrayForEach(port, skl_json_get(config, "ExposedPorts"))
        {
            const cJSON *bindings =
                published ? cJSON_GetObjectItemCaseSensitive(published, port->string) : NULL;

            if (bindings)
                skl_render_item(j, port->string, bindings);
            else
                skl_json_null(j, port->string);
        }
    skl_json_end_object(j);
}

static void render_entry(struct skl_json *j, const char *spec, const cJSON *binding)
{
    struct skl_str proto, number = skl_str_cut(skl_str(spec), '/', &proto);
    uint64_t private_port, public_port;

    if (!skl_str_u64(number, &private_port))
        return; /* a range is one key and no port */
    skl_json_object(j, NULL);
    if (binding)
        skl_json_str(j, "IP", skl_json_get_str(binding, "HostIp"));
    skl_json_int(j, "PrivatePort", (int64_t)private_port);
    if (binding && skl_str_u64(skl_str(skl_json_get_str(binding, "HostPort")), &public_port))
        skl_json_int(j, "PublicPort", (int64_t)public_port);
    skl_json_strn(j, "Type", proto.p ? proto : SKL_STR("tcp"));
    skl_json_end_object(j);
}

void skl_render_port_list(struct skl_json *j, const struct skl_container *c)
{
    SKL_AUTO_JSON cJSON *config = parse(c->spec.config_json);
    SKL_AUTO_JSON cJSON *published = parse(c->published_json);
    const cJSON *port, *binding;

    skl_json_array(j, c->published_json ? "Ports" : NULL);
    cJSON_ArrayForEach(port, skl_json_get(config, "ExposedPorts"))
    {
        const cJSON *bindings =
            published ? cJSON_GetObjectItemCaseSensitive(published, port->string) : NULL;

        if (!bindings)
            render_entry(j, port->string, NULL);
        cJSON_ArrayForEach(binding, bindings) render_entry(j, port->string, binding);
    }
    skl_json_end_array(j);
}
