/* The Docker API over Azure Functions. */
#include "azf.h"
#include "daemon/daemon.h"

int main(int argc, char **argv)
{
    static struct skl_azf_config config;
    static const struct skl_daemon_backend backend = {
        .program = "sockerless-backend-azf",
        .title = "Azure Functions",
        .options = skl_azf_options,
        .n_options = &skl_azf_options_count,
        .config = &config,
        .callback_url = &config.callback_url,
        .agent_token = &config.agent_token,
        .check = skl_azf_config_check,
        .open = skl_azf_open,
        .close = skl_azf_close,
    };

    return skl_daemon_main(&backend, argc, argv);
}
