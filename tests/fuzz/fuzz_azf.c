/* Azure Functions: what the cloud answers in a container's life. */
#include "azf.h"
#include "backend_calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct skl_azf_config config;
    static struct skl_backend backend;
    struct skl_error err;
    void *ctx = NULL;

    if (!backend.name)
        backend_settings(skl_azf_options, skl_azf_options_count, &config);
    SKL_ASSERT(skl_azf_open(&config, &ctx, &backend, &err) == 0);
    backend_calls(&backend, ctx, data, n);
    skl_azf_close(ctx);
    return 0;
}
