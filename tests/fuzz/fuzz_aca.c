/* Azure Container Apps Jobs: what the cloud answers in a container's life. */
#include "aca.h"
#include "backend_calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct skl_aca_config config;
    static struct skl_backend backend;
    struct skl_error err;
    void *ctx = NULL;

    if (!backend.name)
        backend_settings(skl_aca_options, skl_aca_options_count, &config);
    SKL_ASSERT(skl_aca_open(&config, &ctx, &backend, &err) == 0);
    backend_calls(&backend, ctx, data, n);
    skl_aca_close(ctx);
    return 0;
}
