/* sim_http - the HTTP side of a simulator: CivetWeb with requests and answers as plain structs.
 *
 * Thread  the handler runs on CivetWeb's threads, many at a time
 * Limits  bodies <= 64 MiB, more is answered with 413
 */
#ifndef SKL_SIM_HTTP_H
#define SKL_SIM_HTTP_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/error.h"

struct sim_request {
    const char *method, *path; /* decoded */
    const char *raw_path;      /* as sent */
    const char *query;         /* raw, "" if none */
    struct skl_str body;
    char base
        [256]; /* "http://host:port" as the client wrote it; https behind a front that says so */
    void *conn;
};
const char *sim_header(const struct sim_request *r, const char *name); /* NULL if absent */
char *sim_query(const struct sim_request *r, const char *name); /* owned, decoded, NULL if absent */

struct sim_answer {
    int status;
    struct skl_buf headers; /* "Name: value\r\n"... */
    struct skl_buf body;
    const char *type; /* of the body; NULL: JSON */
    bool drop;        /* close the connection without a word */
    bool sent;        /* the handler has answered by sim_send() */
};
void sim_json(struct sim_answer *a, int status, const cJSON *json);
void sim_text(struct sim_answer *a, int status, const char *json_text);
/* For answers that begin before they end: bytes of the answer, head included, as they are. false: the client is gone.
 * `sent` is set by the caller; sim_close() when the answer has no other end. */
bool sim_send(const struct sim_request *r, const void *p, size_t n);
void sim_close(const struct sim_request *r);
typedef void sim_header_cb(void *arg, const char *name, const char *value);
void sim_headers(const struct sim_request *r, sim_header_cb *cb, void *arg);
char *sim_form(const struct sim_request *r,
               const char *name); /* of the body; owned, NULL if absent */

typedef void sim_handler_cb(void *arg, const struct sim_request *r, struct sim_answer *a);
struct sim_server;
/* listen: "127.0.0.1:4568"; port 0 picks one. */
int sim_server_start(const char *listen, sim_handler_cb *cb, void *arg, struct sim_server **ret,
                     struct skl_error *err);
int sim_server_port(const struct sim_server *s);
/* Answers bear a date that is so many seconds off. */
void sim_server_skew(struct sim_server *s, int64_t seconds);
void sim_server_stop(struct sim_server *s);

#endif
