/* The Docker API over Azure Container Apps Jobs. */
#include "aca.h"
#include "daemon/daemon.h"

int main(int argc, char **argv)
{
    static struct skl_aca_config config;
    static const struct skl_daemon_backend backend = {
        .program = "sockerless-backend-aca",
        .title = "Azure Container Apps",
        .options = skl_aca_options,
        .n_options = &skl_aca_options_count,
        .config = &config,
        .callback_url = &config.callback_url,
        .agent_token = &config.agent_token,
        .check = skl_aca_config_check,
        .open = skl_aca_open,
        .close = skl_aca_close,
    };

    return skl_daemon_main(&backend, argc, argv);
}
