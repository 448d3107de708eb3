/* config - instructions that change nothing but an image's configuration: ENV, CMD, LABEL, ...
 *
 * Shape   edits the "config" object of an image; used by builds and by commits
 * Errors  INVALID with an Engine's text
 * Thread  any
 */
#ifndef SKL_BUILD_CONFIG_H
#define SKL_BUILD_CONFIG_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "build/dockerfile.h"
#include "build/expand.h"

struct skl_config_edit {
    cJSON *config;                       /* not owned */
    const struct skl_expand *expand;     /* variables as they are before the instruction */
    bool (*signal_ok)(const char *name); /* STOPSIGNAL */
    bool cmd_set;                        /* by an instruction since the base image */
    char *author;                        /* owned by the caller; MAINTAINER */
    struct skl_buf comment;              /* "ENV a=b": what history says; set by each call */
};

/* Not for FROM, ARG, RUN, COPY, ADD: these belong to build/build.h. */
int skl_config_apply(struct skl_config_edit *e, const struct skl_instruction *i,
                     struct skl_error *err);
bool skl_config_knows(enum skl_instruction_kind kind);

void skl_config_set_env(cJSON *config, const char *name, const char *value);
void skl_config_set_label(cJSON *config, const char *name, const char *value);
/* "/bin/sh -c", or what SHELL said, with spaces between. */
void skl_config_shell(const cJSON *config, struct skl_buf *to);
/* Replaces or adds; own_value NULL takes the member away. */
void skl_config_set(cJSON *config, const char *name, cJSON *own_value);

#endif
