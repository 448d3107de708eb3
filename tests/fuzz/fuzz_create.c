/* A create body: Config and HostConfig are taken apart, merged with an image's config, and what inspect would show
 * is JSON that parses again. */
#include <stdint.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "docker/api/go_json.h"
#include "docker/api/render.h"
#include "docker/containers/create_internal.h"

static bool has_agent(void *ctx, const struct skl_container_spec *spec, const char **why_not)
{
    *why_not = "nobody is there";
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_text(const cJSON *item)
{
    SKL_AUTO_STR char *text = skl_render_text(item);
    SKL_AUTO_JSON cJSON *again = NULL;

    SKL_ASSERT(skl_json_parse(skl_str(text), &again, NULL) == 0);
}

/* Other containers are the store's matter. */
static bool without_others(struct skl_create *x)
{
    skl_fields_set(x->host, "VolumesFrom", NULL);
    skl_fields_set(x->host, "PidMode", NULL);
    skl_fields_set(x->host, "IpcMode", NULL);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct skl_backend backend = {
        .name = "fuzz", .title = "Fuzz", .has_agent = has_agent};
    struct skl_engine engine = {.backend = &backend};
    char config[] = "{\"config\":{\"Env\":[\"A=1\"],\"Cmd\":[\"sh\"],\"Labels\":{\"a\":\"b\"},"
                    "\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Retries\":3},"
                    "\"Volumes\":{\"/v\":{}},\"ExposedPorts\":{\"1/tcp\":{}}}}";
    struct skl_image image = {.config_json = config};
    struct skl_create x = {.engine = &engine, .version = 144, .image = &image};
    SKL_AUTO_JSON cJSON *body = NULL;
    struct skl_error err;

    size_t first;

    /* As the router does: what is scanned and fits is what the rest may rely on. */
    if (skl_go_json_scan(skl_str_n((const char *)data, n), &first, NULL) < 0 ||
        skl_go_json_fits(skl_str_n((const char *)data, n), "runconfig.ContainerConfigWrapper",
                         NULL) < 0 ||
        skl_json_parse(skl_str_n((const char *)data, n), &body, NULL) < 0 || !cJSON_IsObject(body))
        return 0;
    x.body = body;
    x.c = skl_container_new();
    skl_buf_init(&x.warnings, 65536);
    if (skl_fields_take(skl_config_fields, skl_config_fields_count, "Config", body, &x.config,
                        &err) == 0 &&
        skl_fields_take(skl_host_config_fields, skl_host_config_fields_count, "HostConfig",
                        skl_json_get(body, "HostConfig"), &x.host, &err) == 0 &&
        skl_create_check_config(&x, &err) == 0 && without_others(&x) &&
        skl_create_check_host(&x, &err) == 0 && skl_create_merge_image(&x, &err) == 0 &&
        skl_create_take_host(&x, &err) == 0 && skl_create_check_limits(&x, &err) == 0) {
        (void)skl_create_take_mounts(&x, &err);
        check_text(x.config);
        check_text(x.host);
    }
    skl_strv_free(x.planned_volumes);
    skl_container_free(x.c);
    cJSON_Delete(x.config);
    cJSON_Delete(x.host);
    skl_buf_fini(&x.warnings);
    return 0;
}
