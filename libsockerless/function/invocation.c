/* What an invocation sends, and what its answer means. */
#include "function/invocation.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"

void skl_function_address_fini(struct skl_function_address *a)
{
    free(a->url);
    free(a->host);
    *a = (struct skl_function_address){0};
}

void skl_invocation_fini(struct skl_invocation *i)
{
    skl_function_address_fini(&i->address);
    skl_secret_free(i->authorization);
    *i = (struct skl_invocation){0};
}

static void add_header(char ***headers, const char *name, const char *value)
{
    struct skl_buf b;

    skl_buf_init(&b, 64 * SKL_KIB);
    skl_buf_addf(&b, "%s: %s", name, value);
    skl_strv_push(headers, b.p);
    skl_secret_free(skl_buf_detach(&b));
}

struct skl_http_call *skl_invocation_send(struct skl_http_calls *calls,
                                          const struct skl_invocation *i, const char *token,
                                          unsigned run, skl_http_call_cb *cb, void *arg)
{
    char **headers = NULL, number[12];
    struct skl_http_call *call;

    snprintf(number, sizeof(number), "%u", run);
    add_header(&headers, "Content-Type", "application/json");
    if (i->address.host)
        add_header(&headers, "Host", i->address.host);
    if (i->authorization)
        add_header(&headers, "Authorization", i->authorization);
    if (token) {
        add_header(&headers, "X-Sockerless-Token", token);
        add_header(&headers, "X-Sockerless-Run", number);
    }
    call =
        skl_http_call_start(calls,
                            &(struct skl_http_call_request){.method = "POST",
                                                            .url = i->address.url,
                                                            .headers = (const char *const *)headers,
                                                            .body = SKL_STR("{}"),
                                                            .timeout_ms = i->timeout_ms},
                            cb, arg);
    for (char **h = headers; h && *h; h++)
        explicit_bzero(*h, strlen(*h));
    skl_strv_free(headers);
    return call;
}

/* Our agent's own words: the only ones that are believed about a run that has an agent. */
static bool read_agent(struct skl_str body, enum skl_verdict *ret, int *ret_code)
{
    SKL_AUTO_JSON cJSON *json = NULL;
    const char *state;

    if (skl_json_parse(skl_str_trim(body), &json, NULL) < 0)
        return false;
    state = skl_json_get_str(json, "state");
    if (!state || !skl_json_get(json, "run"))
        return false;
    if (skl_streq(state, "ended")) {
        *ret = SKL_VERDICT_ENDED;
        *ret_code = (int)skl_json_get_int(json, "exitCode", 137) & 0xff;
    } else {
        *ret = SKL_VERDICT_RUNNING;
    }
    return true;
}

enum skl_verdict skl_invocation_judge(const struct skl_http_call_answer *answer, bool has_agent,
                                      int *ret_code, char why[256])
{
    enum skl_verdict verdict;
    int status = answer->status;

    *ret_code = 0;
    why[0] = '\0';
    if (status == 0) {
        snprintf(why, 256, "the invocation got no answer: %.200s", answer->err->msg);
        return answer->maybe_sent ? SKL_VERDICT_LOST : SKL_VERDICT_AGAIN;
    }
    if (has_agent && (status == 200 || status == 202) &&
        read_agent(answer->body, &verdict, ret_code))
        return verdict;
    if (!has_agent && status >= 200 && status < 300)
        return SKL_VERDICT_ENDED;
    snprintf(why, 256, "the function's address answered %d", status);
    switch (status) {
    case 502: /* the front end lost the request, or gave up waiting for it */
    case 504:
        return SKL_VERDICT_LOST;
    case 401: /* a rollout or a policy change takes its time, and the token may be older than it */
    case 403:
    case 404:
    case 409: /* the instance of an earlier run */
    case 429:
    case 503:
        return SKL_VERDICT_AGAIN;
    default:
        break;
    }
    if (has_agent)
        return status >= 500 || status < 400 ? SKL_VERDICT_LOST : SKL_VERDICT_REFUSED;
    *ret_code = 1;
    return SKL_VERDICT_ENDED;
}
