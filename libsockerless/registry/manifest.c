/* Manifests and indexes: both families (Docker v2, OCI) have the same members, so one reader does. A
 * registry's word is checked where it can be: digests against the bytes, sizes for sense. */
#include <stdio.h>

#include <mbedtls/md.h>
#include <sys/utsname.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/json_read.h"
#include "registry/internal.h"

#define MAX_LAYERS     1000
#define MAX_IMAGE_SIZE (INT64_C(1) << 50)

void skl_manifest_fini(struct skl_manifest *m)
{
    cJSON_Delete(m->json);
    free(m->text);
    m->json = NULL;
    m->text = NULL;
}

bool skl_digest_is_valid(const char *digest)
{
    struct skl_str s = skl_str(digest);

    return s.n == 71 && skl_str_starts(s, "sha256:") && skl_is_hex(skl_str_skip(s, 7));
}

void skl_digest_of(struct skl_str body, char out[72])
{
    unsigned char hash[32] = {0};
    SKL_AUTO_BUF struct skl_buf b = {0};

    (void)mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)body.p,
                     body.n, hash);
    skl_buf_init(&b, 128);
    skl_hex_add(&b, hash, sizeof(hash));
    (void)snprintf(out, 72, "sha256:%.64s", b.p);
}

const char *skl_registry_own_architecture(void)
{
    static const struct {
        const char *machine, *go;
    } names[] = {{"x86_64", "amd64"}, {"aarch64", "arm64"},   {"arm64", "arm64"},
                 {"armv7l", "arm"},   {"armv6l", "arm"},      {"i686", "386"},
                 {"s390x", "s390x"},  {"ppc64le", "ppc64le"}, {"riscv64", "riscv64"}};
    struct utsname u;

    if (uname(&u) == 0)
        for (size_t i = 0; i < SKL_ARRAY_LEN(names); i++)
            if (skl_streq(u.machine, names[i].machine))
                return names[i].go;
    return "amd64";
}

int skl_manifest_parse(struct skl_str body, const char *content_type, const char *want_digest,
                       struct skl_manifest *ret, struct skl_error *err)
{
    const char *type;
    int rc;

    *ret = (struct skl_manifest){.size = (int64_t)body.n};
    skl_digest_of(body, ret->digest);
    if (!skl_str_empty(want_digest) && !skl_streq(want_digest, ret->digest))
        return skl_fail(err, SKL_E_INTERNAL, "manifest verification failed for digest %s",
                        want_digest);
    rc = skl_json_parse(body, &ret->json, err);
    if (rc < 0)
        return skl_wrap(err, rc, "the registry's manifest");
    ret->text = skl_str_dup(body);
    type = skl_json_get_str(ret->json, "mediaType");
    if (skl_str_empty(type))
        type = content_type ? content_type : "";
    (void)snprintf(ret->media_type, sizeof(ret->media_type), "%.*s", (int)strcspn(type, "; \t"),
                   type);
    ret->is_index = cJSON_IsArray(skl_json_get(ret->json, "manifests"));
    if (!ret->is_index && !cJSON_IsObject(skl_json_get(ret->json, "config")))
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "the registry's manifest ('%s') is of no kind that holds an image config",
                        ret->media_type);
    if (!strchr(ret->media_type, '/'))
        (void)snprintf(ret->media_type, sizeof(ret->media_type), "%s",
                       ret->is_index ? "application/vnd.oci.image.index.v1+json"
                                     : "application/vnd.oci.image.manifest.v1+json");
    return 0;
}

/* How well an entry's variant fits: 0 not at all, more is better. */
static int variant_score(const char *architecture, const char *want, const char *have)
{
    if (skl_streq(architecture, "arm64") || skl_streq(architecture, "amd64")) {
        const char *base = skl_streq(architecture, "arm64") ? "v8" : "v1";

        want = skl_str_empty(want) ? base : want;
        have = skl_str_empty(have) ? base : have;
        return skl_streq(want, have) ? 3 : 0;
    }
    if (skl_streq(architecture, "arm")) { /* v7 runs what is made for v6 and v5 */
        want = skl_str_empty(want) ? "v7" : want;
        have = skl_str_empty(have) ? "v7" : have;
        if (skl_streq(want, have))
            return 9;
        return strcmp(have, want) < 0 && have[0] == 'v' && have[1] ? have[1] - '0' : 0;
    }
    if (skl_str_empty(want))
        return skl_str_empty(have) ? 3 : 1;
    return have && skl_streq(want, have) ? 3 : 0;
}

int skl_manifest_choose(const struct skl_manifest *index,
                        const struct skl_registry_platform *platform, const char **ret,
                        struct skl_error *err)
{
    const char *os = skl_str_empty(platform->os) ? "linux" : platform->os;
    const char *architecture = skl_str_empty(platform->architecture)
                                   ? skl_registry_own_architecture()
                                   : platform->architecture;
    const char *variant = skl_str_empty(platform->variant) ? NULL : platform->variant;
    const cJSON *entry;
    int best = 0;

    cJSON_ArrayForEach(entry, skl_json_get(index->json, "manifests"))
    {
        const cJSON *p = skl_json_get(entry, "platform");
        const char *digest = skl_json_get_str(entry, "digest");
        int score;

        if (!skl_streq(skl_json_get_str(p, "os"), os) ||
            !skl_streq(skl_json_get_str(p, "architecture"), architecture) || !digest ||
            !skl_digest_is_valid(digest))
            continue;
        score = variant_score(architecture, variant, skl_json_get_str(p, "variant"));
        if (score > best) {
            best = score;
            *ret = digest;
        }
    }
    if (!best)
        return skl_fail(err, SKL_E_NOTFOUND,
                        "no matching manifest for %.32s/%.32s%s%.16s in the manifest list entries",
                        os, architecture, variant ? "/" : "", variant ? variant : "");
    return 0;
}

int64_t skl_descriptor_size(const cJSON *descriptor)
{
    int64_t n = skl_json_get_int(descriptor, "size", 0);

    return n < 0 || n > MAX_IMAGE_SIZE ? 0 : n;
}

int skl_manifest_read(const struct skl_manifest *m, struct skl_registry_image *ret,
                      struct skl_error *err)
{
    const cJSON *config = skl_json_get(m->json, "config"), *layers, *layer;
    const char *digest = skl_json_get_str(config, "digest");
    int n;

    if (!digest || !skl_digest_is_valid(digest))
        return skl_fail(err, SKL_E_INTERNAL, "the registry's manifest names no config digest");
    skl_strset(&ret->config_digest, digest);
    ret->size = skl_descriptor_size(config);
    layers = skl_json_get(m->json, "layers");
    n = cJSON_IsArray(layers) ? cJSON_GetArraySize(layers) : 0;
    if (n > MAX_LAYERS)
        return skl_fail(err, SKL_E_TOOBIG, "the image has %d layers", n);
    ret->layers = skl_new0_n(struct skl_registry_layer, (size_t)n + 1);
    cJSON_ArrayForEach(layer, layers)
    {
        digest = skl_json_get_str(layer, "digest");
        if (!digest || !skl_digest_is_valid(digest))
            return skl_fail(err, SKL_E_INTERNAL, "the registry's manifest has an invalid layer");
        ret->layers[ret->n_layers].digest = skl_strdup(digest);
        ret->layers[ret->n_layers++].size = skl_descriptor_size(layer);
        ret->size += skl_descriptor_size(layer);
        if (ret->size > MAX_IMAGE_SIZE)
            return skl_fail(err, SKL_E_INTERNAL, "the registry's manifest has absurd sizes");
    }
    return 0;
}
