/* logging_internal - what the files of logging share: entries, filters, the quota, pages. */
#ifndef SKL_CLOUD_GCP_LOGGING_INTERNAL_H
#define SKL_CLOUD_GCP_LOGGING_INTERNAL_H

#include <pthread.h>

#include "base/list.h"
#include "cloud/gcp/logging.h"

struct skl_gcp_logs {
    struct skl_rest *rest;
    struct skl_gcp_client *client;
    char *project;
    pthread_mutex_t quota_lock; /* guards the next three */
    int64_t paid_until_ms;      /* the reads so far use up the quota until then */
    int64_t closed_until_ms;    /* the cloud said: not now */
    int64_t backoff_ms;
    pthread_mutex_t follow_lock; /* guards all below */
    pthread_cond_t follow_changed;
    struct skl_list waiting; /* of struct follower */
    bool reading;
};

/* -- entries */

struct skl_log_entry {
    int64_t time_ns;  /* as the writer has it */
    int64_t known_ns; /* when the cloud had it, if that was earlier */
    uint64_t hash;    /* of what identifies it */
    bool is_stderr;
    const char *service; /* borrowed from the JSON; NULL if it has none */
    char *line;          /* owned */
};
/* false: it has no time, so it is no entry. */
bool skl_log_entry_read(const cJSON *json, struct skl_log_entry *ret);

/* -- filters */

struct skl_log_filter {
    const char *project, *region;
    const char *const *services;
    size_t n_services;
    bool system;
    int64_t since_ns, until_ns; /* 0: open */
};
char *skl_log_filter_text(const struct skl_log_filter *f); /* owned */

/* -- reading */

struct skl_log_read {
    struct skl_gcp_logs *logs;
    const char *filter;
    bool descending;
    bool has_turn; /* the first page has had its turn in the quota */
    struct skl_gcp_context context;
};
/* Waits for a turn to read. THROTTLED when there is none before the deadline. */
int skl_log_quota_wait(struct skl_gcp_logs *l, const struct skl_gcp_context *context,
                       struct skl_error *err);
/* All entries in the filter's order. false from the callback ends it with 0. *ret_end (may be NULL): it was read to its
 * end. The callback may be told to begin anew: with entry NULL, when pages had to become smaller. */
typedef bool skl_log_entry_cb(void *arg, struct skl_log_entry *entry);
int skl_log_read_all(const struct skl_log_read *r, skl_log_entry_cb *cb, void *arg, bool *ret_end,
                     struct skl_error *err);

#endif
