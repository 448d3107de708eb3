/* dockerfile - a Dockerfile's text as instructions.
 *
 * Shape   parsing is complete: directives, continuations, comments, here-documents, flags, JSON and shell forms,
 *         and every check that needs no build ("requires at least one argument"). Variables are not
 *         expanded: that depends on what stands before (build/expand.h, build/build.h)
 * Errors  INVALID with a Docker Engine's text and the line: "dockerfile parse error line 3: unknown
 *         instruction: FOO"
 * Owns    everything it hands out: skl_dockerfile_free()
 * Thread  any
 * Limits  SKL_DOCKERFILE_MAX bytes of text, SKL_DOCKERFILE_MAX_INSTRUCTIONS
 */
#ifndef SKL_BUILD_DOCKERFILE_H
#define SKL_BUILD_DOCKERFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/str.h"

#define SKL_DOCKERFILE_MAX (4u * 1024u * 1024u)
#define SKL_DOCKERFILE_MAX_INSTRUCTIONS                                                            \
    5000u /* each makes the history longer, which is hashed in each */

#define SKL_INSTRUCTIONS(X)                                                                        \
    X(ADD)                                                                                         \
    X(ARG)                                                                                         \
    X(CMD)                                                                                         \
    X(COPY)                                                                                        \
    X(ENTRYPOINT)                                                                                  \
    X(ENV)                                                                                         \
    X(EXPOSE) X(FROM) X(HEALTHCHECK) X(LABEL) X(MAINTAINER) X(ONBUILD) X(RUN) X(SHELL)             \
        X(STOPSIGNAL) X(USER) X(VOLUME) X(WORKDIR)

enum skl_instruction_kind {
#define X(name) SKL_I_##name,
    SKL_INSTRUCTIONS(X)
#undef X
};

struct skl_heredoc {
    char *word;    /* as it stands among the arguments: "<<EOF" */
    char *name;    /* "EOF" */
    char *content; /* lines with their '\n'; tabs taken off when asked to */
    bool expand;   /* the name was not quoted: variables are meant to be expanded */
    bool chomp;    /* <<- */
};

struct skl_instruction {
    enum skl_instruction_kind kind;
    unsigned line; /* where it begins; 1 is the first */
    char *
        original; /* as written, its lines joined, without here-documents: what "Step" lines show */
    char *
        *flags; /* "from", "builder", "link", "" , ...: name and value in turn; order as written */
    /* FROM: words. ENV, LABEL: name and value in turn, quotes still on. ARG: "name" or "name=value". JSON forms: the
     * strings. CMD, ENTRYPOINT, RUN in shell form: one string. HEALTHCHECK: "NONE"/"CMD", then the
     * command. ONBUILD: the trigger's text. Others: words, or one text. */
    char **args;
    bool json;
    bool old_form; /* ENV and LABEL: "name value" */
    struct skl_heredoc *heredocs;
    size_t n_heredocs;
};

struct skl_dockerfile {
    struct skl_instruction *list;
    size_t n;
    char escape;
    char *warnings; /* lines for the user, "" if there are none */
};

/* Syntax only: the order of instructions is build/build.h's. */
int skl_dockerfile_parse(struct skl_str text, struct skl_dockerfile **ret, struct skl_error *err);
void skl_dockerfile_free(struct skl_dockerfile *d); /* NULL is fine */
SKL_DEFINE_AUTO(dockerfile);

const char *skl_instruction_name(enum skl_instruction_kind kind);
/* Value of a flag (flags without "=" have "true" or ""); NULL if it is not there. */
const char *skl_instruction_flag(const struct skl_instruction *i, const char *name);

#endif
