/* A registry in a conversation: challenges, tokens, redirects, manifests, configs, searches, copies. */
#include "cloud_answers.h"
#include "registry/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void copied(void *arg, const char *digest, const char *status)
{
    SKL_ASSERT(digest && status);
}

static void ask(struct skl_registry *r, int what)
{
    static const struct skl_registry_auth auth = {.username = "user", .password = "pass"};
    const struct skl_registry_query q = {
        .ref = {"127.0.0.1:4567", "app", "latest", NULL}, .platform = {"linux", "amd64", NULL}, .auth = &auth};
    struct skl_registry_descriptor descriptor = {0};
    struct skl_registry_copied to = {0};
    struct skl_registry_image image = {0};
    struct skl_registry_hits hits = {0};
    struct skl_error err;

    switch (what) {
    case 0:
        (void)skl_registry_resolve(r, &q, &image, &err);
        break;
    case 1:
        (void)skl_registry_describe(r, &q, &descriptor, &err);
        break;
    case 2:
        (void)skl_registry_search(r, &q, "app", 25, &hits, &err);
        break;
    case 3:
        (void)skl_registry_copy(r, &q, &q, copied, NULL, &to, &err);
        break;
    default:
        (void)skl_registry_check_login(r, "127.0.0.1:4567", &auth, 0, NULL, &err);
    }
    skl_registry_image_fini(&image);
    skl_registry_descriptor_fini(&descriptor);
    skl_registry_hits_fini(&hits);
}

/* First byte: what is asked. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct skl_registry_settings settings = {0};
    struct skl_rest *rest = skl_rest_new(NULL);
    struct skl_registry *r = NULL;
    struct skl_error err;

    SKL_ASSERT(skl_registry_new(&settings, rest, &r, &err) == 0);
    if (n > 0) {
        cloud_begin(skl_str_n((const char *)data + 1, n - 1));
        ask(r, data[0] % 5);
    }
    skl_registry_free(r);
    skl_rest_free(rest);
    return 0;
}
