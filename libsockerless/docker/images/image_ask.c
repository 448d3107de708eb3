/* GET /distribution/{name}/json, GET /images/search, POST /images/load. */
#include "docker/images/image_ask.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "docker/api/filters.h"
#include "docker/api/routes.h"

#define DEADLINE_MS  60000
#define SEARCH_LIMIT 25
#define SEARCH_MAX   100

int skl_ask_init(struct skl_ask *a, const char *name, const char *registry_auth,
                 struct skl_error *err)
{
    int rc;

    *a = (struct skl_ask){0};
    rc = skl_reference_parse(name, &a->ref, err);
    if (rc == 0)
        skl_reference_default_tag(&a->ref);
    skl_auth_header_parse(registry_auth, &a->header);
    return rc;
}

void skl_ask_fini(struct skl_ask *a)
{
    skl_reference_fini(&a->ref);
    skl_auth_header_fini(&a->header);
}

struct skl_registry_query skl_ask_query(const struct skl_ask *a, struct skl_registry_auth *auth,
                                        int64_t deadline_ms)
{
    *auth = (struct skl_registry_auth){
        .username = a->header.username,
        .password = a->header.password,
        .identity_token = a->header.identity_token,
        .registry_token = a->header.registry_token,
    };
    return (struct skl_registry_query){
        .ref = {a->ref.domain, a->ref.path, a->ref.tag, a->ref.digest},
        .auth = !skl_str_empty(auth->username) || !skl_str_empty(auth->identity_token) ||
                        !skl_str_empty(auth->registry_token)
                    ? auth
                    : NULL,
        .deadline_ms = deadline_ms,
    };
}

/* -- distribution */

struct description {
    struct skl_request *r;
    struct skl_ask ask;
    struct skl_registry_descriptor found;
    int rc;
    struct skl_error err;
};

static void describe(void *arg)
{
    struct description *x = arg;
    struct skl_registry_auth auth;
    struct skl_registry_query q = skl_ask_query(&x->ask, &auth, skl_mono_ms() + DEADLINE_MS);

    x->rc = skl_registry_describe(x->r->engine->registry, &q, &x->found, &x->err);
}

static void render_descriptor(struct skl_json *j, const struct skl_registry_descriptor *d)
{
    skl_json_object(j, NULL);
    skl_json_object(j, "Descriptor");
    skl_json_str(j, "mediaType", d->media_type);
    skl_json_str(j, "digest", d->digest);
    skl_json_int(j, "size", d->size);
    skl_json_end_object(j);
    skl_json_array(j, "Platforms");
    for (size_t i = 0; i < d->n_platforms; i++) {
        skl_json_object(j, NULL);
        skl_json_str(j, "architecture", d->platforms[i].architecture);
        skl_json_str(j, "os", d->platforms[i].os);
        if (!skl_str_empty(d->platforms[i].variant))
            skl_json_str(j, "variant", d->platforms[i].variant);
        skl_json_end_object(j);
    }
    skl_json_end_array(j);
    skl_json_end_object(j);
}

static void described(void *arg, bool canceled)
{
    struct description *x = arg;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, SKL_MIB);
    skl_json_init(&j, &b);
    if (canceled)
        x->rc = skl_fail(&x->err, SKL_E_CANCELED, "the daemon is shutting down");
    if (x->rc < 0) {
        skl_request_error(x->r, &x->err);
    } else {
        render_descriptor(&j, &x->found);
        skl_request_json(x->r, 200, &b);
    }
    skl_registry_descriptor_fini(&x->found);
    skl_ask_fini(&x->ask);
    skl_request_unref(x->r);
    free(x);
}

void skl_route_distribution(struct skl_request *r)
{
    SKL_AUTO_STR char *auth = skl_str_dup(skl_http_header(r->http, "X-Registry-Auth"));
    struct description *x = skl_new0(struct description);
    struct skl_error err;

    if (skl_ask_init(&x->ask, r->param, auth, &err) < 0) {
        skl_request_error(r, &err);
        skl_ask_fini(&x->ask);
        free(x);
        return;
    }
    x->r = skl_request_ref(r);
    skl_work_submit(r->engine->workers, describe, described, x);
}

/* -- search */

struct search {
    struct skl_request *r;
    struct skl_ask ask; /* its reference is the registry alone */
    char *term;
    size_t limit;
    struct skl_filters filters;
    struct skl_registry_hits found;
    int rc;
    struct skl_error err;
};

static void search(void *arg)
{
    struct search *x = arg;
    struct skl_registry_auth auth;
    struct skl_registry_query q = skl_ask_query(&x->ask, &auth, skl_mono_ms() + DEADLINE_MS);

    x->rc = skl_registry_search(x->r->engine->registry, &q, x->term, x->limit, &x->found, &x->err);
}

static bool takes(const struct search *x, const struct skl_registry_hit *h)
{
    char *const *stars = skl_filters_values(&x->filters, "stars");
    bool official = h->is_official, automated = h->is_automated;
    uint64_t least;

    (void)skl_filters_bool(&x->filters, "is-official", &official, NULL);
    (void)skl_filters_bool(&x->filters, "is-automated", &automated, NULL);
    if (official != h->is_official || automated != h->is_automated)
        return false;
    return !stars || !stars[0] || !skl_str_u64(skl_str(stars[0]), &least) ||
           h->stars >= (int64_t)least;
}

static void searched(void *arg, bool canceled)
{
    struct search *x = arg;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    skl_json_init(&j, &b);
    if (canceled)
        x->rc = skl_fail(&x->err, SKL_E_CANCELED, "the daemon is shutting down");
    skl_json_array(&j, NULL);
    for (size_t i = 0; i < x->found.n; i++) {
        const struct skl_registry_hit *h = &x->found.items[i];

        if (!takes(x, h))
            continue;
        skl_json_object(&j, NULL);
        skl_json_int(&j, "star_count", h->stars);
        skl_json_bool(&j, "is_official", h->is_official);
        skl_json_str(&j, "name", h->name);
        skl_json_bool(&j, "is_automated", h->is_automated);
        skl_json_str(&j, "description", h->description);
        skl_json_end_object(&j);
    }
    skl_json_end_array(&j);
    if (x->rc < 0)
        skl_request_error(x->r, &x->err);
    else
        skl_request_json(x->r, 200, &b);
    skl_registry_hits_fini(&x->found);
    skl_filters_fini(&x->filters);
    skl_ask_fini(&x->ask);
    skl_request_unref(x->r);
    free(x->term);
    free(x);
}

/* "registry.example/word" asks that registry for the word, "word" asks docker.io. */
static int take_term(struct search *x, const char *term, const char *auth, struct skl_error *err)
{
    struct skl_str rest, host = skl_str_cut(skl_str(term), '/', &rest);
    bool is_host = rest.p && (memchr(host.p, '.', host.n) || memchr(host.p, ':', host.n) ||
                              skl_str_eqz(host, "localhost"));
    SKL_AUTO_BUF struct skl_buf name = {0};

    skl_buf_init(&name, 4 * SKL_KIB);
    skl_buf_addf(&name, SKL_STR_FMT "/x", SKL_STR_ARG(is_host ? host : SKL_STR("docker.io")));
    x->term = is_host ? skl_str_dup(rest) : skl_strdup(term);
    return skl_ask_init(&x->ask, name.p, auth, err);
}

static int search_init(struct search *x, struct skl_request *r, struct skl_error *err)
{
    static const char *const keys[] = {"is-automated", "is-official", "stars", NULL};
    SKL_AUTO_STR char *term = skl_request_query(r, "term");
    SKL_AUTO_STR char *filters = skl_request_query(r, "filters");
    SKL_AUTO_STR char *auth = skl_str_dup(skl_http_header(r->http, "X-Registry-Auth"));
    int64_t limit = skl_request_query_int(r, "limit", SEARCH_LIMIT);
    int rc = 0;

    if (skl_str_empty(term))
        rc = skl_fail(err, SKL_E_INVALID, "a search needs a term");
    else if (limit < 0 || limit > SEARCH_MAX)
        rc = skl_fail(err, SKL_E_INVALID, "limit %lld is outside the range of [1, 100]",
                      (long long)limit);
    x->limit = limit > 0 ? (size_t)limit : SEARCH_LIMIT;
    if (rc == 0)
        rc = skl_filters_parse(filters, &x->filters, err);
    if (rc == 0)
        rc = skl_filters_accept(&x->filters, keys, err);
    return rc < 0 ? rc : take_term(x, term, auth, err);
}

void skl_route_image_search(struct skl_request *r)
{
    struct search *x = skl_new0(struct search);
    struct skl_error err;

    if (search_init(x, r, &err) < 0) {
        skl_request_error(r, &err);
        skl_filters_fini(&x->filters);
        skl_ask_fini(&x->ask);
        free(x->term);
        free(x);
        return;
    }
    x->r = skl_request_ref(r);
    skl_work_submit(r->engine->workers, search, searched, x);
}

/* -- load */

void skl_route_image_load(struct skl_request *r)
{
    skl_request_fail(r, SKL_E_UNSUPPORTED,
                     "loading an image is not supported by the %s backend: %s pulls images from "
                     "registries alone; push it to one that it can reach",
                     r->engine->backend->name, r->engine->backend->title);
}
