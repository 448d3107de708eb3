/* Build arguments and where they are seen: before the first FROM only in FROM lines; in a stage from its ARG on; ENV hides an
 * ARG of the same name; the proxies need no ARG. */
#include "build/build_internal.h"

static const char *const predefined[] = {
    "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY",
    "ftp_proxy",  "NO_PROXY",   "no_proxy",    "ALL_PROXY",   "all_proxy",
};

const char *skl_build_pair(char *const *pairs, const char *name)
{
    for (; pairs && *pairs; pairs += 2)
        if (skl_streq(*pairs, name))
            return pairs[1];
    return NULL;
}

void skl_build_set_pair(char ***pairs, const char *name, const char *value)
{
    for (char **p = *pairs; p && *p; p += 2)
        if (skl_streq(*p, name)) {
            skl_strset(&p[1], value);
            return;
        }
    skl_strv_push(pairs, name);
    skl_strv_push(pairs, value);
}

static bool is_predefined(const char *name)
{
    for (size_t i = 0; i < SKL_ARRAY_LEN(predefined); i++)
        if (strcmp(predefined[i], name) == 0)
            return true;
    return false;
}

/* The machine that builds and the one that is built for are the same to us. */
static const char *platform_arg(const struct skl_build *b, const char *name)
{
    if (skl_str_starts(skl_str(name), "TARGET"))
        name += strlen("TARGET");
    else if (skl_str_starts(skl_str(name), "BUILD"))
        name += strlen("BUILD");
    else
        return NULL;
    if (skl_streq(name, "OS"))
        return b->s.os;
    if (skl_streq(name, "ARCH"))
        return b->s.architecture;
    if (skl_streq(name, "VARIANT"))
        return b->s.variant ? b->s.variant : "";
    return skl_streq(name, "PLATFORM") ? skl_build_pair(b->meta_args, " platform") : NULL;
}

const char *skl_build_env(const cJSON *config, const char *name)
{
    const cJSON *item;
    size_t n = strlen(name);

    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(
                                 config, "Env")) if (cJSON_IsString(item) &&
                                                     strncmp(item->valuestring, name, n) == 0 &&
                                                     item->valuestring[n] ==
                                                         '=') return item->valuestring +
        n + 1;
    return NULL;
}

const char *skl_build_lookup(void *build, struct skl_str text)
{
    struct skl_build *b = build;
    SKL_AUTO_STR char *name = skl_str_dup(text);
    const char *value = NULL;
    bool in_from = b->file->list[b->at].kind == SKL_I_FROM || b->n_stages == 0;

    if (in_from) {
        value = skl_build_pair(b->meta_args, name);
        return value ? value : platform_arg(b, name);
    }
    value = skl_build_env(stage_config(stage_now(b)), name);
    if (!value)
        value = skl_build_pair(stage_now(b)->arg_values, name);
    if (!value && is_predefined(name))
        value = skl_build_pair(b->s.args, name);
    return value;
}

int skl_build_take_arg(struct skl_build *b, const char *word, struct skl_buf *comment,
                       struct skl_error *err)
{
    SKL_AUTO_STR char *text = NULL, *name = NULL;
    const char *equal, *value;
    int rc = skl_expand_word(&b->expand, word, &text, err);

    if (rc < 0)
        return rc;
    equal = strchr(text, '=');
    name = equal ? skl_strndup(text, (size_t)(equal - text)) : skl_strdup(text);
    skl_buf_addf(comment, " %s", text);
    value = skl_build_pair(b->s.args, name);
    skl_strv_push(&b->used_args, name);
    if (!value && equal)
        value = equal + 1;
    if (!value && b->n_stages > 0)
        value = skl_build_pair(b->meta_args, name);
    if (!value)
        value = platform_arg(b, name);
    if (value)
        skl_build_set_pair(b->n_stages ? &stage_now(b)->arg_values : &b->meta_args, name, value);
    return 0;
}

void skl_build_warn_unused(struct skl_build *b)
{
    SKL_AUTO_BUF struct skl_buf names = {0};

    skl_buf_init(&names, 1u << 20);
    for (char *const *p = b->s.args; p && *p; p += 2) {
        bool used = is_predefined(*p);

        for (char **u = b->used_args; u && *u; u++)
            used |= skl_streq(*u, *p);
        if (!used)
            skl_buf_addf(&names, "%s%s", names.n ? " " : "", *p);
    }
    if (names.n)
        skl_build_say(b, "[Warning] One or more build-args [%s] were not consumed\n", names.p);
}
