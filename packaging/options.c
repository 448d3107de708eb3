/* options BACKEND: the settings of a backend as JSON, for what is made of them at build time: the man page, the file of
 * default settings, the shell's completion (render.py), and of docs/configuration.md (tools/make-configuration.py). Not installed. */
#include <stdio.h>
#include <string.h>

#include "aca.h"
#include "azf.h"
#include "base/json.h"
#include "base/limits.h"
#include "daemon/settings.h"
#include "gcf.h"

static const struct {
    const char *name;
    const struct skl_option *rows;
    const size_t *n;
} backends[] = {
    {"aca", skl_aca_options, &skl_aca_options_count},
    {"azf", skl_azf_options, &skl_azf_options_count},
    {"gcf", skl_gcf_options, &skl_gcf_options_count},
};

static void add_row(struct skl_json *j, const struct skl_option *o)
{
    static const char *const types[] = {
        [SKL_OPTION_STRING] = "string", [SKL_OPTION_SECRET] = "secret", [SKL_OPTION_INT] = "int",
        [SKL_OPTION_BOOL] = "bool",     [SKL_OPTION_ENUM] = "enum",     [SKL_OPTION_LIST] = "list",
    };

    skl_json_object(j, NULL);
    skl_json_str(j, "flag", o->flag);
    skl_json_str(j, "env", o->env);
    skl_json_str(j, "type", types[o->type]);
    skl_json_str(j, "default", o->dflt);
    skl_json_int(j, "min", o->min);
    skl_json_int(j, "max", o->max);
    skl_json_str(j, "choices", o->choices);
    skl_json_bool(j, "required", o->required);
    skl_json_str(j, "help", o->help);
    skl_json_end_object(j);
}

static void add_rows(struct skl_json *j, const char *key, const struct skl_option *rows, size_t n)
{
    skl_json_array(j, key);
    for (size_t i = 0; i < n; i++)
        add_row(j, &rows[i]);
    skl_json_end_array(j);
}

int main(int argc, char **argv)
{
    SKL_AUTO_BUF struct skl_buf out = {0};
    struct skl_json j;

    skl_buf_init(&out, SKL_MIB);
    skl_json_init(&j, &out);
    skl_json_object(&j, NULL);
    add_rows(&j, "daemon", skl_daemon_options, skl_daemon_options_count);
    for (size_t i = 0; argc == 2 && i < SKL_ARRAY_LEN(backends); i++)
        if (strcmp(argv[1], backends[i].name) == 0) {
            add_rows(&j, "backend", backends[i].rows, *backends[i].n);
            skl_json_end_object(&j);
            puts(out.p);
            return 0;
        }
    fputs("usage: options aca|azf|gcf\n", stderr);
    return 2;
}
