#include "build/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "build/duration.h"
#include "build/ignore.h"

void skl_config_set(cJSON *config, const char *name, cJSON *own_value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(config, name);
    if (own_value)
        cJSON_AddItemToObject(config, name, own_value);
}

/* The member, made as an empty object or array when it is not there. */
static cJSON *member(cJSON *config, const char *name, bool array)
{
    cJSON *m = cJSON_GetObjectItemCaseSensitive(config, name);

    if (array ? cJSON_IsArray(m) : cJSON_IsObject(m))
        return m;
    m = array ? cJSON_CreateArray() : cJSON_CreateObject();
    skl_config_set(config, name, m);
    return m;
}

void skl_config_set_env(cJSON *config, const char *name, const char *value)
{
    cJSON *env = member(config, "Env", true), *item, *made;
    SKL_AUTO_BUF struct skl_buf b = {0};
    size_t n = strlen(name);
    int at = 0;

    skl_buf_init(&b, 2 * SKL_EXPAND_MAX + SKL_DOCKERFILE_MAX);
    skl_buf_addf(&b, "%s=%s", name, value);
    made = cJSON_CreateString(b.p);
    cJSON_ArrayForEach(item, env)
    {
        if (cJSON_IsString(item) && strncmp(item->valuestring, name, n) == 0 &&
            (item->valuestring[n] == '=' || !item->valuestring[n])) {
            cJSON_ReplaceItemInArray(env, at, made);
            return;
        }
        at++;
    }
    cJSON_AddItemToArray(env, made);
}

void skl_config_set_label(cJSON *config, const char *name, const char *value)
{
    skl_config_set(member(config, "Labels", false), name, cJSON_CreateString(value));
}

void skl_config_shell(const cJSON *config, struct skl_buf *to)
{
    const cJSON *shell = cJSON_GetObjectItemCaseSensitive(config, "Shell"), *item;
    const char *space = "";

    if (cJSON_GetArraySize(shell) == 0) {
        skl_buf_adds(to, "/bin/sh -c");
        return;
    }
    cJSON_ArrayForEach(item, shell) if (cJSON_IsString(item))
    {
        skl_buf_addf(to, "%s%s", space, item->valuestring);
        space = " ";
    }
}

/* -- commands */

/* The words of CMD and ENTRYPOINT: as they are, or a shell's. */
static cJSON *command(const struct skl_config_edit *e, const struct skl_instruction *i)
{
    const cJSON *shell = cJSON_GetObjectItemCaseSensitive(e->config, "Shell");
    cJSON *words = cJSON_CreateArray();

    if (!i->json) { /* also for no words at all, as an Engine does */
        const cJSON *item;

        if (cJSON_GetArraySize(shell) == 0) {
            cJSON_AddItemToArray(words, cJSON_CreateString("/bin/sh"));
            cJSON_AddItemToArray(words, cJSON_CreateString("-c"));
        }
        cJSON_ArrayForEach(item, shell) cJSON_AddItemToArray(words, cJSON_Duplicate(item, true));
    }
    for (char **p = i->args; *p; p++)
        cJSON_AddItemToArray(words, cJSON_CreateString(*p));
    return words;
}

/* ["a" "b"], as Go prints it with %q */
static void comment_words(struct skl_config_edit *e, const char *name, const cJSON *words)
{
    const cJSON *item;
    const char *space = "";

    skl_buf_addf(&e->comment, "%s [", name);
    cJSON_ArrayForEach(item, words)
    {
        SKL_AUTO_STR char *quoted = skl_json_text(item);

        skl_buf_addf(&e->comment, "%s%s", space, quoted);
        space = " ";
    }
    skl_buf_addc(&e->comment, ']');
}

static int apply_command(struct skl_config_edit *e, const struct skl_instruction *i)
{
    cJSON *words = command(e, i);

    comment_words(e, skl_instruction_name(i->kind), words);
    if (i->kind == SKL_I_CMD) {
        skl_config_set(e->config, "Cmd", words);
        e->cmd_set = true;
        return 0;
    }
    skl_config_set(e->config, "Entrypoint", words);
    if (!e->cmd_set) /* the base image's command belonged to its own entrypoint */
        skl_config_set(e->config, "Cmd", NULL);
    return 0;
}

static int apply_shell(struct skl_config_edit *e, const struct skl_instruction *i)
{
    cJSON *words = cJSON_CreateArray();
    const char *space = "";

    skl_buf_adds(&e->comment, "SHELL [");
    for (char **p = i->args; *p; p++) {
        cJSON_AddItemToArray(words, cJSON_CreateString(*p));
        skl_buf_addf(&e->comment, "%s%s", space, *p);
        space = " ";
    }
    skl_buf_addc(&e->comment, ']');
    skl_config_set(e->config, "Shell", words);
    return 0;
}

static void add_duration(cJSON *health, const struct skl_instruction *i, const char *flag,
                         const char *name)
{
    const char *text = skl_instruction_flag(i, flag);
    int64_t ns;

    if (text && skl_duration_parse(text, &ns, NULL) == 0 && ns > 0)
        cJSON_AddNumberToObject(health, name, (double)ns);
}

static int apply_health(struct skl_config_edit *e, const struct skl_instruction *i)
{
    cJSON *health = cJSON_CreateObject(), *test = cJSON_AddArrayToObject(health, "Test");
    const char *retries = skl_instruction_flag(i, "retries");

    cJSON_AddItemToArray(test, cJSON_CreateString(i->json      ? "CMD"
                                                  : i->args[1] ? "CMD-SHELL"
                                                               : "NONE"));
    for (char **p = i->args + 1; *p; p++)
        cJSON_AddItemToArray(test, cJSON_CreateString(*p));
    add_duration(health, i, "interval", "Interval");
    add_duration(health, i, "timeout", "Timeout");
    add_duration(health, i, "start-period", "StartPeriod");
    add_duration(health, i, "start-interval", "StartInterval");
    if (retries && strtol(retries, NULL, 10) > 0)
        cJSON_AddNumberToObject(health, "Retries", (double)strtol(retries, NULL, 10));
    comment_words(e, "HEALTHCHECK", test);
    skl_config_set(e->config, "Healthcheck", health);
    return 0;
}

/* -- words with variables */

static int apply_env(struct skl_config_edit *e, const struct skl_instruction *i,
                     struct skl_error *err)
{
    bool env = i->kind == SKL_I_ENV;
    char **expanded = NULL;
    int rc = 0;

    /* All of one instruction see the variables from before it. */
    for (char **p = i->args; rc == 0 && *p; p++) {
        SKL_AUTO_STR char *text = NULL;

        rc = skl_expand_word(e->expand, *p, &text, err);
        if (rc == 0)
            skl_strv_push(&expanded, text);
    }
    skl_buf_adds(&e->comment, skl_instruction_name(i->kind));
    for (char **p = expanded; rc == 0 && p && *p; p += 2) {
        if (!**p)
            rc = skl_fail(err, SKL_E_INVALID, "%s names can not be blank",
                          skl_instruction_name(i->kind));
        else if (env)
            skl_config_set_env(e->config, p[0], p[1]);
        else
            skl_config_set_label(e->config, p[0], p[1]);
        skl_buf_addf(&e->comment, " %s=%s", p[0], p[1]);
    }
    skl_strv_free(expanded);
    return rc;
}

static int apply_workdir(struct skl_config_edit *e, const struct skl_instruction *i,
                         struct skl_error *err)
{
    const char *before = skl_json_get_str(e->config, "WorkingDir");
    SKL_AUTO_STR char *text = NULL, *clean = NULL;
    SKL_AUTO_BUF struct skl_buf b = {0};
    int rc = skl_expand_word(e->expand, i->args[0], &text, err);

    if (rc < 0)
        return rc;
    if (!*text)
        return skl_fail(err, SKL_E_INVALID, "cannot normalize nothing");
    skl_buf_init(&b, 2 * SKL_EXPAND_MAX);
    if (*text == '/') {
        clean = skl_take(&text); /* as it is */
    } else {
        skl_buf_addf(&b, "/%s/%s", before ? before : "", text);
        clean = skl_pattern_clean(skl_buf_str(&b));
    }
    skl_config_set(e->config, "WorkingDir", cJSON_CreateString(clean));
    skl_buf_addf(&e->comment, "WORKDIR %s", clean);
    return 0;
}

static int apply_text(struct skl_config_edit *e, const struct skl_instruction *i, const char *name,
                      struct skl_error *err)
{
    SKL_AUTO_STR char *text = NULL;
    int rc = skl_expand_word(e->expand, i->args[0], &text, err);

    if (rc < 0)
        return rc;
    if (i->kind == SKL_I_STOPSIGNAL && !e->signal_ok(text))
        return skl_fail(err, SKL_E_INVALID, "Invalid signal: %.100s", text);
    skl_config_set(e->config, name, cJSON_CreateString(text));
    skl_buf_addf(&e->comment, "%s %s", skl_instruction_name(i->kind), text);
    return 0;
}

static int apply_volume(struct skl_config_edit *e, const struct skl_instruction *i,
                        struct skl_error *err)
{
    const char *space = "";

    skl_buf_adds(&e->comment, "VOLUME [");
    for (char **p = i->args; *p; p++) {
        SKL_AUTO_STR char *text = NULL;
        int rc = skl_expand_word(e->expand, *p, &text, err);

        if (rc < 0)
            return rc;
        if (!*text)
            return skl_fail(err, SKL_E_INVALID, "VOLUME specified can not be an empty string");
        skl_config_set(member(e->config, "Volumes", false), text, cJSON_CreateObject());
        skl_buf_addf(&e->comment, "%s%s", space, text);
        space = " ";
    }
    skl_buf_addc(&e->comment, ']');
    return 0;
}

/* -- EXPOSE */

static bool port_range(struct skl_str s, unsigned *from, unsigned *to)
{
    struct skl_str last, first = skl_str_cut(s, '-', &last);
    uint64_t a, b;

    if (!skl_str_u64(first, &a) || a > 65535)
        return false;
    b = a;
    if (last.p && (!skl_str_u64(last, &b) || b > 65535 || b < a))
        return false;
    *from = (unsigned)a;
    *to = (unsigned)b;
    return true;
}

static int add_ports(struct skl_config_edit *e, const char *spec, struct skl_error *err)
{
    struct skl_str proto, range = skl_str_cut(skl_str(spec), '/', &proto);
    const char *name = "tcp", *colon;
    unsigned from, to;

    if (proto.p) {
        if (skl_str_ieqz(proto, "udp"))
            name = "udp";
        else if (skl_str_ieqz(proto, "sctp"))
            name = "sctp";
        else if (!skl_str_ieqz(proto, "tcp"))
            return skl_fail(err, SKL_E_INVALID, "Invalid proto: %.*s",
                            (int)(proto.n < 100 ? proto.n : 100), proto.p);
    }
    while ((colon = skl_str_find(range, ':'))) /* a host's part is left out, as an Engine does */
        range = skl_str_skip(range, (size_t)(colon - range.p) + 1);
    if (!port_range(range, &from, &to))
        return skl_fail(err, SKL_E_INVALID, "Invalid containerPort: %.*s",
                        (int)(range.n < 100 ? range.n : 100), range.p);
    for (; from <= to; from++) {
        char key[32];

        snprintf(key, sizeof(key), "%u/%s", from, name);
        skl_config_set(member(e->config, "ExposedPorts", false), key, cJSON_CreateObject());
    }
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int apply_expose(struct skl_config_edit *e, const struct skl_instruction *i,
                        struct skl_error *err)
{
    char **ports = NULL;
    int rc = 0;

    for (char **p = i->args; rc == 0 && *p; p++)
        rc = skl_expand_words(e->expand, *p, &ports, err);
    if (ports)
        qsort(ports, skl_strv_len(ports), sizeof(*ports), compare_texts);
    skl_buf_adds(&e->comment, "EXPOSE");
    for (char **p = ports; rc == 0 && p && *p; p++) {
        rc = add_ports(e, *p, err);
        skl_buf_addf(&e->comment, " %s", *p);
    }
    skl_strv_free(ports);
    return rc;
}

static int apply_onbuild(struct skl_config_edit *e, const struct skl_instruction *i)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 2 * SKL_DOCKERFILE_MAX);
    skl_buf_adds(&b, i->args[0]);
    for (size_t n = 0; n < i->n_heredocs; n++)
        skl_buf_addf(&b, "\n%s%s", i->heredocs[n].content, i->heredocs[n].name);
    cJSON_AddItemToArray(member(e->config, "OnBuild", true), cJSON_CreateString(b.p));
    skl_buf_addf(&e->comment, "ONBUILD %s", i->args[0]);
    return 0;
}

bool skl_config_knows(enum skl_instruction_kind kind)
{
    return kind != SKL_I_FROM && kind != SKL_I_ARG && kind != SKL_I_RUN && kind != SKL_I_COPY &&
           kind != SKL_I_ADD;
}

int skl_config_apply(struct skl_config_edit *e, const struct skl_instruction *i,
                     struct skl_error *err)
{
    skl_buf_reset(&e->comment);
    switch (i->kind) {
    case SKL_I_CMD:
    case SKL_I_ENTRYPOINT:
        return apply_command(e, i);
    case SKL_I_ENV:
    case SKL_I_LABEL:
        return apply_env(e, i, err);
    case SKL_I_EXPOSE:
        return apply_expose(e, i, err);
    case SKL_I_HEALTHCHECK:
        return apply_health(e, i);
    case SKL_I_MAINTAINER:
        skl_strset(&e->author, i->args[0]);
        skl_buf_addf(&e->comment, "MAINTAINER %s", i->args[0]);
        return 0;
    case SKL_I_ONBUILD:
        return apply_onbuild(e, i);
    case SKL_I_SHELL:
        return apply_shell(e, i);
    case SKL_I_STOPSIGNAL:
        return apply_text(e, i, "StopSignal", err);
    case SKL_I_USER:
        return apply_text(e, i, "User", err);
    case SKL_I_VOLUME:
        return apply_volume(e, i, err);
    case SKL_I_WORKDIR:
        return apply_workdir(e, i, err);
    default:
        return skl_fail(err, SKL_E_INVALID, "%s changes more than the configuration",
                        skl_instruction_name(i->kind));
    }
}
