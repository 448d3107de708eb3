/* The Docker API over Azure Container Apps Jobs. */
#include "aca.h"
#include "daemon/daemon.h"

static int check(const void *config, struct skl_error *err)
{
    return skl_aca_config_check(config, err);
}

static int open_backend(const void *config, void **ret_ctx, struct skl_backend *ret,
                        struct skl_error *err)
{
    struct skl_aca *aca;
    int rc = skl_aca_open(config, &aca, err);

    if (rc < 0)
        return rc;
    skl_aca_backend(aca, ret);
    *ret_ctx = aca;
    return 0;
}

static void close_backend(void *ctx)
{
    skl_aca_close(ctx);
}

static const char *callback_url(const void *config)
{
    return ((const struct skl_aca_config *)config)->callback_url;
}

static const char *agent_token(const void *config)
{
    return ((const struct skl_aca_config *)config)->agent_token;
}

int main(int argc, char **argv)
{
    static struct skl_aca_config config;

    return skl_daemon_main(&(struct skl_daemon_backend){.program = "sockerless-backend-aca",
                                                        .title = "Azure Container Apps",
                                                        .options = skl_aca_options,
                                                        .n_options = skl_aca_options_count,
                                                        .config = &config,
                                                        .check = check,
                                                        .open = open_backend,
                                                        .close = close_backend,
                                                        .callback_url = callback_url,
                                                        .agent_token = agent_token},
                           argc, argv);
}
