/* Asking a function who it is: the agent says so in headers that only it writes. */
#include "function/probe.h"

#include <stdio.h>

#include "base/str.h"

static void read_state(const struct skl_rest_response *r, struct skl_function_probe *ret)
{
    const char *state = skl_rest_response_header(r, "X-Sockerless-State");
    const char *instance = skl_rest_response_header(r, "X-Sockerless-Instance");
    const char *code = skl_rest_response_header(r, "X-Sockerless-Exit-Code");
    int64_t n = 137;

    if (!skl_rest_response_header(r, "X-Sockerless-Agent") || !state || !instance)
        return;
    snprintf(ret->instance, sizeof(ret->instance), "%s", instance);
    if (skl_streq(state, "waiting"))
        ret->state = SKL_FUNCTION_WAITING;
    else if (skl_streq(state, "running"))
        ret->state = SKL_FUNCTION_RUNNING;
    else if (skl_streq(state, "ended"))
        ret->state = SKL_FUNCTION_ENDED;
    if (code)
        (void)skl_str_i64(skl_str(code), &n);
    ret->exit_code = (int)(n & 0xff);
}

int skl_function_probe(struct skl_rest *rest, const struct skl_function_address *address,
                       const char *authorization, const char *token, int64_t deadline_ms,
                       const atomic_bool *cancel, struct skl_function_probe *ret,
                       struct skl_error *err)
{
    SKL_AUTO_RESPONSE struct skl_rest_response response = {0};
    struct skl_rest_header headers[3];
    size_t n = 0;
    int rc;

    *ret = (struct skl_function_probe){.state = SKL_FUNCTION_STRANGER};
    if (address->host)
        headers[n++] = (struct skl_rest_header){"Host", address->host};
    if (authorization)
        headers[n++] = (struct skl_rest_header){"Authorization", authorization};
    if (token)
        headers[n++] = (struct skl_rest_header){"X-Sockerless-Token", token};
    rc = skl_rest_call(rest,
                       &(struct skl_rest_request){.operation = "function.probe",
                                                  .method = "GET",
                                                  .url = address->url,
                                                  .headers = headers,
                                                  .n_headers = n,
                                                  .deadline_ms = deadline_ms,
                                                  .no_retry = true,
                                                  .cancel = cancel},
                       &response, err);
    if (rc < 0)
        return rc;
    ret->http_status = response.status;
    read_state(&response, ret);
    return 0;
}
