/* The Docker API over Azure Functions. */
#include "azf.h"
#include "daemon/daemon.h"

static int check(const void *config, struct skl_error *err)
{
    return skl_azf_config_check(config, err);
}

static int open_backend(const void *config, void **ret_ctx, struct skl_backend *ret,
                        struct skl_error *err)
{
    struct skl_azf *azf;
    int rc = skl_azf_open(config, &azf, err);

    if (rc < 0)
        return rc;
    skl_azf_backend(azf, ret);
    *ret_ctx = azf;
    return 0;
}

static void close_backend(void *ctx)
{
    skl_azf_close(ctx);
}

static const char *callback_url(const void *config)
{
    return ((const struct skl_azf_config *)config)->callback_url;
}

static const char *agent_token(const void *config)
{
    return ((const struct skl_azf_config *)config)->agent_token;
}

int main(int argc, char **argv)
{
    static struct skl_azf_config config;

    return skl_daemon_main(&(struct skl_daemon_backend){.program = "sockerless-backend-azf",
                                                        .title = "Azure Functions",
                                                        .options = skl_azf_options,
                                                        .n_options = skl_azf_options_count,
                                                        .config = &config,
                                                        .check = check,
                                                        .open = open_backend,
                                                        .close = close_backend,
                                                        .callback_url = callback_url,
                                                        .agent_token = agent_token},
                           argc, argv);
}
