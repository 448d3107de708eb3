/* request - one Docker API call: what the route's handler works with.
 *
 * Shape   reference counted: the HTTP exchange holds one reference, every pending operation another. When the
 *         client goes away `gone` is set and answers become no-ops, but operations finish.
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_REQUEST_H
#define SKL_DOCKER_REQUEST_H

#include <cjson/cJSON.h>

#include "base/json.h"
#include "docker/engine.h"

#define SKL_API_MIN     124 /* 1.24 */
#define SKL_API_MAX     144
#define SKL_API_VERSION "1.44"

struct skl_route;

struct skl_request {
    struct skl_engine *engine;
    struct skl_http *http; /* NULL once the client is gone or the answer is complete */
    unsigned refs;
    int version; /* 144 for v1.44 and for no prefix */
    char *param; /* decoded {id} or {name} of the route; NULL if it has none */
    cJSON *body; /* of a JSON route; NULL if empty */
    bool answered;
    int status;         /* of the answer; for the log */
    int64_t started_us; /* skl_mono_us() */
    const struct skl_route *route;
    void *state; /* the handler's own; freed by on_free */
    void (*on_gone)(
        struct skl_request *r); /* client left, or the streamed answer ended; may be NULL */
    void (*on_free)(struct skl_request *r);
};

/* The exchange's reference is the new one's only reference. docker/api/router.c only. */
struct skl_request *skl_request_new(struct skl_engine *e, struct skl_http *x, int version,
                                    char *own_param);
struct skl_request *skl_request_ref(struct skl_request *r);
void skl_request_unref(struct skl_request *r);
bool skl_request_gone(const struct skl_request *r);

/* Query values, decoded; owned (free), NULL if absent. */
char *skl_request_query(const struct skl_request *r, const char *name);
bool skl_request_query_bool(const struct skl_request *r, const char *name, bool dflt);
bool skl_request_query_has(const struct skl_request *r, const char *name);
int64_t skl_request_query_int(const struct skl_request *r, const char *name,
                              int64_t dflt); /* unparsable: dflt */
/* All values of a name: owned vector. */
char **skl_request_query_all(const struct skl_request *r, const char *name);

/* Answers; nothing happens when the client is gone. */
void skl_request_error(struct skl_request *r, const struct skl_error *err);
void skl_request_fail(struct skl_request *r, enum skl_kind kind, const char *fmt, ...)
    SKL_PRINTF(3, 4);
void skl_request_status(struct skl_request *r, int status); /* no body */
/* Compact JSON in buf and a newline. */
void skl_request_json(struct skl_request *r, int status, struct skl_buf *b);
/* For handlers that answer past these calls (a connection taken over): before they do. */
void skl_request_answered(struct skl_request *r, int status);
/* A streamed answer begins: the header leaves at once; skl_http_write() and skl_http_end() follow. */
void skl_request_begin(struct skl_request *r, int status, const char *content_type,
                       const char *headers);
/* skl_lifecycle_cb that answers 204 or the error and drops a reference (taken by the caller). */
void skl_request_done_204(void *request, const struct skl_error *err);

/* A container by the route's {id}: NULL and answered if there is none. */
struct skl_container *skl_request_container(struct skl_request *r);

#endif
