/* daemon - what the executables of all clouds share: settings, listeners, signals, the way up and down.
 *
 * Shape   cmd/sockerless-backend-X/main.c fills in a struct skl_daemon_backend and calls skl_daemon_main()
 * Exit    0; 1 the daemon could not start or failed; 2 a wrong or missing setting (one line on stderr)
 */
#ifndef SKL_DAEMON_DAEMON_H
#define SKL_DAEMON_DAEMON_H

#include "base/option.h"
#include "docker/engine.h"

struct skl_daemon_backend {
    const char *program, *title;
    const struct skl_option *options;
    const size_t *n_options;
    void *config; /* zeroed; filled from the options */
    /* In config: the URL that reverse agents dial, and one token for all of them; NULL or "": none. */
    char *const *callback_url, *const *agent_token;
    int (*check)(const void *config, struct skl_error *err);
    /* No request is made yet. */
    int (*open)(const void *config, void **ret_ctx, struct skl_backend *ret, struct skl_error *err);
    void (*close)(void *ctx);
};

int skl_daemon_main(const struct skl_daemon_backend *backend, int argc, char **argv);

#endif
