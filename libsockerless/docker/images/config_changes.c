#include "docker/images/config_changes.h"

#include <stdio.h>

#include <mbedtls/sha256.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "build/config.h"
#include "docker/lifecycle/lifecycle.h"

static const char *lookup(void *arg, struct skl_str name)
{
    const cJSON *config = arg;
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(config, "Env"))
    {
        if (cJSON_IsString(item) && strncmp(item->valuestring, name.p, name.n) == 0 &&
            item->valuestring[name.n] == '=')
            return item->valuestring + name.n + 1;
    }
    return NULL;
}

static bool signal_ok(const char *name)
{
    int signo;

    return skl_signal_parse(name, &signo);
}

static bool may_change(const char *change)
{
    static const char *const known[] = {"cmd",    "entrypoint", "healthcheck", "env",
                                        "expose", "label",      "onbuild",     "stopsignal",
                                        "user",   "volume",     "workdir"};
    struct skl_str word = skl_str_trim(skl_str(change));

    for (size_t n = 0; n < word.n; n++)
        if (word.p[n] == ' ' || word.p[n] == '\t')
            word.n = n;
    for (size_t i = 0; i < SKL_ARRAY_LEN(known); i++)
        if (skl_str_ieqz(word, known[i]))
            return true;
    return false;
}

static int refuse_change(const char *change, struct skl_error *err)
{
    char word[64];
    size_t n = 0;

    while (*change == ' ' || *change == '\t')
        change++;
    for (; change[n] && change[n] != ' ' && change[n] != '\t' && n + 1 < sizeof(word); n++)
        word[n] = change[n] >= 'A' && change[n] <= 'Z' ? (char)(change[n] + 32) : change[n];
    word[n] = '\0';
    return skl_fail(err, SKL_E_INVALID, "%s is not a valid change command", word);
}

static int apply(cJSON *config, const char *change, struct skl_error *err)
{
    SKL_AUTO(dockerfile) d = NULL;
    const struct skl_expand expand = {'\\', lookup, config};
    struct skl_config_edit edit = {
        .config = config, .expand = &expand, .signal_ok = signal_ok, .cmd_set = true};
    int rc;

    if (!may_change(change))
        return refuse_change(change, err);
    rc = skl_dockerfile_parse(skl_str(change), &d, err);
    if (rc < 0) {
        const char *cause = strstr(err->msg, ": "); /* a change has no lines */
        struct skl_error told;

        skl_fail(&told, err->kind, "%s", cause ? cause + 2 : err->msg);
        *err = told;
        return rc;
    }
    skl_buf_init(&edit.comment, 16 * SKL_MIB);
    for (size_t i = 0; rc == 0 && i < d->n; i++)
        rc = skl_config_knows(d->list[i].kind)
                 ? skl_config_apply(&edit, &d->list[i], err)
                 : refuse_change(skl_instruction_name(d->list[i].kind), err);
    skl_buf_fini(&edit.comment);
    free(edit.author);
    return rc;
}

int skl_config_changes(const struct skl_request *r, cJSON *config, struct skl_error *err)
{
    char **changes = skl_request_query_all(r, "changes");
    int rc = 0;

    for (char **p = changes; rc == 0 && p && *p; p++)
        if (**p)
            rc = apply(config, *p, err);
    skl_strv_free(changes);
    return rc;
}

void skl_config_id(const char *text, char out[72])
{
    SKL_AUTO_BUF struct skl_buf hex = {0};
    unsigned char sum[32];

    skl_buf_init(&hex, 128);
    (void)mbedtls_sha256_ret((const unsigned char *)text, strlen(text), sum, 0); /* in memory */
    skl_hex_add(&hex, sum, sizeof(sum));
    snprintf(out, 72, "sha256:%s", hex.p);
}
