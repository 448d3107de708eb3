/* What a registry answers: challenges and manifests. Whatever is accepted names only valid digests, because
 * they go into URLs. */
#include <stdlib.h>

#include "registry/internal.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
    struct skl_str body = skl_str_n((const char *)data, n);
    struct skl_registry_platform platform = {"linux", "arm", NULL};
    struct skl_registry_image image = {0};
    struct skl_manifest m = {0};
    struct skl_challenge c;
    const char *digest = NULL;
    struct skl_error err;

    if (skl_challenge_parse(body, &c) && c.bearer && !c.realm[0])
        abort();
    if (skl_manifest_parse(body, "application/json", NULL, &m, &err) == 0) {
        if (m.is_index && skl_manifest_choose(&m, &platform, &digest, &err) == 0 &&
            !skl_digest_is_valid(digest))
            abort();
        if (!m.is_index && skl_manifest_read(&m, &image, &err) == 0 &&
            (!skl_digest_is_valid(image.config_digest) || image.size < 0))
            abort();
    }
    skl_registry_image_fini(&image);
    skl_manifest_fini(&m);
    return 0;
}
