/* The grammar of each instruction: how its text is divided, which flags it has, and what a Docker Engine refuses
 * before it builds anything. One table says how; the checks that are no more than that have a function each. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "build/dockerfile_internal.h"
#include "build/duration.h"

enum form {
    FORM_WORDS,      /* at white space */
    FORM_PAIRS,      /* name=value, or "name value" */
    FORM_ARGS,       /* name or name=value */
    FORM_TEXT,       /* all of it */
    FORM_JSON_TEXT,  /* JSON, or all of it */
    FORM_JSON_WORDS, /* JSON, or at white space */
    FORM_HEALTH
};

struct grammar {
    enum form form;
    size_t least;         /* arguments */
    bool exactly;         /* no more than that */
    const char *flags[6]; /* "+name" needs no value; NULL ends */
};

static const struct grammar grammars[] = {
    [SKL_I_ADD] = {FORM_JSON_WORDS,
                   2,
                   false,
                   {"chown", "chmod", "+link", "checksum", "+keep-git-dir", NULL}},
    [SKL_I_ARG] = {FORM_ARGS, 1, false, {NULL}},
    [SKL_I_CMD] = {FORM_JSON_TEXT, 0, false, {NULL}},
    [SKL_I_COPY] = {FORM_JSON_WORDS, 2, false, {"from", "chown", "chmod", "+link", NULL}},
    [SKL_I_ENTRYPOINT] = {FORM_JSON_TEXT, 0, false, {NULL}},
    [SKL_I_ENV] = {FORM_PAIRS, 1, false, {NULL}},
    [SKL_I_EXPOSE] = {FORM_WORDS, 1, false, {NULL}},
    [SKL_I_FROM] = {FORM_WORDS, 0, false, {"platform", NULL}},
    [SKL_I_HEALTHCHECK] = {FORM_HEALTH,
                           1,
                           false,
                           {"interval", "timeout", "start-period", "start-interval", "retries",
                            NULL}},
    [SKL_I_LABEL] = {FORM_PAIRS, 1, false, {NULL}},
    [SKL_I_MAINTAINER] = {FORM_TEXT, 1, true, {NULL}},
    [SKL_I_ONBUILD] = {FORM_TEXT, 1, false, {NULL}},
    [SKL_I_RUN] = {FORM_JSON_TEXT, 0, false, {"mount", "network", "security", NULL}},
    [SKL_I_SHELL] = {FORM_JSON_TEXT, 1, false, {NULL}},
    [SKL_I_STOPSIGNAL] = {FORM_TEXT, 1, true, {NULL}},
    [SKL_I_USER] = {FORM_TEXT, 1, true, {NULL}},
    [SKL_I_VOLUME] = {FORM_JSON_WORDS, 1, false, {NULL}},
    [SKL_I_WORKDIR] = {FORM_TEXT, 1, true, {NULL}},
};

static const char *name_of(const struct skl_instruction *i)
{
    return skl_instruction_name(i->kind);
}

/* -- flags */

static int take_flag(struct skl_instruction *i, const char *word, struct skl_error *err)
{
    struct skl_str value, name = skl_str_cut(skl_str(word + 2), '=', &value);
    const char *const *known = grammars[i->kind].flags;
    SKL_AUTO_STR char *key = skl_str_dup(name);
    SKL_AUTO_STR char *text = value.p ? skl_str_dup(value) : NULL;
    bool bare;

    for (; *known && !skl_str_eqz(name, **known == '+' ? *known + 1 : *known); known++)
        ;
    if (!*known)
        return skl_fail(err, SKL_E_INVALID, "Unknown flag: %.100s", key);
    if (skl_instruction_flag(i, key) && !skl_streq(key, "mount"))
        return skl_fail(err, SKL_E_INVALID, "Duplicate flag specified: %s", key);
    bare = **known == '+';
    if (!bare && !text)
        return skl_fail(err, SKL_E_INVALID, "Missing a value on flag: %s", key);
    if (bare && text && !skl_streq(text, "true") && !skl_streq(text, "false"))
        return skl_fail(err, SKL_E_INVALID, "Expecting boolean value for flag %s, not: %.100s", key,
                        text);
    skl_strv_push(&i->flags, key);
    skl_strv_push(&i->flags, text ? text : "true");
    return 0;
}

/* -- forms */

static int take_pairs(struct skl_instruction *i, const char *rest, char escape,
                      struct skl_error *err)
{
    char **words = skl_df_words(rest, escape);
    int rc = 0;

    if (words[0] && !strchr(words[0], '=')) {
        char **two = skl_df_fields(rest, 2);

        i->old_form = true;
        if (!two[0] || !two[1])
            rc = skl_fail(err, SKL_E_INVALID, "%s must have two arguments", name_of(i));
        for (char **p = two; rc == 0 && *p; p++)
            skl_strv_push(&i->args, *p);
        skl_strv_free(two);
        skl_strv_free(words);
        return rc;
    }
    for (char **w = words; rc == 0 && *w; w++) {
        const char *equal = strchr(*w, '=');
        SKL_AUTO_STR char *name = equal ? skl_strndup(*w, (size_t)(equal - *w)) : NULL;

        if (!equal) {
            rc = skl_fail(err, SKL_E_INVALID,
                          "Syntax error - can't find = in \"%.100s\". Must be of the form: "
                          "name=value",
                          *w);
            break;
        }
        skl_strv_push(&i->args, name);
        skl_strv_push(&i->args, equal + 1);
    }
    skl_strv_free(words);
    return rc;
}

static void take_text(struct skl_instruction *i, const char *rest)
{
    if (*rest)
        skl_strv_push(&i->args, rest);
}

static int take_json_or(struct skl_instruction *i, const char *rest, bool words,
                        struct skl_error *err)
{
    int rc = skl_df_json(rest, &i->args, err);

    i->json = rc > 0;
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (words) {
        skl_strv_free(i->args);
        i->args = skl_df_fields(rest, 0);
    } else {
        take_text(i, rest);
    }
    return 0;
}

/* "NONE", or "CMD" and a command in one of its two forms. */
static int take_health(struct skl_instruction *i, const char *rest, struct skl_error *err)
{
    char **parts = skl_df_fields(rest, 2);
    char **words = NULL;
    int rc = 0;

    if (parts[0]) {
        skl_strv_push(&i->args, parts[0]);
        if (parts[1])
            rc = skl_df_json(parts[1], &words, err);
        i->json = rc > 0;
        if (rc == 0 && parts[1])
            skl_strv_push(&i->args, parts[1]);
        for (char **w = words; w && *w; w++)
            skl_strv_push(&i->args, *w);
    }
    skl_strv_free(words);
    skl_strv_free(parts);
    return rc < 0 ? rc : 0;
}

static int divide(struct skl_instruction *i, const char *rest, char escape, struct skl_error *err)
{
    switch (grammars[i->kind].form) {
    case FORM_WORDS:
        i->args = skl_df_fields(rest, 0);
        return 0;
    case FORM_PAIRS:
        return take_pairs(i, rest, escape, err);
    case FORM_ARGS:
        i->args = skl_df_words(rest, escape);
        return 0;
    case FORM_TEXT:
        take_text(i, rest);
        return 0;
    case FORM_JSON_TEXT:
        return take_json_or(i, rest, false, err);
    case FORM_JSON_WORDS:
        return take_json_or(i, rest, true, err);
    case FORM_HEALTH:
        return take_health(i, rest, err);
    }
    return 0;
}

/* -- checks */

static int check_count(const struct skl_instruction *i, struct skl_error *err)
{
    const struct grammar *g = &grammars[i->kind];
    size_t n = skl_strv_len(i->args);

    if (g->exactly && n != g->least)
        return skl_fail(err, SKL_E_INVALID, "%s requires exactly one argument", name_of(i));
    if (n >= g->least)
        return 0;
    if (n == 0 || g->least == 1)
        return skl_fail(err, SKL_E_INVALID, "%s requires at least %s", name_of(i),
                        g->least == 1 ? "one argument" : "two arguments");
    return skl_fail(err, SKL_E_INVALID,
                    "%s requires at least two arguments, but only one was provided. Destination "
                    "could not be determined",
                    name_of(i));
}

static int check_names(const struct skl_instruction *i, size_t step, struct skl_error *err)
{
    for (size_t n = 0; i->args[n]; n += step)
        if (!i->args[n][0] || (step == 1 && i->args[n][0] == '='))
            return skl_fail(err, SKL_E_INVALID, "%s names can not be blank", name_of(i));
    return 0;
}

/* A stage's name becomes lower case. */
static int check_from(struct skl_instruction *i, struct skl_error *err)
{
    size_t n = skl_strv_len(i->args);
    char *name;

    if (n != 1 && (n != 3 || !skl_str_ieqz(skl_str(i->args[1]), "as")))
        return skl_fail(err, SKL_E_INVALID, "FROM requires either one or three arguments");
    if (n == 1)
        return 0;
    name = i->args[2];
    for (char *p = name; *p; p++) {
        bool letter;

        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
        letter = *p >= 'a' && *p <= 'z';
        if (!letter && (p == name || !strchr("0123456789-_.", *p)))
            return skl_fail(err, SKL_E_INVALID,
                            "invalid name for build stage: \"%.100s\", name can't start with a "
                            "number or contain symbols",
                            name);
    }
    return 0;
}

static int check_onbuild(const struct skl_instruction *i, struct skl_error *err)
{
    SKL_AUTO(dockerfile) trigger = NULL;
    struct skl_str word = {i->args[0], 0};
    enum skl_instruction_kind kind;
    struct skl_error inner;
    SKL_AUTO_BUF struct skl_buf text = {0};

    while (word.p[word.n] && !skl_df_space(word.p[word.n]))
        word.n++;
    if (skl_str_ieqz(word, "ONBUILD"))
        return skl_fail(err, SKL_E_INVALID, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (skl_df_kind(word, &kind) && (kind == SKL_I_FROM || kind == SKL_I_MAINTAINER))
        return skl_fail(err, SKL_E_INVALID, "%s isn't allowed as an ONBUILD trigger",
                        skl_instruction_name(kind));
    skl_buf_init(&text, 2 * SKL_DOCKERFILE_MAX);
    skl_buf_adds(&text, i->args[0]);
    for (size_t n = 0; n < i->n_heredocs; n++)
        skl_buf_addf(&text, "\n%s%s", i->heredocs[n].content, i->heredocs[n].name);
    if (skl_dockerfile_parse(skl_buf_str(&text), &trigger, &inner) < 0) {
        const char *cause = strstr(inner.msg, ": ");

        return skl_fail(err, SKL_E_INVALID, "%s", cause ? cause + 2 : inner.msg);
    }
    return 0;
}

static int check_health(struct skl_instruction *i, struct skl_error *err)
{
    static const char *const durations[] = {"interval", "timeout", "start-period",
                                            "start-interval"};
    const char *retries = skl_instruction_flag(i, "retries");
    char *type = i->args[0], *end;

    for (char *p = type; *p; p++)
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
    if (strcmp(type, "NONE") == 0)
        return i->args[1] ? skl_fail(err, SKL_E_INVALID, "HEALTHCHECK NONE takes no arguments") : 0;
    if (strcmp(type, "CMD") != 0)
        return skl_fail(err, SKL_E_INVALID, "Unknown type \"%.100s\" in HEALTHCHECK (try CMD)",
                        type);
    if (!i->args[1])
        return skl_fail(err, SKL_E_INVALID, "Missing command after HEALTHCHECK CMD");
    for (size_t n = 0; n < SKL_ARRAY_LEN(durations); n++) {
        const char *text = skl_instruction_flag(i, durations[n]);
        int64_t ns = 0;
        int rc = text ? skl_duration_parse(text, &ns, err) : 0;

        if (rc < 0)
            return rc;
        if (ns < 0 || (ns > 0 && ns < 1000000))
            return skl_fail(err, SKL_E_INVALID, "Interval \"%s\" cannot be less than 1ms",
                            durations[n]);
    }
    if (retries && *retries) {
        long count = strtol(retries, &end, 10);

        if (*end || end == retries)
            return skl_fail(err, SKL_E_INVALID,
                            "strconv.ParseInt: parsing \"%.100s\": invalid syntax", retries);
        if (count < 0 || count > INT32_MAX)
            return skl_fail(err, SKL_E_INVALID, "--retries cannot be negative (%.100s)", retries);
    }
    return 0;
}

static int check(struct skl_instruction *i, struct skl_error *err)
{
    switch (i->kind) {
    case SKL_I_ENV:
    case SKL_I_LABEL:
        return check_names(i, 2, err);
    case SKL_I_ARG:
        return check_names(i, 1, err);
    case SKL_I_FROM:
        return check_from(i, err);
    case SKL_I_ONBUILD:
        return check_onbuild(i, err);
    case SKL_I_HEALTHCHECK:
        return check_health(i, err);
    case SKL_I_SHELL:
        return i->json ? 0
                       : skl_fail(err, SKL_E_INVALID,
                                  "SHELL requires the arguments to be in JSON form");
    case SKL_I_VOLUME:
        for (char **p = i->args; *p; p++)
            if (skl_str_trim(skl_str(*p)).n == 0)
                return skl_fail(err, SKL_E_INVALID, "VOLUME specified can not be an empty string");
        return 0;
    default:
        return 0;
    }
}

int skl_df_arguments(struct skl_instruction *i, const char *rest, char escape,
                     struct skl_error *err)
{
    char **words = NULL;
    int rc = 0;

    if (i->kind != SKL_I_ONBUILD) /* its flags belong to the trigger */
        rest = skl_df_take_flags(rest, escape, &words);
    rc = divide(i, rest, escape, err);
    for (char **w = words; rc == 0 && w && *w; w++)
        rc = take_flag(i, *w, err);
    skl_strv_free(words);
    if (rc == 0 && !i->args)
        i->args = skl_new0_n(char *, 1);
    if (rc == 0)
        rc = check_count(i, err);
    return rc < 0 ? rc : check(i, err);
}
