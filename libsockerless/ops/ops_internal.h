/* ops_internal - what the files of ops/ share. */
#ifndef SKL_OPS_OPS_INTERNAL_H
#define SKL_OPS_OPS_INTERNAL_H

#include <pthread.h>

#include "ops/ops.h"

/* What the loop said last. */
struct ops_loop_view {
    int64_t at_ms; /* skl_mono_ms() */
    const char *why_not_ready;
    struct skl_ops_sample samples[SKL_OPS_MAX_SAMPLES];
    size_t n;
};

struct skl_ops {
    struct skl_ops_config config; /* constant after open */
    struct mg_context *server;
    pthread_mutex_t loop_view_lock; /* guards loop_view */
    struct ops_loop_view loop_view;
    pthread_mutex_t folders_lock; /* guards below; held while folders are walked */
    int64_t folders_at_ms;
    int64_t folder_bytes[8];
};

void ops_read_view(struct skl_ops *o, struct ops_loop_view *ret);
/* How much later than promised the loop is. */
int64_t ops_loop_lag_ms(const struct skl_ops *o, const struct ops_loop_view *view);

/* health.c: the body, and the status of the answer */
int ops_health(struct skl_ops *o, struct skl_buf *out);
int ops_ready(struct skl_ops *o, struct skl_buf *out);
/* ops_metrics.c */
void ops_metrics(struct skl_ops *o, struct skl_buf *out);
/* process.c */
void ops_process(struct skl_buf *out);
/* folders.c */
void ops_folders(struct skl_ops *o, struct skl_buf *out);

#endif
