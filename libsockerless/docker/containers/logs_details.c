/* `details` of logs: the labels and variables that the log options name ("labels", "labels-regex", "env", "env-regex"), as
 * k=v,k2=v2 in the order of their names, encoded as in a query. Of `tag` a plain text is told, a template is not. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/api/pattern.h"
#include "docker/containers/logs.h"

#define MAX_DETAILS (32 * SKL_KIB) /* before each line */

struct wanted {
    const char *names; /* comma-separated; NULL: none */
    struct skl_pattern *pattern;
};

static void wanted_init(struct wanted *w, const cJSON *options, const char *names,
                        const char *pattern)
{
    const char *text = skl_json_get_str(options, pattern);

    w->names = skl_json_get_str(options, names);
    w->pattern = skl_str_empty(text) ? NULL : skl_pattern_new(text);
}

static bool is_wanted(const struct wanted *w, const char *name)
{
    struct skl_str rest = skl_str(w->names);

    while (rest.p && rest.n > 0)
        if (skl_str_eqz(skl_str_cut(rest, ',', &rest), name))
            return true;
    return w->pattern && skl_pattern_matches(w->pattern, name);
}

/* As Go writes a query: a space is '+'. */
static void add_encoded(struct skl_buf *b, struct skl_str s)
{
    while (s.p) {
        skl_url_encode(b, skl_str_cut(s, ' ', &s));
        if (s.p)
            skl_buf_addc(b, '+');
    }
}

static void push(char ***v, const char *name, const char *value)
{
    struct skl_buf b;

    skl_buf_init(&b, MAX_DETAILS);
    add_encoded(&b, skl_str(name));
    skl_buf_addc(&b, '=');
    add_encoded(&b, skl_str(value));
    if (!b.failed)
        skl_strv_push(v, b.p);
    skl_buf_fini(&b);
}

static void push_labels(char ***v, const cJSON *config, const cJSON *options)
{
    const cJSON *label;
    struct wanted w;

    wanted_init(&w, options, "labels", "labels-regex");
    cJSON_ArrayForEach(label, skl_json_get(config, "Labels")) if (cJSON_IsString(label) &&
                                                                  is_wanted(&w, label->string))
        push(v, label->string, label->valuestring);
    skl_pattern_free(w.pattern);
}

static void push_env(char ***v, const cJSON *config, const cJSON *options)
{
    const cJSON *item;
    struct wanted w;

    wanted_init(&w, options, "env", "env-regex");
    cJSON_ArrayForEach(item, skl_json_get(config, "Env"))
    {
        struct skl_str value, name = skl_str_cut(skl_str(item->valuestring), '=', &value);
        SKL_AUTO_STR char *text = skl_str_dup(name);

        if (value.p && is_wanted(&w, text))
            push(v, text, value.p);
    }
    skl_pattern_free(w.pattern);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *skl_logs_details(const struct skl_container *c)
{
    SKL_AUTO_JSON cJSON *config = NULL, *host = NULL;
    const cJSON *options;
    const char *tag;
    struct skl_buf b;
    char **v = NULL;

    skl_buf_init(&b, MAX_DETAILS);
    if (skl_json_parse(skl_str(c->spec.config_json), &config, NULL) < 0 ||
        skl_json_parse(skl_str(c->spec.host_config_json), &host, NULL) < 0)
        return skl_buf_detach(&b);
    options = skl_json_get(skl_json_get(host, "LogConfig"), "Config");
    tag = skl_json_get_str(options, "tag");
    push_labels(&v, config, options);
    push_env(&v, config, options);
    if (!skl_str_empty(tag) && !strstr(tag, "{{"))
        push(&v, "tag", tag);
    if (v)
        qsort(v, skl_strv_len(v), sizeof(*v), by_text);
    for (char **p = v; p && *p; p++)
        skl_buf_addf(&b, "%s%s", p == v ? "" : ",", *p);
    skl_strv_free(v);
    if (b.failed)
        skl_buf_reset(&b);
    return skl_buf_detach(&b);
}
