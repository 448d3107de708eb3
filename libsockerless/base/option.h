/* option - settings as rows of a table: flag, environment variable, type, default, bounds, help.
 *
 * Shape   a row says where in a struct its value goes; one table per struct; several tables make one command
 *         line. Order: default, environment, command line; the later wins.
 * Errors  one line that names the setting and what is expected
 * Owns    strings and lists in the struct are owned by it: skl_options_fini()
 * Types   STRING char *; SECRET char *, never printed; INT int64_t; BOOL bool; ENUM char *, one of `choices`
 *         ("a|b|c"); LIST char **, from the environment separated by commas, on the command line repeated
 */
#ifndef SKL_BASE_OPTION_H
#define SKL_BASE_OPTION_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum skl_option_type {
    SKL_OPTION_STRING,
    SKL_OPTION_SECRET,
    SKL_OPTION_INT,
    SKL_OPTION_BOOL,
    SKL_OPTION_ENUM,
    SKL_OPTION_LIST
};

struct skl_option {
    const char *flag; /* "--state-dir", "-H"; NULL: by environment only */
    const char *env;  /* NULL: by flag only */
    enum skl_option_type type;
    const char *dflt; /* NULL: empty, 0, false */
    int64_t min, max; /* INT; both 0: not negative */
    const char *choices;
    size_t offset;
    bool required;
    const char *help; /* a noun phrase: "the Azure subscription ID" */
};

struct skl_option_table {
    const char *title; /* heading in --help */
    const struct skl_option *rows;
    size_t n;
    void *into;
};

typedef const char *skl_getenv_cb(const char *name); /* NULL: not set */

/* `argv` without the program's name. */
int skl_options_load(const struct skl_option_table *tables, size_t n_tables, skl_getenv_cb *get_env,
                     char *const *argv, struct skl_error *err);
void skl_options_fini(const struct skl_option_table *tables, size_t n_tables);

void skl_options_help(const struct skl_option_table *tables, size_t n_tables, struct skl_buf *out);
/* NAME=value per line; secrets as *** */
void skl_options_print(const struct skl_option_table *tables, size_t n_tables, struct skl_buf *out);

#endif
