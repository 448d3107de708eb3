/* One step at a time.
 *
 * A step is one instruction. FROM (and COPY --from with an image) may have to wait for an image: the step then ends with
 * SKL_BUILD_IMAGE, and goes on when it is given. Everything else runs to its end at once.
 */
#include "build/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "build/build_internal.h"

int skl_build_dispatch(struct skl_build *b, const struct skl_instruction *i, struct skl_error *err);

/* -- making */

static void copy_settings(struct skl_build *b, const struct skl_build_settings *from)
{
    b->s = *from;
    b->s.dir = skl_strdup(from->dir);
    b->s.layers_dir = skl_strdup(from->layers_dir);
    b->s.dockerfile = skl_strdup(from->dockerfile);
    b->s.args = skl_strv_dup(from->args);
    b->s.labels = skl_strv_dup(from->labels);
    b->s.target = skl_strdup(from->target);
    b->s.os = skl_strdup(from->os);
    b->s.architecture = skl_strdup(from->architecture);
    b->s.variant = skl_strdup(from->variant);
}

static void free_text(const char *s)
{
    free((char *)(uintptr_t)s);
}

static void free_settings(struct skl_build_settings *s)
{
    free_text(s->dir);
    free_text(s->layers_dir);
    free_text(s->dockerfile);
    skl_strv_free((char **)(uintptr_t)s->args);
    skl_strv_free((char **)(uintptr_t)s->labels);
    free_text(s->target);
    free_text(s->os);
    free_text(s->architecture);
    free_text(s->variant);
}

void skl_build_free(struct skl_build *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n_stages; i++)
        skl_build_stage_fini(&b->stages[i]);
    free(b->stages);
    for (size_t i = 0; i < b->n_fds; i++)
        close(b->fds[i]);
    free(b->fds);
    skl_tree_free(b->context);
    for (size_t i = 0; i < b->n_sources; i++) {
        free(b->sources[i].name);
        skl_tree_free(b->sources[i].tree);
    }
    free(b->sources);
    skl_dockerfile_free(b->file);
    skl_strv_free(b->meta_args);
    skl_strv_free(b->used_args);
    free(b->wanted);
    free(b->wanted_platform);
    free_settings(&b->s);
    free(b);
}

static int open_scratch(struct skl_build *b, struct skl_error *err)
{
    SKL_AUTO_STR char *path = skl_build_scratch_name(b);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    return fd < 0 ? skl_fail_errno(err, errno, "making a file of the build")
                  : skl_build_keep_fd(b, fd);
}

static int take_context(struct skl_build *b, int body_fd, struct skl_error *err)
{
    off_t size = lseek(body_fd, 0, SEEK_END);
    bool packed;
    int rc;

    b->context_fd = open_scratch(b, err);
    if (b->context_fd < 0)
        return b->context_fd;
    b->scratch_fd = open_scratch(b, err);
    if (b->scratch_fd < 0)
        return b->scratch_fd;
    rc = b->s.ops.unpack(b->s.ops.arg, body_fd, 0, size, b->context_fd, SKL_BUILD_MAX_CONTEXT,
                         &packed, err);
    b->context = skl_tree_new();
    if (rc == 0)
        rc = skl_tree_add_tar(b->context, b->context_fd, b->scratch_fd, false,
                              SKL_BUILD_MAX_CONTEXT, err);
    if (rc == -SKL_E_PROTOCOL)
        rc = skl_fail(err, SKL_E_INVALID, "the build context is no tar archive");
    return rc < 0 ? skl_wrap(err, rc, "Error processing tar file") : 0;
}

static int take_dockerfile(struct skl_build *b, struct skl_error *err)
{
    SKL_AUTO_STR char *clean = skl_pattern_clean(skl_str(b->s.dockerfile)), *real = NULL;
    SKL_AUTO_BUF struct skl_buf text = {0};
    const struct skl_node *node = NULL;
    int rc;

    if (skl_streq(clean, "..") || skl_str_starts(skl_str(clean), "../"))
        return skl_fail(err, SKL_E_INVALID, "Forbidden path outside the build context: %.200s ()",
                        b->s.dockerfile);
    if (!skl_tree_resolve(b->context, *clean == '/' ? clean + 1 : clean, &real, &node) || !node ||
        node->type != SKL_NODE_FILE)
        return skl_fail(err, SKL_E_INTERNAL, "Cannot locate specified Dockerfile: %.200s",
                        b->s.dockerfile);
    if (node->size == 0)
        return skl_fail(err, SKL_E_INVALID, "the Dockerfile (%.200s) cannot be empty",
                        b->s.dockerfile);
    rc = skl_tree_read(node, SKL_DOCKERFILE_MAX, &text, err);
    return rc < 0 ? rc : skl_dockerfile_parse(skl_buf_str(&text), &b->file, err);
}

/* The directories above a path are needed by it. */
static void need_above(struct skl_map *needed, const char *path)
{
    for (const char *s = path; (s = strchr(s, '/')); s++)
        skl_map_set(needed, skl_str_n(path, (size_t)(s - path)), needed);
}

/* A directory stays when something below it was taken back in. */
static void remove_ignored(struct skl_tree *t, const struct skl_ignore *ignore)
{
    const struct skl_node **all;
    size_t n = skl_tree_list(t, &all), n_out = 0;
    const struct skl_node **out = skl_new0_n(const struct skl_node *, n + 1);
    struct skl_map needed;

    skl_map_init(&needed);
    for (size_t i = 0; i < n; i++)
        if (skl_ignore_excludes(ignore, all[i]->path))
            out[n_out++] = all[i];
        else
            need_above(&needed, all[i]->path);
    for (size_t i = 0; i < n_out; i++)
        if (!skl_map_getz(&needed, out[i]->path))
            skl_tree_remove(t, out[i]->path);
    skl_map_fini(&needed);
    free(out);
}

static int take_ignore(struct skl_build *b, struct skl_error *err)
{
    const struct skl_node *node = skl_tree_find(b->context, ".dockerignore");
    SKL_AUTO_BUF struct skl_buf text = {0};
    SKL_AUTO(ignore) ignore = NULL;
    int rc;

    if (!node || node->type != SKL_NODE_FILE)
        return 0;
    rc = skl_tree_read(node, SKL_IGNORE_MAX, &text, err);
    if (rc == 0)
        rc = skl_ignore_parse(skl_buf_str(&text), &ignore, err);
    if (rc < 0)
        return rc;
    remove_ignored(b->context, ignore);
    return 0;
}

/* Where the stage that is asked for ends; steps are counted up to there. */
static int find_end(struct skl_build *b, struct skl_error *err)
{
    const struct skl_dockerfile *d = b->file;
    bool all = skl_str_empty(b->s.target), found = all;
    unsigned stage = 0;
    uint64_t number = UINT64_MAX;
    size_t i;

    (void)skl_str_u64(skl_str(b->s.target), &number); /* a name, then */
    for (i = 0; i < d->n; i++) {
        const struct skl_instruction *x = &d->list[i];

        if (x->kind != SKL_I_FROM) {
            if (stage == 0 && x->kind != SKL_I_ARG)
                return skl_fail(err, SKL_E_INVALID,
                                "dockerfile parse error line %u: no build stage in current context",
                                x->line);
            continue;
        }
        if (found && !all)
            break;
        found |= number == stage || (x->args[1] && skl_str_ieqz(skl_str(b->s.target), x->args[2]));
        stage++;
    }
    if (stage == 0)
        return skl_fail(err, SKL_E_INVALID, "no build stage in current context");
    if (!found)
        return skl_fail(err, SKL_E_INVALID, "failed to reach build target %.100s in Dockerfile",
                        b->s.target);
    b->end = i;
    b->to_label = b->s.labels && b->s.labels[0];
    b->steps = (unsigned)i + b->to_label;
    return 0;
}

static void make_platform(struct skl_build *b)
{
    SKL_AUTO_BUF struct skl_buf p = {0};

    skl_buf_init(&p, 4096);
    skl_buf_addf(&p, "%s/%s%s%s", b->s.os, b->s.architecture, b->s.variant ? "/" : "",
                 b->s.variant ? b->s.variant : "");
    skl_build_set_pair(&b->meta_args, " platform", p.p); /* no ARG has such a name */
}

int skl_build_new(const struct skl_build_settings *settings, int body_fd, struct skl_build **ret,
                  struct skl_error *err)
{
    SKL_AUTO(build) b = skl_new0(struct skl_build);
    int rc;

    b->context_fd = b->scratch_fd = -1;
    b->room = SKL_BUILD_MAX_WRITTEN;
    copy_settings(b, settings);
    rc = take_context(b, body_fd, err);
    if (rc == 0)
        rc = take_dockerfile(b, err);
    if (rc == 0)
        rc = take_ignore(b, err);
    if (rc == 0)
        rc = find_end(b, err);
    if (rc < 0)
        return rc;
    b->expand = (struct skl_expand){b->file->escape, skl_build_lookup, b};
    make_platform(b);
    *ret = skl_take(&b);
    return 0;
}

/* -- instructions */

static void created_by(struct skl_build *b, const char *how, struct skl_buf *to)
{
    skl_buf_init(to, 32u << 20);
    skl_config_shell(stage_config(stage_now(b)), to);
    skl_buf_adds(to, how);
}

static int do_arg(struct skl_build *b, const struct skl_instruction *i, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf comment = {0};
    int rc = 0;

    if (b->n_stages > 0) {
        created_by(b, " #(nop)  ARG", &comment);
        for (char **p = i->args; rc == 0 && *p; p++)
            rc = skl_build_take_arg(b, *p, &comment, err);
        if (rc == 0)
            skl_build_commit_step(b, comment.p, NULL, NULL);
        return rc;
    }
    skl_buf_init(&comment, 32u << 20);
    for (char **p = i->args; rc == 0 && *p; p++)
        rc = skl_build_take_arg(b, *p, &comment, err);
    return rc;
}

static void do_run(struct skl_build *b, const struct skl_instruction *i)
{
    SKL_AUTO_BUF struct skl_buf by = {0};
    struct stage *s = stage_now(b);
    const char *space = "";
    size_t n = skl_strv_len(s->arg_values) / 2;

    skl_buf_init(&by, 32u << 20);
    if (n > 0) {
        skl_buf_addf(&by, "|%zu ", n);
        for (char **p = s->arg_values; *p; p += 2)
            skl_buf_addf(&by, "%s=%s ", p[0], p[1]);
    }
    if (!i->json) {
        skl_config_shell(stage_config(s), &by);
        space = " ";
    }
    for (char **p = i->args; *p; p++) {
        skl_buf_addf(&by, "%s%s", space, *p);
        space = " ";
    }
    for (size_t k = 0; k < i->n_heredocs; k++)
        skl_buf_addf(&by, "\n%s%s", i->heredocs[k].content, i->heredocs[k].name);
    skl_build_say(b, " ---> [Warning] RUN is not executed: images are not built on a machine here. "
                     "What it would change is not in the image\n");
    s->runs++;
    skl_build_commit_step(b, by.p, "not executed", NULL);
}

static int do_config(struct skl_build *b, const struct skl_instruction *i, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf by = {0};
    struct stage *s = stage_now(b);
    int rc;

    rc = skl_config_apply(&s->edit, i, err);
    if (rc < 0)
        return rc;
    created_by(b, i->kind == SKL_I_WORKDIR ? " #(nop) " : " #(nop)  ", &by);
    skl_buf_addstr(&by, skl_buf_str(&s->edit.comment));
    if (i->kind == SKL_I_WORKDIR)
        return skl_build_make_dir(b, skl_json_get_str(stage_config(s), "WorkingDir"), by.p, err);
    skl_build_commit_step(b, by.p, NULL, NULL);
    return 0;
}

int skl_build_dispatch(struct skl_build *b, const struct skl_instruction *i, struct skl_error *err)
{
    if (i->kind == SKL_I_ARG)
        return do_arg(b, i, err);
    if (i->kind == SKL_I_RUN) {
        do_run(b, i);
        return 0;
    }
    if (i->kind == SKL_I_COPY || i->kind == SKL_I_ADD)
        return skl_build_copy(b, i, err);
    return do_config(b, i, err);
}

/* -- FROM and images */

static void say_id(struct skl_build *b)
{
    const char *id = stage_now(b)->id;

    skl_build_say(b, " ---> %.12s\n", *id ? id + strlen("sha256:") : "");
}

static void end_stage(struct skl_build *b)
{
    if (b->n_stages > 0 && *stage_now(b)->id)
        b->s.ops.say(b->s.ops.arg, NULL, stage_now(b)->id);
}

static bool is_stage(const struct skl_build *b, const char *name)
{
    for (size_t k = 0; k < b->n_stages; k++)
        if (skl_streq(b->stages[k].name, name))
            return true;
    return false;
}

static int do_from(struct skl_build *b, const struct skl_instruction *i, enum skl_build_need *need,
                   struct skl_error *err)
{
    const char *platform = skl_instruction_flag(i, "platform");
    SKL_AUTO_STR char *lower = NULL;
    int rc;

    free(skl_take(&b->wanted));
    free(skl_take(&b->wanted_platform));
    rc = skl_expand_word(&b->expand, i->args[0], &b->wanted, err);
    if (rc == 0 && platform)
        rc = skl_expand_word(&b->expand, platform, &b->wanted_platform, err);
    if (rc < 0)
        return rc;
    if (!*b->wanted)
        return skl_fail(err, SKL_E_INVALID, "base name (%.200s) should not be blank", i->args[0]);
    lower = skl_strdup(b->wanted);
    for (char *p = lower; *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
    if (is_stage(b, lower)) {
        skl_strset(&b->wanted, lower);
        return skl_build_begin_stage(b, i, NULL, err);
    }
    if (strcmp(b->wanted, "scratch") == 0)
        return skl_build_begin_stage(b, i, NULL, err);
    b->wanted_to_copy = false;
    *need = SKL_BUILD_IMAGE;
    return 0;
}

const char *skl_build_wanted(const struct skl_build *b, const char **platform, bool *to_copy)
{
    *platform = b->wanted_platform;
    *to_copy = b->wanted_to_copy;
    return b->wanted;
}

static int add_fetched(struct skl_build *b, const char *path, struct skl_tree *to,
                       struct skl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
    struct stat st;

    if (fd < 0)
        return skl_fail_errno(err, errno, "opening a layer of an image");
    skl_build_keep_fd(b, fd);
    if (fstat(fd, &st) == 0)
        b->room -= st.st_size;
    if (b->room < 0)
        return skl_fail(err, SKL_E_TOOBIG, "the build needs more than %d GiB on disk",
                        (int)(SKL_BUILD_MAX_WRITTEN >> 30));
    rc = skl_tree_add_image_layer(to, fd, b->scratch_fd, SKL_BUILD_MAX_WRITTEN, err);
    return rc < 0 ? skl_wrap(err, rc, "reading a layer of %.100s", b->wanted) : 0;
}

static int take_source(struct skl_build *b, const struct skl_build_image *image,
                       struct skl_error *err)
{
    struct source *s;
    int rc = 0;

    b->sources = skl_realloc(b->sources, b->n_sources + 1, sizeof(*b->sources));
    s = &b->sources[b->n_sources++];
    *s = (struct source){skl_strdup(b->wanted), skl_tree_new()};
    for (char *const *p = image->fetched; rc == 0 && p && *p; p++)
        rc = add_fetched(b, *p, s->tree, err);
    return rc < 0 ? rc : skl_build_open_layers(b, image->layers, s->tree, err);
}

int skl_build_give(struct skl_build *b, const struct skl_build_image *image, struct skl_error *err)
{
    int rc;

    if (b->wanted_to_copy) {
        b->given = true;
        return take_source(b, image, err);
    }
    rc = skl_build_begin_stage(b, &b->file->list[b->at], image, err);
    if (rc < 0)
        return rc;
    say_id(b);
    b->at++;
    return 0;
}

/* -- steps */

static void do_labels(struct skl_build *b)
{
    SKL_AUTO_BUF struct skl_buf text = {0}, by = {0};

    skl_buf_init(&text, 32u << 20);
    skl_buf_adds(&text, "LABEL");
    for (char *const *p = b->s.labels; *p; p += 2) {
        skl_buf_addf(&text, " %s=%s", p[0], p[1]);
        skl_config_set_label(stage_config(stage_now(b)), p[0], p[1]);
    }
    skl_build_say(b, "Step %u/%u : %s", ++b->step, b->steps, text.p);
    skl_build_say(b, "\n");
    created_by(b, " #(nop)  ", &by);
    skl_buf_addstr(&by, skl_buf_str(&text));
    skl_build_commit_step(b, by.p, NULL, NULL);
    say_id(b);
}

static int finish(struct skl_build *b, enum skl_build_need *need, struct skl_error *err)
{
    if (b->to_label)
        do_labels(b);
    if (!*stage_now(b)->id)
        return skl_fail(err, SKL_E_INVALID, "No image was generated. Is your Dockerfile empty?");
    end_stage(b);
    skl_build_warn_unused(b);
    b->done = true;
    *need = SKL_BUILD_DONE;
    return 0;
}

static int one_instruction(struct skl_build *b, enum skl_build_need *need, struct skl_error *err)
{
    const struct skl_instruction *i = &b->file->list[b->at];
    int rc;

    if (i->kind == SKL_I_FROM) {
        end_stage(b);
        if (i->args[1] && is_stage(b, i->args[2]))
            return skl_fail(err, SKL_E_INVALID, "%s stage name already used", i->args[2]);
    }
    if (!b->given) { /* else the line was written before the wait */
        skl_build_say(b, "Step %u/%u : %s", ++b->step, b->steps, i->original);
        skl_build_say(b, "\n");
    }
    rc = i->kind == SKL_I_FROM ? do_from(b, i, need, err) : skl_build_dispatch(b, i, err);
    if (rc == 0 && b->wanted_to_copy && !b->given) {
        *need = SKL_BUILD_IMAGE;
        return 0;
    }
    b->given = b->wanted_to_copy = false;
    if (rc < 0 || *need == SKL_BUILD_IMAGE)
        return rc;
    if (b->n_stages > 0)
        say_id(b);
    b->at++;
    return 0;
}

int skl_build_step(struct skl_build *b, enum skl_build_need *need, struct skl_error *err)
{
    *need = SKL_BUILD_MORE;
    if (b->step == 0 && *b->file->warnings)
        skl_build_say(b,
                      "\x1b[91m%s[WARNING]: Empty continuation lines will become errors in a "
                      "future release.\n\x1b[0m",
                      b->file->warnings);
    return b->at < b->end ? one_instruction(b, need, err) : finish(b, need, err);
}

void skl_build_finish(struct skl_build *b, struct skl_build_result *ret)
{
    struct stage *s = stage_now(b);
    cJSON *text = cJSON_GetObjectItemCaseSensitive(s->image, " text");

    SKL_ASSERT(b->done);
    if (!text) { /* kept with the stage, so that it lives as long */
        SKL_AUTO_STR char *json = skl_json_text(s->image);

        text = cJSON_AddStringToObject(s->image, " text", json);
    }
    *ret = (struct skl_build_result){
        .id = s->id,
        .config_json = text->valuestring,
        .base_id = s->base_id,
        .layers = s->layers,
        .keys = s->keys,
        .size = s->size,
        .created_ns = s->created_ns,
        .skipped_runs = s->runs,
    };
}
