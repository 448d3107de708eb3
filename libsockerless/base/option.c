#include "base/option.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/secrets.h"

#define MAX_LISTS 32 /* list options on one command line */

static const char *name_of(const struct skl_option *o)
{
    return o->env ? o->env : o->flag;
}

static void *place(const struct skl_option_table *t, const struct skl_option *o)
{
    return (char *)t->into + o->offset;
}

static bool parse_bool(struct skl_str s, bool *ret)
{
    static const char *const yes[] = {"true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off", ""};

    for (size_t i = 0; i < SKL_ARRAY_LEN(yes); i++)
        if (skl_str_ieqz(s, yes[i])) {
            *ret = true;
            return true;
        }
    for (size_t i = 0; i < SKL_ARRAY_LEN(no); i++)
        if (skl_str_ieqz(s, no[i])) {
            *ret = false;
            return true;
        }
    return false;
}

static bool is_choice(const char *choices, const char *value)
{
    struct skl_str rest = skl_str(choices);

    while (rest.p) {
        struct skl_str choice = skl_str_cut(rest, '|', &rest);

        if (skl_str_eqz(choice, value))
            return true;
    }
    return false;
}

static int set_int(const struct skl_option *o, const char *from, int64_t *into, const char *value,
                   struct skl_error *err)
{
    int64_t max = o->min == 0 && o->max == 0 ? INT64_MAX : o->max;
    int64_t v;

    if (skl_str_i64(skl_str_trim(skl_str(value)), &v) && v >= o->min && v <= max) {
        *into = v;
        return 0;
    }
    if (max == INT64_MAX)
        return skl_fail(err, SKL_E_INVALID, "%s: '%s' is not a number from %" PRId64 " on (%s)",
                        from, value, o->min, o->help);
    return skl_fail(err, SKL_E_INVALID,
                    "%s: '%s' is not a number from %" PRId64 " to %" PRId64 " (%s)", from, value,
                    o->min, max, o->help);
}

static void add_list(char ***list, const char *value)
{
    struct skl_str rest = skl_str(value);

    while (rest.p) {
        struct skl_str item = skl_str_trim(skl_str_cut(rest, ',', &rest));
        char *copy = skl_str_dup(item);

        if (*copy)
            skl_strv_push(list, copy);
        free(copy);
    }
}

/* from: the variable or the flag that the value came with. */
static int set_value(const struct skl_option_table *t, const struct skl_option *o, const char *from,
                     const char *value, struct skl_error *err)
{
    void *into = place(t, o);

    switch (o->type) {
    case SKL_OPTION_SECRET:
        skl_secret_add(value); /* for the life of the process */
        skl_strset(into, value);
        return 0;
    case SKL_OPTION_STRING:
        skl_strset(into, value);
        return 0;
    case SKL_OPTION_INT:
        return set_int(o, from, into, value, err);
    case SKL_OPTION_BOOL:
        if (!parse_bool(skl_str_trim(skl_str(value)), into))
            return skl_fail(err, SKL_E_INVALID, "%s: '%s' is neither true nor false (%s)", from,
                            value, o->help);
        return 0;
    case SKL_OPTION_ENUM:
        if (!is_choice(o->choices, value))
            return skl_fail(err, SKL_E_INVALID, "%s: '%s' is none of %s (%s)", from, value,
                            o->choices, o->help);
        skl_strset(into, value);
        return 0;
    case SKL_OPTION_LIST:
        add_list(into, value);
        return 0;
    }
    return 0;
}

static void clear_list(const struct skl_option_table *t, const struct skl_option *o)
{
    char ***list = place(t, o);

    skl_strv_free(*list);
    *list = NULL;
}

static int load_row(const struct skl_option_table *t, const struct skl_option *o,
                    skl_getenv_cb *get_env, struct skl_error *err)
{
    const char *value = o->env ? get_env(o->env) : NULL;

    /* An empty variable counts as not set: that is how people switch settings off in scripts. */
    if (skl_str_empty(value))
        value = o->dflt;
    if (value)
        return set_value(t, o, name_of(o), value, err);
    if (o->type == SKL_OPTION_STRING || o->type == SKL_OPTION_SECRET)
        skl_strset(place(t, o), "");
    return 0;
}

struct found {
    const struct skl_option_table *table;
    const struct skl_option *option;
};

static struct found find_flag(const struct skl_option_table *tables, size_t n, struct skl_str flag)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < tables[i].n; k++)
            if (tables[i].rows[k].flag && skl_str_eqz(flag, tables[i].rows[k].flag))
                return (struct found){&tables[i], &tables[i].rows[k]};
    return (struct found){NULL, NULL};
}

/* A list given on the command line replaces the one of the environment. */
static void begin_list(struct found f, const struct skl_option **begun, size_t *n_begun)
{
    for (size_t i = 0; i < *n_begun; i++)
        if (begun[i] == f.option)
            return;
    SKL_ASSERT(*n_begun < MAX_LISTS);
    begun[(*n_begun)++] = f.option;
    clear_list(f.table, f.option);
}

static int load_argv(const struct skl_option_table *tables, size_t n, char *const *argv,
                     struct skl_error *err)
{
    const struct skl_option *begun[MAX_LISTS];
    size_t n_begun = 0;

    for (; *argv; argv++) {
        struct skl_str value, flag = skl_str_cut(skl_str(*argv), '=', &value);
        struct found f = find_flag(tables, n, flag);
        const char *text;
        int rc;

        if (!f.option)
            return skl_fail(err, SKL_E_INVALID,
                            "unknown option '" SKL_STR_FMT "': --help lists all",
                            SKL_STR_ARG(flag));
        if (f.option->type == SKL_OPTION_LIST)
            begin_list(f, begun, &n_begun);
        if (value.p)
            text = value.p;
        else if (f.option->type == SKL_OPTION_BOOL)
            text = "true";
        else if (!(text = *++argv))
            return skl_fail(err, SKL_E_INVALID, "%s needs a value: %s", f.option->flag,
                            f.option->help);
        rc = set_value(f.table, f.option, f.option->flag, text, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool is_missing(const struct skl_option_table *t, const struct skl_option *o)
{
    const void *from = place(t, o);

    if (o->type == SKL_OPTION_LIST)
        return skl_strv_len(*(char **const *)from) == 0;
    /* A number or a switch always has a value: its default, or 0. */
    return o->type != SKL_OPTION_INT && o->type != SKL_OPTION_BOOL &&
           skl_str_empty(*(char *const *)from);
}

int skl_options_load(const struct skl_option_table *tables, size_t n_tables, skl_getenv_cb *get_env,
                     char *const *argv, struct skl_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < n_tables; i++)
        for (size_t k = 0; rc == 0 && k < tables[i].n; k++)
            rc = load_row(&tables[i], &tables[i].rows[k], get_env, err);
    if (rc == 0)
        rc = load_argv(tables, n_tables, argv, err);
    for (size_t i = 0; i < n_tables; i++)
        for (size_t k = 0; rc == 0 && k < tables[i].n; k++) {
            const struct skl_option *o = &tables[i].rows[k];

            if (o->required && is_missing(&tables[i], o))
                rc = skl_fail(err, SKL_E_INVALID, "%s is required: %s", name_of(o), o->help);
        }
    return rc;
}

void skl_options_fini(const struct skl_option_table *tables, size_t n_tables)
{
    for (size_t i = 0; i < n_tables; i++)
        for (size_t k = 0; k < tables[i].n; k++) {
            const struct skl_option *o = &tables[i].rows[k];

            if (o->type == SKL_OPTION_LIST)
                clear_list(&tables[i], o);
            else if (o->type != SKL_OPTION_INT && o->type != SKL_OPTION_BOOL)
                skl_strset(place(&tables[i], o), NULL);
        }
}

/* -- printing */

static void help_row(const struct skl_option *o, struct skl_buf *out)
{
    static const char *const value[] = {
        [SKL_OPTION_STRING] = " VALUE", [SKL_OPTION_SECRET] = " VALUE",
        [SKL_OPTION_INT] = " N",        [SKL_OPTION_BOOL] = "",
        [SKL_OPTION_ENUM] = "",         [SKL_OPTION_LIST] = " VALUE",
    };

    skl_buf_adds(out, "  ");
    if (o->flag)
        skl_buf_addf(out, "%s%s", o->flag, value[o->type]);
    if (o->type == SKL_OPTION_ENUM && o->flag)
        skl_buf_addf(out, " %s", o->choices);
    if (o->env)
        skl_buf_addf(out, "%s%s", o->flag ? "  " : "", o->env);
    skl_buf_addf(out, "\n        %s", o->help);
    if (o->type == SKL_OPTION_LIST)
        skl_buf_adds(out, "; may be repeated");
    if (o->required)
        skl_buf_adds(out, " (required)");
    else if (!skl_str_empty(o->dflt))
        skl_buf_addf(out, " (default %s)", o->dflt);
    skl_buf_addc(out, '\n');
}

void skl_options_help(const struct skl_option_table *tables, size_t n_tables, struct skl_buf *out)
{
    for (size_t i = 0; i < n_tables; i++) {
        skl_buf_addf(out, "%s%s:\n", i ? "\n" : "", tables[i].title);
        for (size_t k = 0; k < tables[i].n; k++)
            help_row(&tables[i].rows[k], out);
    }
}

static void print_row(const struct skl_option_table *t, const struct skl_option *o,
                      struct skl_buf *out)
{
    const void *from = place(t, o);

    skl_buf_addf(out, "%s=", name_of(o));
    switch (o->type) {
    case SKL_OPTION_SECRET:
        skl_buf_adds(out, skl_str_empty(*(char *const *)from) ? "" : "***");
        break;
    case SKL_OPTION_STRING:
    case SKL_OPTION_ENUM:
        skl_buf_adds(out, *(char *const *)from ? *(char *const *)from : "");
        break;
    case SKL_OPTION_INT:
        skl_buf_addf(out, "%" PRId64, *(const int64_t *)from);
        break;
    case SKL_OPTION_BOOL:
        skl_buf_adds(out, *(const bool *)from ? "true" : "false");
        break;
    case SKL_OPTION_LIST:
        for (char *const *p = *(char **const *)from; p && *p; p++)
            skl_buf_addf(out, "%s%s", p == *(char **const *)from ? "" : ",", *p);
        break;
    }
    skl_buf_addc(out, '\n');
}

void skl_options_print(const struct skl_option_table *tables, size_t n_tables, struct skl_buf *out)
{
    for (size_t i = 0; i < n_tables; i++)
        for (size_t k = 0; k < tables[i].n; k++)
            print_row(&tables[i], &tables[i].rows[k], out);
}
