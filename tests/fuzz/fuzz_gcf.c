/* Cloud Run Functions: what the cloud answers in a container's life. */
#include "gcf.h"
#include "backend_calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct skl_gcf_config config;
    static struct skl_backend backend;
    struct skl_error err;
    void *ctx = NULL;

    if (!backend.name)
        backend_settings(skl_gcf_options, skl_gcf_options_count, &config);
    SKL_ASSERT(skl_gcf_open(&config, &ctx, &backend, &err) == 0);
    backend_calls(&backend, ctx, data, n);
    skl_gcf_close(ctx);
    return 0;
}
