/* Build contexts: the archive as a client sends it, its Dockerfile run to the end. */
#include "../unit/build_helper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct builder b;

    builder_init(&b);
    if (builder_run(&b, skl_str_n((const char *)data, size)) == 0) {
        struct skl_build_result r;

        skl_build_finish(b.build, &r);
        SKL_ASSERT(strlen(r.id) == 71);
    }
    builder_fini(&b);
    return 0;
}
