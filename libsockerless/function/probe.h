/* probe - who answers at a function's address: our agent, waiting or not, or somebody else.
 *
 * Shape   blocking, for worker threads; one GET, no retry: the caller asks again at its own pace
 * Errors  UNAVAILABLE, TIMEOUT, CANCELED: nobody answered
 * Thread  any
 */
#ifndef SKL_FUNCTION_PROBE_H
#define SKL_FUNCTION_PROBE_H

#include "cloud/rest.h"
#include "function/invocation.h"

#define SKL_FUNCTION_INSTANCE_LEN 64

enum skl_function_state {
    SKL_FUNCTION_STRANGER, /* a page of the platform, another image, or the token is not the agent's */
    SKL_FUNCTION_WAITING,
    SKL_FUNCTION_RUNNING,
    SKL_FUNCTION_ENDED
};

struct skl_function_probe {
    enum skl_function_state state;
    int exit_code; /* ENDED */
    char instance[SKL_FUNCTION_INSTANCE_LEN];
    int http_status;
};

/* authorization: for the platform's front end ("Bearer ..."), NULL: none; token: the agent's. */
int skl_function_probe(struct skl_rest *rest, const struct skl_function_address *address,
                       const char *authorization, const char *token, int64_t deadline_ms,
                       const atomic_bool *cancel, struct skl_function_probe *ret,
                       struct skl_error *err);

#endif
