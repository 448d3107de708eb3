/* Image references: what parses is normalised, and its familiar form parses to the same again. */
#include <stdint.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "docker/images/image_names.h"
#include "docker/images/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    SKL_AUTO_STR char *text = skl_strndup((const char *)data, n);
    struct skl_platform platform;
    struct skl_reference r, again;

    if (skl_platform_parse(text, &platform, NULL) == 0)
        skl_platform_fini(&platform);
    if (skl_reference_parse(text, &r, NULL) < 0)
        return 0;
    skl_reference_default_tag(&r);
    SKL_AUTO_STR char *full = skl_reference_full(&r);
    SKL_AUTO_STR char *familiar = skl_reference_familiar(&r);
    if (skl_reference_parse(full, &again, NULL) == 0) {
        SKL_AUTO_STR char *twice = skl_reference_familiar(&again);

        SKL_ASSERT(skl_streq(familiar, twice));
        skl_reference_fini(&again);
    } else {
        SKL_ASSERT(false);
    }
    skl_reference_fini(&r);
    return 0;
}
