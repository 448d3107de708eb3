/* invocation - the HTTP request that begins a run where the cloud is a function: what is sent, and what an answer
 * means.
 *
 * Shape   the agent inside answers as docs/agent-protocol.md ("In a function") says; anything else comes from the
 *         platform's front end, or from an image without our agent
 * Source  cloud/azure.md 5.5 and cloud/gcp.md 5 of the contracts: a lost or cut request is never a container's end
 */
#ifndef SKL_FUNCTION_INVOCATION_H
#define SKL_FUNCTION_INVOCATION_H

#include "function/http_call.h"

/* Where a function is; owned strings. */
struct skl_function_address {
    char *url;
    char *host; /* the Host header where the URL names a simulator; NULL: the URL's */
};
void skl_function_address_fini(struct skl_function_address *a);

/* Owned strings; end it with skl_invocation_fini(). */
struct skl_invocation {
    struct skl_function_address address;
    char *authorization; /* what the platform wants to see: "Bearer ..."; NULL: nothing */
    int64_t timeout_ms;
};
void skl_invocation_fini(struct skl_invocation *i);

/* token: the agent's (NULL: there is no agent). */
struct skl_http_call *skl_invocation_send(struct skl_http_calls *calls,
                                          const struct skl_invocation *i, const char *token,
                                          unsigned run, skl_http_call_cb *cb, void *arg);

enum skl_verdict {
    SKL_VERDICT_ENDED,   /* the run is over; the code is known */
    SKL_VERDICT_RUNNING, /* the agent has it, and answered early */
    SKL_VERDICT_AGAIN,   /* it cannot have begun: the request may be repeated */
    SKL_VERDICT_LOST,    /* nothing is known: the run may go on without the request */
    SKL_VERDICT_REFUSED  /* repeating will not help */
};
/* `why` (256 bytes) says a sentence for AGAIN, LOST and REFUSED, and for an end that is no success. */
enum skl_verdict skl_invocation_judge(const struct skl_http_call_answer *answer, bool has_agent,
                                      int *ret_code, char why[256]);

#endif
