/* build - a Dockerfile and its context become an image record: configuration, history, layers of files.
 *
 * Shape   a machine that is asked for one step at a time, so that its caller can pull an image, send output or give up
 *         between steps. RUN is not executed (there is no machine here to execute it on); it is said so
 *         each time, in the output and in the history
 * Cache   a step with the same parent, text and files as a step of an earlier build keeps that step's time, so
 *         that equal builds give the same image id
 * Errors  of the first instruction: a failure before any output. Later ones: the failure of that step
 * Owns    itself; the caller's strings are copied. Scratch files are in settings.dir, the caller's to delete
 * Thread  any, one at a time; blocks on files, so a worker's
 * Limits  SKL_BUILD_MAX_CONTEXT bytes of files in a context, SKL_BUILD_MAX_LAYER in one layer,
 *         SKL_BUILD_MAX_WRITTEN on disk beside the context
 */
#ifndef SKL_BUILD_BUILD_H
#define SKL_BUILD_BUILD_H

#include "base/buf.h"
#include "base/error.h"
#include "base/macros.h"

#define SKL_BUILD_MAX_CONTEXT (INT64_C(4) << 30)
#define SKL_BUILD_MAX_LAYER   (INT64_C(2) << 30) /* is sent to the container before each start */
#define SKL_BUILD_MAX_WRITTEN (INT64_C(8) << 30) /* archives unpacked and layers, in one build */

struct skl_build;

/* What an earlier step with this key left; NULL: there was none. */
struct skl_build_cached {
    int64_t created_ns;
    char layer[65]; /* "": no files */
};

struct skl_build_ops {
    /* Piece of the output, one {"stream": ...} of an Engine; `id` instead of text: {"aux":{"ID": ...}}. */
    void (*say)(void *arg, const char *text, const char *id);
    const struct skl_build_cached *(*cached)(void *arg, const char *key);
    /* Writes what the (perhaps compressed) bytes hold; *ret_packed: they were compressed. */
    int (*unpack)(void *arg, int from_fd, int64_t offset, int64_t size, int to_fd, int64_t max,
                  bool *ret_packed, struct skl_error *err);
    bool (*signal_ok)(const char *name);
    /* GET of a URL into a file; *ret_mtime_s: Last-Modified, 0 if it was not said. */
    int (*download)(void *arg, const char *url, int to_fd, int64_t max, int64_t *ret_mtime_s,
                    struct skl_error *err);
    void *arg;
};

struct skl_build_settings {
    const char *dir;        /* scratch and new layers ("<digest>.layer") */
    const char *layers_dir; /* of layers that images have: files named by their digest */
    const char *dockerfile; /* path within the context */
    char *const *args;      /* --build-arg: name, value, ... */
    char *const *labels;    /* --label: name, value, ... */
    const char *target;     /* NULL or "": the last stage */
    const char *os, *architecture, *variant; /* of the machine, or as asked for */
    struct skl_build_ops ops;
};

/* An image that a stage begins with, or that files are copied from. */
struct skl_build_image {
    const char *id;          /* "sha256:..." */
    const char *config_json; /* OCI image configuration */
    char *const
        *layers; /* digests (hex) of the layers that are here; the others are in a registry */
    char *const
        *fetched; /* to_copy: files with its layers of the registry, unpacked, oldest first */
    int64_t size;
};

enum skl_build_need {
    SKL_BUILD_MORE,  /* ask for the next step */
    SKL_BUILD_IMAGE, /* skl_build_wanted() is to be given */
    SKL_BUILD_DONE
};

/* body_fd: the archive as the client sent it. Nothing is said yet. */
int skl_build_new(const struct skl_build_settings *settings, int body_fd, struct skl_build **ret,
                  struct skl_error *err);
void skl_build_free(struct skl_build *b); /* NULL is fine */
SKL_DEFINE_AUTO(build);

int skl_build_step(struct skl_build *b, enum skl_build_need *need, struct skl_error *err);
/* Reference as written, variables expanded, or an id; *platform may be NULL. to_copy: its files are wanted. */
const char *skl_build_wanted(const struct skl_build *b, const char **platform, bool *to_copy);
/* Answers SKL_BUILD_IMAGE. The next step goes on with it. */
int skl_build_give(struct skl_build *b, const struct skl_build_image *image, struct skl_error *err);

/* After SKL_BUILD_DONE; all of it lives as long as the build. */
struct skl_build_result {
    const char *id;
    const char *config_json;
    const char *base_id; /* of the image that the stages began with; NULL: scratch */
    char *const *layers; /* digests, oldest first, of the base's too */
    char *const *keys;   /* of the steps, for caches */
    int64_t size, created_ns;
    unsigned skipped_runs; /* RUN instructions in what was built */
};
void skl_build_finish(struct skl_build *b, struct skl_build_result *ret);

#endif
