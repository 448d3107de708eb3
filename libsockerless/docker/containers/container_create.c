/* POST /containers/create: parse -> check -> merge with the image -> record.
 *
 * All checks come before the first change, and the record is written once, with its endpoints. An image whose config
 * is not known (no registry answered at pull time) is asked for once more when the command depends on it.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/shared_text.h"
#include "docker/api/render.h"
#include "docker/api/routes.h"
#include "docker/containers/container_render.h"
#include "docker/containers/create_internal.h"
#include "docker/images/image_names.h"
#include "docker/images/image_resolve.h"
#include "docker/lifecycle/lifecycle.h"

#define MAX_WARNINGS (64 * SKL_KIB)

static void create_free(struct skl_create *x)
{
    for (size_t i = 0; i < x->n_networks; i++) {
        free(x->networks[i].network_id);
        free(x->networks[i].request_json);
        skl_strv_free(x->networks[i].aliases);
    }
    free(x->networks);
    skl_strv_free(x->new_volumes);
    skl_strv_free(x->planned_volumes);
    cJSON_Delete(x->config);
    cJSON_Delete(x->host);
    skl_container_free(x->c);
    skl_buf_fini(&x->warnings);
}
#define AUTO_CREATE __attribute__((cleanup(create_free)))

/* -- the name */

static int take_name(struct skl_create *x, const char *name, struct skl_error *err)
{
    const char *bare = name && *name == '/' ? name + 1 : name;

    if (skl_str_empty(name)) {
        x->c->name = skl_store_pick_name(x->engine->store);
        return 0;
    }
    if (skl_container_name_check(bare, err) < 0)
        return -SKL_E_INVALID;
    x->c->name = skl_strdup(bare);
    return 0;
}

/* -- the image */

static int check_platform(struct skl_create *x, const char *wanted, struct skl_error *err)
{
    const struct skl_image *i = x->image;
    struct skl_platform p = {0};
    int rc = skl_platform_parse(wanted, &p, err);

    if (rc < 0)
        return rc;
    if ((p.os && !skl_streq(p.os, i->os)) ||
        (p.architecture && !skl_streq(p.architecture, i->architecture)))
        rc = skl_fail(err, SKL_E_NOTFOUND,
                      "image with reference %.200s was found but does not match the specified "
                      "platform: wanted %s, actual: %s/%s",
                      skl_json_get_str(x->config, "Image"), wanted, i->os, i->architecture);
    skl_platform_fini(&p);
    return rc;
}

static void take_image(struct skl_create *x)
{
    struct skl_container_spec *spec = &x->c->spec;

    spec->image = skl_strdup(skl_json_get_str(x->config, "Image"));
    spec->image_id = skl_strdup(x->image->id);
    spec->image_ref = skl_strdup(x->image->pull_ref);
    spec->layers = skl_strv_dup(x->image->layers);
    spec->registry_auth = skl_strdup(x->image->registry_auth);
    spec->platform = skl_strdup(x->image->os);
    if (x->image->synthetic)
        skl_buf_addf(&x->warnings,
                     "The registry was not asked about %.200s: the image's own entrypoint and "
                     "environment are not known.\n",
                     spec->image);
}

/* The registry has to say what runs: nothing may be guessed about a command. */
static bool needs_config(const struct skl_image *i, const cJSON *config)
{
    return i->synthetic && cJSON_GetArraySize(skl_json_get(config, "Entrypoint")) == 0;
}

/* -- the steps */

static int parse(struct skl_create *x, const cJSON *body, struct skl_error *err)
{
    const cJSON *host = skl_json_get(body, "HostConfig");
    int rc;

    if (host && !cJSON_IsObject(host))
        return skl_fail(err, SKL_E_INVALID,
                        "invalid JSON: cannot unmarshal into field HostConfig of type object");
    x->body = body;
    rc = skl_fields_take(skl_config_fields, skl_config_fields_count, "Config", body, &x->config,
                         err);
    if (rc == 0)
        rc = skl_fields_take(skl_host_config_fields, skl_host_config_fields_count, "HostConfig",
                             host, &x->host, err);
    if (rc == 0)
        rc = skl_create_check_config(x, err);
    if (rc == 0)
        rc = skl_create_check_host(x, err);
    return rc;
}

/* Another container that writes to the same volume; NULL: none. */
static const struct skl_container *other_writer(const struct skl_create *x, const char *volume)
{
    struct skl_list *it;

    skl_list_foreach (it, skl_container_all(x->engine->store)) {
        const struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

        for (size_t i = 0; skl_container_is_running(c) && i < c->spec.n_mounts; i++)
            if (c->spec.mounts[i].rw && skl_streq(c->spec.mounts[i].type, "volume") &&
                skl_streq(c->spec.mounts[i].name, volume))
                return c;
    }
    return NULL;
}

/* What a user of an Engine would not expect of volumes (driver/volume_content.h). */
static void warn_volumes(struct skl_create *x)
{
    const struct skl_container_spec *spec = &x->c->spec;

    for (size_t i = 0; i < spec->n_mounts; i++) {
        const struct skl_mount *m = &spec->mounts[i];
        const struct skl_container *other;

        if (!skl_streq(m->type, "volume") || skl_str_empty(m->name) || m->anonymous)
            continue;
        other = other_writer(x, m->name);
        if (!x->engine->backend->has_agent(x->engine->backend_ctx, spec, NULL))
            skl_buf_addf(&x->warnings,
                         "the content of volume %s ends with the container's workload: only an "
                         "agent carries it to the next one\n",
                         m->name);
        else if (other)
            skl_buf_addf(&x->warnings,
                         "volume %s is in use by %s, which runs: neither will see what the other "
                         "writes, and what the later one leaves at its end is kept\n",
                         m->name, other->name);
    }
}

/* Files of a built image are brought by the agent. */
static int check_layers(const struct skl_create *x, struct skl_error *err)
{
    const struct skl_engine *e = x->engine;
    const struct skl_container_spec *spec = &x->c->spec;
    const char *why = NULL;

    if (!spec->layers || !spec->layers[0] || e->backend->has_agent(e->backend_ctx, spec, &why))
        return 0;
    return skl_fail(err, SKL_E_UNSUPPORTED,
                    "%.200s was built here, and nothing can bring its files into the container: %s",
                    spec->image, why ? why : "it has no agent");
}

static int fill(struct skl_create *x, const char *platform, struct skl_error *err)
{
    int rc = check_platform(x, platform, err);

    if (rc < 0)
        return rc;
    if (!x->image->pull_ref)
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "%.200s was built FROM scratch or imported: no registry has an image that "
                        "%s could start "
                        "its container from",
                        skl_json_get_str(x->config, "Image"), x->engine->backend->title);
    take_image(x);
    rc = skl_create_merge_image(x, err);
    if (rc == 0)
        rc = skl_create_take_host(x, err);
    if (rc == 0)
        rc = skl_create_check_limits(x, err);
    if (rc == 0)
        rc = skl_create_take_mounts(x, err);
    if (rc == 0)
        rc = skl_create_take_networks(x, err);
    if (rc == 0 && x->engine->backend->check)
        rc = x->engine->backend->check(x->engine->backend_ctx, &x->c->spec, &x->warnings, err);
    if (rc == 0)
        warn_volumes(x);
    return rc < 0 ? rc : check_layers(x, err);
}

/* x->c belongs to the store afterwards, or is gone. */
static int add(struct skl_create *x, struct skl_container **ret, struct skl_error *err)
{
    struct skl_container *c = x->c;
    int rc = skl_create_make_volumes(x, err);

    if (rc < 0) {
        skl_create_undo_volumes(x);
        return rc;
    }
    skl_create_connect(x);
    c->spec.config_json = skl_render_text(x->config);
    c->spec.host_config_json = skl_text_share(skl_render_text(x->host));
    x->c = NULL;
    rc = skl_container_add(x->engine->store, c, err);
    if (rc < 0) {
        skl_create_undo_volumes(x);
        return rc;
    }
    *ret = c;
    return 0;
}

static char **warning_lines(const struct skl_buf *b)
{
    struct skl_str rest = skl_buf_str(b);
    char **v = NULL;

    while (rest.n > 0) {
        SKL_AUTO_STR char *line = skl_str_dup(skl_str_cut(rest, '\n', &rest));

        if (*line)
            skl_strv_push(&v, line);
    }
    return v;
}

struct creation {
    struct skl_request *r;
    char id[65];
    char **warnings;
};

static void creation_free(struct creation *k)
{
    skl_request_unref(k->r);
    skl_strv_free(k->warnings);
    free(k);
}

static void created(void *arg, const struct skl_error *err)
{
    struct creation *k = arg;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, MAX_WARNINGS * 8);
    if (err) {
        skl_request_error(k->r, err);
        creation_free(k);
        return;
    }
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "Id", k->id);
    skl_json_array(&j, "Warnings");
    for (char **p = k->warnings; p && *p; p++)
        skl_json_str(&j, NULL, *p);
    skl_json_end_array(&j);
    skl_json_end_object(&j);
    skl_request_json(k->r, 201, &b);
    creation_free(k);
}

/* own_k's request is referenced. */
static void create_from(struct creation *own_k, const struct skl_image *image)
{
    struct skl_request *r = own_k->r;
    AUTO_CREATE struct skl_create x = {.engine = r->engine, .version = r->version, .image = image};
    SKL_AUTO_STR char *name = skl_request_query(r, "name");
    SKL_AUTO_STR char *platform = skl_request_query(r, "platform");
    struct skl_container *c = NULL;
    struct skl_error err;
    int rc;

    skl_buf_init(&x.warnings, MAX_WARNINGS);
    x.c = skl_container_new();
    rc = parse(&x, r->body, &err);
    if (rc == 0)
        rc = fill(&x, platform, &err);
    if (rc == 0)
        rc = take_name(&x, name, &err);
    if (rc == 0)
        rc = skl_create_take_links(&x, &err);
    if (rc == 0)
        rc = add(&x, &c, &err);
    if (rc < 0) {
        skl_request_error(r, &err);
        creation_free(own_k);
        return;
    }
    SKL_ASSERT(c); /* add() gave it */
    own_k->warnings = warning_lines(&x.warnings);
    snprintf(own_k->id, sizeof(own_k->id), "%s", c->id);
    skl_lifecycle_create(r->engine, c, created, own_k);
}

static void resolved(void *arg, const struct skl_resolved *found, const struct skl_error *err)
{
    struct creation *k = arg;
    struct skl_image *i;
    struct skl_error gone;

    if (skl_request_gone(k->r)) { /* nobody waits, nothing was made */
        creation_free(k);
        return;
    }
    if (found) {
        create_from(k, found->image);
        return;
    }
    if (skl_image_lookup(k->r->engine->store, skl_json_get_str(k->r->body, "Image"), &i, &gone) <
        0) {
        skl_request_error(k->r, &gone);
        creation_free(k);
        return;
    }
    if (cJSON_GetArraySize(skl_json_get(k->r->body, "Cmd")) == 0) {
        skl_request_fail(k->r, SKL_E_INVALID,
                         "no command specified, and the image's own is not known: %s", err->msg);
        creation_free(k);
        return;
    }
    create_from(k, i);
}

static void ask_again(struct creation *own_k, const struct skl_image *i)
{
    SKL_AUTO_REFERENCE struct skl_reference ref = {0};
    struct skl_platform platform = {i->os, i->architecture, i->variant};
    struct skl_error err;

    if (skl_reference_parse(i->pull_ref, &ref, &err) < 0) {
        skl_request_error(own_k->r, &err);
        creation_free(own_k);
        return;
    }
    skl_reference_default_tag(&ref);
    skl_image_resolve(own_k->r->engine, &ref, &platform, i->registry_auth, true, resolved, own_k);
}

void skl_route_container_create(struct skl_request *r)
{
    AUTO_CREATE struct skl_create first = {.engine = r->engine};
    SKL_AUTO_STR char *name = skl_request_query(r, "name");
    const char *image_name;
    struct skl_image *image;
    struct skl_error err;
    struct creation *k;
    int rc;

    skl_buf_init(&first.warnings, MAX_WARNINGS);
    first.c = skl_container_new();
    rc = parse(&first, r->body, &err);
    if (rc == 0)
        rc = take_name(&first, name, &err);
    image_name = skl_json_get_str(first.config, "Image");
    if (rc == 0 && skl_str_empty(image_name))
        rc = skl_fail(&err, SKL_E_INVALID, "no image specified");
    if (rc == 0)
        rc = skl_image_lookup(r->engine->store, image_name, &image, &err);
    if (rc < 0) {
        skl_request_error(r, &err);
        return;
    }
    k = skl_new0(struct creation);
    k->r = skl_request_ref(r);
    if (needs_config(image, first.config))
        ask_again(k, image);
    else
        create_from(k, image);
}
