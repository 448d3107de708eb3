#include "docker/images/image_names.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/id.h"
#include "base/json_read.h"

#define ID_PREFIX "sha256:"

static bool is_full_id(const char *text)
{
    return skl_str_starts(skl_str(text), ID_PREFIX) && strlen(text) == strlen(ID_PREFIX) + 64;
}

static const char *bare_id(const char *text)
{
    return skl_str_starts(skl_str(text), ID_PREFIX) ? text + strlen(ID_PREFIX) : text;
}

int skl_image_lookup(struct skl_store *s, const char *text, struct skl_image **ret,
                     struct skl_error *err)
{
    SKL_AUTO_REFERENCE struct skl_reference ref = {0};
    SKL_AUTO_STR char *familiar = NULL;
    struct skl_error bad;
    int rc = 0;

    *ret = NULL;
    if (is_full_id(text) || (strlen(text) == 64 && skl_is_hex(skl_str(text))) ||
        skl_str_starts(skl_str(text), ID_PREFIX)) {
        *ret = skl_image_find(s, text);
        return *ret ? 0 : skl_fail(err, SKL_E_NOTFOUND, "No such image: %.300s", text);
    }
    rc = skl_reference_parse(text, &ref, &bad);
    if (rc == 0) {
        skl_reference_default_tag(&ref);
        familiar = skl_reference_familiar(&ref);
        *ret = skl_image_find(s, familiar);
    }
    if (!*ret && skl_is_hex(skl_str(text)))
        *ret = skl_image_find(s, text);
    if (*ret)
        return 0;
    if (rc < 0) {
        if (err)
            *err = bad;
        return rc;
    }
    return skl_fail(err, SKL_E_NOTFOUND, "No such image: %.300s", familiar);
}

bool skl_image_is_by_id(const struct skl_image *i, const char *text)
{
    const char *hex = bare_id(text);

    return skl_is_hex(skl_str(hex)) && skl_str_starts(skl_str(bare_id(i->id)), hex);
}

char *skl_image_repository(const char *ref)
{
    const char *end = strchr(ref, '@'), *slash;

    if (end)
        return skl_strndup(ref, (size_t)(end - ref));
    slash = strrchr(ref, '/');
    end = strchr(slash ? slash : ref, ':');
    return end ? skl_strndup(ref, (size_t)(end - ref)) : skl_strdup(ref);
}

static void take_part(struct skl_str part, char **to)
{
    if (part.n > 0)
        *to = skl_str_dup(part);
}

static const char *known_architecture(const char *name)
{
    static const char *const alias[][2] = {
        {"x86_64", "amd64"}, {"x86-64", "amd64"}, {"aarch64", "arm64"},
        {"armhf", "arm"},    {"i386", "386"},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(alias); i++)
        if (skl_streq(alias[i][0], name))
            return alias[i][1];
    return name;
}

static size_t count_slashes(struct skl_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '/';
    return n;
}

int skl_platform_parse(const char *text, struct skl_platform *ret, struct skl_error *err)
{
    struct skl_str rest = skl_str_trim(skl_str(text));

    *ret = (struct skl_platform){0};
    if (rest.n == 0)
        return 0;
    if (rest.p[0] == '{') {
        SKL_AUTO_JSON cJSON *json = NULL;

        if (skl_json_parse(rest, &json, NULL) < 0)
            return skl_fail(err, SKL_E_INVALID, "failed to parse platform: invalid JSON");
        ret->os = skl_strdup(skl_json_get_str(json, "os"));
        ret->architecture = skl_strdup(skl_json_get_str(json, "architecture"));
        ret->variant = skl_strdup(skl_json_get_str(json, "variant"));
        return 0;
    }
    for (size_t i = 0; i < rest.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./",
                    rest.p[i]) ||
            rest.p[i] == '\0')
            return skl_fail(err, SKL_E_INVALID,
                            "\"%.100s\": unknown operating system or architecture: invalid "
                            "argument",
                            text);
    if (count_slashes(rest) > 2)
        return skl_fail(err, SKL_E_INVALID,
                        "\"%.100s\": cannot parse platform specifier: invalid argument", text);
    struct skl_str first = skl_str_cut(rest, '/', &rest);

    if (!rest.p && !skl_str_eqz(first, "linux") && !skl_str_eqz(first, "windows")) {
        SKL_AUTO_STR char *name = skl_str_dup(first);

        ret->os = skl_strdup("linux");
        ret->architecture = skl_strdup(known_architecture(name));
        return 0;
    }
    take_part(first, &ret->os);
    if (rest.p) {
        SKL_AUTO_STR char *name = skl_str_dup(skl_str_cut(rest, '/', &rest));

        ret->architecture = skl_strdup(known_architecture(name));
    }
    if (rest.p)
        take_part(rest, &ret->variant);
    if (skl_streq(ret->architecture, "arm64") && skl_streq(ret->variant, "v8"))
        skl_strset(&ret->variant, NULL); /* the default of arm64 */
    return 0;
}

void skl_platform_fini(struct skl_platform *p)
{
    free(p->os);
    free(p->architecture);
    free(p->variant);
    *p = (struct skl_platform){0};
}
