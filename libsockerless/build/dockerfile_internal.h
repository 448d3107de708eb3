/* dockerfile_internal - what the files dockerfile*.c share. */
#ifndef SKL_BUILD_DOCKERFILE_INTERNAL_H
#define SKL_BUILD_DOCKERFILE_INTERNAL_H

#include "build/dockerfile.h"

/* dockerfile_words.c */
bool skl_df_space(char c);
/* Words with quotes and escapes still on; a quoted part may hold spaces. Owned; never NULL. */
char **skl_df_words(const char *rest, char escape);
/* Split at white space, whatever it is quoted with; n is the most pieces (0: all). Owned; never NULL. */
char **skl_df_fields(const char *rest, size_t n);
/* Takes "--flag" words off the front; returns what follows them. */
const char *skl_df_take_flags(const char *args, char escape, char ***ret);
/* 1: an array of strings, 0: no JSON array, -kind: an array of something else. */
int skl_df_json(const char *rest, char ***ret, struct skl_error *err);

/* dockerfile_args.c: fills i->flags, args, json from the instruction's text (flags still in it), and checks. */
int skl_df_arguments(struct skl_instruction *i, const char *rest, char escape,
                     struct skl_error *err);

/* dockerfile_heredoc.c: finds the here-documents announced in the arguments of ADD, COPY, RUN. */
void skl_df_find_heredocs(struct skl_instruction *i, const char *rest);

bool skl_df_kind(struct skl_str word, enum skl_instruction_kind *ret);

#endif
