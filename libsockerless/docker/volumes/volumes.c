/* Volumes as records; what keeps their content is the backend's matter. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/api/filters.h"
#include "docker/api/render.h"
#include "docker/api/routes.h"
#include "docker/containers/create_internal.h"

void skl_render_volume(struct skl_json *j, const struct skl_volume *v, int64_t users,
                       int64_t content_bytes)
{
    skl_json_object(j, NULL);
    /* Whole seconds, as an Engine has it; Ryuk reads it. */
    skl_json_time(j, "CreatedAt", v->created_ns - v->created_ns % SKL_NS_PER_S);
    skl_json_str(j, "Driver", v->driver);
    if (skl_labels_count(&v->labels))
        skl_render_labels(j, "Labels", &v->labels);
    else
        skl_json_null(j, "Labels");
    skl_json_strf(j, "Mountpoint", "/var/lib/docker/volumes/%s/_data", v->name);
    skl_json_str(j, "Name", v->name);
    skl_json_raw(j, "Options", v->options_json);
    skl_json_str(j, "Scope", "local");
    if (users >= 0) {
        skl_json_object(j, "UsageData");
        skl_json_int(j, "RefCount", users);
        skl_json_int(j, "Size", content_bytes);
        skl_json_end_object(j);
    }
    skl_json_end_object(j);
}

static int check_filters(const struct skl_filters *f, bool *dangling, struct skl_error *err)
{
    static const char *const keys[] = {"dangling", "driver", "label", "name", NULL};
    int rc = skl_filters_accept(f, keys, err);

    return rc < 0 ? rc : skl_filters_bool(f, "dangling", dangling, err);
}

void skl_route_volume_list(struct skl_request *r)
{
    SKL_AUTO_STR char *text = skl_request_query(r, "filters");
    SKL_AUTO_FILTERS struct skl_filters f = {0};
    struct skl_store *s = r->engine->store;
    SKL_AUTO_BUF struct skl_buf b = {0};
    bool dangling = false;
    struct skl_list *it;
    struct skl_error err;
    struct skl_json j;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    if (skl_filters_parse(text, &f, &err) < 0 || check_filters(&f, &dangling, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_array(&j, "Volumes");
    skl_list_foreach (it, skl_volume_all(s)) {
        const struct skl_volume *v = SKL_LIST_ENTRY(it, struct skl_volume, in_store);

        if (skl_filters_has(&f, "dangling") && dangling == (skl_volume_users(s, v) > 0))
            continue;
        if (skl_filters_exact(&f, "driver", v->driver) &&
            skl_filters_labels(&f, "label", &v->labels) && skl_filters_name(&f, "name", v->name))
            skl_render_volume(&j, v, -1, 0);
    }
    skl_json_end_array(&j);
    skl_json_null(&j, "Warnings");
    skl_json_end_object(&j);
    skl_request_json(r, 200, &b);
}

static void answer_volume(struct skl_request *r, int status, const struct skl_volume *v)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    skl_json_init(&j, &b);
    skl_render_volume(&j, v, -1, 0);
    skl_request_json(r, status, &b);
}

void skl_route_volume_inspect(struct skl_request *r)
{
    const struct skl_volume *v = skl_volume_find(r->engine->store, r->param);

    if (v)
        answer_volume(r, 200, v);
    else
        skl_request_fail(r, SKL_E_NOTFOUND, "get %s: no such volume", r->param);
}

/* "10m", "1GB", "5.5k": what units.RAMInBytes reads. */
static bool is_size(const char *text)
{
    static const char units[] = "kKmMgGtTpP";
    char *end;
    double value = strtod(text, &end);

    if (end == text || !isfinite(value) || value < 0 || !isdigit((unsigned char)text[0]))
        return false;
    if (*end == ' ')
        end++;
    if (*end && strchr(units, *end))
        end++;
    if (*end == 'i')
        end++;
    if (*end == 'b' || *end == 'B')
        end++;
    return *end == '\0';
}

/* A device needs a type and the other way round; options need both; a size needs a quota, which nobody has here. */
static int check_mount(const char *name, const cJSON *options, struct skl_error *err)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(options, "type");
    const cJSON *device = cJSON_GetObjectItemCaseSensitive(options, "device");
    const cJSON *o = cJSON_GetObjectItemCaseSensitive(options, "o");
    const char *size = skl_json_get_str(options, "size");

    if ((type || o) && !device)
        return skl_fail(err, SKL_E_INVALID, "create %.100s: missing required option: \"device\"",
                        name);
    if ((device || o) && !type)
        return skl_fail(err, SKL_E_INVALID, "create %.100s: missing required option: \"type\"",
                        name);
    if (size && !is_size(size))
        return skl_fail(err, SKL_E_INTERNAL, "create %.100s: invalid size: '%.60s'", name, size);
    if (size && strtod(size, NULL) > 0)
        return skl_fail(err, SKL_E_INVALID,
                        "create %.100s: quota size requested but no quota support", name);
    return 0;
}

/* The local driver takes the options of a mount and of a quota. */
static int check_options(const char *name, const cJSON *options, struct skl_error *err)
{
    static const char *const known[] = {"type", "o", "device", "size"};
    const cJSON *option;

    cJSON_ArrayForEach(option, options)
    {
        size_t i = 0;

        while (i < SKL_ARRAY_LEN(known) && !skl_streq(option->string, known[i]))
            i++;
        if (i == SKL_ARRAY_LEN(known))
            return skl_fail(err, SKL_E_INVALID, "create %.100s: invalid option: \"%.100s\"", name,
                            option->string);
    }
    return check_mount(name, options, err);
}

void skl_route_volume_create(struct skl_request *r)
{
    const char *name = skl_json_get_str(r->body, "Name");
    const char *driver = skl_json_get_str(r->body, "Driver");
    const cJSON *options = skl_json_get(r->body, "DriverOpts"), *label;
    struct skl_volume *v;
    struct skl_error err;
    char random[65];

    skl_random_hex(random, SKL_ID_LEN);
    if (!skl_str_empty(driver) && !skl_streq(driver, "local")) {
        skl_request_fail(r, SKL_E_NOTFOUND,
                         "create %.100s: error looking up volume plugin %.100s: plugin \"%.100s\" "
                         "not found",
                         name ? name : random, driver, driver);
        return;
    }
    if (!skl_str_empty(name) && skl_volume_name_check(name, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    if (cJSON_IsObject(options) &&
        check_options(skl_str_empty(name) ? random : name, options, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    v = skl_volume_new();
    v->name = skl_strdup(skl_str_empty(name) ? random : name);
    v->driver = skl_strdup("local");
    v->anonymous = skl_str_empty(name);
    if (cJSON_IsObject(options))
        v->options_json = skl_render_text(options);
    cJSON_ArrayForEach(label, skl_json_get(r->body, "Labels")) if (cJSON_IsString(label))
        skl_labels_set(&v->labels, label->string, label->valuestring);
    if (skl_volume_add(r->engine->store, v, &v, &err) < 0)
        skl_request_error(r, &err);
    else
        answer_volume(r, 201, v);
}

/* Only cluster volumes can be updated. */
void skl_route_volume_update(struct skl_request *r)
{
    skl_route_no_swarm(r);
}
