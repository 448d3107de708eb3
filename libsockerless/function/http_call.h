/* http_call - HTTP requests to a cloud as objects on the loop: for those that last as long as a container.
 *
 * Shape   one skl_http_calls per process (libcurl's multi handle on libuv's polls and timer); one skl_http_call per
 *         request. Blocking calls on workers are cloud/rest.h: thousands of waiting requests must not be threads
 * Errors  the callback says how it ended: an answer (any status), or why there is none
 * Owns    request strings are copied; a call is freed after its callback, or by skl_http_call_cancel()
 * Thread  loop thread
 * Limits  an answer's body <= 64 KiB, the rest is dropped
 */
#ifndef SKL_FUNCTION_HTTP_CALL_H
#define SKL_FUNCTION_HTTP_CALL_H

#include <uv.h>

#include "base/error.h"
#include "base/str.h"

struct skl_http_calls;
struct skl_http_call;

struct skl_http_call_request {
    const char *method;
    const char *url;            /* absolute */
    const char *const *headers; /* "Name: value", NULL at the end; may be NULL */
    struct skl_str body;
    int64_t timeout_ms; /* in all */
};

struct skl_http_call_answer {
    int status; /* 0: no answer */
    struct skl_str body;
    bool maybe_sent;             /* without an answer: the request may have arrived */
    const struct skl_error *err; /* without an answer */
};
/* Exactly once, never before start returned; the call is gone after it. */
typedef void skl_http_call_cb(void *arg, const struct skl_http_call_answer *answer);

struct skl_http_calls *skl_http_calls_new(uv_loop_t *loop);
/* All calls must have ended or been cancelled. NULL is fine. Memory goes with libuv's close callbacks. */
void skl_http_calls_close(struct skl_http_calls *calls);

struct skl_http_call *skl_http_call_start(struct skl_http_calls *calls,
                                          const struct skl_http_call_request *request,
                                          skl_http_call_cb *cb, void *arg);
/* No callback. The server sees a closed connection. *call becomes NULL; NULL is fine. */
void skl_http_call_cancel(struct skl_http_call **call);

#endif
