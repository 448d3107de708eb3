/* The Docker API over Google Cloud Run Functions. */
#include "gcf.h"
#include "daemon/daemon.h"

static int check(const void *config, struct skl_error *err)
{
    return skl_gcf_config_check(config, err);
}

static int open_backend(const void *config, void **ret_ctx, struct skl_backend *ret,
                        struct skl_error *err)
{
    struct skl_gcf *gcf;
    int rc = skl_gcf_open(config, &gcf, err);

    if (rc < 0)
        return rc;
    skl_gcf_backend(gcf, ret);
    *ret_ctx = gcf;
    return 0;
}

static void close_backend(void *ctx)
{
    skl_gcf_close(ctx);
}

static const char *callback_url(const void *config)
{
    return ((const struct skl_gcf_config *)config)->callback_url;
}

static const char *agent_token(const void *config)
{
    return ((const struct skl_gcf_config *)config)->agent_token;
}

int main(int argc, char **argv)
{
    static struct skl_gcf_config config;

    return skl_daemon_main(&(struct skl_daemon_backend){.program = "sockerless-backend-gcf",
                                                        .title = "Google Cloud Run Functions",
                                                        .options = skl_gcf_options,
                                                        .n_options = skl_gcf_options_count,
                                                        .config = &config,
                                                        .check = check,
                                                        .open = open_backend,
                                                        .close = close_backend,
                                                        .callback_url = callback_url,
                                                        .agent_token = agent_token},
                           argc, argv);
}
