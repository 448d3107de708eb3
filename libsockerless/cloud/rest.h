/* rest - HTTP calls to a cloud: warm connections, deadlines, retries, correlation ids.
 *
 * Shape   one client per process, shared by all worker threads; one blocking call per request
 * Units   times in ms; deadlines are points of skl_mono_ms(), 0 means 120 s from now
 * Errors  0 whenever an HTTP answer arrived, whatever its status (after the retries below).
 *         UNAVAILABLE: no answer; TIMEOUT: the deadline passed; CANCELED; TOOBIG: the answer is larger
 *         than allowed; INVALID: a URL or header that cannot be sent
 * Retries 408, 429, 500, 502, 503, 504 and network errors, up to 4 times. Delay: retry-after-ms,
 *         x-ms-retry-after-ms or Retry-After (seconds or date), else 0.8 s x 2^n with jitter; at most
 *         60 s. A request that is not idempotent is repeated only when it cannot have been acted on: an
 *         answer 429 or 503, or no connection
 * Thread  any; one mutex for the idle handles
 * Limits  an answer's body <= SKL_MAX_CLOUD_BODY unless the request says less; headers <= 64 KiB
 */
#ifndef SKL_CLOUD_REST_H
#define SKL_CLOUD_REST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#define SKL_UUID_LEN 37 /* with NUL */

/* After every finished call, on its thread; status 0: no answer. Must not call the client. */
typedef void skl_rest_metric_cb(void *arg, const char *operation, int status, unsigned retries,
                                int64_t elapsed_ms);

struct skl_rest_settings {
    unsigned delay_percent;      /* scales retry delays that we choose; 0 means 100; tests use 1 */
    unsigned max_retries;        /* 0 means 4 */
    int64_t connect_timeout_ms;  /* 0 means 15 s */
    skl_rest_metric_cb *on_call; /* may be NULL */
    void *on_call_arg;
};

struct skl_rest_header {
    const char *name, *value;
};

struct skl_rest_response;
/* What an answer's body says about when to come back, in ms; -1: nothing. */
typedef int64_t skl_rest_delay_cb(const struct skl_rest_response *answer);

struct skl_rest_request {
    const char *operation; /* names the call in metrics and logs ("jobs.start"); NULL: the method */
    const char *method;    /* "GET", "PUT"... */
    const char *url;       /* absolute */
    const struct skl_rest_header *headers;
    size_t n_headers;
    struct skl_str body;      /* borrowed during the call; n = 0: none */
    const char *content_type; /* NULL with a body: application/json */
    const char *bearer;       /* token without "Bearer "; NULL: none */
    int64_t deadline_ms;
    int64_t attempt_timeout_ms; /* of one attempt; 0: 100 s */
    int64_t connect_timeout_ms; /* 0: the client's */
    size_t max_body;            /* of the answer; 0: SKL_MAX_CLOUD_BODY */
    bool idempotent;            /* GET, HEAD, PUT, DELETE are anyway */
    bool creates;  /* a 503 may have been acted on: not repeated, but for what is idempotent */
    bool no_retry; /* one attempt */
    bool no_connect_retry;         /* no connection: say so at once */
    bool no_proxy;                 /* managed identity: never through a proxy */
    bool insecure_tls;             /* registries the operator named only */
    skl_rest_delay_cb *said_delay; /* may be NULL; asked before the headers */
    const atomic_bool *cancel;     /* may be NULL; true ends waits and transfers within 100 ms */
};

struct skl_rest_response {
    int status;
    struct skl_buf body;
    struct skl_buf headers; /* "name\0value\0" pairs; read with skl_rest_response_header() */
    int64_t retry_after_ms; /* -1: the answer did not say */
    int64_t first_byte_ms;  /* from the begin of the last attempt, names and handshakes included */
    unsigned retries;
    bool maybe_sent;               /* on failure: the request may have reached the cloud */
    char request_id[SKL_UUID_LEN]; /* the x-ms-client-request-id that was sent */
};

struct skl_rest;
struct skl_rest *skl_rest_new(const struct skl_rest_settings *s); /* NULL: all defaults */
void skl_rest_free(struct skl_rest *r);                           /* no call may be running */
SKL_DEFINE_AUTO(rest);

/* `ret` is overwritten, also on failure (then without a body); end it with skl_rest_response_fini(). */
int skl_rest_call(struct skl_rest *r, const struct skl_rest_request *req,
                  struct skl_rest_response *ret, struct skl_error *err);
void skl_rest_response_fini(struct skl_rest_response *r); /* zeroed or called is fine */
/* First value of that name, case ignored; borrowed; NULL if absent. */
const char *skl_rest_response_header(const struct skl_rest_response *r, const char *name);
#define SKL_AUTO_RESPONSE __attribute__((cleanup(skl_rest_response_fini)))

/* A setting of the user that must be an http, https, ws or wss URL; NULL and "" are fine. */
int skl_url_check_setting(const char *name, const char *value, struct skl_error *err);
/* The scheme, host and port of two URLs are equal (default ports count as written). */
bool skl_url_same_origin(const char *a, const char *b);
/* A Retry-After value in ms from wall_ns: seconds or an HTTP date (past: 0); -1 if it is neither. */
int64_t skl_retry_after_parse(struct skl_str value, int64_t wall_ns);
/* An HTTP date in ns of wall clock; false if it is none. */
bool skl_http_date_parse(const char *text, int64_t *ret_wall_ns);
/* A delay of ours (not the cloud's), scaled by the settings' delay_percent. */
int64_t skl_rest_scale_ms(const struct skl_rest *r, int64_t ms);
/* Sleeps; ends early with CANCELED or, when the deadline (0: none) comes first, TIMEOUT. */
int skl_cloud_sleep(int64_t ms, int64_t deadline_ms, const atomic_bool *cancel,
                    struct skl_error *err);

#endif
