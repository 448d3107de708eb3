/* logging - Cloud Logging: what the containers of Cloud Run services print, and what the platform says of them.
 *
 * Quota   a project may read 60 times a minute, all readers together: every page waits for its turn here, and a call
 *         may block for seconds
 * Errors  as in client.h; THROTTLED when there was no turn before the deadline (0: 120 s)
 * Thread  any
 */
#ifndef SKL_CLOUD_GCP_LOGGING_H
#define SKL_CLOUD_GCP_LOGGING_H

#include "cloud/gcp/client.h"

struct skl_gcp_logs;
/* rest and client are borrowed. */
struct skl_gcp_logs *skl_gcp_logs_new(struct skl_rest *rest, struct skl_gcp_client *client,
                                      const char *project);
void skl_gcp_logs_free(struct skl_gcp_logs *l);
SKL_DEFINE_AUTO(gcp_logs);

struct skl_gcp_log_source {
    const char *region, *service; /* "us-central1" and the service's id */
};

struct skl_gcp_log_query {
    struct skl_gcp_log_source source;
    bool
        system; /* the platform's own lines ("Container called exit(3).") in the place of the output */
    int64_t
        since_ns; /* wall clock, inclusive; give the creation's time: without, the search takes long */
    int64_t until_ns; /* exclusive; 0: open */
    size_t tail;      /* the newest n lines alone; 0: all */
};

/* One line, without its newline; borrowed. false: enough. */
typedef bool skl_gcp_log_cb(void *arg, bool is_stderr, int64_t time_ns, struct skl_str line);

/* In the order of time. TOOBIG for a tail of more than 64 MiB. */
int skl_gcp_logs_read(struct skl_gcp_logs *l, const struct skl_gcp_log_query *q,
                      const struct skl_gcp_context *context, skl_gcp_log_cb *cb, void *arg,
                      struct skl_error *err);

/* The output that came since the last call with this cursor (opaque, owned; NULL: from since_ns on), which is moved past
 * what the callback was given. Lines that become known late come late, and none twice. Calls that wait at the same
 * time share one read. Being throttled is no error here: there is nothing new then. */
int skl_gcp_logs_follow(struct skl_gcp_logs *l, const struct skl_gcp_log_source *source,
                        int64_t since_ns, const struct skl_gcp_context *context, char **cursor,
                        skl_gcp_log_cb *cb, void *arg, struct skl_error *err);

/* Appends s as a string of the filter language, with its quotes. */
void skl_log_filter_quote(struct skl_buf *b, struct skl_str s);

#endif
