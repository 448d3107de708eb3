/* proxy - one request passed on to a container's port, and the answer passed back as it comes.
 *
 * Shape   HTTP/1.1 on both sides; the connection to the container is used once
 * Errors  what went wrong is the result; nothing has been sent to the client unless head_sent says so
 * Thread  blocks the caller until the answer is complete, the deadline passes or the container closes
 */
#ifndef SKL_SIM_PROXY_H
#define SKL_SIM_PROXY_H

#include "sim_http.h"

enum sim_proxy_result {
    SIM_PROXY_DONE,
    SIM_PROXY_NO_CONNECTION,
    SIM_PROXY_BROKEN, /* the container closed too early, or what it sent is no HTTP */
    SIM_PROXY_LATE,
    SIM_PROXY_CLIENT_GONE
};

struct sim_proxy {
    const struct sim_request *request;
    const char *address;
    int port;
    const char *target;  /* raw path and query for the container */
    const char *headers; /* "Name: value\r\n"... in the place of those that is_replaced names */
    bool (*is_replaced)(const char *name);
    int64_t deadline_ms; /* by skl_mono_ms() */
    /* NULL: none. Called when the container has the request; its answer is not waited for then. */
    void (*lose_answer)(void *arg);
    void *arg;
    /* results */
    int status;
    bool head_sent;
    size_t body_bytes;
};
enum sim_proxy_result sim_proxy_run(struct sim_proxy *p);

#endif
