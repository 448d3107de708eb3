/* build_internal - what the files build*.c share. */
#ifndef SKL_BUILD_BUILD_INTERNAL_H
#define SKL_BUILD_BUILD_INTERNAL_H

#include <cjson/cJSON.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "build/build.h"
#include "build/config.h"
#include "build/dockerfile.h"
#include "build/expand.h"
#include "build/ignore.h"
#include "build/layer.h"
#include "build/tree.h"

struct stage {
    char *name;            /* NULL: none */
    cJSON *image;          /* OCI image configuration; "config" is in it */
    struct skl_tree *tree; /* files that are known: of layers that are here */
    char **layers;
    char **keys;
    char *base_id;
    char id[72];  /* "" for scratch before its first step */
    char key[65]; /* of the newest step */
    int64_t size, created_ns;
    unsigned runs;
    bool whole;        /* the tree has the base's files too */
    char **arg_values; /* of ARGs declared so far: name, value, ... */
    struct skl_config_edit edit;
};

/* An image's files: by the name that was wanted. */
struct source {
    char *name;
    struct skl_tree *tree;
};

struct skl_build {
    struct skl_build_settings s; /* strings are copies */
    struct skl_dockerfile *file;
    struct skl_tree *context;
    size_t at, end; /* instructions */
    unsigned step, steps;
    struct stage *stages;
    size_t n_stages;
    char **meta_args; /* ARGs before the first FROM: name, value, ... */
    char **used_args; /* build args that an ARG took */
    /* waiting for an image */
    char *wanted, *wanted_platform;
    bool wanted_to_copy, given;
    struct source *sources; /* images that files are copied from */
    size_t n_sources;
    int context_fd, scratch_fd;
    int *fds; /* of layers and archives: open as long as nodes point into them */
    size_t n_fds;
    unsigned scratch_names;
    int64_t room; /* of SKL_BUILD_MAX_WRITTEN */
    struct skl_expand expand;
    bool to_label, done;
};

static inline struct stage *stage_now(struct skl_build *b)
{
    return &b->stages[b->n_stages - 1];
}

static inline cJSON *stage_config(const struct stage *s)
{
    return cJSON_GetObjectItemCaseSensitive(s->image, "config");
}

/* build_vars.c */
const char *skl_build_pair(char *const *pairs, const char *name); /* value; NULL if absent */
void skl_build_set_pair(char ***pairs, const char *name, const char *value);
const char *skl_build_env(const cJSON *config, const char *name);
const char *skl_build_lookup(void *build, struct skl_str name);
int skl_build_take_arg(struct skl_build *b, const char *word, struct skl_buf *comment,
                       struct skl_error *err);
void skl_build_warn_unused(struct skl_build *b);

/* build_stage.c */
int skl_build_begin_stage(struct skl_build *b, const struct skl_instruction *i,
                          const struct skl_build_image *image, struct skl_error *err);
int skl_build_open_layers(struct skl_build *b, char *const *layers, struct skl_tree *to,
                          struct skl_error *err);
void skl_build_stage_fini(struct stage *s);
int skl_build_keep_fd(struct skl_build *b, int fd);
char *skl_build_scratch_name(struct skl_build *b);
/* The step becomes a part of the image. layer NULL: no files. */
void skl_build_commit_step(struct skl_build *b, const char *created_by, const char *note,
                           const struct skl_layer *layer);
void skl_build_say(struct skl_build *b, const char *fmt, ...) SKL_PRINTF(2, 3);

static inline int64_t skl_build_room(const struct skl_build *b)
{
    return b->room < SKL_BUILD_MAX_LAYER ? b->room : SKL_BUILD_MAX_LAYER;
}

/* build_from.c: the files that --from names (*ret_stage set only for a stage), or the context's. 1: an image is to be given
 * first. */
int skl_build_find_from(struct skl_build *b, const struct skl_instruction *i, struct skl_tree **ret,
                        struct stage **ret_stage, struct skl_error *err);
/* The step begins once more when this image's files are there. */
void skl_build_want_files(struct skl_build *b, const char *name);
/* build_copy.c: COPY and ADD. */
int skl_build_copy(struct skl_build *b, const struct skl_instruction *i, struct skl_error *err);
/* A directory that is to be there: WORKDIR. */
int skl_build_make_dir(struct skl_build *b, const char *path, const char *created_by,
                       struct skl_error *err);
/* build_plan.c */
struct plan {
    struct skl_node *nodes;
    size_t n, cap;
};
void skl_plan_fini(struct plan *p);
struct skl_node *skl_plan_add(struct plan *p, const char *path, enum skl_node_type type);
/* Adds a layer of the plan's nodes to the stage: file, tree, configuration. */
int skl_plan_write(struct skl_build *b, const struct plan *p, struct skl_layer *ret,
                   struct skl_error *err);

#endif
