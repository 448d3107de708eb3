/* ops - the listener for operators: /healthz, /readyz and /metrics over plain HTTP.
 *
 * Shape   CivetWeb on threads of its own, so that it answers when the loop is stuck, and tells for how long. What
 *         the loop owns is published by the loop, a copy of one moment; all else is read where it is counted
 *         (base/metrics.h, base/condition.h)
 * Answers /healthz: 503 when a restart or an operator is needed here (loop stuck, a vital condition failing), else 200,
 *         also while the cloud is away. /readyz: 200 only when a container could be started now
 * Errors  UNAVAILABLE: the address cannot be used; INVALID: it is none that CivetWeb knows
 * Thread  open and close: the loop thread; publish and set_ready: any
 * Limits  4 requests at a time, a queue behind them; a slow client is cut after 5 s
 */
#ifndef SKL_OPS_OPS_H
#define SKL_OPS_OPS_H

#include "base/condition.h"
#include "base/error.h"
#include "base/metrics.h"

struct skl_ops;

/* "9090", ":9090", "127.0.0.1:9090", "0.0.0.0:9090", "localhost:9090", "[::1]:9090". Without an address: loopback.
 * UNSUPPORTED: CivetWeb may have been built without IPv6 (Debian 12's is). */
int skl_ops_address(const char *text, char *ret, size_t cap, struct skl_error *err);

struct skl_ops_condition {
    struct skl_condition *condition;
    bool vital;
};

struct skl_ops_folder {
    const char *name, *path; /* its bytes are counted when asked for, at most every 10 s */
};

/* All is borrowed. */
struct skl_ops_config {
    const char *address; /* of skl_ops_address() */
    const char *backend; /* shown in sockerless_build_info */
    const struct skl_ops_condition *conditions;
    size_t n_conditions;
    const struct skl_ops_folder *folders;
    size_t n_folders;
    int64_t publish_every_ms; /* what the loop promises */
};

int skl_ops_open(const struct skl_ops_config *config, struct skl_ops **ret, struct skl_error *err);
/* Waits for the answers that are under way; NULL is fine. */
void skl_ops_close(struct skl_ops *o);
int skl_ops_port(const struct skl_ops *o);

/* One number of what the loop owns. Samples of one name stand together. */
struct skl_ops_sample {
    const char *name, *help;         /* literals */
    const char *label, *label_value; /* literals; NULL: none */
    int64_t number;
};
#define SKL_OPS_MAX_SAMPLES 32
void skl_ops_publish(struct skl_ops *o, const struct skl_ops_sample *samples, size_t n);
/* why_not: a literal; NULL: ready. */
void skl_ops_set_ready(struct skl_ops *o, const char *why_not);

#endif
