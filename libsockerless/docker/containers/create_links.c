/* HostConfig.Links: who is linked under which name. An Engine looks the containers up at create, and shows links with
 * the names of both ends. In networks that users made the endpoint's own links count, and these are left alone. */
#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/containers/create_internal.h"

#define HOST_CONFLICT                                                                              \
    "conflicting options: host type networking can't be used with links. This would result in "    \
    "undefined behavior"

static bool is_user_defined(const char *mode)
{
    return !skl_str_empty(mode) && !skl_streq(mode, "default") && !skl_streq(mode, "bridge") &&
           !skl_streq(mode, "none") && !skl_streq(mode, "host");
}

/* "name", "name:alias", "/name:/other/alias" */
static int split(const char *text, struct skl_str *name, struct skl_str *alias,
                 struct skl_error *err)
{
    *name = skl_str_cut(skl_str(text), ':', alias);
    if (name->n == 0 && !alias->p)
        return skl_fail(err, SKL_E_INTERNAL, "empty string specified for links");
    if (alias->p && memchr(alias->p, ':', alias->n))
        return skl_fail(err, SKL_E_INTERNAL, "bad format for links: %.100s", text);
    if (!alias->p)
        *alias = *name;
    for (size_t i = alias->n; i > 0; i--)
        if (alias->p[i - 1] == '/' && i < alias->n) {
            *alias = skl_str_skip(*alias, i);
            break;
        }
    return 0;
}

static bool is_on_host(const struct skl_container *c)
{
    SKL_AUTO_JSON cJSON *host = NULL;

    return skl_json_parse(skl_str(c->spec.host_config_json), &host, NULL) == 0 &&
           skl_streq(skl_json_get_str(host, "NetworkMode"), "host");
}

static int take_one(struct skl_create *x, const char *text, cJSON *shown, struct skl_error *err)
{
    struct skl_str name, alias;
    struct skl_container *other;
    SKL_AUTO_STR char *ref = NULL;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_error why;
    int rc = split(text, &name, &alias, err);

    if (rc < 0)
        return rc;
    ref = skl_str_dup(name);
    if (skl_container_find(x->engine->store, ref, &other, &why) < 0)
        return skl_fail(err, SKL_E_INVALID, "could not get container for %.100s: %s", ref, why.msg);
    if (is_on_host(other))
        return skl_fail(err, SKL_E_INVALID, HOST_CONFLICT);
    skl_buf_init(&b, SKL_KIB);
    skl_buf_addf(&b, "/%s:/%s/%.*s", other->name, x->c->name, (int)alias.n, alias.p);
    cJSON_AddItemToArray(shown, cJSON_CreateString(b.p));
    return 0;
}

int skl_create_take_links(struct skl_create *x, struct skl_error *err)
{
    const char *mode = skl_json_get_str(x->host, "NetworkMode");
    const cJSON *links = skl_json_get(x->host, "Links"), *item;
    SKL_AUTO_JSON cJSON *shown = NULL;

    if (cJSON_GetArraySize(links) == 0 || is_user_defined(mode))
        return 0;
    if (skl_streq(mode, "host"))
        return skl_fail(err, SKL_E_INVALID, HOST_CONFLICT);
    shown = cJSON_CreateArray();
    cJSON_ArrayForEach(item, links)
    {
        int rc = take_one(x, cJSON_GetStringValue(item), shown, err);

        if (rc < 0)
            return rc;
    }
    skl_fields_set(x->host, "Links", skl_take(&shown));
    return 0;
}
