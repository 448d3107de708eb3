/* Words of a Dockerfile line. Quotes and escapes stay in the words: expansion takes them off (build/expand.c). */
#include "base/alloc.h"
#include "base/json_read.h"
#include "build/dockerfile_internal.h"

bool skl_df_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void push(char ***v, struct skl_buf *word)
{
    skl_strv_push(v, word->p);
    skl_buf_reset(word);
}

static char **no_words(void)
{
    return skl_new0_n(char *, 1);
}

char **skl_df_words(const char *s, char escape)
{
    SKL_AUTO_BUF struct skl_buf word = {0};
    char **v = no_words();
    char quote = '\0';
    bool any = false; /* an empty pair of quotes is a word */

    skl_buf_init(&word, SKL_DOCKERFILE_MAX + 1);
    for (; *s; s++) {
        if (!quote && skl_df_space(*s)) {
            if (any || word.n > 0)
                push(&v, &word);
            any = false;
            continue;
        }
        if (*s == quote) {
            quote = '\0';
        } else if (*s == escape && quote != '\'') {
            if (!s[1])
                break; /* an escape of nothing */
            skl_buf_addc(&word, *s++);
        } else if (!quote && (*s == '\'' || *s == '"')) {
            quote = *s;
            any = true;
        }
        skl_buf_addc(&word, *s);
    }
    if (any || word.n > 0)
        push(&v, &word);
    return v;
}

char **skl_df_fields(const char *s, size_t n)
{
    char **v = no_words();
    size_t count = 0;

    while (*s) {
        size_t len = 0;

        while (s[len] && (!skl_df_space(s[len]) || (n && count + 1 == n)))
            len++;
        if (len > 0) {
            SKL_AUTO_STR char *word = skl_strndup(s, len);

            skl_strv_push(&v, word);
            count++;
        }
        s += len;
        while (skl_df_space(*s))
            s++;
    }
    return v;
}

/* One "--word", its quotes taken off; returns what follows it. */
static const char *flag_word(const char *s, char escape, struct skl_buf *word)
{
    char quote = '\0';

    for (; *s && (quote || !skl_df_space(*s)); s++) {
        if (quote && *s == quote) {
            quote = '\0';
            continue;
        }
        if (!quote && (*s == '\'' || *s == '"')) {
            quote = *s;
            continue;
        }
        if (*s == escape && s[1])
            s++;
        skl_buf_addc(word, *s);
    }
    return s;
}

const char *skl_df_take_flags(const char *s, char escape, char ***ret)
{
    SKL_AUTO_BUF struct skl_buf word = {0};

    skl_buf_init(&word, SKL_DOCKERFILE_MAX + 1);
    for (;;) {
        while (skl_df_space(*s))
            s++;
        if (s[0] != '-' || s[1] != '-')
            return s;
        s = flag_word(s, escape, &word);
        if (strcmp(word.p, "--") == 0) {
            while (skl_df_space(*s))
                s++;
            return s;
        }
        push(ret, &word);
    }
}

int skl_df_json(const char *rest, char ***ret, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *json = NULL;
    const cJSON *item;

    while (skl_df_space(*rest))
        rest++;
    if (*rest != '[')
        return 0;
    json = cJSON_ParseWithOpts(rest, NULL, false); /* what follows the array is ignored */
    if (!cJSON_IsArray(json))
        return 0;
    cJSON_ArrayForEach(item, json) if (!cJSON_IsString(item)) return skl_fail(
        err, SKL_E_INVALID,
        "when using JSON array syntax, arrays must be comprised of strings only");
    skl_strv_free(*ret);
    *ret = no_words();
    cJSON_ArrayForEach(item, json) skl_strv_push(ret, item->valuestring);
    return 1;
}
