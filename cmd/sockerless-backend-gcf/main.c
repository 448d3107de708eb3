/* The Docker API over Google Cloud Run Functions. */
#include "daemon/daemon.h"
#include "gcf.h"

int main(int argc, char **argv)
{
    static struct skl_gcf_config config;
    static const struct skl_daemon_backend backend = {
        .program = "sockerless-backend-gcf",
        .title = "Google Cloud Run Functions",
        .options = skl_gcf_options,
        .n_options = &skl_gcf_options_count,
        .config = &config,
        .callback_url = &config.callback_url,
        .agent_token = &config.agent_token,
        .check = skl_gcf_config_check,
        .open = skl_gcf_open,
        .close = skl_gcf_close,
    };

    return skl_daemon_main(&backend, argc, argv);
}
