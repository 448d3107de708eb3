/* Searching. docker.io has a search of its own; a plain registry has only its catalog, and often not even that for
 * strangers. */
#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "registry/internal.h"

#define MAX_ANSWER (8 * SKL_MIB)

void skl_registry_hits_fini(struct skl_registry_hits *h)
{
    for (size_t i = 0; i < h->n; i++) {
        free(h->items[i].name);
        free(h->items[i].description);
    }
    free(h->items);
    *h = (struct skl_registry_hits){0};
}

static struct skl_registry_hit *add_hit(struct skl_registry_hits *h, const char *name)
{
    h->items = skl_realloc(h->items, h->n + 1, sizeof(*h->items));
    h->items[h->n] = (struct skl_registry_hit){.name = skl_strdup(name)};
    return &h->items[h->n++];
}

static void read_search(const cJSON *json, size_t limit, struct skl_registry_hits *ret)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(json, "results"))
    {
        const char *name = skl_json_get_str(item, "name");
        struct skl_registry_hit *hit;

        if (ret->n == limit || skl_str_empty(name))
            continue;
        hit = add_hit(ret, name);
        hit->description = skl_strdup(skl_json_get_str(item, "description"));
        hit->stars = skl_json_get_int(item, "star_count", 0);
        hit->is_official = skl_json_get_bool(item, "is_official", false);
        hit->is_automated = skl_json_get_bool(item, "is_automated", false);
    }
}

static void read_catalog(const cJSON *json, const char *term, size_t limit,
                         struct skl_registry_hits *ret)
{
    const cJSON *name;

    /* Official images of Docker Hub are known without "library/". */
    cJSON_ArrayForEach(name, skl_json_get(json, "repositories"))
    {
        const char *text = cJSON_GetStringValue(name);

        if (text && strstr(text, term) && ret->n < limit)
            add_hit(ret, text + (skl_str_starts(skl_str(text), "library/") ? 8 : 0));
    }
}

static void search_path(const char *term, size_t limit, struct skl_buf *path)
{
    skl_buf_adds(path, "https://index.docker.io/v1/search?q=");
    skl_url_encode(path, skl_str(term));
    skl_buf_addf(path, "&n=%zu", limit);
}

int skl_registry_search(struct skl_registry *r, const struct skl_registry_query *q,
                        const char *term, size_t limit, struct skl_registry_hits *ret,
                        struct skl_error *err)
{
    SKL_AUTO_SESSION struct skl_registry_session s = {0};
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    SKL_AUTO_JSON cJSON *json = NULL;
    SKL_AUTO_BUF struct skl_buf path = {0};
    bool hub;
    int rc;

    *ret = (struct skl_registry_hits){0};
    rc = skl_registry_session_init(&s, r, q, err);
    if (rc < 0)
        return rc;
    /* A mirror of Docker Hub knows what it mirrors; without one Hub's own search is asked. */
    hub = skl_streq(q->ref.host, "docker.io") && !s.bases[0].mirror;
    skl_buf_init(&path, 4096);
    if (hub)
        search_path(term, limit, &path);
    else
        skl_buf_adds(&path, "/v2/_catalog?n=1000");
    rc = skl_registry_get(&s, path.p, "application/json", MAX_ANSWER, &answer, err);
    if (rc < 0)
        return rc;
    if (answer.status != 200)
        return skl_fail(err, SKL_E_INTERNAL,
                        "searching %s: the registry answered with status %d (many registries have "
                        "no search)",
                        q->ref.host, answer.status);
    rc = skl_json_parse(skl_buf_str(&answer.body), &json, err);
    if (rc < 0)
        return skl_wrap(err, rc, "searching %s", q->ref.host);
    if (hub)
        read_search(json, limit, ret);
    else
        read_catalog(json, term, limit, ret);
    return 0;
}
