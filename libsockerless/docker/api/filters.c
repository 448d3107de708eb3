#include "docker/api/filters.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json_read.h"
#include "base/limits.h"

static int bad_filter(struct skl_error *err)
{
    return skl_fail(err, SKL_E_INVALID, "invalid filter");
}

static int take_values(const cJSON *from, struct skl_filter *to, struct skl_error *err)
{
    const cJSON *item;

    to->values = skl_new0_n(char *, (size_t)cJSON_GetArraySize(from) + 1);
    size_t n = 0;
    cJSON_ArrayForEach(item, from)
    {
        if (cJSON_IsObject(from)) {
            if (!cJSON_IsBool(item))
                return bad_filter(err);
            if (cJSON_IsTrue(item))
                to->values[n++] = skl_strdup(item->string);
        } else if (cJSON_IsString(item)) {
            to->values[n++] = skl_strdup(item->valuestring);
        } else {
            return bad_filter(err);
        }
    }
    return 0;
}

int skl_filters_parse(const char *text, struct skl_filters *ret, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *json = NULL;
    const cJSON *item;

    *ret = (struct skl_filters){0};
    if (skl_str_trim(skl_str(text)).n == 0)
        return 0;
    if (skl_json_parse(skl_str(text), &json, NULL) < 0 || !cJSON_IsObject(json))
        return cJSON_IsNull(json) ? 0 : bad_filter(err);
    ret->items = skl_new0_n(struct skl_filter, (size_t)cJSON_GetArraySize(json) + 1);
    cJSON_ArrayForEach(item, json)
    {
        struct skl_filter *f = &ret->items[ret->n];

        if (!cJSON_IsObject(item) && !cJSON_IsArray(item)) {
            skl_filters_fini(ret);
            return bad_filter(err);
        }
        f->key = skl_strdup(item->string);
        ret->n++;
        if (take_values(item, f, err) < 0) {
            skl_filters_fini(ret);
            return -SKL_E_INVALID;
        }
    }
    return 0;
}

static void free_patterns(struct skl_filter *f)
{
    if (!f->compiled)
        return;
    for (size_t i = 0; f->values[i]; i++)
        skl_pattern_free(f->compiled[i]);
    free(f->compiled);
}

void skl_filters_fini(struct skl_filters *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free_patterns(&f->items[i]);
        free(f->items[i].key);
        skl_strv_free(f->items[i].values);
    }
    free(f->items);
    *f = (struct skl_filters){0};
}

int skl_filters_accept(const struct skl_filters *f, const char *const *keys, struct skl_error *err)
{
    for (size_t i = 0; i < f->n; i++) {
        const char *const *k = keys;

        while (*k && !skl_streq(*k, f->items[i].key))
            k++;
        if (!*k)
            return skl_fail(err, SKL_E_INVALID, "invalid filter '%.200s'", f->items[i].key);
    }
    return 0;
}

static struct skl_filter *find(const struct skl_filters *f, const char *key)
{
    for (size_t i = 0; i < f->n; i++)
        if (skl_streq(f->items[i].key, key) && f->items[i].values[0])
            return &f->items[i];
    return NULL;
}

bool skl_filters_has(const struct skl_filters *f, const char *key)
{
    return find(f, key) != NULL;
}

char *const *skl_filters_values(const struct skl_filters *f, const char *key)
{
    const struct skl_filter *x = find(f, key);

    return x ? x->values : NULL;
}

bool skl_filters_exact(const struct skl_filters *f, const char *key, const char *value)
{
    char *const *v = skl_filters_values(f, key);

    if (!v)
        return true;
    for (; *v; v++)
        if (skl_streq(*v, value))
            return true;
    return false;
}

bool skl_filters_prefix(const struct skl_filters *f, const char *key, const char *value)
{
    char *const *v = skl_filters_values(f, key);

    if (!v)
        return true;
    for (; *v; v++)
        if (skl_str_starts(skl_str(value), *v))
            return true;
    return false;
}

static void compile_all(struct skl_filter *x)
{
    x->compiled = skl_new0_n(struct skl_pattern *, skl_strv_len(x->values) + 1);
    for (size_t i = 0; x->values[i]; i++)
        x->compiled[i] = skl_pattern_new(x->values[i]);
}

bool skl_filters_name(struct skl_filters *f, const char *key, const char *name)
{
    struct skl_filter *x = find(f, key);
    SKL_AUTO_BUF struct skl_buf slashed = {0};

    skl_buf_init(&slashed, 64 * SKL_KIB);
    if (!x)
        return true;
    if (!x->compiled)
        compile_all(x);
    skl_buf_addf(&slashed, "/%s", name);
    for (size_t i = 0; x->values[i]; i++) {
        if (skl_streq(x->values[i], name) || skl_streq(x->values[i], slashed.p))
            return true;
        if (x->compiled[i] && (skl_pattern_matches(x->compiled[i], name) ||
                               skl_pattern_matches(x->compiled[i], slashed.p)))
            return true;
    }
    return false;
}

bool skl_filters_labels(const struct skl_filters *f, const char *key,
                        const struct skl_labels *labels)
{
    char *const *v = skl_filters_values(f, key);

    for (; v && *v; v++)
        if (!skl_labels_match(labels, *v))
            return false;
    return true;
}

/* "key=[a b]", as Go prints a list. */
static int bad_values(const char *key, char *const *v, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf list = {0};

    skl_buf_init(&list, 64 * SKL_KIB);
    for (char *const *p = v; *p; p++)
        skl_buf_addf(&list, "%s%s", p == v ? "" : " ", *p);
    return skl_fail(err, SKL_E_INVALID, "invalid filter '%s=[%.200s]'", key, list.p);
}

int skl_filters_bool(const struct skl_filters *f, const char *key, bool *ret, struct skl_error *err)
{
    char *const *v = skl_filters_values(f, key), *const * p;
    bool yes = false, no = false;

    for (p = v; p && *p; p++) {
        yes |= skl_streq(*p, "1") || skl_streq(*p, "true");
        no |= skl_streq(*p, "0") || skl_streq(*p, "false");
    }
    if (!v)
        return 0;
    if (yes == no) /* neither, or both */
        return bad_values(key, v, err);
    *ret = yes;
    return 0;
}
