/* Stages: what they begin with, and how each step becomes a part of the image record. */
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "build/build_internal.h"

#define MAX_TEXT     (16u * 1024u * 1024u)
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

void skl_build_stage_fini(struct stage *s)
{
    free(s->name);
    cJSON_Delete(s->image);
    skl_tree_free(s->tree);
    skl_strv_free(s->layers);
    skl_strv_free(s->keys);
    skl_strv_free(s->arg_values);
    free(s->base_id);
    free(s->edit.author);
    skl_buf_fini(&s->edit.comment);
}

void skl_build_say(struct skl_build *b, const char *fmt, ...)
{
    SKL_AUTO_BUF struct skl_buf text = {0};
    va_list ap;

    skl_buf_init(&text, MAX_TEXT);
    va_start(ap, fmt);
    skl_buf_addv(&text, fmt, ap);
    va_end(ap);
    b->s.ops.say(b->s.ops.arg, text.p, NULL);
}

int skl_build_keep_fd(struct skl_build *b, int fd)
{
    b->fds = skl_realloc(b->fds, b->n_fds + 1, sizeof(*b->fds));
    b->fds[b->n_fds++] = fd;
    return fd;
}

char *skl_build_scratch_name(struct skl_build *b)
{
    struct skl_buf path;

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "%s/scratch-%u", b->s.dir, b->scratch_names++);
    return skl_buf_detach(&path);
}

/* -- beginning */

/* A layer that is here: of an image, or made by this build. */
static int open_layer(struct skl_build *b, const char *digest, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    int fd;

    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "%s/%s.layer", b->s.dir, digest);
    fd = open(path.p, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        skl_buf_reset(&path);
        skl_buf_addf(&path, "%s/%s", b->s.layers_dir, digest);
        fd = open(path.p, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0)
        return skl_fail_errno(err, errno, "opening the image layer %.12s", digest);
    return skl_build_keep_fd(b, fd);
}

int skl_build_open_layers(struct skl_build *b, char *const *layers, struct skl_tree *to,
                          struct skl_error *err)
{
    for (; layers && *layers; layers++) {
        int fd = open_layer(b, *layers, err), rc;

        if (fd < 0)
            return fd;
        rc = skl_tree_add_tar(to, fd, -1, true, SKL_BUILD_MAX_LAYER, err);
        if (rc < 0)
            return skl_wrap(err, rc, "reading the image layer %.12s", *layers);
    }
    return 0;
}

static cJSON *empty_image(const struct skl_build *b)
{
    cJSON *image = cJSON_CreateObject();

    cJSON_AddStringToObject(image, "architecture", b->s.architecture);
    cJSON_AddStringToObject(image, "os", b->s.os);
    if (b->s.variant)
        cJSON_AddStringToObject(image, "variant", b->s.variant);
    return image;
}

/* Members that every image has, where the base had others or none. */
static void complete_image(cJSON *image)
{
    static const char *const objects[] = {"config", "rootfs"};
    cJSON *rootfs;

    for (size_t i = 0; i < SKL_ARRAY_LEN(objects); i++)
        if (!cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(image, objects[i])))
            skl_config_set(image, objects[i], cJSON_CreateObject());
    if (!cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(image, "history")))
        skl_config_set(image, "history", cJSON_CreateArray());
    rootfs = cJSON_GetObjectItemCaseSensitive(image, "rootfs");
    skl_config_set(rootfs, "type", cJSON_CreateString("layers"));
    if (!cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(rootfs, "diff_ids")))
        skl_config_set(rootfs, "diff_ids", cJSON_CreateArray());
    skl_config_set(image, "container", NULL);
    skl_config_set(image, "container_config", NULL);
}

static void copy_stage(struct stage *to, const struct stage *from, struct skl_tree *tree)
{
    to->image = cJSON_Duplicate(from->image, true);
    to->tree = tree;
    to->layers = skl_strv_dup(from->layers);
    to->keys = skl_strv_dup(from->keys); /* its steps are in this one's history too */
    to->base_id = skl_strdup(from->base_id);
    memcpy(to->id, from->id, sizeof(to->id));
    memcpy(to->key, from->key, sizeof(to->key));
    to->size = from->size;
    to->created_ns = from->created_ns;
    to->runs = from->runs;
}

static int begin_with_image(struct skl_build *b, struct stage *s,
                            const struct skl_build_image *image, struct skl_error *err)
{
    if (skl_json_parse(skl_str(image->config_json), &s->image, NULL) < 0 ||
        !cJSON_IsObject(s->image)) {
        cJSON_Delete(s->image);
        s->image = empty_image(b);
    }
    s->layers = skl_strv_dup(image->layers);
    s->base_id = skl_strdup(image->id);
    snprintf(s->id, sizeof(s->id), "%s", image->id);
    snprintf(s->key, sizeof(s->key), "%s", image->id + strlen("sha256:"));
    s->size = image->size;
    return skl_build_open_layers(b, s->layers, s->tree, err);
}

static int run_triggers(struct skl_build *b, struct skl_error *err);

/* image NULL: scratch, or an earlier stage that b->wanted names. */
int skl_build_begin_stage(struct skl_build *b, const struct skl_instruction *i,
                          const struct skl_build_image *image, struct skl_error *err)
{
    const struct stage *from = NULL;
    struct stage s = {0};
    int rc = 0;

    for (size_t k = 0; !image && k < b->n_stages; k++)
        if (skl_streq(b->stages[k].name, b->wanted))
            from = &b->stages[k];
    s.tree = skl_tree_new();
    if (from) {
        copy_stage(&s, from, s.tree);
        rc = skl_build_open_layers(b, s.layers, s.tree, err);
    } else if (image) {
        rc = begin_with_image(b, &s, image, err);
    } else {
        s.image = empty_image(b);
    }
    if (rc < 0) {
        skl_build_stage_fini(&s);
        return rc;
    }
    complete_image(s.image);
    s.name = i->args[1] ? skl_strdup(i->args[2]) : NULL;
    skl_buf_init(&s.edit.comment, MAX_TEXT);
    s.edit.expand = &b->expand;
    s.edit.signal_ok = b->s.ops.signal_ok;
    b->stages = skl_realloc(b->stages, b->n_stages + 1, sizeof(*b->stages));
    b->stages[b->n_stages++] = s;
    stage_now(b)->edit.config = stage_config(stage_now(b));
    if (!skl_build_env(stage_config(stage_now(b)), "PATH"))
        skl_config_set_env(stage_config(stage_now(b)), "PATH", DEFAULT_PATH);
    return run_triggers(b, err);
}

/* -- steps */

static void hash_hex(const char *const *texts, size_t n, char out[65])
{
    mbedtls_sha256_context c;
    SKL_AUTO_BUF struct skl_buf hex = {0};
    unsigned char sum[32];

    mbedtls_sha256_init(&c);
    (void)mbedtls_sha256_starts_ret(&c, 0); /* in memory: cannot fail */
    for (size_t i = 0; i < n; i++)
        (void)mbedtls_sha256_update_ret(&c, (const unsigned char *)texts[i],
                                        strlen(texts[i]) + (n > 1));
    (void)mbedtls_sha256_finish_ret(&c, sum);
    mbedtls_sha256_free(&c);
    skl_buf_init(&hex, 128);
    skl_hex_add(&hex, sum, sizeof(sum));
    memcpy(out, hex.p, 65);
}

static void add_history(struct stage *s, const char *created_by, const char *note, bool empty)
{
    cJSON *entry = cJSON_CreateObject();
    char time[SKL_TIME_LEN];

    cJSON_AddStringToObject(entry, "created", skl_time_format(s->created_ns, time));
    cJSON_AddStringToObject(entry, "created_by", created_by);
    if (s->edit.author)
        cJSON_AddStringToObject(entry, "author", s->edit.author);
    if (note)
        cJSON_AddStringToObject(entry, "comment", note);
    if (empty)
        cJSON_AddBoolToObject(entry, "empty_layer", true);
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(s->image, "history"), entry);
}

static void add_layer(struct stage *s, const char *digest, int64_t size)
{
    cJSON *rootfs = cJSON_GetObjectItemCaseSensitive(s->image, "rootfs");
    char id[72];

    snprintf(id, sizeof(id), "sha256:%s", digest);
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(rootfs, "diff_ids"),
                         cJSON_CreateString(id));
    skl_strv_push(&s->layers, digest);
    s->size += size;
}

void skl_build_commit_step(struct skl_build *b, const char *created_by, const char *note,
                           const struct skl_layer *layer)
{
    struct stage *s = stage_now(b);
    const char *const parts[] = {s->key, created_by, layer ? layer->content : ""};
    const struct skl_build_cached *cached;
    SKL_AUTO_STR char *text = NULL;
    char time[SKL_TIME_LEN], id[65];

    hash_hex(parts, SKL_ARRAY_LEN(parts), s->key);
    skl_strv_push(&s->keys, s->key);
    cached = b->s.ops.cached(b->s.ops.arg, s->key);
    s->created_ns = cached ? cached->created_ns : skl_wall_ns();
    if (layer)
        add_layer(s, cached && *cached->layer ? cached->layer : layer->digest, layer->size);
    add_history(s, created_by, note, !layer);
    skl_config_set(s->image, "created", cJSON_CreateString(skl_time_format(s->created_ns, time)));
    if (s->edit.author)
        skl_config_set(s->image, "author", cJSON_CreateString(s->edit.author));
    text = skl_json_text(s->image);
    hash_hex((const char *const[]){text}, 1, id);
    snprintf(s->id, sizeof(s->id), "sha256:%s", id);
    if (cached)
        skl_build_say(b, " ---> Using cache\n");
}

/* -- ONBUILD of the base image */

static int run_trigger(struct skl_build *b, const char *text, struct skl_error *err);

static int run_triggers(struct skl_build *b, struct skl_error *err)
{
    cJSON *config = stage_config(stage_now(b));
    cJSON *triggers = cJSON_DetachItemFromObjectCaseSensitive(config, "OnBuild");
    int n = cJSON_GetArraySize(triggers), rc = 0;
    const cJSON *item;

    if (n > 0) {
        skl_build_say(b, "# Executing %d build trigger%s", n, n == 1 ? "" : "s");
        skl_build_say(b, "\n");
    }
    cJSON_ArrayForEach(item, triggers)
    {
        rc = cJSON_IsString(item) ? run_trigger(b, item->valuestring, err) : 0;
        if (rc < 0)
            break;
    }
    cJSON_Delete(triggers);
    return rc;
}

int skl_build_dispatch(struct skl_build *b, const struct skl_instruction *i, struct skl_error *err);

static int run_trigger(struct skl_build *b, const char *text, struct skl_error *err)
{
    SKL_AUTO(dockerfile) d = NULL;
    int rc = skl_dockerfile_parse(skl_str(text), &d, err);

    for (size_t k = 0; rc == 0 && k < d->n; k++) {
        if (d->list[k].kind == SKL_I_FROM || d->list[k].kind == SKL_I_ONBUILD)
            return skl_fail(err, SKL_E_INVALID, "%s isn't allowed as an ONBUILD trigger",
                            skl_instruction_name(d->list[k].kind));
        if (d->list[k].kind == SKL_I_COPY && skl_instruction_flag(&d->list[k], "from"))
            return skl_fail(err, SKL_E_UNSUPPORTED,
                            "COPY --from is not supported in an ONBUILD trigger");
        rc = skl_build_dispatch(b, &d->list[k], err);
    }
    return rc;
}
