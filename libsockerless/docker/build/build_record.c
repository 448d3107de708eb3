/* The end of a build: layers are kept, the image is recorded and tagged. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/api/render.h"
#include "docker/build/build_job.h"
#include "docker/images/image_events.h"
#include "docker/images/layers.h"

static void take_labels(struct skl_image *i, const cJSON *config)
{
    const cJSON *label;

    cJSON_ArrayForEach(label, skl_json_get(config, "Labels")) if (cJSON_IsString(label))
        skl_labels_set(&i->labels, label->string, label->valuestring);
}

/* What the cloud is told to pull is the base image; the layers are delivered on top of it. */
static void take_base(const struct skl_build_job *j, struct skl_image *i, const char *base_id)
{
    i->parent = skl_strdup(base_id);
    for (char **p = j->bases; base_id && p && *p; p += 3)
        if (skl_streq(*p, base_id)) {
            i->pull_ref = *p[1] ? skl_strdup(p[1]) : NULL;
            i->registry_auth = *p[2] ? skl_strdup(p[2]) : NULL;
            return;
        }
}

static struct skl_image *make_image(struct skl_build_job *j, const struct skl_build_result *r)
{
    struct skl_image *i = skl_image_new();
    SKL_AUTO_JSON cJSON *json = NULL;

    snprintf(i->id, sizeof(i->id), "%s", r->id);
    i->config_json = skl_strdup(r->config_json);
    i->refs = skl_strv_dup(j->tags);
    i->layers = skl_strv_dup(r->layers);
    i->build_keys = skl_strv_dup(r->keys);
    i->size = r->size;
    i->created_ns = r->created_ns;
    take_base(j, i, r->base_id);
    if (skl_json_parse(skl_str(i->config_json), &json, NULL) == 0) {
        const char *os = skl_json_get_str(json, "os");
        const char *architecture = skl_json_get_str(json, "architecture");

        i->os = skl_strdup(os ? os : "linux");
        i->architecture = skl_strdup(architecture ? architecture : skl_render_go_arch());
        i->variant = skl_strdup(skl_json_get_str(json, "variant"));
        take_labels(i, skl_json_get(json, "config"));
    }
    return i;
}

/* A Dockerfile of FROM alone gives its image another name. */
static int tag_existing(struct skl_build_job *j, const struct skl_build_result *r,
                        struct skl_image **ret, struct skl_error *err)
{
    int rc = 0;

    *ret = skl_image_find(j->e->store, r->id);
    if (!*ret)
        return skl_fail(err, SKL_E_NOTFOUND, "No such image: %s", r->id);
    for (char **p = j->tags; rc == 0 && p && *p; p++)
        rc = skl_image_tag(j->e->store, *ret, *p, err);
    return rc;
}

static void say_result(struct skl_build_job *j, const struct skl_build_result *r)
{
    char line[700];

    if (j->quiet) {
        skl_buf_reset(&j->out);
        snprintf(line, sizeof(line), "%s\n", r->id);
        skl_build_job_line(j, line);
        return;
    }
    snprintf(line, sizeof(line), "Successfully built %.12s\n", r->id + strlen("sha256:"));
    skl_build_job_line(j, line);
    for (char **p = j->tags; p && *p; p++) {
        snprintf(line, sizeof(line), "Successfully tagged %s\n", *p);
        skl_build_job_line(j, line);
    }
}

int skl_build_job_record(struct skl_build_job *j, struct skl_error *err)
{
    struct skl_build_result r;
    struct skl_image *i;
    int rc;

    skl_build_finish(j->build, &r);
    if (r.keys && r.keys[0]) {
        rc = skl_layers_take(j->e, j->dir, r.layers, err);
        if (rc == 0)
            rc = skl_image_add(j->e->store, make_image(j, &r), &i, err);
    } else {
        rc = tag_existing(j, &r, &i, err);
    }
    if (rc < 0)
        return rc;
    for (char **p = j->tags; p && *p; p++)
        skl_image_event(j->e, i, "tag", *p);
    skl_render_forget_lists(j->e->store);
    say_result(j, &r);
    return 0;
}
